"""How a picture of the descent becomes the file that the user asked for, and what that is called."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..network.vgg import NetworkTag
from ..pictures.colors import keep_luminance
from .inputs import Inputs
from .options import NO_CONTENT
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


def default_name(options: Options, suffix: str = ".png") -> Path:
    """Give `content_style.png`, `style_texture.png` or `content_reconstruction.png`."""
    styles = [*options.style, *options.load_style]
    names = [Path(path).stem for path in [options.content, *styles] if path != NO_CONTENT]
    names += ["texture"] if options.content == NO_CONTENT else [] if styles else ["reconstruction"]
    # file systems allow about 255 bytes
    return Path(os.fsencode("_".join(names))[:200].decode(errors="ignore") + suffix)


def free_path(path: Path) -> Path:
    """Give `path`, or where there is such a file, the first of `path_2`, `path_3` ... that is free."""
    numbered = (path.with_name(f"{path.stem}_{count}{path.suffix}") for count in itertools.count(2))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))
