"""The arguments of `optimize`: targets, settings, and a callback, as one checked value with a field for each."""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..errors import InputTypeError
from ..objective.temporal import TemporalTarget
from ..objective.term import Term
from ..passes.layout import WHOLE, Layout
from ..settings import QUALITIES, Settings, check_choice
from ..targets.regions import RegionalStyle
from ..targets.targets import ContentTarget, StyleTarget
from .records import Progress

_log = logging.getLogger(__name__)
P = ParamSpec("P")
X = TypeVar("X")
Y = TypeVar("Y")
A = TypeVar("A", bound=Settings)
R = TypeVar("R")
C = TypeVar("C", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Arguments(Settings):
    """The arguments of `optimize` beside the network."""

    content: ContentTarget | None = None
    """What should be seen; None makes a texture."""
    style: StyleTarget | RegionalStyle | None = None
    """One style for all of the picture or one for each region; None makes a reconstruction of the content."""
    temporal: TemporalTarget | None = None
    """A picture to stay near, such as the last frame's result; None for none."""
    terms: Sequence[Term] = ()
    """Further terms of the loss."""
    size: tuple[int, int] | None = None
    """The (height, width) of the result when there is no content; the default is that of `init` or of the style
    picture."""
    settings: Settings | None = None
    """Settings as one value; arguments given beside them take their place."""
    callback: Callable[[Progress], None] | None = None
    """A function that is called after each evaluation. An exception from it ends the run and is passed on;
    StopIteration ends it early, and the best picture so far is returned."""
    place: Layout = WHOLE
    """Where the pictures lie. In strips, all processes call this at the same time with the same arguments, each with its
    rows of `content` and `init`, and get its rows of the result, and the same history."""


def collect(arguments: Callable[..., A], given: dict[str, Any], caller: str) -> A:
    """Put what a function was given into one checked value; arguments given beside `settings` take their place.

    Of these a `quality` stands for the arguments that it fills, unless they are given, too.

    Raises:
        InputError: for a quality that is none.
        InputTypeError: for a name that is no argument, and for unnamed ones; `caller` is the function's name.
    """
    known = list(inspect.signature(arguments).parameters)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            raise InputTypeError(f"{caller}: {name!r} is no argument of it; {hint}")
    if "quality" in given:
        check_choice("quality", given["quality"], QUALITIES)
        filled = {name: value for name, value in QUALITIES[given["quality"]].items() if name not in given}
        said = ", ".join(f"{name} {value}" for name, value in filled.items())
        _log.info("quality %s: %s", given["quality"], said or "all that it says was given")
        given = filled | given
    settings = given.get("settings")
    if settings is not None:
        if not isinstance(settings, Settings):
            raise InputTypeError(
                f"settings: expected a gatys.Settings, got {type(settings).__name__}; give single ones by their names"
            )
        given = {field.name: getattr(settings, field.name) for field in fields(Settings)} | given
    return arguments(**given)


def takes(arguments: Callable[P, A]) -> Callable[[Callable[[X, A], R]], Callable[Concatenate[X, P], R]]:
    """Make a function of one thing and a value take the value's fields as its keyword arguments.

    So the list of arguments stands once, in the dataclass, for people, for type checkers and for the function.
    """

    def decorate(function: Callable[[X, A], R]) -> Callable[Concatenate[X, P], R]:
        @wraps(function)
        def call(*args: Any, **given: Any) -> R:
            (first,), given = _split(function, args, given)
            return function(first, collect(arguments, given, function.__name__))

        return _signed(call, function, arguments)

    return decorate


def takes_two(
    arguments: Callable[P, A], also: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[[X, Y, A], R]], Callable[Concatenate[X, Y, P], R]]:
    """Make a function of two things and a value take the value's fields, as `takes` does."""

    def decorate(function: Callable[[X, Y, A], R]) -> Callable[Concatenate[X, Y, P], R]:
        @wraps(function)
        def call(*args: Any, **given: Any) -> R:
            given = {also.get(name, name): value for name, value in given.items()}
            (first, second), given = _split(function, args, given)
            return function(first, second, collect(arguments, given, function.__name__))

        return _signed(call, function, arguments)

    return decorate


def _split(
    function: Callable[..., Any], unnamed: Sequence[Any], given: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Take a function's own first arguments, named or not, from the others.

    Raises:
        InputTypeError: where one of them is missing, and for others without a name.
    """
    own = list(inspect.signature(function).parameters)[:-1]
    if len(unnamed) > len(own):
        many = len(unnamed) - len(own)
        raise InputTypeError(f"{function.__name__}: got {many} arguments too many without names; give each by its name")
    found, rest = list(unnamed), dict(given)
    for name in own[len(unnamed) :]:
        if name not in rest:
            raise InputTypeError(f"{function.__name__}: expected the argument {name!r}, got none; give it")
        found.append(rest.pop(name))
    return found, rest


def _signed(call: C, function: Callable[..., Any], arguments: Callable[..., Any]) -> C:
    """Give the signature that people are shown: the function's own first arguments, then the fields."""
    signature = inspect.signature(function)
    shown = [*list(signature.parameters.values())[:-1], *inspect.signature(arguments).parameters.values()]
    call.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return call


def settings_of(arguments: Settings) -> dict[str, Any]:
    """Give the settings alone, by their names."""
    return {field.name: getattr(arguments, field.name) for field in fields(Settings)}
