"""Load Style: a saved style comes from its file."""

from __future__ import annotations

from comfy_api.latest import io

from ..gatys import StyleTarget
from . import host
from .sockets import StyleSocket, schema

NO_STYLES = "no styles saved yet"
"""The only entry of the list while the folder is empty; the frontend draws an empty list as a broken node."""


class LoadStyle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = host.model_files(host.STYLE_FOLDER) or [NO_STYLES]
        return schema(
            node_id="GatysLoadStyle",
            display_name="Load Style",
            search_aliases=["style bank", "style library", "import style"],
            description="Takes a style from models/gatys_styles, where Save Style keeps them. Files of other people are safe "
            "to open. Gatys Optimize needs the network that the style was made with, and says which that is.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=files,
                    default=files[0],
                    tooltip="A file in models/gatys_styles. Reload the page's node definitions (R) to see new ones.",
                )
            ],
            outputs=[
                StyleSocket.Output(
                    display_name="style", tooltip="The style, as it was saved, for whatever takes one style."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str) -> str:
        """Load again when the file behind the name has changed."""
        return host.file_state(name, host.STYLE_FOLDER)

    @classmethod
    def validate_inputs(cls, name: str) -> bool:
        """Accept names that are not listed: `execute` says what is there, while newer hosts would refuse them in other
        words.
        """
        return True

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        path = host.find_model(name, host.STYLE_FOLDER)
        if path is None:
            folder = host.model_folder(host.STYLE_FOLDER)
            kept = "choose another" if host.model_files(host.STYLE_FOLDER) else "there are none yet"
            raise ValueError(
                f"name: expected a style in {folder}, got {name!r}; {kept}, save one with Save Style or put a file there"
            )
        return io.NodeOutput(StyleTarget.load(path, device=host.storage_device()))
