"""Records of a run: the losses of each step, its progress, its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ..pictures.checks import shape_of
from ..pictures.preview import as_png

SHOWN = 512
"""The longer edge in pixels of a picture that a notebook shows of a result."""


@dataclass(frozen=True)
class Record:
    """The losses of one evaluation: terms before weighting, the total after it, each summed over the batch.

    Fields can be read by attribute or by name: `record.total`, `record["total"]`.

    Example:
        >>> last = result.history[-1]
        >>> print(last.step, last.total, last.layers["content conv4_2"])
        120 0... 0...
    """

    step: int
    """The number of the evaluation, 1 for the first, counted over all levels."""
    level: int
    total: float
    content: float
    style: float
    tv: float
    layers: Mapping[str, float] = field(default_factory=dict)
    """What each layer adds to its term, by names like "content conv4_2" and "style conv1_1"."""

    def __getitem__(self, name: str) -> float:
        return self.asdict()[name]

    def asdict(self) -> dict[str, float]:
        """Give step, level and the terms by name."""
        return {name: getattr(self, name) for name in ("step", "level", "total", "content", "style", "tv")}


@dataclass(frozen=True)
class Progress:
    """The progress of a run, which a callback is given after each evaluation.

    Example:
        >>> def watch(progress):
        ...     print(progress.step, progress.losses.total)
        >>> result = gatys.optimize(net, content=content, style=style, callback=watch)
        1 0...
    """

    step: int
    steps: int
    level: int
    losses: Record
    schedule: tuple[int, ...]
    """The steps of each level, level 0 first."""
    _image: Callable[[], Tensor]
    expected: tuple[float, ...] = ()
    """The seconds that a step of each level was expected to take, level 0 first; empty where nobody reads the plan."""

    def __repr__(self) -> str:
        return f"Progress(step {self.step} of {self.steps}, level {self.level}, total {self.losses.total:.4g})"

    @property
    def image(self) -> Tensor:
        """Give a copy of the best picture so far, or with `average` of the average, (N, 3, h, w) at this level's size, in
        [0, 1]; made when asked for."""
        return self._image().detach().clone()


@dataclass(frozen=True, eq=False)
class Result:
    """The result of `optimize`: the picture, the losses of every step, and notes.

    Example:
        >>> result = gatys.optimize(net, content=content, style=style)
        >>> gatys.save_image(result, "result.png")
        >>> len(result.history), result.notes
        (120, ())
    """

    image: Tensor
    """The best pictures seen at level 0, or with `average` the averages, (N, 3, H, W), sRGB in [0, 1], on the network's
    device."""
    history: tuple[Record, ...]
    """One record for each evaluation, over all levels."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences; empty for an ordinary run."""
    state: Path | None = None
    """The file with the run's last state, where one was asked for; to be deleted once the picture is safe."""

    def __repr__(self) -> str:
        last = f", total {self.history[-1].total:.4g}" if self.history else ""
        return f"Result({shape_of(self.image)}, {len(self.history)} steps{last}, {len(self.notes)} notes)"

    def _repr_png_(self) -> bytes:
        """Give what a notebook shows of a result: its pictures, side by side."""
        return as_png(self.image, SHOWN)
