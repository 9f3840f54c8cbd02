"""Pictures and progress in notebooks. IPython is not imported but where a notebook has already done so."""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..errors import InputError
from ..pictures.conversion import AnyPicture, as_picture
from ..pictures.preview import as_png, side_by_side
from .records import Progress, Result
from .time_left import TimeLeft, clock

LARGEST = 1024
"""The longer edge in pixels beyond which a picture is shown reduced."""
PREVIEW = 256
"""The longer edge in pixels of the picture that a run shows so far."""


def show(picture: AnyPicture | Result) -> None:
    """Show a picture: below the cell in a notebook, elsewhere in the system's own viewer.

    Args:
        picture: a picture as for `extract_content`, of which several are shown side by side, or a `Result`. Above 1024
            pixels it is shown reduced.

    Raises:
        InputError, InputTypeError: for anything else.

    Example:
        >>> gatys.show(gatys.stylize("photo.jpg", "painting.jpg"))
    """
    pixels = picture.image if isinstance(picture, Result) else as_picture(picture, "picture")
    display = _display()
    if display is None:
        side_by_side(pixels, LARGEST).show()
    else:
        display({"image/png": base64.b64encode(as_png(pixels, LARGEST)).decode()}, raw=True)


def notebook_progress(*, every: float = 2.0) -> Callable[[Progress], None]:
    """Give a callback that shows a bar below the cell of a notebook, the time left, and a small picture so far.

    Args:
        every: the seconds between two looks at least.

    Returns:
        A `callback` for one call of `optimize` or `stylize`.

    Raises:
        InputError: outside a notebook, and for seconds that are no finite number of at least 0.

    Example:
        >>> gatys.optimize(net, content=content, style=style, callback=gatys.notebook_progress())
    """
    if not 0 <= every < float("inf"):
        raise InputError(f"every: expected a finite number of seconds of at least 0, got {every!r}; give such a one")
    display = _display()
    if display is None:
        raise InputError("notebook_progress: expected a notebook, and there is none; give callback=print or the like")
    left, told, handle = TimeLeft(monotonic()), -float("inf"), None

    def follow(progress: Progress) -> None:
        nonlocal told, handle
        now = monotonic()
        seconds = left.after(progress, now)
        if now - told < every and progress.step != progress.steps:
            return
        shown = {"text/html": _page(progress, seconds), "text/plain": repr(progress)}
        if handle is None:
            handle = display(shown, raw=True, display_id=True)
        else:
            handle.update(shown, raw=True)
        told = now

    return follow


def _display() -> Callable[..., Any] | None:
    """Give IPython's `display` where this process is a notebook's; None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:  # a terminal of IPython shows no pictures
        return None
    from IPython.display import display

    return display


def _page(progress: Progress, left: float) -> str:
    at = f"step {progress.step} of {progress.steps}, level {progress.level}, loss {progress.losses.total:.4g}"
    about = f", about {clock(left)} left" if progress.step != progress.steps else ""
    picture = base64.b64encode(as_png(progress.image, PREVIEW)).decode()
    bar = f'<progress value="{progress.step}" max="{progress.steps}" style="width: {PREVIEW}px"></progress>'
    return f'{bar} {html.escape(at + about)}<br><img alt="the picture so far" src="data:image/png;base64,{picture}">'
