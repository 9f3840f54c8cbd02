"""Films as they are written: a video, an animation, or a folder with a picture for each frame."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError
from ..pictures.animation import write_animation
from ..pictures.images import write_image
from .clip import Clip, ClipFrame
from .film_files import ANIMATIONS, CONTAINERS
from .video_writing import VideoWriter

_LONGEST_IN_GIF = 655
"""The seconds that its 16 bits of hundredths hold."""


class ClipWriter(Protocol):
    """What takes the frames of a film as they are made."""

    count: int
    """The number of frames so far."""

    def add(self, pixels: Tensor, frame: ClipFrame) -> None:
        """Take a frame (1, 3, H, W); raise ImageError where the disk refuses."""

    def finish(self, *, whole: bool = True, comment: str = "") -> None:
        """Make the result, with what it says of how it was made; raise ImageError where the disk refuses."""

    @property
    def left(self) -> str:
        """Give a sentence on what is left where there is no result."""

    def abandon(self) -> None:
        """Close what is open without a result."""


class AnimationWriter:
    """An animation, whose frames wait in a file without a name until all are there, since Pillow writes it at once.

    Args:
        out: the result, .gif or .webp.

    Raises:
        ImageError: where there can be no such file.
    """

    def __init__(self, out: Path):
        self.count = 0
        self._out, self._lengths = out, list[int]()
        self._shape: tuple[int, ...] = ()
        try:
            self._file = tempfile.TemporaryFile(dir=out.parent)  # noqa: SIM115 (closed by `abandon`)
        except OSError as problem:
            raise ImageError(f"{str(out)!r} cannot be written ({problem.strerror}); give another path") from problem

    def add(self, pixels: Tensor, frame: ClipFrame) -> None:
        if self._out.suffix.lower() == ".gif" and frame.length > _LONGEST_IN_GIF:
            raise ImageError(
                f"{str(self._out)!r}: {frame.name} is shown for {float(frame.length):g} s, but a GIF shows a frame for "
                f"{_LONGEST_IN_GIF} s at most; give a .webp or a .mp4"
            )
        levels = (pixels[0].detach().clamp(0, 1) * 255).round().permute(1, 2, 0).to("cpu", torch.uint8).numpy()
        try:
            self._file.write(levels.tobytes())
            self._file.flush()
        except OSError as problem:
            raise ImageError(f"{str(self._out)!r} cannot be written ({problem.strerror}); free space") from problem
        self._shape, self.count = levels.shape, self.count + 1
        ticks = 100 if self._out.suffix.lower() == ".gif" else 1000  # a second
        length = round(ticks * (frame.time + frame.length)) - round(ticks * frame.time)
        self._lengths.append(max(1, length) * 1000 // ticks)

    def finish(self, *, whole: bool = True, comment: str = "") -> None:
        frames = np.memmap(self._file, np.uint8, "r", shape=(self.count, *self._shape))
        write_animation(self._out, frames, self._lengths)
        self.abandon()

    @property
    def left(self) -> str:
        return "nothing was saved"

    def abandon(self) -> None:
        self._file.close()


class FolderWriter:
    """A folder with a PNG for each frame, called by its number, or as the picture that it was made of.

    Args:
        out: the folder, which is made where it is not there.
        named: whether they are called as the pictures that they were made of; else they are numbered.
        depth: bits a channel, 8 or 16.

    Raises:
        ImageError: where the folder cannot be made.
    """

    def __init__(self, out: Path, *, named: bool = False, depth: int = 8):
        self.count = 0
        self._out, self._named, self._depth = out, named, depth
        self._new = not os.path.isdir(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ImageError(
                f"the folder {str(out)!r} cannot be made ({problem.strerror}); give another path"
            ) from problem

    def add(self, pixels: Tensor, frame: ClipFrame) -> None:
        name = frame.file.stem if self._named and frame.file is not None else f"{self.count:06}"
        write_image(self._out / f"{name}.png", pixels.clamp(0, 1), depth=self._depth)
        self.count += 1

    def finish(self, *, whole: bool = True, comment: str = "") -> None:
        pass

    @property
    def left(self) -> str:
        frames = "the first frame is" if self.count == 1 else f"the first {self.count} frames are"
        return f"{frames} in {str(self._out)!r}" if self.count else "nothing was saved"

    def abandon(self) -> None:
        if self._new and not self.count and os.path.isdir(self._out):
            self._out.rmdir()


def open_writer(out: Path, clip: Clip, *, named: bool = False, depth: int = 8, **how: object) -> ClipWriter:
    """Give what writes a film to `out`: an animation, a video, or for a folder and a name of no such kind a folder.

    Args:
        out: the result.
        clip: the film that it is made of.
        named, depth: as `FolderWriter` takes them.
        how: what `VideoWriter` is told beside.
    """
    if out.is_dir():
        return FolderWriter(out, named=named, depth=depth)
    if out.suffix.lower() in ANIMATIONS:
        return AnimationWriter(out)
    if out.suffix.lower() in CONTAINERS:
        return VideoWriter(out, clip, depth=depth, **how)  # type: ignore[arg-type]
    return FolderWriter(out, named=named, depth=depth)
