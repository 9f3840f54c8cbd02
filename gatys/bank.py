"""A bank of styles: blending them, and keeping each one as a small file.

A style file is a .safetensors with a float32 Gram matrix (C, C) for each level and layer, named `level0.conv1_1`, perhaps
a `thumbnail` (H, W, 3) of bytes, and metadata that says which network, layers and sizes they belong to. Nothing in it is
ever run, and whatever does not fit together is refused before it reaches the optimiser: files from strangers are safe.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import stat
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import safetensors.torch
import torch
from torch import Tensor

from .pyramid import resize, resolve_levels
from .targets import StyleTarget, check_layers
from .vgg import LAYERS, POOLINGS, NetworkTag, check_image

SUFFIX = ".safetensors"
FORMAT = "gatys style 1"
THUMBNAIL_EDGE = 256
MAX_BYTES = 256 << 20
"""Sixteen layers at twelve levels, the most that there can be, take 116 MB."""
MAX_HEADER = 1 << 20
MAX_DESCRIPTION = 10_000
MAX_EDGE = 1 << 17  # of the size that a file may claim, which a texture is made at
_ASYMMETRY = 1e-4  # of the largest entry: far above the rounding of a matrix product
_FIELDS = {"network", "layers", "levels", "size", "normalize", "automatic"}
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {f"{p}{d}" for p in ("COM", "LPT") for d in "0123456789¹²³"}
_log = logging.getLogger(__name__)


class StyleFileError(ValueError, OSError):
    """A style file that cannot be read or written; OSError too, as for any missing file."""


@dataclass(frozen=True, eq=False)
class StyleInfo:
    """What a style file says about its style."""

    network: NetworkTag
    layers: Mapping[str, float]
    levels: int
    size: tuple[int, int]
    """(height, width) of the style picture at level 0."""
    description: str
    thumbnail: Tensor | None
    """(1, 3, H, W), sRGB in [0, 1], the longer edge at most 256 pixels."""


def blend_styles(styles: Iterable[tuple[StyleTarget, float]]) -> StyleTarget:
    """One style between several, whose loss is the weighted sum of theirs, up to a constant.

    For each layer, sum_i w_i s_i |G - A_i|^2 = S |G - sum_i (w_i s_i / S) A_i|^2 + const with S = sum_i w_i s_i, where
    w_i are the weights divided by their sum over the styles that have the layer, and s_i its coefficients in them. So
    Grams of equal coefficient are averaged by weight, and layers that only one style has are taken from it as they are:
    the fine texture of one and the coarse forms of another mix by extracting each with layers of its own. Normalised
    styles are averaged in the same way, and normalised by the average.

    Args:
        styles: pairs of a style and its weight. Only the ratios of the weights count; a style of weight 0 is left out.
            A negative weight leads away from a style, past the others; this is logged, since the Grams may then belong
            to no picture (not positive semidefinite), which the optimiser approaches as far as it can.

    Returns:
        A style on the device of the first, its size that of the largest, its levels the fewest.

    Raises:
        ValueError: for styles of different networks, of different numbers of levels if these were not automatic, of
            which some are normalised and some not; for weights that are not finite or do not sum to more than 0, over
            all styles or over those that have a layer.
    """
    pairs = [(style, float(weight)) for style, weight in styles]
    for index, (style, weight) in enumerate(pairs, start=1):
        _check_style(style, f"style {index}")
        if not math.isfinite(weight):
            raise ValueError(f"weight of style {index}: expected a finite number, got {weight!r}")
    weights = [weight for _, weight in pairs]
    if not _is_positive(weights):
        raise ValueError(f"weights: expected them to sum to more than 0, got {weights or 'no styles'}; raise one of them")
    pairs = [(style, weight) for style, weight in pairs if weight]
    if min(weights) < 0:
        shares = ", ".join(f"{weight / math.fsum(weights):g}" for weight in weights)
        _log.info("blend_styles: shares of %s extrapolate beyond the styles", shares)
    first, levels = pairs[0][0], min(style.levels for style, _ in pairs)
    for style, _ in pairs:
        _check_alike(first, style, levels)
    layers: dict[str, float] = {}
    grams: tuple[dict[str, Tensor], ...] = tuple({} for _ in range(levels))
    for name in LAYERS:
        having = [(style, weight, weight * style.layers[name]) for style, weight in pairs if name in style.layers]
        if not having:
            continue
        if not all(_is_positive(values) for values in ([w for _, w, _ in having], [p for _, _, p in having])):
            raise ValueError(
                f"weights: the styles that have {name} count for less than nothing together; extrapolate only between "
                "styles that were extracted with the same layers"
            )
        total = math.fsum(pull for _, _, pull in having)
        layers[name] = total / math.fsum(weight for _, weight, _ in having)
        for level, blended in enumerate(grams):
            blended[name] = sum(s.grams[level][name].to(first.grams[0][next(iter(first.layers))].device) * (pull / total) for s, _, pull in having)
    return StyleTarget(
        network=first.network,
        layers=layers,
        grams=grams,
        size=max((style.size for style, _ in pairs), key=min),  # large enough for every layer and level
        normalize=first.normalize,
        automatic=all(style.automatic for style, _ in pairs),
    )


def _is_positive(values: list[float]) -> bool:
    """Whether the sum is above 0 by more than rounding."""
    return math.fsum(values) > 1e-6 * math.fsum(map(abs, values))


def _check_style(style: Any, what: str) -> None:
    if not isinstance(style, StyleTarget):
        raise ValueError(
            f"{what}: expected one style for the whole picture, got {type(style).__name__}; "
            "take the style of each region before it is given its place"
        )


def _check_alike(first: StyleTarget, other: StyleTarget, levels: int) -> None:
    a, b = first.network, other.network
    if (a.fingerprint, a.pooling) != (b.fingerprint, b.pooling):
        raise ValueError(f"styles: one was made with {a}, another with {b}; extract both with the same network")
    if first.normalize != other.normalize:
        raise ValueError("styles: one was extracted with normalize and another without; extract both in the same way")
    if other.levels != levels and not other.automatic:
        raise ValueError(
            f"styles: one has {levels} levels and another was extracted with {other.levels}; "
            "extract all with the same number, or with 'auto'"
        )


def save_style(
    style: StyleTarget,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    thumbnail: Tensor | None = None,
    description: str = "",
) -> Path:
    """Write a style as one file, which appears whole or not at all, and return its path.

    Args:
        style: its Grams are kept as float32.
        path: in a folder that exists; best ending in .safetensors.
        overwrite: whether a file that is there may be replaced.
        thumbnail: (N, 3, H, W), sRGB in [0, 1]; the first picture is kept, with a longer edge of at most 256 pixels.
        description: free text, at most 10,000 characters.

    Raises:
        StyleFileError: if the file is there already, or cannot be written.
        ValueError: for a style, thumbnail or description that a style file cannot hold.
    """
    _check_style(style, "style")
    path = Path(path)
    if thumbnail is not None:
        check_image(thumbnail, what="thumbnail")
    data = _encode(style, thumbnail, description)
    try:
        _decode(data)  # what is written can be read
    except _Unfit as problem:
        raise ValueError(f"style: it cannot be saved, because {problem}") from None
    if path.is_dir():
        raise StyleFileError(f"{str(path)!r} is a folder; give the path of a file to write")
    if not path.parent.is_dir():
        raise StyleFileError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to; create it first")
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")  # same folder, so that replacing is one step
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        there = not overwrite and os.path.lexists(path)
        if not there:
            os.replace(temporary, path)
    except OSError as problem:
        raise StyleFileError(f"{str(path)!r} cannot be written ({problem}); change the path or free space") from problem
    finally:
        temporary.unlink(missing_ok=True)
    if there:
        raise StyleFileError(f"{str(path)!r} exists already; choose another name, or allow overwriting it")
    return path


def load_style(path: str | os.PathLike, *, device: torch.device | str = "cpu") -> StyleTarget:
    """The style of a file that `save_style` wrote, exactly as it was, its Grams float32 on `device`.

    Raises:
        StyleFileError: if there is no such file, or it is anything else than a whole and sound style.
    """
    with torch.inference_mode(False):  # ComfyUI calls nodes in inference mode, whose tensors autograd refuses
        return _read(Path(path), device)[0]


def read_style_info(path: str | os.PathLike) -> StyleInfo:
    """What a style file says about its style; it is checked as `load_style` does, with the same errors."""
    with torch.inference_mode(False):
        return _read(Path(path), "cpu")[1]


def style_path(folder: str | os.PathLike, name: str) -> Path:
    """The path of the style called `name` in a bank's folder: always inside of it, on every system.

    Args:
        folder: the bank.
        name: may contain sub-folders, separated by / or \\; .safetensors is added where it is missing.

    Raises:
        ValueError: for a name that is empty or absolute, contains `..` or what a file name may not contain on some
            system, or is too long. Links inside the folder are followed: only its owner can have put them there.
    """
    parts = name.strip().replace("\\", "/").split("/")
    if not parts[-1].lower().endswith(SUFFIX):
        parts[-1] += SUFFIX if parts[-1] else ""
    for part in parts:
        problem = ""
        if not part or part == SUFFIX:
            problem = "is empty or has an empty part" if name.strip(" /\\") else "is empty"
        elif part[0] in ". " or part[-1] in ". ":
            problem = f"has a part {part!r} that begins or ends with a dot or a space"
        elif re.search(r'[<>:"|?*\x00-\x1f\x7f\ud800-\udfff]', part):
            problem = f"has a part {part!r} with one of < > : \" | ? * or a control character"
        elif part.split(".")[0].rstrip().upper() in _RESERVED:
            problem = f"has a part {part!r} that is the name of a device on Windows"
        elif len(part.encode()) > 255:
            problem = "is longer than file systems allow (255 bytes a part)"
        if problem:
            raise ValueError(
                f"name: expected a name like 'starry night' or 'paintings/starry night', got {name[:300]!r}, which {problem}; "
                "choose another name"
            )
    return Path(folder, *parts)


class _Unfit(Exception):
    """Says what keeps bytes from being a style file."""


def _encode(style: StyleTarget, thumbnail: Tensor | None, description: str) -> bytes:
    tensors = {
        f"level{level}.{name}": gram.detach()[0].to("cpu", torch.float32, copy=True).contiguous()
        for level, grams in enumerate(style.grams)
        for name, gram in grams.items()
    }
    if thumbnail is not None:
        picture = thumbnail[:1].detach().float().cpu()
        factor = min(1, THUMBNAIL_EDGE / max(picture.shape[-2:]))
        picture = resize(picture, tuple(max(1, round(edge * factor)) for edge in picture.shape[-2:]))
        tensors["thumbnail"] = picture[0].movedim(0, -1).clamp(0, 1).mul(255).round().to(torch.uint8).contiguous()
    record = {name: getattr(style, name) for name in ("levels", "size", "normalize", "automatic")}
    record |= {"network": asdict(style.network), "layers": dict(style.layers)}
    metadata = {"format": FORMAT, "style": json.dumps(record), "description": description}
    return safetensors.torch.save(tensors, metadata)


def _read(path: Path, device: torch.device | str) -> tuple[StyleTarget, StyleInfo]:
    name = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would never end
            raise StyleFileError(f"{name!r} is a folder or a device, not a style file; give the path of one file")
        if status.st_size > MAX_BYTES:
            raise StyleFileError(
                f"{name!r} has {status.st_size} bytes, and no style has more than {MAX_BYTES}; choose a file that was "
                "saved as a style"
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
    except FileNotFoundError:
        raise StyleFileError(f"there is no file {name!r}; check the path") from None
    except (OSError, ValueError) as problem:
        if isinstance(problem, StyleFileError):
            raise
        raise StyleFileError(f"{name!r} cannot be read ({problem}); check the path and its permissions") from problem
    try:
        return _decode(data, device)
    except _Unfit as problem:
        raise StyleFileError(f"{name!r} is no sound style file: {problem}; fetch it again or save the style anew") from None
