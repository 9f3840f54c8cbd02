"""A descent that goes by one loss and keeps the picture that is best by another."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .protocol import Descent
from .state import State, number, read_number, read_picture


class Kept:
    """The descent of one picture on a loss whose kinks are rounded off; `best` is the picture lowest by the loss with
    kinks.

    Args:
        image: (1, 3, H, W) in [0, 1], where to start.
        make: gives the descent of a picture.
    """

    def __init__(self, image: Tensor, make: Callable[[Tensor], Descent]):
        self.best = image
        self._descent, self._lowest = make(image), math.inf

    @property
    def setbacks(self) -> int:
        return self._descent.setbacks

    def ask(self) -> Tensor:
        return self._descent.ask()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Tell the loss as `Descent.tell` does; it is (1, 2): the one to go by, whose gradient this is, and the one to
        keep by.
        """
        asked = self._descent.ask()
        by, value = loss[:, 0], float(loss[0, 1])
        if value < self._lowest and bool(torch.isfinite(by)):  # NaN is not lower
            self.best, self._lowest = asked, value
        self._descent.tell(by, gradient)

    def lighter(self) -> Kept:
        self._descent = self._descent.lighter()
        return self

    def state(self) -> dict[str, Tensor]:
        told = {} if math.isinf(self._lowest) else {"lowest": number(self._lowest)}
        return self._descent.state() | {"kept": self.best} | told

    def restore(self, state: State) -> None:
        self.best = read_picture(state, "kept", self.best)
        self._lowest = read_number(state, "lowest") if "lowest" in state else math.inf
        self._descent.restore({name: tensor for name, tensor in state.items() if name not in ("kept", "lowest")})
