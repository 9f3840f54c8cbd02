"""Pictures to be looked at: 8 bits, side by side, not larger than a screen."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from .images import fit
from .resampling import resize


def side_by_side(pictures: Tensor, largest: int) -> Image.Image:
    """Give pictures in a row, reduced where the longer edge of one is above `largest` pixels.

    Args:
        pictures: (N, 3, H, W), sRGB about in [0, 1].
        largest: pixels.
    """
    height, width = pictures.shape[-2:]
    pictures = pictures.detach().float().cpu().clamp(0, 1)
    if max(height, width) > largest:
        pictures = resize(pictures, fit(width, height, largest)[::-1])
    row = torch.cat(list(pictures), dim=2)
    return Image.fromarray((row * 255).round().permute(1, 2, 0).to(torch.uint8).numpy())


def as_png(pictures: Tensor, largest: int) -> bytes:
    """Give `side_by_side` as a PNG file."""
    buffer = io.BytesIO()
    side_by_side(pictures, largest).save(buffer, format="PNG")
    return buffer.getvalue()
