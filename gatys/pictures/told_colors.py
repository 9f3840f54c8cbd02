"""What a file says of its colours: a profile, or by code points, chunks, tags and EXIF what `encodings` converts."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image, TiffImagePlugin

from .checks import NotReadHere
from .encodings import Encoding, adobe_rgb, linear_light, of_codes, of_gamma, of_png, of_tiff

log = logging.getLogger(__name__)

_EXIF = 0x8769
"""The tag that leads to the EXIF of a picture."""
_ICC_BLOCK = b"\x21\xff\x0bICCRGBG1012"
_ENUMERATED = (0, 12, 15, 16, 17, 18)
"""The colour spaces of JPEG 2000 that Pillow knows: two of black and white, CMYK, sRGB, grey and sRGB's YCC."""


def told_by(image: Image.Image, data: bytes | None, name: str) -> bytes | Encoding | None:
    """Give the colour profile of a picture that Pillow opened, or its encoding; None where it is sRGB or does not say.

    Args:
        image: the picture.
        data: the whole file; None where that is not at hand.
        name: how to call it in messages.

    Raises:
        NotReadHere: where it says a thing that is not read here.
    """
    profile: bytes | None = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return profile
    chunks = _png_chunks(data) if data and image.format == "PNG" else {}
    if profile and b"cICP" not in chunks:
        return profile
    finder = _FINDERS.get(image.format or "")
    found = finder(data) if data and finder else of_png(chunks) if chunks else _told_by_pillow(image)
    if isinstance(found, bytes):
        return found
    if found is None and "srgb" not in image.info:
        found = of_exif(image.getexif(), name)
    return None if found is None or found.is_srgb else found


def _told_by_pillow(image: Image.Image) -> Encoding | None:
    """Give the encoding of a picture of which there is only what Pillow keeps."""
    if "nclx_profile" in image.info:  # pillow-heif
        codes = image.info["nclx_profile"]
        return of_codes(codes["color_primaries"], codes["transfer_characteristics"])
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return of_tiff(image.tag_v2)
    if "srgb" not in image.info and image.info.keys() & {"gamma", "chromaticity"}:  # a PNG that was opened elsewhere
        return of_gamma(image.info.get("gamma"), image.info.get("chromaticity"))
    return None


def told_by_tiff(tags: Mapping[int, Any], data: bytes, name: str) -> Encoding | None:
    """Give the encoding of a TIFF without a colour profile; None where it is sRGB or does not say.

    Args:
        tags: its tags by their numbers.
        data: the whole file.
        name: how to call it in messages.

    Raises:
        NotReadHere: where it says a thing that is not read here.
    """
    found = of_tiff(tags)
    if found is None and _EXIF in tags and data[2:4] in (b"*\0", b"\0*"):
        exif = Image.Exif()
        exif.load(data)  # EXIF is laid out as a TIFF
        found = of_exif(exif, name)
    return None if found is None or found.is_srgb else found


def of_exif(exif: Image.Exif, name: str) -> Encoding | None:
    """Give the encoding that EXIF tells: Adobe RGB as cameras write it; None for sRGB and what is not told."""
    space = exif.get_ifd(_EXIF).get(0xA001)
    if space == 2 or (space == 0xFFFF and str(exif.get_ifd(0xA005).get(1)).startswith("R03")):
        return adobe_rgb()
    if space == 0xFFFF:
        log.warning("%s: its EXIF says that its colours are not sRGB, but not which; they are taken as sRGB", name)
    return None


def _png_chunks(data: bytes) -> Mapping[bytes, bytes]:
    """Give the chunks of a PNG before its pixels, the first of each kind."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"IEND"):
            break
        chunks.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 12 + length
    return chunks


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the kind, start and end of each box of a file, or of a box that holds boxes."""
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1 and at + 16 <= end:
            (length,), start = struct.unpack_from(">Q", data, start), start + 8
        stop = end if length == 0 else at + length
        if stop < start:
            break
        yield kind, start, min(stop, end)
        at = stop


def _of_jpeg_2000(data: bytes) -> bytes | None:
    """Give the profile of a JP2, which Pillow passes over."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind != b"jp2h":
            continue
        for inner, low, high in _boxes(data, start, end):
            if inner == b"colr" and data[low] == 2:
                return data[low + 3 : high]
            if inner == b"colr" and data[low] == 1:
                (space,) = struct.unpack_from(">I", data, low + 3)
                if space not in _ENUMERATED:
                    raise NotReadHere(f"has the colour space {space} of JPEG 2000, not read here; save it as sRGB")
    return None


def _of_avif(data: bytes) -> Encoding | None:
    """Give the encoding of an AVIF that has no profile."""
    at = data.find(b"colrnclx")
    return None if at < 0 else of_codes(*struct.unpack_from(">2H", data, at + 8))


def _of_gif(data: bytes) -> bytes | None:
    """Give the profile of a GIF, in blocks of up to 255 bytes, which Pillow passes over."""
    at = data.find(_ICC_BLOCK)
    if at < 0:
        return None
    at, profile = at + len(_ICC_BLOCK), b""
    while at < len(data) and data[at]:
        profile += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return profile


def _of_qoi(data: bytes) -> Encoding | None:
    return Encoding(linear_light) if data[13] == 1 else None


def _of_bmp(data: bytes) -> bytes | None:
    """Give the profile of a BMP, which Pillow passes over."""
    if len(data) < 138 or struct.unpack_from("<I", data, 14)[0] < 124 or data[70:74] != b"DEBM":
        return None
    start, length = struct.unpack_from("<2I", data, 126)
    return data[14 + start : 14 + start + length]


_FINDERS: Mapping[str, Any] = {
    "JPEG2000": _of_jpeg_2000,
    "AVIF": _of_avif,
    "GIF": _of_gif,
    "QOI": _of_qoi,
    "BMP": _of_bmp,
}
