"""The console: what the user sees of the command line, and how signals reach it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import SimpleNamespace
from typing import Any

from tqdm import tqdm

from ..descent.records import Progress, Record
from .interrupts import NOT_OURS
from .streams import error_line

EVERY = 30.0
"""The seconds between two lines about how far a run has come, where no terminal shows a bar."""
_log = logging.getLogger(__name__)


class Terminated(BaseException):
    """SIGTERM came: this stands to it as KeyboardInterrupt stands to SIGINT."""


class Lines(logging.Handler):
    """The package's log as lines on standard error, above the progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        # a warning of the descent sums up the notes that are printed one by one
        if not (record.name.endswith(".optimize") and record.levelno == logging.WARNING):
            Bar.write(f"gatys: {record.getMessage()}", file=sys.stderr)


class Bar(tqdm):
    """The progress on standard error: a bar where that is a terminal, else a line every half minute; nothing if
    `quiet`.
    """

    def __init__(self, what: str, quiet: bool, **options: Any):
        super().__init__(desc=what, disable=quiet or None, file=sys.stderr, dynamic_ncols=True, **options)
        self._what, self._lines = what, bool(self.disable) and not quiet
        self._began = self._told = self._last = monotonic()
        self._level = -1
        self._ends: list[float] = []

    def reach(self, done: int, total: int) -> None:
        """Say how many bytes are done of all; 0 where that is unknown."""
        self.total = total or None
        self.update(done - self.n)
        if self._due() and done != total:
            left = (self._last - self._began) / done * (total - done) if total and done else None
            of = f" of {total / 1e6:.1f}" if total else ""
            self._tell(f"{self._what}: {done / 1e6:.1f}{of} MB", left)

    def follow(self, progress: Progress) -> None:
        """Say that a step is done.

        What is left is reckoned from the steps of this level so far, where there are more without the first, which
        prepares the others; and one of the next finer level, with four times the pixels, counts as four of them.
        """
        self.set_postfix_str(f"level {progress.level}, {losses_of(progress.losses)}", refresh=False)
        self.total = progress.steps
        self.update(progress.step - self.n)
        if progress.level != self._level:
            self._level, self._ends = (
                progress.level,
                [self._last],
            )  # the last step of the level before, then of this one
        due = self._due()
        self._ends.append(self._last)
        if due and progress.step != progress.steps:
            measured = self._ends[1:] if len(self._ends) > 2 else self._ends
            each = (measured[-1] - measured[0]) / (len(measured) - 1)
            left = each * (sum(progress.schedule[progress.level :]) - progress.step)
            left += sum(each * 4 ** (progress.level - k) * n for k, n in enumerate(progress.schedule[: progress.level]))
            at = f"step {progress.step} of {progress.steps}, level {progress.level}"
            self._tell(f"{at}, loss {progress.losses.total:.4g}", left)

    def _due(self) -> bool:
        """Note the time; tell whether a line is due."""
        self._last = monotonic()
        return self._lines and self._last - self._told >= EVERY

    def _tell(self, what: str, left: float | None) -> None:
        self._told = self._last
        about = "" if left is None else f", about {_clock(left)} left"
        _log.info("%s, %s so far%s", what, _clock(self._last - self._began), about)


@contextmanager
def interruptible(terminable: bool, *, tells: bool = True) -> Iterator[SimpleNamespace]:
    """Catch signals for a while: the first Ctrl-C only sets `asked`, and the second one raises KeyboardInterrupt.

    If `terminable`, SIGTERM raises, too, instead of ending the process at once. If `tells`, the first Ctrl-C is answered.
    """
    state = SimpleNamespace(asked=False)

    def note(number: int, frame: object) -> None:
        if state.asked:
            raise KeyboardInterrupt
        state.asked = True
        if tells:
            again = "Ctrl-C again saves nothing"
            Bar.write(f"gatys: stopping after this step to save the best picture so far; {again}", sys.stderr)

    def end(number: int, frame: object) -> None:
        raise Terminated

    handlers = {signal.SIGINT: note} | ({signal.SIGTERM: end} if terminable else {})
    previous = {number: signal.getsignal(number) for number in handlers}
    # Only the main thread may set handlers; a user who started this with Ctrl-C ignored (nohup) wants that.
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    handlers = {number: handler for number, handler in handlers.items() if previous[number] not in NOT_OURS}
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        yield state
    finally:
        for number in handlers:
            signal.signal(number, previous[number])


def _clock(seconds: float) -> str:
    """Give a time as `1:10`, or `2:01:10` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def losses_of(record: Record) -> str:
    return ", ".join(f"{name} {record[name]:.4g}" for name in ("total", "content", "style", "tv"))


def complain(problem: object) -> None:
    Bar.write(error_line(problem), file=sys.stderr)


def tell(line: str) -> None:
    print(line)  # `Steady` escapes letters that it cannot print
