"""The layout of pictures: which rows of each are here, and how the processes that hold the others are asked.

A `Layout` says where the rows of a picture lie; its `Team` lets the processes that share pictures talk. The classes
here are also the ordinary case: every picture is here as a whole, and the team is one process. `distributed.strips`
and `distributed.team` have the others. All code that adds up over a picture, looks beyond a border or resizes asks the
layout or its team, and is then right for both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ..network.layers import Layer
from ..network.vgg import check_image
from ..pictures.reduction import Reduction
from ..pictures.resampling import resize, resize_ring
from .tiles import Tile, tiles

Done = TypeVar("Done")
Name = TypeVar("Name", bound=Hashable)
Size = tuple[int, int]
"""The (height, width) of a whole picture."""
Rings = tuple[bool, bool]
"""Whether the upper edge of a picture meets the lower one, and the left one the right."""


class Strip(NamedTuple):
    """The rows of `Layout.around` as a sum over neighbours needs them."""

    own: int
    """The number of rows that are this process's; they are the first ones."""
    there: int
    """The same number with the next row, if there is one."""
    values: int
    """The number of values of the whole picture."""
    first: bool
    """Whether the first row is the picture's."""


class Team:
    """The processes that share pictures out; here the only one. All of a team call the same methods in one order."""

    rank = 0
    """The number of this process. Process 0 alone tells and writes what is told or written once."""
    count = 1
    """The number of processes."""

    @property
    def alone(self) -> bool:
        """Tell whether there is no other process."""
        return self.count == 1

    def add(self, value: Tensor) -> Tensor:
        """Give the sum of what all processes give."""
        return self.add_all({"": value})[""]

    def add_all(self, values: Mapping[Name, Tensor]) -> dict[Name, Tensor]:
        """Give the sums of several tensors at once; all processes give the same names, shapes and dtypes."""
        return dict(values)

    def least(self, number: int) -> int:
        """Give the smallest number that a process gives."""
        return number

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set on at least one process."""
        return self.least(-int(flag)) < 0

    def tell(self, value: Done) -> Done:
        """Give what process 0 gives, of any kind; what the others give does not matter."""
        return value

    def agree(self, what: Mapping[str, object]) -> None:
        """Raise InputError on every process where they do not all give the same."""

    def together(self, work: Callable[[], Done]) -> Done:
        """Give the result of `work`; where memory runs out on one process, all raise an error that says so."""
        return work()


class Layout:
    """The places of the rows of each picture; here all of them are in this process."""

    team: Team = Team()
    """The processes that share the pictures."""
    whole = True
    """Whether every picture is here as a whole, so that an evaluation needs no other process."""

    def size(self, image: Tensor) -> Size:
        """Give the size of the whole picture of which (N, C, h, W) are the rows here."""
        return image.shape[-2], image.shape[-1]

    def rows(self, size: Size) -> tuple[int, int]:
        """Give the first row here, and the first after the last, of a picture of that size."""
        return 0, size[0]

    def extent(self, size: Size, layers: Iterable[Layer], padding: str) -> Size:
        """Give the size of what this process has to pass over of a picture of that size."""
        return size

    def check(self, image: Tensor, layers: Iterable[Layer], what: str) -> None:
        """Check the rows here of a picture as `vgg.check_image` does."""
        check_image(image, layers, what)

    def check_count(self, size: Size) -> None:
        """Raise InputError where there are more processes than strips of a picture of that size."""

    # pixels

    def parts(
        self, size: Size, tile: int | tuple[int, int] | None, layers: Iterable[Layer], padding: str
    ) -> list[Tile]:
        """Cut the rows here into tiles as `tiles.tiles` does; their windows are those of `around`."""
        return tiles(size, tile, layers, padding)

    def around(self, image: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        """Give the rows here, and behind them all that features of them see beyond."""
        return image

    def strip(self, image: Tensor, size: Size, padding: str) -> Strip | None:
        """Give the rows of `around(image, ...)` as a sum over neighbours needs them; None where that is the whole
        picture.
        """
        return None

    def collect(self, gradient: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        """Give the gradient in the rows here, from the gradients in the pixels of `around` on every process."""
        return gradient

    def resize(self, image: Tensor, size: Size, to: Size, *, rings: Rings = (False, False)) -> Tensor:
        """Resize a picture of `size` to one of size `to` as `resampling.resize` does; rows here become rows here.

        With `rings` its edges meet the opposite ones, as `settings.rings` says.
        """
        return resize_ring(image, to, rings) if any(rings) else resize(image, to)

    def reduction(self, size: Size, to: Size, like: Tensor, *, rings: Rings = (False, False)) -> Reduction:
        """Give the map of pictures of `size` to those of size `to`; rows here become rows here, on the device of `like`.

        With `rings` it is as for `resize`.
        """
        return Reduction(size, to, like, rings=rings)

    def stretch(self, picture: Tensor, to: Size, margin: int = 0, *, rings: Rings = (False, False)) -> Tensor:
        """Resize a picture that every process has whole, to the rows here and `margin` more on both sides.

        With `rings` it is as for `resize`.
        """
        return resize_ring(picture, to, rings) if any(rings) else resize(picture, to)

    def variance(self, values: Tensor) -> Tensor:
        """Give the variance over all positions, (N, C), of (N, C, h, w) features of which these rows are here."""
        return values.var(dim=(2, 3), correction=0)

    # between process 0 and all

    def gather(self, image: Tensor, size: Size) -> Tensor:
        """Give the whole picture on process 0, in strips in main memory; on the others give one without rows."""
        return image

    def deal(self, read: Callable[[int, int], Tensor], shape: Sequence[int], size: Size, dtype: torch.dtype) -> Tensor:
        """Give the rows here of a picture that process 0 reads.

        Args:
            read: gives the rows from a first one to one before another, (*shape, rows, W); called on process 0 only.
            shape: the shape of the picture, without its height and width.
            size: the (height, width) of the picture.
            dtype: the dtype of the picture.
        """
        return read(0, size[0])


WHOLE = Layout()
