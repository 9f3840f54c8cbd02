"""Smoothness over nine points: each pixel against its eight neighbours, so that no direction is preferred."""

from __future__ import annotations

import torch
from torch import Tensor

from ..passes.layout import Strip

_STRAIGHT, _SLANTED = 2 / 3, 1 / 6
"""The weights of differences along an axis and across it: a picture that rises evenly by (a, b) has the value a^2 + b^2."""


def nine_points(image: Tensor, closed: tuple[bool, bool], strip: Strip) -> tuple[Tensor, Tensor]:
    """Measure squared differences of neighbours along the axes and the diagonals, each a mean.

    2/3 (mean h^2 + mean v^2) + 1/6 (mean d^2 + mean e^2) for the differences h and v along a row and a column and d and e along
    the diagonals, of a picture whose border is repeated once: crowsonkb/style-transfer-pytorch, `TVLoss`. The first two means are
    over all pixels, the others over all squares of four pixels there.

    Args:
        image: (N, 3, h, W), the rows that `strip` tells of.
        closed: whether the last row is followed by the first one, and the last column.
        strip: which rows are meant.

    Returns:
        The value of each picture, (N,), and the gradient, (N, 3, h, W).
    """
    channels, width = image.shape[1], image.shape[-1]
    height = strip.values // (channels * width)
    left = int(not closed[1])
    beside = -1, left, 1, closed[1]
    top, below = int(strip.first and not closed[0]), int(strip.there == strip.own)
    across = -2, top, below, closed[0]
    points = _extend(_extend(image[..., : strip.there, :], *beside), *across)
    gradient = torch.zeros_like(points)
    rows, columns = points.shape[-2] - 1, points.shape[-1] - 1
    across_rows, across_columns = slice(top, top + strip.own), slice(left, left + width)
    straight = _STRAIGHT / strip.values
    slanted = _SLANTED / (channels * (height + (not closed[0])) * (width + left))
    pairs = (  # rows and columns of the one point, how far below and beside it the other one is, and the weight
        (across_rows, slice(0, columns), 0, 1, straight),
        (slice(top, rows), across_columns, 1, 0, straight),
        (slice(0, rows), slice(0, columns), 1, 1, slanted),
        (slice(0, rows), slice(1, columns + 1), 1, -1, slanted),
    )
    value = image.new_zeros(image.shape[0])
    for r, c, down, beyond, factor in pairs:
        here, there = (..., r, c), (..., _shift(r, down), _shift(c, beyond))
        step = points[there] - points[here]
        value += step.square().sum(dim=(1, 2, 3)) * factor
        step *= 2 * factor
        gradient[there] += step
        gradient[here] -= step
    pulled = torch.zeros_like(image)
    pulled[..., : strip.there, :] = _fold(_fold(gradient, *across), *beside)
    return value, pulled


def _shift(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _extend(points: Tensor, axis: int, before: int, after: int, closed: bool) -> Tensor:
    """Give the points with the border repeated once before and after, or, of a ring, with the first ones after the last."""
    first, last = points.narrow(axis, 0, 1), points.narrow(axis, points.shape[axis] - 1, 1)
    return torch.cat([first] * before + [points] + [first if closed else last] * after, dim=axis)


def _fold(gradient: Tensor, axis: int, before: int, after: int, closed: bool) -> Tensor:
    """Apply the adjoint of `_extend`."""
    length = gradient.shape[axis] - before - after
    inner = gradient.narrow(axis, before, length)
    if before:
        inner.narrow(axis, 0, 1).add_(gradient.narrow(axis, 0, 1))
    if after:
        inner.narrow(axis, 0 if closed else length - 1, 1).add_(gradient.narrow(axis, before + length, 1))
    return inner
