"""Gatys Optimize: the descent to a picture that shows the content and is painted in the style."""

from __future__ import annotations

import inspect

import torch
from comfy_api.latest import io

from ..gatys import optimize
from ..gatys.memory import optimization_bytes
from ..gatys.optimize import INITS, OPTIMIZERS
from . import host
from .sockets import ContentSocket, HistorySocket, StyleSocket, Vgg19Socket, schema

_DEFAULT = {name: parameter.default for name, parameter in inspect.signature(optimize).parameters.items()}


class GatysOptimize(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysOptimize",
            display_name="Gatys Optimize",
            search_aliases=["style transfer", "neural style", "gatys", "texture synthesis"],
            description="Paints the picture: changes its pixels step by step until the network sees the content's features "
            "and the style's Gram matrices in it. Without a style it reconstructs the content, without a content it "
            "makes a texture of the style.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network that content and style were extracted with."),
                ContentSocket.Input(
                    "content", optional=True, tooltip="What to show. Leave it out to make a texture of the style alone."
                ),
                StyleSocket.Input(
                    "style",
                    optional=True,
                    tooltip="How to paint. Leave it out to reconstruct the content from its features.",
                ),
                io.Image.Input(
                    "init_image",
                    optional=True,
                    tooltip="A picture to start from, such as an earlier result; resized to the content. Used when init is "
                    "auto.",
                ),
                io.Int.Input(
                    "steps",
                    default=_DEFAULT["steps"],
                    min=1,
                    max=100000,
                    tooltip="Evaluations of loss and gradient, over all levels. 50 show where it goes, 200 are enough for "
                    "most pictures, beyond 500 little changes.",
                ),
                io.Combo.Input(
                    "optimizer",
                    options=list(OPTIMIZERS),
                    default=_DEFAULT["optimizer"],
                    tooltip="lbfgs: the paper's, lowest loss for the steps. adam: less memory, more even.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    round=0.0001,
                    tooltip="0 takes the optimiser's own: 0.02 for adam, in units of the pixel range, and 1 for lbfgs, where "
                    "it only scales the first step of each level. Larger is faster and rougher, smaller slower and safer.",
                ),
                io.Float.Input(
                    "content_weight",
                    default=_DEFAULT["content_weight"],
                    min=0.0,
                    max=1e12,
                    step=0.001,
                    round=0.000001,
                    tooltip="alpha: how strongly the content is held. Towards 0 it dissolves into the style, ten times the "
                    "default hardly changes the photograph. The default is made for normalised extraction.",
                ),
                io.Float.Input(
                    "style_weight",
                    default=_DEFAULT["style_weight"],
                    min=0.0,
                    max=1e12,
                    step=0.1,
                    round=0.000001,
                    tooltip="beta: how strongly the style is followed. Only its ratio to content_weight matters.",
                ),
                io.Float.Input(
                    "tv_weight",
                    default=_DEFAULT["tv_weight"],
                    min=0.0,
                    max=1e12,
                    step=0.001,
                    round=0.000001,
                    tooltip="Smoothness: 0 leaves all grain, 0.01 calms it, 1 blurs the picture.",
                ),
                io.Combo.Input(
                    "init",
                    options=list(INITS),
                    default=_DEFAULT["init"],
                    tooltip="Where to start. auto: from init_image if wired, else from the content, else from noise. content: "
                    "keeps the arrangement. noise: the paper's white noise; needs more steps and more content weight.",
                ),
                io.Int.Input(
                    "seed",
                    default=_DEFAULT["seed"],
                    min=0,
                    max=2**63 - 1,
                    tooltip="Seed of the noise; without noise it changes nothing.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="The result: one picture for each content picture, with its alpha."
                ),
                HistorySocket.Output(display_name="history", tooltip="The losses of every step of every picture."),
            ],
        )

    @classmethod
    def execute(
        cls,
        vgg19,
        steps,
        optimizer,
        learning_rate,
        content_weight,
        style_weight,
        tv_weight,
        init,
        seed,
        content=None,
        style=None,
        init_image=None,
    ) -> io.NodeOutput:
        target = None if content is None else content.target
        alpha = None if content is None else content.alpha
        start = None
        if init_image is not None and init == "auto":
            start, start_alpha = host.split_alpha(init_image)
            alpha = start_alpha if alpha is None else alpha
        frames = [None] if target is None else target.pictures()
        if start is not None and target is None:
            frames = [None] * start.shape[0]
        if start is not None and start.shape[0] not in (1, len(frames)):
            raise ValueError(
                f"init_image: expected 1 or {len(frames)} pictures for {len(frames)} content pictures, got {start.shape[0]}"
            )
        report = host.ProgressReport(steps * len(frames))
        need = optimization_bytes(target, style, optimizer)
        images, histories = [], []
        with host.working(vgg19, need) as net:
            for index, frame in enumerate(frames):
                first = init if start is None else start[index if start.shape[0] > 1 else 0][None]
                result = optimize(
                    net,
                    content=frame,
                    style=style,
                    init=first,
                    steps=steps,
                    optimizer=optimizer,
                    learning_rate=learning_rate or None,
                    content_weight=content_weight,
                    style_weight=style_weight,
                    tv_weight=tv_weight,
                    seed=seed + index,
                    callback=lambda progress, offset=index * steps: report.step(progress, offset),
                )
                images.append(result.image.to(host.storage_device()))
                histories.append(result.history)
        return io.NodeOutput(host.join_alpha(torch.cat(images), alpha), histories)
