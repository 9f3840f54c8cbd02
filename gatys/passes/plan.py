"""The plan of an evaluation: how it fits into memory, whole or in tiles, and what L-BFGS may remember, and where.

The cheapest way that fits is taken. A whole picture costs a pass forward and one back; tiles that keep what
the way back needs cost that and their halos; tiles that keep nothing cost a second pass forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from ..errors import InputError, OutOfMemory, is_out_of_memory
from ..network.layers import Layer, layers_down_to, minimum_size
from ..settings import TileSize
from .memory import (
    PICTURES,
    PICTURES_OF_OCTAVES,
    evaluation_bytes,
    free_memory,
    kept_bytes,
    picture_bytes,
    release,
    setup_bytes,
)
from .precision import dtype_name
from .tiles import along, cut, tiles
from .winograd import share

Done = TypeVar("Done")

SMALLEST_TILE = 64
"""Edge in pixels below which the planner does not go: a tile's window is then ten times as large as its core."""
MOST_TILES = 256
"""The most tiles along one edge."""
HALF_ABOVE = 2**22
"""The number of pixels above which the parts of a picture that only wait do so in half precision."""
USABLE = 0.85
"""The share of the free memory that a plan may use; the rest is for what the estimate does not see."""
SHARE_OF_HISTORY = 0.4
"""The share of that which L-BFGS may take before it remembers elsewhere, or less."""
FEWEST_PAIRS = 3
WORTH = 0.1
"""The share of everything else that smaller tiles must save to be worth it."""


@dataclass(frozen=True)
class Plan:
    """A way to evaluate pictures of one size, and its cost."""

    size: tuple[int, int]
    """The (height, width) of the picture."""
    layers: tuple[Layer, ...]
    padding: str
    tile: tuple[int, int] | None
    """The (height, width) of the tiles' cores; None is one tile that is the whole picture."""
    keep: bool
    """Whether tiles keep, packed, what the way back needs."""
    device: torch.device
    history_size: int
    """The number of pairs that L-BFGS remembers."""
    history_device: torch.device
    bytes: int
    """The expected peak on the device, without filters and targets, and without `setup_bytes`, which do not grow with
    the size."""
    batch: int = 1
    bytes_per_value: int = 4
    dtype: torch.dtype | None = None
    """The dtype of the convolutions; None is that of the network."""
    whole: bool = False
    """Whether the picture may not be cut into tiles."""
    octaves: int = 1
    """At how many sizes the picture is passed over, each half of the one before."""

    @property
    def half(self) -> bool:
        """Tell whether L-BFGS remembers in half precision."""
        return _half(self.size)

    @property
    def grid(self) -> tuple[int, int]:
        """Give the rows and columns of tiles."""
        rows, columns = (
            len(cut(length, edge, self.layers, beyond))
            for length, edge, beyond in zip(self.size, self.tile or (None, None), along(self.padding), strict=True)
        )
        return rows, columns

    @property
    def surplus(self) -> float:
        """Give the pixels of all windows over those of the picture: 1 for a whole picture."""
        windows = sum(h * w for h, w in (part.size for part in tiles(self.size, self.tile, self.layers, self.padding)))
        return windows / (self.size[0] * self.size[1])

    @property
    def operations(self) -> float:
        """Give the floating-point operations of one evaluation, as `operations` counts them."""
        passes = 2 if self.tile is None or self.keep else 3
        window, pixels = self.tile or self.size, self.size[0] * self.size[1]
        a_pixel = operations(window, self.layers, self.device, self.dtype) / (window[0] * window[1])
        sizes = sum(4.0**-octave for octave in range(self.octaves))
        return self.batch * self.surplus * passes * pixels * a_pixel * sizes

    def smaller(self) -> Plan:
        """Give the plan to go on with after memory ran out: first keep nothing, then halve the tile.

        Raises:
            OutOfMemory: where the tile is the smallest already.
        """
        if self.whole:
            raise OutOfMemory(
                f"out of memory for a picture of {self.size[1]} x {self.size[0]} pixels in one piece, and what is compared "
                "looks at all positions at once, which tiles cannot; make the picture smaller, or free memory"
            )
        if self.tile is not None and self.keep:
            return replace(self, keep=False)
        least = max(SMALLEST_TILE, minimum_size(self.layers))
        edges = self.tile or self.size
        if max(edges) <= least:
            raise OutOfMemory(
                f"out of memory for a picture of {self.size[1]} x {self.size[0]} pixels even in tiles of {least} pixels; "
                "make the picture smaller, use adam, which remembers nothing, or free memory"
            )
        most = max(least, -(-max(edges) // 2))
        return replace(self, tile=(min(edges[0], most), min(edges[1], most)), keep=False)

    @property
    def how(self) -> str:
        """Give the plan in words: "one piece", or what tiles."""
        rows, columns = self.grid
        if self.tile is None or rows * columns == 1:
            return "one piece"
        halo = f"{100 * (self.surplus - 1):.0f} % halo"
        passes = "one pass" if self.keep else "two passes"
        return f"{rows} x {columns} tiles of {self.tile[1]} x {self.tile[0]}, {halo}, {passes} forward"

    def __str__(self) -> str:
        gib = (self.bytes + setup_bytes(self.device, self.dtype)) / 2**30
        text = f"{self.size[1]} x {self.size[0]} pixels in {self.how}, {gib:.2g} GiB"
        if self.dtype in (torch.bfloat16, torch.float16):
            text += f" in {dtype_name(self.dtype)}"
        if self.history_size:
            text += f" with L-BFGS remembering {self.history_size} steps"
            if self.history_device.type != self.device.type:
                text += " in main memory"
        return text


def make_plan(
    size: tuple[int, int],
    layers: Iterable[Layer],
    *,
    device: torch.device | str = "cpu",
    optimizer: str | None = "lbfgs",
    history_size: int = 10,
    batch: int = 1,
    bytes_per_value: int = 4,
    dtype: torch.dtype | None = None,
    padding: str = "zero",
    tile: TileSize | tuple[int, int] = "auto",
    memory: int | None = None,
    whole: bool = False,
    held: float = 0.0,
    octaves: int = 1,
) -> Plan:
    """Choose how to evaluate and to descend within the memory there is.

    Args:
        size: (height, width) of the picture.
        layers: all that the objective uses.
        device: where it will run.
        optimizer: "lbfgs" or "adam"; None for passes forward only, without a descent.
        history_size: pairs that L-BFGS would like to remember; fewer, at least 3, where memory is short.
        batch: pictures at a time.
        bytes_per_value: the size of the picture's numbers; 4 for float32.
        dtype: the dtype of the convolutions, if it is not that of the picture.
        padding: one of `settings.PADDINGS`.
        tile: "auto" to choose; or None for whole pictures, or the edge of the tiles, which then keep nothing, so that
            memory is bounded by them.
        memory: bytes that may be used on the device beside filters and targets; default what is free there.
        whole: whether the picture may not be cut into tiles, whatever `tile` is.
        held: values a pixel that the objective keeps of each tile beside its tape.
        octaves: at how many sizes the picture is passed over, one after the other, each half of the one before. The
            further ones hold a picture and its gradient while the largest is not passed over.
    """
    tile = None if whole else tile
    if optimizer not in PICTURES:
        raise InputError(f"optimizer: expected one of {', '.join(filter(None, PICTURES))}, got {optimizer!r}")
    layers, device = tuple(layers), torch.device(device)
    free = free_memory(device) if memory is None else memory
    picture = picture_bytes(size, batch=batch, bytes_per_value=bytes_per_value)
    pictures = (PICTURES[optimizer] + (PICTURES_OF_OCTAVES if octaves > 1 else 0)) * picture
    budget = int(USABLE * free) - pictures - setup_bytes(device, dtype)
    pair, pairs, history_device = 0, 0, device
    if optimizer == "lbfgs":
        pair = picture if _half(size) else 2 * picture
        pairs, history_device = _history(history_size, pair, budget, device)
    history = pair * pairs if history_device == device else 0
    room = max(budget - history, WORTH * (pictures + history))
    ways = sorted(
        _ways(
            size,
            layers,
            padding,
            tile,
            optimizer is not None,
            batch,
            dtype.itemsize if dtype else bytes_per_value,
            held,
        ),
        key=lambda way: (way[3], way[2]),
    )
    way, keep, peak, _ = next((way for way in ways if way[2] <= room), min(ways, key=lambda way: way[2]))
    peak += pictures + history
    return Plan(
        (size[0], size[1]),
        layers,
        padding,
        way,
        keep,
        device,
        pairs,
        history_device,
        peak,
        batch,
        bytes_per_value,
        dtype,
        whole,
        octaves,
    )


def within_memory(
    plan: Plan, work: Callable[[Plan], Done], device: torch.device, shrunk: Callable[[Plan], None]
) -> Done:
    """Give the result of `work(plan)`; where memory runs out, it is called again with the next smaller plan.

    `shrunk` is called with that plan before. Nothing must be lost when `work` is cut off.

    Raises:
        OutOfMemory: if even the smallest tiles do not fit.
    """
    while True:
        try:
            return work(plan)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # out here the error is gone, and with it all that its traceback held
        release(device)
        plan = plan.smaller()
        shrunk(plan)


def wanted_bytes(
    size: tuple[int, int], layers: Iterable[Layer], optimizer: str | None = "lbfgs", octaves: int = 1
) -> int:
    """Give the bytes on the device that the cheapest way takes, for hosts that make room where they are asked to."""
    return make_plan(size, layers, optimizer=optimizer, memory=2**62, octaves=octaves).bytes


def _half(size: tuple[int, int]) -> bool:
    return size[0] * size[1] > HALF_ABOVE


def _history(wanted: int, pair: int, budget: int, device: torch.device) -> tuple[int, torch.device]:
    """Give the number of pairs that L-BFGS remembers, and their device."""
    if wanted * pair <= SHARE_OF_HISTORY * budget:
        return wanted, device
    if device.type != "cpu":
        return max(FEWEST_PAIRS, min(wanted, int(0.5 * free_memory("cpu") / pair))), torch.device("cpu")
    return min(wanted, max(FEWEST_PAIRS, int(SHARE_OF_HISTORY * budget / pair))), device


def _ways(
    size: tuple[int, int],
    layers: tuple[Layer, ...],
    padding: str,
    tile: TileSize | tuple[int, int],
    gradient: bool,
    batch: int,
    bytes_per_value: int,
    held: float,
) -> Iterator[tuple[tuple[int, int] | None, bool, int, float]]:
    """Yield the tile, whether tapes are kept, the bytes at the peak, and the cost in pixels passed over."""
    how = {"batch": batch, "bytes_per_value": bytes_per_value}
    beside = held * bytes_per_value * batch
    one_pass = evaluation_bytes((1024, 1024), layers, gradient=gradient, **how) / 2**20 + beside
    kept = kept_bytes((1024, 1024), layers, **how) / 2**20 + beside
    by_edge: list[list[tuple[int, int, int, int]]] = []
    for length, beyond in zip(size, along(padding), strict=True):
        if tile == "auto":
            least = max(SMALLEST_TILE, minimum_size(layers))
            edges = {-(-length // count) for count in range(1, min(MOST_TILES, max(1, length // least)) + 1)}
        else:
            edges = {length if tile is None else tile if isinstance(tile, int) else tile[len(by_edge)]}
        options = []
        for edge in edges:
            spans = cut(length, edge, layers, beyond)
            windows = [span.high - span.low for span in spans]
            options.append((edge, len(spans), max(windows), sum(windows)))
        by_edge.append(options)
    for height, rows, high, all_high in by_edge[0]:
        for width, columns, wide, all_wide in by_edge[1]:
            pixels, largest = all_high * all_wide, high * wide
            if rows * columns == 1:
                yield None, False, int(one_pass * largest), 2.0 * pixels
            else:
                if gradient and tile == "auto":
                    # the features of the tiles' own parts are most of a packed tape
                    yield (height, width), True, int(one_pass * largest + kept * size[0] * size[1]), 2.0 * pixels
                yield (height, width), False, int(one_pass * largest), 3.0 * pixels


def operations(
    size: tuple[int, int],
    layers: Iterable[Layer],
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> float:
    """Give the floating-point operations of one pass forward over a picture: the convolutions' only, as direct ones.

    Where `winograd` takes less time, in `dtype`, default float32, they count as fewer.
    """
    kind = torch.device(device), dtype or torch.float32
    total = 0.0
    for each in layers_down_to(layers):
        units = size[0] // each.stride, size[1] // each.stride
        full = 18 * each.in_channels * each.channels * size[0] * size[1] / each.stride**2
        total += full * share(units, min(each.in_channels, each.channels), *kind)
    return total


def outlook(plans: Sequence[Plan], steps: Sequence[int], seconds: Sequence[float]) -> str:
    """Describe the plan of the first of several sizes, and the time of all, from the seconds that a step takes at each."""
    whole = sum(n * each for n, each in zip(steps, seconds, strict=True))
    text = f"{plans[0]}, about {_duration(seconds[0])} a step"
    return text if sum(steps) == 1 else f"{text}, {_duration(whole)} for {sum(steps)} steps on {len(plans)} levels"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
