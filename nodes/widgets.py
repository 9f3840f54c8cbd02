"""Widgets that several nodes have, and what their values mean to `gatys`."""

from __future__ import annotations

from comfy_api.latest import io


def levels_input(what: str) -> io.Int.Input:
    return io.Int.Input(
        "levels",
        default=0,
        min=0,
        max=12,
        tooltip=f"Number of sizes the {what} is extracted at, each half of the one before; the optimiser works from the "
        "smallest up. 0 chooses by size, down to about 128 pixels on the short edge. 1 is full size only, as in the "
        "paper: more of the fine texture, less of the large forms. Content and style need the same number, or 0.",
    )


def levels_from_widget(levels: int) -> int | str:
    return "auto" if levels == 0 else levels


def normalize_input(by: str) -> io.Boolean.Input:
    return io.Boolean.Input(
        "normalize",
        default=True,
        tooltip=f"On: each layer's term is divided by {by}, so that the same weights mean the same for every network and "
        "picture. Off: the plain sums of the paper and of published settings, whose weights depend on the network.",
    )
