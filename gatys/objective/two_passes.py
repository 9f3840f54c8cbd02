"""The two passes over the tiles of a picture that give the losses of its features and their gradient.

Pass 1 adds up the sums of the style's statistic, the penalty's derivative in them is small, one for each layer, and
pass 2 pulls it back tile by tile. Where memory allows, pass 1 keeps what pass 2 needs; else pass 2 runs the network
again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..network.vgg import VGG
from ..passes.layout import Team
from ..passes.precision import derivative_scale
from ..passes.tiles import Tile
from ..passes.trunk import Tape, backward, forward
from ..targets.gram import accumulation_dtype
from .losses import Values
from .term import Term


class TwoPasses:
    """The passes of one evaluation.

    Args:
        trunk: the network, its convolutions in `dtype`.
        dtype: the dtype of the convolutions.
        terms: the terms; values are by their index.
        layers: the names of the layers that terms look at, shallowest first.
    """

    def __init__(self, trunk: VGG, dtype: torch.dtype, terms: Sequence[Term], layers: Sequence[str]):
        self._trunk, self._dtype, self._terms, self._layers = trunk, dtype, terms, layers
        self._banded = all(term.additive for term in terms)

    def over(
        self, image: Tensor, parts: list[Tile], gradient: Tensor, team: Team, *, keep: bool
    ) -> tuple[Values, Values]:
        """Add to the gradient in the pixels what all tiles, which are used up, make of features.

        Args:
            image: the pixels that features here see.
            parts: the tiles.
            gradient: of the shape of `image`.
            team: the processes that share the picture.
            keep: whether the tiles keep what the way back needs.

        Returns:
            The values of terms with sums, of the whole picture, and those of the others, of what is here.
        """
        keep = keep or len(parts) == 1
        tapes, sums = team.together(lambda: self._first(image, parts, keep=keep))
        penalties, derivatives, scale = self._penalties(team.add_all(sums))
        return penalties, team.together(lambda: self._second(image, parts, tapes, derivatives, scale, gradient))

    def _first(self, image: Tensor, parts: list[Tile], *, keep: bool) -> tuple[list[Tape], Values]:
        """Give each tile's tape, if it is to be kept, and for each term that gathers, by its index, the sums of its
        layers.
        """
        gathering = {index: term for index, term in enumerate(self._terms) if term.gathers}
        layers = [name for name in self._layers if any(name in term.layers for term in gathering.values())]
        sums: dict[int, dict[str, Tensor]] = {index: {} for index in gathering}
        tapes = []
        if not layers and len(parts) > 1:
            return [], {}

        def see(name: str, core: Tensor, part: Tile) -> None:
            for index, term in gathering.items():
                if name in term.layers:
                    term.add(sums[index], name, core, part)

        for part in parts:
            tape = forward(
                self._trunk, image, part, self._layers if keep else layers, see, tape=keep, banded=self._banded
            )
            if tape is not None:
                tapes.append(tape)
                if len(parts) > 1:
                    tape.pack()
            else:
                for term in gathering.values():
                    term.let_go()
        for index, term in gathering.items():
            term.fill(sums[index], image.shape[0])
        return tapes, {(index, name): value for index, total in sums.items() for name, value in total.items()}

    def _penalties(self, sums: Values) -> tuple[Values, list[dict[str, Tensor]], float | Tensor]:
        """Give each layer's part of the loss, each term's weighted derivative in its sums, and their scale in float16."""
        values: Values = {}
        derivatives = []
        own = [{name: value for (of, name), value in sums.items() if of == index} for index in range(len(self._terms))]
        for index, (term, total) in enumerate(zip(self._terms, own, strict=True)):
            found, pulls = term.penalty(total)
            values |= {(index, name): value for name, value in found.items()}
            derivatives.append({name: term.weight * pull for name, pull in pulls.items()})
        if self._dtype != torch.float16:
            return values, derivatives, 1.0
        sizes = [
            size
            for term, total, pulls in zip(self._terms, own, derivatives, strict=True)
            for size in term.typical_pulls(total, pulls, term.weight)
        ]
        scale = derivative_scale(sizes) if sizes else 1.0  # statistics of one's own need not know
        return values, [{name: pull * scale for name, pull in each.items()} for each in derivatives], scale

    def _second(
        self,
        image: Tensor,
        parts: list[Tile],
        tapes: list[Tape],
        derivatives: list[dict[str, Tensor]],
        scale: float | Tensor,
        gradient: Tensor,
    ) -> Values:
        """Add the gradient of all tiles, which are used up; give what each layer adds to the terms without sums."""
        zero = torch.zeros(image.shape[0], device=image.device, dtype=accumulation_dtype(image.dtype))
        values: Values = {
            (index, name): zero for index, term in enumerate(self._terms) if not term.gathers for name in term.layers
        }
        looking = [term for term in self._terms if term.held]

        def look(name: str, core: Tensor, part: Tile) -> None:
            for term in looking:
                if name in term.layers:
                    term.look(name, core, part)

        see = look if looking else None
        while parts:
            part = parts.pop()
            tape = tapes.pop() if tapes else forward(self._trunk, image, part, self._layers, see, tape=True)
            self._pull_back(tape, derivatives, scale, gradient, values)
            del tape
        return values

    def _pull_back(
        self,
        tape: Tape,
        derivatives: list[dict[str, Tensor]],
        scale: float | Tensor,
        gradient: Tensor,
        values: Values,
    ) -> None:
        """Add one tile's gradient, and add its part of the terms that do not gather to `values`."""

        def cotangent(name: str, core: Tensor, onto: Tensor | None, part: Tile) -> Tensor:
            for index, (term, own) in enumerate(zip(self._terms, derivatives, strict=True)):
                if name in term.layers:
                    value, onto = term.pull_onto(name, core, part, own, term.weight * scale, onto)
                    if value is not None:
                        values[index, name] = values[index, name] + value
            assert onto is not None  # noqa: S101 (each layer is one of a term's)
            return onto

        pulled = backward(self._trunk, tape, cotangent)
        tape.part.give(gradient, pulled if isinstance(scale, float) else pulled / scale)
