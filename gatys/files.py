"""Files that appear whole or not at all, whenever the process ends and however full the disk is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path beside `path` to write a file to, which becomes `path` in one step when the block ends.

    If the block raises, `path` stays as it was and the other file is gone; only a killed process leaves that behind,
    as `.HEX.tmp`. Raises OSError where the disk refuses.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")  # same folder, so that replacing is one step
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut could leave the new name with nothing in it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
