"""How a picture of the descent becomes the file that the user asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..network.vgg import NetworkTag
from ..pictures.colors import keep_luminance
from .inputs import Inputs
from .parsed import Options
from .record import record_of


def save_picture(
    out: str | Path,
    image: Tensor,
    steps: int,
    network: NetworkTag,
    given: Inputs,
    options: Options,
    save: Callable[..., None],
    *,
    overwrite: bool,
) -> None:
    """Write a picture of the size of the result with the content's alpha and, if asked for, its colours.

    Args:
        out: the path.
        image: (1, 3, H, W), about in [0, 1].
        steps: the number of steps that made it.
        network: the network that did.
        given, options: those of the run.
        save: writes a picture as `Session.save` does.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ImageError: where it cannot be written.
    """
    image, content = image.clamp(0, 1), given.content
    if options.keep_luminance and content is not None:
        image = keep_luminance(image, content.pixels)
    how: dict[str, Any] = {"depth": options.depth, "quality": options.file_quality, "overwrite": overwrite}
    if not options.strip:
        how["metadata"] = replace(given.metadata, made=record_of(options, given.files, network, steps, given.size))
    save(out, image, given.size, alpha=None if content is None else content.alpha, **how)
