"""The trace of a run: a JSON file with the losses and the time of every step, the settings and the versions.

That of a film says of each step which frame it is of.
"""

from __future__ import annotations

import json
import logging
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from ..descent.records import Progress, Record, Result
from ..errors import ImageError
from ..network.vgg import VGG
from ..pictures.replacing import replacing
from .inputs import Inputs
from .parsed import Options
from .record import record_of

log = logging.getLogger(__name__)


class Trace:
    """The trace of one run, which is written once, when it ends.

    Args:
        path: the file.
        options, given: those of the run.
        net: the network.
        files: the digests of the files; by default those of `given`.
    """

    def __init__(self, path: str, options: Options, net: VGG, given: Inputs, files: Mapping[str, Any] | None = None):
        self._path, self._options, self._net, self._size = path, options, net, given.size
        self._files = given.files if files is None else files
        self._began, self._started = perf_counter(), datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._records: list[tuple[int | None, Record]] = []
        self._seconds: dict[tuple[int | None, int], float] = {}
        self._told: Progress | None = None
        self._written = False

    def follow(self, progress: Progress, frame: int | None = None) -> None:
        """Note a step, of a film with the number of its frame."""
        self._records.append((frame, progress.losses))
        self._seconds[frame, progress.step] = perf_counter() - self._began
        self._told = progress

    def write(self, result: Result, *, interrupted: bool) -> None:
        """Write the trace of a run that has a result.

        Raises:
            ImageError: where that cannot be done.
        """
        self._write("interrupted" if interrupted else "done", [(None, each) for each in result.history], result.notes)

    def write_film(self, notes: Iterable[str], *, interrupted: bool) -> None:
        """Write the trace of a film, of the frames that this process has painted.

        Raises:
            ImageError: where that cannot be done.
        """
        self._write("interrupted" if interrupted else "done", self._records, notes)

    def cut_short(self, error: BaseException) -> None:
        """Write the trace of a run that an error ends, as far as it came; where that fails, too, say so."""
        if self._written:
            return
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        try:
            self._write(why, self._records, ())
        except ImageError as problem:
            log.warning("%s", problem)

    def _write(self, ended: str, records: Sequence[tuple[int | None, Record]], notes: Iterable[str]) -> None:
        self._written = True
        told, size = self._told, self._size
        trace = json.loads(record_of(self._options, self._files, self._net.tag, len(records), size)) | {
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "device": str(self._net.mean.device),
            "threads": torch.get_num_threads(),
            "size": list(size),
            "schedule": None if told is None else list(told.schedule),
            "expected": None if told is None else list(told.expected),
            "started": self._started,
            "seconds": perf_counter() - self._began,
            "ended": ended,
            "notes": list(notes),
            "history": [self._step(frame, record) for frame, record in records],
        }
        try:
            with replacing(Path(self._path)) as temporary:
                temporary.write_text(json.dumps(_finite(trace), allow_nan=False, indent=1), "utf-8")
        except OSError as problem:
            raise ImageError(f"--trace: {self._path!r} cannot be written ({problem}); free space") from problem

    def _step(self, frame: int | None, record: Record) -> dict[str, Any]:
        """Give a step's losses; the steps before those of this process have no time."""
        of = {} if frame is None else {"frame": frame}
        seconds = self._seconds.get((frame, record.step))
        return of | record.asdict() | {"seconds": seconds, "layers": dict(record.layers)}


def _finite(value: Any) -> Any:
    """Give a value as JSON can hold it: null for a number that is not finite."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
