"""What the benchmarks share: resident memory of this process, and its peak while something runs. Linux only."""

import ctypes
import threading
import time


def resident():
    """Bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def watched(function):
    """What it returns, seconds, and the peak of resident memory above what was resident before."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was used before and is free would not count
    before, seen, done = resident(), [0], threading.Event()

    def watch():
        while not done.wait(0.002):
            seen[0] = max(seen[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        value = function()
    finally:
        seconds = time.perf_counter() - began
        done.set()
        watcher.join()
    return value, seconds, seen[0] - before
