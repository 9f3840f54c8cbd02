"""The pictures of a folder, and those that a list names, whatever editor or system wrote it."""

from __future__ import annotations

import codecs
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import ImageError
from ..pictures.decoding import READABLE
from ..pictures.optional_formats import SUFFIXES as OPTIONAL_SUFFIXES
from .options import LIST

SUFFIXES = (*(suffix for suffixes in READABLE.values() for suffix in suffixes), *OPTIONAL_SUFFIXES)
"""The suffixes of the files in a folder that count as pictures."""
_MARKS = (  # UTF-32 begins as UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_SHOWN = 5
"""The number of names or kinds that a line shows before it counts the others."""


def find_pictures(content: str, what: str = "CONTENT", *, in_order: bool = False) -> list[Path] | None:
    """Give the pictures of a folder, by name, or of a list, in its order; None for any other `content`.

    Of a folder, files of other kinds and hidden ones are left out, with macOS' `._NAME` among them. Each line of a list
    is a path, perhaps in quotes, which starts from the list's folder or with `~`; empty lines and those with # at their
    beginning are comments. A list is UTF-8, or whatever its byte order mark says.

    Args:
        content: the path of a folder, a list, or anything else.
        what: how to call it in errors.
        in_order: whether the pictures of a folder go by the numbers in their names, 9 before 10.

    Raises:
        ImageError: without a picture, and where folder or list cannot be read.
    """
    source = Path(content)
    if os.path.isdir(source):
        pictures, others = _sorted_out(source, content, what)
        but = f" ({_kinds(others)} {'is' if len(others) == 1 else 'are'} not read)" if others else ""
    elif source.suffix.lower() == LIST and os.path.isfile(source):
        pictures, but = _listed(source, what), ""
    else:
        return None
    if not pictures:
        raise ImageError(f"{what}: expected pictures in {content!r}, got none{but}; put some there, or give a picture")
    return sorted(pictures, key=_numbers) if in_order and os.path.isdir(source) else pictures


def _numbers(path: Path) -> list[tuple[int, str]]:
    """Give a key by which numbers in names go by their values."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def left_out(content: str) -> str:
    """Give a line about the files of a folder that are left out; an empty one where there is none, or no folder."""
    others = _sorted_out(Path(content), content)[1] if os.path.isdir(content) else []
    if not others:
        return ""
    files = "1 file that is no picture" if len(others) == 1 else f"{len(others)} files that are no pictures"
    return f"{content}: left out {files}, or of a kind that is not read: {_kinds(others)}"


def styles_told(content: str, styles: Sequence[str]) -> str:
    """Give a line about several styles, which a shell may have made of `photos/*.jpg`; an empty one for fewer than two."""
    if len(styles) < 2:
        return ""
    line = f"{len(styles)} pictures are styles: {_few(styles)}"
    if looks_expanded(content, styles):
        line += (
            f"; CONTENT is {content} alone: for each picture in turn, give the folder {_folder(content)!r} as CONTENT"
        )
    return line


def looks_expanded(content: str, styles: Sequence[str]) -> bool:
    """Tell whether the pictures look like a pattern that the shell has expanded: one folder's, by name, then a style."""
    *first, last = styles
    alike = [content, *first]
    in_one_folder = len({os.path.dirname(path) for path in alike}) == 1 and alike == sorted(set(alike))
    return bool(first) and in_one_folder and (len(alike) > 2 or os.path.dirname(last) != os.path.dirname(content))


def _folder(content: str) -> str:
    return os.path.dirname(content) or os.curdir


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _sorted_out(folder: Path, name: str, what: str = "CONTENT") -> tuple[list[Path], list[Path]]:
    """Give the pictures of a folder and its other files, without those that are hidden."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        why = problem.strerror or problem
        raise ImageError(f"{what}: the folder {name!r} cannot be read ({why}); check its permissions") from problem
    # a link that leads nowhere is missed by who gives it, but a pipe would never end
    files = [path for path in entries if os.path.isfile(path) or (path.is_symlink() and not os.path.exists(path))]
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    return pictures, [path for path in files if path.suffix.lower() not in SUFFIXES]


def _kinds(files: Sequence[Path]) -> str:
    """Count files by their suffixes, the commonest first."""
    counted = Counter(path.suffix.lower() or "without a suffix" for path in files).most_common()
    return _few([f"{count} {kind}" for kind, count in counted])


def _listed(source: Path, what: str) -> list[Path]:
    try:
        data = source.read_bytes()
    except OSError as problem:
        why = problem.strerror or problem
        raise ImageError(f"{what}: the list {str(source)!r} cannot be read ({why}); check its permissions") from problem
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    try:
        # names of files need not be UTF-8 on POSIX
        text = data.decode(encoding) if encoding else data.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError as problem:
        raise ImageError(
            f"{what}: the list {str(source)!r} is damaged {encoding.upper()}; save it as UTF-8"  # type: ignore[union-attr]
        ) from problem
    found = []
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name = None if "\0" in line else os.path.expanduser(_unquoted(line, source.parent))
        if name is None or (not _is_unicode(line) and not os.path.exists(source.parent / name)):
            raise ImageError(f"{what}: line {number} of the list {str(source)!r} is no UTF-8; save the list as UTF-8")
        found.append(source.parent / name)
    return list(dict.fromkeys(found))


def _unquoted(line: str, folder: Path) -> str:
    quoted = len(line) > 2 and line[0] == line[-1] and line[0] in "'\""
    return line[1:-1] if quoted and not os.path.lexists(folder / line) else line


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
