"""The terms of the loss as numbers: of each picture on the device, and read from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """Of each picture of a batch, (N,): the unweighted terms and their weighted total."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor
    layers: Mapping[str, Tensor]
    """What each layer adds to its term: "content conv4_2", "style conv1_1", ..."""

    def clone(self) -> Terms:
        layers = {name: value.clone() for name, value in self.layers.items()}
        return Terms(self.total.clone(), self.content.clone(), self.style.clone(), self.tv.clone(), layers)

    def sums(self) -> dict[str, float]:
        """Each term summed over the batch."""
        return self.read()[0]

    def layer_sums(self) -> dict[str, float]:
        """Each layer's part summed over the batch."""
        return self.read()[1]

    def check(self, gradient: Tensor) -> None:
        """Raise ValueError where a picture's total or `gradient` is not finite; it says where that begins."""
        layers = {f"the term {name}": value for name, value in self.layers.items()}
        parts = layers | {
            "tv": self.tv,
            "the weighted total": self.total,
            "its gradient": gradient.flatten(1).abs().amax(1) if gradient.numel() else self.total,  # no rows here
        }
        for name, value in parts.items():
            wrong = (~torch.isfinite(value)).nonzero().flatten().tolist()
            if wrong:
                raise ValueError(
                    f"picture {wrong[0] + 1} of {len(value)}: {name} is {float(value[wrong[0]])} where the descent "
                    "starts, so there is nothing to go on from; lower the weights of the terms, work in float32, and "
                    "check the filters and the targets for NaN"
                )

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """`sums` and `layer_sums`, for which the device is waited for once."""
        terms = {name: getattr(self, name) for name in ("total", "content", "style", "tv")}
        values = [*terms.values(), *self.layers.values()]
        sums = torch.stack([each.sum().to(torch.promote_types(each.dtype, torch.float32)) for each in values]).tolist()
        return dict(zip(terms, sums[:4], strict=True)), dict(zip(self.layers, sums[4:], strict=True))
