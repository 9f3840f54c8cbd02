"""Blend Styles: two styles become one between them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from comfy_api.latest import io

from ..gatys import StyleTarget
from ..gatys.targets.blending import blend_styles
from .sockets import StyleSocket, schema
from .widgets import by_letter, growing_input


class BlendStyles(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysBlendStyles",
            display_name="Blend Styles",
            search_aliases=["mix styles", "combine styles", "interpolate styles", "style average"],
            description="Mixes two styles into one. Layers that both have are averaged, layers that only one has are taken "
            "from it, so that fine texture can come from one painting and large forms from another. Chain it for more.",
            inputs=[
                StyleSocket.Input("style_a", tooltip="The style at factor 0. Extract both with the same network."),
                StyleSocket.Input("style_b", tooltip="The style at factor 1. Extract both with the same network."),
                io.Float.Input(
                    "factor",
                    default=0.5,
                    min=-1.0,
                    max=2.0,
                    step=0.05,
                    tooltip="0 is style a alone, 1 is style b alone, 0.5 half of each. Below 0 or above 1 it extrapolates: "
                    "more of one by moving away from the other, which few paintings could have; that is logged, and both "
                    "need the same layers.",
                ),
                io.String.Input(
                    "weights",
                    default="",
                    optional=True,  # saved prompts lack it
                    tooltip="The weight of each style in the order of their wires, such as 2, 1, 1; only their ratios count, and "
                    "they replace the factor. Empty: the factor divides a and b, and each further style counts as much as "
                    "the two on average.",
                ),
                *growing_input(
                    "more",
                    StyleSocket.Input("style", tooltip="A further style. Extract all with the same network."),
                    "c",
                    "Further styles, as many as are wired.",
                ),
            ],
            outputs=[
                StyleSocket.Output(display_name="style", tooltip="The mixed style, for whatever takes one style.")
            ],
        )

    @classmethod
    def execute(
        cls,
        style_a: StyleTarget,
        style_b: StyleTarget,
        factor: float,
        weights: str = "",
        more: Mapping[str, StyleTarget | None] | None = None,
    ) -> io.NodeOutput:
        styles = [style_a, style_b, *by_letter(more).values()]
        if weights.strip():
            shares = _weights(weights, len(styles))
        else:  # of two styles the shares are exact
            shares = [1 - factor, factor, *[0.5] * (len(styles) - 2)]
        with torch.inference_mode(False):
            return io.NodeOutput(blend_styles(zip(styles, shares, strict=True)))


def _weights(text: str, count: int) -> list[float]:
    """Read numbers with commas between them.

    Raises:
        ValueError: where they are no numbers, or not `count` of them.
    """
    try:
        weights = [float(word) for word in text.split(",")]
    except ValueError:
        weights = []
    if len(weights) != count:
        raise ValueError(
            f"weights: expected {count} numbers, one for each style that is wired, such as "
            f"{', '.join(['1'] * count)}, got {text.strip()!r}; put commas between them"
        )
    return weights
