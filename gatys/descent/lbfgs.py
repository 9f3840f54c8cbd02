"""The L-BFGS optimiser in the box [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import OutOfMemory
from .history import History
from .protocol import Add, Unit, here, inner
from .state import State, count, number, read_count, read_finite, read_number, read_picture


class LBFGS:
    """The limited-memory BFGS method (Nocedal and Wright, *Numerical Optimization*, algorithm 7.4) in the box [0, 1].

    Components at a bound whose gradient points outside are held; the step of the others is clipped to the box
    (two-metric projection, Bertsekas 1982). A full step is tried first; where the loss rises, the step is shortened
    by quadratic interpolation. So the last picture taken is the best one seen.

    Args:
        image: (1, 3, H, W) in [0, 1], where to start.
        history_size: number of (step, change of gradient) pairs kept; each is two pictures of memory.
        first_step: root mean square of the first change of the pixels; more than 1, all of the range, counts as 1.
        history_device: where the pairs are kept; default with the pictures. From elsewhere they come one at a time.
        history_dtype: the type they are kept in; default that of the pictures. Each is scaled, so that float16 is
            enough.
        add: the sum over processes that share the pictures out.
    """

    ACCIDENT = 1e3
    """A loss this many times the best one is a setback to tell of, and the history is dropped at once; the search
    shortens lesser ones as a matter of course."""
    PATIENCE = 4
    """Shortened steps in a row after which the history is dropped."""
    _NUMBERS = ("loss", "squares", "gamma", "length", "slope")

    def __init__(
        self,
        image: Tensor,
        *,
        history_size: int = 10,
        first_step: float = 0.02,
        history_device: torch.device | str | None = None,
        history_dtype: torch.dtype | None = None,
        add: Add = here,
    ):
        self.best = image
        self._history_device = image.device if history_device is None else torch.device(history_device)
        self.setbacks = 0
        self._trial = image
        self._history_size, self._first_step = history_size, min(first_step, 1.0)
        self._add, self._values = add, int(add(torch.tensor(image.numel(), device=image.device)))
        self._loss: float | None = None
        self._unit = Unit(add)
        self._history_dtype = image.dtype if history_dtype is None else history_dtype
        self._history = History(history_size, image, self._history_device, self._history_dtype, add)
        self._tiny = torch.finfo(image.dtype).tiny

    def ask(self) -> Tensor:
        return self._trial

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        value, squares = self._unit.apply(loss, gradient)
        finite = math.isfinite(value) and math.isfinite(squares)
        pair: tuple[Tensor, Tensor] | None = None
        if self._loss is None:
            if not finite:
                self.setbacks += 1
                return
            self._loss, self._gradient, self._squares = value, gradient, squares
            self._failures, self._gamma, self._length = 0, self._steepest(), 1.0
        elif finite and value <= self._loss:
            pair = self._trial - self.best, self._gradient.neg_().add_(gradient)  # in place, to spare a copy
            self.best, self._loss, self._gradient, self._squares = self._trial, value, gradient, squares
            self._length, self._failures = 1.0, 0
        else:
            if not finite or value > self.ACCIDENT * self._loss:
                self.setbacks += 1
                self._failures = max(self._failures, self.PATIENCE)
            self._shorten(value if finite else math.inf)
            if self._failures > self.PATIENCE:
                self._forget()
        self._turn(pair)

    def lighter(self) -> LBFGS:
        if self._history_size == 1:
            raise OutOfMemory(
                "out of memory for L-BFGS even with a single step remembered; use adam or a smaller picture"
            )
        fresh = LBFGS(
            self.best,
            first_step=self._first_step,
            history_size=self._history_size // 2,
            history_device=self._history_device,
            history_dtype=self._history_dtype,
            add=self._add,
        )
        fresh.setbacks = self.setbacks
        return fresh

    def state(self) -> dict[str, Tensor]:
        state = {"best": self.best, "trial": self._trial}
        state |= {"setbacks": count(self.setbacks), "history_size": count(self._history_size)}
        if self._loss is not None:
            state |= {"gradient": self._gradient, "failures": count(self._failures)} | self._unit.state()
            state |= {name: number(getattr(self, f"_{name}")) for name in self._NUMBERS}
            state |= self._history.state()
        return state

    def restore(self, state: State) -> None:
        like = self.best
        self.best, self._trial = (read_picture(state, name, like) for name in ("best", "trial"))
        self.setbacks = read_count(state, "setbacks")
        self._history_size = read_count(state, "history_size", least=1)
        self._loss = None
        self._history = History(self._history_size, like, self._history_device, self._history_dtype, self._add)
        if "loss" not in state:
            return
        self._gradient = read_finite(state, "gradient", tuple(like.shape), like.dtype).to(like.device)
        self._failures = read_count(state, "failures")
        self._unit.restore(state)
        for name in self._NUMBERS:
            setattr(self, f"_{name}", read_number(state, name))
        self._history.restore(state)

    def _steepest(self) -> float:
        """Give the scale that makes a steepest descent step change the pixels by `first_step`."""
        return self._first_step / max(math.sqrt(self._squares / self._values), self._tiny)

    def _remember(self, step: Tensor, change: Tensor, gradient: Tensor) -> None:
        curvature, size, moved = self._history.append(step, change, gradient)
        if curvature > max(1e-8 * math.sqrt(size) * math.sqrt(moved), self._tiny):
            self._gamma = curvature / size
        else:
            self._history.pop()
        if not moved > 0:
            self._forget()  # it led nowhere, and would do so again

    def _shorten(self, loss: float) -> None:
        """Shorten the step to the minimum of the parabola through both losses and the slope, between a tenth and a half."""
        assert self._loss is not None  # noqa: S101 (a step is shortened after the first evaluation)
        fitted = -self._slope / max(2 * (loss - self._loss - self._slope), self._tiny)
        self._length *= min(max(fitted, 0.1), 0.5) if math.isfinite(fitted) else 0.1
        self._failures += 1

    def _forget(self) -> None:
        """Drop the history, and go down the gradient, by a shorter step the more often that failed."""
        self._history.clear()
        self._gamma = self._steepest() * 0.1 ** max(self._failures - self.PATIENCE, 0)
        self._length = 1.0

    def _turn(self, pair: tuple[Tensor, Tensor] | None) -> None:
        """Choose the next picture to try from the gradient and the history, with the pair of the step just taken."""
        free = _free(self.best, self._gradient)
        held = self._gradient * free
        if pair is not None:
            self._remember(*pair, held)
        q = self._history.direction(held, self._gamma)
        del held
        self._try(torch.add(self.best, q.mul_(free), alpha=-self._length, out=q))
        if not self._slope < 0:  # it may be NaN, from a history that overflowed
            self._try(torch.add(self.best, self._gradient, alpha=-self._steepest()))

    def _try(self, image: Tensor) -> None:
        self._trial = image.clamp_(0, 1)
        self._slope = float(self._add(inner(self._gradient, self._trial - self.best))) / self._unit.factor


def _free(image: Tensor, gradient: Tensor) -> Tensor:
    """Give 0 for components at a bound whose gradient points outside, and 1 for all others.

    The result is of small integers, which the CPU has fast loops for, as it has not for comparisons.
    """
    inward = gradient.sign().mul_(image - 0.5)  # -0.5 for those at a bound; others are above
    return inward.add_(0.5).bool().view(torch.int8)
