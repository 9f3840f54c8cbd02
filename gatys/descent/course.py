"""The course of a run, fixed before its first step: sizes, steps, where it starts, and how each level is evaluated."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.vgg import VGG
from ..objective.evaluation import Bounded
from ..objective.objective import AS_THEY_ARE, Objective, resolve_padding
from ..objective.octaves import check_levels
from ..passes.plan import HALF_ABOVE, Plan, make_plan, outlook
from ..passes.precision import choose
from ..passes.speed import measured
from ..pictures.colors import average_channels
from ..settings import STRENGTH, rings
from ..targets.levels import level_size
from ..targets.regions import every_style
from ..targets.statistics import check_whole_picture
from ..targets.targets import common_levels, fit_levels
from .arguments import Arguments
from .batch import Batch
from .choice import choose_descent
from .schedule import ratio_of, split_steps
from .start import begin, full_size, name_or_picture, starting_picture, stay_grey

log = logging.getLogger(__name__)

PLAN = "plan"
"""The attribute that marks the log's line on how a run is planned, for who wants it once only."""
TV_ROUNDING = 1 / 255
"""Differences of neighbours below which the descent rounds absolute smoothness off: one level of an 8-bit picture. Its
kinks lie where neighbours are equal, as in a flat start, where every direction leads up first
(benchmarks/published.py)."""


@dataclass(frozen=True, eq=False)
class Course:
    """The plan of a whole run."""

    net: VGG
    told: Arguments
    sizes: list[tuple[int, int]]
    """The (height, width) of each level, full size first."""
    schedule: list[int]
    """The steps of each level, full size first."""
    start: Tensor
    """The rows here of the starting picture, (N, 3, H, W) at full size."""
    from_noise: bool
    """Whether the start shows nothing yet."""
    detail: float
    """The share of the start's own detail that each level adds to the picture of the coarser one."""
    dtype: torch.dtype
    """The dtype of the convolutions."""
    grey: tuple[bool, ...]
    """Whether each picture stays grey."""

    @property
    def rounded(self) -> bool:
        """Tell whether the descent goes by a loss with rounded kinks, and keeps pictures by the loss with kinks."""
        return self.told.tv_form == "absolute" and self.told.tv_weight > 0

    @property
    def rings(self) -> tuple[bool, bool]:
        """Tell whether the upper edge of the picture meets the lower one, and the left one the right."""
        return rings(resolve_padding(self.told.content, self.told.padding))

    @property
    def optimizer(self) -> str:
        """Give the name of the optimiser."""
        chosen = self.told.optimizer
        return getattr(chosen, "__qualname__", type(chosen).__qualname__) if callable(chosen) else chosen

    def octaves(self, level: int) -> int:
        """Give at how many sizes the style is matched at one level."""
        return min(self.told.octaves, len(self.sizes) - level)

    def objective(self, level: int) -> Objective:
        """Give the loss of one level."""
        told = self.told
        return Objective(
            self.net,
            content=told.content,
            style=told.style,
            temporal=told.temporal,
            content_weight=told.alpha,
            temporal_weight=told.temporal_weight,
            terms=told.terms,
            level=level,
            octaves=self.octaves(level),
            tv_rounding=TV_ROUNDING,
            place=told.place,
            **{name: getattr(told, name) for name in AS_THEY_ARE},
        )

    def plan(self, level: int, objective: Objective, dtype: torch.dtype) -> Plan:
        """Plan the evaluations of one level, with convolutions in `dtype`."""
        told = self.told
        return make_plan(
            told.place.extent(self.sizes[level], objective.used, objective.padding),
            objective.used,
            device=self.net.mean.device,
            optimizer="adam" if callable(told.optimizer) else told.optimizer,  # the user's own has no history here
            history_size=told.history_size,
            batch=self.start.shape[0],
            bytes_per_value=self.net.mean.dtype.itemsize,
            dtype=dtype,
            padding=objective.padding,
            tile=told.tile,
            memory=told.memory,
            whole=not objective.additive,
            held=objective.held,
            octaves=self.octaves(level),
        )

    def evaluation(self, level: int, dtype: torch.dtype) -> Bounded:
        """Give the loss of one level within the memory there is."""
        objective = self.objective(level)
        return Bounded(objective, self.plan(level, objective, dtype), graphs=self.told.graphs)

    def say_outlook(self, evaluate: Bounded) -> tuple[float, ...]:
        """Log the plan and how long the run will take; give the seconds expected of a step at each level.

        Where nobody reads that, nothing is measured, and the result is empty.
        """
        if not log.isEnabledFor(logging.INFO):
            return ()
        plans = [self.plan(level, evaluate.objective, self.dtype) for level in range(len(self.sizes))]
        speed = measured(self.net, self.dtype, evaluate.objective.used, plans[0])
        seconds = tuple(speed.seconds(plan) for plan in plans)
        log.info("plan: %s", outlook(plans, self.schedule, seconds), extra={PLAN: True})
        return seconds

    def picture(self, level: int, coarser: Tensor | None) -> Tensor:
        """Give the picture that a level starts at, from the result of the coarser one."""
        return begin(self.start, coarser, self.sizes, level, self.told.place, detail=self.detail, rings=self.rings)

    def keep_grey(self, pictures: Tensor) -> Tensor:
        """Give pictures, or the gradient in them, without colour where they are to stay grey."""
        return average_channels(pictures, self.grey)

    def descent(self, level: int, picture: Tensor, plan: Plan) -> Batch:
        """Give the descent of one level from a picture."""
        size, told = self.sizes[level], self.told
        half = math.prod(size) > HALF_ABOVE
        return choose_descent(picture, size, told, plan, told.place, half=half, rounded=self.rounded)


def plan_course(net: VGG, told: Arguments) -> Course:
    """Fix the course of a run.

    Raises:
        InputError: for targets and settings that do not go together, and where processes were told different things.
    """
    content, style, place = told.content, told.style, told.place
    init = name_or_picture(told.init)
    common_levels(content, style)  # raises where there is no target
    for region in every_style(style):
        check_whole_picture(region.style.statistic, told.tile, place.team.count)
    full = full_size(content, style, init, told.size, place)
    levels = fit_levels(content, style, full)
    if style is not None:
        check_levels(told.octaves, levels)
    around = rings(resolve_padding(content, told.padding))
    start = starting_picture(net, content, style, init, full, told.seed, place, strength=told.strength, rings=around)
    from_noise = not isinstance(init, Tensor) and (init in ("noise", "mean") or content is None)
    kind = "noise" if from_noise else "picture" if isinstance(init, Tensor) else "content"
    detail = {"noise": 0.0, "picture": 1.0, "content": told.detail}[kind]
    if told.detail != 1 and levels == 1:
        log.info("detail %g changes nothing at one level: there is no coarser picture to add it to", told.detail)
    schedule = split_steps(told.steps, levels, ratio=ratio_of(kind, levels))
    sizes = [level_size(full, level) for level in range(levels)]
    given_start = init if isinstance(init, Tensor) else None
    grey = (False,) * len(start) if told.terms else stay_grey(content, style, given_start, len(start), place)
    if any(grey):
        log.info("content and style are grey, so the picture stays grey")
    start = average_channels(start, grey)
    course = Course(net, told, sizes, schedule, start, from_noise, detail, choose(told.precision, net), grey)
    given = {"filters": net.tag.fingerprint, "pooling": net.tag.pooling, "size": full, "seed": told.seed}
    given |= {"precision": course.dtype, "checkpoint": told.checkpoint is not None}
    place.team.agree(given | options_of(course))
    return course


def options_of(course: Course) -> dict[str, object]:
    """Give what makes a run what it is beside its pictures, by name."""
    told = course.told
    found: dict[str, object] = {"steps": course.schedule, "optimizer": course.optimizer, "learning_rate": told.rate}
    found["history_size"] = told.history_size
    found["content_weight"] = told.alpha
    for name in ("style_weight", "tv_weight", "tv_form", "temporal_weight", "padding"):
        found[name] = getattr(told, name)
    # what was not there in earlier versions is named only where it differs from what they did
    found |= {"strength": told.strength} if told.strength != STRENGTH else {}
    found |= {"tolerance": told.tolerance} if told.tolerance else {}
    found |= {"average": told.average} if told.average else {}
    found |= {"laplacian_weight": told.laplacian_weight} if told.laplacian_weight else {}
    found |= {"octaves": told.octaves} if told.octaves > 1 else {}
    found |= {"detail": told.detail} if told.detail != 1 else {}
    found |= {"grey": course.grey} if any(course.grey) else {}
    return found | ({"terms": list(told.terms)} if told.terms else {})
