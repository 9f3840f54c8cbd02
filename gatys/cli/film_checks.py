"""Checks of a command line that asks for a film, before any file is opened."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from ..errors import InputError
from ..video.film_files import ANIMATIONS, CONTAINERS, VIDEOS, is_animated
from .option_checks import FILM_OPTIONS, check_options, check_own, path_so_far
from .options import LIST
from .parsed import Options

_NO_FILM: dict[str, Any] = dict.fromkeys(
    (*FILM_OPTIONS, "out", "save_every", "time_lapse", "time_lapse_every", "trace")
)
_ONE_PICTURE = ("save_every", "time_lapse", "time_lapse_every")
"""The options about the way to one picture."""
_NUMBERED, _KEPT = re.compile(r"\d{6,}\.png"), re.compile(r"film-\d{6,}(-[01])?\.png")
"""The names of frames in a folder of results, and in that of a checkpoint."""
_STATE = re.compile(r"(film|passes|[0-9a-f]{16,})\.safetensors|\..*\.tmp")
"""The names of what else is in the folder of a checkpoint."""


def is_folder(options: Options) -> bool:
    """Tell whether the frames of the film are pictures of a folder or a list."""
    return os.path.isdir(options.content) or options.content.lower().endswith(LIST)


def check_film(options: Options, *, shared: bool = False) -> None:
    """Raise InputError where options do not go together, or make no sense for a film; no file is opened.

    Args:
        options: the command line.
        shared: whether several processes share each picture.
    """
    check_options(cast(Options, Namespace(**(vars(options) | _NO_FILM | {"checkpoint": None, "film": True}))))
    if shared:
        raise InputError("CONTENT: a film is painted by one process; leave out torchrun")
    if options.workers > 1:
        raise InputError(f"--workers: a film is painted by one process, got {options.workers}; leave it out")
    for name in _ONE_PICTURE:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: expected a run of one picture, got a film, whose file so far can be "
                "played; leave it out"
            )
    if options.shares is not None:
        raise InputError(
            "--shares: expected a run of one picture, got a film; run it on one frame, and give the film the weights it tells"
        )
    if options.fps is not None and not is_folder(options):
        raise InputError(
            f"--fps: expected a folder or a list of frames, got the film {options.content!r}; leave it out"
        )
    if options.start is not None and options.end is not None and options.end <= options.start:
        raise InputError(f"--end: expected a time after --start {options.start:g}, got {options.end:g}; give another")
    _check_content(options)
    _check_style_at(options)
    if options.out is not None:
        _check_out(options, Path(options.out))
    if options.trace is not None:
        inputs = (options.content, options.out, *options.style, *options.style_mask, *options.load_style)
        check_own("--trace", options.trace, (*inputs, options.weights, options.save_style))
    folder = options.checkpoint
    if folder is not None and not os.path.isdir(folder):
        raise InputError(f"--checkpoint: expected a folder for a film, got {str(folder)!r}; make one, and give that")
    if folder is not None and any(_same(folder, other) for other in (options.content, options.out)):
        raise InputError(f"--checkpoint: {str(folder)!r} is also CONTENT or --out; give an empty folder of its own")
    names = sorted(os.listdir(folder)) if folder is not None else []
    other = next((name for name in names if not (_KEPT.fullmatch(name) or _STATE.fullmatch(name))), None)
    if other is not None:
        raise InputError(
            f"--checkpoint: {str(folder)!r} holds another file, {other!r}; give an empty folder of its own"
        )


def _check_style_at(options: Options) -> None:
    """Check that each style has a time of its own."""
    if options.style_at is None:
        return
    for option, given in (
        ("--blend", options.blend),
        ("--style-mask", options.style_mask),
        ("--save-style", options.save_style),
    ):
        if given:
            raise InputError(f"{option}: expected one style for the whole film, got --style-at; give one of the two")
    styles, times = [*options.style, *options.load_style], options.style_at
    if len(times) != len(styles):
        raise InputError(
            f"--style-at: expected one for each of the {len(styles)} styles {', '.join(map(repr, styles))}, got {len(times)}; "
            "repeat --style-at once for each, in this order"
        )
    if any(one >= other for one, other in pairwise(times)):
        told = ", ".join(f"{time:g}" for time in times)
        raise InputError(
            f"--style-at: expected times in order, got {told}; bring the styles in the order of their times"
        )


def check_pictures(options: Options, pictures: Sequence[Path], *, named: bool) -> None:
    """Raise InputError where what is written for frames would replace a picture that is read.

    Args:
        options: the command line.
        pictures: the frames of a folder or list; empty for a film that is a file.
        named: whether a folder of results calls them as these pictures.
    """
    names = {f"{path.stem}.png" for path in pictures} if named else None
    for path in (*pictures, *map(Path, (*options.style, *options.style_mask, str(options.init)))):
        if options.checkpoint is not None and _same(path.parent, options.checkpoint) and _KEPT.fullmatch(path.name):
            raise InputError(f"--checkpoint: {str(path)!r} is an input, which would be lost; give an empty folder")
        result = _NUMBERED.fullmatch(path.name) if names is None else path.name in names
        if result and options.out is not None and not is_file(Path(options.out)) and _same(path.parent, options.out):
            raise InputError(f"--out: {str(path)!r} is also an input, which would be lost; give another folder")


def _same(one: str | os.PathLike, other: str | os.PathLike | None) -> bool:
    return other is not None and os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _check_content(options: Options) -> None:
    content = options.content
    if is_folder(options) or Path(content).suffix.lower() in VIDEOS or is_animated(content):
        return
    what = "--film" if options.film else f"--out {options.out!r}"
    raise InputError(
        f"CONTENT: expected a film, an animation or a folder of frames for {what}, got {content!r}, which is none; give "
        "one, or the name of a picture as --out"
    )


def is_file(out: Path) -> bool:
    """Tell whether the result is a file, and no folder of frames."""
    return out.suffix.lower() in (*CONTAINERS, *ANIMATIONS) and not out.is_dir()


def _check_out(options: Options, out: Path) -> None:
    name, suffix = repr(options.out), out.suffix.lower()
    kinds = ", ".join((*CONTAINERS, *ANIMATIONS))
    if not is_file(out) and suffix and not out.is_dir() and not str(options.out).endswith((os.sep, "/")):
        raise InputError(
            f"--out: expected a film ({kinds}) or a folder for its frames, got {name}; end a folder with /"
        )
    if suffix in (*CONTAINERS, *ANIMATIONS) and str(options.out).endswith((os.sep, "/")) and not out.is_dir():
        raise InputError(
            f"--out: {name} ends as a folder does, and is called as a film; leave out the / for a film, or {suffix} for a "
            "folder"
        )
    for path in (options.content, *options.style, *options.style_mask):
        if os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path):
            raise InputError(f"--out: {name} is also an input, which would be lost; give another path")
    if is_file(out) and suffix in CONTAINERS and _same(path_so_far(out), options.content):
        raise InputError(
            f"--out: {options.content!r}, where the film so far is written, is also an input, which would be lost; give "
            "another path"
        )
    there = next(place for place in (out.parent if is_file(out) else out, *out.absolute().parents) if place.exists())
    if is_file(out) and not out.parent.is_dir():
        raise InputError(f"--out: there is no folder {str(out.parent)!r} to write {out.name!r} to; create it first")
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"--out: {name} is in no folder that can be written to; give another path")
    if options.no_overwrite and (out.is_file() or (out.is_dir() and any(os.scandir(out)))):
        raise InputError(f"--out: {name} exists already; give another path, or leave out --no-overwrite")
    codec = options.codec
    if suffix not in CONTAINERS:
        for option, given in (("--codec", codec), ("--crf", options.crf)):
            if given is not None:
                raise InputError(
                    f"{option}: expected one of {', '.join(CONTAINERS)} as --out, got {name}; leave it out"
                )
    if codec == "ffv1" and suffix != ".mkv":
        raise InputError(f"--codec: ffv1 needs a .mkv, got {name}; give that, or h264")
    if codec == "ffv1" and options.crf is not None:
        raise InputError("--crf: ffv1 loses nothing, whatever the quality; leave it out, or give --codec h264")
    if options.depth == 16 and is_file(out) and codec != "ffv1":
        raise InputError(f"--depth: {name} has 8 bits a channel; leave it out, or give --codec ffv1 or a folder")
