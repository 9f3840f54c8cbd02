"""The schedule: how many steps each level of a descent gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import InputError

RATIOS = {"noise": 2.0, "content": 1.5, "picture": 1.0}
"""The factor from a level's steps to those of the next coarser level, by what a run starts from: noise, where the coarse
levels have all the large forms to find; the content, where they bring those of the style; or a picture of one's own, which
shows them already (chosen through trained filters, benchmarks/RESULTS.md, "Defaults")."""

MOST = 8.5
"""The most steps that all levels together take for each step of full size, from the content: of many levels each gets less more
than the finer one, or a large picture would have hardly any strokes at full size."""


def ratio_of(kind: str, levels: int) -> float:
    """Give the factor of `RATIOS` for a start of some kind; from the content a smaller one where `MOST` asks for that.

    Example:
        >>> [ratio_of("content", levels) for levels in (1, 4, 5, 6)]
        [1.5, 1.5, 1.26, 1.13]
    """
    if kind != "content":
        return RATIOS[kind]
    ratios = (hundredths / 100 for hundredths in range(round(100 * RATIOS[kind]), 100, -1))
    return next((ratio for ratio in ratios if sum(ratio**level for level in range(levels)) <= MOST), 1.0)


def split_steps(steps: int | Sequence[int], levels: int, *, ratio: float = 1.0) -> list[int]:
    """Give the steps of each level, level 0 first.

    A whole number is divided so that each level gets `ratio` times the steps of the one above it, and at least one.
    `optimize` takes `ratio_of` its start. A step on a level costs a quarter of one on the level above.
    A sequence gives the steps of each level itself, level 0 first.

    Raises:
        InputError: for anything that does not give every level at least one step.
    """
    if isinstance(steps, int) and not isinstance(steps, bool):
        if steps < levels:
            each = f" for each of {levels} levels" if levels > 1 else ""
            raise InputError(f"steps: expected at least 1{each}, got {steps}")
        split: list[int] = []
        for level in range(levels):
            left, coarser = steps - sum(split), levels - 1 - level
            share = math.ceil(left / sum(ratio**further for further in range(coarser + 1)))
            split.append(min(share, left - coarser))
        return split
    if isinstance(steps, Sequence) and not isinstance(steps, str):
        given = list(steps)
        if len(given) == levels and all(isinstance(n, int) and n >= 1 for n in given):
            return given
    each = f" for each of {levels} levels" if levels > 1 else ""
    raise InputError(f"steps: expected a whole number or one of at least 1{each}, got {steps!r}")


def costs_of(sizes: Sequence[tuple[int, int]], octaves: int = 1) -> list[float]:
    """Give what a step of each level takes, as a share of one at full size: what pixels the network reads there.

    Args:
        sizes: the (height, width) of each level, full size first.
        octaves: at how many sizes the style is matched, of those that are there from a level on.

    Example:
        >>> costs_of([(80, 80), (40, 40)])
        [1.0, 0.25]
    """
    areas = [height * width for height, width in sizes]
    read = [sum(areas[level : level + octaves]) for level in range(len(areas))]
    return [each / read[0] for each in read]


def parse_steps(text: str, what: str = "") -> int | list[int]:
    """Read `"200"` as 200, and `"20, 40, 80"` as the steps of each level, full size first; `what` names the input.

    Raises:
        InputError: for any other text.
    """
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        steps = [0]
    if min(steps) < 1:
        wanted = "expected a whole number of at least 1, or one for each level, such as 20,40,80"
        raise InputError(f"{what}: {wanted}, got {text!r}".removeprefix(": "))
    return steps if len(steps) > 1 else steps[0]
