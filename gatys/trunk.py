"""The network forward and back over one window, by hand.

Backward through a frozen network needs little of what autograd keeps: of a rectifier only where it was open, of a
max pooling which of the four was taken, of a convolution and an average pooling nothing. So a pass holds about half of
the memory, in less time, and comes to the same result; packed to bits, a seventh.

A pass computes in the dtype of the network's convolutions; the picture and its gradient have their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from .tiles import Tile
from .vgg import LAYERS, VGG19, layers_down_to

See = Callable[[str, Tensor], None]
"""Called with a layer's name and the tile's own part of its features, which is not to be written to or kept."""
Cotangent = Callable[[str, Tensor, Tensor | None], Tensor]
"""From the same, the derivative of the loss in these features: a tensor of its own, or added to the third in place."""

_FIRST = next(iter(LAYERS))
_AT_A_TIME = 2**19
"""Values of a map whose mask is brought to the map's dtype at a time on the CPU, where PyTorch makes a copy for that."""


class Tape:
    """What the way back through one window needs."""

    def __init__(self, part: Tile, window: Tensor, layers: Iterable[str]):
        self.part, self.window, self.layers = part, window, set(layers)
        self._features: dict[str, Tensor] = {}
        self._open: dict[str, Tensor] = {}
        self._taken: dict[str, Tensor] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._packed = False

    def keep(self, name: str, features: Tensor) -> None:
        if name not in self.layers:
            self._open[name] = features > 0
        elif name != _FIRST:  # which costs less to compute again than to keep
            self._features[name] = features

    def keep_pooling(self, name: str, size: tuple[int, int], taken: Tensor | None) -> None:
        self._sizes[name] = size
        if taken is not None:
            self._taken[name] = taken

    def pack(self) -> None:
        """Keep a bit for each unit, and features only of the tile's own part: for many tapes at a time."""
        for name, features in self._features.items():
            self._open[name] = features > 0
            self._features[name] = features[(..., *self.part.core(name))].clone()
        self._open = {name: _pack(mask) for name, mask in self._open.items()}
        self._packed = True

    def pop_features(self, net: VGG19, name: str) -> Tensor:
        """The tile's own part of a layer's features."""
        if name == _FIRST:
            features = _respond(net, name, _prepare(net, self.window), self.part, linear=net.responses == "conv")
        else:
            features = self._features.pop(name)
            if self._packed:
                return features
        self._open[name] = features > 0
        # a part in one piece, so that no one needs to copy it while the whole is still there
        return features[(..., *self.part.core(name))].contiguous(memory_format=torch.channels_last)

    def pop_open(self, name: str) -> Tensor | None:
        """Where the rectifier was open; None where the pooling after it says so, too."""
        mask = self._open.pop(name, None)
        return _unpack(mask) if mask is not None and mask.dtype == torch.uint8 else mask

    def pop_pooling(self, name: str) -> tuple[tuple[int, int], Tensor | None] | None:
        """Of the pooling before a layer: the size that it was given, and for max pooling what was taken."""
        if name not in self._sizes:
            return None
        return self._sizes.pop(name), self._taken.pop(name, None)


@torch.no_grad()
def forward(
    net: VGG19, image: Tensor, part: Tile, layers: Iterable[str], see: See | None = None, *, tape: bool = False
) -> Tape | None:
    """Run the network over a tile's window.

    Args:
        net: the network, on the device of `image`; its convolutions may be of another dtype.
        image: (N, 3, H, W), sRGB in [0, 1]: the whole picture.
        part: the tile.
        layers: canonical names; nothing deeper than the deepest is computed.
        see: called for each of `layers`, shallowest first.
        tape: whether to keep what `backward` needs.

    Returns:
        The tape, if it was asked for.
    """
    wanted = set(layers)
    run = layers_down_to(wanted)
    window = part.window(image)
    kept = Tape(part, window, wanted) if tape else None
    x, stride = _prepare(net, window), 1
    for layer, after in itertools.zip_longest(run, run[1:]):
        name = layer.name
        if layer.stride != stride:
            size, stride = tuple(x.shape[-2:]), layer.stride
            x, taken = _pool(net, x, keep=tape)
            if kept is not None:
                kept.keep_pooling(name, size, taken)
        linear = net.responses == "conv" and name in wanted
        x = _respond(net, name, x, part, linear=linear)
        before_max = net.pooling == "max" and after is not None and after.stride != stride
        if kept is not None and (name in wanted or not before_max):
            kept.keep(name, x)
        if name in wanted and see is not None:
            see(name, x[(..., *part.core(name))])
        if linear:
            x = F.relu(x)
    return kept


@torch.no_grad()
def backward(net: VGG19, tape: Tape, cotangent: Cotangent) -> Tensor:
    """The gradient in a window's pixels, (N, 3, h, w), of a loss whose derivative in the features is `cotangent`.

    The tape is used up on the way.
    """
    gradient: Tensor | None = None
    for layer in reversed(layers_down_to(tape.layers)):
        name = layer.name
        if name in tape.layers:
            core = tape.part.core(name)
            features = tape.pop_features(net, name)
            whole = gradient is not None and gradient.shape == features.shape and net.responses == "relu"
            own = cotangent(name, features, gradient if whole else None)
            del features
            mask = tape.pop_open(name)
            if net.responses == "conv" and gradient is not None:
                _shut(gradient, mask)  # what is read before the rectifier has not passed it
            if whole:
                gradient = own
            elif own.shape == mask.shape:
                gradient = own if gradient is None else gradient.add_(own)
            else:
                gradient = torch.zeros_like(mask, dtype=own.dtype) if gradient is None else gradient
                gradient[(..., *core)] += own
            del own
        else:
            mask = tape.pop_open(name)
        if mask is not None and (net.responses == "relu" or name not in tape.layers):
            _shut(gradient, mask)
        del mask
        gradient = _pull_convolution(net, name, gradient, tape.part)
        pooling = tape.pop_pooling(name)
        if pooling is not None:
            gradient = _pull_pooling(gradient, *pooling)
    return gradient.to(tape.window.dtype) / net.std.view(1, 3, 1, 1)


def _prepare(net: VGG19, window: Tensor) -> Tensor:
    x = (window - net.mean.view(1, 3, 1, 1)) / net.std.view(1, 3, 1, 1)
    return x.to(getattr(net, _FIRST).weight.dtype).contiguous(memory_format=torch.channels_last)


# convolution and rectifier


def _respond(net: VGG19, name: str, x: Tensor, part: Tile, *, linear: bool = False) -> Tensor:
    convolution = getattr(net, name)
    x = F.conv2d(_pad(x, part), convolution.weight, convolution.bias, padding=_zeros(part))
    return x if linear else F.relu_(x)


def _shut(gradient: Tensor, mask: Tensor) -> None:
    """Set the gradient to 0, in place, where the rectifier was shut."""
    for some, through in _portions(gradient, mask):
        some.mul_(through)


def _portions(*maps: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """The same rows of each, (N, C, H, ...)."""
    n, channels, height, width = maps[0].shape
    rows = max(1, _AT_A_TIME // (n * channels * width)) if maps[0].device.type == "cpu" else height
    return zip(*(values.split(rows, dim=2) for values in maps), strict=True)


def _pull_convolution(net: VGG19, name: str, gradient: Tensor, part: Tile) -> Tensor:
    pulled = F.conv_transpose2d(gradient, getattr(net, name).weight, padding=_zeros(part))
    for dim, span in enumerate((part.rows, part.columns), start=2):
        pulled = _fold(pulled, dim, span.padding)
    return pulled


def _zeros(part: Tile) -> list[int]:
    """What the convolution is to see beyond the border along each axis that `_pad` leaves to it."""
    return [1 if span.padding == "zero" else 0 for span in (part.rows, part.columns)]


def _pad(x: Tensor, part: Tile) -> Tensor:
    """The map with what it sees beyond its border, but for zeros."""
    for dim, span in enumerate((part.rows, part.columns), start=2):
        if span.padding != "zero":
            first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
            before, after = (first, last) if span.padding == "replicate" else (last, first)
            x = torch.cat([before, x, after], dim)
    return x


def _fold(padded: Tensor, dim: int, padding: str) -> Tensor:
    """The adjoint of `_pad` along one axis."""
    if padding == "zero":
        return padded
    length = padded.shape[dim] - 2
    inner = padded.narrow(dim, 1, length)
    before, after = padded.narrow(dim, 0, 1), padded.narrow(dim, length + 1, 1)
    at_before, at_after = (0, length - 1) if padding == "replicate" else (length - 1, 0)
    inner.narrow(dim, at_before, 1).add_(before)
    inner.narrow(dim, at_after, 1).add_(after)
    return inner


# pooling


def _pool(net: VGG19, x: Tensor, *, keep: bool) -> tuple[Tensor, Tensor | None]:
    """The pooled map, and for max pooling which of the four was taken: 0 and 1 above, 2 and 3 below, more where it is 0."""
    if net.pooling == "average":
        return F.avg_pool2d(x, 2), None
    if not keep:
        return F.max_pool2d(x, 2), None
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    # which of the four is a difference of 0, 1, width or width + 1: small integers, wrapped or not, tell as well, and faster
    width, small = x.shape[-1], torch.int16 if x.shape[-1] < 2**15 - 1 else torch.int32
    rows, columns = (torch.arange(0, 2 * n, 2, dtype=small, device=x.device) for n in pooled.shape[-2:])
    offset = index.to(small).sub_(rows[:, None] * width + columns)
    right = (offset == 1) | (offset == width + 1)
    return pooled, (pooled <= 0).to(torch.uint8).mul_(2).add_(offset >= width).mul_(2).add_(right)


def _pull_pooling(gradient: Tensor, size: tuple[int, int], taken: Tensor | None) -> Tensor:
    if taken is None:
        pulled = F.interpolate(gradient.mul_(0.25), scale_factor=2.0, mode="nearest")
    else:
        n, channels, height, width = gradient.shape
        fours = gradient.new_empty(n, height, 2, width, 2, channels).permute(0, 5, 1, 2, 3, 4)
        corner = torch.arange(4, dtype=torch.uint8, device=gradient.device).view(2, 1, 2)
        for some, index, out in _portions(gradient, taken, fours):
            torch.mul(some[:, :, :, None, :, None], index[:, :, :, None, :, None] == corner, out=out)
        pulled = fours.flatten(4, 5).flatten(2, 3)
    left = size[0] - pulled.shape[-2], size[1] - pulled.shape[-1]
    return F.pad(pulled, (0, left[1], 0, left[0])) if any(left) else pulled


# bits


_GATHER = 0x0102040810204080
"""Times eight bytes of 0 or 1, the highest byte of the product has them as bits, the first one lowest."""


def _pack(mask: Tensor) -> Tensor:
    """(N, C, H, W) booleans, channels last and C a multiple of 8, as (N, H, W, C / 8) bytes."""
    eights = mask.permute(0, 2, 3, 1).contiguous().view(torch.int64)
    return (eights * _GATHER).bitwise_right_shift_(56).to(torch.uint8)


def _unpack(packed: Tensor) -> Tensor:
    bits = torch.tensor([1 << k for k in range(8)], dtype=torch.uint8, device=packed.device)
    return (packed[..., None] & bits).ne(0).flatten(-2).permute(0, 3, 1, 2)
