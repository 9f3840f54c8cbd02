"""Jobs: many pictures in one style, those of a folder or of a list, are shared out to workers.

A worker takes the next picture that has no result yet and that no other worker holds, by a lock of the operating
system, which a process that dies gives back. So workers need to know nothing of each other, one that dies costs its
current picture only, another machine that sees the same folder may help, and starting again makes what is left.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from ..errors import ImageError
from .interrupts import NOT_OURS
from .picture_lists import SUFFIXES, find_pictures


@dataclass(frozen=True)
class Job:
    content: Path
    out: Path

    @property
    def lock(self) -> Path:
        """Give the path of the file that is locked by the worker on it."""
        return self.out.parent / ".gatys" / f"{self.out.name}.lock"

    @property
    def begun(self) -> Path:
        """Give the path of the file with the name of the run in which a worker is on it, or has died in it."""
        return self.lock.with_suffix(".begun")

    @property
    def failure(self) -> Path:
        """Give the path of the file that says why it could not be done."""
        return self.lock.with_suffix(".failed")

    @property
    def open(self) -> bool:
        return not (self.out.exists() or self.failure.exists())


def find_jobs(content: str, out: str | None) -> list[Job] | None:
    """Give the pictures of a folder or of a list, as `find_pictures` does, each with its result, a .png file in `out`;
    None for any other `content`.

    The folder for the results need not be there: `folder_for` makes it, once nothing else is wrong.

    Raises:
        ImageError: as `find_pictures` does, without a place for the results, for two that would have the same result,
            and where a result would take the place of a picture.
    """
    contents = find_pictures(content)
    if contents is None:
        return None
    if not out:
        raise ImageError(
            f"--out: expected a folder for the results of many pictures, got {out!r}; give one, which is made where it is not there"
        )
    _check_folder(out)
    jobs = [Job(path, Path(out, f"{path.stem}.png")) for path in contents]
    theirs = {os.path.realpath(path) for path in contents}
    same = os.path.realpath(content) == os.path.realpath(out)
    if same or any(os.path.realpath(job.out) in theirs for job in jobs):  # the next run would take results for pictures
        raise ImageError(f"--out: the results would come among the pictures, in {out!r}; give another folder")
    seen: dict[Path, Path] = {}
    for job in jobs:
        if job.out in seen:
            raise ImageError(
                f"CONTENT: {str(seen[job.out])!r} and {str(job.content)!r} would both become {job.out.name!r}; rename one"
            )
        seen[job.out] = job.content
    return jobs


def _check_folder(out: str) -> None:
    """Raise ImageError where `out` neither is a folder that can be written to nor can become one."""
    expected, path = "--out: expected a folder for the results of many pictures", Path(out)
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
    if not os.path.isdir(there):
        raise ImageError(f"{expected}, got {out!r}, but {str(there)!r} is no folder; give another path")
    if there != path and path.suffix.lower() in SUFFIXES:
        raise ImageError(f"{expected}, got {out!r}, the name of a picture; give a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ImageError(
            f"{expected}, got {out!r}, but {str(there)!r} is not writable; give another path or change its permissions"
        )


@contextmanager
def folder_for(jobs: Sequence[Job], out: str) -> Iterator[None]:
    """Make the folder for the results, with those that it lies in; where no result comes, they are gone again.

    Raises:
        ImageError: where the system refuses.
    """
    new = [place for place in (Path(out), *Path(out).parents) if not os.path.isdir(place)]
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as problem:
        raise ImageError(f"--out: the folder {out!r} cannot be made ({problem}); give another path") from problem
    try:
        yield
    finally:
        if new and not any(job.out.exists() or _is_held(job) for job in jobs):
            for job in jobs:
                for path in (job.failure, job.begun, job.lock):
                    path.unlink(missing_ok=True)
            with suppress(OSError):  # the folder may hold other files
                for place in (jobs[0].lock.parent, *new):
                    if place.exists():
                        place.rmdir()


def _take(job: Job) -> BaseFileLock | None:
    """Lock a job, or give None where another process has."""
    lock = FileLock(job.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _is_held(job: Job) -> bool:
    if not job.lock.exists():
        return False
    lock = _take(job)
    if lock is not None:
        lock.release()
    return lock is None


@contextmanager
def held(job: Job, run: str) -> Iterator[bool]:
    """Hold a job while the block lasts; yield False where another holds it, or has died in it in this run."""
    job.lock.parent.mkdir(exist_ok=True)
    lock = _take(job)
    if lock is None:
        yield False
        return
    try:
        if job.begun.exists() and job.begun.read_text("utf-8") == run:
            yield False
            return
        job.begun.write_text(run, "utf-8")
        yield True
        job.begun.unlink()  # it stays where the block has raised, so that the job is not tried again
    finally:
        lock.release()


def work(jobs: Sequence[Job], paint: Callable[[Job], str | None], run: str) -> None:
    """Take one open job after the other until none is left that no one holds.

    `paint` makes a result, or returns a sentence that says why that cannot be.
    """
    found = True
    while found:
        found = False
        for job in jobs:
            if not job.open:
                continue
            with held(job, run) as mine:
                if mine and job.open:
                    found = True
                    failure = paint(job)
                    if failure is not None:
                        job.failure.write_text(failure, "utf-8")


@contextmanager
def blocked() -> Iterator[None]:
    """Keep Ctrl-C back for a while, also from processes that are started meanwhile, until `worker.run_worker` takes it.

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


def launch(worker: Callable[..., None], given: Sequence[tuple]) -> list[int | None]:
    """Run `worker` in a new process for each of the given arguments; give the exit codes.

    Ctrl-C and SIGTERM reach them, and are waited for.
    """
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=worker, args=arguments) for arguments in given]

    def pass_on(number: int, frame: object) -> None:
        for process in workers:
            if number == signal.SIGTERM and process.is_alive():  # Ctrl-C comes to them by itself
                process.terminate()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler not in NOT_OURS}
    try:
        for number in before:
            signal.signal(number, pass_on)
        with blocked():
            for process in workers:
                process.start()
        for process in workers:
            process.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return [process.exitcode for process in workers]


def begin(jobs: Sequence[Job]) -> tuple[str, int]:
    """Give a name for a run, and the number of results that are there; what failed before is to be tried again."""
    for job in jobs:
        job.failure.unlink(missing_ok=True)
    return uuid.uuid4().hex, sum(job.out.exists() for job in jobs)


def summary(jobs: Sequence[Job], out: str, there: int) -> tuple[str, Mapping[str, int]]:
    """Give one line about a run, and its counts; when all is done, only the results stay in the folder."""
    made = sum(job.out.exists() for job in jobs) - there
    failed = sum(job.failure.exists() for job in jobs)
    counts = {"made": made, "there before": there, "failed": failed, "left": len(jobs) - there - made - failed}
    if made + there == len(jobs):
        for job in jobs:
            job.lock.unlink(missing_ok=True)
    words = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "made")
    return f"{out}: {len(jobs)} pictures, {words}", counts
