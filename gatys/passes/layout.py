"""Where the pictures of a run lie.

A `Layout` is the ordinary case: each picture is here as a whole. `strips.Strips` takes its place where processes share
every picture out by rows. Whatever adds up over a picture, looks beyond a border or resizes asks the place, and is
then right for both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from torch import Tensor

from ..network.layers import Layer
from ..network.vgg import check_image
from ..pictures.resampling import resize
from .tiles import Tile, tiles

Done = TypeVar("Done")
Name = TypeVar("Name", bound=Hashable)
Size = tuple[int, int]


class Strip(NamedTuple):
    """What rows of `Layout.around` are to a sum over neighbours."""

    own: int
    """Rows, the first ones, that are this process's."""
    there: int
    """The same with the next row, if there is one."""
    values: int
    """Of the whole picture."""


class Layout:
    """Pictures that are here as a whole. Sizes are (height, width) of whole pictures."""

    rank = 0
    """Of this process; what is told or written once is told by the one with 0."""

    def size(self, image: Tensor) -> Size:
        """Of the whole picture of which (N, C, h, W) are the rows here."""
        return tuple(image.shape[-2:])

    def rows(self, size: Size) -> tuple[int, int]:
        """First row here, and the first after the last, of a picture of that size."""
        return 0, size[0]

    def extent(self, size: Size, layers: Iterable[Layer], padding: str) -> Size:
        """What this process has to pass over of a picture of that size."""
        return size

    def check(self, image: Tensor, layers: Iterable[Layer], what: str) -> None:
        """As `vgg.check_image`."""
        check_image(image, layers, what)

    def check_count(self, size: Size) -> None:
        """Raise ValueError where there are more processes than strips of a picture of that size."""

    # pixels

    def parts(
        self, size: Size, tile: int | tuple[int, int] | None, layers: Iterable[Layer], padding: str
    ) -> list[Tile]:
        """As `tiles.tiles`, of the rows here; windows are those of `around`."""
        return tiles(size, tile, layers, padding)

    def around(self, image: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        """The rows here, and behind them all that features of them see beyond."""
        return image

    def strip(self, image: Tensor, size: Size, padding: str) -> Strip | None:
        """Of `around(image, ...)`; None where that is the whole picture."""
        return None

    def collect(self, gradient: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        """The gradient in the rows here, of one in the pixels of `around` on every process."""
        return gradient

    def resize(self, image: Tensor, size: Size, to: Size) -> Tensor:
        """As `pyramid.resize`, of a picture of `size` to one of size `to`; rows here become rows here."""
        return resize(image, to)

    def stretch(self, picture: Tensor, to: Size, margin: int = 0) -> Tensor:
        """As `pyramid.resize`, of a picture that every process has whole, to the rows here and `margin` more on both sides."""
        return resize(picture, to)

    # numbers

    def add(self, value: Tensor) -> Tensor:
        """The sum of what all processes give."""
        return value

    def add_all(self, values: Mapping[Name, Tensor]) -> dict[Name, Tensor]:
        """The same for several at once; all give the same names and shapes."""
        return dict(values)

    def variance(self, values: Tensor) -> Tensor:
        """(N, C), of the values at all positions of (N, C, h, w) features."""
        return values.var(dim=(2, 3), correction=0)

    def any(self, flag: bool) -> bool:
        """Whether it holds on one process at least."""
        return flag

    def least(self, number: int) -> int:
        """The smallest that a process gives."""
        return number

    def look(self, image: Tensor) -> object:
        """What a picture counts by where it is to be known again."""
        return image

    def agree(self, what: Mapping[str, object]) -> None:
        """Raise ValueError where processes do not give the same."""

    def keeper(self, make: Callable[[], Done], sizes: Sequence[Size]) -> Done:
        """A run's `checkpoint.Checkpoint`, which `make` gives; `sizes` are those of its levels."""
        return make()

    def together(self, work: Callable[[], Done]) -> Done:
        """What `work` returns; where memory runs out on one process, all raise an error that says so."""
        return work()


WHOLE = Layout()
