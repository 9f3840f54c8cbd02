"""The values of options: each function here reads one from the text on the command line, or says what it expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ..descent.asked_shares import parse_shares
from ..descent.schedule import parse_steps
from ..network.layers import parse_layers
from ..settings import check_share, check_tolerance
from ..video.distances import check_distances
from ..video.film_files import RATES
from .parsed import Every


def layers(text: str) -> dict[str, float]:
    try:
        return parse_layers(text, "layers")
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem).removeprefix("layers: ")) from None


def steps_of(text: str) -> int | list[int]:
    try:
        return parse_steps(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def distances(text: str) -> tuple[int, ...]:
    try:
        return check_distances([int(word) for word in text.split(",")], "")
    except ValueError:  # InputError is one
        raise argparse.ArgumentTypeError(
            f"expected different whole numbers from 1 on, with commas, such as 1,2,4, got {text!r}"
        ) from None


def shares(text: str) -> str:
    """Give a text of shares as it is, once it is one."""
    try:
        parse_shares(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem).removeprefix("shares: ")) from None
    return text


def whole(least: int, most: int | None = None, **words: Any) -> Callable[[str], Any]:
    """Give a parser of a whole number in a range, or of one of `words` with a meaning of its own."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> Any:
        if text in words:
            return words[text]
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(
                f"expected {''.join(f'{w}, ' for w in words)}a whole number {limits}, got {text!r}"
            )
        return value

    return parse


def number(limits: str = "", fits: Callable[[float], bool] = math.isfinite) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (math.isfinite(value) and fits(value)):
            raise argparse.ArgumentTypeError(f"expected a finite number{limits}, got {text!r}")
        return value

    return parse


ABOVE_0 = number(" above 0", lambda value: value > 0)
FRAMES_A_SECOND = number(f" from {RATES[0]} to {RATES[1]}", lambda value: RATES[0] <= value <= RATES[1])
SHARE = number(" from 0 to 1", lambda value: 0 <= value <= 1)
AT_LEAST_0 = number(" of at least 0", lambda value: value >= 0)


def _share(limits: str, check: Callable[[float], None]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
            check(value)
        except ValueError:  # InputError is one
            raise argparse.ArgumentTypeError(f"expected a number {limits}, got {text!r}") from None
        return value

    return parse


def seconds_of(text: str) -> float:
    """Read seconds, or minutes and seconds, or hours, minutes and seconds, with : between."""
    try:
        *most, last = text.split(":")
        seconds = sum(int(part) * 60**power for power, part in enumerate(reversed(most), 1)) + float(last)
        sound = len(most) <= 2 and all(part.isdecimal() for part in most) and (not most or 0 <= float(last) < 60)
    except ValueError:
        sound = False
    if not (sound and math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"expected seconds such as 62.5, or a time such as 1:02.5, got {text!r}")
    return seconds


strength = _share("from 0 to 1", partial(check_share, "strength"))
tolerance = _share("from 0 to below 1", check_tolerance)


def every_of(text: str) -> Every:
    steps, seconds = text, ""
    if text.endswith("s"):
        steps, seconds = "", text.removesuffix("s")
    try:
        every = Every(int(steps or 0), float(seconds or 0))
    except ValueError:
        every = Every(0, 0.0)
    if not (math.isfinite(every.seconds) and max(every) > 0 and min(every) >= 0):
        raise argparse.ArgumentTypeError(
            f"expected a whole number of steps of at least 1, or seconds such as 30s, got {text!r}"
        )
    return every
