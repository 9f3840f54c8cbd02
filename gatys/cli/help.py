"""What the command line says of itself and then ends: help, lists, completions. None of it waits for PyTorch but presets'.

An action that ends so is no option of a run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..network.layers import TABLES
from ..settings import __version__

USAGE = """gatys CONTENT STYLE [STYLE ...] [-o OUT] [options]
       gatys FOLDER STYLE [STYLE ...] -o FOLDER [options]"""
FIRST = {
    "-o, --out OUT": "file to write (default: CONTENT_STYLE.png)",
    "--quality WORD": "draft (quick), good, or final (slow) (default: good)",
    "--size PIXELS": "longer edge of the result; 0: as CONTENT (default: 512)",
    "--strength 0..1": "0 is nearly CONTENT, 1 is mostly STYLE (default: 0.5)",
    "--style-scale FACTOR": "width of the strokes: below 1 finer (default: 1)",
    "--steps COUNT": "how long to work on it (default: 200)",
    "--keep-luminance": "keep the colours of CONTENT",
    "--preset NAME": "settings of a well-known program; see --list-presets",
    "--weights FILTERS": "auto, paper, imagenet, untrained, a file (default: auto)",
    "--device DEVICE": "cpu, cuda, cuda:N, mps or auto (default: auto)",
}
"""The ten options that matter first, and what the short help says of them; a test compares defaults."""
EXAMPLES = {
    "gatys photo.jpg painting.jpg": "writes photo_painting.png",
    "gatys photo.jpg painting.jpg --quality draft": "a quick look first",
    "gatys photo.jpg painting.jpg --strength 0.7": "more painting",
    "gatys photo.jpg one.jpg two.jpg": "both styles in one",
    "gatys - painting.jpg": "a texture of the painting",
    "gatys photos/ painting.jpg -o results/": "each picture of a folder",
    "gatys clip.mp4 painting.jpg": "a film, as clip_painting.mp4",
    "gatys sheet photo.jpg styles/ -o sheet.jpg": "the photo in each style",
    "gatys other.jpg --like out.png": "as out.png was made",
}
FOR_MORE = (
    "--help-all lists every option; --list-presets and --list-layers the names that\n"
    "some take. --config FILE.toml reads options from a file, and\n"
    "--print-completion SHELL prints what completes them in a shell."
)
SHELLS = ("bash", "zsh", "tcsh")
PATHS = (
    *("content", "style", "out", "like", "config", "load_style", "style_mask", "save_style", "init", "weights"),
    *("checkpoint", "time_lapse", "trace", "cells"),
)
"""The arguments that take a file or a folder, which a shell completes."""


class Ends(argparse.Action):
    """An option that prints something and ends the program.

    Args:
        says: gives what to print, from the parser and the value; what it ends with.
    """

    def __init__(self, *args: Any, says: Callable[[argparse.ArgumentParser, Any], str], **how: Any):
        super().__init__(*args, **how)
        self._says = says

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        text, encoding = self._says(parser, value), getattr(sys.stdout, "encoding", None) or "utf-8"
        parser._print_message(text.encode(encoding, "backslashreplace").decode(encoding) + "\n", sys.stdout)
        parser.exit()


def add_help(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that print something and end."""
    group = parser.add_argument_group("help")

    def add(*names: str, **how: Any) -> None:
        none: dict[str, Any] = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS, "nargs": 0}
        group.add_argument(*names, action=Ends, **(none | how))

    add("-h", "--help", says=lambda *_: short_help(), help="print the options that matter first, and examples")
    add("--help-all", says=lambda parser, _: parser.format_help().rstrip(), help="print all options")
    add("--list-presets", says=lambda *_: presets(), help="print the presets, where each comes from, and its steps")
    add("--list-layers", says=lambda *_: layers(), help="print the layers of each network, their channels and strides")
    how: dict[str, Any] = {"nargs": None, "choices": SHELLS, "metavar": "SHELL"}
    add("--print-completion", says=completion, **how, help=f"print what completes options in {', '.join(SHELLS)}")
    group.add_argument("--version", action="version", version=f"gatys {__version__}", help="print the version")


def short_help() -> str:
    """Give the help that fits on a screen."""
    options, examples = _columns(FIRST.items()), _columns(EXAMPLES.items())
    return (
        f"usage: {USAGE}\n\nPaint CONTENT in the style of STYLE, as Gatys, Ecker and Bethge do (CVPR 2016).\n\n"
        f"{options}\n\nexamples:\n{examples}\n\n{FOR_MORE}"
    )


def presets() -> str:
    """Give a line for each preset: its name, where it is from, its steps and its size."""
    from ..published.presets import presets as published

    rows = []
    for name, preset in published.items():
        repository, _, rest = preset.source.partition(", ")
        source = repository if "/" in repository else rest.rpartition(", ")[2]
        steps = f"{preset.steps} steps of {preset.optimizer}, {preset.size} pixels"
        rows.append((name, f"{steps:36}{preset.title} ({source})"))
    return _columns(rows, margin="")


def layers() -> str:
    """Give a line for each layer: its name, its channels, its stride, and the networks that have it."""
    names = {name: layer for table in TABLES.values() for name, layer in table.items()}
    rows = ["layer     channels  stride  networks"]
    for name in sorted(names):
        having = ", ".join(network for network, table in TABLES.items() if name in table)
        rows.append(f"{name:10}{names[name].channels:8}{names[name].stride:8}  {having}")
    return "\n".join(rows)


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Give a script for a shell that completes options, their words and paths; end with a sentence without shtab."""
    try:
        import shtab
    except ImportError:
        parser.exit(
            2,
            f'gatys: error: --print-completion: needs shtab; install it with "{sys.executable}" -m pip install shtab\n',
        )
    for action in parser._actions:
        if action.dest in PATHS:
            vars(action)["complete"] = shtab.FILE  # where shtab looks
    return str(shtab.complete(parser, shell=shell)).rstrip()


def _columns(rows: Iterable[Sequence[str]], margin: str = "  ") -> str:
    rows = list(rows)
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{margin}{name:{width}}{text}".rstrip() for name, text in rows)
