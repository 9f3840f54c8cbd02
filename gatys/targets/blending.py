"""Blending styles: since a style loss is quadratic in Gram matrices, a weighted sum of losses is one style again."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, InputTypeError
from ..pictures.recoloring import Colors, mixed
from .across import Across
from .levels import fewest_levels
from .targets import StyleTarget

_log = logging.getLogger(__name__)


def blend_styles(styles: Iterable[tuple[StyleTarget, float]]) -> StyleTarget:
    """Make one style between several: its loss is the weighted sum of their losses, up to a constant.

    For each layer, sum_i w_i s_i |G - A_i|^2 = S |G - sum_i (w_i s_i / S) A_i|^2 + const with S = sum_i w_i s_i. The
    sums are over the styles that have the layer; w_i are the weights divided by their sum over these, s_i the layer's
    coefficients. So Grams of equal coefficient are averaged by weight, and layers that only one style has are taken
    from it as they are: to mix the fine texture of one style with the coarse forms of another, extract each with layers
    of its own. Normalised styles are averaged in the same way, and normalised by the average.

    Args:
        styles: pairs of a style and its weight. Only the ratios of the weights count; a style of weight 0 is left out.
            A negative weight leads away from a style, beyond the others. That is logged, since the Grams may then be
            those of no picture (not positive semidefinite), which the optimiser approaches as far as it can.

    Returns:
        A style with the fewest levels of all, on the device of the first; its size is that of the style with the
            longest short edge, which is large enough for every layer. The styles are left as they are.

    Raises:
        InputError: for styles of different networks, of different numbers of levels unless these were automatic, or
            only some of which are normalised; for weights that are not finite or do not sum to more than 0, over all
            styles or over those that have a layer.
        InputTypeError: for anything else than styles, such as styles that have regions already.

    Example:
        >>> between = gatys.blend_styles([(starry_night, 0.7), (great_wave, 0.3)])
        >>> result = gatys.optimize(net, content=content, style=between)
    """
    pairs = [(style, float(weight)) for style, weight in styles]
    weights = [weight for _, weight in pairs]
    for index, (style, weight) in enumerate(pairs, start=1):
        check_whole(style, f"style {index}")
        if not math.isfinite(weight):
            raise InputError(f"weight of style {index}: expected a finite number, got {weight!r}; give one")
    if not _sum_to_more_than_zero(weights):
        got = ", ".join(f"{weight:g}" for weight in weights) or "no styles"
        raise InputError(f"weights: expected them to sum to more than 0, got {got}; raise one of them")
    if min(weights) < 0:
        said = ", ".join(f"{weight / math.fsum(weights):g}" for weight in weights)
        _log.info("blend_styles: shares of %s extrapolate beyond the styles", said)
    pairs = [(style, weight) for style, weight in pairs if weight]
    first = pairs[0][0]
    for style, _ in pairs:
        _check_alike(first, style)
    levels, misfit = fewest_levels((style.levels, style.automatic) for style, _ in pairs)
    if misfit is not None:
        raise InputError(
            f"levels: one style was extracted with {levels} and another with {pairs[misfit][0].levels}; "
            "extract all with the same number, or with 'auto'"
        )
    network = max((style.network for style, _ in pairs), key=lambda tag: len(tag.layers))
    layers: dict[str, float] = {}
    grams: tuple[dict[str, Tensor], ...] = tuple({} for _ in range(levels))
    for name in network.layers:
        having = [(style, weight) for style, weight in pairs if name in style.layers]
        if not having:
            continue
        pulls = [weight * style.layers[name] for style, weight in having]
        if not (_sum_to_more_than_zero([weight for _, weight in having]) and _sum_to_more_than_zero(pulls)):
            raise InputError(
                f"weights: the styles that have {name} do not sum to more than 0 there; extrapolate between styles that "
                "were extracted with the same layers and weights of layers"
            )
        total = math.fsum(pulls)
        layers[name] = total / math.fsum(weight for _, weight in having)
        shares = [(style, pull / total) for (style, _), pull in zip(having, pulls, strict=True)]
        for level, blended in enumerate(grams):
            blended[name] = _average([(style.grams[level][name], share) for style, share in shares], first)
    return StyleTarget(
        network=network,
        layers=layers,
        values=grams,
        size=max((style.size for style, _ in pairs), key=min),
        normalize=first.normalize,
        automatic=all(style.automatic for style, _ in pairs),
        grey=all(style.grey for style, _ in pairs),
        colors=_colors(pairs),
        statistic=first.statistic,
    )


def check_whole(style: Any, what: str) -> None:
    """Raise InputTypeError unless `style` is a single style, for the whole picture."""
    if not isinstance(style, StyleTarget):
        raise InputTypeError(
            f"{what}: expected one style for the whole picture, got {type(style).__name__}; "
            "take the style of each region before it is given its place"
        )


def _sum_to_more_than_zero(values: list[float]) -> bool:
    return math.fsum(values) > 1e-6 * math.fsum(map(abs, values))  # by more than rounding


def _average(grams: list[tuple[Tensor, float]], like: StyleTarget) -> Tensor:
    device = next(iter(like.grams[0].values())).device
    return sum((gram.to(device) * share for gram, share in grams), start=torch.zeros((), device=device))


def _colors(pairs: list[tuple[StyleTarget, float]]) -> Colors | None:
    total = math.fsum(weight for _, weight in pairs)
    parts = [(style.colors, weight / total) for style, weight in pairs if style.colors is not None]
    return mixed(parts) if len(parts) == len(pairs) else None


def _check_alike(first: StyleTarget, other: StyleTarget) -> None:
    a, b = first.network, other.network
    if not a.fits(b):
        raise InputError(f"styles: one was made with {a}, another with {b}; extract both with the same network")
    if first.statistic.name != other.statistic.name:
        raise InputError(
            f"styles: one is of the statistic {first.statistic.name!r}, another of {other.statistic.name!r}; extract both "
            "with the same"
        )
    if isinstance(first.statistic, Across) and set(first.layers) != set(other.layers):
        ours, theirs = (", ".join(style.layers) for style in (first, other))
        raise InputError(
            f"styles: {first.statistic.name!r} compares each layer with the one before it, but one style has {ours}, another "
            f"{theirs}; extract both with the same layers"
        )
    if first.normalize != other.normalize:
        raise InputError("styles: one was extracted with normalize, another without; extract both in the same way")
