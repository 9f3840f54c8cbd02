"""The painting of a film: its frames in order, each held to the one before it, and written as they are done."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from ..descent import course
from ..descent.arguments import settings_of
from ..descent.records import Progress
from ..errors import ImageError, InputError
from ..network.vgg import VGG
from ..passes.layout import WHOLE
from ..pictures.colors import keep_luminance
from ..pictures.images import Picture
from ..pictures.resampling import resize
from ..targets.targets import ContentTarget, StyleTarget
from ..video.clip import Clip, ClipFrame
from ..video.clip_writing import ClipWriter
from ..video.distances import NEXT
from ..video.film_results import FilmFrame
from ..video.film_style import Keyframes
from ..video.flow import flow_function
from ..video.frames import iterate_frames
from ..video.larger_flow import LargerFlow
from .console import Bar, interruptible, tell
from .film_progress import FilmBar
from .inputs import Inputs
from .interrupts import CTRL_C, INTERRUPTED
from .kept_film import KeptFilm, exact
from .network_and_style import NetworkAndStyle
from .parsed import Options
from .record import film_record, record_files
from .session import Session, how_to_go_on
from .trace import Trace

log = logging.getLogger(__name__)


@contextmanager
def _few_plans() -> Iterator[None]:
    """Let the first two frames log how they are planned: the others are planned as the second."""
    count = 0

    def few(record: logging.LogRecord) -> bool:
        nonlocal count
        plan = getattr(record, course.PLAN, False)
        count += plan
        return not plan or count <= 2

    courses = logging.getLogger(course.__name__)
    courses.addFilter(few)
    try:
        yield
    finally:
        courses.removeFilter(few)


class PaintedFilm:
    """The painting of one film.

    Args:
        options, session, kept, net, given: those of the run; `given` is about the first frame.
        clip: the film.
        done: what is there of it already.
    """

    writer: ClipWriter

    def __init__(
        self,
        options: Options,
        session: Session,
        kept: NetworkAndStyle,
        net: VGG,
        given: Inputs,
        clip: Clip,
        done: Any,
    ):
        self._options, self._session, self._kept, self._net = options, session, kept, net
        self._given, self._clip = given, clip
        self._done: KeptFilm = done
        self._frame: tuple[ClipFrame, Tensor] | None = None
        self._flow: LargerFlow | None = None
        self._distances = tuple(options.long_term or NEXT)
        self._interrupted, self._notes = False, list[str]()
        trace = options.trace
        self._trace = None if trace is None else Trace(trace, options, net, given, record_files(options))

    def make(self, out: Path) -> int:
        """Paint and write the film; give the exit code."""
        began = time.monotonic()
        try:
            asked = self._paint()
            CTRL_C.hold()  # what is made is saved
            if not self.writer.count:
                raise KeyboardInterrupt
            size = self._given.size
            record = "" if self._options.strip else film_record(self._options, self._net.tag, self._done.steps, size)
            self.writer.finish(whole=self._whole, comment=record)
        except BaseException as error:
            self.writer.abandon()
            self._session.kept = self.writer.left if self.writer.count else ""
            if self._trace is not None:
                self._trace.cut_short(error)
            raise
        self._session.kept = f"the film is saved as {out}"
        self._tell(out, time.monotonic() - began)
        if self._trace is not None:
            self._trace.write_film(self._notes, interrupted=self._interrupted)
        return INTERRUPTED if asked or CTRL_C.came else 0

    def _tell(self, out: Path, seconds: float) -> None:
        """Say what was made."""
        if self._interrupted:
            log.info(how_to_go_on(self._options) or "without a --checkpoint, the same command begins anew")
        else:
            self._done.clear()
        frames = f"{self.writer.count} frame{'s' * (self.writer.count != 1)}"
        if self._interrupted:
            frames = self._came_to
        height, width = self._given.size
        tell(f"{out}: {width} x {height}, {frames}, {self._done.steps} steps, {seconds:.1f} s")

    @property
    def _whole(self) -> bool:
        """Tell whether the film comes to its end."""
        return not self._interrupted

    @property
    def _came_to(self) -> str:
        """Say how far the film came."""
        of = "" if self._clip.count is None else f" of about {self._clip.count}"
        return f"interrupted after {self.writer.count}{of} frames"

    def _paint(self) -> bool:
        """Paint the frames that are left, and write all; tell whether Ctrl-C came."""
        options = self._options
        style = self._style()
        settings = settings_of(options) | {"init": self._given.start, "anchor_every": options.anchor_every}
        self._flow = self._find_flow()
        settings |= {"later_steps": options.later_steps, "flow": self._flow, "long_term": self._distances}
        terminable = options.checkpoint is not None
        with (
            _few_plans(),
            interruptible(terminable, saves="the film so far") as interruption,
            FilmBar(options.quiet, self._turns, self._done.count, options.later_steps) as bar,
        ):
            planned = 0

            def follow(progress: Progress, index: int) -> None:
                nonlocal planned
                planned = progress.steps
                if self._trace is not None:
                    self._trace.follow(progress, index)
                bar.step(progress, index)
                if interruption.asked:
                    raise StopIteration

            frames, where = self._begin(interruption)
            bar.total = self._turns
            settings |= where | {"callback": follow}
            for made in iterate_frames(self._net, frames, style=style, **settings):
                if made.stopped and len(made.history) < planned:
                    self._interrupted = True
                    break
                self._keep(made)
                if interruption.asked:
                    self._interrupted = self._turns is None or self._done.count < self._turns
                    break
            self._write_all()
            bar.update(self._done.count - bar.n)
        return interruption.asked

    def _write_all(self) -> None:
        """Write what was not written as it was done."""

    @property
    def _turns(self) -> int | None:
        """Give about how many frames are painted; None where nobody knows."""
        return self._clip.count

    def _begin(self, interruption: Any) -> tuple[Any, dict[str, Any]]:
        """Give the frames that are left to `iterate_frames`, and where it goes on."""
        frames = self._frames()
        previous = self._written(frames)
        return self._targets(frames), {"previous": previous, "first_index": self._done.count}

    def _style(self) -> Any:
        if self._options.style_at is not None:
            keys = Keyframes(list(zip(self._options.style_at, self._each_style(), strict=True)))
            return lambda index: keys.at(float(self._clip.cut.first + self._time_of(index)))
        options, style = self._options, self._kept.style(self._net, self._given, self._options, WHOLE)
        if options.save_style is not None and isinstance(style, StyleTarget):
            style.save(options.save_style, overwrite=options.overwrite_style, thumbnail=self._given.thumbnail)
            log.info("saved the style as %s", options.save_style)
        return style

    def _each_style(self) -> Iterator[Any]:
        """Give the styles one by one, in the order of `--style-at`."""
        given, options = self._given, self._options
        for picture in given.pictures:
            one = replace(given, pictures=[picture], loaded=[])
            yield self._kept.style(self._net, one, replace(options, load_style=()), WHOLE)
        for path, loaded in zip(options.load_style, given.loaded, strict=True):
            one = replace(given, pictures=[], loaded=[loaded])
            yield self._kept.style(self._net, one, replace(options, load_style=(path,)), WHOLE)

    def _time_of(self, index: int) -> Fraction:
        """Give when a frame is shown; it is the one that was read last."""
        assert self._frame is not None  # noqa: S101 (its target was given)
        return self._frame[0].time

    def _find_flow(self) -> LargerFlow | None:
        """Give the function of the flow, before long work; None for none."""
        if self._options.flow == "none":
            return None
        with Bar("flow", self._options.quiet, unit="B", unit_scale=True, delay=0.1) as bar:
            return LargerFlow(flow_function(self._options.flow or "auto", progress=bar.reach), max(self._distances))

    def _painted(self, frame: ClipFrame) -> Tensor:
        """Give the picture of a frame in the size that is painted; the flow learns of it."""
        pixels = resize(frame.pixels, self._given.size)
        if self._flow is not None:
            self._flow.know(pixels, frame.pixels)
        return pixels

    def _written(self, frames: Iterator[ClipFrame]) -> list[tuple[Tensor, Tensor]] | None:
        """Write the frames that are done already; give the last ones with their results, or None."""
        last = deque[ClipFrame](maxlen=len(self._done.results))
        for picture in self._done.pictures():
            frame = next(frames, None)
            if frame is None:
                raise InputError("--checkpoint: it holds more frames than the film has; give another folder")
            self.writer.add(picture, frame)
            last.append(frame)
        if not last:
            return None
        log.info("going on at frame %d", self._done.count)
        return [(self._painted(frame), result) for frame, result in zip(last, self._done.results, strict=True)]

    def _frames(self) -> Iterator[ClipFrame]:
        """Read the frames; an error says what there is of the film."""
        try:
            yield from self._clip
        except ImageError as problem:
            left = f"; {self.writer.left}" if self.writer.count else ""
            raise ImageError(f"{problem}{left}") from problem

    def _targets(self, frames: Iterator[ClipFrame]) -> Iterator[ContentTarget]:
        for frame in frames:
            pixels = self._painted(frame)
            self._frame = frame, pixels
            yield self._target(pixels)

    def _target(self, pixels: Tensor) -> ContentTarget:
        given = replace(self._given, content=Picture(pixels, None))
        target = self._kept.content(self._net, given, self._options, WHOLE)
        assert target is not None  # noqa: S101 (there is a content)
        return target

    def _keep(self, made: FilmFrame) -> None:
        """Write a frame that is done."""
        assert self._frame is not None  # noqa: S101 (its target was given)
        frame, pixels = self._frame
        self._note(made)
        image = self._shown(made.image.detach().cpu(), pixels)
        self.writer.add(image, frame)
        self._done.keep(image, made.image, len(made.history), made.state)

    def _note(self, made: FilmFrame) -> None:
        for note in made.notes:
            log.warning("frame %d: %s", made.index, note)
            self._notes.append(f"frame {made.index}, {note}")

    def _shown(self, image: Tensor, pixels: Tensor) -> Tensor:
        """Give a result as it is written into the film."""
        return exact(keep_luminance(image.clamp(0, 1), pixels) if self._options.keep_luminance else image)
