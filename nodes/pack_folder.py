"""The folder that the pack lies in: ComfyUI's page finds what is in it by its name."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

log = logging.getLogger(__name__)

_SERVED = re.compile(r"[\w.~!$&'()*+,;=@:-]+", re.ASCII)
"""Names of folders that aiohttp serves files from: it compares the name with the encoded path of a request."""


def check_pack_folder(name: str) -> None:
    """Warn if ComfyUI's page does not find everything in a folder of this name."""
    if not _SERVED.fullmatch(name):
        lost = "the menu of presets, the help pages and the pictures of the templates"
    elif "." in name:
        lost = "the help pages"  # the page looks for them under what stands before the first dot
    else:
        return
    log.warning(
        "Gatys Style Transfer: in a folder called %r ComfyUI's page does not find %s; rename it with the letters a to z, digits, "
        "'-' and '_' only, and start again",
        name,
        lost,
    )


def serve_examples(folder: Path) -> None:
    """Let the page fetch the pictures that templates ask for, where a server runs (web/gatys_examples.js)."""
    server = getattr(sys.modules.get("server"), "PromptServer", None)  # not there without the host's own main program
    instance = getattr(server, "instance", None)
    if instance is not None and folder.is_dir():
        instance.routes.static("/gatys/examples", folder)
