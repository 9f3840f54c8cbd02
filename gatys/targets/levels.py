"""Pictures at several sizes: level 0 is full size, each next level half of it, for descending coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from ..errors import InputError
from ..network.layers import Layer, minimum_size
from ..settings import check_octaves

AUTOMATIC_EDGE = 56
"""`levels="auto"` goes down to the level whose short edge is nearest to this many pixels, between 40 and 79."""


Levels = int | Literal["auto"]


def level_size(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Give the (height, width) of a level, for a full `size` of (height, width)."""
    height, width = (max(1, round(edge / 2**level)) for edge in size)
    return height, width


def resolve_levels(
    levels: Levels, size: tuple[int, int], layers: Iterable[Layer], what: str = "image", octaves: int = 1
) -> int:
    """Give the number of levels that `levels` means for a picture of `size` (height, width).

    "auto" gives at least as many as `octaves`.

    Raises:
        InputError: for anything but "auto" or a positive integer, for octaves that are none, or where the coarsest level is
            too small for `layers`.
    """
    check_octaves(octaves)
    layers = tuple(layers)
    short, need, asked = min(size), minimum_size(layers), "levels"
    if levels == "auto":
        levels = 1 + max(0, round(math.log2(short / AUTOMATIC_EDGE)))
        if octaves > levels:
            levels, asked = octaves, "octaves"
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise InputError(f"levels: expected a positive whole number or 'auto', got {levels!r}")
    if short < need:
        raise InputError(
            f"{what}: {size[1]} x {size[0]} pixels is too small for these layers, which need at least {need} x {need}; "
            "enlarge it, or choose shallower layers"
        )
    if (most := levels_with_room(levels, size, layers)) < levels:
        raise InputError(
            f"{asked}: {levels} levels make this {what} of {size[1]} x {size[0]} pixels smaller than the {need} pixels "
            f"that its layers need; use at most {most}"
        )
    return levels


def levels_with_room(levels: int, size: tuple[int, int], layers: Iterable[Layer]) -> int:
    """Give how many of so many levels of a picture of `size` (height, width) have a unit of every layer; perhaps 0."""
    need = minimum_size(layers)
    return sum(min(level_size(size, level)) >= need for level in range(levels))


def fewest_levels(counts: Iterable[tuple[int, bool]]) -> tuple[int, int | None]:
    """Give the number of levels that all of several targets give, and the index of the target that does not fit, if
    any.

    Args:
        counts: for each target its number of levels, and whether that was automatic: such a target does with fewer.
    """
    counts = list(counts)
    fewest = min(count for count, _ in counts)
    misfits = (index for index, (count, automatic) in enumerate(counts) if count != fewest and not automatic)
    return fewest, next(misfits, None)
