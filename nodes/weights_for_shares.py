"""Weights for Shares: weights of terms and layers by the share that each has in the pull on the picture."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys import weights_for_shares
from ..gatys.descent.asked_shares import parse_shares
from ..gatys.passes.memory import evaluation_bytes
from ..gatys.targets.regions import AnyStyle
from . import host
from .gradient_shares import as_text
from .sockets import Content, ContentSocket, StyleSocket, Vgg19Socket, schema
from .widgets import weight_inputs


class WeightsForShares(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        weight = "For Gatys Optimize. It was measured once, and does not change while the picture is painted."
        return schema(
            node_id="GatysWeightsForShares",
            display_name="Weights for Shares",
            search_aliases=["weights by percent", "gradient norm", "balance", "layer weights"],
            description="Turns Gradient Shares around: you say which share of the pull each term and each layer is to have, and "
            "get the weights for that. Wire its outputs to Gatys Optimize.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network that content and style were extracted with."),
                ContentSocket.Input("content", tooltip="As it would be wired to Gatys Optimize."),
                StyleSocket.Input(
                    "style", tooltip="As it would be wired to Gatys Optimize, plain, blended or by regions."
                ),
                io.String.Input(
                    "shares",
                    default="content=3%, conv1_1=15%",
                    tooltip="Names with percents: content, style, tv; layers of the style; style conv3_1 or content conv3_1 where both "
                    "have one. 0 % leaves a layer out. What is not named shares the rest as before. More content: more of the photograph.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Where to measure. Left out, it is the start of the run: the content in the colours of the style. "
                    "Not the content itself, at which content does not pull.",
                ),
                *weight_inputs(),
            ],
            outputs=[
                ContentSocket.Output(
                    display_name="content", tooltip="The content, its layers weighed. For Gatys Optimize."
                ),
                StyleSocket.Output(display_name="style", tooltip="The style, its layers weighed. For Gatys Optimize."),
                io.Float.Output(display_name="content_weight", tooltip=weight),
                io.Float.Output(display_name="style_weight", tooltip=weight),
                io.Float.Output(display_name="tv_weight", tooltip=weight),
                io.String.Output(
                    display_name="shares", tooltip="A line for each term and layer, with its share, for Preview Any."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        content: Content,
        style: AnyStyle,
        shares: str,
        content_weight: float,
        style_weight: float,
        tv_weight: float,
        image: Tensor | None = None,
    ) -> io.NodeOutput:
        target = content.target
        count = target.image.shape[0]
        need = evaluation_bytes(target.size, [*target.used, *style.used], batch=count)
        at = None if image is None else host.split_alpha(image)[0]
        with host.working(vgg19, need) as net:
            found = weights_for_shares(
                net,
                content=target,
                style=style,
                shares=parse_shares(shares),
                at="auto" if at is None else at.to(net.mean, copy=True),  # a copy that autograd accepts
                content_weight=content_weight,
                style_weight=style_weight,
                tv_weight=tv_weight,
            )
        weights = found.content_weight, found.style_weight, found.tv_weight
        assert found.content is not None  # noqa: S101 (what was given)
        return io.NodeOutput(Content(found.content, content.alpha), found.style, *weights, as_text(dict(found.shares)))
