"""The arguments of `optimize_frames`: how frames hang together, as one checked value with a field for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from ..descent.records import Progress
from ..errors import InputError
from ..objective.term import Term
from ..pictures.conversion import AnyPicture
from ..settings import Settings
from .distances import NEXT, check_distances
from .film_flow import AnyFlow
from .film_style import FilmStyle
from .past import Masks, Warped


class Results(Protocol):
    """Where results are kept, (1, 3, H, W) each, by the number of their frame."""

    def __getitem__(self, index: int, /) -> Tensor: ...

    def __setitem__(self, index: int, result: Tensor, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class FilmArguments(Settings):
    """The arguments of `optimize_frames` beside the network and the frames.

    Of the settings, `init` is where a frame without a past starts: a picture (1, 3, H, W) is for the first frame, such as
    the last result of the film's previous part; later frames without a past then start from their content. `steps` are
    those of a frame without a past. `checkpoint` is a folder, from which a film that was cut short takes its finished
    frames and goes on with the one that was not.
    """

    style: FilmStyle = None
    """The style to paint in, the same for all frames. Or keyframes: pairs of a frame's number and its style, in order, such
    as [(0, wave), (48, starry)], between which the blend moves in a straight line (`blend_styles`); before the first
    and after the last there is that one. Or a function that gives the style of a frame by its number."""
    later_steps: int | None = None
    """The evaluations of a frame that starts from its past. By default so many that it takes at most a quarter of the time
    of a frame without one, whose `steps` are mostly at coarser levels: 8 for 200 steps at 512 pixels, 13 at 256. A part of
    their arithmetic goes to coarser levels where there is new ground."""
    warm_start: bool = True
    """Whether a frame starts from its past; False starts each as the first one, held together by the temporal term
    alone."""
    warped: Warped | None = None
    """The last frame's result moved along with the scene. A function of the frame's index (from 1) and that result,
    (1, 3, H, W) in [0, 1]; or pictures made beforehand, one for each frame, or for each but the first. They may be of any
    size, and None where there is none: then the last result is taken as it is, and trusted where the frames themselves
    agree (`agreement`). That is right where the camera stands still."""
    occlusion: Masks | None = None
    """The places where the past is wrong, since the scene was hidden before or has changed: 1 there, 0 elsewhere, (H,
    W) or (1, 1, H, W), of any size. It is a function of the frame's index, or masks like the pictures of `warped`, or a
    single one for all frames. It takes the place of `agreement`."""
    flow: AnyFlow | None = None
    """How the scene moves, for a camera that moves: the last result is moved along with it and takes the place of
    `warped`, and `occlusion_mask` says where it is not to be trusted. A method of `optical_flow`, such as "auto"; a
    function, as there; or a `FilmFlow` of the film, or its `back` alone. New ground, which was hidden before or comes in at
    the border, starts as `init` says of a frame without a past: by "auto", from the content in the style's colours. From
    noise, it starts as it is; else with what painting has changed at the place that the flow points at, if that is within
    the picture."""
    long_term: Sequence[int] = NEXT
    """How many frames before a frame is held to, such as (1, 2, 4): what was hidden for some frames comes back as it was.
    Each counts only where no nearer one is to be trusted; see `past.past_of`. A `FilmFlow` must tell of these
    distances."""
    passes: int = 1
    """How often the film is made: forward, back, forward, ... (Ruder, Dosovitskiy and Brox, 2016, section 4.4). In each
    further pass a frame starts from its own result, half and half with the one that this pass has made just before, moved
    along, where that is to be trusted; is held to that; and takes `later_steps`. So what is seen later reaches earlier
    frames, too. The frames are read again for each: `content` is then a batch or a sequence, of targets for one picture
    each, and a `FilmFlow` tells both ways. `anchor_every` is about the first pass."""
    results: Results | None = None
    """Where several passes keep the result of each frame, by its number: anything with `[]` to read and to write, such as
    a dict, which is what None makes. What it gives back is what the others start from."""
    done: int = 0
    """The frames that are made already, over all passes, where a film of several passes goes on; `results` has them."""
    previous: tuple[AnyPicture, AnyPicture] | Sequence[tuple[AnyPicture, AnyPicture]] | None = None
    """The frame before the first one and its result, where a film goes on that was cut short; or for `long_term` several
    such pairs, the last one at the end. None where it begins."""
    first_index: int = 0
    """The number of the first frame, where a film goes on: anchors, functions, the callback and notes count by it."""
    anchor_every: int = 0
    """The distance of frames at which the past is forgotten, against drift (artistic-videos, issue 59), at the price of
    a visible change there; 0 is never."""
    terms: Sequence[Term] = ()
    """Further terms of the loss."""
    settings: Settings | None = None
    """Settings as one value; arguments given beside them take their place."""
    callback: Callable[[Progress, int], None] | None = None
    """A function that is called with a `Progress` and the frame's index after each evaluation; frames of further passes
    count on: the first frame of the second pass over N has N. StopIteration ends the film early; what is there so far is
    returned. Any other exception is passed on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.anchor_every, bool) or not isinstance(self.anchor_every, int) or self.anchor_every < 0:
            raise InputError(f"anchor_every: expected a whole number of at least 0, got {self.anchor_every!r}")
        if isinstance(self.first_index, bool) or not isinstance(self.first_index, int) or self.first_index < 0:
            raise InputError(f"first_index: expected a whole number of at least 0, got {self.first_index!r}")
        later = self.later_steps
        if later is not None and (isinstance(later, bool) or not isinstance(later, int) or later < 1):
            raise InputError(f"later_steps: expected a whole number of at least 1, got {later!r}")
        object.__setattr__(self, "long_term", check_distances(self.long_term, "long_term"))
        if isinstance(self.passes, bool) or not isinstance(self.passes, int) or self.passes < 1:
            raise InputError(f"passes: expected a whole number of at least 1, got {self.passes!r}")
        if self.passes == 1 and (self.done or self.results is not None):
            raise InputError(
                "done, results: expected several passes, which they are for, got one; where that goes on, give previous and "
                "first_index"
            )
        folder = self.checkpoint
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"checkpoint: expected a folder, with a file for each frame, got {str(folder)!r}; make it")
