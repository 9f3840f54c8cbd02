"""The memory of L-BFGS: the last steps s and the changes y of the gradient over them.

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
from .state import State, count, read_count, read_finite


class History:
    """The pairs of one picture, as rows of a matrix, and their inner products, in float64.

    Args:
        size: number of pairs that are kept; each is two pictures of memory.
        like: a picture, (1, 3, H, W).
        device: where pairs are kept; from elsewhere than the picture they come one tensor at a time.
        dtype: the type they are kept in; in another than the picture's each is scaled, so that float16 is enough.
        add: the sum over processes that share the picture out.
    """

    def __init__(self, size: int, like: Tensor, device: torch.device, dtype: torch.dtype, add: Add):
        self._size, self._like, self._add = size, like, add
        self._device, self._dtype = device, dtype
        self._near = device == like.device and dtype == like.dtype
        self._matrix: Tensor | None = None
        """(2 * size, values of a picture): s and y of one slot after the other; the oldest is `_first`, and so on around."""
        self._scales: dict[int, Tensor] = {}
        """The scale of each row, where it is kept in another dtype."""
        self.clear()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget all pairs."""
        self._first = self._count = 0
        self._products = np.zeros((2, 0, 0))  # <s_i, y_j> and <y_i, y_j>, oldest first
        self._along: tuple[Tensor, np.ndarray] | None = None  # a vector and its products with all s and y

    def append(self, step: Tensor, change: Tensor, vector: Tensor) -> tuple[float, float, float]:
        """Remember a pair; `vector` is what `direction` will be asked for.

        Returns:
            <s, y>, <y, y> and <s, s>. Where the first is too small to divide by, `pop` is called before all else.
        """
        if self._count == self._size:
            self._first, self._count = (self._first + 1) % self._size, self._count - 1
            self._products = self._products[:, 1:, 1:]
        self._count += 1
        for row, tensor in zip(self._rows[-2:], (step, change), strict=True):
            self._put(row, tensor)
        found, last = self._inner([step, change, vector]), self._count - 1
        self._along = vector, found[:, :, 2]
        self._products = np.pad(self._products, ((0, 0), (0, 1), (0, 1)))
        self._products[0, :, last], self._products[0, last, :] = found[0, :, 1], found[1, :, 0]
        self._products[1, :, last] = self._products[1, last, :] = found[1, :, 1]
        return found[0, last, 1], found[1, last, 1], found[0, last, 0]

    def pop(self) -> None:
        """Forget the last pair."""
        if self._matrix is not None:
            row = self._rows[-2]
            self._matrix[row : row + 2].zero_()  # infinite numbers would spoil the sums, even times 0
        self._count -= 1
        self._products = self._products[:, :-1, :-1]
        if self._along is not None:
            self._along = self._along[0], self._along[1][:, :-1]

    def direction(self, vector: Tensor, gamma: float) -> Tensor:
        """Give H v for the inverse Hessian that begins as gamma times the identity, in a tensor of its own."""
        if not self._count:
            return vector * gamma
        if self._along is None or self._along[0] is not vector:
            self._along = vector, self._inner([vector])[:, :, 0]
        (sy, yy), (sv, yv), self._along = self._products, self._along[1], None
        a, b = np.zeros(self._count), np.zeros(self._count)
        with np.errstate(all="ignore"):  # its slope then shows that it is no direction
            rho = 1 / sy.diagonal()
            for i in reversed(range(self._count)):
                a[i] = rho[i] * (sv[i] - sy[i] @ a)
            for i in range(self._count):  # b holds the coefficients of the steps before
                b[i] = a[i] - rho[i] * (gamma * (yv[i] - yy[i] @ a) + sy[:, i] @ b)
        coefficients = dict(zip(self._rows, np.stack([b, -gamma * a], axis=1).flatten(), strict=True))
        return self._combine(vector, gamma, coefficients)

    # the rows

    @property
    def _rows(self) -> list[int]:
        """Give the rows of the matrix that are in use, s and y in turn, oldest first."""
        slots = [(self._first + index) % self._size for index in range(self._count)]
        return [2 * slot + which for slot in slots for which in (0, 1)]

    def _put(self, row: int, tensor: Tensor) -> None:
        if self._matrix is None:  # made only now, where a full device is dealt with
            shape = (2 * self._size, self._like.numel())
            self._matrix = torch.zeros(shape, dtype=self._dtype, device=self._device)
        if tensor.dtype != self._dtype:
            self._scales[row] = self._add(largest(tensor)).clamp(min=torch.finfo(tensor.dtype).tiny)
            tensor = tensor / self._scales[row]
        self._matrix[row].copy_(tensor.flatten())

    def _get(self, row: int) -> Tensor:
        """Give a row as a picture, up to rounding, which is not to be written to."""
        assert self._matrix is not None  # noqa: S101 (a row is there)
        tensor = self._matrix[row].view(self._like.shape).to(self._like)
        return tensor.mul_(self._scales[row]) if self._dtype != self._like.dtype else tensor

    def _inner(self, vectors: Sequence[Tensor]) -> np.ndarray:
        """Give the products of all s (0) and y (1), oldest first, with some vectors; the device is waited for."""
        rows = self._rows
        if self._near:
            assert self._matrix is not None  # noqa: S101 (a row is there)
            used = self._matrix[: max(rows) + 1]
            found = torch.stack([used @ vector.flatten() for vector in vectors], dim=1)
            found = found if rows == list(range(len(rows))) else found[rows]
        else:
            found = torch.stack([inner(whole, each) for row in rows for whole in [self._get(row)] for each in vectors])
        return np.array(self._add(found).tolist()).reshape(-1, 2, len(vectors)).swapaxes(0, 1)

    def _combine(self, vector: Tensor, factor: float, coefficients: dict[int, float]) -> Tensor:
        """Give `factor` times a vector and the sum of all rows, each times its coefficient."""
        if self._near:
            assert self._matrix is not None  # noqa: S101 (a row is there)
            used = self._matrix[: max(coefficients) + 1]
            all_of_them = torch.tensor([coefficients.get(row, 0.0) for row in range(len(used))], dtype=torch.float64)
            all_of_them = all_of_them.to(vector.dtype).to(vector.device)
            return torch.addmv(vector.flatten(), used.T, all_of_them, beta=factor).view_as(vector)
        total = vector * factor
        for row, each in coefficients.items():
            total.add_(self._get(row), alpha=float(np.float32(each)) if vector.dtype == torch.float32 else each)
        return total

    # for checkpoints

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Give s and y, oldest first, which are not to be written to."""
        pictures = [self._get(row) for row in self._rows]
        return list(zip(pictures[::2], pictures[1::2], strict=True))

    def state(self) -> dict[str, Tensor]:
        """Give all that `restore` needs."""
        state = {"pairs": count(self._count), "first": count(self._first)}
        state["products"] = torch.from_numpy(self._products.copy())
        for index, row in enumerate(self._rows):
            assert self._matrix is not None  # noqa: S101 (a row is there)
            state[f"pair{index}"] = self._matrix[row].view(self._like.shape)
            state |= {f"pair{index}.scale": self._scales[row]} if row in self._scales else {}
        return state

    def restore(self, state: State) -> None:
        """Go on where `state` was given; raise InputError for anything else."""
        self.clear()
        k, first = read_count(state, "pairs"), read_count(state, "first")
        if k > self._size or first >= self._size:
            raise InputError(f"state: expected at most {self._size} pairs, got {k} from place {first} on")
        products = read_finite(state, "products", (2, k, k), torch.float64).numpy().copy()
        self._first, self._count, shape = first, k, tuple(self._like.shape)
        for index, row in enumerate(self._rows):
            kept = read_finite(state, f"pair{index}", shape, self._dtype)
            self._put(row, kept.to(self._device))
            if self._dtype != self._like.dtype:
                self._scales[row] = read_finite(state, f"pair{index}.scale", (), self._like.dtype).to(self._like.device)
        self._products = products
