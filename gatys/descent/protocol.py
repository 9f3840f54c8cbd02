"""The protocol of descents, and what they have in common.

A descent asks for one picture to be evaluated and is told its loss and gradient. Every picture asked for lies in [0,
1], so the best one seen is the result as it stands. Where a loss or a gradient is not finite, the descent goes on from
the best picture; where that was the first, it asks for it again. `batch.Batch` is one of several pictures, each of
which descends on its own.
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
    """A method of descent, which is asked for a picture and told its loss: `descent.tell(*evaluate(descent.ask()))`.

    `best` may be read at any time. A function that gives one may be the `optimizer` of `optimize`.

    Example:
        >>> class SmallSteps:
        ...     setbacks = 0
        ...
        ...     def __init__(self, picture):
        ...         self.best = self.next = picture
        ...         self.lowest = float("inf")
        ...
        ...     def ask(self):
        ...         return self.next
        ...
        ...     def tell(self, loss, gradient):
        ...         if float(loss) < self.lowest:
        ...             self.best, self.lowest = self.next, float(loss)
        ...         self.next = (self.next - gradient.sign() / 255).clamp(0, 1)
        ...
        ...     def lighter(self):
        ...         return SmallSteps(self.best)
        ...
        ...     def state(self):
        ...         return {"best": self.best, "next": self.next}
        ...
        ...     def restore(self, state):
        ...         self.best, self.next = state["best"], state["next"]
        >>> result = gatys.optimize(net, content=content, style=style, optimizer=SmallSteps, steps=200)
    """

    @property
    def best(self) -> Tensor:
        """Give the best picture seen, (N, 3, H, W), for each of a batch."""

    @property
    def setbacks(self) -> int:
        """Give how often a picture was rolled back because its loss was not finite or far above the best."""

    def ask(self) -> Tensor: ...

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Tell the loss, (N,), and the gradient of the picture asked for; the gradient is the descent's own from then
        on.
        """

    def lighter(self) -> Descent:
        """Give a descent that starts at the best picture and needs less memory, for when it ran out in `tell`.

        Raises:
            OutOfMemory: where there is nothing left to save.
        """

    def state(self) -> dict[str, Tensor]:
        """Give all that `restore` needs, by name, numbers as tensors without axes; `tell` changes the tensors."""

    def restore(self, state: State) -> None:
        """Go on, to the last bit, where a descent of pictures of this size was when it gave `state`.

        Raises:
            InputError: for anything else; the descent is then of no further use.
        """


Add = Callable[[Tensor], Tensor]
"""A function that gives the sum over all processes that share the pictures out, each of which descends in its own
rows."""


def here(value: Tensor) -> Tensor:
    return value


def inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())


class Unit:
    """A unit for gradients: it scales them to about 1, so that no weight of a term makes their squares over- or
    underflow.

    It is taken from the first gradient that is neither 0 nor infinite, and is a power of two, which rounds nothing.
    """

    def __init__(self, add: Add):
        self.factor, self._found, self._add = 1.0, False, add

    def apply(self, loss: Tensor, gradient: Tensor) -> tuple[float, float]:
        """Scale the gradient in place; give the loss and the gradient's square, for which the device is waited for."""
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
