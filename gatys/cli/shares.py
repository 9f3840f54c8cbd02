"""The option --shares: weights that give each term and layer its share of the gradient at the start."""

from __future__ import annotations

import logging
from typing import Any

from ..descent.asked_shares import parse_shares
from ..descent.share_weights import weights_for_shares
from ..network.vgg import VGG
from ..objective.objective import AS_THEY_ARE
from ..passes.layout import Layout
from .inputs import Inputs
from .parsed import Options

log = logging.getLogger(__name__)


def with_shares(net: VGG, targets: dict[str, Any], given: Inputs, options: Options, place: Layout) -> dict[str, Any]:
    """Give targets and weights for `--shares`, by their names as arguments of `optimize`, and tell them."""
    found = weights_for_shares(
        net,
        **targets,
        shares=parse_shares(options.shares or ""),
        at=given.start,
        size=given.size if given.content is None else None,
        place=place,
        **{name: getattr(options, name) for name in ("content_weight", "strength", "octaves", "seed", *AS_THEY_ARE)},
    )
    layers = [f"{name} {layer}={c:.4g}" for name in targets for layer, c in _layers(found.arguments[name])]
    weights = f"content_weight {found.content_weight:.4g}, style_weight {found.style_weight:.4g}"
    weights += f", tv_weight {found.tv_weight:.4g}, laplacian_weight {found.laplacian_weight:.4g}"
    log.info("shares: %s; %s", weights, ", ".join(layers))
    return found.arguments


def _layers(target: Any) -> list[tuple[str, float]]:
    return [] if target is None else list(target.layers.items())
