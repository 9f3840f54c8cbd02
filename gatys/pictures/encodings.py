"""Encodings: what a file's numbers mean as colour, where it says so by anything but a colour profile, brought to sRGB.

Such files give a curve (from the numbers to light) and primaries (which light red, green and blue are). All is computed
in floating point, so that deep pictures stay deep.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import NotReadHere

log = logging.getLogger(__name__)

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""CIE x and y of white, red, green and blue."""

_D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_PRIMARIES: Mapping[int, Chromaticities] = {
    1: SRGB,
    2: SRGB,  # not told
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""The colour primaries of ITU-T H.273, by their codes."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_WHITE_NITS = 203.0
"""The brightness of white paper in an HDR picture, in cd/m2 (ITU-R BT.2408), which becomes 1."""
_HLG_NITS, _HLG_GAMMA = 1000.0, 1.2
"""The brightest of the display that hybrid log-gamma is shown on, and that display's gamma (ITU-R BT.2100)."""

Curve = Callable[[Tensor], Tensor]
"""A function from a file's numbers in [0, 1], (3, H, W), to light, of which 1 is white."""


@dataclass(frozen=True)
class Encoding:
    """What the numbers of a file mean."""

    curve: Curve
    primaries: Chromaticities = SRGB

    @property
    def is_srgb(self) -> bool:
        """Tell whether it is sRGB but for the rounding of chromaticities in files."""
        return self.curve is srgb_light and _close(self.primaries, SRGB)


def encoded_as_srgb(colour: Tensor, encoding: Encoding, name: str, *, tells: bool = True) -> Tensor:
    """Convert colour (1 or 3, H, W) to sRGB in [0, 1], (3, H, W).

    Light brighter than white becomes white, which is logged with its share of the picture where it `tells`; colours that
    sRGB does not have become the nearest that it has in each channel.

    Raises:
        NotReadHere: where the chromaticities are those of no colours.
    """
    light = encoding.curve(colour.expand(3, -1, -1))
    brighter = float((light > 1.001).any(0).float().mean())
    if brighter > 0 and tells:
        log.warning("%s: %.3g %% of its pixels are brighter than white, and become white", name, 100 * brighter)
    if not _close(encoding.primaries, SRGB):
        matrix = torch.from_numpy(np.linalg.solve(_to_xyz(SRGB), _to_xyz(encoding.primaries))).float()
        light = torch.einsum("ij,jhw->ihw", matrix, light)
    return srgb_numbers(light.clamp(0, 1))


# curves


def srgb_light(numbers: Tensor) -> Tensor:
    """Give the light of sRGB numbers (IEC 61966-2-1)."""
    return torch.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055).clamp(min=0) ** 2.4)


def srgb_numbers(light: Tensor) -> Tensor:
    """Give the sRGB numbers of light in [0, 1], the inverse of `srgb_light`."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0) ** (1 / 2.4) - 0.055)


def linear_light(numbers: Tensor) -> Tensor:
    """Give numbers that are light already."""
    return numbers


def power(exponent: float) -> Curve:
    """Give the curve whose light is the numbers to a power."""
    return lambda numbers: numbers.clamp(min=0) ** exponent


def _table(levels: np.ndarray) -> Curve:
    """Give the curve through evenly spaced points, (1 or 3, count) in [0, 1]."""
    at = np.linspace(0, 1, levels.shape[1])

    def curve(numbers: Tensor) -> Tensor:
        channels = zip(numbers.numpy(), np.broadcast_to(levels, (3, levels.shape[1])), strict=True)
        return torch.from_numpy(np.stack([np.interp(channel, at, level) for channel, level in channels])).float()

    return curve


def _quantizer_light(numbers: Tensor) -> Tensor:
    """Give the light of the perceptual quantizer (SMPTE ST 2084)."""
    root = numbers.double() ** (1 / 78.84375)
    light = ((root - 0.8359375).clamp(min=0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return (light * 10000 / _WHITE_NITS).float()


def _hybrid_light(numbers: Tensor) -> Tensor:
    """Give the light of hybrid log-gamma (ITU-R BT.2100) on its display."""
    high = (torch.exp((numbers.double() - 0.55991073) / 0.17883277) + 0.28466892) / 12
    scene = torch.where(numbers <= 0.5, numbers.double() ** 2 / 3, high)
    luminance = torch.einsum("chw,c->hw", scene, scene.new_tensor([0.2627, 0.6780, 0.0593]))
    return (scene * luminance ** (_HLG_GAMMA - 1) * _HLG_NITS / _WHITE_NITS).float()


_CURVES: Mapping[int, Curve] = {
    **dict.fromkeys((1, 2, 6, 13, 14, 15), srgb_light),  # not told, and BT.709's, count as sRGB's
    4: power(2.2),
    5: power(2.8),
    8: linear_light,
    16: _quantizer_light,
    18: _hybrid_light,
}
"""The transfer characteristics of ITU-T H.273, by their codes."""


# what files say


def adobe_rgb() -> Encoding:
    """Give the encoding of Adobe RGB (1998), which cameras name in EXIF."""
    return Encoding(power(563 / 256), _ADOBE)


def of_codes(primaries: int, transfer: int) -> Encoding:
    """Give the encoding that code points of ITU-T H.273 stand for.

    Raises:
        NotReadHere: for codes that are not read here.
    """
    for what, code, known in (("primaries", primaries, _PRIMARIES), ("transfer", transfer, _CURVES)):
        if code not in known:
            raise NotReadHere(f"says its colours by the {what} {code} of ITU-T H.273, not read here; save it as sRGB")
    return Encoding(_CURVES[transfer], _PRIMARIES[primaries])


def of_png(chunks: Mapping[bytes, bytes]) -> Encoding | None:
    """Give the encoding that chunks of a PNG tell, the first of cICP, sRGB, gAMA and cHRM; None for none.

    A gamma of 0.45455 is written beside sRGB and means its curve, as the PNG specification has it.

    Raises:
        NotReadHere: for what cICP means and is not read here.
        struct.error: for chunks that are too short.
    """
    if b"cICP" in chunks:
        primaries, transfer, matrix, full = struct.unpack("4B", chunks[b"cICP"])
        if matrix or not full:
            raise NotReadHere("has a cICP chunk of numbers that are not full-range RGB; save it as sRGB")
        return of_codes(primaries, transfer)
    if b"sRGB" in chunks or not chunks.keys() & {b"gAMA", b"cHRM"}:
        return None
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100000 if b"gAMA" in chunks else None
    at = struct.unpack(">8I", chunks[b"cHRM"]) if b"cHRM" in chunks else None
    return of_gamma(gamma, None if at is None else [each / 100000 for each in at])


def of_gamma(gamma: float | None, chromaticities: Any) -> Encoding:
    """Give the encoding of a PNG's gamma, a power from light to numbers, and chromaticities; None is as sRGB.

    Raises:
        NotReadHere: for a gamma of 0.
    """
    if gamma is not None and gamma <= 0:
        raise NotReadHere("has a gAMA chunk of 0, which is no gamma; save it again")
    curve = srgb_light if gamma is None or abs(gamma - 0.45455) < 0.0005 else power(1 / gamma)
    return Encoding(curve, SRGB if chromaticities is None else tuple(map(float, chromaticities)))  # type: ignore[arg-type]


def of_tiff(tags: Mapping[int, Any]) -> Encoding | None:
    """Give the encoding that the tags of a TIFF tell: TransferFunction, WhitePoint, PrimaryChromaticities.

    Raises:
        NotReadHere: for a number of values that the specification does not have.
    """
    curve, white, primaries = (tags.get(tag) for tag in (301, 318, 319))
    if curve is None and primaries is None:
        return None
    found = SRGB if primaries is None else (*_numbers(white or _D65, 2), *_numbers(primaries, 6))
    if curve is None:
        return Encoding(srgb_light, found)  # type: ignore[arg-type]
    levels = np.asarray(curve, dtype=np.float64).reshape(-1) / 65535
    channels = 3 if levels.size % 3 == 0 else 1
    if levels.size < 2:
        raise NotReadHere("has a TransferFunction without values; save it with a colour profile")
    return Encoding(_table(levels.reshape(channels, -1)), found)  # type: ignore[arg-type]


def _numbers(values: Any, count: int) -> list[float]:
    """Give values as numbers, rationals included, which tifffile gives as numerators and denominators in turn."""
    values = [float(value) for value in np.asarray(values, dtype=object).reshape(-1)]
    if len(values) == 2 * count:
        values = [over / max(under, 1) for over, under in zip(values[::2], values[1::2], strict=True)]
    if len(values) != count:
        raise NotReadHere(f"has {len(values)} chromaticities instead of {count}; save it with a colour profile")
    return values


# matrices


def _to_xyz(chromaticities: Chromaticities) -> np.ndarray:
    """Give the matrix from linear RGB to XYZ under D65: SMPTE RP 177, white adapted by Bradford's method.

    Raises:
        NotReadHere: where white or the primaries are those of no colours.
    """
    points = np.array(chromaticities, dtype=np.float64).reshape(4, 2)
    if not (points[:, 1] > 0).all():
        raise NotReadHere("has chromaticities of no colours; save it with a colour profile")
    xyz = np.stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1]])
    white, primaries = xyz[:, 0], xyz[:, 1:]
    try:
        matrix = primaries * np.linalg.solve(primaries, white)
    except np.linalg.LinAlgError as problem:
        raise NotReadHere("has primaries that lie on a line; save it with a colour profile") from problem
    d65 = np.array([_D65[0] / _D65[1], 1, (1 - sum(_D65)) / _D65[1]])
    return np.linalg.solve(_BRADFORD, np.diag((_BRADFORD @ d65) / (_BRADFORD @ white)) @ _BRADFORD) @ matrix


def _close(one: Chromaticities, other: Chromaticities) -> bool:
    return all(abs(a - b) < 0.001 for a, b in zip(one, other, strict=True))
