"""What an evaluation and a descent hold in memory, counted from the layer list."""

from __future__ import annotations

from collections.abc import Iterable

from .targets import ContentTarget, StyleTarget
from .vgg import LAYERS, layer_name

PICTURES_OF_LBFGS, PICTURES_OF_ADAM = 12, 8
"""Picture-sized tensors alive at once beside L-BFGS's pairs: picture, trial, best, gradients and temporaries."""


def evaluation_bytes(
    size: tuple[int, int], layers: Iterable[str], *, batch: int = 1, gradient: bool = True, bytes_per_value: int = 4
) -> int:
    """Bytes of activations that one evaluation of whole pictures needs at its peak, without the filters.

    With a gradient, autograd keeps the output of every convolution (the rectifier works in place) and of every
    pooling; on the way back the largest layer is there three times more: the gradient that comes in, the one that
    goes out and the convolution's workspace. Without one, only what was asked for is kept,
    and one more of the largest layer.

    Args:
        size: (height, width) of the pictures.
        layers: those that are asked for; the pass ends at the deepest.
        batch: number of pictures.
        gradient: whether the gradient in the picture is computed.
        bytes_per_value: 4 for float32.
    """
    asked = {layer_name(name) for name in layers}
    deepest = max(asked, key=list(LAYERS).index)
    outputs, kept, stride, width = [], 3 * size[0] * size[1], 1, 3
    for layer in LAYERS.values():
        units = (size[0] // layer.stride) * (size[1] // layer.stride)
        if layer.stride != stride:
            kept += width * units
            stride = layer.stride
        outputs.append(layer.channels * units)
        kept += layer.channels * units if gradient or layer.name in asked else 0
        width = layer.channels
        if layer.name == deepest:
            break
    return batch * bytes_per_value * (kept + (3 if gradient else 1) * max(outputs))


def optimization_bytes(
    content: ContentTarget | None,
    style: StyleTarget | None,
    optimizer: str,
    *,
    size: tuple[int, int] | None = None,
    history_size: int = 10,
) -> int:
    """Bytes that `optimize` needs at its peak for one picture at full size, without the filters.

    Args:
        content: content target, if any.
        style: style target, if any.
        optimizer: "lbfgs" or "adam".
        size: (height, width) of the result; default that of the content, or of the style.
        history_size: pairs that L-BFGS remembers.
    """
    targets = [target for target in (content, style) if target is not None]
    if not targets:
        return 0
    height, width = size or targets[0].size
    pictures = PICTURES_OF_LBFGS + 2 * history_size if optimizer == "lbfgs" else PICTURES_OF_ADAM
    names = [name for target in targets for name in target.layers]
    targets_bytes = 0
    if content is not None:
        targets_bytes = sum(f[:1].numel() * 4 for f in content.features[0].values())
    return evaluation_bytes((height, width), names) + pictures * 3 * height * width * 4 + targets_bytes
