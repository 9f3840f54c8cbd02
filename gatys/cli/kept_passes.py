"""The state of a film of several passes in a folder, from which the same command goes on at any frame of any pass."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..descent.tensor_file import Damaged, read_tensors, write_tensors
from ..errors import CheckpointError, ImageError
from ..pictures.images import read_image, write_image
from ..video.several_passes import latest_pass

log = logging.getLogger(__name__)

FORMAT = "gatys film of passes 1"
STATE = "passes.safetensors"


class KeptPasses:
    """The results that are done, each a PNG of 16 bits.

    A frame's result of one pass stays until the frame is done in the next pass but one, so that a crash between two files
    loses no more than a frame.

    Args:
        folder: where they are kept, beside the state of the frame that is painted; None keeps nothing.
        key: what the film is made of: another one's state is refused.

    Raises:
        CheckpointError: for the state of another film, and for a damaged one.
    """

    def __init__(self, folder: Path | None, key: str):
        self._folder, self._key, self._failed = folder, key, False
        self.count = 0
        """The number of frames that are done, over all passes."""
        self.steps = 0
        """The number of steps that they took."""
        self.frames = 0
        """The number of frames of the film; 0 where nothing is done."""
        if folder is not None and (folder / STATE).exists():
            self._read(folder)

    def _picture(self, index: int, pass_index: int) -> Path:
        assert self._folder is not None  # noqa: S101 (asked for only then)
        return self._folder / f"film-{index:06}-{pass_index % 2}.png"

    def _latest(self) -> Iterator[tuple[int, Path]]:
        """Give the numbers and files of the latest results."""
        for index in range(min(self.count, self.frames)):
            yield index, self._picture(index, latest_pass(self.count, self.frames, index))

    def _read(self, folder: Path) -> None:
        name, to_do = repr(str(folder)), "empty the folder to begin anew"
        try:
            said = read_tensors(folder / STATE)[1]
            count, steps, frames, key = (said[word] for word in ("count", "steps", "frames", "key"))
            self.count, self.steps, self.frames = int(count), int(steps), int(frames)
            sound = said["format"] == FORMAT and min(self.count, self.frames) > 0
        except (Damaged, KeyError, ValueError, OSError) as problem:
            raise CheckpointError(f"--checkpoint: the film in {name} is damaged ({problem}); {to_do}") from problem
        if not sound:
            raise CheckpointError(f"--checkpoint: the film in {name} makes no sense; {to_do}")
        if key != self._key:
            raise CheckpointError(
                f"--checkpoint: {name} holds another film; give that one's inputs and options again, or another folder"
            )
        missing = next((path for _, path in self._latest() if not path.exists()), None)
        if missing is not None:
            raise CheckpointError(f"--checkpoint: the film in {name} has lost {missing.name!r}; {to_do}")

    def results(self) -> Iterator[tuple[int, Tensor]]:
        """Read the latest result of each frame, with its number.

        Raises:
            CheckpointError: where one is missing or damaged.
        """
        for index, path in self._latest():
            try:
                yield index, read_image(path).pixels
            except ImageError as problem:
                raise CheckpointError(f"--checkpoint: {problem}; empty the folder to begin anew") from problem

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
        if self._folder is None or self._failed:
            return
        said = {"format": FORMAT, "key": self._key}
        said |= {"count": str(self.count), "steps": str(self.steps), "frames": str(self.frames)}
        try:
            write_image(self._picture(index, pass_index), result, depth=16)
            write_tensors(self._folder / STATE, {"count": torch.tensor([self.count])}, said)
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
        (self._folder / STATE).unlink(missing_ok=True)
        for index in range(self.frames):
            for pass_index in (0, 1):
                self._picture(index, pass_index).unlink(missing_ok=True)
