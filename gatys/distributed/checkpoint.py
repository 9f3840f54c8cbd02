"""The state of a run on many processes, in one file that process 0 reads and writes whole.

What the processes hold by rows is put together there, so that any number of processes goes on from it. It is as large
as all their descents together, and while it is read or written process 0 holds it in main memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..descent.checkpoint import Checkpoint, Moment
from ..passes.layout import Size

if TYPE_CHECKING:
    from .strips import Strips

ROWS = 256
"""That are put together at a time."""


class StripKeeper:
    """As `Checkpoint`, for the rows of all processes, which call everything here at the same time.

    Args:
        place: the processes.
        make: the file, called on process 0.
        sizes: of each level.
    """

    def __init__(self, place: Strips, make: Callable[[], Checkpoint], sizes: Sequence[Size]):
        self._place, self._sizes = place, sizes
        self._file = make() if place.rank == 0 else None

    @property
    def path(self) -> Path | None:
        """Of the file; None on other processes than 0."""
        return None if self._file is None else self._file.path

    @property
    def due(self) -> bool:
        return self._place.any(self._file is not None and self._file.due)

    def keep(self, moment: Moment) -> list[str]:
        size = self._sizes[moment.level]
        tensors = {name: self._whole(tensor, size) for name, tensor in moment.tensors.items()}
        return [] if self._file is None else self._file.keep(replace(moment, tensors=tensors))

    def read(self) -> Moment | None:
        found = None if self._file is None else self._file.read()
        told = None
        if found is not None:
            numbers = {name: tensor for name, tensor in found.tensors.items() if tensor.ndim != 4}
            pictures = {n: (t.shape[:2], t.dtype) for n, t in found.tensors.items() if t.ndim == 4}
            # tiles are planned anew, since strips may be others now
            way = None if found.way is None else replace(found.way, bytes=2**62)
            told = replace(found, tensors=numbers, way=way), pictures
        told = self._place.team.tell_object(told)
        if told is None:
            return None
        moment, pictures = told
        size, rows = self._sizes[moment.level], {}
        for name, (shape, dtype) in pictures.items():
            read = None if found is None else lambda low, high, name=name: found.tensors[name][:, :, low:high]
            rows[name] = self._place.deal(read, shape, size, dtype)
        return replace(moment, tensors={**moment.tensors, **rows})

    def trusted(self) -> AbstractContextManager:
        return nullcontext() if self._file is None else self._file.trusted()

    def _whole(self, tensor: Tensor, size: Size) -> Tensor:
        if tensor.ndim != 4:
            return tensor
        tensor = tensor.to(self._place.team.device)
        blocks = range(0, size[0], ROWS)
        rows = [self._place.to_first(tensor, size, low, min(low + ROWS, size[0])).cpu() for low in blocks]
        return torch.cat(rows, dim=2)
