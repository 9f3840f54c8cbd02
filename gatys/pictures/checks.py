"""Checks of pictures: they look at shape and values."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError

OVERSHOOT = 0.5
"""How far outside [0, 1] a picture may lie. Bicubic resampling without clamping takes none further (its weights come to
1.89 without their signs, in two dimensions); pictures of 0 to 255 or -1 to 1 go beyond."""


class NotReadHere(ValueError):
    """The reason why a file's picture cannot be used; its text is a sentence's end, to follow the file's name."""


def shape_of(image: Tensor) -> str:
    """Describe a batch of pictures in a few words, for reprs: "2 x 512 x 384" pictures, width and height."""
    count, _, height, width = image.shape
    return f"{width} x {height}" if count == 1 else f"{count} of {width} x {height}"


def check_picture(image: Tensor, what: str = "image") -> None:
    """Raise InputError unless `image` is a non-empty batch of pictures, (N, 3, H, W) of floating point, in [0, 1].

    What resampling overshoots is let pass; see OVERSHOOT.
    """
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
    check_range(image, what)


def check_range(values: Tensor, what: str) -> None:
    """Raise InputError unless values lie in [0, 1], but for what resampling overshoots."""
    low, high = value_range(values)
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        cure = "divide by 255" if low >= 0 and high > 2 else "bring them to that range"
        raise InputError(f"{what}: expected values in [0, 1], got {low:g} to {high:g}; {cure}")


def size_of(image: Tensor) -> tuple[int, int]:
    """Give the height and width of a tensor that ends in them, (..., H, W)."""
    return image.shape[-2], image.shape[-1]


def value_range(image: Tensor) -> tuple[float, float]:
    """Give the smallest and the largest value."""
    image = image.detach()
    return float(image.min()), float(image.max())
