"""The network and the style of a run, which are kept from one picture to the next."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..network.vgg import VGG
from ..passes.layout import Layout
from ..targets.regions import RegionalStyle
from ..targets.targets import StyleTarget
from .inputs import Inputs, make_style
from .parsed import Options


class NetworkAndStyle:
    """The network, loaded once, and the style, made once as long as it comes out the same.

    Args:
        load: loads the network.
    """

    def __init__(self, load: Callable[[Options, torch.device], VGG]):
        self._load = load
        self._net: VGG | None = None
        self._sizes: list[tuple[int, ...]] | None = None
        self._style: StyleTarget | RegionalStyle | None = None

    def network(self, options: Options, device: torch.device) -> VGG:
        """Give the network on the device."""
        if self._net is None:
            self._net = self._load(options, device)
        return self._net

    def style(self, net: VGG, given: Inputs, options: Options, place: Layout) -> StyleTarget | RegionalStyle | None:
        """Give the style as `inputs.make_style` does; it is that of the last picture where nothing in it differs."""
        sizes = [tuple(pixels.shape) for pixels in given.pictures]
        if self._sizes != sizes or options.match_colors or given.masks:
            self._sizes, self._style = sizes, make_style(net, given, options, place)
        return self._style
