"""Extraction: the network turns pictures into what the result must match, tile by tile where a picture is large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import CONTENT_LAYERS, STYLE_LAYERS, Layer, check_layers
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Layout
from ..passes.plan import HALF_ABOVE
from ..passes.tiles import Tile, check_padding, check_tile
from ..pictures.colors import are_grey
from ..pictures.conversion import AnyPicture, to_tensor, to_tensors
from ..pictures.recoloring import Colors, mixed
from ..settings import Padding, StatisticName, TileSize, rings
from .across import Chain, check_chain
from .levels import Levels, level_size, resolve_levels
from .masks import check_mask, guide_at
from .named_statistics import find_statistic
from .recoloring import colors_in
from .statistics import Statistic, check_whole_picture
from .sweep import Way, features_of, sweep
from .targets import ContentTarget, StyleTarget


@torch.no_grad()
def extract_content(
    net: VGG,
    image: AnyPicture,
    layers: Mapping[str, float] | Iterable[str] = CONTENT_LAYERS,
    levels: Levels = 1,
    *,
    normalize: bool = True,
    mask: Tensor | None = None,
    padding: Padding = "zero",
    octaves: int = 1,
    tile: TileSize = "auto",
    memory: int | None = None,
    dtype: torch.dtype | Literal["auto"] | None = None,
    device: torch.device | str | None = None,
    place: Layout = WHOLE,
    callback: Callable[[], None] | None = None,
) -> ContentTarget:
    """Extract the features of the content picture (paper, equation 1: P).

    Args:
        net: the network that the optimiser will use, too.
        image: (N, 3, H, W), sRGB in [0, 1]; or a PIL picture, a numpy array (H, W, 3) or (N, H, W, 3) of uint8 or of
            floating point in [0, 1], or the path of a file. Several pictures are several results.
        layers: coefficient c_l of each layer; a list of names means 1 each.
        levels: number of sizes, each half of the one before; "auto" goes down to about 128 px on the short edge.
        normalize: divide each layer's term by the spatial variance of its target, so that weights mean the same
            for every network; the default weights are made for that.
        mask: (H, W), (N, H, W) or (N, 1, H, W) in [0, 1], of any size: a factor on the content term at each
            position. 1 everywhere changes nothing.
        padding: what convolutions see beyond the picture's border, one of `settings.PADDINGS`.
        octaves: at how many sizes the style will be matched at once; `levels="auto"` are at least as many.
        tile: edge in pixels of the tiles that the network works in, None for whole pictures; "auto" for what fits.
            The result does not depend on it, but for rounding.
        memory: bytes that may be used on the network's device; default what is free there.
        dtype: the type of the features that are kept; default that of the network. "auto" is bfloat16 for levels of
            more than four megapixels, whose features would be large.
        device: where the target is kept; default that of the network. The optimiser fetches it tile by tile.
        place: where the picture lies; in strips `image` and the target are the rows of this process, `mask` is whole.
        callback: called after each tile of each picture. An exception from it ends the extraction and is passed on.

    Returns:
        The features of each level and layer, (N, C_l, H_l, W_l), the picture itself, and the network they are of.

    Raises:
        InputError: for a picture, layers, levels, mask, padding or tile that are not as above; it says what to do.
        OutOfMemory: if not even the smallest tiles fit.

    Example:
        >>> photo = gatys.load_image("photo.jpg", size=512)
        >>> content = gatys.extract_content(net, photo, layers={"conv4_2": 1.0})
    """
    image = to_tensor(image, "content image")
    layers = check_layers(layers, "layers of the content")
    used = net.chosen(layers, "layers of the content")
    place.check(image, used, "content image")
    size = place.size(image)
    check_padding(padding)
    _check_tile(tile, used)
    count = resolve_levels(levels, size, used, "content image", octaves)
    device = net.mean.device if device is None else torch.device(device)
    way, guides = Way(padding, tile, memory, place, callback), None
    if mask is not None:
        mask = check_mask(mask, image, "content mask", partial(place.stretch, to=size))
        masks = _pyramid(mask, size, count, way)
        guides = tuple({name: guide_at(m, net.layers[name].stride).to(device) for name in layers} for m in masks)
    pictures = _pyramid(image.detach(), size, count, way)
    features = tuple(
        features_of(net, picture, layers, _kept_dtype(dtype, net, place.size(picture)), device, way)
        for picture in pictures
    )
    return ContentTarget(
        network=net.tag,
        layers=layers,
        features=features,
        guides=guides,
        image=image.detach().to(device, copy=True),
        normalize=normalize,
        automatic=levels == "auto",
        padding=padding,
        whole=size,
        mask=None if mask is None else mask.to(device),
    )


@torch.no_grad()
def extract_style(
    net: VGG,
    images: AnyPicture | Iterable[AnyPicture],
    layers: Mapping[str, float] | Iterable[str] = STYLE_LAYERS,
    levels: Levels = 1,
    mask: Tensor | None = None,
    *,
    normalize: bool = True,
    statistic: StatisticName | Statistic = "gram",
    padding: Padding = "zero",
    octaves: int = 1,
    tile: TileSize = "auto",
    memory: int | None = None,
    device: torch.device | str | None = None,
    place: Layout = WHOLE,
    callback: Callable[[], None] | None = None,
) -> StyleTarget:
    """Extract the style of a picture: its Gram matrices (paper, equations 3 and 4: A), or another statistic.

    Several pictures are averaged, which is the same as adding up their losses, up to a constant, when their
    weights sum to 1: sum_i w_i |G - A_i|^2 = |G - sum_i w_i A_i|^2 + const.

    Args:
        net: the network that the optimiser will use, too.
        images: as for `extract_content`, or a list of such, which may differ in size and kind.
        layers: coefficient s_l of each layer; a list of names means 1 each.
        levels: number of sizes, each half of the one before; "auto" goes down to about 128 px on the short edge.
        mask: (H, W), (N, H, W) or (N, 1, H, W) in [0, 1], of any size: which part of the painting counts
            (guided Gram matrix). Only for a single tensor of pictures.
        normalize: divide each layer's term by the mean square of its target Gram, so that weights mean the same
            for every network; the default weights are made for that.
        statistic: what is compared of a style: "gram", its Gram matrices; "covariance", covariance and mean, each by itself; "moments",
            the Gram matrix and the channels' means and deviations; "wasserstein", the distance of normal distributions;
            "across", the covariance of each layer with the one before it, of two layers or more; "crowsonkb" and "spst", two
            programs' own forms of "wasserstein" and "moments", for their presets; or a `Statistic`.
        padding, octaves, tile, memory, callback: as for `extract_content`.
        device: where the target is kept; default that of the network.
        place: where the pictures lie; in strips `images` are the rows of this process, `mask` is whole.

    Returns:
        The statistic of each level and layer in float32: of Gram matrices (1, C_l, C_l), of the others with names
        (1, C_l + 1, C_l + 1), second moments of the features extended by a constant 1; across layers
        (1, C_k + 1, C_l + 1), where k is the layer before l.

    Raises:
        InputError: for pictures, layers, levels, mask, padding or tile that are not as above; it says what to do.
        OutOfMemory: if not even the smallest tiles fit.

    Example:
        >>> paintings = [gatys.load_image(path, size=512) for path in ("wave.jpg", "fuji.jpg")]
        >>> style = gatys.extract_style(net, paintings, layers={"conv1_1": 1.0, "conv3_1": 0.5})
    """
    layers = check_layers(layers, "layers of the style")
    used = net.chosen(layers, "layers of the style")
    check_padding(padding)
    _check_tile(tile, used)
    how_compared = find_statistic(statistic)
    check_whole_picture(how_compared, tile, place.team.count)
    check_chain(how_compared, layers)
    batches = _style_batches(images, mask, used, how_compared, place)
    sizes = [place.size(image) for image in batches]
    count = min(resolve_levels(levels, size, used, "style image", octaves) for size in sizes)
    total = sum(image.shape[0] for image in batches)
    way = Way(padding, tile, memory, place, callback)
    values: list[dict[str, Tensor]] = [{} for _ in range(count)]
    colors: list[Colors | None] = []
    for image, size in zip(batches, sizes, strict=True):
        masks = None
        if mask is not None:
            here = check_mask(mask, image, "style mask", partial(place.stretch, to=size))
            masks = list(_pyramid(here, size, count, way))
        for index in range(image.shape[0]):
            weight = None if masks is None else masks[0][index % masks[0].shape[0]][None].square()
            colors.append(colors_in(place, image[index : index + 1], weight, net.mean.device))
        for level, picture in enumerate(_pyramid(image.detach(), size, count, way)):
            for index in range(picture.shape[0]):
                guide = None if masks is None else masks[level][index % masks[level].shape[0]][None]
                for name, value in _values(net, picture[index : index + 1], layers, guide, how_compared, way).items():
                    value = value.to(device or value.device) / total
                    values[level][name] = values[level][name] + value if name in values[level] else value
    return StyleTarget(
        network=net.tag,
        layers=layers,
        values=tuple(values),
        size=sizes[0],
        normalize=normalize,
        automatic=levels == "auto",
        statistic=how_compared,
        colors=mixed([(each, 1 / total) for each in colors if each is not None]),
        grey=not place.team.any(not all(all(are_grey(image)) for image in batches)),
    )


def _style_batches(
    images: AnyPicture | Iterable[AnyPicture],
    mask: Tensor | None,
    layers: Iterable[Layer],
    statistic: Statistic,
    place: Layout,
) -> list[Tensor]:
    batches = to_tensors(images, "style image")
    if not batches:
        raise InputError("style image: expected at least one picture, got an empty list")
    if mask is not None and len(batches) > 1:
        raise InputError(f"style mask: expected one batch of style pictures, got {len(batches)}; blend styles instead")
    for image in batches:
        place.check(image, layers, "style image")
    total = sum(image.shape[0] for image in batches)
    if total > 1 and not statistic.additive:
        raise InputError(
            f"style image: {statistic.name!r} looks at all positions of one picture at once, got {total} pictures to "
            "average; give one"
        )
    return batches


def _pyramid(image: Tensor, size: tuple[int, int], levels: int, way: Way) -> Iterator[Tensor]:
    """Give a picture of `size` (height, width) at each level, full size first."""
    around = rings(way.padding)
    return (way.place.resize(image, size, level_size(size, level), rings=around) for level in range(levels))


def _values(
    net: VGG,
    picture: Tensor,
    layers: Mapping[str, float],
    mask: Tensor | None,
    statistic: Statistic,
    way: Way,
) -> dict[str, Tensor]:
    """Give the sums of a statistic over all positions, divided by their number; with a guide t, by the sum of its
    squares.
    """
    place = way.place
    weights = None
    if mask is not None:
        weights = {}
        for name in layers:
            guide = guide_at(mask, net.layers[name].stride).to(net.mean)
            if not place.team.any(bool(guide.any())):
                raise InputError(
                    f"style mask: its area vanishes on the grid of {name}; paint a larger area or use shallower layers"
                )
            weights[name] = guide.square()
    sums: dict[str, Tensor] = {}
    chain = Chain(statistic, {name: layer for name, layer in net.layers.items() if name in layers})

    def see(name: str, core: Tensor, part: Tile) -> None:
        owned = (..., *part.owned(net.layers[name]))
        weight = None if weights is None else weights[name][owned]
        found = chain.sums(name, core, part, weight, keep=False)
        sums[name] = sums[name].add_(found) if name in sums else found

    def again() -> None:
        sums.clear()
        chain.let_go()

    sweep(net, picture, layers, see, way, again, banded=statistic.additive, held=chain.held)
    height, width = place.size(picture)
    for name in layers:
        if name not in sums:  # no tile lay here
            sums[name] = chain.no_sums(net.mean, name)
    sums = place.team.add_all({name: sums[name] for name in layers})
    for name, total in sums.items():
        stride = net.layers[name].stride
        mass = (
            (height // stride) * (width // stride) if weights is None else place.team.add(weights[name].sum()).to(total)
        )
        total /= mass
    return sums


def _check_tile(tile: TileSize, layers: Iterable[Layer]) -> None:
    if tile != "auto":
        check_tile(tile, layers)


def _kept_dtype(dtype: torch.dtype | Literal["auto"] | None, net: VGG, size: tuple[int, int]) -> torch.dtype:
    if dtype == "auto":
        return torch.bfloat16 if size[0] * size[1] > HALF_ABOVE else net.mean.dtype
    return net.mean.dtype if dtype is None else dtype
