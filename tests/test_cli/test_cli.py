"""The command line: every option reaches its argument, every mistake is one sentence and exit code 2."""

import inspect
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pictures import drawing
from PIL import Image

from gatys import extract_content, extract_style, load_vgg, optimize
from gatys.cli import command as cli
from gatys.cli import session
from gatys.cli.options import build_parser
from gatys.network import weights as weights_module
from gatys.network.download import Source
from gatys.pictures.images import read_image, write_image

ROOT = Path(__file__).parents[2]
QUICK = ["--size", "64", "--steps", "2", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1,conv2_1"]
QUICK += ["--content-layers", "conv2_2"]
RESULT = re.compile(r"^.+: \d+ x \d+, (interrupted after \d+ of )?\d+ steps, [\d.]+ s, total \S+, content .*tv \S+\n$")


@pytest.fixture(scope="session")
def net():
    return load_vgg("untrained")


@pytest.fixture
def loaded(monkeypatch, net):
    """Loads of the network with default weights cost nothing; records what was asked for."""
    calls = []

    def load(weights, pooling, **rest):
        calls.append({"weights": weights, "pooling": pooling, **rest})
        return net

    monkeypatch.setattr(cli, "load_vgg", load)
    return calls


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: content.png (80 x 64), style.png (72 x 96)."""
    monkeypatch.chdir(tmp_path)
    drawing((80, 64), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")
    return tmp_path


def files():
    return sorted(path.name for path in Path().iterdir() if path.name not in ("content.png", "style.png"))


# pictures in, a picture out


def test_a_run_prints_one_line_and_tells_of_the_untrained_network(capsys):
    assert cli.main(["content.png", "style.png", *QUICK, "--weights", "untrained"]) == 0
    out, err = capsys.readouterr()
    assert RESULT.match(out)
    assert out.startswith("content_style.png: 64 x 51, 2 steps, ")
    assert "network: untrained:0 (max pooling, " in err
    assert "untrained filters: colours and brush texture of the style, not the trained network of the paper; " in err
    assert "--weights auto" in err
    assert "it/s" not in err and "%|" not in err  # no progress bar: this is no terminal
    assert read_image("content_style.png").pixels.shape == (1, 3, 51, 64)


def test_result_is_what_the_functions_give(loaded, net):
    argv = ["content.png", "style.png", "-o", "x.png", "--depth", "16", *QUICK, "--style-scale", "0.5", "--steps", "3"]
    assert cli.main(argv) == 0
    content = extract_content(net, read_image("content.png", 64).pixels, {"conv2_2": 1.0}, 1, normalize=True)
    style = extract_style(
        net, [read_image("style.png", 32).pixels], {"conv1_1": 1.0, "conv2_1": 1.0}, 1, normalize=True
    )
    expected = optimize(net, content=content, style=style, steps=3).image
    assert torch.allclose(read_image("x.png").pixels, expected, atol=2 / 65535)


def test_several_styles_are_averaged(loaded, monkeypatch, capsys):
    drawing((90, 40), 3).save("other.png")
    grams = []
    monkeypatch.setattr(cli, "optimize", lambda net, **given: grams.append(given["style"].grams[0]) or finished())
    for styles in (["style.png"], ["other.png"], ["style.png", "other.png"]):
        assert cli.main(["content.png", *styles, *QUICK]) == 0
    for name, both in grams[2].items():
        assert torch.allclose(both, (grams[0][name] + grams[1][name]) / 2, rtol=1e-4)
        assert not torch.allclose(grams[0][name], grams[1][name], rtol=1e-2)
    assert "content_style_other.png" in capsys.readouterr().out


def test_default_name_is_numbered_and_out_replaces(loaded, capsys):
    Path("content_style.png").write_bytes(b"precious")
    Path("content_style_2.png").write_bytes(b"precious")
    assert cli.main(["content.png", "style.png", *QUICK]) == 0
    assert Path("content_style.png").read_bytes() == Path("content_style_2.png").read_bytes() == b"precious"
    assert capsys.readouterr().out.startswith("content_style_3.png: ")
    assert read_image("content_style_3.png").pixels.shape[-1] == 64
    assert cli.main(["content.png", "style.png", "-o", "content_style.png", *QUICK]) == 0
    assert read_image("content_style.png").pixels.shape[-1] == 64


def test_texture_and_reconstruction(loaded, capsys):
    assert cli.main(["-", "style.png", *QUICK]) == 0
    assert capsys.readouterr().out.startswith("style_texture.png: 48 x 64, 2 steps")
    texture = read_image("style_texture.png").pixels
    assert cli.main(["-", "style.png", *QUICK, "--seed", "5", "-o", "other.png"]) == 0
    assert (texture - read_image("other.png").pixels).abs().mean() > 0.1  # it begins with noise
    capsys.readouterr()
    assert cli.main(["content.png", "--style-weight", "0", *QUICK, "--init", "noise"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("content_reconstruction.png: 64 x 51, 2 steps") and "style 0," in line


def test_texture_from_a_picture_has_its_shape(loaded, capsys):
    drawing((40, 20), 4).save("start.png")
    assert cli.main(["-", "style.png", *QUICK, "--size", "0", "--init", "start.png"]) == 0
    assert "style_texture.png: 40 x 20, " in capsys.readouterr().out


def test_size_0_keeps_the_content_and_style_follows_it(loaded, monkeypatch):
    seen = {}
    monkeypatch.setattr(cli, "optimize", lambda net, **given: seen.update(given) or finished((80, 64)))
    argv = ["content.png", "style.png", *QUICK, "--size", "0", "--style-scale", "0.5"]
    assert cli.main(argv) == 0
    assert seen["content"].size == (64, 80) and seen["style"].size == (40, 30)
    assert seen["size"] is None  # the content's


@pytest.mark.parametrize(
    "kind", ["grey", "rgba", "palette", "cmyk", "16-bit grey", "16-bit colour", "animated", "1-bit", "webp", "rotated"]
)
def test_kinds_of_pictures(loaded, kind, capsys):
    name = {"cmyk": "in.jpg", "animated": "in.gif", "webp": "in.webp", "rotated": "in.jpg"}.get(kind, "in.png")
    picture = drawing((80, 64), 7)
    if kind == "16-bit colour":
        write_image(name, torch.rand(1, 3, 64, 80), depth=16)
    elif kind == "animated":
        picture.save(name, save_all=True, append_images=[drawing((80, 64), 8)])
    elif kind == "rotated":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(name, exif=exif)
    else:
        modes = {"grey": "L", "rgba": "RGBA", "palette": "P", "cmyk": "CMYK", "16-bit grey": "I;16", "1-bit": "1"}
        if kind == "16-bit grey":
            picture = picture.convert("L").convert("I")
        picture.convert(modes.get(kind, "RGB")).save(name)
    assert cli.main([name, name, "-o", "out.png", *QUICK]) == 0
    expected = (1, 3, 64, 51) if kind == "rotated" else (1, 3, 51, 64)
    assert read_image("out.png").pixels.shape == expected
    assert ("only the first is used" in capsys.readouterr().err) == (kind == "animated")


def test_alpha_of_the_content_goes_along(loaded, capsys):
    picture = drawing((80, 64), 7)
    picture.putalpha(Image.linear_gradient("L").resize((80, 64)))
    picture.save("cut.png")
    assert cli.main(["cut.png", "style.png", "-o", "out.webp", *QUICK]) == 0
    assert "transparency" not in capsys.readouterr().err
    alpha = read_image("out.webp").alpha
    assert alpha.shape == (1, 1, 51, 64)
    assert torch.allclose(alpha, read_image("cut.png", 64).alpha, atol=1 / 255)
    assert cli.main(["cut.png", "cut.png", "-o", "out.jpg", *QUICK]) == 0
    err = capsys.readouterr().err
    assert "out.jpg is written without its alpha" in err and "style 'cut.png': its transparency is ignored" in err


def test_quality_reaches_the_file(loaded):
    for quality in ("5", "100"):
        assert cli.main(["content.png", "style.png", "-o", f"{quality}.jpg", "--quality", quality, *QUICK]) == 0
    assert 2 * Path("5.jpg").stat().st_size < Path("100.jpg").stat().st_size


# options and their arguments


def finished(size=(64, 51), steps=2, notes=()):
    record = cli.Record(steps, 0, 1.0, 0.5, 0.25, 0.125)
    return cli.Result(torch.full((1, 3, size[1], size[0]), 0.5), (record,) * steps, notes)


GIVEN = {  # option -> what is typed after it, or instead of it, what the argument gets
    "steps": ("7", 7),
    "optimizer": ("adam", "adam"),
    "learning_rate": ("0.125", 0.125),
    "content_weight": ("0.75", 0.75),
    "style_weight": ("3", 3.0),
    "tv_weight": ("1e-3", 0.001),
    "strength": ("0.75", 0.75),
    "tolerance": ("0.2", 0.2),
    "average": ("0.9", 0.9),
    "octaves": ("2", 2),
    "detail": ("0.5", 0.5),
    "tv_form": ("absolute", "absolute"),
    "laplacian_weight": ("0.5", 0.5),
    "init": ("noise", "noise"),
    "seed": ("11", 11),
    "tile": ("32", 32),
    "memory": ("0.5", 2**29),
    "precision": ("float16", "float16"),
    "graphs": ("--no-graphs", False),
    "padding": ("circular", "circular"),
    "history_size": ("4", 4),
    "checkpoint": ("run.state", "run.state"),
    "checkpoint_every": ("2.5", 2.5),
    "weights": ("untrained:3", "untrained:3"),
    "pooling": ("average", "average"),
    "layout": ("caffe", "caffe"),
    "depth": ("16", 16),
    "quality": ("71", 71),
}


def recorded(monkeypatch, net, *argv):
    """The arguments that load_vgg, optimize and write_image get, bound to their own signatures."""
    seen = {}

    def recorder(name, real, reply):
        def record(*args, **kwargs):
            seen[name] = inspect.signature(real).bind(*args, **kwargs).arguments
            return reply

        monkeypatch.setattr(session if name == "write_image" else cli, name, record)

    recorder("load_vgg", load_vgg, net)
    recorder("optimize", optimize, finished())
    recorder("write_image", write_image, None)
    argv = argv or ["content.png", "style.png"]
    assert cli.main([*argv, "--size", "64", "--device", "cpu"]) == 0
    return seen


def signatures():
    return {f.__name__: inspect.signature(f).parameters for f in (load_vgg, optimize, write_image)}


def test_defaults_are_those_of_the_functions(monkeypatch, net):
    seen = recorded(monkeypatch, net)
    for option in GIVEN:
        (function,) = [name for name, parameters in signatures().items() if option in parameters]
        default = signatures()[function][option].default
        assert seen[function].get(option, default) == default, option
    assert seen["optimize"]["content"].normalize and seen["optimize"]["style"].normalize
    assert dict(seen["optimize"]["content"].layers) == {"conv4_2": 1.0}
    assert dict(seen["optimize"]["style"].layers) == {f"conv{block}_1": 0.2 for block in range(1, 6)}


@pytest.mark.parametrize("option", GIVEN)
def test_option_reaches_its_argument(monkeypatch, net, option):
    typed, value = GIVEN[option]
    (function,) = [name for name, parameters in signatures().items() if option in parameters]
    assert signatures()[function][option].default != value
    given = [typed] if typed.startswith("--") else ["--" + option.replace("_", "-"), typed]
    seen = recorded(monkeypatch, net, "content.png", "style.png", *given)
    assert seen[function][option] == value


def test_every_argument_has_an_option():
    """An argument added to a function must get an option, or be named here."""
    options = vars(build_parser().parse_args(["c", "s"]))
    not_options = {
        "net",
        "content",
        "size",
        "callback",
        "place",
        "settings",
        "terms",
        "folder",
        "progress",
        "path",
        "image",
        "alpha",
        "metadata",  # --strip
        "overwrite",  # --no-overwrite
    }
    not_options |= {"temporal", "temporal_weight"}  # for films
    arguments = {name for parameters in signatures().values() for name in parameters}
    assert arguments - not_options - options.keys() == set()
    assert set(GIVEN) == arguments - not_options - {"style"}


def test_options_of_the_targets(monkeypatch, net):
    argv = ["content.png", "style.png", "--no-normalize", "--levels", "2", "--tile", "none"]
    argv += ["--content-layers", "relu3_1=0.5, conv1_2", "--style-layers", "conv2_1=3", "--statistic", "moments"]
    given = recorded(monkeypatch, net, *argv)["optimize"]
    content, style = given["content"], given["style"]
    assert (content.normalize, style.normalize, content.levels, style.levels) == (False, False, 2, 2)
    assert dict(content.layers) == {"conv1_2": 1.0, "conv3_1": 0.5} and dict(style.layers) == {"conv2_1": 3.0}
    assert given["tile"] is None and style.statistic.name == "moments"
    assert recorded(monkeypatch, net)["optimize"]["style"].statistic.name == "gram"


def test_init_takes_a_file(monkeypatch, net):
    given = recorded(monkeypatch, net, "content.png", "style.png", "--init", "style.png")["optimize"]
    assert torch.equal(given["init"], read_image("style.png").pixels)


def test_options_may_stand_between_the_styles(monkeypatch, net):
    given = recorded(monkeypatch, net, "content.png", "style.png", "-o", "x.png", "style.png")
    assert given["write_image"]["path"] == "x.png"
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0


def test_help_states_every_option_and_default(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help-all"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for option in GIVEN:
        (part,) = re.findall(rf"^  --{option.replace('_', '-')}[ ,].*?(?=^  -|^$)", text, re.MULTILINE | re.DOTALL)
        default = next(p[option].default for p in signatures().values() if option in p)
        special = {
            "learning_rate": "1 for lbfgs, 0.02 for adam",
            "depth": "8",
            "quality": "good",
            "memory": "what is free",
            "padding": "zero",
            "checkpoint": "none",
        }
        shown = special.get(option, default)
        assert f"(default: {shown})" in " ".join(part.split()), option


@pytest.mark.parametrize(
    ("cards", "mps", "name", "expected"),
    [
        (2, True, "auto", "cuda"),
        (0, True, "auto", "mps"),
        (0, False, "auto", "cpu"),
        (2, True, "cuda:1", "cuda:1"),
        (2, False, "cuda:2", None),
        (0, True, "mps", "mps"),
        (2, False, "mps", None),
        (2, True, "cpu", "cpu"),
    ],
)
def test_device(monkeypatch, cards, mps, name, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if expected is None:
        with pytest.raises(ValueError, match=f"--device: '{name}' is not on this machine"):
            cli.find_device(name, "--device")
    else:
        assert cli.find_device(name) == torch.device(expected)


# mistakes

BAD = {  # what is wrong: arguments after CONTENT STYLE, or all of them; a part of the sentence
    "no picture": ([], "CONTENT"),
    "no style": (["content.png"], "STYLE: expected at least one picture"),
    "missing content": (["gone.png", "style.png"], "'gone.png'"),
    "missing style": (["content.png", "style.png", "gone.png"], "'gone.png'"),
    "folder": (["content.png", "folder"], "'folder' is a folder"),
    "empty file": (["content.png", "empty.png"], "'empty.png' is empty"),
    "no picture inside": (["text.png", "style.png"], "'text.png'"),
    "cut short": (["content.png", "short.png"], "'short.png' is damaged"),
    "tiny content": (
        ["tiny.png", "style.png", "--size", "0"],
        "content 'tiny.png': 1 x 1 pixels is too small for conv2_2",
    ),
    "tiny style": (["content.png", "tiny.png", "--style-scale", "0.01"], "style 'tiny.png': 1 x 1 pixels"),
    "narrow result": (
        ["narrow.png", "style.png", "--content-layers", "conv1_1", "--style-layers", "conv5_1"],
        "result of 'narrow.png': --size 64 makes 64 x 8 of its 96 x 12 pixels, too small for conv5_1",
    ),
    "nothing to match": (["-", "--style-weight", "0"], "CONTENT: expected a picture"),
    "no content to start from": (
        ["-", "style.png", "--init", "content"],
        "CONTENT: expected a picture for --init content",
    ),
    "no weight": (
        "--content-weight 0 --style-weight 0",
        "--content-weight, --style-weight, --tv-weight: expected one above 0",
    ),
    "no weight that applies": (
        ["-", "style.png", "--style-weight", "0"],
        "--style-weight, --tv-weight: expected one above 0",
    ),
    "unknown option": ("--bogus", "--bogus"),
    "abbreviated option": ("--step 3", "--step"),
    "unknown layer": ("--style-layers conv9_9", "--style-layers: unknown layer 'conv9_9'"),
    "unknown content layer": ("--content-layers conv4_2,fc6", "--content-layers: unknown layer 'fc6'"),
    "layer twice": ("--style-layers conv1_1,conv1_1=2", "--style-layers: conv1_1 is named twice"),
    "layer twice by its other name": ("--style-layers conv1_1,relu1_1", "--style-layers: conv1_1 is named twice"),
    "layer weight": ("--style-layers conv1_1=much", "--style-layers: expected names like"),
    "layer without its weight": ("--style-layers conv1_1=", "--style-layers: expected names like"),
    "negative layer weight": ("--style-layers conv1_1=-1", "--style-layers: expected a finite weight"),
    "no layer": (["content.png", "style.png", "--content-layers", ""], "--content-layers: expected at least one layer"),
    "steps 0": (
        "--steps 0",
        "--steps: expected a whole number of at least 1, or one for each level, such as 20,40,80, got '0'",
    ),
    "steps as text": (
        "--steps many",
        "--steps: expected a whole number of at least 1, or one for each level, such as 20,40,80, got 'many'",
    ),
    "steps of a level 0": ("--steps 5,0", "--steps: expected a whole number of at least 1, or one for each level"),
    "steps of too many levels": ("--levels 2 --steps 5,5,5", "one of at least 1 for each of 2 levels, got [5, 5, 5]"),
    "fewer steps than levels": ("--levels 2 --steps 1", "steps: expected at least 1 for each of 2 levels, got 1"),
    "levels 0": ("--levels 0", "--levels: expected auto, a whole number of at least 1, got '0'"),
    "too many levels": ("--levels 9 --steps 9", "levels: 9 levels make this content 'content.png'"),
    "negative size": ("--size -5", "--size: expected a whole number of at least 0, got '-5'"),
    "size in inches": ("--size 5in", "--size: expected a whole number of at least 0, got '5in'"),
    "NaN": ("--content-weight nan", "--content-weight: expected a finite number of at least 0, got 'nan'"),
    "NaN of a rate": ("--learning-rate nan", "--learning-rate: expected a finite number above 0, got 'nan'"),
    "infinity": ("--tv-weight inf", "--tv-weight: expected a finite number of at least 0, got 'inf'"),
    "negative weight": ("--style-weight -1", "--style-weight: expected a finite number of at least 0, got '-1'"),
    "strength above 1": ("--strength 3", "--strength: expected a number from 0 to 1, got '3'"),
    "tolerance of 1": ("--tolerance 1", "--tolerance: expected a number from 0 to below 1, got '1'"),
    "tolerance as text": ("--tolerance little", "--tolerance: expected a number from 0 to below 1, got 'little'"),
    "strength of NaN": ("--strength nan", "--strength: expected a number from 0 to 1, got 'nan'"),
    "strength as text": ("--strength strong", "--strength: expected a number from 0 to 1, got 'strong'"),
    "rate 0": ("--learning-rate 0", "--learning-rate: expected a finite number above 0, got '0'"),
    "style scale 0": ("--style-scale 0", "--style-scale: expected a finite number above 0, got '0'"),
    "history 0": ("--history-size 0", "--history-size: expected a whole number of at least 1, got '0'"),
    "seed": ("--seed lucky", "--seed: expected a whole number of at least 0, got 'lucky'"),
    "optimizer": ("--optimizer sgd", "--optimizer: invalid choice: 'sgd'"),
    "pooling": ("--pooling min", "--pooling: invalid choice: 'min'"),
    "init": (
        "--init nosie",
        "--init: expected auto, recolored, content, noise, mean or a picture file: there is no file 'nosie'",
    ),
    "tile as text": ("--tile big", "--tile: expected auto, none, a whole number of at least 1, got 'big'"),
    "tile below the stride": ("--tile 1", "tile: expected None or a whole number of pixels, at least 2"),
    "device": ("--device abacus", "--device: 'abacus' is not on this machine"),
    "device not there": ("--device cuda:99", "--device: 'cuda:99' is not on this machine"),
    "depth": ("--depth 12", "--depth: invalid choice: 12"),
    "depth of jpeg": ("--depth 16 -o x.jpg", "'x.jpg' would be JPEG, which has no 16 bits"),
    "quality": ("--quality best", "--quality: expected draft, good, final, a whole number from 1 to 100, got 'best'"),
    "quality of the file": ("--file-quality 101", "--file-quality: expected a whole number from 1 to 100, got '101'"),
    "quality of a preset": (
        "--quality draft --preset udacity",
        "--quality, --preset: a preset has a size and steps of its",
    ),
    "output folder": ("-o gone/x.png", "there is no folder 'gone'"),
    "output is a folder": ("-o folder", "'folder' is a folder"),
    "output suffix": ("-o x.bmp", "'x.bmp' has the suffix '.bmp'"),
    "output without suffix": ("-o x", "'x' has the suffix ''"),
    "output name too long": (f"-o {'x' * 300}.png", "ame too long"),
    "output is the content": ("-o content.png", "--out: 'content.png' is also an input"),
    "loud and quiet": ("--quiet --verbose", "not allowed with"),
    "weights": ("--weights resnet", "there is no file resnet"),
    "weights seed": (
        "--weights untrained:x",
        "weights: expected a whole number from 0 to 2^64 - 1 after 'untrained:', got 'x'",
    ),
    "layout of no file": ("--weights untrained --layout caffe", "layout: 'caffe' is for checkpoint files"),
    "layout": ("--layout keras", "--layout: invalid choice: 'keras'"),
    "foreign weight file": ("--weights foreign.pth", "foreign.pth: no VGG-19 or VGG-16 among its 1 keys"),
    "no weight file at all": ("--weights style.png", "style.png ends in '.png'"),
    "damaged weight file": ("--weights text.pth", "text.pth"),
}
AFTER_LOADING = {
    "weights",
    "weights seed",
    "layout of no file",
    "foreign weight file",
    "no weight file at all",
    "damaged weight file",
}


def make_bad_files():
    Path("folder").mkdir()
    Path("empty.png").touch()
    for name in ("text.png", "text.pth"):
        Path(name).write_text("this is no picture and no checkpoint")
    Path("short.png").write_bytes(Path("content.png").read_bytes()[:2000])
    drawing((1, 1), 1).save("tiny.png")
    drawing((96, 12), 1).save("narrow.png")
    torch.save({"fc.weight": torch.zeros(2, 2)}, "foreign.pth")


def check_complaint(capsys, part):
    out, err = capsys.readouterr()
    complaints = [line for line in err.splitlines() if line.startswith("gatys: error: ")]
    assert out == "" and len(complaints) == 1, err
    assert part in complaints[0]
    assert "Traceback" not in err and err.splitlines()[-1] == complaints[0]


def test_a_package_that_is_not_there_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Path("photo.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf")
    assert cli.main(["photo.heic", "style.png", "-o", "out.png"]) == 2
    check_complaint(capsys, "needs a package that is not installed; run pip install 'gatys-style-transfer[heic]'")


@pytest.mark.parametrize("mistake", BAD)
def test_mistake_is_one_sentence(mistake, monkeypatch, capsys):
    make_bad_files()
    before = files()
    argv, part = BAD[mistake]
    argv = argv if isinstance(argv, list) else ["content.png", "style.png", *argv.split()]
    defaults = [] if "narrow.png" in argv else QUICK
    if mistake not in AFTER_LOADING:
        monkeypatch.setattr(
            cli, "load_vgg", lambda *args, **rest: pytest.fail("found only after the network was loaded")
        )
    argv = [*defaults, *argv] if defaults else ["--size", "64", *argv]
    assert cli.main(argv) == 2
    check_complaint(capsys, part)
    assert files() == before


def test_no_network_for_imagenet(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(weights_module, "imagenet_source", lambda: Source("http://127.0.0.1:9/vgg19-0.pth", "0"))
    assert cli.main(["content.png", "style.png", *QUICK, "--weights", "imagenet"]) == 2
    check_complaint(capsys, "could not get the 'imagenet' weights from http://127.0.0.1:9/vgg19-0.pth")
    assert not list(Path().glob("*_*.png"))


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried to allocate 9"
        ),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        MemoryError(),
    ],
)
def test_out_of_memory(loaded, monkeypatch, capsys, error):
    def fail(*args, **given):
        raise error

    monkeypatch.setattr(cli, "optimize", fail)
    assert cli.main(["content.png", "style.png", *QUICK]) == 1
    check_complaint(capsys, "out of memory with --size 64; give a smaller --size")
    assert files() == []


def test_really_out_of_memory(loaded, capsys):
    assert cli.main(["content.png", "style.png", *QUICK, "--size", "100000000"]) == 1
    check_complaint(capsys, "out of memory with --size 100000000")


def test_an_error_of_the_program_is_not_hidden(loaded, monkeypatch):
    def fail(*args, **given):
        raise RuntimeError("expected scalar type Half but found Float")

    monkeypatch.setattr(cli, "optimize", fail)
    with pytest.raises(RuntimeError, match="scalar type"):
        cli.main(["content.png", "style.png", *QUICK])


# what is printed


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bars_on_a_terminal(monkeypatch, net):
    def download(*args, progress, **rest):
        for done in range(0, 5_000_001, 1_000_000):
            threading.Event().wait(0.05)
            progress(done, 5_000_000)
        return net

    monkeypatch.setattr(cli, "load_vgg", download)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli.main(["content.png", "style.png", *QUICK]) == 0
    text = terminal.getvalue()
    assert "5.00M/5.00M" in text
    assert re.search(r"steps: 100%\|.*\| 2/2 .*level 0, total \S+, content \S+, style \S+, tv", text)


def test_quiet_prints_only_the_result(loaded, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli.main(["content.png", "style.png", *QUICK, "--quiet"]) == 0
    assert terminal.getvalue() == ""
    assert RESULT.match(capsys.readouterr().out)


def test_verbose_prints_every_step(loaded, capsys):
    assert cli.main(["content.png", "style.png", *QUICK, "--verbose"]) == 0
    steps = re.findall(r"^gatys: step (\d), level 0: total ", capsys.readouterr().err, re.MULTILINE)
    assert steps == ["1", "2"]


def test_notes_are_printed(loaded, monkeypatch, capsys):
    notes = ("step 3: went back", "step 9: went back")
    monkeypatch.setattr(cli, "optimize", lambda *args, **given: finished(notes=notes))
    assert cli.main(["content.png", "style.png", *QUICK]) == 0
    assert capsys.readouterr().err.count("went back") == 2


def test_the_plan_is_printed_before_the_run(loaded, capsys):
    assert cli.main(["content.png", "style.png", *QUICK, "--tile", "32"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gatys: plan: ")]
    assert "tiles of 32 x 32" in line and "a step" in line


def test_trained_network_is_not_called_untrained(monkeypatch, net, capsys):
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: net)
    assert cli.main(["content.png", "style.png", *QUICK, "--weights", "imagenet"]) == 0
    assert "untrained filters" not in capsys.readouterr().err


def test_losses_are_those_of_the_saved_picture(loaded, monkeypatch, capsys):
    records = [(2, 1, 0.1), (3, 0, 9.0), (4, 0, 3.0), (5, 0, float("nan")), (6, 0, 7.0)]
    history = tuple(cli.Record(step, level, total, 0, 0, 0) for step, level, total in records)
    result = SimpleNamespace(image=torch.rand(1, 3, 51, 64), history=history, notes=(), state=None)
    monkeypatch.setattr(cli, "optimize", lambda *args, **given: result)
    assert cli.main(["content.png", "style.png", *QUICK]) == 0
    assert "total 3, " in capsys.readouterr().out


# Ctrl-C


@pytest.fixture
def default_interrupt():
    """The handler of an ordinary process: where tests run in the background, SIGINT may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def interrupting(monkeypatch, at, times=1):
    """Descents whose user presses Ctrl-C in step `at`; returns the best picture of every step."""
    best = []

    def descend(net, callback, **given):
        def follow(progress):
            best.append(progress.image)
            if progress.step == at:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)
            callback(progress)

        return optimize(net, callback=follow, **given)

    monkeypatch.setattr(cli, "optimize", descend)
    return best


def test_ctrl_c_saves_the_best_picture_so_far(loaded, monkeypatch, capsys, default_interrupt):
    best = interrupting(monkeypatch, at=3)
    argv = ["content.png", "style.png", "-o", "x.png", "--depth", "16", *QUICK, "--steps", "50"]
    assert cli.main(argv) == 130
    out, err = capsys.readouterr()
    assert len(best) == 3
    assert torch.allclose(read_image("x.png").pixels, best[-1], atol=1 / 65535)
    assert "x.png: 64 x 51, interrupted after 3 of 50 steps, " in out and RESULT.match(out)
    assert "stopping after this step to save the best picture so far" in err
    assert signal.getsignal(signal.SIGINT) is default_interrupt


def test_second_ctrl_c_saves_nothing(loaded, monkeypatch, capsys, default_interrupt):
    best = interrupting(monkeypatch, at=2, times=2)
    assert cli.main(["content.png", "style.png", *QUICK, "--steps", "50"]) == 130
    assert len(best) == 2 and files() == []
    check_complaint(capsys, "interrupted by Ctrl-C; nothing was saved")
    assert signal.getsignal(signal.SIGINT) is default_interrupt


def test_ctrl_c_in_the_last_step_changes_nothing_but_the_exit_code(loaded, monkeypatch, capsys, default_interrupt):
    interrupting(monkeypatch, at=2)
    assert cli.main(["content.png", "style.png", *QUICK]) == 130
    assert ", 2 steps, " in capsys.readouterr().out


def test_ctrl_c_before_the_descent(monkeypatch, capsys, default_interrupt):
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: os.kill(os.getpid(), signal.SIGINT))
    assert cli.main(["content.png", "style.png", *QUICK]) == 130
    check_complaint(capsys, "interrupted by Ctrl-C; nothing was saved")


def test_ignored_ctrl_c_stays_ignored(loaded, monkeypatch, default_interrupt):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    best = interrupting(monkeypatch, at=1)
    assert cli.main(["content.png", "style.png", *QUICK]) == 0
    assert len(best) == 2 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_works_outside_the_main_thread(loaded):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.main(["content.png", "style.png", *QUICK])))
    thread.start()
    thread.join()
    assert codes == [0]


# the program itself


def program(*argv):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gatys", *argv]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)


def test_the_module_ends_with_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gatys"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("gatys", run_name="__main__")
    assert end.value.code == 2
    check_complaint(capsys, "CONTENT")


def test_program_helps():
    done = program("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: gatys ") and done.stderr == ""


@pytest.mark.slow
def test_program_runs_and_complains():
    done = program("content.png", "style.png", "-o", "x.png", "--weights", "untrained", *QUICK)
    assert done.returncode == 0 and RESULT.match(done.stdout), done.stderr
    assert "untrained filters" in done.stderr and read_image("x.png").pixels.shape == (1, 3, 51, 64)
    done = program("content.png", "gone.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gatys: error: there is no file 'gone.png'; check the path\n"
