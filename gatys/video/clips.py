"""What clips are read from: a video, an animation, or a folder of frames."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from numbers import Real
from pathlib import Path

from PIL import Image
from torch import Tensor

from ..errors import ImageError, InputError
from ..pictures.checks import size_of
from ..pictures.decoding import damage_told
from ..pictures.images import Picture, pillow_picture, read_image
from .clip import Clip, ClipFrame, Cut
from .film_files import RATE, RATES, VIDEOS, is_animated
from .video_reading import open_video

_DELAY = 100
"""The milliseconds of a frame of an animation that tells none, or less than any player shows."""


def open_clip(
    path: str | os.PathLike,
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
    *,
    frames: Sequence[str | os.PathLike] | None = None,
    rate: float | None = None,
) -> Clip:
    """Open a film: a video, which PyAV reads, or an animation, which Pillow reads, or pictures.

    Of a video, luma and chroma become colour by the matrix and the range that it tells, or as players take them where it
    tells none (`frame_colors`); told primaries and HDR become sRGB as those of a picture do; it is turned upright as it says;
    pixels that are not square become square. What is transparent in an animation is laid on white.

    Args:
        path: the file; or what to call the pictures of `frames`.
        start, end, every: what is read of it; see `Cut`.
        frames: the paths of pictures, which are the frames.
        rate: the frames a second of pictures, from 0.001 to 1000; None is 24.

    Raises:
        ImageError: for a file without video, or whose codec is not there, and for what cannot be read.
        InputError: for a cut that makes no sense.
        MissingPackage: for a video without PyAV.

    Example:
        >>> clip = gatys.open_clip("clip.mp4", start=2, end=4)
        >>> first = next(iter(clip)).pixels
    """
    cut, name = Cut(start, end, every), str(path)
    if frames is not None:
        rate = RATE if rate is None else rate
        if not isinstance(rate, Real) or not RATES[0] <= rate <= RATES[1]:
            raise InputError(f"rate: expected frames a second from {RATES[0]} to {RATES[1]}, got {rate!r}")
        return _of_pictures(name, [Path(each) for each in frames], Fraction(rate).limit_denominator(1001), cut)
    if rate is not None:
        raise InputError(f"rate: expected pictures, which tell none, got the film {name!r}; leave it out")
    if Path(name).suffix.lower() in VIDEOS:
        return open_video(name, cut)
    return _of_animation(name, cut)


def _of_pictures(name: str, paths: Sequence[Path], rate: Fraction, cut: Cut) -> Clip:
    first, last = math.ceil(cut.first * rate), None if cut.last is None else math.ceil(cut.last * rate)
    taken = paths[first : last : cut.every]
    if not taken:
        raise ImageError(
            f"{name!r} has no frame between start and end; give times within its {len(paths) / float(rate):.4g} seconds "
            f"({len(paths)} frames, {float(rate):.4g} a second)"
        )
    length = cut.every / rate

    def read() -> Iterator[ClipFrame]:
        for index, path in enumerate(taken):
            yield ClipFrame(_opaque(read_image(path)), index * length, length, repr(str(path)), path)

    size = size_of(read_image(taken[0]).pixels)
    _check_sizes(taken)
    return Clip(name, size, 1 / length, len(taken), (), cut, 1 / rate, read)


def _check_sizes(paths: Sequence[Path]) -> None:
    """Raise ImageError where edges differ, before long work, as far as headers that are read fast tell them."""
    first: tuple[int, int] | None = None
    for path in paths:
        size = None
        with suppress(Exception), Image.open(path, formats=("PNG", "JPEG")) as image:  # who reads the file says why
            size = image.size
        first = first or size
        if size and first and sorted(size) != sorted(first):  # either may be turned
            raise ImageError(
                f"{str(path)!r} is {size[0]} x {size[1]} pixels, but those before are {first[0]} x {first[1]}; end the film "
                "before it, or bring all to one size"
            )


def _of_animation(name: str, cut: Cut) -> Clip:
    if not is_animated(name):
        read_image(name)  # says what is wrong with a file that is no picture
        raise ImageError(f"{name!r} has one frame, and is no film; give a film, an animation or a folder of frames")
    with Image.open(name) as image, damage_told(name):
        lengths = [_milliseconds(image, index) for index in range(image.n_frames)]
        size = (image.height, image.width)
    times = [sum(lengths[:index]) for index in range(len(lengths))]
    end = sum(lengths) if cut.last is None else 1000 * cut.last
    taken = [index for index, time in enumerate(times) if 1000 * cut.first <= time < end]
    groups = [taken[at : at + cut.every] for at in range(0, len(taken), cut.every)]
    if not groups:
        raise ImageError(
            f"{name!r} has no frame between start and end; give times within its {sum(lengths) / 1000:g} s"
        )
    began = times[taken[0]]

    def read() -> Iterator[ClipFrame]:
        with Image.open(name) as image:
            for group in groups:
                with damage_told(name):
                    image.seek(group[0])
                    picture = image.convert("RGBA")
                whole = _opaque(pillow_picture(picture, name))
                time, length = times[group[0]] - began, sum(lengths[index] for index in group)
                yield ClipFrame(whole, Fraction(time, 1000), Fraction(length, 1000), f"frame {group[0]} of {name!r}")

    seconds = Fraction(sum(lengths[index] for index in taken), 1000)
    return Clip(name, size, len(taken) / seconds / cut.every, len(groups), (), cut, Fraction(1, 1000), read)


def _milliseconds(image: Image.Image, index: int) -> int:
    image.seek(index)
    image.load()  # a WebP tells it only then
    told = image.info.get("duration") or 0
    return round(told) if told > 10 else _DELAY  # as browsers do


def _opaque(picture: Picture) -> Tensor:
    if picture.alpha is None:
        return picture.pixels
    return picture.pixels * picture.alpha + 1 - picture.alpha
