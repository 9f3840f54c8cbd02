"""The state of a film in a folder, from which the same command goes on after a crash at the frame that was not done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from .kept_frames import KeptFrames

FORMAT = "gatys film 1"


class KeptFilm(KeptFrames):
    """The frames that are done, each a PNG of 16 bits, and the last result as it is.

    Args:
        folder, key: as for `KeptFrames`.
        most: how many of the last results are kept.

    Raises:
        CheckpointError: as for `KeptFrames`.
    """

    format, file = FORMAT, "film.safetensors"

    def __init__(self, folder: Path | None, key: str, most: int = 1):
        self.results: deque[Tensor] = deque(maxlen=most)
        """The results of the last ones, (1, 3, H, W) each."""
        super().__init__(folder, key)

    def _take(self, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> bool:
        results = tensors["result"]
        if results.ndim != 4 or results.dtype != torch.float32 or len(results) > self.count:
            return False
        self.results.extend(results.split(1))
        return True

    def _files(self) -> Iterable[Path]:
        return map(self._picture, range(self.count))

    _all_files = _files

    def _picture(self, index: int) -> Path:
        return self._at(f"film-{index:06}.png")

    def pictures(self) -> Iterator[Tensor]:
        """Read the frames that are done.

        Raises:
            CheckpointError: where one is missing or damaged.
        """
        yield from map(self._pixels, self._files())

    def keep(self, image: Tensor, result: Tensor, steps: int, state: Path | None) -> None:
        """Keep a frame that is done; where the disk refuses, this is said once, and no further one is kept.

        Args:
            image: as it is written into the film.
            result: as the next frame takes it.
            steps: the number of steps that it took.
            state: the file with the frame's own state, which is then deleted.
        """
        self.count, self.steps = self.count + 1, self.steps + steps
        self.results.append(result.detach().to("cpu", torch.float32))
        if self._folder is not None:
            self._write(self._picture(self.count - 1), image, {"result": torch.cat(list(self.results))}, state)


def exact(image: Tensor) -> Tensor:
    """Round a picture to what a PNG of 16 bits holds, so that a film that goes on has the same frames."""
    return (image.detach().float().clamp(0, 1) * 65535).round() / 65535
