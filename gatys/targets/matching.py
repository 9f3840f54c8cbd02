"""Matched content: the style's features in the places where they are most like the content's.

What comes out is an ordinary content target, so that tiles, strips, levels and checkpoints need not know of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import check_layers
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Layout
from ..passes.memory import free_memory
from ..passes.plan import USABLE
from ..passes.tiles import check_tile
from ..pictures.conversion import AnyPicture, to_tensors
from ..settings import TileSize, border_of_paintings, rings
from .gram import accumulation_dtype
from .levels import level_size, levels_with_room, resolve_levels
from .masks import check_mask, guide_at
from .sweep import Way, features_of
from .targets import ContentTarget, check_network

MOST_ROWS = 4096
"""The most positions, of the content and of the style, whose distances are computed at a time."""
_NEIGHBOUR = 0.5
"""The least value of a style mask, on the grid of a layer, at which a position is a neighbour."""
_TINY = 1e-12
"""The floor of a vector's length, for positions that have the mean's features."""


@torch.no_grad()
def match_features(
    net: VGG,
    content: ContentTarget,
    images: AnyPicture | Iterable[AnyPicture],
    layers: Iterable[str] | None = None,
    *,
    share: float = 1.0,
    mask: Tensor | None = None,
    style_mask: Tensor | None = None,
    tile: TileSize = "auto",
    memory: int | None = None,
    place: Layout = WHOLE,
    callback: Callable[[], None] | None = None,
) -> ContentTarget:
    """Replace the content's features by those of a style that are most like them, so that strokes follow its forms.

    The target of a position, whose features are p, becomes (1 - share) p + share s, where s are those features of the style
    whose centred cosine distance 1 - cos(p - mean(p), s - mean(s)) is least, at each layer and level by itself (Kolkin et al.,
    *Neural Neighbor Style Transfer*, 2022, arXiv 2203.13215, section 3; they compare layers together).

    Args:
        net: the network that content was extracted with.
        content: what `extract_content` gave, or an earlier `match_features`: a region after the other, each with its mask.
        images: the style, as for `extract_style`: a picture or several, which may differ in size and kind. Neighbours are
            looked for in all of them, so that turned copies of a painting give it strokes of more directions.
        layers: names of those of the content's layers to match; default all.
        share: how far the target goes from the content's features, 0, to the style's, 1.
        mask: (H, W), (N, H, W) or (N, 1, H, W) in [0, 1], of any size, over the content: a factor on `share` at each position,
            and the region whose means are taken.
        style_mask: a mask of the same kind over the style picture: only positions of which at least half lies under it are
            neighbours. Only for a single tensor of pictures.
        tile, memory, callback: as for `extract_content`.
        place: where the pictures lie; in strips `content` and `images` are the rows of this process, masks are whole.

    Returns:
        A content with the same layers, levels and picture, and other features; with fewer levels where their number is
        automatic and the style picture is too small for all of them.

    Raises:
        InputError: for pictures, layers, share, masks or tile that are not as above, for a style picture that is too small
            for the content's levels, and where no neighbour lies under the style mask.
        OutOfMemory: if not even the smallest tiles fit.

    Example:
        >>> content = gatys.extract_content(net, photo, layers=["conv3_1", "conv4_1"])
        >>> content = gatys.match_features(net, content, painting, share=0.7)
        >>> result = gatys.optimize(net, content=content, style=style)
    """
    check_network(net, content, "content")
    if not 0 <= share <= 1:
        raise InputError(f"share: expected a number from 0, the content alone, to 1, matched alone, got {share!r}")
    chosen = _chosen(content, layers)
    used = net.chosen(chosen)
    if tile != "auto":
        check_tile(tile, used)
    batches = to_tensors(images, "style image")
    if not batches:
        raise InputError("style image: expected at least one picture, got an empty list")
    if style_mask is not None and len(batches) > 1:
        raise InputError(
            f"style mask: expected one batch of style pictures, got {len(batches)}; match one after the other, each with "
            "its mask"
        )
    pictures = []
    for image in batches:
        place.check(image, used, "style image")
        size = place.size(image)
        if not content.automatic:
            resolve_levels(content.levels, size, used, "style image")
        under = (
            None if style_mask is None else check_mask(style_mask, image, "style mask", partial(place.stretch, to=size))
        )
        pictures.append(_Picture(image.detach(), size, under))
    if not share:
        return content
    region = None if mask is None else check_mask(mask, content.image, "mask", partial(place.stretch, to=content.size))
    way = Way(border_of_paintings(content.padding), tile, memory, place, callback)
    search = _Search(net.mean.device, place, memory, callback)
    matched = []
    levels = min(levels_with_room(content.levels, picture.size, used) for picture in pictures)
    for level, features in enumerate(content.features[:levels]):
        here = (
            None
            if region is None
            else place.resize(region, content.size, level_size(content.size, level), rings=rings(content.padding))
        )
        rows = _neighbours(net, pictures, level, {name: features[name] for name in chosen}, way)
        found = dict(features)
        for name in chosen:
            guide = None if here is None else guide_at(here, net.layers[name].stride)
            found[name] = search.matched(features[name], guide, rows.pop(name), share)
        matched.append(found)
    told = _told(chosen, share, mask, pictures, place, net.mean.device)
    guides = None if content.guides is None else content.guides[:levels]
    return replace(content, features=tuple(matched), guides=guides, matched=(*content.matched, told))


def _told(
    layers: list[str],
    share: float,
    mask: Tensor | None,
    pictures: Sequence[_Picture],
    place: Layout,
    device: torch.device,
) -> str:
    """Say what was matched, the same whatever the number of processes: pictures count by sums, roughly rounded."""
    told = [f"{share!r} of {layers}"]
    for picture in pictures:
        first = place.rows(picture.size)[0]
        for values in (picture.pixels, picture.mask):
            told.append(str(None if values is None else _rounded(place.team.add(_sums(values, first).to(device)))))
    return " ".join([*told, str(None if mask is None else _rounded(_sums(mask)))])


def _sums(values: Tensor, first: int = 0) -> Tensor:
    wide = values.cpu().double()
    rows, columns = torch.arange(first, first + wide.shape[-2]), torch.arange(wide.shape[-1])
    ways = (wide, wide.square(), wide * rows[:, None], wide * columns)
    return torch.stack([way.sum() for way in ways]).float()


def _rounded(sums: Tensor) -> list[str]:
    return [f"{value:.3e}" for value in sums.tolist()]


def _chosen(content: ContentTarget, layers: Iterable[str] | None) -> list[str]:
    """Give the names of the layers to match."""
    if layers is None:
        return list(content.layers)
    chosen = list(check_layers(layers, "layers to match"))
    if strange := [name for name in chosen if name not in content.layers]:
        raise InputError(
            f"layers to match: {strange[0]} is not among the content's, {', '.join(content.layers)}; extract the content with "
            "it, or leave it out"
        )
    return chosen


class _Picture(NamedTuple):
    """A batch of style pictures."""

    pixels: Tensor
    size: tuple[int, int]
    """The (height, width) of the whole picture."""
    mask: Tensor | None
    """(1 or N, 1, H, W)"""


def _neighbours(
    net: VGG, pictures: Sequence[_Picture], level: int, like: dict[str, Tensor], way: Way
) -> dict[str, Tensor]:
    """Give the features of all positions of the style that may be chosen, {layer: (positions here, C)}; `like` is content."""
    place, rows = way.place, {name: list[Tensor]() for name in like}
    kept = next(iter(like.values()))
    for picture in pictures:
        size = level_size(picture.size, level)
        found = features_of(
            net, place.resize(picture.pixels, picture.size, size), list(like), kept.dtype, kept.device, way
        )
        mask = None if picture.mask is None else place.resize(picture.mask, picture.size, size)
        for name, features in found.items():
            each = features.movedim(1, -1)
            if mask is None:
                rows[name].append(each.flatten(0, 2))
                continue
            guide = guide_at(mask, net.layers[name].stride)[:, 0].to(each.device)
            rows[name].append(each[(guide >= _NEIGHBOUR).expand(each.shape[:-1])])
            if not place.team.any(bool(len(rows[name][-1]))):
                raise InputError(
                    f"style mask: it leaves no neighbours on the grid of {name} where the style has {size[1]} x {size[0]} "
                    "pixels; paint a larger area, extract the content with fewer levels, or match shallower layers"
                )
    return {name: some[0] if len(some) == 1 else torch.cat(some) for name, some in rows.items()}


class _Search:
    """The search for neighbours, block by block: of all distances there are never more than those of two blocks.

    Args:
        device: where distances are computed; targets stay where they are.
        place: where the pictures lie.
        memory: bytes that may be used on the device; default what is free there.
        callback: called after each block of the style.
    """

    def __init__(self, device: torch.device, place: Layout, memory: int | None, callback: Callable[[], None] | None):
        self._device, self._place, self._memory, self._callback = device, place, memory, callback

    def matched(self, target: Tensor, guide: Tensor | None, style: Tensor, share: float) -> Tensor:
        """Give the new target of one layer.

        Args:
            target: (N, C, h, w), the rows here.
            guide: (1 or N, 1, h, w), a factor on `share`; None is 1.
            style: (K, C), the positions here that may be chosen.
            share: as for `match_features`.
        """
        wide, add = accumulation_dtype(target.dtype), self._place.team.add
        centre = add(style.sum(dim=0, dtype=wide).to(self._device)) / add(style.new_tensor(len(style), dtype=wide))
        new = target.clone(memory_format=torch.contiguous_format)
        for index in range(target.shape[0]):
            flat = target[index].flatten(1)
            weight = torch.ones_like(flat[0]) if guide is None else guide[index % guide.shape[0]].flatten().to(flat)
            positions = weight.nonzero()[:, 0]
            mean = add((flat.to(wide) @ weight.to(wide)).to(self._device)) / add(weight.sum(dtype=wide))
            nearest = self._nearest(flat, positions, mean, style, centre)
            mixed = torch.lerp(flat[:, positions].to(wide), nearest.T.to(wide), share * weight[positions].to(wide))
            new[index].view(len(flat), -1)[:, positions] = mixed.to(new)
        return new

    def _nearest(self, flat: Tensor, positions: Tensor, mean: Tensor, style: Tensor, centre: Tensor) -> Tensor:
        """Give the features of the style that are nearest to those of some positions of (C, P), a row for each."""
        edge = self._rows(len(flat), mean.dtype.itemsize)
        best = mean.new_full(positions.shape, -math.inf)
        nearest = flat.new_empty(len(positions), len(flat))
        for block in self._blocks(style, edge, mean):
            centred = block - centre
            centred /= centred.norm(dim=1, keepdim=True).clamp_(min=_TINY)
            for low in range(0, len(positions), edge):
                some = slice(low, low + edge)
                own = flat[:, positions[some]].T.to(mean) - mean
                # its own length does not change which of the style's is nearest
                score, at = (own @ centred.T).max(dim=1)
                better = score > best[some]
                best[some] = torch.where(better, score, best[some])
                nearest[some][better.to(nearest.device)] = block[at[better]].to(nearest)
            if self._callback is not None:
                self._callback()
        return nearest

    def _rows(self, channels: int, bytes_per_value: int) -> int:
        """Give how many positions of content and style are compared at a time: edge^2 + 6 C edge values fit."""
        free = free_memory(self._device) if self._memory is None else self._memory
        values = USABLE * free / bytes_per_value
        edge = int(math.sqrt((3 * channels) ** 2 + values) - 3 * channels)
        return self._place.team.least(max(1, min(MOST_ROWS, edge)))

    def _blocks(self, style: Tensor, edge: int, like: Tensor) -> Iterator[Tensor]:
        """Yield the positions of the style, those of each process in turn, the same on all; device and dtype of `like`."""
        team = self._place.team
        counts = torch.zeros(team.count, dtype=torch.long, device=self._device)
        counts[team.rank] = len(style)
        for rank, count in enumerate(team.add(counts).tolist()):
            for low in range(0, count, edge):
                own = rank == team.rank
                shape = min(edge, count - low), style.shape[1]
                yield team.add(style[low : low + edge].to(like) if own else like.new_zeros(shape))
