"""The Adam optimiser in the box [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import OutOfMemory
from .protocol import Add, Unit, here
from .state import State, count, number, read_count, read_finite, read_number, read_picture

ROUGHLY_RISING = 10.0
"""A loss this many times the best one counts as divergence."""


class Adam:
    """Adam (Kingma and Ba, 2015), with its picture clipped to [0, 1] after each step and the best one kept.

    Args:
        image: (1, 3, H, W) in [0, 1], where to start.
        learning_rate: about the change of a pixel in one step, in units of the [0, 1] range.
        add: as for `LBFGS`.
    """

    _MOMENTS = ("exp_avg", "exp_avg_sq")

    def __init__(self, image: Tensor, *, learning_rate: float = 0.02, add: Add = here):
        self.best = image
        self.setbacks = 0
        self._best_loss: float | None = None
        self._image = image.clone()
        self._unit = Unit(add)
        # no pixel's step depends on how large its gradient is, however small beside the largest, which is about 1
        self._adam = torch.optim.Adam([self._image], lr=learning_rate, betas=(0.9, 0.99), eps=1e-15)

    def ask(self) -> Tensor:
        return self._image.clone()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        value, squares = self._unit.apply(loss, gradient)
        finite = math.isfinite(value) and math.isfinite(squares)
        if self._best_loss is None:
            if not finite:
                self.setbacks += 1
                return
            self._best_loss = value
        elif finite and value < self._best_loss:
            self.best, self._best_loss = self._image.clone(), value
        lost = not finite or value > ROUGHLY_RISING * self._best_loss
        self._image.grad = gradient.zero_() if lost else gradient
        if lost:
            self._roll_back()
        self._adam.step()
        self._image.clamp_(0, 1)

    def lighter(self) -> Adam:
        raise OutOfMemory("out of memory for adam, which remembers no steps; make the picture smaller")

    def state(self) -> dict[str, Tensor]:
        state = {"best": self.best, "image": self._image, "setbacks": count(self.setbacks)}
        state["learning_rate"] = number(self._adam.param_groups[0]["lr"])
        if self._best_loss is not None:
            state |= {name: self._adam.state[self._image][name] for name in self._MOMENTS} | self._unit.state()
            state |= {"loss": number(self._best_loss), "step": count(int(self._adam.state[self._image]["step"]))}
        return state

    def restore(self, state: State) -> None:
        like = self.best
        self.best = read_picture(state, "best", like)
        self._image.copy_(read_picture(state, "image", like))
        self.setbacks = read_count(state, "setbacks")
        self._adam.param_groups[0]["lr"] = read_number(state, "learning_rate")
        self._best_loss = None
        self._adam.state.clear()
        if "loss" not in state:
            return
        self._best_loss = read_number(state, "loss")
        own = {name: read_finite(state, name, tuple(like.shape), like.dtype).to(like.device) for name in self._MOMENTS}
        own["step"] = torch.tensor(float(read_count(state, "step")))  # PyTorch makes it so
        self._unit.restore(state)
        self._adam.state[self._image] = own

    def _roll_back(self) -> None:
        self.setbacks += 1
        self._image.copy_(self.best)
        for moment in self._MOMENTS:
            state = self._adam.state[self._image].get(moment)
            if state is not None:
                state.zero_()
        for group in self._adam.param_groups:
            group["lr"] = min(group["lr"], 1.0) / 2  # above 1, pixels jump from bound to bound
