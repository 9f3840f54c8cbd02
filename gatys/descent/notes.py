"""Notes on what a finished run came to: sentences for `Result.notes`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .records import Record

STEPS_TO_JUDGE, PROGRESS = 10, 1e-3
"""A level of at least so many steps whose loss falls by less than this share has made no progress."""
ADAM_REACH = 0.02
"""The change of a pixel, of its range of 1, below which a picture hardly differs from its start."""
SETBACK = (
    "the loss was not finite or far above the best; went back to the best picture with a shorter step, "
    "here and wherever it happened again"
)

STALL = (
    "the loss stood still; went on from the best picture with noise of at most a level of 8 bits on it, here and wherever it "
    "stood still again"
)


def judge(history: Sequence[Record], optimizer: object, rate: float, steps: int) -> list[str]:
    """Give sentences about what kept a finished run from getting far, if anything did."""
    return _too_short(optimizer, rate, steps) or _standstill(history)


def _standstill(history: Sequence[Record]) -> list[str]:
    """Give a sentence where the last level ended where it began."""
    totals = [record.total for record in history if record.level == history[-1].level and math.isfinite(record.total)]
    if len(totals) < STEPS_TO_JUDGE or min(totals) <= (1 - PROGRESS) * totals[0] or totals[0] == 0:
        return []
    said = (
        f"the loss was {totals[0]:.4g} at the first of {len(totals)} steps at this size and {min(totals):.4g} at best"
    )
    return [f"no progress: {said}; start from another picture (init), or change the weights of the terms"]


def _too_short(optimizer: object, rate: float, steps: int) -> list[str]:
    """Give a sentence where Adam, which moves a pixel by about its rate in a step, cannot have gone far."""
    reach = rate * steps
    if optimizer != "adam" or reach >= ADAM_REACH:
        return []
    said = f"{steps} steps of adam at a learning rate of {rate:.3g} change a pixel by {reach:.1%} of its range at most"
    return [f"{said}; give at least {math.ceil(ADAM_REACH / rate)} steps or a higher rate"]
