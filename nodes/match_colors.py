"""Match Colors: the style picture gets the colours of the content, before its style is extracted."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys.pictures.colors import match_colors_by
from ..gatys.settings import ROOTS, Method, Root
from . import host
from .sockets import schema

METHODS = (*ROOTS, "histogram")


class MatchColors(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysMatchColors",
            display_name="Match Colors",
            search_aliases=[
                "recolor",
                "recolour",
                "color match",
                "color transfer",
                "colour transfer",
                "palette",
                "preserve color",
                "histogram matching",
            ],
            description="Gives the style picture the colours of the content picture, so that the result is painted in the "
            "content's colours. Goes before Extract Style Grams.",
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The style picture, whose colours change. A batch is changed picture by picture; alpha is "
                    "carried through.",
                ),
                io.Image.Input(
                    "reference",
                    tooltip="The content picture, whose colours are taken. Any size; one for all style pictures, or one "
                    "for each. Its alpha does not count.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    tooltip="symmetric: the linear map that moves the colours least, the cleanest. pca: the paper's, bolder, "
                    "with more colour grain. cholesky: the paper's other one, red kept before green before blue. "
                    "histogram: red, green and blue each for itself, the most vivid; hues may turn.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far to go, as a share: 0 leaves the style picture as it is, 1 takes the content's colours "
                    "in full.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The style picture in the content's colours, for Extract Style Grams; with its own size and "
                    "alpha.",
                )
            ],
        )

    @classmethod
    def execute(cls, image: Tensor, reference: Tensor, method: Method | Root, strength: float) -> io.NodeOutput:
        if method not in METHODS:  # the server does not check combos
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
        style, alpha = host.split_alpha(image)
        content, _ = host.split_alpha(reference)
        return io.NodeOutput(host.join_alpha(match_colors_by(method, style, content, strength), alpha))
