"""Match Features: strokes where they belong."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys import match_features
from ..gatys.network.layers import parse_layers
from ..gatys.passes.plan import wanted_bytes
from ..gatys.pictures.checks import size_of
from . import host
from .sockets import Content, ContentSocket, Vgg19Socket, schema


class MatchFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysMatchFeatures",
            display_name="Match Features",
            search_aliases=[
                "nearest neighbor style transfer",
                "NNST",
                "strokes follow forms",
                "flat sky",
                "patch matching",
            ],
            description="Makes of the content one of the painting's features that are most like it, so that strokes follow "
            "its forms and flat areas are painted. Goes between Extract Content Features and Gatys Optimize, best with "
            "strength 0.25 there.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network that the content was extracted with."),
                ContentSocket.Input(
                    "content",
                    tooltip="From Extract Content Features; or from another Match Features, for regions with a painting each.",
                ),
                io.Image.Input(
                    "style_image",
                    tooltip="The painting, in the size that Extract Style Grams gets. Of a batch, features are taken from all "
                    "pictures: turned copies of a painting give strokes of more directions.",
                ),
                io.Float.Input(
                    "share",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far the content goes. 0: the photo's own features, nothing changes. 1: the painting's alone, "
                    "which paints most. Between: part of each, which keeps more of the photo.",
                ),
                io.String.Input(
                    "layers",
                    default="",
                    tooltip="Which of the content's layers are matched, separated by commas: conv4_2. Empty for all. The others "
                    "keep the photo's own features.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture being made features are matched: white in full, black not at all. Any size; "
                    "without a mask everywhere.",
                ),
                io.Mask.Input(
                    "style_mask",
                    optional=True,
                    tooltip="Which part of the painting features are taken from: white is taken, black is not. Any size; without "
                    "a mask all of it.",
                ),
            ],
            outputs=[
                ContentSocket.Output(
                    display_name="content",
                    tooltip="The matched content, for Gatys Optimize, for Gatys Optimize Frames or for another Match Features.",
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        content: Content,
        style_image: Tensor,
        share: float,
        layers: str,
        mask: Tensor | None = None,
        style_mask: Tensor | None = None,
    ) -> io.NodeOutput:
        chosen = parse_layers(layers, "layers") if layers.strip() else None
        colour, _ = host.split_alpha(style_image)
        need = wanted_bytes(size_of(colour), content.target.used, optimizer=None)
        with host.working(vgg19, need) as net:
            target = match_features(
                net,
                content.target,
                colour,
                chosen,
                share=share,
                mask=host.mask_or_none(mask),
                style_mask=host.mask_or_none(style_mask),
                memory=host.free_memory(vgg19),
                callback=host.stop_if_cancelled,
            )
        return io.NodeOutput(Content(target, content.alpha))
