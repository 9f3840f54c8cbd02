"""Bands: the first block of a window is passed in bands of rows.

The maps of the first block are the largest of all, and nothing behind its pooling needs them. Band by band they stay in
the processor's cache and are never there as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .tiles import Span, Tile, spans

_HALO = 2
"""The pixels that the second convolution sees before and after a unit; for the pooling, too, the first on an even
pixel."""
_FEWEST_ROWS = 32
"""The lowest band; below, halos and calls cost more than the cache gives."""
_CHANNELS = 64


@dataclass(frozen=True)
class Band:
    tile: Tile
    """The rows of the tile that the band is of, with the core, which may be empty."""
    rows: Span
    """The band's rows, core and window, counted from the beginning of that tile's window."""

    @property
    def has_core(self) -> bool:
        """Tell whether its tile has a core."""
        return self.tile.rows.start < self.tile.rows.stop


def values_in_band(device: torch.device) -> int:
    """Give the target size of one of a band's maps in values: on the CPU so that four of them fit its cache.

    Elsewhere bands only save memory, at the price of a tenth of the time in bands of half as many.
    """
    return 2**21 if device.type == "cpu" else 2**25


def bands(
    part: Tile, device: torch.device, *, batch: int = 1, pooled: bool = True, most: int | None = None
) -> list[Band]:
    """Cut the rows of a tile's window into bands, their edges on even pixels if they are to be pooled; at most `most`."""
    whole = part.rows
    height, width = part.size
    rows_of_band = max(_FEWEST_ROWS, values_in_band(device) // (_CHANNELS * batch * width))
    stride = 2 if pooled else 1
    units = height // stride
    count = max(1, min(units, round(height / rows_of_band)))
    count = count if most is None else min(count, most)
    edges = [units * k // count * stride for k in range(count)] + [height]
    found = []
    for rows in spans(edges, (_HALO, _HALO), height, stride, whole.padding):
        start, stop = (max(whole.start, min(whole.stop, whole.low + edge)) for edge in (rows.start, rows.stop))
        low, high = whole.low + rows.low, whole.low + rows.high
        found.append(Band(Tile(Span(start, stop, low, high, whole.length, rows.padding), part.columns), rows))
    return found
