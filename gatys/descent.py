"""Descent methods that ask for one picture to be evaluated and are told its loss and gradient.

Each picture of a batch descends on its own: inner products, steps and setbacks are per picture. Every picture
asked for lies in [0, 1], so the best one seen is the result as it stands. Where a loss or a gradient is not finite,
the descent goes on from the best picture; where that was the first, it asks for it again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from .memory import OutOfMemory
from .state import State, count, read_count, read_finite, read_picture, read_tensor

ROUGHLY_RISING = 10.0
"""A loss this many times the best one counts as divergence."""


class Descent(Protocol):
    """The loop is `descent.tell(*evaluate(descent.ask()))`; `best` may be read at any time."""

    best: Tensor
    """(N, 3, H, W): the best pictures seen."""
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


def _here(value: Tensor) -> Tensor:
    return value


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def _each(value: Tensor) -> Tensor:
    """(N,) shaped to scale (N, 3, H, W)."""
    return value.reshape(-1, 1, 1, 1)


def _largest(values: Tensor) -> Tensor:
    """The largest absolute value, 0 of none. Of several processes the sum of theirs does as well for a scale."""
    return values.abs().amax() if values.numel() else values.new_zeros(())


class _Unit:
    """Brings a descent's gradients to about 1, so that no weight of a term makes their squares over- or underflow.

    It is that of the first gradient that is neither 0 nor infinite; a power of two, which rounds nothing.
    """

    def __init__(self, add: Add):
        self.factor, self._found, self._add = 1.0, False, add

    def apply(self, loss: Tensor, gradient: Tensor) -> Tensor:
        """Scale the gradient in place; whether it and the loss, (N,), are of use."""
        if not self._found:
            size = float(self._add(_largest(gradient)))
            self._found = 0 < size < math.inf
            if self._found:
                self.factor = 2.0 ** -min(max(math.frexp(size)[1], -120), 120)
        gradient.mul_(self.factor)
        return torch.isfinite(loss) & torch.isfinite(self._add(_dot(gradient, gradient)))

    def state(self) -> dict[str, Tensor]:
        return {"unit": torch.tensor(self.factor if self._found else 0.0, dtype=torch.float64)}

    def restore(self, state: State) -> None:
        factor = float(read_finite(state, "unit", (), torch.float64))
        self._found = factor > 0
        self.factor = factor if self._found else 1.0


class _Kept:
    """A tensor put away on a device and in a dtype, scaled to a largest value of 1 where that is not its own."""

    def __init__(self, tensor: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._like, self._scale = tensor.new_empty(0), None
        if dtype != tensor.dtype:
            self._scale = add(_largest(tensor)).clamp(min=torch.finfo(tensor.dtype).tiny)
            tensor = (tensor / self._scale).to(dtype)
        self._tensor = tensor.to(device)

    def state(self, name: str) -> dict[str, Tensor]:
        return {name: self._tensor} | ({} if self._scale is None else {f"{name}.scale": self._scale})

    @classmethod
    def restored(cls, state: State, name: str, like: Tensor, device: torch.device, dtype: torch.dtype) -> _Kept:
        kept = cls.__new__(cls)
        kept._like, kept._scale = like.new_empty(0), None
        kept._tensor = read_finite(state, name, tuple(like.shape), dtype).to(device)
        if dtype != like.dtype:
            kept._scale = read_finite(state, f"{name}.scale", (), like.dtype).to(like.device)
        return kept

    def whole(self) -> Tensor:
        """As it was, up to rounding; not to be written to."""
        tensor = self._tensor.to(self._like)
        return tensor if self._scale is None else tensor.mul_(self._scale)


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright, *Numerical Optimization*, algorithm 7.4) in the box [0, 1].

    Components at a bound whose gradient points outside are held; the step of the others is clipped to the box
    (two-metric projection, Bertsekas 1982). A full step is tried first; where the loss rises, the step is shortened
    by quadratic interpolation. So the last picture taken is the best one seen.

    Args:
        image: (N, 3, H, W) in [0, 1], where to start.
        history_size: number of (step, change of gradient) pairs kept; each is two pictures of memory.
        first_step: root mean square of the first change of the pixels; more than 1, all of the range, counts as 1.
        history_device: where the pairs are kept; default with the pictures. From elsewhere they come one at a time.
        history_dtype: what they are kept in; default that of the pictures. Each is scaled, so that float16 is enough.
        add: where processes share the pictures out.
    """

    ACCIDENT = 1e3
    """A loss this many times the best one is a setback to tell of, and the history is dropped at once; the search
    shortens lesser ones as a matter of course."""
    PATIENCE = 4
    """Shortened steps in a row after which the history is dropped."""
    _OF_EACH = ("gamma", "length", "slope")

    def __init__(
        self,
        image: Tensor,
        *,
        history_size: int = 10,
        first_step: float = 0.02,
        history_device: torch.device | str | None = None,
        history_dtype: torch.dtype | None = None,
        add: Add = _here,
    ):
        self.best = image
        self._history_device = image.device if history_device is None else torch.device(history_device)
        self.setbacks = 0
        self._trial = image
        self._history_size, self._first_step = history_size, min(first_step, 1.0)
        self._add, self._values = add, int(add(torch.tensor(image[0].numel(), device=image.device)))
        self._loss: Tensor | None = None
        self._unit = _Unit(add)
        self._history_dtype = image.dtype if history_dtype is None else history_dtype
        self._pairs: list[tuple[_Kept, _Kept, Tensor]] = []  # s, y, 1 / <s, y> or 0 where the pair is not valid

    def ask(self) -> Tensor:
        return self._trial

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        finite = self._unit.apply(loss, gradient)
        if self._loss is None:
            if not finite.all():
                self.setbacks += int((~finite).sum())
                return
            self._loss, self._gradient = loss, gradient
            self._failures = torch.zeros_like(loss, dtype=torch.long)
            self._gamma = self._steepest(gradient)
            self._length = torch.ones_like(loss)
            self._turn()
            return
        step = self._trial - self.best
        accepted = finite & (loss <= self._loss)
        accident = ~finite | (loss > self.ACCIDENT * self._loss)
        self._failures = torch.where(accident, self._failures.clamp(min=self.PATIENCE), self._failures)
        # one wait for the device, not three
        accidents, moving = torch.stack([accident.sum(), accepted.sum()]).tolist()
        self.setbacks += accidents
        stuck = torch.zeros_like(accepted)
        if moving:
            stuck = self._accept(accepted, step, loss, gradient, everyone=moving == len(accepted))
        lost = self._shorten(~accepted, torch.where(finite, loss, torch.inf))
        self._forget(lost | stuck)
        self._turn()

    def lighter(self) -> LBFGS:
        if self._history_size == 1:
            raise OutOfMemory(
                "out of memory for L-BFGS even with a single step remembered; use adam or a smaller picture"
            )
        how = {"history_device": self._history_device, "history_dtype": self._history_dtype}
        how |= {"history_size": self._history_size // 2, "add": self._add}
        fresh = LBFGS(self.best, first_step=self._first_step, **how)
        fresh.setbacks = self.setbacks
        self._pairs.clear()
        return fresh

    def state(self) -> dict[str, Tensor]:
        state = {"best": self.best, "trial": self._trial}
        state |= {"setbacks": count(self.setbacks), "history_size": count(self._history_size)}
        if self._loss is not None:
            state |= {"loss": self._loss, "gradient": self._gradient, "failures": self._failures}
            state |= {name: getattr(self, f"_{name}") for name in self._OF_EACH} | self._unit.state()
        for index, (step, change, rho) in enumerate(self._pairs):
            state |= step.state(f"pair{index}.step") | change.state(f"pair{index}.change") | {f"pair{index}.rho": rho}
        return state

    def restore(self, state: State) -> None:
        like, each = self.best, (self.best.shape[0],)
        self.best, self._trial = (read_picture(state, name, like) for name in ("best", "trial"))
        self.setbacks = read_count(state, "setbacks")
        self._history_size = read_count(state, "history_size", least=1)
        self._loss, self._pairs = None, []
        if "loss" not in state:
            return
        self._loss = read_finite(state, "loss", each).to(like.device)
        self._gradient = read_finite(state, "gradient", tuple(like.shape), like.dtype).to(like.device)
        self._failures = read_tensor(state, "failures", each, torch.long).to(like.device)
        self._unit.restore(state)
        for name in self._OF_EACH:
            setattr(self, f"_{name}", read_tensor(state, name, each).to(like.device))
        where = {"like": like, "device": self._history_device, "dtype": self._history_dtype}
        for name in itertools.takewhile(lambda name: f"{name}.rho" in state, map("pair{}".format, itertools.count())):
            pair = (_Kept.restored(state, f"{name}.{which}", **where) for which in ("step", "change"))
            self._pairs.append((*pair, read_tensor(state, f"{name}.rho", each).to(like.device)))

    def _steepest(self, gradient: Tensor) -> Tensor:
        """The scale that makes a steepest descent step change the pixels by `first_step`."""
        mean_square = self._add(gradient.square().sum(dim=(1, 2, 3))) / self._values
        return self._first_step / mean_square.sqrt().clamp(min=torch.finfo(gradient.dtype).tiny)

    def _dot(self, a: Tensor, b: Tensor) -> Tensor:
        return self._add(_dot(a, b))

    def _accept(self, accepted: Tensor, step: Tensor, loss: Tensor, gradient: Tensor, *, everyone: bool) -> Tensor:
        """Take the steps that are accepted; which of them led nowhere, and would do so again."""
        if everyone:
            change = self._gradient.neg_().add_(gradient)  # pictures may be large: no copy that can be spared
        else:
            step = torch.where(_each(accepted), step, 0)
            change = torch.where(_each(accepted), gradient - self._gradient, 0)
        curvature, size, moved = self._dot(step, change), self._dot(change, change), self._dot(step, step)
        valid = accepted & (curvature > 1e-8 * size.sqrt() * moved.sqrt())
        self._gamma = torch.where(valid, curvature / size, self._gamma)
        pair = (_Kept(t, self._history_device, self._history_dtype, self._add) for t in (step, change))
        self._pairs.append((*pair, torch.where(valid, 1 / curvature, 0)))
        del self._pairs[: -self._history_size]
        self.best = self._trial if everyone else torch.where(_each(accepted), self._trial, self.best)
        self._loss = torch.where(accepted, loss, self._loss)
        self._gradient = gradient if everyone else torch.where(_each(accepted), gradient, self._gradient)
        self._length = torch.where(accepted, 1.0, self._length)
        self._failures = torch.where(accepted, 0, self._failures)
        return accepted & (moved == 0)

    def _shorten(self, refused: Tensor, loss: Tensor) -> Tensor:
        """Shorten steps to the minimum of the parabola through both losses and the slope, between a tenth and a half.

        Which have been shortened too often.
        """
        fitted = -self._slope / (2 * (loss - self._loss - self._slope)).clamp(min=torch.finfo(loss.dtype).tiny)
        self._length = torch.where(refused, self._length * fitted.nan_to_num(0.1).clamp(0.1, 0.5), self._length)
        self._failures = self._failures + refused
        return self._failures > self.PATIENCE

    def _forget(self, lost: Tensor) -> None:
        """Drop the history of some pictures, and go down their gradient, the shorter the more often that failed."""
        if lost.any():
            self._pairs = [(s, y, torch.where(lost, 0, rho)) for s, y, rho in self._pairs]
            shorter = 0.1 ** (self._failures - self.PATIENCE).clamp(min=0)
            self._gamma = torch.where(lost, self._steepest(self._gradient) * shorter, self._gamma)
            self._length = torch.where(lost, 1.0, self._length)

    def _turn(self) -> None:
        """Choose the next picture to try from the gradient and the history."""
        free = ~((self.best <= 0) & (self._gradient > 0) | (self.best >= 1) & (self._gradient < 0))
        q = self._gradient * free
        scales = []
        for s, y, rho in reversed(self._pairs):
            a = rho * self._dot(s.whole(), q)
            q.addcmul_(y.whole(), _each(a), value=-1)
            scales.append(a)
        q.mul_(_each(self._gamma))
        for (s, y, rho), a in zip(self._pairs, reversed(scales), strict=True):
            q.addcmul_(s.whole(), _each(a - rho * self._dot(y.whole(), q)))
        q.mul_(free).mul_(_each(-self._length)).add_(self.best)
        self._trial = q.clamp_(0, 1)
        self._slope = self._dot(self._gradient, self._trial - self.best) / self._unit.factor
        uphill = ~(self._slope < 0)  # or NaN, from a history that overflowed
        if uphill.any():
            steepest = (self.best - _each(self._steepest(self._gradient)) * self._gradient).clamp_(0, 1)
            self._trial = torch.where(_each(uphill), steepest, self._trial)
            self._slope = self._dot(self._gradient, self._trial - self.best) / self._unit.factor


class Adam:
    """Adam (Kingma and Ba, 2015), its pictures clipped to [0, 1] after each step, the best ones kept.

    Args:
        image: (N, 3, H, W) in [0, 1], where to start.
        learning_rate: about the change of a pixel in one step, in units of the [0, 1] range.
        add: as for `LBFGS`.
    """

    _MOMENTS = ("exp_avg", "exp_avg_sq")

    def __init__(self, image: Tensor, *, learning_rate: float = 0.02, add: Add = _here):
        self.best = image
        self.setbacks = 0
        self._best_loss: Tensor | None = None
        self._image = image.clone()
        self._unit = _Unit(add)
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
            self.best = torch.where(_each(better), self._image, self.best)
            self._best_loss = torch.where(better, loss, self._best_loss)
        lost = ~finite | (loss > ROUGHLY_RISING * self._best_loss)
        self._image.grad = torch.where(_each(lost), 0, gradient)
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
        self._image.copy_(torch.where(_each(lost), self.best, self._image))
        for moment in self._MOMENTS:
            state = self._adam.state[self._image].get(moment)
            if state is not None:
                state.mul_(~_each(lost))
        for group in self._adam.param_groups:
            group["lr"] = min(group["lr"], 1.0) / 2  # above 1, pixels jump from bound to bound
