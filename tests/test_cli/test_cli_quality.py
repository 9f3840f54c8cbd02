"""Quality: a word for size, levels, steps and precision, at the command line and in `stylize`."""

import inspect
import re
from pathlib import Path

import pytest
from pictures import picture

import gatys
from gatys.cli import command
from gatys.cli.preset_options import parse_options
from gatys.settings import QUALITIES

ROOT = Path(__file__).parents[2]
GIVEN = ["content.png", "style.png", "-o", "out.png"]


def test_good_is_what_the_defaults_are():
    options, arguments = parse_options(GIVEN), inspect.signature(gatys.stylize).parameters
    for name, value in QUALITIES["good"].items():
        assert getattr(options, name) == arguments[name].default == value, name
    assert options.quality is None and options.filled == () and arguments["quality"].default == "good"
    good = parse_options([*GIVEN, "--quality", "good"])
    assert all(getattr(good, name) == getattr(options, name) for name in QUALITIES["good"])


def test_each_quality_is_more_than_the_one_before():
    assert list(QUALITIES) == ["draft", "good", "final"]
    for name in ("size", "steps"):
        numbers = [fills[name] for fills in QUALITIES.values()]
        assert numbers == sorted(set(numbers)), name


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_word_fills_what_is_not_given(quality):
    options = parse_options([*GIVEN, "--quality", quality])
    assert options.filled == tuple(QUALITIES[quality])
    assert {name: getattr(options, name) for name in options.filled} == QUALITIES[quality]
    options = parse_options([*GIVEN, "--quality", quality, "--steps", "120", "--precision", "auto"])
    assert (options.steps, options.precision) == (120, "auto") and options.filled == ("size", "levels")


def test_a_number_is_the_file_s_as_it_was_before():
    options = parse_options([*GIVEN, "--quality", "71", "--quality", "draft"])
    assert (options.quality, options.file_quality) == ("draft", 71)
    assert parse_options([*GIVEN, "--file-quality", "71"]).file_quality == 71


def test_the_command_line_says_what_it_has_filled(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(GIVEN[:2]):
        gatys.save_image(picture(seed, size=(40, 60)), name)
    small = ["--weights", "untrained", "--quality", "draft", "--size", "48", "--steps", "2"]
    assert command.main([*GIVEN, *small]) == 0
    assert "gatys: quality draft: --levels auto --precision auto\n" in capsys.readouterr().err
    assert command.main([*GIVEN, *small, "--levels", "1", "--precision", "float32"]) == 0
    assert "gatys: quality draft: all that it says was given\n" in capsys.readouterr().err
    assert command.main([*GIVEN, "--weights", "untrained", "--size", "48", "--steps", "2"]) == 0
    assert "quality" not in capsys.readouterr().err


@pytest.fixture
def filled(monkeypatch):
    """What `stylize` gives to `optimize`, and the size of its picture."""
    seen = {}

    def record(net, **told):
        seen.update(told, size=max(told["content"].size))
        return gatys.Result(told["content"].image, (), ())

    monkeypatch.setattr("gatys.descent.stylize.optimize", record)
    net = gatys.load_vgg("untrained")

    def call(**given):
        layers = {"net": net, "content_layers": ["conv1_1"], "style_layers": ["conv1_1"]}
        gatys.stylize(picture(1, size=(20, 30)), picture(2, size=(20, 30)), **layers, **given)
        return seen

    return call


def test_stylize_takes_the_word(filled, caplog):
    caplog.set_level("INFO", "gatys")
    told = filled(quality="draft")
    draft = QUALITIES["draft"]
    assert (told["size"], told["steps"], told["precision"]) == (draft["size"], draft["steps"], draft["precision"])
    assert (
        f"quality draft: size {draft['size']}, levels auto, steps {draft['steps']}, precision auto" in caplog.messages
    )
    told = filled(quality="final", size=40, steps=7)
    assert (told["size"], told["steps"], told["precision"]) == (40, 7, QUALITIES["final"]["precision"])
    told = filled(quality="draft", size=40, settings=gatys.Settings(steps=9, tv_weight=0.5))
    assert (told["steps"], told["tv_weight"]) == (draft["steps"], 0.5)
    caplog.clear()
    filled(quality="draft", size=40, **{name: value for name, value in draft.items() if name != "size"})
    assert "quality draft: all that it says was given" in caplog.messages


@pytest.mark.parametrize("quality", ["best", None, 95], ids=str)
def test_another_word_is_refused(filled, quality):
    with pytest.raises(gatys.InputError, match=f"quality: expected one of draft, good, final, got {quality!r}"):
        filled(quality=quality)


def test_no_other_function_takes_it():
    with pytest.raises(gatys.InputTypeError, match="optimize: 'quality' is no argument of it"):
        gatys.optimize(gatys.load_vgg("untrained"), quality="draft")
    assert not hasattr(gatys.Settings(), "quality")


def test_the_table_for_workflows_is_this_one():
    page = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (draft|good|final) \| (\d+) \| (\d+) \| (\w+) \|$", page, re.MULTILINE)
    told = {
        word: {"size": int(size), "steps": int(steps), "precision": precision} for word, size, steps, precision in rows
    }
    assert told == {word: {name: fills[name] for name in told[word]} for word, fills in QUALITIES.items()}
    assert all(fills["levels"] == "auto" for fills in QUALITIES.values())
