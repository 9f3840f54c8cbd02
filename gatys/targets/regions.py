"""Styles for parts of the picture: each region has its own style and its own guided Gram matrix.

(Gatys et al., *Controlling Perceptual Factors in Neural Style Transfer*, CVPR 2017, section 4.) A guide t weighs each
position of a layer; G = sum_i t_i^2 f_i f_i^T / sum_i t_i^2, so that a small region gets its style in full. Where no
region reaches, only the content acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer
from ..network.vgg import NetworkTag
from ..passes.layout import WHOLE, Layout
from ..passes.tiles import halo
from ..pictures.checks import shape_of
from ..settings import PROPAGATIONS, Propagation
from .levels import fewest_levels
from .masks import guide_at, mask_planes
from .targets import StyleTarget


@dataclass(frozen=True, eq=False)
class Region:
    style: StyleTarget
    mask: Tensor | None
    """(1 or N, 1, H, W) in [0, 1], of any size, over the picture being made; None is all of it."""
    propagation: Propagation

    def __repr__(self) -> str:
        return f"Region({self.style!r}, {'everywhere' if self.mask is None else f'mask of {shape_of(self.mask)}'})"


@dataclass(frozen=True, eq=False)
class RegionalStyle:
    """Several styles, each for a part of the picture: it stands wherever a `StyleTarget` does.

    Make it with `regional_style`.

    Example:
        >>> style = gatys.regional_style([(waves, sea_mask), (clouds, sky_mask)])
        >>> result = gatys.optimize(net, content=content, style=style)
    """

    regions: tuple[Region, ...]

    def __repr__(self) -> str:
        return f"RegionalStyle({', '.join(map(repr, self.styles))})"

    def to(self, device: torch.device | str) -> RegionalStyle:
        """Give the same styles and masks on a device."""
        moved = [
            replace(each, style=each.style.to(device), mask=None if each.mask is None else each.mask.to(device))
            for each in self.regions
        ]
        return RegionalStyle(tuple(moved))

    @property
    def styles(self) -> list[StyleTarget]:
        return [region.style for region in self.regions]

    @property
    def network(self) -> NetworkTag:
        return self.regions[0].style.network

    @property
    def layers(self) -> Mapping[str, float]:
        """Give every layer that a region uses, with the largest of its coefficients."""
        layers: dict[str, float] = {}
        for style in self.styles:
            for name, coefficient in style.layers.items():
                layers[name] = max(coefficient, layers.get(name, 0.0))
        return layers

    @property
    def used(self) -> list[Layer]:
        """Give the same layers as layers of the network."""
        return list({layer.name: layer for style in self.styles for layer in style.used}.values())

    @property
    def size(self) -> tuple[int, int]:
        return self.regions[0].style.size

    @property
    def levels(self) -> int:
        return min(style.levels for style in self.styles)

    @property
    def automatic(self) -> bool:
        return all(style.automatic for style in self.styles)


AnyStyle = StyleTarget | RegionalStyle
"""What is taken wherever a style is."""


def regional_style(
    regions: Sequence[tuple[AnyStyle, Tensor | None]], *, propagation: Propagation = "average"
) -> RegionalStyle:
    """Make one style of several, each for a part of the picture.

    Args:
        regions: pairs of a style and its mask, (H, W), (N, H, W) or (N, 1, H, W) in [0, 1] and of any size; None is the
            whole picture. Soft and overlapping masks are fine: both styles act where they overlap. Instead of a style,
            an earlier `regional_style` with None adds its regions.
        propagation: how a mask is brought to the grid of a layer. "average" follows the network's poolings, so that
            units at its edge count in part; "inside" counts a unit by the least of the mask in all that it sees, so
            that no style crosses the edge, but small regions lose their deep layers.

    Returns:
        A style that stands wherever a `StyleTarget` does.

    Raises:
        InputError: for no region, for a mask that is not as above or 0 everywhere, for styles of different networks or
            numbers of levels, and for an unknown propagation.
        InputTypeError: for anything else than styles.

    Example:
        >>> style = gatys.regional_style([(waves, sea_mask), (clouds, sky_mask)])
        >>> result = gatys.optimize(net, content=content, style=style)
    """
    if propagation not in PROPAGATIONS:
        raise InputError(f"propagation: expected one of {', '.join(PROPAGATIONS)}, got {propagation!r}")
    found: list[Region] = []
    for style, mask in regions:
        if isinstance(style, RegionalStyle):
            if mask is not None:
                raise InputError("regions: a style that has regions already takes no further mask; give None with it")
            found.extend(style.regions)
        else:
            found.append(
                Region(
                    style,
                    None if mask is None else mask_planes(mask, "region mask").to(torch.float32, copy=True),
                    propagation,
                )
            )
    if not found:
        raise InputError("regions: expected at least one pair of a style and a mask, got none")
    first = found[0].style
    for region in found[1:]:
        if not region.style.network.fits(first.network):
            raise InputError(
                f"regions: styles made with {first.network} and with {region.style.network} do not go together; "
                "extract both with the same network"
            )
    if fewest_levels((region.style.levels, region.style.automatic) for region in found)[1] is not None:
        counts = ", ".join(str(region.style.levels) for region in found)
        raise InputError(f"levels: the styles of the regions have {counts}; extract them with the same number")
    return RegionalStyle(tuple(found))


def region_weights(
    region: Region, size: tuple[int, int], like: Tensor, place: Layout = WHOLE
) -> dict[str, Tensor] | None:
    """Give the weight t^2 of each position, {layer: (1 or N, 1, H_l, W_l)}, for a picture of `size` (height, width).

    Args:
        region: its mask is brought to `size` and on to each layer of its style.
        size: the (height, width) of the level that is worked on.
        like: a tensor whose device and dtype the weights get.
        place: where the picture lies; the weights are those of the rows here.

    Raises:
        InputError: where the region vanishes on the grid of a layer.
    """
    if region.mask is None:
        return None
    layers = region.style.used
    margin = 0 if region.propagation == "average" else max(halo(layers))
    mask = place.stretch(region.mask.to(like), size, margin)
    return {layer.name: _weight(mask, layer, region.propagation, size, margin, place) for layer in layers}


def _weight(
    mask: Tensor, layer: Layer, propagation: Propagation, size: tuple[int, int], margin: int, place: Layout
) -> Tensor:
    guide = guide_at(mask, layer.stride) if propagation == "average" else inside_guide(mask, layer)
    first, last = place.rows(size)
    before = min(first, margin) // layer.stride
    guide = guide.narrow(2, before, last // layer.stride - first // layer.stride)
    if not place.team.add((guide > 1e-3).flatten(1).any(dim=1).to(guide)).all():
        raise InputError(
            f"region mask: its area vanishes on the grid of {layer.name} by the rule {propagation!r} where the picture has "
            f"{size[1]} x {size[0]} pixels; paint a larger region, make a larger picture on fewer levels, or use shallower "
            "layers" + (", or 'average'" if propagation == "inside" else "")
        )
    return guide.square()


def inside_guide(mask: Tensor, layer: Layer) -> Tensor:
    """Give the least value of a (N, 1, H, W) mask in all the pixels of the picture that each unit of `layer` sees."""
    if not mask.shape[-2]:
        return guide_at(mask, layer.stride)
    holes = -mask
    for axis in (-2, -1):  # the minimum over a square is that over its rows and then its columns
        units = mask.shape[axis] // layer.stride
        before, after = -layer.first, max(0, layer.stride * (units - 1) + layer.last + 1 - mask.shape[axis])
        pad = (0, 0, before, after) if axis == -2 else (before, after)
        window = (layer.receptive_field, 1) if axis == -2 else (1, layer.receptive_field)
        step = (layer.stride, 1) if axis == -2 else (1, layer.stride)
        holes = F.max_pool2d(F.pad(holes, pad, value=-1.0), window, step)
        holes = holes.narrow(axis, 0, units)
    return -holes


def every_style(style: AnyStyle | None) -> Iterable[Region]:
    """Give the regions of a style; a plain style is a single region that is the whole picture."""
    if style is None:
        return ()
    return style.regions if isinstance(style, RegionalStyle) else (Region(style, None, PROPAGATIONS[0]),)
