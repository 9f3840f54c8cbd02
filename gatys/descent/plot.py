"""The losses of a run as a picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError, MissingPackage
from .records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TERMS = {"total": "black", "content": "tab:blue", "style": "tab:red", "tv": "tab:green"}
"""The terms of a `Record` and their colours."""
DASHES = ((0, (1, 1)), (0, (3, 1)), (0, (5, 2)), (0, (8, 2)), (0, (3, 1, 1, 1)), (0, (8, 2, 1, 2)))
"""The dash patterns of the layers' lines, in turn; their colour is the term's."""
DPI = 100


def plot_history(
    histories: Sequence[Record] | Sequence[Sequence[Record]],
    *,
    width: int = 960,
    height: int = 540,
    log_scale: bool = True,
    layers: bool = False,
) -> Tensor:
    """Draw losses against steps, as a picture: the weighted total, and the terms before weighting.

    Bands in the background are levels, coarse to fine; a dashed line is where the next picture of a batch begins.

    Args:
        histories: `Result.history`, or one for each picture, which are drawn one after the other.
        width, height: size of the plot in pixels, at least 320 x 240.
        log_scale: whether the axis of the losses is logarithmic; terms that are 0 throughout are not drawn.
        layers: whether to draw what each layer adds to its term, too, in thin lines.

    Returns:
        (1, 3, height, width) in [0, 1].

    Raises:
        MissingPackage: without matplotlib; the message says how to install it.
        InputError: for an empty history, or a plot that is too small.

    Example:
        >>> result = gatys.optimize(net, content=content, style=style)
        >>> gatys.save_image(gatys.plot_history(result.history), "losses.png")
    """
    several = [list(each) for each in _several(histories)]
    if not any(several):
        raise InputError("history: expected at least one record of a step, got none; run the optimiser first")
    if width < 320 or height < 240:
        raise InputError(f"width, height: expected at least 320 x 240 pixels, got {width} x {height}; enlarge the plot")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackage(
            "plot_history: needs the package matplotlib, which cannot be imported here; install it with "
            f'"{sys.executable}" -m pip install matplotlib',
            name="matplotlib",
        ) from error
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)  # not pyplot, whose figures and backend belong to the whole process
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log" if log_scale else "linear")
    _draw(figure, axes, [history for history in several if history], layers)
    canvas.draw()
    pixels = torch.frombuffer(bytearray(canvas.buffer_rgba()), dtype=torch.uint8).reshape(height, width, 4)
    return pixels[None, ..., :3].movedim(-1, 1).float().div(255).contiguous()


def _draw(figure: Figure, axes: Axes, histories: list[list[Record]], layers: bool) -> None:
    coarsest = max(record.level for history in histories for record in history)
    begin, labelled = 0, set()
    for number, history in enumerate(histories):
        if number:
            axes.axvline(begin + 0.5, color="grey", linewidth=0.8, linestyle="--")
        for level, first, last in _bands(history):
            if coarsest:
                shade = "0.94" if level % 2 else "white"
                axes.axvspan(begin + first - 0.5, begin + last + 0.5, facecolor=shade, linewidth=0, zorder=0)
                if number == 0:
                    middle = (first + last) / 2
                    axes.annotate(
                        f"level {level}",
                        (middle, 1),
                        xycoords=("data", "axes fraction"),
                        xytext=(0, -4),
                        textcoords="offset points",
                        ha="center",
                        va="top",
                        fontsize="small",
                        color="0.4",
                    )
        marker = "." if len(history) == 1 else None
        steps = range(begin + 1, begin + len(history) + 1)
        for name, values, look in _curves(history, layers):
            label = None if name in labelled else name
            labelled.add(name)
            axes.plot(steps, values, label=label, marker=marker, **look)
        begin += len(history)
    axes.set_xlim(0.5, begin + 0.5)
    axes.margins(y=0.12)  # room for the levels' names
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    columns = int(figure.bbox.width) // 110  # as many names as fit side by side
    figure.legend(
        loc="outside lower center", ncols=min(columns, len(labelled)), handlelength=1.2, fontsize="small", frameon=False
    )


def _several(histories: Sequence[Record] | Sequence[Sequence[Record]]) -> Iterator[Sequence[Record]]:
    """Give each history, where one or several were given."""
    one = [each for each in histories if isinstance(each, Record)]
    if one:
        yield one
    yield from (each for each in histories if not isinstance(each, Record))


def _curves(history: list[Record], layers: bool) -> Iterator[tuple[str, list[float], dict]]:
    """Give name, values (NaN where not above 0) and look of each line that has something to show."""
    lines: list[tuple[str, list[float], dict[str, Any]]] = [
        (term, [record[term] for record in history], {"color": TERMS[term]}) for term in TERMS
    ]
    for _, _, look in lines:
        look["linewidth"] = 1.8 if look["color"] == TERMS["total"] else 1.2
    for index, name in enumerate(history[-1].layers if layers else ()):
        look = {
            "color": TERMS.get(name.split()[0], "tab:purple"),
            "linewidth": 0.8,
            "linestyle": DASHES[index % len(DASHES)],
        }
        lines.append((name, [record.layers.get(name, 0.0) for record in history], look))
    for name, values, look in lines:
        if any(value > 0 for value in values):
            yield name, [value if value > 0 else float("nan") for value in values], look


def _bands(history: list[Record]) -> list[tuple[int, int, int]]:
    """Give (level, first step, last step) of each run of one level, counted within this history."""
    bands: list[tuple[int, int, int]] = []
    for step, record in enumerate(history, 1):
        if bands and bands[-1][0] == record.level:
            bands[-1] = (record.level, bands[-1][1], step)
        else:
            bands.append((record.level, step, step))
    return bands
