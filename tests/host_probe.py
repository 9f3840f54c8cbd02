"""A probe of the host's interfaces, as JSON, from ComfyUI or from the stand-in: `test_host.py` compares the two.

python host_probe.py COMFYUI_PATH|standin|newer-standin EMPTY_FOLDER NAME...   with dotted names to describe.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

META = torch.device("meta")


def find(name: str):
    """The object of a dotted name: a module and attributes."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise ImportError(name)


def describe(value) -> dict:
    if not callable(value):
        return {"type": type(value).__name__}
    if isinstance(value, type) and issubclass(value, BaseException):  # these have no signature
        return {"exception": [base.__name__ for base in value.__mro__]}
    parameters = inspect.signature(value).parameters.values()
    return {
        "parameters": {
            p.name: [p.kind.name, None if p.default is inspect.Parameter.empty else repr(p.default)] for p in parameters
        }
    }


def raised(function, *arguments, **named) -> str:
    try:
        function(*arguments, **named)
    except BaseException as error:  # noqa: BLE001 - whatever it is, its name is the answer; newer hosts' cancel is of this kind
        return type(error).__name__
    return "nothing"


# behaviours


def folders(base: Path) -> dict:
    import folder_paths

    first, second, third = (str(base / name) for name in ("first", "second", "third"))
    for file in ("first/a.pth", "first/b.txt", "first/deep/c.SAFETENSORS", "second/d.pt", "outside.pth"):
        (base / file).parent.mkdir(parents=True, exist_ok=True)
        (base / file).touch()
    known = folder_paths.folder_names_and_paths
    found = {}
    folder_paths.add_model_folder_path("probe", first)
    found["suffixes of a new key"] = sorted(known["probe"][1])
    found["all files"] = folder_paths.get_filename_list("probe")
    folder_paths.add_model_folder_path("probe", second, is_default=False)
    folder_paths.add_model_folder_path("probe", second)
    folder_paths.add_model_folder_path("probe", third, is_default=True)
    folder_paths.add_model_folder_path("probe", second, is_default=True)
    folder_paths.get_folder_paths("probe").clear()  # a copy
    found["order"] = [os.path.relpath(path, base) for path in folder_paths.get_folder_paths("probe")]
    known["probe"] = (known["probe"][0], {".pth", ".pt", ".safetensors"})
    folder_paths.add_model_folder_path("probe", first)
    found["suffixes kept"] = sorted(known["probe"][1])
    (base / "first" / "late.pt").touch()
    found["files"] = folder_paths.get_filename_list("probe")
    names = ["a.pth", "b.txt", "deep/c.SAFETENSORS", "none.pth"]
    names += ["deep", "../outside.pth", "x/../../outside.pth", "", ".."]
    paths = {name: folder_paths.get_full_path("probe", name) for name in names}
    found["paths"] = {name: path and os.path.relpath(path, base) for name, path in paths.items()}
    found["absolute"] = folder_paths.get_full_path("probe", str(base / "outside.pth"))
    found["unknown key"] = folder_paths.get_full_path("no such key", "a.pth")
    return found


def progress() -> dict:
    import comfy.utils

    calls, set_hook = [], comfy.utils.set_progress_bar_global_hook

    def hook(value, total, preview, node_id=None):
        calls.append([value, total, preview, node_id])
        if preview == "raise":
            raise KeyError("from the hook")

    early = comfy.utils.ProgressBar(10)
    early.update_absolute(1)
    set_hook(hook)
    early.update_absolute(2)  # the hook is the one of when it was made
    bar = comfy.utils.ProgressBar(10, node_id="7")
    bar.update_absolute(3)
    bar.update_absolute(20)
    bar.update_absolute(5, 4, "preview")
    bar.update_absolute(5, 40)
    error = raised(bar.update_absolute, 6, 40, "raise")
    set_hook(None)
    return {"calls": calls, "error": error}


def interruption() -> dict:
    import comfy.model_management as mm

    mm.interrupt_current_processing()
    seen = [mm.processing_interrupted(), raised(mm.throw_exception_if_processing_interrupted)]
    seen += [mm.processing_interrupted(), raised(mm.throw_exception_if_processing_interrupted)]
    return {"seen": seen, "bases": [base.__name__ for base in mm.InterruptProcessingException.__mro__]}


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.large, self.small = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 4, 3)
        self.register_buffer("mean", torch.zeros(3))


def moves() -> dict:
    """Where weights are and whether autograd takes them, after the host has moved them in inference mode."""
    from comfy.model_patcher import ModelPatcher

    def state(module):
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        return {name: [t.device.type, t.is_inference()] for name, t in sorted(tensors.items())}

    found = {}
    large = sum(p.numel() * 4 for p in Small().large.parameters())
    budgets = {"nothing": 0.1, "one layer": large + 1, "not quite": large, "all": 1e32}
    for inference in (True, False):
        for name, budget in budgets.items():
            module = Small()
            patcher = ModelPatcher(module, load_device=META, offload_device=torch.device("cpu"))
            with torch.inference_mode(inference):
                sizes = [patcher.model_size(), patcher.loaded_size()]
                steps = [float(patcher.partially_load(META, budget)), state(module), float(patcher.loaded_size())]
                if steps[-1]:  # a half loaded module passes for loaded
                    steps += [float(patcher.partially_load(META, 1e32)), state(module)]
            found[f"{name}, inference mode {inference}"] = [sizes, steps]
    module = Small()
    patcher = ModelPatcher(module, load_device=torch.device("cpu"), offload_device=torch.device("cpu"))
    with torch.inference_mode():
        patcher.partially_load(torch.device("cpu"), 1e32)
        patcher.detach()
    found["in place"] = [state(module), float(patcher.loaded_size())]
    return found


def loading() -> dict:
    """`load_models_gpu` on the CPU, in and out of inference mode."""
    import comfy.model_management as mm
    from comfy.model_patcher import ModelPatcher

    module = Small()
    patcher = ModelPatcher(module, load_device=mm.get_torch_device(), offload_device=mm.unet_offload_device())
    results = []
    for inference in (True, False):
        with torch.inference_mode(inference):
            for _ in range(2):
                results.append(mm.load_models_gpu([patcher], memory_required=1 << 20, force_full_load=True))
        results.append([p.is_inference() for p in module.parameters()])
    mm.soft_empty_cache()
    devices = [mm.get_torch_device(), mm.unet_offload_device(), mm.intermediate_device()]
    return {"results": results, "loaded": float(patcher.loaded_size()), "devices": [str(device) for device in devices]}


def node() -> dict:
    """The information of a node with every kind of socket, and what executing it gives."""
    from comfy_api.latest import ComfyExtension, io

    own = io.Custom("PROBE")

    class Probe(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(
                node_id="Probe",
                display_name="A Probe",
                category="a/b",
                description="What it does.",
                inputs=[
                    own.Input("own", tooltip="t"),
                    own.Input("other", optional=True, display_name="Other"),
                    io.Image.Input("picture"),
                    io.Mask.Input("mask", optional=True, tooltip="t"),
                    io.Boolean.Input("switch", default=False, tooltip="t"),
                    io.Int.Input("number", default=0, min=0, max=2**63 - 1, control_after_generate=True),
                    io.Float.Input("fraction", default=0.5, min=0.0, max=1e12, step=0.05, round=0.0001, tooltip="t"),
                    io.Float.Input("plain"),
                    io.String.Input("text", default="", tooltip="t"),
                    io.String.Input("page", multiline=True, placeholder="p", optional=True),
                    io.Combo.Input("choice", options=["a", "b"], default="b", tooltip="t"),
                ],
                outputs=[own.Output(display_name="Own", tooltip="t"), io.Image.Output(), own.Output(id="named")],
            )

        @classmethod
        def execute(cls, way):
            return {"output": io.NodeOutput(1, [2]), "tuple": (1, [2])}[way]

    class Twice(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(node_id="Twice", inputs=[own.Input("a"), own.Input("a")], outputs=[])

        @classmethod
        def execute(cls):
            pass

    class Extension(ComfyExtension):
        async def get_node_list(self):
            return [Probe]

    info = Probe.GET_NODE_INFO_V1()
    del info["python_module"]
    return {
        "info": info,
        "results": [list(Probe.EXECUTE_NORMALIZED(way=way).result) for way in ("output", "tuple")],
        "empty": io.NodeOutput().result,
        "equal ids": raised(Twice.GET_SCHEMA),
        "output ids": [output.id for output in Probe.GET_SCHEMA().outputs],
        "extension": Extension().__class__.__mro__[1].__name__,
    }


def main(host: str, base: str, *names: str) -> None:
    if host.endswith("standin"):
        import host_standin

        sys.modules.update(host_standin.modules(Path(base), newer=host.startswith("newer")))
    else:
        sys.path.insert(0, host)
        sys.argv = [sys.argv[0], "--cpu"]
        import comfy.options

        comfy.options.enable_args_parsing()  # before all else of comfy, or a machine without a card is refused
    from comfy_api.latest import io

    described = {name: describe(find(name)) for name in names}
    custom = io.Custom("PROBE")
    described |= {"Custom.Input": describe(custom.Input), "Custom.Output": describe(custom.Output)}
    import latent_preview

    behaviours = {
        "folders": folders(Path(base)),
        "progress": progress(),
        "interruption": interruption(),
        "moves": moves(),
        "loading": loading(),
        "node": node(),
        "preview size": latent_preview.MAX_PREVIEW_RESOLUTION,
    }
    print("PROBE " + json.dumps({"described": described, "behaviours": behaviours, "cuda": torch.cuda.is_available()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
