"""The record of a run: what a result says of how it was made, and `--like`, which repeats it from there."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..network.accepted_files import NAMED
from ..network.found_files import hub_folder
from ..network.state_file import file_sha256
from ..network.vgg import NetworkTag
from ..pictures.metadata import read_record
from ..settings import INITS, QUALITIES, __version__
from ..video.film_files import VIDEOS
from ..video.video_reading import read_film_record
from .option_checks import is_film
from .options import NO_CONTENT
from .parsed import Options
from .picture_lists import find_pictures

_STYLES = ("style", "load_style", "blend", "style_mask", "propagation", "style_at")
"""What goes together: where a style is given beside `--like`, none of these is taken from the record."""
_SETTINGS = (
    "preset", "size", "style_scale", "depth", "file_quality", "blend", "propagation", "match_colors", "match_features", "keep_luminance",
    "weights", "layout", "pooling", "preprocessing", "responses", "padding", "content_layers", "style_layers", "statistic",
    "strength", "content_weight", "style_weight", "octaves", "detail", "tv_weight", "tv_form", "laplacian_weight", "shares", "normalize", "init", "steps", "tolerance", "average", "levels", "optimizer",
    "learning_rate", "history_size", "seed", "tile", "precision", "graphs",
)  # fmt: skip
"""The options that a record holds: those that make the picture. None of them names a file that is written."""
_FILM = (
    "film", "start", "end", "every", "fps", "flow", "later_steps", "style_at", "long_term", "passes", "temporal_weight", "anchor_every",
    "codec", "crf", "no_sound",
)  # fmt: skip
"""Those that only a film's record holds."""
_FILES = ("content", "style", "load_style", "style_mask", "init")


def record_files(options: Options) -> Mapping[str, Any]:
    """Give the name and SHA-256 of each picture and style file of a run.

    Raises:
        OSError: where one cannot be read.
    """
    files: dict[str, Any] = {}
    for name in _FILES:
        value = getattr(options, name)
        paths = [path for path in ([value] if isinstance(value, str) else value or ()) if path != NO_CONTENT]
        if paths and not (name == "init" and value in INITS):
            files[_option(name)] = [{"name": _portable(path), "sha256": _sha256(path)} for path in paths]
    return files


def record_of(
    options: Options, files: Mapping[str, Any], network: NetworkTag, steps: int, size: tuple[int, int]
) -> str:
    """Give the record of a run as JSON.

    Args:
        options: with everything that a preset fills.
        files: what `record_files` gave.
        network: the network that made it.
        steps: the number of steps that were done.
        size: the (height, width) of the result.
    """
    settings = _settings_of(options, max(size))
    filters = {"name": _portable(network.weights), "network": network.architecture, "digest": network.fingerprint}
    record = {"gatys": __version__, "options": settings, "files": files, "filters": filters, "steps": steps}
    return json.dumps(record)


def _settings_of(options: Options, edge: int | None) -> dict[str, Any]:
    """Give what a record says of the options; `edge` stands for a size that the preset finds."""
    settings = {}
    for name in (*_SETTINGS, *(_FILM if is_film(options) else ())):
        value = getattr(options, name)
        if name == "init" and value not in INITS:
            continue  # a file
        if name == "size" and callable(value):
            value = edge
        if name == "weights" and value.partition(":")[0] not in NAMED:
            value = _portable(value)
        if value is not None or name == "tile":
            settings[_option(name)] = _word(value)
    return settings


def film_record(options: Options, network: NetworkTag, steps: int, size: tuple[int, int]) -> str:
    """Give the record of a film as `record_of` gives that of a picture."""
    return record_of(options, record_files(options), network, steps, size)


def film_key(options: Options, network: NetworkTag, size: tuple[int, int]) -> str:
    """Give what two runs share only where they make the same film; see `key_of`."""
    return f"{key_of(options, network, options.device)} {size[1]} x {size[0]}"


def _sha256(path: str | Path) -> str:
    """Give the SHA-256 of a file, or that of those of a folder's or a list's pictures."""
    pictures = find_pictures(str(path))
    if pictures is None:
        return file_sha256(path)
    return hashlib.sha256("".join(map(file_sha256, pictures)).encode()).hexdigest()


def key_of(options: Options, network: NetworkTag, device: str) -> str:
    """Give 32 hexadecimal digits that two runs share only where all is the same that makes a difference to the picture.

    That is the version, the settings, the content of each file, the filters and the kind of device.

    Raises:
        OSError: where a file cannot be read.
    """
    settings = _settings_of(options, None)
    for name in ("weights", "depth", "file-quality"):  # the filters' digest counts, and how a cell is written is fixed
        settings.pop(name, None)
    files = {name: [file["sha256"] for file in given] for name, given in record_files(options).items()}
    what = [__version__, settings, files, network.fingerprint, device, options.strip]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


def as_recorded(argv: Sequence[str], like: str, given: argparse.Namespace) -> tuple[list[str], str | None]:
    """Give the command line with what a picture's record adds to it, and the digest that the filters must have.

    Args:
        argv: the command line.
        like: the path of the picture.
        given: what the command line gives, read without defaults.

    Raises:
        ImageError: where the picture has no record.
        InputError: for a record that is damaged or of other options, and for files of that run that are not found or
            have changed.
    """
    record = read_film_record(like) if Path(like).suffix.lower() in VIDEOS else read_record(like)
    theirs = vars(given)
    if theirs.get("preset") is not None:
        raise InputError("--preset, --like: each of them fills what is not given; give one of the two")
    taken = {name for name in _STYLES if theirs.get("style") or theirs.get("load_style")}
    taken |= {name for name, value in theirs.items() if value not in (None, [])}
    taken |= QUALITIES.get(theirs.get("quality"), {}).keys()  # type: ignore[arg-type]
    try:
        settings = {name.replace("-", "_"): value for name, value in record["options"].items()}
        files = {name.replace("-", "_"): value for name, value in record["files"].items()}
        digest = None if "weights" in taken else str(record["filters"]["digest"])
        found = [*_settings(settings, taken, like), *_found(files, taken, like)]
        pictures = _positionals(files, taken, like)
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise InputError(f"--like: the record in {like!r} is damaged; give the options yourself") from problem
    return [*found, *argv, *pictures], digest


def check_filters(expected: str | None, network: NetworkTag) -> None:
    """Raise InputError unless the filters are those of the run that is repeated; None stands for any."""
    if expected is not None and expected != network.fingerprint:
        raise InputError(
            f"--like: that run had the filters {expected[:8]!r}, found {network.fingerprint[:8]!r} "
            f"({_portable(network.weights)}); give --weights with those, or with others that you want"
        )


def _settings(settings: Mapping[str, Any], taken: set[str], like: str) -> list[str]:
    words: list[str] = []
    for name, value in settings.items():
        if name not in (*_SETTINGS, *_FILM):
            raise InputError(
                f"--like: {like!r} was made with the option {name!r}, which is not known here; update gatys"
            )
        option = f"--{_option(name)}"
        if name in taken:
            continue
        if name == "weights" and value.partition(":")[0] not in NAMED:
            value = str(_find(value, like) or value)
        if isinstance(value, bool):
            words += [option] if value else [f"--no-{_option(name)}"] if name in ("normalize", "graphs") else []
        else:
            words += [f"{option}={each}" for each in (value if isinstance(value, list) else [value])]
    return words


def _found(files: Mapping[str, Any], taken: set[str], like: str) -> list[str]:
    named = [(name, file) for name in _FILES[2:] if name not in taken for file in files.get(name, ())]
    return [f"--{_option(name)}={_checked(file, like, f'--{_option(name)}')}" for name, file in named]


def _positionals(files: Mapping[str, Any], taken: set[str], like: str) -> list[str]:
    words = []
    if "content" not in taken:
        words = [_checked(file, like, "CONTENT") for file in files.get("content", ())] or [NO_CONTENT]
    if "style" not in taken:
        words += [_checked(file, like, "STYLE") for file in files.get("style", ())]
    return words


def _checked(file: Mapping[str, str], like: str, what: str) -> str:
    """Give the path of a file of that run."""
    name, path = str(file["name"]), _find(str(file["name"]), like)
    if path is None:
        raise InputError(f"--like: {name!r} of that run is neither here nor beside {like!r}; give it as {what}")
    if _sha256(path) != file["sha256"]:
        raise InputError(
            f"--like: {str(path)!r} is another file than in that run; give the one that you want as {what}"
        )
    return str(path) if not str(path).startswith("-") else f"./{path}"


def _find(name: str, like: str) -> Path | None:
    beside = Path(like).parent
    places = [
        Path(name),
        beside / name,
        Path(Path(name).name),
        beside / Path(name).name,
        hub_folder() / Path(name).name,
    ]
    return next((path for path in places if path.exists()), None)


def _portable(path: str) -> str:
    """Give a path for a record: as it is below the current folder, else the name only, which tells nothing of people."""
    relative = not os.path.isabs(path) and ".." not in Path(path).parts and not path.startswith("~")
    return path if relative else Path(path).name


def _option(name: str) -> str:
    return name.replace("_", "-")


def _word(value: Any) -> Any:
    """Give a value as the command line takes it; numbers exactly."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return ",".join(f"{name}={weight!r}" for name, weight in value.items())
    if isinstance(value, tuple) and not all(isinstance(each, int) for each in value):
        return [_word(each) for each in value]
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) if value else []
    return value if isinstance(value, str) else repr(value)
