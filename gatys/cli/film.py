"""A film by one command: its frames are painted in order, each held to the one before it, and written as they are done."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..descent import course
from ..descent.arguments import settings_of
from ..descent.records import Progress
from ..errors import ImageError, InputError
from ..network.devices import find_device
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Size
from ..pictures.checks import size_of
from ..pictures.colors import keep_luminance
from ..pictures.images import Picture, fit
from ..pictures.resampling import resize
from ..targets.targets import ContentTarget, StyleTarget
from ..video.clip import Clip, ClipFrame
from ..video.clip_writing import ClipWriter, open_writer
from ..video.clips import open_clip
from ..video.film_files import ANIMATIONS, CODECS, CONTAINERS, CRF, RATE
from ..video.flow import flow_function
from ..video.frames import LATER_STEPS, FilmFrame, iterate_frames
from ..video.larger_flow import LargerFlow
from ..video.video_writing import check_video
from .console import Bar, interruptible, tell
from .film_checks import check_film, check_pictures, is_file, is_folder
from .film_progress import FilmBar
from .inputs import Inputs, load_inputs
from .interrupts import CTRL_C, INTERRUPTED
from .kept_film import KeptFilm, exact
from .network_and_style import NetworkAndStyle
from .parsed import Options
from .picture_lists import find_pictures
from .preset_options import filled
from .record import check_filters, film_key, film_record, record_files
from .saving import default_name, free_path
from .session import Session, how_to_go_on
from .trace import Trace

log = logging.getLogger(__name__)


def paint_film(options: Options, session: Session, kept: NetworkAndStyle) -> int:
    """Paint a film and write it; give the exit code.

    Raises:
        InputError: for options that make no sense, before anything is written.
        ImageError: for films that cannot be read, and where the disk refuses.
        CheckpointError: for a folder with another film.
        WeightsError: where filters cannot be loaded.
    """
    CTRL_C.work()
    session.kept = ""
    check_film(options, shared=session.shared)
    device = find_device(options.device, "--device")
    clip, named = _find_clip(options)
    out = Path(options.out) if options.out is not None else free_path(default_name(options, _suffix(options)))
    codec = options.codec or CODECS[0]
    sound, video = not options.no_sound, is_file(out) and out.suffix.lower() in CONTAINERS
    if video:
        check_video(out, codec, clip, sound=sound)
    log.info(_told(clip, sound=sound and video))
    first = next(iter(clip)).pixels
    even = video and codec == "h264"
    given = load_inputs(replace(options, strip=True), device, _FirstFrame(options.content, first, even))
    assert given.content is not None  # noqa: S101 (what a film has)
    given = replace(given, size=size_of(given.content.pixels))
    options = filled(options, given.size)
    CTRL_C.check()
    net = kept.network(options, device)
    check_filters(options.expected_filters, net.tag)
    CTRL_C.check()
    how: dict[str, Any] = {"codec": codec, "crf": CRF if options.crf is None else options.crf, "sound": sound}
    done = KeptFilm(
        None if options.checkpoint is None else Path(options.checkpoint), film_key(options, net.tag, given.size)
    )
    film = _Film(options, session, kept, net, given, clip, done)
    film.writer = open_writer(out, clip, named=named, depth=options.depth or 8, **how)
    return film.make(out)


def _find_clip(options: Options) -> tuple[Clip, bool]:
    """Open the film, and tell whether its frames are pictures of different names."""
    cut: dict[str, Any] = {"start": options.start or 0.0, "end": options.end, "every": options.every or 1}
    if not is_folder(options):
        check_pictures(options, (), named=False)
        return open_clip(options.content, **cut), False
    pictures = find_pictures(options.content, in_order=True) or []
    named = len({path.stem for path in pictures}) == len(pictures)
    check_pictures(options, pictures, named=named)
    return open_clip(options.content, **cut, frames=pictures, rate=options.fps or RATE), named


def _suffix(options: Options) -> str:
    """Give the suffix of a film that has no name."""
    suffix = Path(options.content).suffix.lower()
    return suffix if suffix in ANIMATIONS else CONTAINERS[0]


def _told(clip: Clip, *, sound: bool) -> str:
    """Give a line about the film."""
    words = [f"{clip.size[1]} x {clip.size[0]}", f"{float(clip.rate):.4g} frames a second"]
    words += [] if clip.count is None else [f"about {clip.count} frames"]
    if clip.sound:
        words.append(f"sound ({', '.join(clip.sound)}) {'is copied' if sound else 'is left out'}")
    return f"film: {', '.join(words)}"


@contextmanager
def _few_plans() -> Iterator[None]:
    """Let the first two frames log how they are planned: the others are planned as the second."""
    count = 0

    def few(record: logging.LogRecord) -> bool:
        nonlocal count
        plan = str(record.msg).startswith("plan: ")
        count += plan
        return not plan or count <= 2

    courses = logging.getLogger(course.__name__)
    courses.addFilter(few)
    try:
        yield
    finally:
        courses.removeFilter(few)


class _FirstFrame(Session):
    """A session in which CONTENT is the first frame of a film.

    Args:
        content: the path of the film.
        first: the frame.
        even: whether its edges are made even, as h264 needs them.
    """

    def __init__(self, content: str, first: Tensor, even: bool):
        self._content, self._first, self._even = content, first, even

    def load(self, path: str, size: Any = None) -> Picture:
        if path != self._content:
            return super().load(path, size)
        whole = size_of(self._first)
        edge = max(whole) if size is None else size(whole) if callable(size) else size
        return Picture(resize(self._first, self._fitted(whole, edge)), None)

    def _fitted(self, whole: Size, edge: int) -> Size:
        width, height = fit(whole[1], whole[0], edge)
        return (max(2, height // 2 * 2), max(2, width // 2 * 2)) if self._even else (height, width)


class _Film:
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
        done: KeptFilm,
    ):
        self._options, self._session, self._kept, self._net = options, session, kept, net
        self._given, self._clip, self._done = given, clip, done
        self._frame: tuple[ClipFrame, Tensor] | None = None
        self._flow: LargerFlow | None = None
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
            self.writer.finish(whole=not self._interrupted, comment=record)
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
            of = "" if self._clip.count is None else f" of about {self._clip.count}"
            frames = f"interrupted after {self.writer.count}{of} frames"
        height, width = self._given.size
        tell(f"{out}: {width} x {height}, {frames}, {self._done.steps} steps, {seconds:.1f} s")

    def _paint(self) -> bool:
        """Paint the frames that are left, and write all; tell whether Ctrl-C came."""
        options = self._options
        style = self._style()
        settings = settings_of(options) | {"init": self._given.start, "anchor_every": options.anchor_every}
        self._flow = self._find_flow()
        settings |= {"later_steps": options.later_steps, "flow": self._flow}
        later = options.later_steps or max(1, round(LATER_STEPS * options.total_steps))
        terminable = options.checkpoint is not None
        with (
            _few_plans(),
            interruptible(terminable, saves="the film so far") as interruption,
            FilmBar(options.quiet, self._clip.count, self._done.count, later) as bar,
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

            frames = self._frames()
            settings |= {"previous": self._written(frames), "first_index": self._done.count, "callback": follow}
            for made in iterate_frames(self._net, self._targets(frames), style=style, **settings):
                if made.stopped and len(made.history) < planned:
                    self._interrupted = True
                    break
                self._keep(made)
                if interruption.asked:
                    self._interrupted = self._clip.count is None or self.writer.count < self._clip.count
                    break
            bar.update(self.writer.count - bar.n)
        return interruption.asked

    def _style(self) -> Any:
        options, style = self._options, self._kept.style(self._net, self._given, self._options, WHOLE)
        if options.save_style is not None and isinstance(style, StyleTarget):
            style.save(options.save_style, overwrite=options.overwrite_style, thumbnail=self._given.thumbnail)
            log.info("saved the style as %s", options.save_style)
        return style

    def _find_flow(self) -> LargerFlow | None:
        """Give the function of the flow, before long work; None for none."""
        if self._options.flow == "none":
            return None
        with Bar("flow", self._options.quiet, unit="B", unit_scale=True, delay=0.1) as bar:
            return LargerFlow(flow_function(self._options.flow or "auto", progress=bar.reach))

    def _painted(self, frame: ClipFrame) -> Tensor:
        """Give the picture of a frame in the size that is painted; the flow learns of it."""
        pixels = resize(frame.pixels, self._given.size)
        if self._flow is not None:
            self._flow.know(pixels, frame.pixels)
        return pixels

    def _written(self, frames: Iterator[ClipFrame]) -> tuple[Tensor, Tensor] | None:
        """Write the frames that are done already; give the last one with its result, or None."""
        frame = None
        for picture in self._done.pictures():
            frame = next(frames, None)
            if frame is None:
                raise InputError("--checkpoint: it holds more frames than the film has; give another folder")
            self.writer.add(picture, frame)
        if frame is None or self._done.result is None:
            return None
        log.info("going on at frame %d", self._done.count)
        return self._painted(frame), self._done.result

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
            given = replace(self._given, content=Picture(pixels, None))
            target = self._kept.content(self._net, given, self._options, WHOLE)
            assert target is not None  # noqa: S101 (there is a content)
            yield target

    def _keep(self, made: FilmFrame) -> None:
        """Write a frame that is done."""
        assert self._frame is not None  # noqa: S101 (its target was given)
        frame, pixels = self._frame
        for note in made.notes:
            log.warning("frame %d: %s", made.index, note)
            self._notes.append(f"frame {made.index}, {note}")
        image = made.image.detach().cpu()
        if self._options.keep_luminance:
            image = keep_luminance(image.clamp(0, 1), pixels)
        image = exact(image)
        self.writer.add(image, frame)
        self._done.keep(image, made.image, len(made.history), made.state)
