"""Gatys Style Transfer for ComfyUI: the nodes are in `nodes/`, and what they do is in `gatys/`."""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
