"""A film, picture by picture: each frame starts from the last one's result and is held to it.

(Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, sections 4.1 and 4.2.) Frames made on their
own come each to another of the many pictures that fit the style equally well, and the film flickers. Starting where
the last frame ended keeps to one of them, and the temporal term holds it there: mean(trust * (x - w)^2), their
equation 7, with w the last result moved along with the scene and `trust` 0 where that says nothing. What w and trust are
is in `past`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import add
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..descent.arguments import settings_of, takes_two
from ..descent.optimize import optimize
from ..descent.records import Progress, Record, Result
from ..descent.start import name_or_picture, starting_picture
from ..errors import InputError, InputTypeError
from ..network.vgg import VGG
from ..objective.temporal import TemporalTarget
from ..passes.layout import WHOLE
from ..pictures.checks import size_of
from ..pictures.conversion import as_picture
from ..pictures.resampling import resize
from ..targets.regions import AnyStyle
from ..targets.targets import ContentTarget, fit_levels
from .film_arguments import FilmArguments, Results
from .film_results import FilmFrame, FramesResult
from .film_style import style_of_frame
from .later_steps import plan_later
from .motion import warp
from .new_ground import from_inside, style_of_ground
from .past import Frame, Past, Pasts
from .several_passes import Turn, WholeFilm, count_of, pairs_of

BLEND = 0.5
"""The share of what a further pass has just made, where that is to be trusted, in the start of the frame beside it."""
ENOUGH = 0.5
"""The share of a frame's area that its past must cover, or it is made anew."""


@takes_two(FilmArguments, also={"contents": "content"})  # as it was called in 0.1
def optimize_frames(net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments) -> FramesResult:
    """Descend to one picture for each frame of a film, in order.

    A frame's past is the last frame's result, moved along with the scene by `flow`, or its picture in `warped`, or as it
    is. The temporal term holds the frame to it, and with `warm_start` the frame starts from it with `later_steps`, all
    spent at full size: coarser levels only look at the start, since what they have to give is there already (at equal
    cost the loss is lower than with steps on all levels; without a temporal term it flickers slightly more). Where the
    past is not to be trusted, nothing holds the frame: this new ground starts from its own content, and is painted by
    itself first, at coarser levels, by the style's statistics of it and what is around it alone, since in those of the
    whole frame a small area hardly counts. A frame with less than half of its area to trust starts like one without a past, as `optimize` makes any picture, with `steps` over all levels.

    Memory is that of one frame beside the results: `content` may be a generator that extracts as it goes.
    `iterate_frames` hands each result on as it is made.

    Against what changes over many frames, `long_term` holds a frame to several earlier ones, and `passes` go over the film
    back and forth. After a stop in a further pass, frames that it has not come to are those of the pass before.

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        content: a target for each frame, or one for a batch; all of one size.
        told: the fields of `Settings` and of `FilmArguments`, given by their names: `style`, `steps`, `flow`, ...

    Returns:
        One picture for each frame, (N, 3, H, W) in [0, 1], with the records of each and notes.

    Raises:
        InputError: without frames, for frames of several sizes, for pictures, flows and masks that do not fit the
            frames, and as `optimize` and `optical_flow` do.

    Example:
        >>> frames = gatys.extract_content(net, pictures, levels="auto")
        >>> film = gatys.optimize_frames(net, frames, style=style, steps=120, flow="auto")
        >>> gatys.save_image(film.images[0], "0000.png")
    """
    images, histories = dict[int, Tensor](), dict[int, tuple[Record, ...]]()
    notes, states, stopped = list[str](), list[Path](), False
    for frame in _film(net, content, told):
        past = histories.get(frame.index, ())
        images[frame.index], stopped = frame.image, frame.stopped
        histories[frame.index] = past + tuple(replace(each, step=len(past) + each.step) for each in frame.history)
        where = f"pass {frame.pass_index + 1}, frame {frame.index}" if told.passes > 1 else f"frame {frame.index}"
        notes += [f"{where}, {note}" for note in frame.notes]
        states += [] if frame.state is None else [frame.state]
    if told.results is not None:
        for index in range(min(told.done, count_of(content))):
            images.setdefault(index, told.results[index])
    return FramesResult(
        images=torch.cat([images[index] for index in sorted(images)]),
        histories=tuple(histories[index] for index in sorted(histories)),
        notes=tuple(notes),
        stopped=stopped,
        states=tuple(states),
    )


@takes_two(FilmArguments)
def iterate_frames(
    net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments
) -> Iterator[FilmFrame]:
    """Descend to one picture after the other, as `optimize_frames` does, and give each as soon as it is made.

    Nothing is kept but the last frame, so that a film may be of any length. To go on with one that was cut short, give
    the frames that are left, the last one that was made as `previous`, and the number of the next as `first_index`.

    Args:
        net: as for `optimize_frames`.
        content: likewise; a generator is asked for a target when its frame's turn comes.
        told: likewise.

    Returns:
        An iterator over the frames, with several passes over each pass's. One in which the callback raised StopIteration
        is the last.

    Raises:
        InputError: as `optimize_frames`, when a frame's turn comes.

    Example:
        >>> targets = (gatys.extract_content(net, picture) for picture in pictures.split(1))
        >>> for frame in gatys.iterate_frames(net, targets, style=style, flow="auto"):
        ...     gatys.save_image(frame.image, f"{frame.index:04}.png")
    """
    return _film(net, content, told)


def _film(net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments) -> Iterator[FilmFrame]:
    whole = WholeFilm(content, told) if told.passes > 1 else None
    before = deque(_previous(told), max(told.long_term))
    count = content.image.shape[0] if isinstance(content, ContentTarget) else None
    pasts = Pasts(
        told.warped,
        told.occlusion,
        told.flow,
        count=count if whole is None else whole.count,
        first=told.first_index,
        later=bool(before),
        device=net.mean.device,
        distances=tuple(told.long_term),
    )
    found = False
    if whole is None:
        turns = (Turn(index, index, 0, each) for index, each in enumerate(_each(content), told.first_index))
        for frame in _pass(net, told, pasts, turns, before):
            found = True
            yield frame
    else:
        begun = whole.count and told.done // whole.count
        for pass_index in range(begun, told.passes if whole.count else 0):
            done = told.done - pass_index * whole.count if pass_index == begun else 0
            before = deque(whole.before(pass_index, done, max(told.long_term)), max(told.long_term))
            for frame in _pass(net, told, pasts, whole.turns(pass_index, done), before, whole.results):
                found = True
                yield frame
                if frame.stopped:
                    return
    if not found:
        raise InputError("content: expected at least one frame, got none; give a ContentTarget for each frame")


def _pass(
    net: VGG,
    told: FilmArguments,
    pasts: Pasts,
    turns: Iterable[Turn],
    before: deque[Frame],
    results: Results | None = None,
) -> Iterator[FilmFrame]:
    """Make frames one after the other.

    Args:
        net: the network.
        told: the arguments of the film.
        pasts: what frames inherit.
        turns: the frames.
        before: the last frames that are made already, which is kept up to date.
        results: where results are kept.
    """
    style_of = style_of_frame(told.style)
    for turn in turns:
        style = style_of(turn.index)
        index, frame, last = turn.index, turn.content, before[-1] if before else None
        if last is not None and frame.image.shape != last.content.shape:
            raise InputError(
                f"content: frame {index} is {frame.size[1]} x {frame.size[0]} pixels, but those before are "
                f"{last.content.shape[-1]} x {last.content.shape[-2]}; resize them to one size"
            )
        first_pass = turn.own is None
        anchor = first_pass and last is not None and told.anchor_every > 0 and index % told.anchor_every == 0
        past = None if anchor else pasts.of(index, frame, before, turn.way)
        report = _Report(told.callback, turn.number)
        if turn.own is None:
            result = _paint(net, told, frame, style, past, last, report)
        else:
            start = turn.own if past is None else past.blended(turn.own, BLEND)
            later = plan_later(told, frame.size, fit_levels(frame, style, frame.size))
            result = _descend(net, told, frame, style, past, report, {"init": start, "steps": later.whole})
        image = result.image.to(frame.image.device)
        if results is not None and not report.stopped:
            results[index] = image
            image = results[index]
        if anchor:
            before.clear()
        before.append(Frame(frame.image, image))
        yield FilmFrame(index, image, result.history, result.notes, report.stopped, result.state, turn.pass_index)
        if report.stopped:
            return


class _Report:
    """The callback of one frame, which knows whether it was told to stop."""

    def __init__(self, callback: Callable[[Progress, int], None] | None, index: int):
        self._callback, self._index = callback, index
        self.stopped = False
        self.done = 0
        """The steps that the frame took before this descent."""
        self.ahead = list[int]()
        """Those of each level that it takes after it."""

    def __call__(self, progress: Progress) -> None:
        if self.ahead:
            total = tuple(map(add, progress.schedule, self.ahead))
            progress = replace(progress, steps=progress.steps + sum(self.ahead), schedule=total)
        if self.done:
            progress = replace(progress, step=self.done + progress.step, steps=self.done + progress.steps)
        try:
            if self._callback is not None:
                self._callback(progress, self._index)
        except StopIteration:
            self.stopped = True
            raise


def _previous(told: FilmArguments) -> list[Frame]:
    """Give the frames before the first, whose results are brought to their size."""
    return [] if told.previous is None else [_previous_frame(pair) for pair in pairs_of(told.previous)]


def _previous_frame(pair: Any) -> Frame:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise InputError(
            f"previous: expected two pictures, a frame and its result, got {type(pair).__name__}; give both"
        )
    both = [as_picture(picture, "previous").detach().to(torch.float32).clamp(0, 1) for picture in pair]
    if any(len(picture) != 1 for picture in both):
        raise InputError(f"previous: expected one frame and one result, got {len(both[0])} and {len(both[1])}")
    return Frame(both[0], resize(both[1], size_of(both[0])))


def _paint(
    net: VGG,
    told: FilmArguments,
    content: ContentTarget,
    style: AnyStyle | None,
    past: Past | None,
    last: Frame | None,
    report: _Report,
) -> Result:
    """Paint a frame of the first pass: from its past, with new ground by itself before; or as any picture."""
    init = name_or_picture(told.init)
    own = init if last is None or isinstance(init, str) else "content"
    from_past = past is not None and told.warm_start and past.share >= ENOUGH and (last is not None or own == "auto")
    if past is None or not from_past:
        return _descend(net, told, content, style, past, report, {"init": own, "steps": told.steps})

    def begun(picture: Tensor) -> Tensor:
        target = replace(content, image=picture)
        return starting_picture(net, target, style, own, content.size, told.seed, WHOLE).to(picture)

    def ground() -> Tensor:
        if last is None:
            return content.image
        if past.near.back is None:  # the camera stands still
            return (content.image + last.result - last.content).clamp(0, 1)
        if own == "noise" or own == "mean":
            return begun(content.image)
        # what looks new and is not, as by a flow that is not exact, stays as it was
        painted = past.near.image - warp(begun(last.content), past.near.back)
        return (begun(content.image) + painted * from_inside(past.near.back).to(painted)).clamp(0, 1)

    levels = fit_levels(content, style, content.size)
    start, new = past.start(ground), past.new
    alone = None if style is None or new is None else style_of_ground(style, new.to(start), levels)
    later = plan_later(told, content.size, levels, new=alone is not None)
    first: Result | None = None
    if later.ground is not None:
        report.ahead = later.whole
        how = {"init": start, "steps": later.ground, "checkpoint": None}
        first = _descend(net, told, content, alone, None, report, how)
        painted = first.image.to(start)
        start = past.start(lambda: painted)
        if report.stopped:
            return replace(first, image=start)
        report.done, report.ahead = len(first.history), []
    result = _descend(net, told, content, style, past, report, {"init": start, "steps": later.whole})
    if first is None:
        return result
    rest = (replace(each, step=report.done + each.step) for each in result.history)
    return replace(result, history=(*first.history, *rest), notes=first.notes + result.notes)


def _descend(
    net: VGG,
    told: FilmArguments,
    content: ContentTarget,
    style: AnyStyle | None,
    past: Past | None,
    report: _Report,
    how: dict[str, Any],
) -> Result:
    """Descend to a frame, which is held to its past, if it has one."""
    if past is not None and told.temporal_weight > 0:
        how["temporal"] = TemporalTarget(past.held, past.trust)
    given = settings_of(told) | {"terms": told.terms, "callback": report} | how
    return optimize(net, content=content, style=style, **given)


def _each(contents: ContentTarget | Iterable[ContentTarget]) -> Iterator[ContentTarget]:
    for target in [contents] if isinstance(contents, ContentTarget) else contents:
        if not isinstance(target, ContentTarget):
            raise InputTypeError(f"content: expected a ContentTarget for each frame, got {type(target).__name__}")
        yield from target.pictures()
