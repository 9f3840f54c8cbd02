"""Where VGG-19's filters come from, and which layout and preprocessing a checkpoint has.

Whatever the file, the network that comes out takes sRGB in [0, 1]; its `mean` and `std` carry the preprocessing.
A *canonical* state is what `VGG19.state_dict()` has: `convB_I.weight`, `convB_I.bias`, `mean`, `std`, RGB, float32.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .choices import LAYOUTS
from .state_file import ACCEPTED_FILES, MAX_BYTES, WeightsError, read_state
from .vgg import LAYERS, VGG19, NetworkTag

__all__ = ["ACCEPTED_FILES", "IMAGENET_FILE", "LAYOUTS", "Layout", "Source", "WeightsError"]
__all__ += ["detect_layout", "fingerprint", "imagenet_source", "load_vgg19", "untrained_state"]

IMAGENET_FILE = "vgg19-imagenet1k-v1-conv.safetensors"
"""The sixteen convolutions of torchvision's checkpoint, as `load_vgg19("imagenet")` keeps them (80 MB)."""
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB in [0, 1], as torchvision trains
_CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB in 0-255; the files want BGR
# Indices of the convolutions in an nn.Sequential with the ReLUs and poolings, and in AdaIN's with the paddings as well.
_PLAIN = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
_PADDED = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)
_SCRATCH = ".vgg19-"  # how the names of folders begin that a download works in
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A checkpoint on the network in torchvision's layout, and the first hexadecimal digits of its SHA-256."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Layout:
    """How a checkpoint stores the network: "torchvision", "caffe", "normalised" (AdaIN's), "gatys" (canonical)."""

    name: str
    prefixes: tuple[str, ...]  # the keys without .weight or .bias, in the order of LAYERS


def imagenet_source() -> Source:
    """torchvision's `VGG19_Weights.IMAGENET1K_V1` (548 MB); its file name ends in the hash's first digits."""
    return Source("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d")


def load_vgg19(
    weights: str | os.PathLike = "untrained",
    pooling: str = "average",
    *,
    layout: str = "auto",
    folder: str | os.PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VGG19:
    """VGG-19's convolutions with frozen filters: float32, on the CPU, in evaluation mode, tagged with its fingerprint.

    Args:
        weights: "imagenet": trained, kept in `folder`; only if it is not there, 548 MB are downloaded and 80 MB kept.
            "untrained" or "untrained:SEED": random, see `untrained_state`. Or a path, see `ACCEPTED_FILES`.
        pooling: "average" or "max".
        layout: for a path, the preprocessing that its filters were trained with: "torchvision" (RGB, ImageNet mean and
            deviation), "caffe" (BGR, 0-255, mean subtracted) or "auto". A Caffe network re-saved under torchvision's
            keys and another name cannot be told from torchvision's: say "caffe".
        folder: `gatys` inside `torch.hub.get_dir()` by default; created when needed.
        progress: called with (bytes done, bytes in all or 0) during a download; what it raises cancels that.

    Raises:
        ValueError, TypeError: for an argument that is none of the above.
        WeightsError: if a file is missing, unreadable or not VGG-19, or the download fails.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"weights: expected 'imagenet', 'untrained', 'untrained:SEED' or a path, got {weights!r}")
    seed = _untrained_seed(weights)
    if layout != "auto" and (weights == "imagenet" or seed is not None):
        raise ValueError(f"layout: {layout!r} is for checkpoint files, but weights is {weights!r}; leave it at 'auto'")
    # ComfyUI calls nodes in inference mode, whose tensors could never take part in a backward pass.
    with torch.inference_mode(False):
        net = VGG19(pooling).to("cpu", torch.float32)
        if seed is not None:
            name, state = f"untrained:{seed}", untrained_state(seed)
        elif weights == "imagenet":
            place = Path(torch.hub.get_dir()) / "gatys" if folder is None else Path(os.path.expanduser(folder))
            name, state = "imagenet", _imagenet_state(place, progress)
        else:
            name, state = Path(weights).name, _file_state(Path(os.path.expanduser(weights)), layout)
        net.load_state_dict(state)
        net.tag = NetworkTag(name, pooling, fingerprint(net))
    return net


def fingerprint(net: VGG19) -> str:
    """First 16 hexadecimal digits of the SHA-256 of filters, biases, mean and std as little-endian float32."""
    digest, state = hashlib.sha256(), net.state_dict()
    for key in [f"{name}.{part}" for name in LAYERS for part in ("weight", "bias")] + ["mean", "std"]:
        digest.update(state[key].float().cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()[:16]


def _untrained_seed(weights: str | os.PathLike) -> int | None:
    if not isinstance(weights, str) or weights.partition(":")[0] != "untrained":
        return None
    text = weights.removeprefix("untrained:") if ":" in weights else "0"
    if not (text.isascii() and text.isdigit() and int(text) < 2**64):
        raise ValueError(f"weights: expected a whole number from 0 to 2^64 - 1 after 'untrained:', got {text!r}")
    return int(text)


def untrained_state(seed: int) -> dict[str, Tensor]:
    """Canonical state of a network that has been trained on nothing: random filters, the same for the same seed.

    Gaussian filters of variance 2 / fan-in, which keep the responses' size through the ReLUs, and zero biases. That the
    responses of such a network still describe a picture was shown by He, Wang and Hopcroft, "A Powerful Generative
    Model Using Random Weights for the Deep Image Representation", NeurIPS 2016. The global generators are not touched.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    state = {"mean": torch.tensor(_IMAGENET_MEAN), "std": torch.tensor(_IMAGENET_STD)}
    for layer in LAYERS.values():
        shape, deviation = (layer.channels, layer.in_channels, 3, 3), (2 / (9 * layer.in_channels)) ** 0.5
        noise = torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
        state[f"{layer.name}.weight"] = noise.mul_(deviation)
        state[f"{layer.name}.bias"] = torch.zeros(layer.channels)
    return state


def detect_layout(state: Mapping[str, Any], name: str, layout: str = "auto") -> Layout:
    """The layout of a state dict, from its keys and shapes and, where these are ambiguous, the file's `name`.

    Raises WeightsError if it is not VGG-19's, ValueError if `layout` is given for a file with its own preprocessing.
    """
    if "conv1_1.weight" in state:
        kind, prefixes = ("gatys" if {"mean", "std"} <= state.keys() else "caffe"), tuple(LAYERS)
    elif tuple(getattr(state.get("0.weight"), "shape", ())) == (3, 3, 1, 1):
        kind, prefixes = "normalised", tuple(map(str, _PADDED))
    else:
        stem = "features." if "features.0.weight" in state else ""
        kind, prefixes = "torchvision", tuple(f"{stem}{index}" for index in _PLAIN)
    widths = Counter(value.shape[0] for value in state.values() if isinstance(value, Tensor) and value.ndim == 4)
    absent = [(n, p) for n, p in zip(LAYERS, prefixes, strict=True) if not {f"{p}.weight", f"{p}.bias"} <= state.keys()]
    problem = ""
    if widths == {64: 2, 128: 2, 256: 3, 512: 6}:
        problem = "this is VGG-16, which has 13 convolutions"
    elif len(absent) == len(LAYERS):
        some = ", ".join(f"{key[:80]!r} {tuple(getattr(value, 'shape', ()))}" for key, value in list(state.items())[:3])
        problem = f"no VGG-19 among its {len(state)} keys ({some or 'none'})"
    elif absent:
        problem = "{} of VGG-19's convolutions are missing, first {} ({}.weight)".format(len(absent), *absent[0])
    if problem:
        raise WeightsError(f"{name}: {problem}; expected {ACCEPTED_FILES}")
    if layout != "auto":
        if kind in ("gatys", "normalised"):
            raise ValueError(f"layout: expected 'auto' for {name}, which has its own preprocessing, got {layout!r}")
        kind = layout
    elif kind == "torchvision" and ("classifier.1.weight" in state or re.search("d01eb7cb|caffe", name, re.IGNORECASE)):
        kind = "caffe"  # jcjohnson's conversion uses torchvision's keys, but numbers the classifier differently
    return Layout(kind, prefixes)


def _file_state(path: Path, layout: str) -> dict[str, Tensor]:
    """Canonical state of a checkpoint file, every tensor checked."""
    state, name = read_state(path), path.name
    found = detect_layout(state, name, layout)
    _log.info("%s: layout %s%s", name, found.name, "" if layout == "auto" else " (as asked)")
    result = {"mean": torch.tensor(_IMAGENET_MEAN), "std": torch.tensor(_IMAGENET_STD)}
    for layer, prefix in zip(LAYERS.values(), found.prefixes, strict=True):
        shape = (layer.channels, layer.in_channels, 3, 3)
        result[f"{layer.name}.weight"] = _checked(state, f"{prefix}.weight", shape, name)
        result[f"{layer.name}.bias"] = _checked(state, f"{prefix}.bias", shape[:1], name)
    if found.name == "gatys":
        result |= {key: _checked(state, key, (3,), name) for key in ("mean", "std")}
    elif found.name == "caffe":
        flipped = result["conv1_1.weight"].flip(1)  # from BGR to RGB
        result |= {"conv1_1.weight": flipped, "mean": torch.tensor(_CAFFE_MEAN) / 255, "std": torch.full((3,), 1 / 255)}
    elif found.name == "normalised":
        # W (A x + b) = (W A)(x + A^-1 b), also at the border, where the zero padding follows the 1x1 convolution.
        mixing = _checked(state, "0.weight", (3, 3, 1, 1), name)[:, :, 0, 0].double()
        offset = _checked(state, "0.bias", (3,), name).double()
        if torch.linalg.matrix_rank(mixing) < 3:
            raise WeightsError(f"{name}: expected an invertible 1x1 convolution 0.weight; fetch the file again")
        folded = torch.einsum("oikl,ij->ojkl", result["conv1_1.weight"].double(), mixing).float()
        result |= {"conv1_1.weight": folded, "mean": -torch.linalg.solve(mixing, offset).float(), "std": torch.ones(3)}
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


def _imagenet_state(folder: Path, progress: Callable[[int, int], None] | None) -> dict[str, Tensor]:
    kept = folder / IMAGENET_FILE
    if not kept.is_file():
        source = imagenet_source()
        by_hand = folder / source.url.rsplit("/", 1)[-1]
        if by_hand.is_file():
            return _file_state(by_hand, "torchvision")
        with closing(_download(source, kept)) as pieces:
            for done, total in pieces:
                if progress is not None:
                    progress(done, total)  # outside the generator: what it raises is no failed download
    try:
        return _file_state(kept, "auto")
    except WeightsError as error:
        raise WeightsError(f"{error}; or delete {kept}, which is then downloaded again") from error


def _download(source: Source, kept: Path) -> Iterator[tuple[int, int]]:
    """Make `kept`, and nothing else that stays; yields (bytes done, bytes in all or 0) after every piece."""
    folder, digest, done = kept.parent, hashlib.sha256(), 0
    _log.info("downloading %s", source.url)
    request = urllib.request.Request(source.url, headers={"User-Agent": "gatys"})  # noqa: S310 - torchvision's, https
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        # Inside `folder`, so that the last step is a rename; removed whatever happens, cancelling included.
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True) as scratch:
            # The host lists .pth and .safetensors wherever it finds them: not while they are coming.
            coming, original, part = (Path(scratch) / name for name in ("coming", "original.pth", IMAGENET_FILE))
            with urllib.request.urlopen(request, timeout=30) as reply, coming.open("wb") as file:  # noqa: S310
                length = reply.headers.get("Content-Length", "")
                total = int(length) if length.isascii() and length.isdigit() else 0
                while piece := reply.read(1 << 20):
                    file.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    if done > MAX_BYTES:
                        raise OSError(f"more than {MAX_BYTES} bytes came")
                    yield done, total
            if done < total:
                raise OSError(f"the transfer was cut off after {done} of {total} bytes")
            if not (found := digest.hexdigest()).startswith(source.sha256):
                raise OSError(f"the SHA-256 of what came begins with {found[:8]}, expected {source.sha256}")
            coming.rename(original)
            metadata = {"format": "pt", "layout": "gatys", "source": source.url, "source_sha256": found}
            save_file(_file_state(original, "torchvision"), part, metadata)
            if not kept.exists():  # another process may have been faster; Windows replaces no file that is in use
                os.replace(part, kept)
    except (OSError, HTTPException, SafetensorError) as error:
        said = "".join(letter if letter.isprintable() else " " for letter in str(error))  # by a server, perhaps
        raise WeightsError(
            f"could not get the 'imagenet' weights from {source.url} ({said}); download that elsewhere and put it "
            f"into {folder}, give the path of another VGG-19 as weights, or choose 'untrained'"
        ) from error


def _sweep(folder: Path) -> None:
    """Remove what downloads have left that were killed: nothing was written there for a day."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - max(path.stat().st_mtime for path in (scratch, *scratch.iterdir())) > 86400:
                shutil.rmtree(scratch)
