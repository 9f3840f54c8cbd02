"""What a worker does, one of several processes that paint many pictures; without PyTorch until Ctrl-C is answered."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from .interrupts import CTRL_C
from .streams import fill_descriptors, steady_streams


@contextmanager
def blocked() -> Iterator[None]:
    """Keep Ctrl-C back for a while, also from processes that are started meanwhile, until `run_worker` takes it.

    Windows has no such thing: there, a process that has hardly begun ends with Python's own message.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_worker(argv: list[str], run: str, threads: int) -> None:
    """Run the command line as a worker, and end the process with its exit code; the process that started it speaks.

    Args:
        argv: the arguments.
        run: the name of the run.
        threads: how many threads it may use.
    """
    with CTRL_C.in_program(tells=False), steady_streams():
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        fill_descriptors()
        # by name: whoever imports this module need not wait for PyTorch
        importlib.import_module("torch").set_num_threads(threads)
        code = importlib.import_module(f"{__package__}.command").main(argv, run=run)
    sys.exit(code)
