"""Named tensors from a checkpoint file, whoever made it: nothing in it is run, and it takes no more memory than its size."""

from __future__ import annotations

import os
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file

__all__ = ["ACCEPTED_FILES", "MAX_BYTES", "WeightsError", "read_state"]

ACCEPTED_FILES = (
    "a .pth, .pt or .safetensors file with VGG-19's sixteen convolutions keyed as in torchvision (features.0.weight), "
    "leongatys' vgg_conv.pth (conv1_1.weight), jcjohnson's vgg19-d01eb7cb.pth or AdaIN's vgg_normalised.pth (0.weight)"
)
MAX_BYTES = 2 << 30
"""Of a file; the whole of VGG-19 with its classifier takes 0.5 GiB, in float64 1.1 GiB."""
_MAX_PICKLE = 4 << 20  # without its tensors; VGG-19's has 4 kB
_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
# PyTorch's own list has `bytearray`, too, with which sixty bytes of a file ask for any amount of memory.
_GLOBALS = {f"torch {kind}Storage" for kind in _STORAGES} | {"collections OrderedDict"}
_GLOBALS |= {f"torch._utils _rebuild_{kind}" for kind in ("tensor", "tensor_v2", "parameter")}


class WeightsError(RuntimeError, OSError):
    """Weights that cannot be had or are not VGG-19's; OSError too, as for any missing file or failed download."""


def read_state(path: Path) -> Mapping[str, Any]:
    """What a .pth, .pt or .safetensors file has by name: dense tensors on the CPU, and whatever else it says.

    Raises:
        WeightsError: if there is no such file, it cannot be read, is too large or damaged, or holds anything but data.
    """
    suffix, there = path.suffix.lower(), os.path.isfile(path)  # unlike Path.is_file, False for names no file can have
    if suffix not in (".pth", ".pt", ".safetensors") or not there:
        problem = f"{path} ends in {suffix!r}" if there else f"there is no file {path}"
        raise WeightsError(f"weights: {problem}; expected 'imagenet', 'untrained', or {ACCEPTED_FILES}")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise WeightsError(
                f"{path} has {size} bytes, more than any VGG-19 ({MAX_BYTES}); expected {ACCEPTED_FILES}"
            )
        state: Any = load_file(path, device="cpu") if suffix == ".safetensors" else _unpickle(path)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error}); check the file and its permissions") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        problem = f"is cut off, damaged or not {suffix} at all; fetch it again"
        with path.open("rb") as file:
            start = file.read(32)
        if suffix != ".safetensors" and start[:1] not in (b"", b"P", b"\x80"):  # a zip archive, a pickle
            problem = f"is no checkpoint that PyTorch reads safely, it begins with {start!r}; expected {ACCEPTED_FILES}"
        raise WeightsError(f"{path} {problem}") from error
    for wrapper in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise WeightsError(f"{path}: found {type(state).__name__} instead of named tensors; expected {ACCEPTED_FILES}")
    return state


def _unpickle(path: Path) -> Any:
    """`torch.load` of a file that has been looked through, so that what it does is bounded."""
    # checkpoints from before PyTorch 1.6, torchvision's among them, are no zip archives and cannot be mapped
    zipped = zipfile.is_zipfile(path)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            _need(unpacked <= path.stat().st_size, f"would unpack to {unpacked} bytes, more than it has", path)
            _need(len({entry.filename for entry in entries}) == len(entries), "has two parts of the same name", path)
            for entry in entries:
                if entry.filename.endswith(".pkl"):
                    with archive.open(entry) as file:
                        _look_through(file, path)
    else:
        with path.open("rb") as file:
            for _ in range(5):  # magic number, version, system, the state, names of its storages
                _look_through(file, path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _look_through(file: BinaryIO, path: Path) -> None:
    """Go over one pickle without running it."""
    for opcode, argument, position in pickletools.genops(file):
        foreign = opcode.name in ("STACK_GLOBAL", "INST") or opcode.name == "GLOBAL" and argument not in _GLOBALS
        _need(not foreign, f"holds Python objects besides tensors ({argument!r}), which are never run here", path)
        _need(position <= _MAX_PICKLE, f"has more than {_MAX_PICKLE} bytes besides its tensors", path)


def _need(fits: bool, problem: str, path: Path) -> None:
    if not fits:
        raise WeightsError(f"{path} {problem}; fetch it again, or save its state_dict() alone with torch.save")
