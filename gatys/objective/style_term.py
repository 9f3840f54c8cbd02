"""The style term: it compares a picture's statistics with the style's (Gatys et al., CVPR 2016, equations 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy

from torch import Tensor

from ..passes.layout import WHOLE, Layout
from ..passes.tiles import Tile
from ..targets.across import Chain
from ..targets.gram import accumulation_dtype
from ..targets.regions import Region, region_weights
from ..targets.statistics import Statistic
from .term import Term

_TINY = 1e-12
"""The floor of a normaliser, for targets that are zero."""


class StyleTerm(Term):
    """The style term sum_l s_l penalty(G_l, A_l) of one region, or of the whole picture, for the style's statistic.

    With `normalize`, each layer's part is divided by the magnitude of A_l. `share` is a factor on all of it.
    """

    name = "style"
    gathers = True
    statistic: Statistic

    def __init__(
        self, region: Region, level: int, like: Tensor, place: Layout = WHOLE, weight: float = 1.0, share: float = 1.0
    ):
        super().__init__(weight)
        style, self._region, self._place = region.style, region, place
        wide = accumulation_dtype(like.dtype)
        self.statistic = style.statistic
        self.layers, self._table = list(style.layers), style.network.layers
        self._counted: Sequence[str] = self.layers
        self._targets = {name: style.values[level][name].to(like.device, wide) for name in self.layers}
        self._scale: dict[str, Tensor] = {}
        for name, target in self._targets.items():
            size = self.statistic.magnitude(target).clamp(min=_TINY) if style.normalize else target.new_ones(1)
            self._scale[name] = share * style.layers[name] / size
        self._size: tuple[int, int] | None = None
        self._chain = self._chain_of(self.layers)
        self.held = self._chain.held

    def _chain_of(self, layers: Iterable[str]) -> Chain:
        names = set(layers)
        return Chain(self.statistic, {name: layer for name, layer in self._table.items() if name in names})

    def alone(self, layer: str) -> StyleTerm:
        """Give the term with what one layer adds to it; across layers that is read at the layer before it, too."""
        one = copy(self)
        one._chain = self._chain_of(self._chain.up_to(layer))
        one.layers, one._counted, one.held = self._chain.up_to(layer), [layer], one._chain.held
        return one

    def prepare(self, size: tuple[int, int]) -> None:
        """Bring the region's guide to a picture of `size` (height, width)."""
        self.let_go()
        if size == self._size:
            return
        like = next(iter(self._targets.values()))
        self._weights = region_weights(self._region, size, like, self._place)
        self._mass: dict[str, Tensor | float] = {}
        for name in self.layers:
            if self._weights is None:
                self._mass[name] = (size[0] // self._table[name].stride) * (size[1] // self._table[name].stride)
            else:
                mass = self._place.team.add(self._weights[name].sum(dim=(2, 3)))
                self._mass[name] = mass.reshape(-1, *[1] * (self._targets[name].ndim - 1))
        self._size = size

    def _weight(self, name: str, part: Tile) -> Tensor | None:
        owned = (..., *part.owned(self._table[name]))
        return None if self._weights is None else self._weights[name][owned]

    def add(self, sums: dict[str, Tensor], layer: str, features: Tensor, part: Tile) -> None:
        """Add a tile's sum of one layer to that of the picture."""
        if layer not in self._counted:
            self._chain.look(layer, features, part)
            return
        found = self._chain.sums(layer, features, part, self._weight(layer, part))
        sums[layer] = sums[layer].add_(found) if layer in sums else found

    def look(self, layer: str, features: Tensor, part: Tile) -> None:
        """Keep what layers show to the ones after them, where the statistic is one across layers."""
        self._chain.look(layer, features, part)

    def let_go(self) -> None:
        """Forget that."""
        self._chain.let_go()

    def fill(self, sums: dict[str, Tensor], count: int) -> None:
        """Give layers of which no tile was added a sum of zeros, for `count` pictures."""
        for name, target in self._targets.items():
            if name not in sums:
                sums[name] = target.new_zeros(count, *target.shape[1:])

    def penalty(self, sums: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Give each layer's part of the value, (N,), and its derivative in the sums."""
        found = {
            name: self.statistic.derivative(sums[name], self._mass[name], self._targets[name], self._scale[name])
            for name in self._counted
        }
        return {name: value for name, (value, _) in found.items()}, {name: pull for name, (_, pull) in found.items()}

    def pull(
        self, layer: str, features: Tensor, part: Tile, derivatives: Mapping[str, Tensor], factor: float | Tensor
    ) -> tuple[None, Tensor]:
        """Give the derivative in a tile's own features of one layer; the value is that of `penalty`."""
        return self.pull_onto(layer, features, part, derivatives, factor, None)

    def pull_onto(
        self,
        layer: str,
        features: Tensor,
        part: Tile,
        derivatives: Mapping[str, Tensor],
        factor: float | Tensor,
        onto: Tensor | None,
    ) -> tuple[None, Tensor]:
        """Give what `pull` gives, in place where `onto` is given."""
        return None, self._chain.pull(layer, features, part, derivatives.get(layer), self._weight(layer, part), onto)

    def typical_pulls(
        self, sums: Mapping[str, Tensor], derivatives: Mapping[str, Tensor], factor: float
    ) -> list[Tensor]:
        """Estimate the derivative in each layer's features."""
        found = [self.statistic.typical_pull(pull, sums[name], self._mass[name]) for name, pull in derivatives.items()]
        return [size for size in found if size is not None]
