"""Blend Styles: two styles become one between them."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..gatys import StyleTarget
from ..gatys.targets.blending import blend_styles
from .sockets import StyleSocket, schema


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
            ],
            outputs=[
                StyleSocket.Output(display_name="style", tooltip="The mixed style, for whatever takes one style.")
            ],
        )

    @classmethod
    def execute(cls, style_a: StyleTarget, style_b: StyleTarget, factor: float) -> io.NodeOutput:
        with torch.inference_mode(False):
            return io.NodeOutput(blend_styles([(style_a, 1 - factor), (style_b, factor)]))
