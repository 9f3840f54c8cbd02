"""Decoding: the bytes of a picture file become pixels, upright and in sRGB.

Where a file is decoded but not quite as it asks, this module's logger warns.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from PIL import Image, ImageChops, UnidentifiedImageError
from torch import Tensor

from ..errors import ImageError, is_out_of_memory
from .checks import NotReadHere
from .deep_images import check_range, read_samples, stores_16_bits
from .encodings import Encoding, encoded_as_srgb
from .optional_formats import LightPicture, is_repacked_jpeg, open_optional
from .profiles import as_tensor, to_srgb
from .tiff import read_tiff
from .told_colors import told_by, told_by_tiff

log = logging.getLogger(__name__)

READABLE: Mapping[str, tuple[str, ...]] = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp", ".dib"),
    "DDS": (".dds",),
    "GIF": (".gif",),
    "ICO": (".ico",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PCX": (".pcx",),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Formats that are read, by Pillow's names, and the suffixes of their files: not EPS, say, for which Pillow starts
another program."""
MAX_PIXELS = 178_956_970
"""The largest picture that is read; in Pillow this is where a decompression bomb begins. It takes 2 GB as a tensor."""
SEVERAL = "%s holds several frames; only the first is used"

_ORIENTATION = 0x0112  # EXIF tag
_ORIENTATION_FLIPS = {2: [-1], 3: [-2, -1], 4: [-2], 6: [-1], 7: [-2, -1], 8: [-2]}  # after 5 .. 8's transposition
_GREY_MODES = {"1", "L", "LA"}
_COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
_DAMAGE: tuple[type[Exception], ...]
_DAMAGE = (OSError, ValueError, SyntaxError, RuntimeError, EOFError, LookupError, TypeError, ArithmeticError)
_DAMAGE += (struct.error, zlib.error)  # decoders raise all of these on damaged files


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Turn all that decoders raise on damaged files into an ImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of things that make no difference here
            yield
    except ImageError:
        raise
    except NotReadHere as problem:
        raise ImageError(f"{name!r} {problem}") from problem
    except Image.DecompressionBombError as problem:
        raise ImageError(f"{name!r} has too many pixels, which is not safe to open; shrink it") from problem
    except UnidentifiedImageError as problem:
        raise ImageError(f"{name!r} is not a picture that is read here; convert it to PNG or JPEG") from problem
    except _DAMAGE as problem:
        if is_out_of_memory(problem):
            raise
        why = " ".join(str(problem).split())[:200]  # some decoders say it in lines
        why = "".join(each if each.isprintable() else "?" for each in why)
        raise ImageError(f"{name!r} is damaged or cut short ({why}); copy or download it again") from problem


def planes_in(data: bytes, name: str, most_pixels: int) -> Tensor:
    """Read colour and perhaps alpha, (1, 3 or 4, H, W) in [0, 1], upright."""
    tiff = read_tiff(data, most_pixels)
    if tiff is not None:
        check_range(tiff.colour if tiff.alpha is None else torch.cat((tiff.colour, tiff.alpha)))
        if tiff.several:
            log.warning(SEVERAL, name)
        told = tiff.profile or told_by_tiff(tiff.tags, data, name)
        return _finished(tiff.colour, tiff.alpha, told, tiff.orientation, name)
    image = opened(data, name, most_pixels)
    if isinstance(image, LightPicture):
        return _finished(image.colour, image.alpha, image.encoding, 1, name)
    if image.width * image.height > most_pixels:
        raise ImageError(f"{name!r} has more than {most_pixels} pixels, which is not safe to open; shrink it")
    if getattr(image, "is_animated", False) and image.format != "PSD":  # whose layers are in the one picture
        log.warning(SEVERAL, name)  # counting them may take long
    return upright(image, data, name)


def opened(data: bytes, name: str, most_pixels: int) -> Image.Image | LightPicture:
    """Open a file that is no TIFF of `tiff.read_tiff`; Pillow decodes its picture only when that is asked for.

    Raises:
        ImageError: as `optional_formats.open_optional` does.
        Exception: any that decoders raise on damaged files.
    """
    image = open_optional(data, name, most_pixels)
    if image is None:
        Image.init()
        image = Image.open(io.BytesIO(data), formats=[form for form in READABLE if form in Image.OPEN])
    return image


def upright(image: Image.Image, data: bytes | None, name: str) -> Tensor:
    """Convert a picture that Pillow opened to (1, 3 or 4, H, W), from the bytes of its whole file where these are at
    hand.
    """
    image.load()
    colour, alpha = read_samples(image, data) or _samples(image, data, name)
    orientation = 1 if image.format == "JXL" and not is_repacked_jpeg(image) else image.getexif().get(_ORIENTATION, 1)
    return _finished(colour, alpha, told_by(image, data, name), orientation, name)


def _finished(
    colour: Image.Image | Tensor, alpha: Tensor | None, told: bytes | Encoding | None, orientation: int, name: str
) -> Tensor:
    """Bring colour from its profile or encoding to sRGB, and turn it upright with the alpha, (1, 3 or 4, H, W)."""
    if isinstance(told, bytes):
        converted = to_srgb(colour, told, name)
        colour = colour if converted is None else converted
    if isinstance(colour, Image.Image):
        colour = as_tensor(colour.convert("RGB"))
    if isinstance(told, Encoding):
        colour = encoded_as_srgb(colour, told, name)
    planes = torch.cat((colour.expand(3, -1, -1),) if alpha is None else (colour.expand(3, -1, -1), alpha))[None]
    if orientation in (5, 6, 7, 8):
        planes = planes.transpose(-1, -2)
    return planes.flip(_ORIENTATION_FLIPS.get(orientation, []))


def _samples(image: Image.Image, data: bytes | None, name: str) -> tuple[Image.Image, Tensor | None]:
    """Give 8-bit colour in L, RGB or CMYK, whichever the file's profile would describe, and alpha (1, H, W)."""
    image = image.convert("LA") if image.mode == "La" else image
    mode = image.mode
    if mode not in _GREY_MODES | _COLOUR_MODES:
        raise ImageError(f"{name!r} has pixels of the kind {mode}, which have no sRGB colour; save it as RGB")
    if data and stores_16_bits(image, data):
        log.warning("%s has 16 bits a channel in a layout that is read as 8; save it as 16-bit RGB to keep all", name)
    if _is_negative(image):
        image = ImageChops.invert(image)
    alpha, key = None, image.info.get("transparency")
    if data and image.format == "PNG" and mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2 ** data[24] - 1)  # Pillow leaves it at the file's bits
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        alpha = as_tensor(opaque.getchannel("A"))
        image = image if mode in _GREY_MODES else opaque
    return image.convert("L" if mode in _GREY_MODES else "CMYK" if mode == "CMYK" else "RGB"), alpha


def _is_negative(image: Image.Image) -> bool:
    """Tell whether Pillow gives the negative: CMYK of a JPEG that is not Adobe's, whose files are inverted, and black
    and white of a PSD.
    """
    return (image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info) or (
        image.format == "PSD" and image.mode == "1"
    )
