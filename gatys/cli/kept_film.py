"""The state of a film in a folder, from which the same command goes on after a crash at the frame that was not done."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..descent.tensor_file import Damaged, read_tensors, write_tensors
from ..errors import CheckpointError, ImageError
from ..pictures.images import read_image, write_image

log = logging.getLogger(__name__)

FORMAT = "gatys film 1"


class KeptFilm:
    """The frames that are done, each a PNG of 16 bits, and the last result as it is.

    Args:
        folder: where they are kept, beside the state of the frame that is painted; None keeps nothing.
        key: what the film is made of: another one's state is refused.
        most: how many of the last results are kept.

    Raises:
        CheckpointError: for the state of another film, and for a damaged one.
    """

    def __init__(self, folder: Path | None, key: str, most: int = 1):
        self._folder, self._key, self._failed = folder, key, False
        self.count = 0
        """The number of frames that are done."""
        self.steps = 0
        """The number of steps that they took."""
        self.results: deque[Tensor] = deque(maxlen=most)
        """The results of the last ones, (1, 3, H, W) each."""
        if folder is not None and self._state.exists():
            self._read()

    @property
    def _state(self) -> Path:
        assert self._folder is not None  # noqa: S101 (asked for only then)
        return self._folder / "film.safetensors"

    def _picture(self, index: int) -> Path:
        assert self._folder is not None  # noqa: S101 (asked for only then)
        return self._folder / f"film-{index:06}.png"

    def _read(self) -> None:
        name, to_do = repr(str(self._folder)), "empty the folder to begin anew"
        try:
            tensors, said = read_tensors(self._state)
            count, steps, key = int(said["count"]), int(said["steps"]), said["key"]
            results = tensors["result"]
            sound = said["format"] == FORMAT and count > 0 and results.ndim == 4 and results.dtype == torch.float32
            sound = sound and len(results) <= count
        except (Damaged, KeyError, ValueError, OSError) as problem:
            raise CheckpointError(f"--checkpoint: the film in {name} is damaged ({problem}); {to_do}") from problem
        if not sound:
            raise CheckpointError(f"--checkpoint: the film in {name} makes no sense; {to_do}")
        if key != self._key:
            raise CheckpointError(
                f"--checkpoint: {name} holds another film; give that one's inputs and options again, or another folder"
            )
        missing = next((path for path in map(self._picture, range(count)) if not path.exists()), None)
        if missing is not None:
            raise CheckpointError(f"--checkpoint: the film in {name} has lost {missing.name!r}; {to_do}")
        self.count, self.steps = count, steps
        self.results.extend(results.split(1))

    def pictures(self) -> Iterator[Tensor]:
        """Read the frames that are done.

        Raises:
            CheckpointError: where one is missing or damaged.
        """
        for index in range(self.count):
            try:
                yield read_image(self._picture(index)).pixels
            except ImageError as problem:
                raise CheckpointError(f"--checkpoint: {problem}; empty the folder to begin anew") from problem

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
        if self._folder is None or self._failed:
            return
        said = {"format": FORMAT, "key": self._key, "count": str(self.count), "steps": str(self.steps)}
        try:
            write_image(self._picture(self.count - 1), image, depth=16)
            write_tensors(self._state, {"result": torch.cat(list(self.results))}, said)
        except (OSError, ImageError) as problem:
            log.warning("--checkpoint: the film is kept up to frame %d only: %s", self.count - 1, problem)
            self._failed = True
            return
        if state is not None:
            state.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all that is kept, once the film is there."""
        if self._folder is None:
            return
        self._state.unlink(missing_ok=True)
        for index in range(self.count):
            self._picture(index).unlink(missing_ok=True)


def exact(image: Tensor) -> Tensor:
    """Round a picture to what a PNG of 16 bits holds, so that a film that goes on has the same frames."""
    return (image.detach().float().clamp(0, 1) * 65535).round() / 65535
