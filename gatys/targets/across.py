"""Statistics across layers: what a layer shows where the layer before it shows this or that.

Dots along a line, strokes along an edge: forms of which each is the texture of a larger one are told by no layer alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer
from ..passes.tiles import Tile
from .gram import cross_sum, gram_sum_gradient
from .moments import ExtendedGram
from .statistics import Statistic


class Across(ExtendedGram):
    """The covariance of neighbouring chosen layers, C = sum_i (f_i - m) (g_i - n)^T / M, and the product of their means.

    f are the features of the shallower layer, averaged over the cells of the deeper one's grid, g those of the deeper, m and
    n their means. Compared by (|C - C'|^2 + |m n^T - m' n'^T|^2) / (4 C_f C_g). The first chosen layer, which has none
    before it, is compared with itself, as by `Covariance`: it holds the colours. (Yeh and Tang, *Improved Style Transfer by
    Respecting Inter-layer Correlations*, 2018, arXiv:1801.01933, and with Bhattad and Forsyth, arXiv:1804.00118: there f is
    enlarged to g's grid or g to f's, and the second moments are compared.)
    """

    name = "across"

    def sums_across(self, before: Tensor, features: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give sum_i w_i (f_i, 1) (g_i, 1)^T, (N, C_f + 1, C_g + 1), of f (N, C_f, H, W) and g (N, C_g, H, W)."""
        cross = cross_sum(before, features, weight)
        found = cross.new_empty(cross.shape[0], cross.shape[1] + 1, cross.shape[2] + 1)
        found[:, :-1, :-1] = cross
        found[:, :-1, -1], found[:, -1, -1] = _first(before, weight, cross.dtype)
        found[:, -1, :-1] = _first(features, weight, cross.dtype)[0]
        return found

    def pull_across(
        self,
        before: Tensor,
        features: Tensor,
        derivative: Tensor,
        weight: Tensor | None = None,
        onto: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Give w_i (K^T f_i + k'), added to `onto` where that is given, and w_i (K g_i + k), of K, k and k' of the sums."""
        both, of_before, of_features = derivative[:, :-1, :-1], derivative[:, :-1, -1], derivative[:, -1, :-1]
        onto = gram_sum_gradient(before, both / 2, weight, onto)
        back = gram_sum_gradient(features, both.mT / 2, weight)
        for pulled, constant in ((onto, of_features), (back, of_before)):
            one = constant[..., None, None]
            pulled.add_((one if weight is None else one * weight).to(pulled.dtype))
        return onto, back

    def typical_pull(self, derivative: Tensor, sums: Tensor, mass: Tensor | float) -> Tensor:
        """Estimate the root mean square of what `pull_across` will give from the size of the derivative and the means."""
        size = derivative[:, :-1, :-1].flatten(1).norm(dim=1)
        means = sums / mass
        pulls = [_square(means[:, :-1, -1]).sqrt() / derivative.shape[2] ** 0.5]
        pulls += [_square(means[:, -1, :-1]).sqrt() / derivative.shape[1] ** 0.5]
        return (size * torch.stack(pulls)).amax()

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the squared distance of the covariances and that of the products of means, (N,)."""
        (spread, m, n), (wanted, wanted_m, wanted_n) = _parts(sums), _parts(target)
        # |m n^T - m' n'^T|^2, without the matrices
        means = _square(m) * _square(n) + _square(wanted_m) * _square(wanted_n)
        means = means - 2 * (m * wanted_m).sum(dim=1) * (n * wanted_n).sum(dim=1)
        return (_square(spread - wanted) + means.clamp(min=0)) / (4 * m.shape[1] * n.shape[1])

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the entries of C' and m' n'^T together, (1,)."""
        spread, m, n = _parts(target)
        return (_square(spread) + _square(m) * _square(n)) / (m.shape[1] * n.shape[1])


def _first(features: Tensor, weight: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Give sum_i w_i f_i, (N, C), and sum_i w_i, (1 or N,)."""
    if weight is None:
        count = torch.tensor([features.shape[2] * features.shape[3]], dtype=dtype, device=features.device)
        return features.sum(dim=(2, 3), dtype=dtype), count
    wide = weight.to(dtype)
    parts = zip(features, wide.expand(features.shape[0], -1, -1, -1), strict=True)
    return torch.stack([f.flatten(1).to(dtype) @ w.flatten() for f, w in parts]), wide.sum(dim=(1, 2, 3))


def _parts(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the covariance (N, C, D) and the means (N, C) and (N, D) of sums (N, C + 1, D + 1)."""
    m, n = sums[:, :-1, -1], sums[:, -1, :-1]
    return sums[:, :-1, :-1] - m[:, :, None] * n[:, None, :], m, n


def _square(values: Tensor) -> Tensor:
    return values.flatten(1).square().sum(dim=1)


def check_chain(statistic: Statistic, layers: Iterable[str]) -> None:
    """Raise InputError where a statistic across layers is given one layer only."""
    names = list(layers)
    if isinstance(statistic, Across) and len(names) == 1:
        raise InputError(
            f"statistic: {statistic.name!r} compares each layer of the style with the one before it, got {names[0]} alone; "
            "choose two layers or more, or another statistic"
        )


class Chain:
    """The sums of a statistic over the tiles of a picture, layer by layer as the network passes through them.

    Of a statistic across layers it keeps what each tile's layers show to the ones after them: `sums` and `look` on the
    way forward, `pull` on the way back. Others need nothing of the kind.

    Args:
        statistic: the statistic.
        layers: those that it is taken of, by their names, in the order of the network.
    """

    def __init__(self, statistic: Statistic, layers: Mapping[str, Layer]):
        self.statistic, self._layers = statistic, layers
        names = list(layers)
        pairs = list(pairwise(names)) if isinstance(statistic, Across) else []
        self._before, self._after = {g: f for f, g in pairs}, dict(pairs)
        self.held = sum(layers[f].channels / layers[g].stride ** 2 for f, g in pairs)
        """The number of values a pixel that are kept of a tile between the way forward and that back."""
        self.let_go()

    def up_to(self, name: str) -> list[str]:
        """Give a layer, after the one before it where the statistic is one across layers."""
        return [self._before[name], name] if name in self._before else [name]

    def let_go(self) -> None:
        """Forget what is kept of all tiles."""
        self._pieces: dict[str, list[Tensor]] = {name: [] for name in self._after}
        self._held: dict[tuple[str, Tile], Tensor] = {}
        self._pulled: dict[str, tuple[Tensor, Tile]] = {}

    def sums(self, name: str, features: Tensor, part: Tile, weight: Tensor | None, *, keep: bool = True) -> Tensor:
        """Give a tile's sums of one layer; the layers of a tile come in the order of the network.

        Without `keep` nothing is kept for the way back.
        """
        self.look(name, features, part)
        before = self._held.get((name, part)) if keep else self._held.pop((name, part), None)
        if before is None:
            return self.statistic.sums(features, weight)
        return self._across.sums_across(before, features, weight)

    def no_sums(self, like: Tensor, name: str) -> Tensor:
        """Give the sums of one layer over no positions."""
        nothing = [
            like.new_zeros(1, self._layers[each].channels, 0, 1) for each in (self._before.get(name), name) if each
        ]
        return self.statistic.sums(*nothing) if len(nothing) == 1 else self._across.sums_across(*nothing)

    def look(self, name: str, features: Tensor, part: Tile) -> None:
        """Keep what `pull` will need of a tile, or a band of it, and what the layer after this one will."""
        if name in self._before:
            before, self._pieces[self._before[name]] = self._pieces[self._before[name]], []
            stride = self._layers[self._before[name]].stride
            done = _first_step(stride, self._layers[name].stride)
            rest = self._layers[name].stride // (stride * done)
            self._held[name, part] = _means(before[0] if len(before) == 1 else torch.cat(before, dim=2), rest)
        if name in self._after:
            own, after = self._layers[name], self._layers[self._after[name]]
            self._pieces[name].append(_means(features, _first_step(own.stride, after.stride)))

    def pull(
        self,
        name: str,
        features: Tensor,
        part: Tile,
        derivative: Tensor | None,
        weight: Tensor | None,
        onto: Tensor | None,
    ) -> Tensor:
        """Give what `Statistic.pull` gives, with what the layer after this one pulls at it; deeper layers come first.

        Without a derivative only the latter.
        """
        before = self._held.pop((name, part), None)
        if derivative is not None and before is not None:
            onto, back = self._across.pull_across(before, features, derivative, weight, onto)
            self._pulled[self._before[name]] = back, part
        elif derivative is not None:
            onto = self.statistic.pull(features, derivative, weight, onto)
        assert onto is not None  # noqa: S101 (the layer after one without a derivative has pulled before)
        if name in self._pulled:
            self._spread(name, part, onto)
        return onto

    @property
    def _across(self) -> Across:
        assert isinstance(self.statistic, Across)  # noqa: S101 (no other has layers before others)
        return self.statistic

    def _spread(self, name: str, part: Tile, onto: Tensor) -> None:
        """Add to the derivative in a layer's features that in their means over the cells of the layer after it."""
        pulled, there = self._pulled[name]
        own, after = self._layers[name], self._layers[self._after[name]]
        ratio = after.stride // own.stride
        first = there.owned(after)[0].start
        rows = torch.arange(part.owned(own)[0].start, part.owned(own)[0].stop) // ratio - first
        rows = rows[rows < pulled.shape[2]]
        columns = pulled.shape[3] * ratio
        # each mean's share goes to all of its positions, without a copy of them along the rows
        cells = onto[:, :, : len(rows), :columns].unflatten(3, (-1, ratio))
        cells += (pulled[:, :, rows.to(pulled.device)] / ratio**2)[..., None]


def _first_step(stride: int, after: int) -> int:
    """Give the edge of the cells whose means may be taken in bands, which begin at even rows of the first block."""
    return min(2, after // stride) if stride == 1 else after // stride


def _means(features: Tensor, edge: int) -> Tensor:
    """Give the means of the cells of edge x edge positions; those that the end cuts are left out."""
    n, channels, height, width = features.shape
    if edge == 1:
        return features.clone()
    if height < edge:  # PyTorch does not pool to nothing
        return features.new_empty(n, channels, 0, width // edge)
    return F.avg_pool2d(features, edge)
