"""The reading of a command line: `~`, `--`, and options of other programs, whose fellow here is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import drawing

from gatys.cli import command as cli
from gatys.cli.door import answered
from gatys.cli.options import build_parser
from gatys.cli.parser import ELSEWHERE, without_end
from gatys.distributed.torchrun import speaks
from gatys.errors import InputError

ROOT = Path(__file__).parents[2]
KNOWN = build_parser()._option_string_actions


def read(*argv):
    return build_parser().parse_intermixed_args(argv)


# ~


def texts():
    """The options that take a text as it is."""
    taking = [action for action in build_parser()._actions if action.nargs != 0 and action.type is None]
    return [action for action in taking if not action.choices]


@pytest.mark.parametrize("together", [False, True], ids=["apart", "with ="])
@pytest.mark.parametrize("action", texts(), ids=lambda action: action.dest)
def test_every_path_may_begin_in_the_users_folder(monkeypatch, action, together):
    monkeypatch.setenv("HOME", "/home/she")
    monkeypatch.setenv("USERPROFILE", "/home/she")
    given = ["content.png", "~/x.png"]
    if action.option_strings:
        given += [f"{action.option_strings[-1]}=~/x.png"] if together else [action.option_strings[-1], "~/x.png"]
    value = getattr(read(*given), action.dest)
    if action.dest == "content":
        value = read("~/x.png").content
    assert value in ("/home/she/x.png", ["/home/she/x.png"])


def test_paths_are_among_those_options():
    paths = {
        "content",
        "style",
        "out",
        "like",
        "load_style",
        "style_mask",
        "save_style",
        "weights",
        "init",
        "checkpoint",
    }
    assert paths <= {action.dest for action in texts()}


def test_only_a_leading_tilde_is_a_folder():
    assert read("a~b.png", "~.png", "-o", "./~/x.png").out == "./~/x.png"
    assert read("a~b.png", "~.png").style == ["~.png"]


# --


def test_what_follows_two_dashes_is_no_option():
    given = read("--size", "64", "--", "-c.jpg", "--size", "-")
    assert (given.content, given.style, given.size) == (
        os.path.join(".", "-c.jpg"),
        [os.path.join(".", "--size"), "-"],
        64,
    )
    assert read("c.jpg", "--", "s.jpg").style == ["s.jpg"]
    assert read("c.jpg", "s.jpg", "--").style == ["s.jpg"]
    assert without_end(["-o", "x", "--", "--", "a"]) == ["-o", "x", os.path.join(".", "--"), "a"]


def test_a_picture_whose_name_begins_with_a_dash(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawing((40, 30), 1).save("-c.png")
    drawing((40, 30), 2).save("-s.png")
    quick = ["--size", "48", "--steps", "1", "--device", "cpu", "--weights", "untrained", "--style-layers", "conv1_1"]
    quick += ["--content-layers", "conv1_1"]
    assert cli.main([*quick, "--", "-c.png", "-s.png"]) == 0
    assert Path("-c_-s.png").is_file() and capsys.readouterr().out.startswith("-c_-s.png: 48 x 36")


# unknown options


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--iterations", "--steps"),
        ("--num_iterations", "--steps"),
        ("-num_iterations", "--steps"),
        ("--epochs=3", "--steps"),
        ("--step", "--steps"),
        ("--content_weight", "--content-weight"),
        ("-content_weight", "--content-weight"),
        ("--Size", "--size"),
        ("--sise", "--size"),
        ("--lr", "--learning-rate"),
        ("-out", "--out"),
        ("-out=x.png", "--out"),
        ("-output_image", "--out"),
        ("-optimizer", "--optimizer"),
        ("-original_colors", "--keep-luminance"),
        ("-lbfgs_num_correction", "--history-size"),
    ],
)
def test_the_option_that_is_meant_is_named(given, meant):
    name = given.partition("=")[0]
    with pytest.raises(InputError) as problem:
        read("content.png", "style.png", given, "3")
    assert str(problem.value) == f"there is no option {name} (did you mean {meant}?); --help lists what can be given"


@pytest.mark.parametrize("given", ["--content_image", "-content_image", "--content"])
def test_the_place_of_a_picture_is_named(given):
    with pytest.raises(
        InputError, match=f"^there is no option {given}; give the picture itself, as CONTENT: gatys CON"
    ):
        read(given, "a.png")
    with pytest.raises(InputError, match="give the picture itself, as STYLE"):
        read("a.png", "--style_image", "b.png")


@pytest.mark.parametrize("given", ["--bogus", "-x", "-q"])
def test_nothing_is_named_where_nothing_is_near(given):
    with pytest.raises(InputError, match=f"^there is no option {given}; --help lists what can be given$"):
        read("content.png", given)


def test_a_value_may_still_stand_beside_its_letter():
    assert read("a.png", "-oresult.png").out == "result.png"


def test_words_of_other_programs_hide_none_of_ours():
    assert [word for word in ELSEWHERE if f"--{word}" in KNOWN] == []
    later = {"--save-every"}  # where that is an option
    assert {ours for ours in ELSEWHERE.values() if ours.startswith("--")} - later <= KNOWN.keys()


# before PyTorch


WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["gatys", *sys.argv[1:]]
try:
    runpy.run_module("gatys", run_name="__main__", alter_sys=True)
finally:
    assert not {"torch", "numpy", "PIL"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["--iterations", "3"],
            "there is no option --iterations (did you mean --steps?); --help lists what can be given",
        ),
        (["gone.png", "here.png"], "there is no file 'gone.png'; check the path"),
        (["here.png", "gone.png"], "there is no file 'gone.png'; check the path"),
        (["-", "here.png", "--style-mask", "gone.png"], "there is no file 'gone.png'; check the path"),
        (["here.png", "--load-style", "gone.safetensors"], "there is no file 'gone.safetensors'; check the path"),
        (["here.png", "--like", "gone.png"], "there is no file 'gone.png'; check the path"),
        (
            ["here.png", "here.png", "--init", "nosie"],
            "--init: expected auto, recolored, content, noise, mean or a picture file: there is no file 'nosie'; check the",
        ),
        (
            ["here.png", "here.png", "--weights", "gone.pth"],
            "weights: there is no file gone.pth; expected 'auto', 'paper'",
        ),
        (["here.png"], "STYLE: expected at least one picture, got none"),
        (["here.png", "gone.png", "--preset", "udacity"], "there is no file 'gone.png'; check the path"),
        (["folder", "gone.png", "-o", "folder"], "there is no file 'gone.png'; check the path"),
        (["here.png", "here.png", "--blend", "1", "--blend", "2"], "--blend: expected one for each of the 1 styles"),
    ],
)
def test_mistakes_cost_no_import_and_are_said_as_later(tmp_path, monkeypatch, capsys, argv, said):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    drawing((40, 30), 1).save("here.png")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT_TORCH, *argv]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(f"gatys: error: {said}"), done.stderr
    monkeypatch.setattr(sys, "argv", ["gatys", *argv])
    assert answered(alone=True, tells=True) == 2 and capsys.readouterr().err == done.stderr
    assert answered(alone=True, tells=False) == 2 and capsys.readouterr().err == ""
    if argv[0] != "folder":
        assert cli.main(argv) == 2
        assert capsys.readouterr().err == done.stderr


def test_processes_that_see_other_files_look_for_none_yet(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gatys", "gone.png", "gone.png"])
    assert answered(alone=False, tells=True) is None
    assert speaks({}) and speaks({"LOCAL_RANK": "3"}) and speaks({"WORLD_SIZE": "2", "LOCAL_RANK": "0"})
    assert not speaks({"WORLD_SIZE": "2", "LOCAL_RANK": "1"})


@pytest.mark.parametrize("name", ["x" * 300, "x/y.png", "nul\0"])
def test_names_that_no_file_can_have_are_left_to_who_opens_them(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    Path("x").touch()
    monkeypatch.setattr(sys, "argv", ["gatys", name, "x"])
    assert answered(alone=True, tells=True) is None
