"""The errors that leave the package: each is a `GatysError`, and also the built-in error that fits it.

The text of an error is one sentence: which input, what was expected, what came, and what to do.
"""

from __future__ import annotations

import re


class GatysError(Exception):
    """The base of all errors of this package: `except gatys.GatysError` catches each of them and nothing else."""


class InputError(GatysError, ValueError):
    """An argument has a value that cannot be used."""


class InputTypeError(GatysError, TypeError):
    """An argument is of another type than the ones that can be used."""


class ImageError(InputError):
    """A picture cannot be read, written or made."""


class StyleFileError(GatysError, ValueError, OSError):
    """A style file cannot be read or written."""


class CheckpointError(GatysError, ValueError, OSError):
    """The state of a run cannot be read or written, or is that of another run."""


class WeightsError(GatysError, RuntimeError, OSError):
    """Filters cannot be found or read, or are not those of a network that is known here."""


class DownloadError(WeightsError):
    """A download failed at every address."""

    reason = ""


class FolderError(DownloadError):
    """The folder of a download cannot be written to."""

    reason = "that folder cannot be written to"


class UnknownPreset(GatysError, KeyError, ValueError):
    """No preset has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class OutOfMemory(GatysError, MemoryError):
    """The memory is too small even for the way that needs least of it."""


class MissingPackage(GatysError, ImportError):
    """A package that only some functions need is not installed."""


class UntrainedWarning(UserWarning):
    """A network has filters that nobody trained, because no others were found; the text says why, and what to do."""


for _error in (*GatysError.__subclasses__(), *InputError.__subclasses__(), *WeightsError.__subclasses__(), FolderError):
    _error.__module__ = "gatys"  # as users know them, in tracebacks and in ComfyUI's messages
GatysError.__module__ = UntrainedWarning.__module__ = "gatys"


def one_or_each(count: int, thing: str, other: str) -> str:
    """Say how many things are expected beside `count` others: one for all of them, or one for each."""
    return f"one {thing} for one {other}" if count == 1 else f"one {thing} for all {count} {other}s, or one for each"


# the last line is the text of oneDNN where it cannot allocate (seen under a limit of the process)
_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|ALLOC_FAILED|size calculation overflowed"
    r"|could not (create|execute) a primitive",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error is that of a device, or of main memory, that is full."""
    if isinstance(error, MemoryError):
        return not isinstance(error, OutOfMemory)
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error)))
