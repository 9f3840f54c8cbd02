"""Evaluations replayed from a CUDA graph: one launch where PyTorch makes some hundreds.

A card works through a small picture faster than Python can tell it what to do; a graph is told once. It holds the memory
of an evaluation for as long as it lives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from ..passes.plan import Plan
from .losses import Terms
from .objective import Objective

log = logging.getLogger(__name__)

WARM_UP = 2
"""The number of evaluations before the captured one: libraries choose their algorithms, targets come from main
memory."""


def replayable(objective: Objective, plan: Plan, image: Tensor) -> bool:
    """Tell whether evaluations are all alike, on an NVIDIA card."""
    nvidia = image.device.type == "cuda" and torch.version.hip is None
    return nvidia and plan.tile is None and objective.place.whole and not objective.waits


class Replay:
    """A replay of `evaluate`: it calls it for some pictures and then repeats the same for others of their shape."""

    def __init__(self, evaluate: Callable[[Tensor], tuple[Terms, Tensor]]):
        self._evaluate, self._calls = evaluate, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, image: Tensor) -> tuple[Terms, Tensor]:
        self._calls += 1
        if self._calls == WARM_UP + 1:
            self._capture(image)
        if self._graph is None:
            return self._evaluate(image)
        self._image.copy_(image)
        self._graph.replay()
        terms, gradient = self._found
        return terms.clone(), gradient.clone()  # the next replay writes to these

    def _capture(self, image: Tensor) -> None:
        graph, self._image = torch.cuda.CUDAGraph(), image.clone()
        # what is made in a capture is given back in it: the allocator of some hosts warns of what is given back later
        self._found = self._evaluate(self._image)
        try:
            # other threads, a host's for instance, may use the card meanwhile without disturbing the capture
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                terms, gradient = self._evaluate(self._image)
                self._found[0].copy_(terms)
                self._found[1].copy_(gradient)
                del terms, gradient
        except RuntimeError as error:
            log.warning("no CUDA graph of this evaluation (%s); going on without", error)
            del self._found, self._image
            return
        self._graph = graph
