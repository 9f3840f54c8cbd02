"""Extract Content Features: what the result should show."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys import extract_content
from ..gatys.network.layers import CONTENT_LAYERS, parse_layers
from ..gatys.passes.plan import wanted_bytes
from ..gatys.pictures.checks import size_of
from ..gatys.settings import PADDINGS, Padding
from . import host
from .sockets import Content, ContentSocket, Vgg19Socket, schema
from .widgets import levels_from_widget, levels_input, normalize_input, padding_input


class ExtractContentFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysExtractContentFeatures",
            display_name="Extract Content Features",
            search_aliases=["content of style transfer", "content image", "content loss", "content features"],
            description="Takes from a picture what the result should show: the responses of one deep layer or several.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network from Load VGG19; the optimiser must get the same one."),
                io.Image.Input(
                    "image",
                    tooltip="The content picture; its size is the size of the result. Scale it before this node: 512 pixels "
                    "are quick, 1024 take four times as long. A batch gives a result for each picture.",
                ),
                io.String.Input(
                    "layers",
                    default=", ".join(CONTENT_LAYERS),
                    tooltip="Layers to match, separated by commas, each with a weight if you like: conv4_2, conv2_2=0.5. "
                    "Shallow layers (conv1_1, conv2_2) keep every detail, deep ones (conv4_2, conv5_2) only the arrangement.",
                ),
                levels_input("content"),
                normalize_input("the variance of the content's own features"),
                padding_input(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the content counts: white keeps it in full, black leaves the place to the style. "
                    "Any size; without a mask it counts everywhere.",
                ),
            ],
            outputs=[
                ContentSocket.Output(display_name="content", tooltip="The content's features, for Gatys Optimize.")
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        image: Tensor,
        layers: str,
        levels: int,
        normalize: bool,
        padding: Padding = PADDINGS[0],
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        chosen = parse_layers(layers, "layers")
        used = vgg19.net.chosen(chosen, "layers")
        colour, alpha = host.split_alpha(image)
        need = wanted_bytes(size_of(colour), used, optimizer=None)
        with host.working(vgg19, need) as net:
            target = extract_content(
                net,
                colour,
                chosen,
                levels_from_widget(levels),
                normalize=normalize,
                mask=host.mask_or_none(mask),
                padding=padding,
                memory=host.free_memory(vgg19),
                dtype="auto",
                device=host.storage_device(),
                callback=host.stop_if_cancelled,
            )
        return io.NodeOutput(Content(target, alpha))
