"""The settings of a run and the names of all choices, with their defaults, each said once.

This module does without PyTorch, so that the command line can explain itself before that is imported.

Each group of names is a `Literal` for type checkers and a tuple of the same for programs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Pooling = Literal["max", "average"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
"""How a network pools between its blocks, the default first: by the maximum, as VGG was trained, or by the average, as
in the paper. With trained filters the maximum is better at everything that was measured (benchmarks/RESULTS.md,
"Defaults")."""

Responses = Literal["relu", "conv"]
RESPONSES: tuple[Responses, ...] = get_args(Responses)
"""Where a layer is read: after its rectifier, or before it, as only few implementations do."""

FileLayout = Literal["auto", "torchvision", "caffe"]
LAYOUTS: tuple[FileLayout, ...] = get_args(FileLayout)
"""Which layout a file of filters has, and so which preprocessing its filters expect; "auto" finds out."""

OWN: Final = "own"
Preprocessing = Literal["own", "imagenet", "caffe", "caffe-256", "imagenet-255"]
PREPROCESSINGS: tuple[Preprocessing, ...] = tuple(name for name in get_args(Preprocessing) if name != OWN)
"""What the network is given in place of its filters' own preprocessing; see `preprocessing.PREPROCESSINGS`."""

Padding = Literal["zero", "replicate", "circular", "panorama", "replicate-first"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)
"""What each convolution sees beyond the picture's border: 0 as in the paper; the border repeated; the other side; for
panoramas of 360 degrees, the other side on the left and the right, and the border repeated above and below; or the border
repeated for the first convolution, and 0 for all others."""


def rings(padding: str | None) -> tuple[bool, bool]:
    """Tell whether the upper edge of a picture meets the lower one, and the left one the right."""
    return padding == "circular", padding in ("circular", "panorama")


def border_of_paintings(padding: Padding | None) -> Padding:
    """Give the padding that paintings are read with for a picture with another: their own edges do not meet."""
    return "replicate" if any(rings(padding)) else padding or "zero"


TvForm = Literal["squared", "absolute", "corner", "nine-point"]
TV_FORMS: tuple[TvForm, ...] = get_args(TvForm)
"""What smoothness adds up: squared differences of neighbours; absolute ones; squared ones at those pixels only that have a
neighbour on both sides (jcjohnson/neural-style), which in a ring all have; or squared ones along the diagonals, too."""

Propagation = Literal["average", "inside"]
PROPAGATIONS: tuple[Propagation, ...] = get_args(Propagation)
"""How a region's mask is brought to the grid of a layer."""

Method = Literal["linear", "histogram"]
METHODS: tuple[Method, ...] = get_args(Method)
"""How colours are matched."""

Root = Literal["symmetric", "pca", "cholesky"]
ROOTS: tuple[Root, ...] = get_args(Root)
"""Which root of a covariance matrix the linear method takes."""

FilmColors = Literal["off", "whole"] | int
"""Whose colours are matched: those of each picture, of all as one, or of the one of that number."""

Init = Literal["auto", "recolored", "content", "noise", "mean"]
INITS: tuple[Init, ...] = get_args(Init)
"""What a descent starts from."""

StatisticName = Literal["gram", "covariance", "moments", "wasserstein", "across", "crowsonkb", "spst"]
STATISTICS: tuple[StatisticName, ...] = get_args(StatisticName)
"""The statistics of a style that have names."""

FLOWS = ("auto", "dis", "raft_small", "raft_large")
"""The methods of optical flow."""

Optimizer = Literal["lbfgs", "adam"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
LEARNING_RATES: Mapping[str, float] = {"lbfgs": 1.0, "adam": 0.02}
"""The default of each optimiser: for L-BFGS a factor on its step, for Adam a change of pixels in the [0, 1] range."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""What numbers the convolutions work in."""

TileSize = int | Literal["auto"] | None
"""The edge of the tiles of a picture in pixels; None for whole pictures."""

PresetName = Literal[
    "gatys2016",
    "udacity",
    "leongatys-pytorch",
    "neural-style",
    "neural-style-pt",
    "pytorch-tutorial",
    "gordicaleksa",
    "crowsonkb",
    "spst",
]
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
"""The names of published settings; see `published.presets`."""

STYLE_SUFFIX = ".safetensors"
"""The ending of the names of style files."""

SIZE = 512
"""The longer edge of a result in pixels, unless another is asked for."""

CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 0.004, 1.0, 0.0
TEMPORAL_WEIGHT = 5.0
"""The default weights, chosen with trained filters (benchmarks/look.py) for normalised targets; `Objective` has the
same."""

TOLERANCE = 0.01
"""The default of `tolerance`, chosen with trained filters (benchmarks/RESULTS.md, "The descent")."""

STRENGTH = 0.5
"""The default of `strength`, at which the content weight is as it was given."""
STRENGTH_KNOTS = ((0.0, 3.0), (0.25, 1.6), (STRENGTH, 0.0), (0.75, -0.4), (1.0, -1.2))
"""Strength, and the decimal logarithm of the factor that it puts on the content weight; straight between. Chosen so
that equal steps look equally large, through trained filters (benchmarks/look.py)."""
LOOSEST = 0.55
"""The share of noise in the start at strength 1, chosen in the same way: the content's weight alone changes little above
0.5, where what keeps the photograph is the start."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a descent: how `optimize` makes a picture of its targets.

    The command line's options, the nodes' widgets and the presets go by these fields.

    Raises:
        InputError: for a value that is not as below.

    Example:
        >>> calm = gatys.Settings(steps=300, tv_weight=0.1)
        >>> calm
        Settings(steps=300, tv_weight=0.1)
        >>> result = gatys.optimize(net, content=content, style=style, settings=calm)
    """

    init: Init | str | Tensor = "auto"
    """What to start from: "recolored" (the content in the colours of the style), "content", "noise" (white noise, uniform
    in [0, 1]), "mean" (the network's mean colour with noise of a thousandth, as jcjohnson/neural-style does), or a
    picture (1 or N, 3, H, W), which is resized where needed. "auto" is "recolored" where there are content and style,
    else "content" where there is one, and else "noise"."""
    steps: int | Sequence[int] = 200
    """Number of evaluations of loss and gradient over all levels, or of each level, full size first; see
    `schedule.split_steps`."""
    tolerance: float = TOLERANCE
    """The share of the loss, from 0 to below 1, by which it still falls in ten evaluations, or a level ends: `steps` are the
    most then. With other optimisers than L-BFGS it is fifty evaluations. 0 takes all steps."""
    optimizer: Optimizer | Callable[[Tensor], Any] = "lbfgs"
    """"lbfgs", "adam", or a function that gives a `Descent` from its starting picture, (1, 3, H, W) in [0, 1]."""
    learning_rate: float | None = None
    """The optimiser's rate, above 0. The default is 1 for L-BFGS, where it scales the first step of each level, and
    0.02 for Adam, where it is about the change of a pixel in a step."""
    content_weight: float = CONTENT_WEIGHT
    """Alpha, the factor of the content term. The default is made for normalised targets."""
    style_weight: float = STYLE_WEIGHT
    """Beta, the factor of the style term."""
    strength: float = STRENGTH
    """How strongly the style shows, from 0, nearly the photograph, to 1, where the content hardly counts; equal steps
    look equally large. It multiplies the content weight by `content_factor`, and 0.5 leaves it as it is; above that the
    content that a run starts from is mixed with large-grained noise, the share `noise_share`. It needs content."""
    detail: float = 1.0
    """The share, from 0 to 1, of the content's own detail that each level adds to what the coarser one made: with less,
    what is small is painted rather than photographed. It counts for starts that are made of the content."""
    tv_weight: float = TV_WEIGHT
    """The weight of smoothness; 0 leaves it out."""
    tv_form: TvForm = "squared"
    """Which smoothness is meant, one of `TV_FORMS`."""
    temporal_weight: float = TEMPORAL_WEIGHT
    """The weight of staying near the temporal target."""
    laplacian_weight: float = 0.0
    """The weight of keeping the content's lines, such as eyes, mouths and edges, at the pixels; 0 leaves it out. It needs
    content, and follows its mask. 0.02 keeps a face."""
    octaves: int = 1
    """At how many sizes of the picture the style is matched at once, each half of the one before (`objective.octaves`), so
    that large forms hold beside fine strokes; at most as many as the targets have levels, on coarser levels as are left."""
    seed: int = 0
    """The seed of the noise."""
    tile: TileSize = "auto"
    """The edge in pixels of the tiles that each evaluation is cut into; None for whole pictures. "auto" takes what is
    cheapest in the memory there is; see `plan.make_plan`. Loss and gradient are the same but for rounding, which over
    many steps leads to another, equally good picture."""
    history_size: int = 10
    """The number of pairs that L-BFGS remembers, each two pictures of memory; fewer where memory is short."""
    padding: Padding | None = None
    """What the network sees beyond the picture's border, one of `PADDINGS`; the default is that of the content, or
    "zero". "circular" makes textures without seams, to be laid side by side; "panorama" closes on the left and right
    only."""
    memory: int | None = None
    """Bytes that may be used on the device beside filters and targets; the default is what is free there."""
    precision: Precision = "auto"
    """What numbers the convolutions work in, one of `PRECISIONS`; all else is float32. Where numbers leave the range of a
    lower precision, the run goes on in float32."""
    graphs: bool = True
    """Whether evaluations of whole pictures on NVIDIA cards are replayed from CUDA graphs, which holds the memory of one for
    all of a level."""
    checkpoint: Path | str | None = None
    """A file for the run's state, from which the same call goes on after a crash, to the last bit with the same device and
    number of threads; or a folder, where the file gets its name from what the run is. The last state stays there until
    someone who has kept the result deletes it (`Result.state`). It holds as much as L-BFGS remembers."""
    checkpoint_every: float = 60.0
    """The least time between two states in seconds; a run that ends early writes one all the same."""
    average: float = 0.0
    """The result of each level: 0 gives the best picture seen; anything above, to below 1, an average over the pictures of
    the descent, each of which weighs this much less than the next. 0.99 averages the last hundred or so, which evens out what
    Adam moves to and fro."""

    def __repr__(self) -> str:
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        other = {
            name: value
            for name, value in given.items()
            if type(value) is not type(DEFAULTS[name]) or value != DEFAULTS[name]
        }
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(value)}' for name, value in other.items())})"

    def __post_init__(self) -> None:
        if not callable(self.optimizer):
            check_choice("optimizer", self.optimizer, OPTIMIZERS)
        elif self.learning_rate is not None:
            raise InputError(
                f"learning_rate: expected none beside an optimizer of one's own, got {self.learning_rate!r}; give it there"
            )
        if not 0 < self.rate < math.inf:
            raise InputError(f"learning_rate: expected a finite number above 0, got {self.learning_rate!r}")
        if isinstance(self.history_size, bool) or not isinstance(self.history_size, int) or self.history_size < 1:
            raise InputError(f"history_size: expected a whole number of at least 1, got {self.history_size!r}")
        if isinstance(self.tile, str) and self.tile != "auto":
            raise InputError(f"tile: expected 'auto', None or a whole number of pixels, got {self.tile!r}")
        for name in ("content_weight", "style_weight", "tv_weight", "temporal_weight", "laplacian_weight"):
            check_weight(name, getattr(self, name))
        check_share("strength", self.strength)
        check_tolerance(self.tolerance)
        check_tolerance(self.average, "average")
        check_share("detail", self.detail)
        check_octaves(self.octaves)
        check_choice("tv_form", self.tv_form, TV_FORMS)
        check_choice("precision", self.precision, PRECISIONS)
        if self.padding is not None:
            check_choice("padding", self.padding, PADDINGS)

    @property
    def rate(self) -> float:
        """Give the learning rate: the optimiser's own where none was given."""
        own = 1.0 if callable(self.optimizer) else LEARNING_RATES[self.optimizer]
        return own if self.learning_rate is None else self.learning_rate

    @property
    def alpha(self) -> float:
        """Give the factor of the content term: the content weight as the strength changes it."""
        return self.content_weight * content_factor(self.strength)


def _brief(value: Any) -> str:
    """Show a value; of a picture, its width and height only."""
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"<picture of {shape[-1]} x {shape[-2]}>"


SETTINGS = tuple(field.name for field in fields(Settings))
"""The names of all settings."""
DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Settings)}
"""The default of each setting by its name."""

Quality = Literal["draft", "good", "final"]
QUALITIES: Mapping[Quality, Mapping[str, Any]] = {
    "draft": {"size": 320, "levels": "auto", "steps": 90, "precision": "auto"},
    "good": {"size": SIZE, "levels": "auto", "steps": DEFAULTS["steps"], "precision": DEFAULTS["precision"]},
    "final": {"size": 1024, "levels": "auto", "steps": 350, "precision": "float32"},
}
"""What each quality sets where nothing else is said; "good" is what the defaults are."""


def check_choice(what: str, value: object, known: Iterable[str]) -> None:
    """Raise InputError unless a value is one of the known ones; `what` names the argument."""
    known = tuple(known)
    if value not in known:
        raise InputError(f"{what}: expected one of {', '.join(known)}, got {value!r}")


def check_weight(what: str, value: float) -> None:
    """Raise InputError unless a weight is finite and at least 0; `what` names the argument."""
    if not 0 <= value < math.inf:
        raise InputError(f"{what}: expected a finite number of at least 0, got {value!r}")


def check_share(what: str, value: float) -> None:
    """Raise InputError unless a value is a number from 0 to 1; `what` names the argument."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise InputError(f"{what}: expected a number from 0 to 1, got {value!r}")


def check_tolerance(value: float, what: str = "tolerance") -> None:
    """Raise InputError unless a tolerance, or what else is named, is a number from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < 1:
        raise InputError(f"{what}: expected a number from 0 to below 1, got {value!r}")


def check_octaves(value: int) -> None:
    """Raise InputError unless a number of octaves is whole and at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"octaves: expected a whole number of at least 1, got {value!r}")


def content_factor(strength: float) -> float:
    """Give the factor that a strength puts on the content weight, as `STRENGTH_KNOTS` say."""
    above = next(index for index, (place, _) in enumerate(STRENGTH_KNOTS) if index and strength <= place)
    (low, at_low), (high, at_high) = STRENGTH_KNOTS[above - 1 : above + 1]
    share = (strength - low) / (high - low)
    return float(10 ** (at_low * (1 - share) + at_high * share))


def noise_share(strength: float) -> float:
    """Give the share of noise in a start that is made of the content: 0 up to the default strength, `LOOSEST` at 1."""
    return LOOSEST * max(0.0, strength - STRENGTH) / (1 - STRENGTH)


def _version() -> str:
    """Give the version of the package: what pyproject.toml beside it says, or else that of the installed distribution."""
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if project.is_file():
        found = re.search(r'^name = "gatys-style-transfer"\nversion = "(.+)"', project.read_text("utf-8"), re.MULTILINE)
        if found:
            return found[1]
    try:
        return metadata.version("gatys-style-transfer")
    except metadata.PackageNotFoundError:
        return "unknown"


__version__ = _version()
