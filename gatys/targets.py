"""What the picture must match: the content's features and the style's Gram matrices, at every level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from .pyramid import fewest_levels
from .vgg import LAYERS, VGG19, NetworkTag, layer_name

CONTENT_LAYERS: Mapping[str, float] = MappingProxyType({"conv4_2": 1.0})
"""Paper, section 3: content is matched on conv4_2."""

STYLE_LAYERS: Mapping[str, float] = MappingProxyType({f"conv{block}_1": 0.2 for block in range(1, 6)})
"""Paper, section 3: w_l = 1/5 on conv1_1, conv2_1, conv3_1, conv4_1 and conv5_1."""


@dataclass(frozen=True, eq=False)
class ContentTarget:
    """Features that the picture should have. Tensors are shared, never written to."""

    network: NetworkTag
    layers: Mapping[str, float]
    """Coefficient c_l of each layer."""
    features: tuple[Mapping[str, Tensor], ...]
    """Of each level, {layer: (N, C, H_l, W_l)}."""
    guides: tuple[Mapping[str, Tensor], ...] | None
    """Of each level, {layer: (1 or N, 1, H_l, W_l)} weight of each position; None means 1 everywhere."""
    image: Tensor
    """(N, 3, H, W), the content picture itself; in strips the rows that this process has, as of all tensors here."""
    normalize: bool
    automatic: bool
    """Whether the number of levels was left to the picture's size."""
    padding: str = "zero"
    """What the network saw beyond the picture's border, one of `tiles.PADDINGS`."""
    whole: tuple[int, int] | None = None
    """(height, width) of the whole picture where `image` is a strip."""

    @property
    def levels(self) -> int:
        return len(self.features)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at level 0."""
        return self.whole or tuple(self.image.shape[-2:])

    def pictures(self) -> list[ContentTarget]:
        """A target for each picture of the batch, sharing its memory."""

        def one(level: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
            return {name: t[index : index + 1] if t.shape[0] > 1 else t for name, t in level.items()}

        return [
            replace(
                self,
                features=tuple(one(level, index) for level in self.features),
                guides=None if self.guides is None else tuple(one(level, index) for level in self.guides),
                image=self.image[index : index + 1],
            )
            for index in range(self.image.shape[0])
        ]


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """Gram matrices that the picture should have. Tensors are shared, never written to."""

    network: NetworkTag
    layers: Mapping[str, float]
    """Coefficient s_l of each layer."""
    grams: tuple[Mapping[str, Tensor], ...]
    """Of each level, {layer: (1, C, C)}, divided by the number of positions."""
    size: tuple[int, int]
    """(height, width) of the first style picture at level 0."""
    normalize: bool
    automatic: bool
    """Whether the number of levels was left to the picture's size."""

    @property
    def levels(self) -> int:
        return len(self.grams)

    def save(
        self, path: Path | str, *, overwrite: bool = False, thumbnail: Tensor | None = None, description: str = ""
    ) -> Path:
        """Write the style as one file; see `bank.save_style`."""
        from .bank import save_style  # files are above targets; these two methods are for people's comfort

        return save_style(self, path, overwrite=overwrite, thumbnail=thumbnail, description=description)

    @staticmethod
    def load(path: Path | str, *, device: torch.device | str = "cpu") -> StyleTarget:
        """The style of a file that `save` wrote; see `bank.load_style`."""
        from .bank import load_style

        return load_style(path, device=device)


def check_layers(layers: Mapping[str, float] | Iterable[str], what: str) -> dict[str, float]:
    """Layer coefficients by canonical name, those of 0 left out; a plain list of names means 1 each.

    Raises:
        ValueError: for an unknown or repeated layer, a coefficient that is negative or not finite, or none above 0.
    """
    if isinstance(layers, str):
        layers = [layers]
    given = layers if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    checked: dict[str, float] = {}
    for name, coefficient in given.items():
        canonical = layer_name(name)
        if canonical in checked:
            raise ValueError(f"{what}: {canonical} is named twice; 'conv' and 'relu' names mean the same response")
        value = float(coefficient)
        if not 0 <= value < float("inf"):
            raise ValueError(f"{what}: expected a finite weight of at least 0 for {canonical}, got {coefficient!r}")
        checked[canonical] = value
    checked = {name: checked[name] for name in LAYERS if checked.get(name)}
    if not checked:
        raise ValueError(f"{what}: expected at least one layer with a weight above 0, got {dict(given) or 'none'}")
    return checked


def parse_layers(text: str, what: str) -> dict[str, float]:
    """`"conv4_2, conv2_2=0.5"` as `{"conv4_2": 1.0, "conv2_2": 0.5}`; `what` names the input in messages.

    Raises:
        ValueError: for what is not of that form, and as `check_layers` does.
    """
    layers: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, weight = (piece.strip() for piece in part.partition("="))
        try:
            value = float(weight) if equals else 1.0
        except ValueError:
            raise ValueError(f"{what}: expected names like conv4_2 or conv4_2=0.5, with commas, got {part!r}") from None
        if name in layers:
            raise ValueError(f"{what}: {name} is named twice; name each layer once")
        layers[name] = value
    return check_layers(layers, what)


def common_levels(content: ContentTarget | None, style: StyleTarget | None) -> int:
    """The number of levels that both targets give.

    Raises:
        ValueError: if neither target is there, or both were given different numbers of levels.
    """
    if content is None and style is None:
        raise ValueError("content, style: expected at least one target, got none; extract content or style first")
    if content is None or style is None:
        return (content or style).levels
    fewest, misfit = fewest_levels((target.levels, target.automatic) for target in (content, style))
    if misfit is not None:
        raise ValueError(
            f"levels: content was extracted with {content.levels} and style with {style.levels}; "
            "extract both with the same number, or with 'auto'"
        )
    return fewest


def check_network(net: VGG19, target: ContentTarget | StyleTarget, what: str) -> None:
    """Raise ValueError unless `target` was made with the filters and pooling of `net`."""
    if not target.network.fits(net.tag):
        raise ValueError(
            f"{what}: made with {target.network}, but the network given is {net.tag}; extract it again with that network"
        )
