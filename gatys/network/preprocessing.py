"""The reading of a network: its pooling, its preprocessing, and the side of the rectifier where layers are read.

Filters alone do not make a loss. The same ones were published with different preprocessing, which scales every
response, and some implementations read a layer before its rectifier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from types import MappingProxyType

import torch

from ..errors import InputError
from ..settings import OWN, POOLINGS, RESPONSES, Pooling, Preprocessing, Responses
from .vgg import VGG
from .weights import fingerprint

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""The mean pixel of the network's training pictures in RGB, 0 to 255, as in jcjohnson/neural-style,
neural_style.lua:420."""


def _scaled(mean: tuple[float, ...], scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(value / scale for value in mean), (1 / scale,) * 3


PREPROCESSINGS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = MappingProxyType(
    {
        "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # torchvision trained with these
        "caffe": _scaled(CAFFE_MEAN, 255),
        "caffe-256": _scaled(CAFFE_MEAN, 256),  # neural_style.lua:422 multiplies [0, 1] by 256
        "imagenet-255": _scaled((123.675, 116.28, 103.53), 255),  # gordicaleksa utils/utils.py:12, :47
    }
)
"""The mean and deviation of RGB in [0, 1]: the network is given (picture - mean) / deviation."""


def read_as(
    net: VGG,
    *,
    pooling: Pooling | None = None,
    preprocessing: Preprocessing = OWN,
    responses: Responses | None = None,
) -> VGG:
    """Give a network with the same filters that is read another way; it shares their memory.

    Args:
        net: the network, which stays as it is.
        pooling: one of `settings.POOLINGS`; None leaves it.
        preprocessing: one of `settings.PREPROCESSINGS`, or "own" for that of `net`.
        responses: one of `settings.RESPONSES`; None leaves it.

    Returns:
        A network whose tag differs from that of `net` where it is read another way.

    Raises:
        InputError: for other words, and for another preprocessing of filters that contain theirs.

    Example:
        >>> net = gatys.read_as(gatys.load_vgg(), pooling="average", preprocessing="caffe")
    """
    for what, value, known in (
        ("pooling", pooling or net.pooling, POOLINGS),
        ("preprocessing", preprocessing, (OWN, *PREPROCESSINGS)),
        ("responses", responses or net.responses, RESPONSES),
    ):
        if value not in known:
            raise InputError(f"{what}: expected one of {', '.join(known)}, got {value!r}")
    other = copy(net)
    other._buffers = dict(net._buffers)  # a copied module shares the dictionary, too
    if preprocessing != OWN:
        if bool((net.std == 1).all()):
            raise InputError(
                f"preprocessing: the filters of {net.tag.weights} contain their own, so that {preprocessing!r} would be "
                f"applied twice; give {OWN!r}"
            )
        for name, values in zip(("mean", "std"), PREPROCESSINGS[preprocessing], strict=True):
            other._buffers[name] = net.mean.new_tensor(values)
    other.pooling, other.responses = pooling or net.pooling, responses or net.responses
    other.tag = replace(net.tag, pooling=other.pooling, fingerprint=_fingerprint(net, other))
    return other


def _fingerprint(net: VGG, other: VGG) -> str:
    pairs = ((net.mean, other.mean), (net.std, other.std))
    same = all(torch.allclose(own, others, rtol=1e-6, atol=0) for own, others in pairs)
    if same and other.responses == net.responses:
        return net.tag.fingerprint  # hashing the filters takes a moment
    found = fingerprint(other)
    if other.responses != RESPONSES[0]:
        found = hashlib.sha256(f"{found} {other.responses}".encode()).hexdigest()[: len(found)]
    return found
