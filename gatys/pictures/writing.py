"""Encoding: pixels and metadata become the bytes of a picture file."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .metadata import KEYWORD, Metadata
from .profiles import changes_nothing

log = logging.getLogger(__name__)

_MOST = {"exif": 65527, "xmp": 65502}
"""The longest EXIF and XMP that a JPEG holds, in bytes."""
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_MARK = b"Exif\0\0"
DPI = 72.0
"""The resolution that a TIFF names where nothing is known: the format has no way to leave it open."""


def encode(planes: Tensor, form: str, depth: int, quality: int, metadata: Metadata, name: str) -> bytes:
    """Give the file of a picture.

    Args:
        planes: (3 or 4, H, W), sRGB in [0, 1], the fourth channel straight alpha.
        form: "PNG", "JPEG", "WEBP" or "TIFF".
        depth: bits a channel, 8 or, for PNG and TIFF, 16.
        quality: for JPEG and WebP, 1 to 100.
        metadata: what goes with it.
        name: how to call it in messages.
    """
    top, kind = (65535, np.uint16) if depth == 16 else (255, np.uint8)
    levels = (planes * top).round().permute(1, 2, 0).numpy().astype(kind)
    profile = metadata.profile
    if profile is not None and depth == 16:
        log.warning("%s is written in sRGB: the content's profile is kept at 8 bits a channel only", name)
        profile = None
    if profile is not None and not _converted(levels, profile, name):
        profile = None
    metadata = replace(metadata, profile=profile)
    if depth == 16:
        return encode_png(levels, metadata) if form == "PNG" else encode_tiff(levels, metadata)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, format=form, **_options(form, quality, metadata, name))
    return buffer.getvalue()


def _converted(levels: np.ndarray, profile: bytes, name: str) -> bool:
    """Convert 8-bit colour from sRGB to a profile in place; tell whether that could be done."""
    try:
        space, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        back, there = (
            ImageCms.buildTransform(space, srgb, "RGB", "RGB"),
            ImageCms.buildTransform(srgb, space, "RGB", "RGB"),
        )
    except (OSError, ImageCms.PyCMSError) as problem:
        log.warning("%s is written in sRGB: nothing can be converted to the content's profile (%s)", name, problem)
        return False
    if not changes_nothing(back, "RGB"):
        levels[..., :3] = np.array(there.apply(Image.fromarray(np.ascontiguousarray(levels[..., :3]))))
    return True


def _options(form: str, quality: int, metadata: Metadata, name: str) -> Mapping[str, Any]:
    """Give what Pillow is told beside the pixels."""
    options: dict[str, Any] = {}
    exif, xmp = metadata.exif(), metadata.xmp()
    if form == "JPEG":
        fits = {"exif": len(exif) <= _MOST["exif"], "xmp": len(xmp) <= _MOST["xmp"]}
        if not all(fits.values()):
            log.warning("%s is written without metadata that is longer than JPEG can hold; use .png to keep it", name)
        exif, xmp = exif if fits["exif"] else b"", xmp if fits["xmp"] else b""
        options = {"quality": quality, "subsampling": 0}
        if xmp:
            options["extra"] = b"\xff\xe1" + struct.pack(">H", 2 + len(_XMP_MARK + xmp)) + _XMP_MARK + xmp
    elif form == "WEBP":
        options = {"quality": quality, "exact": True}  # exact: colour under transparent pixels is kept too
        options |= {"xmp": xmp} if xmp else {}
    elif form == "PNG":
        options = {"pnginfo": PngInfo()}
        if metadata.profile is None:
            options["pnginfo"].add(b"sRGB", b"\0")
        if metadata.made is not None:
            options["pnginfo"].add_text(KEYWORD, metadata.made)
    if form == "TIFF":
        options = {"tiffinfo": _tiff_tags(metadata), "dpi": metadata.dpi or (DPI, DPI)}
    elif exif:
        options["exif"] = exif
    if metadata.dpi is not None and form in ("JPEG", "PNG"):
        options["dpi"] = metadata.dpi
    if metadata.profile is not None:
        options["icc_profile"] = metadata.profile
    return options


def _tiff_tags(metadata: Metadata) -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in metadata.exif_tags().items():
        tags[tag] = value
    if xmp := metadata.xmp():
        tags[700] = xmp
        tags.tagtype[700] = 1
    return tags


def encode_tiff(levels: np.ndarray, metadata: Metadata) -> bytes:
    """Make an uncompressed TIFF of 16 bits, in one strip.

    Args:
        levels: uint16 (H, W, 3) or (H, W, 4), the fourth channel straight (not premultiplied) alpha; 0 to 65535.
        metadata: what goes with it, its profile aside.
    """
    height, width, channels = levels.shape
    strip = levels.astype("<u2").tobytes()
    tags = _tiff_tags(metadata)
    dpi = metadata.dpi or (DPI, DPI)
    for tag, kind, value in (
        (256, 4, width), (257, 4, height), (258, 3, (16,) * channels), (259, 3, 1), (262, 3, 2), (273, 4, 0),
        (277, 3, channels), (278, 4, height), (279, 4, len(strip)), (282, 5, dpi[0]), (283, 5, dpi[1]), (296, 3, 2),
    ):  # fmt: skip
        tags[tag] = value
        tags.tagtype[tag] = kind
    if channels == 4:
        tags[338] = 2
    buffer = io.BytesIO()
    tags.save(buffer)
    return buffer.getvalue() + strip


def encode_png(levels: np.ndarray, metadata: Metadata) -> bytes:
    """Make a 16-bit PNG that is marked as sRGB.

    Args:
        levels: uint16 (H, W, 3) or (H, W, 4), the fourth channel straight (not premultiplied) alpha; 0 to 65535.
        metadata: what goes with it, its profile aside.
    """
    height, width, channels = levels.shape
    rows = np.ascontiguousarray(levels, dtype=">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, rows.shape[1] + 1), 2, dtype=np.uint8)  # a row begins with its filter: 2 is Up
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # modulo 256, as the format asks
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)), (b"sRGB", b"\0")]
    if metadata.dpi is not None:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in metadata.dpi), 1)))
    if exif := metadata.exif():
        chunks.append((b"eXIf", exif.removeprefix(_EXIF_MARK)))
    if metadata.made is not None:
        chunks.append((b"tEXt", KEYWORD.encode() + b"\0" + metadata.made.encode("latin-1")))
    chunks += [(b"IDAT", zlib.compress(filtered.data, 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
