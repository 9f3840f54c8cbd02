"""The standard streams: closed, full or without a reader, they end no run, for the picture counts and not its printing.

This module does without PyTorch and tqdm, since the command's door needs it first.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # which type checkers take for true; `typing` takes time in which Ctrl-C is not answered yet
if TYPE_CHECKING:
    from typing import Any, TextIO


class Steady:
    """A text stream that raises nothing where it cannot write: the text is lost, and `failure` says why.

    Args:
        stream: what is written to; None, as under `pythonw` or where the stream is closed, takes everything.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self.failure: Exception | None = None

    def write(self, text: str) -> int:
        """Write the text; letters that the stream's encoding lacks are written as escapes."""
        stream = self._stream
        if stream is None:
            return len(text)
        try:
            self._attempt(lambda: stream.write(text))
        except UnicodeEncodeError:
            plain = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
            self._attempt(lambda: stream.write(plain))
        return len(text)

    def flush(self) -> None:
        """Hand on what is kept back."""
        if self._stream is not None:
            self._attempt(self._stream.flush)

    def close(self) -> None:
        """Flush only, for the stream is everyone's."""
        self.flush()

    @property
    def encoding(self) -> str:
        """Give the name of the encoding."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Tell whether it is a terminal that can be written to."""
        return self._stream is not None and self.failure is None and self._stream.isatty()

    def fileno(self) -> int:
        """Give the number of the system's file.

        Raises:
            io.UnsupportedOperation: where there is none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def lost(self) -> str:
        """Give a sentence where text is lost that someone may wait for; not where the reader left or there was none."""
        gone = self.failure is None or isinstance(self.failure, BrokenPipeError)
        return "" if gone else f"cannot be written to ({self.failure})"

    def _attempt(self, do: Callable[[], object]) -> None:
        try:
            do()
        except UnicodeEncodeError:
            raise
        except (OSError, ValueError) as problem:  # ValueError: it was closed in the meantime
            self.failure = self.failure or problem
            if not isinstance(problem, BlockingIOError):
                self._discard()

    def _discard(self) -> None:
        """Lead what the stream still holds into nothing, so that Python's own flush at the end does not fail either."""
        with suppress(OSError, ValueError, AttributeError):
            number, nothing = self.fileno(), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, number)
            os.close(nothing)


@contextmanager
def steady_streams() -> Iterator[None]:
    """Make the standard streams `Steady` for a while."""
    before = sys.stdout, sys.stderr
    out, err = (stream if isinstance(stream, Steady) else Steady(stream) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.flush()
        if out.lost and out is not before[0]:
            err.write(f"gatys: standard output {out.lost}\n")
        err.flush()
        sys.stdout, sys.stderr = before


def fill_descriptors() -> None:
    """Lead standard files that are closed to nothing.

    Else the next file that is opened would get the number of one, and what a library prints would go into a picture.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one


def error_line(problem: object) -> str:
    """Give the line that says what went wrong."""
    return f"gatys: error: {' '.join(str(problem).split())}"
