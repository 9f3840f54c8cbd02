"""A film, picture by picture: each frame starts from the last one's result and is held to it.

(Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, sections 4.1 and 4.2.) Every frame on its own
comes to another of the many pictures that fit the style equally well, which flickers. Starting where the last frame
ended keeps to one of them; the temporal term, mean(trust * (x - w)^2) with w the last result moved along with the scene
(their equation 7), holds it there, and `trust` is 0 where the scene was hidden before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .objective import TEMPORAL_WEIGHT
from .optimize import Progress, Record, optimize
from .pyramid import check_mask, resize
from .regions import RegionalStyle
from .targets import ContentTarget, StyleTarget, common_levels
from .terms import TemporalTarget
from .vgg import VGG19, check_image

log = logging.getLogger(__name__)

LATER_STEPS = 0.25
"""Default of `later_steps`, as a share of `steps`. They are all spent at full size; see `optimize_frames`."""

Warped = Callable[[int, Tensor], Tensor | None] | Sequence[Tensor | None] | Tensor
Masks = Callable[[int], Tensor | None] | Sequence[Tensor | None] | Tensor


@dataclass(frozen=True, eq=False)
class FramesResult:
    """What `optimize_frames` returns."""

    images: Tensor
    """(N, 3, H, W), sRGB in [0, 1], one for each frame, on the device where the targets are kept."""
    histories: tuple[tuple[Record, ...], ...]
    """Of each frame, one record an evaluation."""
    notes: tuple[str, ...]
    """What went wrong on the way and was mended, in sentences; empty for an ordinary run."""
    stopped: bool
    """Whether the callback ended it early: the last picture is then the best of an unfinished frame."""


def optimize_frames(
    net: VGG19,
    contents: ContentTarget | Iterable[ContentTarget],
    *,
    style: StyleTarget | RegionalStyle | None = None,
    init: str | Tensor = "auto",
    steps: int | Sequence[int] = 200,
    later_steps: int | None = None,
    warm_start: bool = True,
    warped: Warped | None = None,
    occlusion: Masks | None = None,
    temporal_weight: float = TEMPORAL_WEIGHT,
    anchor_every: int = 0,
    callback: Callable[[Progress, int], None] | None = None,
    **options: Any,
) -> FramesResult:
    """Descend to one picture for each frame of a film, in order.

    A frame with a past (a picture in `warped`, or else the last frame's result) is held to it by the temporal term
    and, with `warm_start`, starts from it with `later_steps`. Those are spent at full size; coarser levels only see
    the start, since what they have to give is there already. A frame without a past is made as `optimize` makes any
    picture, with `steps` over all levels: the first one, every `anchor_every`-th, and one after a cut.

    Memory is that of one frame beside the results: `contents` may be a generator that extracts as it goes.

    Args:
        net: the network that the targets were extracted with, on the device and in the dtype to work in.
        contents: a target for each frame, or one for a batch; all of one size.
        style: how to paint; the same for all frames.
        init: where a frame without a past starts: "auto", "content", "noise" (the same for every frame), or a picture
            (1, 3, H, W) for the first frame, such as the last result of the film's previous part; anchors and cuts
            then start from their content.
        steps: evaluations of a frame without a past; see `optimize`.
        later_steps: evaluations of a frame that starts from its past; default a quarter of `steps`.
        warm_start: False starts every frame as the first one, held together by the temporal term alone.
        warped: the last frame's result moved along with the scene. A function of the frame's index (from 1) and that
            result, (1, 3, H, W) in [0, 1]; or pictures made beforehand, one for each frame, or for each but the first.
            Pictures may be of any size, and None where there is none. Without it the last result is taken as it is,
            which is right where the camera stands still.
        occlusion: where `warped` is wrong since the scene was hidden before: 1 there, 0 elsewhere, (H, W) or
            (1, 1, H, W), of any size. A function of the frame's index, or masks like the pictures of `warped`, or a
            single one for all. The frame starts from its own content there, and nothing holds it. 1 everywhere is a cut.
        temporal_weight: weight of the temporal term; 0 leaves it out.
        anchor_every: forget the past at every such frame, against drift (artistic-videos, issue 59), at the price of
            a visible change there; 0 is never.
        callback: called with a `Progress` and the frame's index after each evaluation. StopIteration ends the film
            early; what is there so far is returned. Any other exception is passed on.
        **options: further arguments of `optimize`: optimizer, learning_rate, the other weights, seed, tile, ...

    Returns:
        A `FramesResult`.

    Raises:
        ValueError: without frames, for frames of several sizes, for pictures and masks that do not fit the frames,
            and as `optimize` does.
    """
    if isinstance(anchor_every, bool) or not isinstance(anchor_every, int) or anchor_every < 0:
        raise ValueError(f"anchor_every: expected a whole number of at least 0, got {anchor_every!r}")
    later = _later_steps(steps, later_steps)
    count = contents.image.shape[0] if isinstance(contents, ContentTarget) else None
    warp, hide = _warper(warped, count), _hider(occlusion, count)
    images: list[Tensor] = []
    histories, notes = [], []
    stopped = False

    def report(progress: Progress) -> None:
        nonlocal stopped
        if callback is None:
            return
        try:
            callback(progress, len(images))
        except StopIteration:
            stopped = True
            raise

    for index, content in enumerate(_each(contents)):
        if images and content.size != tuple(images[0].shape[-2:]):
            height, width = images[0].shape[-2:]
            raise ValueError(
                f"contents: frame {index} is {content.size[1]} x {content.size[0]} pixels, but the first is "
                f"{width} x {height}; resize them to one size"
            )
        anchor = bool(images and anchor_every and index % anchor_every == 0)
        past = None if anchor else _past(warp, hide, images, content, index)
        first = init if index == 0 or isinstance(init, str) else "content"
        chosen = {"init": first, "steps": steps}
        if past is not None and warm_start and not (index == 0 and first != "auto"):
            chosen = {"init": past.start(content), "steps": _at_full_size(later, common_levels(content, style))}
        if past is not None and temporal_weight > 0:
            chosen["temporal"] = TemporalTarget(past.image, past.trust)
        result = optimize(
            net,
            content=content,
            style=style,
            temporal_weight=temporal_weight,
            callback=report,
            **chosen,
            **options,
        )
        images.append(result.image.to(content.image.device))
        histories.append(result.history)
        notes += [f"frame {index}, {note}" for note in result.notes]
        if stopped:
            break
    if not images:
        raise ValueError("contents: expected at least one frame, got none")
    return FramesResult(torch.cat(images), tuple(histories), tuple(notes), stopped)


@dataclass(frozen=True, eq=False)
class _Past:
    """What a frame inherits."""

    image: Tensor
    """(1, 3, H, W)"""
    trust: Tensor | None
    """(1, 1, H, W), 0 where the scene was hidden before; None is 1 everywhere."""

    def start(self, content: ContentTarget) -> Tensor:
        if self.trust is None:
            return self.image
        return self.trust * self.image + (1 - self.trust) * content.image.to(self.image)


def _past(warp: Callable, hide: Callable, images: list[Tensor], content: ContentTarget, index: int) -> _Past | None:
    image = warp(index, images)
    if image is None:
        return None
    image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
    check_image(image, what=f"warped, frame {index}")
    if image.shape[0] != 1:
        raise ValueError(f"warped, frame {index}: expected one picture, got {image.shape[0]}; give one a frame")
    image = resize(image.detach().to(content.image).clamp(0, 1), content.size)
    mask = hide(index)
    if mask is None:
        return _Past(image, None)
    trust = 1 - torch.as_tensor(mask).to(image)
    if trust.numel() and (trust <= 0).all():
        return None  # a cut
    return _Past(image, check_mask(trust, image, f"occlusion, frame {index}"))


def _each(contents: ContentTarget | Iterable[ContentTarget]) -> Iterator[ContentTarget]:
    for target in [contents] if isinstance(contents, ContentTarget) else contents:
        if not isinstance(target, ContentTarget):
            raise ValueError(f"contents: expected a ContentTarget for each frame, got {type(target).__name__}")
        yield from target.pictures()


def _warper(warped: Warped | None, count: int | None) -> Callable[[int, list[Tensor]], Tensor | None]:
    """The past of a frame, from its index and the results so far."""
    if callable(warped):
        return lambda index, images: warped(index, images[-1]) if images else None
    at = _by_index(warped, count, "warped")

    def warp(index: int, images: list[Tensor]) -> Tensor | None:
        given = at(index)
        return given if given is not None or not images else images[-1]

    return warp


def _hider(occlusion: Masks | None, count: int | None) -> Callable[[int], Tensor | None]:
    """The occlusion of a frame, from its index."""
    if callable(occlusion):
        return occlusion
    if isinstance(occlusion, Tensor) and occlusion.ndim == 2:
        occlusion = occlusion[None]
    if occlusion is not None and len(occlusion) == 1:
        only = occlusion[0]
        return lambda index: only
    return _by_index(occlusion, count, "occlusion")


def _by_index(given: Sequence | Tensor | None, count: int | None, what: str) -> Callable[[int], Tensor | None]:
    """What belongs to a frame, of things given for each frame or for each but the first."""
    if given is None:
        return lambda index: None
    number = len(given)
    if count is not None and number not in (count - 1, count):
        raise ValueError(
            f"{what}: expected one picture for each of {count} frames, or for each but the first, got {number}"
        )
    skipped = 0 if count is None else count - number

    def at(index: int) -> Tensor | None:
        if index - skipped >= number:
            raise ValueError(f"{what}: expected one picture for each frame, got {number}, and there is a frame {index}")
        return None if index < skipped else given[index - skipped]

    return at


def _later_steps(steps: int | Sequence[int], later_steps: int | None) -> int:
    if later_steps is None:
        return max(1, round(LATER_STEPS * (steps if isinstance(steps, int) else sum(steps))))
    if isinstance(later_steps, bool) or not isinstance(later_steps, int) or later_steps < 1:
        raise ValueError(f"later_steps: expected a whole number of at least 1, got {later_steps!r}")
    return later_steps


def _at_full_size(steps: int, levels: int) -> list[int]:
    """Steps of each level: one for each coarser level, which is the look at the start, and changes nothing."""
    return [max(1, steps - levels + 1), *[1] * (levels - 1)]
