"""Neural style transfer as Gatys, Ecker and Bethge defined it (CVPR 2016)."""

from .objective import Objective
from .optimize import Progress, Record, Result, optimize
from .regions import RegionalStyle, regional_style
from .targets import ContentTarget, StyleTarget, extract_content, extract_style
from .terms import TemporalTarget
from .vgg import LAYERS, VGG19
from .weights import WeightsError, load_vgg19

__all__ = [
    "LAYERS",
    "VGG19",
    "ContentTarget",
    "Objective",
    "Progress",
    "Record",
    "RegionalStyle",
    "Result",
    "StyleTarget",
    "TemporalTarget",
    "WeightsError",
    "extract_content",
    "extract_style",
    "load_vgg19",
    "optimize",
    "regional_style",
]
