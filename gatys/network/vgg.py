"""VGG-19's convolutional trunk, with its layers by the names that the paper uses.

The network is configuration E of Simonyan and Zisserman (2015): sixteen 3x3 convolutions in five
blocks, a 2x2 pooling after each block. Gatys et al. (CVPR 2016, section 2) replace max by average
pooling and use the responses after the rectifier. `convB_I` and `reluB_I` both name that response.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..pictures.checks import check_picture
from ..settings import POOLINGS, RESPONSES
from .layers import LAYERS, layer_name, layers_down_to, minimum_size

NOT_IN_VGG16 = ("conv3_4", "conv4_4", "conv5_4")
"""The layers of VGG-19 that VGG-16, configuration D of the same paper, does not have; the others are alike."""


def check_image(image: Tensor, layers: Iterable[str] = (), what: str = "image") -> None:
    """Raise InputError unless `image` is a non-empty, finite (N, 3, H, W) float batch, large enough for `layers`."""
    check_picture(image, what)
    check_size((image.shape[-2], image.shape[-1]), layers, what)


def check_size(size: tuple[int, int], layers: Iterable[str], what: str = "image") -> None:
    """Raise ValueError unless a picture of `size` (height, width) is large enough for `layers`."""
    layers = [layer_name(name) for name in layers]
    need, (height, width) = minimum_size(layers), size
    if min(height, width) < need:
        deepest = layers_down_to(layers)[-1].name
        raise InputError(
            f"{what}: {width} x {height} pixels is too small for {deepest}, which needs at least {need} x {need}; "
            "enlarge the picture or choose shallower layers"
        )


@dataclass(frozen=True)
class NetworkTag:
    """Which network a target was made with: targets fit only the same filters under the same pooling."""

    weights: str
    pooling: str
    fingerprint: str
    """First 16 hexadecimal digits of the SHA-256 of the filters and the preprocessing."""

    def fits(self, other: NetworkTag) -> bool:
        """Whether both have the same filters under the same pooling, whatever their files are called."""
        return (self.fingerprint, self.pooling) == (other.fingerprint, other.pooling)

    def __str__(self) -> str:
        return f"{self.weights} ({self.pooling} pooling, {self.fingerprint[:8]})"


class _Convolution(nn.Conv2d):
    """Whose filters come from elsewhere: `nn.utils.skip_init` does the same, but imports SymPy, which takes half a second."""

    def reset_parameters(self) -> None:
        pass


class VGG19(nn.Module):
    """The sixteen convolutions of VGG-19 with frozen filters, as a feature extractor.

    `gatys.load_vgg19` builds one with its weights. Pictures go in as sRGB in [0, 1]; `mean` and `std`
    (RGB, same range) are the preprocessing that belongs to the weights.
    """

    def __init__(self, pooling: str = POOLINGS[0], weights: str = "unnamed"):
        super().__init__()
        if pooling not in POOLINGS:
            raise InputError(f"pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}")
        self.pooling = pooling
        self.responses = RESPONSES[0]  # another of them, or another preprocessing: `reading.read_as`
        self.tag = NetworkTag(weights, pooling, "")
        self.absent: frozenset[str] = frozenset()
        """Layers that are the identity because the file of the filters has none: those of `NOT_IN_VGG16`, or none."""
        self.remark: str | None = None
        """What whoever gets a picture of this network should be told, such as that its filters are not trained."""
        for layer in LAYERS.values():
            self.add_module(layer.name, _Convolution(layer.in_channels, layer.channels, 3, padding=1))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.to(memory_format=torch.channels_last)  # about a fifth faster on CPUs, and what tensor cores want
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Responses after the ReLU, or before it where `self.responses` is "conv".

        Args:
            image: (N, 3, H, W), sRGB in [0, 1].
            layers: `convB_I` or `reluB_I` names, in any order; nothing deeper than the deepest is computed.

        Returns:
            `{name as given: (N, C, floor(H / stride), floor(W / stride))}`, differentiable in `image`.

        Raises:
            ValueError: for an unknown or absent layer, or a picture smaller than `minimum_size(layers)`.
        """
        asked = {name: layer_name(name) for name in layers}
        self.check_layers(asked.values())
        need = minimum_size(asked.values())
        if min(image.shape[-2:]) < need:
            height, width = image.shape[-2:]
            raise InputError(
                f"image: {width} x {height} pixels is too small for these layers, which need at least {need} x {need}; "
                "enlarge it, or choose shallower layers"
            )
        found = self._responses(image, set(asked.values()))
        return {name: found[canonical] for name, canonical in asked.items()}

    def check_layers(self, layers: Iterable[str]) -> None:
        """Raise ValueError if one of `layers`, by canonical names, is `absent`."""
        for name in sorted(self.absent.intersection(layers)):
            before = f"{name[:-1]}{int(name[-1]) - 1}"
            raise InputError(
                f"{name} is not in {self.tag.weights}, which is VGG-16; choose {before}, or the filters of a VGG-19"
            )

    def _responses(self, image: Tensor, wanted: set[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = (image - self.mean.view(1, 3, 1, 1)) / self.std.view(1, 3, 1, 1)
        pool = F.avg_pool2d if self.pooling == "average" else F.max_pool2d
        stride = 1
        for layer in LAYERS.values():
            if len(found) == len(wanted):
                break
            if layer.stride != stride:
                x, stride = pool(x, 2), layer.stride
            x = getattr(self, layer.name)(x)
            if self.responses == "conv" and layer.name in wanted:
                found[layer.name] = x
                x = F.relu(x)
            else:
                x = F.relu_(x)  # in place: the convolution's backward does not need its output
            if layer.name in wanted:
                found.setdefault(layer.name, x)
        return found
