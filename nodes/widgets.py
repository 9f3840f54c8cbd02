"""Widgets that several nodes have, and the meaning of their values to `gatys`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, TypeVar

from comfy_api.latest import io

from ..gatys.settings import DEFAULTS, OPTIMIZERS, PADDINGS, PRECISIONS, STATISTICS, TV_FORMS, Padding, TileSize
from ..gatys.targets.levels import Levels

W = TypeVar("W", io.Combo.Input, io.Float.Input)

PaddingOrAuto = Padding | Literal["auto"]
"""What the widget of the padding gives."""


def levels_input(what: str) -> io.Int.Input:
    return io.Int.Input(
        "levels",
        default=0,
        min=0,
        max=12,
        tooltip=f"Number of sizes the {what} is extracted at, each half of the one before; the optimiser works from the "
        "smallest up. 0 chooses by size, down to about 56 pixels on the short edge. 1 is full size only, as in the "
        "paper: more of the fine texture, less of the large forms. Content and style need the same number, or 0.",
    )


def levels_from_widget(levels: int) -> Levels:
    return "auto" if levels == 0 else levels


def normalize_input(by: str) -> io.Boolean.Input:
    return io.Boolean.Input(
        "normalize",
        default=True,
        tooltip=f"On: each layer's term is divided by {by}, so that the same weights mean the same for every network and "
        "picture. Off: the plain sums of the paper and of published settings, whose weights depend on the network.",
    )


def statistic_input() -> io.Combo.Input:
    return io.Combo.Input(
        "statistic",
        options=list(STATISTICS),
        default=STATISTICS[0],
        optional=True,  # saved prompts do without
        tooltip="What is compared of the style. gram: Gram matrices, as in the paper. covariance: covariance and mean, each by "
        "itself. moments: Gram, and the channels' means and deviations. wasserstein: the distance of normal distributions. "
        "across: covariance of each layer with the one before it, for bolder strokes. "
        "crowsonkb, spst: as these programs have it, for their presets.",
    )


def padding_input() -> io.Combo.Input:
    return io.Combo.Input(
        "padding",
        options=list(PADDINGS),
        default=PADDINGS[0],
        optional=True,  # saved prompts do without
        tooltip="What the network sees beyond the picture's border. zero: nothing, as in the paper. replicate: the border "
        "repeated, so that paint does not thin out along the edges. circular: the other side, for textures that are tileable already. "
        "panorama: the other side on the left and the right only, for 360 degrees. replicate-first: the border repeated for the "
        "first layer alone.",
    )


def memory_inputs() -> list[io.Int.Input | io.Combo.Input]:
    """Give the widgets of memory and border: arguments of `gatys.optimize` by the same names."""
    return [
        io.Int.Input(
            "tile",
            default=0,
            optional=True,
            min=0,
            max=16384,
            step=16,
            tooltip="Edge in pixels of the tiles that each step is computed in. 0 chooses by the free memory, and halves them "
            "if it runs out. Loss and gradient are the same whatever the tiles, without seams; smaller ones are slower.",
        ),
        io.Combo.Input(
            "padding",
            options=["auto", *PADDINGS],
            default="auto",
            optional=True,
            tooltip="What the network sees beyond the border. auto: as the content was extracted, and zero without content. "
            "circular makes textures that can be laid side by side without a seam; panorama closes a picture of 360 degrees.",
        ),
    ]


def keep_on_cancel_input(tooltip: str, **options: Any) -> io.Boolean.Input:
    return io.Boolean.Input("keep_on_cancel", default=False, tooltip=tooltip, **options)


def level_steps_input() -> io.String.Input:
    return io.String.Input(
        "steps_per_level",
        default="",
        optional=True,
        tooltip="Steps of each level, full size first, such as 20, 40, 80; they replace steps. Empty gives each coarser "
        "level half as many again or, from noise, twice as many.",
    )


def checkpoint_input() -> io.Float.Input:
    return io.Float.Input(
        "checkpoint_every",
        default=0.0,
        optional=True,
        min=0.0,
        max=86400.0,
        step=10.0,
        tooltip="Seconds after which the state of the run is written again, into gatys/checkpoints in the output folder: after "
        "a crash or a cancel, the same prompt goes on from there, to the same picture. 0 writes none. Small values cost time, "
        "since a state of lbfgs is up to 23 pictures large.",
    )


def precision_input() -> io.Combo.Input:
    return advanced(
        io.Combo.Input(
            "precision",
            options=list(PRECISIONS),
            default=DEFAULTS["precision"],
            optional=True,
            tooltip="Precision of the convolutions; losses, Gram matrices and pictures are always float32. auto: bfloat16 or "
            "float16 where ComfyUI finds them fast, float32 elsewhere. If numbers leave their range, the run goes on in float32.",
        )
    )


class MemoryOptions(TypedDict):
    """Arguments of `gatys.optimize`."""

    tile: TileSize
    padding: Padding | None


def memory_options(tile: int, padding: PaddingOrAuto) -> MemoryOptions:
    """Turn the values of these widgets into arguments of `gatys.optimize`."""
    return {"tile": tile or "auto", "padding": None if padding == "auto" else padding}


def descent_inputs() -> list[io.Combo.Input | io.Float.Input]:
    """Give the widgets of the descent and of the terms' weights: arguments of `gatys.optimize` by the same names."""
    return [
        io.Combo.Input(
            "optimizer",
            options=list(OPTIMIZERS),
            default=DEFAULTS["optimizer"],
            tooltip="lbfgs: the paper's way, which reaches the lowest loss in the same steps. adam: takes less memory, and is "
            "more even.",
        ),
        io.Float.Input(
            "learning_rate",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.01,
            tooltip="0 takes the optimiser's own: 0.02 for adam, in units of the pixel range, and 1 for lbfgs, where "
            "it only scales the first step of each level. Larger is faster and rougher, smaller slower and safer.",
        ),
        *weight_inputs(),
    ]


def weight_inputs() -> list[io.Float.Input]:
    """Give the widgets of the terms' weights: arguments of `gatys.optimize` and `gatys.Objective` by the same names."""
    return [
        io.Float.Input(
            "content_weight",
            default=DEFAULTS["content_weight"],
            min=0.0,
            max=1e12,
            step=0.001,
            tooltip="alpha: how strongly the content is held. Towards 0 it dissolves into the style, a hundred times "
            "the default hardly changes the photograph. The default is made for normalised extraction.",
        ),
        io.Float.Input(
            "style_weight",
            default=DEFAULTS["style_weight"],
            min=0.0,
            max=1e12,
            step=0.1,
            tooltip="beta: how strongly the style is followed. Only its ratio to content_weight matters.",
        ),
        io.Float.Input(
            "tv_weight",
            default=DEFAULTS["tv_weight"],
            min=0.0,
            max=1e12,
            step=0.001,
            tooltip="Smoothness: 0 leaves all grain, 0.1 calms it, 1 blurs the picture.",
        ),
    ]


def strength_input() -> io.Float.Input:
    return io.Float.Input(
        "strength",
        default=DEFAULTS["strength"],
        optional=True,  # saved prompts lack it
        min=0.0,
        max=1.0,
        step=0.05,
        tooltip="How strongly the style shows, in steps that look equal. 0: nearly the content picture. 0.5: the weights as "
        "they are. 1: the content hardly counts. It multiplies content_weight and, above 0.5, mixes large-grained noise into "
        "a start made of the content; without content it does nothing.",
    )


def tolerance_input() -> io.Float.Input:
    return advanced(
        io.Float.Input(
            "tolerance",
            default=DEFAULTS["tolerance"],
            optional=True,  # saved prompts lack it
            min=0.0,
            max=0.99,
            step=0.001,
            tooltip="A level ends where the loss falls by less than this share in ten steps, so that steps are the most. 0 "
            "takes them all.",
        )
    )


def average_input() -> io.Float.Input:
    return advanced(
        io.Float.Input(
            "average",
            default=DEFAULTS["average"],
            optional=True,  # saved prompts lack it
            min=0.0,
            max=0.9999,
            step=0.01,
            tooltip="What a level gives. 0: its best picture. Above: an average of its pictures, each of which weighs this much "
            "less than the next; 0.99 averages about a hundred, which evens out what adam moves to and fro.",
        )
    )


def octaves_input() -> io.Int.Input:
    return io.Int.Input(
        "octaves",
        default=DEFAULTS["octaves"],
        optional=True,  # saved prompts lack it
        min=1,
        max=12,
        tooltip="At how many sizes of the picture the style is matched at once, each half of the one before. 1: as in the paper. 3: large "
        "forms hold beside fine strokes, in a third more time. At most as many as the levels of content and style; coarser levels do "
        "with those that are left.",
    )


def detail_input() -> io.Float.Input:
    return io.Float.Input(
        "detail",
        default=DEFAULTS["detail"],
        optional=True,  # saved prompts lack it
        min=0.0,
        max=1.0,
        step=0.05,
        tooltip="How much of the content's own detail each level adds to what the coarser one made. 1: all of it; houses and faces "
        "stay close to the photograph. 0.5: what is small is painted. 0: from the coarsest level alone. One level has nothing to add to.",
    )


def growing_input(name: str, each: Any, first: str, tooltip: str) -> list[Any]:
    """Give a group of sockets of one kind, of which the page shows one more than are wired; none on hosts without.

    They are called by the name of `each` and a letter, from `first` to z, and come as a mapping by these names.
    """
    grow = getattr(io, "Autogrow", None)
    if grow is None:
        return []
    letters = string.ascii_lowercase[string.ascii_lowercase.index(first) :]
    names = [f"{each.id}_{letter}" for letter in letters]
    return [grow.Input(name, template=grow.TemplateNames(each, names, min=0), optional=True, tooltip=tooltip)]


def by_letter(grown: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give what is wired into a group of `growing_input`, by its letter, in the order of the letters."""
    return {name.rpartition("_")[2]: value for name, value in sorted((grown or {}).items()) if value is not None}


def advanced(widget: W) -> W:
    """Hide a widget until the user asks for the advanced ones; this host has no argument for it."""
    widget.extra_dict = {"advanced": True}
    return widget


def time_lapse_input() -> io.Int.Input:
    return io.Int.Input(
        "time_lapse",
        default=0,
        optional=True,  # saved prompts lack it
        min=0,
        max=100000,
        tooltip="Steps from one picture of the time-lapse to the next; 0 gives the result alone. Its pictures are at most 1024 "
        "pixels wide or high, and take at most 1 GB of memory: beyond that every second one is left out.",
    )


def laplacian_input() -> io.Float.Input:
    return advanced(
        io.Float.Input(
            "laplacian_weight",
            default=DEFAULTS["laplacian_weight"],
            optional=True,  # saved prompts lack it
            min=0.0,
            max=1e12,
            step=0.01,
            tooltip="How strongly the content's lines are kept at the pixels, such as eyes and mouths, in whatever colours. 0: not "
            "at all. 0.02: a face keeps its features. 1: light and dark are the content's, and strokes a relief. Needs "
            "content, and follows its mask.",
        )
    )


def tv_form_input() -> io.Combo.Input:
    return advanced(
        io.Combo.Input(
            "tv_form",
            options=list(TV_FORMS),
            default=DEFAULTS["tv_form"],
            optional=True,  # saved prompts do without
            tooltip="What tv_weight smooths. squared: soft everywhere. absolute: keeps edges sharp, evens out the rest. "
            "corner: squared, without the last row and column, as neural-style does. nine-point: squared, along the diagonals, too.",
        )
    )


def seed_input() -> io.Int.Input:
    return io.Int.Input(
        "seed",
        default=DEFAULTS["seed"],
        min=0,
        max=2**63 - 1,
        control_after_generate=False,  # the page would draw a new seed, and paint anew, at every run
        tooltip="Seed of the noise; without noise it changes nothing.",
    )
