"""Style Region: a part of the picture gets a style."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from comfy_api.latest import io
from torch import Tensor

from ..gatys.settings import PROPAGATIONS, Propagation
from ..gatys.targets.regions import AnyStyle, regional_style
from .sockets import StyleSocket, schema
from .widgets import by_letter, growing_input


class StyleRegion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysStyleRegion",
            display_name="Style Region",
            search_aliases=[
                "regional style",
                "style mask",
                "local style transfer",
                "guided gram matrix",
                "spatial control",
            ],
            description="Paints a style into a part of the picture only. Chain several for several styles; where no region "
            "reaches, the content stays.",
            inputs=[
                StyleSocket.Input("style", tooltip="The style of this region, from Extract Style Grams."),
                io.Mask.Input(
                    "mask",
                    tooltip="Where in the picture being made the style goes: white in full, black not at all, grey in part. "
                    "Any size; it is stretched over the picture. One mask, or one for each content picture.",
                ),
                StyleSocket.Input(
                    "others",
                    optional=True,
                    tooltip="Further regions, from another Style Region, or a style for the whole picture beneath this one. "
                    "Where regions overlap, both styles act.",
                ),
                io.Combo.Input(
                    "propagation",
                    options=list(PROPAGATIONS),
                    default=PROPAGATIONS[0],
                    tooltip="How the mask comes to the deep layers. average: soft edges, works for any region. inside: no style "
                    "crosses the edge, but a region must be larger than what a deep layer sees (156 pixels for conv5_1).",
                ),
                *growing_input(
                    "styles",
                    StyleSocket.Input("style", tooltip="The style of a further region."),
                    "b",
                    "The styles of further regions, as many as are wired; each takes the mask of its letter.",
                ),
                *growing_input(
                    "masks",
                    io.Mask.Input("mask", tooltip="The mask of a further region, as the first one."),
                    "b",
                    "The masks of further regions; each goes with the style of its letter.",
                ),
            ],
            outputs=[StyleSocket.Output(display_name="style", tooltip="All regions together, for Gatys Optimize.")],
        )

    @classmethod
    def execute(
        cls,
        style: AnyStyle,
        mask: Tensor,
        propagation: Propagation,
        others: AnyStyle | None = None,
        styles: Mapping[str, AnyStyle | None] | None = None,
        masks: Mapping[str, Tensor | None] | None = None,
    ) -> io.NodeOutput:
        further, over = by_letter(styles), by_letter(masks)
        for letter in sorted(further.keys() ^ over.keys()):
            lacks, has = ("mask", "style") if letter in further else ("style", "mask")
            raise ValueError(
                f"{lacks}_{letter}: expected a {lacks} for {has}_{letter}, got none; wire one, or take {has}_{letter} off"
            )
        with torch.inference_mode(False):
            pairs: list[tuple[AnyStyle, Tensor]] = [
                (style, mask),
                *((further[letter], over[letter]) for letter in further),
            ]
            region = regional_style([(each, where.clone()) for each, where in pairs], propagation=propagation)
            if others is not None:
                region = regional_style([(others, None), (region, None)])
            return io.NodeOutput(region)
