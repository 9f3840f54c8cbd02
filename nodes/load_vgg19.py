"""Load VGG19: a network comes with its filters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from comfy_api.latest import io

from ..gatys import load_vgg
from ..gatys.errors import UntrainedWarning
from ..gatys.network.accepted_files import NAMED
from ..gatys.network.found_files import IMAGENET_FILE, PAPER_FILE, trained_files
from ..gatys.network.preprocessing import PREPROCESSINGS, read_as
from ..gatys.network.vgg import VGG
from ..gatys.settings import OWN, POOLINGS, RESPONSES, Pooling, Preprocessing, Responses
from . import host
from .sockets import Vgg19Socket, schema
from .widgets import advanced


def _with_sizes(name: str, **given: Any) -> io.Combo.Input:
    """Give a menu of files whose sizes the page shows in its tooltip (web/gatys_files.js); its values stay names."""
    widget = io.Combo.Input(name, **given)
    sizes = host.model_sizes()
    if sizes:
        widget.extra_dict = {"sizes": sizes}  # this host has no argument for it
    return widget


def _list(sizes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in sizes.items()) or "no file of filters"


class LoadVGG19(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = [name for name in host.model_files() if name not in (PAPER_FILE, IMAGENET_FILE)]  # by other names here
        return schema(
            node_id="GatysLoadVGG19",
            display_name="Load VGG19",
            search_aliases=["style transfer", "neural style", "gatys", "vgg"],
            description="Loads the network through which Gatys style transfer sees pictures. 'auto' takes trained filters "
            "that are in models/vgg19, or downloads the paper's; 'untrained' gives colours and brush texture only.",
            inputs=[
                _with_sizes(
                    "weights",
                    options=[*NAMED, *files],
                    default=NAMED[0],
                    tooltip="auto: a trained file that is in models/vgg19, else what paper downloads, else untrained. "
                    "paper: the paper's own filters, downloaded once (80 MB) into models/vgg19. "
                    "imagenet: torchvision's, downloaded once (548 MB, kept as 80 MB). untrained: random filters, colours and "
                    "brush texture only. Or a file in models/vgg19: VGG-19 or VGG-16 as .pth, .safetensors or Keras' .h5, or "
                    "a .whl or .zip with one.",
                ),
                io.Combo.Input(
                    "pooling",
                    options=list(POOLINGS),
                    default=POOLINGS[0],
                    tooltip="max: as the network was trained; strokes and details are truer. average: the paper's choice, "
                    "smoother with untrained filters.",
                ),
                advanced(
                    io.Combo.Input(
                        "preprocessing",
                        options=[OWN, *PREPROCESSINGS],
                        default=OWN,
                        optional=True,  # saved prompts lack it
                        tooltip="What the network is given. own: what its filters were trained with, nearly always right. The "
                        "others are for published settings: imagenet is torchvision's, caffe 0 to 255 without the mean, "
                        "caffe-256 the same to 256 (neural-style), imagenet-255 0 to 255 for torchvision's filters.",
                    )
                ),
                advanced(
                    io.Combo.Input(
                        "responses",
                        options=list(RESPONSES),
                        default=RESPONSES[0],
                        optional=True,
                        tooltip="Where a layer is read. relu: after its rectifier, as nearly everybody does. conv: before it, "
                        "as the PyTorch tutorial does.",
                    )
                ),
            ],
            outputs=[
                Vgg19Socket.Output(
                    display_name="vgg19",
                    tooltip="The network. Wire the same one into both extraction nodes and the optimiser.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, weights: str, **_: object) -> str:
        """Load again when the file behind the name has changed, or "auto" would find others."""
        if weights == "auto":
            return "auto " + " ".join(map(host.path_state, trained_files(host.model_folders())))
        return host.file_state(weights)

    @classmethod
    def validate_inputs(cls, weights: str) -> bool:
        """Accept values that are not listed: `execute` loads or refuses them, while newer hosts would refuse them in
        other words.
        """
        return True

    @classmethod
    def execute(
        cls, weights: str, pooling: Pooling, preprocessing: Preprocessing = OWN, responses: Responses = RESPONSES[0]
    ) -> io.NodeOutput:
        with torch.inference_mode(False):
            host.log.info("Load VGG19: in %s there is %s", host.model_folder(), _list(host.model_sizes()))
            net = read_as(cls._load(weights, pooling), preprocessing=preprocessing, responses=responses)
            return io.NodeOutput(host.Network.adopt(net))

    @classmethod
    def _load(cls, weights: str, pooling: Pooling) -> VGG:
        if weights.partition(":")[0] == "untrained":
            return load_vgg(weights, pooling)
        if weights in NAMED:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UntrainedWarning)  # the page is told instead
                report = host.ProgressReport(1).downloaded
                net = load_vgg(weights, pooling, folder=host.model_folders(), progress=report)
            if net.remark is not None:
                host.notify(net.remark)
            return net
        path = host.find_model(weights)
        if path is None:
            raise ValueError(
                f"weights: expected {', '.join(map(repr, NAMED))} or a file in {host.model_folder()}, where there is "
                f"{_list(host.model_sizes())}, got {weights!r}; put the file there, or choose another"
            )
        return load_vgg(path, pooling)
