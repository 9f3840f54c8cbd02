"""Videos as PyAV encodes them: each frame is in a file that can be played as soon as the next one comes, and sound is copied.

A film is written to a file of its own first, in pieces that are whole by themselves (a fragmented MP4, or clusters of
Matroska), so that a process that is killed, or a full disk, leaves what can be played. At the end its packets and those of
the sound, none of them encoded again, become the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from heapq import merge
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError, InputError
from ..pictures.replacing import replacing
from .clip import Clip, ClipFrame
from .film_files import CODECS, CONTAINERS, CRF
from .frame_colors import BT_709, to_ycbcr
from .pyav import pyav, said_by_pyav
from .video_reading import beginning_of, opened

_MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_PIECES = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "cluster_time_limit": "1", "flush_packets": "1"}
"""FFmpeg's options for a file of which what is written can be played at any time."""
_ENCODERS = {"h264": "libx264", "ffv1": "ffv1"}
_KEY_FRAMES = 2
"""The seconds from one frame that a player may jump to, to the next."""
_MOST_TICKS = 1_000_000
_CHROMA = 32 | 8192 | 16384 | 262144
"""FFmpeg's flags: chroma reduced to its mean over an area, with exact rounding."""


def check_video(out: Path, codec: str, clip: Clip, *, sound: bool) -> None:
    """Make sure, before long work, that `VideoWriter` can write there.

    Raises:
        InputError: for a codec that the container cannot hold, and for sound that it cannot hold unchanged.
        MissingPackage: without PyAV.
    """
    suffix = out.suffix.lower()
    av = pyav(f"{str(out)!r} is a film, which")
    if codec not in CODECS:
        raise InputError(f"codec: expected {' or '.join(CODECS)}, got {codec!r}")
    if codec == "ffv1" and suffix != ".mkv":
        raise InputError(f"codec: ffv1 needs a .mkv, which holds it everywhere, got {str(out)!r}; give that, or h264")
    try:
        av.codec.Codec(_ENCODERS[codec], "w")
    except ValueError as problem:
        raise InputError(
            f"codec: PyAV {av.__version__} has no {_ENCODERS[codec]} to encode {codec} with; give another, or install PyAV "
            "from PyPI"
        ) from problem
    if sound and clip.sound:
        with opened(clip.path) as (source, _):
            for stream in source.streams.audio:
                if not _holds(av, suffix, stream):
                    raise InputError(
                        f"sound: {clip.path!r} has sound in {stream.codec.name}, which a {suffix} cannot hold unchanged; "
                        f"give another of {', '.join(CONTAINERS)} (.mkv holds most), or leave the sound out"
                    )


def _holds(av: Any, suffix: str, stream: Any) -> bool:
    """Tell whether a container holds a stream as it is, by beginning one: its list of codecs promises too much."""
    container = av.open(BytesIO(), "w", format=_MUXERS[suffix])
    try:
        container.add_stream_from_template(stream)
        container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        container.close()
    return True


class VideoWriter:
    """A video that grows frame by frame, and becomes the result by `finish`.

    Args:
        out: the result.
        clip: the film whose times and sound it has.
        codec, crf: how it is encoded; see `film_files`.
        depth: bits a channel of ffv1, 8 or 16.
        sound: whether it has the sound.

    Raises:
        ImageError: where the file cannot be made.
    """

    def __init__(
        self,
        out: Path,
        clip: Clip,
        *,
        codec: str = CODECS[0],
        crf: int = CRF,
        depth: int = 8,
        sound: bool = True,
    ):
        self.so_far, self.count = out.with_suffix(f".so-far{out.suffix}"), 0
        """The file of what is written so far, beside the result."""
        self._out, self._clip, self._codec, self._crf, self._depth = out, clip, codec, crf, depth
        self._sound, self._muxer = sound and bool(clip.sound), _MUXERS[out.suffix.lower()]
        self._tick = clip.tick if clip.tick.denominator <= _MOST_TICKS else Fraction(1, 90000)
        self._last, self._end = -1, Fraction(0)
        self._file: FileIO | None = None
        self._container: Any = None
        self._stream: Any = None

    def add(self, pixels: Tensor, frame: ClipFrame) -> None:
        """Write a frame.

        Args:
            pixels: (1, 3, H, W), clamped to [0, 1]; for h264 its edges are even.
            frame: the frame that it was made of, which says when it is shown.

        Raises:
            ImageError: where the disk refuses; what was written before can be played.
        """
        with self._told():
            if self._container is None:
                self._begin(pixels)
            picture = self._encodable(pixels[0].detach().to("cpu", torch.float32).clamp(0, 1))
            self._last = max(self._last + 1, round(frame.time / self._tick))
            picture.pts, picture.time_base = self._last, self._tick
            self._container.mux(self._stream.encode(picture))
            self._whole.mark()
            self._end = max(self._end, frame.time + frame.length)
            self.count += 1

    def finish(self, *, whole: bool = True, comment: str = "") -> None:
        """Make the result of what was written, with the sound.

        Args:
            whole: whether the film came to its end, so that sound after the last frame is kept.
            comment: what it says of how it was made; empty for nothing.

        Raises:
            ImageError: where the disk refuses; the film so far stays.
        """
        with self._told():
            self._container.mux(self._stream.encode(None))
            self._close()
        until = None if whole and self._clip.cut.last is None else self._end
        advice = "free space, or leave the sound out" if self._sound else "free space"
        told = said_by_pyav(f"{str(self._out)!r} cannot be written", f"{advice}; {self.left}")
        with told, replacing(self._out) as temporary:
            self._join(temporary, until, comment)
        self.so_far.unlink(missing_ok=True)

    @property
    def left(self) -> str:
        """Give a sentence on what is left where there is no result."""
        frames = "the first frame is" if self.count == 1 else f"the first {self.count} frames are"
        return f"{frames} in {str(self.so_far)!r}, without sound" if self.count else "nothing was saved"

    def abandon(self) -> None:
        """Close the file of what was written so far, which stays where there is a frame in it."""
        with suppress(Exception):  # the file is as good as it gets; what went wrong is told already
            if self._container is not None:
                self._container.mux(self._stream.encode(None))
        with suppress(Exception):
            self._close()
        if not self.count:
            self.so_far.unlink(missing_ok=True)

    def _told(self) -> Any:
        return said_by_pyav(f"{str(self.so_far)!r} cannot be written", f"free space; {self.left}")

    def _begin(self, pixels: Tensor) -> None:
        height, width = pixels.shape[-2:]
        if self._codec == "h264" and (height % 2 or width % 2):
            raise ImageError(f"{str(self._out)!r}: h264 needs even edges, got {width} x {height}; resize, or give ffv1")
        av = pyav("a film")
        self._file = self.so_far.open("wb", buffering=0)
        self._whole = _Whole(self._file)
        self._container = av.open(self._whole, "w", format=self._muxer, container_options=dict(_PIECES))
        rate = self._clip.rate.limit_denominator(1001)
        lossy = {"crf": str(self._crf), "preset": "medium", "tune": "zerolatency"}  # which keeps no frame back
        options = lossy if self._codec == "h264" else {"level": "3", "slicecrc": "1", "slices": "4"}
        stream = self._container.add_stream(_ENCODERS[self._codec], rate=rate, options=options)
        stream.width, stream.height = width, height
        context = stream.codec_context
        context.time_base, context.color_primaries = self._tick, BT_709
        if self._codec == "h264":
            stream.pix_fmt, context.gop_size = "yuv420p", max(1, round(_KEY_FRAMES * rate))
            context.colorspace, context.color_range, context.color_trc = BT_709, 1, BT_709
        else:
            stream.pix_fmt, context.gop_size, context.thread_count = "bgr0" if self._depth == 8 else "gbrp16le", 1, 1
            context.colorspace, context.color_range, context.color_trc = 0, 2, 13
        self._stream = stream

    def _encodable(self, colour: Tensor) -> Any:
        """Give a frame of PyAV's for (3, H, W) in [0, 1]."""
        av = pyav("a film")
        if self._codec == "ffv1":
            top = 2**self._depth - 1
            levels = (colour * top).round().numpy().astype(np.uint8 if self._depth == 8 else np.uint16)
            if self._depth == 8:
                red, green, blue = levels
                planes, form = (
                    [np.stack((blue, green, red, np.full_like(red, 255)), axis=-1).reshape(len(red), -1)],
                    "bgr0",
                )
            else:
                planes, form = [levels[1], levels[2], levels[0]], "gbrp16le"
            frame = filled_frame(planes, colour.shape[-1], form)
        else:
            planes = list(to_ycbcr(colour, BT_709).numpy())
            how = {"interpolation": _CHROMA, "src_color_range": 1, "dst_color_range": 1}
            frame = filled_frame(planes, colour.shape[-1], "yuv444p").reformat(format="yuv420p", **how)
            frame.colorspace, frame.color_range = BT_709, 1
        frame.pict_type = av.video.frame.PictureType.NONE
        return frame

    def _close(self) -> None:
        container, self._container = self._container, None
        file, self._file = self._file, None
        try:
            if container is not None:
                container.close()
        finally:
            if file is not None:
                file.close()

    def _join(self, path: Path, until: Fraction | None, comment: str) -> None:
        """Write the packets so far and those of the sound, in the order of their times, to a path."""
        av = pyav("a film")
        container = av.open(str(path), "w", format=self._muxer, container_options={"movflags": "faststart"})
        try:
            with av.open(str(self.so_far)) as made:
                container.metadata.update({"comment": comment} if comment else {})
                video = container.add_stream_from_template(made.streams.video[0])
                if not self._sound:
                    for _, packet in self._pictures(made, video):
                        container.mux(packet)
                    return
                with opened(self._clip.path) as (source, _):
                    voices = {each.index: container.add_stream_from_template(each) for each in source.streams.audio}
                    sounds = self._sounds(source, voices, until)
                    for _, packet in merge(self._pictures(made, video), sounds, key=lambda each: each[0]):
                        container.mux(packet)
        finally:
            container.close()

    def _pictures(self, made: Any, stream: Any) -> Iterator[tuple[Fraction, Any]]:
        """Yield the packets of the film so far with their times, each with its length."""
        packets = (packet for packet in made.demux(made.streams.video[0]) if packet.size)
        held = next(packets, None)
        while held is not None:
            following = next(packets, None)
            end = self._end / held.time_base if following is None else following.pts
            held.duration = max(1, round(end - held.pts))
            held.stream = stream
            yield held.pts * held.time_base, held
            held = following

    def _sounds(self, source: Any, streams: dict[int, Any], until: Fraction | None) -> Iterator[tuple[Fraction, Any]]:
        """Yield the packets of the sound, each at its time in the film."""
        first = self._clip.cut.first
        zero = beginning_of(source) + first
        if first > 0:
            source.seek(math.floor(zero * 1_000_000), backward=True)
        for packet in source.demux([source.streams[index] for index in streams]):
            if not packet.size or packet.pts is None:
                continue
            time = packet.pts * packet.time_base - zero
            if (first > 0 and time < 0) or (until is not None and time >= until):
                continue
            offset = round(zero / packet.time_base)
            packet.pts -= offset
            if packet.dts is not None:
                packet.dts -= offset
            packet.stream = streams[packet.stream_index]
            yield time, packet


class _Whole:
    """A file for PyAV that, where the disk is full, is cut back to what was whole, and takes nothing more."""

    def __init__(self, file: FileIO):
        self._file, self._full, self._end = file, False, 0

    def mark(self) -> None:
        """Note that what is written so far is whole."""
        if not self._full:
            self._end = self._file.tell()

    def write(self, data: Any) -> int:
        if self._full:
            return len(data)  # the error was raised once
        left = memoryview(data)
        try:
            while left:  # a disk that is nearly full takes a part
                left = left[self._file.write(left) :]
        except OSError:
            self._full = True
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def filled_frame(planes: list[np.ndarray], width: int, form: str) -> Any:
    """Give a frame of PyAV's with the numbers of these planes, each (H, W) or wider."""
    frame = pyav("a film").VideoFrame(width, len(planes[0]), form)
    for plane, numbers in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // numbers.itemsize), numbers.dtype)
        rows[:, : numbers.shape[1]] = numbers
        plane.update(rows.tobytes())
    return frame
