"""Weights for shares: one asks how much of the gradient each term and layer is to have, and gets the weights for that.

A weight says little by itself: how hard a term pulls depends on the network, the layer and the pictures. The gradient of a
part, which is one layer of one term, is proportional to its weight, so that one measurement at one picture gives the
weights for any shares there. They are then fixed: the objective stays one and the same function during the descent, and
the shares move as the picture does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..network.layers import LAYERS
from ..network.vgg import VGG
from ..objective.objective import Objective, resolve_padding
from ..objective.shares import gradient_lengths
from ..objective.term import Term
from ..passes.layout import WHOLE, Layout
from ..pictures.conversion import AnyPicture
from ..settings import (
    CONTENT_WEIGHT,
    STRENGTH,
    STYLE_WEIGHT,
    TV_WEIGHT,
    Padding,
    TvForm,
    check_share,
    content_factor,
    rings,
)
from ..targets.across import Across
from ..targets.regions import AnyStyle, RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget
from .asked_shares import checked_shares
from .start import full_size, name_or_picture, starting_picture

_OF_LAYERS = ("content", "style")
"""The terms whose layers have a coefficient each."""
ROUNDING = 0.005
"""The share by which all that is asked for may miss 100 %, for numbers that were rounded."""


@dataclass(frozen=True, eq=False)
class ShareWeights:
    """The weights that give each part of the gradient its share at one picture; `weights_for_shares` makes it.

    Example:
        >>> found = gatys.weights_for_shares(net, content=content, style=style, shares={"conv1_1": 0.2})
        >>> round(found.shares["style conv1_1"], 2)
        0.2
    """

    content: ContentTarget | None
    """The content with new coefficients of its layers."""
    style: AnyStyle | None
    """The style with new coefficients of its layers."""
    content_weight: float
    style_weight: float
    tv_weight: float
    laplacian_weight: float
    terms: tuple[Term, ...]
    """The further terms with new weights."""
    shares: Mapping[str, float]
    """The share that each part has with them, as `gradient_shares` gives it."""

    def __repr__(self) -> str:
        weights = f"content_weight={self.content_weight:.4g}, style_weight={self.style_weight:.4g}, "
        weights += f"tv_weight={self.tv_weight:.4g}"
        return f"ShareWeights({weights}, {', '.join(f'{name} {share:.1%}' for name, share in self.shares.items())})"

    @property
    def arguments(self) -> dict[str, Any]:
        """Give targets and weights as arguments of `optimize` and of `Objective`."""
        names = ("content", "style", "content_weight", "style_weight", "tv_weight", "laplacian_weight", "terms")
        return {name: getattr(self, name) for name in names}


def weights_for_shares(
    net: VGG,
    *,
    shares: Mapping[str, float],
    content: ContentTarget | None = None,
    style: AnyStyle | None = None,
    at: AnyPicture = "auto",
    content_weight: float = CONTENT_WEIGHT,
    strength: float = STRENGTH,
    style_weight: float = STYLE_WEIGHT,
    tv_weight: float = TV_WEIGHT,
    laplacian_weight: float = 0.0,
    octaves: int = 1,
    tv_form: TvForm = "squared",
    terms: Sequence[Term] = (),
    padding: Padding | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    place: Layout = WHOLE,
) -> ShareWeights:
    """Give the weights with which each term and layer has the share of the gradient that is asked for, at one picture.

    A share is the length of one part of the gradient over the sum of all lengths, as in `gradient_shares`. Only the
    weights' ratios are determined by shares: the style's weight stays as it is, or without style the content's.

    Args:
        net: the network that the targets were extracted with.
        shares: from 0 to 1, by names: a term ("content", "style", "tv", "laplacian", or a further term's name), all layers of which share
            it in the ratios that they have with the weights as given; a layer of a term ("style conv1_1"); or a
            layer that only one term has ("conv1_1"). What is not named shares the rest, in the same ratios; a
            share of 0 leaves a part out.
        content, style, terms, octaves, tv_form, padding: as for `Objective`.
        at: where to measure: a start of `settings.INITS`, "auto" being the one that a run has by itself, or a picture. A
            content does not pull at itself: where it is to have a share, the start must be another, as "recolored" is,
            which is "auto" where there are content and style.
        content_weight, style_weight, tv_weight, laplacian_weight: the weights as given, for the ratios of what is not named.
        strength: that of the run. A start made of the content is loosened by it, and the content weight that is found is
            what this strength makes the right one: an `Objective` by itself takes it times `settings.content_factor`.
        size: the (height, width) of the result, as for `optimize`.
        seed: the seed of a start that is noise.
        place: where the pictures lie.

    Returns:
        Targets and weights; `arguments` of it go into `optimize`.

    Raises:
        InputError: for a share of something that is not there, that is none, or of which nothing pulls at that picture, and
            where shares do not add up.

    Example:
        >>> found = gatys.weights_for_shares(net, content=content, style=style, shares={"content": 0.1, "conv1_1": 0.2})
        >>> result = gatys.optimize(net, **found.arguments)
    """
    init = name_or_picture(at)
    full = full_size(content, style, init, size, place)
    around = rings(resolve_padding(content, padding))
    check_share("strength", strength)
    of_strength = content_factor(strength)
    image = starting_picture(net, content, style, init, full, seed, place, strength=strength, rings=around)
    asked = checked_shares(shares)
    # a weight of 0 says nothing of what another one would do: it is measured as 1, and counts for nothing else
    given = {"content": content_weight * of_strength, "style": style_weight, "tv": tv_weight}
    given |= {"laplacian": laplacian_weight} | {t.name: t.weight for t in terms}
    named = {name.partition(" ")[0] for name in asked}
    named |= set(_OF_LAYERS) if named & LAYERS.keys() else set()
    off = {name for name, weight in given.items() if not weight and name in named}
    used = given | dict.fromkeys(off, 1.0)
    objective = Objective(
        net,
        content=content,
        style=style,
        content_weight=used["content"],
        style_weight=used["style"],
        tv_weight=used["tv"],
        laplacian_weight=used["laplacian"],
        terms=[_weighing(term, used[term.name]) for term in terms],
        octaves=octaves,
        padding=padding,
        tv_form=tv_form,
        place=place,
    )
    lengths = gradient_lengths(objective, image)
    wanted = _allocate(asked, lengths, {part for part in lengths if part.partition(" ")[0] in off})
    factors = {part: wanted[part] / length for part, length in lengths.items() if length}
    scale, left = _scale(factors, content, style), {part: 1.0 for part, length in lengths.items() if not length}
    factors = {part: factor * scale for part, factor in factors.items()} | left
    new_content, times_content = _reweighed(content, "content", factors)
    new_style, times_style = _reweighed(style, "style", factors)
    return ShareWeights(
        content=new_content,
        style=new_style,
        content_weight=used["content"] * times_content / of_strength,
        style_weight=used["style"] * times_style,
        tv_weight=used["tv"] * factors.get("tv", 1.0),
        laplacian_weight=used["laplacian"] * factors.get("laplacian", 1.0),
        terms=tuple(_weighing(term, used[term.name] * _of_term(term.name, factors)) for term in terms),
        shares=wanted,
    )


def _parts_of(name: str, parts: Sequence[str]) -> list[str]:
    """Give the parts that a name means.

    Raises:
        InputError: for a name of nothing, or of a layer that several terms have.
    """
    if name in parts and (" " not in name or name.partition(" ")[0] in _OF_LAYERS):
        return [name]
    found = [part for part in parts if part.partition(" ")[0] == name]
    if found:
        return found
    layers = [part for part in parts if part.partition(" ")[2] == name and part.partition(" ")[0] in _OF_LAYERS]
    if len(layers) > 1:
        raise InputError(f"shares: {name!r} is a layer of several terms; name one of them: {', '.join(layers)}")
    if not layers:
        terms = dict.fromkeys(part.partition(" ")[0] for part in parts)
        single = [part for part in parts if part.partition(" ")[0] in _OF_LAYERS]
        known = ", ".join(dict.fromkeys([*terms, *single]))
        raise InputError(f"shares: expected one of {known}, got {name!r}; name what the objective has")
    return layers


def _allocate(asked: Mapping[str, float], lengths: Mapping[str, float], off: set[str]) -> dict[str, float]:
    """Give the share of each part, with a sum of 1.

    Args:
        asked: what is asked for, by the names of parts or of groups of them.
        lengths: the length of each part of the gradient.
        off: the parts whose weight is 0 unless they are asked for.
    """
    parts = list(lengths)
    meant = {name: _parts_of(name, parts) for name in asked}
    found: dict[str, float] = {}

    def spread(among: Sequence[str], share: float) -> None:
        counted = [part for part in among if part not in off] or list(among)
        whole = sum(lengths[part] for part in counted)
        for part in among:
            found[part] = share * lengths[part] / whole if whole and part in counted else 0.0

    whole = 0.0
    # single parts first: a term that is named beside some of its layers has these within its share
    for name, among in sorted(meant.items(), key=lambda item: len(item[1])):
        share = asked[name]
        inside = [part for part in among if part in found]
        rest = share - sum(found[part] for part in inside)
        others = [part for part in among if part not in found]
        if inside and (rest < -ROUNDING or (not others and rest > ROUNDING)):
            raise InputError(
                f"shares: {', '.join(inside)} have {_percent(share - rest)} of the {_percent(share)} of {name}, which they "
                "are part of; make them fit"
            )
        whole += max(rest, 0.0)
        if share and not any(lengths[part] for part in among):
            raise InputError(
                f"shares: {name} has no gradient at this picture, as content has none at itself, so no weight gives it a "
                "share; measure at another one, such as 'recolored' or 'noise'"
            )
        spread(others, max(rest, 0.0))
    left = [part for part in parts if part not in found]
    pulling = [part for part in left if lengths[part] and part not in off]
    if whole > 1 + ROUNDING:
        raise InputError(f"shares: {_percent(whole)} in all, which is more than 100 %; ask for less")
    if whole < 1 - ROUNDING and not pulling:
        raise InputError(
            f"shares: {_percent(whole)} in all, and nothing else pulls that could have the rest; make it 100 %"
        )
    spread(left, max(0.0, 1 - whole) if pulling else 0.0)
    total = sum(found.values())
    return {part: found[part] / total for part in parts}


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _scale(factors: Mapping[str, float], content: ContentTarget | None, style: AnyStyle | None) -> float:
    """Give the factor on all factors with which the style's weight stays as it is, or else the content's."""
    for target, name in ((style, "style"), (content, "content")):
        times = 0.0 if target is None else _times(target, name, factors)
        if times:
            return 1 / times
    return 1.0


def _times(target: ContentTarget | AnyStyle, name: str, factors: Mapping[str, float]) -> float:
    """Give the factor on the weight of a term, where the coefficients of its layers keep their sum."""
    layers = target.layers
    return sum(c * factors.get(f"{name} {layer}", 0.0) for layer, c in layers.items()) / sum(layers.values())


def _reweighed(target: Any, name: str, factors: Mapping[str, float]) -> tuple[Any, float]:
    """Give a target with new coefficients of its layers, and the factor on the weight of its term."""
    times = 0.0 if target is None else _times(target, name, factors)
    if not times:
        return target, times if target is not None else 1.0
    layers = partial(_layers, name=name, factors=factors, times=times)
    if isinstance(target, RegionalStyle):
        regions = [replace(each, style=replace(each.style, layers=layers(each.style))) for each in target.regions]
        return RegionalStyle(tuple(regions)), times
    chosen = layers(target)
    if isinstance(target, StyleTarget):
        return replace(target, layers=chosen), times

    def kept(levels: Sequence[Mapping[str, Tensor]]) -> tuple[Mapping[str, Tensor], ...]:
        return tuple({layer: tensor for layer, tensor in level.items() if layer in chosen} for level in levels)

    guides = None if target.guides is None else kept(target.guides)
    return replace(target, layers=chosen, features=kept(target.features), guides=guides), times


def _layers(target: Any, *, name: str, factors: Mapping[str, float], times: float) -> dict[str, float]:
    """Give the coefficients of a target's layers, multiplied by their factors and divided by `times`, without zeros."""
    layers = {layer: c * factors.get(f"{name} {layer}", 0.0) / times for layer, c in target.layers.items()}
    out = [layer for layer, c in layers.items() if not c]
    if out and isinstance(target, StyleTarget) and isinstance(target.statistic, Across):
        raise InputError(
            f"shares: {out[0]} has none, but the layer after it is compared across it; give it a share above 0 %"
        )
    return {layer: c for layer, c in layers.items() if c}


def _weighing(term: Term, weight: float) -> Term:
    """Give a copy of a term with another weight."""
    other = copy(term)
    other.weight = weight
    return other


def _of_term(name: str, factors: Mapping[str, float]) -> float:
    """Give the factor on a further term, all of whose layers have one in common."""
    return next((factor for part, factor in factors.items() if part.partition(" ")[0] == name), 1.0)
