"""Pictures by rows: TIFF files are read and written some rows at a time, through the package `tifffile`.

Every other file is read and written whole, by `images`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError
from ..pictures.checks import size_of
from ..pictures.images import FORMATS, read_image
from ..pictures.metadata import Metadata
from ..pictures.replacing import replacing
from ..pictures.tiff import need_tiff_library, tiff_library
from ..pictures.writing import DPI

ROWS = 64
"""The rows of a block that is written at a time."""


@dataclass(frozen=True)
class Source:
    """A picture that is read by rows."""

    size: tuple[int, int]
    """The (height, width) of the picture."""
    channels: int
    """The number of channels: 3, or 4 with alpha."""
    read: Callable[[int, int], Tensor]
    """A function from the first row and the one after the last to float32 (1, channels, rows, width), sRGB in [0,
    1]."""


@contextmanager
def open_rows(path: str) -> Iterator[Source]:
    """Open a picture file as rows: read when they are asked for where the file allows it, else by `images.read_image`.

    A file allows it if it is a TIFF of 8 or 16 bits a channel, grey, RGB or RGB with plain alpha, upright and in sRGB as
    far as it says.

    Raises:
        ImageError: as `read_image`, and where rows are damaged.
    """
    library = tiff_library()
    if library is not None and FORMATS.get(Path(path).suffix.lower()) == "TIFF" and Path(path).is_file():
        damage = path, "is damaged or cut short", "copy or download it again"
        with ExitStack() as files:
            with _told(*damage):
                page = files.enter_context(library.TiffFile(path)).pages[0]
                plain = _is_plain(page)

            def read(low: int, high: int) -> Tensor:
                with _told(*damage):
                    return _read(page, low, high)

            if plain:
                yield Source((page.imagelength, page.imagewidth), 3 + (page.samplesperpixel % 2 == 0), read)
                return
    picture = read_image(path)
    planes = picture.pixels if picture.alpha is None else torch.cat([picture.pixels, picture.alpha], dim=1)
    yield Source(size_of(planes), planes.shape[1], lambda low, high: planes[:, :, low:high])


def write_rows(
    path: Path,
    size: tuple[int, int],
    channels: int,
    blocks: Iterable[Tensor],
    depth: int = 8,
    metadata: Metadata | None = None,
    overwrite: bool = True,
) -> None:
    """Write a TIFF from blocks of its rows, each (channels, `ROWS`, width) in [0, 1], the last one perhaps lower.

    The file appears whole or not at all. Of the metadata it takes the record, the texts and the resolution.

    Raises:
        ImageError: where the disk refuses.
        MissingPackage: where tifffile is not installed.
    """
    library = need_tiff_library()
    kind = np.dtype(np.uint16 if depth == 16 else np.uint8)
    most = 65535 if depth == 16 else 255

    def encoded() -> Iterator[bytes]:
        for block in blocks:
            levels = (block.float().cpu() * most).round().permute(1, 2, 0).numpy().astype(kind)
            yield zlib.compress(levels.tobytes(), 1)

    how = {"photometric": "rgb", "compression": "zlib", "rowsperstrip": ROWS, "metadata": None}
    how["extrasamples"] = ["unassalpha"] if channels == 4 else None
    how |= _told_by(metadata or Metadata())
    large = math.prod(size) * channels * kind.itemsize > 2**31
    with (
        _told(str(path), "cannot be written", "change the path, or free space"),
        replacing(path, overwrite=overwrite) as temporary,
        library.TiffWriter(temporary, bigtiff=large, byteorder="<") as file,
    ):
        file.write(encoded(), shape=(*size, channels), dtype=kind, **how)


def _told_by(metadata: Metadata) -> dict[str, Any]:
    """Give what tifffile is told of metadata."""
    texts = {tag: value for tag, value in metadata.exif_tags().items() if isinstance(value, str) and value.isascii()}
    tags: list[tuple[int, int, int, Any, bool]] = [
        (tag, 2, 0, value, True) for tag, value in texts.items() if tag != 305
    ]
    if xmp := metadata.xmp():
        tags.append((700, 1, len(xmp), xmp, True))
    how = {"extratags": tags, "software": texts.get(305, False)}
    return how | {"resolution": metadata.dpi or (DPI, DPI), "resolutionunit": "inch"}


@contextmanager
def _told(name: str, what: str, cure: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, IndexError, KeyError, TypeError, zlib.error) as problem:
        raise ImageError(f"{name!r} {what} ({problem}); {cure}") from problem


def _is_plain(page: Any) -> bool:
    kinds = {1: ("MINISBLACK",), 2: ("MINISBLACK",), 3: ("RGB",), 4: ("RGB",)}
    alpha = [int(each) for each in page.extrasamples]
    exif = page.tags.valueof(34665)
    return (
        page.photometric.name in kinds.get(page.samplesperpixel, ())
        and page.dtype in (np.uint8, np.uint16)
        and page.planarconfig == 1
        and alpha == [2] * (page.samplesperpixel % 2 == 0)
        and not {301, 319, 34675, 37724}.intersection(page.tags.keys())  # curve, primaries, colour profile, layers
        and (exif or {}).get("ColorSpace", 1) == 1
        and int(page.tags.valueof(274) or 1) == 1  # orientation
    )


def _read(page: Any, low: int, high: int) -> Tensor:
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    levels = np.empty((high - low, page.imagewidth, page.samplesperpixel), page.dtype)
    across = -(-page.imagewidth // width)
    with page.parent.filehandle.lock:
        for index in range(low // height * across, -(-high // height) * across):
            top, left = index // across * height, index % across * width
            page.parent.filehandle.seek(page.dataoffsets[index])
            data = page.parent.filehandle.read(page.databytecounts[index])
            block = page.decode(data, index, jpegtables=page.jpegtables)[0][0]
            first, last = max(low, top), min(high, top + block.shape[0])
            levels[first - low : last - low, left : left + width] = block[
                first - top : last - top, : page.imagewidth - left
            ]
    planes = torch.from_numpy(levels.astype(np.float32) / np.iinfo(page.dtype).max).permute(2, 0, 1)[None]
    colour = planes[:, : 3 if page.samplesperpixel > 2 else 1].expand(-1, 3, -1, -1)
    return torch.cat([colour, planes[:, -1:]], dim=1) if page.samplesperpixel % 2 == 0 else colour
