"""What a run keeps on its way, beside its result: the picture so far, a film of the descent, and its trace."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..descent.records import Progress, Result
from ..descent.time_lapse import frame_size, is_frame
from ..errors import ImageError, InputError
from ..network.vgg import VGG
from ..passes.layout import Size
from ..pictures.animation import check_animation, write_animation
from ..pictures.checks import size_of
from ..pictures.colors import keep_luminance
from ..pictures.images import write_image
from ..pictures.resampling import resize
from ..settings import rings
from .inputs import Inputs
from .option_checks import path_so_far
from .parsed import Options
from .saving import save_picture
from .session import Session
from .trace import Trace

log = logging.getLogger(__name__)

FRAMES = 50
"""About how many frames a film has where nobody says otherwise."""


def check_way(options: Options, session: Session) -> None:
    """Raise InputError, ImageError or MissingPackage where the run cannot keep what it is to keep, before long work."""
    for option, given in (("--save-every", options.save_every), ("--time-lapse", options.time_lapse)):
        if given is not None and session.shared:
            raise InputError(f"{option}: expected one process, got several; leave it out, or leave out torchrun")
    if options.time_lapse is not None:
        check_animation(options.time_lapse, "--time-lapse")


@contextmanager
def on_the_way(options: Options, out: str | Path, net: VGG, given: Inputs, session: Session) -> Iterator[OnTheWay]:
    """Yield what keeps all that is to be kept of one run, for as long as the run lasts.

    Args:
        options, given, session: those of the run.
        out: where its result goes.
        net: the network.
    """
    way = OnTheWay(options, out, net, given, session)
    try:
        yield way
    except BaseException as error:
        if way.trace is not None:
            way.trace.cut_short(error)
        raise
    finally:
        if way.film is not None:
            way.film.close()


class OnTheWay:
    """All that is kept of one run."""

    def __init__(self, options: Options, out: str | Path, net: VGG, given: Inputs, session: Session):
        self.so_far = None if options.save_every is None else SoFar(options, out, net, given, session)
        self.film = None if options.time_lapse is None else Film(options.time_lapse, options, given)
        self.trace = Trace(options.trace, options, net, given) if options.trace and session.first else None

    def follow(self, progress: Progress) -> None:
        """Keep what there is to keep of a step."""
        for each in (self.trace, self.film, self.so_far):
            if each is not None:
                each.follow(progress)

    def end(self, result: Result, *, interrupted: bool) -> list[str]:
        """Keep what a result adds, once that is saved; the picture so far, which it replaces, is deleted.

        Returns:
            Sentences on what cannot be written.
        """
        if self.so_far is not None:
            self.so_far.path.unlink(missing_ok=True)
        problems = []
        try:
            if self.film is not None:
                self.film.write(result)
        except ImageError as problem:
            problems.append(str(problem))
        try:
            if self.trace is not None:
                self.trace.write(result, interrupted=interrupted)
        except ImageError as problem:
            problems.append(str(problem))
        return problems


class SoFar:
    """The picture so far, in one file that each later one replaces."""

    def __init__(self, options: Options, out: str | Path, net: VGG, given: Inputs, session: Session):
        self.path = path_so_far(out)
        self._options, self._net, self._given, self._session = options, net, given, session
        self._last, self._failed = monotonic(), False

    def follow(self, progress: Progress) -> None:
        every = self._options.save_every
        assert every is not None  # noqa: S101 (what the maker has made sure of)
        due = progress.step % every.steps == 0 if every.steps else monotonic() - self._last >= every.seconds
        if not due or progress.step == progress.steps:  # the result follows
            return
        around = rings(self._options.padding)
        picture = progress.image
        image = self._session.place.resize(picture, size_of(picture), self._given.size, rings=around)
        made = image, progress.step, self._net.tag, self._given, self._options
        try:
            save_picture(self.path, *made, _write, overwrite=True)
        except ImageError as problem:
            if not self._failed:
                log.warning("the picture so far is not kept: %s", problem)
            self._failed = True
        else:
            self._failed = False
            self._session.kept = f"the picture of step {progress.step} is kept as {self.path}"
        self._last = monotonic()


class Film:
    """The frames of a descent: its start, some pictures so far, each enlarged to one size, and the result.

    They wait in a file without a name beside the film, so that they take no memory.
    """

    def __init__(self, path: str, options: Options, given: Inputs):
        self._path, self._options = path, options
        self._size = frame_size(given.size)
        coloured = given.content if options.keep_luminance else None
        self._content = None if coloured is None else resize(coloured.pixels, self._size)
        self._every = options.time_lapse_every or max(1, round(options.total_steps / FRAMES))
        self._file = tempfile.TemporaryFile(dir=Path(path).parent)  # noqa: SIM115 (closed by `close`)
        self._frames, self._failed = 0, False

    def follow(self, progress: Progress) -> None:
        if is_frame(progress, self._every) and not self._failed:
            try:
                self._keep(progress.image)
            except OSError as problem:
                log.warning("--time-lapse: frames can no longer be kept (%s); the film ends early", problem)
                self._failed = True

    def _keep(self, picture: Tensor) -> None:
        self._file.seek(self._frames * math.prod(self._size) * 3)
        self._file.write(self._frame(picture).tobytes())
        self._file.flush()
        self._frames += 1

    def _frame(self, picture: Tensor) -> np.ndarray:
        """Give a frame, uint8 (H, W, 3)."""
        picture = resize(picture.float().clamp(0, 1), self._size)
        if self._content is not None:
            picture = keep_luminance(picture, self._content)
        return (picture[0] * 255).round().permute(1, 2, 0).to("cpu", torch.uint8).numpy()

    def write(self, result: Result) -> None:
        """Write the film so far with the result as its last frame.

        Raises:
            ImageError: where that cannot be done.
        """
        try:
            self._keep(result.image)
            frames = np.memmap(self._file, np.uint8, "r", shape=(self._frames, *self._size, 3))
        except OSError as problem:
            raise ImageError(f"--time-lapse: {self._path!r} cannot be written ({problem}); free space") from problem
        write_animation(self._path, frames)
        log.info("saved a film of %d frames as %s", self._frames, self._path)

    def close(self) -> None:
        self._file.close()


def _write(path: Path, image: Tensor, size: Size, **how: Any) -> None:
    """Write a picture as `Session.save` does, but nowhere else where that fails, since another one follows."""
    write_image(path, image, **how)
