"""Formats that packages of their own read, which are imported where such a file comes: HEIC, JPEG XL and OpenEXR.

The nodes never need them. pyproject.toml has an extra for each.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import ImageError
from .encodings import SRGB, Encoding, linear_light

SUFFIXES = (".heic", ".heif", ".hif", ".jxl", ".exr")
"""The suffixes of these formats."""
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_EXR = b"v/1\x01"
_NAMES = {"heic": "HEIC", "jxl": "JPEG XL", "exr": "OpenEXR"}
"""The format that the package of each extra reads."""


@dataclass(frozen=True)
class LightPicture:
    """A picture of light, as an EXR holds it."""

    colour: Tensor
    """The colour, float32 (1 or 3, H, W), not premultiplied; 1 is white, and more is possible."""
    alpha: Tensor | None
    """The opacity, float32 (1, H, W), 1 is opaque."""
    encoding: Encoding


def open_optional(data: bytes, name: str, most_pixels: int) -> Image.Image | LightPicture | None:
    """Open a file of one of these formats; give None for any other.

    Args:
        data: the whole file.
        name: how to call it in messages.
        most_pixels: the largest picture that is opened.

    Raises:
        ImageError: where the package is not installed, and for an EXR of a kind that is not read.
        Exception: any that the package raises on damaged files.
    """
    extra = extra_for(data)
    try:
        if extra == "exr":
            return _open_exr(data, name, most_pixels)
        if extra == "jxl":
            from pillow_jxl.JpegXLImagePlugin import JXLImageFile

            return JXLImageFile(io.BytesIO(data))
        if extra == "heic":
            from pillow_heif import HeifImageFile

            return HeifImageFile(io.BytesIO(data))
    except ImportError as problem:
        cure = f"run pip install 'gatys-style-transfer[{extra}]', or convert it to PNG"
        raise ImageError(
            f"{name!r} is {_NAMES[extra]}, which needs a package that is not installed; {cure}"
        ) from problem
    return None


def extra_for(data: bytes) -> str:
    """Give the extra that brings the package for a file, by its first 256 bytes; an empty text for any other format."""
    if data[:4] == _EXR:
        return "exr"
    if data.startswith(_JPEG_XL):
        return "jxl"
    brands = [data[at : at + 4] for at in range(8, min(int.from_bytes(data[:4], "big"), 256), 4)]
    heic = data[4:8] == b"ftyp" and brands[:1] not in ([b"avif"], [b"avis"]) and not _HEIC_BRANDS.isdisjoint(brands)
    return "heic" if heic else ""


def is_repacked_jpeg(image: Image.Image) -> bool:
    """Tell whether a JPEG XL holds a JPEG, whose EXIF says how it is turned; others are turned by their decoder."""
    return bool(getattr(image, "jpeg", False))


def _open_exr(data: bytes, name: str, most_pixels: int) -> LightPicture:
    import OpenEXR

    with OpenEXR.File(io.BytesIO(data), header_only=True) as file:
        header = file.parts[0].header
        low, high = header["dataWindow"]
        shown = header["displayWindow"]
        width, height = (int(end) - int(start) + 1 for start, end in zip(low, high, strict=True))
    if width * height > most_pixels:
        raise ImageError(f"{name!r} has more than {most_pixels} pixels, which is not safe to open; shrink it")
    if not (np.array_equal(low, shown[0]) and np.array_equal(high, shown[1])):
        raise ImageError(f"{name!r} holds another part than it shows, which is not read here; save it uncropped")
    with OpenEXR.File(io.BytesIO(data), separate_channels=True) as file:
        channels = {key: channel.pixels for key, channel in file.parts[0].channels.items()}
        red_to_white = file.parts[0].header.get("chromaticities")
    names = ("R", "G", "B") if "R" in channels else ("Y",)
    if not channels.keys() >= set(names) or channels.keys() & {"RY", "BY"}:
        got = ", ".join(map(repr, sorted(channels)[:9]))
        raise ImageError(f"{name!r} has the channels {got}, expected R, G, B or Y; save it as RGB")
    values = np.stack([channels[key] for key in (*names, *(("A",) if "A" in channels else ()))])
    planes = torch.from_numpy(values.astype(np.float32))
    if not bool(planes.isfinite().all()):
        raise ImageError(f"{name!r} holds NaN or infinite pixels; paint them over and save it again")
    colour, alpha = planes[: len(names)], planes[len(names) :].clamp(0, 1)
    if len(alpha):
        colour = torch.where(alpha > 0, colour / alpha, 0)  # OpenEXR premultiplies
    primaries = SRGB if red_to_white is None else (*red_to_white[6:], *red_to_white[:6])
    return LightPicture(colour, alpha if len(alpha) else None, Encoding(linear_light, primaries))
