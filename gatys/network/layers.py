"""VGG-19's layers by the names that the paper uses, and choices of them. Without PyTorch, which takes a while to import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import InputError

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and number of convolutions of each block."""

CONTENT_LAYERS: Mapping[str, float] = MappingProxyType({"conv4_2": 1.0})
"""Paper, section 3: content is matched on conv4_2."""

STYLE_LAYERS: Mapping[str, float] = MappingProxyType({f"conv{block}_1": 0.2 for block in range(1, 6)})
"""Paper, section 3: w_l = 1/5 on conv1_1, conv2_1, conv3_1, conv4_1 and conv5_1."""


@dataclass(frozen=True)
class Layer:
    """What one layer sees of the picture. Unit i of a row sees pixels `stride * i + first` .. `stride * i + last`."""

    name: str
    in_channels: int
    channels: int
    stride: int
    """Pixels between neighbouring units; also the smallest picture edge for which the layer has a unit."""
    first: int
    last: int

    @property
    def receptive_field(self) -> int:
        """Edge of the square of pixels that one unit depends on."""
        return self.last - self.first + 1


def _trace_layers() -> dict[str, Layer]:
    layers: dict[str, Layer] = {}
    stride, first, last, width = 1, 0, 0, 3
    for block, (channels, count) in enumerate(BLOCKS, start=1):
        for index in range(1, count + 1):
            first, last = first - stride, last + stride  # 3x3, padded by 1
            name = f"conv{block}_{index}"
            layers[name] = Layer(name, width, channels, stride, first, last)
            width = channels
        last += stride  # 2x2 pooling looks one unit further on and halves the grid
        stride *= 2
    return layers


LAYERS: dict[str, Layer] = _trace_layers()
"""The sixteen layers, shallowest first."""


def layer_name(name: str) -> str:
    """The canonical `convB_I` of a layer name; `reluB_I` is accepted.

    Raises ValueError for anything else.
    """
    canonical = "conv" + name[4:] if isinstance(name, str) and name.startswith("relu") else name
    if canonical not in LAYERS:
        raise InputError(
            f"unknown layer {name!r}: expected one of {', '.join(LAYERS)} (or the same with 'relu' for 'conv')"
        )
    return canonical


def layers_down_to(layers: Iterable[str]) -> list[Layer]:
    """The layers that a pass for `layers` runs through: all down to the deepest of them, shallowest first."""
    order = list(LAYERS)
    deepest = max(order.index(layer_name(name)) for name in layers)
    return [LAYERS[name] for name in order[: deepest + 1]]


def minimum_size(layers: Iterable[str]) -> int:
    """Smallest picture edge, in pixels, for which every one of `layers` has at least one unit."""
    return max((LAYERS[layer_name(name)].stride for name in layers), default=1)


def check_layers(layers: Mapping[str, float] | Iterable[str], what: str) -> dict[str, float]:
    """Layer coefficients by canonical name, those of 0 left out; a plain list of names means 1 each.

    Raises:
        ValueError: for an unknown or repeated layer, a coefficient that is negative or not finite, or none above 0.
    """
    if isinstance(layers, str):
        layers = [layers]
    given = layers if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    checked: dict[str, float] = {}
    for name, coefficient in given.items():
        canonical = layer_name(name)
        if canonical in checked:
            raise InputError(f"{what}: {canonical} is named twice; 'conv' and 'relu' names mean the same response")
        value = float(coefficient)
        if not 0 <= value < float("inf"):
            raise InputError(f"{what}: expected a finite weight of at least 0 for {canonical}, got {coefficient!r}")
        checked[canonical] = value
    checked = {name: checked[name] for name in LAYERS if checked.get(name)}
    if not checked:
        raise InputError(f"{what}: expected at least one layer with a weight above 0, got {dict(given) or 'none'}")
    return checked


def parse_layers(text: str, what: str) -> dict[str, float]:
    """`"conv4_2, conv2_2=0.5"` as `{"conv4_2": 1.0, "conv2_2": 0.5}`; `what` names the input in messages.

    Raises:
        ValueError: for what is not of that form, and as `check_layers` does.
    """
    layers: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, weight = (piece.strip() for piece in part.partition("="))
        try:
            value = float(weight) if equals else 1.0
        except ValueError:
            raise InputError(f"{what}: expected names like conv4_2 or conv4_2=0.5, with commas, got {part!r}") from None
        if name in layers:
            raise InputError(f"{what}: {name} is named twice; name each layer once")
        layers[name] = value
    return check_layers(layers, what)
