"""Files of pictures that are shared in strips: process 0 alone reads and writes, a strip at a time."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ImageError
from ..passes.layout import Size
from ..pictures.images import FORMATS, Picture, fit, write_image
from ..pictures.tiff import tiff_library
from .rows import ROWS, Source, open_rows, write_rows
from .strips import Strips

log = logging.getLogger(__name__)

_UNREAD = Source((0, 0), 0, lambda low, high: torch.empty(0))
"""The source that other processes have than the one that reads."""


def load_strip(path: str, place: Strips, size: int | Callable[[Size], int] | None = None) -> Picture:
    """Read the rows here of a picture as `images.read_image` does. All processes call it; process 0 opens the file.

    Raises:
        ImageError: on process 0.
    """
    planes, whole = _dealt(path, place)
    if callable(size):
        size = size(whole)
    if size is not None:
        planes = place.resize(planes, whole, fit(whole[1], whole[0], size)[::-1])
    return Picture(planes[:, :3].contiguous(), planes[:, 3:].contiguous() if planes.shape[1] == 4 else None)


def _dealt(path: str, place: Strips) -> tuple[Tensor, Size]:
    """Give the rows here, (1, 3 or 4, h, W), and the size of the whole."""
    team = place.team
    with ExitStack() as files:
        source = files.enter_context(open_rows(path)) if team.rank == 0 else _UNREAD
        channels, size = team.tell((source.channels, source.size))
        return place.deal(source.read, (1, channels), size, torch.float32), size


def save_strips(path: Path, image: Tensor, size: Size, place: Strips, *, alpha: Tensor | None, **how: Any) -> None:
    """Write a picture of `size` from the rows of all processes: a TIFF by rows where the library is there, others whole.

    What `images.write_image` is told is `how`; a TIFF by rows stays in sRGB. A file that cannot be written goes to a temporary folder.

    Raises:
        ImageError: on process 0, with the place where the picture is kept.
    """
    first = place.team.rank == 0
    if place.team.any(first and FORMATS[path.suffix.lower()] == "TIFF" and tiff_library() is not None):
        planes = image if alpha is None else torch.cat([image, alpha], dim=1)

        def write(path: Path) -> None:
            blocks = (block[0] for block in place.blocks(planes, size, ROWS))
            try:
                if first:
                    told = {name: how[name] for name in ("metadata", "overwrite") if name in how}
                    write_rows(path, size, planes.shape[1], blocks, how.get("depth") or 8, **told)
            finally:
                for _ in blocks:  # the others must take all of them
                    pass
    else:
        whole = place.gather(image, size)
        opaque = None if alpha is None else place.gather(alpha, size)

        def write(path: Path) -> None:
            if first:
                write_image(path, whole, alpha=opaque, **how)

    failed = None
    try:
        write(path)
    except ImageError as problem:
        failed = problem
    if place.team.any(failed is not None):
        kept = Path(tempfile.mkdtemp(prefix="gatys-"), f"result{path.suffix}") if first else path
        write(kept)
        if failed is not None:
            raise ImageError(f"{failed}; until then it is kept as {str(kept)!r}") from failed
