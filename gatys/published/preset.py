"""A published setting as a record, and what it means in the terms of `Objective`.

Each source writes its loss in its own way. With M positions of N channels, every one is

    content_weight * mean((F - P)^2)  +  sum_l k_l * penalty of the statistics of layer l  +  tv_weight * tv

with its own coefficients, some of which depend on the size of the picture. The tables below say which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose
from types import MappingProxyType
from typing import Any

from ..descent.optimize import optimize
from ..descent.records import Result
from ..errors import InputError
from ..network.layers import LAYERS
from ..network.preprocessing import PREPROCESSINGS, read_as
from ..network.vgg import VGG, check_image
from ..objective.objective import Objective
from ..pictures.checks import size_of
from ..pictures.conversion import AnyPicture, to_tensor
from ..pictures.resampling import resize
from ..settings import OWN, SETTINGS, Padding, Pooling, Preprocessing, Responses, StatisticName, TvForm
from ..targets.extraction import extract_content, extract_style

CONTENT_LOSSES: Mapping[str, Callable[[int, int], float]] = MappingProxyType(
    {
        "mean (F-P)^2": lambda n, m: 1.0,
        "sum (F-P)^2 / 2": lambda n, m: n * m / 2,
    }
)
"""The content terms of sources: from N and M, the factor on mean((F - P)^2) of a layer."""

STYLE_LOSSES: Mapping[str, tuple[StatisticName, Callable[[int, int], float]]] = MappingProxyType(
    {
        "sum (G-A)^2 / (4 N^2 M^2)": ("gram", lambda n, m: 1.0),
        "mean (G/M - A/M)^2": ("gram", lambda n, m: 4.0),
        "mean (G/NM - A/NM)^2": ("gram", lambda n, m: 4 / n**2),
        "sum (G/NM - A/NM)^2": ("gram", lambda n, m: 4.0),
        "mean (G-A)^2 / (N M)": ("gram", lambda n, m: 4 * m / n),
        "W2^2 / N": ("crowsonkb", lambda n, m: 1.0),
        "mean (G/M - A/M)^2 + 10 N^2 (mean (m-m')^2 + mean (s-s')^2)": ("spst", lambda n, m: 4.0),
    }
)
"""The style terms of sources: the statistic, and from N and M the factor on its penalty for a layer.

The penalty of Gram matrices is sum((G/M - A/M')^2) / (4 N^2). Sources with a bare G need a style picture as large as the
content; the others divide each Gram matrix by its own M.
"""

TV_LOSSES: Mapping[str, tuple[TvForm, Callable[[int], float], int]] = MappingProxyType(
    {
        "none": ("squared", lambda values: 0.0, 0),
        "sum |d|": ("absolute", lambda values: values, 1),
        "sum d^2 / 2, corners": ("corner", lambda values: 0.5 * values, 2),
        "mean d^2, nine points": ("nine-point", lambda values: 1.0, 0),
    }
)
"""The smoothness terms of sources: `tv_form`, from the number of a picture's values the factor, and the exponent of
differences d of neighbours where those are of the pixels that the network is given, or 0 where they are in [0, 1]."""

EDGES: Mapping[str, Callable[[tuple[int, int], tuple[int, int]], float]] = MappingProxyType(
    {
        "longer": lambda size, like: max(like) / max(size),
        "shorter": lambda size, like: min(like) / min(size),
        "height": lambda size, like: like[0] / size[0],
        "shorter, at most as long as the longer was": lambda size, like: min(min(like), max(size)) / min(size),
        "longer, never enlarged": lambda size, like: min(1.0, max(like) / max(size)),
        "shorter, where it is a tenth longer": lambda size, like: (
            min(like) / min(size) if min(size) > 1.1 * min(like) else 1.0
        ),
        "own": lambda size, like: 1.0,
    }
)
"""The edges that sources set: from two (height, width), the factor that brings the first to the second."""

GIVEN = "given"
"""The word for an optimiser that moves the pixels as the network is given them."""

STRETCH = "both"
"""The word for a style picture that is made as large as the content, whatever its own shape."""


@dataclass(frozen=True)
class Preset:
    """A published setting: everything that a source fixes, in its own numbers and units.

    `settings` and `objective` translate them to pictures in [0, 1].

    Example:
        >>> preset = gatys.presets["gatys2016"]
        >>> result = preset.optimize(gatys.load_vgg(), photo, painting)
    """

    name: str
    title: str
    """The name of the source in a few words."""
    remark: str
    """A remark on what is special about it, in a sentence or two."""
    source: str
    """The repository, file and commit, or the paper; `sources` are places in it unless they name another."""
    sources: Mapping[str, str]
    """The line, cell or section that each of the fields below was read in, by the field's name."""
    weights: str
    """The filters: "imagenet" or a file's name."""
    preprocessing: Preprocessing
    """The preprocessing, one of `settings.PREPROCESSINGS`, or "own"."""
    pooling: Pooling
    responses: Responses
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    """The weight w_l of each layer, as the source has it."""
    content_loss: str
    style_loss: str
    tv_loss: str
    content_weight: float
    style_weight: float
    tv_weight: float
    init: str
    optimizer: str
    learning_rate: float
    """The rate: for Adam in units of what it moves, see `moves`; for L-BFGS a factor."""
    steps: int
    """The steps of the coarsest scale, which is the only one of most sources."""
    history_size: int
    size: int
    edge: str
    """The edge of the result that is `size` pixels long, one of `EDGES`."""
    style_edge: str
    """The edge that the style picture has in common with the result, one of `EDGES` or `STRETCH`."""
    padding: Padding = "zero"
    """What convolutions see beyond the border: zeros, unless the source says something else."""
    moves: str = GIVEN
    """What the optimiser moves: the pixels that the network is given, or the "picture" in [0, 1]."""
    scales: tuple[str, int] = ("longer", 0)
    """The "longer" or "shorter" edge, and the most pixels that it has on the coarsest scale; 0 for one scale alone."""
    finer_steps: tuple[int, ...] = ()
    """The steps of the scales above the coarsest, of which the last number holds for all further ones."""
    average: float = 0.0
    """The decay of the average over pictures that the source gives in the place of its last picture; 0 for none."""

    def settings(self, size: tuple[int, int]) -> dict[str, Any]:
        """Give arguments of this package that make the source's own loss of a picture of `size` (height, width).

        The names are those of the arguments of `load_vgg`, `read_as`, `extract_content`, `extract_style` and
        `optimize`, and of the command line's options. The style's coefficients are the source's own w_l where all
        layers come out equal, else the smallest is 1. Adam's rate is divided by the scale of the preprocessing: Adam moves
        each value by about the rate, whatever the gradient, so that a change of units is a factor.

        Raises:
            InputError: if `size` is too small for the layers.
        """
        height, width = size
        units = {name: (height // LAYERS[name].stride) * (width // LAYERS[name].stride) for name in self._layers}
        if not all(units.values()):
            raise InputError(
                f"size: {width} x {height} pixels is too small for the layers of preset {self.name}; give a larger one"
            )
        factor, of_layer = CONTENT_LOSSES[self.content_loss], {}
        for name, weight in self.content_layers.items():
            of_layer[name] = self.content_weight * weight * factor(LAYERS[name].channels, units[name])
        first = next(iter(of_layer))
        content_weight = of_layer[first] / self.content_layers[first]
        statistic, factor = STYLE_LOSSES[self.style_loss]
        style = {}  # of each layer what multiplies the statistic's penalty
        for name, weight in self.style_layers.items():
            style[name] = self.style_weight * weight * factor(LAYERS[name].channels, units[name])
        least = min(style, key=lambda name: style[name])
        equal = all(isclose(value, style[least]) for value in style.values())
        style_weight = style[least] / (self.style_layers[least] if equal else 1)
        form, tv, exponent = TV_LOSSES[self.tv_loss]
        schedule = self.schedule(size)
        scale = 1.0 if self.preprocessing == OWN else 3 / sum(PREPROCESSINGS[self.preprocessing][1])
        return {
            "weights": self.weights,
            "preprocessing": self.preprocessing,
            "pooling": self.pooling,
            "responses": self.responses,
            "content_layers": {name: value / content_weight for name, value in of_layer.items()},
            "style_layers": {name: value / style_weight for name, value in style.items()},
            "statistic": statistic,
            "levels": len(schedule),
            "normalize": False,
            "padding": self.padding,
            "content_weight": content_weight,
            "style_weight": style_weight,
            "tv_weight": self.tv_weight * tv(3 * height * width) * scale**exponent,
            "tv_form": form,
            "init": self.init,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate / (scale if self.optimizer == "adam" and self.moves == GIVEN else 1),
            "steps": schedule if len(schedule) > 1 else schedule[0],
            "tolerance": 0.0,  # sources take all their steps
            "average": self.average,
            "detail": 0.0 if len(schedule) > 1 else 1.0,  # sources enlarge what the smaller size gave
            "history_size": self.history_size,
        }

    def schedule(self, size: tuple[int, int]) -> list[int]:
        """Give the steps of each scale that the source takes for a result of `size` (height, width), full size first.

        The scales that are taken are those that the source has at halves, quarters, ... of the size.
        """
        edge, most = self.scales
        length = max(size) if edge == "longer" else min(size)
        count = 1
        while most and length > most:
            length //= 2
            count += 1
        finer = [*self.finer_steps[: count - 1]]
        finer += self.finer_steps[-1:] * (count - 1 - len(finer))
        return [self.steps, *finer][::-1]

    @property
    def _layers(self) -> list[str]:
        return [*self.content_layers, *self.style_layers]

    @property
    def edge_in_words(self) -> str:
        """Give the name of the edge that is `size` pixels long, or "own size" where the source leaves pictures as they are."""
        word = self.edge.partition(",")[0]
        return word if word == "height" else "own size" if word == "own" else f"{word} edge"

    def result_edge(self, size: tuple[int, int]) -> int:
        """Give the longer edge in pixels that the source would give the result for a content picture of `size`."""
        return max(1, round(max(size) * EDGES[self.edge](size, (self.size, self.size))))

    def style_size(self, size: tuple[int, int], result: tuple[int, int], scale: float = 1.0) -> tuple[int, int]:
        """Give the (height, width) that the source would give a style picture of `size` for a result of size `result`.

        `scale` is a further factor.
        """
        if self.style_edge == STRETCH:
            return _scaled(result, scale)
        return _scaled(size, EDGES[self.style_edge](size, result) * scale)

    def network(self, net: VGG) -> VGG:
        """Give a network with the filters of `net`, read as the source reads them; see `read_as`."""
        return read_as(net, pooling=self.pooling, preprocessing=self.preprocessing, responses=self.responses)

    def objective(self, net: VGG, content_image: AnyPicture, style_image: AnyPicture) -> Objective:
        """Give the source's own loss for these pictures, and its gradient in pictures in [0, 1].

        Args:
            net: any filters; pooling, preprocessing and the side of the rectifier become those of the source.
            content_image: (N, 3, H, W), sRGB in [0, 1], or another kind of picture as for `extract_content`; of the
                size that the result will have.
            style_image: (N, 3, h, w), likewise; several are averaged. Sources that compare bare Gram matrices, or
                refuse other sizes, get it at the content's size.

        Raises:
            InputError: for pictures that are not as above or too small for the layers.
        """
        targets, settings = self._prepare(net, content_image, style_image, levels=1)
        names = ("content_weight", "style_weight", "tv_weight", "tv_form")
        return Objective(**targets, **{name: settings[name] for name in names})

    def optimize(self, net: VGG, content_image: AnyPicture, style_image: AnyPicture, **changes: Any) -> Result:
        """Descend as the source does, as far as this package's optimisers are its own.

        The arguments are those of `objective`; `changes` are arguments of `gatys.optimize` that are to differ.
        """
        targets, settings = self._prepare(net, content_image, style_image)
        given = targets | {name: value for name, value in settings.items() if name in SETTINGS} | changes
        return optimize(given.pop("net"), **given)

    def _prepare(
        self, net: VGG, content_image: AnyPicture, style_image: AnyPicture, levels: int | None = None
    ) -> tuple[dict, dict]:
        content_image, style_image = to_tensor(content_image, "content image"), to_tensor(style_image, "style image")
        check_image(content_image, net.chosen(self.content_layers), "content image")
        check_image(style_image, net.chosen(self.style_layers), "style image")
        size = size_of(content_image)
        settings, net = self.settings(size), self.network(net)
        if self.style_edge == STRETCH:
            style_image = resize(style_image, size)
        how = {name: settings[name] for name in ("normalize", "padding")} | {"levels": levels or settings["levels"]}
        content = extract_content(net, content_image, settings["content_layers"], **how)
        style = extract_style(net, style_image, settings["style_layers"], statistic=settings["statistic"], **how)
        return {"net": net, "content": content, "style": style}, settings


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Give a size times a factor, each edge at least one pixel."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
