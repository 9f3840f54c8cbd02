"""One picture on many processes: each owns a strip of its rows.

A process keeps the pixels, content features, gradients and descent of its rows only. To evaluate, it gets from its
neighbours the rows around that its features see (`around`), passes over the tiles of its strip, adds up Gram matrices
and losses with the others, and hands back what its features pull at the rows around (`collect`): the same sums as one
process takes tile by tile, and so the same gradient.

Strips begin at multiples of the network's deepest stride, and those at the border of the picture, which see rows on
one side only, own more. Each size of picture is dealt anew; of a small one a process may own nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import LAYERS, Layer
from ..network.vgg import check_size
from ..passes.layout import Layout, Rings, Size, Strip
from ..passes.tiles import Tile, halo, tiles
from ..pictures.checks import check_picture
from ..pictures.reduction import Reduction
from ..pictures.resampling import resize_columns, resize_rows, seen_rows
from ..settings import rings
from .team import Processes

ALIGNMENT = max(layer.stride for layer in LAYERS.values())
ROWS = 256
"""The number of rows that are gathered at a time."""

Run = tuple[int, int, int]
"""A run of rows that lie in one piece in one strip: the process that owns them, the first one's place there, their
number."""


class Strips(Layout):
    """Pictures dealt to the processes of a team by rows.

    Args:
        team: the processes.
        layers: the layers of all targets; strips that see rows of others on both sides own fewer, so that all have as
            much to do.
        ring: whether the upper edge of the pictures meets the lower one, so that all strips see beyond both theirs.
    """

    whole = False

    def __init__(self, team: Processes, layers: Iterable[Layer], *, ring: bool = False):
        self.team: Processes = team
        self._halo, self._ring = halo(layers), ring
        self.bounds = cache(self._deal)
        """A function from the height of a picture to the beginning of each strip, and the height."""

    def _deal(self, height: int) -> tuple[int, ...]:
        count, units = self.team.count, height // ALIGNMENT
        if units < count:
            return (*(units * k // count * ALIGNMENT for k in range(count)), height)
        before, after = (0, 0) if self._ring else self._halo
        whole = height + (count - 1) * (before + after)
        bounds = [0]
        for k in range(1, count):
            start = round((k * whole / count - k * (before + after) + before) / ALIGNMENT) * ALIGNMENT
            bounds.append(min(max(start, bounds[-1] + ALIGNMENT), (units - count + k) * ALIGNMENT))
        return (*bounds, height)

    def check_count(self, size: Size) -> None:
        most = size[0] // ALIGNMENT
        if self.team.count > most:
            raise InputError(
                f"processes: a picture of {size[1]} x {size[0]} pixels has {most} strips of {ALIGNMENT} rows, too few for "
                f"{self.team.count} processes; start at most {most}"
            )

    # what is here

    def size(self, image: Tensor) -> Size:
        height = self.team.add(torch.tensor(image.shape[-2], device=self.team.device))
        return int(height), image.shape[-1]

    def rows(self, size: Size) -> tuple[int, int]:
        bounds = self.bounds(size[0])
        return bounds[self.team.rank], bounds[self.team.rank + 1]

    def extent(self, size: Size, layers: Iterable[Layer], padding: str) -> Size:
        low, high = self._window(self.team.rank, size[0], halo(layers), padding)
        return max(high - low, ALIGNMENT), size[1]

    def check(self, image: Tensor, layers: Iterable[Layer], what: str) -> None:
        size = self.size(image)
        check_size(size, layers, what)
        first, last = self.rows(size)
        if image.shape[-2] != last - first:
            raise InputError(
                f"{what}: expected rows {first} to {last} of the {size[0]} on process {self.team.rank}, got {image.shape[-2]} "
                "rows; cut it by `rows` of the layout"
            )
        if image.ndim != 4 or image.shape[-2]:
            check_picture(image, what)

    # pixels

    def parts(
        self, size: Size, tile: int | tuple[int, int] | None, layers: Iterable[Layer], padding: str
    ) -> list[Tile]:
        layers = list(layers)
        first, last = self.rows(size)
        low, high = self._window(self.team.rank, size[0], halo(layers), padding)

        def here(part: Tile) -> Tile:
            span = part.rows
            moved = {name: getattr(span, name) - first for name in ("start", "stop", "low", "high")}
            # the rows above come last in `around`, which is so a ring of this length
            return replace(part, rows=replace(span, **moved, length=high - low))

        return [here(part) for part in tiles(size, tile, layers, padding, (first, last))]

    def around(self, image: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        runs = self._runs_around(size, halo(layers), padding)
        return torch.cat([image, self._fetch(image, runs)], dim=2)

    def strip(self, image: Tensor, size: Size, padding: str) -> Strip:
        own = image.shape[-2]
        low, high = self.rows(size)
        last = high == size[0] and not rings(padding)[0]
        return Strip(own, own if last else own + 1, image.shape[1] * size[0] * size[1], low == 0)

    def collect(self, gradient: Tensor, size: Size, layers: Iterable[Layer], padding: str) -> Tensor:
        first, last = self.rows(size)
        own = gradient[:, :, : last - first].contiguous()
        self._return(own, gradient[:, :, last - first :], self._runs_around(size, halo(layers), padding))
        return own

    def resize(self, image: Tensor, size: Size, to: Size, *, rings: Rings = (False, False)) -> Tensor:
        if size == to:
            return image
        columns = resize_columns(image, to[1], ring=rings[1])
        times, above = (3, to[0]) if rings[0] else (1, 0)  # a ring is the middle one of three
        seen = self._seen(size[0], to[0], ring=rings[0])
        band = self._fetch(columns, [self._runs(size[0], *rows) for rows in seen])
        first, last = (above + row for row in self.rows(to))
        return resize_rows(band, seen[self.team.rank][0], times * size[0], times * to[0], first, last).clamp_(0, 1)

    def reduction(self, size: Size, to: Size, like: Tensor, *, rings: Rings = (False, False)) -> Reduction:
        here, runs = self.rows(size), [self._runs(size[0], *rows) for rows in self._seen(size[0], to[0], ring=rings[0])]

        def give(gradient: Tensor) -> Tensor:
            own = gradient.new_zeros(*gradient.shape[:2], here[1] - here[0], gradient.shape[3])
            self._return(own, gradient, runs)
            return own

        return Reduction(
            size, to, like, rings=rings, rows=self.rows(to), fetch=lambda image: self._fetch(image, runs), give=give
        )

    def stretch(self, picture: Tensor, to: Size, margin: int = 0, *, rings: Rings = (False, False)) -> Tensor:
        first, last = self.rows(to)
        if first < last:
            first, last = max(0, first - margin), min(to[0], last + margin)
        if tuple(picture.shape[-2:]) == to:
            return picture[:, :, first:last]
        height = picture.shape[-2]
        times, above = (3, to[0]) if rings[0] else (1, 0)  # as in `resize`
        first, last = above + first, above + last
        low, high = seen_rows(times * height, times * to[0], first, last)
        seen = torch.arange(low, high, device=picture.device) % height
        band = resize_columns(picture[:, :, seen], to[1], ring=rings[1])
        return resize_rows(band, low, times * height, times * to[0], first, last).clamp_(0, 1)

    def variance(self, values: Tensor) -> Tensor:
        add = self.team.add
        count = add(torch.tensor(values.shape[2] * values.shape[3], device=values.device))
        mean = add(values.sum(dim=(2, 3))) / count
        return add((values - mean[..., None, None]).square_().sum(dim=(2, 3))) / count

    # between process 0 and all

    def deal(self, read: Callable[[int, int], Tensor], shape: Sequence[int], size: Size, dtype: torch.dtype) -> Tensor:
        # one process after the other, so that process 0 holds no more than one strip beside its own
        bounds, device = self.bounds(size[0]), self.team.device
        if self.team.rank == 0:
            for rank in range(1, self.team.count):
                low, high = bounds[rank : rank + 2]
                if low < high:
                    self.team.exchange({rank: read(low, high).to(device).contiguous()}, {})
            return read(*bounds[:2]).to(device)
        low, high = self.rows(size)
        mine = torch.empty(*shape, high - low, size[1], dtype=dtype, device=device)
        self.team.exchange({}, {0: mine} if low < high else {})
        return mine

    def gather(self, image: Tensor, size: Size) -> Tensor:
        return torch.cat(list(self.blocks(image, size)), dim=2)

    def blocks(self, image: Tensor, size: Size, rows: int = ROWS) -> Iterator[Tensor]:
        """Yield a picture of `size` as blocks of its rows, in main memory, on process 0; on the others empty ones.

        All processes must take all of them.
        """
        image = image.to(self.team.device)
        for low in range(0, size[0], rows):
            runs = self._runs(size[0], low, min(low + rows, size[0]))
            yield self._fetch(image, [runs, *([] for _ in range(1, self.team.count))]).cpu()

    # places of rows

    def _window(self, rank: int, height: int, halo: tuple[int, int], padding: str) -> tuple[int, int]:
        """Give the rows of the picture that a strip's features see; beyond the border, those of the other side."""
        first, last = self.bounds(height)[rank : rank + 2]
        if first == last:
            return first, last
        low, high = first - halo[0], last + halo[1]
        return (low, high) if rings(padding)[0] else (max(0, low), min(height, high))

    def _seen(self, height: int, to: int, *, ring: bool) -> list[tuple[int, int]]:
        """Give the rows that each process needs of a picture of `height` rows to make its own of one of `to`.

        In a ring they are those of the middle one of three.
        """
        times, above = (3, to) if ring else (1, 0)
        bounds = [above + bound for bound in self.bounds(to)]
        return [seen_rows(times * height, times * to, *bounds[rank : rank + 2]) for rank in range(self.team.count)]

    def _runs(self, height: int, low: int, high: int) -> list[Run]:
        bounds, found = self.bounds(height), []
        while low < high:
            there = low % height
            owner = bisect_right(bounds, there) - 1
            rows = min(bounds[owner + 1] - there, high - low)
            found.append((owner, there - bounds[owner], rows))
            low += rows
        return found

    def _runs_around(self, size: Size, halo: tuple[int, int], padding: str) -> list[list[Run]]:
        """Give the rows below the strip of each process and then those above."""
        found = []
        for rank in range(self.team.count):
            first, last = self.bounds(size[0])[rank : rank + 2]
            low, high = self._window(rank, size[0], halo, padding)
            found.append(self._runs(size[0], last, high) + self._runs(size[0], low, first))
        return found

    def _fetch(self, own: Tensor, runs: list[list[Run]]) -> Tensor:
        """Give the rows of this process's runs, in their order, where `runs` are those of all."""
        given = {
            rank: torch.cat([own[:, :, at : at + rows] for owner, at, rows in wanted if owner == self.team.rank], dim=2)
            for rank, wanted in enumerate(runs)
            if rank != self.team.rank and any(owner == self.team.rank for owner, _, _ in wanted)
        }
        expected = {
            owner: own.new_empty(*own.shape[:2], self._rows_of(owner, runs[self.team.rank]), own.shape[3])
            for owner, _, _ in runs[self.team.rank]
            if owner != self.team.rank
        }
        self.team.exchange(given, expected)
        taken = dict.fromkeys(expected, 0)
        pieces = [own[:, :, :0]]
        for owner, at, rows in runs[self.team.rank]:
            if owner != self.team.rank:
                at, taken[owner] = taken[owner], taken[owner] + rows
            pieces.append((own if owner == self.team.rank else expected[owner])[:, :, at : at + rows])
        return torch.cat(pieces, dim=2)

    def _return(self, own: Tensor, pulled: Tensor, runs: list[list[Run]]) -> None:
        """Apply the adjoint of `_fetch`: what all processes have for the rows that they fetched is added to `own`."""
        pieces: dict[int, list[Tensor]] = {}
        for (owner, _, _), piece in zip(
            runs[self.team.rank], pulled.split([rows for _, _, rows in runs[self.team.rank]], dim=2), strict=True
        ):
            pieces.setdefault(owner, []).append(piece)
        coming = {
            rank: self._rows_of(self.team.rank, wanted) for rank, wanted in enumerate(runs) if rank != self.team.rank
        }
        expected = {rank: own.new_empty(*own.shape[:2], rows, own.shape[3]) for rank, rows in coming.items() if rows}
        packed = {rank: torch.cat(some, dim=2) for rank, some in pieces.items()}
        found = dict(expected)
        if self.team.rank in packed:
            found[self.team.rank] = packed.pop(self.team.rank)
        self.team.exchange(packed, expected)
        for rank, wanted in enumerate(runs):  # in the order of processes, so that rounding does not depend on chance
            at = 0
            for owner, there, rows in wanted:
                if owner == self.team.rank:
                    own[:, :, there : there + rows] += found[rank][:, :, at : at + rows]
                    at += rows

    @staticmethod
    def _rows_of(owner: int, runs: list[Run]) -> int:
        return sum(rows for each, _, rows in runs if each == owner)
