"""L-BFGS in the box [0, 1]."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from .descent import Add, Unit, here, inner, largest, per_picture
from .memory import OutOfMemory
from .state import State, count, read_count, read_finite, read_picture, read_tensor


class _Kept:
    """A tensor put away on a device and in a dtype, scaled to a largest value of 1 where that is not its own."""

    def __init__(self, tensor: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._like, self._scale = tensor.new_empty(0), None
        if dtype != tensor.dtype:
            self._scale = add(largest(tensor)).clamp(min=torch.finfo(tensor.dtype).tiny)
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
        add: Add = here,
    ):
        self.best = image
        self._history_device = image.device if history_device is None else torch.device(history_device)
        self.setbacks = 0
        self._trial = image
        self._history_size, self._first_step = history_size, min(first_step, 1.0)
        self._add, self._values = add, int(add(torch.tensor(image[0].numel(), device=image.device)))
        self._loss: Tensor | None = None
        self._unit = Unit(add)
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
        return self._add(inner(a, b))

    def _accept(self, accepted: Tensor, step: Tensor, loss: Tensor, gradient: Tensor, *, everyone: bool) -> Tensor:
        """Take the steps that are accepted; which of them led nowhere, and would do so again."""
        if everyone:
            change = self._gradient.neg_().add_(gradient)  # pictures may be large: no copy that can be spared
        else:
            step = torch.where(per_picture(accepted), step, 0)
            change = torch.where(per_picture(accepted), gradient - self._gradient, 0)
        curvature, size, moved = self._dot(step, change), self._dot(change, change), self._dot(step, step)
        valid = accepted & (curvature > 1e-8 * size.sqrt() * moved.sqrt())
        self._gamma = torch.where(valid, curvature / size, self._gamma)
        pair = (_Kept(t, self._history_device, self._history_dtype, self._add) for t in (step, change))
        self._pairs.append((*pair, torch.where(valid, 1 / curvature, 0)))
        del self._pairs[: -self._history_size]
        self.best = self._trial if everyone else torch.where(per_picture(accepted), self._trial, self.best)
        self._loss = torch.where(accepted, loss, self._loss)
        self._gradient = gradient if everyone else torch.where(per_picture(accepted), gradient, self._gradient)
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
        free = _free(self.best, self._gradient)
        q = self._gradient * free
        scales = []
        for s, y, rho in reversed(self._pairs):
            a = rho * self._dot(s.whole(), q)
            q.addcmul_(y.whole(), per_picture(a), value=-1)
            scales.append(a)
        q.mul_(per_picture(self._gamma))
        for (s, y, rho), a in zip(self._pairs, reversed(scales), strict=True):
            q.addcmul_(s.whole(), per_picture(a - rho * self._dot(y.whole(), q)))
        self._trial = torch.addcmul(self.best, q.mul_(free), per_picture(-self._length), out=q).clamp_(0, 1)
        self._slope = self._dot(self._gradient, self._trial - self.best) / self._unit.factor
        uphill = ~(self._slope < 0)  # or NaN, from a history that overflowed
        if uphill.any():
            steepest = (self.best - per_picture(self._steepest(self._gradient)) * self._gradient).clamp_(0, 1)
            self._trial = torch.where(per_picture(uphill), steepest, self._trial)
            self._slope = self._dot(self._gradient, self._trial - self.best) / self._unit.factor


def _free(image: Tensor, gradient: Tensor) -> Tensor:
    """0 for components at a bound whose gradient points outside, 1 for all others.

    In small integers, which the CPU has fast loops for, as it has not for comparisons.
    """
    inward = gradient.sign().mul_(image - 0.5)  # -0.5 for those at a bound; others are above
    return inward.add_(0.5).bool().view(torch.int8)
