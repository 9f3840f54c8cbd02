"""The inputs of the command line: pictures, masks and saved styles, loaded and checked before the network is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..descent.identity import digest
from ..descent.schedule import split_steps
from ..errors import ImageError, InputError
from ..network.layers import LAYERS, Layer
from ..network.vgg import VGG
from ..passes.layout import WHOLE, Layout, Size
from ..passes.tiles import tiles
from ..pictures.colors import LUMA, match_colors_by
from ..pictures.images import Picture, fit, read_image
from ..pictures.metadata import Metadata, read_metadata
from ..published.presets import presets
from ..settings import INITS, border_of_paintings
from ..targets.blending import blend_styles
from ..targets.extraction import extract_content, extract_style
from ..targets.levels import fewest_levels, levels_with_room, resolve_levels
from ..targets.matching import match_features
from ..targets.regions import RegionalStyle, regional_style
from ..targets.style_files import read_style_info
from ..targets.targets import ContentTarget, StyleTarget, check_network
from .option_checks import matched_styles
from .options import NO_CONTENT
from .parsed import Options
from .record import record_files
from .reduced import check_reduced
from .session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Inputs:
    content: Picture | None
    pictures: list[Tensor]
    """The picture of each STYLE, at its size and with the colours that its style is extracted with; in strips, the rows
    here."""
    loaded: list[StyleTarget]
    masks: list[Tensor]
    """The masks, (1, H, W), one for each picture and then one for each loaded style, or none at all."""
    start: str | Tensor
    size: tuple[int, int]
    """The (height, width) of the result."""
    thumbnail: Tensor | None
    """A small picture of the style, to be saved with it."""
    metadata: Metadata
    """What the content's file says beside its pixels; empty on processes that write no picture."""
    files: Mapping[str, Any]
    """The names and digests of all files, for the record; empty likewise."""


def load_inputs(options: Options, device: torch.device, session: Session) -> Inputs:
    """Read all that the options name, and make sure that it goes together.

    Masks and saved styles are read by each process. The result has the shape of the content or, without one, of the
    picture to start from or of the first style.

    Raises:
        ImageError, StyleFileError, InputError: for files that cannot be used, and where pictures, saved styles,
            levels, layers, steps and tiles do not fit each other.
    """
    place, edge = session.place, options.size
    start: str | Tensor = str(options.init)
    if options.init not in INITS:
        try:
            start = session.load(str(options.init)).pixels
        except ImageError as problem:
            raise ImageError(f"--init: expected {', '.join(INITS)} or a picture file: {problem}") from problem
    content = None if options.content == NO_CONTENT else session.load(options.content, edge or None)
    shape = None
    if content is not None:
        used = [LAYERS[name] for name in options.content_layers]
        _check_content(options, content, session, "content", used)
        place.check(content.pixels, used, f"content {options.content!r}")  # before styles become as small
        shape = place.size(content.pixels)
        edge = max(shape) if callable(edge) else edge
    elif isinstance(start, Tensor):
        shape = place.size(start)
    pictures = []
    for path in options.style:
        pixels = _pixels(session.load(path), "style", path, place)
        whole = place.size(pixels)
        shape = whole if shape is None else shape
        height, width = _style_size(options, whole, _result_size(edge, shape))
        log.debug("style %r: %d x %d", path, width, height)
        used = [LAYERS[name] for name in options.style_layers]
        check_reduced(f"style {path!r}", (height, width), whole, used, options, scaled=True)
        pixels = place.resize(pixels, whole, (height, width))
        if options.match_colors and content is not None:
            pixels = match_colors_by(options.match_colors, pixels, content.pixels)
        pictures.append(pixels)
    loaded = [_load_style(path, options, device) for path in options.load_style]
    shape = loaded[0].size if shape is None else shape
    size = _result_size(edge, shape)
    thumbnail = _thumbnail(pictures[0], place) if pictures and options.save_style is not None else None
    if options.save_style is not None and not pictures:
        thumbnail = read_style_info(options.load_style[0]).thumbnail
    masks = [_load_mask(path) for path in options.style_mask]
    tells = session.first and not options.strip
    metadata = read_metadata(options.content) if tells and content is not None else Metadata()
    files = record_files(options) if tells or (session.first and options.trace is not None) else {}
    inputs = Inputs(content, pictures, loaded, masks, start, size, thumbnail, metadata, files)
    if content is not None:
        used = [LAYERS[name] for name in (*options.content_layers, *(options.style_layers if options.style else ()))]
        used += [layer for style in loaded for layer in style.used]
        _check_content(options, content, session, "result of", used)
    _check_sizes(options, inputs, place)
    place.check_count(inputs.size)
    place.team.agree({path: digest(mask) for path, mask in zip(options.style_mask, masks, strict=True)})
    return inputs


def make_style(net: VGG, given: Inputs, options: Options, place: Layout = WHOLE) -> StyleTarget | RegionalStyle | None:
    """Give the style of the run: regions, a blend, or the plain average, in which each style counts as one.

    Raises:
        InputError: for saved styles of another network, and as the functions that put styles together do.
    """
    for path, style in zip(options.load_style, given.loaded, strict=True):
        check_network(net, style, f"style {path!r}")
    how: dict[str, Any] = {"layers": options.style_layers, "levels": options.levels, "normalize": options.normalize}
    how |= {"statistic": options.statistic, "octaves": options.octaves}
    how["padding"] = border_of_paintings(options.padding)
    how |= {"tile": options.tile, "memory": options.memory, "place": place}
    if not (given.masks or options.blend or given.loaded):
        return extract_style(net, given.pictures, **how) if given.pictures else None
    styles = [extract_style(net, pixels, **how) for pixels in given.pictures] + given.loaded
    if given.masks:
        rule: dict[str, Any] = {} if options.propagation is None else {"propagation": options.propagation}
        return regional_style(list(zip(styles, given.masks, strict=True)), **rule)
    return blend_styles(zip(styles, options.blend or [1.0] * len(styles), strict=True))


def make_content(net: VGG, given: Inputs, options: Options, place: Layout = WHOLE) -> ContentTarget:
    """Give the content of the run, matched to the style pictures if that is asked for: each under its mask, or to all."""
    assert given.content is not None  # noqa: S101 (the caller has looked)
    how: dict[str, Any] = {"tile": options.tile, "memory": options.memory, "place": place}
    rest: dict[str, Any] = {"normalize": options.normalize, "padding": options.padding or "zero", "dtype": "auto"}
    rest |= {"levels": options.levels, "octaves": options.octaves}
    content = extract_content(net, given.content.pixels, options.content_layers, **rest, **how)
    if not options.match_features:
        return content
    how["share"] = options.match_features
    if not given.masks:
        return match_features(net, content, matched_styles(options, given.pictures), **how)
    for pixels, mask in zip(given.pictures, given.masks, strict=False):  # saved styles come last
        content = match_features(net, content, pixels, mask=mask, **how)
    return content


def _result_size(edge: int | Callable[[Size], int], shape: Size) -> Size:
    """Give the (height, width) of the result, shaped as a picture of `shape`; `edge` is as `Options.size`."""
    edge = edge(shape) if callable(edge) else edge or max(shape)
    return fit(shape[1], shape[0], edge)[::-1]


def _style_size(options: Options, size: Size, result: Size) -> Size:
    """Give the (height, width) of a style picture of `size` for a result of that size."""
    if options.preset is not None:
        return presets[options.preset].style_size(size, result, options.style_scale)
    return fit(size[1], size[0], max(1, round(max(result) * options.style_scale)))[::-1]


def _thumbnail(picture: Tensor, place: Layout) -> Tensor:
    """Give what a saved style shows of itself; on process 0, where several share the picture."""
    if place.whole:
        return picture
    whole = place.size(picture)
    small = fit(whole[1], whole[0], 256)[::-1]
    return place.gather(place.resize(picture, whole, small), small)


def _pixels(picture: Picture, kind: str, path: str, place: Layout = WHOLE) -> Tensor:
    if picture.alpha is not None and place.team.any(bool((picture.alpha < 1).any())):
        log.warning("%s %r: its transparency is ignored, the colours underneath count", kind, path)
    return picture.pixels


def _load_mask(path: str) -> Tensor:
    """Load a mask (1, H, W): the luminance of a picture."""
    pixels = _pixels(read_image(path), "style mask", path)
    if not pixels.any():  # regional_style says so, too, but later, with the network
        raise InputError(f"--style-mask: {path!r} is black everywhere; paint the region of its style white")
    return torch.einsum("nchw,c->nhw", pixels, pixels.new_tensor(LUMA))


def _load_style(path: str, options: Options, device: torch.device) -> StyleTarget:
    style = StyleTarget.load(path, device=device)
    if style.normalize != options.normalize:
        flag = "--normalize" if style.normalize else "--no-normalize"
        raise InputError(f"--load-style: {path!r} was saved with {flag}, which holds for a whole run; give {flag}")
    if options.style and not options.style_mask and style.statistic.name != options.statistic:
        raise InputError(
            f"--load-style: {path!r} was saved with --statistic {style.statistic.name}, but STYLE is read with "
            f"{options.statistic}, and the two cannot be mixed; give --statistic {style.statistic.name}"
        )
    if style.automatic and isinstance(
        options.levels, int
    ):  # such a style has as many levels as are wanted, up to its own
        style = replace(style, values=style.grams[: options.levels])
    if options.of_pictures:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in options.of_pictures)
        log.warning("style %r: it is as it was saved; %s: for STYLE pictures only", path, names)
    if options.match_colors:
        log.warning("style %r: it keeps the colours that it was saved with; --match-colors is for pictures", path)
    return style


def _check_content(options: Options, content: Picture, session: Session, what: str, layers: list[Layer]) -> None:
    """Check that the content, or the result, which has its shape, is large enough for layers."""
    place = session.place
    # the file is read again, but only where it is too small
    size, file_size = place.size(content.pixels), lambda: place.size(session.load(options.content).pixels)
    check_reduced(f"{what} {options.content!r}", size, file_size, layers, options)


def _check_sizes(options: Options, given: Inputs, place: Layout) -> None:
    """Check that each picture is large enough for layers, levels and tiles, and that the steps suffice for the levels.

    The network is not there yet, but layers of the same name have the same stride in each.
    """
    chosen = [] if given.content is None else [("content", options.content, given.content.pixels)]
    chosen += [("style", path, pixels) for path, pixels in zip(options.style, given.pictures, strict=True)]
    counts, layers = [], []
    for kind, path, pixels in chosen:
        used, what = [LAYERS[name] for name in getattr(options, f"{kind}_layers")], f"{kind} {path!r}"
        place.check(pixels, used, what)
        count = resolve_levels(options.levels, place.size(pixels), used, what, options.octaves)
        counts.append((count, what, options.levels == "auto"))
        layers += used
    for path, style in zip(options.load_style, given.loaded, strict=True):
        counts.append((style.levels, f"style {path!r}", style.automatic))
        layers += style.used
    levels = _common_levels(options, counts)
    if all(automatic for *_, automatic in counts):
        levels = max(1, levels_with_room(levels, given.size, layers))
    log.debug("result: %d x %d, %d levels", given.size[1], given.size[0], levels)
    resolve_levels(levels, given.size, layers, "result")
    split_steps(options.steps if isinstance(options.steps, int) else list(options.steps), levels)
    tiles(given.size, options.tile if isinstance(options.tile, int) else None, layers)


def _common_levels(options: Options, counts: list[tuple[int, str, bool]]) -> int:
    """Give the number of levels that all have; those whose number is automatic do with fewer than they have."""
    fewest, misfit = fewest_levels((count, automatic) for count, _, automatic in counts)
    which = next(what for count, what, _ in counts if count == fewest)
    if misfit is not None:
        count, what, _ = counts[misfit]
        raise InputError(
            f"--levels: {what} has {count} and {which} has {fewest}, but all must have the same number; give the "
            "number of the saved style, or save it again with another"
        )
    if options.levels not in ("auto", fewest):
        raise InputError(f"--levels: {which} was saved with {fewest}, got {options.levels}; give {fewest} or auto")
    return fewest
