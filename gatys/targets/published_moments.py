"""Statistics in the form in which two published programs have written them, for their presets.

`moments.Wasserstein` and `moments.Moments` are the same ideas without what these programs leave to numbers of their own: how
far a root is computed, and how much a deviation counts beside a Gram matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .moments import ExtendedGram, Wasserstein, split_moments

RIDGE = 1e-4
"""What crowsonkb's program adds to the variances: style_transfer.py, `StyleLossW2`, `eps`."""
ROUNDS = 12
"""The steps in which it computes roots, and their derivatives: `StyleLossW2`, `num_iters`."""


class CrowsonWasserstein(Wasserstein):
    """The squared 2-Wasserstein distance over C, as crowsonkb/style-transfer-pytorch computes it.

    1e-4 is added to all variances, and roots come from twelve steps of Newton and Schulz (Higham, *Functions of Matrices*,
    2008, section 6.3), their derivatives from twelve steps for Lyapunov's equation. So few find the roots of large
    eigenvalues only: those below about a ten-thousandth of the matrix's norm come out smaller. Both iterations work on each
    eigenvalue by itself, so that one decomposition in float64 stands for all their products of matrices.
    """

    name = "crowsonkb"

    def _root(self, target: Tensor) -> Tensor:
        """Give the root of a target's covariance, (1, C, C), float64, as the program finds it."""
        with torch.no_grad():
            values, vectors = torch.linalg.eigh(_lifted(split_moments(target.double())[1]))
            return (vectors * newton_root(values)[:, None, :]) @ vectors.mT

    def _bures(self, spread: Tensor, wanted: Tensor, root: Tensor) -> Tensor:
        return _NewtonBures.apply(_lifted(spread), _lifted(wanted), root)


def _lifted(spread: Tensor) -> Tensor:
    return spread + RIDGE * torch.eye(spread.shape[-1], dtype=spread.dtype, device=spread.device)


def newton_root(values: Tensor) -> Tensor:
    """Give what Newton and Schulz's iteration makes of the eigenvalues of matrices, (N, C): their roots, from below."""
    norm = values.square().sum(dim=1, keepdim=True).sqrt()
    found, inverse = values / norm, torch.ones_like(values)
    for _ in range(ROUNDS):
        step = (3 - inverse * found) / 2
        found, inverse = found * step, inverse * step
    return found * norm.sqrt()


def lyapunov(roots: Tensor) -> Tensor:
    """Give the solutions q of r q + q r = 1 for the eigenvalues r of roots, (N, C), as the program's iteration finds them."""
    norm = roots.square().sum(dim=1, keepdim=True).sqrt()
    own, found = roots / norm, 1 / norm.expand_as(roots)
    for _ in range(ROUNDS):
        step = (3 - own.square()) / 2
        own, found = own * step, found * step
    return found / 2


class _NewtonBures(torch.autograd.Function):
    """The term tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2) with these roots, and the derivative in S that the program takes."""

    @staticmethod
    def forward(ctx: Any, spread: Tensor, wanted: Tensor, root: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(root @ spread @ root)
        roots = newton_root(values)
        sides = root @ vectors
        ctx.save_for_backward((sides * lyapunov(roots)[:, None, :]) @ sides.mT)
        traces = sum(each.diagonal(dim1=1, dim2=2).sum(dim=1) for each in (spread, wanted))
        return traces - 2 * roots.sum(dim=1)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None, None]:
        (pulled,) = ctx.saved_tensors
        one = torch.eye(pulled.shape[-1], dtype=pulled.dtype, device=pulled.device)
        return given[:, None, None] * (one - 2 * pulled), None, None


class SpstMoments(ExtendedGram):
    """The Gram matrix, and beside it means m and deviations s of the channels, with the weights of SPST's program.

    |G - G'|^2 / (4 C^2) + 5/2 C (|m - m'|^2 + |s - s'|^2): Galerne, Raad, Lezama and Morel, *Scaling Painting Style Transfer*,
    EGSR 2024, as bgalerne/scaling_painting_style_transfer weighs it. Since one part grows with the fourth power of the
    features and the other with their square, it goes with filters of that scale only; `moments` does with any. Where a channel has one
    value everywhere, which has no derivative of its deviation, that is taken to be 0.
    """

    name = "spst"

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give the penalty of the Gram matrices and that of means and deviations, (N,)."""
        (mean, _, gram), (wanted, _, wanted_gram) = split_moments(sums), split_moments(target)
        channels = mean.shape[1]
        own = (mean - wanted).square().sum(dim=1) + (_deviation(sums) - _deviation(target)).square().sum(dim=1)
        return (gram - wanted_gram).flatten(1).square().sum(dim=1) / (4 * channels**2) + 2.5 * channels * own

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the target Gram's entries, (1,)."""
        return split_moments(target)[2].square().mean(dim=(1, 2))


def _deviation(sums: Tensor) -> Tensor:
    """Give the deviations of the channels, (N, C); those within rounding of 0 do not move."""
    _, spread, second = split_moments(sums)
    variance, square = (each.diagonal(dim1=1, dim2=2) for each in (spread, second))
    moves = variance > torch.finfo(sums.dtype).eps * square
    return torch.where(moves, variance, 1.0).sqrt() * moves
