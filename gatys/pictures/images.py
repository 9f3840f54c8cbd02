"""Image files: they are read, written and resized here.

Pictures are float32 tensors (N, 3, H, W), sRGB in [0, 1]. All that is wrong with a file or an argument is an
`ImageError` of one sentence. Where a file is read or written but not quite as asked, this module's logger warns.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..errors import ImageError
from .checks import size_of
from .decoding import MAX_PIXELS, damage_told, planes_in, upright
from .metadata import Metadata
from .replacing import replacing
from .resampling import resize
from .writing import encode

log = logging.getLogger(__name__)

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""The format of a file that `write_image` writes, by its suffix."""

MAX_BYTES = 2 << 30
"""The largest file that is read."""


@dataclass(frozen=True)
class Picture:
    """The picture that a file holds."""

    pixels: Tensor
    """The colour, float32 (1, 3, H, W), sRGB in [0, 1], not premultiplied by alpha."""
    alpha: Tensor | None
    """The opacity, float32 (1, 1, H, W) in [0, 1], 1 is opaque; None where the file has none."""

    @classmethod
    def of(cls, planes: Tensor) -> Picture:
        """Split colour (1, 3, H, W), or colour and alpha (1, 4, H, W)."""
        return cls(planes[:, :3].contiguous(), None if planes.shape[1] == 3 else planes[:, 3:].contiguous())


def fit(width: int, height: int, size: int) -> tuple[int, int]:
    """Give (width, height) in pixels with a longer edge of `size` and the same aspect; the shorter is at least 1.

    Raises:
        ImageError: where a number is not a positive integer.
    """
    for name, value in (("width", width), ("height", height), ("size", size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ImageError(f"{name} must be a whole number of pixels, 1 or more, not {value!r}; give one")
    longer = max(width, height)
    width, height = (max(1, (2 * edge * size + longer) // (2 * longer)) for edge in (width, height))
    return width, height


def read_image(path: str | os.PathLike, size: int | Callable[[tuple[int, int]], int] | None = None) -> Picture:
    """Read the picture in a file, upright as its EXIF orientation says, in sRGB.

    Every format of `decoding.READABLE` can be read, and HEIC, JPEG XL and OpenEXR with a package of their own:
    greyscale, palette and CMYK become RGB, transparency becomes `alpha`. Integer grey of more than 8 bits counts to
    65535, floating point to 1. An embedded colour profile is converted to sRGB, at 8 bits a channel unless it is sRGB
    already; gamma, chromaticities, code points and EXIF's Adobe RGB are converted in floating point. 16-bit RGB(A) is
    read in full from PNG and TIFF, and floating-point TIFFs are read; from every other format Pillow gives 8 bits.
    Light of an OpenEXR or an HDR picture above white becomes white. Of several frames the first is read.

    Args:
        path: the path of the file.
        size: longer edge of the result in pixels, by `resize`; None leaves it as it is. A function gives it from the
            picture's (height, width).

    Raises:
        ImageError: where there is no readable picture at `path`, or `size` is not a positive integer.
    """
    if size is not None and not callable(size):
        fit(1, 1, size)
    name = str(path)
    data = _read(Path(path), name)
    with damage_told(name):
        planes = planes_in(data, name, MAX_PIXELS)
    if callable(size):
        size = size(size_of(planes))
    if size is not None:
        width, height = fit(planes.shape[-1], planes.shape[-2], size)
        planes = resize(planes, (height, width))
    return Picture.of(planes)


def pillow_picture(image: Image.Image, name: str) -> Picture:
    """Convert a picture of Pillow's as `read_image` converts that of a file; of several frames, the one it stands at.

    Args:
        image: the picture.
        name: how to call it in messages.

    Raises:
        ImageError: where its kind of pixels has no sRGB colour, and where it is loaded only now and damaged.
    """
    try:
        with damage_told(name):
            return Picture.of(upright(image, None, name))
    except (AssertionError, AttributeError) as problem:  # the file was closed before it was read
        raise ImageError(f"{name!r} is closed and was never loaded; convert it before it is closed") from problem


def _read(path: Path, name: str) -> bytes:
    if os.path.isdir(path):
        raise ImageError(f"{name!r} is a folder, not a picture; give the path of one file in it")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # a device may have no end
    except FileNotFoundError:
        raise ImageError(f"there is no file {name!r}; check the path") from None
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise ImageError(f"{name!r} cannot be opened ({why}); check the path and its permissions") from problem
    if not data:
        raise ImageError(f"{name!r} is empty (0 bytes), not a picture; copy or download it again")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name!r} has more than {MAX_BYTES} bytes, which is not safe to open; shrink it")
    return data


def check_output(path: str | os.PathLike, depth: int | None = None, overwrite: bool = True) -> Path:
    """Give `path` as a Path, once it is known that `write_image` can write there; call it before long work.

    Raises:
        ImageError: where the suffix is not in FORMATS, its format has no such depth, the path is a folder or a device,
            the folder that it lies in is missing or not writable, and where a file is there that is not to be
            replaced. Of a symbolic link, this is about the place that it leads to.
    """
    path = Path(path)
    name, folder = str(path), Path(os.path.realpath(path) if os.path.islink(path) else path).parent
    if os.path.isdir(path):
        raise ImageError(f"{name!r} is a folder; give the path of a file to write")
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ImageError(f"{name!r} has the suffix {path.suffix!r}; give it one of {', '.join(FORMATS)}")
    if depth not in (None, 8, 16):
        raise ImageError(f"depth must be 8 or 16 bits a channel, not {depth!r}; give one of these")
    if depth == 16 and form not in ("PNG", "TIFF"):
        raise ImageError(f"{name!r} would be {form}, which has no 16 bits a channel; use .png or .tif, or depth 8")
    if not os.path.isdir(folder):
        raise ImageError(f"there is no folder {str(folder)!r} to write {path.name!r} to; create it first")
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as problem:
        raise ImageError(f"{name!r} can be no file ({problem}); give it another name") from problem
    if os.path.exists(path) and not os.path.isfile(path) or os.path.islink(os.path.realpath(path)):
        raise ImageError(f"{name!r} is a device, or a link that leads nowhere; give the path of a file to write")
    if not overwrite and os.path.exists(path):
        raise ImageError(f"{name!r} exists already; give another path, or leave out --no-overwrite")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"the folder {str(folder)!r} is not writable; choose another or change its permissions")
    return path


def _planes(image: Tensor, channels: int, name: str) -> Tensor:
    if image.ndim == 3:
        image = image[None]
    shape = tuple(image.shape)
    if image.ndim != 4 or shape[:2] != (1, channels) or 0 in shape or not image.is_floating_point():
        expected = f"a floating-point tensor (1, {channels}, H, W) or ({channels}, H, W)"
        raise ImageError(f"{name} must be {expected}, not {shape} of {image.dtype}; give one picture a file")
    image = image.detach()[0].float().cpu()
    if not bool(((image >= 0) & (image <= 1)).all()):
        came = f"{image.min():g} to {image.max():g}" if bool(image.isfinite().all()) else "values that are not finite"
        cure = "divide it by 255" if bool((image >= 0).all()) and bool((image > 2).any()) else "clamp it first"
        raise ImageError(f"{name} must lie in [0, 1], not {came}; {cure}")
    return image


def write_image(
    path: str | os.PathLike,
    image: Tensor,
    *,
    alpha: Tensor | None = None,
    depth: int | None = None,
    quality: int = 95,
    metadata: Metadata | None = None,
    overwrite: bool = True,
) -> Path:
    """Write a picture in the format of the path's suffix (see FORMATS) and give the path.

    The file appears whole or not at all, replacing one that is there; where the path is a symbolic link, it does so
    where the link leads.

    Args:
        path: where to write.
        image: (1, 3, H, W) or (3, H, W), floating point, sRGB in [0, 1]; each value goes to its nearest level.
        alpha: (1, 1, H, W) or (1, H, W) in [0, 1], 1 is opaque; JPEG cannot hold it, and warns.
        depth: bits a channel, 8 (the default) or, in PNG and TIFF, 16.
        quality: 1 .. 100, for JPEG (whose colour is not subsampled) and WebP; PNG and TIFF are lossless.
        metadata: what the file says beside its pixels; its profile is that to which they are converted.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ImageError: as `check_output` does, where an argument is not of that form, and where the format or the disk
            refuses.
    """
    path = check_output(path, depth)
    form = FORMATS[path.suffix.lower()]
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise ImageError(f"quality must be a whole number from 1 to 100, not {quality!r}; give one")
    planes = _planes(image, 3, "image")
    if alpha is not None:
        alpha = _planes(alpha, 1, "alpha")
        if alpha.shape[1:] != planes.shape[1:]:
            sizes = f"{tuple(planes.shape[1:])}, not {tuple(alpha.shape[1:])}"
            raise ImageError(f"alpha must have the picture's height and width {sizes}; resize it")
        if form == "JPEG":
            log.warning("%s is written without its alpha, which JPEG cannot hold; use .png to keep it", path)
        else:
            planes = torch.cat((planes, alpha))
    try:
        encoded = encode(planes, form, depth or 8, quality, metadata or Metadata(), str(path))
        with replacing(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(encoded)
    except FileExistsError:
        raise ImageError(f"{str(path)!r} exists already; give another path, or leave out --no-overwrite") from None
    except (OSError, ValueError, struct.error) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise ImageError(f"{str(path)!r} cannot be written ({why}); change the path, format or size") from problem
    return path
