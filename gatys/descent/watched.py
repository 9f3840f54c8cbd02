"""A watched descent: it is shaken where it stands still, and tells when it has arrived."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from .protocol import Descent
from .state import State, count, number, read_count, read_finite, read_number, read_picture

WINDOW = 10
"""The number of evaluations over which the fall of the loss is looked at."""
STANDSTILL = 1e-5
"""The share of the loss by which a descent falls in a window at least, or it stands still."""
AFTER_A_SHAKE = 3
"""The windows that a shaken descent gets to come below where it was."""
SHAKES = 2
"""Shakes in a row that led nowhere, after which there is nothing left to find."""


class Watched:
    """The descent of one picture, whose lowest losses of the last evaluations are remembered.

    Where they hardly fall, the optimiser begins anew at the best picture with a little noise on it: that leaves saddles, such
    as flat pictures, and histories that mislead. The best picture is kept throughout.

    Args:
        image: (1, 3, H, W) in [0, 1], where to start.
        make: gives the descent of a picture.
        shake: gives a picture with noise on it, from the picture and the number of the shake.
        flat: tells whether a picture is of one colour, where a small fall is no arrival.
        tolerance: the share of the loss by which it falls in a window at least, or the descent has arrived; 0 for never.
        window: the number of evaluations in a window.
        two_losses: whether `tell` is given two losses, of which the second says which picture is the best.
    """

    def __init__(
        self,
        image: Tensor,
        *,
        make: Callable[[Tensor], Descent],
        shake: Callable[[Tensor, int], Tensor],
        flat: Callable[[Tensor], bool],
        tolerance: float,
        window: int = WINDOW,
        two_losses: bool = False,
    ):
        self._make, self._shake, self._flat = make, shake, flat
        self._tolerance, self._window, self._two = tolerance, window, two_losses
        self._descent = make(image)
        self._kept = image if two_losses else None  # where the descent's own best is not the best
        self._trail: list[float] = []  # lowest losses, since the start or the last shake
        self._lowest, self._mark, self._earlier_setbacks = math.inf, math.inf, 0
        self.stalls, self._in_vain, self.arrived = 0, 0, False

    @property
    def best(self) -> Tensor:
        return self._descent.best if self._kept is None else self._kept

    @property
    def setbacks(self) -> int:
        return self._earlier_setbacks + self._descent.setbacks

    def ask(self) -> Tensor:
        return self._descent.ask()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Tell the loss as `Descent.tell` does; of two, (1, 2), the descent goes by the first, whose gradient this is."""
        asked = self._descent.ask() if self._two else None
        value = float(loss.reshape(-1)[-1])
        by = loss[:, 0] if self._two else loss
        lower = value < self._lowest and bool(torch.isfinite(by))  # NaN is not lower
        self._descent.tell(by, gradient)
        if lower:
            self._kept, self._lowest = asked, value
            if value < self._mark - STANDSTILL * abs(self._mark):
                self._in_vain = 0
        if math.isfinite(value) and math.isfinite(self._lowest) and not self.arrived:
            self._look()

    def lighter(self) -> Watched:
        self._descent = self._descent.lighter()
        return self

    def state(self) -> dict[str, Tensor]:
        own = {"stalls": count(self.stalls), "in_vain": count(self._in_vain), "arrived": count(int(self.arrived))}
        own |= {"earlier_setbacks": count(self._earlier_setbacks)}
        own |= {"trail": torch.tensor(self._trail, dtype=torch.float64)}
        numbers = {"lowest": self._lowest, "mark": self._mark}
        own |= {name: number(value) for name, value in numbers.items() if math.isfinite(value)}
        own |= {} if self._kept is None else {"kept": self._kept}
        return {f"watched.{name}": tensor for name, tensor in own.items()} | self._descent.state()

    def restore(self, state: State) -> None:
        own = {name.removeprefix("watched."): tensor for name, tensor in state.items() if name.startswith("watched.")}
        like = self._descent.best
        self._kept = read_picture(own, "kept", like) if "kept" in own or self._two else None
        self._lowest, self._mark = (read_number(own, n) if n in own else math.inf for n in ("lowest", "mark"))
        self.stalls, self._in_vain, self._earlier_setbacks, arrived = (
            read_count(own, name) for name in ("stalls", "in_vain", "earlier_setbacks", "arrived")
        )
        self.arrived = bool(arrived)
        length = own["trail"].numel() if "trail" in own else 0
        if length > self._most:
            raise InputError(f"state: expected at most {self._most} losses in 'trail', got {length}")
        self._trail = read_finite(own, "trail", (length,), torch.float64).tolist()
        self._descent.restore({name: tensor for name, tensor in state.items() if not name.startswith("watched.")})

    @property
    def _most(self) -> int:
        return AFTER_A_SHAKE * self._window + 1

    def _look(self) -> None:
        """Look at the last losses: go on, begin anew with noise, or be done."""
        self._trail = [*self._trail, self._lowest][-self._most :]
        if self._lowest == 0:
            self.arrived = self._tolerance > 0
        elif self._stands_still():
            if self._in_vain < SHAKES or self._tolerance == 0:
                self._begin_anew()
            else:
                self.arrived = True
        elif self._slows_down():
            if self._flat(self.best):
                self._begin_anew()
            else:
                self.arrived = True

    def _fall(self, evaluations: int, until: int = 0) -> float:
        """Give the share by which the loss fell in so many evaluations, the last but for `until`."""
        before, after = self._trail[-1 - until - evaluations], self._trail[-1 - until]
        return (before - after) / abs(before)

    def _stands_still(self) -> bool:
        patience = self._window * (AFTER_A_SHAKE if self._in_vain else 1)
        return len(self._trail) > patience and self._fall(patience) < STANDSTILL

    def _slows_down(self) -> bool:
        """Tell whether the loss has fallen by less than the tolerance in a window, and in its second half by no more
        than in its first, as it does when a saddle is left.
        """
        if len(self._trail) <= self._window or self._in_vain:
            return False
        half = self._window // 2
        return self._fall(self._window) < self._tolerance and self._fall(half) <= self._fall(half, half)

    def _begin_anew(self) -> None:
        self._kept = best = self.best
        self._mark = self._lowest
        self._earlier_setbacks += self._descent.setbacks
        self.stalls += 1
        self._in_vain += 1
        self._trail = []
        del self._descent  # its memory goes first
        self._descent = self._make(self._shake(best, self.stalls))
