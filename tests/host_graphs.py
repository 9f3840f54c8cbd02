"""Pictures and prompts for a running ComfyUI, and what comes back."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
HEIGHT, WIDTH = 64, 48


def pixels(seed, height=HEIGHT, width=WIDTH):
    """Blocks of colour, uint8 (H, W, 3): a picture with something to see in it."""
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def widgets(node_id):
    """The defaults that the frontend would send."""
    info = json.loads((HERE / "schemas.json").read_text(encoding="utf-8"))[node_id]["input"]
    return {name: options["default"] for name, (_, options) in info["required"].items() if "default" in options}


def node(class_type, **inputs):
    return {
        "class_type": class_type,
        "inputs": (widgets(class_type) if class_type.startswith("Gatys") else {}) | inputs,
    }


def graph(server, steps=3, content=None, style=None, **optimizer):
    """The whole way from two pictures to a saved one; node ids as in the tests below."""
    scene = server.upload("scene.png", png(pixels(1) if content is None else content))
    painting = server.upload("painting.png", png(pixels(2) if style is None else style))
    return {
        "scene": node("LoadImage", image=scene),
        "painting": node("LoadImage", image=painting),
        "vgg19": node("GatysLoadVGG19", weights="untrained"),
        "content": node("GatysExtractContentFeatures", vgg19=["vgg19", 0], image=["scene", 0]),
        "style": node("GatysExtractStyleGrams", vgg19=["vgg19", 0], image=["painting", 0]),
        "optimize": node(
            "GatysOptimize", vgg19=["vgg19", 0], content=["content", 0], style=["style", 0], steps=steps, **optimizer
        ),
        "save": node("SaveImage", images=["optimize", 0], filename_prefix="result"),
    }


def batch(server, prompt, second):
    """The same with a second content picture."""
    prompt["second"] = node("LoadImage", image=server.upload("second.png", png(second)))
    prompt["batch"] = node("ImageBatch", image1=["scene", 0], image2=["second", 0])
    prompt["content"]["inputs"]["image"] = ["batch", 0]
    return prompt


def digested(prompt, *sources):
    """The same with a node that tells each result to the last bit; see `digests`."""
    for source in sources or ("optimize",):
        prompt[f"digest {source}"] = node("InstrumentsDigest", image=[source, 0])
    return prompt


def digests(run, source="optimize"):
    """Of each result, a hash of its pixels as they left our node."""
    assert run.status == "success", run.message
    return run.outputs[f"digest {source}"]["digest"]


def saved(server, run):
    """The pictures that Save Image has written, uint8 (H, W, 3 or 4)."""
    assert run.status == "success", run.message
    return [np.array(Image.open(io.BytesIO(server.view(file)))) for file in run.outputs["save"]["images"]]


def is_result(result, content):
    """Of the content's size, and neither the content nor flat nor noise as untouched starting points would be."""
    assert result.dtype == np.uint8 and result.shape == content.shape
    distance = np.abs(result.astype(int) - content.astype(int)).mean()
    assert 1 < distance < 120, distance
    assert result.std() > 10
    return True
