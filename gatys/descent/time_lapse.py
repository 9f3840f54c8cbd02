"""A time-lapse of a descent: pictures so far, of one size, as many as memory is meant for them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..pictures.images import fit
from ..pictures.resampling import resize
from .records import Progress

LARGEST = 1024
"""The longer edge in pixels beyond which frames are reduced."""
MOST_BYTES = 2**30
"""The bytes that all frames of a time-lapse together may have as float32."""


def frame_size(size: tuple[int, int]) -> tuple[int, int]:
    """Give the (height, width) of the frames of a picture of `size` (height, width)."""
    width, height = fit(size[1], size[0], min(LARGEST, max(size)))
    return height, width


def is_frame(progress: Progress, every: int) -> bool:
    """Tell whether a step gives a frame: the first and each `every`-th after it, not the last, since the result follows."""
    return (progress.step - 1) % every == 0 and progress.step != progress.steps


class TimeLapse:
    """The frames of one descent or of several one after another, kept in main memory.

    Where they would take more than `most` bytes, every second one is dropped and from then on half as many are kept,
    so that they stay even in time. The first frame and the result of each descent always stay.

    Args:
        size: the (height, width) of the results.
        every: the steps from one frame to the next, at least 1.
        most: the bytes that the frames may take as float32.
    """

    def __init__(self, size: tuple[int, int], every: int, most: int = MOST_BYTES):
        self.every, self._most, self._size = every, most, frame_size(size)
        self._frames: list[tuple[bool, Tensor]] = []
        """Whether it is a result, and a frame (3, H, W) as uint8."""

    def follow(self, progress: Progress) -> None:
        """Keep a step's picture as a frame, if one is due: within a callback."""
        if is_frame(progress, self.every):
            self._keep(progress.image, result=False)

    def end(self, result: Tensor) -> None:
        """Keep a result (1, 3, H, W)."""
        self._keep(result, result=True)

    def frames(self) -> Tensor:
        """Give all frames, (N, 3, H, W) in [0, 1], and forget them."""
        kept, self._frames = self._frames, []
        made = torch.empty(len(kept), *kept[0][1].shape)
        for place, (_, frame) in zip(made, kept, strict=True):
            torch.div(frame, 255, out=place)
        return made

    def _keep(self, picture: Tensor, *, result: bool) -> None:
        small = resize(picture.float().clamp(0, 1), self._size)[0]
        self._frames.append((result, small.mul(255).round_().to("cpu", torch.uint8)))
        while sum(4 * frame.nbytes for _, frame in self._frames) > self._most and self._thin():
            self.every *= 2

    def _thin(self) -> bool:
        """Drop every second frame of each descent but its result; give whether there was one."""
        before, kept, odd = len(self._frames), [], False
        for result, frame in self._frames:
            if result or not odd:
                kept.append((result, frame))
            odd = not result and not odd
        self._frames = kept
        return len(kept) < before
