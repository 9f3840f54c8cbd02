"""The speed of this machine: what a step will cost, from passes over small pictures that are timed once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.layers import Layer, minimum_size
from ..network.vgg import VGG
from .plan import Plan, operations
from .precision import lowered
from .tiles import Tile, tiles
from .trunk import backward, forward

EDGES = {"cpu": (64, 128)}
"""Edges in pixels of the two pictures that are timed, by the device's type: large enough to keep it busy."""
OTHER_EDGES = (128, 512)
TIMES = 2
"""How often each picture is passed over after a first time, which prepares; the fastest counts."""


@dataclass(frozen=True)
class Speed:
    """The seconds of a step: some for every tile, and some for what it computes."""

    fixed: float
    """The seconds that a tile, or a further octave, takes however small it is."""
    rate: float
    """The floating-point operations a second beyond that."""

    def seconds(self, plan: Plan) -> float:
        """Give the seconds that a step by a plan will take."""
        rows, columns = plan.grid
        return self.fixed * (rows * columns + plan.octaves - 1) + plan.operations / self.rate


_known: dict[tuple[object, ...], Speed] = {}
"""What has been measured in this process, by all that it depends on."""


def measured(net: VGG, dtype: torch.dtype, layers: Iterable[Layer], plan: Plan) -> Speed:
    """Give what `measure` does with convolutions in `dtype`, measured once a process: pictures of a folder and frames of a
    film come by the hundred.
    """
    layers = list(layers)
    names = tuple(layer.name for layer in layers)
    edges = _edges(net.mean.device, layers, plan)
    key = net.tag.architecture, net.mean.device, net.mean.dtype, dtype, names, edges, torch.get_num_threads()
    if key not in _known:
        _known[key] = measure(lowered(net, dtype), layers, plan)
    return _known[key]


def _edges(device: torch.device, layers: Iterable[Layer], plan: Plan) -> tuple[int, int]:
    """Give the edges of the two pictures that are timed; they are one where a plan's is as small as can be."""
    least = minimum_size(layers)
    small, large = EDGES.get(device.type, OTHER_EDGES)
    large = max(least, min(large, *(plan.tile or plan.size)))
    return max(least, min(small, large // 2)), large


def measure(trunk: VGG, layers: Iterable[Layer], plan: Plan) -> Speed:
    """Measure the speed at which a network is passed over, forward and back, in some tenths of a second.

    Args:
        trunk: the network, on its device, its convolutions in the dtype that they will work in.
        layers: all that the objective uses.
        plan: that of the largest picture; nothing larger is passed over than what it does at a time.
    """
    layers, device = list(layers), trunk.mean.device
    small, large = _edges(device, layers, plan)
    dtype = trunk.convolution(layers[0].name).weight.dtype
    seconds, cost = _pass_seconds(trunk, layers, large), 2 * operations((large, large), layers, device, dtype)
    if small == large:
        return Speed(0.0, cost / seconds)
    less = 2 * operations((small, small), layers, device, dtype)
    beyond = max(seconds - _pass_seconds(trunk, layers, small), 0.1 * seconds)  # other work may blur the clock
    rate = (cost - less) / beyond
    return Speed(max(0.0, seconds - cost / rate), rate)


def _pass_seconds(trunk: VGG, layers: Sequence[Layer], edge: int) -> float:
    image = torch.full((1, 3, edge, edge), 0.5, dtype=trunk.mean.dtype, device=trunk.mean.device)
    names = [layer.name for layer in layers]
    (whole,) = tiles((edge, edge), None, layers)
    found = []
    for _ in range(1 + TIMES):
        began = time.perf_counter()
        tape = forward(trunk, image, whole, names, tape=True)
        backward(trunk, tape, _cotangent)[0, 0, 0, 0].item()  # waits for the device
        found.append(time.perf_counter() - began)
    return min(found[1:])


def _cotangent(name: str, core: Tensor, onto: Tensor | None, part: Tile) -> Tensor:
    """Give a derivative that costs about what a Gram matrix's does: a product with as many channels as there are."""
    flat = core.flatten(2)
    pulled = (flat @ flat.mT @ flat).view_as(core) * 0
    return pulled if onto is None else onto.add_(pulled)
