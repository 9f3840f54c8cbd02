"""The host: everything that touches `comfy.*`, such as devices, memory, progress, previews, interruption, folders.

ComfyUI runs every node under `torch.inference_mode()`, where autograd does not work and where tensors are made
that autograd refuses later on. So all work on the network happens inside `working`, on copies of what came in.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import comfy.model_management as mm
import comfy.utils
import folder_paths
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import ui
from PIL import Image
from torch import Tensor, nn

from ..gatys import VGG, Progress
from ..gatys.network.accepted_files import ARCHIVES, CHECKPOINTS
from ..gatys.passes import memory
from ..gatys.settings import Precision

log = logging.getLogger(__name__)
M = TypeVar("M", bound=nn.Module)

VGG19_FOLDER, STYLE_FOLDER, FLOW_FOLDER = "vgg19", "gatys_styles", "optical_flow"
MODEL_SUFFIXES = {
    VGG19_FOLDER: {*CHECKPOINTS, *ARCHIVES},
    STYLE_FOLDER: {".safetensors"},
    FLOW_FOLDER: {*CHECKPOINTS},  # newer hosts have it themselves
}
PREVIEW_INTERVAL = 0.3
"""The least seconds between previews: the server encodes each of them, and its queue has no end."""


# folders


def register_model_folder(key: str = VGG19_FOLDER) -> None:
    """Make `models/<key>` known to the host, beside the folders that `extra_model_paths.yaml` may name."""
    own = os.path.join(folder_paths.models_dir, key)
    folder_paths.add_model_folder_path(key, own, is_default=False)
    paths, known = folder_paths.folder_names_and_paths[key]
    folder_paths.folder_names_and_paths[key] = (paths, MODEL_SUFFIXES[key] | known)  # a new key would list every file
    try:
        os.makedirs(own, exist_ok=True)  # so that people see where files go
    except OSError as error:
        log.warning("Gatys Style Transfer: cannot make the folder %s (%s)", own, error)


def model_files(key: str = VGG19_FOLDER) -> list[str]:
    return folder_paths.get_filename_list(key)


def model_folders(key: str = VGG19_FOLDER) -> list[Path]:
    """List the folders where the host looks for files, in its order."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(key)]


def model_folder(key: str = VGG19_FOLDER) -> Path:
    """Give the folder for new files, which the host looks into first."""
    return model_folders(key)[0]


def find_model(name: str, key: str = VGG19_FOLDER) -> Path | None:
    """Give the path of the file of that name in any of the model folders; None without one."""
    path = folder_paths.get_full_path(key, name)
    return None if path is None else Path(path)


def model_sizes(key: str = VGG19_FOLDER) -> dict[str, str]:
    """Give the size of each file in the model folders by its name, such as "58.9 MB"."""
    found = {name: find_model(name, key) for name in model_files(key)}
    return {name: f"{path.stat().st_size / 1e6:.1f} MB" for name, path in found.items() if path is not None}


def file_state(name: str, key: str = VGG19_FOLDER) -> str:
    """Give a text that changes when the file behind a name does, for `fingerprint_inputs`; the name itself without a
    file.
    """
    path = find_model(name, key)
    return name if path is None else path_state(path)


def path_state(path: Path) -> str:
    """Give a text that changes when a file does."""
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def checkpoint_folder() -> Path:
    """Give the folder where runs keep their state: in the output folder, since the host empties its temporary one."""
    folder = Path(folder_paths.get_output_directory(), "gatys", "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def checkpoint_options(every: float) -> dict[str, Any]:
    """Turn the widget of checkpoints, in seconds, into arguments of `gatys.optimize`."""
    return {"checkpoint": checkpoint_folder() if every else None, "checkpoint_every": every}


# the network on the host's devices


@dataclass(eq=False)
class Network:
    """The value of the GATYS_VGG19 socket. The host holds the patcher only weakly, so this must own it; newer hosts look
    for it by this name.
    """

    net: VGG
    patcher: ModelPatcher

    @classmethod
    def adopt(cls, net: VGG) -> Network:
        return cls(net, patcher_of(net))


def patcher_of(module: nn.Module) -> ModelPatcher:
    """Give a module to the host to move to its devices and back."""
    return ModelPatcher(module, load_device=mm.get_torch_device(), offload_device=mm.unet_offload_device())


def _own_tensors(module: nn.Module) -> Iterator[tuple[dict, str, Tensor]]:
    for child in module.modules():
        for table in (child._parameters, child._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    yield table, name, tensor


def _normal(tensor: Tensor, device: torch.device) -> Tensor:
    """Give a weight on `device` that is not an inference tensor."""
    if tensor.device == device and not tensor.is_inference():
        return tensor
    whole = tensor.detach().to(device, copy=True)
    return nn.Parameter(whole, requires_grad=False) if isinstance(tensor, nn.Parameter) else whole


def _make_whole(net: nn.Module, device: torch.device) -> list[tuple[dict, str, Tensor]]:
    """Bring every weight to `device` as a tensor that autograd accepts; give those that the host had left elsewhere.

    The host moves weights under inference mode, which makes them inference tensors, and under a short budget
    leaves some of a plain module's layers behind while it reports the module as loaded.
    """
    strays = []
    for table, name, tensor in list(_own_tensors(net)):
        away = tensor.device != device
        if away or tensor.is_inference():
            table[name] = _normal(tensor, device)
        if away:
            strays.append((table, name, tensor))
    return strays


def working(network: Network, memory_required: int = 0) -> AbstractContextManager[VGG]:
    """Yield the network, loaded by the host and fit for autograd, with `memory_required` bytes free beside it."""
    return working_on(network.net, network.patcher, memory_required)


@contextmanager
def working_on(module: M, patcher: ModelPatcher, memory_required: int) -> Iterator[M]:
    """Yield the module of a patcher, as `working` does a network."""
    with torch.inference_mode(False), torch.enable_grad():
        device = patcher.load_device
        mm.load_models_gpu([patcher], memory_required=memory_required, force_full_load=True)
        strays = _make_whole(module, device)
        try:
            yield module
        finally:
            for table, name, tensor in strays:  # the host's books say they are not on the device
                table[name] = _normal(tensor, tensor.device)
            mm.soft_empty_cache()


def free_memory(network: Network) -> int:
    """Give the bytes that work on the network may take on its device: free under every limit, less the reserve."""
    device = network.patcher.load_device
    # newer hosts keep weights on a card that give way to whoever asks, which only the patcher counts as free
    told = getattr(network.patcher, "get_free_memory", mm.get_free_memory)(device)
    free = told if device.type == "cuda" else min(told, memory.free_memory(device))
    return max(0, free - (0 if device.type == "cpu" else mm.extra_reserved_memory()))


def precision(chosen: Precision) -> Precision:
    """Give the precision of the convolutions: the chosen one, or for "auto" on a card the one the host finds fast."""
    device = mm.get_torch_device()
    if chosen != "auto" or device.type != "cuda":
        return chosen
    if mm.should_use_bf16(device):
        return "bfloat16"
    return "float16" if mm.should_use_fp16(device) else "float32"


def storage_device() -> torch.device:
    """Give the device where targets and pictures wait between nodes."""
    return mm.intermediate_device()


# what must be read


def notify(text: str) -> None:
    """Say something in the log, and in the page until somebody closes it (web/gatys_notices.js)."""
    log.warning("Gatys Style Transfer: %s", text)
    server = getattr(sys.modules.get("server"), "PromptServer", None)  # not there without the host's own main program
    instance = getattr(server, "instance", None)
    if instance is not None:
        instance.send_sync("gatys.notice", {"text": text}, getattr(instance, "client_id", None))


# pictures and masks


def shown(image: Tensor) -> ui.PreviewImage | None:
    """Show an IMAGE on the node that gives it, until the host empties its temporary folder; None where the disk refuses.

    web/gatys_results.js shows it again after the page was loaded anew.
    """
    try:
        return ui.PreviewImage(image)
    except OSError as problem:
        log.warning("Gatys Style Transfer: the node cannot show its result (%s); it goes on through the graph", problem)
        return None


def split_alpha(image: Tensor) -> tuple[Tensor, Tensor | None]:
    """Give an IMAGE (N, H, W, C) as a (N, 3, H, W) copy in [0, 1], and its alpha (N, H, W, 1) where it has one.

    Raises:
        ValueError: for a channel count other than 1, 3 or 4.
    """
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"image: expected an IMAGE of shape (N, H, W, 3 or 4), got {tuple(image.shape)}")
    colour = image[..., :3].expand(*image.shape[:-1], 3).movedim(-1, 1)
    alpha = image[..., 3:].clone() if image.shape[-1] == 4 else None
    colour = colour.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    # nodes that resize or blend leave [0, 1], and what lies outside is shown and saved by the host as if it were clamped,
    # while `gatys` refuses it; values that are not finite stay, for it to refuse
    return torch.where(colour.isfinite(), colour.clamp(0, 1), colour), alpha


def join_alpha(pictures: Tensor, alpha: Tensor | None) -> Tensor:
    """Give (N, 3, H, W) as an IMAGE (N, H, W, 3), or with the alpha of one or of all pictures (N, H, W, 4)."""
    image = pictures.movedim(1, -1).to(storage_device(), torch.float32).contiguous()
    if alpha is None or alpha.shape[1:3] != image.shape[1:3]:
        return image
    return torch.cat([image, alpha.to(image).expand(image.shape[0], -1, -1, -1)], dim=-1)


def mask_or_none(mask: Tensor | None) -> Tensor | None:
    """Give a copy of a MASK, or None for the 64 x 64 zeros that Load Image gives for a picture without alpha."""
    if mask is None or (tuple(mask.shape[-2:]) == (64, 64) and not mask.any()):
        return None
    return mask.clone()


# progress

_kept: list[str] = []
"""The runs that were cancelled and kept, one entry for each; the host caches what it got for finished."""


def fingerprint_of_kept(keep_on_cancel: bool) -> int:
    """Give a fingerprint for `fingerprint_inputs` that makes anew what was cut short.

    Without it the host would give the part that it has as the whole.
    """
    return len(_kept) if keep_on_cancel else 0


def stop_if_cancelled() -> None:
    """Raise what the host takes for a cancel, if there is one; that answers it."""
    mm.throw_exception_if_processing_interrupted()


class ProgressReport:
    """The progress of a node: bar, live preview and cancellation, as callbacks for `gatys`.

    Args:
        total: what there is to do.
        keep_on_cancel: whether a cancel ends the descent with what there is so far instead of the whole prompt.
    """

    def __init__(self, total: int, *, keep_on_cancel: bool = False):
        self._bar = comfy.utils.ProgressBar(total)
        self._total = total
        self._last_preview = float("-inf")
        self._keep = keep_on_cancel
        self.cancelled = False
        """Whether a cancel has come and is kept."""

    def downloaded(self, done: int, total: int) -> None:
        """Show a download, in bytes, or other work without pictures: a callback of `gatys.load_vgg` and `film_flow`."""
        stop_if_cancelled()
        self._bar.update_absolute(done, max(done, total))

    def step(self, progress: Progress, offset: int = 0, share: int = 0) -> None:
        """Show a step: a callback of `gatys.optimize`; `offset` counts the steps of pictures already finished.

        `share` is the part of the bar that the picture takes, where its steps may become fewer on the way.
        """
        if share:
            progress = replace(progress, step=progress.step * share // progress.steps)
        try:
            self._step(progress, offset)
        except mm.InterruptProcessingException:
            if not self._keep:
                raise
            self.cancelled = True
            raise StopIteration from None

    def keep(self, made: int, count: int, what: str) -> None:
        """Say that a cancel was kept, and see to it that the host does not take the part for the whole."""
        _kept.append(f"{made} of {count}")
        log.warning("Gatys Style Transfer: cancelled; keeping %d of %d %s, the last one unfinished", made, count, what)

    def _step(self, progress: Progress, offset: int) -> None:
        stop_if_cancelled()
        preview = None
        now = time.monotonic()
        if now - self._last_preview >= PREVIEW_INTERVAL or offset + progress.step == self._total:
            self._last_preview = now
            preview = ("JPEG", _thumbnail(progress.image), latent_preview.MAX_PREVIEW_RESOLUTION)
        self._bar.update_absolute(offset + progress.step, self._total, preview)


def _thumbnail(pictures: Tensor) -> Image.Image:
    pixels = pictures[0].mul(255).round_().to(torch.uint8).cpu().numpy()
    return Image.merge("RGB", [Image.fromarray(channel) for channel in pixels])
