"""Optical flow from larger frames than those that are painted, since in small ones thin things that move are lost."""

from __future__ import annotations

from collections import deque

import torch.nn.functional as F
from torch import Tensor

from ..pictures.checks import size_of
from ..pictures.images import fit
from ..pictures.resampling import resize
from .flow import FlowFunction

EDGE = 768
"""The longer edge in pixels up to which frames are looked at, where the film has that many."""


class LargerFlow:
    """A function of two frames, as `optical_flow` takes one, that looks at larger versions of them.

    Args:
        function: gives the flow of the larger frames.
        distance: how many frames apart two are at most.
    """

    def __init__(self, function: FlowFunction, distance: int = 1):
        self._function = function
        self._known: deque[tuple[Tensor, Tensor]] = deque(maxlen=distance + 1)

    def know(self, small: Tensor, frame: Tensor) -> None:
        """Take note of a frame that is painted next, (1, 3, h, w), and as the film has it, (1, 3, H, W)."""
        self._known.append((small, larger_frame(small, frame)))

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Give the flow of the first frame into the second in pixels of these, (1, 2, h, w)."""
        larger = [self._larger(picture) for picture in (first, second)]
        flow, (height, width) = self._function(*larger), size_of(first)
        if size_of(flow) == (height, width):
            return flow
        factors = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])
        return F.interpolate(flow, (height, width), mode="area") * factors.view(1, 2, 1, 1)

    def _larger(self, picture: Tensor) -> Tensor:
        """Give the larger version of the frame that is most like this one."""
        differences = [float((small.to(picture) - picture).abs().mean()) for small, _ in self._known]
        return self._known[differences.index(min(differences))][1].to(picture)


def larger_frame(small: Tensor, frame: Tensor) -> Tensor:
    """Give the version of a frame that is looked at: `small` is as it is painted, `frame` as the film has it."""
    height, width = size_of(frame)
    edge = max(*size_of(small), min(EDGE, max(height, width)))
    return resize(frame, fit(width, height, edge)[::-1])
