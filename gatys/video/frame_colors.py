"""The colour of a film's frames: from luma and chroma to R'G'B' and back, as ITU-T H.273 has it.

With Y in [0, 1] and Cb, Cr in [-1/2, 1/2] (H.273, section 8.3):

    R = Y + 2 (1 - Kr) Cr,    B = Y + 2 (1 - Kb) Cb,    Y = Kr R + (1 - Kr - Kb) G + Kb B

Numbers of b bits are Y = (n / 2^(b-8) - 16) / 219 and C = (n / 2^(b-8) - 128) / 224 in limited range, and Y = n / (2^b - 1) and
C = (n - 2^(b-1)) / (2^b - 1) in full range.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BT_709 = 1
UNTOLD = 2
BT_601 = 6
_WEIGHTS: Mapping[int, tuple[float, float]] = {
    BT_709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    BT_601: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # with constant luminance; that is for linear light, and nobody writes it
}
"""Kr and Kb, by the codes of the matrix coefficients in H.273, table 4."""
MATRICES = (0, UNTOLD, *_WEIGHTS)
"""The codes that are read; 0 is none, for files of red, green and blue."""


def matrix_of(code: int, size: tuple[int, int]) -> int:
    """Give the code of the matrix; where a file does not tell, players take BT.709 from 720 lines or 1280 columns on.

    Args:
        code: what the file tells.
        size: the (height, width) in pixels that it stores.
    """
    if code not in (0, UNTOLD):
        return code
    return BT_709 if size[0] >= 720 or size[1] >= 1280 else BT_601


def to_rgb(planes: Tensor, matrix: int, bits: int, *, full: bool) -> Tensor:
    """Convert luma and chroma to red, green and blue.

    Args:
        planes: the numbers of Y, Cb and Cr, (3, H, W), floating point.
        matrix: the code of the matrix.
        bits: the bits of a number.
        full: whether they use their whole range.

    Returns:
        (3, H, W) in [0, 1].
    """
    red, blue = _WEIGHTS[matrix]
    luma, cb, cr = planes
    if full:
        top, middle = 2**bits - 1, 2 ** (bits - 1)
        luma, cb, cr = luma / top, (cb - middle) / top, (cr - middle) / top
    else:
        unit = 2 ** (bits - 8)
        luma, cb, cr = (luma / unit - 16) / 219, (cb / unit - 128) / 224, (cr / unit - 128) / 224
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return torch.stack((r, g, b)).clamp(0, 1)


def to_ycbcr(colour: Tensor, matrix: int) -> Tensor:
    """Convert red, green and blue in [0, 1], (3, H, W), to numbers of 8 bits in limited range, uint8 (3, H, W)."""
    red, blue = _WEIGHTS[matrix]
    r, g, b = colour
    luma = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    return torch.stack((16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr)).round().to(torch.uint8)
