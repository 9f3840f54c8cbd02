"""Tensors and texts as one .safetensors file, whole and unchanged or not at all, of any size.

Tensors go to the disk and come back one at a time, so that a file of gigabytes costs no memory beside them. The
metadata holds a SHA-256 of everything else in the file. The header is read here and not by `safetensors.safe_open`, which
does not tell where in the file a tensor lies, as the digest needs it, and maps the file, so that one that is cut off
meanwhile would end the process.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..pictures.replacing import replacing

MAX_HEADER = 1 << 24
MAX_TENSORS = 10_000
_DTYPES = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I64": torch.int64,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_NO_DIGEST = "0" * 64


class Damaged(Exception):
    """The reason why a file is not what `write_tensors` wrote."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file in one step; nobody else may write the same one.

    Raises:
        OSError: where the disk refuses.
    """
    header: dict[str, Any] = {"__metadata__": {"digest": _NO_DIGEST, **metadata}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # what follows is then aligned
    place = 8 + text.index(_NO_DIGEST.encode())
    sha = hashlib.sha256(text)
    with replacing(path, alone=True) as temporary, temporary.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            data = _bytes(tensor.detach().cpu().contiguous())
            sha.update(data)
            file.write(data)
        file.seek(place)
        file.write(sha.hexdigest().encode())


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors, into main memory, and the metadata of a file that `write_tensors` wrote.

    Raises:
        Damaged: for any other file; nothing larger than the file is allocated for it.
        OSError: if it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would never end
        raise Damaged("it is a folder or a device")
    with path.open("rb") as file:
        return _read(file, os.fstat(file.fileno()).st_size)


def _read(file: BufferedReader, size: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(MAX_HEADER, size - 8):
        raise Damaged("it is cut off, or no .safetensors at all")
    text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise Damaged("its header cannot be read") from None
    if not (isinstance(header, dict) and len(header) <= MAX_TENSORS):
        raise Damaged("its header is no list of tensors")
    metadata = header.pop("__metadata__", None)
    sound = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if not (sound and re.fullmatch("[0-9a-f]{64}", metadata.get("digest", "")) is not None):
        raise Damaged("it has no digest")
    expected = metadata.pop("digest")
    sha = hashlib.sha256(text.replace(expected.encode(), _NO_DIGEST.encode()))
    spans = [_span(name, entry) for name, entry in header.items()]
    end = 0
    for name, dtype, shape, begin, stop in spans:
        fits = begin == end and stop - begin == math.prod(shape) * dtype.itemsize
        if not fits:
            raise Damaged(f"its tensor {name[:99]!r} is not where its header says")
        end = stop
    if end != size - 8 - length:
        raise Damaged(f"it has {size} bytes instead of {8 + length + end}")
    tensors = {}
    for name, dtype, shape, *_ in spans:
        tensor = torch.empty(shape, dtype=dtype)
        data = _bytes(tensor)
        if file.readinto(data) != len(data):
            raise Damaged("it is cut off")
        sha.update(data)
        tensors[name] = tensor
    if sha.hexdigest() != expected:
        raise Damaged("its digest is not that of its content")
    return tensors, metadata


def _span(name: str, entry: Any) -> tuple[str, torch.dtype, list[int], int, int]:
    try:
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        whole = isinstance(shape, list) and all(
            type(number) is int and 0 <= number < 2**62 for number in (*shape, begin, end)
        )
        whole = whole and math.prod(edge or 1 for edge in shape) < 2**59  # strides go on counting where an edge is 0
    except (KeyError, TypeError, ValueError):
        shape, whole = [], False
    if not (whole and len(shape) <= 8):
        raise Damaged(f"its tensor {name[:99]!r} is not described")
    return name, dtype, shape, begin, end


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.flatten().view(torch.uint8).numpy().data
