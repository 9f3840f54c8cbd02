"""Winograd's F(4x4, 3x3): convolutions by matrix products, with a quarter of the multiplications.

A block of 4 x 4 outputs depends on 6 x 6 inputs d. Y = A^T [(G g G^T) * (B^T d B)] A gives it by 36 products instead of 144
(Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.3). Summed over channels, each
of the 36 is one matrix product for many blocks; and each of the transforms is one, too, of a matrix with six columns.

The blocks of a map are taken some at a time, so that all that lies between stays in the processor's cache and what is set
aside has a bound. Filters are transformed anew each time, which costs less than keeping four times as many.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import torch
from torch import Tensor

_EDGE, _WINDOW = 4, 6
"""The edge of a block of outputs, and of the inputs that it depends on."""
_TRANSFORMED = _WINDOW**2
_BLOCKS = 192
"""The most blocks at a time; half as many for maps of few channels."""
_MOST_CHANNELS = 512

_FEWEST_BLOCKS: Mapping[str, Mapping[int, int]] = MappingProxyType({"AVX2": MappingProxyType({128: 96, 256: 48})})
"""The fewest blocks of a picture's map for which this takes less time than a direct convolution, by what PyTorch says of
the processor and by the fewer of the channels in and out; measured by `benchmarks/winograd.py`. It is a table, not a
measurement at first use, so that two runs choose alike. AVX-512 is not in it: on AMD, where products of matrices are no
faster than with AVX2 and convolutions are, little gains. Of 64 channels, which take 0.7 to 1.0 of the time, none is
taken."""
_SHARE = 0.5
"""The time of those that are taken, of a direct convolution's, for what a step is expected to take."""

_POINTS = 3 / 4, 3 / 2
"""a and b of the points 0, a, -a, b, -b and infinity that the transforms belong to. The paper's are 1 and 2; these halve
the error, and are exact in binary. Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for
deep neural networks" (2020), say how points and error belong together."""


def gains(x: Tensor, weight: Tensor, padding: Sequence[int]) -> bool:
    """Tell whether `convolve` is to be taken; the choice is the same on each run and for each number of pictures."""
    height, width = (length + 2 * zeros - 2 for length, zeros in zip(x.shape[2:], padding, strict=True))
    return counts(x.device, x.dtype) and _enough((height, width), min(weight.shape[:2]))


def share(size: tuple[int, int], channels: int, device: torch.device, dtype: torch.dtype) -> float:
    """Give about the time that is taken for a map of a (height, width), as a share of a direct convolution's.

    `channels` is the fewer of those in and out.
    """
    return _SHARE if counts(device, dtype) and _enough(size, channels) else 1.0


def _enough(size: tuple[int, int], channels: int) -> bool:
    blocks = _blocks_along(size[0]) * _blocks_along(size[1])
    table = _FEWEST_BLOCKS[torch.backends.cpu.get_cpu_capability()]
    return any(channels >= least and blocks >= fewest for least, fewest in table.items())


def counts(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether there are maps on a device, in a dtype, for which `convolve` is taken."""
    return device.type == "cpu" and dtype == torch.float32 and torch.backends.cpu.get_cpu_capability() in _FEWEST_BLOCKS


def scratch_bytes() -> int:
    """Give the most bytes that `convolve` sets aside beside its result, for maps of up to 512 channels in float32."""
    return 4 * _TRANSFORMED * (2 * _BLOCKS * _MOST_CHANNELS + _MOST_CHANNELS**2)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: Sequence[int] = (1, 1),
    turned: bool = False,
    rectify: bool = False,
) -> Tensor:
    """Give the convolution of maps with 3x3 filters, to about 1e-6 of its norm, about twice a direct one's error.

    Args:
        x: (N, C, H, W), channels last, on the CPU.
        weight: (O, C, 3, 3), channels last; with `turned` (C, O, 3, 3), and the filters are turned by half, which gives
            the adjoint of the convolution with them.
        bias: (O), or None.
        padding: the zeros beyond the border of each axis, 0 to 2.
        turned: see `weight`.
        rectify: whether what is below 0 becomes 0.

    Returns:
        (N, O, H + 2 * padding[0] - 2, W + 2 * padding[1] - 2), channels last.
    """
    n, channels, height, width = x.shape
    filters = _transform(weight, turned=turned)
    size = height + 2 * padding[0] - 2, width + 2 * padding[1] - 2
    outputs = filters.shape[2]
    y = torch.empty(n, outputs, *size, dtype=x.dtype, memory_format=torch.channels_last)
    rows, columns = (_blocks_along(length) for length in size)
    high, wide = _at_a_time(rows, columns, max(channels, outputs))
    # small maps have more windows' columns than transformed ones
    most = max(_TRANSFORMED * high * wide * max(channels, outputs), 4 * (4 * high + 2) * (wide + 1) * channels)
    scratch = [_set_aside(name, most, x.dtype) for name in ("first", "second")]
    for source, target in zip(x.permute(0, 2, 3, 1), y.permute(0, 2, 3, 1), strict=True):
        for top in range(0, rows, high):
            for left in range(0, columns, wide):
                blocks = min(high, rows - top), min(wide, columns - left)
                found = _blocks(source, filters, bias, (top, left), blocks, padding, scratch)
                _place(found, target[_EDGE * top :, _EDGE * left :], rectify=rectify)
    return y


class _Kept(threading.local):
    """What is set aside, by thread: new memory costs more than what is computed in it."""

    def __init__(self) -> None:
        self.buffers: dict[str, Tensor] = {}


_kept = _Kept()


def _set_aside(name: str, count: int, dtype: torch.dtype) -> Tensor:
    found = _kept.buffers.get(name)
    if found is None or found.dtype != dtype or len(found) < count:
        _kept.buffers.pop(name, None)
        with torch.inference_mode(False):  # else those that are not in this mode could not write to it
            found = _kept.buffers[name] = torch.empty(count, dtype=dtype)
    return found


def _blocks_along(length: int) -> int:
    return -(-length // _EDGE)


def _at_a_time(rows: int, columns: int, channels: int) -> tuple[int, int]:
    """Give the rows and columns of blocks to take at a time."""
    most = _BLOCKS if channels > 128 else _BLOCKS // 2
    wide = -(-columns // -(-columns // most))
    high = max(1, most // wide)
    return -(-rows // -(-rows // high)), wide


@cache
def _matrices(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Give B^T and A^T, and the transform of a filter whose nine values are one after another."""
    a, b = _POINTS
    both, beyond = (a * b) ** 2, -(a**2) - b**2
    ends = [[both, 0, beyond, 0, 1, 0], [0, both, 0, beyond, 0, 1]]
    into, points = [ends[0]], []
    for p, q in ((a, b), (b, a)):
        for at in (p, -p):
            into.append([0, -at * q**2, -(q**2), at, 1, 0])
            points.append((at, 2 * p**2 * (p**2 - q**2)))
    filters = [[1 / both, 0, 0], *([at**k / over for k in range(3)] for at, over in points), [0, 0, 1]]
    out = [[float(k == 0), *(at**k for at, _ in points), float(k == 3)] for k in range(_EDGE)]
    transform = torch.tensor(filters, dtype=torch.float64)
    return (
        torch.tensor([*into, ends[1]], dtype=dtype),
        torch.tensor(out, dtype=dtype),
        torch.kron(transform, transform).to(dtype),
    )


def _transform(weight: Tensor, *, turned: bool) -> Tensor:
    """Give the 36 matrices of the filters, (36, channels in, channels out)."""
    twice = _matrices(weight.dtype)[2]
    flat = weight.permute(0, 2, 3, 1).flatten(1, 2)
    found = _part(_set_aside("filters", 4 * weight.numel(), weight.dtype), len(flat), _TRANSFORMED, flat.shape[2])
    torch.bmm((twice.flip(1) if turned else twice).expand(len(flat), -1, -1), flat, out=found)
    return found.transpose(0, 1) if turned else found.permute(1, 2, 0)


def _blocks(
    source: Tensor,
    filters: Tensor,
    bias: Tensor | None,
    corner: tuple[int, int],
    blocks: tuple[int, int],
    padding: Sequence[int],
    scratch: list[Tensor],
) -> Tensor:
    """Give some blocks of outputs, (4, 4, rows of blocks, columns of blocks, channels), of a map (H, W, channels).

    The first two axes are the row and the column within a block. `corner` is the first block.
    """
    into, out, _ = _matrices(source.dtype)
    (rows, columns), (_, channels, outputs) = blocks, filters.shape
    line = columns * channels
    windows = _part(scratch[0], _EDGE * rows + 2, _EDGE, columns + 1, channels)
    _gather(windows, source, *(_EDGE * first - zeros for first, zeros in zip(corner, padding, strict=True)))
    # the first four columns of each window, and then the two that are the next window's first
    flat = windows.flatten(2)
    height = len(flat)
    across = _part(scratch[1], height, _WINDOW, line)
    torch.bmm(into[:, :_EDGE].expand(height, -1, -1), flat[:, :, :line], out=across)
    across.baddbmm_(into[:, _EDGE:].expand(height, -1, -1), flat[:, :2, channels:])
    lines = across.as_strided((rows, _WINDOW, _WINDOW * line), (_EDGE * _WINDOW * line, _WINDOW * line, 1))
    both = _part(scratch[0], rows, _WINDOW, _WINDOW * line)
    torch.bmm(into.expand(rows, -1, -1), lines, out=both)
    ordered = _part(scratch[1], _TRANSFORMED, rows, line)
    ordered.copy_(both.view(rows, _TRANSFORMED, line).transpose(0, 1))
    products = _part(scratch[0], _TRANSFORMED, rows * columns, outputs)
    torch.bmm(ordered.view(_TRANSFORMED, rows * columns, channels), filters, out=products)
    down = _part(scratch[1], _EDGE, _WINDOW, rows * columns * outputs)
    torch.mm(out, products.view(_WINDOW, -1), out=down.view(_EDGE, -1))
    found = _part(scratch[0], _EDGE, _EDGE, rows * columns * outputs)
    torch.bmm(out.expand(_EDGE, -1, -1), down, out=found)
    found = found.view(_EDGE, _EDGE, rows, columns, outputs)
    return found if bias is None else found.add_(bias)


def _part(scratch: Tensor, *size: int) -> Tensor:
    count = 1
    for length in size:
        count *= length
    return scratch[:count].view(size)


def _gather(windows: Tensor, source: Tensor, top: int, left: int) -> None:
    """Fill windows, (rows, 4, columns of blocks + 1, channels), from a map at a row and a column, zeros beyond it.

    The second axis is the column within a block.
    """
    height = len(source)
    first, last = max(0, -top), min(len(windows), height - top)
    windows[:first] = 0
    windows[last:] = 0
    inside = windows[first:last]
    for phase in range(_EDGE):
        begin = left + phase
        low = max(0, -(begin // _EDGE))
        some = source[top + first : top + last, begin + _EDGE * low :: _EDGE]
        high = min(windows.shape[2], low + some.shape[1])
        inside[:, phase, :low] = 0
        inside[:, phase, high:] = 0
        inside[:, phase, low:high] = some[:, : high - low]


def _place(found: Tensor, target: Tensor, *, rectify: bool) -> None:
    """Write blocks, as `_blocks` gives them, into a map (H, W, channels), cut where that ends."""
    for high, some, rows in _whole_and_rest(found.shape[2], target.shape[0]):
        for wide, columns_of_blocks, columns in _whole_and_rest(found.shape[3], target.shape[1]):
            values = found[:high, :wide, some, columns_of_blocks].permute(2, 0, 3, 1, 4)
            there = target[rows, columns].unflatten(1, (-1, wide)).unflatten(0, (-1, high))
            if rectify:
                torch.clamp_min(values, 0, out=there)
            else:
                there.copy_(values)


def _whole_and_rest(blocks: int, length: int) -> list[tuple[int, slice, slice]]:
    """Cut an axis into whole blocks and a rest: (units of each block, blocks, units)."""
    whole = min(blocks, length // _EDGE)
    found = [(_EDGE, slice(whole), slice(_EDGE * whole))] if whole else []
    if whole < blocks:
        found.append((length % _EDGE, slice(whole, blocks), slice(_EDGE * whole, length)))
    return found
