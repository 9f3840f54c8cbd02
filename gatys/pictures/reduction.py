"""Reduction of pictures as a linear map with its adjoint, for losses that look at a picture in a smaller size.

The map is that of `resampling.resize`, without clamping: bicubic and antialiased. Each axis is a product with a narrow
band of a matrix, on the picture's own device, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .resampling import row_weights, seen_rows

ROWS = 256
"""The number of rows that are made at a time, so that the matrix stays a narrow band."""


class Axis:
    """The map of rows [start, stop) of a picture that is reduced from `length` to `to` rows.

    Args:
        length, to: the numbers of rows.
        start, stop: the rows that are made.
        like: a tensor whose device and dtype the weights get.
        ring: whether the last row is followed by the first.
    """

    def __init__(self, length: int, to: int, start: int, stop: int, like: Tensor, *, ring: bool):
        times, before = (3, to) if ring else (1, 0)  # a ring is the middle one of three
        start, stop = before + start, before + stop
        self.low, self.high = seen_rows(times * length, times * to, start, stop)
        """The rows that are seen, [low, high); in a ring they are counted on through three rounds."""
        self._blocks: list[tuple[slice, slice, Tensor]] = []
        for first in range(start, stop, ROWS):
            last = min(first + ROWS, stop)
            low, high, weights = row_weights(times * length, times * to, first, last)
            seen = slice(low - self.low, high - self.low)
            self._blocks.append((slice(first - start, last - start), seen, weights.to(like)))
        self.rows = stop - start
        """The number of rows that are made."""

    def reduce(self, band: Tensor) -> Tensor:
        """Make the rows of (..., high - low, W) those that are seen."""
        made = [weights @ band[..., seen, :] for _, seen, weights in self._blocks]
        return torch.cat(made, dim=-2) if made else band[..., :0, :]

    def pull(self, gradient: Tensor) -> Tensor:
        """Give the gradient in the rows that are seen, from that in the rows that were made."""
        pulled = gradient.new_zeros(*gradient.shape[:-2], self.high - self.low, gradient.shape[-1])
        for made, seen, weights in self._blocks:
            pulled[..., seen, :] += weights.mT @ gradient[..., made, :]
        return pulled


class Reduction:
    """The map from pictures of one size to a smaller one.

    Args:
        size, to: (height, width) of the whole pictures.
        like: a tensor whose device and dtype the pictures have.
        rings: whether its upper edge meets the lower one, and whether the left one meets the right.
        rows: the rows [first, last) of the smaller picture that are made here; default all.
        fetch: gives the rows [low, high) of a picture of which some are here, as `Axis` counts them.
        give: its adjoint: gives the gradient in the rows here from that in what `fetch` gave.
    """

    def __init__(
        self,
        size: tuple[int, int],
        to: tuple[int, int],
        like: Tensor,
        *,
        rings: tuple[bool, bool] = (False, False),
        rows: tuple[int, int] | None = None,
        fetch: Callable[[Tensor], Tensor] | None = None,
        give: Callable[[Tensor], Tensor] | None = None,
    ):
        self._rows = Axis(size[0], to[0], *(rows or (0, to[0])), like, ring=rings[0])
        self._columns = Axis(size[1], to[1], 0, to[1], like, ring=rings[1])
        self._size, self._fetch, self._give = size, fetch, give

    def reduce(self, image: Tensor) -> Tensor:
        """Give (N, C, H, W) in the smaller size."""
        columns, rows = self._columns, self._rows
        narrow = columns.reduce(_unrolled(image.mT, columns)).mT
        return rows.reduce(self._fetch(narrow) if self._fetch else _unrolled(narrow, rows)).contiguous()

    def pull(self, gradient: Tensor) -> Tensor:
        """Give the gradient in the pixels of the larger picture, from that in the smaller one's."""
        columns, rows = self._columns, self._rows
        band = rows.pull(gradient)
        narrow = self._give(band) if self._give else _rolled(band, rows, self._size[0])
        return _rolled(columns.pull(narrow.mT), columns, self._size[1]).mT


def _pieces(axis: Axis, length: int) -> Iterator[tuple[slice, slice]]:
    """Yield what an axis sees in parts that lie in one piece: (rows of what is seen, of the picture)."""
    at = axis.low
    while at < axis.high:
        there = at % length
        run = min(length - there, axis.high - at)
        yield slice(at - axis.low, at - axis.low + run), slice(there, there + run)
        at += run


def _unrolled(image: Tensor, axis: Axis) -> Tensor:
    """Give the rows that an axis sees of a whole picture."""
    found = [image[..., there, :] for _, there in _pieces(axis, image.shape[-2])]
    return found[0] if len(found) == 1 else torch.cat(found, dim=-2)


def _rolled(gradient: Tensor, axis: Axis, length: int) -> Tensor:
    """Apply the adjoint of `_unrolled`."""
    pieces = list(_pieces(axis, length))
    if len(pieces) == 1 and axis.high - axis.low == length:
        return gradient
    whole = gradient.new_zeros(*gradient.shape[:-2], length, gradient.shape[-1])
    for here, there in pieces:
        whole[..., there, :] += gradient[..., here, :]
    return whole
