"""Videos as PyAV decodes them: when each frame is shown, its colour, and which way is up."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError
from ..pictures.checks import NotReadHere
from ..pictures.encodings import encoded_as_srgb, of_codes
from ..pictures.resampling import resize
from .clip import Clip, ClipFrame, Cut
from .frame_colors import MATRICES, matrix_of, to_rgb
from .pyav import pyav, reason, said_by_pyav

log = logging.getLogger(__name__)

_SECOND = 1_000_000
"""FFmpeg's unit of time for a whole file."""
_FULL = 2
"""The code of full range (FFmpeg's AVCOL_RANGE_JPEG)."""
_CUBIC = 4 | 8192 | 16384 | 262144
"""FFmpeg's flags: chroma enlarged by cubics, at full width, with exact rounding."""
_HDR = (16, 18)
_SRGB_CODES = (1, 2, 13)
"""The transfer of sRGB, that of BT.709, which counts as it, and none told."""


@contextmanager
def opened(name: str) -> Iterator[tuple[Any, Any]]:
    """Open a file, and yield its container and its video stream.

    Raises:
        ImageError: where that cannot be.
    """
    av = pyav(f"{name!r} is a film, which")
    with said_by_pyav(f"{name!r} cannot be read as a film", "check the path, or copy or download it again"):
        container = av.open(name, metadata_errors="replace")
    try:
        covers = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & covers]
        if not streams:
            raise ImageError(f"{name!r} has no video; give a film, or a folder of its frames")
        if streams[0].codec_context is None:
            raise ImageError(f"{name!r} has a codec that PyAV {av.__version__} lacks; convert it to H.264")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]
    finally:
        container.close()


def open_video(name: str, cut: Cut) -> Clip:
    """Open a video as `clips.open_clip` says."""
    with opened(name) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        sound, tick = tuple(map(codec_of, container.streams.audio)), stream.time_base
        count = stream.frames or None
        if count is None and (container.duration or 0) > 0:
            count = round(Fraction(container.duration, _SECOND) * rate)
    first = next(_frames(name, cut, tells=True), None)
    if first is None:
        raise ImageError(f"{name!r} has no frame between start and end; give times within the film")
    size = (first.pixels.shape[-2], first.pixels.shape[-1])
    return Clip(name, size, rate / cut.every, cut.about(count, rate), sound, cut, tick, lambda: _frames(name, cut))


def _frames(name: str, cut: Cut, *, tells: bool = False) -> Iterator[ClipFrame]:
    with opened(name) as (container, stream):
        zero = beginning_of(container)
        if cut.start > 0:
            with said_by_pyav(f"{name!r} cannot be read from {cut.start:g} s on", "give it without --start"):
                container.seek(int((float(zero) + cut.start) * _SECOND), backward=True)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        picture = _Picture(name, stream, tells)
        taken, last = 0, Fraction(-1)
        for index, frame in enumerate(_decoded(name, container, stream)):
            told = frame.pts is not None
            time = frame.pts * frame.time_base - zero if told else index / rate
            if cut.last is not None and time >= cut.last:
                return
            if time < cut.first or time <= last:  # before the seek's aim, or told wrongly
                continue
            last, taken = time, taken + 1
            if (taken - 1) % cut.every:
                continue
            duration = getattr(frame, "duration", None)  # PyAV has it from version 15 on
            length = duration * frame.time_base if told and duration else 1 / rate
            yield ClipFrame(
                picture.of(frame), time - cut.first, length * cut.every, f"the frame at {float(time):.3f} s of {name!r}"
            )


def read_film_record(name: str) -> Mapping[str, Any]:
    """Read the record of how a film was made.

    Raises:
        ImageError: where the file is no film, or has no record.
    """
    with opened(name) as (container, _):
        said = {key.lower(): value for key, value in container.metadata.items()}
    record = None
    with suppress(ValueError, RecursionError):
        record = json.loads(said.get("comment", ""))
    if not isinstance(record, dict):
        raise ImageError(f"{name!r} does not say how it was made; give a film that gatys wrote without --strip")
    return record


def codec_of(stream: Any) -> str:
    """Give the name of the codec of a stream, whatever decodes it."""
    context = stream.codec_context
    return "unknown" if context is None else getattr(context.codec, "canonical_name", context.name)


def beginning_of(container: Any) -> Fraction:
    """Give the time, in seconds of the file's own clock, at which its picture or its sound begins."""
    streams = [*container.streams.video, *container.streams.audio]
    return min(
        (each.start_time * each.time_base for each in streams if each.start_time is not None), default=Fraction(0)
    )


def _decoded(name: str, container: Any, stream: Any) -> Iterator[Any]:
    """Decode frames; what is damaged ends the film there, which is said."""
    av, count = pyav("a film"), 0
    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames)
        except (StopIteration, EOFError):
            return
        except (av.FFmpegError, ValueError) as problem:
            if not count:
                raise ImageError(
                    f"{name!r} cannot be decoded ({reason(problem)}); copy or download it again, or convert it"
                ) from problem
            log.warning("%s: it is damaged after %d frames, where the film ends (%s)", name, count, reason(problem))
            return
        count += 1
        yield frame


class _Picture:
    """The making of pictures of a video's frames."""

    def __init__(self, name: str, stream: Any, tells: bool):
        self._name, self._tells = name, tells
        self._aspect, self._context = Fraction(stream.sample_aspect_ratio or 1), stream.codec_context

    def of(self, frame: Any) -> Tensor:
        """Give the picture of a frame, float32 (1, 3, H, W), sRGB in [0, 1].

        Raises:
            ImageError: for colours that are not read here.
        """
        with said_by_pyav(f"{self._name!r} has pixels that are not read here", "convert it to H.264"):
            colour = _colour(frame)
        try:
            colour = self._as_srgb(colour, frame)
        except NotReadHere as problem:
            raise ImageError(f"{self._name!r} {problem}") from problem
        picture = colour[None]
        if self._aspect not in (0, 1):
            height, width = picture.shape[-2:]
            wider = self._aspect > 1
            picture = resize(
                picture,
                (height if wider else round(height / self._aspect), round(width * self._aspect) if wider else width),
            )
        if self._tells and frame.interlaced_frame:
            log.warning("%s: it is interlaced, and shows combs where things move; deinterlace it first", self._name)
        turned = _upright(picture, frame, self._name if self._tells else None)
        self._tells = False
        return turned.contiguous()

    def _as_srgb(self, colour: Tensor, frame: Any) -> Tensor:
        """Bring told primaries and HDR to sRGB; any other curve counts as sRGB's, as players show it."""
        told = frame if hasattr(frame, "color_trc") else self._context  # which PyAV has from version 17 on
        primaries, transfer = int(told.color_primaries), int(told.color_trc)
        if primaries in (1, 2) and transfer not in _HDR:
            return colour
        encoding = of_codes(primaries, transfer if transfer in _HDR else 13)
        return colour if encoding.is_srgb else encoded_as_srgb(colour, encoding, self._name, tells=self._tells)


def _colour(frame: Any) -> Tensor:
    """Give the red, green and blue of a frame, (3, H, W) in [0, 1]."""
    form, matrix, size = frame.format, int(frame.colorspace), (frame.height, frame.width)
    bits = max(part.bits for part in form.components)
    deep = next(step for step in (8, 10, 12, 16) if bits <= step)
    suffix = "" if deep == 8 else f"{deep}le"
    if matrix not in MATRICES:
        raise ValueError(f"the matrix {matrix} of ITU-T H.273")
    full = int(frame.color_range) == _FULL
    how: dict[str, Any] = {"interpolation": _CUBIC, "src_color_range": 1 + full, "dst_color_range": 1 + full}
    if form.name.startswith("gray") and bits <= 16:
        grey = _planes(frame)[0]
        full = full or int(frame.color_range) == 0  # as FFmpeg takes it
        black, white = (0, 2**bits - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
        return ((grey - black) / (white - black)).clamp(0, 1).expand(3, -1, -1)
    if form.is_rgb or form.has_palette:
        green, blue, red = _planes(frame.reformat(format=f"gbrp{suffix}", **how))[:3]
        return torch.stack((red, green, blue)) / (2**deep - 1)
    planes = torch.stack(_planes(frame.reformat(format=f"yuv444p{suffix}", **how))[:3])
    return to_rgb(planes, matrix_of(matrix, size), deep, full=full)


def _planes(frame: Any) -> list[Tensor]:
    """Give the planes of a planar frame, float32 (H, W) each."""
    kind = np.dtype("u1" if frame.format.components[0].bits <= 8 else "<u2")
    rows = [np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]
    return [torch.from_numpy(row.astype(np.float32)) for row in rows]


def _upright(picture: Tensor, frame: Any, name: str | None) -> Tensor:
    """Turn and mirror a picture (1, 3, H, W) as the display matrix of its frame says.

    A point (x, y) of the frame is shown at (a x + c y, b x + d y). A turn by other than quarters is left out, which is said
    where there is a name to say it of.
    """
    matrix = next((data for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return picture
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    straight, across = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) < straight / 100:
        right, down = a, d
    elif max(abs(a), abs(d)) < across / 100:
        picture, right, down = picture.transpose(-1, -2), c, b
    else:
        if name is not None:
            log.warning("%s: it is turned by other than quarters, which is left out; turn it first", name)
        return picture
    flips = [axis for axis, sign in ((-1, right), (-2, down)) if sign < 0]
    return picture.flip(flips) if flips else picture
