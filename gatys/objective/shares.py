"""Which term and layer pulls how hard at a picture: it explains what the weights do."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..network.vgg import check_image
from ..passes.plan import make_plan
from ..pictures.checks import size_of
from ..pictures.conversion import AnyPicture, to_tensor
from .evaluation import Bounded
from .losses import Terms
from .objective import Objective


def gradient_parts(objective: Objective, image: AnyPicture) -> Iterator[tuple[str, Tensor]]:
    """The gradient of an objective at a picture, term by term and layer by layer; the parts add up to all of it.

    Args:
        objective: at any level.
        image: (N, 3, H, W) in [0, 1], as for `Objective.evaluate`, or another kind of picture as for `extract_content`.

    Yields:
        "content conv4_2", "style conv1_1", "tv", "temporal" or the like, and its weighted gradient, (N, 3, H, W).
        Terms with the weight 0 are left out; of several regions, each layer's parts come as one.
    """
    image = image if isinstance(image, Tensor) else to_tensor(image).to(objective.net.mean)
    check_image(image, objective.used)
    for name, one in objective.only():
        yield name, _terms(one, image)[1]


def gradient_shares(objective: Objective, image: AnyPicture) -> dict[str, float]:
    """How much each term and layer takes part in the gradient at a picture.

    The length of each part of the gradient over the sum of all lengths. Parts that pull against each other both count,
    so it says who is heard, not who wins. At the starting picture it tells how a run begins, and at its result,
    between which terms it ended in balance.

    Args:
        objective, image: as in `gradient_parts`.

    Returns:
        `{"content conv4_2": 0.3, "style conv1_1": 0.1, ...}`, of sum 1; all 0 where there is no gradient at all.

    Raises:
        ValueError: for a picture that does not fit the objective.
    """
    lengths = {name: float(part.norm()) for name, part in gradient_parts(objective, image)}
    whole = sum(lengths.values())
    return {name: length / whole if whole else 0.0 for name, length in lengths.items()}


def _terms(objective: Objective, image: Tensor) -> tuple[Terms, Tensor]:
    """`Objective.terms` within the memory there is."""
    plan = make_plan(
        size_of(image),
        objective.used,
        device=image.device,
        optimizer="adam",  # as one without a history
        batch=image.shape[0],
        bytes_per_value=image.dtype.itemsize,
        padding=objective.padding,
        whole=not objective.additive,
    )
    return Bounded(objective, plan)(image)
