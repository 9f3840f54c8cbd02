"""Optical Flow: how the scene moves from each frame of a film to the next."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor
from torchvision.utils import flow_to_image

from ..gatys.pictures.checks import size_of
from ..gatys.settings import FLOWS
from ..gatys.video.distances import NEXT
from ..gatys.video.film_flow import FilmFlow, film_flow
from ..gatys.video.flow import Raft, flow_function, raft_bytes
from ..gatys.video.motion import occlusion_mask
from . import host
from .sockets import FlowSocket, OpticalFlowModelSocket, schema

LONG_TERM = (1, 2, 4)
"""The distances of frames that the paper looks at."""


class OpticalFlow(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysOpticalFlow",
            display_name="Optical Flow",
            search_aliases=[
                "motion",
                "raft",
                "dis flow",
                "motion vectors",
                "occlusion",
                "temporal consistency",
                "video",
            ],
            description="Tells how the scene moves from each frame of a film to the next, and where it says nothing, so that "
            "Gatys Optimize Frames can hold the strokes to what moves.",
            inputs=[
                io.Image.Input(
                    "frames",
                    tooltip="The film, in order: the same pictures as for Extract Content Features, at the same size. Two at "
                    "least. Alpha does not count.",
                ),
                OpticalFlowModelSocket.Input(
                    "model",
                    optional=True,
                    tooltip="A model from Load Optical Flow Model, which newer ComfyUI has; it takes the place of method.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(FLOWS),
                    default=FLOWS[0],
                    tooltip="auto: RAFT whose weights are in models/optical_flow, else dis where OpenCV is installed, else what "
                    "raft_large downloads. raft_large: the most exact, downloaded once (21 MB). raft_small: 4 MB. dis: OpenCV's, "
                    "fast, without weights (pip install opencv-python-headless).",
                ),
                io.Boolean.Input(
                    "long_term",
                    default=False,
                    optional=True,  # saved prompts lack it
                    tooltip="On: also the motion to the second and the fourth frame before, with which Gatys Optimize Frames gives "
                    "back what was hidden for some frames as it was. It takes three times the time and the memory.",
                ),
            ],
            outputs=[
                FlowSocket.Output(
                    display_name="flow",
                    tooltip="The motion, both ways, for Gatys Optimize Frames. It takes 16 bytes of memory for each pixel of "
                    "each frame.",
                ),
                io.Image.Output(
                    display_name="image",
                    tooltip="A picture of the motion for each frame but the first: the hue is the direction, the strength "
                    "the speed; white stands still.",
                ),
                io.Mask.Output(
                    display_name="occlusion",
                    tooltip="White where the motion is not to be trusted, for each frame but the first: what was hidden in "
                    "the frame before, what comes in at the border, and the edges of what moves.",
                ),
            ],
        )

    @classmethod
    def execute(cls, frames: Tensor, method: str, model: Any = None, long_term: bool = False) -> io.NodeOutput:
        pictures, _ = host.split_alpha(frames)
        report = host.ProgressReport(max(1, len(pictures) - 1)).downloaded
        distances = LONG_TERM if long_term else NEXT
        with torch.inference_mode(False), torch.no_grad():
            flow = cls._flow(pictures, method, model, report, distances)
            image = flow_to_image(flow.back).movedim(1, -1).float().div_(255)
            both_ways = zip(flow.back, () if flow.ahead is None else flow.ahead, strict=True)
            hidden = torch.cat([occlusion_mask(back, ahead) for back, ahead in both_ways])[:, 0]
        return io.NodeOutput(flow, image.to(host.storage_device()), hidden.to(host.storage_device()))

    @classmethod
    def _flow(cls, pictures: Tensor, method: str, model: Any, report: Any, distances: tuple[int, ...]) -> FilmFlow:
        patcher = None if model is None else _patcher(model)
        if patcher is None:
            function = flow_function(method, folder=host.model_folders(host.FLOW_FOLDER), progress=report)
            if not isinstance(function, Raft):
                return film_flow(pictures, function, distances=distances, callback=report)
            patcher = host.patcher_of(function.module)
        with host.working_on(patcher.model, patcher, raft_bytes(size_of(pictures))) as module:
            return film_flow(pictures.to(patcher.load_device), module, distances=distances, callback=report)


def _patcher(model: Any) -> Any:
    """Give the value of an OPTICAL_FLOW socket, if it is what newer hosts load: a patcher of torchvision's RAFT.

    Other packs give the flow itself by the same name.
    """
    module = getattr(model, "model", None)
    if not isinstance(module, torch.nn.Module) or not all(
        hasattr(module, part) for part in ("feature_encoder", "update_block")
    ):
        raise ValueError(
            f"model: expected an optical flow model, as Load Optical Flow Model gives, got {type(model).__name__}; leave "
            "model unwired, and choose a method"
        )
    return model
