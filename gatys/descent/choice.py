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
from .averaged import Averaged
from .batch import Batch
from .lbfgs import LBFGS
from .protocol import Descent
from .start import noise
from .watched import WINDOW, Watched

LEVEL = 1 / 255
"""The largest noise that a shake puts on a pixel: one level of an 8-bit picture."""
LONGER = 5
"""The factor on the window of optimisers whose loss goes up and down on its way."""


def choose_descent(
    picture: Tensor,
    size: tuple[int, int],
    settings: Settings,
    plan: Plan,
    place: Layout,
    *,
    half: bool,
    rounded: bool,
) -> Batch:
    """Give the descent of all pictures of a batch.

    Args:
        picture: (N, 3, H, W) in [0, 1], where to start; the rows here.
        size: (height, width) of the whole picture.
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
    each = partial(
        Watched,
        make=make,
        shake=partial(_shake, size=size, rows=place.rows(size)),
        flat=lambda image: not place.team.any(bool((image.amax((2, 3)) - image.amin((2, 3))).amax() > LEVEL)),
        tolerance=settings.tolerance,
        window=WINDOW * (1 if settings.optimizer == "lbfgs" else LONGER),
        two_losses=rounded,
    )
    if settings.average:
        return Batch(picture, lambda image: Averaged(image, each(image), settings.average))
    return Batch(picture, each)


def _shake(image: Tensor, number: int, size: tuple[int, int], rows: tuple[int, int] | None) -> Tensor:
    """Give a picture with white noise on it, alike in all channels, so that grey stays grey."""
    grain = noise(1, size, number, rows=rows)[:, :1].to(image) * 2 - 1
    return torch.add(image, grain, alpha=LEVEL).clamp_(0, 1)


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


def tell(descent: Batch, loss: Tensor, gradient: Tensor, place: Layout) -> tuple[Batch, list[str]]:
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
