"""Filters of VGG-19 or VGG-16 from a checkpoint: its layout and preprocessing are found, and one form comes out.

The network that comes out always takes sRGB in [0, 1]; its `mean` and `std` carry the preprocessing.
A *canonical* state is what `VGG.state_dict()` has: `convB_I.weight`, `convB_I.bias`, `mean`, `std`, RGB, float32.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, WeightsError
from ..settings import FileLayout
from .accepted_files import ACCEPTED_FILES
from .known_files import known_file
from .layers import LAYERS, TABLES, title
from .state_file import read_state

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB in [0, 1], as torchvision trains
_CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB in 0-255; the files want BGR
# Indices of the convolutions in an nn.Sequential with the ReLUs and poolings, and in AdaIN's with the paddings as well.
_PLAIN = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
_PLAIN_VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_PADDED = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)
_CAFFE_NAMES = re.compile("d01eb7cb|00b39a1b|caffe", re.IGNORECASE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """The way a checkpoint stores the network: "torchvision", "caffe", "normalised" (AdaIN's), "gatys" (canonical)."""

    name: str
    prefixes: Mapping[str, str]
    """The key of each layer of its network, shallowest first, without .weight or .bias."""
    architecture: str = "vgg19"
    """The architecture, one of `layers.TABLES`."""


@dataclass(frozen=True)
class Filters:
    """A canonical state of a network of that architecture."""

    state: dict[str, Tensor]
    architecture: str = "vgg19"


def detect_layout(state: Mapping[str, Any], name: str, layout: FileLayout = "auto") -> Layout:
    """Give the layout of a state dict, from its keys and shapes and, where these are ambiguous, the file's `name`.

    Raises:
        WeightsError: if it is not VGG's.
        InputError: if `layout` is given for a file with its own preprocessing.
    """
    if "conv1_1.weight" in state:
        kind, every = ("gatys" if {"mean", "std"} <= state.keys() else "caffe"), dict(zip(LAYERS, LAYERS, strict=True))
    elif tuple(getattr(state.get("0.weight"), "shape", ())) == (3, 3, 1, 1):
        kind, every = "normalised", dict(zip(LAYERS, map(str, _PADDED), strict=True))
    else:
        stem = "features." if "features.0.weight" in state else ""
        kind, every = "torchvision", {name: f"{stem}{index}" for name, index in zip(LAYERS, _PLAIN, strict=True)}
    prefixes, architecture, deeper = every, "vgg19", LAYERS.keys() - TABLES["vgg16"].keys()
    if kind != "normalised" and not any(f"{every[layer]}.weight" in state for layer in deeper):
        prefixes, architecture = {name: every[name] for name in TABLES["vgg16"]}, "vgg16"
        if kind == "torchvision":
            prefixes = {name: f"{stem}{index}" for name, index in zip(prefixes, _PLAIN_VGG16, strict=True)}
    if absent := _lacks(state, prefixes):
        problem = _what_is_wrong(state, absent, prefixes, title(architecture))
        raise WeightsError(f"{name}: {problem}; expected {ACCEPTED_FILES}")
    if layout != "auto":
        if kind in ("gatys", "normalised"):
            raise InputError(f"layout: expected 'auto' for {name}, which has its own preprocessing, got {layout!r}")
        kind = layout
    elif kind == "torchvision" and ("classifier.1.weight" in state or _CAFFE_NAMES.search(name)):
        kind = "caffe"  # jcjohnson's conversions use torchvision's keys, but number the classifier differently
    return Layout(kind, prefixes, architecture)


def _lacks(state: Mapping[str, Any], prefixes: Mapping[str, str]) -> list[str]:
    return [name for name, prefix in prefixes.items() if not {f"{prefix}.weight", f"{prefix}.bias"} <= state.keys()]


def _what_is_wrong(state: Mapping[str, Any], absent: list[str], prefixes: Mapping[str, str], network: str) -> str:
    if any(key.endswith("running_mean") for key in state):
        return "a VGG with batch normalisation, which is another network"
    if len(absent) == len(prefixes):
        some = ", ".join(f"{key[:80]!r} {tuple(getattr(value, 'shape', ()))}" for key, value in list(state.items())[:3])
        return f"no VGG-19 or VGG-16 among its {len(state)} keys ({some or 'none'})"
    first = absent[0]
    return f"{len(absent)} of {network}'s convolutions are missing, first {first} ({prefixes[first]}.weight)"


def read_filters(path: Path, layout: FileLayout = "auto") -> Filters:
    """Read the filters of a checkpoint file, and check every tensor.

    Args:
        path: see `ACCEPTED_FILES`.
        layout: one of `LAYOUTS`; "auto" asks the keys, then the file's SHA-256, then its name.

    Raises:
        WeightsError, InputError: as `read_state` and `detect_layout` do.
    """
    stored = read_state(path)
    state, name = stored.state, stored.name
    found = detect_layout(state, name, layout)
    if layout == "auto" and found.name != "gatys" and (known := known_file(stored.sha256())):
        _log.info("%s is %s", path.name, known.title)
        found = replace(found, name=known.preprocessing or found.name)
    _log.info("%s: layout %s%s", name, found.name, "" if layout == "auto" else " (as asked)")
    result = {"mean": torch.tensor(IMAGENET_MEAN), "std": torch.tensor(IMAGENET_STD)}
    for layer in TABLES[found.architecture].values():
        shape, prefix = (layer.channels, layer.in_channels, 3, 3), found.prefixes[layer.name]
        result[f"{layer.name}.weight"] = _checked(state, f"{prefix}.weight", shape, name)
        result[f"{layer.name}.bias"] = _checked(state, f"{prefix}.bias", shape[:1], name)
    return Filters(_preprocessed(result, found, state, name), found.architecture)


def _preprocessed(result: dict[str, Tensor], found: Layout, state: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """Give the filters and their preprocessing as a canonical state, for a picture in RGB."""
    if found.name == "gatys":
        return result | {key: _checked(state, key, (3,), name) for key in ("mean", "std")}
    if found.name == "caffe":
        flipped = result["conv1_1.weight"].flip(1)  # from BGR to RGB
        mean, std = torch.tensor(_CAFFE_MEAN) / 255, torch.full((3,), 1 / 255)
        return result | {"conv1_1.weight": flipped, "mean": mean, "std": std}
    if found.name == "normalised":
        # W (A x + b) = (W A)(x + A^-1 b), also at the border, where the zero padding follows the 1x1 convolution.
        mixing = _checked(state, "0.weight", (3, 3, 1, 1), name)[:, :, 0, 0].double()
        offset = _checked(state, "0.bias", (3,), name).double()
        if torch.linalg.matrix_rank(mixing) < 3:
            raise WeightsError(f"{name}: expected an invertible 1x1 convolution 0.weight; fetch the file again")
        folded = torch.einsum("oikl,ij->ojkl", result["conv1_1.weight"].double(), mixing).float()
        mean = -torch.linalg.solve(mixing, offset).float()
        return result | {"conv1_1.weight": folded, "mean": mean, "std": torch.ones(3)}
    return result


def _checked(state: Mapping[str, Any], key: str, shape: tuple[int, ...], name: str) -> Tensor:
    value = state.get(key)
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or not value.is_floating_point():
        found = f"{tuple(value.shape)}, {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise WeightsError(f"{name}: expected floating point {key} of shape {shape}, got {found}; use {ACCEPTED_FILES}")
    value = value.float().contiguous()
    if not value.isfinite().all():
        raise WeightsError(f"{name}: {key} has NaN or infinite values; fetch the file again")
    return value
