"""Presets and qualities on the command line: `--preset` or `--quality` fills the options that were not given."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError, WeightsError
from ..network.found_files import PAPER_FILE, hub_folder
from ..published.preset import Preset
from ..published.presets import presets, weights_from
from ..settings import QUALITIES
from .config import with_config
from .options import build_parser
from .parsed import Options
from .record import as_recorded

log = logging.getLogger(__name__)

OF_STYLE_PICTURES = ("statistic", "style_layers", "style_scale")
"""The options that saved styles take no notice of."""
_NOT_GIVEN = object()


def parse_options(argv: Sequence[str] | None) -> Options:
    """Read the command line.

    Coefficients that a preset fills are those of a square of its own size; `fill_options` gives those of the result.

    Raises:
        InputError: for arguments that cannot be read, for a preset and a quality at once, as `config.with_config` does
            for `--config`, and as `record.as_recorded` does for `--like`.
        ImageError: where the picture of `--like` does not say how it was made.
        WeightsError: where the filters of the preset are not found.
    """
    parser, expected = build_parser(), None
    argv = sys.argv[1:] if argv is None else argv
    read = parser.parse_intermixed_args(argv)
    if read.config is not None:
        argv = with_config(argv, read.config, parser, _given(parser, argv))
        read = parser.parse_intermixed_args(argv)
    given = _given(parser, argv)
    of_pictures = tuple(name for name in OF_STYLE_PICTURES if getattr(given, name) is not None)
    if read.like is not None:
        argv, expected = as_recorded(argv, read.like, _given(parser, argv))
        read = parser.parse_intermixed_args(argv)
    if read.content is None:
        parser.error("the following arguments are required: CONTENT")
    options = Options(**{name: _fixed(value) for name, value in vars(read).items()}, expected_filters=expected)
    options = replace(options, of_pictures=of_pictures if not read.style else ())
    if options.preset is not None and options.quality is not None:
        raise InputError("--quality, --preset: a preset has a size and steps of its own; give one of the two")
    if options.quality is not None:
        fills = QUALITIES[options.quality]
        filled = _not_given(parser, argv, fills)
        return replace(options, filled=filled, **{name: fills[name] for name in filled})
    if options.preset is None:
        return options
    preset = presets[options.preset]
    filled = _not_given(parser, argv, ("size", *preset.settings((preset.size, preset.size))))
    options = replace(options, filled=filled)
    if "weights" in filled:
        options = replace(options, weights=find_weights(preset))
    if "size" in filled:
        options = replace(options, size=preset.result_edge)
    return fill_options(options, (preset.size, preset.size))


def _given(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read what the command line gives; None or an empty list stands for what it does not give."""
    nothing: dict[str, Any] = {
        name: [] if isinstance(value, list) else None for name, value in vars(parser.parse_args([])).items()
    }
    for positional in ("content", "style"):  # argparse warns of these
        del nothing[positional]
    return parser.parse_intermixed_args(argv, argparse.Namespace(**nothing))


def _not_given(parser: argparse.ArgumentParser, argv: Sequence[str] | None, names: Iterable[str]) -> tuple[str, ...]:
    """Give those of some options that the command line does not have."""
    names = tuple(names)
    given = parser.parse_intermixed_args(argv, argparse.Namespace(**dict.fromkeys(names, _NOT_GIVEN)))
    return tuple(name for name in names if getattr(given, name) is _NOT_GIVEN)


def fill_options(options: Options, size: tuple[int, int]) -> Options:
    """Give the options with the preset's settings for a result of `size` (height, width) where none were given."""
    if options.preset is None:
        return options
    settings = presets[options.preset].settings(size)
    return replace(options, **{name: settings[name] for name in options.filled if name not in ("size", "weights")})


def filled(options: Options, size: tuple[int, int]) -> Options:
    """Give the options with what a preset fills for a result of this size, and say what that or the quality fills."""
    if options.preset is not None:
        options = fill_options(options, size)
        log.info("preset %s: %s", options.preset, describe(options, size))
        if line := few_steps(options, size):
            log.info(line)
    elif options.quality is not None:
        said = describe(options, size) or "all that it says was given"
        log.info("quality %s: %s", options.quality, said)
    return options


def find_weights(preset: Preset) -> str:
    """Find the weights of a preset, as `load_vgg` takes them: the path of a file, "imagenet", or "paper" to fetch them.

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


def describe(options: Options, size: tuple[int, int]) -> str:
    """Give the options that would do without the preset or quality what it has filled."""
    words = []
    for name in options.filled:
        value = max(size) if name == "size" else getattr(options, name)
        option = name.replace("_", "-")
        words.append(
            f"--{option} {_word(value)}" if not isinstance(value, bool) else f"--{'' if value else 'no-'}{option}"
        )
    return " ".join(words)


def few_steps(options: Options, size: tuple[int, int]) -> str:
    """Give a line where `--steps` gives a preset fewer steps than its source takes; an empty one for any other run."""
    if options.preset is None or "steps" in options.filled:
        return ""
    preset = presets[options.preset]
    taken = sum(preset.schedule(size))
    if options.total_steps >= taken:
        return ""
    line = f"steps: preset {preset.name} takes {taken}, and --steps gives it {options.total_steps}"
    if preset.optimizer == "adam" and options.learning_rate is not None:
        change = options.total_steps * options.learning_rate
        line += f", in which Adam changes a pixel by about {change:.2g} of its range at most"
    return line


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_word(weight)}" for name, weight in value.items())
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)
