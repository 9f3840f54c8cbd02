"""The style matched at several sizes of the picture at once: large forms and strokes in one objective.

    E = 1/n * sum_{o=0}^{n-1} E_style(D^o x, level l + o of the style)

D halves the picture x as the levels of targets are halved, and the gradient of each octave o is pulled back through it
(Snelgrove, *High-Resolution Multi-Scale Neural Texture Synthesis*, SIGGRAPH Asia 2017 Technical Briefs; Gonthier, Gousseau
and Ladjal, *High-Resolution Neural Texture Synthesis with Long-Range Constraints*, JMIV 2022). Octave 0 is the picture
itself, and stands among the other terms of an objective; the further ones are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy

from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer, minimum_size
from ..network.vgg import VGG
from ..passes.layout import Layout
from ..pictures.reduction import Reduction
from ..settings import Padding, check_octaves, rings
from ..targets.levels import level_size, levels_with_room
from ..targets.regions import AnyStyle, every_style
from .losses import Values
from .style_term import StyleTerm
from .two_passes import TwoPasses


class Octaves:
    """The style terms of a picture in smaller sizes.

    Args:
        net: the network.
        style: the style, which has levels enough; None for none.
        octaves: the number of sizes, with that of the picture itself.
        level: the level of the picture itself.
        place: where the pictures lie.
        padding: what convolutions see beyond the border.
        weight: the factor of the style term.

    Raises:
        InputError: for a number that is none, or larger than the levels of the style allow.
    """

    def __init__(
        self, net: VGG, style: AnyStyle | None, octaves: int, level: int, place: Layout, padding: Padding, weight: float
    ):
        check_octaves(octaves)
        if style is not None:
            check_levels(octaves, style.levels - level)
        self.share = 1 / octaves
        """The factor of each octave."""
        self._place, self._padding = place, padding
        self._each = [
            [StyleTerm(region, level + octave, net.mean, place, weight, self.share) for region in every_style(style)]
            for octave in range(1, octaves if style is not None else 1)
        ]
        wanted = () if style is None else style.layers
        self._layers: Mapping[str, Layer] = {name: layer for name, layer in net.layers.items() if name in wanted}
        self._size: tuple[int, int] | None = None

    @property
    def terms(self) -> list[StyleTerm]:
        """Give the terms of all octaves."""
        return [term for terms in self._each for term in terms]

    def only(self, layer: str) -> Octaves:
        """Give the same with one layer alone; with none of that name there is nothing left."""
        one = copy(self)
        one._each = [[term.alone(layer) for term in terms if layer in term.layers] for terms in self._each]
        seen = {name for term in one.terms for name in term.layers}
        one._layers = {name: found for name, found in self._layers.items() if name in seen}
        one._each = one._each if seen else []
        return one

    def prepare(self, image: Tensor, size: tuple[int, int]) -> None:
        """Get ready for pictures like `image`, the rows here of one of `size` (height, width)."""
        if not self._each or size == self._size:
            return
        room = levels_with_room(len(self._each) + 1, size, self._layers.values())
        if room <= len(self._each):
            need = minimum_size(self._layers.values())
            raise InputError(
                f"octaves: {len(self._each) + 1} make this picture of {size[1]} x {size[0]} pixels smaller than the {need} "
                f"pixels that the layers of the style need; use at most {room}"
            )
        self._sizes = [level_size(size, octave) for octave in range(len(self._each) + 1)]
        around = rings(self._padding)
        self._reductions: list[Reduction] = []
        for larger, smaller, terms in zip(self._sizes, self._sizes[1:], self._each, strict=False):
            self._reductions.append(self._place.reduction(larger, smaller, image, rings=around))
            for term in terms:
                term.prepare(smaller)
        self._size = size

    def evaluate(
        self,
        image: Tensor,
        passes: Callable[[Sequence[StyleTerm], list[str]], TwoPasses],
        tile: int | tuple[int, int] | None,
        *,
        keep: bool,
    ) -> tuple[Values, Tensor | None]:
        """Give the values of all octaves, keyed by the index in `terms`, and their gradient in the picture.

        Args:
            image: the rows here of the picture, (N, 3, h, W).
            passes: gives the passes for some terms, which look at some layers.
            tile, keep: as for `Objective.terms`.
        """
        if not self._each:
            return {}, None
        place, used = self._place, list(self._layers.values())
        pictures = [image]
        for reduction in self._reductions:
            pictures.append(reduction.reduce(pictures[-1]))
        values: Values = {}
        pulled: Tensor | None = None
        first = len(self.terms)
        for terms, reduction, size in zip(self._each[::-1], self._reductions[::-1], self._sizes[:0:-1], strict=True):
            field = place.around(pictures.pop(), size, used, self._padding)
            gradient = field.new_zeros(field.shape)
            parts = place.parts(size, tile, used, self._padding)
            found, _ = passes(terms, list(self._layers)).over(field, parts, gradient, place.team, keep=keep)
            first -= len(terms)
            values |= {(first + index, name): value for (index, name), value in found.items()}
            gradient = place.collect(gradient, size, used, self._padding)
            pulled = reduction.pull(gradient if pulled is None else gradient.add_(pulled))
        return values, pulled


def check_levels(octaves: int, levels: int) -> None:
    """Raise InputError unless there are as many levels as octaves."""
    if octaves > levels:
        raise InputError(
            f"octaves: {octaves} are more than the {levels} level{'s' if levels > 1 else ''} of the targets; use at most "
            f"{levels}, or extract content and style with at least {octaves} levels"
        )
