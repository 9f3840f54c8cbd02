"""Shares of the gradient as they are asked for: names of terms and layers, each with a share."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

from ..errors import InputError


def parse_shares(text: str, what: str = "shares") -> dict[str, float]:
    """Read `"content=10%, conv1_1=20%"` as `{"content": 0.1, "conv1_1": 0.2}`; `what` names the input in messages.

    Raises:
        InputError: for text that is not of that form.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, _, share = (piece.strip() for piece in part.rpartition("="))
        try:
            value = float(share.removesuffix("%")) / 100 if share.endswith("%") else None
        except ValueError:
            value = None
        if not name or value is None:
            raise InputError(f"{what}: expected names with percents like content=10%, conv1_1=20%, got {part!r}")
        if name in found:
            raise InputError(f"{what}: {name!r} is named twice; name each term and layer once")
        found[name] = value
    return checked_shares(found, what)


def checked_shares(shares: Mapping[str, float], what: str = "shares") -> dict[str, float]:
    """Give shares by canonical names of layers.

    Raises:
        InputError: for none, for one that is no number from 0 to 1, and for a name given twice.
    """
    if not shares:
        raise InputError(f"{what}: expected at least one, such as content=10%, got none; name a term or a layer")
    found: dict[str, float] = {}
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
            raise InputError(f"{what}: expected a share from 0 to 1 (0 % to 100 %) for {name!r}, got {share!r}")
        plain = " ".join("conv" + word[4:] if word.startswith("relu") else word for word in name.split())
        if plain in found:
            raise InputError(f"{what}: {plain!r} is named twice; name each term and layer once")
        found[plain] = float(share)
    return found
