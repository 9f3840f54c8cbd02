"""Keep Luminance: the result gets the colours of the content, and keeps its lights and darks."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys.pictures.colors import keep_luminance
from . import host
from .sockets import schema


class KeepLuminance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysKeepLuminance",
            display_name="Keep Luminance",
            search_aliases=["original colors", "keep colors", "preserve color", "luminance transfer"],
            description="Keeps the result's luminance, its brush strokes in light and dark, and puts the content's colours "
            "back on it. Goes after Gatys Optimize.",
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The result of Gatys Optimize, whose luminance is kept. A batch is changed picture by picture; "
                    "alpha is carried through.",
                ),
                io.Image.Input(
                    "content",
                    tooltip="The content picture, whose colours are taken; resized to the result where the sizes differ. One "
                    "for all results, or one for each. Its alpha does not count.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far to go, as a share: 0 leaves the result in its own colours, 1 takes the content's in "
                    "full. The luminance is the same at both ends, unless match_luminance is on.",
                ),
                io.Boolean.Input(
                    "match_luminance",
                    default=False,
                    tooltip="On: brightness and contrast of the result are first brought to the content's, for a result that "
                    "is too dark, too light or too flat. Off: its luminance stays exactly as it is.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The result in the content's colours; with its own size and alpha. Colours too strong for their "
                    "luminance are paled, so that no stroke is lost.",
                )
            ],
        )

    @classmethod
    def execute(cls, image: Tensor, content: Tensor, strength: float, match_luminance: bool) -> io.NodeOutput:
        result, alpha = host.split_alpha(image)
        colours, _ = host.split_alpha(content)
        kept = keep_luminance(result, colours, match=match_luminance, strength=strength)
        return io.NodeOutput(host.join_alpha(kept, alpha))
