"""What the program's own reduction made too small is not blamed on the file, but on the option that did it."""

import re

import pytest
from pictures import drawing

import gatys
from gatys.cli import command as cli
from gatys.cli.preset_options import few_steps, parse_options

QUICK = ["--steps", "1", "--levels", "1", "--device", "cpu", "-o", "out.png"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: a panorama of 2000 x 50 pixels, upright likewise, and style.png."""
    monkeypatch.chdir(tmp_path)
    drawing((2000, 50), 1).save("panorama.png")
    drawing((50, 2000), 2).save("tower.png")
    drawing((400, 300), 3).save("style.png")
    drawing((30, 20), 4).save("small.png")
    drawing((12, 10), 4).save("tiny.png")
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: pytest.fail("found only after the network was loaded"))


NEEDS = "too small for {}, which needs at least {} x {}; "
CASES = {
    "the result's shape": (
        ["panorama.png", "style.png"],
        "result of 'panorama.png': --size 512 makes 512 x 13 of its 2000 x 50 pixels, "
        + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
    "content, by its own layers": (
        ["panorama.png", "style.png", "--size", "300"],
        "content 'panorama.png': --size 300 makes 300 x 8 of its 2000 x 50 pixels, " + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
    "upright": (
        ["tower.png", "style.png", "--size", "100"],
        "content 'tower.png': --size 100 makes 3 x 100 of its 50 x 2000 pixels, " + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
    "a quality": (
        ["tower.png", "style.png", "--quality", "draft"],
        "content 'tower.png': --quality draft, which means --size 320, makes 8 x 320 of its 50 x 2000 pixels, "
        + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
    "style, by --size": (
        ["style.png", "panorama.png"],
        "style 'panorama.png': --size 512 makes 512 x 13 of its 2000 x 50 pixels, " + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
    "style, by --style-scale": (
        ["style.png", "style.png", "--style-scale", "0.03"],
        "style 'style.png': --style-scale 0.03 makes 15 x 11 of its 400 x 300 pixels, "
        + NEEDS.format("conv5_1", 16, 16)
        + "give a larger --style-scale, or ",
        712,
    ),
    "style, by the content": (
        ["tiny.png", "style.png", "--size", "0", "--content-layers", "conv1_1"],
        "style 'style.png': CONTENT's own size makes 12 x 9 of its 400 x 300 pixels, "
        + NEEDS.format("conv5_1", 16, 16),
        22,
    ),
    "texture": (
        ["-", "panorama.png"],
        "style 'panorama.png': --size 512 makes 512 x 13 of its 2000 x 50 pixels, " + NEEDS.format("conv5_1", 16, 16),
        640,
    ),
}
DEEP = ["--content-layers", "conv5_1"]


@pytest.mark.parametrize("case", CASES)
def test_the_option_that_did_it_is_named(capsys, case):
    argv, said, least = CASES[case]
    deep = DEEP if "content 'p" in said or "content 't" in said else []
    assert cli.main([*QUICK, *argv, *deep]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    advice = ("" if said.endswith("or ") else "give ") + f"--size {least} or more, or choose shallower layers"
    assert line == f"gatys: error: {said}{advice}"


@pytest.mark.parametrize("case", ["the result's shape", "upright", "style, by --size", "style, by --style-scale"])
def test_with_the_size_that_is_named_it_fits(monkeypatch, case):
    argv, _, least = CASES[case]
    loaded = []
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: loaded.append(1) or 1 / 0)
    argv = [word for word in argv if word not in ("--size", "100")]
    with pytest.raises(ZeroDivisionError):
        cli.main([*QUICK, *argv, "--size", str(least)])
    assert loaded == [1]
    smaller = [*QUICK, *argv, "--size", str(round(0.95 * least))]
    assert cli.main(smaller) == 2


def test_a_preset_that_did_it(monkeypatch, capsys):
    monkeypatch.setattr("gatys.cli.preset_options.find_weights", lambda preset: "untrained")
    assert cli.main(["panorama.png", "style.png", "--preset", "neural-style", "-o", "out.png"]) == 2
    err = capsys.readouterr().err
    assert "--preset neural-style makes 512 x 13 of its 2000 x 50 pixels, too small for conv5_1" in err


def test_a_file_that_is_small_itself_is_named_as_before(capsys):
    assert (
        cli.main([*QUICK, "small.png", "style.png", "--size", "0", "--content-layers", "conv5_1", "--levels", "2"]) == 2
    )
    err = capsys.readouterr().err
    assert "makes" not in err and re.search(r"small.png' of 30 x 20 pixels smaller than the 16 pixels", err)


# presets and their steps


@pytest.mark.parametrize("preset", gatys.presets)
def test_a_preset_says_how_many_steps_it_needs(preset):
    size = 384, 512
    takes = sum(gatys.presets[preset].schedule(size))
    argv = ["panorama.png", "style.png", "--preset", preset, "--weights", "untrained"]
    assert few_steps(parse_options([*argv, "--steps", str(takes)]), size) == few_steps(parse_options(argv), size) == ""
    line = few_steps(parse_options([*argv, "--steps", "12"]), size)
    assert line.startswith(f"steps: preset {preset} takes {takes}, and --steps gives it 12")
    assert (", in which Adam changes a pixel by about 0." in line) == (gatys.presets[preset].optimizer == "adam")
    assert few_steps(parse_options([*argv[:2], "--steps", "12"]), size) == ""


def test_the_command_line_says_it(monkeypatch, capsys):
    net = gatys.load_vgg("untrained")
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    argv = ["style.png", "style.png", "--preset", "udacity", "--weights", "untrained", "--size", "48", "--steps", "1"]
    assert cli.main([*argv, "-o", "out.png"]) == 0
    said = "gatys: steps: preset udacity takes 2000, and --steps gives it 1, in which Adam changes a pixel by about "
    assert said + "0.00068 of its range at most\n" in capsys.readouterr().err
