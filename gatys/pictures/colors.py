"""Keeping the content's colours: a painting takes them on from the start, or a result gets them back at the end.

After Gatys, Bethge, Hertzmann and Shechtman, *Preserving Color in Neural Artistic Style Transfer* (2016,
arXiv:1606.05897): `match_colors` gives the style picture the content's colours before its Gram matrices are taken;
`keep_luminance` leaves the finished picture its lights and darks and replaces its colours.

Both work in main memory and in float64: some devices lack float64, eigenvalues or sorting, and so the result is the
same on each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..settings import METHODS, ROOTS, FilmColors, Method, Root, check_choice
from .checks import size_of
from .conversion import AnyPicture, as_picture
from .resampling import resize

LUMA = (0.299, 0.587, 0.114)
"""The weights of R, G and B in luma, by Rec. ITU-R BT.601: the Y of YIQ, of gamma-encoded values, as the paper takes
it."""

VARIANCE_FLOOR = 1e-4
"""The floor below which variances, a deviation of 0.01 or 2.5 steps of 8 bits, are not stretched further.

Grey and constant pictures have directions without variance, where the transfer would divide by zero, and nearly grey
ones have only rounding and JPEG noise there: the 1e-5 that Gatys' own code adds still turns it into coloured specks.
"""

GREY = 1.01 / 255
"""The difference between channels up to which a pixel is grey: one level of 8 bits, and rounding."""

_MOST = 2**22
"""The number of colours that a histogram of a film is made of, about."""


def match_colors(
    style_image: AnyPicture,
    content_image: AnyPicture,
    method: Method = "linear",
    *,
    root: Root = "symmetric",
    strength: float = 1.0,
    film: FilmColors = "off",
) -> Tensor:
    """Give the style picture the colour distribution of the content picture, before its style is extracted.

    "linear" is x' = A (x - mean_style) + mean_content with A cov_style A^T = cov_content, which leaves A free up to a
    rotation. `root` chooses it, S being the covariance of the style and C that of the content:
    - "symmetric": S^-1/2 (S^1/2 C S^1/2)^1/2 S^-1/2, the map that moves the colours least (Pitie and Kokaram, *The
      Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer*, 2007);
    - "pca": C^1/2 S^-1/2, of *Image Analogies* (Hertzmann et al., 2001); what Gatys' own notebook uses;
    - "cholesky": L_C L_S^-1 with the lower triangular factors, in the order R, G, B, on which it depends; also in the
      2016 paper.
    "histogram" matches each channel for itself: every value becomes the mean of those content values that hold its
    place in the order. So equal pixels stay equal, and the mean is the content's.

    Args:
        style_image: (N, 3, H, W) in [0, 1], or another kind of picture as for `extract_content`.
        content_image: (1 or N, 3, H', W') in [0, 1], likewise, of any size.
        method: one of `METHODS`.
        root: one of `ROOTS`; histograms have none.
        strength: how far to go, from 0 (the style picture as it is) to 1 (all the way); pixels are mixed between.
        film: "off": every picture is matched for itself. For the frames of a film, whose colours would flicker so, one map
            for all: "whole": from the colours of all pictures to those of all of the content's, which may be any number;
            or the number of a picture, from 0: from the colours of that one to those of the content's of that number. A
            single style picture, or a single content, is the one for any number.

    Returns:
        (N, 3, H, W) clamped to [0, 1], like `style_image` in device and type. A style picture of one colour gets the
        content's mean colour. A grey content makes it grey; by histogram, which knows no other channel, only nearly.

    Raises:
        InputError: for pictures of another shape or kind or with NaN, numbers of them that do not fit, an unknown
            method or root, a strength outside 0 .. 1, or a number of `film` that no picture has.

    Example:
        >>> painting = gatys.match_colors(painting, photo)
        >>> style = gatys.extract_style(net, painting)
    """
    check_choice("method", method, METHODS)
    check_choice("root", root, ROOTS)
    style_image, content_image = as_picture(style_image, "style image"), as_picture(content_image, "content image")

    def matched(style: Tensor, content: Tensor) -> Tensor:
        new = _match_histogram(style, content) if method == "histogram" else _match_linear(style, content, root)
        return torch.lerp(style, new, strength).clamp(0, 1).to(style_image)

    if film == "off":
        pairs = _pairs(style_image, content_image, "style image", "content image", strength)
        return torch.stack([matched(style, content) for style, content in pairs])
    _check_strength(strength)
    both, count = (style_image, content_image), max(len(style_image), len(content_image))
    own, wanted = (_of_film(pictures, film, count) for pictures in both)
    change = _histogram_map(own, wanted) if method == "histogram" else _linear_map(own, wanted, root)
    pictures = (_exact(style) for style in style_image)
    return torch.stack([torch.lerp(style, change(style), strength).clamp(0, 1).to(style_image) for style in pictures])


def match_colors_by(
    way: Method | Root, images: AnyPicture, reference: AnyPicture, strength: float = 1.0, film: FilmColors = "off"
) -> Tensor:
    """Match colours as `match_colors` does, by a method, or linearly by the root of that name."""
    for root in ROOTS:
        if way == root:
            return match_colors(images, reference, "linear", root=root, strength=strength, film=film)
    method: Method = "histogram" if way == "histogram" else "linear"
    return match_colors(images, reference, method, strength=strength, film=film)


def keep_luminance(result: AnyPicture, content: AnyPicture, *, match: bool = False, strength: float = 1.0) -> Tensor:
    """Give a finished picture the colours of the content, and leave it its own luminance.

    The I and Q channels of the content (YIQ, gamma-encoded) meet the Y of the result: adding the same number to R, G
    and B changes Y alone, so this is `content + (Y_result - Y_content)`. Where that leaves [0, 1], the colour is drawn
    towards grey until it fits: luminance and hue stay exact, which clamping R, G and B would break.

    Args:
        result: (N, 3, H, W) in [0, 1], or another kind of picture as for `extract_content`.
        content: (1 or N, 3, H', W') in [0, 1], likewise; of another size, it is resized to that of `result`.
        match: whether to bring the mean and the standard deviation of the result's luminance to the content's first,
            as the paper does with the style's, for a result that has come out too dark, too light or too flat.
        strength: how far to go, from 0 (the result as it is) to 1 (all the way); pixels are mixed between.

    Returns:
        (N, 3, H, W) in [0, 1], like `result` in device and type.

    Raises:
        InputError: for pictures of another shape or kind or with NaN, numbers of them that do not fit, or a strength
            outside 0 .. 1.

    Example:
        >>> calm = gatys.keep_luminance(result.image, photo)
        >>> gatys.save_image(calm, "result.png")
    """
    result, content = as_picture(result, "result"), as_picture(content, "content")
    pairs = _pairs(result, content, "result", "content", strength)

    def kept(picture: Tensor, colours: Tensor) -> Tensor:
        colours = resize(colours[None], size_of(picture))[0]
        luminance, own = _luma(picture), _luma(colours)
        if match:
            luminance = _match_spread(luminance, own)
        new = _fit_gamut(luminance.clamp(0, 1), colours - own)
        return torch.lerp(picture, new, strength).clamp(0, 1).to(result)

    return torch.stack([kept(picture, colours) for picture, colours in pairs])


def are_grey(pictures: Tensor) -> list[bool]:
    """Tell of each picture, (N, 3, H, W) in [0, 1], whether it is grey all over, to within one level of 8 bits."""
    spread = pictures.amax(1) - pictures.amin(1)
    return (spread <= GREY).flatten(1).all(1).tolist()


def average_channels(pictures: Tensor, which: Sequence[bool]) -> Tensor:
    """Give pictures, (N, 3, H, W), or gradients in them, with the channels of those that `which` names averaged.

    Of a gradient this is its part along grey pictures: the projection on the space in which R, G and B are equal.
    """
    if not any(which):
        return pictures
    mask = torch.tensor(which, device=pictures.device).view(-1, 1, 1, 1)
    return torch.where(mask, pictures.mean(1, keepdim=True), pictures)


# checks that both need


def _pairs(
    images: Tensor, references: Tensor, what: str, reference: str, strength: float
) -> Iterable[tuple[Tensor, Tensor]]:
    """Check the pictures, and yield each with its reference, (3, H, W) in main memory and float64."""
    count = images.shape[0]
    if references.shape[0] not in (1, count):
        raise InputError(
            f"{reference}: expected 1 picture or one for each {what}, {count} in all, got {references.shape[0]}"
        )
    _check_strength(strength)
    for index in range(count):
        yield _exact(images[index]), _exact(references[index if references.shape[0] > 1 else 0])


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 1:
        raise InputError(f"strength: expected a number from 0 to 1, got {strength!r}")


def _exact(picture: Tensor) -> Tensor:
    return picture.detach().cpu().to(torch.float64)


# the linear transfer


def _match_linear(style: Tensor, content: Tensor, root: Root) -> Tensor:
    style_mean, style_covariance = _moments(style)
    content_mean, content_covariance = _moments(content)
    matrix = transfer(style_covariance, content_covariance, root)
    moved = matrix @ (style.flatten(1) - style_mean) + content_mean
    return moved.view_as(style)


def _moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Give mean (3, 1) and covariance (3, 3) of the colours of a (3, H, W) picture."""
    pixels = picture.flatten(1)
    mean = pixels.mean(1, keepdim=True)
    centred = pixels - mean
    return mean, centred @ centred.T / pixels.shape[1]


def transfer(style: Tensor, content: Tensor, root: Root) -> Tensor:
    """Give the (3, 3) matrix A with A style A^T = content, `style` having its variances raised to the floor.

    Only the style's covariance is inverted, so only that one is touched: a grey content gives grey exactly, and
    without variances under the floor nothing is changed at all.
    """
    forth, back = _roots(style)
    if root == "pca":
        return _roots(content, floor=0.0)[0] @ back
    if root == "symmetric":
        return back @ _roots(forth @ content @ forth, floor=0.0)[0] @ back
    return _lower_factor(content) @ torch.linalg.inv(torch.linalg.cholesky(forth @ forth))


def _roots(covariance: Tensor, floor: float = VARIANCE_FLOOR) -> tuple[Tensor, Tensor]:
    """Give the symmetric root of a (3, 3) covariance with its variances raised to `floor`, and the root's inverse.

    With a floor of 0 the inverse may be infinite; it is for those who need the root alone. Variances that are rounding beside
    the largest are 0: of 1e-17 the root would be 3e-9, which no longer is.
    """
    variances, axes = torch.linalg.eigh((covariance + covariance.T) / 2)
    variances = torch.where(variances > 1e-12 * variances.max(), variances, 0.0)
    deviations = variances.clamp_min(floor).sqrt()
    return (axes * deviations) @ axes.T, (axes / deviations) @ axes.T


def _lower_factor(covariance: Tensor) -> Tensor:
    """Give the Cholesky factor of a covariance that may be singular, by way of the QR factors of its root."""
    upper = torch.linalg.qr(_roots(covariance, floor=0.0)[0])[1]
    return (upper * torch.where(upper.diagonal() < 0, -1.0, 1.0)[:, None]).T


# histograms


def _match_histogram(style: Tensor, content: Tensor) -> Tensor:
    return torch.stack([_match_channel(s, c) for s, c in zip(style, content, strict=True)])


def _match_channel(values: Tensor, wanted: Tensor) -> Tensor:
    """Replace each value of one channel by the mean of `wanted` over the share of the order that it holds."""
    _, level_of, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).to(torch.float64) * (wanted.numel() / values.numel())
    ends[-1] = wanted.numel()  # rounding must not change it
    sums = torch.cat([wanted.new_zeros(1), wanted.flatten().sort().values.cumsum(0)])
    whole = ends.floor().long().clamp(max=wanted.numel() - 1)
    until = sums[whole] + (ends - whole) * (sums[whole + 1] - sums[whole])
    shares = ends.diff(prepend=ends.new_zeros(1))
    return (until.diff(prepend=until.new_zeros(1)) / shares)[level_of]


# one map for all frames of a film


def _of_film(pictures: Tensor, film: FilmColors, count: int) -> Tensor:
    """Give the pictures whose colours count, of some or of the only one; `count` is that of the larger collection."""
    if film == "whole":
        return pictures
    if len(pictures) > 1:
        count = len(pictures)
    if isinstance(film, bool) or not isinstance(film, int) or not 0 <= film < count:
        raise InputError(
            f"film: expected 'off', 'whole', or the number of one of {count} pictures, from 0 to {count - 1}, got {film!r}"
        )
    return pictures if len(pictures) == 1 else pictures[film : film + 1]


def _linear_map(own: Tensor, wanted: Tensor, root: Root) -> Callable[[Tensor], Tensor]:
    """Give the linear transfer from the colours of some pictures to those of others, as a function of (3, H, W)."""
    (mean, covariance), (new_mean, new_covariance) = _film_moments(own), _film_moments(wanted)
    matrix = transfer(covariance, new_covariance, root)
    return lambda picture: (matrix @ (picture.flatten(1) - mean) + new_mean).view_as(picture)


def _film_moments(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Give mean and covariance of the colours of all pictures, (N, 3, H, W), by the law of total covariance."""
    means, covariances = zip(*(_moments(_exact(picture)) for picture in pictures), strict=True)
    mean = torch.stack(means).mean(0)
    apart = torch.cat(means, dim=1) - mean
    return mean, torch.stack(covariances).mean(0) + apart @ apart.T / len(means)


def _histogram_map(own: Tensor, wanted: Tensor) -> Callable[[Tensor], Tensor]:
    """Give the histogram's transfer likewise; values between those that some picture has are interpolated."""
    curves = []
    for values, new in zip(_sample(own), _sample(wanted), strict=True):
        levels = torch.unique(values)
        mapped = torch.empty_like(levels)
        mapped[torch.searchsorted(levels, values)] = _match_channel(values, new)
        curves.append((levels.numpy(), mapped.numpy()))
    return lambda picture: torch.stack(
        [torch.from_numpy(np.interp(channel, *curve)) for channel, curve in zip(picture.numpy(), curves, strict=True)]
    )


def _sample(pictures: Tensor) -> Tensor:
    """Give colours of all pictures, (3, M), at most about four million of them, evenly spaced."""
    step = -(-pictures[:, 0].numel() // _MOST)
    return torch.cat([_exact(picture.flatten(1)[:, ::step]) for picture in pictures], dim=1)


# luminance


def _luma(picture: Tensor) -> Tensor:
    """Give the luma of (3, H, W) as (1, H, W)."""
    return (picture * picture.new_tensor(LUMA).view(3, 1, 1)).sum(0, keepdim=True)


def _match_spread(luminance: Tensor, wanted: Tensor) -> Tensor:
    variance = luminance.var(correction=0).clamp_min(VARIANCE_FLOOR)
    gain = (wanted.var(correction=0) / variance).sqrt()
    return (luminance - luminance.mean()) * gain + wanted.mean()


def _fit_gamut(luminance: Tensor, chroma: Tensor) -> Tensor:
    """Give `luminance + s * chroma` with the largest s up to 1 that stays in [0, 1]; luminance must be in [0, 1]."""
    room = torch.where(chroma > 0, 1 - luminance, luminance)
    tiny = torch.finfo(chroma.dtype).tiny  # without chroma there is nothing to draw in
    scale = (room / chroma.abs().clamp_min(tiny)).amin(0, keepdim=True).clamp(max=1)
    return luminance + scale * chroma
