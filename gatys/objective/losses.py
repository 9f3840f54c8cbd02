"""The terms of the loss as numbers: they are kept for each picture on the device, and read from there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from ..errors import InputError
from ..targets.gram import accumulation_dtype
from .term import Term

Values = dict[tuple[int, str], Tensor]
"""Sums, or values of each picture, (N,), by the index of a term and the name of a layer ("" for its pixels)."""
SMOOTH = "rounded"
"""The key, in the place of a layer's name, of the value of a term's pixels with its kinks rounded off."""


class Terms:
    """The unweighted terms of each picture of a batch, their weighted total, and how large its gradient is.

    They are the rows of one tensor, so that all of them are copied, and read from the device, at once.

    Args:
        values: (6 + number of layers, N), float32 or wider: in the order of `_TERMS`, the largest value of the gradient, what
            the descent is told, then the layers.
        layers: what each layer adds to its term: "content conv4_2", "style conv1_1", ...
    """

    _TERMS = ("total", "content", "style", "tv")
    _FIRST_LAYER = len(_TERMS) + 2

    def __init__(self, values: Tensor, layers: tuple[str, ...]):
        self._values, self._names = values, layers

    @classmethod
    def of(
        cls,
        terms: Mapping[str, Tensor],
        layers: Mapping[str, Tensor],
        gradient: Tensor,
        smooth: Tensor | None = None,
    ) -> Terms:
        """Make it from `_TERMS`, layers and the total with rounded kinks, (N,) each, and the gradient of the latter.

        Without a total with rounded kinks, nothing is rounded.
        """
        total = terms["total"]
        smooth = total if smooth is None else smooth
        rows = [*(terms[name] for name in cls._TERMS), largest(gradient).expand_as(total), smooth, *layers.values()]
        wide = torch.promote_types(total.dtype, torch.float32)
        return cls(torch.stack([row.to(wide) for row in rows]), tuple(layers))

    @property
    def total(self) -> Tensor:
        """Give the weighted total of each picture, (N,)."""
        return self._values[0]

    @property
    def content(self) -> Tensor:
        """Give the content term of each picture, (N,)."""
        return self._values[1]

    @property
    def style(self) -> Tensor:
        """Give the style term of each picture, (N,)."""
        return self._values[2]

    @property
    def tv(self) -> Tensor:
        """Give the smoothness of each picture, (N,)."""
        return self._values[3]

    @property
    def smooth(self) -> Tensor:
        """Give the total with rounded kinks, (N,), of which the gradient is; the total where nothing is rounded."""
        return self._values[5]

    @property
    def layers(self) -> dict[str, Tensor]:
        """Give what each layer adds to its term, for each picture, (N,)."""
        return dict(zip(self._names, self._values[self._FIRST_LAYER :], strict=True))

    def clone(self) -> Terms:
        return Terms(self._values.clone(), self._names)

    def copy_(self, other: Terms) -> None:
        self._values.copy_(other._values)

    @cached_property
    def _read(self) -> list[float]:
        """Give each row, summed over the batch; the device is waited for once."""
        return [sum(row) for row in self._values.tolist()]

    @property
    def finite(self) -> bool:
        """Tell whether the total and its gradient are finite for all pictures."""
        return math.isfinite(self._read[0]) and math.isfinite(self._read[len(self._TERMS)])

    def sums(self) -> dict[str, float]:
        """Give each term summed over the batch."""
        return dict(zip(self._TERMS, self._read, strict=False))

    def layer_sums(self) -> dict[str, float]:
        """Give each layer's part summed over the batch."""
        return dict(zip(self._names, self._read[self._FIRST_LAYER :], strict=True))

    def check(self, gradient: Tensor) -> None:
        """Raise InputError where a picture's total or `gradient` is not finite; it says where that begins."""
        layers = {f"the term {name}": value for name, value in self.layers.items()}
        parts = layers | {
            "tv": self.tv,
            "the weighted total": self.total,
            "its gradient": gradient.flatten(1).abs().amax(1) if gradient.numel() else self.total,  # no rows here
        }
        for name, value in parts.items():
            wrong = (~torch.isfinite(value)).nonzero().flatten().tolist()
            if wrong:
                raise InputError(
                    f"picture {wrong[0] + 1} of {len(value)}: {name} is {float(value[wrong[0]])} where the descent "
                    "starts, so there is nothing to go on from; lower the weights of the terms, work in float32, and "
                    "check the filters and the targets for NaN"
                )


def largest(values: Tensor) -> Tensor:
    """Give the largest absolute value, 0 without any; the sum over several processes does as well for a scale."""
    return values.abs().amax() if values.numel() else values.new_zeros(())


def add_up(terms: Sequence[Term], weights: Mapping[str, float], values: Values, gradient: Tensor) -> Terms:
    """Add up the values of terms.

    Args:
        terms: the terms of the objective.
        weights: the factor of each in the total, by its name.
        values: the values of each term and layer.
        gradient: the gradient of the total, with kinks rounded off.
    """
    zero = torch.zeros(gradient.shape[0], device=gradient.device, dtype=accumulation_dtype(gradient.dtype))
    merged: dict[tuple[str, str], Tensor] = {}  # the values of a layer in several regions count as one
    rounded = zero
    for (index, layer), value in values.items():
        key = terms[index].name, layer
        if layer == SMOOTH:
            rounded = rounded + terms[index].weight * (value - values[index, ""])
        else:
            merged[key] = merged[key] + value if key in merged else value
    told = dict.fromkeys(("content", "style", "tv", *(term.name for term in terms)), zero)
    for (name, _), value in merged.items():
        told[name] = told[name] + value
    total = sum((weights[name] * value for name, value in told.items()), start=zero)
    layers = {f"{name} {layer}".strip(): value for (name, layer), value in merged.items() if name != "tv"}
    return Terms.of({"total": total, **told}, layers, gradient, total + rounded)
