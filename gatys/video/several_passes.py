"""A film that is made in several passes, forward and back: its frames, which are read again, and what is kept of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor

from ..errors import InputError
from ..targets.targets import ContentTarget
from .film_arguments import FilmArguments, Results
from .film_flow import FilmFlow
from .past import Frame


@dataclass(frozen=True, eq=False)
class Turn:
    """The making of a frame in one of the passes."""

    number: int
    """Its number over all passes."""
    index: int
    """The number of the frame."""
    pass_index: int
    """The number of the pass, from 0."""
    content: ContentTarget
    own: Tensor | None = None
    """The frame's result of the pass before."""

    @property
    def way(self) -> int:
        """Give 1 in a pass forward and -1 in one back."""
        return way_of(self.pass_index)


def way_of(pass_index: int) -> int:
    """Give 1 for a pass forward and -1 for one back."""
    return -1 if pass_index % 2 else 1


def latest_pass(done: int, count: int, index: int) -> int:
    """Give the number of the pass that has last made a frame, where so many turns of a film of `count` frames are done."""
    pass_index, place = divmod(done, count)
    made = index < place if way_of(pass_index) > 0 else index >= count - place
    return pass_index if made else pass_index - 1


class _Frames(Protocol):
    """Frames that can be read again."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> ContentTarget: ...


class WholeFilm:
    """A film of which every frame can be read again.

    Args:
        content: as `optimize_frames` takes it.
        told: its arguments.

    Raises:
        InputError: for frames that can be read once only, and for what tells of the frame before alone.
    """

    def __init__(self, content: ContentTarget | Iterable[ContentTarget], told: FilmArguments):
        frames = content.pictures() if isinstance(content, ContentTarget) else content
        if not (hasattr(frames, "__len__") and hasattr(frames, "__getitem__")):
            raise InputError(
                f"content: {told.passes} passes read each frame again, got {type(content).__name__}, which is read once; give "
                "a batch or a sequence"
            )
        self._frames = cast(_Frames, frames)
        self.count = count_of(content)
        for name in ("warped", "occlusion", "previous", "first_index"):
            given = getattr(told, name)
            if given is not None and (name != "first_index" or given):
                raise InputError(
                    f"{name}: expected none with {told.passes} passes, which go back, too; leave it out, or give one pass"
                )
        if isinstance(told.flow, Tensor) or (isinstance(told.flow, FilmFlow) and not _both_ways(told.flow)):
            raise InputError(f"flow: expected one both ways for {told.passes} passes, got one way; give ahead, too")
        total = self.count * told.passes
        if isinstance(told.done, bool) or not isinstance(told.done, int) or not 0 <= told.done < max(1, total):
            raise InputError(
                f"done: expected a whole number below {total}, the frames of all passes, got {told.done!r}"
            )
        if told.done and told.results is None:
            raise InputError("done: expected results with it, of the frames that are made; give both, or neither")
        self.results: Results = {} if told.results is None else told.results

    def turns(self, pass_index: int, done: int) -> Iterator[Turn]:
        """Give the turns of a pass that are left.

        Args:
            pass_index: the number of the pass.
            done: the number of its frames that are made.
        """
        for place in range(done, self.count):
            index = self._at(pass_index, place)
            own = self.results[index] if pass_index else None
            yield Turn(pass_index * self.count + place, index, pass_index, self._read(index), own)

    def before(self, pass_index: int, done: int, most: int) -> list[Frame]:
        """Give the last frames that a pass has made, up to so many."""
        indices = [self._at(pass_index, place) for place in range(max(0, done - most), done)]
        return [Frame(self._read(index).image, self.results[index]) for index in indices]

    def _at(self, pass_index: int, place: int) -> int:
        return place if way_of(pass_index) > 0 else self.count - 1 - place

    def _read(self, index: int) -> ContentTarget:
        frame = self._frames[index]
        if not isinstance(frame, ContentTarget) or frame.image.shape[0] != 1:
            got = f"{frame.image.shape[0]} pictures" if isinstance(frame, ContentTarget) else type(frame).__name__
            raise InputError(
                f"content: expected a ContentTarget of one picture for each frame, got {got} as frame {index}; give one each"
            )
        return frame


def count_of(content: object) -> int:
    """Give the number of frames of what can be read again."""
    return content.image.shape[0] if isinstance(content, ContentTarget) else len(cast(_Frames, content))


def _both_ways(flow: FilmFlow) -> bool:
    return all(each.ahead is not None for each in (flow, *flow.farther.values()))


def pairs_of(given: object) -> Sequence[object]:
    """Give the pairs of `previous`: those of a sequence, or a single one."""
    if isinstance(given, Sequence) and given and all(isinstance(each, (tuple, list)) for each in given):
        return given
    return [given]
