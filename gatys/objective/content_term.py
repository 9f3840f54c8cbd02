"""The content term: it compares a picture's features with the content's (Gatys et al., CVPR 2016, equation 1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..passes.adjoints import portions
from ..passes.layout import WHOLE, Layout
from ..passes.tiles import Tile
from ..targets.gram import accumulation_dtype
from ..targets.levels import level_size
from ..targets.targets import ContentTarget
from .term import Term

_AT_A_TIME = 2**22
"""The number of values of a map of which wider copies are made at a time."""
_TINY = 1e-12
"""The floor of a normaliser, for targets that are constant or zero."""


class ContentTerm(Term):
    """The content term sum_l c_l mean(t_l (F_l - P_l)^2), with t_l = 1 without a mask.

    With `normalize`, each layer's part is divided by the spatial variance of P_l.
    """

    name = "content"

    def __init__(self, content: ContentTarget, level: int, like: Tensor, place: Layout = WHOLE, weight: float = 1.0):
        super().__init__(weight)
        size = level_size(content.size, level)
        wide = accumulation_dtype(like.dtype)
        self.layers, self._table = list(content.layers), content.network.layers
        self._features = content.features[level]
        self._guides = None if content.guides is None else content.guides[level]
        self._here: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._scale: dict[str, Tensor] = {}
        self._typical: dict[str, Tensor] = {}
        for name, target in self._features.items():
            variance = torch.ones(1, dtype=wide)
            if content.normalize:
                channels = [place.variance(some.to(wide)) for some in target.split(32, dim=1)]
                variance = torch.cat(channels, dim=1).mean(dim=1).clamp_(min=_TINY)
            layer = self._table[name]
            values = layer.channels * (size[0] // layer.stride) * (size[1] // layer.stride)
            self._scale[name] = (content.layers[name] / values / variance).to(like.device)

    def pull(
        self, layer: str, features: Tensor, part: Tile, derivatives: Mapping[str, Tensor], factor: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give a tile's part of one layer's value, (N,), and `factor` times the derivative in its features."""
        target, guide = self._owned(layer, features, part)
        difference = features - target
        pull = difference if guide is None else difference * guide
        scale, wide = self._scale[layer], accumulation_dtype(features.dtype)
        slope = (2 * scale * factor).reshape(-1, 1, 1, 1)
        value = torch.zeros_like(scale)
        for some, other in portions(pull, difference, most=_AT_A_TIME):
            some_wide = some.to(wide)
            value = value + scale * (some_wide * other).sum(dim=(1, 2, 3))
            some.copy_(some_wide.mul_(slope))
        return value, pull

    def _owned(self, name: str, core: Tensor, part: Tile) -> tuple[Tensor, Tensor | None]:
        """Give a tile's part of target and guides in the form of `core`; only that of a whole picture is kept there."""
        target, owned = self._features[name], (..., *part.owned(self._table[name]))
        whole, found = core.shape[-2:] == target.shape[-2:], self._here.pop(name, None)
        if not whole or found is None or found[0].dtype != core.dtype:
            found = target[owned].to(core), None if self._guides is None else self._guides[name][owned].to(core)
        if whole:
            self._here[name] = found
        return found

    def typical_pulls(
        self, sums: Mapping[str, Tensor], derivatives: Mapping[str, Tensor], factor: float
    ) -> list[Tensor]:
        """Estimate the derivative of each layer while the difference is as large as the target."""
        if not self._typical:
            for name, target in self._features.items():
                self._typical[name] = target.to(torch.float32).square().mean().sqrt().to(self._scale[name])
        return [2 * factor * (self._scale[name] * self._typical[name]).amax() for name in self.layers]
