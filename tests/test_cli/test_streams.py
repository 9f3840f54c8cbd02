"""Standard streams that are closed, full or without a reader: the picture is saved, and the exit code says so."""

import io
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pictures import drawing

import gatys
from gatys.cli import command as cli
from gatys.cli.streams import Steady, steady_streams

ROOT = Path(__file__).parents[2]
QUICK = [
    "content.png",
    "style.png",
    "--size",
    "64",
    "--steps",
    "2",
    "--levels",
    "1",
    "--device",
    "cpu",
    "-o",
    "out.png",
]
QUICK += ["--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2", "--weights", "untrained"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
needs_dev_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing((80, 64), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")


class Failing(io.StringIO):
    """A stream whose every write, or flush, fails."""

    def __init__(self, error, at="write"):
        super().__init__()
        self.error, self.at = error, at

    def write(self, text):
        if self.at == "write":
            raise self.error
        return len(text)

    def flush(self):
        if self.at == "flush":
            raise self.error


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "full": lambda: Failing(OSError(28, "No space left on device")),
    "full when flushed": lambda: Failing(OSError(28, "No space left on device"), "flush"),
    "without a reader": lambda: Failing(BrokenPipeError(32, "Broken pipe")),
    "taken away": lambda: Failing(OSError(5, "Input/output error")),
    "busy": lambda: Failing(BlockingIOError(11, "Resource temporarily unavailable")),
}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.mark.parametrize("which", [["stdout"], ["stderr"], ["stdin", "stdout", "stderr"]], ids="-".join)
@pytest.mark.parametrize("fault", STREAMS)
def test_the_picture_is_saved_whatever_the_streams_do(monkeypatch, net, fault, which):
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    for name in which:
        monkeypatch.setattr(sys, name, STREAMS[fault]())
    with warnings.catch_warnings(record=True) as unheard:
        code = cli.main([*QUICK, "--verbose"])
    assert code == 0 and Path("out.png").exists() and not unheard


@pytest.mark.parametrize("fault", STREAMS)
def test_a_mistake_keeps_its_exit_code(monkeypatch, fault):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, STREAMS[fault]())
    assert cli.main(["gone.png", "style.png"]) == 2


def test_a_lost_line_about_the_result_is_told(monkeypatch, net, capsys):
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    monkeypatch.setattr(sys, "stdout", STREAMS["full"]())
    assert cli.main(QUICK) == 0
    said = "gatys: standard output cannot be written to ([Errno 28] No space left on device)\n"
    assert capsys.readouterr().err.endswith(said)


@pytest.mark.parametrize("fault", ["none", "without a reader"])
def test_nothing_is_told_where_no_one_waits_for_it(monkeypatch, net, capsys, fault):
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)
    monkeypatch.setattr(sys, "stdout", STREAMS[fault]())
    assert cli.main(QUICK) == 0
    assert "standard output" not in capsys.readouterr().err


def test_letters_that_a_stream_lacks_are_escaped():
    inner = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    Steady(inner).write("façade \udce9.png")
    assert inner.buffer.getvalue() == rb"fa\xe7ade \udce9.png"


def test_streams_come_back_and_are_wrapped_once(capsys):
    before = sys.stdout, sys.stderr
    with steady_streams():
        outer = sys.stdout
        with steady_streams():
            assert sys.stdout is outer
            print("through both")
        assert sys.stdout is outer and sys.stdout.encoding == before[0].encoding and not sys.stdout.isatty()
    assert (sys.stdout, sys.stderr) == before and capsys.readouterr().out == "through both\n"


def test_one_that_is_not_there_takes_everything():
    stream = Steady(None)
    assert stream.write("x") == 1 and not stream.isatty() and stream.encoding == "utf-8" and stream.lost == ""
    stream.flush()
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
    logging.StreamHandler(stream).emit(logging.makeLogRecord({"msg": "heard by no one"}))


def test_what_a_file_still_holds_is_dropped(tmp_path):
    """Else Python's own flush at the end would fail, with exit code 120."""
    with open(tmp_path / "log.txt", "w") as file, open("/dev/null" if os.name == "posix" else "nul", "w") as other:
        stream = Steady(file)
        stream.write("held")
        stream._attempt(lambda: STREAMS["full"]().write(""))
        assert os.path.sameopenfile(file.fileno(), other.fileno())
    assert (tmp_path / "log.txt").read_text() == ""


# the program itself


def program(*argv, **streams):
    command = [sys.executable, "-m", "gatys", *argv]
    if "closing" in streams:
        command = ["/bin/sh", "-c", f'exec "$@" {streams.pop("closing")}', "sh", *command]
    return subprocess.run(command, env=ENVIRONMENT, timeout=200, check=False, **streams)


@pytest.fixture
def no_reader():
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full():
    with open("/dev/full", "w") as stream:
        yield stream


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("closing", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_help_and_mistakes_with_closed_streams(closing):
    assert program("--help", closing=closing).returncode == 0
    assert program("--sise", closing=closing).returncode == 2


@needs_dev_full
def test_help_and_mistakes_on_a_full_disk(full):
    done = program("--help", stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2  # the text was all that was asked for
    assert done.stderr == "gatys: standard output cannot be written to ([Errno 28] No space left on device)\n"
    assert program("--help", stdout=full, stderr=full).returncode == 2
    assert program("--sise", stderr=full).returncode == 2


def test_help_to_a_reader_that_has_enough(no_reader):
    done = program("--help", stdout=no_reader, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_files_never_get_the_numbers_of_closed_streams():
    script = (
        "import os; from gatys.cli.streams import fill_descriptors\n"
        "fill_descriptors(); number = os.open('out.png', os.O_CREAT | os.O_WRONLY)\n"
        "os.write(1, b'x'), os.write(2, b'x')\n"
        "os._exit(number <= 2 or not os.get_inheritable(2))"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script], env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0 and Path("out.png").read_bytes() == b""


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("closing", ["2>&-", "<&- >&- 2>&-"])
def test_the_program_saves_with_closed_streams(closing):
    done = program(*QUICK, closing=closing, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"") and Path("out.png").exists()


@pytest.mark.slow
@pytest.mark.processes
@needs_dev_full
def test_the_program_saves_with_full_streams(full):
    assert program(*QUICK, stdout=full, stderr=full).returncode == 0 and Path("out.png").exists()


@pytest.mark.slow
@pytest.mark.processes
def test_the_program_saves_without_a_reader(no_reader):
    assert program(*QUICK, stdout=no_reader, stderr=no_reader).returncode == 0 and Path("out.png").exists()
