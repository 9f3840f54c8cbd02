"""Lay out the templates of example_workflows/ and subgraphs/: columns from left to right, in titled groups, no node over another.

    python examples/layout.py            # write them anew
    python examples/layout.py --check    # only say which ones would change

Run it after a template or a node's inputs have changed. Heights are those of the tallest way in which a page draws a node,
which is Nodes 2.0 of the oldest host, and widths too; `tests/test_host/test_page_templates.py` measures them in the page.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PITCH, WIDTH, BETWEEN = 440, 340, 20
"""Pixels from column to column, of a node, and between two groups."""
TITLE, GAP, MARGIN = 30, 40, 20
"""Height of a node's title, distance from one node to the next below, and from a node to the edge of its group."""
WIDGETS = ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")
PICTURE, RESULT = (WIDTH, 350), (430, 430)
SIZES = {
    "LoadImage": PICTURE,
    "LoadVideo": PICTURE,
    "SaveImage": RESULT,
    "SaveVideo": RESULT,
    "PreviewImage": RESULT,
    "ImageCompare": RESULT,
    "PreviewAny": (WIDTH, 400),
    "GatysSaveStyle": (WIDTH, 430),
}
"""Nodes that show a picture or a longer text."""
STAGES = {
    "pictures": ("Pictures", "#3f789e"),
    "targets": ("What to match", "#b58b2a"),
    "painting": ("Painting", "#7d5fa8"),
    "result": ("Result", "#88aa88"),
}
"""Groups from left to right: title and colour."""
PAINTS = ("GatysOptimize", "GatysOptimizeFrames")
FILTERS = "GatysLoadVGG19"
NOTE = "MarkdownNote"


class Layout:
    """The places of the nodes of one workflow, or of one subgraph in it."""

    def __init__(self, workflow: dict, schemas: dict, subgraphs: tuple[str, ...] = ()):
        self.workflow, self.schemas = workflow, schemas
        self.paints = (*PAINTS, *subgraphs)
        self.nodes = {node["id"]: node for node in workflow["nodes"] if node["type"] != NOTE}
        self.before, self.behind = defaultdict(list), defaultdict(list)
        for link in workflow["links"]:
            named = isinstance(link, dict)
            source, target = (link["origin_id"], link["target_id"]) if named else (link[1], link[3])
            if source in self.nodes and target in self.nodes:  # not the edge of a subgraph
                self.before[target].append(source)
                self.behind[source].append(target)
        self.stages = {number: self.stage(number) for number in self.nodes}
        self.done: set[int] = set()

    def upstream(self, number: int) -> set[int]:
        """All nodes that this one depends on."""
        return {number for source in self.before[number] for number in (source, *self.upstream(source))}

    def stage(self, number: int) -> str:
        kind = self.nodes[number]["type"]
        sources = {self.nodes[source]["type"] for source in self.upstream(number)}
        if sources & {*self.paints}:
            return "result"
        if kind in self.paints:
            return "painting"
        return "targets" if FILTERS in sources or kind == "GatysLoadStyle" else "pictures"

    def title(self, stage: str) -> str:
        those = [self.nodes[number]["type"] for number in self.nodes if self.stages[number] == stage]
        return STAGES[stage][0] + " and filters" * (FILTERS in those)

    def size(self, node: dict) -> tuple[int, int, int]:
        """Width, and height at least, as it is saved, and at most; both without the title."""
        if node["type"] in SIZES:
            width, height = SIZES[node["type"]]
            return width, height, height + 40
        schema = self.schemas.get(node["type"])
        if schema:
            inputs = [given for group in ("required", "optional") for given in schema["input"].get(group, {}).values()]
            widgets = sum(kind in WIDGETS for kind, _ in inputs)
            slots = max(len(inputs) - widgets, len(schema["output"]))
            widgets += node["type"] == "GatysOptimize"  # the menu of presets
        else:
            wired = [one for one in node.get("inputs", []) if "widget" not in one]
            slots = max(len(wired), len(node.get("outputs", [])))
            widgets = len(node.get("widgets_values") or [])
        return WIDTH, 14 + 20 * slots + 24 * widgets, 80 + 22 * slots + 40 * widgets

    def columns(self, stage: str) -> list[list[int]]:
        """The nodes of a group, those further down the flow further right; sources stand where they are first needed."""
        those = [number for number in self.nodes if self.stages[number] == stage]
        depth: dict[int, int] = {}
        for number in sorted(those, key=lambda one: len(self.upstream(one))):
            depth[number] = max([depth[source] + 1 for source in self.before[number] if source in depth], default=0)
        last = max(depth.values(), default=0)
        for number in those:
            node = self.nodes[number]
            if not self.before[number] and not node["type"].startswith(("LoadImage", "LoadVideo", "Primitive")):
                needed = [depth[target] - 1 for target in self.behind[number] if target in depth]
                depth[number] = min(needed, default=last)
        found = [[number for number in those if depth[number] == column] for column in range(last + 1)]
        return [column for column in found if column]

    def place(self) -> None:
        """Write places, sizes and groups into the workflow."""
        left, top = 0, self.note() + GAP
        boxes = []
        columns = {stage: self.columns(stage) for stage in STAGES}
        for stage in filter(columns.get, STAGES):
            x = left + MARGIN
            for column in columns[stage]:
                self.stack(column, x, top + MARGIN + TITLE, self.before)
                width = max(self.size(self.nodes[number])[0] for number in column)
                x, right = x + width + PITCH - WIDTH, x + max(width, PITCH - 10) + MARGIN
            boxes.append((stage, left, right - left))
            left = right + BETWEEN
        if sum(map(len, columns["painting"])) > 1:  # each target beside what it is for
            for column in reversed(columns["targets"]):
                self.stack(column, self.nodes[column[0]]["pos"][0], top + MARGIN + TITLE, self.behind)
        bottom = max(node["pos"][1] + self.size(node)[2] for node in self.nodes.values()) + MARGIN
        self.workflow["groups"] = [
            {
                "id": number,
                "title": f"{number}. {self.title(stage)}",
                "bounding": [x, top, width, bottom - top],
                "color": STAGES[stage][1],
                "font_size": 24,
                "flags": {},
            }
            for number, (stage, x, width) in enumerate(boxes, 1)
        ]
        if "inputNode" in self.workflow:  # the edges of a subgraph
            self.workflow["inputNode"]["bounding"][:2] = [-PITCH / 2, top]
            self.workflow["outputNode"]["bounding"][:2] = [left, top]

    def stack(self, column: list[int], x: float, top: float, beside: dict[int, list[int]]) -> None:
        """Place the nodes of a column one below another, each at the height of those that it is wired to."""
        wanted = {}
        for number in column:
            those = [self.nodes[one] for one in beside[number] if self.nodes[one]["type"] != FILTERS]
            known = [node["pos"][1] - TITLE for node in those if node["id"] in self.done]
            wanted[number] = min(known, default=top)
        y = top
        for number in sorted(column, key=lambda one: (self.nodes[one]["type"] == FILTERS, wanted[one], one)):
            node = self.nodes[number]
            width, low, high = self.size(node)
            y = max(y, wanted[number])
            node["pos"], node["size"] = [x, y + TITLE], [width, low]
            self.done.add(node["id"])
            y += TITLE + high + GAP

    def note(self) -> int:
        """Place the note, if there is one, at the top; give its lower edge."""
        notes = [node for node in self.workflow["nodes"] if node["type"] == NOTE]
        if not notes:
            return 0
        (note,) = notes
        width = 2 * PITCH - (PITCH - WIDTH)
        lines = note["widgets_values"][0].split("\n")
        height = 60 + sum(30 * math.ceil(len(line) / 100) if line else 8 for line in lines)
        note["pos"], note["size"] = [MARGIN, TITLE], [width, height]
        return TITLE + height


def laid_out(text: str, schemas: dict) -> str:
    """The text of a workflow's file with everything in its place."""
    workflow = json.loads(text)
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    names = tuple(subgraph["id"] for subgraph in subgraphs)
    for graph in (workflow, *subgraphs):
        Layout(graph, schemas, names).place()
    return json.dumps(workflow, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    schemas = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
    changed = 0
    for file in sorted([*ROOT.glob("example_workflows/*.json"), *ROOT.glob("subgraphs/*.json")]):
        before = file.read_text(encoding="utf-8")
        after = laid_out(before, schemas)
        if after != before:
            changed += 1
            print(file.name)
            if "--check" not in sys.argv:
                file.write_text(after, encoding="utf-8")
    return changed if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
