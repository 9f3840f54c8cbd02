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
from .distances import NEXT
from .film_flow import AnyFlow, FlowBetween, Pair, flow_between
from .motion import motion_boundaries, occlusion_mask, outside, warp
from .new_ground import kept_inwards

SAME, DIFFERENT = 5 / 255, 15 / 255
"""The bounds of likeness: frames that differ by less show the same, by more another thing."""
REACH = 1
"""The pixels next to what was hidden that are not trusted either: into them the edge of what hid it is blended, and would
stay on the new ground as an echo."""

Warped = Callable[[int, Tensor], AnyPicture | None] | Sequence[AnyPicture | None] | AnyPicture
Masks = Callable[[int], Tensor | None] | Sequence[Tensor | None] | Tensor


@dataclass(frozen=True, eq=False)
class Frame:
    """A finished frame: the content picture and the result, each (1, 3, H, W)."""

    content: Tensor
    result: Tensor


@dataclass(frozen=True, eq=False)
class Sight:
    """A picture that a frame may inherit, and the trust in each of its pixels."""

    image: Tensor
    """The picture, (1, 3, H, W)."""
    trust: Tensor | None
    """How far the frame is held to each pixel, (1, 1, H, W); None is 1 everywhere."""
    seen: Tensor | None
    """How far each pixel was to be seen before, so that the frame starts from it, likewise: `trust`, but for motion
    boundaries, where a start need not be exact."""
    back: Tensor | None = None
    """The flow that the picture was moved along, (1, 2, H, W); None without one."""


@dataclass(frozen=True, eq=False)
class Past:
    """What a frame inherits."""

    near: Sight
    """That of the frame before."""
    held: Tensor
    """The picture that it is held to, (1, 3, H, W)."""
    trust: Tensor | None
    """How far it is held to each pixel of that, (1, 1, H, W); None is 1 everywhere."""
    begun: Tensor
    """The picture that it starts from."""
    seen: Tensor | None
    """How far it starts from each pixel of that, likewise."""

    @property
    def share(self) -> float:
        """Give the share of the frame's area that can be trusted."""
        return 1.0 if self.trust is None else float(self.trust.mean())

    @property
    def new(self) -> Tensor | None:
        """Give where ground is new, (1, 1, H, W) in [0, 1]; None where it is nowhere."""
        return None if self.seen is None or bool((self.seen == 1).all()) else 1 - self.seen.clamp(0, 1)

    def start(self, ground: Callable[[], Tensor]) -> Tensor:
        """Give the past where it was to be seen, and elsewhere new ground."""
        if self.seen is None or self.new is None:
            return self.begun
        return torch.lerp(ground().to(self.begun), self.begun, self.seen)

    def blended(self, own: Tensor, share: float) -> Tensor:
        """Give a picture with so much of the past in it where that is to be trusted."""
        weight = torch.full_like(own[:, :1], share) if self.trust is None else share * self.trust.to(own)
        return torch.lerp(own, self.held.to(own), weight)


def past_of(sights: Sequence[Sight]) -> Past:
    """Give what a frame inherits of earlier ones, each of which counts only as far as no nearer one is trusted.

    (Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, section 4.3, equations 8 and 9.) With the trust
    c_j in the picture w_j that comes from j frames before, the weights are max(c_j - sum_k c_k, 0), k < j, and their terms
    add up. Since sum_j g_j (x - w_j)^2 = g (x - w)^2 + const with g = sum_j g_j and w = sum_j g_j w_j / g, that is one term
    again.

    Args:
        sights: what comes from each of them, the nearest first.
    """
    held, trust = _together([(each.image, each.trust) for each in sights])
    begun, seen = _together([(each.image, each.seen) for each in sights])
    return Past(sights[0], held, trust, begun, seen)


def _together(parts: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    """Give the picture of several, and the trust in it; where there is none, it is the first one."""
    nearest, trust = parts[0]
    if trust is None or len(parts) == 1:
        return nearest, trust
    total, weight, covered = torch.zeros_like(nearest), torch.zeros_like(trust), torch.zeros_like(trust)
    for image, own in parts:
        own = torch.ones_like(trust) if own is None else own
        counts = (own - covered).clamp(min=0)
        total, weight, covered = total + counts * image, weight + counts, covered + own
    return torch.where(weight > 0, total / weight.clamp(min=torch.finfo(weight.dtype).tiny), nearest), weight


class Pasts:
    """The pasts of a film's frames, from what users gave.

    Args:
        warped, occlusion, flow: as the arguments of `optimize_frames`.
        count: the number of frames; None where nobody knows.
        first: the index of the first of them.
        later: whether the first of them has a frame before it, too.
        device: where flows are computed.
        distances: how many frames before are looked at; see `check_distances`.
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
        distances: tuple[int, ...] = NEXT,
    ):
        if flow is not None and warped is not None:
            raise InputError("flow: expected none beside pictures that are warped already; leave out flow or warped")
        if warped is not None and distances != NEXT:
            raise InputError(
                "long_term: expected none beside pictures that are warped already, which come from the frame before; leave out "
                "long_term or warped"
            )
        pictures = to_tensor(warped, "warped") if isinstance(warped, KINDS) else warped
        self._warp = _by_index(pictures, count, first, "warped")
        self._hide = _by_index(occlusion, count, first, "occlusion")
        self._flow: FlowBetween | None = flow_between(flow, count, device, later=later, distances=distances)
        self._first, self._distances = first, distances

    def of(self, index: int, content: ContentTarget, before: Sequence[Frame], way: int = 1) -> Past | None:
        """Give what a frame inherits; None where it has no past, as after a cut.

        Args:
            index: the number of the frame.
            content: its target.
            before: the frames that were made before it, the last one at the end.
            way: 1 for a film that is made from its beginning; -1 where the frame before is the next one in the film.
        """
        if not before:
            image = self._warp(index, None) if self._flow is None else None
            return None if image is None else self._moved(index, content, image, self._hidden(index, content))
        hidden = self._hidden(index, content)
        if hidden is not None and hidden.numel() and (hidden >= 1).all():
            return None  # a cut
        image = self._warp(index, before[-1].result) if self._flow is None else None
        if image is not None:
            return self._moved(index, content, image, hidden)
        sights = [
            self._sight(
                index, index - way * distance, content.image, before[-distance], hidden if distance == 1 else None
            )
            for distance in self._distances
            if distance <= len(before)
        ]
        past = past_of(sights)
        return past if past.trust is None or past.trust.any() else None

    def _hidden(self, index: int, content: ContentTarget) -> Tensor | None:
        mask = self._hide(index)
        return None if mask is None else torch.as_tensor(mask).to(content.image)

    def _moved(self, index: int, content: ContentTarget, image: Any, hidden: Tensor | None) -> Past | None:
        """Give what a frame inherits by a picture that is moved along already."""
        if hidden is not None and hidden.numel() and (hidden >= 1).all():
            return None  # a cut
        image = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
        image = as_picture(image, f"warped, frame {index}")
        if image.shape[0] != 1:
            raise InputError(
                f"warped, frame {index}: expected one picture, got {image.shape[0]}; give one for each frame"
            )
        image = resize(image.detach().to(content.image).clamp(0, 1), content.size)
        trust = None if hidden is None else check_mask(1 - hidden, image, f"occlusion, frame {index}")
        return past_of([Sight(image, trust, trust)])

    def _sight(self, index: int, other: int, frame: Tensor, before: Frame, hidden: Tensor | None) -> Sight:
        """Give what a frame inherits of another one."""
        own = None if hidden is None else check_mask(1 - hidden, frame, f"occlusion, frame {index}")
        if self._flow is None:
            trust = agreement(frame, before.content) if own is None else own
            return Sight(before.result.to(frame), trust, trust)
        pair = self._flow(index - self._first, other - self._first, frame, before.content)
        if own is None:
            kept = kept_inwards(pair.back).to(frame)
            trust, seen = (kept * each for each in _trust(pair, frame, before.content))
        else:
            trust = seen = own
        return Sight(warp(before.result, pair.back).to(frame), trust, seen, pair.back)


def _trust(pair: Pair, frame: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Give how far a frame's past is to be trusted, and where it was to be seen, each (1, 1, H, W)."""
    flow = pair.back.cpu()
    if pair.ahead is not None:
        beyond = outside(flow).to(frame)
        hidden = occlusion_mask(pair.back, pair.ahead, boundaries=False).to(frame) * (1 - beyond)
        hidden = F.max_pool2d(hidden, 2 * REACH + 1, stride=1, padding=REACH).maximum(beyond)
        return 1 - hidden.maximum(motion_boundaries(flow).to(frame)), 1 - hidden
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
