"""Gram matrices as sums over positions.

Gatys et al. (CVPR 2016, equation 3) describe style by G = F F^T, F being the (channels x positions)
matrix of a layer's responses. Because G is a sum over positions, the sums of disjoint parts of a
picture add up to the sum of the whole; a guide is a weight on each position inside the same sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from ..passes.adjoints import portions


def _positions(features: Tensor) -> Tensor:
    """Give (N, C, H, W) as (N, H * W, C): a view in either memory format."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


_ROWS = 2**13
"""The number of positions of lower precision that are brought to float32 at a time on the CPU: few enough for its
cache."""
_MORE_ROWS = 2**16
"""The number of such positions on other devices: few enough to bound the copy."""
_PIECE = 2**11
"""The number of positions of a piece on NVIDIA cards, each with a Gram sum of its own: enough pieces to keep one busy,
and short sums in its matrix units, which round each time they add."""


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """Give the dtype of sums over positions: never below float32, where squares of activations overflow."""
    return torch.promote_types(dtype, torch.float32)


def gram_sum(features: Tensor, weight: Tensor | None = None) -> Tensor:
    """Give sum_i w_i f_i f_i^T over all positions i.

    Args:
        features: (N, C, H, W) responses.
        weight: (1 or N, 1, H, W) weight w of each position; None means 1. For a guide t, w = t^2
            (Gatys et al., *Controlling Perceptual Factors*, CVPR 2017, equation 5).

    Returns:
        (N, C, C), float32 or wider.
    """
    if weight is None and _multiplies_wide(features):
        return torch.stack([_sum_of_pieces(f) for f in _positions(features)])
    grams = ((f if w is None else f * w).transpose(1, 2) @ f for f, w in _wide(features, weight))
    total = next(grams)
    for gram in grams:
        total.add_(gram)
    return total


def _multiplies_wide(features: Tensor) -> bool:
    """Tell whether products of these features come in float32 without a copy of the features in it."""
    if not features.is_cuda or torch.version.hip is not None or features.requires_grad:
        return False
    if features.dtype in (torch.bfloat16, torch.float16):
        return "dtype" in torch.ops.aten.bmm.overloads()  # not in older versions
    return features.dtype == torch.float32


def _sum_of_pieces(f: Tensor) -> Tensor:
    """Give the Gram sum of (positions, C)."""
    whole = f.shape[0] // _PIECE * _PIECE
    pieces = [f[:whole].view(-1, _PIECE, f.shape[1])] if whole else []
    pieces += [f[None, whole:]] if whole < f.shape[0] or not whole else []
    sums = [_wide_product(some).sum(dim=0) for some in pieces]
    return sums[0] if len(sums) == 1 else sums[0].add_(sums[1])


def _wide_product(some: Tensor) -> Tensor:
    """Give the Gram sums of (pieces, positions, C) in float32."""
    turned = some.transpose(1, 2)
    return torch.bmm(turned, some) if some.dtype == torch.float32 else torch.bmm(turned, some, out_dtype=torch.float32)


def _wide(features: Tensor, weight: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Give features and weights as (N, positions, ...) in float32 or wider: a view, or copies of a part at a time."""
    f, wide = _positions(features), accumulation_dtype(features.dtype)
    rows = f.shape[1] if f.dtype == wide else _ROWS if f.device.type == "cpu" else _MORE_ROWS
    weights = itertools.repeat(None) if weight is None else _positions(weight.to(wide)).split(rows, dim=1)
    for part, w in zip(f.split(rows, dim=1), weights):  # noqa: B905 (one may be endless)
        yield part.to(wide), w


def cross_sum(before: Tensor, features: Tensor, weight: Tensor | None = None) -> Tensor:
    """Give sum_i w_i f_i g_i^T, (N, C, D), of features f (N, C, H, W) and g (N, D, H, W) on one grid, as `gram_sum` does."""
    parts = zip(_wide(before, weight), _wide(features, None), strict=True)
    sums = ((f if w is None else f * w).transpose(1, 2) @ g for (f, w), (g, _) in parts)
    total = next(sums)
    for some in sums:
        total.add_(some)
    return total


def gram_sum_gradient(
    features: Tensor, cotangent: Tensor, weight: Tensor | None = None, onto: Tensor | None = None
) -> Tensor:
    """Give the derivative of <cotangent, gram_sum(features)> in the features, for a symmetric cotangent: 2 w_i K f_i.

    Of another cotangent, (N, C, D), it gives 2 w_i K^T f_i, (N, D, H, W).

    Args:
        features: (N, C, H, W).
        cotangent: (N, C, C), symmetric.
        weight: as for `gram_sum`.
        onto: (N, C, H, W) in the dtype of `features`, to which the derivative is added in place.

    Returns:
        (N, C, H, W) in the dtype of `features`: `onto`, where that is given.
    """
    # bfloat16 has the range of float32, and its matrix products add up in float32: they round once, like convolutions
    plain = weight is None and features.dtype in (cotangent.dtype, torch.bfloat16)
    twice = (2 * cotangent).to(features.dtype) if plain else 2 * cotangent
    if onto is not None:
        if plain and onto.is_contiguous(memory_format=torch.channels_last):
            _positions(onto).baddbmm_(_positions(features), twice)
        else:  # take the product first, of some rows at a time
            for some, *given in portions(onto, features, *([] if weight is None else [weight])):
                some.add_(gram_sum_gradient(given[0], cotangent, *given[1:]))
        return onto
    n, _, h, w = features.shape
    if plain:
        whole = _positions(features) @ twice
    else:
        parts = []
        for f, weights in _wide(features, weight):
            pulled = f @ twice
            parts.append((pulled if weights is None else pulled.mul_(weights)).to(features.dtype))
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return whole.view(n, h, w, cotangent.shape[-1]).permute(0, 3, 1, 2)


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Give the normalised Gram matrix: F F^T / M, or with a guide t, sum_i t_i^2 f_i f_i^T / sum_i t_i^2.

    Args:
        features: (N, C, H, W).
        guide: (1 or N, 1, H, W), values >= 0 with at least one above 0 in each picture.

    Returns:
        (N, C, C), float32 or wider.
    """
    if guide is None:
        return gram_sum(features) / (features.shape[-2] * features.shape[-1])
    weight = guide.to(accumulation_dtype(features.dtype)).square()
    return gram_sum(features, weight) / weight.sum(dim=(2, 3))[..., None]
