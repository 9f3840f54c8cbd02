"""Style files: each holds one style, is small, and is safe to open, whoever made it.

A style file is a .safetensors with a float32 Gram matrix (C, C), or another statistic's, for each level and layer, named `level0.conv1_1`, perhaps
a `thumbnail` (H, W, 3) of bytes, and metadata: `format`, `style` (JSON: network, layers, levels, size, normalize,
automatic, grey if it is, and but in files of version 0.1 the mean and covariance of the colours) and `description`. The
network's architecture is said unless it is VGG-19, as in all older files. Nothing in a file is run, and one that has anything else, or that does not fit together, is refused as a whole.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypedDict

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import InputError, StyleFileError
from ..network.vgg import NetworkTag
from ..pictures.conversion import AnyPicture, as_picture
from ..pictures.recoloring import Colors
from ..pictures.replacing import replacing
from ..pictures.resampling import scale_picture
from ..settings import STATISTICS
from .levels import resolve_levels
from .named_statistics import find_statistic
from .statistics import GRAM, Statistic
from .style_record import Unfit, as_object, colors_of, forms_of, layers_of, matrix_of, network_of

FORMAT = "gatys style 1"
THUMBNAIL_EDGE = 256
MAX_BYTES = 256 << 20
"""The largest file that is read; sixteen layers at twelve levels take 116 MB."""
MAX_HEADER = 1 << 20
MAX_DESCRIPTION = 10_000
MAX_EDGE = 1 << 17
"""The largest edge in pixels that a file may claim; a texture without content gets this size."""
_FIELDS = {"network", "layers", "levels", "size", "normalize", "automatic"}


class Style(Protocol):
    """The fields of a style that a file holds; a `StyleTarget` has them."""

    @property
    def network(self) -> NetworkTag: ...
    @property
    def layers(self) -> Mapping[str, float]: ...
    @property
    def values(self) -> tuple[Mapping[str, Tensor], ...]: ...
    @property
    def statistic(self) -> Statistic: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def normalize(self) -> bool: ...
    @property
    def automatic(self) -> bool: ...
    @property
    def grey(self) -> bool: ...
    @property
    def colors(self) -> Colors | None: ...


class StyleFields(TypedDict):
    """The fields of a `StyleTarget` that a file holds."""

    network: NetworkTag
    layers: Mapping[str, float]
    values: tuple[Mapping[str, Tensor], ...]
    size: tuple[int, int]
    normalize: bool
    automatic: bool
    grey: bool
    colors: Colors | None
    statistic: Statistic


@dataclass(frozen=True, eq=False)
class StyleInfo:
    """What a style file says about its style; `read_style_info` gives it.

    Example:
        >>> info = gatys.read_style_info("styles/wave.safetensors")
        >>> list(info.layers), info.levels
        (['conv1_1', 'conv2_1', 'conv3_1', 'conv4_1', 'conv5_1'], 1)
    """

    network: NetworkTag
    layers: Mapping[str, float]
    levels: int
    size: tuple[int, int]
    """(height, width) of the style picture at level 0."""
    description: str
    thumbnail: Tensor | None
    """(1, 3, H, W), sRGB in [0, 1], the longer edge at most 256 pixels."""

    def __repr__(self) -> str:
        height, width = self.size
        names = ", ".join(self.layers)
        return (
            f"StyleInfo({width} x {height}, {names}, {self.levels} levels, {self.network}, {self.description[:60]!r})"
        )


def save_style(
    style: Style,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    thumbnail: AnyPicture | None = None,
    description: str = "",
) -> Path:
    """Write a style as one file, which appears whole or not at all, and give its path.

    Args:
        style: its values are kept as float32.
        path: in a folder that exists; best ending in .safetensors.
        overwrite: whether a file that is there may be replaced.
        thumbnail: (N, 3, H, W), sRGB in [0, 1], or another kind of picture as for `extract_content`; the first picture is kept, with a longer edge of at most 256 pixels.
        description: free text, at most 10,000 characters.

    Raises:
        StyleFileError: if the file is there already, or cannot be written.
        InputError, InputTypeError: for a style, thumbnail or description that a style file cannot hold.
    """
    path = Path(path)
    if thumbnail is not None:
        thumbnail = as_picture(thumbnail, "thumbnail")
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION:
        got = f"{len(description)} characters" if isinstance(description, str) else type(description).__name__
        raise InputError(f"description: expected a text of at most {MAX_DESCRIPTION} characters, got {got}; shorten it")
    if style.statistic.name not in STATISTICS or style.statistic is not find_statistic(style.statistic.name):
        raise InputError(
            f"style: a style file holds one of the statistics {', '.join(STATISTICS)}, got another, {style.statistic!r}; extract with "
            "one of these"
        )
    data = _encode(style, thumbnail, description)
    if path.is_dir() or not path.parent.is_dir():
        raise StyleFileError(f"{str(path)!r} is a folder or in a folder that is not there; give the path of a file")
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
            _decode(temporary)  # what is written can be read again
            if not overwrite and os.path.lexists(path):
                raise FileExistsError
    except Unfit as problem:
        raise InputError(f"style: it cannot be saved, because {problem}; extract it again") from None
    except FileExistsError:
        taken = "exists already; choose another name, or allow overwriting it"
        raise StyleFileError(f"{str(path)!r} {taken}") from None
    except OSError as problem:
        raise StyleFileError(f"{str(path)!r} cannot be written ({problem}); change the path or free space") from problem
    return path


def read_style(path: str | os.PathLike, *, device: torch.device | str = "cpu") -> StyleFields:
    """Read the fields of a `StyleTarget` from a file that `save_style` wrote, its Grams float32 on `device`.

    Raises:
        StyleFileError: if there is no such file, or it is anything else than a whole and sound style.
    """
    return _read(Path(path), device)[0]


def read_style_info(path: str | os.PathLike) -> StyleInfo:
    """Read what a style file says about its style.

    Args:
        path: a file that `StyleTarget.save` wrote; all of it is checked, as `StyleTarget.load` does.

    Returns:
        The style's network, layers, levels and size; its thumbnail, (1, 3, H, W) in [0, 1], or None; its description.

    Raises:
        StyleFileError: if there is no such file, or it is anything else than a whole and sound style.

    Example:
        >>> info = gatys.read_style_info("styles/wave.safetensors")
        >>> print(info.description)
        The Great Wave
    """
    return _read(Path(path))[1]


def _encode(style: Style, thumbnail: Tensor | None, description: str) -> bytes:
    tensors = {
        f"level{level}.{name}": gram.detach()[0].to("cpu", torch.float32, copy=True).contiguous()
        for level, grams in enumerate(style.values)
        for name, gram in grams.items()
    }
    if thumbnail is not None:
        picture = thumbnail[:1].detach().float().cpu()
        picture = scale_picture(picture, min(1, THUMBNAIL_EDGE / max(picture.shape[-2:])))
        tensors["thumbnail"] = picture[0].movedim(0, -1).clamp(0, 1).mul(255).round().to(torch.uint8).contiguous()
    record = {"levels": len(style.values)} | {name: getattr(style, name) for name in ("size", "normalize", "automatic")}
    network = asdict(style.network)
    if network["architecture"] == "vgg19":  # older files go without it, and so older programs read this one, too
        del network["architecture"]
    record |= {"network": network, "layers": dict(style.layers)} | ({"grey": True} if style.grey else {})
    if style.statistic.name != GRAM.name:
        record["statistic"] = style.statistic.name
    if style.colors is not None:
        record["colors"] = [style.colors.mean.tolist(), *style.colors.covariance.tolist()]
    return safetensors.torch.save(tensors, {"format": FORMAT, "style": json.dumps(record), "description": description})


def _read(path: Path, device: torch.device | str = "cpu") -> tuple[StyleFields, StyleInfo]:
    name = str(path)
    try:
        if not os.path.exists(path):  # unlike Path.exists, for names that no file can have, too
            raise FileNotFoundError
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would never end
            raise Unfit("it is a folder or a device")
        if status.st_size > MAX_BYTES:
            raise Unfit(f"it has {status.st_size} bytes, more than any style ({MAX_BYTES})")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise Unfit("it is cut off, or no .safetensors at all")
        with torch.inference_mode(False):  # ComfyUI calls nodes in inference mode, whose tensors autograd refuses
            return _decode(path, device)
    except Unfit as problem:
        hint = "choose a file that was saved as a style, or fetch it again"
        raise StyleFileError(f"{name!r} is no sound style file: {problem}; {hint}") from None
    except FileNotFoundError:
        raise StyleFileError(f"there is no file {name!r}; check the path") from None
    except OSError as problem:
        raise StyleFileError(f"{name!r} cannot be read ({problem}); check the path and its permissions") from problem


def _decode(path: Path, device: torch.device | str = "cpu") -> tuple[StyleFields, StyleInfo]:
    metadata, tensors = _open(path)
    record = as_object(metadata["style"], "its style record")
    if record.keys() - {"grey", "colors", "statistic"} != _FIELDS:
        raise Unfit(f"its style record has {sorted(record)[:9]} instead of {sorted(_FIELDS)}")
    network = network_of(record["network"])
    layers, levels, size = layers_of(record["layers"], network), record["levels"], record["size"]
    used = [network.layers[name] for name in layers]
    sound = isinstance(size, list) and len(size) == 2 and all(type(n) is int and 1 <= n <= MAX_EDGE for n in size)
    if not sound:
        raise Unfit(f"its size is {size!r}, no height and width in pixels"[:200])
    if not (type(levels) is int and 1 <= levels <= 64):  # a bool is no number
        raise Unfit(f"its number of levels is {levels!r}"[:200])
    flags = (record["normalize"], record["automatic"], record.get("grey", False))
    if not all(isinstance(flag, bool) for flag in flags):
        raise Unfit("its flags are neither true nor false")
    whole = (size[0], size[1])
    try:
        resolve_levels(levels, whole, used, "style")
    except ValueError as problem:
        raise Unfit(str(problem)) from None
    wanted = {f"level{level}.{name}" for level in range(levels) for name in layers}
    strange = sorted(wanted ^ (tensors.keys() - {"thumbnail"}))
    if strange:
        raise Unfit(f"{len(strange)} tensors are missing or do not belong there, first {strange[:1]}"[:300])
    statistic = record.get("statistic", GRAM.name)
    if statistic not in STATISTICS:
        raise Unfit(f"its statistic is {statistic!r} instead of one of {', '.join(STATISTICS)}"[:200])
    known = find_statistic(statistic)
    forms = forms_of(known, network, layers)
    grams = tuple(
        {name: matrix_of(tensors, f"level{level}.{name}", forms[name]).to(device)[None] for name in layers}
        for level in range(levels)
    )
    fields = StyleFields(
        network=network,
        layers=layers,
        values=grams,
        size=whole,
        normalize=flags[0],
        automatic=flags[1],
        grey=flags[2],
        colors=colors_of(record.get("colors")),
        statistic=known,
    )
    return fields, StyleInfo(network, layers, levels, whole, metadata["description"], _thumbnail(tensors))


def _open(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Give the metadata, exactly the three texts of this format, and copies of the tensors."""
    try:
        # as numpy arrays: PyTorch cannot open a file of every name, and what it opens stays mapped
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            form = metadata.get("format")
            if form != FORMAT:
                raise Unfit(f"its format is {form!r} instead of {FORMAT!r}"[:200])
            tensors = {name: torch.from_numpy(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (Unfit, OSError):
        raise
    except Exception as problem:  # SafetensorError and whatever an unknown type of numbers leads to
        said = repr(str(problem)[:200])  # it may quote the file
        raise Unfit(f"it is cut off, damaged, or no .safetensors at all ({said})") from problem
    if metadata.keys() != {"format", "style", "description"}:
        raise Unfit(f"its metadata has {sorted(metadata)[:9]}"[:200])
    if len(metadata["description"]) > MAX_DESCRIPTION:
        raise Unfit(f"its description is longer than {MAX_DESCRIPTION} characters")
    return metadata, tensors


def _thumbnail(tensors: Mapping[str, Tensor]) -> Tensor | None:
    picture = tensors.get("thumbnail")
    if picture is None:
        return None
    fits = picture.dtype == torch.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    fits = fits and all(1 <= edge <= THUMBNAIL_EDGE for edge in picture.shape[:2])
    if not fits:
        raise Unfit(f"its thumbnail is {picture.dtype} {tuple(picture.shape)}")
    return picture.movedim(-1, 0)[None].float().div(255).contiguous()
