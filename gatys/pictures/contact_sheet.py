"""Contact sheets: many pictures on one, each with lines of words above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

LONGEST = 16000
"""The longer edge of a sheet at most, in pixels; JPEG and WebP hold little more."""
_GAP, _LEADING = 8, 1.35
_PAPER, _INK, _EMPTY, _FAINT = "white", "black", (232, 232, 232), (110, 110, 110)
_NO_LETTER = "\U0010fffd"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """A picture on a sheet, or a word in its place, and what stands above it."""

    lines: Sequence[str]
    picture: Image.Image | str
    """The picture, or the word that stands where there is none."""


def columns_for(count: int) -> int:
    """Give the number of columns for cells that have no order of rows and columns of their own."""
    return count if count <= 4 else math.ceil(math.sqrt(count))


def contact_sheet(cells: Sequence[Cell], columns: int) -> Image.Image:
    """Draw a sheet, row by row. Cells are as large as the largest picture, and each picture keeps its size.

    A sheet whose longer edge would pass `LONGEST` is drawn with smaller pictures.

    Args:
        cells: the cells, at least one; a row may end early.
        columns: the number of cells in a row.
    """
    rows, lines = -(-len(cells) // columns), max(len(cell.lines) for cell in cells)
    shown = [cell.picture for cell in cells if isinstance(cell.picture, Image.Image)]
    width = max((picture.width for picture in shown), default=256)
    height = max((picture.height for picture in shown), default=192)
    factor = 1.0
    layout = _layout(width, height, lines)
    while (
        max(columns * (layout[0] + _GAP) + _GAP, rows * (layout[2] + layout[1] + _GAP) + _GAP) > LONGEST
        and factor > 0.01
    ):
        factor *= 0.95
        layout = _layout(max(1, int(width * factor)), max(1, int(height * factor)), lines)
    width, height, above, points = layout
    font, step = ImageFont.load_default(points), round(points * _LEADING)
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (above + height + _GAP) + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        x = _GAP + index % columns * (width + _GAP)
        y = _GAP + index // columns * (above + height + _GAP)
        for number, line in enumerate(cell.lines):
            pen.text((x, y + number * step), shortened(line, font, width), fill=_INK, font=font)
        box = (x, y + above, x + width - 1, y + above + height - 1)
        if isinstance(cell.picture, str):
            pen.rectangle(box, fill=_EMPTY)
            word = shortened(cell.picture, font, width)
            pen.text((x + width / 2, y + above + height / 2), word, fill=_FAINT, font=font, anchor=_middle(font))
            continue
        picture = cell.picture.convert("RGB")
        if factor < 1:
            edges = (max(1, int(edge * factor)) for edge in picture.size)
            picture = picture.resize((next(edges), next(edges)), Image.Resampling.LANCZOS)
        sheet.paste(picture, (x + (width - picture.width) // 2, y + above + (height - picture.height) // 2))
    return sheet


def _layout(width: int, height: int, lines: int) -> tuple[int, int, int, int]:
    """Give width and height of a picture's place, the height of the words above it, and their size in pixels."""
    points = min(48, max(11, width // 20))
    return width, height, lines * round(points * _LEADING) + _GAP // 2, points


def shortened(line: str, font: Font, width: int) -> str:
    """Give as much of a line as has room, with three dots in its middle where that is not all."""
    if font.getlength(line) <= width:
        return line
    kept = len(line)
    while kept > 2 and font.getlength(_without_middle(line, kept)) > width:
        kept -= 1
    return _without_middle(line, kept)


def can_show(text: str) -> bool:
    """Tell whether the sheet's font has every letter of a text."""
    font = ImageFont.load_default(16)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return text.isascii()
    none = bytes(font.getmask(_NO_LETTER))
    return all(letter.isspace() or bytes(font.getmask(letter)) != none for letter in set(text))


def _without_middle(line: str, kept: int) -> str:
    return f"{line[: kept - kept // 2]}...{line[len(line) - kept // 2 :]}"


def _middle(font: Font) -> str | None:
    """Give the anchor of a text in the middle of its place; the font without FreeType knows none."""
    return "mm" if isinstance(font, ImageFont.FreeTypeFont) else None
