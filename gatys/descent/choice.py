"""How the settings choose a descent, and what becomes of it where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..errors import InputTypeError, is_out_of_memory
from ..passes.layout import Layout
from ..passes.memory import release
from ..passes.plan import Plan
from ..settings import Settings
from .adam import Adam
from .batch import Batch
from .kept import Kept
from .lbfgs import LBFGS
from .protocol import Descent


def choose_descent(
    picture: Tensor, settings: Settings, plan: Plan, place: Layout, *, half: bool, rounded: bool
) -> Descent:
    """Give the descent of all pictures of a batch.

    Args:
        picture: (N, 3, H, W) in [0, 1], where to start.
        settings: which optimiser, and its rate.
        plan: what L-BFGS may remember, and where.
        place: where the pictures lie.
        half: whether L-BFGS remembers in half precision.
        rounded: whether the descent goes by another loss than the pictures are kept by.
    """
    make: Callable[[Tensor], Descent]
    if callable(settings.optimizer):
        make = partial(_own, settings.optimizer)
    elif settings.optimizer == "adam":
        make = partial(Adam, learning_rate=settings.rate, add=place.team.add)
    else:
        make = partial(
            LBFGS,
            first_step=0.02 * settings.rate,
            history_size=place.team.least(plan.history_size),
            history_device=plan.history_device,
            history_dtype=torch.float16 if half else None,
            add=place.team.add,
        )
    each: Callable[[Tensor], Descent] = partial(Kept, make=make) if rounded else make
    return Batch(picture, each)


def _own(factory: Callable[[Tensor], Descent], picture: Tensor) -> Descent:
    """Give what the user's function makes, once it is known that it can be asked and told."""
    made = factory(picture)
    missing = [
        name for name in ("best", "setbacks", "ask", "tell", "lighter", "state", "restore") if not hasattr(made, name)
    ]
    if missing:
        raise InputTypeError(
            f"optimizer: expected a function that gives a gatys.Descent, got {type(made).__name__} without "
            f"{', '.join(missing)}; write what is missing"
        )
    return made


def tell(descent: Descent, loss: Tensor, gradient: Tensor, place: Layout) -> tuple[Descent, list[str]]:
    """Tell the descent; if memory runs out in it, give one that goes on from the best picture and remembers less.

    In strips that ends the run, since the other processes are in the midst of it.
    """
    try:
        descent.tell(loss, gradient)
        return descent, []
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or not place.team.alone:
            raise
    descent = descent.lighter()
    release(gradient.device)
    return descent, ["memory ran out; went on from the best picture, remembering fewer steps"]
