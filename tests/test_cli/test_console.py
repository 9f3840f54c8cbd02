"""The console of a long run without a terminal: a line every half minute, by a clock that the tests set."""

import io
import logging
import os
import re
import sys

import pytest
from pictures import drawing

from gatys import load_vgg19, optimize
from gatys.cli import command as cli
from gatys.cli import console
from gatys.cli.console import Bar, Lines
from gatys.descent import course
from gatys.descent.records import Progress, Record
from gatys.passes.speed import Speed

QUICK = ["content.png", "style.png", "--size", "64", "--levels", "2", "--device", "cpu", "--content-layers", "conv2_2"]
QUICK += ["--style-layers", "conv1_1,conv2_1", "--weights", "untrained", "--steps", "6,6", "-o", "out.png"]


class Clock:
    """Seconds; they pass only by `clock.now += ...`."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console, "monotonic", clock)
    return clock


@pytest.fixture
def lines(capsys):
    """The lines that have come to standard error since it was last asked, without those of a bar."""
    log, handler = logging.getLogger("gatys"), Lines()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lambda: capsys.readouterr().err.splitlines()
    log.removeHandler(handler)
    log.setLevel(level)


def progress(step, level, schedule, total=0.53214, expected=()):
    record = Record(step, level, total, 0.1, 0.2, 0.3)
    return Progress(step, sum(schedule), level, record, tuple(schedule), lambda: None, expected)


def descend(clock, schedule, seconds, first=1, expected=()):
    """Follow a descent whose steps on level k take `seconds[k]` each, and were expected to take `expected[k]`."""
    with Bar("steps", quiet=False) as bar:
        for level in reversed(range(len(schedule))):
            for step in range(sum(schedule[level + 1 :]) + 1, sum(schedule[level:]) + 1):
                if step >= first:
                    clock.now += seconds[level]
                    bar.follow(progress(step, level, schedule, expected=expected))


# steps


def test_time_left_on_two_levels_of_different_cost(clock, lines):
    """120 steps: 80 of a second, then 40 of four."""
    descend(clock, (40, 80), (4.0, 1.0))
    assert lines() == [
        "gatys: step 30 of 120, level 1, loss 0.5321, 0:30 so far, about 3:30 left",
        "gatys: step 60 of 120, level 1, loss 0.5321, 1:00 so far, about 3:00 left",
        # 80 s have gone into level 1; 37 steps of 4 s are left
        "gatys: step 83 of 120, level 0, loss 0.5321, 1:32 so far, about 2:28 left",
        "gatys: step 91 of 120, level 0, loss 0.5321, 2:04 so far, about 1:56 left",
        "gatys: step 99 of 120, level 0, loss 0.5321, 2:36 so far, about 1:24 left",
        "gatys: step 107 of 120, level 0, loss 0.5321, 3:08 so far, about 0:52 left",
        "gatys: step 115 of 120, level 0, loss 0.5321, 3:40 so far, about 0:20 left",
    ]


def test_what_a_level_really_costs_corrects_what_was_expected_of_it(clock, lines):
    descend(clock, (10, 10, 10), (60.0, 5.0, 4.0))
    said = lines()
    # 10 s of this level, 10 steps of 16 s and 10 of 64 s
    assert said[0] == "gatys: step 8 of 30, level 2, loss 0.5321, 0:32 so far, about 13:28 left"
    # 40 s had gone into level 2; 4 steps of 5 s, and 10 of 20 s
    assert said[1] == "gatys: step 15 of 30, level 1, loss 0.5321, 1:05 so far, about 3:45 left"
    assert said[2] == "gatys: step 21 of 30, level 0, loss 0.5321, 2:30 so far, about 9:00 left"
    assert said[-1] == "gatys: step 29 of 30, level 0, loss 0.5321, 10:30 so far, about 1:00 left"


def test_levels_whose_cost_grows_less_than_their_pixels(clock, lines):
    """Small pictures: a step of the finer level takes twice as long, which was expected, on a machine half as fast."""
    descend(clock, (40, 40), (2.0, 1.0), expected=(1.0, 0.5))
    assert lines()[:2] == [
        "gatys: step 30 of 80, level 1, loss 0.5321, 0:30 so far, about 1:30 left",  # 10 and 80 s; not 170
        "gatys: step 50 of 80, level 0, loss 0.5321, 1:00 so far, about 1:00 left",
    ]


def test_after_the_first_step_of_a_level_what_was_expected_counts(clock, lines):
    """The first step takes a minute, in which all others are prepared; the others take twice what was expected."""
    with Bar("steps", quiet=False) as bar:
        for step, seconds in enumerate((60, 2, 40, 60), 1):
            clock.now += seconds
            bar.follow(progress(step, int(step < 4), (5, 3), expected=(4.0, 1.0)))
    assert [line.rpartition(", ")[2] for line in lines()] == [
        "about 0:22 left",  # 2 steps of 1 s and 5 of 4 s
        "about 7:00 left",  # 5 steps of four times 21 s
        "about 5:36 left",  # 4 of those
    ]


def test_a_run_that_goes_on_is_reckoned_by_its_own_steps(clock, lines):
    descend(clock, (100,), (2.0,), first=61)
    assert lines()[0] == "gatys: step 75 of 100, level 0, loss 0.5321, 0:30 so far, about 0:50 left"
    descend(clock, (40, 80), (4.0, 1.0), first=90)  # in the midst of the last level
    assert lines()[0] == "gatys: step 97 of 120, level 0, loss 0.5321, 0:32 so far, about 1:32 left"


def test_what_the_first_step_of_a_level_prepares_is_not_counted_again(clock, lines):
    with Bar("steps", quiet=False) as bar:
        for step, seconds in enumerate((41, 1, 40, 121, 4, 40), 1):
            clock.now += seconds
            bar.follow(progress(step, int(step < 4), (20, 3)))
    assert [line.rpartition(", ")[2] for line in lines()] == [
        "about 56:02 left",  # nothing else is known: 82 steps of 41 s
        "about 27:20 left",  # 80 steps of 20.5 s
        "about 38:19 left",  # 19 of 121 s
        "about 6:14 left",  # 17 of 22 s
    ]


def test_hours(clock, lines):
    descend(clock, (3,), (3700.0,))
    assert lines()[0] == "gatys: step 1 of 3, level 0, loss 0.5321, 1:01:40 so far, about 2:03:20 left"


def test_short_runs_say_nothing_and_the_last_step_neither(clock, lines):
    descend(clock, (10, 10), (2.0, 0.5))
    assert lines() == []
    descend(clock, (1,), (3600.0,))
    assert lines() == []


# downloads


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (
            80_000_000,
            ["24.0 of 80.0 MB, 0:30 so far, about 1:10 left", "48.0 of 80.0 MB, 1:00 so far, about 0:40 left"],
        ),
        (0, ["24.0 MB, 0:30 so far", "48.0 MB, 1:00 so far", "72.0 MB, 1:30 so far"]),
    ],
)
def test_bytes_so_far(clock, lines, total, said):
    with Bar("weights", quiet=False, unit="B", unit_scale=True, delay=0.1) as bar:
        bar.reach(0, total)
        for done in range(8_000_000, 80_000_001, 8_000_000):
            clock.now += 10
            bar.reach(done, total)
    assert lines()[:2] == [f"gatys: weights: {line}" for line in said[:2]]


def test_a_download_that_brings_nothing_says_so_and_one_that_is_done_nothing(clock, lines):
    with Bar("weights", quiet=False) as bar:
        clock.now += 40
        bar.reach(0, 80_000_000)
        assert lines() == ["gatys: weights: 0.0 of 80.0 MB, 0:40 so far"]
        clock.now += 40
        bar.reach(80_000_000, 80_000_000)
    assert lines() == []


# where


@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_has_its_bar_alone(clock, lines, monkeypatch, quiet):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Bar("steps", quiet, unit="step", total=30) as bar:
        for step in range(1, 31):
            clock.now += 20
            bar.follow(progress(step, 0, (30,)))
    assert "gatys: " not in terminal.getvalue() and lines() == []
    assert ("level 0, total 0.5321" in terminal.getvalue()) == (not quiet)


def test_the_bar_of_a_descent_tells_the_same_time_left_as_the_lines(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Bar("steps", False, bar_format=console.STEPS_BAR, total=20, mininterval=0) as bar:
        for step in range(1, 11):
            clock.now += 60
            bar.follow(progress(step, 1, (10, 10)))
    assert "10/20 [" in terminal.getvalue() and ", about 40:00 left, level 1, total 0.5321" in terminal.getvalue()


def test_quiet_is_quiet(clock, lines):
    with Bar("steps", quiet=True) as bar:
        clock.now += 100
        bar.follow(progress(1, 0, (3,)))
        bar.reach(2, 3)
    assert lines() == []


@pytest.fixture
def timed(tmp_path, monkeypatch, clock):
    """The command line, whose steps take 20 seconds on level 1 and 80 on level 0, in a folder with its pictures."""
    monkeypatch.chdir(tmp_path)
    net = load_vgg19("untrained")
    for seed, name in enumerate(("content", "style")):
        drawing((80, 64), seed).save(f"{name}.png")

    def slow(*given, callback, **rest):
        def follow(told):
            clock.now += 80 / 4**told.level
            callback(told)

        return optimize(*given, callback=follow, **rest)

    def download(*given, progress, **rest):
        for done in range(0, 81, 20):
            clock.now += 20
            progress(done * 1_000_000, 80_000_000)
        return net

    monkeypatch.setattr(course, "measured", lambda *_: Speed(0.0, 1e9))
    monkeypatch.setattr(cli, "optimize", slow)
    monkeypatch.setattr(cli, "load_vgg", download)


LEFT = ["3:20 so far, about 6:32 left", "4:40 so far, about 5:20 left", "6:00 so far, about 4:00 left"]
LEFT += ["7:20 so far, about 2:40 left", "8:40 so far, about 1:20 left"]


def test_the_command_line_says_it_every_half_minute(timed, capsys):
    assert cli.main(QUICK) == 0
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if " so far" in line]
    left = [re.sub(r"loss [\d.e-]+", "loss X", line) for line in said]
    assert left == [
        "gatys: weights: 20.0 of 80.0 MB, 0:40 so far, about 2:00 left",
        "gatys: weights: 60.0 of 80.0 MB, 1:20 so far, about 0:27 left",
        "gatys: step 2 of 12, level 1, loss X, 0:40 so far, about 9:11 left",  # 64 x 51 pixels are 3.92 times 32 x 26
        "gatys: step 4 of 12, level 1, loss X, 1:20 so far, about 8:31 left",
        "gatys: step 6 of 12, level 1, loss X, 2:00 so far, about 7:51 left",
        *(f"gatys: step {7 + k} of 12, level 0, loss X, {clock}" for k, clock in enumerate(LEFT)),
    ]
    assert err.count("gatys: plan: ") == 1 and err.index("plan: ") < err.index("step 2 of 12")
    assert out.startswith("out.png: 64 x 51, 12 steps, ") and out.count("\n") == 1


def test_the_command_line_with_another_interval(timed, monkeypatch, capsys):
    monkeypatch.setattr(console, "EVERY", 100.0)
    assert cli.main(QUICK) == 0
    said = re.findall(r"step (\d+) of 12, level", capsys.readouterr().err)
    assert said == ["5", "7", "9", "11"]


def test_the_command_line_is_quiet_or_has_a_terminal(timed, monkeypatch, capsys):
    assert cli.main([*QUICK, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli.main(QUICK) == 0
    assert " so far" not in terminal.getvalue() and os.path.exists("out.png")
