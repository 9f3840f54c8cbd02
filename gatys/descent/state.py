"""The state of a descent, read with care: nothing of it is believed before it is known to fit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError

State = Mapping[str, Tensor]


def count(value: int) -> Tensor:
    """Give a whole number as a state holds it."""
    return torch.tensor(value, dtype=torch.long)


def number(value: float) -> Tensor:
    """Give any other number as a state holds it, to the last bit."""
    return torch.tensor(value, dtype=torch.float64)


def read_tensor(state: State, name: str, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
    """Give a tensor of a state; without a dtype it may have any of floating point.

    Raises:
        InputError: where it is not there, or has another shape or dtype.
    """
    found = state.get(name)
    if found is None:
        raise InputError(f"state: expected a tensor {name!r}, got none")
    fits = found.is_floating_point() if dtype is None else found.dtype == dtype
    if not fits or tuple(found.shape) != tuple(shape):
        expected = f"{'floating point' if dtype is None else dtype} of shape {tuple(shape)}"
        raise InputError(f"state: expected {name!r} as {expected}, got {found.dtype} {tuple(found.shape)}")
    return found


def read_finite(state: State, name: str, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
    """Give a tensor as `read_tensor` does; NaN and infinite values are refused, too."""
    found = read_tensor(state, name, shape, dtype)
    if not torch.isfinite(found).all():
        raise InputError(f"state: expected finite values in {name!r}, got NaN or infinite ones")
    return found


def read_picture(state: State, name: str, like: Tensor) -> Tensor:
    """Give pictures in [0, 1] with the shape, dtype and device of `like`."""
    found = read_finite(state, name, like.shape, like.dtype).to(like.device)
    if found.numel() and (found.amin() < 0 or found.amax() > 1):
        raise InputError(f"state: expected {name!r} to lie in [0, 1], got {found.amin():g} to {found.amax():g}")
    return found


def read_count(state: State, name: str, least: int = 0) -> int:
    """Give a whole number of at least `least`."""
    found = int(read_tensor(state, name, (), torch.long))
    if found < least:
        raise InputError(f"state: expected {name!r} to be at least {least}, got {found}")
    return found


def read_number(state: State, name: str) -> float:
    """Give a finite number."""
    return float(read_finite(state, name, (), torch.float64))
