"""The convolutional trunk of VGG-19 or VGG-16, with its layers by the names that the paper uses.

The networks are configurations E and D of Simonyan and Zisserman (2015): sixteen or thirteen 3x3 convolutions in five
blocks, a 2x2 pooling after each block. Gatys et al. (CVPR 2016, section 2) replace max by average
pooling and use the responses after the rectifier. `convB_I` and `reluB_I` both name that response.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..pictures.checks import check_picture, size_of
from ..settings import POOLINGS, RESPONSES, Pooling, Responses
from .layers import TABLES, Layer, check_members, layer_name, layers_down_to, minimum_size


def check_image(image: Tensor, layers: Iterable[Layer] = (), what: str = "image") -> None:
    """Raise InputError unless `image` is a non-empty, finite (N, 3, H, W) float batch, large enough for `layers`."""
    check_picture(image, what)
    check_size(size_of(image), layers, what)


def check_size(size: tuple[int, int], layers: Iterable[Layer], what: str = "image") -> None:
    """Raise InputError unless a picture of `size` (height, width) is large enough for `layers`."""
    layers = list(layers)
    need, (height, width) = minimum_size(layers), size
    if min(height, width) < need:
        deepest = layers_down_to(layers)[-1].name
        raise InputError(
            f"{what}: {width} x {height} pixels is too small for {deepest}, which needs at least {need} x {need}; "
            "enlarge the picture or choose shallower layers"
        )


@dataclass(frozen=True)
class NetworkTag:
    """The identity of the network a target was made with: targets fit only the same filters under the same pooling."""

    weights: str
    pooling: str
    fingerprint: str
    """The first 16 hexadecimal digits of the SHA-256 of filters and preprocessing; see `weights.fingerprint`."""
    architecture: str = "vgg19"
    """The architecture, one of `layers.TABLES`; older things, such as style files, do without it and mean VGG-19."""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Give the network's layers by name, shallowest first."""
        return TABLES[self.architecture]

    def fits(self, other: NetworkTag) -> bool:
        """Tell whether both have the same filters under the same pooling; the names of their files do not matter."""
        return (self.fingerprint, self.pooling) == (other.fingerprint, other.pooling)

    def __str__(self) -> str:
        return f"{self.weights} ({self.pooling} pooling, {self.fingerprint[:8]})"


class _Convolution(nn.Conv2d):
    """A convolution whose filters come from elsewhere.

    `nn.utils.skip_init` does the same, but imports SymPy, which takes half a second.
    """

    def reset_parameters(self) -> None:
        pass


class VGG(nn.Module):
    """The convolutions of VGG-19 or VGG-16 with frozen filters, as a feature extractor.

    `gatys.load_vgg` builds one with its weights. Pictures go in as sRGB in [0, 1]; `mean` and `std` (RGB, same range)
    are the preprocessing that belongs to the weights.

    Args:
        pooling: one of `settings.POOLINGS`.
        weights: the name of the filters.
        architecture: one of `layers.TABLES`.

    Raises:
        InputError: for another pooling or architecture.

    Example:
        >>> net = gatys.load_vgg()
        >>> features = net(gatys.load_image("photo.jpg", size=512), ["conv4_2"])["conv4_2"]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, pooling: Pooling = POOLINGS[0], weights: str = "unnamed", architecture: str = "vgg19"):
        super().__init__()
        for what, value, known in (("pooling", pooling, POOLINGS), ("architecture", architecture, TABLES)):
            if value not in known:
                raise InputError(f"{what}: expected one of {', '.join(known)}, got {value!r}")
        self.pooling: Pooling = pooling
        self.responses: Responses = RESPONSES[0]  # another of them, or another preprocessing: `preprocessing.read_as`
        self.tag = NetworkTag(weights, pooling, "", architecture)
        self.remark: str | None = None
        """A remark for everyone who gets a picture of this network, such as that its filters are not trained."""
        for layer in self.layers.values():
            self.add_module(layer.name, _Convolution(layer.in_channels, layer.channels, 3, padding=1))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.to(memory_format=torch.channels_last)  # about a fifth faster on CPUs, and what tensor cores want
        self.eval().requires_grad_(False)

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Give the network's layers by name, shallowest first, such as `net.layers["conv4_2"].stride`."""
        return self.tag.layers

    def convolution(self, name: str) -> nn.Conv2d:
        """Give the convolution of a layer, by its canonical name."""
        return cast(nn.Conv2d, getattr(self, name))

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Give responses after the ReLU, or before it where `self.responses` is "conv".

        Args:
            image: (N, 3, H, W), sRGB in [0, 1].
            layers: `convB_I` or `reluB_I` names, in any order; nothing deeper than the deepest is computed.

        Returns:
            `{name as given: (N, C, floor(H / stride), floor(W / stride))}`, differentiable in `image`.

        Raises:
            InputError: for a layer that the network does not have, or a picture that is too small for the layers.
        """
        asked = {name: layer_name(name) for name in layers}
        need = minimum_size(self.chosen(asked.values()))
        if min(image.shape[-2:]) < need:
            height, width = image.shape[-2:]
            raise InputError(
                f"image: {width} x {height} pixels is too small for these layers, which need at least {need} x {need}; "
                "enlarge it, or choose shallower layers"
            )
        found = self._responses(image, set(asked.values()))
        return {name: found[canonical] for name, canonical in asked.items()}

    def __repr__(self) -> str:
        return f"VGG({self.tag.architecture}, {self.tag}, {self.mean.dtype} on {self.mean.device})".replace(
            "torch.", ""
        )

    def chosen(self, names: Iterable[str], what: str = "layers") -> list[Layer]:
        """Give the network's layers of these canonical names, in the same order.

        Raises:
            InputError: for one that it does not have; `what` names the input in the message.
        """
        names = list(names)
        check_members(names, self.tag.architecture, what)
        return [self.layers[name] for name in names]

    def _responses(self, image: Tensor, wanted: set[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = (image - self.mean.view(1, 3, 1, 1)) / self.std.view(1, 3, 1, 1)
        pool = F.avg_pool2d if self.pooling == "average" else F.max_pool2d
        stride = 1
        for layer in self.layers.values():
            if len(found) == len(wanted):
                break
            if layer.stride != stride:
                x, stride = pool(x, 2), layer.stride
            x = self.convolution(layer.name)(x)
            if self.responses == "conv" and layer.name in wanted:
                found[layer.name] = x
                x = F.relu(x)
            else:
                x = F.relu_(x)  # in place: the convolution's backward does not need its output
            if layer.name in wanted:
                found.setdefault(layer.name, x)
        return found


VGG19 = VGG
"""The name that the class had while it was VGG-19 only."""
