"""The layers of VGG-19 and VGG-16 by the names that the paper uses, and choices of them.

This module does without PyTorch, which takes a while to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import InputError

CHANNELS = (64, 128, 256, 512, 512)
"""The number of channels in each block."""
CONVOLUTIONS: Mapping[str, tuple[int, ...]] = MappingProxyType({"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)})
"""The number of convolutions in each block: configurations E and D of Simonyan and Zisserman (2015), table 1."""

CONTENT_LAYERS: Mapping[str, float] = MappingProxyType({"conv4_2": 1.0})
"""The content's layers and their coefficients c_l: the paper, section 3, matches content on conv4_2."""

STYLE_LAYERS: Mapping[str, float] = MappingProxyType({f"conv{block}_1": 0.2 for block in range(1, 6)})
"""The style's layers and their coefficients w_l: the paper, section 3, has 1/5 on the first layer of each block."""


@dataclass(frozen=True)
class Layer:
    """A layer and its view of the picture: unit i of a row sees pixels `stride * i + first` .. `stride * i + last`."""

    name: str
    in_channels: int
    channels: int
    stride: int
    """The number of pixels between neighbouring units; also the smallest picture edge for which the layer has a
    unit."""
    first: int
    last: int
    before: Layer | None = field(default=None, repr=False, compare=False)
    """The layer of the same network that this one is fed by; None where that is the picture."""

    @property
    def receptive_field(self) -> int:
        """Give the edge of the square of pixels that one unit depends on."""
        return self.last - self.first + 1

    @property
    def run(self) -> list[Layer]:
        """Give the layers that a picture runs through down to this one, which is the last of them."""
        return [*(self.before.run if self.before else ()), self]


def _trace_layers(convolutions: Iterable[int]) -> Mapping[str, Layer]:
    layers: dict[str, Layer] = {}
    stride, first, last, width, before = 1, 0, 0, 3, None
    for block, (channels, count) in enumerate(zip(CHANNELS, convolutions, strict=True), start=1):
        for index in range(1, count + 1):
            first, last = first - stride, last + stride  # 3x3, padded by 1
            name = f"conv{block}_{index}"
            before = layers[name] = Layer(name, width, channels, stride, first, last, before)
            width = channels
        last += stride  # 2x2 pooling looks one unit further on and halves the grid
        stride *= 2
    return MappingProxyType(layers)


TABLES: Mapping[str, Mapping[str, Layer]] = MappingProxyType(
    {architecture: _trace_layers(convolutions) for architecture, convolutions in CONVOLUTIONS.items()}
)
"""The layers of each architecture by name, shallowest first."""

LAYERS: Mapping[str, Layer] = TABLES["vgg19"]
"""The sixteen layers of VGG-19 by name, shallowest first; those of VGG-16 are among them."""


def layer_name(name: str) -> str:
    """Give the canonical `convB_I` of the name of a layer of any network; `reluB_I` is accepted.

    Raises:
        InputError: for anything else.
    """
    canonical = "conv" + name[4:] if isinstance(name, str) and name.startswith("relu") else name
    if canonical not in LAYERS:
        raise InputError(
            f"unknown layer {name!r}: expected one of {', '.join(LAYERS)} (or the same with 'relu' for 'conv')"
        )
    return canonical


def layers_down_to(layers: Iterable[Layer]) -> list[Layer]:
    """Give the layers that a pass for `layers` of one network runs through: down to the deepest, shallowest first."""
    return max((layer.run for layer in layers), key=len)


def minimum_size(layers: Iterable[Layer]) -> int:
    """Give the smallest picture edge, in pixels, for which every one of `layers` has at least one unit."""
    return max((layer.stride for layer in layers), default=1)


def check_members(names: Iterable[str], architecture: str, what: str) -> None:
    """Raise InputError unless all layers of these canonical names are in the network of that architecture.

    `what` names the input in the message.
    """
    table = TABLES[architecture]
    if strange := [name for name in names if name not in table]:
        raise InputError(
            f"{what}: {strange[0]} is not in {title(architecture)}, whose layers are {', '.join(table)}; "
            "choose among these, or take another network"
        )


def title(architecture: str) -> str:
    """Give an architecture as people write it: "VGG-16" for "vgg16"."""
    return architecture.replace("vgg", "VGG-")


def check_layers(layers: Mapping[str, float] | Iterable[str], what: str) -> dict[str, float]:
    """Give layer coefficients by canonical name, without those of 0; a plain list of names means 1 each.

    Layers of any network are accepted; `check_members` asks whether one network has them.

    Raises:
        InputError: for an unknown or repeated layer, a coefficient that is negative or not finite, or none above 0.
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
    """Read `"conv4_2, conv2_2=0.5"` as `{"conv4_2": 1.0, "conv2_2": 0.5}`; `what` names the input in messages.

    Raises:
        InputError: for text that is not of that form, and as `check_layers` does.
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
