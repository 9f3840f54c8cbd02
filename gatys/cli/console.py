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
from ..descent.time_left import TimeLeft, clock
from .interrupts import NOT_OURS
from .streams import error_line

EVERY = 30.0
"""The seconds between two lines about how far a run has come, where no terminal shows a bar."""
STEPS_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""The bar of a descent. What tqdm would say of the time left knows no levels."""
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
        self._left = TimeLeft(self._began)

    def reach(self, done: int, total: int) -> None:
        """Say how many bytes are done of all; 0 where that is unknown."""
        self.total = total or None
        self.update(done - self.n)
        if self._due() and done != total:
            left = (self._last - self._began) / done * (total - done) if total and done else None
            of = f" of {total / 1e6:.1f}" if total else ""
            self._tell(f"{self._what}: {done / 1e6:.1f}{of} MB", left)

    def follow(self, progress: Progress) -> None:
        """Say that a step is done."""
        self.total = progress.steps
        due = self._due()
        left = self._left.after(progress, self._last)
        about = f"about {clock(left)} left, level {progress.level}"
        self.set_postfix_str(f"{about}, {losses_of(progress.losses)}", refresh=False)
        self.update(progress.step - self.n)
        if due and progress.step != progress.steps:
            at = f"step {progress.step} of {progress.steps}, level {progress.level}"
            self._tell(f"{at}, loss {progress.losses.total:.4g}", left)

    def _due(self) -> bool:
        """Note the time; tell whether a line is due."""
        self._last = monotonic()
        return self._lines and self._last - self._told >= EVERY

    def _tell(self, what: str, left: float | None) -> None:
        self._told = self._last
        about = "" if left is None else f", about {clock(left)} left"
        _log.info("%s, %s so far%s", what, clock(self._last - self._began), about)


@contextmanager
def interruptible(
    terminable: bool, *, tells: bool = True, saves: str = "the best picture so far"
) -> Iterator[SimpleNamespace]:
    """Catch signals for a while: the first Ctrl-C only sets `asked`, and the second one raises KeyboardInterrupt.

    If `terminable`, SIGTERM raises, too, instead of ending the process at once. If `tells`, the first Ctrl-C is answered,
    with what it `saves`.
    """
    state = SimpleNamespace(asked=False)

    def note(number: int, frame: object) -> None:
        if state.asked:
            raise KeyboardInterrupt
        state.asked = True
        if tells:
            again = "Ctrl-C again saves nothing"
            Bar.write(f"gatys: stopping after this step to save {saves}; {again}", sys.stderr)

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


def losses_of(record: Record) -> str:
    return ", ".join(f"{name} {record[name]:.4g}" for name in ("total", "content", "style", "tv"))


def complain(problem: object) -> None:
    Bar.write(error_line(problem), file=sys.stderr)


def tell(line: str) -> None:
    print(line)  # `Steady` escapes letters that it cannot print
