"""Many pictures: each is made once, by whichever worker; what is there, fails or is lost costs the others nothing."""

import os
import runpy
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import torch
from pictures import drawing

from gatys import load_vgg19
from gatys.cli import command as cli
from gatys.cli import jobs, network_and_style
from gatys.cli import many_pictures as many
from gatys.cli.jobs import Job, find_jobs, held, work
from gatys.errors import ImageError
from gatys.pictures.images import read_image

pytestmark = [pytest.mark.slow, pytest.mark.processes]

LONG = pytest.mark.skipif(os.environ.get("GATYS_LONG_TESTS") != "1", reason="needs GATYS_LONG_TESTS=1: many processes")
ROOT = Path(__file__).parents[2]
QUICK = ["--size", "48", "--steps", "2", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1,conv2_1"]
QUICK += ["--content-layers", "conv2_2"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: three pictures in `in`, an empty `out`, and style.png."""
    monkeypatch.chdir(tmp_path)
    for name in ("in", "out"):
        Path(name).mkdir()
    for seed, name in enumerate("abc"):
        drawing((40 + seed, 30), seed).save(f"in/{name}.png")
    drawing((36, 30), 9).save("style.png")


@pytest.fixture(scope="session")
def net():
    return load_vgg19("untrained")


@pytest.fixture
def loads(monkeypatch, net):
    """How often the network was loaded."""
    calls = []
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: calls.append(given) or net)
    return calls


def results():
    """But for what a killed worker leaves, and the locks."""
    return sorted(path.name for path in Path("out").iterdir() if not path.name.startswith("."))


def test_a_folder_is_painted_with_one_network_and_one_style(loads, monkeypatch, capsys):
    styles = []
    make = network_and_style.make_style
    monkeypatch.setattr(network_and_style, "make_style", lambda *given: styles.append(1) or make(*given))
    Path("in/notes.md").write_text("no picture")
    assert cli.main(["in", "style.png", *QUICK, "-o", "out"]) == 0
    assert results() == ["a.png", "b.png", "c.png"] and len(loads) == len(styles) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "out: 3 pictures, 3 made"
    assert cli.main(["in/b.png", "style.png", *QUICK, "-o", "b.png"]) == 0
    assert torch.equal(read_image("b.png").pixels, read_image("out/b.png").pixels)
    assert list(Path("out/.gatys").iterdir()) == []


def test_what_is_there_is_left_alone_and_what_fails_is_told(loads, capsys):
    Path("out/a.png").write_bytes(b"precious")
    Path("in/b.png").write_bytes(b"no picture")
    assert cli.main(["in", "style.png", *QUICK, "-o", "out"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "out: 3 pictures, 1 made, 1 there before, 1 failed"
    assert "gatys: error: b.png: 'in/b.png' is " in err
    assert Path("out/a.png").read_bytes() == b"precious" and results() == ["a.png", "c.png"]
    drawing((40, 30), 5).save("in/b.png")
    assert cli.main(["in", "style.png", *QUICK, "-o", "out"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out: 3 pictures, 1 made, 2 there before"


def test_which_picture_is_painted_is_told(loads, capsys):
    assert cli.main(["in", "style.png", "-o", "out", *QUICK]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gatys: picture ")]
    assert lines == [
        f"gatys: picture {index} of 3: {Path('in', name)}" for index, name in enumerate(["a.png", "b.png", "c.png"], 1)
    ]


def test_a_list(loads, capsys):
    Path("in/list.txt").write_text("# what is wanted\n\nc.png\n../style.png\n")
    assert cli.main(["in/list.txt", "style.png", *QUICK, "-o", "out"]) == 0
    assert results() == ["c.png", "style.png"]


def test_ctrl_c_keeps_no_picture_that_is_not_done(loads, monkeypatch, capsys):
    run = cli.optimize

    def interrupted(*given, callback, **rest):
        if Path("out/a.png").exists():
            os.kill(os.getpid(), signal.SIGINT)
        return run(*given, callback=callback, **rest)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(cli, "optimize", interrupted)
    try:
        assert cli.main(["in", "style.png", *QUICK, "-o", "out"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    out, err = capsys.readouterr()
    assert results() == ["a.png"] and out.splitlines()[-1] == "out: 3 pictures, 1 made, 2 left"
    assert "interrupted by Ctrl-C; pictures that are done are there, and the same command makes the others" in err


def test_memory_that_runs_out_costs_one_picture_and_a_mistake_of_ours_the_worker(loads, monkeypatch, capsys):
    make = cli.optimize

    def fails(*given, content, **rest):
        if content.size == (30, 40):
            raise MemoryError("no room")
        return make(*given, content=content, **rest)

    monkeypatch.setattr(cli, "optimize", fails)
    assert cli.main(["in", "style.png", *QUICK, "--size", "0", "-o", "out"]) == 2
    assert results() == ["b.png", "c.png"] and "a.png: no room" in capsys.readouterr().err

    def is_wrong(*given, **rest):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(cli, "optimize", is_wrong)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        cli.main(["in", "style.png", *QUICK, "-o", "out"])


def test_what_workers_leave_is_told(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(many, "launch", lambda worker, given: started.extend(given) or [0, -9])
    assert cli.main(["in", "style.png", *QUICK, "-o", "out", "--workers", "2", "--memory", "1"]) == 1
    out, err = capsys.readouterr()
    assert out == "out: 3 pictures, 0 made, 3 left\n"
    assert "3 of 3 pictures are left, by workers that were lost or that still hold them; the same command m" in err
    assert [given[0][-1] for given in started] == ["--quiet", "--quiet"] and started[0][1] == started[1][1]


# who does what


def test_one_at_a_time_holds_a_picture_and_whoever_died_in_it_is_not_followed():
    job = Job(Path("in/a.png"), Path("out/a.png"))
    with held(job, "run 1") as mine:
        assert mine
        with held(job, "run 1") as other:
            assert not other
    with held(job, "run 1") as mine:
        assert mine  # it was given back
    with pytest.raises(KeyboardInterrupt), held(job, "run 1"):
        raise KeyboardInterrupt
    with held(job, "run 1") as mine:
        assert not mine
    with held(job, "run 2") as mine:
        assert mine


def test_work_takes_what_others_leave():
    found = find_jobs("in", "out")
    painted = []

    def paint(job):
        painted.append(job.content.name)
        if job.content.name == "a.png":
            return "it is too dark"
        job.out.write_bytes(b"done")

    with held(found[1], "run"):
        work(found, paint, "run")
        assert painted == ["a.png", "c.png"]
    work(found, paint, "run")
    assert painted == ["a.png", "c.png", "b.png"] and found[0].failure.read_text() == "it is too dark"


def test_refusals(monkeypatch):
    assert find_jobs("style.png", None) is None and find_jobs("-", None) is None
    with pytest.raises(
        ImageError, match="--out: expected a folder for the results of many pictures, got None; give one"
    ):
        find_jobs("in", None)
    with pytest.raises(ImageError, match="CONTENT: expected pictures in 'out', got none; put some there, or give a p"):
        find_jobs("out", "out")
    drawing((40, 30), 0).save("in/a.jpg")
    with pytest.raises(ImageError, match=r"'in/a.jpg' and 'in/a.png' would both become 'a.png'; rename one"):
        find_jobs("in", "out")


# the folder for the results


@pytest.mark.parametrize("out", ["results/", "deep/er/results"])
def test_the_folder_for_the_results_is_made(loads, capsys, out):
    assert cli.main(["in", "style.png", *QUICK, "-o", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}: 3 pictures, 3 made"
    assert sorted(path.name for path in Path(out).glob("*.png")) == ["a.png", "b.png", "c.png"]
    Path(out, "b.png").unlink()
    assert cli.main(["in", "style.png", *QUICK, "-o", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}: 3 pictures, 1 made, 2 there before"


def test_the_command_of_the_readme_with_workers():
    Path("in").rename("photos")
    drawing((36, 30), 9).save("painting.jpg")
    command = [sys.executable, "-m", "gatys", "photos/", "painting.jpg", "-o", "results/", "--workers", "4", *QUICK]
    command += ["--weights", "untrained"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "results/: 3 pictures, 3 made"
    assert sorted(path.name for path in Path("results").glob("*.png")) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("style.png", "got 'style.png', but 'style.png' is no folder; give another path"),
        ("style.png/deep/er", "got 'style.png/deep/er', but 'style.png' is no folder; give another path"),
        ("gone", "got 'gone', but 'gone' is no folder; give another path"),
        ("new.png", "got 'new.png', the name of a picture; give a folder"),
        ("sealed/new", "got 'sealed/new', but 'sealed' is not writable; give another path or change its permissions"),
        ("sealed", "got 'sealed', but 'sealed' is not writable; "),
        ("", "got ''; give one, which is made"),
    ],
)
def test_no_place_for_the_results(loads, monkeypatch, capsys, out, said):
    Path("gone").symlink_to("nowhere")
    Path("sealed").mkdir()
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != Path("sealed"))
    before = sorted(Path().rglob("*"))
    assert cli.main(["in", "style.png", *QUICK, "-o", out]) == 2
    expected = "gatys: error: --out: expected a folder for the results of many pictures"
    assert capsys.readouterr().err.startswith(f"{expected}, {said}")
    assert sorted(Path().rglob("*")) == before and not loads


def test_a_folder_that_the_system_refuses(loads, capsys):
    name = "x" * 300
    assert cli.main(["in", "style.png", *QUICK, "-o", name]) == 2
    assert f"gatys: error: --out: the folder '{name}' cannot be made (" in capsys.readouterr().err
    assert not loads


@pytest.mark.parametrize("folder_there", [False, True])
@pytest.mark.parametrize("what", ["option", "every picture", "weights", "Ctrl-C", "workers"])
def test_no_new_folder_is_left_when_nothing_is_painted(monkeypatch, loads, folder_there, what):
    argv, code = [], 2
    if what == "option":
        argv = ["--load-style", "none.safetensors"]
    elif what == "every picture":
        for path in Path("in").iterdir():
            path.write_bytes(b"no picture")
    elif what == "weights":
        monkeypatch.setattr(cli, "load_vgg", load_vgg19)
        argv = ["--weights", "none.pth"]
    elif what == "Ctrl-C":

        def interrupted(*given, **rest):
            raise KeyboardInterrupt

        monkeypatch.setattr(cli, "optimize", interrupted)
        code = 130
    else:
        monkeypatch.setattr(many, "launch", lambda worker, given: [-9, -9])
        argv, code = ["--workers", "2", "--memory", "1"], 1
    if folder_there:
        Path("new/er").mkdir(parents=True)
    assert cli.main(["in", "style.png", *QUICK, "-o", "new/er", *argv]) == code
    assert Path("new/er").exists() == Path("new").exists() == folder_there


def test_a_new_folder_stays_where_another_works_in_it_or_has_put_something_there():
    found = find_jobs("in", "new")
    with ExitStack() as other:
        with jobs.folder_for(found, "new"):
            assert other.enter_context(held(found[2], "of another machine"))
        assert found[2].lock.exists()
    found = find_jobs("in", "newer")
    with jobs.folder_for(found, "newer"):
        Path("newer/notes.md").write_text("hers")
    assert Path("newer/notes.md").read_text() == "hers"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["in", "style.png", "-o", "out", "--save-style", "s.safetensors"],
            "--save-style: expected one CONTENT, got m",
        ),
        (["in", "style.png", "-o", "out", "--checkpoint", "a.st"], "--checkpoint: expected a folder for many pictures"),
        (["in", "no.png", "-o", "out"], "STYLE: expected a file, got 'no.png', which is none; check the path"),
        (["in", "-o", "out"], "STYLE: expected at least one picture, got none"),
        (["in/a.png", "style.png", "--workers", "2"], "--workers: expected CONTENT to be a folder or a .txt list, got"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(argv, said, capsys):
    assert cli.main([*argv, *QUICK]) == 2
    assert capsys.readouterr().err.startswith(f"gatys: error: {said}")


def test_torchrun_is_for_one_picture(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sys, "argv", ["gatys", "in", "style.png", *QUICK, "-o", "out"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("gatys", run_name="__main__")
    assert end.value.code == 2
    assert "CONTENT: many pictures are shared out by --workers; leave out torchrun" in capsys.readouterr().err


# many processes


@LONG
def test_a_worker_that_is_killed_costs_its_picture_only():
    for seed, name in enumerate("defgh"):
        drawing((40, 30), seed).save(f"in/{name}.png")
    command = [sys.executable, "-m", "gatys", "in", "style.png", *QUICK, "--steps", "99", "-o", "out", "--workers", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command += ["--weights", "untrained"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(results()) < 2 and running.poll() is None:
        time.sleep(0.02)
    workers = [child for child in psutil.Process(running.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    time.sleep(0.5)  # into the next picture, which takes longer than that
    workers[0].kill()
    out, err = running.communicate(timeout=300)
    assert running.returncode == 1, err
    assert out.splitlines()[-1] == "out: 8 pictures, 7 made, 1 left" and "1 of 8 pictures are left" in err
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.splitlines()[-1] == "out: 8 pictures, 1 made, 7 there before"
    assert jobs.find_jobs("in", "out") and len(results()) == 8


def test_filters_are_found_once_for_all_workers(monkeypatch, capsys):
    """What cannot be had is said once, by who was asked, and no worker starts."""
    monkeypatch.setattr(many, "launch", lambda *given: pytest.fail("a worker was started"))
    code = cli.main(["in", "style.png", "-o", "out", "--workers", "2", "--weights", "nope.pth"])
    assert code == 2 and capsys.readouterr().err.count("there is no file nope.pth") == 1


@pytest.mark.parametrize("after", [0.3, 1.5, 3.0, "a picture"])
def test_ctrl_c_to_all_workers_is_one_line(after):
    """As a terminal sends it: to the command and to all that it has started, while they start and while they paint."""
    command = [
        sys.executable,
        "-m",
        "gatys",
        "in",
        "style.png",
        *QUICK,
        "--steps",
        "300",
        "-o",
        "out",
        "--workers",
        "2",
    ]
    command += ["--weights", "untrained", "--memory", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); os.execv(sys.argv[1], sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", start, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    begun = time.monotonic()
    while running.poll() is None and (results() == [] if after == "a picture" else time.monotonic() - begun < after):
        time.sleep(0.02)
    children = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=100)
    said = [line for line in err.splitlines() if "Ctrl-C" in line]
    assert running.returncode == 130 and len(said) == 1 and "Traceback" not in err, (out, err)
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left
