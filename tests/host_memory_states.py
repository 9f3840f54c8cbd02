"""The graph under each memory setting of ComfyUI's own device management, on a machine without a card; prints JSON.

python host_memory_states.py COMFYUI_PATH

ComfyUI takes `--lowvram` and its like only with a card. Here its model management is given the emulated device as one,
so that the code behind the settings runs: full, partial and no loading, and unloading, as a whole and in part, for other
models between our nodes, under inference mode.
"""

import importlib.util
import json
import sys
from pathlib import Path

STATES = ("NORMAL_VRAM", "LOW_VRAM", "NO_VRAM", "HIGH_VRAM", "SHARED", "--gpu-only")
FREE = 2**30
"""Bytes that the device has free, whatever is on it."""


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
    import emulated_device
    import torch
    from comfy.model_patcher import ModelPatcher

    ours = load_pack()
    image = torch.rand(2, 1, 48, 40, 3, generator=torch.Generator().manual_seed(0))
    weights = dict.fromkeys(("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"), 0.2)

    def other_model():
        model = torch.nn.Linear(64, 64)
        patcher = ModelPatcher(model, load_device=mm.get_torch_device(), offload_device=mm.unet_offload_device())
        mm.load_models_gpu([patcher], memory_required=1 << 20)

    def graph():
        """The result, and which share of the network stayed loaded: as it was used, and after the first pressure."""
        vgg19 = ours.LoadVGG19.execute("untrained", "average").args[0]

        def loaded():
            return vgg19.patcher.loaded_size() / vgg19.patcher.model_size()

        content = ours.ExtractContentFeatures.execute(vgg19, image[0], "conv4_2", 1, True).args[0]
        mm.free_memory(FREE + 2**25, mm.get_torch_device())  # another node needs a part of what ours takes
        pressed = loaded()
        other_model()
        style = ours.ExtractStyleGrams.execute(
            vgg19, image[1], **weights, more_layers="", style_scale=1.0, levels=1, normalize=True
        ).args[0]
        mm.unload_all_models()
        other_model()
        result = ours.GatysOptimize.execute(
            vgg19,
            steps=3,
            optimizer="lbfgs",
            learning_rate=0.0,
            content_weight=0.01,
            style_weight=1.0,
            tv_weight=0.0,
            init="auto",
            seed=0,
            content=content,
            style=style,
        ).args[0]
        return result, loaded(), pressed

    for name in (
        "_is_amx_tile_supported",
        "_is_avx512_bf16_supported",
    ):  # or the CPU's would be bfloat16, and no other's
        setattr(torch.cpu, name, lambda: False)
    found = {}
    with torch.inference_mode():
        with emulated_device.averages_as_there(sys.modules["pack.gatys.passes.adjoints"]):
            expected = graph()[0]
        mm.get_torch_device = lambda: emulated_device.DEVICE
        mm.get_free_memory = lambda device=None, torch_free_too=False: (FREE, FREE) if torch_free_too else FREE
        mm.cpu_state = mm.CPUState.GPU
        for state in STATES:
            mm.args.gpu_only = state == "--gpu-only"
            mm.vram_state = mm.VRAMState["HIGH_VRAM" if mm.args.gpu_only else state]
            with emulated_device.Emulation() as emulation:
                result, loaded, pressed = graph()
                found[state] = {
                    "device": result.device.type,
                    "difference": (result.cpu() - expected).abs().max().item(),
                    "loaded": loaded,
                    "pressed": pressed,
                    "unsupported": sorted(emulation.operations - emulated_device.operations_of_mps()),
                }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
