"""Pictures at several sizes: level 0 is full size, each next level half of it, for descending coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network.layers import minimum_size

AUTOMATIC_EDGE = 128
"""`levels="auto"` goes down to the level whose short edge is nearest to this many pixels, between 91 and 181."""

Levels = int | str


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) to `size` = (height, width): bicubic, antialiased, clamped to [0, 1].

    Done in main memory, since some devices lack antialiased resampling; the result is on the device of `image`.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    small = F.interpolate(image.cpu(), size=tuple(size), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp_(0, 1).to(image.device)


def seen_rows(height: int, to: int, start: int, stop: int) -> tuple[int, int]:
    """First row, and the first after the last, that rows [start, stop) of a picture resized from `height` to `to` see."""
    if start == stop:
        return 0, 0
    scale = height / to
    reach = 2 * max(scale, 1.0)
    low = max(0, int(scale * (start + 0.5) - reach + 0.5))
    return low, min(height, int(scale * (stop - 0.5) + reach + 0.5))


def resize_rows(band: Tensor, low: int, height: int, to: int, start: int, stop: int) -> Tensor:
    """Rows [start, stop) of what `resize` makes of a picture of `height` rows at a height of `to`, but for the clamping.

    Args:
        band: (N, C, h, W), rows of the picture from `low` on, all that `seen_rows` names.
    """
    scale = height / to
    wide = max(scale, 1.0)
    made = [band.new_empty(*band.shape[:2], 0, band.shape[3])]
    for first in range(start, stop, 64):  # in blocks, so that the matrix of weights stays a narrow band
        rows = torch.arange(first, min(first + 64, stop), dtype=torch.float64)
        begin, end = seen_rows(height, to, first, first + len(rows))
        distance = (torch.arange(begin, end) + 0.5 - scale * (rows[:, None] + 0.5)) / wide
        weights = _cubic(distance)
        weights = (weights / weights.sum(dim=1, keepdim=True)).to(band)
        made.append(weights @ band[:, :, begin - low : end - low])
    return torch.cat(made, dim=2)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = -1/2 (1981, equation 15), which antialiased resampling uses."""
    x = distance.abs()
    return torch.where(x < 1, (1.5 * x - 2.5) * x * x + 1, torch.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))


def resize_columns(image: Tensor, width: int) -> Tensor:
    """What `resize` makes of the columns, but for the clamping."""
    if image.shape[-1] == width:
        return image
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
        ValueError: for a factor that is not finite and above 0.
    """
    if not 0 < factor < float("inf"):
        raise ValueError(f"style_scale: expected a finite factor above 0, got {factor!r}")
    edges = tuple(image.shape[-2:])
    scale = factor if reference is None else factor * max(reference) / max(edges)
    return resize(image, tuple(max(1, round(edge * scale)) for edge in edges))


def level_size(size: tuple[int, int], level: int) -> tuple[int, int]:
    """(height, width) of a level, for a full `size` of (height, width)."""
    return tuple(max(1, round(edge / 2**level)) for edge in size)


def resolve_levels(levels: Levels, size: tuple[int, int], layers: Iterable[str], what: str = "image") -> int:
    """The number of levels that `levels` means for a picture of `size` (height, width).

    Raises:
        ValueError: for anything but "auto" or a positive integer, or where the coarsest level is too small for `layers`.
    """
    layers = tuple(layers)
    short, need = min(size), minimum_size(layers)
    if levels == "auto":
        levels = 1 + max(0, round(math.log2(short / AUTOMATIC_EDGE)))
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise ValueError(f"levels: expected a positive whole number or 'auto', got {levels!r}")
    if short < need:
        raise ValueError(
            f"{what}: {size[1]} x {size[0]} pixels is too small for these layers, which need at least {need} x {need}; "
            "enlarge it, or choose shallower layers"
        )
    if (most := levels_with_room(levels, size, layers)) < levels:
        raise ValueError(
            f"levels: {levels} levels make this {what} of {size[1]} x {size[0]} pixels smaller than the {need} pixels "
            f"that its layers need; use at most {most}"
        )
    return levels


def levels_with_room(levels: int, size: tuple[int, int], layers: Iterable[str]) -> int:
    """How many of so many levels of a picture of `size` (height, width) have a unit of every layer; 0 if none has."""
    need = minimum_size(layers)
    return sum(min(level_size(size, level)) >= need for level in range(levels))


def fewest_levels(counts: Iterable[tuple[int, bool]]) -> tuple[int, int | None]:
    """The number of levels that all of several targets give, and which target does not fit that, if any.

    Args:
        counts: of each target its number of levels, and whether that was automatic: such a one does with fewer.
    """
    counts = list(counts)
    fewest = min(count for count, _ in counts)
    misfits = (index for index, (count, automatic) in enumerate(counts) if count != fewest and not automatic)
    return fewest, next(misfits, None)


def guide_at(mask: Tensor, stride: int) -> Tensor:
    """Bring a (N, 1, H, W) mask to the grid of a layer by averaging along the network's poolings."""
    if not mask.shape[-2]:  # a strip without rows, which PyTorch does not pool
        return mask[..., : mask.shape[-1] // stride]
    for _ in range(int(math.log2(stride))):
        mask = F.avg_pool2d(mask, 2)
    return mask


def mask_planes(mask: Tensor, what: str) -> Tensor:
    """A mask of shape (H, W), (N, H, W) or (N, 1, H, W) as (N, 1, H, W) in [0, 1], in its own size.

    Raises:
        ValueError: for another shape, an empty mask, values that are not finite, or a mask that is 0 everywhere.
    """
    if not isinstance(mask, Tensor) or mask.ndim not in (2, 3, 4) or (mask.ndim == 4 and mask.shape[1] != 1):
        got = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"{what}: expected a tensor of shape (H, W), (N, H, W) or (N, 1, H, W), got {got}")
    mask = mask.detach().reshape(-1, 1, *mask.shape[-2:])
    if mask.numel() == 0 or not torch.isfinite(mask).all():
        got = "an empty mask" if mask.numel() == 0 else "NaN or infinity"
        raise ValueError(f"{what}: expected finite values in [0, 1], got {got}; paint it again")
    if not (mask.amax(dim=(1, 2, 3)) > 0).all():
        raise ValueError(
            f"{what}: expected some area above 0, got a mask that is 0 everywhere; paint a region that should count"
        )
    return mask.clamp(0, 1)


def check_mask(mask: Tensor, image: Tensor, what: str = "mask", stretch: Callable | None = None) -> Tensor:
    """A mask of any size as (1 or N, 1, H, W) in [0, 1] on the grid of `image`, to which `stretch` brings it.

    Raises:
        ValueError: as `mask_planes`, and for a number of masks that is neither 1 nor that of the pictures.
    """
    mask = mask_planes(mask, what)
    if mask.shape[0] not in (1, image.shape[0]):
        raise ValueError(
            f"{what}: expected 1 or {image.shape[0]} masks for {image.shape[0]} pictures, got {mask.shape[0]}"
        )
    mask = mask.to(image)
    return resize(mask, tuple(image.shape[-2:])) if stretch is None else stretch(mask)
