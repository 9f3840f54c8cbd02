"""The door of the command: `--help` and `--version` are answered without PyTorch, and say the same as with it."""

import inspect
import os
import runpy
import subprocess
import sys

import pytest

import gatys
from gatys import settings as choices
from gatys.cli import options
from gatys.network.preprocessing import PREPROCESSINGS
from gatys.pictures.images import write_image

WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["gatys", {argument!r}]
try:
    runpy.run_module("gatys", run_name="__main__", alter_sys=True)
finally:
    heavy = {{"torch", "torchvision", "numpy", "PIL", "safetensors", "scipy"}} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize(("argument", "answer"), [("--help", "usage: gatys"), ("--version", "gatys ")])
def test_help_and_version_import_nothing_heavy(argument, answer):
    command = [sys.executable, "-c", WITHOUT_TORCH.format(argument=argument)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(answer)


@pytest.mark.parametrize("own", [None, "0"])
def test_large_pages_are_asked_for_unless_the_user_has_said_otherwise(monkeypatch, tmp_path, own):
    monkeypatch.chdir(tmp_path)
    for name in ("content.png", "style.png"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", ["gatys", "content.png", "style.png"])
    monkeypatch.setattr("gatys.cli.command.main", lambda: os.environ["THP_MEM_ALLOC_ENABLE"])
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", own or "")  # so that what `main` sets does not stay
    if own is None:
        monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    with pytest.raises(SystemExit) as end:
        runpy.run_module("gatys", run_name="__main__")
    assert end.value.code == (own or "1")


@pytest.mark.slow
def test_what_is_wrong_is_said_once():
    done = subprocess.run([sys.executable, "-m", "gatys", "--sise", "3"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1 and "--sise" in done.stderr


def test_defaults_are_those_of_the_functions():
    functions = (gatys.read_as, write_image, gatys.load_vgg19, gatys.optimize, gatys.regional_style)
    actions = {action.dest for action in options.build_parser()._actions}
    theirs = {
        name: parameter.default
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if name in actions and parameter.default not in (parameter.empty, None)
    }
    theirs["file_quality"] = theirs.pop("quality")  # which is a word at the command line
    assert theirs == options.DEFAULTS


def test_names_are_those_there_are():
    assert tuple(gatys.presets) == choices.PRESETS
    assert tuple(PREPROCESSINGS) == choices.PREPROCESSINGS


@pytest.mark.slow
def test_public_names_are_there_whatever_was_imported_first():
    script = (
        "import gatys.descent.optimize, gatys.published.presets\nimport gatys\n"
        "assert callable(gatys.optimize) and 'udacity' in gatys.presets\n"
        "assert set(gatys.__all__) <= set(dir(gatys))\n"
        "for name in gatys.__all__: getattr(gatys, name)\n"
        "try: gatys.nothing\nexcept AttributeError as problem: assert 'nothing' in str(problem)\nelse: raise SystemExit(1)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
