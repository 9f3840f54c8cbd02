"""The session: the process that runs the command line, how it reads and writes pictures, speaks and ends.

The ordinary case is one process, which has every picture as a whole. `distributed.session` has the other case, in which
processes that `torchrun` started share each picture.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ImageError
from ..passes.layout import WHOLE, Layout, Size
from ..pictures.images import Picture, read_image, write_image
from .console import complain
from .parsed import Options


class Session:
    """A process that runs the command line by itself."""

    shared = False
    """Whether the process was started as one of those that share each picture."""
    place: Layout = WHOLE
    """The layout of the rows of the pictures."""
    kept = ""
    """What is left of a run that is cut short, in words; empty where that is nothing."""

    @property
    def first(self) -> bool:
        """Tell whether this is the process that writes files and tells of the result."""
        return self.place.team.rank == 0

    def meet(self, options: Options) -> Options:
        """Find the other processes, and give the options as this one has them.

        Raises:
            InputError: where processes do not find each other or do not agree, and for what only one process can do.
        """
        return options

    def load(self, path: str, size: int | Callable[[Size], int] | None = None) -> Picture:
        """Read the rows here of a picture as `images.read_image` does."""
        return read_image(path, size)

    def save(self, path: str | Path, image: Tensor, size: Size, *, alpha: Tensor | None, **how: Any) -> None:
        """Write a picture of `size`, of which these rows are here, as `images.write_image` does, which is told `how`.

        A picture that took hours is not lost for a full disk: a temporary folder takes it, then.

        Raises:
            ImageError: where it cannot be written, with the path of the one in the temporary folder.
        """
        try:
            write_image(path, image, alpha=alpha, **how)
        except ImageError as problem:
            kept = Path(tempfile.mkdtemp(prefix="gatys-"), "result.png")
            kept = write_image(kept, image, alpha=alpha, **how)
            raise ImageError(f"{problem}; until then it is kept as {str(kept)!r}") from problem

    def complain(self, problem: object) -> None:
        """Say what went wrong, once for all processes."""
        complain(problem)

    def loss(self, error: BaseException) -> str:
        """Give a sentence where an error means that another process is gone; an empty text for any other error."""
        return ""

    def leave(self) -> None:
        """Part from the other processes in good order."""

    def quit(self, code: int) -> None:
        """End this process at once after a failure, since others may be gone; do nothing where it is alone."""


def how_to_go_on(options: Options | None) -> str:
    """Give a sentence on how to go on after a run that was cut short; an empty text where it has left no state."""
    path = None if options is None else options.checkpoint
    left = path is not None and (os.path.isfile(path) or (os.path.isdir(path) and any(os.scandir(path))))
    return f"the same command goes on from {path}" if left else ""
