"""Runs of the command line that start at once, in processes of their own, to be killed. POSIX only.

Instead of arguments, `write FILE` writes states as fast as it can.

Standard output says "ready". Then standard input has a line for each run, a JSON list: seconds after which it is killed,
or null, its folder, the file for what it prints, and its arguments. Standard output answers with a line for how it ended: its exit
code, or minus the signal.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import torch

from gatys import load_vgg19
from gatys.cli import command as cli
from gatys.descent.checkpoint import Checkpoint, Moment, Way
from gatys.descent.records import Record


def write(path: str, begun: Callable[[], None]) -> NoReturn:
    """Go on counting from the last state; every value of a state is its step."""
    keeper = Checkpoint(path, 0, {}, [10**9])
    last = keeper.read()
    record = Record(1, 0, 1.0, 1.0, 1.0, 1.0)
    history = [record] * (0 if last is None else len(last.history))
    begun()
    while True:
        history.append(record)
        tensors = {name: torch.full((1, 3, 200, 300), float(len(history))) for name in ("best", "trial", "gradient")}
        keeper.write(Moment(0, history, (), tensors, Way(None, False, 0, None), [10**9]))


def main() -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    net = load_vgg19("untrained", pooling="average")
    cli.load_vgg19 = lambda *args, **rest: net
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, folder, log, *argv = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            code = 70
            try:
                if argv[0] == "write":
                    write(argv[1], partial(os.close, writing))
                os.close(writing)
                code = cli.main(argv)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        os.close(writing)
        os.read(reading, 1)  # until it has begun
        os.close(reading)
        end = None if seconds is None else time.monotonic() + seconds
        ended = 0
        while not ended:
            ended, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
            if end is not None and time.monotonic() > end:
                if not ended:
                    os.kill(child, signal.SIGKILL)
                end = None
            time.sleep(0.001)
        print(os.waitstatus_to_exitcode(status), flush=True)


main()
