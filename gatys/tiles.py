"""Cutting a picture into tiles so that the features of the tiles together are exactly those of the picture.

A tile owns a core: a block of every layer's features. Its window is the core's pixels plus the halo that
those features see, cut at the picture's true borders, where the network's own padding applies. Windows
start at multiples of the deepest stride, so that the poolings fall on the same pixels as in the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from .vgg import LAYERS, layer_name


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in pixels: the core [start, stop) inside the window [low, high) of an edge of `length`."""

    start: int
    stop: int
    low: int
    high: int

    def owned(self, stride: int) -> slice:
        """Units of a layer of that stride that the core owns, counted in the whole picture."""
        return slice(self.start // stride, self.stop // stride)

    def core(self, stride: int) -> slice:
        """The same units counted from the beginning of the window."""
        return slice((self.start - self.low) // stride, self.stop // stride - self.low // stride)


@dataclass(frozen=True)
class Tile:
    rows: Span
    columns: Span

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture that the tile's features depend on."""
        return slice(self.rows.low, self.rows.high), slice(self.columns.low, self.columns.high)

    def owned(self, layer: str) -> tuple[slice, slice]:
        """Where the tile's part of a layer lies among the features of the whole picture."""
        stride = LAYERS[layer].stride
        return self.rows.owned(stride), self.columns.owned(stride)

    def crop(self, features: Tensor, layer: str) -> Tensor:
        """The tile's own part of the features of its window."""
        stride = LAYERS[layer].stride
        rows, columns = self.rows.core(stride), self.columns.core(stride)
        if features.shape[-2:] == (rows.stop - rows.start, columns.stop - columns.start):
            return features  # a slice would cost a copy on the way back
        return features[..., rows, columns]


def halo(layers: Iterable[str]) -> tuple[int, int]:
    """Pixels that the features of a core see before and after it, the first rounded up to the deepest stride."""
    used = [LAYERS[layer_name(name)] for name in layers]
    stride = max(layer.stride for layer in used)
    before = max(-layer.first for layer in used)
    after = max(layer.last + 1 - layer.stride for layer in used)
    return -(-before // stride) * stride, after


def cut(length: int, tile: int | None, layers: Iterable[str]) -> list[Span]:
    """Cut an edge of `length` pixels into cores of at most about `tile` pixels, as equal as strides allow."""
    layers = list(layers)
    stride = max(LAYERS[layer_name(name)].stride for name in layers)
    before, after = halo(layers)
    units = length // stride  # the last core also takes the pixels that the poolings leave over
    count = 1 if tile is None else max(1, min(units, -(-length // tile)))
    edges = [units * k // count * stride for k in range(count)] + [length]
    return [Span(start, stop, max(0, start - before), min(length, stop + after)) for start, stop in pairwise(edges)]


def tiles(size: tuple[int, int], tile: int | None, layers: Iterable[str]) -> list[Tile]:
    """Tiles that cover a picture of `size` (height, width); `tile` None gives one that is the whole picture.

    Raises:
        ValueError: if `tile` is not a whole number of at least the deepest layer's stride.
    """
    layers = list(layers)
    stride = max(LAYERS[layer_name(name)].stride for name in layers)
    if tile is not None and (isinstance(tile, bool) or not isinstance(tile, int) or tile < stride):
        raise ValueError(
            f"tile: expected None or a whole number of pixels, at least {stride} for these layers, got {tile!r}"
        )
    height, width = size
    return [Tile(r, c) for r in cut(height, tile, layers) for c in cut(width, tile, layers)]
