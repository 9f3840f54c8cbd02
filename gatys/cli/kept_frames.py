"""What the states of films have in common: a file that says what is done, beside a picture of 16 bits for each frame."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from ..descent.tensor_file import Damaged, read_tensors, write_tensors
from ..errors import CheckpointError, ImageError
from ..pictures.images import read_image, write_image

log = logging.getLogger(__name__)

_TO_DO = "empty the folder to begin anew"


class KeptFrames(ABC):
    """The frames of a film that are done.

    Args:
        folder: where they are kept, beside the state of the frame that is painted; None keeps nothing.
        key: what the film is made of: another one's state is refused.

    Raises:
        CheckpointError: for the state of another film, and for a damaged one.
    """

    format: str
    """What the file says of itself."""
    file: str
    """The name of the file."""

    def __init__(self, folder: Path | None, key: str):
        self._folder, self._key, self._failed = folder, key, False
        self.count = 0
        """The number of frames that are done, over all passes."""
        self.steps = 0
        """The number of steps that they took."""
        if folder is not None and (folder / self.file).exists():
            self._read(folder)

    @abstractmethod
    def _take(self, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> bool:
        """Take what else the file holds; tell whether it makes sense."""

    @abstractmethod
    def _files(self) -> Iterable[Path]:
        """Give the pictures that there must be."""

    @abstractmethod
    def _all_files(self) -> Iterable[Path]:
        """Give the pictures that there may be."""

    def _at(self, name: str) -> Path:
        assert self._folder is not None  # noqa: S101 (asked for only then)
        return self._folder / name

    def _read(self, folder: Path) -> None:
        name = repr(str(folder))
        try:
            tensors, said = read_tensors(folder / self.file)
            self.count, self.steps, key = int(said["count"]), int(said["steps"]), said["key"]
            sound = said["format"] == self.format and self.count > 0 and self._take(tensors, said)
        except (Damaged, KeyError, ValueError, OSError) as problem:
            raise CheckpointError(f"--checkpoint: the film in {name} is damaged ({problem}); {_TO_DO}") from problem
        if not sound:
            raise CheckpointError(f"--checkpoint: the film in {name} makes no sense; {_TO_DO}")
        if key != self._key:
            raise CheckpointError(
                f"--checkpoint: {name} holds another film; give that one's inputs and options again, or another folder"
            )
        missing = next((path for path in self._files() if not path.exists()), None)
        if missing is not None:
            raise CheckpointError(f"--checkpoint: the film in {name} has lost {missing.name!r}; {_TO_DO}")

    @staticmethod
    def _pixels(path: Path) -> Tensor:
        try:
            return read_image(path).pixels
        except ImageError as problem:
            raise CheckpointError(f"--checkpoint: {problem}; {_TO_DO}") from problem

    def _write(self, path: Path, image: Tensor, tensors: Mapping[str, Tensor], state: Path | None, **more: int) -> None:
        """Write a frame that is done, of which `count` and `steps` know; where the disk refuses, say so once, and write no more.

        Args:
            path, image: its picture.
            tensors, more: what else the file holds.
            state: the file with the frame's own state, which is then deleted.
        """
        if self._failed:
            return
        said = {"format": self.format, "key": self._key}
        said |= {name: str(number) for name, number in {"count": self.count, "steps": self.steps, **more}.items()}
        try:
            write_image(path, image, depth=16)
            write_tensors(self._at(self.file), tensors, said)
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
        (self._folder / self.file).unlink(missing_ok=True)
        for path in self._all_files():
            path.unlink(missing_ok=True)
