"""A custom node of the tests: instruments inside a running ComfyUI, and nodes that make trouble in front of ours.

The server imports it from its `custom_nodes`. Its routes:
POST /instruments/watch {"stage", "after"}: count the torch operations of each stage of our nodes; at number `after`
    of `stage` tell the client and wait there for its cancel. Without a stage, only count.
GET /instruments/watch: {stage: operations}, and where the worker was when the last cancel came. Ends the watching.
POST /instruments/shortage {"bytes"}: the next evaluation at full size gets so many bytes of address space more than there are.
POST /instruments/download {"url", "sha256"}: where `imagenet` is downloaded from.
GET /instruments/memory: the tensors alive in this process, their bytes, and the process's own memory in bytes.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import hashlib
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import comfy.model_management as mm
import execution
import psutil
import torch
from aiohttp import web
from comfy.model_patcher import ModelPatcher
from server import PromptServer
from torch.utils._python_dispatch import TorchDispatchMode

ANSWER_SECONDS = 60
routes = PromptServer.instance.routes


def module(name: str):
    """A module of the pack, whose folder may be called anything."""
    (found,) = [value for key, value in sys.modules.items() if "custom_nodes" in key and key.endswith(f".{name}")]
    return found


# where the worker is, counted in torch operations


class Watch:
    def __init__(self):
        self.counts, self.stages, self.seen_at = Counter(), [], None
        self.stage, self.after, self.on = None, 0, False
        self._mode = None

    def start(self, stage: str | None, after: int) -> None:
        self.counts.clear()
        self.stage, self.after, self.seen_at, self.on = stage, after, None, True

    @contextmanager
    def within(self, stage: str):
        self.stages.append(stage)
        try:
            if self.on and len(self.stages) == 1:
                with Operations():
                    yield
            else:
                yield
        finally:
            self.stages.pop()

    def operation(self) -> None:
        if not self.stages:
            return
        stage = self.stages[-1]
        self.counts[stage] += 1
        if (stage, self.counts[stage]) == (self.stage, self.after):
            self.stage = None
            about = {"prompt_id": PromptServer.instance.last_prompt_id, "stage": stage}
            PromptServer.instance.send_sync("instruments", about, PromptServer.instance.client_id)
            end = time.monotonic() + ANSWER_SECONDS
            while not mm.processing_interrupted():
                if time.monotonic() > end:
                    raise TimeoutError("instruments: nobody cancelled")
                time.sleep(0.001)


watch = Watch()


class Operations(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        watch.operation()
        return function(*args, **(kwargs or {}))


def wrap(owner, name: str, stage) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args, **named):
        with watch.within(stage(*args) if callable(stage) else stage):
            return original(*args, **named)

    setattr(owner, name, wrapped)


@functools.cache
def install() -> None:
    wrap(module("nodes.load_vgg19"), "load_vgg", "loading")
    wrap(module("nodes.extract_content"), "extract_content", "extraction of the content")
    wrap(module("nodes.extract_style"), "extract_style", "extraction of the style")
    wrap(module("gatys.objective.evaluation").Bounded, "__call__", lambda bounded, image: f"level {bounded.level}")
    wrap(module("gatys.descent.lbfgs").LBFGS, "tell", "step of L-BFGS")
    wrap(module("gatys.descent.adam").Adam, "tell", "step of Adam")
    wrap(module("nodes.host"), "_thumbnail", "preview")
    objective = module("gatys.objective.objective").Objective
    first, interrupt = objective.__init__, mm.interrupt_current_processing

    @functools.wraps(first)
    def remember_level(self, *args, level=0, **named):
        first(self, *args, level=level, **named)
        self.level = level

    def remember_stage(value=True):
        if value:
            watch.seen_at = watch.stages[-1] if watch.stages else "between"
        interrupt(value)

    objective.__init__ = remember_level
    bounded = module("gatys.objective.evaluation").Bounded
    bounded.level = property(lambda bounded: bounded.objective.level)
    evaluate = bounded.__call__

    @functools.wraps(evaluate)
    def evaluate_in_shortage(self, image):
        if self.level or not shortage:
            return evaluate(self, image)
        with little_memory(shortage.pop()):
            return evaluate(self, image)

    bounded.__call__ = evaluate_in_shortage
    mm.interrupt_current_processing = remember_stage


shortage = []
"""The bytes that the next evaluation at full size gets, if it is to run short."""


@contextmanager
def little_memory(more: int):
    """Let this process take only so many bytes of address space more than it has. Linux only."""
    import resource

    end = time.monotonic() + ANSWER_SECONDS
    while not PromptServer.instance.messages.empty():  # the server's other threads are not to run short
        if time.monotonic() > end:
            raise TimeoutError("instruments: the server's messages are not sent")
        time.sleep(0.001)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@routes.post("/instruments/shortage")
async def set_shortage(request):
    install()
    shortage.append((await request.json())["bytes"])
    return web.json_response({})


@routes.post("/instruments/watch")
async def start_watch(request):
    install()
    asked = await request.json()
    watch.start(asked.get("stage"), asked.get("after", 0))
    return web.json_response({})


@routes.get("/instruments/watch")
async def end_watch(request):
    watch.on = False
    return web.json_response({"counts": dict(watch.counts), "seen_at": watch.seen_at})


@routes.post("/instruments/download")
async def set_download(request):
    asked, weights = await request.json(), module("gatys.network.weights")
    weights.imagenet_source = lambda: weights.Source(asked["url"], asked["sha256"])
    return web.json_response({})


# memory

resets = []
"""One entry for each time that the worker has emptied its caches."""


def _reset(executor, reset=execution.PromptExecutor.reset):
    reset(executor)
    resets.append(time.monotonic())


execution.PromptExecutor.reset = _reset


@routes.get("/instruments/resets")
async def tell_resets(request):
    return web.json_response(len(resets))


@routes.get("/instruments/memory")
async def tell_memory(request):
    for _ in range(3):
        gc.collect()
    tensors = [thing for thing in gc.get_objects() if isinstance(thing, torch.Tensor)]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later is no leak
    own = psutil.Process().memory_info()
    # on Linux without the libraries, whose pages come and go with other processes
    private = own.rss - getattr(own, "shared", 0)
    told = {"tensors": len(tensors), "bytes": sum(storages.values()), "private": private, "rss": own.rss}
    return web.json_response(told | {"threads": threading.active_count()})


# nodes that make trouble

kept = []
"""What the leaking node leaks."""


class Leak:
    """Passes a picture on and keeps a copy of it, for a test of the tests."""

    CATEGORY, FUNCTION, RETURN_TYPES = "instruments", "run", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        kept.append(image.clone())
        return (image,)


class Poison(Leak):
    """Makes a picture that is not a number at one place, as a broken node does."""

    def run(self, image):
        spoiled = image.clone()
        spoiled[0, 0, 0, 0] = float("nan")
        return (spoiled,)


class Anything(str):
    """A socket type that is unequal to none."""

    def __ne__(self, other):
        return False


class Pressure(Leak):
    """Has the host unload every model, ours among them, and load another, as a sampler does."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "after": (Anything("*"),)}}

    def run(self, image, after):
        other = torch.nn.Linear(1024, 1024)
        patcher = ModelPatcher(other, load_device=mm.get_torch_device(), offload_device=mm.unet_offload_device())
        loaded = [type(entry.model.model).__name__ for entry in mm.current_loaded_models]
        if "VGG" not in loaded:
            raise RuntimeError(f"Pressure: our network was not loaded, but {loaded}")
        mm.free_memory(1e30, mm.get_torch_device())
        if mm.current_loaded_models:
            raise RuntimeError("Pressure: something is still loaded")
        mm.load_models_gpu([patcher], memory_required=1 << 30)
        return (image,)


class AsList(Leak):
    """The pictures of two sizes as a list, for which the host calls the nodes behind it once each."""

    OUTPUT_IS_LIST = (True,)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"first": ("IMAGE",), "second": ("IMAGE",)}}

    def run(self, first, second):
        return ([first, second],)


class Digest(Leak):
    """Tells a hash of each picture of a batch."""

    OUTPUT_NODE, RETURN_TYPES = True, ()

    def run(self, image):
        return {
            "ui": {"digest": [hashlib.sha256(picture.contiguous().numpy().tobytes()).hexdigest() for picture in image]}
        }


NODE_CLASS_MAPPINGS = {f"Instruments{cls.__name__}": cls for cls in (Leak, Poison, Pressure, AsList, Digest)}
