"""What is kept from one picture of the command line to the next."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch

from ..network.vgg import VGG
from ..passes.layout import Layout
from .inputs import Inputs, make_style


class Studio:
    """What many pictures share: the network, and the style as long as it comes out the same."""

    def __init__(self, load: Callable[[argparse.Namespace, torch.device], VGG], *, many: bool = False):
        self.many, self._load = many, load
        self._net: VGG | None = None
        self._made: tuple[object, Any] = (None, None)

    def network(self, options: argparse.Namespace, device: torch.device) -> VGG:
        if self._net is None:
            self._net = self._load(options, device)
        return self._net

    def style(self, net: VGG, given: Inputs, options: argparse.Namespace, place: Layout) -> Any:
        sizes = [tuple(pixels.shape) for pixels in given.pictures]
        if self._made[0] != sizes or options.match_colors or given.masks:
            self._made = sizes, make_style(net, given, options, place)
        return self._made[1]
