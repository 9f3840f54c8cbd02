"""Keras files: the filters of VGG-16 or VGG-19 are read from HDF5 of Keras 3 or older, as numbers and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from ..errors import WeightsError
from .accepted_files import ACCEPTED_FILES
from .layers import TABLES

_MAX_OBJECTS, _MAX_DEPTH = 20_000, 16
"""The most groups and arrays of a file, and groups within groups; a whole VGG-19 with its optimiser has about two
hundred."""


def read_keras(file: BinaryIO, where: str) -> dict[str, Tensor]:
    """Read `convB_I.weight` and `convB_I.bias` of the file's 3 x 3 convolutions, float32, as Keras was given them
    (BGR).

    They are taken in the natural order of their paths (conv2d, conv2d_1, ..., conv2d_10), which is that of the layers
    in all layouts: `blockB/layers/conv2d_I/vars/0`, `layers/conv2d_N/vars/0`, `blockB_convI/.../kernel:0`,
    `blockB_convI_W_1:0`. The optimiser's numbers are passed over.

    Args:
        file: the file or its content, opened for reading.
        where: how to call it in messages.

    Raises:
        WeightsError: without h5py, for a damaged file, one that leads to other files, and for another network.
    """
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(
            f"{where} is a Keras file, which h5py reads; install it with `pip install h5py` or "
            "`pip install 'gatys-style-transfer[keras]'`"
        ) from error
    try:
        with h5py.File(file, "r") as content:
            return _filters(dict(_arrays(h5py, content, where)), where)
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # HDF5 reports damage by nearly any exception
        raise WeightsError(f"{where} is cut off, damaged or no Keras file at all; fetch it again") from error


def _arrays(h5py: Any, content: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield path and h5py.Dataset of every array of floating point numbers that is stored plainly in the file."""
    seen, waiting = set(), [("", content, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        for name in group:
            inside = f"{path}/{name}".removeprefix("/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise WeightsError(f"{where}: {inside[:80]!r} leads elsewhere, which is never followed; fetch it again")
            entry = group[name]
            place = h5py.h5o.get_info(entry.id).addr
            if place in seen:
                continue
            seen.add(place)
            if len(seen) > _MAX_OBJECTS or depth > _MAX_DEPTH:
                raise WeightsError(f"{where}: has more parts than any VGG; expected {ACCEPTED_FILES}")
            if isinstance(entry, h5py.Group):
                if "optimizer" not in name:  # its moments have the shapes of the filters
                    waiting.append((inside, entry, depth + 1))
            elif isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f" and entry.ndim in (1, 4):
                yield inside, entry


def _filters(arrays: dict[str, Any], where: str) -> dict[str, Tensor]:
    kernels = [path for path in sorted(arrays, key=_natural) if arrays[path].shape[:2] == (3, 3)]
    shapes = [arrays[path].shape[2:] for path in kernels]
    names = _layers_of(shapes)
    if names is None:
        widths = ", ".join(str(width) for _, width in shapes[:16]) + ", ..." * (len(shapes) > 16)
        found = f"whose 3 x 3 convolutions are {widths} wide" if shapes else "without 3 x 3 convolutions"
        raise WeightsError(f"{where}: a Keras file of another network, {found}; expected those of VGG-16 or VGG-19")
    filters = {}
    for name, path in zip(names, kernels, strict=True):
        folder, _, _ = path.rpartition("/")
        biases = [other for other in arrays if other.rpartition("/")[0] == folder and arrays[other].ndim == 1]
        if len(biases) != 1 or arrays[biases[0]].shape != arrays[path].shape[3:]:
            raise WeightsError(f"{where}: expected one bias beside {path[:80]!r}, found {len(biases)}; fetch it again")
        filters[f"{name}.weight"] = _numbers(arrays[path], where).permute(3, 2, 0, 1).contiguous()
        filters[f"{name}.bias"] = _numbers(arrays[biases[0]], where)
    return filters


def _layers_of(shapes: list[tuple[int, int]]) -> list[str] | None:
    """Give the names of layers with those (input, output) channels, if they are all of VGG-19 or of VGG-16."""
    for table in TABLES.values():
        if shapes == [(layer.in_channels, layer.channels) for layer in table.values()]:
            return list(table)
    return None


def _numbers(array: Any, where: str) -> Tensor:
    """Read the values of an array whose shape has been looked at, so that the memory for them is bounded."""
    larger = array.chunks and any(chunk > edge for chunk, edge in zip(array.chunks, array.shape, strict=True))
    if array.is_virtual or array.external or array.id.get_create_plist().get_nfilters() or larger:
        # the first two lie in other files; what is compressed, or in larger pieces than it has, may take any memory
        raise WeightsError(f"{where}: {array.name[:80]!r} is not stored plainly, as Keras does; fetch it again")
    with np.errstate(over="ignore"):  # numbers too large become infinite, and are refused
        return torch.from_numpy(np.array(array[()], dtype=np.float32))


def _natural(path: str) -> list[list[tuple[int, str]]]:
    """Give a key that sorts conv2d before conv2d_1, and conv2d_2 before conv2d_10."""
    return [
        [(int(piece), "") if index % 2 else (-1, piece) for index, piece in enumerate(re.split("([0-9]+)", part))]
        for part in path.split("/")
    ]
