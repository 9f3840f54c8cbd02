"""The precision of convolutions: it may be lower, while pictures, Gram sums, losses and gradients stay float32."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..network.vgg import VGG
from ..settings import PRECISIONS, Precision

_FEWEST = 16
"""The fewest channels of a map; of fewer, convolutions in bfloat16 on graphics cards take nearly twice as long."""


def choose(precision: Precision, net: VGG) -> torch.dtype:
    """Choose the dtype of the convolutions of `net` on its device.

    "auto" is bfloat16 where the device multiplies matrices in it: NVIDIA from compute capability 8.0, CPUs with AMX or
    AVX512-BF16. Elsewhere it is float32, as for a network in float64, which stays in it.

    Raises:
        InputError: for none of `settings.PRECISIONS`, and for a lower one than a float64 network's own.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    own = net.mean.dtype
    if precision == "auto":
        return torch.bfloat16 if own == torch.float32 and _has_bfloat16(net.mean.device) else own
    if own != torch.float32:
        raise InputError(f"precision: expected 'auto' for a network in {own}, got {precision!r}")
    return getattr(torch, precision)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # older versions of PyTorch do not tell
    return any(
        getattr(torch.cpu, name, lambda: False)() for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )


def dtype_name(dtype: torch.dtype) -> str:
    """Give the name of a dtype in `settings.PRECISIONS`."""
    return str(dtype).removeprefix("torch.")


def lowered(net: VGG, dtype: torch.dtype) -> VGG:
    """Give the same network with convolutions in `dtype`, for `trunk`; mean and deviation stay as they are.

    On graphics cards in bfloat16, the first one sees more channels, of zeros.
    """
    if dtype == net.mean.dtype:
        return net
    other = copy(net)
    other._modules = {name: _cast(net.convolution(name), dtype) for name in net.layers}
    return other


def _cast(convolution: nn.Conv2d, dtype: torch.dtype) -> nn.Conv2d:
    other = copy(convolution)
    other._parameters = {
        name: nn.Parameter(value.detach().to(dtype), requires_grad=False)
        for name, value in convolution.named_parameters()
    }
    weight = other.weight
    if weight.is_cuda and dtype == torch.bfloat16 and weight.shape[1] < _FEWEST:
        more = F.pad(weight, (0, 0, 0, 0, 0, _FEWEST - weight.shape[1]))
        other.weight = nn.Parameter(more.contiguous(memory_format=torch.channels_last), requires_grad=False)
    return other


def derivative_scale(sizes: Sequence[Tensor]) -> Tensor:
    """Give a power of two that brings the largest of some root mean squares to about 1, amid float16's range."""
    largest = torch.stack(list(sizes)).amax().clamp(min=torch.finfo(torch.float32).tiny)
    return torch.exp2(-torch.log2(largest).ceil().clamp(-100, 100))
