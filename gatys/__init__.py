"""Neural style transfer as Gatys, Ecker and Bethge defined it (CVPR 2016).

What is public is imported when it is first asked for, so that `python -m gatys --help` need not wait for PyTorch.
"""

import importlib
import sys
from typing import Any

_PLACES = {
    "descent.diagnostics": ("gradient_shares", "plot_history"),
    "descent.optimize": ("optimize",),
    "descent.records": ("Progress", "Record", "Result"),
    "network.layers": ("LAYERS",),
    "network.preprocessing": ("read_as",),
    "network.vgg": ("VGG19",),
    "network.weights": ("UntrainedWarning", "WeightsError", "load_vgg19"),
    "objective.objective": ("Objective",),
    "objective.terms": ("TemporalTarget",),
    "pictures.colors": ("keep_luminance", "match_colors"),
    "published.preset": ("Preset",),
    "published.presets": ("presets",),
    "targets.blending": ("blend_styles",),
    "targets.extraction": ("extract_content", "extract_style"),
    "targets.regions": ("RegionalStyle", "regional_style"),
    "targets.style_files": ("StyleFileError", "StyleInfo", "read_style_info"),
    "targets.targets": ("ContentTarget", "StyleTarget"),
    "video.frames": ("FramesResult", "optimize_frames"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_PLACE_OF)  # noqa: PLE0605 (names all the same)


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
    vars(sys.modules[__name__])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[__name__]), *__all__})
