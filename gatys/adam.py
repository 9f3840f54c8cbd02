"""Adam in the box [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from .descent import Add, Unit, here, per_picture
from .memory import OutOfMemory
from .state import State, count, read_count, read_finite, read_picture

ROUGHLY_RISING = 10.0
"""A loss this many times the best one counts as divergence."""


class Adam:
    """Adam (Kingma and Ba, 2015), its pictures clipped to [0, 1] after each step, the best ones kept.

    Args:
        image: (N, 3, H, W) in [0, 1], where to start.
        learning_rate: about the change of a pixel in one step, in units of the [0, 1] range.
        add: as for `LBFGS`.
    """

    _MOMENTS = ("exp_avg", "exp_avg_sq")

    def __init__(self, image: Tensor, *, learning_rate: float = 0.02, add: Add = here):
        self.best = image
        self.setbacks = 0
        self._best_loss: Tensor | None = None
        self._image = image.clone()
        self._unit = Unit(add)
        # no pixel's step depends on how large its gradient is, however small beside the largest, which is about 1
        self._adam = torch.optim.Adam([self._image], lr=learning_rate, betas=(0.9, 0.99), eps=1e-15)

    def ask(self) -> Tensor:
        return self._image.clone()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        finite = self._unit.apply(loss, gradient)
        if self._best_loss is None:
            if not finite.all():
                self.setbacks += int((~finite).sum())
                return
            self._best_loss = loss
        else:
            better = finite & (loss < self._best_loss)
            self.best = torch.where(per_picture(better), self._image, self.best)
            self._best_loss = torch.where(better, loss, self._best_loss)
        lost = ~finite | (loss > ROUGHLY_RISING * self._best_loss)
        self._image.grad = torch.where(per_picture(lost), 0, gradient)
        if lost.any():
            self._roll_back(lost)
        self._adam.step()
        self._image.clamp_(0, 1)

    def lighter(self) -> Adam:
        raise OutOfMemory("out of memory for adam, which remembers no steps; make the picture smaller")

    def state(self) -> dict[str, Tensor]:
        state = {"best": self.best, "image": self._image, "setbacks": count(self.setbacks)}
        state["learning_rate"] = torch.tensor(self._adam.param_groups[0]["lr"], dtype=torch.float64)
        if self._best_loss is not None:
            state |= {"loss": self._best_loss} | {name: self._adam.state[self._image][name] for name in self._MOMENTS}
            state |= {"step": count(int(self._adam.state[self._image]["step"]))} | self._unit.state()
        return state

    def restore(self, state: State) -> None:
        like = self.best
        self.best = read_picture(state, "best", like)
        self._image.copy_(read_picture(state, "image", like))
        self.setbacks = read_count(state, "setbacks")
        self._adam.param_groups[0]["lr"] = float(read_finite(state, "learning_rate", (), torch.float64))
        self._best_loss = None
        self._adam.state.clear()
        if "loss" not in state:
            return
        self._best_loss = read_finite(state, "loss", (like.shape[0],)).to(like.device)
        own = {name: read_finite(state, name, tuple(like.shape), like.dtype).to(like.device) for name in self._MOMENTS}
        own["step"] = torch.tensor(float(read_count(state, "step")))  # as PyTorch makes it
        self._unit.restore(state)
        self._adam.state[self._image] = own

    def _roll_back(self, lost: Tensor) -> None:
        self.setbacks += int(lost.sum())
        self._image.copy_(torch.where(per_picture(lost), self.best, self._image))
        for moment in self._MOMENTS:
            state = self._adam.state[self._image].get(moment)
            if state is not None:
                state.mul_(~per_picture(lost))
        for group in self._adam.param_groups:
            group["lr"] = min(group["lr"], 1.0) / 2  # above 1, pixels jump from bound to bound
