"""The descent from a starting picture to one that matches its targets, coarse to fine."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError, is_out_of_memory
from ..network.vgg import VGG19
from ..objective.evaluation import Bounded
from ..objective.objective import Objective
from ..objective.terms import TemporalTarget
from ..passes.layout import WHOLE, Layout
from ..passes.memory import release
from ..passes.plan import HALF_ABOVE, Plan, make_plan, outlook
from ..passes.precision import choose
from ..pictures.conversion import AnyPicture
from ..settings import CONTENT_WEIGHT, LEARNING_RATES, OPTIMIZERS, STEPS, STYLE_WEIGHT, TEMPORAL_WEIGHT, TV_WEIGHT
from ..targets.levels import level_size
from ..targets.regions import RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget, common_levels, fit_levels
from .adam import Adam
from .batch import Batch
from .checkpoint import Checkpoint, Moment, Way
from .identity import identify
from .kept import Kept
from .lbfgs import LBFGS
from .protocol import Descent
from .records import Progress, Record, Result
from .schedule import FROM_NOISE, split_steps
from .start import begin, full_size, name_or_picture, starting_picture
from .state import read_picture

log = logging.getLogger(__name__)

TV_ROUNDING = 1 / 255
"""Differences of neighbours, one level of an 8-bit picture, below which the descent rounds absolute smoothness off. Its
kinks lie where neighbours are equal, as in a flat start, where every direction leads up first (benchmarks/published.py)."""
STEPS_TO_JUDGE, PROGRESS = 10, 1e-3
"""A level of at least so many steps whose loss falls by less than this share has made no progress."""
ADAM_REACH = 0.02
"""Change of a pixel, of its range of 1, below which a picture hardly differs from its start."""

SETBACK = (
    "the loss was not finite or far above the best; went back to the best picture with a shorter step, "
    "here and wherever it happened again"
)


def optimize(
    net: VGG19,
    *,
    content: ContentTarget | None = None,
    style: StyleTarget | RegionalStyle | None = None,
    temporal: TemporalTarget | None = None,
    init: AnyPicture = "auto",
    size: tuple[int, int] | None = None,
    steps: int | Sequence[int] = STEPS,
    optimizer: str = "lbfgs",
    learning_rate: float | None = None,
    content_weight: float = CONTENT_WEIGHT,
    style_weight: float = STYLE_WEIGHT,
    tv_weight: float = TV_WEIGHT,
    tv_form: str = "squared",
    temporal_weight: float = TEMPORAL_WEIGHT,
    seed: int = 0,
    tile: int | str | None = "auto",
    history_size: int = 10,
    padding: str | None = None,
    memory: int | None = None,
    precision: str = "auto",
    graphs: bool = True,
    checkpoint: Path | str | None = None,
    checkpoint_every: float = 60.0,
    callback: Callable[[Progress], None] | None = None,
    place: Layout = WHOLE,
) -> Result:
    """Descend from a starting picture to one that has the content's features and the style's Gram matrices.

    (Gatys et al., CVPR 2016, section 2.3; coarse to fine as in Gatys et al., CVPR 2017, section 6.)

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        content: None for texture synthesis.
        style: one style for all of the picture or one for each region; None for a reconstruction of the content.
        temporal: a picture to stay near, such as the last frame's result; None for none.
        init: where to start: "content", "noise" (white noise, uniform in [0, 1]), "mean" (the network's mean colour
            with noise of a thousandth, as jcjohnson/neural-style does), or a picture, (1 or N, 3, H, W) or of another
            kind as for `extract_content`, which is resized where needed. "auto" is the content where there is one, and noise otherwise.
        size: (height, width) of the result when there is no content; default that of `init` or of the style picture.
        steps: number of evaluations of loss and gradient over all levels; see `split_steps`.
        optimizer: "lbfgs" or "adam".
        learning_rate: default 1 for L-BFGS, where it scales the first step of each level, and 0.02 for Adam.
        content_weight: alpha. The default is made for normalised targets.
        style_weight: beta.
        tv_weight: weight of smoothness; 0 for none.
        tv_form: what is smooth, one of `terms.TV_FORMS`.
        temporal_weight: weight of staying near `temporal`.
        seed: seed of the noise.
        tile: edge in pixels of the tiles that each evaluation is cut into, None for whole pictures. "auto" takes
            what is cheapest in the memory there is; see `plan.make_plan`. Loss and gradient are the same but for
            rounding, which over many steps leads to another, equally good picture.
        history_size: pairs that L-BFGS remembers, each two pictures of memory; fewer where memory is short.
        padding: what the network sees beyond the picture's border, one of `tiles.PADDINGS`; default that of the
            content, or "zero". "circular" makes textures without seams, to be laid side by side.
        memory: bytes that may be used on the device beside filters and targets; default what is free there.
        precision: of the convolutions, one of `precision.PRECISIONS`; where numbers leave the range of a lower one, the
            run goes on in float32. Pictures, Gram sums, losses and gradients are float32 whatever it is.
        graphs: whether evaluations of whole pictures on NVIDIA cards are replayed from CUDA graphs, which holds the memory
            of one for all of a level.
        checkpoint: a file for the run's state, from which the same call goes on after a crash, or a folder, where the
            file is called by what the run is. The result is then, to the last bit, that of a run without a crash, with
            the same device and number of threads (see Returns). The last state stays there, until whoever has kept the result
            deletes it (`Result.state`). It holds as much as L-BFGS remembers.
        checkpoint_every: seconds between two states at least; one is also written when the run ends early, however.
        callback: called after each evaluation with a `Progress`. An exception from it ends the run and is passed
            on; StopIteration ends it early and the best picture so far is returned.
        place: where the pictures lie. In strips, all processes call this at the same time with the same options, each
            with its rows of `content` and `init`, and get its rows of the result, and the same history.

    Returns:
        A `Result`. With the same seed, device and numbers of threads it is the same; but for float32 on NVIDIA cards,
        where cuDNN may add up in another order each time.

    Raises:
        ValueError: for targets that do not fit the network or each other, for options that are not as above, and where
            loss or gradient of the starting picture are not finite. Later on, the run goes back to its best picture.
        CheckpointError: for a state of another run, and a file that is none or cannot be written (a ValueError, too).
        OutOfMemory: if not even the smallest tiles fit. Where memory only runs out for the plan, the run goes on from
            the same picture with a smaller one, which `Result.notes` tell.
    """
    init = name_or_picture(init)
    common_levels(content, style)  # says so where there is no target
    if optimizer not in OPTIMIZERS:
        raise InputError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    rate = LEARNING_RATES[optimizer] if learning_rate is None else learning_rate
    if not 0 < rate < float("inf"):
        raise InputError(f"learning_rate: expected a finite number above 0, got {learning_rate!r}")
    if isinstance(history_size, bool) or not isinstance(history_size, int) or history_size < 1:
        raise InputError(f"history_size: expected a whole number of at least 1, got {history_size!r}")
    if isinstance(tile, str) and tile != "auto":
        raise InputError(f"tile: expected 'auto', None or a whole number of pixels, got {tile!r}")
    full = full_size(content, style, init, size, place)
    levels = fit_levels(content, style, full)
    start = starting_picture(net, content, init, full, seed, place)
    from_noise = not isinstance(init, Tensor) and (init in ("noise", "mean") or content is None)
    schedule = split_steps(steps, levels, ratio=FROM_NOISE if from_noise else 1.0)
    weights = {
        "content_weight": content_weight,
        "style_weight": style_weight,
        "tv_weight": tv_weight,
        "tv_form": tv_form,
        "temporal_weight": temporal_weight,
    }
    sizes = [level_size(full, level) for level in range(levels)]
    device, dtype = net.mean.device, choose(precision, net)
    given = {"filters": net.tag.fingerprint, "pooling": net.tag.pooling, "size": full, "seed": seed, "padding": padding}
    given |= {"steps": schedule, "optimizer": optimizer, "learning_rate": rate, "history_size": history_size}
    place.agree(given | weights | {"precision": dtype, "checkpoint": checkpoint is not None})

    def plan_for(level: int, objective: Objective) -> Plan:
        return make_plan(
            place.extent(sizes[level], objective.layers, objective.padding),
            objective.layers,
            device=device,
            optimizer=optimizer,
            history_size=history_size,
            batch=start.shape[0],
            bytes_per_value=net.mean.dtype.itemsize,
            dtype=dtype,
            padding=objective.padding,
            tile=tile,
            memory=memory,
        )

    keeper, before = None, None
    if checkpoint is not None:
        given = {"content": content, "style": style, "temporal": temporal, "start": start, "from_noise": from_noise}
        how = {"steps": schedule, "optimizer": optimizer, "learning_rate": rate, "history_size": history_size}
        run = identify(net, **given, **how, **weights, padding=padding, precision=str(dtype), look=place.look)
        keeper = place.keeper(lambda: Checkpoint(checkpoint, checkpoint_every, run, schedule), sizes)
        before = keeper.read()
    history: list[Record] = [] if before is None else list(before.history)
    notes: list[str] = [] if before is None else list(before.notes)
    if before is not None:
        log.info("going on from step %d of %d, found in %s", len(history), sum(schedule), keeper.path)
        if before.way is None:
            with keeper.trusted():
                picture = read_picture(before.tensors, "picture", start)
            return Result(picture, tuple(history), tuple(notes), keeper.path)
    picture: Tensor | None = None
    between: tuple[int, Bounded, Descent] | None = None  # while nothing is half done

    def moment() -> Moment:
        level, evaluate, descent = between
        return Moment(level, history, notes, descent.state(), Way.of(evaluate.plan))

    stopped = False
    try:
        for level in reversed(range(levels if before is None else before.level + 1)):
            objective = Objective(
                net,
                content=content,
                style=style,
                temporal=temporal,
                level=level,
                padding=padding,
                place=place,
                tv_rounding=TV_ROUNDING,
                **weights,
            )
            if picture is None and log.isEnabledFor(logging.INFO):
                plans = [plan_for(each, objective) for each in range(levels)]
                log.info("plan: %s", outlook(plans, schedule, dtype))
            evaluate = Bounded(objective, plan_for(level, objective), graphs=graphs)
            picture = begin(start, picture, sizes, level, place, detail=not from_noise)
            half = math.prod(sizes[level]) > HALF_ABOVE
            rounded = tv_form == "absolute" and tv_weight > 0
            descent = _descent(picture, optimizer, rate, evaluate.plan, place, half=half, rounded=rounded)
            if before is not None:
                evaluate.plan = before.way.again(evaluate.plan)
                with keeper.trusted():
                    descent.restore(before.tensors)
                before = None
            seen = descent.setbacks
            for _ in range(sum(schedule[level:]) - len(history)):
                terms, gradient = evaluate(descent.ask())
                if not history:
                    terms.check(gradient)
                between = None
                record = Record(len(history) + 1, level, **terms.sums(), layers=terms.layer_sums())
                history.append(record)
                told = torch.stack([terms.smooth, terms.total], dim=1) if rounded else terms.total
                descent, happened = _tell(descent, told, gradient, place)
                del terms, told, gradient
                if descent.setbacks > seen and not any(note.endswith(SETBACK) for note in notes):
                    happened.append(SETBACK)
                seen = descent.setbacks
                notes += [f"step {record.step}: {what}" for what in (*evaluate.take_notes(), *happened)]
                if keeper is not None:
                    between = level, evaluate, descent
                    if keeper.due:
                        notes += [f"step {record.step}: {what}" for what in keeper.keep(moment())]
                progress = Progress(
                    record.step, sum(schedule), level, record, tuple(schedule), lambda d=descent: d.best
                )
                if place.any(_asks_to_stop(callback, progress)):
                    stopped = len(history) < sum(schedule)
                    break
            picture, dtype = descent.best, evaluate.plan.dtype  # what has left the range would do so again
            if stopped:
                break
    except BaseException:
        if between is not None and place is WHOLE:  # the others may be gone
            keeper.keep(moment())
        raise
    notes += [f"step {len(history)}: {what}" for what in _too_short(optimizer, rate, schedule) or _standstill(history)]
    if keeper is not None:
        last = moment() if stopped else Moment(0, history, notes, {"picture": picture}, None)
        notes += [f"step {len(history)}: {what}" for what in keeper.keep(last)]
    if notes:
        log.warning("%s%s", notes[0], f" (and {len(notes) - 1} more such events)" if len(notes) > 1 else "")
    path = None if keeper is None else keeper.path
    return Result(place.resize(picture, sizes[history[-1].level], full), tuple(history), tuple(notes), path)


def _standstill(history: Sequence[Record]) -> list[str]:
    """A sentence where the last level ended where it began."""
    totals = [record.total for record in history if record.level == history[-1].level and math.isfinite(record.total)]
    if len(totals) < STEPS_TO_JUDGE or min(totals) <= (1 - PROGRESS) * totals[0] or totals[0] == 0:
        return []
    said = (
        f"the loss was {totals[0]:.4g} at the first of {len(totals)} steps at this size and {min(totals):.4g} at best"
    )
    return [f"no progress: {said}; start from another picture (init), or change the weights of the terms"]


def _too_short(optimizer: str, rate: float, schedule: Sequence[int]) -> list[str]:
    """A sentence where Adam, which moves a pixel by about its rate in a step, cannot have gone far."""
    reach = rate * sum(schedule)
    if optimizer != "adam" or reach >= ADAM_REACH:
        return []
    said = f"{sum(schedule)} steps of adam at a learning rate of {rate:.3g} change a pixel by {reach:.1%} of its range at most"
    return [f"{said}; give at least {math.ceil(ADAM_REACH / rate)} steps or a higher rate"]


def _asks_to_stop(callback: Callable[[Progress], None] | None, progress: Progress) -> bool:
    try:
        if callback is not None:
            callback(progress)
    except StopIteration:
        return True
    return False


def _descent(
    picture: Tensor, optimizer: str, rate: float, plan: Plan, place: Layout, *, half: bool, rounded: bool
) -> Descent:
    """The descent of all pictures; `rounded` says whether it goes by another loss than the pictures are kept by."""
    if optimizer == "adam":
        make = partial(Adam, learning_rate=rate, add=place.add)
    else:
        how = {"history_device": plan.history_device, "history_dtype": torch.float16 if half else None}
        how |= {"history_size": place.least(plan.history_size), "add": place.add}
        make = partial(LBFGS, first_step=0.02 * rate, **how)
    return Batch(picture, partial(Kept, make=make) if rounded else make)


def _tell(descent: Descent, loss: Tensor, gradient: Tensor, place: Layout) -> tuple[Descent, list[str]]:
    """Tell the descent; if memory runs out in it, one that goes on from the best picture and remembers less.

    In strips that ends the run, since the other processes are in the midst of it.
    """
    try:
        descent.tell(loss, gradient)
        return descent, []
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or place is not WHOLE:
            raise
    descent = descent.lighter()
    release(gradient.device)
    return descent, ["memory ran out; went on from the best picture, remembering fewer steps"]
