"""A clip: a film as it is read, its frames one after the other, and which of them are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path

from torch import Tensor

from ..errors import ImageError, InputError
from ..pictures.checks import size_of

_LONGEST = 10**9
"""The most seconds at which a film may begin; FFmpeg counts them in microseconds of 64 bits."""


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """A frame of a film.

    Example:
        >>> frame = next(iter(gatys.open_clip("clip.mp4")))
        >>> frame.pixels.dtype, frame.time
        (torch.float32, Fraction(0, 1))
    """

    pixels: Tensor
    """The picture, float32 (1, 3, H, W), sRGB in [0, 1], upright, its pixels square."""
    time: Fraction
    """When it is shown, in seconds from the beginning of what is read."""
    length: Fraction
    """How long it is shown, in seconds."""
    name: str
    """How to call it in messages."""
    file: Path | None = None
    """The picture that it is, where the frames are files."""


@dataclass(frozen=True)
class Cut:
    """Which frames of a film are read.

    Raises:
        InputError: for an end that is not after the start, and for numbers out of their range.
    """

    start: float = 0.0
    """Seconds from the film's beginning at which to begin."""
    end: float | None = None
    """Seconds from the film's beginning at which to end; a frame shown at that time is not read. None is to its end."""
    every: int = 1
    """Of so many frames the first is read, and shown as long as all of them."""

    def __post_init__(self) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise InputError(f"every: expected a whole number of at least 1, got {self.every!r}")
        if not isinstance(self.start, Real) or not 0 <= self.start <= _LONGEST:
            raise InputError(f"start: expected seconds from 0 to {_LONGEST}, got {self.start!r}")
        if self.end is not None and (not isinstance(self.end, Real) or not self.start < self.end < math.inf):
            raise InputError(
                f"end: expected a time after the start, {self.start:g} s, got {self.end!r}; None is its end"
            )

    @property
    def first(self) -> Fraction:
        """Give the start, to a microsecond: 0.2 as a number of the computer is slightly more."""
        return Fraction(self.start).limit_denominator(1_000_000)

    @property
    def last(self) -> Fraction | None:
        """Give the end, to a microsecond."""
        return None if self.end is None else Fraction(self.end).limit_denominator(1_000_000)

    def about(self, count: int | None, rate: Fraction) -> int | None:
        """Give about how many frames are read of `count`, shown `rate` a second; None where that is unknown."""
        if self.end is None and count is None:
            return None
        ends = [] if count is None else [count]
        ends += [] if self.last is None else [math.ceil(self.last * rate)]
        return max(1, math.ceil((min(ends) - math.ceil(self.first * rate)) / self.every))


@dataclass(frozen=True, eq=False)
class Clip:
    """A film that can be read, as often as wanted.

    Example:
        >>> clip = gatys.open_clip("clip.mp4", start=2, end=4)
        >>> for frame in clip:
        ...     print(frame.time, frame.pixels.shape)
    """

    path: str
    size: tuple[int, int]
    """The (height, width) in pixels, upright."""
    rate: Fraction
    """The frames a second, the mean where they vary; `every` is counted in."""
    count: int | None
    """About how many frames there are to read; None where the file does not tell."""
    sound: tuple[str, ...]
    """The codecs of the sound."""
    cut: Cut
    tick: Fraction
    """The unit of its times, in seconds."""
    read: Callable[[], Iterator[ClipFrame]]
    """Reads the frames anew."""

    def __iter__(self) -> Iterator[ClipFrame]:
        """Read the frames one after the other, each when it is asked for.

        Raises:
            ImageError: for a frame of another size than the first, a damaged one, and where there is none to read.
        """
        found = False
        for frame in self.read():
            if size_of(frame.pixels) != self.size:
                height, width = size_of(frame.pixels)
                raise ImageError(
                    f"{frame.name} is {width} x {height} pixels, but those before are {self.size[1]} x {self.size[0]}; end "
                    "the film before it, or bring all to one size"
                )
            found = True
            yield frame
        if not found:
            raise ImageError(f"{self.path!r} has no frame between start and end; give times within the film")
