"""Gatys Optimize: the descent to a picture that shows the content and is painted in the style."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..gatys import ContentTarget, Progress, optimize
from ..gatys.descent.schedule import parse_steps
from ..gatys.descent.time_lapse import TimeLapse
from ..gatys.errors import one_or_each
from ..gatys.passes.plan import wanted_bytes
from ..gatys.pictures.checks import size_of
from ..gatys.settings import DEFAULTS, INITS, Init, Optimizer, Precision
from ..gatys.targets.regions import AnyStyle
from . import host
from .sockets import Content, ContentSocket, HistorySocket, StyleSocket, Vgg19Socket, schema
from .widgets import (
    PaddingOrAuto,
    average_input,
    checkpoint_input,
    descent_inputs,
    detail_input,
    keep_on_cancel_input,
    laplacian_input,
    level_steps_input,
    memory_inputs,
    memory_options,
    octaves_input,
    precision_input,
    seed_input,
    strength_input,
    time_lapse_input,
    tolerance_input,
    tv_form_input,
)

SEARCHED = [
    "style transfer",
    "neural style transfer",
    "nst",
    "artistic style",
    "stylize",
    "stylise",
    "painting",
    "paint like",
    "van gogh",
    "starry night",
    "texture synthesis",
]
"""Words that people type to find this node."""


class GatysOptimize(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysOptimize",
            display_name="Gatys Optimize",
            search_aliases=SEARCHED,
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
                    default=DEFAULTS["steps"],
                    min=1,
                    max=100000,
                    tooltip="Evaluations of loss and gradient, over all levels. 60 show where it goes, 200 are enough for "
                    "most pictures, beyond 400 little changes.",
                ),
                *descent_inputs(),
                io.Combo.Input(
                    "init",
                    options=list(INITS),
                    default=DEFAULTS["init"],
                    tooltip="Where to start. auto: from init_image if wired, else recolored, else from noise. recolored: from "
                    "the content in the colours of the style. content: from the content as it is. noise: the paper's white noise; "
                    "needs more steps and more content weight. mean: the network's mean colour, as neural-style starts.",
                ),
                seed_input(),
                tv_form_input(),
                *memory_inputs(),
                level_steps_input(),
                checkpoint_input(),
                keep_on_cancel_input(
                    "On: Cancel ends the run where it is, and the best picture so far goes on through the graph; of a batch, "
                    "the pictures made so far. Cancel once more to stop the rest of the graph. Off: Cancel stops everything.",
                    optional=True,  # saved prompts lack it
                ),
                precision_input(),
                strength_input(),
                tolerance_input(),
                time_lapse_input(),
                average_input(),
                laplacian_input(),
                octaves_input(),
                detail_input(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="The result: one picture for each content picture, with its alpha."
                ),
                HistorySocket.Output(display_name="history", tooltip="The losses of every step of every picture."),
                io.Image.Output(
                    display_name="time_lapse",
                    tooltip="How the picture came about: the start, every so many steps a picture, and the result, without "
                    "alpha. Several pictures follow one another. Make a film of it with Create Video.",
                ),
            ],
            shows_pictures=True,
        )

    @classmethod
    def fingerprint_inputs(cls, keep_on_cancel: bool = False, **inputs: object) -> int:
        return host.fingerprint_of_kept(keep_on_cancel)

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        steps: int,
        optimizer: Optimizer,
        learning_rate: float,
        init: Init,
        seed: int,
        tile: int = 0,
        padding: PaddingOrAuto = "auto",
        steps_per_level: str = "",
        checkpoint_every: float = 0.0,
        keep_on_cancel: bool = False,
        precision: Precision = DEFAULTS["precision"],
        time_lapse: int = 0,
        octaves: int = DEFAULTS["octaves"],
        content: Content | None = None,
        style: AnyStyle | None = None,
        init_image: Tensor | None = None,
        **settings: Any,
    ) -> io.NodeOutput:
        frames, start, alpha = _pictures(content, init_image if init == "auto" else None)
        schedule = parse_steps(steps_per_level, "steps_per_level") if steps_per_level.strip() else steps
        steps = schedule if isinstance(schedule, int) else sum(schedule)
        report = host.ProgressReport(steps * len(frames), keep_on_cancel=keep_on_cancel)
        whole, need = _extent(frames, style, start if content is None else None, optimizer, octaves)
        lapse = TimeLapse(whole, time_lapse) if time_lapse and whole else None
        images, histories, states = [], [], []
        with host.working(vgg19, need) as net:
            for index, frame in enumerate(frames):

                def follow(progress: Progress, offset: int = index * steps) -> None:
                    if lapse is not None:
                        lapse.follow(progress)
                    report.step(progress, offset=offset, share=steps)

                result = optimize(
                    net,
                    content=frame,
                    style=style,
                    init=init if start is None else start[index if start.shape[0] > 1 else 0][None],
                    steps=schedule,
                    optimizer=optimizer,
                    learning_rate=learning_rate or None,
                    octaves=octaves,
                    seed=seed + index,
                    memory=host.free_memory(vgg19),
                    **memory_options(tile, padding),
                    precision=host.precision(precision),
                    **host.checkpoint_options(checkpoint_every),
                    callback=follow,
                    **settings,  # those that have the same names and values in the node
                )
                images.append(result.image.to(host.storage_device()))
                histories.append(result.history)
                states += [] if result.state is None else [result.state]
                if lapse is not None:
                    lapse.end(result.image)
                if report.cancelled:
                    report.keep(len(images), len(frames), "pictures")
                    break
        for state in () if report.cancelled else states:  # a batch that is cut short keeps its finished pictures
            state.unlink(missing_ok=True)
        image = host.join_alpha(torch.cat(images), None if alpha is None else alpha[: len(images)])
        way = image[..., :3] if lapse is None else host.join_alpha(lapse.frames(), None)
        return io.NodeOutput(image, histories, way, ui=host.shown(image))


def _extent(
    frames: list[ContentTarget | None], style: AnyStyle | None, start: Tensor | None, optimizer: Optimizer, octaves: int
) -> tuple[tuple[int, int] | None, int]:
    """Give the (height, width) of the result, and the bytes that its evaluations want; None and 0 without targets."""
    targets = [given for given in (*frames[:1], style) if given is not None]
    whole = next((given.size for given in targets), None) if start is None else size_of(start)
    layers = [layer for given in targets for layer in given.used]
    return whole, wanted_bytes(whole, layers, optimizer, octaves) if layers and whole else 0


def _pictures(
    content: Content | None, init_image: Tensor | None
) -> tuple[list[ContentTarget | None], Tensor | None, Tensor | None]:
    """Give the target of each picture, what they start from (1 or N, 3, H, W), and their alpha.

    Raises:
        ValueError: where there are neither one start nor as many as pictures.
    """
    frames: list[ContentTarget | None] = [None] if content is None else [*content.target.pictures()]
    alpha = None if content is None else content.alpha
    if init_image is None:
        return frames, None, alpha
    start, start_alpha = host.split_alpha(init_image)
    if content is None:
        frames *= start.shape[0]
    if start.shape[0] not in (1, len(frames)):
        expected = one_or_each(len(frames), "picture", "content picture")
        raise ValueError(f"init_image: expected {expected}, got {start.shape[0]}; take one of them")
    return frames, start, start_alpha if alpha is None else alpha
