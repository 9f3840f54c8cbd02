"""One interface for every term of the loss: what a picture's pixels and features add to it.

A term adds up over the tiles of a picture. It may look at pixels, at features, or at sums over all positions:

    total = sum over terms of weight * (pixels + sum over tiles of features + penalty of the sums over all tiles)

A term of one's own is a subclass of `Term` with `of_pixels` or `of_features`; derivatives are taken by autograd. The
terms of this package write theirs by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from ..network.vgg import VGG
from ..passes.layout import Layout, Rings, Strip
from ..passes.tiles import Tile
from ..settings import check_weight
from ..targets.gram import accumulation_dtype
from ..targets.statistics import Statistic


@dataclass(frozen=True, eq=False)
class View:
    """The pixels that a term sees in one evaluation."""

    image: Tensor
    """The whole picture, (N, 3, h, W), sRGB in [0, 1], or the rows of it that this process has."""
    size: tuple[int, int]
    """The (height, width) of the whole picture."""
    around: Tensor
    """`image`, followed by the rows that its features see beyond it."""
    strip: Strip | None
    """Which rows of `around` count, where it is a part of the picture."""
    rings: Rings
    """Whether the upper and the lower edge of the picture are neighbours, and whether the left and the right one."""


@dataclass(frozen=True, eq=False)
class PixelLoss:
    """The value that a term has for pixels, and its gradient in them."""

    value: Tensor
    """The value of the rows here, (N,)."""
    gradient: Tensor
    """The gradient, of the shape of the pixels that were looked at; it is that of `smooth`, where that is given."""
    smooth: Tensor | None = None
    """The value with its kinks rounded off, (N,), by which a descent goes."""


class Term:
    """A term of the loss.

    Args:
        weight: its factor in the total, at least 0.

    Example:
        >>> class Brightness(gatys.Term):
        ...     name = "brightness"
        ...     def of_pixels(self, image):
        ...         return (image.mean(dim=(1, 2, 3)) - 0.5).square()
        >>> result = gatys.optimize(net, content=content, style=style, terms=[Brightness(weight=10.0)])
    """

    name: str = "term"
    """The name of the term among the losses; each term has a name of its own."""
    layers: Sequence[str] = ()
    """The canonical names of the layers whose features it sees."""
    gathers: bool = False
    """Whether it needs sums over the whole picture before the way back through the network: see `add`."""
    statistic: Statistic | None = None
    """The statistic that it sums, where that is one of a style."""
    held: float = 0.0
    """The number of values a pixel that it keeps of a tile between the way forward and that back: see `look`."""
    neighbours: bool = False
    """Whether its pixels look beyond the rows of a process: `of_pixels` is then given `View.around`."""

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    def __repr__(self) -> str:
        return f"{type(self).__name__}(weight={self.weight:g})"

    @property
    def additive(self) -> bool:
        """Tell whether its sums add up over tiles."""
        return self.statistic is None or self.statistic.additive

    def at(self, level: int, net: VGG, place: Layout) -> Term:
        """Give the term for one level of the picture; 0 is full size, each next is half.

        Args:
            level: the level.
            net: the network, on the device to work on.
            place: where the picture lies.
        """
        return self

    def alone(self, layer: str) -> Term:
        """Give the term with what one of its layers adds to it; with "" that of the pixels."""
        one = copy(self)
        one.layers = [layer] if layer else []
        return one

    def prepare(self, size: tuple[int, int]) -> None:
        """Get ready for an evaluation of a picture of `size` (height, width)."""

    # pixels

    def of_pixels(self, image: Tensor) -> Tensor | None:
        """Give the value of (N, 3, H, W) pixels, (N,), differentiable; None where it does not look at pixels."""
        return None

    def pixels(self, view: View) -> PixelLoss | None:
        """Give the value of pixels and its gradient, by autograd unless written by hand."""
        with torch.inference_mode(False), torch.enable_grad():
            image = (view.around if self.neighbours else view.image).detach().clone().requires_grad_()
            value = self.of_pixels(image)
            if value is None:
                return None
            (gradient,) = torch.autograd.grad(value.sum(), image)
        return PixelLoss(value.detach(), gradient)

    # sums over the whole picture

    def add(self, sums: dict[str, Tensor], layer: str, features: Tensor, part: Tile) -> None:
        """Add what a tile has of one layer to the sums over the picture, where the term `gathers`."""

    def fill(self, sums: dict[str, Tensor], count: int) -> None:
        """Add zeros for `count` pictures where no tile lay here."""

    def penalty(self, sums: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Give each layer's part of the value, (N,), and its derivative in the sums."""
        return {}, {}

    # features

    def look(self, layer: str, features: Tensor, part: Tile) -> None:
        """Keep what the way back needs of a tile, where `held` is above 0; `add` does so, too."""

    def let_go(self) -> None:
        """Forget what was kept, since the tile will be passed again."""

    def of_features(self, layer: str, features: Tensor, part: Tile) -> Tensor:
        """Give the value of one tile's features of a layer, (N,), differentiable; tiles add up.

        Args:
            layer: one of `layers`.
            features: (N, C, h, w), the tile's own part, without its halo; float32 or wider.
            part: the tile; `part.owned(net.layers[layer])` are the rows and columns of the whole layer that these are.
        """
        raise NotImplementedError(f"the term {self.name!r} reads layers, but has no of_features; write that method")

    def pull(
        self, layer: str, features: Tensor, part: Tile, derivatives: Mapping[str, Tensor], factor: float | Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """Give the value of a tile's features, and `factor` times its derivative in them.

        Args:
            layer, features, part: as for `of_features`, in whatever precision the network works.
            derivatives: in the sums of each layer, from `penalty`, with `factor` in them.
            factor: of the derivative.
        """
        wide = accumulation_dtype(features.dtype)
        with torch.inference_mode(False), torch.enable_grad():
            own = features.detach().clone().to(wide).requires_grad_()
            value = self.of_features(layer, own, part)
            (gradient,) = torch.autograd.grad(value.sum(), own)
        return value.detach(), (gradient * factor).to(features.dtype)

    def pull_onto(
        self,
        layer: str,
        features: Tensor,
        part: Tile,
        derivatives: Mapping[str, Tensor],
        factor: float | Tensor,
        onto: Tensor | None,
    ) -> tuple[Tensor | None, Tensor]:
        """Give what `pull` gives, and add the derivative in place to `onto`, where that is given."""
        value, pulled = self.pull(layer, features, part, derivatives, factor)
        return value, pulled if onto is None else onto.add_(pulled)

    def typical_pulls(
        self, sums: Mapping[str, Tensor], derivatives: Mapping[str, Tensor], factor: float
    ) -> list[Tensor]:
        """Estimate how large `pull` will be in each layer, for float16, whose range is narrow."""
        return []


def weigh(given: Mapping[str, float], terms: Sequence[Term]) -> dict[str, float]:
    """Give the weight of each term by its name, once it is known that they can be used."""
    for name, weight in given.items():
        check_weight(f"{name}_weight", weight)
    found = dict(given)
    for term in terms:
        if term.name in found:
            raise InputError(f"terms: {term.name!r} is the name of two terms; give one of them another name")
        check_weight(f"weight of the term {term.name}", term.weight)
        found[term.name] = term.weight
    return found
