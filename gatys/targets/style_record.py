"""The record in a style file, and its matrices: what is checked of them before anything is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..network.layers import TABLES, check_layers, check_members
from ..network.vgg import NetworkTag
from ..pictures.recoloring import Colors
from ..settings import POOLINGS
from .across import Across
from .statistics import GRAM, Statistic

_ASYMMETRY = 1e-4  # a share of the largest entry, far above the rounding of a matrix product


class Unfit(Exception):
    """The reason why a file is no style."""


def as_object(text: str, what: str) -> dict[str, Any]:
    """Read a JSON object; `what` names it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unfit(f"{what} cannot be read") from None
    if not isinstance(found, dict):
        raise Unfit(f"{what} is no JSON object")
    return found


def network_of(record: Any) -> NetworkTag:
    """Give the network that a record names."""
    fits = isinstance(record, dict) and record.keys() - {"architecture"} == {"weights", "pooling", "fingerprint"}
    if not (fits and all(isinstance(value, str) for value in record.values())):
        raise Unfit("its network is not named")
    tag = NetworkTag(**record)
    if not tag.architecture in TABLES:
        raise Unfit(f"its network is a {tag.architecture!r} instead of one of {', '.join(TABLES)}"[:200])
    named = len(tag.weights) <= 1000 and not re.search(r"[\x00-\x1f\x7f]", tag.weights) and tag.pooling in POOLINGS
    if not (named and re.fullmatch("[0-9a-f]{16}", tag.fingerprint) is not None):
        raise Unfit("its network has no sound name and fingerprint")
    return tag


def layers_of(record: Any, network: NetworkTag) -> dict[str, float]:
    """Give the coefficients of the layers that a record names."""
    numbers = isinstance(record, dict) and all(type(value) in (int, float) for value in record.values())
    if not numbers:
        raise Unfit("its layers have no weights")
    try:
        layers = check_layers(record, "layers")
        check_members(layers, network.architecture, "layers")
    except (ValueError, OverflowError) as problem:
        raise Unfit(str(problem)[:300]) from None
    if layers.keys() != record.keys():
        raise Unfit("its layers are not named as 'conv1_1', or have a weight of 0")
    return layers


def colors_of(record: Any) -> Colors | None:
    """Give the colours that a record tells, a mean and a covariance; None where it tells none."""
    if record is None:
        return None
    rows = isinstance(record, list) and len(record) == 4
    rows = rows and all(isinstance(row, list) and len(row) == 3 for row in record)
    if not (rows and all(type(value) is float and abs(value) <= 1e3 for row in record for value in row)):
        raise Unfit("its colours are no mean and covariance of three numbers each")
    numbers = torch.tensor(record, dtype=torch.float64)
    if not torch.allclose(numbers[1:], numbers[1:].T, rtol=0, atol=1e-9):
        raise Unfit("the covariance of its colours is not symmetric")
    return Colors(numbers[0], numbers[1:])


class Form(NamedTuple):
    """The form of a layer's matrix."""

    rows: int
    columns: int
    extended: bool
    """Whether it is of features extended by a constant 1."""
    symmetric: bool
    """Whether it is of the layer beside itself."""


def forms_of(statistic: Statistic, network: NetworkTag, layers: Mapping[str, float]) -> dict[str, Form]:
    """Give the form of each layer's matrix.

    Raises:
        Unfit: for a statistic across layers of one layer.
    """
    extended = statistic.name != GRAM.name
    names = [name for name in network.layers if name in layers]
    before = names[:1] + names if isinstance(statistic, Across) else names
    if before is not names and len(names) == 1:
        raise Unfit(f"its statistic is {statistic.name!r}, of one layer instead of two or more")
    return {
        name: Form(
            network.layers[other].channels + extended, network.layers[name].channels + extended, extended, name == other
        )
        for name, other in zip(names, before, strict=False)
    }


def matrix_of(tensors: Mapping[str, Tensor], key: str, form: Form) -> Tensor:
    """Give the matrix of a layer."""
    gram = tensors[key]
    size = form.rows, form.columns
    if not (gram.dtype == torch.float32 and tuple(gram.shape) == size):
        raise Unfit(f"{key} is {gram.dtype} {tuple(gram.shape)} instead of torch.float32 {size}")
    if not bool(torch.isfinite(gram).all()):
        raise Unfit(f"{key} has NaN or infinite values")
    if form.symmetric and not bool((gram - gram.T).abs().max() <= _ASYMMETRY * gram.abs().max()):
        raise Unfit(f"{key} is not symmetric")
    if form.extended and not abs(float(gram[-1, -1]) - 1) <= _ASYMMETRY:
        raise Unfit(f"{key} has {float(gram[-1, -1]):.6g} in its last corner instead of 1")
    return gram
