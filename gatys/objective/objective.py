"""Loss and gradient of a picture against its targets.

    total = content_weight * sum_l c_l mean((F_l - P_l)^2)
          + style_weight   * sum_l s_l sum((G_l / M_l - A_l / M'_l)^2) / (4 N_l^2)
          + tv_weight      * tv

With pictures of equal size the style term is the paper's E_l (Gatys et al., CVPR 2016, equation 4); the content
term is its equation 1 as a mean instead of half a sum, so that the balance does not change with the resolution.

Everything is a function of sums over positions, which add up over tiles: pass 1 adds the Gram sums, the penalty's
derivative in them is one small matrix a layer, and pass 2 pulls that matrix back tile by tile. The gradient is
exact, whatever the tiles. Where memory allows, pass 1 keeps what pass 2 needs; else pass 2 runs the network again.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Layout
from ..passes.precision import choose, derivative_scale, lowered
from ..passes.tiles import Tile, check_padding
from ..passes.trunk import Tape, backward, forward
from ..settings import CONTENT_WEIGHT, STYLE_WEIGHT, TEMPORAL_WEIGHT, TV_WEIGHT
from ..targets.gram import accumulation_dtype
from ..targets.levels import level_size
from ..targets.regions import RegionalStyle, every_style
from ..targets.targets import ContentTarget, StyleTarget, check_network, check_room, common_levels
from .losses import Terms
from .smoothness import check_tv_form, total_variation
from .terms import ContentTerm, StyleTerm, TemporalTarget, TemporalTerm


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
        level: which level of the targets to work on; 0 is full size.
        padding: what convolutions see beyond the border, one of `tiles.PADDINGS`; default that of the content, or "zero".
        tv_form: what is smooth, one of `terms.TV_FORMS`.
        tv_rounding: e of `terms.total_variation`, for a descent, which kinks would stop; 0 leaves the loss as it is.
        precision: of the convolutions, one of `choices.PRECISIONS`; default that of the network.
        place: where the pictures lie; in strips, each process evaluates its rows, all at the same time.

    Raises:
        ValueError: with no target, with targets of another network or of different numbers of levels, for weights
            that are negative or not finite, for a padding that is unknown or not that of the content, and for a
            content that is too small, at this level, for the style's layers.
    """

    def __init__(
        self,
        net: VGG,
        *,
        content: ContentTarget | None = None,
        style: StyleTarget | RegionalStyle | None = None,
        temporal: TemporalTarget | None = None,
        content_weight: float = CONTENT_WEIGHT,
        style_weight: float = STYLE_WEIGHT,
        tv_weight: float = TV_WEIGHT,
        temporal_weight: float = TEMPORAL_WEIGHT,
        level: int = 0,
        padding: str | None = None,
        tv_form: str = "squared",
        tv_rounding: float = 0.0,
        precision: str | None = None,
        place: Layout = WHOLE,
    ):
        levels = common_levels(content, style)
        if not 0 <= level < levels:
            raise InputError(f"level: expected 0 to {levels - 1}, got {level}")
        weights = {
            "content_weight": content_weight,
            "style_weight": style_weight,
            "tv_weight": tv_weight,
            "temporal_weight": temporal_weight,
        }
        for name, weight in weights.items():
            if not 0 <= weight < float("inf"):
                raise InputError(f"{name}: expected a finite number of at least 0, got {weight!r}")
        check_tv_form(tv_form)
        for target, what in ((content, "content"), (style, "style")):
            if target is not None:
                check_network(net, target, what)
        if content is not None:
            check_room(content, style, content.size, level)
        self.net, self.padding, self.place = net, _padding(content, padding), place
        self.compute_in(None if precision is None else choose(precision, net))
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        self.temporal_weight, self.tv_form, self.tv_rounding = temporal_weight, tv_form, tv_rounding
        self.size = None if content is None else level_size(content.size, level)
        self.count = None if content is None else content.image.shape[0]
        self._content = None if content is None else ContentTerm(content, level, net.mean, place)
        self._styles = [StyleTerm(region, level, net.mean, place) for region in every_style(style)]
        self._temporal = None if temporal is None else TemporalTerm(temporal, place)
        style_layers = {name for term in self._styles for name in term.layers}
        content_layers = set() if self._content is None else set(self._content.layers)
        self._style_layers = [name for name in net.layers if name in style_layers]
        self.layers = [name for name in net.layers if name in style_layers | content_layers]

    @property
    def used(self) -> list[Layer]:
        """`layers` as those of the network."""
        return [self.net.layers[name] for name in self.layers]

    def compute_in(self, dtype: torch.dtype | None) -> None:
        """Set the dtype of the convolutions; None is that of the network."""
        dtype = dtype or self.net.mean.dtype
        if dtype != getattr(self, "dtype", None):
            self.dtype, self._trunk = dtype, lowered(self.net, dtype)

    def evaluate(self, image: Tensor, tile: int | None = None) -> tuple[dict[str, float], Tensor]:
        """Losses and gradient of `image` at this level.

        Args:
            image: (N, 3, H, W), sRGB in [0, 1]; H and W those of the content target's level.
            tile: edge of the tiles in pixels that the picture is cut into, to bound the memory; None for no cutting.
                The result is the same up to rounding.

        Returns:
            `{"total", "content", "style", "tv"}`: terms before weighting, the total after it, each summed over the
            batch; and the gradient of the total, (N, 3, H, W). The pictures of a batch do not influence each other.

        Raises:
            ValueError: for a picture of the wrong shape, size or values, or a tile below the deepest stride.
        """
        self.place.check(image, self.used, "image")
        terms, gradient = self.terms(image, tile)
        return terms.sums(), gradient

    @torch.no_grad()
    def terms(
        self, image: Tensor, tile: int | tuple[int, int] | None = None, *, keep: bool = False
    ) -> tuple[Terms, Tensor]:
        """As `evaluate`, without checking the pixels, and the losses of each picture left on the device.

        Args:
            image: as for `evaluate`.
            tile: as for `evaluate`; or the (height, width) of the tiles.
            keep: whether the tiles keep, packed, what the way back needs: about 300 bytes a pixel in float32, for
                which the network does not run forward a second time.
        """
        image = image.detach()
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
        for term in self._styles:
            term.prepare(size)
        place, around = self.place, (size, self.used, self.padding)
        field = place.around(image, *around)
        strip = place.strip(image, size, self.padding)
        how = {"ring": self.padding == "circular", "strip": strip, "rounding": self.tv_rounding}
        tv, smooth_tv, gradient = total_variation(field, self.tv_form, **how)
        gradient *= self.tv_weight
        parts = place.parts(size, tile, self.used, self.padding)
        keep = keep or len(parts) == 1
        tapes, sums = place.together(lambda: self._first_pass(field, parts, keep=keep))
        layers, pulls, scale = self._penalties(place.add_all(sums))
        sums = place.together(lambda: self._second_pass(field, parts, tapes, pulls, scale, gradient))
        sums |= {"tv": tv, "smooth tv": smooth_tv}
        gradient = place.collect(gradient, *around)
        if self._temporal is not None:
            sums["temporal"], pull = self._temporal(image, size)
            gradient += self.temporal_weight * pull
        sums = place.add_all(sums)
        layers |= {name: value for name, value in sums.items() if name.startswith("content")}
        zero = torch.zeros(image.shape[0], device=image.device, dtype=accumulation_dtype(image.dtype))
        content = sum((value for name, value in layers.items() if name.startswith("content")), start=zero)
        style = sum((value for name, value in layers.items() if name.startswith("style")), start=zero)
        total = self.content_weight * content + self.style_weight * style + self.tv_weight * sums["tv"]
        if self._temporal is not None:
            total = total + self.temporal_weight * sums["temporal"]
        terms = {"total": total, "content": content, "style": style, "tv": sums["tv"]}
        smooth = total + self.tv_weight * (sums["smooth tv"] - sums["tv"])
        return Terms.of(terms, layers, gradient, smooth), gradient

    def _first_pass(
        self, image: Tensor, parts: list[Tile], *, keep: bool
    ) -> tuple[list[Tape], dict[tuple[int, str], Tensor]]:
        """Each tile's tape, if it is to be kept, and of each style, by its index, and layer the tiles' Gram sum."""
        sums: list[dict[str, Tensor]] = [{} for _ in self._styles]
        tapes = []
        if not self._styles and len(parts) > 1:
            return [], {}

        def see(name: str, core: Tensor, part: Tile) -> None:
            for term, total in zip(self._styles, sums, strict=True):
                if name in term.layers:
                    term.add(total, name, core, part)

        for part in parts:
            tape = forward(self._trunk, image, part, self.layers if keep else self._style_layers, see, tape=keep)
            if tape is not None:
                tapes.append(tape)
                if len(parts) > 1:
                    tape.pack()
        for term, total in zip(self._styles, sums, strict=True):
            term.fill(total, image.shape[0])
        return tapes, {(index, name): gram for index, total in enumerate(sums) for name, gram in total.items()}

    def _penalties(
        self, sums: Mapping[tuple[int, str], Tensor]
    ) -> tuple[dict[str, Tensor], list[dict[str, Tensor]], float | Tensor]:
        """From the Gram sums of the whole picture: each layer's part of the loss, and of each style the weighted
        derivative in its sums; and how these are scaled, for which float16 is too narrow."""
        layers: dict[str, Tensor] = {}
        pulls = []
        for index, term in enumerate(self._styles):
            values, derivatives = term.penalty({name: sums[index, name] for name in term.layers})
            for name, value in values.items():
                _add(layers, f"style {name}", value)
            pulls.append({name: self.style_weight * derivative for name, derivative in derivatives.items()})
        if self.dtype != torch.float16:
            return layers, pulls, 1.0
        sizes = [] if self._content is None else self._content.typical_pulls(self.content_weight)
        for index, (term, pull) in enumerate(zip(self._styles, pulls, strict=True)):
            sizes += term.typical_pulls({name: sums[index, name] for name in term.layers}, pull)
        scale = derivative_scale(sizes)
        return layers, [{name: pull * scale for name, pull in each.items()} for each in pulls], scale

    def _second_pass(
        self,
        image: Tensor,
        parts: list[Tile],
        tapes: list[Tape],
        pulls: list[dict[str, Tensor]],
        scale: float | Tensor,
        gradient: Tensor,
    ) -> dict[str, Tensor]:
        """Add the gradient of all tiles, which are used up; what each layer adds to the content term."""
        names = [] if self._content is None else self._content.layers
        zero = torch.zeros(image.shape[0], device=image.device, dtype=accumulation_dtype(image.dtype))
        layers = {f"content {name}": zero for name in names}
        while parts:
            part = parts.pop()
            tape = tapes.pop() if tapes else forward(self._trunk, image, part, self.layers, tape=True)
            self._pull_back(tape, pulls, scale, gradient, layers)
            del tape
        return layers

    def _pull_back(
        self,
        tape: Tape,
        pulls: list[dict[str, Tensor]],
        scale: float | Tensor,
        gradient: Tensor,
        layers: dict[str, Tensor],
    ) -> None:
        """For one tile: add its gradient, and its part of the content term to `layers`."""

        def cotangent(name: str, core: Tensor, onto: Tensor | None, part: Tile) -> Tensor:
            for term, pull in zip(self._styles, pulls, strict=True):
                if name in pull:
                    onto = term.pull(name, core, pull, part, onto)
            if self._content is not None and name in self._content.layers:
                value, pull = self._content.pull(name, core, part, self.content_weight * scale)
                _add(layers, f"content {name}", value)
                onto = pull if onto is None else onto.add_(pull)
            return onto

        pulled = backward(self._trunk, tape, cotangent)
        tape.part.give(gradient, pulled if isinstance(scale, float) else pulled / scale)


def _padding(content: ContentTarget | None, padding: str | None) -> str:
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


def _add(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    sums[name] = sums[name] + value if name in sums else value
