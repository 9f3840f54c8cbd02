"""Pictures that this program's own reduction makes too small: which option did it, and what it would have to be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ..errors import InputError
from ..network.layers import Layer, layers_down_to, minimum_size
from ..passes.layout import Size
from .parsed import Options


def check_reduced(
    what: str,
    size: Size,
    file_size: Size | Callable[[], Size],
    layers: Iterable[Layer],
    options: Options,
    *,
    scaled: bool = False,
) -> None:
    """Raise InputError where a picture is too small for layers because it was reduced; do nothing about any other.

    Args:
        what: the name of the picture in the message.
        size: the (height, width) that it was brought to.
        file_size: the one that its file has, or a function that gives it.
        layers: the layers that it is for.
        options: the options of the run.
        scaled: whether `--style-scale` has a say in its size.
    """
    used = list(layers)
    need = minimum_size(used)
    if min(size) >= need:
        return
    height, width = file_size() if callable(file_size) else file_size
    if max(height, width) <= max(size):
        return
    scale = options.style_scale if scaled else 1.0
    least = math.ceil(need * max(height, width) / min(height, width) / scale)
    advice = f"give --size {least} or more"
    if scale < 1:
        cause, advice = f"--style-scale {scale:g}", f"give a larger --style-scale, or {advice.removeprefix('give ')}"
    elif "size" not in options.filled:
        cause = f"--size {options.size}" if options.size else "CONTENT's own size"
    elif options.preset is not None:
        cause = f"--preset {options.preset}"
    else:
        cause = f"--quality {options.quality}, which means --size {options.size},"
    raise InputError(
        f"{what}: {cause} makes {size[1]} x {size[0]} of its {width} x {height} pixels, too small for "
        f"{layers_down_to(used)[-1].name}, which needs at least {need} x {need}; {advice}, or choose shallower layers"
    )
