"""The state of a run in a file, from which the run goes on after a crash as if nothing had happened.

The file is a .safetensors with the tensors of the descent (`Descent.state`), or of a finished run the picture, the
losses of all steps, and in the metadata what the run is (`identity`), its level, its tiles and its notes.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, InputError
from ..passes.plan import Plan
from ..passes.precision import dtype_name
from .identity import differences, digest
from .records import Record
from .state import State, read_tensor
from .tensor_file import Damaged, read_tensors, write_tensors

log = logging.getLogger(__name__)

FORMAT = "gatys run 1"
SUFFIX = ".safetensors"
_DTYPES = (None, "float64", "float32", "bfloat16", "float16")
_TERMS = ("total", "content", "style", "tv")


@dataclass(frozen=True)
class Way:
    """How evaluations are cut into tiles, and in what precision; see `plan.Plan`."""

    tile: tuple[int, int] | None
    keep: bool
    bytes: int
    dtype: str | None

    @classmethod
    def of(cls, plan: Plan) -> Way:
        return cls(plan.tile, plan.keep, plan.bytes, None if plan.dtype is None else dtype_name(plan.dtype))

    def again(self, now: Plan) -> Plan:
        """Give the plan to go on with: the last one, so that no rounding differs, unless what is planned now needs
        less.
        """
        now = replace(now, dtype=None if self.dtype is None else getattr(torch, self.dtype))
        return replace(now, tile=self.tile, keep=self.keep) if self.bytes <= now.bytes else now


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of a run between two steps."""

    level: int
    history: Sequence[Record]
    notes: Sequence[str]
    tensors: State
    """The state of the descent; or the `picture` of a run that is finished."""
    way: Way | None
    """How evaluations were cut; None for a finished run."""
    schedule: Sequence[int]
    """The steps of each level: those that were needed, and those that are planned."""


class Checkpoint:
    """The file of one run.

    Args:
        path: the file; or a folder, where the file gets its name from what the run is.
        every: seconds between two states at least; 0 for one after each step.
        run: what the run is, from `identity.identify`.
        schedule: steps of each level.

    Raises:
        CheckpointError: where no file can be written.
    """

    def __init__(self, path: Path | str, every: float, run: Mapping[str, str], schedule: Sequence[int]):
        if isinstance(every, bool) or not 0 <= every < float("inf"):
            raise InputError(f"checkpoint_every: expected a finite number of seconds of at least 0, got {every!r}")
        self.path = Path(path)
        if self.path.is_dir():
            self.path /= digest(run) + SUFFIX
        self._every, self._run, self._schedule = every, dict(run), list(schedule)
        self._last, self._failed = time.monotonic(), False
        if not self.path.parent.is_dir() or not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise CheckpointError(
                f"checkpoint: {str(self.path)!r} is in no folder that can be written to; give another path"
            )

    @property
    def due(self) -> bool:
        return time.monotonic() - self._last >= self._every

    def keep(self, moment: Moment) -> list[str]:
        """Write a moment for a run that goes on without the file, too; give a sentence for its notes when writing fails
        at first.
        """
        try:
            self.write(moment)
        except CheckpointError as problem:
            log.warning("%s", problem)
            failed_before, self._failed = self._failed, True
            return [] if failed_before else [f"the state could not be written: {problem}"]
        return []

    def write(self, moment: Moment) -> None:
        """Put a moment in the place of the last one.

        Raises:
            CheckpointError: where the disk refuses; the last one is still there then.
        """
        way = None if moment.way is None else asdict(moment.way)
        layers = list(moment.history[-1].layers)
        record = {"step": len(moment.history), "level": moment.level, "layers": layers, "way": way}
        record["schedule"] = list(moment.schedule)
        metadata = {"format": FORMAT, "run": json.dumps(self._run), "record": json.dumps(record)}
        losses = [
            [*(each[name] for name in _TERMS), *(each.layers[name] for name in layers)] for each in moment.history
        ]
        tensors = {"history": torch.tensor(losses, dtype=torch.float64), **moment.tensors}
        try:
            write_tensors(self.path, tensors, metadata | {"notes": json.dumps(list(moment.notes))})
        except OSError as problem:
            raise CheckpointError(
                f"checkpoint: {str(self.path)!r} cannot be written ({problem}); free space, or give another path"
            ) from problem
        finally:
            self._last = time.monotonic()

    def read(self) -> Moment | None:
        """Read the moment that the file holds; give None without a file.

        Raises:
            CheckpointError: for the state of another run, and for anything that is none.
        """
        try:
            with self.trusted():
                tensors, metadata = read_tensors(self.path)
                form = metadata.get("format", "none")
                if metadata.keys() != {"format", "run", "record", "notes"} or form != FORMAT:
                    raise Damaged(f"its format is {form[:99]!r} instead of {FORMAT!r}")
                run, record, notes = (_json(metadata[name], name) for name in ("run", "record", "notes"))
                found = self._moment(tensors, record, notes) if run == self._run else None
        except FileNotFoundError:
            return None
        except CheckpointError:
            raise
        except OSError as problem:
            raise CheckpointError(
                f"checkpoint: {str(self.path)!r} cannot be read ({problem}); check its permissions, or give another path"
            ) from problem
        if found is None:
            differing = differences(self._run, run) if isinstance(run, dict) else ["form"]
            raise CheckpointError(
                f"checkpoint: {str(self.path)!r} is the state of another run, which differs in its "
                f"{', '.join(differing)[:300]}; give that run's inputs again, or another file"
            )
        return found

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Blame the file for what does not fit while what was read from it is used."""
        try:
            yield
        except (Damaged, ValueError) as problem:
            raise CheckpointError(
                f"checkpoint: {str(self.path)!r} is no sound state of a run: {problem}; delete it to begin anew"
            ) from None

    def _moment(self, tensors: dict[str, Tensor], record: Any, notes: Any) -> Moment:
        try:
            step, level, layers, way = (record[name] for name in ("step", "level", "layers", "way"))
            schedule = record["schedule"]
            sound = type(step) is type(level) is int and 0 <= level < len(self._schedule)
            sound = sound and self._shortens(schedule, level + (way is not None))
            sound = sound and sum(schedule[level + 1 :]) < step <= sum(schedule[level:])
            sound = sound and all(isinstance(text, str) for text in (*layers, *notes))
            if way is not None:
                tile = None if way["tile"] is None else tuple(way["tile"])
                way = Way(tile, way["keep"], way["bytes"], way["dtype"])
                sound = sound and type(way.keep) is bool and type(way.bytes) is int and way.dtype in _DTYPES
                edges = way.tile or (1, 1)
                sound = sound and [type(edge) for edge in edges] == [int, int] and min(edges) >= 1
            else:
                sound = sound and step == sum(schedule)
        except (KeyError, TypeError):
            sound = False
        if not sound:
            raise Damaged("its record of level, step and tiles makes no sense")
        losses = read_tensor(tensors, "history", (step, len(_TERMS) + len(layers)), torch.float64).tolist()
        return Moment(level, _records(losses, layers, schedule), list(notes), tensors, way, schedule)

    def _shortens(self, schedule: Any, ended: int) -> bool:
        """Tell whether a schedule is the planned one with fewer steps at most on levels from `ended` up."""
        fits = isinstance(schedule, list) and len(schedule) == len(self._schedule)
        return fits and all(
            type(here) is int and (0 < here <= planned if level >= ended else here == planned)
            for level, (here, planned) in enumerate(zip(schedule, self._schedule, strict=True))
        )


def _records(losses: list[list[float]], layers: list[str], schedule: Sequence[int]) -> list[Record]:
    levels = (level for level in reversed(range(len(schedule))) for _ in range(schedule[level]))
    rows = zip(losses, levels, strict=False)  # the losses say how many there are
    terms = len(_TERMS)
    return [
        Record(step, level, *_four(row[:terms]), dict(zip(layers, row[terms:], strict=True)))
        for step, (row, level) in enumerate(rows, start=1)
    ]


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Damaged(f"its {what} cannot be read") from None


def _four(terms: list[float]) -> tuple[float, float, float, float]:
    total, content, style, tv = terms
    return total, content, style, tv
