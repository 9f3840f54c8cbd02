"""Gatys Optimize Frames: a batch becomes a film, each frame made from the last one's result."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..gatys.passes.plan import wanted_bytes
from ..gatys.settings import DEFAULTS, INITS, TEMPORAL_WEIGHT, Init, Optimizer, Precision
from ..gatys.targets.regions import AnyStyle
from ..gatys.video.distances import NEXT
from ..gatys.video.film_flow import FilmFlow
from ..gatys.video.frames import optimize_frames
from . import host
from .sockets import Content, ContentSocket, FlowSocket, HistorySocket, StyleSocket, Vgg19Socket, schema
from .widgets import (
    PaddingOrAuto,
    checkpoint_input,
    descent_inputs,
    detail_input,
    keep_on_cancel_input,
    laplacian_input,
    memory_inputs,
    memory_options,
    octaves_input,
    precision_input,
    seed_input,
    strength_input,
    tolerance_input,
)


class GatysOptimizeFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysOptimizeFrames",
            display_name="Gatys Optimize Frames",
            search_aliases=[
                "video style transfer",
                "stylize video",
                "film",
                "animation",
                "temporal consistency",
                "flicker",
            ],
            description="Paints a film: a batch of content frames, one after the other, each starting from the last result "
            "and held to it, so that the strokes stay where they are instead of flickering.",
            inputs=[
                Vgg19Socket.Input("vgg19", tooltip="The network that content and style were extracted with."),
                ContentSocket.Input("content", tooltip="The film: Extract Content Features of a batch, in order."),
                StyleSocket.Input("style", tooltip="How to paint; the same for all frames unless last_style is wired."),
                io.Image.Input(
                    "init_image",
                    optional=True,
                    tooltip="One picture to start the first frame from, such as the last result of the film's previous part; "
                    "resized to the content. Used when init is auto.",
                ),
                io.Image.Input(
                    "warped",
                    optional=True,
                    tooltip="For each frame, the previous frame's result moved along with the scene, by means of one's own: as "
                    "many as frames, or one less, the first frame having none. flow does it here. Without both the last result "
                    "is taken as it is, and only where the frames themselves agree: right for a camera that stands still.",
                ),
                io.Mask.Input(
                    "occlusion",
                    optional=True,
                    tooltip="White where the last result tells nothing, since the scene was hidden before or has changed: the "
                    "frame is painted anew there. One for each frame, one less, or one for all. A frame that is mostly "
                    "white starts anew as a whole, with all its steps.",
                ),
                *_film_inputs(),
                keep_on_cancel_input(
                    "On: Cancel ends the film where it is, and the frames made so far go on through the graph, the "
                    "last of them unfinished. Cancel once more to stop the rest of the graph. Off: Cancel stops everything."
                ),
                *descent_inputs(),
                io.Combo.Input(
                    "init",
                    options=list(INITS),
                    default=DEFAULTS["init"],
                    tooltip="Where the first frame starts, and others that start anew. auto: the first from init_image if "
                    "wired, else from the content in the colours of the style. noise: the same noise for every frame.",
                ),
                seed_input(),
                *memory_inputs(),
                checkpoint_input(),
                precision_input(),
                strength_input(),
                tolerance_input(),
                FlowSocket.Input(
                    "flow",
                    optional=True,
                    tooltip="How the scene moves, from Optical Flow of the same frames: each frame starts from the last result, "
                    "moved along with the scene, and is held to it where that can be trusted; new ground starts from the "
                    "content. For a camera or things that move; in place of warped. occlusion, if wired, takes the place "
                    "of the flow's own mask.",
                ),
                laplacian_input(),
                octaves_input(),
                *_long_inputs(),
                detail_input(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The painted film: one picture for each frame, with its alpha; fewer after a kept cancel.",
                ),
                HistorySocket.Output(display_name="history", tooltip="The losses of every step of every frame."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, keep_on_cancel: bool, **inputs: object) -> int:
        return host.fingerprint_of_kept(keep_on_cancel)

    @classmethod
    def execute(
        cls,
        vgg19: host.Network,
        content: Content,
        style: AnyStyle,
        steps: int,
        later_steps: int,
        keep_on_cancel: bool,
        optimizer: Optimizer,
        learning_rate: float,
        init: Init,
        tile: int = 0,
        padding: PaddingOrAuto = "auto",
        checkpoint_every: float = 0.0,
        precision: Precision = DEFAULTS["precision"],
        octaves: int = DEFAULTS["octaves"],
        init_image: Tensor | None = None,
        warped: Tensor | None = None,
        occlusion: Tensor | None = None,
        flow: FilmFlow | None = None,
        passes: int = 1,
        last_style: AnyStyle | None = None,
        **settings: Any,
    ) -> io.NodeOutput:
        count = content.target.image.shape[0]
        report = host.ProgressReport(steps * count * passes, keep_on_cancel=keep_on_cancel)
        used = [*content.target.used, *style.used, *(last_style or style).used]
        need = wanted_bytes(content.target.size, used, optimizer, octaves)
        with host.working(vgg19, need) as net:
            result = optimize_frames(
                net,
                content.target,
                style=_styles(style, last_style, count),
                init=_start(init, init_image),
                steps=steps,
                later_steps=later_steps or None,
                warped=None if warped is None else host.split_alpha(warped)[0],
                occlusion=host.mask_or_none(occlusion),
                optimizer=optimizer,
                learning_rate=learning_rate or None,
                octaves=octaves,
                flow=flow,
                long_term=NEXT if flow is None else flow.distances,
                passes=passes,
                memory=host.free_memory(vgg19),
                **memory_options(tile, padding),
                precision=host.precision(precision),
                **host.checkpoint_options(checkpoint_every),
                callback=lambda progress, turn: report.step(progress, offset=turn * steps, share=steps),
                **settings,  # those that have the same names and values in the node
            )
        if report.cancelled:
            report.keep(len(result.images), count, "frames")
        for state in () if report.cancelled else result.states:
            state.unlink(missing_ok=True)
        alpha = None if content.alpha is None else content.alpha[: len(result.images)]
        return io.NodeOutput(host.join_alpha(result.images, alpha), list(result.histories))


def _film_inputs() -> list[io.Int.Input | io.Boolean.Input | io.Float.Input]:
    """Give the widgets that say how frames hang together."""
    return [
        io.Int.Input(
            "steps",
            default=DEFAULTS["steps"],
            min=1,
            max=100000,
            tooltip="Evaluations of loss and gradient for the first frame, and for others that start anew, over all "
            "levels.",
        ),
        io.Int.Input(
            "later_steps",
            default=0,
            min=0,
            max=100000,
            tooltip="Evaluations for a frame that starts from the last result, all at full size but those that paint new "
            "ground. 0: so many that the frame takes a quarter of the first one's time: 8 for 200 steps at 512 pixels, 13 at "
            "256. More where much moves.",
        ),
        io.Boolean.Input(
            "warm_start",
            default=True,
            tooltip="On: a frame starts from the last result, with later_steps. Off: each starts anew, with all its "
            "steps, and only temporal_weight holds them together: slower.",
        ),
        io.Float.Input(
            "temporal_weight",
            default=TEMPORAL_WEIGHT,
            min=0.0,
            max=1e12,
            step=0.1,
            tooltip="How strongly a frame is held to the last one. 0: not at all, flickers. 5: calm. 30: strokes hardly "
            "move, and what is missing in the first frame comes slowly. Made for normalised extraction.",
        ),
        io.Int.Input(
            "anchor_every",
            default=0,
            min=0,
            max=100000,
            tooltip="After every so many frames the film starts anew, against a slow drift of its colours; it jumps "
            "there. 0: never.",
        ),
    ]


def _long_inputs() -> list[Any]:
    """Give the inputs about the film as a whole."""
    return [
        io.Int.Input(
            "passes",
            default=1,
            min=1,
            max=100,
            optional=True,  # saved prompts lack it
            tooltip="How often the film is painted: 1 once; 3 forward, back and forward again. In each further pass a frame "
            "starts half from its own result and half from its neighbour's, with later_steps, so that what comes late reaches "
            "early frames, too. Not with warped or occlusion.",
        ),
        StyleSocket.Input(
            "last_style",
            optional=True,
            tooltip="A second style, of the same kind: the blend moves from style, at the first frame, to this one, at the "
            "last. Unwired: one style for the whole film.",
        ),
    ]


def _start(init: Init, picture: Tensor | None) -> Init | Tensor:
    """Give where the first frame starts.

    Raises:
        ValueError: for several pictures.
    """
    start = init if picture is None or init != "auto" else host.split_alpha(picture)[0]
    if not isinstance(start, str) and start.shape[0] != 1:
        raise ValueError(
            f"init_image: expected one picture, to start the first frame from, got {start.shape[0]}; take one of them"
        )
    return start


def _styles(style: AnyStyle, last: AnyStyle | None, count: int) -> Any:
    """Give one style, or keyframes of two, for a film of so many frames."""
    return style if last is None or count == 1 else [(0, style), (count - 1, last)]
