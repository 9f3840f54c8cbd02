"""The time that a run has left, from the steps that are done and from what was expected of the others."""

from __future__ import annotations

from .records import Progress


class TimeLeft:
    """The clock of one run.

    Args:
        now: the time in seconds at which the first step begins.
    """

    def __init__(self, now: float):
        self._level, self._steps, self._ratio = -1, 0, 1.0
        self._began = self._first = self._last = now

    def after(self, progress: Progress, now: float) -> float:
        """Give the seconds that are left after a step that has ended at `now`; call it after every step.

        They are reckoned from the steps of this level so far but the first, which prepares the others; after that one,
        from what was expected of it and how that went at the level before. A step of another level takes as much more
        as was expected of it. Where nothing was expected, the first step counts, too, and one of another level counts
        as four of the next coarser level, which has a quarter of its pixels.
        """
        level, schedule, expected = progress.level, progress.schedule, progress.expected
        if progress.level != self._level:
            self._level, self._steps, self._began, self._first = progress.level, 0, self._last, now
        self._steps, self._last = self._steps + 1, now
        if self._steps > 1:
            each = (now - self._first) / (self._steps - 1)
            self._ratio = each / expected[level] if any(expected) else 1.0
        else:
            each = self._ratio * expected[level] if any(expected) else now - self._began
        times = [expected[k] / expected[level] if any(expected) else 4.0 ** (level - k) for k in range(level)]
        ahead = sum(n * factor for n, factor in zip(schedule, times, strict=False))  # the finer levels come first
        return each * (sum(schedule[level:]) - progress.step + ahead)


def clock(seconds: float) -> str:
    """Give a time as `1:10`, or `2:01:10` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
