"""Where a descent starts: its first picture, and that of each finer level."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .pyramid import resize
from .regions import RegionalStyle
from .targets import ContentTarget, StyleTarget
from .vgg import VGG19, check_image

INITS = ("auto", "content", "noise", "mean")


def noise(count: int, size: tuple[int, int], seed: int, draw: Callable[..., Tensor] = torch.rand) -> Tensor:
    """White noise, (count, 3, *size), uniform in [0, 1] or as `draw` draws it; picture i has the seed `seed + i`."""
    pictures = []
    for index in range(count):
        generator = torch.Generator().manual_seed((seed + index) % 2**63)
        pictures.append(draw((3, *size), generator=generator))
    return torch.stack(pictures)


def begin(start: Tensor, coarser: Tensor | None, size: tuple[int, int], *, detail: bool) -> Tensor:
    """Where a level starts: at the picture of the coarser level, enlarged.

    With `detail`, what the coarser level changed is enlarged and added to the starting picture of this size, so that
    details too small for the coarser level are still there to be painted.
    """
    here = resize(start, size)
    if coarser is None:
        return here
    if not detail:
        return resize(coarser, size)
    before = resize(start, tuple(coarser.shape[-2:]))
    return (here + resize(coarser, size) - resize(before, size)).clamp(0, 1)


def full_size(
    content: ContentTarget | None,
    style: StyleTarget | RegionalStyle | None,
    init: str | Tensor,
    size: tuple[int, int] | None,
) -> tuple[int, int]:
    if content is not None:
        if size is not None and tuple(size) != content.size:
            raise ValueError(
                f"size: the content target is {content.size} (height, width), got {tuple(size)}; leave size out"
            )
        return content.size
    if size is not None:
        return tuple(size)
    return tuple(init.shape[-2:]) if isinstance(init, Tensor) else style.size


def starting_picture(
    net: VGG19, content: ContentTarget | None, init: str | Tensor, full: tuple[int, int], seed: int
) -> Tensor:
    count = 1 if content is None else content.image.shape[0]
    if isinstance(init, Tensor):
        check_image(init, what="init")
        if content is not None and init.shape[0] not in (1, count):
            raise ValueError(f"init: expected 1 or {count} pictures for {count} content pictures, got {init.shape[0]}")
        count = max(count, init.shape[0])
        image = resize(init.detach().clamp(0, 1), full).expand(count, -1, -1, -1)
    elif init not in INITS:
        raise ValueError(f"init: expected {', '.join(INITS)} or a picture, got {init!r}")
    elif init == "noise" or (init == "auto" and content is None):
        image = noise(count, full, seed)
    elif init == "mean":
        mean, std = (t.view(1, 3, 1, 1).cpu() for t in (net.mean, net.std))
        image = (mean + 0.001 * std * noise(count, full, seed, torch.randn)).clamp_(0, 1)
    elif content is None:
        raise ValueError("init: 'content' needs a content target, and there is none; use 'noise' or a picture")
    else:
        image = content.image
    return image.to(device=net.mean.device, dtype=net.mean.dtype).clone(memory_format=torch.contiguous_format)
