"""Convolution, rectifier and pooling over a window, and their adjoints: what `trunk` is made of.

On the CPU PyTorch has fast loops for small integers and for "not zero", slow ones for booleans and comparisons, and makes
a copy of what is of another dtype: hence masks that are read as integers, and portions of rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from .tiles import Tile
from .vgg import LAYERS, VGG19

FIRST = next(iter(LAYERS))
_AT_A_TIME = 2**19
"""Values of a map whose mask is brought to the map's dtype at a time on the CPU."""


def prepare(net: VGG19, window: Tensor) -> Tensor:
    x = (window - net.mean.view(1, 3, 1, 1)) / net.std.view(1, 3, 1, 1)
    return x.to(getattr(net, FIRST).weight.dtype).contiguous(memory_format=torch.channels_last)


# convolution and rectifier


def respond(net: VGG19, name: str, x: Tensor, part: Tile, *, linear: bool = False) -> Tensor:
    convolution = getattr(net, name)
    x = F.conv2d(_pad(x, part), convolution.weight, convolution.bias, padding=_zeros(part))
    return x if linear else F.relu_(x)


def opened(features: Tensor, *, linear: bool = False) -> Tensor:
    """Where the rectifier was open: of features after it, or before it (`linear`)."""
    return (features.relu() if linear else features).bool()


def shut(gradient: Tensor, mask: Tensor) -> None:
    """Set the gradient to 0, in place, where the rectifier was shut."""
    for some, through in portions(gradient, mask.view(torch.int8)):
        some.mul_(through)


def portions(*maps: Tensor, most: int | None = None) -> Iterable[tuple[Tensor, ...]]:
    """The same rows of each, (N, C, H, ...), of about `most` values of the first; default, all but on the CPU."""
    n, channels, _, width = maps[0].shape
    if most is None:
        most = _AT_A_TIME if maps[0].device.type == "cpu" else maps[0].numel()
    rows = max(1, most // max(1, n * channels * width))
    return zip(*(values.split(rows, dim=2) for values in maps), strict=True)


def pull_convolution(net: VGG19, name: str, gradient: Tensor, part: Tile) -> Tensor:
    pulled = F.conv_transpose2d(gradient, getattr(net, name).weight, padding=_zeros(part))
    for dim, span in enumerate((part.rows, part.columns), start=2):
        pulled = _fold(pulled, dim, span.padding)
    return pulled


def _zeros(part: Tile) -> list[int]:
    """What the convolution is to see beyond the border along each axis that `_pad` leaves to it."""
    return [1 if span.padding == "zero" else 0 for span in (part.rows, part.columns)]


def _pad(x: Tensor, part: Tile) -> Tensor:
    """The map with what it sees beyond its border, but for zeros."""
    for dim, span in enumerate((part.rows, part.columns), start=2):
        if span.padding != "zero":
            first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
            before, after = (first, last) if span.padding == "replicate" else (last, first)
            x = torch.cat([before, x, after], dim)
    return x


def _fold(padded: Tensor, dim: int, padding: str) -> Tensor:
    """The adjoint of `_pad` along one axis."""
    if padding == "zero":
        return padded
    length = padded.shape[dim] - 2
    inner = padded.narrow(dim, 1, length)
    before, after = padded.narrow(dim, 0, 1), padded.narrow(dim, length + 1, 1)
    at_before, at_after = (0, length - 1) if padding == "replicate" else (length - 1, 0)
    inner.narrow(dim, at_before, 1).add_(before)
    inner.narrow(dim, at_after, 1).add_(after)
    return inner


# pooling


def pool(net: VGG19, x: Tensor, *, keep: bool) -> tuple[Tensor, Tensor | None]:
    """The pooled map, and for max pooling which of the four was taken: 1 and 2 above, 3 and 4 below, 0 where it is 0."""
    if net.pooling == "average":
        return F.avg_pool2d(x, 2), None
    if not keep:
        return F.max_pool2d(x, 2), None
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    # which of the four is a difference of 0, 1, width or width + 1: small integers, wrapped or not, tell as well, and faster
    width, small = x.shape[-1], torch.int16 if x.shape[-1] < 2**15 - 1 else torch.int32
    rows, columns = (torch.arange(0, 2 * n, 2, dtype=small, device=x.device) for n in pooled.shape[-2:])
    offset = index.to(small).sub_(rows[:, None] * width + columns)
    below = (offset - width).bitwise_right_shift_(8 * small.itemsize - 1).add_(1)
    corner = offset.sub_(below, alpha=width - 2).add_(1).to(torch.uint8)
    return pooled, corner.mul_(pooled.bool().view(torch.uint8))


def pull_pooling(gradient: Tensor, size: tuple[int, int], taken: Tensor | None) -> Tensor:
    if taken is None:
        pulled = F.interpolate(gradient.mul_(0.25), scale_factor=2.0, mode="nearest")
    else:
        n, channels, height, width = gradient.shape
        fours = gradient.new_empty(n, height, 2, width, 2, channels).permute(0, 5, 1, 2, 3, 4)
        for some, index, out in portions(gradient, taken, fours):
            hit = torch.empty_like(index)
            for corner in range(4):
                torch.eq(index, corner + 1, out=hit)
                torch.mul(some, hit.view(torch.int8), out=out[:, :, :, corner // 2, :, corner % 2])
        pulled = fours.flatten(4, 5).flatten(2, 3)
    left = size[0] - pulled.shape[-2], size[1] - pulled.shape[-1]
    return F.pad(pulled, (0, left[1], 0, left[0])) if any(left) else pulled


# bits


_GATHER = 0x0102040810204080
"""Times eight bytes of 0 or 1, the highest byte of the product has them as bits, the first one lowest."""


def pack(mask: Tensor) -> Tensor:
    """(N, C, H, W) booleans, channels last and C a multiple of 8, as (N, H, W, C / 8) bytes."""
    eights = mask.permute(0, 2, 3, 1).contiguous().view(torch.int64)
    return (eights * _GATHER).bitwise_right_shift_(56).to(torch.uint8)


def unpack(packed: Tensor) -> Tensor:
    bits = torch.tensor([1 << k for k in range(8)], dtype=torch.uint8, device=packed.device)
    return (packed[..., None] & bits).ne(0).flatten(-2).permute(0, 3, 1, 2)
