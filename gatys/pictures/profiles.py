"""Colour profiles: pixels of any space that Pillow's LittleCMS converts, brought to sRGB."""

from __future__ import annotations

import io
import logging

import numpy as np
import torch
from PIL import Image, ImageCms
from torch import Tensor

log = logging.getLogger(__name__)


def as_tensor(image: Image.Image) -> Tensor:
    """Give an 8-bit picture as (C, H, W) in [0, 1]."""
    levels = torch.from_numpy(np.array(image)).reshape(image.height, image.width, len(image.getbands()))
    return levels.permute(2, 0, 1).float() / 255


def to_srgb(colour: Image.Image | Tensor, profile: bytes, name: str) -> Image.Image | None:
    """Convert `colour` from its profile at 8 bits; give None where it is to be taken as sRGB as it stands."""
    deep = isinstance(colour, Tensor)
    if isinstance(colour, Tensor):  # ImageCms knows 8 bits only
        levels = (colour * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        colour = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and colour.mode == "L":
            colour = colour.convert("RGB")
        if {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space) != colour.mode:
            raise ImageCms.PyCMSError(f"it describes {space}, the pixels are {colour.mode}")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), colour.mode, "RGB")
    except (OSError, ImageCms.PyCMSError) as problem:
        log.warning("%s has a colour profile that cannot be used (%s); it is taken as sRGB", name, problem)
        return None
    if colour.mode != "CMYK" and changes_nothing(transform, colour.mode):
        return None
    if deep:
        log.warning("%s is read at 8 bits a channel to convert its colour profile; save it as sRGB to keep all", name)
    return transform.apply(colour)


def changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tell whether a transform from RGB or grey ("RGB", "L") to sRGB is that from sRGB itself.

    sRGB profiles go by many names, and some of those names are other spaces: try it. One level is rounding.
    """
    ramp = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(ramp, ramp, ramp), -1).reshape(len(ramp), -1, 3)
    probe = Image.fromarray(grid if mode == "RGB" else ramp[None])
    moved = as_tensor(transform.apply(probe)) - as_tensor(probe.convert("RGB"))
    return bool(moved.abs().max() < 1.5 / 255)
