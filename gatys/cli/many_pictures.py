"""Many pictures by one command: several processes paint them, and a line sums them up."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..errors import InputError, is_out_of_memory
from ..passes.memory import free_memory
from .console import complain, tell
from .interrupts import CTRL_C, INTERRUPTED
from .jobs import Job, begin, folder_for, launch, summary, work
from .option_checks import check_options
from .parsed import Options
from .picture_lists import left_out
from .worker import run_worker

log = logging.getLogger(__name__)

STOPPED = "interrupted by Ctrl-C; pictures that are done are there, and the same command makes the others"

Paint = Callable[[Options], int]
"""A function that runs the command line once and gives its exit code."""


def paint_many(options: Options, argv: Sequence[str], jobs: Sequence[Job], paint: Paint, run: str | None) -> int:
    """Paint every picture that has no result yet, in this process or by workers; give the exit code.

    Args:
        options, argv: the options as they were given, read and unread.
        jobs: the pictures.
        paint: paints one in this process.
        run: the run of which this process is a worker; None for the process that is asked for it all.

    Raises:
        InputError: for faults that every picture would meet, before the folder for the results is made, and where that
            cannot be.
    """
    if options.save_style is not None:
        raise InputError("--save-style: expected one CONTENT, got many; keep the style by a run of one picture")
    if options.checkpoint is not None and not os.path.isdir(options.checkpoint):
        raise InputError(f"--checkpoint: expected a folder for many pictures, got {options.checkpoint!r}; give one")
    for path in (*options.style, *options.load_style, *options.style_mask):
        if not os.path.isfile(path):  # every picture would fail by it
            raise InputError(f"STYLE: expected a file, got {path!r}, which is none; check the path")
    check_options(_one_of(options, jobs[0]))
    if run is not None:
        return _work(options, jobs, paint, run, tells=False)
    if line := left_out(options.content):
        log.info(line)
    out = options.out or ""  # `find_jobs` refuses one without
    with folder_for(jobs, out):
        run, there = begin(jobs)
        if options.workers == 1:
            codes: list[int | None] = [_work(options, jobs, paint, run)]
        else:
            threads = max(1, torch.get_num_threads() // options.workers)
            given = [([*argv, *_for_worker(options, index)], run, threads) for index in range(options.workers)]
            codes = launch(run_worker, given)
            if INTERRUPTED in codes:
                complain(STOPPED)
        line, counts = summary(jobs, out, there)
        tell(line)
    if INTERRUPTED in codes:
        return INTERRUPTED
    if counts["left"]:
        left = f"{counts['left']} of {len(jobs)} pictures are left"
        complain(f"{left}, by workers that were lost or that still hold them; the same command makes what is left")
    return 2 if counts["failed"] else 1 if counts["left"] else 0


def _work(options: Options, jobs: Sequence[Job], paint: Paint, run: str, *, tells: bool = True) -> int:
    def attempt(job: Job) -> str | None:
        log.info("picture %d of %d: %s", jobs.index(job) + 1, len(jobs), job.content)
        try:
            if paint(_one_of(options, job)) == INTERRUPTED:
                raise KeyboardInterrupt
        except (ValueError, OSError, MemoryError, RuntimeError) as problem:
            if isinstance(problem, CTRL_C.kinds):
                raise KeyboardInterrupt from problem
            if isinstance(problem, RuntimeError) and not is_out_of_memory(problem):
                raise
            complain(f"{job.content.name}: {problem}")
            return str(problem)
        return None

    try:
        work(jobs, attempt, run)
    except CTRL_C.kinds:
        CTRL_C.settle()
        if tells:  # of several workers none does
            complain(STOPPED)
        return INTERRUPTED
    return 0


def _one_of(options: Options, job: Job) -> Options:
    return replace(options, content=str(job.content), out=str(job.out))


def _for_worker(options: Options, index: int) -> list[str]:
    """Give the further options of a worker: a GPU or a share of the memory, and to be quiet."""
    cards, given = torch.cuda.device_count(), []
    if cards and options.device in ("auto", "cuda"):
        given += ["--device", f"cuda:{index % cards}"]
    elif options.memory is None:
        given += ["--memory", f"{free_memory('cpu') / options.workers / 2**30:.3f}"]
    return given if options.verbosity else [*given, "--quiet"]
