"""Statistics that know means beside second moments: covariance, moments, Wasserstein, and the shifted Gram matrix.

A Gram matrix is the sum of a covariance and of the product of means, G = S + m m^T, so that a picture can have the Gram matrix
of a style with too much of the one and too little of the other: contrast drifts, and flat areas get texture that makes up for
a mean. Features extended by a constant 1 have a Gram sum that holds both: its last column is the sum of the features, its
corner the number of positions. It adds up over tiles, regions and processes like any Gram sum.
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from functools import partial
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import InputError
from .gram import gram_sum, gram_sum_gradient
from .statistics import Statistic, derive

_SMALL = 1e-5
"""The floor of variances and of eigenvalues, as a share of their mean: there a root's derivative has no bound."""


class ExtendedGram(Statistic):
    """The second moments of features extended by a constant 1, (N, C + 1, C + 1), which a subclass compares."""

    def sums(self, features: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give sum_i w_i (f_i, 1) (f_i, 1)^T, (N, C + 1, C + 1)."""
        count, channels, height, width = features.shape
        gram = gram_sum(features, weight)
        found = gram.new_empty(count, channels + 1, channels + 1)
        found[:, :-1, :-1] = gram
        if weight is None:
            first = features.sum(dim=(2, 3), dtype=gram.dtype)
            found[:, -1, -1] = height * width
        else:
            wide = weight.to(gram.dtype)
            # a product of matrices does not make a weighted copy of all features
            parts = zip(features, wide.expand(count, -1, -1, -1), strict=True)
            first = torch.stack([f.flatten(1).to(gram.dtype) @ w.flatten() for f, w in parts])
            found[:, -1, -1] = wide.sum(dim=(1, 2, 3))
        found[:, :-1, -1] = found[:, -1, :-1] = first
        return found

    def pull(
        self, features: Tensor, derivative: Tensor, weight: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        """Give w_i (2 K f_i + k), of a derivative K in the Gram matrix and k in the sum of the features."""
        both = derivative + derivative.mT
        pulled = gram_sum_gradient(features, both[:, :-1, :-1].contiguous() / 2, weight, onto)
        constant = both[:, :-1, -1, None, None]
        return pulled.add_((constant if weight is None else constant * weight).to(pulled.dtype))

    def typical_pull(self, derivative: Tensor, sums: Tensor, mass: Tensor | float) -> Tensor:
        """Estimate the root mean square of 2 K f + k: the sum of its squares is a trace of the sums."""
        rows = (derivative + derivative.mT)[:, :-1]
        largest = rows.abs().amax().clamp(min=torch.finfo(rows.dtype).tiny)
        rows = rows / largest
        square = ((rows @ sums) * rows).sum(dim=(1, 2), keepdim=True) / (rows.shape[1] * mass)
        return largest * square.amax().clamp(min=0).sqrt()


def split_moments(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give means (N, C), covariances and second moments (N, C, C) of extended second moments (N, C + 1, C + 1)."""
    mean, second = sums[:, :-1, -1], sums[:, :-1, :-1]
    return mean, second - mean[:, :, None] * mean[:, None, :], second


class ShiftedGram(ExtendedGram):
    """The Gram matrix of features moved by s u, where u is the mean of all features of the style in a layer.

    sum_i (f_i + s u) (f_i + s u)^T / M, compared as Gram matrices are: activation shift, Novak and Nikulin, *Improving the
    Neural Algorithm of Artistic Style*, arXiv:1605.04603, section 3, where s = -1 and u = 1. Features are mostly 0 after a ReLU,
    so that products of two seldom say anything; moved to both sides of 0, they do. u makes s the same for every network.

    Args:
        shift: s, a finite number; 0 is the Gram matrix.

    Raises:
        InputError: for any other shift.

    Example:
        >>> style = gatys.extract_style(net, painting, statistic=gatys.ShiftedGram())
        >>> style
        StyleTarget(gram shifted by -1 of ...)
    """

    def __init__(self, shift: float = -1.0):
        if isinstance(shift, bool) or not isinstance(shift, Real) or not math.isfinite(shift):
            raise InputError(f"shift: expected a finite number, such as -1, got {shift!r}")
        self.shift: float = float(shift)
        self.name = f"gram shifted by {self.shift:g}"

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the squared distance of the shifted Gram matrices over 4 C^2, (N,)."""
        unit = self._unit(target)
        distance = self._shifted(sums, unit) - self._shifted(target, unit)
        return _square(distance) / (4 * distance.shape[1] ** 2)

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the entries of the style's shifted Gram matrix, (1,)."""
        return self._shifted(target, self._unit(target)).square().mean(dim=(1, 2))

    @staticmethod
    def _unit(target: Tensor) -> Tensor:
        return split_moments(target)[0].mean(dim=1)[:, None, None]

    def _shifted(self, sums: Tensor, unit: Tensor) -> Tensor:
        mean, _, gram = split_moments(sums)
        move = self.shift * unit
        return gram + move * (mean[:, :, None] + mean[:, None, :]) + move.square()


def _square(values: Tensor) -> Tensor:
    return values.flatten(1).square().sum(dim=1)


class Covariance(ExtendedGram):
    """Covariance S and mean m, each compared by itself: (|S - S'|^2 + |m m^T - m' m'^T|^2) / (4 C^2).

    S + m m^T is the Gram matrix: here its two parts cannot make up for one another. Features after a ReLU are at least 0,
    so that m m^T tells m.
    """

    name = "covariance"

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the squared distance of the covariances and that of the products of means, (N,)."""
        (mean, spread, _), (wanted, wanted_spread, _) = split_moments(sums), split_moments(target)
        # |m m^T - n n^T|^2, without the matrices
        means = _square(mean).square() + _square(wanted).square() - 2 * (mean * wanted).sum(dim=1).square()
        return (_square(spread - wanted_spread) + means.clamp(min=0)) / (4 * mean.shape[1] ** 2)

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the entries of S' and m' m'^T together, (1,)."""
        mean, spread, _ = split_moments(target)
        return (_square(spread) + _square(mean).square()) / mean.shape[1] ** 2


class Moments(ExtendedGram):
    """The Gram matrix, and beside it the means m and the deviations s of the channels, which count as much.

    |G - G'|^2 / (4 C^2) + c (|m - m'|^2 + |s - s'|^2), where c makes both parts equally large for a picture without any
    features. Mean and deviation beside Gram are used against haze by SPST (EGSR 2024).
    """

    name = "moments"

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the penalty of the Gram matrices and that of means and deviations, (N,)."""
        (mean, spread, gram), (wanted, wanted_spread, wanted_gram) = split_moments(sums), split_moments(target)
        floor = _SMALL * wanted_spread.diagonal(dim1=1, dim2=2).mean(dim=1, keepdim=True)
        deviation, wanted_deviation = (
            (each.diagonal(dim1=1, dim2=2).clamp(min=0) + floor).sqrt() for each in (spread, wanted_spread)
        )
        share = self.magnitude(target) / (4 * (_square(wanted) + _square(wanted_deviation)).clamp(min=1e-30))
        own = _square(mean - wanted) + _square(deviation - wanted_deviation)
        return _square(gram - wanted_gram) / (4 * mean.shape[1] ** 2) + share * own

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the target Gram's entries, (1,)."""
        return split_moments(target)[2].square().mean(dim=(1, 2))


class Wasserstein(ExtendedGram):
    """The squared 2-Wasserstein distance of the normal distributions with the features' means and covariances, over C.

    (|m - m'|^2 + tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2)) / C: Olkin and Pukelsheim, 1982; as a style loss in
    crowsonkb/style-transfer-pytorch. It grows with the square of the features, and the Gram loss with their fourth power, so
    that weak features count for more. The roots take eigenvalues of C x C matrices in float64.
    """

    name = "wasserstein"
    waits = True

    def __init__(self) -> None:
        self._roots: MutableMapping[Tensor, Tensor] = WeakIdKeyDictionary()

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the squared distance over C, (N,)."""
        return self._distance(sums, target, self._root(target))

    def derivative(self, sums: Tensor, mass: Tensor | float, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Give what every statistic does, with the root of the target's covariance kept for the next time."""
        if target not in self._roots:
            self._roots[target] = self._root(target)
        return derive(partial(self._distance, root=self._roots[target]), sums, mass, target, scale)

    def _distance(self, sums: Tensor, target: Tensor, root: Tensor) -> Tensor:
        mean, spread, _ = split_moments(sums.double())
        wanted, wanted_spread, _ = split_moments(target.double())
        found = _square(mean - wanted) + self._bures(spread, wanted_spread, root)
        return (found / mean.shape[1]).to(sums.dtype)

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the style's features, (1,)."""
        return split_moments(target)[2].diagonal(dim1=1, dim2=2).mean(dim=1)

    def _root(self, target: Tensor) -> Tensor:
        """Give the square root of a target's covariance, (1, C, C), float64."""
        with torch.no_grad():
            values, vectors = torch.linalg.eigh(split_moments(target.double())[1])
            return (vectors * values.clamp(min=0).sqrt()[:, None, :]) @ vectors.mT

    def _bures(self, spread: Tensor, wanted: Tensor, root: Tensor) -> Tensor:
        """Give the part of the distance that is of covariances, (N,), from the root of the target's."""
        return _Bures.apply(spread, wanted, root)


class _Bures(torch.autograd.Function):
    """The term tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2), and its derivative I - S'^1/2 (S'^1/2 S S'^1/2)^-1/2 S'^1/2 in S.

    Autograd through eigenvectors divides by differences of eigenvalues, which may be equal; this form does not.
    """

    @staticmethod
    def forward(ctx: Any, spread: Tensor, wanted: Tensor, root: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(root @ spread @ root)
        values = values.clamp(min=0)
        # lifted, roots of eigenvalues near 0 have a bounded derivative, and the distance of equals is still 0 or more
        lift = _SMALL**2 * wanted.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None].square()
        roots = (values + lift).sqrt()
        sides = root @ vectors
        ctx.save_for_backward((sides / roots[:, None, :]) @ sides.mT)
        traces = sum(each.diagonal(dim1=1, dim2=2).sum(dim=1) for each in (spread, wanted))
        return traces - 2 * (roots - lift.sqrt()).sum(dim=1)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None, None]:
        (pulled,) = ctx.saved_tensors
        one = torch.eye(pulled.shape[-1], dtype=pulled.dtype, device=pulled.device)
        return given[:, None, None] * (one - pulled), None, None
