"""The socket types that the nodes exchange, and the values that travel through them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..gatys import ContentTarget, FilmFlow, StyleTarget
from ..gatys.targets.regions import RegionalStyle

CATEGORY = "image/style transfer"

Vgg19Socket = io.Custom("GATYS_VGG19")
"""A `host.Network`."""
ContentSocket = io.Custom("GATYS_CONTENT")
"""A `Content`."""
StyleSocket = io.Custom("GATYS_STYLE")
"""A `gatys.StyleTarget`."""
HistorySocket = io.Custom("GATYS_HISTORY")
"""A list with the `gatys.Record`s of each picture."""

FlowSocket = io.Custom("GATYS_FLOW")
"""A `gatys.FilmFlow`."""
OpticalFlowModelSocket = io.Custom("OPTICAL_FLOW")
"""A model of newer hosts; `host.flow_model` tells it from what other packs give by that name."""


@dataclass(frozen=True, eq=False)
class Content:
    target: ContentTarget
    alpha: Tensor | None
    """The alpha channel of the content picture, (N, H, W, 1), which the result gets back."""


def tensors_in(value: Any) -> list[Tensor]:
    """List the tensors that a value holds in its fields, lists and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value):
        parts: list[Any] = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        parts = list(value.values())
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else []
    return [tensor for part in parts for tensor in tensors_in(part)]


SIZED_BY = "_comfy_cache_tensors"
"""The method that newer hosts ask for what a cached value weighs, to choose what to drop when memory is short."""
for _kind in (Content, StyleTarget, RegionalStyle, FilmFlow):
    setattr(_kind, SIZED_BY, tensors_in)


def schema(*, search_aliases: list[str], shows_pictures: bool = False, **fields: Any) -> io.Schema:
    """Make an `io.Schema`, with what only newer hosts know where they do.

    Args:
        search_aliases: words that find the node.
        shows_pictures: whether the node itself shows its result, which such hosts then show again at each run.
    """
    for name, value in (("search_aliases", search_aliases), ("has_intermediate_output", shows_pictures)):
        if name in inspect.signature(io.Schema).parameters:
            fields[name] = value
    return io.Schema(category=CATEGORY, **fields)
