"""The temporal term: it keeps a picture near another, such as the last frame of a film moved along with the scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ..passes.layout import WHOLE, Layout
from ..pictures.checks import check_range, shape_of
from ..pictures.conversion import as_picture
from .term import PixelLoss, Term, View


@dataclass(frozen=True, eq=False)
class TemporalTarget:
    """A picture to stay near, such as the last frame's result moved along with the scene.

    (Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, equation 7.)

    Example:
        >>> near = gatys.TemporalTarget(previous, mask=trusted)
        >>> result = gatys.optimize(net, content=content, style=style, temporal=near)
    """

    image: Tensor
    """The picture, (1 or N, 3, H, W), sRGB in [0, 1], whole, resized to each level; given as for `extract_content`."""
    mask: Tensor | None = None
    """The trust in each pixel, (1 or N, 1, H, W) in [0, 1], resized likewise: 1 where `image` can be trusted, 0 where
    nothing is known."""

    def __repr__(self) -> str:
        return f"TemporalTarget({shape_of(self.image)}{'' if self.mask is None else ', with a mask'})"

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", as_picture(self.image, "temporal image"))
        if self.mask is not None:
            check_range(self.mask, "temporal mask")


class TemporalTerm(Term):
    """The temporal term mean(mask * (x - image)^2) over pixels and channels, at the size of the picture."""

    name = "temporal"

    def __init__(self, target: TemporalTarget, place: Layout = WHOLE, weight: float = 1.0):
        super().__init__(weight)
        self._target, self._place = target, place
        self._at: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {}

    def pixels(self, view: View) -> PixelLoss:
        """Give the value of the rows here, and its gradient in them."""
        image, size = view.image, view.size
        if size not in self._at:
            mask = self._target.mask
            stretch = partial(self._place.stretch, to=size, rings=view.rings)
            self._at = {
                size: (stretch(self._target.image).to(image), None if mask is None else stretch(mask).to(image))
            }
        near, mask = self._at[size]
        difference = image - near
        pull = difference if mask is None else difference * mask
        count = image.shape[1] * size[0] * size[1]
        return PixelLoss((pull * difference).sum(dim=(1, 2, 3)) / count, pull * (2 / count))
