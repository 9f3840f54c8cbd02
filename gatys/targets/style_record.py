"""The record in a style file: what is checked of it before anything is believed."""

from __future__ import annotations

import json
import re
from typing import Any

import torch

from ..network.layers import TABLES, check_layers, check_members
from ..network.vgg import NetworkTag
from ..pictures.recoloring import Colors
from ..settings import POOLINGS


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
