"""`--config`: options from a TOML file, as if they stood at the front of the command line, which wins."""

import builtins
from pathlib import Path

import pytest

from gatys.cli.preset_options import parse_options
from gatys.errors import InputError, MissingPackage
from gatys.settings import DEFAULTS

pytest.importorskip("tomllib", reason="from Python 3.11 on")

GIVEN = ["content.png", "style.png", "--config", "style.toml"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(text, *argv):
    Path("style.toml").write_text(text, "utf-8")
    return parse_options([*GIVEN, *argv])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("size = 768", "size", 768),
        ('size = "768"', "size", 768),
        ("style-scale = 0.5", "style_scale", 0.5),
        ("style_scale = 2", "style_scale", 2.0),
        ("steps = 200", "steps", 200),
        ("steps = [20, 40, 80]", "steps", (20, 40, 80)),
        ('steps = "20,40"', "steps", (20, 40)),
        ('out = "results/a.png"', "out", "results/a.png"),
        ("keep-luminance = true", "keep_luminance", True),
        ("keep_luminance = false", "keep_luminance", False),
        ("normalize = false", "normalize", False),
        ("graphs = true", "graphs", True),
        ('optimizer = "adam"', "optimizer", "adam"),
        ("depth = 16", "depth", 16),
        ("blend = [0.7, -0.1]", "blend", (0.7, -0.1)),
        ("blend = 1", "blend", (1.0,)),
        ('load-style = ["a.safetensors", "b.safetensors"]', "load_style", ("a.safetensors", "b.safetensors")),
        ('style-layers = "conv1_1,conv2_1=0.5"', "style_layers", {"conv1_1": 1.0, "conv2_1": 0.5}),
        ("[style-layers]\nconv1_1 = 1\nconv2_1 = 0.5", "style_layers", {"conv1_1": 1.0, "conv2_1": 0.5}),
        ('levels = "auto"', "levels", "auto"),
        ('tile = "none"', "tile", None),
        ("quiet = true", "verbosity", "quiet"),
        ('save-every = "30s"', "save_every", (0, 30.0)),
        ("learning-rate = 1e-3", "learning_rate", 0.001),
        ("\ufeff# a comment\n\nseed = 3\n", "seed", 3),
        ("", "seed", DEFAULTS["seed"]),
    ],
)
def test_values_of_every_kind(text, name, value):
    assert getattr(read(text), name) == value


@pytest.mark.parametrize(
    ("text", "argv", "name", "value"),
    [
        ("size = 768", ["--size", "64"], "size", 64),
        ("blend = [1, 2]", ["--blend", "3"], "blend", (3.0,)),
        ("quiet = true", ["--verbose"], "verbosity", "verbose"),
        ("normalize = false", ["--normalize"], "normalize", True),
        ('preset = "udacity"\nweights = "untrained"\nsteps = 7', [], "steps", 7),
        ('preset = "udacity"\nweights = "untrained"\nsteps = 7', ["--steps", "9"], "steps", 9),
        ('quality = "draft"', ["--size", "99"], "size", 99),
        ('quality = "draft"', ["--quality", "final"], "quality", "final"),
    ],
)
def test_the_command_line_wins(text, argv, name, value):
    assert getattr(read(text, *argv), name) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sise = 768", "--config: 'style.toml' has 'sise', which is no option; did you mean 'size'?"),
        ("keep_luminence = true", "has 'keep_luminence', which is no option; did you mean 'keep-luminance'?"),
        ("xyzzy = 1", "has 'xyzzy', which is no option; --help-all lists them"),
        ("o = 'a.png'", "has 'o', which is no option"),
        ("help = true", "has 'help', which is no option"),
        ("config = 'other.toml'", "has 'config', which is no option"),
        ("style = 'a.jpg'", "has 'style', which is no option; give pictures at the command line"),
        ("steps = 1.5", "--config: in 'style.toml', --steps: expected a whole number of at least 1"),
        ("steps = true", "steps is to be a number or a text, got True"),
        ("steps = [1, 2.5]", "steps is to be a number or a text, got [1, 2.5]"),
        ("size = 2026-11-28", "size is to be a number or a text, got datetime.date(2026, 11, 28)"),
        ("out = 3", "out is to be a text, got 3; write it so"),
        ("weights = 3", "weights is to be a text, got 3"),
        ("strip = 'yes'", "strip is to be true or false, got 'yes'"),
        ("optimizer = 'sgd'", "in 'style.toml', --optimizer: invalid choice: 'sgd'"),
        ("[style-layers]\nconv1_1 = 'much'", "style-layers is to be a table of numbers, got"),
        ("[style-layers]\nconv9_9 = 1", "in 'style.toml', --style-layers: "),
        ("[size]\na = 1", "size is to be a number or a text, got {'a': 1}"),
        ("size 768", "--config: 'style.toml' is no TOML (Expected '='"),
        ("size = 1\nsize = 2", "is no TOML (Cannot overwrite a value"),
        ("quiet = true\nverbose = true", "--verbose: not allowed with argument --quiet"),
    ],
)
def test_what_is_wrong_is_one_sentence(text, said):
    with pytest.raises(InputError) as refused:
        read(text)
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "'style.toml' cannot be read (No such file or directory); check the path"),
        (b"\xff\xfe", "'style.toml' is no TOML"),
        (b"a = " + b"[" * 100_000, "'style.toml' is no TOML"),
        (b"#" * (1 << 20) + b"#", "'style.toml' has more than 1048576 bytes"),
    ],
)
def test_files_that_cannot_be_read(content, said):
    if content is not None:
        Path("style.toml").write_bytes(content)
    with pytest.raises(InputError) as refused:
        parse_options(GIVEN)
    assert said in str(refused.value)


def test_before_python_3_11_a_sentence_says_so(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "tomllib":
            raise ImportError("No module named 'tomllib'")
        return real(name, *rest)

    Path("style.toml").write_text("size = 3", "utf-8")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage, match=r"^--config: TOML is read from Python 3.11 on; give"):
        parse_options(GIVEN)
