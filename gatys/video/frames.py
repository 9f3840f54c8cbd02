"""A film, picture by picture: each frame starts from the last one's result and is held to it.

(Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, sections 4.1 and 4.2.) Frames made on their
own come each to another of the many pictures that fit the style equally well, and the film flickers. Starting where
the last frame ended keeps to one of them, and the temporal term holds it there: mean(trust * (x - w)^2), their
equation 7, with w the last result moved along with the scene and `trust` 0 where that says nothing. What w and trust are
is in `past`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..descent.arguments import settings_of, takes_two
from ..descent.optimize import optimize
from ..descent.records import Progress, Record
from ..descent.start import name_or_picture, starting_picture
from ..errors import InputError, InputTypeError
from ..network.vgg import VGG
from ..objective.temporal import TemporalTarget
from ..objective.term import Term
from ..passes.layout import WHOLE
from ..pictures.checks import shape_of, size_of
from ..pictures.conversion import AnyPicture, as_picture
from ..pictures.resampling import resize
from ..settings import Settings
from ..targets.regions import RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget, fit_levels
from .film_flow import AnyFlow
from .motion import warp
from .past import Frame, Masks, Past, Pasts, Warped

LATER_STEPS = 0.25
"""The default of `later_steps`, as a share of `steps`."""
ENOUGH = 0.5
"""The share of a frame's area that its past must cover, or it is made anew."""


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """A frame as `iterate_frames` gives it.

    Example:
        >>> for frame in gatys.iterate_frames(net, frames, style=style):
        ...     gatys.save_image(frame.image, f"{frame.index:04}.png")
    """

    index: int
    """Its number in the film."""
    image: Tensor
    """The result, (1, 3, H, W), sRGB in [0, 1], on the device where the targets are kept."""
    history: tuple[Record, ...]
    """The records of its evaluations."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences."""
    stopped: bool
    """Whether the callback ended the film in this frame: it is the last one, and unfinished."""
    state: Path | None = None
    """The file with its last state, where it was asked for; see `Result.state`."""

    def __repr__(self) -> str:
        return f"FilmFrame({self.index}, {shape_of(self.image)}, {len(self.history)} steps, {len(self.notes)} notes)"


@dataclass(frozen=True, eq=False)
class FramesResult:
    """The result of `optimize_frames`: one picture for each frame, with losses and notes.

    Example:
        >>> film = gatys.optimize_frames(net, frames, style=style)
        >>> for index, image in enumerate(film.images):
        ...     gatys.save_image(image, f"{index:04}.png")
    """

    images: Tensor
    """The results, (N, 3, H, W), sRGB in [0, 1], one for each frame, on the device where the targets are kept."""
    histories: tuple[tuple[Record, ...], ...]
    """The records of each frame, one for each evaluation."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences; empty for an ordinary run."""
    stopped: bool
    """Whether the callback ended it early: the last picture is then the best of an unfinished frame."""
    states: tuple[Path, ...] = ()
    """The files with the last states of the frames, where they were asked for; see `Result.state`."""

    def __repr__(self) -> str:
        return f"FramesResult({shape_of(self.images)}, {sum(map(len, self.histories))} steps, {len(self.notes)} notes)"


@dataclass(frozen=True, kw_only=True)
class FilmArguments(Settings):
    """The arguments of `optimize_frames` beside the network and the frames.

    Of the settings, `init` is where a frame without a past starts: a picture (1, 3, H, W) is for the first frame, such as
    the last result of the film's previous part; later frames without a past then start from their content. `steps` are
    those of a frame without a past. `checkpoint` is a folder, from which a film that was cut short takes its finished
    frames and goes on with the one that was not.
    """

    style: StyleTarget | RegionalStyle | None = None
    """The style to paint in; the same for all frames."""
    later_steps: int | None = None
    """The evaluations of a frame that starts from its past; by default a quarter of `steps`."""
    warm_start: bool = True
    """Whether a frame starts from its past; False starts each as the first one, held together by the temporal term
    alone."""
    warped: Warped | None = None
    """The last frame's result moved along with the scene. A function of the frame's index (from 1) and that result,
    (1, 3, H, W) in [0, 1]; or pictures made beforehand, one for each frame, or for each but the first. They may be of any
    size, and None where there is none: then the last result is taken as it is, and trusted where the frames themselves
    agree (`agreement`). That is right where the camera stands still."""
    occlusion: Masks | None = None
    """The places where the past is wrong, since the scene was hidden before or has changed: 1 there, 0 elsewhere, (H,
    W) or (1, 1, H, W), of any size. It is a function of the frame's index, or masks like the pictures of `warped`, or a
    single one for all frames. It takes the place of `agreement`."""
    flow: AnyFlow | None = None
    """How the scene moves, for a camera that moves: the last result is moved along with it and takes the place of
    `warped`, and `occlusion_mask` says where it is not to be trusted. A method of `optical_flow`, such as "auto"; a
    function, as there; or a `FilmFlow` of the film, or its `back` alone. New ground, which was hidden before, starts
    as `init` says of a frame without a past: by "auto", from the content in the style's colours. From noise, it starts
    as it is; else with the strokes of the place that the flow points at (what painting has changed there is added),
    since in a few steps a small area gets hardly any: the rest of the picture matches the style already."""
    previous: tuple[AnyPicture, AnyPicture] | None = None
    """The frame before the first one and its result, where a film goes on that was cut short; None where it begins."""
    first_index: int = 0
    """The number of the first frame, where a film goes on: anchors, functions, the callback and notes count by it."""
    anchor_every: int = 0
    """The distance of frames at which the past is forgotten, against drift (artistic-videos, issue 59), at the price of
    a visible change there; 0 is never."""
    terms: Sequence[Term] = ()
    """Further terms of the loss."""
    settings: Settings | None = None
    """Settings as one value; arguments given beside them take their place."""
    callback: Callable[[Progress, int], None] | None = None
    """A function that is called with a `Progress` and the frame's index after each evaluation. StopIteration ends the
    film early; what is there so far is returned. Any other exception is passed on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.anchor_every, bool) or not isinstance(self.anchor_every, int) or self.anchor_every < 0:
            raise InputError(f"anchor_every: expected a whole number of at least 0, got {self.anchor_every!r}")
        if isinstance(self.first_index, bool) or not isinstance(self.first_index, int) or self.first_index < 0:
            raise InputError(f"first_index: expected a whole number of at least 0, got {self.first_index!r}")
        folder = self.checkpoint
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"checkpoint: expected a folder, with a file for each frame, got {str(folder)!r}; make it")


@takes_two(FilmArguments, also={"contents": "content"})  # as it was called in 0.1
def optimize_frames(net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments) -> FramesResult:
    """Descend to one picture for each frame of a film, in order.

    A frame's past is the last frame's result, moved along with the scene by `flow`, or its picture in `warped`, or as it
    is. The temporal term holds the frame to it, and with `warm_start` the frame starts from it with `later_steps`, all
    spent at full size: coarser levels only look at the start, since what they have to give is there already (at equal
    cost the loss is lower than with steps on all levels; without a temporal term it flickers slightly more). Where the
    past is not to be trusted, nothing holds the frame and it starts from its own content. A frame with less than half of
    its area to trust starts like one without a past, as `optimize` makes any picture, with `steps` over all levels.

    Memory is that of one frame beside the results: `content` may be a generator that extracts as it goes.
    `iterate_frames` hands each result on as it is made.

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
    film = list(_film(net, content, told))
    return FramesResult(
        images=torch.cat([frame.image for frame in film]),
        histories=tuple(frame.history for frame in film),
        notes=tuple(f"frame {frame.index}, {note}" for frame in film for note in frame.notes),
        stopped=film[-1].stopped,
        states=tuple(frame.state for frame in film if frame.state is not None),
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
        An iterator over the frames. One in which the callback raised StopIteration is the last.

    Raises:
        InputError: as `optimize_frames`, when a frame's turn comes.

    Example:
        >>> targets = (gatys.extract_content(net, picture) for picture in pictures.split(1))
        >>> for frame in gatys.iterate_frames(net, targets, style=style, flow="auto"):
        ...     gatys.save_image(frame.image, f"{frame.index:04}.png")
    """
    return _film(net, content, told)


def _film(net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments) -> Iterator[FilmFrame]:
    later = _later_steps(told.steps, told.later_steps)
    last = _previous(told)
    pasts = Pasts(
        told.warped,
        told.occlusion,
        told.flow,
        count=content.image.shape[0] if isinstance(content, ContentTarget) else None,
        first=told.first_index,
        later=last is not None,
        device=net.mean.device,
    )
    index = None
    for index, frame in enumerate(_each(content), told.first_index):
        if last is not None and frame.image.shape != last.content.shape:
            raise InputError(
                f"content: frame {index} is {frame.size[1]} x {frame.size[0]} pixels, but those before are "
                f"{last.content.shape[-1]} x {last.content.shape[-2]}; resize them to one size"
            )
        anchor = last is not None and told.anchor_every > 0 and index % told.anchor_every == 0
        past = None if anchor else pasts.of(index, frame, last)
        report = _Report(told.callback, index)
        given = (
            settings_of(told) | {"terms": told.terms, "callback": report} | _start(net, told, frame, past, last, later)
        )
        result = optimize(net, content=frame, style=told.style, **given)
        last = Frame(frame.image, result.image.to(frame.image.device))
        yield FilmFrame(index, last.result, result.history, result.notes, report.stopped, result.state)
        if report.stopped:
            return
    if index is None:
        raise InputError("content: expected at least one frame, got none; give a ContentTarget for each frame")


class _Report:
    """The callback of one frame, which knows whether it was told to stop."""

    def __init__(self, callback: Callable[[Progress, int], None] | None, index: int):
        self._callback, self._index = callback, index
        self.stopped = False

    def __call__(self, progress: Progress) -> None:
        try:
            if self._callback is not None:
                self._callback(progress, self._index)
        except StopIteration:
            self.stopped = True
            raise


def _previous(told: FilmArguments) -> Frame | None:
    """Give the frame before the first, whose result is brought to its size."""
    if told.previous is None:
        return None
    if not isinstance(told.previous, Sequence) or isinstance(told.previous, str) or len(told.previous) != 2:
        raise InputError(
            f"previous: expected two pictures, a frame and its result, got {type(told.previous).__name__}; give both"
        )
    both = [as_picture(picture, "previous").detach().to(torch.float32).clamp(0, 1) for picture in told.previous]
    if any(len(picture) != 1 for picture in both):
        raise InputError(f"previous: expected one frame and one result, got {len(both[0])} and {len(both[1])}")
    return Frame(both[0], resize(both[1], size_of(both[0])))


def _start(
    net: VGG, told: FilmArguments, content: ContentTarget, past: Past | None, last: Frame | None, later: int
) -> dict[str, Any]:
    """Say where a frame starts, with how many steps, and what it is held to."""
    init = name_or_picture(told.init)
    own = init if last is None or isinstance(init, str) else "content"
    how: dict[str, Any] = {"init": own, "steps": told.steps}

    def begun(picture: Tensor) -> Tensor:
        target = replace(content, image=picture)
        return starting_picture(net, target, told.style, own, content.size, told.seed, WHOLE).to(picture)

    def ground() -> Tensor:
        if last is None or past is None:
            return content.image
        if past.back is None:  # the camera stands still
            return (content.image + last.result - last.content).clamp(0, 1)
        if own == "noise" or own == "mean":
            return begun(content.image)
        return (begun(content.image) + past.image - warp(begun(last.content), past.back)).clamp(0, 1)

    if past is not None and told.warm_start and past.share >= ENOUGH and (last is not None or own == "auto"):
        levels = fit_levels(content, told.style, content.size)
        how = {"init": past.start(ground), "steps": _at_full_size(later, levels)}
    if past is not None and told.temporal_weight > 0:
        how["temporal"] = TemporalTarget(past.image, past.trust)
    return how


def _each(contents: ContentTarget | Iterable[ContentTarget]) -> Iterator[ContentTarget]:
    for target in [contents] if isinstance(contents, ContentTarget) else contents:
        if not isinstance(target, ContentTarget):
            raise InputTypeError(f"content: expected a ContentTarget for each frame, got {type(target).__name__}")
        yield from target.pictures()


def _later_steps(steps: int | Sequence[int], later_steps: int | None) -> int:
    if later_steps is None:
        return max(1, round(LATER_STEPS * (steps if isinstance(steps, int) else sum(steps))))
    if isinstance(later_steps, bool) or not isinstance(later_steps, int) or later_steps < 1:
        raise InputError(f"later_steps: expected a whole number of at least 1, got {later_steps!r}")
    return later_steps


def _at_full_size(steps: int, levels: int) -> list[int]:
    """Give the steps of each level: one for each coarser level, which is the look at the start, and changes nothing."""
    return [max(1, steps - levels + 1), *[1] * (levels - 1)]
