"""Save Style: a style as a small file, for other workflows and other people."""

from __future__ import annotations

import logging

from comfy_api.latest import io
from torch import Tensor

from ..gatys import StyleTarget
from ..gatys.errors import StyleFileError
from ..gatys.targets.blending import check_whole
from ..gatys.targets.style_files import save_style
from ..gatys.targets.style_paths import style_path
from . import host
from .sockets import StyleSocket, schema

log = logging.getLogger(__name__)


class SaveStyle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysSaveStyle",
            display_name="Save Style",
            search_aliases=["style bank", "style library", "export style"],
            description="Keeps a style as a small file in models/gatys_styles, where Load Style finds it without the network "
            "or the painting. An average of hundreds of paintings need be made only once.",
            is_output_node=True,
            inputs=[
                StyleSocket.Input("style", tooltip="The style to keep, as extracted or blended, before Style Region."),
                io.String.Input(
                    "name",
                    default="my style",
                    tooltip="Name of the file, with folders if you like: 'starry night' or 'paintings/starry night'. It "
                    "stays inside models/gatys_styles; .safetensors is added.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    tooltip="Off: a file of that name is left alone and the node stops with a message. On: it is replaced, "
                    "for workflows that run again and again.",
                ),
                io.String.Input(
                    "description",
                    default="",
                    multiline=True,
                    tooltip="Anything worth keeping with it, such as painter, source and licence; at most 10,000 "
                    "characters, or nothing.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A picture to keep with it as a thumbnail of at most 256 pixels, such as the painting; the first "
                    "of a batch. It does not change the style.",
                ),
            ],
            outputs=[StyleSocket.Output(display_name="style", tooltip="The style that came in, to go on with.")],
        )

    @classmethod
    def execute(
        cls, style: StyleTarget, name: str, overwrite: bool, description: str, image: Tensor | None = None
    ) -> io.NodeOutput:
        path = style_path(host.model_folder(host.STYLE_FOLDER), name)
        thumbnail = None if image is None else host.split_alpha(image[:1])[0]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StyleFileError(
                f"name: cannot make the folder {path.parent} ({error}); choose another name"
            ) from error
        check_whole(style, "style")
        save_style(style, path, overwrite=overwrite, thumbnail=thumbnail, description=description)
        log.info("Gatys Style Transfer: saved the style %s", path)
        return io.NodeOutput(style, ui={"text": (str(path),)})
