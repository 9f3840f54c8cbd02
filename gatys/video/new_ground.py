"""Ground that comes into view: what it is painted by before the rest of its frame, and where the past shows a border.

The rest of a frame matches the style already, so that the loss of the whole hardly pulls at a small area. New ground is
therefore painted by itself first, as a picture of its own would be, at coarse levels; what that changes elsewhere is
dropped.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..pictures.checks import size_of
from ..pictures.resampling import resize
from ..targets.levels import level_size
from ..targets.regions import AnyStyle, Region, RegionalStyle, every_style, region_weights
from .motion import outside

FEWEST, SPECK = 0.003, 2
"""The least share of a frame's area that counts as new ground, and how many pixels its edge is moved inwards for that: specks are
where a flow is not exact."""
AROUND = 1 / 8
"""How far around new ground its surroundings count, too, as a share of the frame's short edge: a narrow strip alone would
get all of a painting's colours as stripes."""
BORDER = 1 / 20
"""How far from the frame's border a picture is not to be kept once it has moved inwards, as a share of the short edge: the
network paints lines along a border, which would stay in the scene."""


def style_of_ground(style: AnyStyle, new: Tensor, levels: int) -> RegionalStyle | None:
    """Give the style for new ground and what is around it alone; None where there is too little of it.

    Each pixel is pulled at as strongly as one of a picture that is painted as a whole.

    Args:
        style: that of the frame.
        new: where its ground is new, (1, 1, H, W) in [0, 1].
        levels: the number of levels.
    """
    within = -F.max_pool2d(-new, 2 * SPECK + 1, stride=1, padding=SPECK)
    if float(within.mean()) < FEWEST:
        return None
    size = size_of(new)
    near = surroundings(new)
    found = []
    for region in every_style(style):
        mask = near if region.mask is None else near * resize(region.mask.to(near), size)
        scale = float(mask.square().mean())
        layers = {name: coefficient * scale for name, coefficient in region.style.layers.items()}
        part = Region(replace(region.style, layers=layers), mask, "average")
        if scale > 0 and _reaches(part, level_size(size, levels - 1)):
            found.append(part)
    return RegionalStyle(tuple(found)) if found else None


def surroundings(new: Tensor) -> Tensor:
    """Give new ground with what is within `AROUND` of it, less and less outwards, (1, 1, H, W)."""
    reach = max(1, round(AROUND * min(size_of(new))))
    rows, columns = ((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))
    wide = new
    for window, beyond in (rows, columns):  # one after the other is much less work
        wide = F.max_pool2d(wide, window, stride=1, padding=beyond)
    for window, beyond in (rows, columns):
        wide = F.avg_pool2d(wide, window, stride=1, padding=beyond, count_include_pad=False)
    return torch.maximum(new, wide)


def kept_inwards(flow: Tensor) -> Tensor:
    """Tell how far a past is kept that was at the frame's border and has moved inwards, (1, 1, H, W).

    Args:
        flow: on the frame, into the one before, (1, 2, H, W) in pixels.

    Returns:
        1 where it has not moved inwards or was farther than `BORDER` from the border, down to 0 at the border itself.
    """
    height, width = size_of(flow)
    rows, columns = torch.arange(height).to(flow)[:, None], torch.arange(width).to(flow)

    def depth(x: Tensor, y: Tensor) -> Tensor:
        return torch.minimum(torch.minimum(x, width - 1 - x), torch.minimum(y, height - 1 - y))

    here, there = depth(columns, rows), depth(columns + flow[:, :1], rows + flow[:, 1:])
    kept = (there / (BORDER * min(height, width))).clamp(0, 1)
    return torch.where(here > there + 0.5, kept, torch.ones_like(kept))  # half a pixel is no motion


def from_inside(flow: Tensor) -> Tensor:
    """Tell where a flow points into the picture, and not at what `kept_inwards` keeps in part, 1 there, (1, 1, H, W)."""
    return (kept_inwards(flow) == 1) * (1.0 - outside(flow.cpu()).to(flow))


def _reaches(region: Region, coarsest: tuple[int, int]) -> bool:
    """Tell whether a region is seen on all grids."""
    assert region.mask is not None  # noqa: S101 (`style_of_ground` gives it one)
    try:
        region_weights(region, coarsest, region.mask)
    except InputError:
        return False
    return True
