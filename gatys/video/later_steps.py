"""How many steps a frame takes that starts from its past, and at which levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..descent.schedule import costs_of, ratio_of, split_steps
from ..targets.levels import level_size
from .film_arguments import FilmArguments

SHARE = 0.22
"""The share of the arithmetic of a frame without a past that a later frame takes at most, unless it is told its steps: with what
is done around its steps, no more than a quarter of the time."""
MOVES = 2
"""The fewest steps at full size that change a picture: the first is the look at it."""


class Later(NamedTuple):
    """The steps of each level of a frame that starts from its past, full size first."""

    ground: list[int] | None
    """Those for new ground alone, before the others; None for none."""
    whole: list[int]
    """Those for all of the frame."""


def plan_later(told: FilmArguments, size: tuple[int, int], levels: int, *, new: bool = False) -> Later:
    """Plan a frame that starts from its past.

    Without new ground all steps are spent at full size, but for one at each coarser level: that is the look at the start,
    and changes nothing. New ground takes its part of the steps at coarser levels that a frame without a past has; of a
    single level half of all. The arithmetic is the same. Where that leaves nothing for the frame, there are none for it.

    Args:
        told: the arguments of the film.
        size: the (height, width) of its frames.
        levels: the number of levels that content and style have.
        new: whether there is new ground.

    Raises:
        InputError: as `split_steps` does.
    """
    kind = "noise" if isinstance(told.init, str) and told.init in ("noise", "mean") else "content"
    anew = split_steps(told.steps, levels, ratio=ratio_of(kind, levels))
    costs = costs_of([level_size(size, level) for level in range(levels)], told.octaves)
    if told.later_steps is None:
        whole = later_of(anew, costs)
    else:
        whole = _at_full_size(told.later_steps - (levels - 1), levels)
    return Later(None, whole) if not new else _with_ground(anew, whole, costs)


def later_of(anew: Sequence[int], costs: Sequence[float]) -> list[int]:
    """Give the steps of each level that take no more than `SHARE` of those of a frame without a past, but one at least.

    Args:
        anew: the steps of each level of a frame without a past, full size first.
        costs: what a step of each level takes.

    Example:
        >>> later_of([25, 37, 55, 83], [1, 1 / 4, 1 / 16, 1 / 64])
        [8, 1, 1, 1]
    """
    return _at_full_size(int((SHARE * _work(anew, costs) - sum(costs[1:])) / costs[0]), len(costs))


def _with_ground(anew: Sequence[int], whole: list[int], costs: Sequence[float]) -> Later:
    if len(whole) == 1:
        half = whole[0] // 2
        return Later(None, whole) if half < MOVES else Later([half], [whole[0] - half])
    share = _work(whole, costs) / _work(anew, costs)
    ground = [1, *(max(1, int(share * steps)) for steps in anew[1:])]  # one at full size, which brings them there
    left = int(whole[0] - _work(ground, costs) / costs[0])
    return Later(None, whole) if left < MOVES else Later(ground, _at_full_size(left, len(whole)))


def _work(steps: Sequence[int], costs: Sequence[float]) -> float:
    return sum(count * cost for count, cost in zip(steps, costs, strict=True))


def _at_full_size(steps: int, levels: int) -> list[int]:
    return [max(1, steps), *[1] * (levels - 1)]
