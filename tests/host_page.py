"""What tests of ComfyUI's own page share: where the page and its browser come from, and how a script is run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import host_server
import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = {file.stem: file for file in sorted((ROOT / "example_workflows").glob("*.json"))}
FRONTENDS = [*filter(None, os.environ.get("COMFYUI_FRONTENDS", "").split(os.pathsep))] or ["own"]
INSTALLATION = host_server.find_installation()
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FOLDER = "gatys-style_transfer"  # neither blanks nor dots: nodes/pack_folder.py

NEWER = {
    *("ImageCompare", "CustomCombo", "ComfyMathExpression", "ComfySwitchNode"),
    *("FrameInterpolationModelLoader", "FrameInterpolate"),
}
"""The host's own nodes that some workflows use and 0.3.64 does not have."""


STEPS, SHRINK = 4, 4
"""The steps of a run that is to be short, and what its pictures' edges are divided by."""


def lacking() -> str | None:
    """What is not here for these tests, None if nothing is."""
    if INSTALLATION is None:
        return host_server.NO_INSTALLATION
    if not CHROMIUM:
        return "no Chromium: set CHROMIUM to the program"
    node = shutil.which("node")
    ask = [node, "-e", "require('playwright-core')"]
    if not node or subprocess.run(ask, check=False, capture_output=True).returncode:
        return "no playwright-core: set NODE_PATH to the node_modules that has it, and install Node.js"
    return None


_REASON = lacking()
MARKS = [
    pytest.mark.host,
    pytest.mark.page,
    pytest.mark.skipif(_REASON is not None, reason=_REASON or "nothing is lacking"),
]


def frontend_name(root: str) -> str:
    """What a frontend is called in the names of tests."""
    return root if root == "own" else Path(root).parts[-3]


def start(base: Path, frontend: str, pictures: bool = True) -> host_server.Server:
    """A host with this frontend, and with all pictures that the workflows ask for, unless they are to be missing."""
    root = [] if frontend == "own" else ["--front-end-root", frontend]
    server = host_server.Server(INSTALLATION, base, "--cpu", *root, pack=FOLDER)
    try:
        for pattern in ("*.jpg", "*.webp", "*.mp4") if pictures else ():
            for picture in sorted((ROOT / "examples").glob(pattern)):
                server.upload(picture.name, picture.read_bytes())
        models = base / "models" / "frame_interpolation"
        models.mkdir(parents=True, exist_ok=True)
        save_file(interpolation_of_means(), models / "film_net_fp16.safetensors")
    except BaseException:
        server.stop()
        raise
    return server


def interpolation_of_means() -> dict[str, torch.Tensor]:
    """A model of the host's frame interpolation that needs no training: a RIFE of zeros, which moves nothing and gives the
    mean of two frames."""
    width, head = 8, 4
    shapes = {f"encode.cnn{index}": (16, 3 if index == 0 else 16, 3, 3) for index in range(3)}
    shapes["encode.cnn3"] = (16, head, 4, 4)
    for block in range(5):
        name, planes = f"blocks.{block}", 7 + 2 * head if block == 0 else 20 + 2 * head
        shapes |= {f"{name}.conv0.0.0": (width // 2, planes, 3, 3), f"{name}.conv0.1.0": (width, width // 2, 3, 3)}
        shapes |= {f"{name}.convblock.{index}.conv": (width, width, 3, 3) for index in range(8)}
        shapes[f"{name}.lastconv.0"] = (width, 52, 4, 4)
    transposed = ("cnn3", "lastconv.0")
    state = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.zeros(shape[name.endswith(transposed)]) for name, shape in shapes.items()}
    betas = (f"blocks.{block}.convblock.{index}.beta" for block in range(5) for index in range(8))
    return state | {name: torch.zeros(1, width, 1, 1) for name in betas}


def unknown(server: host_server.Server, name: str) -> set[str]:
    """Kinds of nodes in a workflow that this host does not have, for it is older than they are."""
    workflow = json.loads(WORKFLOWS[name].read_text(encoding="utf-8"))
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    kinds = {node["type"] for graph in (workflow, *subgraphs) for node in graph["nodes"]}
    missing = kinds - {subgraph["id"] for subgraph in subgraphs} - {"MarkdownNote"} - server.get("/object_info").keys()
    assert missing <= NEWER, name
    return missing


def ask(script: str, server: host_server.Server, *arguments: str | Path, timeout: float = 900) -> dict:
    """What a script of the tests writes, after it has opened the server's page."""
    command = ["node", str(ROOT / "tests" / script), f"http://127.0.0.1:{server.port}", CHROMIUM]
    done = subprocess.run(
        [*command, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def small(prompt):
    """The same graph at a quarter of its size and with four steps, one for each level of the largest."""
    prompt = json.loads(json.dumps(prompt))
    wired_to_steps = {
        node["inputs"]["steps"][0] for node in prompt.values() if isinstance(node["inputs"].get("steps"), list)
    }
    for name, node in prompt.items():
        values = node["inputs"]
        for key in {"steps", "later_steps"} & values.keys():
            if not isinstance(values[key], list):
                values[key] = STEPS
        if node["class_type"] == "PrimitiveInt":
            values["value"] = STEPS if name in wired_to_steps else values["value"] // SHRINK
        if node["class_type"] == "ComfyMathExpression":
            values["expression"] = str(STEPS) if name in wired_to_steps else f"({values['expression']}) // {SHRINK}"
        if not node["class_type"].startswith("Gatys"):
            for key in {"largest_size", "width", "height", "left", "x"} & values.keys():
                if not isinstance(values[key], list):
                    values[key] //= SHRINK
        if "levels" in values:
            values["levels"] = min(values["levels"], 2)  # as many as fit into this size
        if values.get("tile"):
            values["tile"] = 128  # several of them at this size too
    return prompt
