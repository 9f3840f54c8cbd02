"""The flow of a film: between each frame and the one before it, both ways, computed beforehand or frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError, InputTypeError
from ..network.download import Report
from ..pictures.checks import shape_of, size_of
from ..pictures.conversion import AnyPicture, to_tensors
from .flow import FlowFunction, Folders, flow_by, flow_function, optical_flow
from .motion import check_flow


@dataclass(frozen=True, eq=False)
class FilmFlow:
    """The flow of a film of N frames, as `film_flow` computes it, for each frame but the first.

    Example:
        >>> flow = gatys.film_flow(pictures)
        >>> film = gatys.optimize_frames(net, frames, style=style, flow=flow)
    """

    back: Tensor
    """The flow on each frame into the one before it, (N - 1, 2, H, W) in pixels, x before y."""
    ahead: Tensor | None = None
    """The flow on the frame before it into each frame, likewise. Without it nothing tells what was hidden, and a frame
    trusts its past where the frame before, moved along, looks as this one does."""

    def __repr__(self) -> str:
        ways = "one way" if self.ahead is None else "both ways"
        return f"FilmFlow({shape_of(self.back)}, {ways})"

    def __post_init__(self) -> None:
        for name, flow in (("back", self.back), ("ahead", self.ahead)):
            if flow is not None:
                size = size_of(flow) if isinstance(flow, Tensor) and flow.ndim > 1 else (0, 0)
                object.__setattr__(self, name, check_flow(flow, size, f"flow, {name}"))
        if self.ahead is not None and self.ahead.shape != self.back.shape:
            raise InputError(
                f"flow, ahead: expected {tuple(self.back.shape)}, as of the way back, got {tuple(self.ahead.shape)}; "
                "compute both from the same frames"
            )

    def __len__(self) -> int:
        return len(self.back)

    def at(self, index: int) -> Pair:
        """Give the flow between one frame and the one before it."""
        return Pair(self.back[index][None], None if self.ahead is None else self.ahead[index][None])


class Pair(NamedTuple):
    """The flow between a frame and the one before it, each (1, 2, H, W)."""

    back: Tensor
    ahead: Tensor | None


AnyFlow = str | FlowFunction | FilmFlow | Tensor
"""The flow of a film: a method of `optical_flow`, or what is there already; a tensor is `FilmFlow.back`."""
FlowBetween = Callable[[int, Tensor, Tensor], Pair]
"""A function of a frame's place in the film from 0, the frame, and the one before it, (1, 3, H, W)."""


def film_flow(
    frames: AnyPicture | Iterable[AnyPicture],
    method: str | FlowFunction = "auto",
    *,
    folder: Folders = None,
    progress: Report | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> FilmFlow:
    """Compute the flow of a film: between each frame and the one before it, both ways.

    Args:
        frames: the pictures of the film in order, all of one size: (N, 3, H, W) in [0, 1], or several of any kind that
            `extract_content` takes.
        method: as for `optical_flow`, and `folder` and `progress` likewise.
        callback: called with (flows done, flows in all) after each; an exception from it is passed on.

    Returns:
        Flows for N - 1 frames, in main memory: 16 bytes for each pixel of each.

    Raises:
        InputError: for fewer than two frames, and as `optical_flow` does.

    Example:
        >>> flow = gatys.film_flow(pictures, "dis")
        >>> flow.back.shape  # of two pictures
        torch.Size([1, 2, 40, 48])
    """
    pictures = [one for batch in to_tensors(frames, "frames") for one in batch.split(1)]
    if len(pictures) < 2:
        raise InputError(f"frames: expected at least two, since a flow is between them, got {len(pictures)}")
    function = flow_function(method, folder=folder, progress=progress)
    back, ahead = [], []
    for index, (last, frame) in enumerate(pairwise(pictures)):
        back.append(optical_flow(frame, last, function).cpu())
        ahead.append(optical_flow(last, frame, function).cpu())
        if callback is not None:
            callback(index + 1, len(pictures) - 1)
    return FilmFlow(torch.cat(back), torch.cat(ahead))


def flow_between(
    flow: AnyFlow | None, count: int | None, device: torch.device, *, later: bool = False
) -> FlowBetween | None:
    """Give a function for any form of a film's flow that users may give; None for None.

    Args:
        flow: what was given.
        count: the number of frames; None where nobody knows.
        device: where a method works.
        later: whether the first frame has one before it, too; this decides where nobody knows the number.
    """
    if flow is None:
        return None
    if isinstance(flow, Tensor):
        flow = FilmFlow(flow)
    if isinstance(flow, FilmFlow):
        return _kept(flow, count, later)
    if not isinstance(flow, str) and not callable(flow):
        raise InputTypeError(
            f"flow: expected the name of a method, a function, a FilmFlow or a tensor (N, 2, H, W), got {type(flow).__name__}"
        )
    function = flow_function(flow)

    def computed(index: int, frame: Tensor, last: Tensor) -> Pair:
        here, there = frame.to(device), last.to(device)
        return Pair(flow_by(function, here, there).to(frame.device), flow_by(function, there, here).to(frame.device))

    return computed


def _kept(flow: FilmFlow, count: int | None, later: bool) -> FlowBetween:
    number = len(flow)
    if count is not None and number not in (count - 1, count):
        raise InputError(f"flow: expected one for each of {count} frames, or for each but the first, got {number}")
    skipped = int(not later) if count is None else count - number

    def at(index: int, frame: Tensor, last: Tensor) -> Pair:
        if index - skipped >= number:
            raise InputError(
                f"flow: expected one for each frame but the first, got {number}, and there is a frame {index}"
            )
        pair = flow.at(index - skipped)
        check_flow(pair.back, size_of(frame), f"flow, frame {index}")
        return Pair(pair.back.to(frame), None if pair.ahead is None else pair.ahead.to(frame))

    return at
