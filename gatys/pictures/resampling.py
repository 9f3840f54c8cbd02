"""Resampling of pictures: whole, or some rows at a time with the same result."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from .checks import size_of


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) to `size` = (height, width): bicubic, antialiased, clamped to [0, 1].

    It works in main memory, since some devices lack antialiased resampling; the result is on the device of `image`.
    """
    if size_of(image) == tuple(size):
        return image
    small = F.interpolate(image.cpu(), size=tuple(size), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp_(0, 1).to(image.device)


def resize_ring(image: Tensor, size: tuple[int, int], rings: tuple[bool, bool] = (True, True)) -> Tensor:
    """Resample as `resize` does a picture whose edges meet the opposite ones: as the middle of nine of its kind.

    Args:
        rings: whether its upper edge meets the lower one, and whether the left one meets the right.
    """
    height, width = size
    if size_of(image) == (height, width):
        return image
    times, above = (3, height) if rings[0] else (1, 0)
    copies, shape = torch.cat([image.cpu()] * times, dim=2), (times * height, image.shape[-1])
    rows = F.interpolate(copies, shape, mode="bicubic", antialias=True, align_corners=False)
    return resize_columns(rows[:, :, above : above + height], width, ring=rings[1]).clamp_(0, 1).to(image.device)


def seen_rows(height: int, to: int, start: int, stop: int) -> tuple[int, int]:
    """Give the first row, and the first after the last, that rows [start, stop) of a resized picture see.

    The picture is resized from `height` to `to` rows.
    """
    if start == stop:
        return 0, 0
    scale = height / to
    reach = 2 * max(scale, 1.0)
    low = max(0, int(scale * (start + 0.5) - reach + 0.5))
    return low, min(height, int(scale * (stop - 0.5) + reach + 0.5))


def resize_rows(band: Tensor, low: int, height: int, to: int, start: int, stop: int) -> Tensor:
    """Give rows [start, stop) of what `resize` makes of a picture of `height` rows at a height of `to`, not clamped.

    Args:
        band: (N, C, h, W), rows of the picture from `low` on, all that `seen_rows` names.
    """
    made = [band.new_empty(*band.shape[:2], 0, band.shape[3])]
    for first in range(start, stop, 64):  # in blocks, so that the matrix of weights stays a narrow band
        begin, end, weights = row_weights(height, to, first, min(first + 64, stop))
        made.append(weights.to(band) @ band[:, :, begin - low : end - low])
    return torch.cat(made, dim=2)


def row_weights(height: int, to: int, start: int, stop: int) -> tuple[int, int, Tensor]:
    """Give the matrix that makes rows [start, stop) of a resized picture, and the rows [begin, end) that it sees.

    The picture is resized from `height` to `to` rows. The matrix is (stop - start, end - begin), in float64.
    """
    scale = height / to
    begin, end = seen_rows(height, to, start, stop)
    rows = torch.arange(start, stop, dtype=torch.float64)
    weights = _cubic((torch.arange(begin, end) + 0.5 - scale * (rows[:, None] + 0.5)) / max(scale, 1.0))
    return begin, end, weights / weights.sum(dim=1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    """Give Keys' cubic convolution kernel with a = -1/2 (1981, equation 15), which antialiased resampling uses."""
    x = distance.abs()
    return torch.where(x < 1, (1.5 * x - 2.5) * x * x + 1, torch.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))


def resize_columns(image: Tensor, width: int, *, ring: bool = False) -> Tensor:
    """Resample the columns as `resize` does, or as `resize_ring`, but without clamping."""
    if image.shape[-1] == width:
        return image
    if ring:
        return resize_columns(torch.cat([image] * 3, dim=-1), 3 * width)[..., width : 2 * width]
    if image.shape[-2] == 0:
        return image.new_empty(*image.shape[:3], width)
    size = (image.shape[-2], width)
    wide = F.interpolate(image.cpu(), size=size, mode="bicubic", antialias=True, align_corners=False)
    return wide.to(image.device)


def scale_picture(image: Tensor, factor: float, reference: tuple[int, int] | None = None) -> Tensor:
    """Resample (N, C, H, W) to `factor` times its size, or so that its longer edge is that of `reference` times it.

    Args:
        image: sRGB in [0, 1].
        factor: above 0; edges are rounded, to at least one pixel.
        reference: (height, width) of another picture.

    Raises:
        InputError: for a factor that is not finite and above 0.
    """
    if not 0 < factor < float("inf"):
        raise InputError(f"style_scale: expected a finite factor above 0, got {factor!r}")
    height, width = size_of(image)
    scale = factor if reference is None else factor * max(reference) / max(height, width)
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
