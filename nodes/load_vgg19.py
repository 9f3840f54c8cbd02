"""Load VGG19: where the filters come from."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..gatys import load_vgg19
from ..gatys.vgg import POOLINGS
from ..gatys.weights import IMAGENET_FILE
from . import host
from .sockets import Vgg19Socket, schema


class LoadVGG19(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = [name for name in host.model_files() if name != IMAGENET_FILE]
        return schema(
            node_id="GatysLoadVGG19",
            display_name="Load VGG19",
            search_aliases=["style transfer", "neural style", "gatys", "vgg"],
            description="Loads the network through which Gatys style transfer sees pictures. 'untrained' needs no "
            "download and transfers colours and brush texture; 'imagenet' is the network of the paper's method.",
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=["untrained", "imagenet", *files],
                    default="untrained",
                    tooltip="untrained: seeded random filters, no download; it is not the paper's network. "
                    "imagenet: torchvision's trained filters, downloaded once (548 MB, kept as 80 MB) into models/vgg19. "
                    "Or a file in models/vgg19 (torchvision or Caffe layout, .safetensors or .pth).",
                ),
                io.Combo.Input(
                    "pooling",
                    options=list(POOLINGS),
                    default=POOLINGS[0],
                    tooltip="average: smoother gradients and pictures, the paper's choice. max: as the network was trained, "
                    "crisper and grainier.",
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
    def fingerprint_inputs(cls, weights: str, pooling: str) -> str:
        """Load again when the file behind the name has changed."""
        return host.file_state(weights)

    @classmethod
    def execute(cls, weights: str, pooling: str) -> io.NodeOutput:
        with torch.inference_mode(False):
            return io.NodeOutput(host.Network.adopt(cls._load(weights, pooling)))

    @classmethod
    def _load(cls, weights: str, pooling: str):
        if weights.partition(":")[0] == "untrained":
            return load_vgg19(weights, pooling)
        if weights == "imagenet":
            kept = host.find_model(IMAGENET_FILE)
            folder = host.model_folder() if kept is None else kept.parent
            return load_vgg19(weights, pooling, folder=folder, progress=host.ProgressReport(1).downloaded)
        path = host.find_model(weights)
        if path is None:
            raise ValueError(
                f"weights: expected 'untrained', 'imagenet' or a file in {host.model_folder()}, got {weights!r}; "
                "put the file there, or choose another"
            )
        return load_vgg19(path, pooling)
