"""The ComfyUI nodes: they know the host and contain no mathematics."""

from comfy_api.latest import ComfyExtension, io

from . import host
from .extract_content import ExtractContentFeatures
from .extract_style import ExtractStyleGrams
from .load_vgg19 import LoadVGG19
from .optimize import GatysOptimize


class GatysExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [LoadVGG19, ExtractContentFeatures, ExtractStyleGrams, GatysOptimize]


async def comfy_entrypoint() -> ComfyExtension:
    host.register_model_folder()
    return GatysExtension()
