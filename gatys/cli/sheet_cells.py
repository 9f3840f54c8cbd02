"""The cells of a contact sheet: which pictures there are to paint, and with which options."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..pictures.contact_sheet import can_show, columns_for
from .options import NO_CONTENT, SHEET
from .parsed import Options
from .picture_lists import find_pictures
from .preset_options import parse_options

MOST = 400
"""The most cells of a sheet."""
SWEPT = (
    "strength", "size", "style-scale", "steps", "tolerance", "average", "levels", "content-weight", "style-weight", "octaves", "detail", "tv-weight",
    "tv-form", "laplacian-weight", "statistic", "optimizer", "learning-rate", "history-size", "seed", "init", "padding", "match-colors", "match-features", "preset", "quality", "weights", "layout",
    "pooling", "preprocessing", "responses", "propagation", "precision", "tile",
)  # fmt: skip
"""The options that `--sweep` takes: numbers and choices that make a difference to the picture."""


@dataclass(frozen=True)
class Axis:
    """What differs from one row, or column, of a sheet to the next."""

    name: str
    """A noun for messages, or the option that is swept."""
    values: Sequence[str]
    labels: Sequence[str]


@dataclass(frozen=True)
class Planned:
    """A cell: the words above it, and how it is painted."""

    lines: Sequence[str]
    options: Options


@dataclass(frozen=True)
class Plan:
    cells: Sequence[Planned]
    columns: int
    names: Mapping[str, str]
    """The words that stand for names whose letters the sheet's font does not have, and these names."""


def plan_sheet(options: Options, argv: Sequence[str]) -> Plan:
    """Give the cells of the sheet, row by row.

    Args:
        options, argv: the command line, read and unread.

    Raises:
        InputError: for a sheet that is asked for in a way that cannot be, and for values of an option that it does not
            take.
        ImageError: for a folder without pictures.
    """
    photographs, styles = _photographs(options), _styles(options)
    sweeps = [_sweep(text, argv) for text in options.sweep]
    for one, other in itertools.combinations(sweeps, 2):
        if one.name == other.name:
            raise InputError(f"--sweep: {one.name} is given twice; give all of its values at once")
    axes = [photographs, styles, *reversed(sweeps)]  # the first sweep goes along the rows
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST:
        raise InputError(f"--sweep, {SHEET}: expected at most {MOST} cells on a sheet, got {count}; give fewer values")
    shown = [axis for axis in axes if len(axis.values) > 1] or axes[-1:]
    if len(shown) > 2:
        named = ", ".join(f"{len(axis.values)} of {axis.name}" for axis in shown)
        raise InputError(f"--sweep, {SHEET}: a sheet has rows and columns only, got {named}; give one of each but two")
    names: dict[str, str] = {}
    shown = [replace(axis, labels=_legible(axis, names)) for axis in shown]
    swept = _swept(sweeps, argv, options)
    cells = []
    for indices in itertools.product(*(range(len(axis.values)) for axis in axes)):
        at = {axis.name: index for axis, index in zip(axes, indices, strict=True)}
        chosen = swept[tuple(at[sweep.name] for sweep in sweeps)]
        cell = _painted(chosen, photographs.values[at[photographs.name]], styles, at[styles.name], options)
        cells.append(Planned([axis.labels[at[axis.name]] for axis in shown], cell))
    columns = len(shown[-1].values) if len(shown) == 2 else columns_for(len(cells))
    return Plan(cells, columns, names)


def _photographs(options: Options) -> Axis:
    if options.content == SHEET and not options.style:
        raise InputError(f"{SHEET}: expected CONTENT and at least one STYLE behind it, got none; give them")
    given = options.style[0] if options.content == SHEET else options.content
    return _files("photographs", [given], "CONTENT")


def _styles(options: Options) -> Axis:
    if options.content != SHEET:  # one style, of all that are given
        return Axis("styles", [""], [", ".join(Path(path).name for path in options.style)])
    for option, given in (("--blend", options.blend), ("--style-mask", options.style_mask)):
        if given:
            raise InputError(f"{option}: each cell of a sheet of styles has one style, got {option}; leave it out")
    given = [*options.style[1:], *options.load_style]
    return _files("styles", given, "STYLE") if given else Axis("styles", [""], ["no style"])


def _files(name: str, given: Sequence[str], what: str) -> Axis:
    """Give the axis of files that are given as such, in folders and in lists."""
    found: list[str] = []
    for path in given:
        pictures = find_pictures(path, what)
        if pictures is None and path != NO_CONTENT and not os.path.isfile(path):
            raise InputError(
                f"{what}: expected a file, a folder or a .txt list, got {path!r}, which is none; check the path"
            )
        found += [path] if pictures is None else map(str, pictures)
    labels = ["no content" if path == NO_CONTENT else Path(path).name for path in found]
    if len(set(labels)) < len(labels):  # two files of one name in two folders
        labels = [label if labels.count(label) == 1 else path for label, path in zip(labels, found, strict=True)]
    return Axis(name, found, labels)


def _sweep(text: str, argv: Sequence[str]) -> Axis:
    name, _, rest = text.partition("=")
    name = name.strip().removeprefix("--").replace("_", "-")
    values = [value.strip() for value in rest.split(",")]
    if not all(values):
        raise InputError(
            f"--sweep: expected NAME=VALUE,VALUE,..., as in strength=0.2,0.5,0.8, got {text!r}; give it so"
        )
    if name not in SWEPT:
        near = difflib.get_close_matches(name, SWEPT, 1)
        hint = f"; is {near[0]} meant?" if near else f"; it takes {', '.join(SWEPT)}"
        raise InputError(f"--sweep: expected an option that is a number or a choice, got {name!r}{hint}")
    if any(word == f"--{name}" or word.startswith(f"--{name}=") for word in argv):
        raise InputError(f"--sweep, --{name}: both give {name}; leave one of them out")
    return Axis(name, values, [f"{name} {value}" for value in values])


def _swept(sweeps: Sequence[Axis], argv: Sequence[str], options: Options) -> Mapping[tuple[int, ...], Options]:
    """Give the options with each combination of swept values, by their places."""
    if not sweeps:
        return {(): options}
    found = {}
    for indices in itertools.product(*(range(len(sweep.values)) for sweep in sweeps)):
        words = [f"--{sweep.name}={sweep.values[index]}" for sweep, index in zip(sweeps, indices, strict=True)]
        found[indices] = parse_options([*words, *argv])
    return found


def _painted(chosen: Options, photograph: str, styles: Axis, index: int, options: Options) -> Options:
    """Give the options of one cell; its place is chosen later."""
    cell = replace(chosen, content=photograph, sweep=(), depth=None, no_overwrite=False)
    if options.content != SHEET:
        return cell
    path, saved = styles.values[index], len(styles.values) - index <= len(options.load_style)
    return replace(cell, style=(path,) if path and not saved else (), load_style=(path,) if saved else ())


def _legible(axis: Axis, names: dict[str, str]) -> Sequence[str]:
    """Give the axis' labels, a number for each that the font cannot show, and note these."""
    labels = []
    for number, label in enumerate(axis.labels, 1):
        if not can_show(label):
            stands = f"{axis.name.removesuffix('s')} {number}"
            names[stands], label = label, stands
        labels.append(label)
    return labels
