"""Checks of the command line's options before any file is opened."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ..errors import InputError
from ..settings import STYLE_SUFFIX, TEMPORAL_WEIGHT
from ..video.film_files import ANIMATIONS, CONTAINERS, VIDEOS, is_animated
from .options import LIST, NO_CONTENT, SHEET
from .parsed import Options

Style = TypeVar("Style")
FILM_OPTIONS = (
    "start", "end", "every", "fps", "flow", "later_steps", "style_at", "long_term", "passes", "anchor_every", "codec", "crf",
    "no_sound",
)  # fmt: skip
"""The options of films that are None, or 0, where they are not given."""


def is_sheet(options: Options) -> bool:
    """Tell whether a command line asks for a contact sheet."""
    return options.content == SHEET or bool(options.sweep)


def is_film(options: Options) -> bool:
    """Tell whether a command line asks for a film: CONTENT is a video, or OUT is a film, or it is said."""
    if options.content is None or options.content in (NO_CONTENT, SHEET):
        return False
    if options.film or (Path(options.content).suffix.lower() in VIDEOS and not os.path.isdir(options.content)):
        return True
    suffix = "" if options.out is None else Path(options.out).suffix.lower()
    if suffix == ".webp":  # a picture, too
        return is_animated(options.content)
    return suffix in (*CONTAINERS, *ANIMATIONS) and not os.path.isdir(options.out or "")


def check_options(options: Options) -> None:
    """Raise InputError where options do not go together; no file is opened."""
    check_for_picture(options)
    styles, no_content = [*options.style, *options.load_style], options.content == NO_CONTENT
    if not styles and options.style_weight:
        raise InputError(
            "STYLE: expected at least one picture, got none; give one, or --style-weight 0 to reconstruct CONTENT"
        )
    if no_content and (not styles or options.init == "content"):
        raise InputError(
            f"CONTENT: expected a picture for --init content or --style-weight 0, got {NO_CONTENT!r}; give one"
        )
    weights = (options.content_weight, options.style_weight, options.tv_weight)
    if not any(weights[no_content:]):
        raise InputError(
            "--content-weight, --style-weight, --tv-weight: expected one above 0, got 0 for all that apply"
        )
    _check_styles(options, styles)
    for option, given, takes in (
        ("--match-colors", options.match_colors, "colours it takes"),
        ("--keep-luminance", options.keep_luminance, "colours it takes"),
        ("--match-features", options.match_features, "features it changes"),
        ("--laplacian-weight", options.laplacian_weight, "lines it keeps"),
    ):
        if given and no_content:
            raise InputError(f"{option}: expected a CONTENT picture, whose {takes}, got {NO_CONTENT!r}; give one")
    _check_matched(options)
    if options.match_colors and not options.style:
        raise InputError("--match-colors: expected a STYLE picture, whose colours it changes, got none; give one")
    inputs = (options.content, *options.style, *options.style_mask)
    if options.out is not None and any(_same_file(options.out, path) for path in inputs):
        raise InputError(f"--out: {options.out!r} is also an input, which would be lost; give another path")
    if options.out is not None and options.save_every is not None:
        so_far = path_so_far(options.out)
        if any(_same_file(so_far, path) for path in inputs):
            raise InputError(f"--save-every: {str(so_far)!r} is also an input, which would be lost; rename that")
    _check_no_folder(options)
    _check_save_style(options, styles)
    others = [*inputs, *options.load_style, options.weights, options.out, options.save_style]
    for option, own in (
        ("--checkpoint", options.checkpoint),
        ("--time-lapse", options.time_lapse),
        ("--trace", options.trace),
    ):
        if own is not None:
            check_own(option, own, others)
            others.append(str(own))
    if options.time_lapse_every is not None and options.time_lapse is None:
        raise InputError("--time-lapse-every: expected --time-lapse FILE with it, got none; give it, or neither")


def check_for_picture(options: Options) -> None:
    """Raise InputError for options that are for films only."""
    given = [name for name in FILM_OPTIONS if getattr(options, name) not in (None, 0)]
    given += ["temporal_weight"] if options.temporal_weight != TEMPORAL_WEIGHT else []
    if given and not options.film:
        option = f"--{given[0].replace('_', '-')}"
        raise InputError(
            f"{option}: expected a film, got the picture {options.content!r}; leave it out, or give a video, or a "
            "folder of frames with --film"
        )


def _check_no_folder(options: Options) -> None:
    """Check that `--out` is no folder, which is for many pictures; a shell makes one and styles of a folder's pictures."""
    out, count = options.out, len(options.style)
    many = os.path.isdir(options.content) or options.content.lower().endswith(LIST)
    if many or out is None or not (os.path.isdir(out) or out.endswith((os.sep, "/"))):
        return
    styles = f", and the {count} others are styles" if count > 1 else ""
    raise InputError(
        f"--out: {out!r} is a folder, for many pictures, but CONTENT is one, {options.content!r}{styles}; give a folder "
        "of pictures as CONTENT, or the name of a file as --out"
    )


def _check_styles(options: Options, styles: list[str]) -> None:
    if options.blend and options.style_mask:
        raise InputError(
            "--blend, --style-mask: styles are mixed everywhere or have a region each; give one of the two"
        )
    for option, given in (("--blend", options.blend), ("--style-mask", options.style_mask)):
        if given and len(given) != len(styles):
            raise InputError(
                f"{option}: expected one for each of the {len(styles)} styles {', '.join(map(repr, styles))}, got "
                f"{len(given)}; repeat {option} once for each, in this order"
            )
    if options.blend and math.fsum(options.blend) <= 0:  # blend_styles says so, too, but later, with the network
        got = ", ".join(f"{weight:g}" for weight in options.blend)
        raise InputError(f"--blend: expected weights that sum to more than 0, got {got}; raise one of them")
    if options.propagation is not None and not options.style_mask:
        raise InputError("--propagation: expected a --style-mask that it is for, got none; give one for each style")


def _check_matched(options: Options) -> None:
    """Check that `--match-features` has a picture to take features from."""
    if options.match_features and not matched_styles(options, options.style):
        raise InputError(
            "--match-features: expected a STYLE picture, with a --blend above 0 if any, whose features it takes (saved styles "
            "hold none), got none; give one"
        )


def matched_styles(options: Options, styles: Sequence[Style]) -> list[Style]:
    """Give those of the STYLEs, or of what was made of them, that `--match-features` takes features from."""
    weights = options.blend or [1.0] * len(styles)  # those of saved styles come last
    return [style for style, weight in zip(styles, weights, strict=False) if weight > 0]


def _check_save_style(options: Options, styles: list[str]) -> None:
    """Check that `--save-style` will be able to write its file, as far as can be seen before the style is there."""
    if options.save_style is None:
        if options.overwrite_style:
            raise InputError("--overwrite-style: expected --save-style FILE with it, got none; give it, or neither")
        return
    path, name = Path(options.save_style), repr(options.save_style)
    if not styles:
        raise InputError("--save-style: expected a STYLE or --load-style to save, got none; give one")
    if options.style_mask:
        raise InputError(
            "--save-style: a file holds one style, without regions; leave out --style-mask or --save-style"
        )
    if path.suffix.lower() != STYLE_SUFFIX:
        raise InputError(f"--save-style: {name} has the suffix {path.suffix!r}; give it {STYLE_SUFFIX}")
    if not _can_hold(path):
        raise InputError(f"--save-style: {name} is a folder, or in none that can be written to; give a file's path")
    if _same_file(path, options.weights):
        raise InputError(f"--save-style: {name} is also the --weights file, which would be lost; give another path")
    if os.path.lexists(path) and not options.overwrite_style:
        raise InputError(f"--save-style: {name} exists already; give another path, or --overwrite-style too")


def check_own(option: str, given: str | Path, others: Iterable[str | None]) -> None:
    """Check that the file of an option can be written, and is no other one of the run."""
    path, name = Path(given), repr(str(given))
    if not _can_hold(path):
        raise InputError(f"{option}: {name} is a folder, or in none that can be written to; give a file's path")
    for other in filter(None, others):
        if _same_file(path, other) or os.path.abspath(path) == os.path.abspath(other):
            raise InputError(f"{option}: {name} is also another file of this run; give a path of its own")


def path_so_far(out: str | Path) -> Path:
    """Give the path of the picture so far of a run whose result goes to `out`: result.so-far.png for result.png."""
    return Path(out).with_suffix(f".so-far{Path(out).suffix}")


def _can_hold(path: Path) -> bool:
    """Tell whether a file may be made there."""
    return not path.is_dir() and path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)


def _same_file(one: str | os.PathLike, other: str | os.PathLike) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)
