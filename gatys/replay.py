"""Evaluations replayed from a CUDA graph: one launch where PyTorch makes some hundreds.

A card works through a small picture faster than Python can tell it what to do; a graph is told once. It holds the memory
of an evaluation for as long as it lives. Written and tested without a card: what it gains is unmeasured.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from .canvas import WHOLE
from .losses import Terms
from .objective import Objective
from .plan import Plan

log = logging.getLogger(__name__)

WARM_UP = 3
"""Evaluations before the one that is captured, in which libraries choose their algorithms."""


def replayable(objective: Objective, plan: Plan, image: Tensor) -> bool:
    """Whether evaluations are all alike, on an NVIDIA card, and fetch nothing from elsewhere."""
    nvidia = image.device.type == "cuda" and torch.version.hip is None
    return nvidia and plan.tile is None and objective.canvas is WHOLE and objective.on(image.device)


class Replay:
    """Calls `evaluate` for some pictures and then replays what that did for others of their shape."""

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
        try:
            with torch.cuda.graph(graph):
                self._found = self._evaluate(self._image)
        except RuntimeError as error:
            log.warning("no CUDA graph of this evaluation (%s); going on without", error)
            return
        self._graph = graph
