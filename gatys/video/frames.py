"""A film, picture by picture: each frame starts from the last one's result and is held to it.

(Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, sections 4.1 and 4.2.) Frames made on their
own come each to another of the many pictures that fit the style equally well, and the film flickers. Starting where
the last frame ended keeps to one of them, and the temporal term holds it there: mean(trust * (x - w)^2), their
equation 7, with w the last result moved along with the scene and `trust` 0 where that says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..descent.arguments import settings_of, takes_two
from ..descent.optimize import optimize
from ..descent.records import Progress, Record
from ..descent.start import name_or_picture
from ..errors import InputError, InputTypeError
from ..network.vgg import VGG
from ..objective.temporal import TemporalTarget
from ..objective.term import Term
from ..pictures.checks import shape_of
from ..pictures.conversion import KINDS, AnyPicture, as_picture, to_tensor
from ..pictures.resampling import resize
from ..settings import Settings
from ..targets.masks import check_mask
from ..targets.regions import RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget, fit_levels

LATER_STEPS = 0.25
"""The default of `later_steps`, as a share of `steps`."""
ENOUGH = 0.5
"""The share of a frame's area that its past must cover, or it is made anew."""
SAME, DIFFERENT = 5 / 255, 15 / 255
"""The bounds of likeness: frames that differ by less show the same, by more another thing."""

Warped = Callable[[int, Tensor], AnyPicture | None] | Sequence[AnyPicture | None] | AnyPicture
Masks = Callable[[int], Tensor | None] | Sequence[Tensor | None] | Tensor


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
        folder = self.checkpoint
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"checkpoint: expected a folder, with a file for each frame, got {str(folder)!r}; make it")


@takes_two(FilmArguments, also={"contents": "content"})  # as it was called in 0.1
def optimize_frames(net: VGG, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments) -> FramesResult:
    """Descend to one picture for each frame of a film, in order.

    A frame's past is its picture in `warped`, or else the last frame's result. The temporal term holds the frame to
    it, and with `warm_start` the frame starts from it with `later_steps`, all spent at full size: coarser levels only
    look at the start, since what they have to give is there already (at equal cost the loss is lower than with steps on
    all levels; without a temporal term it flickers slightly more). Where the past is not to be trusted, nothing holds
    the frame and it starts from its own content. A frame with less than half of its area to trust starts like one without a past, as `optimize` makes any
    picture, with `steps` over all levels.

    Memory is that of one frame beside the results: `content` may be a generator that extracts as it goes.

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        content: a target for each frame, or one for a batch; all of one size.
        told: the fields of `Settings` and of `FilmArguments`, given by their names: `style`, `steps`, `warped`, ...

    Returns:
        One picture for each frame, (N, 3, H, W) in [0, 1], with the records of each and notes.

    Raises:
        InputError: without frames, for frames of several sizes, for pictures and masks that do not fit the frames,
            and as `optimize` does.

    Example:
        >>> frames = gatys.extract_content(net, pictures, levels="auto")
        >>> film = gatys.optimize_frames(net, frames, style=style, steps=120)
        >>> gatys.save_image(film.images[0], "0000.png")
    """
    later = _later_steps(told.steps, told.later_steps)
    count = content.image.shape[0] if isinstance(content, ContentTarget) else None
    warped = to_tensor(told.warped, "warped") if isinstance(told.warped, KINDS) else told.warped
    warp, hide = _by_index(warped, count, "warped"), _by_index(told.occlusion, count, "occlusion")
    images: list[Tensor] = []
    histories: list[tuple[Record, ...]] = []
    notes: list[str] = []
    states: list[Path] = []
    last: _Frame | None = None
    stopped = False

    def report(progress: Progress) -> None:
        nonlocal stopped
        try:
            if told.callback is not None:
                told.callback(progress, len(images))
        except StopIteration:
            stopped = True
            raise

    for index, frame in enumerate(_each(content)):
        if last is not None and frame.image.shape != last.content.shape:
            raise InputError(
                f"content: frame {index} is {frame.size[1]} x {frame.size[0]} pixels, but those before are "
                f"{last.content.shape[-1]} x {last.content.shape[-2]}; resize them to one size"
            )
        anchor = index > 0 and told.anchor_every > 0 and index % told.anchor_every == 0
        past = None if anchor else _past(index, frame, last, warp, hide)
        how = _start(told, index, frame, past, last, later)
        given = settings_of(told) | {"terms": told.terms, "callback": report} | how
        result = optimize(net, content=frame, style=told.style, **given)
        last = _Frame(frame.image, result.image.to(frame.image.device))
        images.append(last.result)
        histories.append(result.history)
        states += [] if result.state is None else [result.state]
        notes += [f"frame {index}, {note}" for note in result.notes]
        if stopped:
            break
    if not images:
        raise InputError("content: expected at least one frame, got none; give a ContentTarget for each frame")
    return FramesResult(torch.cat(images), tuple(histories), tuple(notes), stopped, tuple(states))


def _start(
    told: FilmArguments, index: int, content: ContentTarget, past: _Past | None, last: _Frame | None, later: int
) -> dict[str, Any]:
    """Say where a frame starts, with how many steps, and what it is held to."""
    init = name_or_picture(told.init)
    own = init if index == 0 or isinstance(init, str) else "content"
    how: dict[str, Any] = {"init": own, "steps": told.steps}
    trusted = past is not None and past.share >= ENOUGH
    if past is not None and told.warm_start and trusted and (index > 0 or own == "auto"):
        levels = fit_levels(content, told.style, content.size)
        how = {"init": past.start(content.image, last), "steps": _at_full_size(later, levels)}
    if past is not None and told.temporal_weight > 0:
        how["temporal"] = TemporalTarget(past.image, past.trust)
    return how


def agreement(frame: Tensor, other: Tensor) -> Tensor:
    """Measure where two frames show the same: 1 there, 0 where they differ, fractions between.

    It is taken from the mean absolute difference over a window of 5 x 5 pixels, so that the noise of a camera does not
    count.

    Args:
        frame, other: (N, 3, H, W) in [0, 1].

    Returns:
        (N, 1, H, W) in [0, 1].
    """
    difference = (frame - other).abs().mean(dim=1, keepdim=True)
    difference = F.avg_pool2d(difference, 5, stride=1, padding=2, count_include_pad=False)
    return ((DIFFERENT - difference) / (DIFFERENT - SAME)).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class _Frame:
    """A finished frame: the content picture and the result, each (1, 3, H, W)."""

    content: Tensor
    result: Tensor


@dataclass(frozen=True, eq=False)
class _Past:
    """The picture that a frame inherits, and the trust in it."""

    image: Tensor
    """The picture, (1, 3, H, W)."""
    trust: Tensor | None
    """The trust in each pixel, (1, 1, H, W); None is 1 everywhere."""

    @property
    def share(self) -> float:
        return 1.0 if self.trust is None else float(self.trust.mean())

    def start(self, content: Tensor, last: _Frame | None) -> Tensor:
        """Give the past where it is to be trusted; elsewhere the own content, changed as the last frame's was."""
        if self.trust is None:
            return self.image
        change = 0 if last is None else last.result - last.content
        return torch.lerp((content + change).clamp(0, 1), self.image, self.trust)


def _past(index: int, content: ContentTarget, last: _Frame | None, warp: Callable, hide: Callable) -> _Past | None:
    image = warp(index, None if last is None else last.result)
    if image is None and last is None:
        return None
    mask = hide(index)
    trust = None if mask is None else 1 - torch.as_tensor(mask).to(content.image)
    if image is None and last is not None:
        image = last.result
        trust = agreement(content.image, last.content) if trust is None else trust
    image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
    image = as_picture(image, f"warped, frame {index}")
    if image.shape[0] != 1:
        raise InputError(f"warped, frame {index}: expected one picture, got {image.shape[0]}; give one for each frame")
    image = resize(image.detach().to(content.image).clamp(0, 1), content.size)
    if trust is None:
        return _Past(image, None)
    if trust.numel() and (trust <= 0).all():
        return None  # a cut
    return _Past(image, check_mask(trust, image, f"occlusion, frame {index}"))


def _each(contents: ContentTarget | Iterable[ContentTarget]) -> Iterator[ContentTarget]:
    for target in [contents] if isinstance(contents, ContentTarget) else contents:
        if not isinstance(target, ContentTarget):
            raise InputTypeError(f"content: expected a ContentTarget for each frame, got {type(target).__name__}")
        yield from target.pictures()


def _by_index(given: Any, count: int | None, what: str) -> Callable[..., Any]:
    """Give a function of the frame's index, and for pictures of the last result, from any form that users may give."""
    if given is None:
        return lambda index, *last: None
    if callable(given):
        return lambda index, *last: given(index, *last) if index else None
    if what == "occlusion" and (len(given) == 1 or (isinstance(given, Tensor) and given.ndim == 2)):
        return lambda index, *last: given if isinstance(given, Tensor) else given[0]
    number = len(given)
    if count is not None and number not in (count - 1, count):
        raise InputError(f"{what}: expected one for each of {count} frames, or for each but the first, got {number}")
    skipped = 0 if count is None else count - number

    def at(index: int, *last: Tensor | None) -> Tensor | None:
        if index - skipped >= number:
            raise InputError(f"{what}: expected one for each frame, got {number}, and there is a frame {index}")
        return None if index < skipped else given[index - skipped]

    return at


def _later_steps(steps: int | Sequence[int], later_steps: int | None) -> int:
    if later_steps is None:
        return max(1, round(LATER_STEPS * (steps if isinstance(steps, int) else sum(steps))))
    if isinstance(later_steps, bool) or not isinstance(later_steps, int) or later_steps < 1:
        raise InputError(f"later_steps: expected a whole number of at least 1, got {later_steps!r}")
    return later_steps


def _at_full_size(steps: int, levels: int) -> list[int]:
    """Give the steps of each level: one for each coarser level, which is the look at the start, and changes nothing."""
    return [max(1, steps - levels + 1), *[1] * (levels - 1)]
