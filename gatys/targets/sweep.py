"""A sweep: the network is shown every tile of a picture, in smaller ones where memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ..network.layers import Layer
from ..network.vgg import VGG
from ..passes.layout import Layout
from ..passes.plan import Plan, make_plan, within_memory
from ..passes.tiles import Tile
from ..passes.trunk import See, forward
from ..settings import Padding, TileSize


class Way(NamedTuple):
    """How an extraction goes over pictures; see `extraction.extract_content`."""

    padding: Padding
    tile: TileSize
    memory: int | None
    place: Layout
    callback: Callable[[], None] | None


def sweep(
    net: VGG,
    picture: Tensor,
    layers: Iterable[str],
    see: See,
    way: Way,
    again: Callable[[], None] = lambda: None,
    *,
    banded: bool = True,
    held: float = 0.0,
) -> None:
    """Show `see` the features of every tile of a picture; where memory runs out, show all of them again in smaller
    tiles.

    It keeps so many values a pixel `held` of a tile as it goes.
    """
    device, dtype = net.mean.device, net.mean.dtype
    place, padding = way.place, way.padding
    image = picture.detach().to(device=device, dtype=dtype)
    layers = tuple(layers)
    used = net.chosen(layers)
    size = place.size(picture)
    field = place.around(image, size, used, padding)
    plan = make_plan(
        place.extent(size, used, padding),
        used,
        device=device,
        optimizer=None,
        bytes_per_value=dtype.itemsize,
        padding=padding,
        tile=way.tile,
        memory=way.memory,
        whole=not banded,
        held=held,
    )

    def show(plan: Plan) -> None:
        for part in place.parts(size, plan.tile, used, padding):
            forward(net, field, part, layers, see, banded=banded)
            if way.callback is not None:
                way.callback()

    within_memory(plan, lambda plan: place.team.together(lambda: show(plan)), device, lambda _: again())


def features_of(
    net: VGG, pictures: Tensor, layers: Iterable[str], dtype: torch.dtype, device: torch.device, way: Way
) -> dict[str, Tensor]:
    """Give the features of each layer, one picture at a time: a film must not need a film of memory."""
    features = {name: _empty(pictures, net.layers[name], dtype, device) for name in layers}
    for index in range(pictures.shape[0]):

        def see(name: str, core: Tensor, part: Tile, index: int = index) -> None:
            owned = (index, ..., *part.owned(net.layers[name]))
            features[name][owned] = core[0].to(dtype).to(device)

        sweep(net, pictures[index : index + 1], layers, see, way)
    return features


def _empty(picture: Tensor, layer: Layer, dtype: torch.dtype, device: torch.device) -> Tensor:
    units = (picture.shape[-2] // layer.stride, picture.shape[-1] // layer.stride)
    return torch.empty((picture.shape[0], layer.channels, *units), dtype=dtype, device=device)
