"""Paths of style files: a name stays inside its folder, on every system."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError
from ..settings import STYLE_SUFFIX

_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{p}{d}" for p in ("COM", "LPT") for d in "0123456789¹²³"
}


def style_path(folder: str | os.PathLike, name: str) -> Path:
    """Give the path of the style called `name` in a folder of styles: always inside of it, on every system.

    Args:
        folder: the folder of styles. Links inside of it are followed: only its owner can have put them there.
        name: may have sub-folders, separated by / or \\; .safetensors is added where it is missing.

    Raises:
        InputError: for a name that is empty, absolute or too long, has `..` in it, or is no file name on some system.
    """
    parts = [part.strip() for part in name.replace("\\", "/").split("/")]
    if not parts[-1].lower().endswith(STYLE_SUFFIX):
        parts[-1] += STYLE_SUFFIX
    for part in parts:
        problem = None
        if part.lower() in ("", STYLE_SUFFIX):
            problem = "an empty part"
        elif part.startswith(".") or part.endswith("."):
            problem = f"{part!r}, which begins or ends with a dot"
        elif re.search(r'[<>:"|?*\x00-\x1f\x7f\ud800-\udfff]', part):
            problem = 'a control character or one of < > : " | ? *'
        elif part.split(".")[0].rstrip().upper() in _DEVICES:
            problem = f"{part!r}, which is a device on Windows"
        elif len(part.encode()) > 255:
            problem = "a part of more than 255 bytes"
        if problem:
            expected = "a name like 'starry night' or 'paintings/starry night'"
            raise InputError(f"name: expected {expected}, got {name[:99]!r} with {problem}; choose another name")
    return Path(folder, *parts)
