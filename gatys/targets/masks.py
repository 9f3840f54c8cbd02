"""Masks of pictures, and guides, which are masks on the grid of a layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError, one_or_each
from ..pictures.checks import check_range, size_of
from ..pictures.resampling import resize


def guide_at(mask: Tensor, stride: int) -> Tensor:
    """Bring a (N, 1, H, W) mask to the grid of a layer by averaging along the network's poolings."""
    if not mask.shape[-2]:  # a strip without rows, which PyTorch does not pool
        return mask[..., : mask.shape[-1] // stride]
    for _ in range(int(math.log2(stride))):
        mask = F.avg_pool2d(mask, 2)
    return mask


def mask_planes(mask: Tensor, what: str) -> Tensor:
    """Give a mask of shape (H, W), (N, H, W) or (N, 1, H, W) as (N, 1, H, W) in [0, 1], in its own size.

    Raises:
        InputError: for another shape, an empty mask, values that are not finite or far outside [0, 1], or a mask that is 0
            everywhere.
    """
    if not isinstance(mask, Tensor) or mask.ndim not in (2, 3, 4) or (mask.ndim == 4 and mask.shape[1] != 1):
        got = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise InputError(f"{what}: expected a tensor of shape (H, W), (N, H, W) or (N, 1, H, W), got {got}")
    mask = mask.detach().reshape(-1, 1, *mask.shape[-2:])
    if mask.numel() == 0 or not torch.isfinite(mask).all():
        came = "an empty mask" if mask.numel() == 0 else "NaN or infinity"
        raise InputError(f"{what}: expected finite values in [0, 1], got {came}; paint it again")
    check_range(mask, what)
    if not (mask.amax(dim=(1, 2, 3)) > 0).all():
        raise InputError(
            f"{what}: expected some area above 0, got a mask that is 0 everywhere; paint a region that should count"
        )
    return mask.clamp(0, 1)


def check_mask(
    mask: Tensor, image: Tensor, what: str = "mask", stretch: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Give a mask of any size as (1 or N, 1, H, W) in [0, 1] on the grid of `image`, to which `stretch` brings it.

    Raises:
        InputError: as `mask_planes`, and for a number of masks that is neither 1 nor that of the pictures.
    """
    mask = mask_planes(mask, what)
    if mask.shape[0] not in (1, image.shape[0]):
        expected = one_or_each(image.shape[0], "mask", "picture")
        raise InputError(f"{what}: expected {expected}, got {mask.shape[0]}; take one of them")
    mask = mask.to(image)
    return resize(mask, size_of(image)) if stretch is None else stretch(mask)
