"""The objective: loss and gradient of a picture against its targets.

    total = content_weight * sum_l c_l mean((F_l - P_l)^2)
          + style_weight   * sum_l s_l sum((G_l / M_l - A_l / M'_l)^2) / (4 N_l^2)
          + tv_weight      * tv

It is a sum of terms (`term.Term`), each with a weight; further ones may be given. With pictures of equal size the style
term is the paper's E_l (Gatys et al., CVPR 2016, equation 4); the content term is its equation 1 as a mean instead of
half a sum, so that the balance does not change with the resolution.

Everything is a function of sums over positions, which add up over tiles, so that the gradient is exact, whatever the
tiles; `two_passes` goes over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Layout
from ..passes.precision import choose, lowered
from ..passes.tiles import check_padding
from ..settings import CONTENT_WEIGHT, STYLE_WEIGHT, TEMPORAL_WEIGHT, TV_WEIGHT, Padding, Precision, TvForm, rings
from ..targets.levels import level_size
from ..targets.regions import AnyStyle, every_style
from ..targets.statistics import check_whole_picture
from ..targets.targets import ContentTarget, check_network, check_room, common_levels
from .content_term import ContentTerm
from .laplacian import LaplacianTerm
from .losses import SMOOTH, Terms, Values, add_up
from .octaves import Octaves
from .smoothness import Smoothness, check_tv_form
from .style_term import StyleTerm
from .temporal import TemporalTarget, TemporalTerm
from .term import Term, View, weigh
from .two_passes import TwoPasses

AS_THEY_ARE = ("style_weight", "tv_weight", "laplacian_weight", "tv_form", "padding")
"""The settings of a run that its objectives take as they are; others depend on the level, or on the strength."""


class Objective:
    """The loss of pictures against targets, and its gradient.

    Args:
        net: the network that the targets were extracted with.
        content: what should be seen; None leaves it out (texture synthesis).
        style: how it should be painted, everywhere or by regions; None leaves it out (reconstruction of the content).
        temporal: a picture to stay near; None leaves it out. Its term is part of the total only.
        content_weight: alpha, factor of the content term.
        style_weight: beta, factor of the style term; of each region's, if there are regions.
        tv_weight: factor of the smoothness term.
        temporal_weight: factor of the temporal term.
        laplacian_weight: factor of the Laplacian term, which keeps the content's lines; 0 leaves it out.
        terms: further terms, which are part of the total only.
        level: which level of the targets to work on; 0 is full size.
        padding: what convolutions see beyond the border, of `settings.PADDINGS`; default the content's, or "zero".
        tv_form: which smoothness is meant, one of `settings.TV_FORMS`.
        octaves: at how many sizes of the picture the style is matched at once, see `objective.octaves`; the style needs as many levels
            from `level` on.
        tv_rounding: e of `smoothness.total_variation`, for a descent, which kinks would stop; 0 keeps the loss.
        precision: what the convolutions work in, one of `settings.PRECISIONS`; default that of the network.
        place: where the pictures lie; in strips, each process evaluates its rows, all at the same time.

    Raises:
        InputError: for no target, for targets of another network or of different numbers of levels, for weights that
            are negative or not finite, for a padding that is unknown or not that of the content, and for a content
            that is too small, at this level, for the style's layers, and for more octaves than there are levels.

    Example:
        >>> losses, gradient = gatys.Objective(net, content=content, style=style).evaluate(photo)
        >>> list(losses)
        ['total', 'content', 'style', 'tv']
    """

    def __init__(
        self,
        net: VGG,
        *,
        content: ContentTarget | None = None,
        style: AnyStyle | None = None,
        temporal: TemporalTarget | None = None,
        content_weight: float = CONTENT_WEIGHT,
        style_weight: float = STYLE_WEIGHT,
        tv_weight: float = TV_WEIGHT,
        temporal_weight: float = TEMPORAL_WEIGHT,
        laplacian_weight: float = 0.0,
        terms: Sequence[Term] = (),
        level: int = 0,
        padding: Padding | None = None,
        tv_form: TvForm = "squared",
        octaves: int = 1,
        tv_rounding: float = 0.0,
        precision: Precision | None = None,
        place: Layout = WHOLE,
    ):
        levels = common_levels(content, style)
        if not 0 <= level < levels:
            raise InputError(f"level: expected 0 to {levels - 1}, got {level}")
        check_tv_form(tv_form)
        for target, what in ((content, "content"), (style, "style")):
            if target is not None:
                check_network(net, target, what)
        if content is not None:
            check_room(content, style, content.size, level)
        self.net, self.padding, self.place, self.level = net, resolve_padding(content, padding), place, level
        self.compute_in(None if precision is None else choose(precision, net))
        self.size = None if content is None else level_size(content.size, level)
        self.count = None if content is None else content.image.shape[0]
        like = net.mean
        self._octaves = Octaves(net, style, octaves, level, place, self.padding, style_weight)
        self._terms: list[Term] = [
            StyleTerm(each, level, like, place, style_weight, self._octaves.share) for each in every_style(style)
        ]
        self._masks = [each.mask.shape[0] for each in every_style(style) if each.mask is not None]
        if content is not None:
            self._terms.append(ContentTerm(content, level, like, place, content_weight))
        self._terms.append(Smoothness(tv_form, tv_rounding, tv_weight))
        if temporal is not None:
            self._terms.append(TemporalTerm(temporal, place, temporal_weight))
        if laplacian_weight:
            self._terms.append(LaplacianTerm(content, level, like, place, laplacian_weight))
        self._terms += [term.at(level, net, place) for term in terms]
        given = {"content": content_weight, "style": style_weight, "tv": tv_weight, "temporal": temporal_weight}
        given |= {"laplacian": laplacian_weight} if laplacian_weight else {}
        self.weights: dict[str, float] = weigh(given, terms)
        """The factor of each term in the total, by its name."""
        wanted = {layer.name for term in self._terms for layer in net.chosen(term.layers, f"layers of {term.name}")}
        self.layers = [name for name in net.layers if name in wanted]
        """The names of all layers that terms look at, shallowest first."""

    def __repr__(self) -> str:
        return f"Objective(level {self.level}, {', '.join(f'{n} {w:g}' for n, w in self.weights.items())})"

    @property
    def used(self) -> list[Layer]:
        """Give `layers` as those of the network."""
        return [self.net.layers[name] for name in self.layers]

    @property
    def additive(self) -> bool:
        """Tell whether the sums of all terms add up over tiles, so that a picture may be cut into some."""
        return all(term.additive for term in self._terms)

    @property
    def held(self) -> float:
        """Give the number of values a pixel that terms keep between the way forward and that back."""
        return sum(term.held for term in self._terms)

    @property
    def waits(self) -> bool:
        """Tell whether a term's statistic makes the processor wait for the device."""
        return any(term.statistic is not None and term.statistic.waits for term in self._terms)

    def compute_in(self, dtype: torch.dtype | None) -> None:
        """Set the dtype of the convolutions; None is that of the network."""
        dtype = dtype or self.net.mean.dtype
        if dtype != getattr(self, "dtype", None):
            self.dtype, self._trunk = dtype, lowered(self.net, dtype)

    def only(self) -> Iterator[tuple[str, Objective]]:
        """Give this objective with one layer of one term alone, for all of them in turn, with names as "style conv1_1"."""
        for name in self.weights:
            terms = [term for term in self._terms if term.name == name]
            layers = [layer for layer in self.layers if any(layer in term.layers for term in terms)]
            for layer in (layers or [""]) if terms and self.weights[name] else ():
                one = copy(self)
                one._terms = [term.alone(layer) for term in terms if layer in term.layers or not layer]
                seen = {each for term in one._terms for each in term.layers}
                one.layers = [each for each in self.layers if each in seen] or self.layers
                one._octaves = self._octaves.only(layer if name == StyleTerm.name else "")
                yield f"{name} {layer}".strip(), one

    def evaluate(self, image: Tensor, tile: int | None = None) -> tuple[dict[str, float], Tensor]:
        """Give losses and gradient of `image` at this level.

        Args:
            image: (N, 3, H, W), sRGB in [0, 1]; H and W those of the content target's level.
            tile: edge of the tiles in pixels that the picture is cut into, to bound the memory; None for no cutting.
                The result is the same up to rounding.

        Returns:
            `{"total", "content", "style", "tv"}`: terms before weighting, the total after it, each summed over the
            batch; and the gradient of the total, (N, 3, H, W). The pictures of a batch do not influence each other.

        Raises:
            InputError: for a picture of the wrong shape, size or values, or a tile below the deepest stride.
        """
        self.place.check(image, self.used, "image")
        terms, gradient = self.terms(image, tile)
        return terms.sums(), gradient

    @torch.no_grad()
    def terms(
        self, image: Tensor, tile: int | tuple[int, int] | None = None, *, keep: bool = False
    ) -> tuple[Terms, Tensor]:
        """Give what `evaluate` gives without checking the pixels, and leave the losses of each picture on the device.

        Args:
            image: as for `evaluate`.
            tile: as for `evaluate`; or the (height, width) of the tiles.
            keep: whether the tiles keep, packed, what the way back needs: about 300 bytes a pixel in float32, for
                which the network does not run forward a second time.
        """
        image, place = image.detach(), self.place
        size = self._check(image, tile)
        for term in self._terms:
            term.prepare(size)
        self._octaves.prepare(image, size)
        around = (size, self.used, self.padding)
        field = place.around(image, *around)
        view = View(image, size, field, place.strip(image, size, self.padding), rings(self.padding))
        values: Values = {}
        gradient = self._pixels(view, torch.zeros_like(field), values, neighbours=True)
        looks = any(term.layers for term in self._terms)
        parts = place.parts(size, tile, self.used, self.padding) if looks else []
        passes = partial(TwoPasses, self._trunk, self.dtype)
        sums, found = passes(self._terms, self.layers).over(field, parts, gradient, place.team, keep=keep)
        gradient = self._pixels(view, place.collect(gradient, *around), values, neighbours=False)
        of_octaves, pulled = self._octaves.evaluate(image, passes, tile, keep=keep)
        if pulled is not None:
            gradient = gradient.add_(pulled)
        sums |= {(len(self._terms) + index, name): value for (index, name), value in of_octaves.items()}
        terms = [*self._terms, *self._octaves.terms]
        return add_up(terms, self.weights, sums | place.team.add_all(values | found), gradient), gradient

    def _check(self, image: Tensor, tile: int | tuple[int, int] | None) -> tuple[int, int]:
        """Give the (height, width) of a picture that can be evaluated."""
        size = self.place.size(image)
        if self.size is not None and size != self.size:
            raise InputError(
                f"image: {size[1]} x {size[0]} pixels, but the content target is {self.size[1]} x {self.size[0]}; "
                "resize one of them"
            )
        if self.count not in (None, 1, image.shape[0]):
            raise InputError(
                f"image: {image.shape[0]} pictures, but the content target has {self.count}; "
                "give as many, or take one of them"
            )
        for masks in self._masks:
            if masks not in (1, image.shape[0]):
                raise InputError(
                    f"region mask: expected 1 mask or {image.shape[0]}, one for each picture, got {masks}; give as many"
                )
        for term in self._terms:
            if term.statistic is not None:
                check_whole_picture(term.statistic, tile, self.place.team.count)
        return size

    def _pixels(self, view: View, gradient: Tensor, values: Values, *, neighbours: bool) -> Tensor:
        """Add to the gradient, and to the values, what terms make of pixels: terms that look around, or the others."""
        for index, term in enumerate(self._terms):
            found = term.pixels(view) if term.neighbours == neighbours else None
            if found is not None:
                gradient = gradient.add_(term.weight * found.gradient)
                values[index, ""] = found.value
                if found.smooth is not None:
                    values[index, SMOOTH] = found.smooth
        return gradient


def resolve_padding(content: ContentTarget | None, padding: Padding | None) -> Padding:
    """Give the padding of a run: what was asked for, which has to be the content's; or else the content's, or "zero".

    Raises:
        InputError: for an unknown padding, and for another one than the content's.
    """
    if padding is not None:
        check_padding(padding)
    if content is None:
        return padding or "zero"
    if padding not in (None, content.padding):
        raise InputError(
            f"padding: the content was extracted with {content.padding!r}, got {padding!r}; extract it again with that, "
            "or leave padding out"
        )
    return content.padding
