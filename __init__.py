"""Gatys Style Transfer for ComfyUI. The nodes are in `nodes/`, what they do is in `gatys/`."""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
