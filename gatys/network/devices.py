"""Devices: the one that computes, by its name."""

from __future__ import annotations

import torch

from ..errors import InputError


def find_device(name: str, what: str = "device") -> torch.device:
    """Give the device of a name; "auto" is CUDA, then MPS, then the CPU.

    Args:
        name: "auto", "cpu", "mps", "cuda" or "cuda:N".
        what: how to call the name in errors.

    Raises:
        InputError: for a name that is none, and for a device that this machine or this PyTorch does not have.
    """
    cards, mps = torch.cuda.device_count(), torch.backends.mps.is_available()
    there = [
        "cpu",
        *(["mps"] if mps else []),
        *(["cuda"] if cards else []),
        *(f"cuda:{index}" for index in range(cards)),
    ]
    if name == "auto":
        return torch.device("cuda" if cards else "mps" if mps else "cpu")
    if name not in there:
        raise InputError(
            f"{what}: {name!r} is not on this machine or not known to PyTorch; use auto or {', '.join(there)}"
        )
    return torch.device(name)
