"""The start of a descent: its first picture, and the first picture of each finer level."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import InputError, one_or_each
from ..network.vgg import VGG
from ..passes.layout import Layout, Rings
from ..pictures.colors import are_grey
from ..pictures.conversion import AnyPicture, to_tensor
from ..settings import INITS, STRENGTH, noise_share
from ..targets.recoloring import knows_colors, recolored
from ..targets.regions import RegionalStyle, every_style
from ..targets.targets import ContentTarget, StyleTarget

_log = logging.getLogger(__name__)
FROM_CONTENT = ("auto", "recolored", "content")
"""The names of starts that are made of the content, where there is one."""
GRAINS = 64
"""The longer edge of the noise that loosens a start."""
_PIECE = 2**20
"""The number of values of noise that are drawn at a time; not all of them need to be kept."""


def noise(
    count: int,
    size: tuple[int, int],
    seed: int,
    draw: Callable[..., Tensor] = torch.rand,
    rows: tuple[int, int] | None = None,
) -> Tensor:
    """Give white noise, (count, 3, *size), uniform in [0, 1] or as `draw` draws it; picture i has the seed `seed + i`.

    With `rows`, [first, last), only those rows are kept, and the whole is never held.
    """
    height, width = size
    first, last = rows or (0, height)
    pictures = torch.empty(count, 3, last - first, width)
    for index, picture in enumerate(pictures):
        generator = torch.Generator().manual_seed((seed + index) % 2**63)
        at, total = 0, 3 * height * width
        while at < total:
            # generators make normal values by sixteens: only the last of these may be other than in one piece
            left = total - at
            here = draw(left if left < _PIECE + 16 else _PIECE, generator=generator)
            for channel, plane in enumerate(picture.flatten(1)):
                low = (channel * height + first) * width
                begin, end = max(low, at), min(low + len(plane), at + len(here))
                if begin < end:
                    plane[begin - low : end - low] = here[begin - at : end - at]
            at += len(here)
    return pictures


def begin(
    start: Tensor,
    coarser: Tensor | None,
    sizes: Sequence[tuple[int, int]],
    level: int,
    place: Layout,
    *,
    detail: float,
    rings: Rings = (False, False),
) -> Tensor:
    """Give the picture that a level starts at: the picture of the coarser level, enlarged, and the share `detail` of what
    the starting picture has at this size and not at the coarser one, so that it is still there to be painted.

    That is one step of a Laplacian pyramid (Burt and Adelson, 1983). With `rings` edges meet the opposite ones.
    """
    here = place.resize(start, sizes[0], sizes[level], rings=rings)
    if coarser is None:
        return here
    enlarged = place.resize(coarser, sizes[level + 1], sizes[level], rings=rings)
    if not detail:
        return enlarged
    before = place.resize(start, sizes[0], sizes[level + 1], rings=rings)
    blurred = place.resize(before, sizes[level + 1], sizes[level], rings=rings)
    if detail == 1:  # as in version 0.1, to the last bit
        return (here + enlarged - blurred).clamp(0, 1)
    return (enlarged + detail * (here - blurred)).clamp(0, 1)


def loosen(
    start: Tensor, share: float, full: tuple[int, int], seed: int, place: Layout, *, rings: Rings = (False, False)
) -> Tensor:
    """Mix a start with a share of noise, so that strokes need not follow the content.

    The noise is drawn `GRAINS` pixels long, or half as long as a smaller picture, and enlarged: finer noise would stay as
    grain.
    """
    if not share:
        return start
    factor = max(2.0, max(full) / GRAINS)
    grid = (max(1, round(full[0] / factor)), max(1, round(full[1] / factor)))
    coarse = noise(len(start), grid, seed, rows=place.rows(grid)).to(start)
    return start.lerp(place.resize(coarse, grid, full, rings=rings), share)


def name_or_picture(init: AnyPicture) -> str | Tensor:
    """Convert a picture to start from to a tensor; a name of `INITS` stays one, and so does a text that is no file's."""
    if isinstance(init, str) and (init in INITS or not os.path.exists(init)):
        return init  # `starting_picture` says what is wrong with it
    return to_tensor(init, "init")


def full_size(
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    init: str | Tensor,
    size: tuple[int, int] | None,
    place: Layout,
) -> tuple[int, int]:
    """Give the (height, width) of the result: the content's; or else what is asked for, the start's, or the style's."""
    if content is not None:
        if size is not None and tuple(size) != content.size:
            raise InputError(
                f"size: the content target is {content.size} (height, width), got {tuple(size)}; leave size out"
            )
        return content.size
    if size is not None:
        return size[0], size[1]
    if isinstance(init, Tensor):
        return place.size(init)
    assert style is not None  # noqa: S101 (callers have made sure of a target)
    return style.size


def starting_picture(
    net: VGG,
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    init: str | Tensor,
    full: tuple[int, int],
    seed: int,
    place: Layout,
    *,
    strength: float = STRENGTH,
    rings: Rings = (False, False),
) -> Tensor:
    """Give the rows here of the starting picture, (N, 3, H, W) at full size, on the network's device.

    If it is made of the content, it is loosened as far as the strength asks for that.
    """
    count = 1 if content is None else content.image.shape[0]
    if isinstance(init, Tensor):
        place.check(init, (), "init")
        if content is not None and init.shape[0] not in (1, count):
            expected = one_or_each(count, "picture", "content picture")
            raise InputError(f"init: expected {expected}, got {init.shape[0]}; take one of them")
        count = max(count, init.shape[0])
        given = init.detach().clamp(0, 1)
        image = place.resize(given, place.size(init), full, rings=rings).expand(count, -1, -1, -1)
    elif init not in INITS:
        raise InputError(f"init: expected {', '.join(INITS)} or a picture, got {init!r}")
    elif init == "noise" or (init == "auto" and content is None):
        image = noise(count, full, seed, rows=place.rows(full))
    elif init == "mean":
        mean, std = (t.view(1, 3, 1, 1).cpu() for t in (net.mean, net.std))
        image = (mean + 0.001 * std * noise(count, full, seed, torch.randn, place.rows(full))).clamp_(0, 1)
    elif content is None:
        raise InputError(f"init: {init!r} needs a content target, and there is none; use 'noise' or a picture")
    elif init == "recolored" or (init == "auto" and style is not None):
        image = _recolored(content, style, init, place, net.mean.device)
    else:
        image = content.image
    image = image.to(device=net.mean.device, dtype=net.mean.dtype).clone(memory_format=torch.contiguous_format)
    if content is None or isinstance(init, Tensor) or init not in FROM_CONTENT:
        return image
    return loosen(image, noise_share(strength), full, seed, place, rings=rings)


def _recolored(
    content: ContentTarget, style: StyleTarget | RegionalStyle | None, init: str, place: Layout, device: torch.device
) -> Tensor:
    """Give the content in the colours of the style; by "auto" as it is, where these are not known."""
    if style is not None and knows_colors(style):
        return recolored(content, style, place, device)
    if init == "recolored":
        lacks = "a style" if style is None else "a style that knows its colours; a file of version 0.1 does not"
        raise InputError(f"init: 'recolored' needs {lacks}; extract the style again, or use 'content'")
    _log.info("the style's file does not tell its colours: the start has those of the content; extract the style again")
    return content.image


def stay_grey(
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    given: Tensor | None,
    count: int,
    place: Layout,
) -> tuple[bool, ...]:
    """Tell of each of `count` pictures whether it is to stay grey.

    It is where the content, all styles and the picture `given` to start from, as far as they are there, are grey: there
    is no colour that could be meant, but the network's derivatives would bring some in.
    """
    if not all(region.style.grey for region in every_style(style)):
        return (False,) * count
    pictures = [picture for picture in (None if content is None else content.image, given) if picture is not None]
    seen = [are_grey(picture.expand(count, -1, -1, -1)) for picture in pictures]
    return tuple(not place.team.any(not all(each[index] for each in seen)) for index in range(count))
