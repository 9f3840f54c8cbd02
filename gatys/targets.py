"""What the picture must match: the content's features and the style's Gram matrices, at every level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from .gram import gram_matrix
from .pyramid import Levels, check_mask, fewest_levels, guide_at, pyramid, resolve_levels
from .vgg import LAYERS, VGG19, NetworkTag, check_image, layer_name

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
    """(N, 3, H, W), the content picture itself."""
    normalize: bool
    automatic: bool
    """Whether the number of levels was left to the picture's size."""

    @property
    def levels(self) -> int:
        return len(self.features)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at level 0."""
        return tuple(self.image.shape[-2:])

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


def _on_net(net: VGG19, image: Tensor) -> Tensor:
    return image.detach().to(device=net.mean.device, dtype=net.mean.dtype)


@torch.no_grad()
def extract_content(
    net: VGG19,
    image: Tensor,
    layers: Mapping[str, float] | Iterable[str] = CONTENT_LAYERS,
    levels: Levels = 1,
    *,
    normalize: bool = False,
    mask: Tensor | None = None,
    device: torch.device | str | None = None,
) -> ContentTarget:
    """Features of the content picture (paper, equation 1: P).

    Args:
        net: the network that the optimiser will use, too.
        image: (N, 3, H, W), sRGB in [0, 1]. Several pictures are several results.
        layers: coefficient c_l of each layer; a list of names means 1 each.
        levels: number of sizes, each half of the one before; "auto" goes down to about 128 px on the short edge.
        normalize: divide each layer's term by the spatial variance of its target, so that weights mean the same
            for every network.
        mask: (H, W), (N, H, W) or (N, 1, H, W) in [0, 1], of any size: a factor on the content term at each
            position. 1 everywhere changes nothing.
        device: where the target is kept; default that of the network.

    Raises:
        ValueError: for a picture, layers, levels or mask that are not as above; the message says what to do.
    """
    layers = check_layers(layers, "layers of the content")
    check_image(image, layers, "content image")
    count = resolve_levels(levels, tuple(image.shape[-2:]), layers, "content image")
    device = net.mean.device if device is None else torch.device(device)
    pictures = pyramid(image.detach(), count)
    guides = None
    if mask is not None:
        masks = pyramid(check_mask(mask, pictures[0], "content mask"), count)
        guides = tuple({name: guide_at(m, LAYERS[name].stride).to(device) for name in layers} for m in masks)
    features = []
    for picture in pictures:
        # one picture at a time: a film must not need a film of memory
        each = [net(_on_net(net, picture[index : index + 1]), layers) for index in range(picture.shape[0])]
        features.append({name: torch.cat([f[name].to(device) for f in each]) for name in layers})
    return ContentTarget(
        network=net.tag,
        layers=layers,
        features=tuple(features),
        guides=guides,
        image=image.detach().to(device, copy=True),
        normalize=normalize,
        automatic=levels == "auto",
    )


@torch.no_grad()
def extract_style(
    net: VGG19,
    images: Tensor | Sequence[Tensor],
    layers: Mapping[str, float] | Iterable[str] = STYLE_LAYERS,
    levels: Levels = 1,
    mask: Tensor | None = None,
    *,
    normalize: bool = False,
    device: torch.device | str | None = None,
) -> StyleTarget:
    """Gram matrices of the style picture (paper, equations 3 and 4: A).

    Several pictures are averaged, which is the same as adding up their losses, up to a constant, when their
    weights sum to 1: sum_i w_i |G - A_i|^2 = |G - sum_i w_i A_i|^2 + const.

    Args:
        net: the network that the optimiser will use, too.
        images: (N, 3, H, W), sRGB in [0, 1], or a list of such, which may differ in size.
        layers: coefficient s_l of each layer; a list of names means 1 each.
        levels: number of sizes, each half of the one before; "auto" goes down to about 128 px on the short edge.
        mask: (H, W), (N, H, W) or (N, 1, H, W) in [0, 1], of any size: which part of the painting counts
            (guided Gram matrix). Only for a single tensor of pictures.
        normalize: divide each layer's term by the mean square of its target Gram, so that weights mean the same
            for every network.
        device: where the target is kept; default that of the network.

    Raises:
        ValueError: for pictures, layers, levels or mask that are not as above; the message says what to do.
    """
    layers = check_layers(layers, "layers of the style")
    batches = [images] if isinstance(images, Tensor) else list(images)
    if not batches:
        raise ValueError("style image: expected at least one picture, got an empty list")
    if mask is not None and len(batches) > 1:
        raise ValueError(f"style mask: expected one batch of style pictures, got {len(batches)}; blend styles instead")
    for image in batches:
        check_image(image, layers, "style image")
    count = min(resolve_levels(levels, tuple(image.shape[-2:]), layers, "style image") for image in batches)
    total = sum(image.shape[0] for image in batches)
    grams: list[dict[str, Tensor]] = [{} for _ in range(count)]
    for image in batches:
        pictures = pyramid(image.detach(), count)
        masks = None if mask is None else pyramid(check_mask(mask, pictures[0], "style mask"), count)
        for level, picture in enumerate(pictures):
            for index in range(picture.shape[0]):
                guide = None if masks is None else masks[level][index % masks[level].shape[0]][None]
                for name, gram in _grams(net, picture[index : index + 1], layers, guide).items():
                    gram = gram.to(device or gram.device) / total
                    grams[level][name] = grams[level][name] + gram if name in grams[level] else gram
    return StyleTarget(
        network=net.tag,
        layers=layers,
        grams=tuple(grams),
        size=tuple(batches[0].shape[-2:]),
        normalize=normalize,
        automatic=levels == "auto",
    )


def _grams(net: VGG19, picture: Tensor, layers: Iterable[str], mask: Tensor | None) -> dict[str, Tensor]:
    grams = {}
    for name, features in net(_on_net(net, picture), layers).items():
        guide = None
        if mask is not None:
            guide = guide_at(mask, LAYERS[name].stride).to(features)
            if not guide.any():
                raise ValueError(
                    f"style mask: its area vanishes on the grid of {name}; paint a larger area or use shallower layers"
                )
        grams[name] = gram_matrix(features, guide)
    return grams


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
