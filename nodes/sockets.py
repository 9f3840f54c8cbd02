"""The socket types that the nodes exchange, and the values that travel through them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..gatys import ContentTarget

CATEGORY = "image/style transfer"

Vgg19Socket = io.Custom("GATYS_VGG19")
"""A `host.Network`."""
ContentSocket = io.Custom("GATYS_CONTENT")
"""A `Content`."""
StyleSocket = io.Custom("GATYS_STYLE")
"""A `gatys.StyleTarget`."""
HistorySocket = io.Custom("GATYS_HISTORY")
"""A list with the `gatys.Record`s of each picture."""


@dataclass(frozen=True, eq=False)
class Content:
    target: ContentTarget
    alpha: Tensor | None
    """The alpha channel of the content picture, (N, H, W, 1), which the result gets back."""


def schema(*, search_aliases: list[str], **fields: Any) -> io.Schema:
    """Make an `io.Schema`, with search words where the host knows them."""
    if "search_aliases" in inspect.signature(io.Schema).parameters:
        fields["search_aliases"] = search_aliases
    return io.Schema(category=CATEGORY, **fields)
