"""What descent methods are and have in common; they ask for one picture to be evaluated and are told its loss and gradient.

Every picture asked for lies in [0, 1], so the best one seen is the result as it stands. Where a loss or a gradient is not
finite, the descent goes on from the best picture; where that was the first, it asks for it again. `batch.Batch` is one of
several pictures, each of which descends on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ..objective.losses import largest
from .state import State, number, read_number


class Descent(Protocol):
    """The loop is `descent.tell(*evaluate(descent.ask()))`; `best` may be read at any time."""

    best: Tensor
    """(N, 3, H, W): the best picture seen, of each of a batch."""
    setbacks: int
    """How often a picture was rolled back because its loss was not finite or far above the best."""

    def ask(self) -> Tensor: ...

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Of the picture asked for: the loss, (N,), and the gradient, which is the descent's own from then on."""

    def lighter(self) -> Descent:
        """A descent that starts at the best picture and needs less memory, for when it ran out in `tell`.

        Raises:
            OutOfMemory: where there is nothing left to save.
        """

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs, by name, numbers as tensors without axes; `tell` changes the tensors."""

    def restore(self, state: State) -> None:
        """Go on, to the last bit, where a descent of pictures of this size was when it gave `state`.

        Raises:
            ValueError: for anything else; the descent is then of no further use.
        """


Add = Callable[[Tensor], Tensor]
"""Gives the sum over all processes that share the pictures out, each of which descends in its own rows."""


def here(value: Tensor) -> Tensor:
    return value


def inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())


class Unit:
    """Brings a descent's gradients to about 1, so that no weight of a term makes their squares over- or underflow.

    It is that of the first gradient that is neither 0 nor infinite; a power of two, which rounds nothing.
    """

    def __init__(self, add: Add):
        self.factor, self._found, self._add = 1.0, False, add

    def apply(self, loss: Tensor, gradient: Tensor) -> tuple[float, float]:
        """Scale the gradient in place; the loss and the gradient's square, for which the device is waited for."""
        if not self._found:
            size = float(self._add(largest(gradient)))
            self._found = 0 < size < math.inf
            if self._found:
                self.factor = 2.0 ** -min(max(math.frexp(size)[1], -120), 120)
        gradient.mul_(self.factor)
        squares = self._add(inner(gradient, gradient))
        value, squares = torch.stack([loss.reshape(()), squares.to(loss)]).tolist()
        return value, squares

    def state(self) -> dict[str, Tensor]:
        return {"unit": number(self.factor if self._found else 0.0)}

    def restore(self, state: State) -> None:
        factor = read_number(state, "unit")
        self._found = factor > 0
        self.factor = factor if self._found else 1.0
