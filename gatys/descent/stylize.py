"""Stylizing in one call: from a photograph and a painting to a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError
from ..network.devices import find_device
from ..network.layers import CONTENT_LAYERS, STYLE_LAYERS
from ..network.vgg import VGG
from ..network.weights import load_vgg
from ..pictures.colors import keep_luminance, match_colors_by
from ..pictures.conversion import AnyPicture, as_picture, to_tensors
from ..pictures.resampling import scale_picture
from ..settings import (
    METHODS,
    POOLINGS,
    ROOTS,
    SIZE,
    Method,
    Pooling,
    Quality,
    Root,
    Settings,
    StatisticName,
    border_of_paintings,
    check_choice,
)
from ..targets.extraction import extract_content, extract_style
from ..targets.levels import Levels
from ..targets.matching import match_features
from ..targets.statistics import Statistic
from .arguments import settings_of, takes_two
from .optimize import optimize
from .records import Progress, Result


@dataclass(frozen=True, kw_only=True)
class StylizeArguments(Settings):
    """The arguments of `stylize` beside the two pictures; they are called like the command line's options."""

    quality: Quality = "good"
    """A draft, in a fraction of the time, a good picture, or a final one: what `settings.QUALITIES` says of it for `size`,
    `levels`, `steps` and `precision`, where these are not given by their names."""
    size: int | None = SIZE
    """The longer edge of the result in pixels; None keeps the photograph's own."""
    style_scale: float = 1.0
    """The longer edge of each painting as a factor of the result's; below 1 makes finer strokes, above coarser ones."""
    weights: str = "auto"
    """The filters of the network, as `load_vgg` takes them."""
    pooling: Pooling = POOLINGS[0]
    """The pooling of the network, as `load_vgg` takes it."""
    net: VGG | None = None
    """A network that is there already, on the device to work on; it takes the place of `weights`, `pooling`, `device`."""
    device: str = "auto"
    """The device that computes: "cpu", "mps", "cuda", "cuda:N"; "auto" is CUDA, else MPS, else the CPU."""
    content_layers: Mapping[str, float] | Iterable[str] = field(default_factory=lambda: CONTENT_LAYERS)
    """Where the content is matched, as `extract_content` takes it."""
    style_layers: Mapping[str, float] | Iterable[str] = field(default_factory=lambda: STYLE_LAYERS)
    """Where the style is matched, as `extract_style` takes it."""
    levels: Levels = "auto"
    """The number of sizes to descend at, the smallest first."""
    normalize: bool = True
    """Whether each layer's term is divided by the size of its target."""
    statistic: StatisticName | Statistic = "gram"
    """What is compared of the style, as `extract_style` takes it."""
    match_colors: Method | Root | None = None
    """The method by which each painting is given the colours of the photograph first; None leaves it as it is."""
    match_features: float = 0.0
    """How far the content goes, from 0, its own, to 1, to what is most like it in the paintings; see `match_features`."""
    keep_luminance: bool = False
    """Whether the result is given the colours of the photograph at last, so that only its luminance is painted."""
    settings: Settings | None = None
    """Settings as one value; arguments given beside them take their place."""
    callback: Callable[[Progress], None] | None = None
    """A function that is called after each evaluation, as for `optimize`."""


@takes_two(StylizeArguments)
def stylize(photo: AnyPicture, painting: AnyPicture | Iterable[AnyPicture], told: StylizeArguments) -> Result:
    """Paint a photograph in the style of a painting (Gatys et al., CVPR 2016): load, extract, optimise.

    Args:
        photo: the content: the path of a file, a PIL picture, a numpy array, or a tensor (N, 3, H, W) in [0, 1].
        painting: the style, of the same kinds; several are averaged.
        told: the fields of `Settings` and of `StylizeArguments`, given by their names: `size`, `steps`, `weights`, ...

    Returns:
        A `Result`; `gatys.save_image` writes it.

    Raises:
        InputError: for another quality, and an empty list of paintings.
        InputError, WeightsError, OutOfMemory: as `load_vgg`, `extract_content`, `extract_style` and `optimize` do.

    Example:
        >>> result = gatys.stylize("photo.jpg", "painting.jpg", size=512, steps=200)
        >>> gatys.save_image(result, "result.png")
    """
    if told.match_colors is not None:
        check_choice("match_colors", told.match_colors, (*METHODS, *ROOTS))
    content_image = as_picture(photo, "photo", told.size)
    edges = (content_image.shape[-2], content_image.shape[-1])
    paintings = [
        scale_picture(as_picture(each, "painting"), told.style_scale, edges)
        for each in to_tensors(painting, "painting")
    ]
    if not paintings:
        raise InputError("painting: expected at least one picture, got an empty list; give one")
    if told.match_colors is not None:
        paintings = [match_colors_by(told.match_colors, each, content_image) for each in paintings]
    net = told.net
    if net is None:
        net = load_vgg(told.weights, told.pooling).to(find_device(told.device))
    how: dict[str, Any] = {"levels": told.levels, "normalize": told.normalize, "tile": told.tile, "memory": told.memory}
    how["octaves"] = told.octaves
    padding, border = told.padding or "zero", border_of_paintings(told.padding)
    content = extract_content(net, content_image, told.content_layers, padding=padding, dtype="auto", **how)
    if told.match_features:
        content = match_features(net, content, paintings, share=told.match_features, tile=told.tile, memory=told.memory)
    style = extract_style(net, paintings, told.style_layers, statistic=told.statistic, padding=border, **how)
    result = optimize(net, content=content, style=style, callback=told.callback, **settings_of(told))
    if not told.keep_luminance:
        return result
    return replace(result, image=keep_luminance(result.image, content_image.to(result.image)))
