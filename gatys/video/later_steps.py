"""How many steps a frame takes that starts from its past, and at which levels."""

from __future__ import annotations

from collections.abc import Sequence

from ..descent.schedule import costs_of, ratio_of, split_steps
from ..targets.levels import level_size
from .film_arguments import FilmArguments

SHARE = 0.25
"""The share of the arithmetic of a frame without a past that a later frame takes at most, unless it is told its steps."""


def steps_of_later(told: FilmArguments, size: tuple[int, int], levels: int) -> list[int]:
    """Give the steps of each level of a frame that starts from its past, full size first.

    All are spent at full size, but for one at each coarser level: that is the look at the start, and changes nothing.

    Args:
        told: the arguments of the film.
        size: the (height, width) of its frames.
        levels: the number of levels that content and style have.

    Raises:
        InputError: as `split_steps` does.
    """
    steps = told.later_steps
    if steps is not None:
        return _at_full_size(steps - (levels - 1), levels)
    kind = "noise" if isinstance(told.init, str) and told.init in ("noise", "mean") else "content"
    anew = split_steps(told.steps, levels, ratio=ratio_of(kind, levels))
    costs = costs_of([level_size(size, level) for level in range(levels)], told.octaves)
    return later_of(anew, costs)


def later_of(anew: Sequence[int], costs: Sequence[float]) -> list[int]:
    """Give the steps of each level that take no more than `SHARE` of those of a frame without a past, but one at least.

    Args:
        anew: the steps of each level of a frame without a past, full size first.
        costs: what a step of each level takes.

    Example:
        >>> later_of([25, 37, 55, 83], [1, 1 / 4, 1 / 16, 1 / 64])
        [9, 1, 1, 1]
    """
    whole = sum(steps * cost for steps, cost in zip(anew, costs, strict=True))
    return _at_full_size(int((SHARE * whole - sum(costs[1:])) / costs[0]), len(costs))


def _at_full_size(steps: int, levels: int) -> list[int]:
    return [max(1, steps), *[1] * (levels - 1)]
