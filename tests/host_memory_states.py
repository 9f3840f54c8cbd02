"""The graph under each memory setting of ComfyUI's own device management, on a machine without a card; prints JSON.

python host_memory_states.py COMFYUI_PATH

ComfyUI takes `--lowvram` and its like only with a card. Here its model management is told that the CPU is one, so that
the code behind the settings runs: full, partial and no loading, and unloading between nodes under inference mode.
"""

import importlib.util
import json
import sys
from pathlib import Path

STATES = ("NORMAL_VRAM", "LOW_VRAM", "NO_VRAM", "HIGH_VRAM", "SHARED")


def load_pack():
    root = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)
    from pack import nodes as ours

    ours.host.register_model_folder()
    return ours


def main(comfy):
    sys.path.insert(0, comfy)
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.model_management as mm
    import torch

    ours = load_pack()
    image = torch.rand(2, 1, 48, 40, 3, generator=torch.Generator().manual_seed(0))
    weights = dict.fromkeys(("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"), 0.2)

    def graph():
        vgg19 = ours.LoadVGG19.execute("untrained", "average").args[0]
        content = ours.ExtractContentFeatures.execute(vgg19, image[0], "conv4_2", 1, True).args[0]
        mm.unload_all_models()  # as another node's need for memory does, in inference mode
        style = ours.ExtractStyleGrams.execute(
            vgg19, image[1], **weights, more_layers="", style_scale=1.0, levels=1, normalize=True
        ).args[0]
        mm.unload_all_models()
        result = ours.GatysOptimize.execute(
            vgg19, 3, "lbfgs", 0.0, 0.01, 1.0, 0.0, "auto", 0, content=content, style=style
        ).args[0]
        loaded = vgg19.patcher.loaded_size() / vgg19.patcher.model_size()
        return result, loaded

    found = {}
    with torch.inference_mode():
        expected, _ = graph()
        mm.is_device_cpu = lambda device: False
        for state in STATES:
            mm.vram_state = mm.VRAMState[state]
            result, loaded = graph()
            found[state] = {"difference": (result - expected).abs().max().item(), "loaded": loaded}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
