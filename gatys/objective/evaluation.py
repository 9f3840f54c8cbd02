"""Evaluation within memory: an objective is evaluated by plan, and again where the plan was too bold.

The second time is in smaller tiles, or in full precision.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from torch import Tensor

from ..passes.plan import Plan, within_memory
from ..passes.precision import dtype_name
from .graphs import Replay, replayable
from .losses import Terms
from .objective import Objective

log = logging.getLogger(__name__)


class Bounded:
    """An objective that is evaluated as `plan` says, and with a smaller plan from then on when memory runs out.

    When convolutions of a lower precision leave its range, they are of the network's own from then on. Nothing is lost
    by either: an evaluation changes nothing until it is done. With `graphs`, evaluations are replayed from a CUDA graph
    where that is possible.
    """

    def __init__(self, objective: Objective, plan: Plan, *, graphs: bool = True):
        self.objective, self.plan = objective, plan
        self._graphs = graphs
        self._replay: tuple[Plan, Replay] | None = None
        self._notes: list[str] = []

    def __call__(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Evaluate pictures as `Objective.terms` does.

        Raises:
            OutOfMemory: if even the smallest tiles do not fit.
        """
        found = self._within_memory(image)
        own = self.objective.net.mean.dtype
        if self.objective.dtype == own or not self.objective.place.team.any(not found[0].finite):
            return found
        low, self.plan = self.objective.dtype, replace(self.plan, dtype=own)
        self._notes.append(
            f"numbers left the range of {dtype_name(low)}; went on from the same picture in {dtype_name(own)}"
        )
        return self._within_memory(image)

    def _within_memory(self, image: Tensor) -> tuple[Terms, Tensor]:
        def evaluate(plan: Plan) -> tuple[Terms, Tensor]:
            self.objective.compute_in(plan.dtype)
            if self._replay is not None and self._replay[0] != plan:
                self._replay = None
            if not self._graphs or not replayable(self.objective, plan, image):
                return self.objective.terms(image, plan.tile, keep=plan.keep)
            if self._replay is None:
                self._replay = plan, Replay(self.objective.terms)
            return self._replay[1](image)

        return within_memory(self.plan, evaluate, image.device, self._go_on)

    def _go_on(self, plan: Plan) -> None:
        self.plan = plan
        self._notes.append(f"memory ran out; went on from the same picture in {plan.how}")
        log.warning("out of memory; going on with %s", plan)

    def take_notes(self) -> list[str]:
        """Give what was mended since the last call, in sentences."""
        notes, self._notes = self._notes, []
        return notes
