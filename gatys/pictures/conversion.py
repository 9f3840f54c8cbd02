"""Conversion of pictures of every kind to tensors: PIL pictures, numpy arrays and the paths of files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import ImageError, InputError, InputTypeError
from .checks import check_picture
from .images import Picture, fit, pillow_picture, read_image, write_image
from .resampling import resize

log = logging.getLogger(__name__)

AnyPicture = Tensor | np.ndarray | Image.Image | str | os.PathLike
"""A picture of any kind that is taken wherever a picture is, or several of one size."""
KINDS = (Tensor, np.ndarray, Image.Image, str, os.PathLike)
"""The same kinds, for isinstance."""

_DTYPES = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""The dtypes of an array's whole numbers, and the number that means 1."""


def load_image(path: str | os.PathLike, size: int | None = None) -> Tensor:
    """Read a picture from a file: upright as its EXIF orientation says, and in sRGB as its colour profile says.

    Transparency is ignored with a warning: the colours underneath count.

    Args:
        path: the path of a PNG, JPEG, WebP, TIFF or one of the other formats of `decoding.READABLE`.
        size: longer edge of the result in pixels, by antialiased bicubic resampling; None leaves the picture as it is.

    Returns:
        (1, 3, H, W), float32 in [0, 1].

    Raises:
        ImageError: where there is no readable picture at `path`, or `size` is no whole number of at least 1.

    Example:
        >>> photo = gatys.load_image("photo.jpg", size=512)
    """
    return _without_alpha(read_image(path, size), str(path))


def save_image(
    image: Any,
    path: str | os.PathLike,
    *,
    alpha: Tensor | None = None,
    depth: int | None = None,
    quality: int = 95,
) -> Path:
    """Write a picture to a file, in the format of the path's suffix, and give the path.

    The file appears whole or not at all, and replaces one that is there. Each value goes to its nearest level.

    Args:
        image: one picture in [0, 1]: a tensor (1, 3, H, W) or (3, H, W), what `optimize` returns (anything with such a
            tensor as its `.image`), a numpy array or a PIL picture.
        path: where to write; it ends in .png, .jpg, .jpeg, .webp, .tif or .tiff, and its folder must exist.
        alpha: (1, 1, H, W) or (1, H, W) in [0, 1], 1 is opaque. JPEG cannot hold it, which is logged as a warning.
        depth: bits a channel, 8 (the default) or, in PNG and TIFF, 16.
        quality: 1 to 100, for JPEG (whose colour is not subsampled) and WebP; PNG and TIFF are lossless.

    Returns:
        The path.

    Raises:
        ImageError: for arguments that are not as above, and where the format or the disk refuses.

    Example:
        >>> gatys.save_image(gatys.optimize(net, content=content, style=style), "out.png")
    """
    if isinstance(image, (str, os.PathLike)):
        raise ImageError(
            f"image: expected a picture, got the path {str(image)!r}; give the picture first, then the path"
        )
    image = getattr(image, "image", image)
    return write_image(path, to_tensor(image), alpha=alpha, depth=depth, quality=quality)


def as_picture(picture: AnyPicture, what: str = "image", size: int | None = None) -> Tensor:
    """Convert a picture of any kind, and check it.

    Args:
        picture: as for `to_tensor`.
        what: how to call it in errors.
        size: longer edge of the result in pixels; None leaves the picture as it is.

    Returns:
        (N, 3, H, W), floating point in [0, 1] but for what resampling overshoots; a tensor that fits comes back itself.

    Raises:
        InputError, InputTypeError: for anything else, in a sentence that begins with `what`.
    """
    image = to_tensor(picture, what)
    check_picture(image, what)
    if size is None:
        return image
    width, height = fit(image.shape[-1], image.shape[-2], size)
    return resize(image, (height, width))


def to_tensor(picture: AnyPicture, what: str = "image") -> Tensor:
    """Convert a picture of any kind to (N, 3, H, W); its values are left to `check_picture`.

    Args:
        picture: a tensor, which comes back itself; a PIL picture or the path of a file, which are read as `load_image`
            reads them; or an array (H, W) of grey, (H, W, C) or (N, H, W, C) with 1, 3 or 4 channels in the order R, G,
            B, alpha, of uint8, uint16, or floating point in [0, 1]. Alpha is ignored with a warning.
        what: how to call it in errors.

    Raises:
        InputError: for an array of another shape or type, and a file that cannot be read.
        InputTypeError: for anything else.
    """
    if isinstance(picture, Tensor):
        return picture
    if isinstance(picture, np.ndarray):
        return _without_alpha(_array_picture(picture, what), what)
    if not isinstance(picture, KINDS):
        kinds = "a tensor (N, 3, H, W), a PIL picture, a numpy array or the path of a file"
        raise InputTypeError(f"{what}: expected {kinds}, got {type(picture).__name__}; give one of these")
    try:
        if isinstance(picture, Image.Image):
            name = getattr(picture, "filename", "") or "the PIL picture"
            return _without_alpha(pillow_picture(picture, str(name)), what)
        return load_image(picture)
    except ImageError as problem:
        raise ImageError(f"{what}: {problem}") from problem


def to_tensors(pictures: AnyPicture | Iterable[AnyPicture], what: str = "image") -> list[Tensor]:
    """Convert one picture, or several of perhaps different sizes and kinds, as `to_tensor` does."""
    if isinstance(pictures, KINDS) or not isinstance(pictures, Iterable):
        return [to_tensor(pictures, what)]
    return [to_tensor(picture, what) for picture in pictures]


def _array_picture(array: np.ndarray, what: str) -> Picture:
    channels = 1 if array.ndim == 2 else array.shape[-1]
    if array.ndim not in (2, 3, 4) or channels not in (1, 3, 4):
        expected = "an array of shape (H, W), (H, W, 3 or 4) or (N, H, W, 3 or 4)"
        raise InputError(f"{what}: expected {expected}, got {array.shape}; move the channels to the end")
    top = _DTYPES.get(array.dtype.newbyteorder("="), 1)
    if top == 1 and array.dtype.kind != "f":
        expected = "an array of uint8, uint16, or floating point in [0, 1]"
        raise InputError(f"{what}: expected {expected}, got {array.dtype}; convert it to one of these")
    values = np.array(array, dtype=np.float32, order="C")  # a copy with strides and bytes in order
    values = values[..., None] if array.ndim == 2 else values
    values = values[None] if array.ndim < 4 else values
    planes = torch.from_numpy(values).movedim(-1, 1) / top
    return Picture.of(planes.expand(-1, 3, -1, -1) if channels == 1 else planes)


def _without_alpha(picture: Picture, what: str) -> Tensor:
    if picture.alpha is not None and bool((picture.alpha < 1).any()):
        log.warning("%s: its transparency is ignored, the colours underneath count", what)
    return picture.pixels
