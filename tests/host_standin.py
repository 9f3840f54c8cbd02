"""The parts of ComfyUI that `nodes/` uses, so that the nodes can be tested without a checkout of it.

What it does is what ComfyUI v0.3.64 does, or with `newer` what v0.28.2 does; `test_host.py` compares it with the real one wherever
there is one. Parameters that the pack does not pass are left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from PIL import Image
from torch import nn

REPOSITORY = Path(__file__).resolve().parent.parent
PACK_NAME = "/host/custom_nodes/gatys style_x_transfer v1"
"""A name like those that the host gives: the folder's path, its dots replaced, no identifier."""


# comfy.model_management


def model_management(newer: bool = False) -> ModuleType:  # noqa: C901 (as many functions as the host's module has)
    mm = ModuleType("comfy.model_management")
    base = BaseException if newer else Exception
    mm.InterruptProcessingException = type("InterruptProcessingException", (base,), {})
    mm.load_device = mm.offload_device = mm.storage_device = torch.device("cpu")  # for tests to change
    mm.weight_budget = None  # bytes; None loads models whole
    mm.free = 2**34  # bytes
    mm.bf16 = mm.fp16 = False
    mm.requested = []  # for tests to look at: memory_required of each call
    mutex, state = threading.RLock(), SimpleNamespace(interrupted=False)

    def get_torch_device():
        return mm.load_device

    def should_use_bf16(device=None, model_params=0, prioritize_performance=True, manual_cast=False):
        return mm.bf16

    def should_use_fp16(device=None, model_params=0, prioritize_performance=True, manual_cast=False):
        return mm.fp16

    def unet_offload_device():
        return mm.offload_device

    def intermediate_device():
        return mm.storage_device

    def get_free_memory(dev=None, torch_free_too=False):
        return mm.free

    def extra_reserved_memory():
        return 0

    def soft_empty_cache(force=False):
        pass

    def load_models_gpu(
        models, memory_required=0, force_patch_weights=False, minimum_memory_required=None, force_full_load=False
    ):
        mm.requested.append(memory_required)
        for patcher in models:
            patcher.partially_load(patcher.load_device, 1e32 if mm.weight_budget is None else mm.weight_budget)

    def interrupt_current_processing(value=True):
        with mutex:
            state.interrupted = value

    def processing_interrupted():
        with mutex:
            return state.interrupted

    def throw_exception_if_processing_interrupted():
        with mutex:
            if state.interrupted:
                state.interrupted = False
                raise mm.InterruptProcessingException()

    for function in (
        get_torch_device,
        should_use_bf16,
        should_use_fp16,
        unet_offload_device,
        intermediate_device,
        get_free_memory,
        extra_reserved_memory,
        soft_empty_cache,
        load_models_gpu,
        interrupt_current_processing,
        processing_interrupted,
        throw_exception_if_processing_interrupted,
    ):
        setattr(mm, function.__name__, function)
    return mm


# comfy.model_patcher


def _size(module: nn.Module) -> int:
    return sum(tensor.nelement() * tensor.element_size() for tensor in module.state_dict().values())


class ModelPatcher:
    """Moves a module's weights with `Module.to`, under whatever inference mode it finds, layer by layer.

    Layers that miss the budget stay behind, and a later call believes that everything is loaded.
    """

    def __init__(self, model, load_device, offload_device, size=0, weight_inplace_update=False):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
        self.size = size
        model.device = offload_device
        model.model_loaded_weight_memory = 0
        model.model_lowvram = False

    def model_size(self):
        return self.size or _size(self.model)

    def loaded_size(self):
        return self.model.model_loaded_weight_memory

    def partially_load(self, device_to, extra_memory=0, force_patch_weights=False):
        if self.model.model_loaded_weight_memory > 0:
            return 0
        left, loaded, kept_free = extra_memory, 0, 0
        leaves = [m for m in self.model.modules() if next(m.parameters(recurse=False), None) is not None]
        for module in sorted(leaves, key=_size, reverse=True):
            room = self.room(_size(module), kept_free)
            if loaded + _size(module) + room < left:
                module.to(device_to)
                loaded += _size(module)
            else:
                kept_free = room
        if extra_memory > self.model_size():
            self.model.to(device_to)
            loaded = self.model_size()
        self.model.device = device_to
        self.model.model_loaded_weight_memory = loaded
        return loaded

    @staticmethod
    def room(size, kept_free):
        """Bytes to be kept free beside a layer, for those that stay behind to pass through."""
        return 0

    def detach(self, unpatch_all=True):
        self.model.to(self.offload_device)
        self.model.device = self.offload_device
        self.model.model_loaded_weight_memory = 0
        return self.model


class NewerModelPatcher(ModelPatcher):
    @staticmethod
    def room(size, kept_free):
        return max(size, kept_free)

    def get_free_memory(self, device):
        return sys.modules["comfy.model_management"].get_free_memory(device)


# comfy.utils

SECONDS, SHARE = 0.1, 0.005
"""What newer hosts want to lie between two values that they tell."""


def utils(newer: bool = False) -> ModuleType:
    module = ModuleType("comfy.utils")
    module.PROGRESS_BAR_HOOK = None

    def set_progress_bar_global_hook(function):
        module.PROGRESS_BAR_HOOK = function

    class ProgressBar:
        def __init__(self, total, node_id=None):
            self.total, self.current, self.node_id = total, 0, node_id
            self.hook = module.PROGRESS_BAR_HOOK
            self.sent = None  # when, and which value

        def update_absolute(self, value, total=None, preview=None):
            if total is not None:
                self.total = total
            self.current = min(value, self.total)
            if self.hook is not None and not (newer and self._too_soon(preview)):
                self.hook(self.current, self.total, preview, node_id=self.node_id)
                self.sent = time.perf_counter(), self.current

        def _too_soon(self, preview):
            """A value between the first and the last, without a picture, soon after another one and hardly beyond it."""
            if preview is not None or self.sent is None or self.current >= self.total:
                return False
            when, value = self.sent
            return time.perf_counter() - when < SECONDS or (self.current - value) / self.total < SHARE

    module.set_progress_bar_global_hook = set_progress_bar_global_hook
    module.ProgressBar = ProgressBar
    return module


# folder_paths


def folder_paths(base: Path) -> ModuleType:
    module = ModuleType("folder_paths")
    module.models_dir = os.path.join(base, "models")
    module.folder_names_and_paths = {}
    known = module.folder_names_and_paths

    def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
        paths = known.setdefault(folder_name, ([], set()))[0]
        if full_folder_path in paths and not is_default:
            return
        if full_folder_path in paths:
            paths.remove(full_folder_path)
        paths.insert(0 if is_default else len(paths), full_folder_path)

    def get_folder_paths(folder_name: str) -> list[str]:
        return known[folder_name][0][:]

    def get_filename_list(folder_name: str) -> list[str]:
        paths, suffixes = known[folder_name]
        found = set()
        for folder in paths:
            for place, _, names in os.walk(folder, followlinks=True):
                found.update(os.path.relpath(os.path.join(place, name), folder) for name in names)
        return sorted(name for name in found if not suffixes or os.path.splitext(name)[-1].lower() in suffixes)

    def get_full_path(folder_name: str, filename: str) -> str | None:
        if folder_name not in known:
            return None
        filename = os.path.relpath(os.path.join("/", filename), "/")  # `..` cannot leave the folder
        candidates = (os.path.join(folder, filename) for folder in known[folder_name][0])
        return next(filter(os.path.isfile, candidates), None)

    def get_output_directory() -> str:
        return os.path.join(base, "output")

    def get_temp_directory() -> str:
        return os.path.join(base, "temp")

    found = (add_model_folder_path, get_folder_paths, get_filename_list, get_full_path, get_output_directory)
    found += (get_temp_directory,)
    for function in found:
        setattr(module, function.__name__, function)
    return module


# comfy_api.latest


class _Socket:
    io_type = ""


class _Input(_Socket):
    def __init__(self, id, display_name=None, optional=False, tooltip=None):
        self.id, self.optional = id, optional
        self.info = {"display_name": display_name, "tooltip": tooltip}
        self.extra_dict: dict[str, Any] = {}

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in (self.info | self.extra_dict).items() if value is not None}


class _Output(_Socket):
    def __init__(self, id=None, display_name=None, tooltip=None, is_output_list=False):
        self.id, self.display_name, self.tooltip, self.is_output_list = id, display_name, tooltip, is_output_list
        self.given = id


class _Widget(_Input):
    def __init__(self, id, display_name, optional, tooltip, **info):
        super().__init__(id, display_name, optional, tooltip)
        self.info |= info


class _BooleanInput(_Widget):
    def __init__(self, id, display_name=None, optional=False, tooltip=None, default=None):
        super().__init__(id, display_name, optional, tooltip, default=default)


class _IntInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        default=None,
        min=None,
        max=None,
        step=None,
        control_after_generate=None,
    ):
        extra = {"control_after_generate": control_after_generate}
        super().__init__(id, display_name, optional, tooltip, default=default, min=min, max=max, step=step, **extra)


class _FloatInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        default=None,
        min=None,
        max=None,
        step=None,
        round=None,
    ):
        extra = {"step": step, "round": round}
        super().__init__(id, display_name, optional, tooltip, default=default, min=min, max=max, **extra)


class _StringInput(_Widget):
    def __init__(
        self,
        id,
        display_name=None,
        optional=False,
        tooltip=None,
        multiline=False,
        placeholder=None,
        default=None,
    ):
        extra = {"multiline": multiline, "placeholder": placeholder}
        super().__init__(id, display_name, optional, tooltip, default=default, **extra)


class _ComboInput(_Widget):
    def __init__(
        self,
        id,
        options=None,
        display_name=None,
        optional=False,
        tooltip=None,
        default=None,
        control_after_generate=None,
    ):
        extra = {"multiselect": False, "control_after_generate": control_after_generate}
        super().__init__(id, display_name, optional, tooltip, default=default, options=options, **extra)


class Autogrow:
    """Sockets of one kind, as many as are wired, on hosts as of 2026 (0.28.2): there they come as a mapping."""

    class TemplateNames:
        def __init__(self, input, names, min=1):
            self.input, self.names, self.min = input, names, min

    class Input(_Input):
        io_type = "COMFY_AUTOGROW_V3"

        def __init__(self, id, template, display_name=None, optional=False, tooltip=None):
            super().__init__(id, display_name, optional, tooltip)
            each = template.input
            kinds = {"optional" if each.optional else "required": {each.id: (each.io_type, each.as_dict())}}
            self.info["template"] = {"input": {"required": {}} | kinds, "names": template.names, "min": template.min}


def _socket_type(io_type: str, input_class: type = _Input) -> type:
    members = {
        "io_type": io_type,
        "Input": type("Input", (input_class,), {"io_type": io_type}),
        "Output": type("Output", (_Output,), {"io_type": io_type}),
    }
    return type(io_type, (), members)


def Custom(io_type: str):
    return _socket_type(io_type)


class Schema:
    newer = False

    def __init__(
        self,
        node_id,
        display_name=None,
        category: str = "sd",
        inputs=None,
        outputs=None,
        description: str = "",
        is_output_node: bool = False,
        is_deprecated: bool = False,
        is_experimental: bool = False,
    ):
        self.node_id, self.display_name, self.category, self.description = node_id, display_name, category, description
        self.inputs, self.outputs = inputs, outputs
        self.is_output_node, self.is_deprecated, self.is_experimental = is_output_node, is_deprecated, is_experimental

    def validate(self) -> None:
        ids = [socket.id for socket in (*self.inputs, *self.outputs)]
        if len(set(ids)) != len(ids):
            raise ValueError(f"Ids must be unique between inputs and outputs, but {ids} are not.")

    def v1_info(self, python_module: str) -> dict[str, Any]:
        inputs: dict[str, dict] = {"required": {}}
        for i in self.inputs:
            inputs.setdefault("optional" if i.optional else "required", {})[i.id] = (i.io_type, i.as_dict())
        if self.is_output_node:  # the host gives such nodes the graph, for the metadata of what they write
            inputs["hidden"] = {"prompt": ("PROMPT",), "extra_pnginfo": ("EXTRA_PNGINFO",)}
        return {
            "input": inputs,
            "input_order": {kind: list(of_kind) for kind, of_kind in inputs.items()},
            "output": [o.io_type for o in self.outputs],
            "output_is_list": [o.is_output_list for o in self.outputs],
            "output_name": [o.display_name or (self.newer and o.given) or o.io_type for o in self.outputs],
            "output_tooltips": [o.tooltip or None for o in self.outputs],
            "name": self.node_id,
            "display_name": self.display_name,
            "description": self.description,
            "python_module": python_module,
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
            "api_node": False,
        }


class NewerSchema(Schema):
    newer = True

    def __init__(
        self,
        node_id,
        display_name=None,
        category: str = "sd",
        inputs=None,
        outputs=None,
        description: str = "",
        search_aliases=None,
        is_output_node: bool = False,
        is_deprecated: bool = False,
        is_experimental: bool = False,
        has_intermediate_output: bool = False,
    ):
        known = display_name, category, inputs, outputs, description, is_output_node, is_deprecated, is_experimental
        super().__init__(node_id, *known)
        self.search_aliases, self.has_intermediate_output = search_aliases or [], has_intermediate_output


class NodeOutput:
    def __init__(self, *args: Any, ui: Any = None, expand=None, block_execution=None):
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution

    @property
    def result(self):
        return self.args if self.args else None


class ComfyNode:
    RELATIVE_PYTHON_MODULE = None

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        schema = cls.define_schema()
        for index, output in enumerate(schema.outputs):
            output.id = output.id or f"_{index}_{output.io_type}_"
        schema.validate()
        return schema

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:
        return cls.GET_SCHEMA().v1_info(cls.RELATIVE_PYTHON_MODULE)

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args, **kwargs) -> NodeOutput:
        result = cls.execute(*args, **kwargs)
        return result if isinstance(result, NodeOutput) else NodeOutput(*result)


def ui(paths: ModuleType) -> ModuleType:
    """What nodes show on themselves; `paths` says where it is kept."""
    module = ModuleType("comfy_api.latest._ui")

    class PreviewImage:
        def __init__(self, image, animated=False, cls=None):
            folder, self.values = paths.get_temp_directory(), []
            os.makedirs(folder, exist_ok=True)
            for picture in image:
                name = f"ComfyUI_temp_{len(os.listdir(folder)):05}_.png"
                Image.fromarray((picture.cpu().numpy() * 255).astype("uint8")).save(os.path.join(folder, name))
                self.values.append({"filename": name, "subfolder": "", "type": "temp"})

        def as_dict(self):
            return {"images": self.values, "animated": (False,)}

    module.PreviewImage = PreviewImage
    return module


class ComfyExtension:
    async def get_node_list(self) -> list[type[ComfyNode]]:
        raise NotImplementedError


def _locked(node: type[ComfyNode]) -> type[ComfyNode]:
    """A copy of the class that refuses attributes, on which the host calls `execute`: nodes keep no state."""

    class Locked(type(node)):
        def __setattr__(cls, name, value):
            raise AttributeError(f"Cannot modify class attribute '{name}' on locked class '{cls.__name__}'")

    return Locked(node.__name__, (node,), {})


# installing, and running nodes as the host does


def modules(base: Path, *, newer: bool = False) -> dict[str, ModuleType]:
    """Everything that takes a place in `sys.modules`, by name; `base` holds `models/`.

    With `newer` it has what the pack uses of hosts as of 2026 where there is one.
    """
    io = ModuleType("comfy_api.latest.io")
    for name, kind in (
        ("Image", _socket_type("IMAGE")),
        ("Mask", _socket_type("MASK")),
        ("Boolean", _socket_type("BOOLEAN", _BooleanInput)),
        ("Int", _socket_type("INT", _IntInput)),
        ("Float", _socket_type("FLOAT", _FloatInput)),
        ("String", _socket_type("STRING", _StringInput)),
        ("Combo", _socket_type("COMBO", _ComboInput)),
        ("Custom", Custom),
        ("Schema", NewerSchema if newer else Schema),
        ("NodeOutput", NodeOutput),
        ("ComfyNode", ComfyNode),
    ):
        setattr(io, name, kind)
    if newer:
        io.Autogrow = Autogrow
    latest = ModuleType("comfy_api.latest")
    paths = folder_paths(base)
    latest.io, latest.ui, latest.ComfyExtension = io, ui(paths), ComfyExtension
    patcher = ModuleType("comfy.model_patcher")
    patcher.ModelPatcher = NewerModelPatcher if newer else ModelPatcher
    preview = ModuleType("latent_preview")
    preview.MAX_PREVIEW_RESOLUTION = 512
    comfy, comfy_api = ModuleType("comfy"), ModuleType("comfy_api")
    comfy.__path__, comfy_api.__path__ = [], []
    comfy.model_management, comfy.utils, comfy.model_patcher = model_management(newer), utils(newer), patcher
    comfy_api.latest = latest
    return {
        "comfy": comfy,
        "comfy.model_management": comfy.model_management,
        "comfy.model_patcher": patcher,
        "comfy.utils": comfy.utils,
        "comfy_api": comfy_api,
        "comfy_api.latest": latest,
        "folder_paths": paths,
        "latent_preview": preview,
    }


def load_pack(name: str = PACK_NAME, root: Path = REPOSITORY) -> ModuleType:
    """Import the pack as the host does: from its file, under a name that is no identifier."""
    spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def installed(base: Path, *, newer: bool = False) -> Iterator[StandIn]:
    """The stand-in for `import`, with the pack loaded into it."""
    made = modules(base, newer=newer)
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield StandIn(made, load_pack())
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        for name in [name for name in sys.modules if name == PACK_NAME or name.startswith(f"{PACK_NAME}.")]:
            del sys.modules[name]


class StandIn:
    """The stand-in's modules, the pack's nodes by their id, and the execution of a node."""

    def __init__(self, made: dict[str, ModuleType], pack: ModuleType):
        self.mm, self.utils, self.folder_paths = (
            made[name] for name in ("comfy.model_management", "comfy.utils", "folder_paths")
        )
        self.latent_preview = made["latent_preview"]
        self.pack = pack
        extension = asyncio.run(pack.comfy_entrypoint())
        assert isinstance(extension, ComfyExtension)
        nodes = asyncio.run(extension.get_node_list())
        assert isinstance(nodes, list)  # the host takes nothing else
        self.nodes = {node.GET_SCHEMA().node_id: node for node in nodes}
        self.gatys = sys.modules[f"{pack.__name__}.gatys"]
        self.host = sys.modules[f"{pack.__name__}.nodes.host"]

    def run(self, node_id, **inputs) -> tuple:
        """Execute a node as the host does: in inference mode, on inference tensors, widgets at their defaults.

        Checks on the way that the node leaves its inputs as they are, whether it succeeds or not.
        """
        node = self.nodes[node_id]
        schema = node.GET_SCHEMA()
        known = {i.id: i for i in schema.inputs}
        assert inputs.keys() <= known.keys(), f"{node_id} has no input {inputs.keys() - known.keys()}"
        widgets = {name: i.info["default"] for name, i in known.items() if "default" in i.info}
        missing = {name for name, i in known.items() if not i.optional} - widgets.keys() - inputs.keys()
        assert not missing, f"the server would refuse {node_id} without {missing}"
        with torch.inference_mode():
            given = widgets | {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
            before = snapshot(given)
            try:
                result = ComfyNode.EXECUTE_NORMALIZED.__func__(_locked(node), **given).result
            finally:
                assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
                assert unchanged(before, snapshot(given)), f"{node_id} changed its inputs"
        assert len(result) == len(schema.outputs)
        return result


def snapshot(value: Any) -> Any:
    """A copy of all tensors inside of what travels between nodes, the network left out."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {key: snapshot(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [snapshot(item) for item in value]
    if isinstance(getattr(value, "net", getattr(value, "model", None)), nn.Module):
        return value  # 80 MB; `test_nodes.py` looks at the weights once, at its end
    return snapshot(vars(value)) if hasattr(value, "__dict__") else value


def unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return before.shape == after.shape and torch.equal(before.nan_to_num(7e7), after.nan_to_num(7e7))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, list):
        return len(before) == len(after) and all(map(unchanged, before, after))
    return before is after or before == after  # NaN is not equal to itself
