"""Neural style transfer as Gatys, Ecker and Bethge defined it (CVPR 2016).

What is public is imported when it is first asked for, so that `python -m gatys --help` need not wait for PyTorch.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_PLACES = {
    "bank": ("StyleFileError", "StyleInfo", "read_style_info"),
    "blend": ("blend_styles",),
    "color": ("keep_luminance", "match_colors"),
    "diagnostics": ("gradient_shares", "plot_history"),
    "extract": ("extract_content", "extract_style"),
    "frames": ("FramesResult", "optimize_frames"),
    "layers": ("LAYERS",),
    "objective": ("Objective",),
    "optimize": ("optimize",),
    "preset": ("Preset",),
    "presets": ("presets",),
    "reading": ("read_as",),
    "records": ("Progress", "Record", "Result"),
    "regions": ("RegionalStyle", "regional_style"),
    "targets": ("ContentTarget", "StyleTarget"),
    "terms": ("TemporalTarget",),
    "vgg": ("VGG19",),
    "weights": ("UntrainedWarning", "WeightsError", "load_vgg19"),
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


class _Package(ModuleType):
    """`gatys.optimize` and `gatys.presets` are what is public, not the modules of these names, whoever imports them."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PLACE_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
