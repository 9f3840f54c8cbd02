"""The content in the colours of the style: what a descent starts from."""

from __future__ import annotations

import torch
from torch import Tensor

from ..passes.layout import Layout
from ..pictures.recoloring import Colors, colors_of, recolor
from .regions import AnyStyle, Region, every_style
from .targets import ContentTarget


def colors_in(place: Layout, image: Tensor, weight: Tensor | None, device: torch.device) -> Colors | None:
    """Give the colours of pictures whose rows here are `image`; sums over processes go by way of `device`."""

    def add(sums: Tensor) -> Tensor:
        return sums if place.team.count == 1 else place.team.add(sums.to(device)).cpu()

    return colors_of(image, weight, add)


def knows_colors(style: AnyStyle | None) -> bool:
    """Tell whether there is a style, and every part of it knows its pictures' colours."""
    regions = list(every_style(style))
    return bool(regions) and all(region.style.colors is not None for region in regions)


def recolored(content: ContentTarget, style: AnyStyle, place: Layout, device: torch.device) -> Tensor:
    """Give the rows here of the content pictures, (N, 3, H, W) in [0, 1], in the colours of the style.

    Each region takes on the colours of its own style, by the mean and the covariance of what lies under its mask. Where masks
    overlap, their results are mixed; where there is none, the content stays as it is.
    """
    image = content.image.detach().to(device)
    new = image.clone(memory_format=torch.contiguous_format)
    regions = list(every_style(style))
    if len(regions) == 1 and regions[0].mask is None:
        return _each(new, None, regions[0], place, device)
    masks = [
        torch.ones_like(new[:1, :1]) if region.mask is None else place.stretch(region.mask.to(new), content.size)
        for region in regions
    ]
    total = torch.stack(torch.broadcast_tensors(*masks)).sum(0).clamp(min=1)
    for region, mask in zip(regions, masks, strict=True):
        fresh = image.clone(memory_format=torch.contiguous_format)
        new += (_each(fresh, mask, region, place, device) - image) * (mask / total)
    return new.clamp_(0, 1)


def _each(pictures: Tensor, mask: Tensor | None, region: Region, place: Layout, device: torch.device) -> Tensor:
    """Recolour each picture, in place, by its own colours under the mask."""
    wanted = region.style.colors
    assert wanted is not None  # noqa: S101 (`knows_colors` has been asked)
    for index in range(pictures.shape[0]):
        weight = None if mask is None else mask[index % mask.shape[0]][None]
        own = colors_in(place, pictures[index : index + 1], weight, device)
        if own is not None:
            recolor(pictures[index : index + 1], own, wanted)
    return pictures
