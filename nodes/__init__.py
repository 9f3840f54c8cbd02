"""The ComfyUI nodes, which know the host and contain no mathematics."""

from pathlib import Path

from comfy_api.latest import ComfyExtension, io

from . import host
from .blend_styles import BlendStyles
from .extract_content import ExtractContentFeatures
from .extract_style import ExtractStyleGrams
from .gradient_shares import GradientShares
from .keep_luminance import KeepLuminance
from .load_style import LoadStyle
from .load_vgg19 import LoadVGG19
from .match_colors import MatchColors
from .match_features import MatchFeatures
from .optical_flow import OpticalFlow
from .optimize import GatysOptimize
from .optimize_frames import GatysOptimizeFrames
from .pack_folder import check_pack_folder, serve_examples
from .plot_history import PlotHistory
from .save_style import SaveStyle
from .style_region import StyleRegion
from .weights_for_shares import WeightsForShares


class GatysExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            LoadVGG19,
            ExtractContentFeatures,
            ExtractStyleGrams,
            GatysOptimize,
            GatysOptimizeFrames,
            StyleRegion,
            BlendStyles,
            SaveStyle,
            LoadStyle,
            MatchColors,
            KeepLuminance,
            PlotHistory,
            GradientShares,
            OpticalFlow,
            MatchFeatures,
            WeightsForShares,
        ]


async def comfy_entrypoint() -> ComfyExtension:
    pack = Path(__file__).parents[1]
    check_pack_folder(pack.name)
    serve_examples(pack / "examples")
    for key in host.MODEL_SUFFIXES:
        host.register_model_folder(key)
    return GatysExtension()
