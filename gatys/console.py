"""What the user sees of the command line, and how signals reach it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tqdm import tqdm

from .records import Record

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
_NOT_OURS = (signal.SIG_IGN, None)


class Terminated(BaseException):
    """SIGTERM, as KeyboardInterrupt is SIGINT."""


class Lines(logging.Handler):
    """The package's log as lines on standard error, above the progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        # a warning of the descent sums up the notes that are printed one by one
        if not (record.name.endswith(".optimize") and record.levelno == logging.WARNING):
            Bar.write(f"gatys: {record.getMessage()}", file=sys.stderr)


class Bar(tqdm):
    """Progress on standard error, only where that is a terminal."""

    def __init__(self, what: str, quiet: bool, **options: Any):
        super().__init__(desc=what, disable=quiet or None, file=sys.stderr, dynamic_ncols=True, **options)

    def reach(self, done: int, total: int) -> None:
        self.total = total or None
        self.update(done - self.n)


@contextmanager
def interruptible(terminable: bool, *, tells: bool = True) -> Iterator[SimpleNamespace]:
    """While it lasts, the first Ctrl-C only sets `asked` and the second one raises KeyboardInterrupt.

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
    # Only the main thread may set handlers; who started this with Ctrl-C ignored (nohup) wants that.
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    handlers = {number: handler for number, handler in handlers.items() if previous[number] not in _NOT_OURS}
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
    Bar.write(f"gatys: error: {' '.join(str(problem).split())}", file=sys.stderr)


def tell(line: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"  # a file's name need not be printable there
    print(line.encode(encoding, "backslashreplace").decode(encoding))
