"""The kinds of files that films are read from and written to, told without PyTorch."""

from __future__ import annotations

import os

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf", ".wmv"),
    *(".flv", ".ogv", ".3gp"),
)
"""The suffixes of files that are read by PyAV."""
ANIMATIONS = (".gif", ".webp")
"""The suffixes of animations that are written by Pillow. Those that it reads may have others, such as .png."""
CONTAINERS = (".mp4", ".mov", ".mkv")
"""The suffixes of files that are written by PyAV."""
CODECS = ("h264", "ffv1")
"""The codecs that are written: H.264, which every player knows, and FFV1, which loses nothing."""
CRF = 16
"""The default of the constant rate factor of H.264: the artefacts are hardly to be seen there, paint has much detail."""
RATE = 24
"""The default of the frames a second of a film whose frames lie in a folder."""
RATES = (0.001, 1000)
"""The fewest and the most of them."""


def is_animated(path: str | os.PathLike) -> bool:
    """Tell whether a file is a picture with several frames, as Pillow sees it; False where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False)) and image.format not in ("PSD", "TIFF", "MPO")
    except Exception:  # noqa: BLE001 (decoders raise whatever they like; who reads the file says why)
        return False
