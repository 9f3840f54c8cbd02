"""State files: named tensors from a checkpoint that anybody made; nothing in it is run, and memory is bounded by its
size.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickletools
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from safetensors.torch import load, load_file

from ..errors import WeightsError
from .accepted_files import ACCEPTED_FILES, ARCHIVES, CHECKPOINTS, MAX_BYTES
from .keras_file import read_keras
from .packed_file import read_packed

_MAX_PICKLE = 4 << 20  # without its tensors; VGG-19's has 4 kB
_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
# PyTorch's own list has `bytearray`, too, with which sixty bytes of a file ask for any amount of memory.
_GLOBALS = {f"torch {kind}Storage" for kind in _STORAGES} | {"collections OrderedDict"}
_GLOBALS |= {f"torch._utils _rebuild_{kind}" for kind in ("tensor", "tensor_v2", "parameter")}


@dataclass(frozen=True)
class Stored:
    """The content of a file by name, and the file, which may lie in an archive: its name, content and SHA-256."""

    state: Mapping[str, Any]
    name: str
    source: Path | bytes

    def sha256(self) -> str:
        """Give the SHA-256 in 64 hexadecimal digits; a file is read once more."""
        if isinstance(self.source, bytes):
            return hashlib.sha256(self.source).hexdigest()
        return file_sha256(self.source)


def file_sha256(path: str | os.PathLike) -> str:
    """Give the SHA-256 of a file, which may be larger than memory, in 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_state(path: Path) -> Stored:
    """Read all that a file holds by name, see `ACCEPTED_FILES`: dense tensors on the CPU, and anything else it says.

    Raises:
        WeightsError: if there is no such file, it cannot be read, is too large or damaged, or holds anything but data.
    """
    suffix, there = path.suffix.lower(), os.path.isfile(path)  # unlike Path.is_file, False for names no file can have
    if suffix not in CHECKPOINTS + ARCHIVES or not there:
        none = f"{path} is a folder" if os.path.isdir(path) else f"there is no file {path}"
        problem = f"{path} ends in {suffix!r}" if there else none
        raise WeightsError(
            f"weights: {problem}; expected 'auto', 'paper', 'imagenet', 'untrained', or {ACCEPTED_FILES}"
        )
    name, where = path.name, str(path)
    source: Path | bytes = path
    start = b""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise WeightsError(f"{path} has {size} bytes, more than any VGG ({MAX_BYTES}); expected {ACCEPTED_FILES}")
        with path.open("rb") as file:
            start = file.read(32)
        if other := _really(start, suffix):
            raise WeightsError(f"{path} is {other} by another name; give it the suffix that it had")
        if suffix in ARCHIVES:
            name, source = read_packed(path)
            where, suffix, start = f"{path} ({name[-80:]!r})", Path(name).suffix.lower(), source[:32]
        state = _tensors(source, suffix, where)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{where} cannot be read ({error}); check the file and its permissions") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        problem = f"is cut off, damaged or not {suffix} at all; fetch it again"
        if suffix in (".pth", ".pt") and start[:1] not in (b"", b"P", b"\x80"):  # a zip archive, a pickle
            problem = f"is no checkpoint that PyTorch reads safely, it begins with {start!r}; expected {ACCEPTED_FILES}"
        raise WeightsError(f"{where} {problem}") from error
    for wrapper in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise WeightsError(f"{where}: found {type(state).__name__} instead of named tensors; expected {ACCEPTED_FILES}")
    return Stored(state, name, source)


def _really(start: bytes, suffix: str) -> str | None:
    """Tell what a file is whose first bytes do not go with its suffix; None where they do, or say nothing."""
    if start.startswith(b"\x89HDF") and suffix != ".h5":
        return "a Keras file (.h5)"
    if start.startswith(b"PK") and suffix in (".h5", ".safetensors"):
        return "an archive (.whl, .zip) or a checkpoint of PyTorch (.pth)"
    return None


def _tensors(source: Path | bytes, suffix: str, where: str) -> Any:
    if suffix == ".safetensors":
        return load(source) if isinstance(source, bytes) else load_file(source, device="cpu")
    if suffix == ".h5":
        with _opened(source) as file:
            return read_keras(file, where)
    return _unpickle(source, where)


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _unpickle(source: Path | bytes, where: str) -> Any:
    """Run `torch.load` on a file that has been looked through, so that what it does is bounded."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    with _opened(source) as file:
        # checkpoints from before PyTorch 1.6, torchvision's among them, are no zip archives and cannot be mapped
        zipped = zipfile.is_zipfile(file)
        file.seek(0)
        if zipped:
            _look_into(file, size, where)
        else:
            for _ in range(5):  # magic number, version, system, the state, names of its storages
                _look_through(file, where)
    if isinstance(source, bytes):
        return torch.load(io.BytesIO(source), map_location="cpu", weights_only=True, mmap=False)
    return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)


def _look_into(file: BinaryIO, size: int, where: str) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > size:
            raise _unfit(f"would unpack to {unpacked} bytes, more than it has", where)
        if len({entry.filename for entry in entries}) != len(entries):
            raise _unfit("has two parts of the same name", where)
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                with archive.open(entry) as part:
                    _look_through(part, where)


def _look_through(file: IO[bytes], where: str) -> None:
    """Go over one pickle without running it."""
    for opcode, argument, position in pickletools.genops(file):
        foreign = opcode.name in ("STACK_GLOBAL", "INST") or opcode.name == "GLOBAL" and argument not in _GLOBALS
        if foreign:
            named = repr(argument)[:100]  # a damaged one has no end
            raise _unfit(f"holds Python objects besides tensors ({named}), which are never run here", where)
        if (position or 0) > _MAX_PICKLE:
            raise _unfit(f"has more than {_MAX_PICKLE} bytes besides its tensors", where)


def _unfit(problem: str, where: str) -> WeightsError:
    return WeightsError(f"{where} {problem}; fetch it again, or save its state_dict() alone with torch.save")
