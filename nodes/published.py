"""The data of the page's menu, `web/gatys_presets.json`: what a preset sets on which node."""

from __future__ import annotations

from math import isclose
from typing import Any

from ..gatys.network.found_files import PAPER_FILE
from ..gatys.network.layers import STYLE_LAYERS
from ..gatys.published.preset import STRETCH, Preset
from ..gatys.published.presets import presets, weights_from
from ..gatys.settings import DEFAULTS, STRENGTH

WIDGETS = {
    "GatysLoadVGG19": ("weights", "pooling", "preprocessing", "responses"),
    "GatysExtractContentFeatures": ("layers", "levels", "normalize", "padding"),
    "GatysExtractStyleGrams": (*STYLE_LAYERS, "more_layers", "levels", "normalize", "padding", "statistic"),
    "GatysOptimize": (
        *("steps", "optimizer", "learning_rate", "content_weight", "style_weight", "tv_weight", "tv_form", "init"),
        *("strength", "tolerance", "average", "laplacian_weight", "octaves", "steps_per_level", "detail"),
    ),
}
"""The widgets that a preset sets, by the ids of their nodes."""


def page_data() -> dict[str, dict[str, Any]]:
    """Give what the page tells about each preset, and the values of the widgets."""
    return {name: _of(preset) for name, preset in presets.items()}


def _of(preset: Preset) -> dict[str, Any]:
    size = preset.size
    values, larger = (_values(preset.settings((edge, edge))) for edge in (size, 2 * size))
    return {
        "title": preset.title,
        "remark": preset.remark,
        "source": preset.source,
        "weights_from": weights_from(preset.weights),
        "size": size,
        "edge": preset.edge_in_words,
        "stretch": preset.style_edge == STRETCH,
        "nodes": {node: {widget: values[widget] for widget in widgets} for node, widgets in WIDGETS.items()},
        # these go with the number of pixels; the values above are those of a square
        "per_pixel": [
            widget
            for widget in WIDGETS["GatysOptimize"]
            if isinstance(values[widget], float) and values[widget] and isclose(larger[widget], 4 * values[widget])
        ],
    }


def _values(settings: dict[str, Any]) -> dict[str, Any]:
    style = settings["style_layers"]
    steps = settings["steps"] if isinstance(settings["steps"], list) else []
    more = {name: weight for name, weight in style.items() if name not in STYLE_LAYERS}
    return settings | {
        "layers": _text(settings["content_layers"]),
        **{name: style.get(name, 0.0) for name in STYLE_LAYERS},
        "more_layers": _text(more),
        "steps": sum(steps) or settings["steps"],
        "steps_per_level": ", ".join(map(str, steps)),
        "strength": STRENGTH,  # the weights are the source's own
        "laplacian_weight": DEFAULTS["laplacian_weight"],
        "octaves": 1,  # sources look at one size
        "weights": "paper" if settings["weights"] == PAPER_FILE else settings["weights"],  # as Load VGG19 calls it
    }


def _text(layers: dict[str, float]) -> str:
    return ", ".join(name if weight == 1 else f"{name}={weight:.10g}" for name, weight in layers.items())
