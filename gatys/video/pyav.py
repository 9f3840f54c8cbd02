"""The package av (PyAV), which reads and writes films; it is imported where it is needed, and a sentence says where it is not there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ImageError, MissingPackage

LEAST = (14, 4)
"""The oldest version that is used: those before write empty files where the index of an MP4 is to come first."""
_ADDRESS = re.compile(r"^\[Errno -?\d+\] |(: '[^']*')?( returned .*)?$")


def pyav(what: str) -> Any:
    """Give the module `av`.

    Args:
        what: what needs it, as a sentence begins.

    Raises:
        MissingPackage: where it is not installed, cannot be imported, or is too old.
    """
    try:
        import av
    except ImportError as problem:
        raise MissingPackage(
            f"{what} needs the package av, which cannot be used here ({problem}); install it with "
            f'"{sys.executable}" -m pip install av',
            name="av",
        ) from problem
    if tuple(int(part) for part in av.__version__.split(".")[:2]) < LEAST:
        least = ".".join(map(str, LEAST))
        raise MissingPackage(
            f"{what} needs the package av {least} or newer, but {av.__version__} is installed; upgrade it with "
            f'"{sys.executable}" -m pip install --upgrade av',
            name="av",
        )
    return av


@contextmanager
def said_by_pyav(what: str, to_do: str) -> Iterator[None]:
    """Turn the errors of FFmpeg, and of the system under it, into an ImageError.

    Args:
        what: what goes wrong, as a sentence begins.
        to_do: what the user may do.

    Raises:
        ImageError: for each of them.
    """
    av = pyav(what)
    try:
        yield
    except ImageError:
        raise
    except (av.FFmpegError, OSError, ValueError, EOFError) as problem:
        raise ImageError(f"{what} ({reason(problem)}); {to_do}") from problem


def reason(problem: BaseException) -> str:
    """Give what an error of FFmpeg or the system says, without its number and the path, on one line."""
    said = getattr(problem, "strerror", None) or _ADDRESS.sub("", str(problem))
    return " ".join(said.split()) or type(problem).__name__
