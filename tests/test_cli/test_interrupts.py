"""Ctrl-C at any moment, from the program's first line to its last: one line, exit code 130, nothing half done."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pictures import drawing

import gatys
from gatys.cli import command as cli
from gatys.cli.interrupts import CTRL_C, Interrupts

ROOT = Path(__file__).parents[2]
LONG = os.environ.get("GATYS_LONG_TESTS") == "1"
MOMENTS = 200 if LONG else 8
QUICK = ["content.png", "style.png", "--size", "64", "--steps", "2", "--levels", "1", "--device", "cpu"]
QUICK += ["--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2", "--weights", "untrained"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing((80, 64), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")


@pytest.fixture(autouse=True)
def ordinary_handler():
    """SIGINT as in an ordinary process: where tests run in the background, it may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def run_until(moment):
    """Run a command line whose user presses Ctrl-C at a moment; give how it ended, and what is told of the moment."""
    command = [sys.executable, str(ROOT / "tests" / "interrupting.py"), str(moment), "moment", *QUICK, "-o", "out.png"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    return done, Path("moment").read_text()


@pytest.mark.slow
@pytest.mark.processes
def test_at_any_moment_of_a_run():
    run_until(0)  # which may compile modules
    done, told = run_until(0)
    assert done.returncode == 0, done.stderr
    count, imported = map(int, told.split())
    assert 10_000 < imported < count - 8000
    draw, part = random.Random(0), MOMENTS // 4  # noqa: S311 (no secret)
    moments = [1, count - 1000, *draw.sample(range(2, imported), 2 * part), *draw.sample(range(imported, count), part)]
    moments += draw.sample(range(count - 8000, count), part)  # the last step, the saving and the end
    seen = {"nothing": 0, "picture": 0, "too late": 0}
    for moment in moments:
        Path("out.png").unlink(missing_ok=True)
        done, told = run_until(moment)
        said = [line for line in done.stderr.splitlines() if "Ctrl-C" in line]
        what = f"moment {moment} of {count}, {told}: {done.returncode}, {done.stdout}{done.stderr}"
        assert "Traceback" not in what and "Exception ignored" not in what, what
        saved = Path("out.png").exists()
        assert ("out.png: 64 x 51" in done.stdout) == saved, what
        assert sorted(os.listdir()) == ["content.png", "moment", *["out.png"] * saved, "style.png"], what
        if told == "too late":
            assert (done.returncode, said, saved) == (0, [], True), what
            seen["too late"] += 1
            continue
        assert done.returncode == 130 and len(said) == 1, what
        assert ("nothing was saved" in said[0]) == (not saved), what
        seen["picture" if saved else "nothing"] += 1
    print(f"Ctrl-C at {len(moments)} of {count} moments, {imported} of them of imports: {seen}")
    assert seen["nothing"] > 2 * part and seen["picture"] and sum(seen.values()) == len(moments)


@pytest.mark.slow
@pytest.mark.processes
def test_from_outside_while_it_starts():
    """As a terminal sends it, after times that are drawn; before the program's first line Python itself answers."""
    draw, answered = random.Random(1), 0  # noqa: S311 (no secret)
    for _ in range(MOMENTS // 4):
        command = [sys.executable, "-m", "gatys", *QUICK, "-o", "out.png"]
        running = subprocess.Popen(
            command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        time.sleep(draw.uniform(0.3, 1.0))
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=100)
        if running.returncode == 130:
            answered += 1
            assert (out, err) == ("", "gatys: error: interrupted by Ctrl-C; nothing was saved\n")
        else:
            assert running.returncode in (-signal.SIGINT, 1), (running.returncode, out, err)  # 1: it had no `site` yet
            assert "cli" not in err and "torch" not in err and out == "", err
    assert answered


def test_importing_the_package_sets_no_handler():
    script = "import signal, sys, gatys.__main__, gatys.cli.interrupts\n"
    script += "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and 'torch' not in sys.modules"
    start = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); exec(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", start, script], env=ENVIRONMENT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


# what swallows it


def swallowing(*given, **rest):
    """Stand for a function in which an import, say, catches everything."""
    try:
        press()
        time.sleep(0.01)
    except KeyboardInterrupt:
        pass


@pytest.mark.parametrize("stage", ["load_inputs", "_make_targets"])
def test_what_is_swallowed_is_raised_again(monkeypatch, capsys, stage):
    real = getattr(cli, stage)
    net = gatys.load_vgg("untrained")
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    monkeypatch.setattr(cli, stage, lambda *given, **rest: (swallowing(), real(*given, **rest))[1])
    monkeypatch.setattr(cli, "_descend", lambda *given, **rest: pytest.fail("it went on"))
    assert cli.main(QUICK) == 130
    assert capsys.readouterr().err.count("gatys: error: interrupted by Ctrl-C; nothing was saved\n") == 1


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError, RuntimeError, MemoryError])
def test_what_tidying_up_makes_of_it_is_not_taken_for_a_mistake(monkeypatch, capsys, error):
    """As argparse's `finally` does, which a long sweep found."""

    def load(*given, **rest):
        try:
            press()
            time.sleep(0.01)
        finally:
            raise error("of another's own")

    monkeypatch.setattr(cli, "load_inputs", load)
    assert cli.main(QUICK) == 130
    assert capsys.readouterr().err == "gatys: error: interrupted by Ctrl-C; nothing was saved\n"
    Path("folder").mkdir()
    drawing((40, 30), 1).save("folder/a.png")
    assert cli.main(["folder", *QUICK[1:], "-o", "out"]) == 130
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("gatys: error: interrupted by Ctrl-C; pictures that are done are there")


def test_one_that_ends_a_finaliser_is_not_printed(capsys):
    class Finalised:
        def __del__(self):
            press()
            time.sleep(0.01)

    def main():
        CTRL_C.work()
        Finalised()
        CTRL_C.check()
        return 0

    with CTRL_C.in_program():
        assert CTRL_C.in_main(main)() == 130
    assert capsys.readouterr().err == "gatys: error: interrupted by Ctrl-C; nothing was saved\n"


# while a picture is saved


def saved_meanwhile(monkeypatch, times):
    net = gatys.load_vgg("untrained")
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    real = cli._save
    monkeypatch.setattr(cli, "_save", lambda *given: (press(times), time.sleep(0.01), real(*given)))


def test_it_waits_until_the_picture_is_saved(monkeypatch, capsys):
    saved_meanwhile(monkeypatch, 1)
    assert cli.main([*QUICK, "-o", "out.png"]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("out.png: 64 x 51, 2 steps") and Path("out.png").exists()
    assert err.splitlines()[-1] == "gatys: error: interrupted by Ctrl-C; what was made is saved"


def test_a_second_one_waits_no_longer(monkeypatch, capsys):
    saved_meanwhile(monkeypatch, 2)
    assert cli.main([*QUICK, "-o", "out.png"]) == 130
    out, err = capsys.readouterr()
    assert out == "" and not Path("out.png").exists()
    assert [line for line in err.splitlines() if "Ctrl-C" in line] == [
        "gatys: error: interrupted by Ctrl-C; nothing was saved"
    ]


# one line


def test_an_impatient_second_one_disturbs_no_tidying_up(monkeypatch, capsys):
    tidied = []

    def main():
        try:
            press()
            time.sleep(0.01)
        finally:
            press()
            time.sleep(0.01)
            tidied.append(True)
        return 0

    ours = Interrupts()
    assert ours.in_main(main)() == 130 and tidied == [True]
    clock = iter(range(0, 100, 5))
    monkeypatch.setattr("gatys.cli.interrupts.monotonic", lambda: next(clock))
    assert ours.in_main(main)() == 130 and tidied == [True]  # after five seconds it may hang
    assert capsys.readouterr().err == 2 * "gatys: error: interrupted by Ctrl-C; nothing was saved\n"


def test_where_another_process_says_it_this_one_is_silent(capsys):
    ours = Interrupts()

    def main():
        press()
        time.sleep(0.01)
        return 0

    with ours.in_program(tells=False):
        assert ours.in_main(main)() == 130
    assert capsys.readouterr().err == ""


def test_when_all_is_done_it_does_nothing():
    ours = Interrupts()
    with ours.in_program():
        assert ours.in_main(lambda: 0)() == 0
        assert ours.over
        press()
        time.sleep(0.01)
