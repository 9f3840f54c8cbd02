"""The terms of the objective, each as sums over positions that can be taken tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.layers import LAYERS
from ..passes.adjoints import portions
from ..passes.layout import WHOLE, Layout
from ..passes.tiles import Tile
from ..pictures.conversion import as_picture
from ..targets.gram import accumulation_dtype, gram_sum, gram_sum_gradient
from ..targets.levels import level_size
from ..targets.regions import Region, region_weights
from ..targets.targets import ContentTarget

_AT_A_TIME = 2**22
"""Values of a map of which wider copies are made at a time."""
_TINY = 1e-12
"""Floor of a normaliser, for targets that are constant or zero."""


@dataclass(frozen=True, eq=False)
class TemporalTarget:
    """A picture to stay near, such as the last frame's result moved along with the scene.

    (Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, equation 7.)
    """

    image: Tensor
    """(1 or N, 3, H, W), sRGB in [0, 1], whole, resized to each level; given as for `extract_content`."""
    mask: Tensor | None = None
    """(1 or N, 1, H, W) in [0, 1], resized likewise: 1 where `image` can be trusted, 0 where nothing is known."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", as_picture(self.image, "temporal image"))


class TemporalTerm:
    """mean(mask * (x - image)^2) over pixels and channels, at the size of the picture."""

    def __init__(self, target: TemporalTarget, place: Layout = WHOLE):
        self._target, self._place = target, place
        self._at: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {}

    def __call__(self, image: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Of the rows here of a picture of `size`: their part of each picture's value, (N,), and the gradient in them."""
        if size not in self._at:
            mask = self._target.mask
            small = None if mask is None else self._place.stretch(mask, size).to(image)
            self._at = {size: (self._place.stretch(self._target.image, size).to(image), small)}
        near, mask = self._at[size]
        difference = image - near
        pull = difference if mask is None else difference * mask
        count = image.shape[1] * size[0] * size[1]
        return (pull * difference).sum(dim=(1, 2, 3)) / count, pull * (2 / count)


class StyleTerm:
    """sum_l s_l |G_l - A_l|^2 / (4 N_l^2) of one region, or of the whole picture.

    With `normalize`, each layer's part is divided by the mean square of A_l.
    """

    def __init__(self, region: Region, level: int, like: Tensor, place: Layout = WHOLE):
        style, self._place = region.style, place
        wide = accumulation_dtype(like.dtype)
        self.layers = list(style.layers)
        self._region = region
        self._grams = {name: style.grams[level][name].to(like.device, wide) for name in self.layers}
        self._scale: dict[str, Tensor] = {}
        for name, gram in self._grams.items():
            mean_square = gram.square().mean(dim=(1, 2)).clamp_(min=_TINY) if style.normalize else gram.new_ones(1)
            self._scale[name] = style.layers[name] / (4 * gram.shape[-1] ** 2 * mean_square)
        self._size: tuple[int, int] | None = None

    def prepare(self, size: tuple[int, int]) -> None:
        """Bring the region's guide to a picture of `size` (height, width)."""
        if size == self._size:
            return
        like = next(iter(self._grams.values()))
        self._weights = region_weights(self._region, size, like, self._place)
        self._mass = {
            name: (size[0] // LAYERS[name].stride) * (size[1] // LAYERS[name].stride)
            if self._weights is None
            else self._place.add(self._weights[name].sum(dim=(2, 3)))[..., None]
            for name in self.layers
        }
        self._size = size

    def _weight(self, name: str, part: Tile) -> Tensor | None:
        return None if self._weights is None else self._weights[name][(..., *part.owned(name))]

    def add(self, sums: dict[str, Tensor], name: str, core: Tensor, part: Tile) -> None:
        """Add a tile's Gram sum of one layer to that of the picture."""
        gram = gram_sum(core, self._weight(name, part))
        sums[name] = sums[name].add_(gram) if name in sums else gram

    def fill(self, sums: dict[str, Tensor], count: int) -> None:
        """Give layers of which no tile was added a sum of zeros, for `count` pictures."""
        for name, gram in self._grams.items():
            if name not in sums:
                sums[name] = gram.new_zeros(count, *gram.shape[1:])

    def penalty(self, sums: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Each layer's part of the term of each picture, (N,), and its derivative in the Gram sum, (N, C, C)."""
        values, pulls = {}, {}
        for name in self.layers:
            difference = sums[name] / self._mass[name] - self._grams[name]
            scale = self._scale[name].reshape(-1, 1, 1)
            values[name] = (scale * difference.square()).sum(dim=(1, 2))
            pulls[name] = difference * (2 * scale / self._mass[name])
        return values, pulls

    def typical_pulls(self, sums: Mapping[str, Tensor], pulls: Mapping[str, Tensor]) -> list[Tensor]:
        """Root mean square of the derivative in each layer's features: of 2 K f, since sum_i |K f_i|^2 = tr(K G K)."""
        sizes = []
        for name, pull in pulls.items():
            largest = pull.abs().amax().clamp(min=torch.finfo(pull.dtype).tiny)
            k = pull / largest
            square = ((k @ sums[name]) * k).sum(dim=(1, 2), keepdim=True) / (k.shape[-1] * self._mass[name])
            sizes.append(2 * largest * square.amax().clamp(min=0).sqrt())
        return sizes

    def pull(self, name: str, core: Tensor, pulls: Mapping[str, Tensor], part: Tile, onto: Tensor | None) -> Tensor:
        """The derivative in a tile's own features of one layer, added to `onto` in place where that is given."""
        return gram_sum_gradient(core, pulls[name], self._weight(name, part), onto)


class ContentTerm:
    """sum_l c_l mean(t_l (F_l - P_l)^2), t_l = 1 without a mask.

    With `normalize`, each layer's part is divided by the spatial variance of P_l.
    """

    def __init__(self, content: ContentTarget, level: int, like: Tensor, place: Layout = WHOLE):
        size = level_size(content.size, level)
        wide = accumulation_dtype(like.dtype)
        self.layers = list(content.layers)
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
            layer = LAYERS[name]
            values = layer.channels * (size[0] // layer.stride) * (size[1] // layer.stride)
            self._scale[name] = (content.layers[name] / values / variance).to(like.device)

    def pull(self, name: str, core: Tensor, part: Tile, factor: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
        """A tile's part of one layer's term, (N,), and `factor` times the derivative in the tile's own features."""
        target, guide = self._owned(name, core, part)
        difference = core - target
        pull = difference if guide is None else difference * guide
        scale, wide = self._scale[name], accumulation_dtype(core.dtype)
        slope = (2 * scale * factor).reshape(-1, 1, 1, 1)
        value = torch.zeros_like(scale)
        for some, other in portions(pull, difference, most=_AT_A_TIME):
            some_wide = some.to(wide)
            value = value + scale * (some_wide * other).sum(dim=(1, 2, 3))
            some.copy_(some_wide.mul_(slope))
        return value, pull

    def _owned(self, name: str, core: Tensor, part: Tile) -> tuple[Tensor, Tensor | None]:
        """A tile's part of the target and its guides as `core` is, of which only a whole picture's is kept there."""
        target, owned = self._features[name], (..., *part.owned(name))
        whole, found = core.shape[-2:] == target.shape[-2:], self._here.pop(name, None)
        if not whole or found is None or found[0].dtype != core.dtype:
            found = target[owned].to(core), None if self._guides is None else self._guides[name][owned].to(core)
        if whole:
            self._here[name] = found
        return found

    def typical_pulls(self, factor: float) -> list[Tensor]:
        """How large `factor` times the derivative is in each layer, while the difference is as large as the target."""
        if not self._typical:
            for name, target in self._features.items():
                self._typical[name] = target.to(torch.float32).square().mean().sqrt().to(self._scale[name])
        return [2 * factor * (self._scale[name] * self._typical[name]).amax() for name in self.layers]
