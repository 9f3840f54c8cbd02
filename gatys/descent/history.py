"""What L-BFGS remembers: the last steps s and the changes y of the gradient over them.

The two-loop recursion (Nocedal and Wright, *Numerical Optimization*, algorithm 7.4) gives a sum of these and of the
gradient, whose coefficients follow from inner products alone (Chen, Wang and Zhou, *Large-scale L-BFGS using MapReduce*,
NIPS 2014). So a step reads all pairs at once, not one after the other, and waits once for a device, or for other processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..objective.losses import largest
from .protocol import Add, inner
from .state import State, count, read_count, read_finite, read_tensor


class History:
    """Pairs of one picture and their inner products, in float64.

    Args:
        size: pairs that are kept; each is two pictures of memory.
        like: a picture, (1, 3, H, W).
        device: where pairs are kept; from elsewhere than the picture they come one at a time.
        dtype: what they are kept in; in another than the picture's each is scaled, so that float16 is enough.
        add: where processes share the picture out.
    """

    def __init__(self, size: int, like: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._size, self._add = size, add
        near = device == like.device and dtype == like.dtype
        self._rows: _Near | _Far = _Near(size, like) if near else _Far(like, device, dtype, add)
        self._products = np.zeros((2, 0, 0))
        """<s_i, y_j> and <y_i, y_j>, oldest first."""
        self._along: tuple[Tensor, np.ndarray] | None = None
        """A vector and its products with all s and y."""

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        self._rows.clear()
        self._products, self._along = np.zeros((2, 0, 0)), None

    def append(self, step: Tensor, change: Tensor, vector: Tensor) -> tuple[float, float, float]:
        """Remember a pair; `vector` is what `direction` will be asked for.

        Returns:
            <s, y>, <y, y> and <s, s>. Where the first is too small to divide by, `pop` is called before all else.
        """
        if len(self) == self._size:
            self._rows.drop(0)
            self._products = self._products[:, 1:, 1:]
        self._rows.append(step, change)
        found = self._inner([step, change, vector])
        self._along = vector, found[:, :, 2]
        k = len(self)
        products = np.zeros((2, k, k))
        products[:, :-1, :-1] = self._products
        products[0, :, -1], products[0, -1, :] = found[0, :, 1], found[1, :, 0]
        products[1, :, -1] = products[1, -1, :] = found[1, :, 1]
        self._products = products
        return found[0, -1, 1], found[1, -1, 1], found[0, -1, 0]

    def pop(self) -> None:
        """Forget the last pair."""
        self._rows.drop(len(self) - 1)
        self._products = self._products[:, :-1, :-1]
        if self._along is not None:
            self._along = self._along[0], self._along[1][:, :-1]

    def direction(self, vector: Tensor, gamma: float) -> Tensor:
        """H v for the inverse Hessian that begins as gamma times the identity, in a tensor of its own."""
        if not len(self):
            return vector * gamma
        if self._along is None or self._along[0] is not vector:
            self._along = vector, self._inner([vector])[:, :, 0]
        (sy, yy), (sv, yv), self._along = self._products, self._along[1], None
        a, b = np.zeros(len(self)), np.zeros(len(self))
        with np.errstate(all="ignore"):  # whoever takes the direction sees by its slope that it is none
            rho = 1 / sy.diagonal()
            for i in reversed(range(len(self))):
                a[i] = rho[i] * (sv[i] - sy[i] @ a)
            for i in range(len(self)):  # b holds the coefficients of the steps before
                b[i] = a[i] - rho[i] * (gamma * (yv[i] - yy[i] @ a) + sy[:, i] @ b)
        return self._rows.combine(vector, gamma, b, -gamma * a)

    def _inner(self, vectors: Sequence[Tensor]) -> np.ndarray:
        """Of all s (0) and y (1), oldest first, with some vectors, for which the device is waited for."""
        return np.array(self._add(self._rows.inner(vectors)).tolist()).reshape(-1, 2, len(vectors)).swapaxes(0, 1)

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """s and y, oldest first; not to be written to."""
        return [tuple(self._rows.pair(index)) for index in range(len(self))]

    def state(self) -> dict[str, Tensor]:
        state = {"pairs": count(len(self)), "products": torch.from_numpy(self._products.copy())}
        state |= {"slots": torch.tensor(self._rows.slots, dtype=torch.long)}
        for index in range(len(self)):
            state |= self._rows.state(index)
        return state

    def restore(self, state: State) -> None:
        self.clear()
        k = read_count(state, "pairs")
        slots = read_tensor(state, "slots", (k,), torch.long).tolist()
        if len(set(slots)) < k or not set(slots) <= set(range(self._size)):
            raise InputError(f"state: expected 'slots' to be different ones of {self._size}, got {slots}")
        for index, slot in enumerate(slots):
            self._rows.restore(state, index, slot)
        self._products = read_finite(state, "products", (2, k, k), torch.float64).numpy().copy()


class _Near:
    """Pairs as rows of one matrix, beside the picture: s of a slot, and then its y."""

    def __init__(self, size: int, like: Tensor):
        self._size, self._like = size, like
        self.slots: list[int] = []
        """Oldest first; sums depend on their order in the last bits."""
        self._matrix: Tensor | None = None

    def __len__(self) -> int:
        return len(self.slots)

    def clear(self) -> None:
        self.slots.clear()

    def append(self, step: Tensor, change: Tensor, slot: int | None = None) -> None:
        if self._matrix is None:  # only now: a device that is full then is dealt with
            self._matrix = self._like.new_zeros(2 * self._size, self._like.numel())
        if slot is None:
            slot = next(slot for slot in range(self._size) if slot not in self.slots)
        self.slots.append(slot)
        for row, value in zip(self._matrix[2 * slot : 2 * slot + 2], (step, change), strict=True):
            row.copy_(value.flatten())

    def drop(self, index: int) -> None:
        slot = self.slots.pop(index)
        if index == len(self.slots):  # the last one may be dropped for numbers that would spoil the sums, even times 0
            self._matrix[2 * slot : 2 * slot + 2].zero_()

    def _used(self) -> tuple[Tensor, int]:
        """The rows up to the last slot in use, and the number of slots."""
        slots = max(self.slots) + 1
        return self._matrix[: 2 * slots], slots

    def inner(self, vectors: Sequence[Tensor]) -> Tensor:
        rows, slots = self._used()
        found = torch.stack([rows @ vector.flatten() for vector in vectors], dim=1).view(slots, 2, -1)
        return found if self.slots == list(range(slots)) else found[self.slots]

    def combine(self, vector: Tensor, factor: float, of_steps: np.ndarray, of_changes: np.ndarray) -> Tensor:
        rows, slots = self._used()
        coefficients = np.zeros((slots, 2))
        coefficients[self.slots] = np.stack([of_steps, of_changes], axis=1)
        coefficients = torch.from_numpy(coefficients.flatten()).to(rows.dtype).to(rows.device)
        return torch.addmv(vector.flatten(), rows.T, coefficients, beta=factor).view_as(vector)

    def pair(self, index: int) -> list[Tensor]:
        slot = self.slots[index]
        return [row.view_as(self._like) for row in self._matrix[2 * slot : 2 * slot + 2]]

    def state(self, index: int) -> dict[str, Tensor]:
        return dict(zip(_names(index), self.pair(index), strict=True))

    def restore(self, state: State, index: int, slot: int) -> None:
        shape = tuple(self._like.shape)
        self.append(*(read_finite(state, name, shape, self._like.dtype) for name in _names(index)), slot)


class _Far:
    """Pairs elsewhere, or in another dtype, which come to the picture one tensor at a time."""

    def __init__(self, like: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._how = like.new_empty(0), device, dtype, add
        self._shape = tuple(like.shape)
        self._pairs: list[tuple[_Kept, _Kept]] = []

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        self._pairs.clear()

    @property
    def slots(self) -> list[int]:
        return list(range(len(self)))

    def append(self, step: Tensor, change: Tensor) -> None:
        self._pairs.append(tuple(_Kept(tensor, *self._how) for tensor in (step, change)))

    def drop(self, index: int) -> None:
        del self._pairs[index]

    def inner(self, vectors: Sequence[Tensor]) -> Tensor:
        found = []
        for kept in (kept for pair in self._pairs for kept in pair):
            whole = kept.whole()
            found += [inner(whole, vector) for vector in vectors]
        return torch.stack(found).view(len(self), 2, len(vectors))

    def combine(self, vector: Tensor, factor: float, of_steps: np.ndarray, of_changes: np.ndarray) -> Tensor:
        total = vector * factor
        factors = torch.from_numpy(np.stack([of_steps, of_changes], axis=1)).to(vector.dtype).tolist()
        for pair, of_pair in zip(self._pairs, factors, strict=True):
            for kept, each in zip(pair, of_pair, strict=True):
                total.add_(kept.whole(), alpha=each)
        return total

    def pair(self, index: int) -> list[Tensor]:
        return [kept.whole() for kept in self._pairs[index]]

    def state(self, index: int) -> dict[str, Tensor]:
        step, change = (kept.state(name) for kept, name in zip(self._pairs[index], _names(index), strict=True))
        return step | change

    def restore(self, state: State, index: int, slot: int) -> None:
        self._pairs.append(tuple(_Kept.restored(state, name, self._shape, *self._how) for name in _names(index)))


class _Kept:
    """A tensor put away on a device and in a dtype, scaled to a largest value of 1 where that is not its own."""

    def __init__(self, tensor: Tensor, like: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._like, self._scale = like, None
        if dtype != like.dtype:
            self._scale = add(largest(tensor)).clamp(min=torch.finfo(tensor.dtype).tiny)
            tensor = (tensor / self._scale).to(dtype)
        self._tensor = tensor.to(device)

    def state(self, name: str) -> dict[str, Tensor]:
        return {name: self._tensor} | ({} if self._scale is None else {f"{name}.scale": self._scale})

    @classmethod
    def restored(
        cls,
        state: State,
        name: str,
        shape: tuple[int, ...],
        like: Tensor,
        device: torch.device,
        dtype: torch.dtype,
        _: Add,
    ) -> _Kept:
        kept = cls.__new__(cls)
        kept._like, kept._scale = like, None
        kept._tensor = read_finite(state, name, shape, dtype).to(device)
        if dtype != like.dtype:
            kept._scale = read_finite(state, f"{name}.scale", (), like.dtype).to(like.device)
        return kept

    def whole(self) -> Tensor:
        """As it was, up to rounding; not to be written to."""
        tensor = self._tensor.to(self._like)
        return tensor if self._scale is None else tensor.mul_(self._scale)


def _names(index: int) -> tuple[str, str]:
    return f"pair{index}.step", f"pair{index}.change"
