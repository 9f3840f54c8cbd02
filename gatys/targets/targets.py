"""Targets: what the picture must match at every level, the content's features and the style's Gram matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..network.layers import Layer, title
from ..network.vgg import VGG, NetworkTag
from ..pictures.checks import shape_of, size_of
from ..pictures.conversion import AnyPicture
from ..pictures.recoloring import Colors
from ..settings import Padding
from .levels import fewest_levels, level_size, levels_with_room
from .statistics import GRAM, Statistic
from .style_files import read_style, save_style


@dataclass(frozen=True, eq=False)
class ContentTarget:
    """The features that the picture should have; `extract_content` makes it. Its tensors are shared, never written to.

    Example:
        >>> content = gatys.extract_content(net, photo)
        >>> result = gatys.optimize(net, content=content, style=style)
    """

    network: NetworkTag
    layers: Mapping[str, float]
    """The coefficient c_l of each layer."""
    features: tuple[Mapping[str, Tensor], ...]
    """The features of each level, {layer: (N, C, H_l, W_l)}."""
    guides: tuple[Mapping[str, Tensor], ...] | None
    """The weight of each position at each level, {layer: (1 or N, 1, H_l, W_l)}; None means 1 everywhere."""
    image: Tensor
    """The content picture itself, (N, 3, H, W); in strips the rows that this process has, as for all tensors here."""
    normalize: bool
    automatic: bool
    """Whether the number of levels was left to the picture's size."""
    padding: Padding = "zero"
    """What the network saw beyond the picture's border, one of `settings.PADDINGS`."""
    whole: tuple[int, int] | None = None
    """The (height, width) of the whole picture where `image` is a strip."""
    mask: Tensor | None = None
    """The weight of each pixel, (1 or N, 1, H, W) in [0, 1], which `guides` were made of; None means 1 everywhere."""
    matched: tuple[str, ...] = ()
    """What `match_features` did to the features, a text for each call, by which checkpoints tell runs apart."""

    @property
    def used(self) -> list[Layer]:
        """Give the network's layers that have a coefficient."""
        return used_layers(self)

    @property
    def levels(self) -> int:
        """Give the number of levels."""
        return len(self.features)

    @property
    def size(self) -> tuple[int, int]:
        """Give the (height, width) at level 0."""
        return self.whole or size_of(self.image)

    def __repr__(self) -> str:
        names = ", ".join(self.layers)
        matched = ", matched" * bool(self.matched)
        return f"ContentTarget({shape_of(self.image)}, {names}, {self.levels} levels, {self.network}{matched})"

    def to(self, device: torch.device | str) -> ContentTarget:
        """Give the same target on a device."""
        return replace(
            self,
            features=tuple(_moved(level, device) for level in self.features),
            guides=None if self.guides is None else tuple(_moved(level, device) for level in self.guides),
            image=self.image.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )

    def pictures(self) -> list[ContentTarget]:
        """Give a target for each picture of the batch, sharing its memory."""

        def own(tensor: Tensor, index: int) -> Tensor:
            return tensor[index : index + 1] if tensor.shape[0] > 1 else tensor

        def one(level: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
            return {name: own(tensor, index) for name, tensor in level.items()}

        return [
            replace(
                self,
                features=tuple(one(level, index) for level in self.features),
                guides=None if self.guides is None else tuple(one(level, index) for level in self.guides),
                image=self.image[index : index + 1],
                mask=None if self.mask is None else own(self.mask, index),
            )
            for index in range(self.image.shape[0])
        ]


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """The statistics that the picture should have, such as Gram matrices; `extract_style` makes it.

    Its tensors are shared, never written to.

    Example:
        >>> gatys.extract_style(net, painting).save("styles/great_wave.safetensors", description="The Great Wave")
        >>> style = gatys.StyleTarget.load("styles/great_wave.safetensors")
    """

    network: NetworkTag
    layers: Mapping[str, float]
    """The coefficient s_l of each layer."""
    values: tuple[Mapping[str, Tensor], ...]
    """The statistic of each level, {layer: (1, ...)}, divided by the number of positions or their weight."""
    size: tuple[int, int]
    """The (height, width) of the first style picture at level 0."""
    normalize: bool
    automatic: bool
    """Whether the number of levels was left to the picture's size."""
    statistic: Statistic = GRAM
    """The statistic that the values are of."""
    grey: bool = False
    """Whether all pictures that it was extracted from are grey."""
    colors: Colors | None = None
    """The colours of these pictures; None in styles from files of version 0.1."""

    @property
    def used(self) -> list[Layer]:
        """Give the network's layers that have a coefficient."""
        return used_layers(self)

    @property
    def levels(self) -> int:
        """Give the number of levels."""
        return len(self.values)

    def __repr__(self) -> str:
        height, width = self.size
        names = ", ".join(self.layers)
        return (
            f"StyleTarget({self.statistic.name} of {width} x {height}, {names}, {self.levels} levels, {self.network})"
        )

    def to(self, device: torch.device | str) -> StyleTarget:
        """Give the same target on a device."""
        return replace(self, values=tuple(_moved(level, device) for level in self.values))

    @property
    def grams(self) -> tuple[Mapping[str, Tensor], ...]:
        """Give the values, by the name that they have where the statistic is the Gram matrix, (1, C, C)."""
        return self.values

    def save(
        self, path: Path | str, *, overwrite: bool = False, thumbnail: AnyPicture | None = None, description: str = ""
    ) -> Path:
        """Write the style as one file; see `style_files.save_style`."""
        return save_style(self, path, overwrite=overwrite, thumbnail=thumbnail, description=description)

    @staticmethod
    def load(path: Path | str, *, device: torch.device | str = "cpu") -> StyleTarget:
        """Read the style of a file that `save` wrote; see `style_files.read_style`."""
        return StyleTarget(**read_style(path, device=device))


def _moved(level: Mapping[str, Tensor], device: torch.device | str) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in level.items()}


class Target(Protocol):
    """What content and styles of all kinds have in common."""

    @property
    def network(self) -> NetworkTag: ...
    @property
    def layers(self) -> Mapping[str, float]: ...
    @property
    def used(self) -> list[Layer]: ...
    @property
    def levels(self) -> int: ...
    @property
    def automatic(self) -> bool: ...


def used_layers(target: ContentTarget | StyleTarget) -> list[Layer]:
    """Give the layers that have a coefficient in a target, as those of its network."""
    return [target.network.layers[name] for name in target.layers]


def common_levels(content: Target | None, style: Target | None) -> int:
    """Give the number of levels that both targets have.

    Raises:
        InputError: if neither target is there, or both were given different numbers of levels.
    """
    if content is None and style is None:
        raise InputError("content, style: expected at least one target, got none; extract content or style first")
    if content is None or style is None:
        return next(target.levels for target in (content, style) if target is not None)
    fewest, misfit = fewest_levels((target.levels, target.automatic) for target in (content, style))
    if misfit is not None:
        raise InputError(
            f"levels: content was extracted with {content.levels} and style with {style.levels}; "
            "extract both with the same number, or with 'auto'"
        )
    return fewest


def fit_levels(content: Target | None, style: Target | None, size: tuple[int, int]) -> int:
    """Give the number of levels that both targets have and that a result of `size` (height, width) has room for.

    Where it was left to the pictures' sizes, it is lowered until each layer of both has a unit at the coarsest level.

    Raises:
        InputError: as `common_levels` and `check_room` do.
    """
    levels = common_levels(content, style)
    given = [target for target in (content, style) if target is not None]
    if all(target.automatic for target in given):
        levels = max(1, levels_with_room(levels, size, [layer for target in given for layer in target.used]))
    check_room(content, style, size, levels - 1)
    return levels


def check_room(content: Target | None, style: Target | None, size: tuple[int, int], level: int) -> None:
    """Raise InputError unless each layer of both targets has a unit at `level` of a result of `size` (height, width).

    A target fits its own picture; the style's may be larger than the content, and its layers deeper.
    """
    given = {"style": style, "content": content}
    whose = {layer: what for what, target in given.items() if target is not None for layer in target.used}
    room = levels_with_room(level + 1, size, whose)
    if room > level:
        return
    deepest = max(whose, key=lambda layer: layer.stride)
    need, (height, width) = deepest.stride, level_size(size, level)
    raise InputError(
        f"{'result' if content is None else 'content'}: {size[1]} x {size[0]} pixels"
        + (f" are {width} x {height} at the coarsest of {level + 1} levels" if room else "")
        + f", but {deepest.name} of the {whose[deepest]} needs at least {need} x {need}; "
        + (f"extract with at most {room} level{'s' if room > 1 else ''}, " if room else "")
        + f"make the picture larger, or choose shallower layers for the {whose[deepest]}"
    )


def check_network(net: VGG, target: Target, what: str) -> None:
    """Raise InputError unless `target` was made with the filters and pooling of `net`, and `net` has all its layers."""
    if not target.network.fits(net.tag):
        made, given = (f"{tag}" for tag in (target.network, net.tag))
        if target.network.architecture != net.tag.architecture:  # names of files need not tell
            made, given = (f"{tag}, a {title(tag.architecture)}" for tag in (target.network, net.tag))
        raise InputError(
            f"{what}: made with {made}, but the network given is {given}; extract it again with that network"
        )
    net.chosen(target.layers, f"layers of the {what}")
