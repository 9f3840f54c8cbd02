"""Tiles: a picture is cut so that the features of the tiles together are exactly those of the picture.

A tile owns a core: a block of every layer's features. Its window is the core's pixels plus the halo that
those features see, cut at the picture's true borders, where the network's padding applies. Windows start at
multiples of the deepest stride, so that the poolings fall on the same pixels as in the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer, minimum_size
from ..settings import PADDINGS


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in pixels: the core [start, stop) inside the window [low, high) of an edge of `length`.

    A window may reach beyond the edge only where the picture continues on its other side.
    """

    start: int
    stop: int
    low: int
    high: int
    length: int
    padding: str
    """The padding that convolutions see beyond the window; where the window is cut, no feature of the core sees it."""

    def owned(self, stride: int) -> slice:
        """Give the units of a layer of that stride that the core owns, counted in the whole picture."""
        return slice(self.start // stride, self.stop // stride)

    def core(self, stride: int) -> slice:
        """Give the same units counted from the beginning of the window."""
        return slice((self.start - self.low) // stride, self.stop // stride - self.low // stride)

    def pieces(self) -> list[tuple[slice, slice]]:
        """Give the window in parts that lie in one piece in the picture: (pixels of the window, of the picture)."""
        found, at = [], self.low
        while at < self.high:
            there = at % self.length
            run = min(self.length - there, self.high - at)
            found.append((slice(at - self.low, at - self.low + run), slice(there, there + run)))
            at += run
        return found


@dataclass(frozen=True)
class Tile:
    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Give the (height, width) of the window in pixels."""
        return self.rows.high - self.rows.low, self.columns.high - self.columns.low

    def window(self, image: Tensor) -> Tensor:
        """Give the pixels of (N, C, H, W) that the tile's features depend on."""
        rows = [image[:, :, there] for _, there in self.rows.pieces()]
        band = rows[0] if len(rows) == 1 else torch.cat(rows, dim=2)
        columns = [band[..., there] for _, there in self.columns.pieces()]
        return columns[0] if len(columns) == 1 else torch.cat(columns, dim=3)

    def give(self, gradient: Tensor, pulled: Tensor) -> None:
        """Add what was pulled back to the window's pixels to the gradient in the picture's."""
        for here_rows, rows in self.rows.pieces():
            for here_columns, columns in self.columns.pieces():
                gradient[..., rows, columns] += pulled[..., here_rows, here_columns]

    def owned(self, layer: Layer) -> tuple[slice, slice]:
        """Give the place of the tile's part of a layer among the features of the whole picture."""
        return self.rows.owned(layer.stride), self.columns.owned(layer.stride)

    def core(self, layer: Layer) -> tuple[slice, slice]:
        """Give the place of that part among the features of its window."""
        return self.rows.core(layer.stride), self.columns.core(layer.stride)


def along(padding: str) -> tuple[str, str]:
    """Give the padding along the height, and that along the width."""
    return ("replicate", "circular") if padding == "panorama" else (padding, padding)


def halo(layers: Iterable[Layer]) -> tuple[int, int]:
    """Give the pixels that features of a core see before and after it, the first rounded up to the deepest stride."""
    used = list(layers)
    stride = minimum_size(used)
    before = max(-layer.first for layer in used)
    after = max(layer.last + 1 - layer.stride for layer in used)
    return -(-before // stride) * stride, after


def cut(
    length: int, tile: int | None, layers: Iterable[Layer], padding: str = "zero", within: tuple[int, int] | None = None
) -> list[Span]:
    """Cut an edge of `length` pixels into cores of at most about `tile` pixels, as equal as strides allow.

    `padding` is what `along` gives for that edge.
    `within` is the part [first, last) of the edge to cut, default all of it; both are multiples of the deepest stride,
    or the edge's ends.
    """
    layers = list(layers)
    first, last = within or (0, length)
    if first == last:
        return []
    stride = minimum_size(layers)
    units = (last - first) // stride  # the last core takes pixels left over by the poolings, too
    count = 1 if tile is None else max(1, min(units, -(-length // tile)))
    edges = [first + units * k // count * stride for k in range(count)] + [last]
    return spans(edges, halo(layers), length, stride, padding)


def spans(edges: list[int], halo: tuple[int, int], length: int, stride: int, padding: str) -> list[Span]:
    """Give the spans between neighbouring edges, with `halo` pixels before and after each, on an edge of `length`
    pixels.
    """
    found, (before, after) = [], halo
    for start, stop in pairwise(edges):
        low, high, beyond = start - before, stop + after, padding
        if padding != "circular":
            low, high = max(0, low), min(length, high)
        elif stop - start == length and length % stride == 0:
            low, high = 0, length  # each layer's own grid closes into a ring, so that no halo is needed
        else:
            beyond = "zero"
        found.append(Span(start, stop, low, high, length, beyond))
    return found


def tiles(
    size: tuple[int, int],
    tile: int | tuple[int, int] | None,
    layers: Iterable[Layer],
    padding: str = "zero",
    rows: tuple[int, int] | None = None,
) -> list[Tile]:
    """Give the tiles that cover a picture.

    Args:
        size: (height, width).
        tile: edge of the cores in pixels, or their (height, width); None gives one tile that is the whole picture.
        layers: those whose features are needed; they set the halo and the strides.
        padding: one of `settings.PADDINGS`.
        rows: the part [first, last) of the picture's rows to cover, both multiples of the deepest stride or its ends.

    Raises:
        InputError: if `tile` is not a whole number of at least the deepest layer's stride, or for another padding.
    """
    layers = list(layers)
    check_tile(tile, layers)
    check_padding(padding)
    height, width = tile if isinstance(tile, tuple) else (tile, tile)
    above, beside = along(padding)
    columns = cut(size[1], width, layers, beside)
    return [Tile(r, c) for r in cut(size[0], height, layers, above, rows) for c in columns]


def check_tile(tile: int | tuple[int, int] | None, layers: Iterable[Layer]) -> None:
    """Raise InputError unless `tile` is None, a whole number of at least the deepest stride, or a pair of such."""
    stride = minimum_size(layers)
    edges = tile if isinstance(tile, tuple) and len(tile) == 2 else (tile,)
    if tile is not None and any(isinstance(e, bool) or not isinstance(e, int) or e < stride for e in edges):
        raise InputError(
            f"tile: expected None or a whole number of pixels, at least {stride} for these layers, got {tile!r}"
        )


def check_padding(padding: str) -> None:
    """Raise InputError unless `padding` is one of `settings.PADDINGS`."""
    if padding not in PADDINGS:
        raise InputError(f"padding: expected one of {', '.join(PADDINGS)}, got {padding!r}")
