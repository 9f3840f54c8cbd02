"""Extract Style Grams: how the result should be painted."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys import extract_style
from ..gatys.network.layers import STYLE_LAYERS, check_layers, parse_layers
from ..gatys.passes.plan import wanted_bytes
from ..gatys.pictures.checks import size_of
from ..gatys.pictures.resampling import scale_picture
from ..gatys.settings import PADDINGS, STATISTICS, Padding, StatisticName
from . import host
from .sockets import StyleSocket, Vgg19Socket, schema
from .widgets import levels_from_widget, levels_input, normalize_input, padding_input, statistic_input


class ExtractStyleGrams(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        seen = {
            "conv1_1": "colours",
            "conv2_1": "fine texture",
            "conv3_1": "strokes",
            "conv4_1": "patterns",
            "conv5_1": "large forms",
        }
        return schema(
            node_id="GatysExtractStyleGrams",
            display_name="Extract Style Grams",
            search_aliases=[
                "style of style transfer",
                "style image",
                "style reference",
                "gram matrix",
                "style loss",
                "brush strokes",
            ],
            description="Takes from a painting how the result should be painted: the Gram matrices of several layers.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network from Load VGG19; the optimiser must get the same one."),
                io.Image.Input(
                    "image",
                    tooltip="The style picture. Its size sets the size of the brush strokes: make it about as large as the "
                    "content. A batch of pictures is averaged into one style.",
                ),
                *(
                    io.Float.Input(
                        name,
                        default=STYLE_LAYERS[name],
                        min=0.0,
                        max=1e6,
                        step=0.05,
                        tooltip=f"Weight of {name}: {what}. 0 leaves the layer out; twice the weight makes it count twice "
                        "as much beside the others.",
                    )
                    for name, what in seen.items()
                ),
                io.String.Input(
                    "more_layers",
                    default="",
                    tooltip="Further layers, separated by commas, each with a weight if you like: conv3_2, conv4_3=0.5. "
                    "Empty for none.",
                ),
                io.Float.Input(
                    "style_scale",
                    default=1.0,
                    min=0.1,
                    max=4.0,
                    step=0.05,
                    tooltip="Factor on the size of the style picture before extraction: below 1 the brush strokes become "
                    "finer, above 1 coarser. 1 takes it as it is or, with size_from wired, as large as that picture.",
                ),
                levels_input("style"),
                normalize_input("the mean square of the style's own Gram matrix"),
                padding_input(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Which part of the painting counts: white in full, black not at all. Any size; without a mask "
                    "all of it counts.",
                ),
                io.Image.Input(
                    "size_from",
                    optional=True,
                    tooltip="A picture whose longer edge the style's gets before style_scale, best the content: strokes then fit "
                    "the result whatever the size of the painting. Only its size counts.",
                ),
                statistic_input(),
            ],
            outputs=[
                StyleSocket.Output(display_name="style", tooltip="The style's Gram matrices, for Gatys Optimize.")
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        image: Tensor,
        conv1_1: float,
        conv2_1: float,
        conv3_1: float,
        conv4_1: float,
        conv5_1: float,
        more_layers: str,
        style_scale: float,
        levels: int,
        normalize: bool,
        padding: Padding = PADDINGS[0],
        mask: Tensor | None = None,
        size_from: Tensor | None = None,
        statistic: StatisticName = STATISTICS[0],
    ) -> io.NodeOutput:
        chosen = {"conv1_1": conv1_1, "conv2_1": conv2_1, "conv3_1": conv3_1, "conv4_1": conv4_1, "conv5_1": conv5_1}
        if more_layers.strip():
            more = parse_layers(more_layers, "more_layers")
            if twice := sorted(more.keys() & chosen.keys()):
                raise ValueError(f"more_layers: {twice[0]} has a widget of its own; set its weight there")
            chosen |= more
        chosen = check_layers(chosen, "layers of the style")
        used = vgg19.net.chosen(chosen, "more_layers")  # the others are in every network
        colour, _ = host.split_alpha(image)
        colour = scale_picture(
            colour, style_scale, None if size_from is None else (size_from.shape[1], size_from.shape[2])
        )
        need = wanted_bytes(size_of(colour), used, optimizer=None)
        with host.working(vgg19, need) as net:
            target = extract_style(
                net,
                colour,
                chosen,
                levels_from_widget(levels),
                host.mask_or_none(mask),
                normalize=normalize,
                statistic=statistic,
                padding=padding,
                memory=host.free_memory(vgg19),
                device=host.storage_device(),
                callback=host.stop_if_cancelled,
            )
        return io.NodeOutput(target)
