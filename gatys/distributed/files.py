"""Pictures from files to the strips of processes, and back. Process 0 alone reads and writes, a strip at a time."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ImageError
from ..passes.layout import Size
from ..pictures.images import FORMATS, Picture, fit, write_image
from ..pictures.tiff import tiff_library
from .rows import ROWS, open_rows, write_rows
from .strips import Strips

log = logging.getLogger(__name__)


def load_strip(path: str, place: Strips, size=None) -> Picture:
    """As `images.read_image`, of which the rows here; all processes call it, and process 0 opens the file.

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
    """(1, 3 or 4, h, W), the rows here, and the size of the whole."""
    team = place.team
    with ExitStack() as files:
        source = files.enter_context(open_rows(path)) if team.rank == 0 else None
        channels, height, width = team.tell([0, 0, 0] if source is None else [source.channels, *source.size])
        read = None if source is None else source.read
        return place.deal(read, (1, channels), (height, width), torch.float32), (height, width)


def collected(image: Tensor, size: Size, place: Strips) -> Iterator[Tensor]:
    """Blocks of `ROWS` rows, (C, rows, W) in main memory, of a picture of that size; on other processes than 0 empty ones.

    All processes must take all of them.
    """
    for low in range(0, size[0], ROWS):
        yield place.to_first(image, size, low, min(low + ROWS, size[0]))[0].cpu()


def collect(image: Tensor, size: Size, place: Strips) -> Tensor:
    """(1, C, H, W), the whole picture, on process 0; on the others one without rows."""
    return torch.cat(list(collected(image, size, place)), dim=1)[None]


def save_strips(
    path: Path, image: Tensor, size: Size, place: Strips, *, alpha: Tensor | None, depth: int | None, quality: int
) -> None:
    """As `images.write_image`, from the rows of all processes: a TIFF by rows, where the library is there, others whole.

    A file that cannot be written goes to a temporary folder.

    Raises:
        ImageError: on process 0, with the place where the picture is kept.
    """
    if place.any(place.rank == 0 and FORMATS[path.suffix.lower()] == "TIFF" and tiff_library() is not None):
        planes = image if alpha is None else torch.cat([image, alpha], dim=1)

        def write(path: Path) -> None:
            blocks = collected(planes, size, place)
            try:
                if place.rank == 0:
                    write_rows(path, size, planes.shape[1], blocks, depth or 8)
            finally:
                for _ in blocks:  # for the others' sake
                    pass
    else:
        whole, opaque = (None if each is None else collect(each, size, place) for each in (image, alpha))

        def write(path: Path) -> None:
            if place.rank == 0:
                write_image(path, whole, alpha=opaque, depth=depth, quality=quality)

    failed = None
    try:
        write(path)
    except ImageError as problem:
        failed = problem
    if place.any(failed is not None):
        kept = Path(tempfile.mkdtemp(prefix="gatys-"), f"result{path.suffix}") if place.rank == 0 else path
        write(kept)
        if failed is not None:
            raise ImageError(f"{failed}; until then it is kept as {str(kept)!r}") from failed
