"""What is answered before PyTorch is imported: help, options that cannot be read, and files that are not there."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import cast

from ..errors import InputError
from ..network.accepted_files import ACCEPTED_FILES, NAMED
from ..settings import INITS
from .film_checks import check_film
from .option_checks import check_options, is_film, is_sheet
from .options import LIST, NO_CONTENT, SHEET, build_parser
from .parsed import Options
from .streams import Steady, error_line


def answered(*, alone: bool, tells: bool) -> int | None:
    """Answer what needs no PyTorch, and give the exit code; None where there is work to do.

    Args:
        alone: whether this process has no others beside it, which may see other files.
        tells: whether it says what is wrong.
    """
    try:
        read = build_parser().parse_intermixed_args()
        if alone:
            check_early(read)
    except InputError as problem:
        if tells:
            print(error_line(problem), file=sys.stderr)
        return 2
    except SystemExit as end:  # --help and the like, which were asked for the text alone
        sys.stdout.flush()
        lost = isinstance(sys.stdout, Steady) and bool(sys.stdout.lost)
        return 2 if lost else cast(int, end.code or 0)
    return None


def check_early(read: Namespace) -> None:
    """Raise InputError for files that are not there and for options that do not go together, as far as is known yet.

    What else is wrong with a file is found by who reads it.
    """
    if read.content is None and read.like is None:
        return  # `parse_options` has the sentence
    for path in (read.content, *read.style, *read.style_mask, *read.load_style, read.like):
        if path not in (None, NO_CONTENT, SHEET) and _is_missing(path):
            raise InputError(f"there is no file {path!r}; check the path")
    if read.init not in INITS and _is_missing(read.init):
        there = f"there is no file {read.init!r}; check the path"
        raise InputError(f"--init: expected {', '.join(INITS)} or a picture file: {there}")
    if read.weights.partition(":")[0] not in NAMED and _is_missing(read.weights):
        expected = ", ".join(map(repr, NAMED))
        raise InputError(f"weights: there is no file {Path(read.weights)}; expected {expected}, or {ACCEPTED_FILES}")
    fills_more = read.preset is not None or read.like is not None
    if is_film(cast(Options, read)):
        if not fills_more:
            check_film(cast(Options, read))
    elif (
        not fills_more
        and not is_sheet(cast(Options, read))
        and not os.path.isdir(read.content)
        and not read.content.lower().endswith(LIST)
    ):
        check_options(cast(Options, read))


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # who opens it says why
        return False
    return False
