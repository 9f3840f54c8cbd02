"""What the making of a film gives: a frame as it is made, and all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..descent.records import Record
from ..pictures.checks import shape_of


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """A frame as `iterate_frames` gives it.

    Example:
        >>> for frame in gatys.iterate_frames(net, frames, style=style):
        ...     gatys.save_image(frame.image, f"{frame.index:04}.png")
    """

    index: int
    """Its number in the film."""
    image: Tensor
    """The result, (1, 3, H, W), sRGB in [0, 1], on the device where the targets are kept."""
    history: tuple[Record, ...]
    """The records of its evaluations."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences."""
    stopped: bool
    """Whether the callback ended the film in this frame: it is the last one, and unfinished."""
    state: Path | None = None
    """The file with its last state, where it was asked for; see `Result.state`."""
    pass_index: int = 0
    """The number of the pass that it was made in, from 0."""

    def __repr__(self) -> str:
        return f"FilmFrame({self.index}, {shape_of(self.image)}, {len(self.history)} steps, {len(self.notes)} notes)"


@dataclass(frozen=True, eq=False)
class FramesResult:
    """The result of `optimize_frames`: one picture for each frame, with losses and notes.

    Example:
        >>> film = gatys.optimize_frames(net, frames, style=style)
        >>> for index, image in enumerate(film.images):
        ...     gatys.save_image(image, f"{index:04}.png")
    """

    images: Tensor
    """The results, (N, 3, H, W), sRGB in [0, 1], one for each frame, on the device where the targets are kept."""
    histories: tuple[tuple[Record, ...], ...]
    """The records of each frame, one for each evaluation."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences; empty for an ordinary run."""
    stopped: bool
    """Whether the callback ended it early: the last picture is then the best of an unfinished frame."""
    states: tuple[Path, ...] = ()
    """The files with the last states of the frames, where they were asked for; see `Result.state`."""

    def __repr__(self) -> str:
        return f"FramesResult({shape_of(self.images)}, {sum(map(len, self.histories))} steps, {len(self.notes)} notes)"
