"""The identity of a run, in short texts: two runs in which they agree come to the same picture.

How a run is computed, on which device and in which tiles, is not among them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..network.vgg import VGG
from ..objective.temporal import TemporalTarget
from ..passes.layout import WHOLE, Layout
from ..targets.regions import Region, RegionalStyle, every_style
from ..targets.targets import ContentTarget, StyleTarget

GRAM_BINS = 200
"""Gram matrices count as the same where their traces and norms agree to about 1/200: tiles change their rounding."""


def identify(
    net: VGG,
    *,
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    temporal: TemporalTarget | None,
    start: Tensor,
    place: Layout = WHOLE,
    **options: Any,
) -> dict[str, str]:
    """Give a digest each of a run's network, content, style, temporal target and starting picture; and its options.

    The content's features are not looked at, since network, picture and what was matched give them. Where processes have the rows of
    content and starting picture, `place`, all of them call this at the same time.
    """
    found = {"network": digest(net.tag.fingerprint, net.tag.pooling, net.mean.dtype)}
    found["content"] = "none" if content is None else digest(*_content(content, place))
    regions = [digest(*_region(region)) for region in every_style(style)]
    found["style"] = digest(*regions) if regions else "none"
    found["temporal"] = "none" if temporal is None else digest(temporal.image, temporal.mask)
    found["starting picture"] = digest(_seen(start, place))
    return found | {name: repr(value) for name, value in options.items()}


def digest(*parts: Any) -> str:
    """Give the first 32 hexadecimal digits of a SHA-256 of tensors, by dtype, shape and bytes, and other values, by
    `repr`.
    """
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            sha.update(f"{part.dtype} {tuple(part.shape)}\0".encode())
            sha.update(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        else:
            sha.update(f"{part!r}\0".encode())
    return sha.hexdigest()[:32]


def _content(content: ContentTarget, place: Layout) -> list[Any]:
    guides = [_seen(guide, place) for level in content.guides or () for _, guide in sorted(level.items())]
    seen = _seen(content.image, place)
    return [dict(content.layers), content.normalize, content.padding, seen, *guides, *content.matched]


def _seen(picture: Tensor, place: Layout) -> object:
    """Give what a picture counts by: itself, or in strips three roughly rounded sums.

    These do not depend on the number of processes, which changes how resizing rounds.
    """
    if place.whole:
        return picture
    values, columns = picture.double(), torch.arange(picture.shape[-1], device=picture.device)
    sums = torch.stack([values.sum(), values.square().sum(), (values * columns).sum()])
    return [f"{value:.3e}" for value in place.team.add(sums).tolist()]


def _region(region: Region) -> list[Any]:
    style = region.style
    sizes = [_bins(gram) for _, gram in sorted(style.grams[0].items())]
    return [dict(style.layers), style.normalize, region.propagation, region.mask, sizes]


def _bins(gram: Tensor) -> tuple[int, ...]:
    values = gram.double()
    measures = (values.diagonal(dim1=-2, dim2=-1).sum(), values.norm())
    return tuple(round(GRAM_BINS * math.log(max(float(value), 1e-30))) for value in measures)


def differences(own: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Give the names of what another run has differently; "form" where it only has more, under unknown names."""
    return [name for name in own if own[name] != other.get(name)] or ["form"]
