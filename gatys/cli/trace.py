"""The trace of a run: a JSON file with the losses and the time of every step, the settings and the versions."""

from __future__ import annotations

import json
import logging
import math
import platform
from collections.abc import Iterable
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
    """

    def __init__(self, path: str, options: Options, net: VGG, given: Inputs):
        self._path, self._options, self._net, self._given = path, options, net, given
        self._began, self._started = perf_counter(), datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._records: list[Record] = []
        self._seconds: dict[int, float] = {}
        self._told: Progress | None = None
        self._written = False

    def follow(self, progress: Progress) -> None:
        self._records.append(progress.losses)
        self._seconds[progress.step] = perf_counter() - self._began
        self._told = progress

    def write(self, result: Result, *, interrupted: bool) -> None:
        """Write the trace of a run that has a result.

        Raises:
            ImageError: where that cannot be done.
        """
        self._write("interrupted" if interrupted else "done", result.history, result.notes)

    def cut_short(self, error: BaseException) -> None:
        """Write the trace of a run that an error ends, as far as it came; where that fails, too, say so."""
        if self._written:
            return
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        try:
            self._write(why, self._records, ())
        except ImageError as problem:
            log.warning("%s", problem)

    def _write(self, ended: str, records: Iterable[Record], notes: Iterable[str]) -> None:
        self._written = True
        records = list(records)
        told, given = self._told, self._given
        trace = json.loads(record_of(self._options, given.files, self._net.tag, len(records), given.size)) | {
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "device": str(self._net.mean.device),
            "threads": torch.get_num_threads(),
            "size": list(given.size),
            "schedule": None if told is None else list(told.schedule),
            "expected": None if told is None else list(told.expected),
            "started": self._started,
            "seconds": perf_counter() - self._began,
            "ended": ended,
            "notes": list(notes),
            "history": [self._step(record) for record in records],
        }
        try:
            with replacing(Path(self._path)) as temporary:
                temporary.write_text(json.dumps(_finite(trace), allow_nan=False, indent=1), "utf-8")
        except OSError as problem:
            raise ImageError(f"--trace: {self._path!r} cannot be written ({problem}); free space") from problem

    def _step(self, record: Record) -> dict[str, Any]:
        """Give a step's losses; the steps before those of this process have no time."""
        return record.asdict() | {"seconds": self._seconds.get(record.step), "layers": dict(record.layers)}


def _finite(value: Any) -> Any:
    """Give a value as JSON can hold it: null for a number that is not finite."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
