"""Statistics of a style: sums over the positions of a layer, and a penalty on how far two of them are apart.

A style is described by a sum over positions, divided by their number: sums of disjoint tiles add up to that of the whole
picture. The Gram matrix is the first such statistic (Gatys et al., CVPR 2016, equations 3 and 4), written by hand for
speed. Another one is a subclass of `Statistic` with two methods; its derivatives are taken by autograd.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from .gram import accumulation_dtype, gram_sum, gram_sum_gradient


class Statistic(ABC):
    """A statistic of a layer's features, and the penalty of a picture whose statistic is another one.

    A subclass writes `sums` and `penalty`. It may write `derivative` and `pull`, too, where it knows them in closed form.

    Example:
        >>> class Means(gatys.Statistic):
        ...     name = "means"
        ...
        ...     def sums(self, features, weight=None):
        ...         return (features if weight is None else features * weight).sum(dim=(2, 3))
        ...
        ...     def penalty(self, sums, target):
        ...         return (sums - target).square().mean(dim=1)
        >>> gatys.extract_style(net, painting, statistic=Means())
        StyleTarget(means of ...)
    """

    name: str = ""
    """The name in messages; runs and targets with different names do not go together."""
    additive: bool = True
    """Whether the sums of tiles add up to those of the picture. Where they do not, tiles and processes are refused."""
    waits: bool = False
    """Whether its arithmetic makes the processor wait for the device, so that it cannot be replayed from a CUDA graph."""

    @abstractmethod
    def sums(self, features: Tensor, weight: Tensor | None = None) -> Tensor:
        """Sum over the positions of features.

        Args:
            features: (N, C, H, W), float32 or wider.
            weight: (1 or N, 1, H, W), the weight of each position; None is 1 everywhere.

        Returns:
            (N, ...), differentiable in `features` unless `pull` is written by hand.
        """

    @abstractmethod
    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Compare a picture's sums with those of the style, each divided by the weight of all its positions.

        Args:
            sums: (N, ...).
            target: (1, ...), what `sums` gave for the style.

        Returns:
            (N,), at least 0, differentiable in `sums` unless `derivative` is written by hand.
        """

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the size of a target, (1,): the penalty is divided by it where a style is normalised."""
        return target.flatten(1).square().mean(dim=1)

    def derivative(self, sums: Tensor, mass: Tensor | float, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Give `scale` times the penalty, (N,), and its derivative in the sums before they are divided by `mass`.

        Args:
            sums: (N, ...).
            mass: the weight of all positions: a number, or (1 or N, 1, ...).
            target: (1, ...).
            scale: (1,).
        """
        return derive(self.penalty, sums, mass, target, scale)

    def pull(
        self, features: Tensor, derivative: Tensor, weight: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        """Bring a derivative in the sums back to the features that they were taken of.

        Args:
            features: (N, C, H, W).
            derivative: (N, ...), of the shape of the sums.
            weight: as for `sums`.
            onto: (N, C, H, W), to which the result is added in place.

        Returns:
            (N, C, H, W): `onto`, where that is given.
        """
        with torch.inference_mode(False), torch.enable_grad():
            wide = features.detach().clone().to(accumulation_dtype(features.dtype)).requires_grad_()
            sums = self.sums(wide, None if weight is None else weight.clone())
            (pulled,) = torch.autograd.grad(sums, wide, derivative.clone())
        pulled = pulled.to(features.dtype)
        return pulled if onto is None else onto.add_(pulled)

    def typical_pull(self, derivative: Tensor, sums: Tensor, mass: Tensor | float) -> Tensor | None:
        """Estimate the root mean square of what `pull` will give, for float16; give None where that is unknown."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Gram(Statistic):
    """The Gram matrix G = F F^T (Gatys et al., CVPR 2016, equation 3), compared by sum((G - A)^2) / (4 N^2).

    This is equation 4, with G and A divided by their numbers of positions.
    """

    name = "gram"

    def sums(self, features: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give sum_i w_i f_i f_i^T, (N, C, C)."""
        return gram_sum(features, weight)

    def penalty(self, sums: Tensor, target: Tensor) -> Tensor:
        """Give sum((G - A)^2) / (4 N^2), (N,)."""
        return (sums - target).square().sum(dim=(1, 2)) / (4 * target.shape[-1] ** 2)

    def magnitude(self, target: Tensor) -> Tensor:
        """Give the mean square of the target's entries, (1,)."""
        return target.square().mean(dim=(1, 2))

    def derivative(self, sums: Tensor, mass: Tensor | float, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Give the scaled penalty and (G - A) / (2 N^2), scaled and divided by the mass."""
        difference = sums / mass - target
        each = (scale / (4 * target.shape[-1] ** 2)).reshape(-1, 1, 1)
        return (each * difference.square()).sum(dim=(1, 2)), difference * (2 * each / mass)

    def pull(
        self, features: Tensor, derivative: Tensor, weight: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        """Give 2 w_i K f_i for the symmetric derivative K."""
        return gram_sum_gradient(features, derivative, weight, onto)

    def typical_pull(self, derivative: Tensor, sums: Tensor, mass: Tensor | float) -> Tensor:
        """Estimate the root mean square of 2 K f: sum_i |K f_i|^2 is the trace of K G K."""
        largest = derivative.abs().amax().clamp(min=torch.finfo(derivative.dtype).tiny)
        k = derivative / largest
        square = ((k @ sums) * k).sum(dim=(1, 2), keepdim=True) / (k.shape[-1] * mass)
        return 2 * largest * square.amax().clamp(min=0).sqrt()


GRAM = Gram()


def derive(
    penalty: Callable[[Tensor, Tensor], Tensor], sums: Tensor, mass: Tensor | float, target: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Give what `Statistic.derivative` does, by autograd through a penalty."""
    with torch.inference_mode(False), torch.enable_grad():
        own = sums.detach().clone().requires_grad_()
        values = scale.clone() * penalty(own / _plain(mass), target.clone())
        (derivative,) = torch.autograd.grad(values.sum(), own)
    return values.detach(), derivative


def check_whole_picture(statistic: Statistic, tile: object, processes: int) -> None:
    """Raise InputError where a statistic that does not add up would be taken in tiles or on several processes."""
    if statistic.additive:
        return
    if processes > 1:
        raise InputError(
            f"statistic: {statistic.name!r} looks at all positions at once, so that {processes} processes cannot share "
            "a picture out; start one process"
        )
    if tile not in (None, "auto"):
        raise InputError(
            f"tile: {statistic.name!r} looks at all positions at once, which tiles cannot, got {tile!r}; give None"
        )


def _plain(value: Tensor | float) -> Tensor | float:
    """Give a value that autograd may read, whatever mode it was made in."""
    return value.clone() if isinstance(value, Tensor) else value
