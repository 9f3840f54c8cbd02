"""The example workflows as files: what they save fits the nodes as they are now, and they say what to look at."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
WORKFLOWS = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "example_workflows").glob("*.json")
}
TYPES = {"INT": (int,), "FLOAT": (int, float), "BOOLEAN": (bool,), "STRING": (str,), "COMBO": (str,)}
OPEN = ["GatysLoadStyle.name", "GatysLoadVGG19.weights"]  # what they offer depends on the files that are there


def graphs(workflow):
    """The workflow and its subgraphs, each with nodes and links."""
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]


def widgets(node_id):
    """(name, kind, options) in the order in which the page saves the values."""
    return [
        (name, kind, options)
        for group in ("required", "optional")
        for name, (kind, options) in SCHEMAS[node_id]["input"].get(group, {}).items()
        if kind in TYPES
    ]


def test_there_is_a_workflow_of_every_figure():
    assert {name[7] for name in WORKFLOWS if name.startswith("figure_")} == set("134567")
    assert "style_transfer" in WORKFLOWS and len(WORKFLOWS) >= 18


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_values_fit_the_widgets(name):
    ours = [node for graph in graphs(WORKFLOWS[name]) for node in graph["nodes"] if node["type"] in SCHEMAS]
    assert ours
    for node in ours:
        expected, values = widgets(node["type"]), node.get("widgets_values", [])
        required = SCHEMAS[node["type"]]["input"].get("required", {})
        # one that a later version has added at the end takes its default
        assert len(required.keys() & {widget for widget, *_ in expected}) <= len(values) <= len(expected), node["type"]
        for value, (widget, kind, options) in zip(values, expected, strict=False):
            where = f"{node['type']}.{widget}"
            assert isinstance(value, TYPES[kind]) and (kind == "BOOLEAN" or not isinstance(value, bool)), where
            if kind in ("INT", "FLOAT"):
                assert options["min"] <= value <= options["max"], where
            if kind == "COMBO" and where not in OPEN:
                assert value in options["options"], where


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_links_join_what_they_say(name):
    for graph in graphs(WORKFLOWS[name]):
        nodes = {node["id"]: node for node in graph["nodes"]}
        assert graph["links"]
        for each in graph["links"]:
            link, source, output, target, slot, kind = each.values() if isinstance(each, dict) else each
            if source in nodes:  # else what comes into a subgraph
                made = nodes[source]["outputs"][output]
                assert link in made["links"]
                assert kind == made["type"] or "*" in (kind, made["type"])
            if target in nodes:
                assert nodes[target]["inputs"][slot]["link"] == link


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflow_is_explained_and_listed(name):
    (note,) = [node for node in WORKFLOWS[name]["nodes"] if node["type"] == "MarkdownNote"]
    assert note["title"] and len(note["widgets_values"][0]) > 100
    pictures = [node["widgets_values"][0] for node in WORKFLOWS[name]["nodes"] if node["type"] == "LoadImage"]
    assert all((ROOT / "examples" / picture).is_file() for picture in pictures)
    assert f"*{name.removesuffix('.app')}*" in (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")


def test_templates_are_laid_out(script):
    layout = script("examples/layout.py")
    for file in (*ROOT.glob("example_workflows/*.json"), *ROOT.glob("subgraphs/*.json")):
        text = file.read_text(encoding="utf-8")
        assert layout.laid_out(text, SCHEMAS) == text, f"{file.name}: python examples/layout.py lays it out anew"
