"""Ctrl-C, from the program's first line to its last: one sentence, exit code 130, and no import that swallows it.

Importing this sets no handler. The descent has a handler of its own, `console.interruptible`.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from time import monotonic

from .streams import error_line

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
NOT_OURS = (signal.SIG_IGN, None)
"""Handlers of SIGINT that stay: who starts a program with Ctrl-C ignored, as nohup does, wants that."""
_PATIENCE = 2.0
"""The seconds in which a further Ctrl-C counts as the one before, while what was begun is tidied up."""


class Interrupts:
    """What Ctrl-C does at the moment.

    While the program starts it ends the process on the spot, since an import may swallow any exception; then it raises
    KeyboardInterrupt, and `check` raises it again where that was swallowed; while a picture is saved it waits; and when
    all is done it does nothing.
    """

    def __init__(self) -> None:
        self.came = False
        """Whether Ctrl-C came and was not answered in words yet."""
        self._tells = True
        self._answer: Callable[[], None] = self._raise
        self._afterwards = self._answer
        self._last = -_PATIENCE

    def work(self) -> None:
        """Raise KeyboardInterrupt from now on, and do so at once where one was raised and swallowed."""
        self._answer = self._raise
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt where one was raised and swallowed."""
        if self.came:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Let the first Ctrl-C wait from now on, which only sets `came`, and the second one raise."""
        self._answer = self._wait
        self.check()

    def settle(self) -> None:
        """Do nothing from now on: whoever calls this says that Ctrl-C came."""
        self._answer, self.came = self._ignore, False

    @property
    def kinds(self) -> tuple[type[BaseException], ...]:
        """Give the exceptions that mean Ctrl-C now: after it came, any, for a `finally` that is not ready for it fails
        with one of its own (argparse's does).
        """
        return (KeyboardInterrupt, Exception) if self.came and self._answer == self._raise else (KeyboardInterrupt,)

    @property
    def over(self) -> bool:
        """Tell whether all is done, so that Ctrl-C does nothing."""
        return self._answer == self._ignore

    @contextmanager
    def in_program(self, *, tells: bool = True) -> Iterator[None]:
        """Answer Ctrl-C for a whole program that starts now; `tells` is False where another process says it."""
        self._tells, self._afterwards = tells, self._ignore
        with self._handling(self._end) as ours:
            hook = sys.unraisablehook
            # Python prints what ends a __del__, and goes on
            sys.unraisablehook = lambda told: None if told.exc_type is KeyboardInterrupt else hook(told)
            try:
                yield
            finally:
                sys.unraisablehook, self._afterwards = hook, self._raise
                if ours:  # Python's own end is not disturbed any more
                    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)

    def in_main(self, main: Callable[..., int]) -> Callable[..., int]:
        """Wrap a function that gives an exit code, so that Ctrl-C raises KeyboardInterrupt in it, or gives the code."""

        @wraps(main)
        def interruptible_main(*given: object, **named: object) -> int:
            self.came = False
            with self._handling(self._raise):
                try:
                    code = main(*given, **named)
                except self.kinds:  # outside what `main` itself answers
                    self.settle()
                    self._tell("nothing was saved")
                    return INTERRUPTED
                held, self._answer = self._answer == self._wait, self._ignore
                waited = held and self.came
                if waited:
                    self._tell("what was made is saved")
                return INTERRUPTED if waited else code

        return interruptible_main

    @contextmanager
    def _handling(self, answer: Callable[[], None]) -> Iterator[bool]:
        """Answer Ctrl-C so for a while; yield whether that is so, which it is not where Ctrl-C is ignored."""
        previous = signal.getsignal(signal.SIGINT)
        ours = previous not in NOT_OURS and threading.current_thread() is threading.main_thread()
        self._answer = answer
        if ours:
            signal.signal(signal.SIGINT, self._note)
        try:
            yield ours
        finally:
            self._answer = self._afterwards
            if ours:
                signal.signal(signal.SIGINT, previous)

    def _note(self, number: int, frame: object) -> None:
        self._answer()

    def _raise(self) -> None:
        now = monotonic()
        if not self.came or now - self._last > _PATIENCE:
            self.came, self._last = True, now
            raise KeyboardInterrupt

    def _wait(self) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True

    def _ignore(self) -> None:
        pass

    def _end(self) -> None:
        try:
            self._tell("nothing was saved")
        finally:
            os._exit(INTERRUPTED)

    def _tell(self, what: str) -> None:
        if self._tells:
            print(error_line(f"interrupted by Ctrl-C; {what}"), file=sys.stderr, flush=True)


CTRL_C = Interrupts()
"""The process has one."""
