"""What a worker does, one of several processes that paint many pictures; without PyTorch until Ctrl-C is answered."""

from __future__ import annotations

import importlib
import signal
import sys

from .interrupts import CTRL_C
from .streams import fill_descriptors, steady_streams


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
