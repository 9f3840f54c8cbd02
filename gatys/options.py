"""The command line's options: each is called like the argument that it sets and has that argument's default."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from .images import save_image
from .optimize import LEARNING_RATES, OPTIMIZERS, optimize
from .targets import CONTENT_LAYERS, STYLE_LAYERS, parse_layers
from .vgg import POOLINGS
from .weights import LAYOUTS, load_vgg19

SIZE = 512
NO_CONTENT = "-"


def _layers(text: str) -> dict[str, float]:
    try:
        return parse_layers(text, "layers")
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem).removeprefix("layers: ")) from None


def _whole(least: int, most: int | None = None, **words: Any) -> Callable[[str], Any]:
    """Parser of a whole number in a range, or of one of `words` with a meaning of its own."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> Any:
        if text in words:
            return words[text]
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(
                f"expected {''.join(f'{w}, ' for w in words)}a whole number {limits}, got {text!r}"
            )
        return value

    return parse


def _number(above_zero: bool) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (0 < value if above_zero else 0 <= value) or value == float("inf"):
            limits = "above 0" if above_zero else "of at least 0"
            raise argparse.ArgumentTypeError(f"expected a finite number {limits}, got {text!r}")
        return value

    return parse


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise ValueError(f"{message.removeprefix('argument ')}; --help lists what can be given")


# Defaults come from the functions that use them, so that these and the command line cannot drift apart.
_DEFAULTS = {
    name: parameter.default
    for function in (save_image, load_vgg19, optimize)
    for name, parameter in inspect.signature(function).parameters.items()
    if parameter.default is not parameter.empty
}


def _text(layers: Mapping[str, float]) -> str:
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in layers.items())


_RATES = ", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items())
_HELP = {
    "content": "picture file of what is to be seen; - for none: a texture of the style",
    "style": "picture file of how it is to be painted; several are averaged; none, with --style-weight 0, reconstructs "
    "the content",
    "out": "file to write, .png, .jpg, .webp or .tif, replaced if it exists (default: CONTENT_STYLE.png in the current "
    "folder, numbered if it exists)",
    "size": "longer edge of the result in pixels, to which CONTENT is enlarged or reduced; 0 keeps its own",
    "style_scale": "longer edge of each STYLE as a factor of the result's; below 1 makes finer strokes, above coarser",
    "depth": "bits a channel of OUT; 16 needs .png or .tif (default: 8)",
    "quality": "of .jpg and .webp, in percent, 1 to 100",
    "weights": "filters of VGG-19: imagenet (trained, the paper's; 548 MB are downloaded once), untrained or "
    "untrained:SEED (random), or a .pth, .pt or .safetensors file",
    "layout": "preprocessing that the filters of a --weights file were trained with; auto goes by its keys and name",
    "pooling": "between the blocks: average (the paper) or max (as it was trained)",
    "device": "what computes: cpu, cuda, cuda:N, mps; auto is CUDA, else MPS, else the CPU",
    "content_layers": "where the content is matched: layer names, each with its weight or 1",
    "style_layers": "where the style is matched: layer names, each with its weight or 1",
    "content_weight": "alpha, factor of the content term, at least 0",
    "style_weight": "beta, factor of the style term, at least 0",
    "tv_weight": "factor of smoothness, at least 0; 0.01 calms the grain",
    "normalize": "divide each layer's term by the size of its target, so that the weights mean the same for every "
    "network and picture; without it they must be chosen anew (default: --normalize)",
    "init": "where to start: content, noise, auto (content if there is one, else noise) or a picture file",
    "steps": "number of evaluations of loss and gradient, over all levels",
    "levels": "number of sizes to descend at, the smallest first, each twice the one before; auto begins at about 128 "
    "pixels of the short edge, 1 is the paper's",
    "optimizer": "lbfgs (the paper's, lowest loss for the steps) or adam (less memory)",
    "learning_rate": "for lbfgs a factor on the first step of each level, for adam the change of pixels in a step, "
    f"their range being 1 (default: {_RATES})",
    "history_size": "number of steps that lbfgs remembers, two pictures of memory each",
    "seed": "seed of the noise, a whole number",
    "tile": "edge in pixels of the tiles that a step is cut into to save memory, or none for whole pictures, or auto; "
    "the result is the same",
}


def build_parser() -> argparse.ArgumentParser:
    """Every option is called like the argument that it sets, and has that argument's default where that has one."""
    parser = _Parser(
        prog="gatys",
        allow_abbrev=False,  # or a new option could break old scripts
        description="Paint CONTENT in the style of STYLE, as Gatys, Ecker and Bethge do (CVPR 2016).",
        epilog="Exit codes: 0 done; 1 out of memory; 2 something given is wrong; 130 ended by Ctrl-C, the first of "
        "which stops at the next step and saves the best picture so far, the second of which saves nothing.",
    )

    def add(name: str, **how: Any) -> None:
        default = how.setdefault("default", _DEFAULTS.get(name))
        shown = _text(default) if isinstance(default, Mapping) else default
        text = _HELP[name] if shown is None or "(default" in _HELP[name] else f"{_HELP[name]} (default: {shown})"
        group.add_argument("--" + name.replace("_", "-"), help=text, **how)

    group = parser.add_argument_group("pictures")
    group.add_argument("content", metavar="CONTENT", help=_HELP["content"])
    group.add_argument("style", metavar="STYLE", nargs="*", help=_HELP["style"])
    group.add_argument("-o", "--out", metavar="OUT", help=_HELP["out"])
    add("size", type=_whole(0), default=SIZE, metavar="PIXELS")
    add("style_scale", type=_number(above_zero=True), default=1.0, metavar="FACTOR")
    add("depth", type=_whole(8), choices=(8, 16))
    add("quality", type=_whole(1, 100), metavar="PERCENT")
    group = parser.add_argument_group("network")
    add("weights")
    add("layout", choices=LAYOUTS)
    add("pooling", choices=POOLINGS)
    add("device", default="auto")
    group = parser.add_argument_group("objective")
    add("content_layers", type=_layers, default=CONTENT_LAYERS, metavar="LAYER[=WEIGHT],...")
    add("style_layers", type=_layers, default=STYLE_LAYERS, metavar="LAYER[=WEIGHT],...")
    add("content_weight", type=_number(above_zero=False), metavar="FACTOR")
    add("style_weight", type=_number(above_zero=False), metavar="FACTOR")
    add("tv_weight", type=_number(above_zero=False), metavar="FACTOR")
    add("normalize", action=argparse.BooleanOptionalAction, default=True)
    group = parser.add_argument_group("descent")
    add("init")
    add("steps", type=_whole(1), metavar="COUNT")
    add("levels", type=_whole(1, auto="auto"), default="auto", metavar="COUNT")
    add("optimizer", choices=OPTIMIZERS)
    add("learning_rate", type=_number(above_zero=True), metavar="RATE")
    add("history_size", type=_whole(1), metavar="COUNT")
    add("seed", type=_whole(0))
    add("tile", type=_whole(1, auto="auto", none=None), metavar="PIXELS")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--verbose", dest="verbosity", action="store_const", const="verbose", help="print every step's losses"
    )
    group.add_argument(
        "--quiet", dest="verbosity", action="store_const", const="quiet", help="print the result's line only"
    )
    parser.add_argument("--version", action="version", version=f"gatys {_version()}")
    return parser


def check_options(options: argparse.Namespace) -> None:
    """Raise ValueError where options do not go together; no file is opened."""
    if not options.style and options.style_weight:
        raise ValueError(
            "STYLE: expected at least one picture, got none; give one, or --style-weight 0 to reconstruct CONTENT"
        )
    if options.content == NO_CONTENT and (not options.style or options.init == "content"):
        raise ValueError(
            f"CONTENT: expected a picture for --init content or --style-weight 0, got {NO_CONTENT!r}; give one"
        )
    weights = (options.content_weight, options.style_weight, options.tv_weight)
    if not any(weights[options.content == NO_CONTENT :]):
        raise ValueError(
            "--content-weight, --style-weight, --tv-weight: expected one above 0, got 0 for all that apply"
        )
    if options.out is not None:
        for path in (options.content, *options.style):
            if os.path.exists(options.out) and os.path.exists(path) and os.path.samefile(options.out, path):
                raise ValueError(f"--out: {options.out!r} is also an input, which would be lost; give another path")


def _version() -> str:
    try:
        return metadata.version("gatys-style-transfer")
    except metadata.PackageNotFoundError:
        return "unknown"
