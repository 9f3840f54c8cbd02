"""Loss and gradient of a picture against its targets.

    total = content_weight * sum_l c_l mean((F_l - P_l)^2)
          + style_weight   * sum_l s_l sum((G_l / M_l - A_l / M'_l)^2) / (4 N_l^2)
          + tv_weight      * tv

With pictures of equal size the style term is the paper's E_l (Gatys et al., CVPR 2016, equation 4); the content
term is its equation 1 as a mean instead of half a sum, so that the balance does not change with the resolution.

Everything is a function of sums over positions, which add up over tiles: pass 1 adds the Gram sums, the penalty's
derivative in them is one small matrix a layer, and pass 2 pulls that matrix back tile by tile. The gradient is
exact, whatever the tiles. With one tile the features of pass 1 are kept and there is no second forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .gram import accumulation_dtype, gram_sum, gram_sum_gradient
from .pyramid import level_size
from .targets import ContentTarget, StyleTarget, check_network, common_levels
from .tiles import Tile, tiles
from .vgg import LAYERS, VGG19, check_image

CONTENT_WEIGHT = 0.01
STYLE_WEIGHT = 1.0
TV_WEIGHT = 0.0

_TINY = 1e-12
"""Floor of a normaliser, for targets that are constant or zero."""


def total_variation(image: Tensor) -> tuple[Tensor, Tensor]:
    """Smoothness of pictures: squared differences of neighbours, summed and divided by the number of values.

    (Mahendran and Vedaldi, CVPR 2015, with exponent 2.)

    Args:
        image: (N, 3, H, W).

    Returns:
        The value of each picture, (N,), and its gradient, (N, 3, H, W).
    """
    count = image[0].numel()
    gradient = torch.zeros_like(image)
    value = image.new_zeros(image.shape[0])
    for axis in (-2, -1):
        step = image.diff(dim=axis)
        value = value + step.square().sum(dim=(1, 2, 3)) / count
        step = step * (2 / count)
        length = image.shape[axis]
        gradient.narrow(axis, 1, length - 1).add_(step)
        gradient.narrow(axis, 0, length - 1).sub_(step)
    return value, gradient


@dataclass(frozen=True)
class Terms:
    """Of each picture of a batch, (N,): the unweighted terms and their weighted total."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor

    def sums(self) -> dict[str, float]:
        """Each term summed over the batch."""
        return {name: float(getattr(self, name).sum()) for name in ("total", "content", "style", "tv")}


class Objective:
    """The loss of pictures against targets, and its gradient.

    Args:
        net: the network that the targets were extracted with.
        content: what should be seen; None leaves it out (texture synthesis).
        style: how it should be painted; None leaves it out (reconstruction of the content).
        content_weight: alpha, factor of the content term.
        style_weight: beta, factor of the style term.
        tv_weight: factor of the smoothness term.
        level: which level of the targets to work on; 0 is full size.

    Raises:
        ValueError: with no target, with targets of another network or of different numbers of levels, and for
            weights that are negative or not finite.
    """

    def __init__(
        self,
        net: VGG19,
        *,
        content: ContentTarget | None = None,
        style: StyleTarget | None = None,
        content_weight: float = CONTENT_WEIGHT,
        style_weight: float = STYLE_WEIGHT,
        tv_weight: float = TV_WEIGHT,
        level: int = 0,
    ):
        levels = common_levels(content, style)
        if not 0 <= level < levels:
            raise ValueError(f"level: expected 0 to {levels - 1}, got {level}")
        for name, weight in (
            ("content_weight", content_weight),
            ("style_weight", style_weight),
            ("tv_weight", tv_weight),
        ):
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{name}: expected a finite number of at least 0, got {weight!r}")
        for target, what in ((content, "content"), (style, "style")):
            if target is not None:
                check_network(net, target, what)
        self.net = net
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        self.size = None if content is None else level_size(content.size, level)
        self.count = None if content is None else content.image.shape[0]
        self.content_layers = {} if content is None else content.layers
        self.style_layers = {} if style is None else style.layers
        self.layers = [name for name in LAYERS if name in self.content_layers or name in self.style_layers]
        self._features = {} if content is None else content.features[level]
        self._guides = None if content is None or content.guides is None else content.guides[level]
        self._grams, self._gram_scale, self._content_scale = {}, {}, {}
        wide = accumulation_dtype(net.mean.dtype)
        for name in self.style_layers:
            gram = style.grams[level][name].to(net.mean.device, wide)
            self._grams[name] = gram
            mean_square = gram.square().mean(dim=(1, 2)).clamp_(min=_TINY) if style.normalize else gram.new_ones(1)
            self._gram_scale[name] = self.style_layers[name] / (4 * gram.shape[-1] ** 2 * mean_square)
        for name, target in self._features.items():
            variance = torch.ones(1, dtype=wide)
            if content.normalize:
                variance = target.to(wide).var(dim=(2, 3), correction=0).mean(dim=1).clamp_(min=_TINY)
            self._content_scale[name] = (self.content_layers[name] / variance).to(net.mean.device)

    def evaluate(self, image: Tensor, tile: int | None = None) -> tuple[dict[str, float], Tensor]:
        """Losses and gradient of `image` at this level.

        Args:
            image: (N, 3, H, W), sRGB in [0, 1]; H and W those of the content target's level.
            tile: edge of the tiles in pixels that the picture is cut into, to bound the memory; None for no cutting.
                The result is the same up to rounding.

        Returns:
            `{"total", "content", "style", "tv"}`: terms before weighting, the total after it, each summed over the
            batch; and the gradient of the total, (N, 3, H, W). The pictures of a batch do not influence each other.

        Raises:
            ValueError: for a picture of the wrong shape, size or values, or a tile below the deepest stride.
        """
        check_image(image, self.layers)
        terms, gradient = self.terms(image, tile)
        return terms.sums(), gradient

    def terms(self, image: Tensor, tile: int | None = None) -> tuple[Terms, Tensor]:
        """As `evaluate`, without checking the pixels, and the losses of each picture left on the device."""
        image = image.detach()
        size = tuple(image.shape[-2:])
        if self.size is not None and size != self.size:
            raise ValueError(
                f"image: {size[1]} x {size[0]} pixels, but the content target is {self.size[1]} x {self.size[0]}; resize one of them"
            )
        if self.count not in (None, 1, image.shape[0]):
            raise ValueError(
                f"image: {image.shape[0]} pictures, but the content target has {self.count}; give as many, or take one of them"
            )
        value, gradient = total_variation(image)
        gradient *= self.tv_weight
        parts = tiles(size, tile, self.layers)
        if len(parts) == 1:
            window = image.requires_grad_()
            with torch.enable_grad():
                features = self.net(window, self.layers)
            style, pulls = self._penalty({name: gram_sum(features[name].detach()) for name in self.style_layers}, size)
            content = self._pull_back(window, features, parts[0], pulls, size, gradient)
        else:
            style, pulls = self._penalty(self._gram_sums(image, parts), size)
            content = value.new_zeros(value.shape, dtype=accumulation_dtype(value.dtype))
            for part in parts:
                window = image[(..., *part.window)].detach().requires_grad_()
                with torch.enable_grad():
                    features = self.net(window, self.layers)
                content = content + self._pull_back(window, features, part, pulls, size, gradient)
        total = self.content_weight * content + self.style_weight * style + self.tv_weight * value
        return Terms(total, content, style, value), gradient

    @torch.no_grad()
    def _gram_sums(self, image: Tensor, parts: list[Tile]) -> dict[str, Tensor]:
        """Pass 1: the Gram sums of the whole picture, added up over the tiles' cores."""
        sums: dict[str, Tensor] = {}
        if not self.style_layers:
            return sums
        for part in parts:
            features = self.net(image[(..., *part.window)], self.style_layers)
            for name, f in features.items():
                gram = gram_sum(part.crop(f, name))
                sums[name] = sums[name].add_(gram) if name in sums else gram
        return sums

    def _penalty(self, sums: dict[str, Tensor], size: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        """The style term of each picture, (N,), and the weighted derivative in each layer's Gram sum, (N, C, C)."""
        value = self.net.mean.new_zeros(1, dtype=accumulation_dtype(self.net.mean.dtype))
        pulls = {}
        for name in self.style_layers:
            stride = LAYERS[name].stride
            positions = (size[0] // stride) * (size[1] // stride)
            difference = sums[name] / positions - self._grams[name]
            scale = self._gram_scale[name]
            value = value + scale * difference.square().sum(dim=(1, 2))
            pulls[name] = difference * (2 * self.style_weight / positions * scale).reshape(-1, 1, 1)
        return value, pulls

    def _pull_back(
        self,
        window: Tensor,
        features: dict[str, Tensor],
        part: Tile,
        pulls: dict[str, Tensor],
        size: tuple[int, int],
        gradient: Tensor,
    ) -> Tensor:
        """Pass 2 for one tile: add its gradient in place; return its part of the content term of each picture."""
        content = torch.zeros(window.shape[0], device=window.device, dtype=accumulation_dtype(window.dtype))
        outputs, cotangents = [], []
        for name in self.layers:
            core = part.crop(features[name], name)
            f = core.detach()
            cotangent = gram_sum_gradient(f, pulls[name]) if name in pulls else None
            if name in self.content_layers:
                term, pull = self._content(name, f, part, size)
                content = content + term
                cotangent = pull if cotangent is None else cotangent.add_(pull)
            outputs.append(core)
            cotangents.append(cotangent)
        if outputs:
            (pulled,) = torch.autograd.grad(outputs, window, cotangents)
            gradient[(..., *part.window)] += pulled
        return content

    def _content(self, name: str, f: Tensor, part: Tile, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """A tile's part of one layer's content term, (N,), and its weighted derivative in the features."""
        stride = LAYERS[name].stride
        values = f.shape[1] * (size[0] // stride) * (size[1] // stride)
        owned = (..., *part.owned(name))
        difference = f - self._features[name][owned].to(f)
        pull = difference
        if self._guides is not None:
            pull = difference * self._guides[name][owned].to(f)
        scale = self._content_scale[name] / values
        wide = accumulation_dtype(f.dtype)
        term = scale * torch.linalg.vecdot(pull.flatten(1).to(wide), difference.flatten(1).to(wide))
        return term, pull * (2 * self.content_weight * scale.reshape(-1, 1, 1, 1)).to(f)
