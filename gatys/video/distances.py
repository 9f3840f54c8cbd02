"""How far back a frame of a film looks."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError

NEXT = (1,)
"""The frame before alone."""


def check_distances(distances: Sequence[int], what: str) -> tuple[int, ...]:
    """Give distances of frames in order, the nearest first.

    Args:
        distances: what was given.
        what: how to call it in errors.

    Raises:
        InputError: for anything but different whole numbers from 1 on, with 1 among them.
    """
    given = distances if isinstance(distances, (tuple, list)) else ()
    whole = all(isinstance(each, int) and not isinstance(each, bool) and each >= 1 for each in given)
    if not whole or 1 not in given or len(set(given)) != len(given):
        raise InputError(f"{what}: expected different whole numbers from 1 on, such as 1, 2, 4, got {distances!r}")
    return tuple(sorted(given))
