"""The state of a film of several passes in a folder, from which the same command goes on at any frame of any pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..video.several_passes import latest_pass
from .kept_frames import KeptFrames


class KeptPasses(KeptFrames):
    """The results that are done, each a PNG of 16 bits.

    A frame's result of one pass stays until the frame is done in the next pass but one, so that a crash between two files
    loses no more than a frame.

    Args:
        folder, key: as for `KeptFrames`.

    Raises:
        CheckpointError: as for `KeptFrames`.
    """

    format, file = "gatys film of passes 1", "passes.safetensors"

    def __init__(self, folder: Path | None, key: str):
        self.frames = 0
        """The number of frames of the film; 0 where nothing is done."""
        super().__init__(folder, key)

    def _take(self, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> bool:
        self.frames = int(said["frames"])
        return self.frames > 0

    def _picture(self, index: int, pass_index: int) -> Path:
        return self._at(f"film-{index:06}-{pass_index % 2}.png")

    def _latest(self) -> Iterator[tuple[int, Path]]:
        """Give the numbers and files of the latest results."""
        for index in range(min(self.count, self.frames)):
            yield index, self._picture(index, latest_pass(self.count, self.frames, index))

    def _files(self) -> Iterable[Path]:
        return (path for _, path in self._latest())

    def _all_files(self) -> Iterable[Path]:
        return (self._picture(index, pass_index) for index in range(self.frames) for pass_index in (0, 1))

    def results(self) -> Iterator[tuple[int, Tensor]]:
        """Read the latest result of each frame, with its number.

        Raises:
            CheckpointError: where one is missing or damaged.
        """
        for index, path in self._latest():
            yield index, self._pixels(path)

    def keep(self, index: int, pass_index: int, result: Tensor, steps: int, state: Path | None) -> None:
        """Keep a frame that is done; where the disk refuses, this is said once, and no further one is kept.

        Args:
            index: its number.
            pass_index: the number of the pass.
            result: what was made, (1, 3, H, W).
            steps: the number of steps that it took.
            state: the file with the frame's own state, which is then deleted.
        """
        self.count, self.steps = self.count + 1, self.steps + steps
        if self._folder is not None:
            picture, counted = self._picture(index, pass_index), {"count": torch.tensor([self.count])}
            self._write(picture, result, counted, state, frames=self.frames)
