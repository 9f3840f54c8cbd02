"""The parsed command line, as a value that nobody writes to: a change makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..settings import (
    FileLayout,
    Method,
    Pooling,
    Preprocessing,
    Propagation,
    Quality,
    Responses,
    Root,
    Settings,
    StatisticName,
)
from ..targets.levels import Levels


class Every(NamedTuple):
    """How often something happens: every so many steps, or where that is 0 every so many seconds."""

    steps: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Options(Settings):
    """The value of every option; `options.build_parser` says what each of them means.

    The descent's are those of `Settings`.
    """

    # pictures
    content: str
    style: Sequence[str]
    out: str | None
    workers: int
    preset: str | None
    size: int | Callable[[tuple[int, int]], int]
    """The longer edge of the result in pixels, 0 for the content's own; or a function that gives it from the (height,
    width) of the content, as a preset does."""
    style_scale: float
    depth: int | None
    quality: Quality | None
    """The word that fills size, levels, steps and precision, one of `settings.QUALITIES`; None where none was given."""
    file_quality: int
    strip: bool
    no_overwrite: bool
    like: str | None
    config: str | None
    sweep: Sequence[str]
    """The options of which a contact sheet shows several values, each as NAME=VALUE,VALUE,..."""
    cells: str | None
    """The folder that keeps the cells of a contact sheet; None for one beside the sheet, "none" for none."""
    # films
    film: bool | None
    """Whether the pictures of a folder, a list or an animation are frames; None where that was not said."""
    start: float | None
    end: float | None
    every: int | None
    fps: float | None
    flow: str | None
    later_steps: int | None
    style_at: Sequence[float] | None
    """When in the film each style is alone, in seconds."""
    long_term: Sequence[int] | None
    passes: int | None
    anchor_every: int
    codec: str | None
    crf: int | None
    no_sound: bool | None
    # styles and colours
    load_style: Sequence[str]
    blend: Sequence[float]
    style_mask: Sequence[str]
    propagation: Propagation | None
    save_style: str | None
    overwrite_style: bool
    match_colors: Method | Root | None
    match_features: float
    keep_luminance: bool
    # network
    weights: str
    layout: FileLayout
    pooling: Pooling
    preprocessing: Preprocessing
    responses: Responses
    device: str
    # targets
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    statistic: StatisticName
    normalize: bool
    levels: Levels
    shares: str | None
    """The shares of the gradient that are asked for, as `asked_shares.parse_shares` reads them."""
    # what is kept on the way
    save_every: Every | None
    time_lapse: str | None
    time_lapse_every: int | None
    trace: str | None
    # what is told
    verbosity: str | None
    """The word "verbose" or "quiet"; None for what is between."""

    filled: Sequence[str] = ()
    """The names of the options that the preset or the quality fills, since they were not given."""
    of_pictures: Sequence[str] = ()
    """The names of the options that are given and are for STYLE pictures, where there are none."""
    expected_filters: str | None = None
    """The digest that the filters must have, since they are to be those of the run that `like` names."""

    @property
    def total_steps(self) -> int:
        """Give the number of steps over all levels."""
        return self.steps if isinstance(self.steps, int) else sum(self.steps)

    @property
    def quiet(self) -> bool:
        """Tell whether only the result and errors are told."""
        return self.verbosity == "quiet"
