"""A run's checkpoint, kept by all the processes that share its pictures.

Process 0 alone has the file. What the processes hold by rows is put together there, so that any number of processes
goes on from it; it is as large as all their descents together. In a team of one it is the file and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..passes.layout import Layout, Size
from .checkpoint import Checkpoint, Moment

_ALL_BYTES = 2**62


class SharedCheckpoint:
    """A checkpoint of which every process has its rows; all of them call everything here at the same time.

    Args:
        open_file: opens the file; called on process 0.
        sizes: of the pictures of each level.
        place: where the rows of the pictures are.

    Raises:
        CheckpointError: on process 0, as `open_file` does.
    """

    def __init__(self, open_file: Callable[[], Checkpoint], sizes: Sequence[Size], place: Layout):
        self._place, self._sizes = place, sizes
        self._file = open_file() if place.team.rank == 0 else None

    @property
    def path(self) -> Path | None:
        """Give the path of the file; None on other processes than 0."""
        return None if self._file is None else self._file.path

    @property
    def due(self) -> bool:
        """Tell whether it is time to write the state again."""
        return self._place.team.any(self._file is not None and self._file.due)

    def keep(self, moment: Moment) -> list[str]:
        """Write a moment as `Checkpoint.keep` does."""
        size = self._sizes[moment.level]
        tensors = {
            name: self._place.gather(tensor, size) if tensor.ndim == 4 else tensor
            for name, tensor in moment.tensors.items()
        }
        return [] if self._file is None else self._file.keep(replace(moment, tensors=tensors))

    def read(self) -> Moment | None:
        """Read what the file holds, with the rows here of its pictures; give None without a file.

        Raises:
            CheckpointError: on process 0, as `Checkpoint.read` does.
        """
        found = None if self._file is None else self._file.read()
        told = self._place.team.tell(None if found is None else self._without_rows(found))
        if told is None:
            return None
        moment, pictures = told
        tensors, rows = {} if found is None else found.tensors, {}
        for name, (shape, dtype) in pictures.items():

            def read(low: int, high: int, name: str = name) -> Tensor:
                return tensors[name][:, :, low:high]

            rows[name] = self._place.deal(read, shape, self._sizes[moment.level], dtype)
        return replace(moment, tensors={**moment.tensors, **rows})

    def trusted(self) -> AbstractContextManager[None]:
        """Blame the file for what does not fit while what was read is used, as `Checkpoint.trusted` does."""
        return nullcontext() if self._file is None else self._file.trusted()

    def _without_rows(self, found: Moment) -> tuple[Moment, dict[str, tuple[tuple[int, ...], torch.dtype]]]:
        """Give what all processes are told, and the shape and dtype of each picture that is then dealt to them."""
        size = self._sizes[found.level]
        pictures: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
        others: dict[str, Tensor] = {}
        for name, tensor in found.tensors.items():
            if tensor.ndim == 4 and tuple(tensor.shape[2:]) == size:
                pictures[name] = tuple(tensor.shape[:2]), tensor.dtype
            else:  # one of another size is refused by whoever uses it
                others[name] = tensor
        way = found.way
        if way is not None and not self._place.whole:  # tiles are planned anew, since strips may be others now
            way = replace(way, bytes=_ALL_BYTES)
        return replace(found, tensors=others, way=way), pictures
