"""Recolouring: a picture takes on the mean and the covariance of other colours, a block of rows at a time.

This is the linear transfer of `colors.match_colors` with the symmetric root, from sums that strips of a picture can add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from .colors import transfer

MOST_GAIN = 3.0
"""The largest factor on a difference of colours, so that the noise of a pale or foggy picture is not blown up."""
_BLOCK = 2**20
"""The number of pixels that are worked on at a time; not all of them need to be there in float64."""


class Colors(NamedTuple):
    """The colours of pictures, float64 in main memory."""

    mean: Tensor
    """(3,)"""
    covariance: Tensor
    """(3, 3)"""


def colors_of(
    image: Tensor, weight: Tensor | None = None, add: Callable[[Tensor], Tensor] = lambda sums: sums
) -> Colors | None:
    """Give the colours of pictures, each pixel counting by its weight; None where nothing counts.

    Args:
        image: (N, 3, H, W).
        weight: (1 or N, 1, H, W); None is 1 everywhere.
        add: adds up the sums of all strips, where `image` is one.
    """
    sums = torch.zeros(4, 4, dtype=torch.float64)
    for block, part in _blocks(image, weight):
        pixels = block.detach().cpu().to(torch.float64).movedim(1, 0).flatten(1)
        extended = torch.cat([pixels.new_ones(1, pixels.shape[1]), pixels])
        weighed = extended if part is None else extended * part.cpu().to(torch.float64).flatten()
        sums += weighed @ extended.T  # the weight, the sum of the colours, and that of their products
    sums = add(sums)
    if not sums[0, 0] > 0:
        return None
    mean = sums[0, 1:] / sums[0, 0]
    return Colors(mean, sums[1:, 1:] / sums[0, 0] - mean.outer(mean))


def mixed(parts: Iterable[tuple[Colors, float]]) -> Colors:
    """Give the colours of a collection in which each part has a share; shares sum to 1."""
    pairs = list(parts)
    mean = torch.stack([colors.mean * share for colors, share in pairs]).sum(0)
    raw = [(colors.covariance + colors.mean.outer(colors.mean)) * share for colors, share in pairs]
    return Colors(mean, torch.stack(raw).sum(0) - mean.outer(mean))


def recolor(image: Tensor, own: Colors, wanted: Colors) -> Tensor:
    """Write colours to an image, (N, 3, H, W), in place: the linear map that brings `own` to `wanted`, clamped to [0, 1].

    The map stretches no difference of colours by more than `MOST_GAIN`.
    """
    gains, axes = torch.linalg.eigh(transfer(own.covariance, wanted.covariance, "symmetric"))
    matrix = (axes * gains.clamp(max=MOST_GAIN)) @ axes.T
    shift = (wanted.mean - matrix @ own.mean).to(image).view(3, 1, 1)
    matrix = matrix.to(image)
    for block, _ in _blocks(image, None):
        block.copy_((torch.einsum("ij,njhw->nihw", matrix, block) + shift).clamp_(0, 1))
    return image


def _blocks(image: Tensor, weight: Tensor | None) -> Iterable[tuple[Tensor, Tensor | None]]:
    """Yield the rows of each picture, some at a time, with their weights; they share the picture's memory."""
    rows = max(1, _BLOCK // max(1, image.shape[-1]))
    for index in range(image.shape[0]):
        for first in range(0, image.shape[-2], rows):
            part = None if weight is None else weight[index % weight.shape[0]][None, :, first : first + rows]
            yield image[index : index + 1, :, first : first + rows], part
