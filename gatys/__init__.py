"""Neural style transfer as Gatys, Ecker and Bethge defined it (CVPR 2016)."""

from .bank import StyleFileError, StyleInfo, read_style_info
from .blend import blend_styles
from .color import keep_luminance, match_colors
from .diagnostics import gradient_shares, plot_history
from .extract import extract_content, extract_style
from .frames import FramesResult, optimize_frames
from .objective import Objective
from .optimize import optimize
from .preset import Preset
from .presets import presets
from .reading import read_as
from .records import Progress, Record, Result
from .regions import RegionalStyle, regional_style
from .targets import ContentTarget, StyleTarget
from .terms import TemporalTarget
from .vgg import LAYERS, VGG19
from .weights import WeightsError, load_vgg19

__all__ = [
    "LAYERS",
    "VGG19",
    "ContentTarget",
    "FramesResult",
    "Objective",
    "Preset",
    "Progress",
    "Record",
    "RegionalStyle",
    "Result",
    "StyleFileError",
    "StyleInfo",
    "StyleTarget",
    "TemporalTarget",
    "WeightsError",
    "blend_styles",
    "extract_content",
    "extract_style",
    "gradient_shares",
    "keep_luminance",
    "load_vgg19",
    "match_colors",
    "optimize",
    "optimize_frames",
    "plot_history",
    "presets",
    "read_as",
    "read_style_info",
    "regional_style",
]
