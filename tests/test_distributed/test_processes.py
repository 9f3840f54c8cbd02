"""The command line on several processes; how they meet, speak with one voice, and end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from launcher import start
from pictures import drawing

from gatys.cli import command as cli
from gatys.cli.session import Session
from gatys.descent.checkpoint import Moment, Way
from gatys.descent.shared_checkpoint import SharedCheckpoint
from gatys.distributed import files as strip_files
from gatys.distributed.files import load_strip, save_strips
from gatys.distributed.session import ENDED, LOST, SharedSession
from gatys.distributed.strips import Strips
from gatys.distributed.team import Processes, is_lost, join, own_device
from gatys.distributed.torchrun import started_together
from gatys.errors import ImageError
from gatys.network.layers import LAYERS
from gatys.passes.layout import WHOLE
from gatys.pictures.images import read_image

pytestmark = [pytest.mark.slow, pytest.mark.processes]

LONG = pytest.mark.skipif(os.environ.get("GATYS_LONG_TESTS") != "1", reason="needs GATYS_LONG_TESTS=1: many processes")
QUICK = ["--size", "72", "--steps", "3", "--levels", "2", "--device", "cpu", "--style-layers", "conv1_1,conv3_1"]
QUICK += ["--weights", "untrained", "--content-layers", "conv3_2", "--depth", "16", "--precision", "float32"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: content.png (60 x 75, with alpha), style.png (50 x 41)."""
    monkeypatch.chdir(tmp_path)
    drawing((60, 75), 0, channels=4).save("content.png")
    drawing((50, 41), 1).save("style.png")
    return tmp_path


@pytest.fixture
def alone():
    """A team of one process, in this one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Processes()
    dist.destroy_process_group()


def ended(running):
    """Exit codes, and what all printed and complained."""
    said = [process.communicate(timeout=300) for process in running]
    codes = [process.returncode for process in running]
    return codes, "".join(out for out, _ in said), "".join(err for _, err in said)


def complaints(text):
    return [line for line in text.splitlines() if line.startswith("gatys: error: ")]


# the command line


def same_picture(one, other):
    one, other = read_image(one), read_image(other)
    torch.testing.assert_close(one.pixels, other.pixels, rtol=0, atol=3e-4)
    torch.testing.assert_close(one.alpha, other.alpha, rtol=0, atol=1e-4)


def test_two_processes_write_the_picture_of_one(capsys):
    argv = ["content.png", "style.png", *QUICK, "--keep-luminance", "-o"]
    running = start(["-m", "gatys", *argv, "two.tif"], 2)
    assert cli.main([*argv, "one.png"]) == 0
    codes, out, err = ended(running)
    assert codes == [0, 0], err
    one = capsys.readouterr().out
    assert out.replace("two.tif", "one.png").split(" s, ")[1] == one.split(" s, ")[1]  # printed once, the same losses
    assert err.count("network: untrained:0") == 1
    same_picture("one.png", "two.tif")


@LONG
def test_torchrun_starts_it(monkeypatch):
    argv = ["-", "style.png", *QUICK, "--init", "content.png", "--padding", "circular", "--save-style"]
    assert cli.main([*argv, "one.safetensors", "-o", "one.png"]) == 0
    runner = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3", "-m", "gatys"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = [*runner, *argv, "three.safetensors", "-o", "three.png"]
    assert subprocess.run(done, env=os.environ | environment, check=False).returncode == 0
    torch.testing.assert_close(read_image("one.png").pixels, read_image("three.png").pixels, rtol=0, atol=3e-4)
    assert Path("three.safetensors").stat().st_size > 1000


@LONG
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_one_that_is_killed_ends_all_within_seconds_and_one_says_so(victim):
    running = start(["-m", "gatys", "content.png", "style.png", *QUICK, "--steps", "100000"], 3)
    time.sleep(25)
    assert all(process.poll() is None for process in running)
    running[victim].kill()
    killed = time.monotonic()
    codes, out, err = ended(running)
    assert time.monotonic() - killed < 20
    assert codes[victim] == -signal.SIGKILL and sorted(codes)[1:] == [1, 1]
    assert (
        complaints(err) == [f"gatys: error: {LOST}; start all of them again"] and "Traceback" not in err and out == ""
    )


@LONG
def test_another_number_of_processes_goes_on_where_one_was_killed():
    argv = ["content.png", "style.png", *QUICK, "--steps", "12", "--init", "noise"]
    kept = ["--checkpoint", "run.safetensors", "--checkpoint-every", "0", "-o", "many.png"]
    running = start(["-m", "gatys", *argv, *kept], 3)
    while not Path("run.safetensors").exists() and running[1].poll() is None:
        time.sleep(0.02)
    running[1].kill()
    codes, _, err = ended(running)
    assert codes[1] == -signal.SIGKILL
    assert complaints(err) == [f"gatys: error: {LOST}; the same command goes on from run.safetensors"]
    codes, _, err = ended(start(["-m", "gatys", *argv, *kept], 2))
    assert codes == [0, 0] and "going on from step " in err and not Path("run.safetensors").exists()
    assert cli.main([*argv, "-o", "one.png"]) == 0
    # steps from noise in float32 magnify rounding, of processes as of tiles; in float64: `gone_on_with` of the strips
    one, many = read_image("one.png").pixels, read_image("many.png").pixels
    assert (one - many).abs().mean() < 0.01 < (one - read_image("content.png", 72).pixels).abs().mean()


@LONG
def test_one_that_is_told_to_end_says_so_once():
    running = start(["-m", "gatys", "content.png", "style.png", *QUICK, "--steps", "100000"], 2)
    time.sleep(20)
    for process in running:
        process.terminate()
    codes, _, err = ended(running)
    assert set(codes) <= {1, 128 + signal.SIGTERM} and 128 + signal.SIGTERM in codes
    (told,) = complaints(err)
    assert told.removeprefix("gatys: error: ").startswith((ENDED, LOST)) and "Traceback" not in err


@LONG
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["content.png", "missing.png"], "there is no file 'missing.png'; check the path"),
        (["content.png", "style.png", "--size", "20"], "processes: a picture of 16 x 20 pixels has 1 strips"),
        (["content.png", "style.png", "--tile", "3"], "tile: expected None or a whole number of pixels, at least 4"),
    ],
)
def test_a_mistake_is_told_by_one(options, said):
    codes, out, err = ended(start(["-m", "gatys", *QUICK, *options], 2))
    assert 2 in codes and 0 not in codes and out == ""
    assert len(complaints(err)) == 1 and said in err and "Traceback" not in err


@LONG
def test_processes_with_other_options_are_told():
    running = start(["-m", "gatys", "content.png", "style.png", *QUICK], 2, (["--seed", "1"], ["--seed", "2"]))
    codes, _, err = ended(running)
    assert codes == [2, 2]
    (told,) = complaints(err)
    assert told.startswith("gatys: error: options: expected the same on all 2 processes, got different ones; start")


# how they meet


def test_one_process_is_as_ever(capsys):
    assert not started_together({}) and not started_together({"WORLD_SIZE": "1"})
    session = Session()
    assert session.first and not session.loss(RuntimeError("gloo"))
    session.complain("no\nluck")
    assert capsys.readouterr().err == "gatys: error: no luck\n"
    session.leave()
    session.quit(1)


def test_torchrun_is_told_by_what_it_says():
    assert started_together({"WORLD_SIZE": "2"}) and started_together({"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "x"})


def test_only_the_first_of_a_machine_speaks_before_they_have_met(capsys):
    for number in "01":
        SharedSession({"WORLD_SIZE": "2", "LOCAL_RANK": number}).complain(number)
    assert capsys.readouterr().err == "gatys: error: 0\n"


def test_devices(monkeypatch):
    environment = {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert own_device("auto", environment) == own_device("cpu", environment) == torch.device("cpu")
    assert own_device("cpu", environment) == torch.device("cpu")
    with pytest.raises(ValueError, match="expected auto, cuda or cpu for several processes, got 'mps'"):
        own_device("mps", environment)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="a CUDA GPU for each of 2 processes of this machine, got 1; start fewer"):
        own_device("cuda", environment)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("auto", environment) == torch.device("cuda", 1)


def test_what_keeps_them_from_meeting_is_said(monkeypatch):
    monkeypatch.setattr(dist, "is_backend_available", lambda name: False)
    with pytest.raises(ValueError, match="this PyTorch has no gloo, which processes on cpu need; give another device"):
        join(torch.device("cpu"))
    monkeypatch.undo()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match=r"expected 2 that find each other within 1 seconds.*MASTER_ADDR.*by torchrun"):
        join(torch.device("cpu"), (1, 1))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "9")
    with pytest.raises(ValueError, match="expected 2 that find each other within 1 seconds, and they did not"):
        join(torch.device("cpu"), (1, 1))


def test_colours_are_matched_by_one_process_only():
    with pytest.raises(ValueError, match="--match-colors: expected one process, since it looks at all of CONTENT"):
        SharedSession({"WORLD_SIZE": "2"}).meet(SimpleNamespace(match_colors="pca"))


def test_which_errors_mean_that_another_is_gone():
    assert is_lost(dist.DistNetworkError("x")) and is_lost(RuntimeError("[gloo/pair.cc] Connection closed by peer"))
    assert not is_lost(RuntimeError("shapes do not match")) and not is_lost(ValueError("gloo"))


def test_differences_are_told(alone, monkeypatch):
    alone.agree({"options": 1})
    monkeypatch.setattr(alone, "tell", lambda numbers: [number + 1 for number in numbers])
    with pytest.raises(ValueError, match="filters, options: expected the same on all 1 processes, got different ones"):
        alone.agree({"filters": 1, "options": 2})


def test_who_speaks(alone):
    assert alone.may_speak()
    team = Processes(store=dist.HashStore())
    assert team.may_speak() and not team.may_speak()

    class Gone:
        def add(self, *_):
            raise dist.DistNetworkError("gone")

    team._store = Gone()
    assert not team.may_speak()
    team.rank = 1
    assert team.may_speak()


def test_memory_that_runs_out_on_one_is_told_on_all(alone):
    assert alone.together(lambda: 5) == 5

    def fails():
        raise RuntimeError("out of memory")

    with pytest.raises(MemoryError, match="out of memory on one of the processes"):
        alone.together(fails)

    def is_wrong():
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        alone.together(is_wrong)


def test_a_state_of_pictures_of_another_size_is_not_cut_to_fit(alone):
    tensors = {"best": torch.rand(1, 3, 40, 20), "trial": torch.rand(1, 3, 32, 20), "step": torch.tensor(3)}
    file = SimpleNamespace(read=lambda: Moment(0, [], [], tensors, Way(None, True, 5, None), [9]))
    found = SharedCheckpoint(lambda: file, [(32, 20)], Strips(alone, [LAYERS["conv1_1"]])).read()
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors) and found.way.bytes == 2**62
    assert SharedCheckpoint(lambda: file, [(32, 20)], WHOLE).read().way.bytes == 5


# files


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_from_and_to_files(alone, suffix):
    place = Strips(alone, [LAYERS["conv1_1"]])
    picture, expected = load_strip("content.png", place, 40), read_image("content.png", 40)
    torch.testing.assert_close(picture.pixels, expected.pixels, rtol=0, atol=1e-5)
    torch.testing.assert_close(picture.alpha, expected.alpha, rtol=0, atol=1e-5)
    assert load_strip("style.png", place, max).alpha is None
    how = {"alpha": picture.alpha, "depth": 16, "quality": 95}
    save_strips(Path(f"out{suffix}"), picture.pixels, (40, 32), place, **how)
    torch.testing.assert_close(read_image(f"out{suffix}").pixels, expected.pixels, rtol=0, atol=3e-5)


def test_a_picture_that_cannot_be_written_is_kept_elsewhere(alone, monkeypatch):
    place, attempts = Strips(alone, [LAYERS["conv1_1"]]), []
    write = strip_files.write_image

    def full_disk(path, *rest, **how):
        attempts.append(path)
        if len(attempts) == 1:
            raise ImageError(f"{str(path)!r} cannot be written (full)")
        return write(path, *rest, **how)

    monkeypatch.setattr(strip_files, "write_image", full_disk)
    with pytest.raises(ImageError, match=r"\(full\); until then it is kept as '.*result.png'"):
        save_strips(Path("a.png"), torch.rand(1, 3, 20, 30), (20, 30), place, alpha=None, depth=8, quality=95)
    assert read_image(attempts[1]).pixels.shape == (1, 3, 20, 30)
