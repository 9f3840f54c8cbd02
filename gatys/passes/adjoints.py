"""The parts of `trunk`: convolution, rectifier and pooling over a window, and their adjoints.

On the CPU PyTorch has fast loops for small integers and for "not zero", slow ones for booleans and comparisons, and makes
a copy of what is of another dtype: hence masks that are read as integers, and portions of rows. Graphics cards are the
other way round, and wait for memory: what cuDNN does in one pass over a map is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network.layers import LAYERS
from ..network.vgg import VGG
from .tiles import Tile
from .winograd import convolve, gains

FIRST = next(iter(LAYERS))
_AT_A_TIME = 2**19
"""The number of values of a map whose mask is brought to the map's dtype at a time on the CPU."""


def prepare(net: VGG, window: Tensor) -> Tensor:
    weight = net.convolution(FIRST).weight
    x = ((window - net.mean.view(1, 3, 1, 1)) / net.std.view(1, 3, 1, 1)).to(weight.dtype)
    if weight.shape[1] > x.shape[1]:
        x = F.pad(x, (0, 0, 0, 0, 0, weight.shape[1] - x.shape[1]))
    return x.contiguous(memory_format=torch.channels_last)


# convolution and rectifier


def respond(net: VGG, name: str, x: Tensor, part: Tile, *, linear: bool = False) -> Tensor:
    convolution, beyond = net.convolution(name), _beyond(part, name)
    padded, zeros = _pad(x, beyond), _zeros(beyond)
    weight, bias = convolution.weight, convolution.bias
    if not linear and torch.backends.cudnn.enabled and _fuses(x.device, x.dtype):
        return torch.cudnn_convolution_relu(padded, weight, bias, (1, 1), zeros, (1, 1), 1)
    if gains(padded, weight, zeros):
        return convolve(padded, weight, bias, padding=zeros, rectify=not linear)
    x = F.conv2d(padded, weight, bias, padding=zeros)
    return x if linear else F.relu_(x)


@cache
def _fuses(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether cuDNN adds the bias and rectifies within a convolution, which halves its time; else PyTorch does it
    after.
    """
    if device.type != "cuda" or torch.version.hip is not None or not torch.backends.cudnn.is_available():
        return False
    x, weight = (torch.ones(8, 8, n, n, device=device, dtype=dtype) for n in (8, 3))
    x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
    try:
        torch.cudnn_convolution_relu(x, weight, weight[0, :, 0, 0], (1, 1), (1, 1), (1, 1), 1)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError:  # it does not do that for this card, or this dtype
        return False
    return True


def gate(features: Tensor, *, linear: bool = False) -> Tensor:
    """Give what `shut` reads of features after the rectifier, or before it (`linear`): booleans, one for each.

    They are true where it was open on the CPU, and where it was shut elsewhere.
    """
    if features.device.type == "cpu":
        return (features.relu() if linear else features).bool()
    return features.le(0)


def shut(gradient: Tensor, mask: Tensor) -> None:
    """Set the gradient to 0, in place, where the rectifier was shut."""
    if gradient.device.type != "cpu":
        gradient.masked_fill_(mask, 0)
        return
    for some, through in portions(gradient, mask.view(torch.int8)):
        some.mul_(through)


def portions(*maps: Tensor, most: int | None = None) -> Iterable[tuple[Tensor, ...]]:
    """Yield the same rows of each, (N, C, H, ...), of about `most` values of the first; all at once but on the CPU."""
    n, channels, _, width = maps[0].shape
    if most is None:
        most = _AT_A_TIME if maps[0].device.type == "cpu" else maps[0].numel()
    rows = max(1, most // max(1, n * channels * width))
    return zip(*(values.split(rows, dim=2) for values in maps), strict=True)


def pull_convolution(net: VGG, name: str, gradient: Tensor, part: Tile) -> Tensor:
    weight, beyond = net.convolution(name).weight, _beyond(part, name)
    zeros = _zeros(beyond)
    turned = [2 - each for each in zeros]
    if gains(gradient, weight, turned):
        pulled = convolve(gradient, weight, padding=turned, turned=True)
    else:
        pulled = F.conv_transpose2d(gradient, weight, padding=zeros)
    for dim, padding in enumerate(beyond, start=2):
        pulled = _fold(pulled, dim, padding)
    return pulled


def _beyond(part: Tile, name: str) -> list[str]:
    """Give the padding that a convolution sees along the height, and along the width."""
    own = "replicate" if name == FIRST else "zero"
    return [own if span.padding == "replicate-first" else span.padding for span in (part.rows, part.columns)]


def _zeros(beyond: list[str]) -> list[int]:
    """Give what the convolution is to see beyond the border along each axis that `_pad` leaves to it."""
    return [1 if padding == "zero" else 0 for padding in beyond]


def _pad(x: Tensor, beyond: list[str]) -> Tensor:
    """Give the map with what it sees beyond its border, but for zeros."""
    for dim, padding in enumerate(beyond, start=2):
        if padding != "zero":
            first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
            before, after = (first, last) if padding == "replicate" else (last, first)
            x = torch.cat([before, x, after], dim)
    return x


def _fold(padded: Tensor, dim: int, padding: str) -> Tensor:
    """Apply the adjoint of `_pad` along one axis."""
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


def pool(net: VGG, x: Tensor, *, keep: bool) -> tuple[Tensor, Tensor | None]:
    """Give the pooled map, and for max pooling which of the four was taken.

    The four are 1 and 2 above, 3 and 4 below; 0 stands where the value is 0.
    """
    if net.pooling == "average":
        return F.avg_pool2d(x, 2) if x.device.type == "cpu" else average(x), None
    if not keep:
        return F.max_pool2d(x, 2), None
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    return pooled, corners(pooled, index, x.shape[-1], divide=x.device.type != "cpu")


def average(x: Tensor) -> Tensor:
    """Pool by the average as `F.avg_pool2d` does, as a sum over axes, for which graphics cards take a third of its
    time.
    """
    height, width = (n // 2 for n in x.shape[-2:])
    fours = x.permute(0, 2, 3, 1)[:, : 2 * height, : 2 * width].unflatten(2, (width, 2)).unflatten(1, (height, 2))
    return fours.mean(dim=(2, 4)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def corners(pooled: Tensor, index: Tensor, width: int, *, divide: bool) -> Tensor:
    """Give which of the four was taken, as `pool` says it, from its index in a map of that width, counted by rows.

    With `divide` it takes fewer passes, of which one divides whole numbers, which is slow on the CPU.
    """
    # the difference is 0, 1, width or width + 1: small integers, wrapped or not, show it as well, and faster
    small = torch.int16 if width < 2**15 - 2 else torch.int32
    rows, columns = (torch.arange(0, 2 * n, 2, dtype=small, device=index.device) for n in pooled.shape[-2:])
    offset = index.to(small).sub_(rows[:, None] * width + (columns - 1))  # 1, 2, width + 1 or width + 2
    if divide and width >= 7:
        return offset.remainder_(width - 2).masked_fill_(pooled.eq(0), 0).to(torch.uint8)
    below = (offset - (width + 1)).bitwise_right_shift_(8 * small.itemsize - 1).add_(1)
    return offset.sub_(below, alpha=width - 2).to(torch.uint8).mul_(pooled.bool().view(torch.uint8))


def pull_pooling(gradient: Tensor, size: tuple[int, int], taken: Tensor | None) -> Tensor:
    pulled = _to_all(gradient.mul_(0.25)) if taken is None else to_taken(gradient, taken)
    left = size[0] - pulled.shape[-2], size[1] - pulled.shape[-1]
    return F.pad(pulled, (0, left[1], 0, left[0])) if any(left) else pulled


def _to_all(gradient: Tensor) -> Tensor:
    """Give each value to all four that were pooled."""
    if gradient.device.type == "cpu":
        return F.interpolate(gradient, scale_factor=2.0, mode="nearest")
    n, channels, height, width = gradient.shape
    fours = gradient.permute(0, 2, 3, 1)[:, :, None, :, None].expand(n, height, 2, width, 2, channels)
    return fours.reshape(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def to_taken(gradient: Tensor, taken: Tensor) -> Tensor:
    """Give each value to that of the four which was taken, if any."""
    n, channels, height, width = gradient.shape
    fours = gradient.new_empty(n, height, 2, width, 2, channels).permute(0, 5, 1, 2, 3, 4)
    zero = gradient.new_zeros(())
    for some, index, out in portions(gradient, taken, fours):
        hit = torch.empty_like(index)
        for corner in range(4):
            there = out[:, :, :, corner // 2, :, corner % 2]
            if gradient.device.type == "cpu":
                torch.eq(index, corner + 1, out=hit)
                torch.mul(some, hit.view(torch.int8), out=there)
            else:
                torch.where(index.eq(corner + 1), some, zero, out=there)
    return fours.flatten(4, 5).flatten(2, 3)


# bits


_GATHER = 0x0102040810204080
"""A factor: times eight bytes of 0 or 1, the highest byte of the product has them as bits, the first one lowest."""


def pack(mask: Tensor) -> Tensor:
    """Give (N, C, H, W) booleans, channels last and C a multiple of 8, as (N, H, W, C / 8) bytes."""
    eights = mask.permute(0, 2, 3, 1).contiguous().view(torch.int64)
    return (eights * _GATHER).bitwise_right_shift_(56).to(torch.uint8)


def unpack(packed: Tensor) -> Tensor:
    bits = torch.tensor([1 << k for k in range(8)], dtype=torch.uint8, device=packed.device)
    return (packed[..., None] & bits).ne(0).flatten(-2).permute(0, 3, 1, 2)
