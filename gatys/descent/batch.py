"""A batch of pictures, each with a descent of its own, so that what befalls one of them leaves the others as they are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .averaged import Averaged
from .state import State
from .watched import Watched


class Batch:
    """Descents of one picture each, together as one `Descent`.

    Args:
        images: (N, 3, H, W) in [0, 1], where to start.
        make: gives the descent of a picture, (1, 3, H, W).
    """

    def __init__(self, images: Tensor, make: Callable[[Tensor], Watched | Averaged]):
        self._each = [make(image) for image in images.split(1)]

    @property
    def best(self) -> Tensor:
        return _together([descent.best for descent in self._each])

    @property
    def setbacks(self) -> int:
        return sum(descent.setbacks for descent in self._each)

    @property
    def stalls(self) -> int:
        """Give how often one of them stood still and was shaken."""
        return sum(descent.stalls for descent in self._each)

    @property
    def arrived(self) -> bool:
        """Tell whether all have arrived where little more is to be gained."""
        return all(descent.arrived for descent in self._each)

    def ask(self) -> Tensor:
        return _together([descent.ask() for descent in self._each])

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        for descent, *told in zip(self._each, loss.split(1), gradient.split(1), strict=True):
            descent.tell(*told)

    def lighter(self) -> Batch:
        self._each = [descent.lighter() for descent in self._each]
        return self

    def state(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": t for i, descent in enumerate(self._each) for name, t in descent.state().items()}

    def restore(self, state: State) -> None:
        for index, descent in enumerate(self._each):
            own = f"{index}."
            descent.restore({name.removeprefix(own): t for name, t in state.items() if name.startswith(own)})


def _together(pictures: list[Tensor]) -> Tensor:
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)
