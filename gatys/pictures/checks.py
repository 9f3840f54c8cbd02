"""Checks of pictures: their shape and their values."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def check_picture(image: Tensor, what: str = "image") -> None:
    """Raise InputError unless `image` is a non-empty, finite batch of pictures, (N, 3, H, W) of floating point."""
    if not isinstance(image, Tensor) or image.ndim != 4 or image.shape[1] != 3:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise InputError(f"{what}: expected a tensor of shape (N, 3, H, W), got {got}")
    if not image.is_floating_point():
        raise InputError(f"{what}: expected floating point values in [0, 1], got {image.dtype}; divide bytes by 255")
    if image.numel() == 0:
        raise InputError(
            f"{what}: expected at least one picture with at least one pixel, got an empty batch {tuple(image.shape)}"
        )
    if not torch.isfinite(image).all():
        raise InputError(f"{what}: expected finite values in [0, 1], got NaN or infinite pixels")
