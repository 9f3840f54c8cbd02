"""A descent whose result is an average over its pictures, so that what still moves to and fro in them is evened out."""

from __future__ import annotations

from torch import Tensor

from .state import State, count, read_count, read_picture
from .watched import Watched


class Averaged:
    """A watched descent with a weighted average over the pictures that it has come to, which takes the best one's place.

    A picture that is k steps old weighs d^k, and all weights together 1: with the weight w_n = (1 - d) / (1 - d^n) of the
    n-th picture x_n, the start being the first, the average is a_n = a_(n-1) + w_n (x_n - a_(n-1)). That is the average
    of Kingma and Ba, *Adam*, 2015, section 3, with its bias corrected, over pictures in the place of gradients, and Polyak and
    Juditsky's of 1992 where d is near 1.

    Args:
        image: (1, 3, H, W) in [0, 1], where to start.
        descent: the descent of this picture.
        decay: d, above 0 and below 1: about 1 / (1 - d) pictures count.
    """

    def __init__(self, image: Tensor, descent: Watched, decay: float):
        self.descent, self._decay = descent, decay
        self.best, self._count = image.clone(), 1

    @property
    def setbacks(self) -> int:
        return self.descent.setbacks

    @property
    def stalls(self) -> int:
        return self.descent.stalls

    @property
    def arrived(self) -> bool:
        return self.descent.arrived

    def ask(self) -> Tensor:
        return self.descent.ask()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Tell the descent, and average the picture that it goes to from there."""
        self.descent.tell(loss, gradient)
        self._count += 1
        weight = (1 - self._decay) / (1 - self._decay**self._count)
        self.best.lerp_(self.descent.ask(), weight).clamp_(0, 1)

    def lighter(self) -> Averaged:
        self.descent = self.descent.lighter()
        return self

    def state(self) -> dict[str, Tensor]:
        return {"average": self.best, "average_count": count(self._count)} | self.descent.state()

    def restore(self, state: State) -> None:
        self.best = read_picture(state, "average", self.best)
        self._count = read_count(state, "average_count", 1)
        self.descent.restore({name: t for name, t in state.items() if name not in ("average", "average_count")})
