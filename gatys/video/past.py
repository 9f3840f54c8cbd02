"""What a frame of a film inherits: a picture, and the trust in each of its pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..pictures.conversion import KINDS, AnyPicture, as_picture, to_tensor
from ..pictures.resampling import resize
from ..targets.masks import check_mask
from ..targets.targets import ContentTarget
from .film_flow import AnyFlow, FlowBetween, Pair, flow_between
from .motion import motion_boundaries, occlusion_mask, outside, warp

SAME, DIFFERENT = 5 / 255, 15 / 255
"""The bounds of likeness: frames that differ by less show the same, by more another thing."""

Warped = Callable[[int, Tensor], AnyPicture | None] | Sequence[AnyPicture | None] | AnyPicture
Masks = Callable[[int], Tensor | None] | Sequence[Tensor | None] | Tensor


@dataclass(frozen=True, eq=False)
class Frame:
    """A finished frame: the content picture and the result, each (1, 3, H, W)."""

    content: Tensor
    result: Tensor


@dataclass(frozen=True, eq=False)
class Past:
    """The picture that a frame inherits, and the trust in it."""

    image: Tensor
    """The picture, (1, 3, H, W)."""
    trust: Tensor | None
    """How far the frame is held to each pixel, (1, 1, H, W); None is 1 everywhere."""
    seen: Tensor | None
    """How far each pixel was to be seen before, so that the frame starts from it, likewise: `trust`, but for motion
    boundaries, where a start need not be exact."""
    back: Tensor | None = None
    """The flow that the picture was moved along, (1, 2, H, W); None without one."""

    @property
    def share(self) -> float:
        """Give the share of the frame's area that can be trusted."""
        return 1.0 if self.trust is None else float(self.trust.mean())

    def start(self, ground: Callable[[], Tensor]) -> Tensor:
        """Give the past where it was to be seen, and elsewhere new ground."""
        if self.seen is None or bool((self.seen == 1).all()):
            return self.image
        return torch.lerp(ground().to(self.image), self.image, self.seen)


class Pasts:
    """The pasts of a film's frames, from what users gave.

    Args:
        warped, occlusion, flow: as the arguments of `optimize_frames`.
        count: the number of frames; None where nobody knows.
        first: the index of the first of them.
        later: whether the first of them has a frame before it, too.
        device: where flows are computed.
    """

    def __init__(
        self,
        warped: Warped | None,
        occlusion: Masks | None,
        flow: AnyFlow | None,
        *,
        count: int | None,
        first: int,
        later: bool,
        device: torch.device,
    ):
        if flow is not None and warped is not None:
            raise InputError("flow: expected none beside pictures that are warped already; leave out flow or warped")
        pictures = to_tensor(warped, "warped") if isinstance(warped, KINDS) else warped
        self._warp = _by_index(pictures, count, first, "warped")
        self._hide = _by_index(occlusion, count, first, "occlusion")
        self._flow: FlowBetween | None = flow_between(flow, count, device, later=later)
        self._first = first

    def of(self, index: int, content: ContentTarget, last: Frame | None) -> Past | None:
        """Give what a frame inherits; None where it has no past, as after a cut."""
        mask = self._hide(index)
        hidden = None if mask is None else torch.as_tensor(mask).to(content.image)
        if self._flow is not None:
            return None if last is None else self._along_flow(self._flow, index, content, last, hidden)
        image = self._warp(index, None if last is None else last.result)
        if image is None and last is None:
            return None
        trust = None if hidden is None else 1 - hidden
        if image is None and last is not None:
            image = last.result
            trust = agreement(content.image, last.content) if trust is None else trust
        image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
        image = as_picture(image, f"warped, frame {index}")
        if image.shape[0] != 1:
            raise InputError(
                f"warped, frame {index}: expected one picture, got {image.shape[0]}; give one for each frame"
            )
        image = resize(image.detach().to(content.image).clamp(0, 1), content.size)
        if trust is None:
            return Past(image, None, None)
        if trust.numel() and (trust <= 0).all():
            return None  # a cut
        trust = check_mask(trust, image, f"occlusion, frame {index}")
        return Past(image, trust, trust)

    def _along_flow(
        self, between: FlowBetween, index: int, content: ContentTarget, last: Frame, hidden: Tensor | None
    ) -> Past | None:
        frame = content.image
        pair = between(index - self._first, frame, last.content)
        trust, seen = _trust(pair, frame, last.content)
        if hidden is not None:
            if hidden.numel() and (hidden >= 1).all():
                return None
            trust = seen = check_mask(1 - hidden, frame, f"occlusion, frame {index}")
        if not trust.any():
            return None
        return Past(warp(last.result, pair.back).to(frame), trust, seen, pair.back)


def _trust(pair: Pair, frame: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Give how far a frame's past is to be trusted, and where it was to be seen, each (1, 1, H, W)."""
    if pair.ahead is not None:
        whole, hidden = (occlusion_mask(pair.back, pair.ahead, boundaries=also).to(frame) for also in (True, False))
        return 1 - whole, 1 - hidden
    flow = pair.back.cpu()
    seen = agreement(frame, warp(last, pair.back)) * ~outside(flow).to(frame.device)
    return seen * ~motion_boundaries(flow).to(frame.device), seen


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


def _by_index(given: Any, count: int | None, first: int, what: str) -> Callable[..., Any]:
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
    skipped = first if count is None else first + count - number

    def at(index: int, *last: Tensor | None) -> Tensor | None:
        if index - skipped >= number:
            raise InputError(f"{what}: expected one for each frame, got {number}, and there is a frame {index}")
        return None if index < skipped else given[index - skipped]

    return at
