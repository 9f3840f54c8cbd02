"""The smoothness term: it measures how much neighbouring pixels differ."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..passes.layout import Rings, Strip
from ..settings import TV_FORMS, TvForm
from .nine_points import nine_points
from .term import PixelLoss, Term, View


def check_tv_form(form: str) -> None:
    """Raise InputError unless `form` is one of `TV_FORMS`."""
    if form not in TV_FORMS:
        raise InputError(f"tv_form: expected one of {', '.join(TV_FORMS)}, got {form!r}")


def total_variation(
    image: Tensor,
    form: TvForm = "squared",
    *,
    rings: Rings = (False, False),
    strip: Strip | None = None,
    rounding: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Measure the smoothness of pictures: squared differences of neighbours, summed and divided by the number of
    values.

    (Mahendran and Vedaldi, CVPR 2015, with exponent 2; with "absolute", the anisotropic form of Rudin, Osher and
    Fatemi, 1992, whose derivative where neighbours are equal is taken to be 0; with "nine-point", `nine_points`.)

    With a `rounding` e, the kinks of |d| are rounded off for the descent: sqrt(d^2 + e^2) - e takes the place of |d|
    (Acar and Vogel, *Analysis of bounded variation penalty methods*, 1994, but for the constant), less by e at most.

    Args:
        image: (N, 3, H, W).
        form: one of `TV_FORMS`.
        rings: whether the upper and the lower edge are neighbours, too, and whether the left and the right one.
        strip: where `image` is a part of the picture; the value is then that part's.
        rounding: e, in units of the [0, 1] range; it changes "absolute" only.

    Returns:
        The value of each picture, (N,); that with rounded kinks, (N,); and the gradient of the latter, (N, 3, H, W).

    Raises:
        InputError: for another form.
    """
    check_tv_form(form)
    rows = strip or Strip(image.shape[-2], image.shape[-2], image[0].numel(), True)
    own, there, count, _ = rows
    gradient = torch.zeros_like(image)
    value = image.new_zeros(image.shape[0])
    lost = torch.zeros_like(value)
    if not own:
        return value, value, gradient
    if form == "nine-point":
        value, gradient = nine_points(image, rings, rows)
        return value, value, gradient
    rounding = rounding if form == "absolute" else 0.0
    for axis in (-2, -1):
        height, width = (there, image.shape[-1]) if axis == -2 else (own, image.shape[-1])
        if form == "corner" and not rings[-3 - axis]:  # a pixel without a neighbour along the other axis does not count
            height, width = (there, width - 1) if axis == -2 else (there - 1, width)
        pixels, pulled = (t[..., :height, :width] for t in (image, gradient))
        closed = rings[axis] and (axis == -1 or strip is None)
        step = pixels.diff(dim=axis, append=pixels.narrow(axis, 0, 1) if closed else None)
        size = step.abs() if form == "absolute" else step.square()
        value = value + size.sum(dim=(1, 2, 3)) / count
        if rounding:
            smooth = step.square().add_(rounding**2).sqrt_()
            lost = lost + (size - smooth).add_(rounding).sum(dim=(1, 2, 3)) / count
            step = step / smooth / count
        else:
            step = step.sign() / count if form == "absolute" else step * (2 / count)
        if closed:
            pulled.add_(step.roll(1, axis)).sub_(step)
            continue
        length = pixels.shape[axis]
        pulled.narrow(axis, 1, length - 1).add_(step)
        pulled.narrow(axis, 0, length - 1).sub_(step)
    return value, value - lost, gradient


class Smoothness(Term):
    """The smoothness of a picture, as `total_variation` takes it.

    Args:
        form: one of `TV_FORMS`.
        rounding: e of `total_variation`.
    """

    name = "tv"
    neighbours = True

    def __init__(self, form: TvForm = "squared", rounding: float = 0.0, weight: float = 1.0):
        super().__init__(weight)
        self._form, self._rounding = form, rounding

    def pixels(self, view: View) -> PixelLoss:
        """Give the value of the rows here, and its gradient in them and those around."""
        value, smooth, gradient = total_variation(
            view.around, self._form, rings=view.rings, strip=view.strip, rounding=self._rounding
        )
        return PixelLoss(value, gradient, smooth)
