"""The command line's options: each is called like the argument that it sets and has that argument's default."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ..network.layers import CONTENT_LAYERS, STYLE_LAYERS
from ..settings import DEFAULTS as SETTINGS_DEFAULTS
from ..settings import (
    FLOWS,
    LAYOUTS,
    METHODS,
    OPTIMIZERS,
    OWN,
    PADDINGS,
    POOLINGS,
    PRECISIONS,
    PREPROCESSINGS,
    PRESETS,
    PROPAGATIONS,
    QUALITIES,
    RESPONSES,
    ROOTS,
    SIZE,
    STATISTICS,
    TV_FORMS,
)
from ..video.film_files import CODECS, CONTAINERS
from .help import USAGE, add_help
from .option_texts import HELP
from .option_values import (
    ABOVE_0,
    AT_LEAST_0,
    FRAMES_A_SECOND,
    SHARE,
    distances,
    every_of,
    layers,
    number,
    seconds_of,
    shares,
    steps_of,
    strength,
    tolerance,
    whole,
)
from .parser import Parser

NO_CONTENT = "-"
SHEET = "sheet"
"""The word in the place of CONTENT that asks for a contact sheet."""
LIST = ".txt"
"""The ending of the name of a list of pictures."""


class _QualityOrPercent(argparse.Action):
    """A word is the picture's quality; a number is the file's, which this option was in version 0.1."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        setattr(namespace, "file_quality" if isinstance(value, int) else self.dest, value)


DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {name: value for name, value in SETTINGS_DEFAULTS.items() if value is not None}
    | {
        "preprocessing": OWN,
        "file_quality": 95,
        "weights": "auto",
        "layout": "auto",
        "pooling": POOLINGS[0],
        "propagation": PROPAGATIONS[0],
    }
)
"""The defaults of `Settings`, and of the other functions that are told options, which a test compares: to look these up
there would import PyTorch."""


def _text(layers: Mapping[str, float]) -> str:
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in layers.items())


def build_parser() -> argparse.ArgumentParser:
    """Make the parser: each option has the name of the argument that it sets, and that argument's default if any."""
    parser = Parser(
        prog="gatys",
        allow_abbrev=False,  # with it, a new option could break old scripts
        usage=USAGE,
        add_help=False,
        description="Paint CONTENT in the style of STYLE, as Gatys, Ecker and Bethge do (CVPR 2016).",
        epilog="Exit codes: 0 done; 1 out of memory; 2 something given is wrong; 130 ended by Ctrl-C, the first of "
        "which stops at the next step and saves the best picture so far, the second of which saves nothing; 143 ended by "
        "SIGTERM with a --checkpoint.",
    )

    _add_pictures(parser)
    _add_network(parser)
    _add_descent(parser)
    group = parser.add_argument_group("what is told").add_mutually_exclusive_group()
    group.add_argument(
        "--verbose", dest="verbosity", action="store_const", const="verbose", help="print every step's losses"
    )
    group.add_argument(
        "--quiet", dest="verbosity", action="store_const", const="quiet", help="print the result's line only"
    )
    add_help(parser)
    return parser


def _add(group: argparse._ArgumentGroup, name: str, **how: Any) -> None:
    default = how.setdefault("default", DEFAULTS.get(name))
    shown = _text(default) if isinstance(default, Mapping) else default
    text = HELP[name] if shown is None or "(default:" in HELP[name] else f"{HELP[name]} (default: {shown})"
    group.add_argument("--" + name.replace("_", "-"), help=text, **how)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pictures")
    group.add_argument("content", metavar="CONTENT", nargs="?", help=HELP["content"])
    group.add_argument("style", metavar="STYLE", nargs="*", help=HELP["style"])
    group.add_argument("-o", "--out", metavar="OUT", help=HELP["out"])
    add = partial(_add, group)
    add("workers", type=whole(1), default=1, metavar="COUNT")
    add("preset", choices=PRESETS, metavar="NAME")
    add("size", type=whole(0), default=SIZE, metavar="PIXELS")
    add("style_scale", type=ABOVE_0, default=1.0, metavar="FACTOR")
    add("depth", type=whole(8), choices=(8, 16))
    add("strip", action="store_true", default=False)
    add("no_overwrite", action="store_true", default=False)
    add("like", metavar="PICTURE")
    add("config", metavar="FILE")
    words = {word: word for word in QUALITIES}
    add("quality", action=_QualityOrPercent, type=whole(1, 100, **words), metavar="QUALITY")
    add("file_quality", type=whole(1, 100), metavar="PERCENT")
    does = "`gatys sheet CONTENT STYLE [STYLE ...] -o OUT` shows each CONTENT in each STYLE: pictures, folders or lists"
    add = partial(_add, parser.add_argument_group("contact sheets", does))
    add("sweep", action="append", default=[], metavar="NAME=VALUE,...")
    add("cells", metavar="FOLDER")
    _add_film(parser)
    add = partial(_add, parser.add_argument_group("styles and colours"))
    add("load_style", action="append", default=[], metavar="FILE")
    add("blend", action="append", type=number(), default=[], metavar="WEIGHT")
    add("style_mask", action="append", default=[], metavar="MASK")
    add("propagation", choices=PROPAGATIONS, default=None)  # None: whether it was given is checked
    add("save_style", metavar="FILE")
    add("overwrite_style", action="store_true", default=False)
    add("match_colors", choices=(*METHODS, *ROOTS))
    add("match_features", type=SHARE, default=0.0, metavar="0..1")
    add("keep_luminance", action="store_true", default=False)


def _add_film(parser: argparse.ArgumentParser) -> None:
    does = (
        "a video, a GIF or a WebP, or a folder of frames becomes a film (OUT with "
        f"{', '.join(CONTAINERS)}, .gif or .webp) or a folder of frames (any other OUT)"
    )
    add = partial(_add, parser.add_argument_group("films", does))
    add("film", action="store_const", const=True, default=None)
    add("start", type=seconds_of, metavar="TIME")
    add("end", type=seconds_of, metavar="TIME")
    add("every", type=whole(1), metavar="COUNT")
    add("fps", type=FRAMES_A_SECOND, metavar="FRAMES")
    add("flow", choices=(*FLOWS, "none"))
    add("later_steps", type=whole(1), metavar="COUNT")
    add("temporal_weight", type=AT_LEAST_0, metavar="FACTOR")
    add("style_at", action="append", type=seconds_of, metavar="TIME")
    add("long_term", type=distances, metavar="COUNT,...")
    add("passes", type=whole(1), metavar="COUNT")
    add("anchor_every", type=whole(0), default=0, metavar="COUNT")
    add("codec", choices=CODECS)
    add("crf", type=whole(0, 51))
    add("no_sound", action="store_const", const=True, default=None)


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = partial(_add, parser.add_argument_group("network"))
    add("weights")
    add("layout", choices=LAYOUTS)
    add("pooling", choices=POOLINGS)
    add("preprocessing", choices=(OWN, *PREPROCESSINGS))
    add("responses", choices=RESPONSES, default=RESPONSES[0])
    add("padding", choices=PADDINGS)
    add("device", default="auto")
    add = partial(_add, parser.add_argument_group("objective"))
    add("strength", type=strength, metavar="0..1")
    add("content_layers", type=layers, default=CONTENT_LAYERS, metavar="LAYER[=WEIGHT],...")
    add("style_layers", type=layers, default=STYLE_LAYERS, metavar="LAYER[=WEIGHT],...")
    add("statistic", choices=STATISTICS, default=STATISTICS[0])
    add("content_weight", type=AT_LEAST_0, metavar="FACTOR")
    add("style_weight", type=AT_LEAST_0, metavar="FACTOR")
    add("octaves", type=whole(1), metavar="COUNT")
    add("tv_weight", type=AT_LEAST_0, metavar="FACTOR")
    add("tv_form", choices=TV_FORMS)
    add("laplacian_weight", type=AT_LEAST_0, metavar="FACTOR")
    add("shares", type=shares, metavar="NAME=PERCENT,...")
    add("normalize", action=argparse.BooleanOptionalAction, default=True)


def _add_descent(parser: argparse.ArgumentParser) -> None:
    add = partial(_add, parser.add_argument_group("descent"))
    add("init")
    add("steps", type=steps_of, metavar="COUNT[,COUNT,...]")
    add("tolerance", type=tolerance, metavar="SHARE")
    add("average", type=tolerance, metavar="DECAY")
    add("levels", type=whole(1, auto="auto"), default="auto", metavar="COUNT")
    add("detail", type=SHARE, metavar="0..1")
    add("optimizer", choices=OPTIMIZERS)
    add("learning_rate", type=ABOVE_0, metavar="RATE")
    add("history_size", type=whole(1), metavar="COUNT")
    add("seed", type=whole(0))
    add("tile", type=whole(1, auto="auto", none=None), metavar="PIXELS")
    add("memory", type=lambda text: int(ABOVE_0(text) * 2**30), metavar="GIB")
    add("precision", choices=PRECISIONS)
    add("graphs", action=argparse.BooleanOptionalAction)
    add("checkpoint", metavar="FILE")
    add("checkpoint_every", type=AT_LEAST_0, metavar="SECONDS")
    add = partial(_add, parser.add_argument_group("on the way"))
    add("save_every", type=every_of, metavar="STEPS|SECONDSs")
    add("time_lapse", metavar="FILE")
    add("time_lapse_every", type=whole(1), metavar="STEPS")
    add("trace", metavar="FILE")
