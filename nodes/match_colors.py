"""Match Colors: the style picture gets the colours of the content, before its style is extracted."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys.pictures.colors import match_colors_by
from ..gatys.settings import ROOTS, FilmColors, Method, Root
from . import host
from .sockets import schema

METHODS = (*ROOTS, "histogram")
FILMS = ("off", "whole", "frame")


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
                io.Combo.Input(
                    "film",
                    options=list(FILMS),
                    default=FILMS[0],
                    optional=True,  # saved prompts lack it
                    tooltip="off: every picture of a batch for itself, with its own reference. whole: one change for all pictures, "
                    "from the colours of the whole batch to those of the whole reference, so that a film does not flicker. "
                    "frame: one change for all, from the colours of a single frame.",
                ),
                io.Int.Input(
                    "frame",
                    default=0,
                    optional=True,
                    min=0,
                    max=1000000,
                    tooltip="The frame whose colours count when film is frame, from 0; in the reference, too, unless that "
                    "is a single picture.",
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
    def execute(
        cls,
        image: Tensor,
        reference: Tensor,
        method: Method | Root,
        strength: float,
        film: str = FILMS[0],
        frame: int = 0,
    ) -> io.NodeOutput:
        if method not in METHODS:  # the server does not check combos
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
        if film not in FILMS:
            raise ValueError(f"film: expected one of {', '.join(FILMS)}, got {film!r}")
        scope: FilmColors = "whole" if film == "whole" else frame if film == "frame" else "off"
        style, alpha = host.split_alpha(image)
        content, _ = host.split_alpha(reference)
        return io.NodeOutput(host.join_alpha(match_colors_by(method, style, content, strength, scope), alpha))
