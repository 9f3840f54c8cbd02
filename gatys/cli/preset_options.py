"""What `--preset` does to the command line: it fills the options that were not given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..network.found_files import PAPER_FILE, hub_folder
from ..published.preset import Preset
from ..published.presets import presets, weights_from
from .options import build_parser

_NOT_GIVEN = object()


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options; `filled` are the names of those that a preset fills, none without one.

    Coefficients are those of a square of the preset's own size until `fill_options` is called for the real one.
    `size` may be a function of the content's (height, width).
    """
    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    options.filled = []
    if options.preset is None:
        return options
    preset = presets[options.preset]
    names = ["size", *preset.settings((preset.size, preset.size))]
    given = parser.parse_intermixed_args(argv, argparse.Namespace(**dict.fromkeys(names, _NOT_GIVEN)))
    options.filled = [name for name in names if getattr(given, name) is _NOT_GIVEN]
    if "weights" in options.filled:
        options.weights = find_weights(preset)
    fill_options(options, (preset.size, preset.size))
    if "size" in options.filled:
        options.size = preset.result_edge
    return options


def fill_options(options: argparse.Namespace, size: tuple[int, int]) -> None:
    """Fill what was not given with the preset's settings for a result of `size` (height, width)."""
    for name, value in presets[options.preset].settings(size).items():
        if name in options.filled and name != "weights":
            setattr(options, name, value)


def find_weights(preset: Preset) -> str:
    """The weights of a preset as `load_vgg` takes them: the path of their file, "imagenet", or "paper" to fetch them.

    Files are looked for in the current folder, and in the one of kept weights and below that.

    Raises:
        FileNotFoundError: if the file is in no place where it is looked for; the message says where it is published.
    """
    if preset.weights == "imagenet":
        return preset.weights
    kept = hub_folder()
    places = [Path(preset.weights), kept / preset.weights, *sorted(kept.rglob(preset.weights))]
    found = next((path for path in places if path.is_file()), None)
    if found is None and preset.weights == PAPER_FILE:
        return "paper"
    if found is None:
        raise WeightsError(
            f"--preset {preset.name} needs {preset.weights}, which is neither in the current folder nor in "
            f"{kept}; fetch it from {weights_from(preset.weights)}, or give --weights another file, paper, imagenet or "
            "untrained"
        )
    return str(found)


def describe(options: argparse.Namespace, size: tuple[int, int]) -> str:
    """What the preset has filled, as the options that would do the same without it."""
    words = []
    for name in options.filled:
        value = max(size) if name == "size" else getattr(options, name)
        option = name.replace("_", "-")
        words.append(
            f"--{option} {_word(value)}" if not isinstance(value, bool) else f"--{'' if value else 'no-'}{option}"
        )
    return " ".join(words)


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_word(weight)}" for name, weight in value.items())
    return f"{value:.10g}" if isinstance(value, float) else str(value)
