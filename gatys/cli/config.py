"""`--config`: options from a TOML file, which count as if they stood at the front of the command line."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, MissingPackage

_LARGEST = 1 << 20
"""The largest file in bytes that is read."""


def with_config(
    argv: Sequence[str], path: str, parser: argparse.ArgumentParser, given: argparse.Namespace
) -> list[str]:
    """Give the command line with the options of a file before those that it has itself, which win.

    Args:
        argv: the command line.
        path: the file. Its keys are the long options, with dashes or underscores. A switch is true or false; what may be
            repeated is a value or a list; steps are a number, a text or a list; layers are a text or a table of weights.
        parser: knows the options.
        given: what the command line gives; None or an empty list stands for what it does not give.

    Raises:
        InputError: for a file that cannot be read or is no TOML, an option that is not known, and a value of another
            type than the option's.
        MissingPackage: before Python 3.11, which cannot read TOML.
    """
    options = {
        option.removeprefix("--"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    known = {name: action for name, action in options.items() if action.dest not in (argparse.SUPPRESS, "config")}
    words: list[str] = []
    for key, value in _read(path).items():
        name = key.replace("_", "-")
        if name not in known:
            raise InputError(f"--config: {path!r} has {key!r}, {_hint(name, known)}")
        action = known[name]
        if not getattr(given, action.dest):  # what is repeated, or is one of several switches, would be added to
            words += _words(name, action, value, key, path)
    try:
        parser.parse_intermixed_args(words)
    except InputError as problem:
        raise InputError(f"--config: in {path!r}, {problem}") from None
    return [*words, *argv]


def _read(path: str) -> Mapping[str, Any]:
    try:
        import tomllib
    except ImportError as problem:
        raise MissingPackage(
            "--config: TOML is read from Python 3.11 on; give the options at the command line", name="tomllib"
        ) from problem
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise InputError(f"--config: {path!r} has more than {_LARGEST} bytes; give a file with options only")
        return tomllib.loads(text.decode("utf-8-sig"))
    except OSError as problem:
        raise InputError(f"--config: {path!r} cannot be read ({problem.strerror}); check the path") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InputError(f"--config: {path!r} is no TOML ({problem}); write lines such as size = 768") from None


def _hint(name: str, known: Mapping[str, argparse.Action]) -> str:
    """Give the end of a sentence about a key that is no option."""
    if name in ("content", "style"):
        return "which is no option; give pictures at the command line"
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"which is no option; did you mean {near[0]!r}?" if near else "which is no option; --help-all lists them"


def _words(name: str, action: argparse.Action, value: Any, key: str, path: str) -> Iterator[str]:
    """Yield an option as the command line has it."""
    repeated = isinstance(action, argparse._AppendAction)
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise _wrong(path, key, "true or false", value)
        if value:
            yield f"--{name}"
        elif f"--no-{name}" in action.option_strings:
            yield f"--no-{name}"
        return
    for each in value if repeated and isinstance(value, list) else [value]:
        yield f"--{name}={_text(each, action, key, path)}"


def _text(value: Any, action: argparse.Action, key: str, path: str) -> str:
    textual = action.type is None and not action.choices
    if isinstance(value, str):
        return value
    if textual or isinstance(value, bool):
        raise _wrong(path, key, "a text" if textual else "a number or a text", value)
    if isinstance(value, (int, float)):
        return repr(value)
    if key == "steps" and isinstance(value, list) and all(type(each) is int for each in value):
        return ",".join(map(str, value))
    if action.dest.endswith("_layers") and isinstance(value, dict):
        if all(type(weight) in (int, float) for weight in value.values()):
            return ",".join(f"{name}={weight!r}" for name, weight in value.items())
        raise _wrong(path, key, "a table of numbers", value)
    raise _wrong(path, key, "a number or a text", value)


def _wrong(path: str, key: str, expected: str, value: Any) -> InputError:
    return InputError(f"--config: in {path!r}, {key} is to be {expected}, got {value!r}; write it so")
