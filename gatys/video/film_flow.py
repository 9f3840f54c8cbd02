"""The flow of a film: between each frame and the one before it, both ways, computed beforehand or frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError, InputTypeError
from ..network.download import Report
from ..pictures.checks import shape_of, size_of
from ..pictures.conversion import AnyPicture, to_tensors
from .distances import NEXT, check_distances
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
    farther: Mapping[int, FilmFlow] = field(default_factory=dict)
    """The flow between frames that are farther apart, by their distance d: `back` and `ahead` of N - d frames, from the
    frame d on. `long_term` of `optimize_frames` needs it."""

    def __repr__(self) -> str:
        ways = "one way" if self.ahead is None else "both ways"
        farther = f", to distances of {', '.join(map(str, self.distances))}" if self.farther else ""
        return f"FilmFlow({shape_of(self.back)}, {ways}{farther})"

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
        for distance, far in self.farther.items():
            if len(far) != len(self) + 1 - distance:
                raise InputError(
                    f"flow, farther: expected {len(self) + 1 - distance} flows to a distance of {distance}, got {len(far)}; "
                    "compute all from the same frames"
                )

    def __len__(self) -> int:
        return len(self.back)

    @property
    def distances(self) -> tuple[int, ...]:
        """Give the distances of frames that it tells of, the nearest first."""
        return (*NEXT, *sorted(self.farther))

    def at(self, index: int) -> Pair:
        """Give the flow between one frame and the one before it."""
        return Pair(self.back[index][None], None if self.ahead is None else self.ahead[index][None])


class Pair(NamedTuple):
    """The flow on a frame into another one, and on that into this, each (1, 2, H, W)."""

    back: Tensor
    ahead: Tensor | None


AnyFlow = str | FlowFunction | FilmFlow | Tensor
"""The flow of a film: a method of `optical_flow`, or what is there already; a tensor is `FilmFlow.back`."""
FlowBetween = Callable[[int, int, Tensor, Tensor], Pair]
"""A function of a frame's place in the film from 0, the place of another one, and both frames, (1, 3, H, W)."""


def film_flow(
    frames: AnyPicture | Iterable[AnyPicture],
    method: str | FlowFunction = "auto",
    *,
    distances: Sequence[int] = NEXT,
    folder: Folders = None,
    progress: Report | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> FilmFlow:
    """Compute the flow of a film: between each frame and the one before it, both ways.

    Args:
        frames: the pictures of the film in order, all of one size: (N, 3, H, W) in [0, 1], or several of any kind that
            `extract_content` takes.
        method: as for `optical_flow`, and `folder` and `progress` likewise.
        distances: how far apart the frames are, as `long_term` of `optimize_frames` takes them; those that the film is too
            short for are left out.
        callback: called with (flows done, flows in all) after each; an exception from it is passed on.

    Returns:
        Flows for N - 1 frames, in main memory: 16 bytes for each pixel of each, and about as much for each farther
        distance.

    Raises:
        InputError: for fewer than two frames, for distances that are none, and as `optical_flow` does.

    Example:
        >>> flow = gatys.film_flow(pictures, "dis")
        >>> flow.back.shape  # of two pictures
        torch.Size([1, 2, 40, 48])
    """
    pictures = [one for batch in to_tensors(frames, "frames") for one in batch.split(1)]
    if len(pictures) < 2:
        raise InputError(f"frames: expected at least two, since a flow is between them, got {len(pictures)}")
    distances = [distance for distance in check_distances(distances, "distances") if distance < len(pictures)]
    function = flow_function(method, folder=folder, progress=progress)
    total, done = sum(len(pictures) - distance for distance in distances), 0
    flows = {}
    for distance in distances:
        back, ahead = [], []
        for last, frame in zip(pictures, pictures[distance:], strict=False):  # the last ones have none
            back.append(optical_flow(frame, last, function).cpu())
            ahead.append(optical_flow(last, frame, function).cpu())
            done += 1
            if callback is not None:
                callback(done, total)
        flows[distance] = FilmFlow(torch.cat(back), torch.cat(ahead))
    near = flows.pop(1)
    return FilmFlow(near.back, near.ahead, flows)


def flow_between(
    flow: AnyFlow | None,
    count: int | None,
    device: torch.device,
    *,
    later: bool = False,
    distances: tuple[int, ...] = NEXT,
) -> FlowBetween | None:
    """Give a function for any form of a film's flow that users may give; None for None.

    Args:
        flow: what was given.
        count: the number of frames; None where nobody knows.
        device: where a method works.
        later: whether the first frame has one before it, too; this decides where nobody knows the number.
        distances: how far apart frames are.
    """
    if flow is None:
        return None
    if isinstance(flow, Tensor):
        flow = FilmFlow(flow)
    if isinstance(flow, FilmFlow):
        missing = [distance for distance in distances if distance not in flow.distances]
        if missing and missing[0] <= len(flow):  # else the film is too short for it
            raise InputError(
                f"long_term: the flow tells nothing of frames {missing[0]} apart; compute it by film_flow with distances, or "
                "give a method as flow"
            )
        return _kept(flow, count, later)
    if not isinstance(flow, str) and not callable(flow):
        raise InputTypeError(
            f"flow: expected the name of a method, a function, a FilmFlow or a tensor (N, 2, H, W), got {type(flow).__name__}"
        )
    function = flow_function(flow)

    def computed(index: int, other: int, frame: Tensor, last: Tensor) -> Pair:
        here, there = frame.to(device), last.to(device)
        return Pair(flow_by(function, here, there).to(frame.device), flow_by(function, there, here).to(frame.device))

    return computed


def _kept(flow: FilmFlow, count: int | None, later: bool) -> FlowBetween:
    number = len(flow)
    if count is not None and number not in (count - 1, count):
        raise InputError(f"flow: expected one for each of {count} frames, or for each but the first, got {number}")
    skipped = int(not later) if count is None else count - number

    def at(index: int, other: int, frame: Tensor, last: Tensor) -> Pair:
        distance, later = abs(index - other), max(index, other)
        known = flow if distance == 1 else flow.farther[distance]
        place = later + 1 - skipped - distance
        if place >= len(known):
            raise InputError(
                f"flow: expected one for each frame but the first, got {number}, and there is a frame {later}"
            )
        if place < 0:
            raise InputError(
                f"flow: it tells nothing of frame {later} and that {distance} before it; compute it from all frames that are "
                "given, previous ones, too"
            )
        pair = known.at(place)
        check_flow(pair.back, size_of(frame), f"flow, frame {index}")
        back, ahead = pair if other < index or pair.ahead is None else (pair.ahead, pair.back)
        return Pair(back.to(frame), None if ahead is None else ahead.to(frame))

    return at
