"""An objective evaluated within the memory there is: by plan, and again in smaller tiles where the plan was too bold."""

from __future__ import annotations

import logging

from torch import Tensor

from .objective import Objective, Terms
from .plan import Plan, within_memory

log = logging.getLogger(__name__)


class Bounded:
    """Calls `objective.terms` as `plan` says; when memory runs out, with a smaller plan from then on.

    Nothing is lost by that: an evaluation changes nothing until it is done.
    """

    def __init__(self, objective: Objective, plan: Plan):
        self.objective, self.plan = objective, plan
        self._notes: list[str] = []

    def __call__(self, image: Tensor) -> tuple[Terms, Tensor]:
        """As `Objective.terms`.

        Raises:
            OutOfMemory: if even the smallest tiles do not fit.
        """
        return within_memory(
            self.plan,
            lambda plan: self.objective.terms(image, plan.tile, keep=plan.keep),
            image.device,
            self._go_on,
        )

    def _go_on(self, plan: Plan) -> None:
        self.plan = plan
        self._notes.append(f"memory ran out; went on from the same picture in {plan.how}")
        log.warning("out of memory; going on with %s", plan)

    def take_notes(self) -> list[str]:
        """What was mended since the last call, in sentences."""
        notes, self._notes = self._notes, []
        return notes
