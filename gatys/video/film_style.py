"""The style of each frame of a film: one for all, a function, or a blend that moves from one to the next."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

from ..errors import InputError, InputTypeError
from ..targets.blending import blend_styles, check_whole
from ..targets.regions import RegionalStyle
from ..targets.targets import StyleTarget

StyleOfFrame = Callable[[int], StyleTarget | RegionalStyle | None]
"""A function of a frame's number."""
FilmStyle = StyleTarget | RegionalStyle | Sequence[tuple[float, StyleTarget]] | StyleOfFrame | None


class Keyframes:
    """A blend that moves from one style to the next.

    Args:
        keys: where in the film a style is alone, in frames or another unit, and that style; in order. Between two the shares
            go from one to the other in a straight line, before the first and after the last there is that one.

    Raises:
        InputError: for no keys, places that are not finite or not in order, and styles that cannot be blended.
        InputTypeError: for anything else than pairs of a number and a style.
    """

    def __init__(self, keys: Sequence[tuple[float, StyleTarget]]):
        for key in keys:
            if not isinstance(key, (tuple, list)) or len(key) != 2 or not isinstance(key[0], Real):
                raise InputTypeError(
                    f"style: expected pairs of a frame's number and its style, got {type(key).__name__}; give (frame, style), ..."
                )
            check_whole(key[1], f"style at {key[0]:g}")
        self._places, self._styles = [float(place) for place, _ in keys], [style for _, style in keys]
        told = ", ".join(f"{place:g}" for place in self._places) or "none"
        rising = all(one < other for one, other in pairwise(self._places))
        if not keys or not all(map(math.isfinite, self._places)) or not rising:
            raise InputError(f"style: expected frames in order, each once, got {told}; sort the pairs by their frames")
        for pair in pairwise(self._styles):
            blend_styles((style, 0.5) for style in pair)  # raises before long work

    def at(self, place: float) -> StyleTarget:
        """Give the style at a place, in the unit of the keys."""
        after = bisect_right(self._places, place)
        if after in (0, len(self._places)):
            return self._styles[min(after, len(self._styles) - 1)]
        first, second = self._places[after - 1], self._places[after]
        share = (place - first) / (second - first)
        if share == 0:
            return self._styles[after - 1]
        return blend_styles([(self._styles[after - 1], 1 - share), (self._styles[after], share)])


def style_of_frame(style: Any) -> StyleOfFrame:
    """Give a function of a frame's number for any form of a film's style that users may give.

    Raises:
        InputError, InputTypeError: as `Keyframes`.
    """
    if callable(style):
        return lambda index: _checked(style(index), index)
    if isinstance(style, Sequence) and not isinstance(style, str):
        return Keyframes(style).at
    return lambda index: style


def _checked(style: Any, index: int) -> StyleTarget | RegionalStyle | None:
    if style is not None and not isinstance(style, (StyleTarget, RegionalStyle)):
        raise InputTypeError(
            f"style: expected a style for frame {index}, got {type(style).__name__}; give what extract_style makes"
        )
    return style
