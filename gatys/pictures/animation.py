"""Animations: pictures of one size become a GIF, a WebP or an MP4 file, which appears whole or not at all."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError, MissingPackage
from .replacing import replacing

SUFFIXES = (".gif", ".webp", ".mp4")
"""The suffixes of the formats that are written."""
FRAMES_A_SECOND = 10
LAST_FRAME = 2.0
"""The seconds that the last frame stays."""
_QUALITY = 90
_CODEC, _CRF = "libx264", "18"
_SMPTE_170M = 6
"""The matrix with which PyAV makes YCbCr of RGB (ITU-T H.273, table 4), which the file has to say."""


def check_animation(path: str | os.PathLike, option: str) -> None:
    """Make sure, before long work, that `write_animation` can write there.

    Args:
        path: the file.
        option: how to call it in messages.

    Raises:
        ImageError: where the suffix is none of SUFFIXES, or the path is in no folder that can be written to.
        MissingPackage: for an MP4 without PyAV, or with one that cannot encode it.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ImageError(f"{option}: {str(path)!r} has the suffix {path.suffix!r}; give it {', '.join(SUFFIXES)}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise ImageError(f"{option}: {str(path)!r} is a folder, or in none that can be written to; give a file's path")
    if path.suffix.lower() == ".mp4":
        try:
            from av.codec import Codec

            Codec(_CODEC, "w")
        except (ImportError, ValueError) as problem:  # a codec that PyAV was built without is a ValueError
            raise MissingPackage(
                f"{option}: an .mp4 needs the package av with {_CODEC}, which cannot be used here ({problem}); install "
                f'it with "{sys.executable}" -m pip install av, or give a .gif or .webp',
                name="av",
            ) from problem


def write_animation(path: str | os.PathLike, frames: np.ndarray, durations: Sequence[int] | None = None) -> Path:
    """Write frames as an animation in the format of the path's suffix, and give the path.

    GIF and WebP are repeated for ever. GIF has 256 colours a frame, and an MP4 loses a row or a column where height or
    width are odd.

    Args:
        path: where to write; a file that is there is replaced.
        frames: uint8 (N, H, W, 3), sRGB, at least one; they are looked at one after the other, so that they may lie in
            a file (`numpy.memmap`).
        durations: the milliseconds that each frame is shown, of a GIF or a WebP; by default a tenth of a second, and two
            seconds for the last.

    Raises:
        ImageError: where the disk or the format refuses.
    """
    path = Path(path)
    try:
        encode = _ENCODERS[path.suffix.lower()]
        encoded = encode(frames, _durations(frames) if durations is None else list(durations))
        with replacing(path) as temporary:
            temporary.write_bytes(encoded)
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise ImageError(f"{str(path)!r} cannot be written ({why}); free space, or give another path") from problem
    return path


def _durations(frames: np.ndarray) -> list[int]:
    """Give the milliseconds of each frame."""
    return [1000 // FRAMES_A_SECOND] * (len(frames) - 1) + [round(1000 * LAST_FRAME)]


def _gif(frames: np.ndarray, durations: list[int]) -> bytes:
    return _by_pillow(durations, (_palette(Image.fromarray(frame)) for frame in frames), format="GIF")


def _webp(frames: np.ndarray, durations: list[int]) -> bytes:
    return _by_pillow(durations, map(Image.fromarray, frames), format="WEBP", quality=_QUALITY, method=4)


def _by_pillow(durations: list[int], images: Iterable[Image.Image], **how: Any) -> bytes:
    buffer, rest = io.BytesIO(), iter(images)
    first = next(rest)
    first.save(buffer, save_all=True, append_images=rest, duration=durations, loop=0, **how)
    return buffer.getvalue()


def _palette(frame: Image.Image) -> Image.Image:
    """Give a frame with the 256 colours that suit it best, what lies between them dithered."""
    colours = frame.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return frame.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)


def _mp4(frames: np.ndarray, durations: list[int]) -> bytes:
    import av

    height, width = (edge // 2 * 2 for edge in frames.shape[1:3])
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(_CODEC, rate=FRAMES_A_SECOND, options={"crf": _CRF})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.colorspace = _SMPTE_170M
        for frame in _held(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _held(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the frames, and the last one as often as it stays."""
    yield from frames
    for _ in range(round(FRAMES_A_SECOND * LAST_FRAME) - 1):
        yield frames[-1]


_ENCODERS: Mapping[str, Callable[[np.ndarray, list[int]], bytes]] = {".gif": _gif, ".webp": _webp, ".mp4": _mp4}
