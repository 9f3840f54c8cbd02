"""TIFF files that Pillow reads wrongly or not at all: the package tifffile does it.

They are those of more than 8 bits a channel, and those whose planes lie one after another. The package is imported when
it is needed: the nodes do without it.
"""

from __future__ import annotations

import io
import logging
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import MissingPackage
from .checks import NotReadHere

_QUIET = logging.NullHandler()
"""A handler without which tifffile's remarks on damaged files would come on the screen beside the error."""
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of a TIFF, in both orders of bytes; the last two begin those of more than 4 GiB."""

_TOPS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float16): 1}
_TOPS |= {np.dtype(np.float32): 1, np.dtype(np.float64): 1}
"""Type of the samples -> the one that means 1."""
_STORED, _DEFLATED = 1, (8, 32946)
_WHITE_IS_0, _GREY, _RGB = 0, 1, 2
_IGNORED, _PREMULTIPLIED, _STRAIGHT = 0, 1, 2
"""The kinds of an extra sample; the last two are kinds of alpha."""


@dataclass(frozen=True)
class TiffPicture:
    """The first picture of a TIFF, as the file stores it."""

    colour: Tensor
    """The colour, float32 (1 or 3, H, W); 1 is full intensity, and floating-point samples may lie outside [0, 1]."""
    alpha: Tensor | None
    """The opacity, float32 (1, H, W), 1 is opaque."""
    profile: bytes | None
    tags: Mapping[int, Any]
    """Those of colour, and EXIF's, by their numbers."""
    orientation: int
    several: bool
    """Whether further pictures follow."""


def tiff_library() -> ModuleType | None:
    """Import `tifffile`, if it is installed."""
    try:
        import tifffile
    except ImportError:
        return None
    logging.getLogger("tifffile").addHandler(_QUIET)
    return tifffile


def need_tiff_library() -> ModuleType:
    """Import `tifffile`, or raise MissingPackage."""
    library = tiff_library()
    if library is None:
        raise MissingPackage(
            "a TIFF by rows is written by the package tifffile, which is not installed; run pip install tifffile"
        )
    return library


def read_tiff(data: bytes, most_pixels: int) -> TiffPicture | None:
    """Read a TIFF that Pillow does not read as well; give None for any other, and for one of more than `most_pixels`.

    Nothing larger than the picture is allocated for it.

    Args:
        data: the whole file.

    Raises:
        NotReadHere: for premultiplied alpha where white is 0, of which the specification does not say what it means.
        ValueError: where strips or tiles are cut short or have another size than the file says.
        Exception: any that tifffile raises on damaged files.
    """
    library = tiff_library()
    if library is None or data[:4] not in MAGIC:
        return None
    try:
        file = library.TiffFile(io.BytesIO(data))
        page = file.pages[0]
        ours = _is_ours(page) and page.imagewidth * page.imagelength <= most_pixels
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
        return None  # to be refused by Pillow
    if not ours:
        return None
    if page.photometric == _WHITE_IS_0 and len(page.extrasamples) and _extra(page) == _PREMULTIPLIED:
        raise NotReadHere("has premultiplied alpha where white is 0, which nobody defines; save it as RGB")
    _check_segments(page, memoryview(data))
    samples = page.asarray(maxworkers=1)
    top = _TOPS[page.dtype]
    planes = torch.from_numpy(samples.astype(np.float32))
    if planes.ndim == 2:
        planes = planes[None]
    elif page.planarconfig == 1:
        planes = planes.movedim(-1, 0)
    colours = 3 if page.photometric == _RGB else 1
    colour, extra = planes[:colours], planes[colours:]
    colour = (top - colour if page.photometric == _WHITE_IS_0 else colour) / top
    alpha = extra / top if len(extra) and _extra(page) != _IGNORED else None
    if alpha is not None and _extra(page) == _PREMULTIPLIED:
        colour = torch.where(alpha > 0, colour / alpha, 0).clamp(max=1)
    profile = page.tags.valueof(34675)
    tags = {tag: page.tags.valueof(tag) for tag in (301, 318, 319, 34665) if tag in page.tags}
    several = len(file.pages) > 1
    return TiffPicture(colour, alpha, profile, tags, int(page.tags.valueof(274) or 1), several)


def _is_ours(page: Any) -> bool:
    colours = {_WHITE_IS_0: 1, _GREY: 1, _RGB: 3}.get(int(page.photometric))
    planes = page.planarconfig != 1 and page.samplesperpixel > 1
    return (
        colours is not None
        and page.samplesperpixel - colours == len(page.extrasamples) <= 1
        and page.dtype in _TOPS
        and (page.dtype != np.uint8 or planes)
        and page.bitspersample == 8 * page.dtype.itemsize
        and page.imagedepth == 1
        and (page.compression == _STORED or page.compression in _DEFLATED)  # tifffile can do these by itself
        and page.predictor in (1, 2)
    )


def _extra(page: Any) -> int:
    return int(page.extrasamples[0])


def _check_segments(page: Any, data: memoryview) -> None:
    """Raise ValueError unless all strips or tiles are there and none unpacks to more than its share of the picture."""
    if len(page.dataoffsets) != math.prod(page.chunked):
        raise ValueError(f"it has {len(page.dataoffsets)} strips or tiles instead of {math.prod(page.chunked)}")
    share = math.prod(page.chunks) * page.dtype.itemsize
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not 0 < length <= len(data) - offset:
            raise ValueError("a strip or tile lies outside of it")
        part = data[offset : offset + length]
        if page.compression in _DEFLATED and len(zlib.decompressobj().decompress(part, share + 1)) > share:
            raise ValueError("a strip or tile is larger than it says")
