"""The Laplacian term: it keeps the lines of the content, such as eyes and edges, at the pixels themselves."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..passes.layout import WHOLE, Layout, Rings
from ..settings import rings as rings_of
from ..targets.levels import level_size
from ..targets.targets import ContentTarget
from .term import PixelLoss, Term, View

POOLS = (4, 16)
"""The edges of the cells in pixels: the paper's, and divisors of what the rows of processes are multiples of."""
_FLOOR = (1 / 255) ** 2
"""The floor of a normaliser, for contents without lines: the square of one level of an 8-bit picture."""


def overlap(halves: Tensor, *, rings: Rings = (False, False)) -> Tensor:
    """Give the mean of each two neighbours along both axes: cells that overlap by half, from the means of their quarters.

    Along axes that are `rings` opposite edges are neighbours; along others there is one less.
    """
    for axis in (-2, -1):
        if rings[axis]:
            halves = (halves + halves.roll(-1, axis)) / 2
            continue
        count = halves.shape[axis] - 1
        halves = (halves.narrow(axis, 0, count) + halves.narrow(axis, 1, count)) / 2
    return halves


def overlap_adjoint(cells: Tensor, *, rings: Rings = (False, False)) -> Tensor:
    """Give the adjoint of `overlap`: the derivative in the means of quarters, of one in the cells."""
    for axis in (-2, -1):
        if rings[axis]:
            cells = (cells + cells.roll(1, axis)) / 2
            continue
        none = torch.zeros_like(cells.narrow(axis, 0, 1))
        cells = (torch.cat([cells, none], dim=axis) + torch.cat([none, cells], dim=axis)) / 2
    return cells


def laplacian(cells: Tensor, *, rings: Rings = (False, False)) -> Tensor:
    """Give the sum of each cell's differences to those it has next to it, up to four, of (..., H, W) cells.

    The cells overlap by half, so that those next to one another are two apart. The map is its own adjoint. Along
    axes that are `rings` opposite edges are neighbours.
    """
    found = torch.zeros_like(cells)
    for axis in (-2, -1):
        if rings[axis]:
            step = cells.roll(-2, axis) - cells
            found += step.roll(2, axis) - step
        elif (count := cells.shape[axis] - 2) > 0:
            step = cells.narrow(axis, 2, count) - cells.narrow(axis, 0, count)
            found.narrow(axis, 2, count).add_(step)
            found.narrow(axis, 0, count).sub_(step)
    return found


class LaplacianTerm(Term):
    """The Laplacian term sum_p mean(t (L_p(x) - L_p(c))^2) / mean(L_p(c)^2) over cells of 4 and of 16 pixels.

    L_p(x) is the `laplacian` of the means of x over channels and cells of p x p pixels, c the content, t its mask. (Li, Xu,
    Nie and Chua, *Laplacian-Steered Neural Style Transfer*, ACM Multimedia 2017, equations 3 and 4: there it is a plain sum
    over channels and cells. Here the content's own mean square divides it, so that weights mean the same at every size and
    for every photograph, and cells overlap by half, or they are seen as squares.) What is left of the picture behind the
    last half cell is left out, and so are cells larger than the picture.
    """

    name = "laplacian"

    def __init__(
        self, content: ContentTarget | None, level: int, like: Tensor, place: Layout = WHOLE, weight: float = 1.0
    ):
        super().__init__(weight)
        if content is None:
            raise InputError(
                f"laplacian_weight: expected content, whose lines it keeps, beside a weight of {weight:g}, got none; give "
                "content, or leave it out"
            )
        self._size, self._place, self._rings = level_size(content.size, level), place, rings_of(content.padding)
        how = partial(place.resize, size=content.size, to=self._size, rings=self._rings)
        picture = how(content.image.to(like))
        mask = None if content.mask is None else how(content.mask.to(like))
        self._targets: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        for pool in POOLS:
            if min(self._size) < pool:
                continue
            halves = self._halves(picture, pool)
            cells = overlap(halves, rings=self._rings)
            size = laplacian(cells, rings=self._rings).square().mean(dim=(1, 2, 3)).clamp_(min=_FLOOR)
            guide = torch.ones_like(cells[:1]) if mask is None else overlap(self._halves(mask, pool), rings=self._rings)
            self._targets[pool] = halves, guide, size * cells[0].numel()

    def _rows(self, pool: int) -> tuple[int, int]:
        """Give the first row of half cells that is this process's, and the one after its last."""
        first, last = self._place.rows(self._size)
        return 2 * first // pool, 2 * last // pool

    def _halves(self, here: Tensor, pool: int) -> Tensor:
        """Give the means of squares of half a cell's edge, (N, 1, 2 H // p, 2 W // p), of the whole picture.

        Args:
            here: the (N, C, h, W) rows here.
            pool: p.
        """
        first, last = self._rows(pool)
        own, edge = here.mean(dim=1, keepdim=True), pool // 2
        own = F.avg_pool2d(own, edge) if first < last else own.new_empty(here.shape[0], 1, 0, self._size[1] // edge)
        if self._place.whole:
            return own
        whole = own.new_zeros(here.shape[0], 1, self._size[0] // edge, self._size[1] // edge)
        whole[:, :, first:last] = own
        return self._place.team.add(whole)

    def pixels(self, view: View) -> PixelLoss:
        """Give the value of the rows here, and its gradient in them."""
        image, rings = view.image, self._rings
        value, gradient = image.new_zeros(image.shape[0]), torch.zeros_like(image)
        for pool, (target, guide, scale) in self._targets.items():
            own, edge = slice(*self._rows(pool)), pool // 2
            found = laplacian(overlap(self._halves(image, pool) - target, rings=rings), rings=rings)
            pull = guide * found
            value = value + (pull * found)[:, :, own].sum(dim=(1, 2, 3)) / scale
            factor = 2 / (image.shape[1] * edge**2) / scale.reshape(-1, 1, 1, 1)
            pulled = overlap_adjoint(laplacian(pull, rings=rings) * factor, rings=rings)[:, :, own]
            rows, columns = pulled.shape[2] * edge, pulled.shape[3] * edge
            # each mean's share goes to all of its pixels, without a copy of them
            squares = gradient[:, :, :rows, :columns].unflatten(3, (-1, edge)).unflatten(2, (-1, edge))
            squares += pulled[:, :, :, None, :, None]
        return PixelLoss(value, gradient)
