"""Load VGG19: where the filters come from."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..gatys import load_vgg19
from ..gatys.reading import OWN, PREPROCESSINGS, read_as
from ..gatys.vgg import POOLINGS, RESPONSES
from ..gatys.weights import IMAGENET_FILE
from . import host
from .sockets import Vgg19Socket, schema
from .widgets import advanced


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
                advanced(
                    io.Combo.Input(
                        "preprocessing",
                        options=[OWN, *PREPROCESSINGS],
                        default=OWN,
                        optional=True,  # saved prompts do without
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
    def fingerprint_inputs(cls, weights: str, **_) -> str:
        """Load again when the file behind the name has changed."""
        return host.file_state(weights)

    @classmethod
    def execute(
        cls, weights: str, pooling: str, preprocessing: str = OWN, responses: str = RESPONSES[0]
    ) -> io.NodeOutput:
        with torch.inference_mode(False):
            net = read_as(cls._load(weights, pooling), preprocessing=preprocessing, responses=responses)
            return io.NodeOutput(host.Network.adopt(net))

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
