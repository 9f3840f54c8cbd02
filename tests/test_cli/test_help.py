"""What the command line says of itself: a help that fits on a screen, one with everything, lists, completions."""

import builtins
import shlex
import shutil
import subprocess
import sys

import pytest

import gatys
from gatys.cli import help as help_page
from gatys.cli.options import build_parser
from gatys.network.layers import TABLES


def said(capsys, *argv):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_intermixed_args(argv)
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    return out


def test_help_fits_on_a_screen(capsys):
    text = said(capsys, "--help")
    assert said(capsys, "-h") == text
    lines = text.splitlines()
    assert lines[0].startswith("usage: gatys CONTENT STYLE") and lines[1].startswith("       gatys FOLDER")
    assert len(lines) <= 40 and max(map(len, lines)) <= 80
    assert sum(line.startswith(("  -o", "  --")) for line in lines) == 10
    assert "--help-all" in text


def test_what_the_short_help_says_is_what_there_is():
    parser = build_parser()
    actions = {option: action for action in parser._actions for option in action.option_strings}
    for shown, text in help_page.FIRST.items():
        action = actions[shown.split()[-2 if len(shown.split()) > 1 else -1]]
        _, found, default = text.removesuffix(")").partition("(default: ")
        assert (len(shown.split()) > 1 and not shown.startswith("--keep")) == (action.nargs != 0), shown
        if found and action.default is not None:
            assert default == f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
    assert "(default: good)" in actions["--quality"].help and "CONTENT_STYLE.png" in actions["--out"].help
    for word in ("auto", "paper", "imagenet", "untrained"):
        assert word in actions["--weights"].help and word in help_page.FIRST["--weights FILTERS"]


@pytest.mark.parametrize("example", help_page.EXAMPLES)
def test_examples_can_be_read(example):
    name, *argv = shlex.split(example)
    assert name == "gatys"
    assert build_parser().parse_intermixed_args(argv).content


def test_help_all_has_every_option(capsys):
    text = said(capsys, "--help-all")
    assert text.startswith(f"usage: {help_page.USAGE}\n")
    for action in build_parser()._actions:
        for option in action.option_strings:
            assert f" {option}" in text


def test_presets(capsys):
    lines = said(capsys, "--list-presets").splitlines()
    assert [line.split()[0] for line in lines] == list(gatys.presets) and max(map(len, lines)) <= 132
    for line, preset in zip(lines, gatys.presets.values(), strict=True):
        assert f" {preset.steps} steps of {preset.optimizer}, {preset.size} pixels " in line and preset.title in line


def test_presets_where_the_terminal_has_ascii_only():
    command = [sys.executable, "-X", "utf8=0", "-m", "gatys", "--list-presets"]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"") and rb"Aleksa Gordi\u0107" in done.stdout


def test_layers(capsys):
    head, *lines = said(capsys, "--list-layers").splitlines()
    assert head.split() == ["layer", "channels", "stride", "networks"]
    assert [line.split()[0] for line in lines] == list(TABLES["vgg19"])
    assert lines[0].split() == ["conv1_1", "64", "1", "vgg19,", "vgg16"]
    assert lines[-1].split() == ["conv5_4", "512", "16", "vgg19"]


@pytest.mark.parametrize("shell", help_page.SHELLS)
def test_completions_name_the_options(capsys, shell):
    pytest.importorskip("shtab", reason="the extra completion")
    text = said(capsys, "--print-completion", shell)
    assert "time-lapse" in text and "gatys2016" in text


def test_bash_takes_the_completions(capsys):
    pytest.importorskip("shtab", reason="the extra completion")
    script = said(capsys, "--print-completion", "bash")
    script += '\nCOMP_WORDS=(gatys --opti); COMP_CWORD=1; COMP_LINE="gatys --opti"; COMP_POINT=12\n'
    script += '_shtab_gatys; echo "${COMPREPLY[@]}"'
    bash = shutil.which("bash") or pytest.skip("no bash here")
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "--optimizer", done.stderr


def test_every_path_is_one_that_there_is():
    assert set(help_page.PATHS) <= {action.dest for action in build_parser()._actions}


def test_without_shtab_a_sentence_says_what_to_install(capsys, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "shtab":
            raise ImportError("No module named 'shtab'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_intermixed_args(["--print-completion", "zsh"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("gatys: error: --print-completion: needs shtab; install it with ")


def test_a_shell_that_is_not_known():
    with pytest.raises(gatys.InputError, match="--print-completion: invalid choice: 'fish'"):
        build_parser().parse_intermixed_args(["--print-completion", "fish"])
