"""Deep images: pictures of more than 8 bits a channel, for `images`.

Pillow reads such grey as it is but keeps only the upper byte of colour, and writes 8 bits: here the lower byte is
fetched too, and a PNG of 16 bits is written. For TIFFs, where that does not go, see `tiff`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image, TiffImagePlugin
from torch import Tensor

from .checks import NotReadHere

_SIGNED, _PALETTE = 2, 3
"""TIFF's sample format of whole numbers with signs, and its photometric interpretation of a palette."""


def read_samples(image: Image.Image, data: bytes | None) -> tuple[Tensor, Tensor | None] | None:
    """Give colour (1 or 3, H, W) and alpha (1, H, W) or None; give None where Pillow's 8 bits are all there is to get.

    Args:
        image: the picture as Pillow decoded it. Integers count to 65535, floating-point samples to 1.
        data: the whole file; None where that is not at hand.

    Returns:
        float32 in [0, 1].

    Raises:
        NotReadHere: where samples lie outside that range.
    """
    top = 65535.0
    if data and _planes_are_lost(image):
        cure = "install the package tifffile, or save its channels interleaved"
        raise NotReadHere(f"has 16 bits a channel, its planes one after another, which is not read here; {cure}")
    tags = _tags(image)
    if _SIGNED in tags.get(339, ()) and 32 not in tags.get(258, ()):  # Pillow's own whole numbers of 32 bits are signed
        raise NotReadHere("holds whole numbers with signs, of which white is unknown; save it with unsigned ones")
    if tags.get(262) == _PALETTE and tags.get(284, 1) != 1 and tags.get(277, 1) > 1:
        raise NotReadHere("has a palette and alpha one after another, which is not read here; save it as RGB")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = torch.from_numpy(np.array(image).astype(np.float32))[None]
        top = 1.0 if image.mode == "F" else 4095.0 if 12 in tags.get(258, ()) else top
        check_range(values, top)
        if tags.get(262) == 0:  # white is 0, which Pillow knows up to 8 bits only
            values = top - values
    elif image.mode in ("RGB", "RGBA") and data and stores_16_bits(image, data) and (lower := _lower_bytes(data)):
        levels = np.array(image).astype(np.float32) * 256 + np.array(lower)
        values = torch.from_numpy(levels).permute(2, 0, 1)
    else:
        return None
    alpha, key = None, image.info.get("transparency")
    if values.shape[0] == 4:
        values, alpha = values[:-1], values[-1:] / top
    elif key is not None:  # the one colour that is transparent
        key = torch.tensor(key, dtype=values.dtype).reshape(-1, 1, 1)
        alpha = (values != key).any(0, keepdim=True).float()
    return values / top, alpha


def check_range(values: Tensor, top: float = 1.0) -> None:
    """Raise NotReadHere unless all values lie in [0, top]."""
    if not bool(((values >= 0) & (values <= top)).all()):
        came = f"{values.min():g} to {values.max():g}"
        raise NotReadHere(f"holds values from {came}, expected 0 to {top:g}; save it with 8 or 16 bits")


def _tags(image: Image.Image) -> Mapping[int, Any]:
    """Give the tags of a TIFF by their numbers; none of another file."""
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _planes_are_lost(image: Image.Image) -> bool:
    """Tell whether this is a TIFF of 16 bits whose planes lie one after another, unpacked: Pillow takes them for
    stripes.
    """
    tags = _tags(image)
    return 16 in tags.get(258, ()) and tags.get(284, 1) != 1 and tags.get(277, 1) > 1 and tags.get(259, 1) == 1


def stores_16_bits(image: Image.Image, data: bytes) -> bool:
    """Tell whether a PNG or TIFF file has 16 bits a channel, which Pillow's picture may not show."""
    if image.format == "PNG":
        return data[24] == 16  # a fixed place of every PNG
    return 16 in _tags(image).get(258, ())  # bits per sample


def _lower_bytes(data: bytes) -> Image.Image | None:
    """Give the picture of the lower bytes of 16-bit colour; None where Pillow has no raw mode for it.

    Told that the file has the other byte order, Pillow takes the lower byte for the upper one.
    """
    image = Image.open(io.BytesIO(data))
    if _tags(image).get(284, 1) != 1:  # planes one after another: the order told is ignored
        return None
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # N: the machine's own order
    tiles = []
    for tile in image.tile:
        raw_mode, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args or "",)
        if raw_mode[:-1] != f"{image.mode};16":
            return None
        raw_mode = raw_mode[:-1] + other[raw_mode[-1]]
        tiles.append(tile._replace(args=(raw_mode, *rest) if rest else raw_mode))
    image.tile = tiles
    image.load()
    return image
