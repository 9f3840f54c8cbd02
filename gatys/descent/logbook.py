"""The logbook of a run: its losses and notes so far, and the file from which it can go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

from ..objective.evaluation import Bounded
from ..objective.losses import Terms
from .batch import Batch
from .checkpoint import Checkpoint, Moment, Way
from .course import Course, options_of
from .identity import identify
from .notes import SETBACK, STALL, judge
from .records import Progress, Record, Result
from .shared_checkpoint import SharedCheckpoint
from .state import read_picture

log = logging.getLogger(__name__)


class Logbook:
    """The records and notes of a run, which begin with those of its checkpoint, if there is one.

    Args:
        course: what the run will do.

    Raises:
        CheckpointError: for the state of another run, and a file that is none or cannot be written.
    """

    def __init__(self, course: Course):
        self.course = course
        self._file = _open(course)
        self._before = None if self._file is None else self._file.read()
        self.history: list[Record] = [] if self._before is None else list(self._before.history)
        self.notes: list[str] = [] if self._before is None else list(self._before.notes)
        self._between: tuple[int, Bounded, Batch] | None = None  # while nothing is half done
        self.schedule = list(course.schedule if self._before is None else self._before.schedule)
        """The steps of each level, full size first: those that were needed, and those that are planned."""
        self._setbacks, self._stalls = 0, 0
        self.expected: tuple[float, ...] = ()
        """The seconds that a step of each level is expected to take, where that was measured."""
        self.stopped = False
        """Whether the run was ended before its last step."""
        if self._file is not None and self._before is not None:
            log.info("going on from step %d of %d, found in %s", self.done, sum(self.schedule), self._file.path)

    @property
    def done(self) -> int:
        """Give the number of steps that are done."""
        return len(self.history)

    @property
    def levels(self) -> range:
        """Give the levels that are left, in their order, down to 0."""
        first = len(self.course.sizes) - 1 if self._before is None else self._before.level
        return range(first, -1, -1)

    def left(self, level: int) -> int:
        """Give the number of steps that are left at a level."""
        return sum(self.schedule[level:]) - self.done

    def finished(self) -> Result | None:
        """Give the result of a run that was finished before, as its file holds it; None for any other."""
        if self._file is None or self._before is None or self._before.way is not None:
            return None
        with self._file.trusted():
            picture = read_picture(self._before.tensors, "picture", self.course.start)
        return Result(picture, tuple(self.history), tuple(self.notes), self._file.path)

    def restore(self, evaluate: Bounded, descent: Batch) -> None:
        """Bring a level to where the file left it; do nothing where there is no file, or for later levels."""
        if self._file is not None and self._before is not None and self._before.way is not None:
            evaluate.plan = self._before.way.again(evaluate.plan)
            with self._file.trusted():
                descent.restore(self._before.tensors)
        self._before = None
        self._setbacks, self._stalls = descent.setbacks, descent.stalls

    def begin_step(self, level: int, terms: Terms, gradient: Tensor) -> Record:
        """Record the losses of an evaluation, of which the descent has not been told yet.

        Raises:
            InputError: where losses or gradient of the starting picture are not finite.
        """
        if not self.history:
            terms.check(gradient)
        self._between = None
        record = Record(self.done + 1, level, **terms.sums(), layers=terms.layer_sums())
        self.history.append(record)
        return record

    def end_step(self, level: int, evaluate: Bounded, descent: Batch, happened: Iterable[str]) -> None:
        """Note what happened in a step, and write the state where it is time to."""
        happened = list(happened)
        if descent.setbacks > self._setbacks and not any(note.endswith(SETBACK) for note in self.notes):
            happened.append(SETBACK)
        if descent.stalls > self._stalls and not any(note.endswith(STALL) for note in self.notes):
            happened.append(STALL)
        self._setbacks, self._stalls = descent.setbacks, descent.stalls
        self._note([*evaluate.take_notes(), *happened])
        if self._file is not None:
            self._between = level, evaluate, descent
            if self._file.due:
                self._note(self._file.keep(self._moment()))

    def asks_to_stop(self, record: Record, descent: Batch) -> bool:
        """Call the callback, and tell whether it wants the run to end here."""
        course = self.course
        steps, schedule = sum(self.schedule), tuple(self.schedule)
        progress = Progress(record.step, steps, record.level, record, schedule, lambda: descent.best, self.expected)
        if not course.told.place.team.any(_asks(course.told.callback, progress)):
            return False
        self.stopped = self.done < steps
        return True

    def arrived(self, level: int, descent: Batch) -> bool:
        """Tell whether a level can end before its last step, and strike its other steps then."""
        left = self.left(level)
        if not left or not self.course.told.tolerance or not descent.arrived:
            return False
        self.schedule[level] -= left
        log.info("level %d has arrived after %d steps; %d more were allowed", level, self.schedule[level], left)
        return True

    def keep_what_is_there(self) -> None:
        """Write the last state of a run that an error ends."""
        if self._between is not None and self._file is not None and self.course.told.place.team.alone:
            self._file.keep(self._moment())  # of several processes, the others may be gone

    def result(self, picture: Tensor) -> Result:
        """Close the book, and give the result of the run."""
        course, told = self.course, self.course.told
        self._note(judge(self.history, told.optimizer, told.rate, sum(self.schedule)))
        if self._file is not None:
            last = (
                self._moment()
                if self.stopped
                else Moment(0, self.history, self.notes, {"picture": picture}, None, self.schedule)
            )
            self._note(self._file.keep(last))
        if self.notes:
            more = f" (and {len(self.notes) - 1} more such events)" if len(self.notes) > 1 else ""
            log.warning("%s%s", self.notes[0], more)
        path = None if self._file is None else self._file.path
        sizes = course.sizes[self.history[-1].level], course.sizes[0]
        image = told.place.resize(picture, *sizes, rings=course.rings)
        return Result(image, tuple(self.history), tuple(self.notes), path)

    def _note(self, happened: Iterable[str]) -> None:
        self.notes += [f"step {self.done}: {what}" for what in happened]

    def _moment(self) -> Moment:
        assert self._between is not None  # noqa: S101 (what callers have made sure of)
        level, evaluate, descent = self._between
        return Moment(level, self.history, self.notes, descent.state(), Way.of(evaluate.plan), self.schedule)


def _open(course: Course) -> SharedCheckpoint | None:
    """Give the run's checkpoint, if there is to be one."""
    told = course.told
    if told.checkpoint is None:
        return None
    targets: dict[str, Any] = {"content": told.content, "style": told.style, "temporal": told.temporal}
    targets["start"] = course.start
    given: dict[str, Any] = {"from_noise": course.from_noise} | options_of(course) | {"precision": str(course.dtype)}
    run = identify(course.net, **targets, place=told.place, **given)
    path, every = told.checkpoint, told.checkpoint_every
    return SharedCheckpoint(lambda: Checkpoint(path, every, run, course.schedule), course.sizes, told.place)


def _asks(callback: Callable[[Progress], None] | None, progress: Progress) -> bool:
    """Call the callback, and tell whether StopIteration came back."""
    try:
        if callback is not None:
            callback(progress)
    except StopIteration:
        return True
    return False
