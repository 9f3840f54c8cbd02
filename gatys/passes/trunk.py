"""The trunk of the network, forward and back over one window, by hand.

Backward through a frozen network needs little of what autograd keeps: where each rectifier was open, which of the four
each max pooling took, and nothing of convolutions and average poolings. So a pass holds less than half of the memory,
in less time, and comes to the same result; packed to bits, a seventh. The first block runs in bands of rows.

A pass computes in the dtype of the network's convolutions; the picture and its gradient have their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network.layers import Layer, layers_down_to
from ..network.vgg import VGG
from ..pictures.checks import size_of
from .adjoints import FIRST, gate, pack, pool, prepare, pull_convolution, pull_pooling, respond, shut, unpack
from .bands import Band, bands
from .tiles import Tile

See = Callable[[str, Tensor, Tile], None]
"""A function that is called with a layer's name, a tile's own part of its features, which is not to be written to or
kept, and that tile: the one that the pass is for, or in the first block a band of it."""
Cotangent = Callable[[str, Tensor, Tensor | None, Tile], Tensor]
"""A function that gives, from the same, the derivative of the loss in these features: a tensor of its own, or added in
place to the third of the arguments, where that is given."""
Steps = list[tuple[Layer, Layer | None]]
"""The layers in the order of the pass, each with the one after it."""


class Tape:
    """The parts of a pass that the way back through the layers of one tile, or of one band, needs."""

    def __init__(self, part: Tile, window: Tensor, layers: Iterable[Layer], *, linear: bool):
        self.part, self.window = part, window
        self.layers = {layer.name: layer for layer in layers}
        self.bands: list[tuple[Band, Tape]] = []
        self.linear = linear
        self._features: dict[str, Tensor] = {}
        self._gates: dict[str, Tensor] = {}
        self._taken: dict[str, Tensor] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._packed = False

    def keep(self, name: str, features: Tensor) -> None:
        if name not in self.layers:
            self._gates[name] = gate(features)
        elif name != FIRST:  # the first costs less to compute again than to keep
            self._features[name] = features

    def keep_pooling(self, name: str, size: tuple[int, int], taken: Tensor | None) -> None:
        self._sizes[name] = size
        if taken is not None:
            self._taken[name] = taken

    def pack(self) -> None:
        """Keep a bit for each unit, and features only of the tile's own part: for many tapes at a time."""
        for _, tape in self.bands:
            tape.pack()
        for name, features in self._features.items():
            self._gates[name] = gate(features, linear=self.linear)
            core = (..., *self.part.core(self.layers[name]))
            self._features[name] = features[core].clone()
        self._gates = {name: pack(mask) for name, mask in self._gates.items()}
        self._packed = True

    def pop_features(self, net: VGG, name: str) -> tuple[Tensor, Tensor]:
        """Give the tile's own part of a layer's features."""
        if name == FIRST:
            features = respond(net, name, prepare(net, self.window), self.part, linear=self.linear)
        else:
            features = self._features.pop(name)
            if self._packed:
                return features, unpack(self._gates.pop(name))
        mask = gate(features, linear=self.linear)
        core = (..., *self.part.core(self.layers[name]))
        # a part in one piece, so that no one needs to copy it while the whole is still there
        return features[core].contiguous(memory_format=torch.channels_last), mask

    def pop_gate(self, name: str) -> Tensor | None:
        """Give what `shut` reads; None where the pooling after it says so, too."""
        mask = self._gates.pop(name, None)
        return unpack(mask) if mask is not None and mask.dtype == torch.uint8 else mask

    def pop_pooling(self, name: str) -> tuple[tuple[int, int], Tensor | None]:
        """Give the size that the pooling before a layer was given, and for max pooling what was taken."""
        return self._sizes.pop(name), self._taken.pop(name, None)


@overload
def forward(
    net: VGG,
    image: Tensor,
    part: Tile,
    layers: Iterable[str],
    see: See | None = None,
    *,
    tape: Literal[True],
    banded: bool = True,
) -> Tape: ...


@overload
def forward(
    net: VGG,
    image: Tensor,
    part: Tile,
    layers: Iterable[str],
    see: See | None = None,
    *,
    tape: bool = False,
    banded: bool = True,
) -> Tape | None: ...


@torch.no_grad()
def forward(
    net: VGG,
    image: Tensor,
    part: Tile,
    layers: Iterable[str],
    see: See | None = None,
    *,
    tape: bool = False,
    banded: bool = True,
) -> Tape | None:
    """Run the network over a tile's window.

    Args:
        net: the network, on the device of `image`; its convolutions may be of another dtype.
        image: (N, 3, H, W), sRGB in [0, 1]: the whole picture.
        part: the tile.
        layers: canonical names; nothing deeper than the deepest is computed.
        see: called for each of `layers`, shallowest first within a band.
        tape: whether to keep what `backward` needs.
        banded: whether the first block may be passed in bands of rows, so that `see` is called for some of a layer's rows
            at a time.

    Returns:
        The tape, if it was asked for.

    Raises:
        InputError: for a layer that the network does not have.
    """
    wanted = net.chosen(layers)
    first, rest = _steps(wanted)
    kept = Tape(part, part.window(image), wanted, linear=net.responses == "conv")
    pooled = _first_block(net, image, first, kept, see, keep=tape, banded=banded)
    if rest:
        _down(net, pooled.pop(), rest, kept, see, keep=tape)
    return kept if tape else None


@torch.no_grad()
def backward(net: VGG, tape: Tape, cotangent: Cotangent) -> Tensor:
    """Give the gradient in a window's pixels, (N, 3, h, w), of a loss whose derivative in the features is `cotangent`.

    The tape is used up on the way.
    """
    first, rest = _steps(tape.layers.values())
    whole = _up(net, None, rest, tape, cotangent) if rest else None
    gradient = torch.zeros_like(tape.window)
    alone = len(tape.bands) == 1
    while tape.bands:
        band, own = tape.bands.pop()
        pooled = whole
        if whole is not None and not alone:
            rows = (band.rows.high - band.rows.low) // 2
            pooled = whole.new_zeros(*whole.shape[:2], rows, whole.shape[3]).to(memory_format=torch.channels_last)
            pooled[:, :, band.rows.core(2)] = whole[:, :, band.rows.owned(2)]
        pulled = _up(net, pooled, first, own, cotangent)[:, : gradient.shape[1]]
        for here, there in band.rows.pieces():
            gradient[:, :, there] += pulled[:, :, here]
    return gradient.div_(net.std.view(1, 3, 1, 1))


def _steps(wanted: Iterable[Layer]) -> tuple[Steps, Steps]:
    """Give the steps of the first block, and the rest."""
    run = layers_down_to(wanted)
    steps = list(itertools.zip_longest(run, run[1:]))
    return [step for step in steps if step[0].stride == 1], [step for step in steps if step[0].stride > 1]


def _first_block(
    net: VGG, image: Tensor, steps: Steps, tape: Tape, see: See | None, *, keep: bool, banded: bool
) -> list[Tensor]:
    """Give the map behind the first pooling, if there is one: in a list, so that its taker has it alone."""
    pooled = steps[-1][1] is not None
    cut = bands(tape.part, image.device, batch=image.shape[0], pooled=pooled, most=None if banded else 1)
    whole: list[Tensor] = []
    for band in cut:
        if not (pooled or band.has_core):
            continue
        window = band.tile.window(image)
        own = Tape(band.tile, window, tape.layers.values() if band.has_core else (), linear=tape.linear)
        some = _down(net, prepare(net, window), steps, own, see, keep=keep)
        if keep:
            tape.bands.append((band, own))
        if not pooled:
            continue
        if len(cut) == 1:
            return [some]
        if not whole:
            n, channels, _, width = some.shape
            size = (n, channels, tape.part.size[0] // 2, width)
            whole = [torch.empty(size, dtype=some.dtype, device=some.device, memory_format=torch.channels_last)]
        whole[0][:, :, band.rows.owned(2)] = some[:, :, band.rows.core(2)]
    return whole


def _down(net: VGG, x: Tensor, steps: Steps, tape: Tape, see: See | None, *, keep: bool) -> Tensor:
    """Go forward through some layers, and the pooling behind them, if another layer comes."""
    for layer, after in steps:
        name, part = layer.name, tape.part
        asked = name in tape.layers
        linear = tape.linear and asked
        x = respond(net, name, x, part, linear=linear)
        pooled = after if after is not None and after.stride != layer.stride else None
        if keep and (asked or pooled is None or net.pooling != "max"):
            tape.keep(name, x)
        if asked and see is not None:
            core = (..., *part.core(layer))
            see(name, x[core], part)
        if linear:
            x = F.relu(x)
        if pooled is not None:
            size = size_of(x)
            x, taken = pool(net, x, keep=keep)
            if keep:
                tape.keep_pooling(pooled.name, size, taken)
    return x


def _up(net: VGG, gradient: Tensor | None, steps: Steps, tape: Tape, cotangent: Cotangent) -> Tensor:
    """Apply the adjoint of `_down` to the derivative in what that gave; None where nothing comes after."""
    for layer, after in reversed(steps):
        if gradient is not None and after is not None and after.stride != layer.stride:
            gradient = pull_pooling(gradient, *tape.pop_pooling(after.name))
        if gradient is None or layer.name in tape.layers:
            gradient = _join(net, gradient, layer, tape, cotangent)
        elif (mask := tape.pop_gate(layer.name)) is not None:
            shut(gradient, mask)
            del mask
        gradient = pull_convolution(net, layer.name, gradient, tape.part)
    assert gradient is not None  # noqa: S101 (there is a step at least)
    return gradient


def _join(net: VGG, gradient: Tensor | None, layer: Layer, tape: Tape, cotangent: Cotangent) -> Tensor:
    """Give the derivative before the rectifier of a layer that is asked for, from that behind it and its own."""
    features, mask = tape.pop_features(net, layer.name)
    core = (..., *tape.part.core(layer))
    if gradient is None:
        gradient = own = cotangent(layer.name, features, None, tape.part)
        if own.shape != mask.shape:
            gradient = torch.zeros_like(mask, dtype=own.dtype)
            gradient[core] = own
        del own
    else:
        if tape.linear:
            shut(gradient, mask)  # features read before the rectifier have not passed it
        cotangent(layer.name, features, gradient[core], tape.part)
    del features
    if not tape.linear:
        shut(gradient, mask)
    return gradient
