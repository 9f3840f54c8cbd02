"""Gradient Shares: which term and which layer pulls how hard at a picture, as text."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..gatys import Objective, gradient_shares
from ..gatys.passes.memory import evaluation_bytes
from ..gatys.pictures.checks import size_of
from ..gatys.targets.regions import AnyStyle
from . import host
from .sockets import Content, ContentSocket, StyleSocket, Vgg19Socket, schema
from .widgets import weight_inputs


class GradientShares(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysGradientShares",
            display_name="Gradient Shares",
            search_aliases=["weights explained", "gradient norm", "which layer", "diagnostics"],
            description="Explains what the weights do: how much each term and each layer takes part in the pull on a "
            "picture, in percent. Wire it like Gatys Optimize, with the same weights, and read it with Preview Any.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network that content and style were extracted with."),
                io.Image.Input(
                    "image",
                    tooltip="Where to look, at the content's size. The content picture: what pulls as a run sets out. "
                    "A result: between which terms it came to rest.",
                ),
                ContentSocket.Input(
                    "content",
                    optional=True,
                    tooltip="As wired to Gatys Optimize. Left out, the style's layers share the pull among themselves.",
                ),
                StyleSocket.Input(
                    "style",
                    optional=True,
                    tooltip="As wired to Gatys Optimize, plain, blended or by regions. Left out, the content's layers "
                    "share the pull among themselves.",
                ),
                *weight_inputs(),
            ],
            outputs=[
                io.String.Output(
                    display_name="shares",
                    tooltip="A line for each term and layer, the largest first, for Preview Any. Near 0 %: hardly "
                    "matters here. Near 100 %: nothing else does. A batch is taken as a whole.",
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        image: Tensor,
        content_weight: float,
        style_weight: float,
        tv_weight: float,
        content: Content | None = None,
        style: AnyStyle | None = None,
    ) -> io.NodeOutput:
        target = None if content is None else content.target
        picture, _ = host.split_alpha(image)
        layers = [layer for wired in (target, style) if wired is not None for layer in wired.used]
        # without layers `Objective` says what is missing
        need = evaluation_bytes(size_of(picture), layers, batch=picture.shape[0]) if layers else 0
        with host.working(vgg19, need) as net:
            objective = Objective(
                net,
                content=target,
                style=style,
                content_weight=content_weight,
                style_weight=style_weight,
                tv_weight=tv_weight,
            )
            shares = gradient_shares(objective, picture.to(net.mean, copy=True))  # a copy that autograd accepts
        return io.NodeOutput(as_text(shares))


def as_text(shares: dict[str, float]) -> str:
    if not any(shares.values()):
        return "nothing pulls at this picture: every gradient is 0"
    width = max(map(len, shares))
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return "\n".join(f"{name:<{width}}  {100 * share:5.1f} %" for name, share in ordered)
