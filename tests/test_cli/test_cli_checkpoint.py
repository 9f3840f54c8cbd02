"""The command line's --checkpoint: SIGKILL at random moments, Ctrl-C and SIGTERM, and what is refused.

GATYS_LONG_TESTS=1 kills 50 times where the default is 4.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pictures import drawing

from gatys import load_vgg19
from gatys.cli import command as cli
from gatys.cli import session
from gatys.descent.tensor_file import read_tensors
from gatys.pictures.images import read_image

pytestmark = [pytest.mark.slow, pytest.mark.processes]

HERE = Path(__file__).resolve().parents[1]
LONG = os.environ.get("GATYS_LONG_TESTS") == "1"
KILLS = 50 if LONG else 4
QUICK = ["content.png", "style.png", "--size", "64", "--device", "cpu", "--style-layers", "conv1_1,conv2_1"]
QUICK += ["--content-layers", "conv2_2", "--levels", "2", "--depth", "16", "-o", "out.png"]
STATE = Path("run.safetensors")
KEPT = ["--checkpoint", str(STATE)]


@pytest.fixture(scope="module")
def net():
    return load_vgg19("untrained")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, net):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: net)
    drawing((80, 64), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")
    return tmp_path


def step():
    """Steps done in the state on the disk, which must be whole; 0 without one."""
    return json.loads(read_tensors(STATE)[1]["record"])["step"] if STATE.exists() else 0


# SIGKILL


class Lives:
    """The client of `lives.py`."""

    def __init__(self):
        environment = os.environ | {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._server = subprocess.Popen([sys.executable, HERE / "lives.py"], env=environment, text=True, **pipes)
        assert self._server.stdout.readline() == "ready\n"

    def run(self, *argv, seconds=None):
        """Exit code and output of a run that is killed after so many seconds if it lives so long."""
        self._server.stdin.write(json.dumps([seconds, os.getcwd(), "said.txt", *argv]) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline()), Path("said.txt").read_text()

    def close(self):
        self._server.stdin.close()
        self._server.wait()


@pytest.fixture(scope="module")
def lives():
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    client = Lives()
    yield client
    client.close()


def randomness():
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)  # noqa: S311


def test_killed_at_random_moments_it_loses_nothing(lives):
    """No file is ever damaged, no run goes back behind its last state, and every picture is that of a whole run."""
    draw, run = randomness(), [*QUICK, "--steps", "60"]
    began = time.monotonic()
    assert lives.run(*run)[0] == 0
    took, expected = time.monotonic() - began, read_image("out.png").pixels
    kills = resumed = finished = 0
    while kills < KILLS or not resumed or STATE.exists():
        before = step()
        Path("out.png").unlink(missing_ok=True)
        seconds = draw.uniform(0, 0.8 * took) if kills < KILLS or not resumed else None
        code, said = lives.run(*run, *KEPT, "--checkpoint-every", "0.02", seconds=seconds)
        assert code in (0, -signal.SIGKILL), said
        found = re.search(r"going on from step (\d+) of 60, found in run.safetensors", said)
        if found:
            assert int(found[1]) == before
        else:  # new, or killed before it had got so far
            assert before == 0 or code
        resumed += found is not None
        kills += code != 0
        if STATE.exists():
            assert step() >= before
        elif before or code == 0:  # only a whole run takes its state away, once the picture is there
            finished += 1
            assert torch.equal(read_image("out.png").pixels, expected)
        strange = {path.name for path in Path().iterdir()}
        strange -= {"content.png", "style.png", "out.png", "said.txt", STATE.name, f".{STATE.name}.tmp"}
        assert all(name.endswith(".tmp") for name in strange)  # of a picture, from a kill in its writing
    print(f"{kills} kills, {resumed} times gone on, {finished} runs finished")
    assert finished


def test_killed_in_the_writing_of_a_state_the_last_one_is_whole(lives):
    draw, kills, kills_in_write, last = randomness(), 0, 0, 0
    while kills < KILLS or not last or not kills_in_write:
        Path(f".{STATE.name}.tmp").unlink(missing_ok=True)  # of the kill before
        code, said = lives.run("write", str(STATE), seconds=draw.uniform(0, 0.5))
        assert code == -signal.SIGKILL, said
        kills += 1
        kills_in_write += Path(f".{STATE.name}.tmp").exists()
        now = step()
        assert now >= last
        if now:
            tensors, _ = read_tensors(STATE)
            assert all((tensors[name] == now).all() for name in ("best", "trial", "gradient"))
            assert len(tensors["history"]) == now
        last = now
    print(f"{kills} kills, {kills_in_write} of them in a write, {last} states")
    assert {path.name for path in Path().iterdir()} <= {
        "content.png", "style.png", "said.txt", STATE.name, f".{STATE.name}.tmp"
    }  # fmt: skip


# Ctrl-C and SIGTERM


@pytest.fixture
def default_handlers():
    """Those of an ordinary process: where tests run in the background, SIGINT may be ignored."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    for number, handler in before:
        signal.signal(number, handler)


def signalling(monkeypatch, at, *numbers):
    """Descents that get these signals in step `at`, once."""
    left, real = list(numbers), cli.optimize

    def descend(net, callback, **given):
        def follow(progress):
            while progress.step == at and left:
                os.kill(os.getpid(), left.pop(0))
            callback(progress)

        return real(net, callback=follow, **given)

    monkeypatch.setattr(cli, "optimize", descend)


def whole_picture():
    assert cli.main([*QUICK, "--steps", "8"]) == 0
    return read_image("out.png").pixels


def goes_on(capsys, at, expected):
    """The same command comes to the same picture, and leaves nothing else behind."""
    assert step() == at
    capsys.readouterr()
    assert cli.main([*QUICK, *KEPT, "--steps", "8"]) == 0
    out, err = capsys.readouterr()
    assert f"gatys: going on from step {at} of 8, found in run.safetensors" in err and ", 8 steps, " in out
    assert torch.equal(read_image("out.png").pixels, expected)
    assert sorted(path.name for path in Path().iterdir()) == ["content.png", "out.png", "style.png"]


def test_ctrl_c_saves_the_picture_and_keeps_the_state(monkeypatch, capsys, default_handlers):
    expected = whole_picture()
    signalling(monkeypatch, 5, signal.SIGINT)
    assert cli.main([*QUICK, *KEPT, "--steps", "8"]) == 130
    out, err = capsys.readouterr()
    assert "interrupted after 5 of 8 steps" in out and "gatys: the same command goes on from run.safetensors\n" in err
    assert read_image("out.png").pixels.shape == expected.shape
    goes_on(capsys, 5, expected)


@pytest.mark.parametrize(
    ("numbers", "code", "said"),
    [([signal.SIGINT] * 2, 130, "interrupted by Ctrl-C"), ([signal.SIGTERM], 143, "ended by SIGTERM")],
)
def test_what_ends_it_at_once_leaves_the_state(monkeypatch, capsys, default_handlers, numbers, code, said):
    expected = whole_picture()
    Path("out.png").unlink()
    signalling(monkeypatch, 3, *numbers)
    assert cli.main([*QUICK, *KEPT, "--steps", "8"]) == code
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and not Path("out.png").exists()  # that of the whole picture
    assert err.endswith(f"gatys: error: {said}; the same command goes on from run.safetensors\n")
    goes_on(capsys, 3, expected)


def test_a_picture_that_cannot_be_saved_is_not_lost(monkeypatch, capsys):
    expected = whole_picture()

    def full(*args, **how):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(session, "write_image", full)
        assert cli.main([*QUICK, *KEPT, "--steps", "8"]) == 2
    goes_on(capsys, 8, expected)


# refusals


def complaint(capsys, *argv):
    assert cli.main([*QUICK, "--steps", "4", *argv]) == 2
    err = capsys.readouterr().err
    assert err.count("gatys: error: ") == 1
    return err[err.index("gatys: error: ") :]


def test_other_files_are_refused(monkeypatch, capsys):
    Path("folder").mkdir()
    for path in ("folder", "none/run"):
        assert "--checkpoint: " in complaint(capsys, "--checkpoint", path)
    for path in ("content.png", "out.png", "./style.png"):
        assert "is also another file of this run" in complaint(capsys, "--checkpoint", path)
    Path("notes.txt").write_text("precious")
    assert "'notes.txt' is no sound state of a run: it is " in complaint(capsys, "--checkpoint", "notes.txt")
    assert Path("notes.txt").read_text() == "precious"
    assert "--checkpoint-every: expected a finite number of at least 0, got '-1'" in complaint(
        capsys, "--checkpoint-every", "-1"
    )


def test_the_state_of_another_run_is_refused(monkeypatch, capsys):
    signalling(monkeypatch, 2, signal.SIGTERM)
    assert cli.main([*QUICK, *KEPT, "--steps", "8"]) == 143
    capsys.readouterr()
    data = STATE.read_bytes()
    said = complaint(capsys, *KEPT)
    assert "'run.safetensors' is the state of another run, which differs in its steps; give that run's" in said
    assert STATE.read_bytes() == data
