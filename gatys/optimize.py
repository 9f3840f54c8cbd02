"""The descent from a starting picture to one that matches its targets, coarse to fine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .bounded import Bounded
from .descent import LBFGS, Adam, Descent
from .memory import is_out_of_memory, release
from .objective import CONTENT_WEIGHT, STYLE_WEIGHT, TEMPORAL_WEIGHT, TV_WEIGHT, Objective
from .plan import Plan, make_plan, outlook
from .pyramid import level_size, resize
from .regions import RegionalStyle
from .schedule import FROM_NOISE, split_steps
from .targets import ContentTarget, StyleTarget, common_levels
from .terms import TemporalTarget
from .vgg import VGG19, check_image

log = logging.getLogger(__name__)

OPTIMIZERS = ("lbfgs", "adam")
INITS = ("auto", "content", "noise", "mean")
LEARNING_RATES = {"lbfgs": 1.0, "adam": 0.02}
"""Default of each optimiser: of L-BFGS a factor on its step, of Adam a change of pixels in the [0, 1] range."""


@dataclass(frozen=True)
class Record:
    """One evaluation. Terms are before weighting, the total after it, each summed over the batch.

    Fields can be read by attribute or by name: `record.total`, `record["total"]`.
    """

    step: int
    """1 for the first evaluation, counted over all levels."""
    level: int
    total: float
    content: float
    style: float
    tv: float
    layers: Mapping[str, float] = field(default_factory=dict)
    """What each layer adds to its term, by names like "content conv4_2" and "style conv1_1"."""

    def __getitem__(self, name: str) -> float:
        return self.asdict()[name]

    def asdict(self) -> dict[str, float]:
        """Step, level and the terms by name."""
        return {name: getattr(self, name) for name in ("step", "level", "total", "content", "style", "tv")}


@dataclass(frozen=True)
class Progress:
    """What a callback is given after each evaluation."""

    step: int
    steps: int
    level: int
    losses: Record
    _image: Callable[[], Tensor]

    @property
    def image(self) -> Tensor:
        """A copy of the best picture so far, (N, 3, h, w) at this level's size, in [0, 1]; made when asked for."""
        return self._image().detach().clone()


@dataclass(frozen=True, eq=False)
class Result:
    """What `optimize` returns."""

    image: Tensor
    """(N, 3, H, W), sRGB in [0, 1], on the network's device: the best pictures seen at level 0."""
    history: tuple[Record, ...]
    """One record an evaluation, over all levels."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences; empty for an ordinary run."""


def noise(count: int, size: tuple[int, int], seed: int, draw: Callable[..., Tensor] = torch.rand) -> Tensor:
    """White noise, (count, 3, *size), uniform in [0, 1] or as `draw` draws it; picture i has the seed `seed + i`."""
    pictures = []
    for index in range(count):
        generator = torch.Generator().manual_seed((seed + index) % 2**63)
        pictures.append(draw((3, *size), generator=generator))
    return torch.stack(pictures)


def optimize(
    net: VGG19,
    *,
    content: ContentTarget | None = None,
    style: StyleTarget | RegionalStyle | None = None,
    temporal: TemporalTarget | None = None,
    init: str | Tensor = "auto",
    size: tuple[int, int] | None = None,
    steps: int | Sequence[int] = 200,
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
    callback: Callable[[Progress], None] | None = None,
) -> Result:
    """Descend from a starting picture to one that has the content's features and the style's Gram matrices.

    (Gatys et al., CVPR 2016, section 2.3; coarse to fine as in Gatys et al., CVPR 2017, section 6.)

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        content: None for texture synthesis.
        style: one style for all of the picture or one for each region; None for a reconstruction of the content.
        temporal: a picture to stay near, such as the last frame's result; None for none.
        init: where to start: "content", "noise" (white noise, uniform in [0, 1]), "mean" (the network's mean colour
            with noise of a thousandth, as jcjohnson/neural-style does), or a picture (1 or N, 3, H, W), which is
            resized where needed. "auto" is the content where there is one, and noise otherwise.
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
        callback: called after each evaluation with a `Progress`. An exception from it ends the run and is passed
            on; StopIteration ends it early and the best picture so far is returned.

    Returns:
        A `Result`. With the same seed, device and numbers of threads it is the same.

    Raises:
        ValueError: for targets that do not fit the network or each other, and for options that are not as above.
        OutOfMemory: if not even the smallest tiles fit. Where memory only runs out for the plan, the run goes on from
            the same picture with a smaller one, which `Result.notes` tell.
    """
    levels = common_levels(content, style)
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    rate = LEARNING_RATES[optimizer] if learning_rate is None else learning_rate
    if not 0 < rate < float("inf"):
        raise ValueError(f"learning_rate: expected a finite number above 0, got {learning_rate!r}")
    if isinstance(history_size, bool) or not isinstance(history_size, int) or history_size < 1:
        raise ValueError(f"history_size: expected a whole number of at least 1, got {history_size!r}")
    if isinstance(tile, str) and tile != "auto":
        raise ValueError(f"tile: expected 'auto', None or a whole number of pixels, got {tile!r}")
    full = _full_size(content, style, init, size)
    start = _start(net, content, init, full, seed)
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
    device, dtype = net.mean.device, net.mean.dtype

    def plan_for(level: int, objective: Objective) -> Plan:
        return make_plan(
            sizes[level],
            objective.layers,
            device=device,
            optimizer=optimizer,
            history_size=history_size,
            batch=start.shape[0],
            bytes_per_value=dtype.itemsize,
            padding=objective.padding,
            tile=tile,
            memory=memory,
        )

    history: list[Record] = []
    notes: list[str] = []
    picture: Tensor | None = None
    for level in reversed(range(levels)):
        objective = Objective(
            net, content=content, style=style, temporal=temporal, level=level, padding=padding, **weights
        )
        if picture is None and log.isEnabledFor(logging.INFO):
            plans = [plan_for(each, objective) for each in range(levels)]
            log.info("plan: %s", outlook(plans, schedule, dtype))
        evaluate = Bounded(objective, plan_for(level, objective))
        picture = _begin(start, picture, sizes[level], detail=not from_noise)
        descent = _descent(picture, optimizer, rate, evaluate.plan)
        seen = 0
        stopped = False
        for _ in range(schedule[level]):
            terms, gradient = evaluate(descent.ask())
            record = Record(len(history) + 1, level, **terms.sums(), layers=terms.layer_sums())
            history.append(record)
            descent, happened = _tell(descent, terms.total, gradient)
            del terms, gradient
            if descent.setbacks > seen:
                happened.append(
                    "the loss was not finite or far above the best; went back to the best picture with a shorter step"
                )
            seen = descent.setbacks
            notes += [f"step {record.step}: {what}" for what in (*evaluate.take_notes(), *happened)]
            if callback is not None:
                try:
                    callback(Progress(record.step, sum(schedule), level, record, lambda d=descent: d.best))
                except StopIteration:
                    stopped = True
                    break
        picture = descent.best
        if stopped:
            picture = resize(picture, full)
            break
    if notes:
        log.warning("%s%s", notes[0], f" (and {len(notes) - 1} more such events)" if len(notes) > 1 else "")
    return Result(picture, tuple(history), tuple(notes))


def _descent(picture: Tensor, optimizer: str, rate: float, plan: Plan) -> Descent:
    if optimizer == "adam":
        return Adam(picture, learning_rate=rate)
    how = {"history_device": plan.history_device, "history_dtype": torch.float16 if plan.half else None}
    return LBFGS(picture, first_step=0.02 * rate, history_size=plan.history_size, **how)


def _tell(descent: Descent, loss: Tensor, gradient: Tensor) -> tuple[Descent, list[str]]:
    """Tell the descent; if memory runs out in it, one that goes on from the best picture and remembers less."""
    try:
        descent.tell(loss, gradient)
        return descent, []
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    descent = descent.lighter()
    release(gradient.device)
    return descent, ["memory ran out; went on from the best picture, remembering fewer steps"]


def _begin(start: Tensor, coarser: Tensor | None, size: tuple[int, int], *, detail: bool) -> Tensor:
    """Where a level starts: at the picture of the coarser level, enlarged.

    With `detail`, what the coarser level changed is enlarged and added to the starting picture of this size, so that
    details too small for the coarser level are still there to be painted.
    """
    here = resize(start, size)
    if coarser is None:
        return here
    if not detail:
        return resize(coarser, size)
    before = resize(start, tuple(coarser.shape[-2:]))
    return (here + resize(coarser, size) - resize(before, size)).clamp(0, 1)


def _full_size(
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    init: str | Tensor,
    size: tuple[int, int] | None,
) -> tuple[int, int]:
    if content is not None:
        if size is not None and tuple(size) != content.size:
            raise ValueError(
                f"size: the content target is {content.size} (height, width), got {tuple(size)}; leave size out"
            )
        return content.size
    if size is not None:
        return tuple(size)
    return tuple(init.shape[-2:]) if isinstance(init, Tensor) else style.size


def _start(net: VGG19, content: ContentTarget | None, init: str | Tensor, full: tuple[int, int], seed: int) -> Tensor:
    count = 1 if content is None else content.image.shape[0]
    if isinstance(init, Tensor):
        check_image(init, what="init")
        if content is not None and init.shape[0] not in (1, count):
            raise ValueError(f"init: expected 1 or {count} pictures for {count} content pictures, got {init.shape[0]}")
        count = max(count, init.shape[0])
        image = resize(init.detach().clamp(0, 1), full).expand(count, -1, -1, -1)
    elif init not in INITS:
        raise ValueError(f"init: expected {', '.join(INITS)} or a picture, got {init!r}")
    elif init == "noise" or (init == "auto" and content is None):
        image = noise(count, full, seed)
    elif init == "mean":
        mean, std = (t.view(1, 3, 1, 1).cpu() for t in (net.mean, net.std))
        image = (mean + 0.001 * std * noise(count, full, seed, torch.randn)).clamp_(0, 1)
    elif content is None:
        raise ValueError("init: 'content' needs a content target, and there is none; use 'noise' or a picture")
    else:
        image = content.image
    return image.to(device=net.mean.device, dtype=net.mean.dtype).clone(memory_format=torch.contiguous_format)
