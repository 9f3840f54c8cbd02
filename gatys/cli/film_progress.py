"""What the user sees of a film that is painted: frames done and left, and the time left."""

from __future__ import annotations

from dataclasses import replace
from operator import mul
from time import monotonic
from typing import Any

from ..descent.records import Progress
from ..descent.time_left import TimeLeft, clock
from ..video.later_steps import later_of
from .console import Bar, losses_of

FRAMES_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class FilmTime:
    """The clock of a film.

    Args:
        later: the steps of a frame that starts from the one before it; None for what films take by themselves.
        now: the time in seconds at which the first frame begins.
    """

    def __init__(self, later: int | None, now: float):
        self._later, self._began, self._frame = later, now, TimeLeft(now)
        self._seconds, self._count = 0.0, 0
        self._index: int | None = None

    def after(self, progress: Progress, now: float, index: int, count: int | None) -> float | None:
        """Give the seconds that are left after a step; None where nobody knows how many frames there are.

        A frame takes as long as those that started from the one before it took on average. Until one of them is done,
        it is reckoned from this frame: later steps are all at full size.

        Args:
            progress: the step.
            now: when it ended.
            index: the number of its frame.
            count: the number of frames.
        """
        if self._index is None:
            self._index = index
        if index != self._index:
            if self._index > 0:
                self._seconds, self._count = self._seconds + now - self._began, self._count + 1
            self._index, self._began, self._frame = index, now, TimeLeft(now)
        before = progress.steps - sum(progress.schedule)  # those that painted new ground
        left = self._frame.after(replace(progress, step=progress.step - before) if before else progress, now)
        if count is None:
            return None
        if self._count:
            each = self._seconds / self._count
        else:
            each = (now - self._began + left) * self._share(progress, index)
        return left + each * max(0, count - index - 1)

    def _share(self, progress: Progress, index: int) -> float:
        """Give about what a frame takes that starts from its past, as a share of the one with this number."""
        if index and self._later is None:
            return 1.0  # this is one
        levels = range(len(progress.schedule))
        costs = progress.expected if any(progress.expected) else [4.0**-level for level in levels]
        later = later_of(progress.schedule, costs) if self._later is None else [self._later, *[0] * len(levels[1:])]
        share = sum(map(mul, later, costs)) / sum(map(mul, progress.schedule, costs))
        return min(1.0, share)


class FilmBar(Bar):
    """The progress of a film on standard error, as `Bar` shows that of a picture.

    Args:
        quiet: whether nothing is shown.
        count: about how many frames there are; None where nobody knows.
        done: the number of frames that are there already.
        later: the steps of a frame that starts from the one before it; None for what films take by themselves.
    """

    def __init__(self, quiet: bool, count: int | None, done: int, later: int | None):
        options: dict[str, Any] = {"bar_format": FRAMES_BAR, "total": count, "initial": done}
        super().__init__("frames", quiet, **options)
        self._film_time = FilmTime(later, monotonic())

    def step(self, progress: Progress, index: int) -> None:
        """Say that a step of a frame is done."""
        due, count = self._due(), None if self.total is None else max(int(self.total), index + 1)
        left = self._film_time.after(progress, self._last, index, count)
        about = "" if left is None else f"about {clock(left)} left, "
        at = f"step {progress.step} of {progress.steps}"
        self.set_postfix_str(f"{about}{at}, {losses_of(progress.losses)}", refresh=False)
        self.update(index - self.n)
        if due:
            of = "" if count is None else f" of about {count}"
            self._tell(f"frame {index + 1}{of}, {at}, loss {progress.losses.total:.4g}", left)
