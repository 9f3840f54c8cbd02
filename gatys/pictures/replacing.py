"""Files that appear whole or not at all, whenever the process ends and however full the disk is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """Yield a new path beside `path` to write a file to, which becomes `path` in one step when the block ends.

    If the block raises, `path` stays as it was and the other file is gone; only a killed process leaves that behind, as
    `.HEX.tmp`. Where nobody else writes `path` (`alone`) it is `.NAME.tmp`, and gone at the next write.

    Raises:
        OSError: where the disk refuses.
    """
    name = path.name if alone else uuid.uuid4().hex
    temporary = path.with_name(f".{name}.tmp")  # same folder, so that replacing is one step
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # without it, a power cut could leave an empty file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
