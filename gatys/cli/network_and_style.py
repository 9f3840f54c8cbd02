"""The network and the targets of a run, which are kept from one picture to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

from ..descent.identity import digest
from ..network.vgg import VGG
from ..passes.layout import Layout
from ..targets.regions import RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget
from .inputs import Inputs, make_content, make_style
from .parsed import Options

T = TypeVar("T")


class _Kept(Generic[T]):
    """The last few things that were made, by what they were made of."""

    def __init__(self, most: int):
        self._most = most
        self._made: OrderedDict[Any, T] = OrderedDict()

    def give(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._made:
            while len(self._made) >= self._most:  # before another one takes memory
                self._made.popitem(last=False)
            self._made[key] = make()
        self._made.move_to_end(key)
        return self._made[key]


class NetworkAndStyle:
    """The network, the styles and the contents of a run, each made once as long as it comes out the same.

    Args:
        load: loads the network.
    """

    def __init__(self, load: Callable[[Options, torch.device], VGG]):
        self._load = load
        self._networks: _Kept[VGG] = _Kept(2)
        self._styles: _Kept[StyleTarget | RegionalStyle | None] = _Kept(32)
        self._contents: _Kept[ContentTarget] = _Kept(1)

    def network(self, options: Options, device: torch.device) -> VGG:
        """Give the network on the device."""
        return self._networks.give((*_network(options), device), lambda: self._load(options, device))

    def style(self, net: VGG, given: Inputs, options: Options, place: Layout) -> StyleTarget | RegionalStyle | None:
        """Give the style as `inputs.make_style` does, where it is not there from an earlier picture."""
        loaded = [gram for style in given.loaded for grams in style.grams for gram in grams.values()]
        how = (options.style_layers, options.statistic, options.blend, options.propagation)
        key = digest(*given.pictures, *given.masks, *loaded, *how, *_extraction(net, options))
        return self._styles.give(key, lambda: make_style(net, given, options, place))

    def content(self, net: VGG, given: Inputs, options: Options, place: Layout) -> ContentTarget | None:
        """Give the content of the run, where it is not there from the picture before; None where it has none."""
        if given.content is None:
            return None
        how: list[Any] = [options.content_layers, options.match_features]
        how += [*given.pictures, *given.masks, options.blend] if options.match_features else []
        key = digest(given.content.pixels, *how, *_extraction(net, options))
        return self._contents.give(key, lambda: make_content(net, given, options, place))


def _network(options: Options) -> tuple[Any, ...]:
    """Give what a network depends on."""
    return options.weights, options.layout, options.pooling, options.preprocessing, options.responses


def _extraction(net: VGG, options: Options) -> tuple[Any, ...]:
    """Give what every target depends on."""
    sizes = (options.levels, options.octaves, options.normalize, options.padding)
    return net.tag.fingerprint, *_network(options), *sizes, options.tile, options.memory, options.device
