"""Neural style transfer as Gatys, Ecker and Bethge defined it (CVPR 2016).

What is public is imported when it is first asked for, so that `import gatys` and `python -m gatys --help` need not wait
for PyTorch. Type checkers read the imports below.
"""

import importlib
import sys

TYPE_CHECKING = False  # which type checkers take for true; `typing` would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from .descent.notebook import notebook_progress as notebook_progress
    from .descent.notebook import show as show
    from .descent.optimize import optimize as optimize
    from .descent.plot import plot_history as plot_history
    from .descent.protocol import Descent as Descent
    from .descent.records import Progress as Progress
    from .descent.records import Record as Record
    from .descent.records import Result as Result
    from .descent.share_weights import ShareWeights as ShareWeights
    from .descent.share_weights import weights_for_shares as weights_for_shares
    from .descent.stylize import stylize as stylize
    from .errors import CheckpointError as CheckpointError
    from .errors import DownloadError as DownloadError
    from .errors import FolderError as FolderError
    from .errors import GatysError as GatysError
    from .errors import ImageError as ImageError
    from .errors import InputError as InputError
    from .errors import InputTypeError as InputTypeError
    from .errors import MissingPackage as MissingPackage
    from .errors import OutOfMemory as OutOfMemory
    from .errors import StyleFileError as StyleFileError
    from .errors import UnknownPreset as UnknownPreset
    from .errors import UntrainedWarning as UntrainedWarning
    from .errors import WeightsError as WeightsError
    from .network.layers import LAYERS as LAYERS
    from .network.preprocessing import read_as as read_as
    from .network.vgg import VGG as VGG
    from .network.vgg import VGG19 as VGG19
    from .network.weights import load_vgg as load_vgg
    from .network.weights import load_vgg19 as load_vgg19
    from .objective.objective import Objective as Objective
    from .objective.shares import gradient_shares as gradient_shares
    from .objective.temporal import TemporalTarget as TemporalTarget
    from .objective.term import Term as Term
    from .pictures.colors import keep_luminance as keep_luminance
    from .pictures.colors import match_colors as match_colors
    from .pictures.conversion import load_image as load_image
    from .pictures.conversion import save_image as save_image
    from .published.preset import Preset as Preset
    from .published.presets import presets as presets
    from .settings import Settings as Settings
    from .settings import __version__ as __version__
    from .targets.blending import blend_styles as blend_styles
    from .targets.extraction import extract_content as extract_content
    from .targets.extraction import extract_style as extract_style
    from .targets.matching import match_features as match_features
    from .targets.moments import ShiftedGram as ShiftedGram
    from .targets.regions import RegionalStyle as RegionalStyle
    from .targets.regions import regional_style as regional_style
    from .targets.statistics import Statistic as Statistic
    from .targets.style_files import StyleInfo as StyleInfo
    from .targets.style_files import read_style_info as read_style_info
    from .targets.targets import ContentTarget as ContentTarget
    from .targets.targets import StyleTarget as StyleTarget
    from .video.clip import Clip as Clip
    from .video.clip import ClipFrame as ClipFrame
    from .video.clips import open_clip as open_clip
    from .video.film_flow import FilmFlow as FilmFlow
    from .video.film_flow import film_flow as film_flow
    from .video.film_results import FilmFrame as FilmFrame
    from .video.film_results import FramesResult as FramesResult
    from .video.flow import optical_flow as optical_flow
    from .video.frames import iterate_frames as iterate_frames
    from .video.frames import optimize_frames as optimize_frames
    from .video.motion import occlusion_mask as occlusion_mask
    from .video.motion import warp as warp

_ROOMS = {
    "descent.notebook": "notebook_progress show",
    "descent.optimize": "optimize",
    "descent.protocol": "Descent",
    "descent.plot": "plot_history",
    "descent.records": "Progress Record Result",
    "descent.share_weights": "ShareWeights weights_for_shares",
    "descent.stylize": "stylize",
    "errors": "CheckpointError DownloadError FolderError GatysError ImageError InputError InputTypeError MissingPackage "
    "OutOfMemory StyleFileError UnknownPreset UntrainedWarning WeightsError",
    "network.layers": "LAYERS",
    "network.preprocessing": "read_as",
    "network.vgg": "VGG VGG19",
    "network.weights": "load_vgg load_vgg19",
    "objective.objective": "Objective",
    "objective.shares": "gradient_shares",
    "objective.term": "Term",
    "objective.temporal": "TemporalTarget",
    "pictures.colors": "keep_luminance match_colors",
    "pictures.conversion": "load_image save_image",
    "published.preset": "Preset",
    "published.presets": "presets",
    "targets.blending": "blend_styles",
    "targets.extraction": "extract_content extract_style",
    "targets.matching": "match_features",
    "targets.regions": "RegionalStyle regional_style",
    "settings": "Settings __version__",
    "targets.moments": "ShiftedGram",
    "targets.statistics": "Statistic",
    "targets.style_files": "StyleInfo read_style_info",
    "targets.targets": "ContentTarget StyleTarget",
    "video.clip": "Clip ClipFrame",
    "video.clips": "open_clip",
    "video.film_flow": "FilmFlow film_flow",
    "video.flow": "optical_flow",
    "video.film_results": "FilmFrame FramesResult",
    "video.frames": "iterate_frames optimize_frames",
    "video.motion": "occlusion_mask warp",
}
"""Where each public name is defined; a test compares it with the imports above."""
_PLACE_OF = {name: place for place, names in _ROOMS.items() for name in names.split()}

__all__ = sorted(_PLACE_OF)  # noqa: PLE0605 (names all the same)


if not TYPE_CHECKING:  # to whom any name would be one that is there

    def __getattr__(name: str) -> "Any":
        if name not in _PLACE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
        vars(sys.modules[__name__])[name] = value
        return value


def __dir__() -> list[str]:
    return list(__all__)
