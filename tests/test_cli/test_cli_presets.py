"""`--preset`: what it fills, what the user's own options do to it, and what it says."""

import dataclasses
import re

import pytest
from pictures import picture

import gatys
from gatys.cli import command as cli
from gatys.cli import preset_options
from gatys.cli.options import build_parser
from gatys.network import weights
from gatys.pictures.images import write_image

SMALL = ["--weights", "untrained", "--size", "48", "--steps", "2"]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A content and a style picture in an empty folder, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for seed, (name, size) in enumerate((("content.png", (48, 64)), ("style.png", (40, 60)))):
        write_image(name, picture(seed, size=size))
    return ["content.png", "style.png", "-o", "out.png"]


def run(capsys, *arguments):
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_preset_fills_what_is_not_given(pictures, capsys):
    code, _, said = run(capsys, *pictures, "--preset", "neural-style", *SMALL, "--pooling", "average")
    assert code == 0
    (line,) = [line for line in said.splitlines() if line.startswith("gatys: preset")]
    filled = dict(re.findall(r"--(\S+) ([^-]\S*)", line))
    settings = gatys.presets["neural-style"].settings((36, 48))
    for name in ("content_weight", "style_weight", "tv_weight"):
        assert float(filled[name.replace("_", "-")]) == pytest.approx(settings[name], rel=1e-9)
    assert filled["init"] == "mean" and filled["tv-form"] == "corner" and filled["preprocessing"] == "caffe-256"
    assert "--no-normalize" in line and "--levels 1" in line
    assert not {"weights", "size", "steps", "pooling"} & filled.keys()  # these were given
    assert "average pooling" in said


def test_the_line_s_options_do_the_same_without_the_preset(pictures, capsys):
    code, out, said = run(capsys, *pictures, "--preset", "gordicaleksa", *SMALL)
    (line,) = [line for line in said.splitlines() if line.startswith("gatys: preset")]
    options = line.partition("gordicaleksa: ")[2].split()
    # the style of this preset has the result's height, which is no option of its own
    height = 36 * 60 / 40 / 48
    again, same, _ = run(capsys, *pictures, *SMALL, *options, "--style-scale", str(height))
    losses = [re.search("total (.*)", text).group(1) for text in (out, same)]
    assert (code, again) == (0, 0) and losses[0] == losses[1]


def test_the_loss_is_the_preset_s_own(pictures, capsys):
    code, out, _ = run(
        capsys, *pictures, "--preset", "udacity", "--weights", "untrained", "--steps", "1", "--size", "64"
    )
    content, style = (gatys.pictures.images.read_image(name).pixels for name in pictures[:2])
    losses, _ = gatys.presets["udacity"].objective(gatys.load_vgg19("untrained"), content, style).evaluate(content)
    assert code == 0
    assert float(re.search(r"total ([^,]*)", out).group(1)) == pytest.approx(losses["total"], rel=1e-3)


def test_the_size_is_the_source_s(pictures):
    options = preset_options.parse_options([*pictures, "--preset", "udacity", "--weights", "untrained"])
    assert options.size((600, 800)) == 533
    options = preset_options.parse_options([*pictures, "--preset", "udacity", "--weights", "untrained", "--size", "99"])
    assert options.size == 99 and "size" not in options.filled


@pytest.mark.parametrize("name", gatys.presets)
def test_the_start_and_the_descent_are_the_source_s(pictures, name):
    options = preset_options.parse_options([*pictures, "--preset", name, "--weights", "untrained"])
    preset = gatys.presets[name]
    settings = preset.settings((preset.size, preset.size))
    for field in ("steps", "init", "optimizer", "history_size", "statistic", "levels", "padding", "average"):
        assert field in options.filled and getattr(options, field) == settings[field]
    assert (
        max(settings["steps"]) == preset.steps
        if preset.finer_steps[:1] == (500,)
        else settings["steps"] == preset.steps
    )


@pytest.mark.parametrize("option", [["--content-weight", "0.01"], ["--levels", "auto"], ["--normalize"]], ids=str)
def test_what_is_given_wins_even_if_it_is_the_default(pictures, option):
    given = preset_options.parse_options([*pictures, "--preset", "udacity", "--weights", "untrained", *option])
    filled = preset_options.parse_options([*pictures, "--preset", "udacity", "--weights", "untrained"])
    name = option[0].removeprefix("--").replace("-", "_")
    assert name not in given.filled and name in filled.filled
    assert getattr(given, name) != getattr(filled, name)
    given = preset_options.fill_options(given, (400, 400))
    assert getattr(given, name) != getattr(filled, name)


NOT_FETCHED = ("leongatys-pytorch", "neural-style", "neural-style-pt", "spst")


def test_an_unknown_preset_lists_those_there_are(pictures, capsys):
    code, _, said = run(capsys, *pictures, "--preset", "gatys")
    assert code == 2 and said.count("\n") == 1
    assert all(name in said for name in gatys.presets)


@pytest.mark.parametrize("name", NOT_FETCHED)
def test_missing_weights_are_named_with_their_place(pictures, capsys, name):
    code, _, said = run(capsys, *pictures, "--preset", name)
    preset = gatys.presets[name]
    assert code == 2 and said.count("\n") == 1
    assert said.startswith(
        f"gatys: error: --preset {name} needs {preset.weights}, which is neither in the current folder"
    )
    assert "fetch it from https://" in said and "untrained" in said


def test_weights_in_the_current_folder_are_found(pictures, tmp_path):
    for folder in (tmp_path / "torch" / "hub" / "gatys" / "below", tmp_path / "torch" / "hub" / "gatys", tmp_path):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vgg_conv.pth").touch()
        options = preset_options.parse_options([*pictures, "--preset", "leongatys-pytorch"])
        assert options.weights == str((folder / "vgg_conv.pth") if folder != tmp_path else "vgg_conv.pth")


def test_the_papers_weights_are_fetched_unless_they_are_there(pictures, tmp_path, capsys, monkeypatch):
    assert preset_options.parse_options([*pictures, "--preset", "gatys2016"]).weights == "paper"
    monkeypatch.setattr(weights, "paper_source", lambda: weights.Source("http://127.0.0.1:9/vgg_normalised.pth", "0"))
    code, _, said = run(capsys, *pictures, "--preset", "gatys2016", "--size", "48")
    assert code == 2 and "gatys: error: could not get the 'paper' weights from http://127.0.0.1:9/" in said
    (tmp_path / "vgg_normalised.pth").touch()
    assert preset_options.parse_options([*pictures, "--preset", "gatys2016"]).weights == "vgg_normalised.pth"


def test_what_was_parsed_is_all_that_was_asked_and_nobody_writes_to_it(pictures):
    options = preset_options.parse_options([*pictures, "--steps", "3,4", "--blend", "2"])
    typed = vars(build_parser().parse_intermixed_args([*pictures, "--steps", "3,4", "--blend", "2"]))
    assert vars(options).keys() == {*typed, "filled", "expected_filters", "temporal_weight", "of_pictures"}
    assert (options.style, options.steps, options.blend) == (("style.png",), (3, 4), (2.0,)) and hash(options.style)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.size = 3


def test_out_of_memory_names_the_preset_s_size(pictures, capsys, monkeypatch):
    def fails(*given, **rest):
        raise MemoryError

    monkeypatch.setattr(cli, "load_vgg", fails)
    given = [*pictures, "--preset", "udacity", "--weights", "untrained"]
    code, _, said = run(capsys, *given)
    assert code == 1 and "gatys: error: out of memory with --size 400; give a smaller --size" in said


def test_without_a_preset_nothing_is_filled(pictures):
    options = preset_options.parse_options(pictures)
    assert options.filled == () and options.size == 512 and options.normalize
