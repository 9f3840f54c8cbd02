"""A device without float64, emulated: tensors that say they are elsewhere and compute in main memory.

No machine of the tests has an MPS or DirectML device. What goes wrong there with a program that is right on the CPU is
of three kinds, and each is an error here: float64 on the device, which lacks it; operands on two devices; and a
reader in main memory (numpy, `tolist`) that did not fetch first. The operations asked of the device are kept in
`Emulation.operations`, so that a test can ask whether MPS has them.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    raise ImportError("emulated_device: needs a PyTorch that takes devices written in Python (2.10)")
backend_registration._setup_privateuseone_for_python_backend()
DEVICE = torch.device("privateuseone:0")
"""The device that DirectML is. PyTorch has no operation for it: whatever gets past the emulation fails."""


class Distant(torch.Tensor):
    """A tensor on the emulated device. Its values are in `here`."""

    @staticmethod
    def __new__(cls, here: torch.Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )

    def __init__(self, here: torch.Tensor):
        self.here = here

    def __repr__(self):
        return f"Distant({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return dispatch(function, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


running: list[Emulation] = []


def dispatch(function, args, kwargs):
    given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    distant = [value for value in given if isinstance(value, Distant)]
    to = kwargs.get("device")
    moved = function in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    if not moved and distant and (mixed := [v for v in given if not isinstance(v, Distant) and v.ndim]):
        raise RuntimeError(f"{function}: tensors on {DEVICE} and on cpu, {tuple(mixed[0].shape)}")
    if to is not None:
        away = torch.device(to).type == DEVICE.type
        kwargs = {**kwargs, "device": "cpu"}
    else:
        away = bool(distant) if function != torch.ops.aten.copy_.default else isinstance(args[0], Distant)
    here = tree_map(lambda value: value.here if isinstance(value, Distant) else value, (args, kwargs))
    result = function(*here[0], **here[1])
    if not away:
        return result
    for emulation in running:
        emulation.operations.add(function._schema.name.partition("::")[2])
    mutated = [
        value
        for value, argument in zip(args, function._schema.arguments, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if mutated and isinstance(result, torch.Tensor) and result is here[0][0]:
        return args[0]

    def send(value):
        if not isinstance(value, torch.Tensor):
            return value
        if value.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{function}: the device has no {value.dtype}")
        with torch.inference_mode(value.is_inference()):  # a view of a normal tensor is one, whatever the mode
            return Distant(value)

    return tree_map(send, result)


class Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        with self:  # in inference mode, what is made of other operations comes here as it is
            made = function.decompose(*args, **(kwargs or {}))
        if made is not NotImplemented:
            return made
        return dispatch(function, args, kwargs or {})


class Constructors(TorchFunctionMode):
    """What PyTorch does with devices in places that no dispatch mode sees."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return function(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        if function is torch.Tensor.new_tensor and isinstance(args[0], Distant):
            return torch.tensor(args[1], dtype=args[0].dtype).to(DEVICE)
        if function is torch.Tensor.tolist and isinstance(args[0], Distant):
            return args[0].cpu().tolist()
        return function(*args, **kwargs)


class Emulation:
    """A context in which tensors and modules go to `DEVICE`."""

    def __init__(self):
        self.operations: set[str] = set()
        self._modes = (Dispatch(), Constructors())

    def __enter__(self):
        running.append(self)
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)
        running.remove(self)


def send(module: torch.nn.Module) -> torch.nn.Module:
    """The module with its weights on the device."""
    for child in module.modules():
        for name, weight in list(child._parameters.items()):
            if weight is not None:
                child._parameters[name] = torch.nn.Parameter(Distant(weight.detach().clone()), requires_grad=False)
        for name, weight in list(child._buffers.items()):
            child._buffers[name] = Distant(weight.clone())
    return module


def operations_of_mps() -> set[str]:
    """The operations that this PyTorch has on MPS, or makes of others: from the declarations that its wheel brings."""
    import torchgen

    path = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / "native_functions.yaml"
    entries = re.split(r"^- func: ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    declared = {entry.partition("(")[0].strip(): entry for entry in entries}

    def has(entry: str) -> bool:
        keys = re.search(r"^  dispatch:\n((?:    .*\n)+)", entry, flags=re.MULTILINE)
        found = keys[1] if keys else ""
        if re.search(r"\bMPS\b|Composite|ZeroTensor.*MPS", found):
            return True
        other = re.search(r"^  structured_delegate: (\S+)", entry, flags=re.MULTILINE)
        return has(declared[other[1]]) if other else not keys

    supported: set[str] = set()
    for name, entry in declared.items():
        if has(entry):
            supported.add(name.partition(".")[0])
    return supported


@contextmanager
def averages_as_there(adjoints):
    """While it lasts, main memory's average pooling adds up as elsewhere: all else is the same to the last bit."""
    functional = adjoints.F
    adjoints.F = SimpleNamespace(**vars(functional) | {"avg_pool2d": lambda x, _: adjoints.average(x)})
    try:
        yield
    finally:
        adjoints.F = functional
