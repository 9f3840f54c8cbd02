"""Processes that are to meet, as `torchrun` starts them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEARCHED = (HERE.parent, HERE)
"""Where the processes look for modules: the package, and what tests share."""


def start(command, count, each=((),) * 9):
    """Start `command` in each of `count` processes, each with its own further arguments."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rest = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    rest |= {"OMP_NUM_THREADS": 1, "PYTHONPATH": os.pathsep.join(map(str, SEARCHED))}
    return [
        subprocess.Popen(
            [sys.executable, *command, *each[rank]],
            env=os.environ | {name: str(value) for name, value in (rest | {"RANK": rank, "LOCAL_RANK": rank}).items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
