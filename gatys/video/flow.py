"""Optical flow by methods that others keep: torchvision's RAFT, and DIS of OpenCV."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError, MissingPackage, WeightsError
from ..network.download import Report, Source, fetch
from ..network.found_files import hub_folder
from ..network.state_file import read_state
from ..pictures.checks import size_of
from ..pictures.colors import LUMA
from ..pictures.conversion import AnyPicture, as_picture
from ..settings import FLOWS, check_choice
from .motion import check_flow

FlowFunction = Callable[[Tensor, Tensor], Any]
"""A function of two batches of pictures, (N, 3, H, W) in [0, 1], that gives the flow on the first into the second, (N, 2,
H, W)."""
Folders = str | os.PathLike | Sequence[str | os.PathLike] | None
RAFT_NAMES = ("raft_large", "raft_small")
_RAFT_LEAST, _RAFT_STEP = 128, 8
"""The smallest edge that RAFT takes, and what its edges are multiples of."""
_DIS_LEAST = 64
"""The smallest edge that DIS is given: it needs a few of its patches of 8 pixels on its coarsest level."""
_log = logging.getLogger(__name__)


def optical_flow(
    first: AnyPicture,
    second: AnyPicture,
    method: str | FlowFunction = "auto",
    *,
    folder: Folders = None,
    progress: Report | None = None,
) -> Tensor:
    """Tell where each pixel of the first picture is in the second.

    The flow is defined on `first` and points into `second`: what is at p in `first` is at p + flow(p) in `second`. To see
    the last result of a film as it is in a frame, ask for the flow of the frame into the last one, and `warp` by it.

    Args:
        first: (N, 3, H, W) in [0, 1], or another kind of picture as for `extract_content`.
        second: likewise, of the same size and number.
        method: "raft_large" or "raft_small": RAFT (Teed and Deng, *RAFT: Recurrent all-pairs field transforms for optical flow*,
            2020) as torchvision has it, with its weights, which are downloaded once (21 and 4 MB). "dis": OpenCV's dense
            inverse search (Kroeger, Timofte, Dai and Van Gool, *Fast optical flow using dense inverse search*, 2016), which
            needs no weights. "auto": RAFT whose weights are there, the large one before the small; else DIS where
            OpenCV is installed; else the download of the large RAFT. The log says which. Or a function of both, or a
            module like RAFT itself: see `FlowFunction`.
        folder: where weights are kept; by default a folder `optical_flow` where `load_vgg` keeps filters. Of several folders all are
            looked into, and a download goes into the first.
        progress: called with (bytes done, bytes in all or 0) during a download; an exception from it cancels that.

    Returns:
        (N, 2, H, W), float32 in pixels, x to the right before y downwards, on the device of `first`.

    Raises:
        InputError: for pictures of another shape or kind, of two sizes or numbers, and an unknown method.
        MissingPackage: where the method's package is not installed.
        WeightsError: where weights cannot be downloaded or read.

    Example:
        >>> flow = gatys.optical_flow(frame, last)
        >>> moved = gatys.warp(last_result, flow)
    """
    first, second = as_picture(first, "first"), as_picture(second, "second")
    if first.shape != second.shape:
        raise InputError(
            f"second: expected pictures like the first, {tuple(first.shape)}, got {tuple(second.shape)}; resize them to one "
            "size"
        )
    return flow_by(flow_function(method, folder=folder, progress=progress), first, second)


def flow_by(function: FlowFunction, first: Tensor, second: Tensor) -> Tensor:
    """Call a function for a flow, and check what comes."""
    with torch.no_grad():
        made = function(first.detach().to(torch.float32).clamp(0, 1), second.detach().to(torch.float32).clamp(0, 1))
    flow = check_flow(made, size_of(first))
    if len(flow) != len(first):
        raise InputError(f"flow: expected one for each of {len(first)} pictures, got {len(flow)}")
    return flow.to(first.device)


def flow_function(
    method: str | FlowFunction, *, folder: Folders = None, progress: Report | None = None
) -> FlowFunction:
    """Give the function of a method, with its weights loaded; arguments and errors are those of `optical_flow`."""
    if isinstance(method, nn.Module):
        return Raft(method)
    if callable(method):
        return method
    check_choice("flow", method, FLOWS)
    given = (
        [hub_folder() / "optical_flow"]
        if folder is None
        else [folder]
        if isinstance(folder, (str, os.PathLike))
        else folder
    )
    folders = [Path(os.path.expanduser(place)) for place in given]
    if method == "auto":
        method = _best(folders)
        _log.info("flow auto: %s", method)
    return Dis() if method == "dis" else Raft(_load_raft(method, folders, progress))


def _best(folders: list[Path]) -> str:
    has_raft = _installed("torchvision")
    there = [name for name in RAFT_NAMES if has_raft and _kept_raft(name, folders) is not None]
    if there:
        return there[0]
    if _installed("cv2"):
        return "dis"
    if has_raft:
        return RAFT_NAMES[0]
    raise MissingPackage(
        "flow: expected OpenCV or torchvision, which compute optical flow, but neither is installed; run: pip install "
        "opencv-python-headless"
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


class Dis:
    """OpenCV's dense inverse search, at its preset "medium", on luma of 8 bits.

    It goes down to full size, where the preset stops at half: of `benchmarks/flicker.py`'s zoom and turning disc the flow is
    then wrong by a third to a half as much.
    """

    def __init__(self) -> None:
        try:
            import cv2
        except ImportError as error:
            raise MissingPackage(
                "flow: 'dis' needs OpenCV, which is not installed; run: pip install opencv-python-headless, or choose "
                "'raft_large'"
            ) from error
        library: Any = cv2  # its types do not know all of it
        self._dis = library.DISOpticalFlow_create(library.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Give the flow on `first` into `second`."""
        pairs = zip(_bytes(first), _bytes(second), strict=True)
        flows = [torch.from_numpy(self._dis.calc(one, other, None)).movedim(-1, 0) for one, other in pairs]
        height, width = size_of(first)
        return torch.stack(flows)[..., :height, :width]


def _bytes(pictures: Tensor) -> Any:
    """Give the luma of pictures as arrays (N, H, W) of bytes."""
    luma = (pictures.cpu() * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return _padded(luma, _DIS_LEAST, 1)[:, 0].mul(255).round_().to(torch.uint8).numpy()


class Raft:
    """A module like torchvision's RAFT, which takes pictures in [-1, 1] and gives a list of ever better flows."""

    def __init__(self, module: nn.Module):
        self.module = module.eval()

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Give the flow on `first` into `second`."""
        height, width = size_of(first)
        module = self.module.to(first.device)
        pairs = zip(first.split(1), second.split(1), strict=True)  # memory of one pair
        flows = [module(*(_padded(part, _RAFT_LEAST, _RAFT_STEP) * 2 - 1 for part in pair))[-1] for pair in pairs]
        return torch.cat(flows)[..., :height, :width]


def raft_bytes(size: tuple[int, int]) -> int:
    """Estimate the bytes that RAFT takes for a pair of pictures (height, width), beside its weights.

    Each cell of 8 x 8 pixels is compared with each other, at four sizes that are quarters of each other; what the encoders
    take is less than that of 128 channels at half size.
    """
    height, width = size
    cells = -(-height // _RAFT_STEP) * -(-width // _RAFT_STEP)
    return 4 * (cells * cells * 4 // 3 + 128 * height * width // 4 * 3)


def _padded(pictures: Tensor, least: int, step: int) -> Tensor:
    """Repeat the last column and row until edges have at least `least` pixels and are multiples of `step`."""
    height, width = size_of(pictures)
    down, right = (max(least, -(-edge // step) * step) - edge for edge in (height, width))
    return F.pad(pictures, (0, right, 0, down), mode="replicate")


# the weights of RAFT


def _raft(name: str) -> tuple[Any, Source]:
    """Give torchvision's function that makes a RAFT, and where its weights are; the name ends in the hash."""
    try:
        from torchvision.models import optical_flow as models
    except ImportError as error:
        raise MissingPackage(
            f"flow: {name!r} needs torchvision, which is not installed; run: pip install torchvision, or choose 'dis'"
        ) from error
    weights = (models.Raft_Large_Weights if name == "raft_large" else models.Raft_Small_Weights).DEFAULT
    digits = Path(weights.url).stem.rpartition("-")[2]
    return getattr(models, name), Source(weights.url, digits)


def _kept_raft(name: str, folders: list[Path]) -> Path | None:
    """Give the file of the weights, under torchvision's name or the short one that people put into ComfyUI."""
    source = _raft(name)[1]
    places = (place / kept for place in folders for kept in (source.name, f"{name}.pth"))
    return next((path for path in places if path.is_file()), None)


def _load_raft(name: str, folders: list[Path], progress: Report | None) -> nn.Module:
    make, source = _raft(name)
    path = _kept_raft(name, folders)
    if path is None:
        path = folders[0] / source.name
        advice = "or choose 'dis' as the method of flow, which needs OpenCV and no weights"
        fetch(name, source, path, _keep, progress, advice)
    with torch.inference_mode(False):
        module = make(weights=None, progress=False)
        try:
            module.load_state_dict(read_state(path).state)
        except RuntimeError as error:  # WeightsError is one, too
            said = str(error).splitlines()[0][:200]
            raise WeightsError(
                f"flow: {path} is not the file of torchvision's {name} ({said}); delete it, and it is downloaded again"
            ) from error
    return module


def _keep(original: Path, part: Path, sha256: str) -> None:
    original.rename(part)
