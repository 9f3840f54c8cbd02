"""A film by one command: what is read and what is written, before its frames are painted."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..network.devices import find_device
from ..passes.layout import Size
from ..pictures.checks import size_of
from ..pictures.images import Picture, fit
from ..pictures.resampling import resize
from ..video.clip import Clip
from ..video.clip_writing import open_writer
from ..video.clips import open_clip
from ..video.distances import NEXT
from ..video.film_files import ANIMATIONS, CODECS, CONTAINERS, CRF, RATE
from ..video.video_writing import check_video
from .film_checks import check_film, check_pictures, is_file, is_folder
from .film_of_passes import FilmOfPasses
from .inputs import load_inputs
from .interrupts import CTRL_C
from .kept_film import KeptFilm
from .kept_passes import KeptPasses
from .network_and_style import NetworkAndStyle
from .painted_film import PaintedFilm
from .parsed import Options
from .picture_lists import find_pictures
from .preset_options import filled
from .record import check_filters, film_key
from .saving import default_name, free_path
from .session import Session

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
    folder = None if options.checkpoint is None else Path(options.checkpoint)
    key = film_key(options, net.tag, given.size)
    film: PaintedFilm
    if (options.passes or 1) > 1:
        film = FilmOfPasses(options, session, kept, net, given, clip, KeptPasses(folder, key))
    else:
        film = PaintedFilm(
            options, session, kept, net, given, clip, KeptFilm(folder, key, max(options.long_term or NEXT))
        )
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
