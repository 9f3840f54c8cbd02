"""Run the workflows of the paper's figures without ComfyUI, with trained filters: the pictures that docs/workflows.md judges.

    python benchmarks/figures.py FILTERS OUT [WORKFLOW ...] [--steps N] [--edge PIXELS]

The pack's own nodes run in the tests' stand-in for the host, with what the workflow's file says; the host's few nodes for
pictures are written here. FILTERS is what *auto* finds. --steps and --edge are for trials.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import host_standin

import gatys
from gatys.pictures.resampling import resize

WIDGETS = ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")


def scaled(image, height, width):
    return resize(image.permute(0, 3, 1, 2), (height, width)).permute(0, 2, 3, 1)


def scale_to_max(image, method, largest_size):
    height, width = image.shape[1:3]
    factor = largest_size / max(height, width)
    return scaled(image, round(height * factor), round(width * factor))


def scale(image, method, width, height, crop):
    shape = image.shape[1] / height, image.shape[2] / width
    edges = [round(length / ratio * min(shape)) for length, ratio in zip(image.shape[1:3], shape, strict=True)]
    top, left = ((have - want) // 2 for have, want in zip(image.shape[1:3], edges, strict=True))
    return scaled(image[:, top : top + edges[0], left : left + edges[1]], height, width)


def stitch(image1, image2, direction, match_image_size, spacing_width, spacing_color):
    axis, other = (2, 1) if direction == "right" else (1, 2)
    factor = image1.shape[other] / image2.shape[other]
    size = [round(length * factor) for length in image2.shape[1:3]]
    size[other - 1] = image1.shape[other]
    image2 = scaled(image2, *size)
    spacing = [0, 0, 0, 0, 0, 0]  # of channels, columns, rows, each before and behind
    spacing[2 * (3 - axis) + 1] = spacing_width
    return torch.cat([F.pad(image1, spacing, value=1.0), image2], axis)


HOST = {
    "ImageScaleToMaxDimension": (scale_to_max, ("method", "largest_size")),
    "ImageScale": (scale, ("method", "width", "height", "crop")),
    "ImageStitch": (stitch, ("direction", "match_image_size", "spacing_width", "spacing_color")),
}


class Run:
    """One execution of a workflow."""

    def __init__(self, host, workflow, primitives):
        self.host, self.primitives = host, primitives
        self.nodes = {node["id"]: node for node in workflow["nodes"]}
        self.links = {link[0]: link[1:3] for link in workflow["links"]}
        self.done, self.saved = {}, None

    def of(self, number):
        """The outputs of a node, which run once."""
        if number not in self.done:
            self.done[number] = self.execute(self.nodes[number])
        return self.done[number]

    def execute(self, node):
        kind, values = node["type"], node.get("widgets_values", [])
        given = {
            i["name"]: self.of(self.links[i["link"]][0])[self.links[i["link"]][1]]
            for i in node.get("inputs", [])
            if i.get("link") is not None
        }
        if kind == "LoadImage":
            return (gatys.load_image(ROOT / "examples" / values[0]).permute(0, 2, 3, 1),)
        if kind == "PrimitiveInt":
            return (next((v for word, v in self.primitives.items() if v and word in node["title"]), values[0]),)
        if kind == "SaveImage":
            self.saved = given["images"]
            return ()
        if kind in HOST:
            function, names = HOST[kind]
            return (function(**dict(zip(names, values, strict=True)) | given),)
        schema = self.host.nodes[kind].GET_SCHEMA()
        inputs = sorted(schema.inputs, key=lambda one: one.optional)
        names = [i.id for i in inputs if i.io_type in WIDGETS]
        began = time.process_time()
        found = self.host.run(kind, **dict(zip(names, values, strict=False)) | given)
        if kind == "GatysOptimize":
            print(f"  {node['title']}: {time.process_time() - began:.0f} s of a processor", flush=True)
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", type=Path)
    parser.add_argument("out", type=Path)
    names = sorted(file.stem for file in (ROOT / "example_workflows").glob("figure_*.json"))
    parser.add_argument("workflows", nargs="*", default=names)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--edge", type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, host_standin.installed(Path(place)) as host:
        folder = Path(place) / "models" / "vgg19"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / options.filters.name).symlink_to(options.filters.resolve())
        for name in options.workflows:
            print(name, flush=True)
            workflow = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
            run = Run(host, workflow, {"edge": options.edge, "Steps": options.steps})
            for node in workflow["nodes"]:
                if node["type"] == "SaveImage":
                    run.of(node["id"])
            gatys.save_image(run.saved.permute(0, 3, 1, 2), options.out / f"{name}.png")


if __name__ == "__main__":
    main()
