"""Files that appear whole or not at all, whenever the process ends and however full the disk is."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, alone: bool = False, overwrite: bool = True) -> Iterator[Path]:
    """Yield a new path beside `path` to write a file to, which becomes `path` in one step when the block ends.

    If the block raises, `path` stays as it was and the other file is gone; only a killed process leaves that behind, as
    `.HEX.tmp`. Where nobody else writes `path` (`alone`) it is `.NAME.tmp`, and gone at the next write. A symbolic link
    stays one: the file is replaced that it leads to. No error names the other file.

    Raises:
        FileExistsError: where there is a file at the end, unless it may be replaced (`overwrite`).
        OSError: where the disk refuses, and where `path` is a device.
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(errno.EINVAL, "it is a device or a folder", str(path))
    name = target.name if alone else uuid.uuid4().hex
    temporary = target.with_name(f".{name}.tmp")  # same folder, so that replacing is one step
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # without it, a power cut could leave an empty file
        if not overwrite and os.path.exists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.replace(temporary, target)
    except OSError as problem:
        if str(temporary) in (str(problem.filename), str(problem.filename2)):
            problem.filename, problem.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)
