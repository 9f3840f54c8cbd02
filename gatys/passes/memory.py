"""Memory: how much passes and descents hold, counted from the layer list, and how much a device has free."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil
import torch

from ..network.layers import Layer, layers_down_to
from .bands import values_in_band
from .winograd import counts, scratch_bytes

PICTURES = {"lbfgs": 10, "adam": 10, None: 2}
"""The number of picture-sized tensors alive at once, by optimizer, beside L-BFGS's pairs: content, trial, gradients,
..."""

PICTURES_OF_OCTAVES = 2
"""The same that further octaves of a picture add: smaller pictures, and what is pulled back from them."""

_SET_ASIDE = 2**26
"""The bytes that convolutions set aside beside their tensors at any size: 40 to 95 MiB, as measured on the CPU."""


def setup_bytes(device: torch.device | str, dtype: torch.dtype | None = None) -> int:
    """Give the bytes of a pass that do not grow with the size: convolutions in `dtype`, default float32, set some aside,
    and bands of the first block.
    """
    maps, bytes_per_value, device = 4, 4, torch.device(device)
    winograd = scratch_bytes() if counts(device, dtype or torch.float32) else 0
    return _SET_ASIDE + winograd + maps * bytes_per_value * values_in_band(device)


def evaluation_bytes(
    size: tuple[int, int], layers: Iterable[Layer], *, batch: int = 1, gradient: bool = True, bytes_per_value: int = 4
) -> int:
    """Give the bytes that a pass over one window holds at its peak, without the filters: `trunk.forward` and
    `backward`.

    Args:
        size: (height, width) of the window: that of the picture, or of a tile with its halo.
        layers: those that are asked for; the pass ends at the deepest.
        batch: number of pictures.
        gradient: whether the gradient in the picture is computed; without, features are seen and let go.
        bytes_per_value: 4 for float32.
    """
    asked = {layer.name: layer for layer in layers}
    pixels = size[0] * size[1]
    kept, peak, before = 3 * bytes_per_value * pixels, 0, 3 * bytes_per_value * pixels
    for index, layer in enumerate(layers_down_to(asked.values())):
        name, units = layer.name, layer.channels * (size[0] // layer.stride) * (size[1] // layer.stride)
        values = units * bytes_per_value
        if layer.stride == 1:  # it runs in bands, which `setup_bytes` counts; a quarter comes out of them
            if gradient and (index or name not in asked):
                kept += values if name in asked else units
            before = values // 4
            peak = max(peak, kept + before)
            continue
        # forward, a convolution's input and output are there; a Gram sum may need the tile's part in one piece
        peak = max(peak, kept + before + values + (values if name in asked else units))
        if gradient:
            # back: the gradient that comes and the one that goes; or, where a layer is asked for, its features and, with
            # guides or in lower precision, their pull
            ways = 3 if name in asked else 2
            peak = max(peak, kept + units + ways * values)
            kept += values if name in asked else units
        before = values
    return batch * peak


def kept_bytes(size: tuple[int, int], layers: Iterable[Layer], *, batch: int = 1, bytes_per_value: int = 4) -> int:
    """Give the bytes of a window's packed tape: a bit for each unit, and the features asked for, but for the first
    layer's.
    """
    asked = {layer.name: layer for layer in layers}
    total = 3 * bytes_per_value * size[0] * size[1]
    for index, layer in enumerate(layers_down_to(asked.values())):
        units = layer.channels * (size[0] // layer.stride) * (size[1] // layer.stride)
        if layer.name not in asked:
            total += units // 8
        elif index:
            total += units // 8 + units * bytes_per_value
    return batch * total


def picture_bytes(size: tuple[int, int], *, batch: int = 1, bytes_per_value: int = 4) -> int:
    return batch * 3 * size[0] * size[1] * bytes_per_value


def free_memory(device: torch.device | str) -> int:
    """Give the bytes that can still be allocated on a device: on the CPU, in main memory under all its limits."""
    device = torch.device(device)
    if device.type == "cuda":
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + idle
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return max(0, min(psutil.virtual_memory().available, *_limits()))


def release(device: torch.device) -> None:
    """Give what PyTorch holds in reserve back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _limits() -> list[int]:
    """List the bytes left by limits that `psutil` does not know: of a container, and of the process (`ulimit -v`)."""
    left = []
    for maximum, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            root = Path("/sys/fs/cgroup")
            left.append(int((root / maximum).read_text()) - int((root / used).read_text()))
        except (OSError, ValueError):  # no such limit ("max"), or no such system
            continue
    try:
        import resource  # not on Windows

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    except ImportError:
        soft = -1
    if soft >= 0:
        left.append(soft - psutil.Process().memory_info().vms)
    return left or [2**62]
