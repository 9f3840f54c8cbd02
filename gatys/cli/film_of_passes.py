"""The painting of a film in several passes: its frames are read once into a file, and written when all is done."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError, InputError
from ..pictures.resampling import resize
from ..targets.targets import ContentTarget
from ..video.clip import ClipFrame
from ..video.film_results import FilmFrame
from ..video.larger_flow import larger_frame
from .kept_passes import KeptPasses
from .painted_film import PaintedFilm

log = logging.getLogger(__name__)


class FilmOfPasses(PaintedFilm):
    """The painting of one film in several passes, of which the last one's results become the film.

    Args:
        options, session, kept, net, given, clip, done: as for `PaintedFilm`.
    """

    _done: KeptPasses  # type: ignore[assignment]
    _results: Pictures
    _painted_from: Pictures

    @property
    def _turns(self) -> int | None:
        passes = self._options.passes or 1
        count = self._done.frames or self._clip.count
        return None if count is None else passes * count

    @property
    def _whole(self) -> bool:
        return self._done.count >= self._done.frames

    @property
    def _came_to(self) -> str:
        passes, pass_index = self._options.passes, self._done.count // self._done.frames
        if pass_index == 0:
            return (
                f"interrupted after {self.writer.count} of {self._done.frames} frames of the first of {passes} passes"
            )
        return f"{self.writer.count} frames, interrupted in pass {pass_index + 1} of {passes}"

    def _begin(self, interruption: Any) -> tuple[Any, dict[str, Any]]:
        folder = Path(self._options.out or ".").absolute().parent
        self._painted_from, self._results, larger = Pictures(folder), Pictures(folder), Pictures(folder)
        self._shown_at = list[ClipFrame]()
        for frame in self._frames():
            pixels = resize(frame.pixels, self._given.size)
            index = len(self._shown_at)
            self._painted_from[index] = pixels
            if self._flow is not None:
                larger[index] = larger_frame(pixels, frame.pixels)
            self._shown_at.append(replace(frame, pixels=frame.pixels[..., :0, :0]))
            if interruption.asked:
                raise KeyboardInterrupt
        count = len(self._shown_at)
        if self._done.count:
            if count != self._done.frames:
                raise InputError(
                    f"--checkpoint: it holds a film of {self._done.frames} frames, but there are {count}; give another folder"
                )
            log.info("going on at frame %d of %d, over all passes", self._done.count, self._turns)
            for index, result in self._done.results():
                self._results[index] = result
        self._done.frames = count

        def target(index: int) -> ContentTarget:
            pixels = self._painted_from[index]
            if self._flow is not None:
                self._flow.know(pixels, larger[index])
            return self._target(pixels)

        told = {"passes": self._options.passes, "results": self._results, "done": self._done.count}
        return Frames(count, target), told

    def _time_of(self, index: int) -> Fraction:
        return self._shown_at[index].time

    def _keep(self, made: FilmFrame) -> None:
        """Keep a frame that is done in a pass."""
        self._note(made)
        self._results[made.index] = made.image
        result = self._results[made.index]
        self._done.keep(made.index, made.pass_index, result, len(made.history), made.state)

    def _write_all(self) -> None:
        """Write what is there of each frame, as far as the film goes."""
        for index in range(min(self._done.count, self._done.frames)):
            self.writer.add(self._shown(self._results[index], self._painted_from[index]), self._shown_at[index])


class Frames:
    """The frames of a film, which can be read again.

    Args:
        count: their number.
        read: gives the target of one.
    """

    def __init__(self, count: int, read: Callable[[int], ContentTarget]):
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> ContentTarget:
        return self._read(index)


class Pictures:
    """Pictures of one size in a file without a name, of 16 bits a channel, which is gone when the process is.

    Args:
        folder: where the file is made.

    Raises:
        ImageError: where there can be no such file, and where the disk refuses.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._shape: tuple[int, ...] = ()
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as this does)
        except OSError as problem:
            raise self._refused(problem) from problem

    def _refused(self, problem: OSError) -> ImageError:
        return ImageError(
            f"--passes: frames cannot be kept in {str(self._folder)!r} ({problem.strerror}); free space, or give --out elsewhere"
        )

    def __setitem__(self, index: int, picture: Tensor) -> None:
        levels = (picture.detach().to("cpu", torch.float32).clamp(0, 1) * 65535).round().numpy().astype(np.uint16)
        self._shape = levels.shape
        try:
            self._file.seek(index * levels.nbytes)
            self._file.write(levels.tobytes())
        except OSError as problem:
            raise self._refused(problem) from problem

    def __getitem__(self, index: int) -> Tensor:
        bytes_each = 2 * int(np.prod(self._shape))
        self._file.seek(index * bytes_each)
        levels = np.frombuffer(self._file.read(bytes_each), np.uint16).reshape(self._shape)
        return torch.from_numpy(levels.astype(np.float32)) / 65535
