"""Shares of the gradient: which term and layer pulls how hard at a picture explains what the weights do."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..passes.plan import make_plan
from ..pictures.conversion import AnyPicture, to_tensor
from .evaluation import Bounded
from .losses import Terms
from .objective import Objective


def gradient_parts(objective: Objective, image: AnyPicture) -> Iterator[tuple[str, Tensor]]:
    """Yield the gradient of an objective at a picture, term by term and layer by layer; the parts add up to all of it.

    Args:
        objective: at any level.
        image: (N, 3, H, W) in [0, 1], as for `Objective.evaluate`, or another kind of picture as for `extract_content`.

    Yields:
        "content conv4_2", "style conv1_1", "tv", "temporal" or the like, and its weighted gradient, (N, 3, H, W).
        Terms with the weight 0 are left out; the parts of a layer in several regions come as one.
    """
    image = image if isinstance(image, Tensor) else to_tensor(image).to(objective.net.mean)
    objective.place.check(image, objective.used, "image")
    for name, one in objective.only():
        yield name, _terms(one, image)[1]


def gradient_shares(objective: Objective, image: AnyPicture) -> dict[str, float]:
    """Give the share of each term and layer in the gradient at a picture.

    A share is the length of one part of the gradient over the sum of all lengths. Parts that pull against each other
    both count, so it says who is heard, not who wins. At the starting picture it shows how a run begins, and at its
    result, between which terms it ended in balance.

    Args:
        objective: the objective, at any level.
        image: (N, 3, H, W) in [0, 1], as for `Objective.evaluate`, or another kind of picture as for `extract_content`.

    Returns:
        `{"content conv4_2": 0.3, "style conv1_1": 0.1, ...}`, of sum 1; all 0 where there is no gradient at all.

    Raises:
        InputError: for a picture that does not fit the objective.

    Example:
        >>> objective = gatys.Objective(net, content=content, style=style)
        >>> shares = gatys.gradient_shares(objective, result.image)
    """
    lengths = gradient_lengths(objective, image)
    whole = sum(lengths.values())
    return {name: length / whole if whole else 0.0 for name, length in lengths.items()}


def gradient_lengths(objective: Objective, image: AnyPicture) -> dict[str, float]:
    """Give the length of each part of the gradient, by the names that `gradient_parts` gives; in strips, of the whole."""
    team = objective.place.team
    lengths = ((name, part.norm()) for name, part in gradient_parts(objective, image))
    return {name: float(part if team.alone else team.add(part.square()).sqrt()) for name, part in lengths}


def _terms(objective: Objective, image: Tensor) -> tuple[Terms, Tensor]:
    """Evaluate as `Objective.terms` does, within the memory there is."""
    place = objective.place
    plan = make_plan(
        place.extent(place.size(image), objective.used, objective.padding),
        objective.used,
        device=image.device,
        optimizer="adam",  # it has no history
        batch=image.shape[0],
        bytes_per_value=image.dtype.itemsize,
        padding=objective.padding,
        whole=not objective.additive,
        held=objective.held,
    )
    return Bounded(objective, plan)(image)
