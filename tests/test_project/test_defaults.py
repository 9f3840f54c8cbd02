"""The defaults: the same in Python, at the command line, in the nodes and in the first template, and made for trained filters."""

import inspect
import json
from pathlib import Path

import pytest

import gatys
from gatys.cli import options
from gatys.pictures.images import read_image

ROOT = Path(__file__).parents[2]
SCHEMAS = json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8"))
COMMAND = vars(options.build_parser().parse_args(["content.png", "style.png"]))


def of_function(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def of_node(node):
    groups = SCHEMAS[node]["input"]
    return {
        name: given["default"]
        for group in ("required", "optional")
        for name, (_, given) in groups.get(group, {}).items()
        if "default" in given
    }


@pytest.mark.parametrize(
    ("node", "function"),
    [
        ("GatysLoadVGG19", gatys.load_vgg19),
        ("GatysExtractContentFeatures", gatys.extract_content),
        ("GatysExtractStyleGrams", gatys.extract_style),
        ("GatysOptimize", gatys.optimize),
        ("GatysOptimizeFrames", gatys.optimize_frames),
        ("GatysGradientShares", gatys.Objective),
    ],
)
def test_nodes_python_and_command_line_agree(node, function):
    widgets, arguments = of_node(node), of_function(function)
    # 0 and "auto" are how widgets say None; extraction in Python is at one level unless more are asked for
    differently = {"learning_rate", "levels", "tile", "padding", "layers", "checkpoint_every", "later_steps", "passes"}
    shared = (widgets.keys() & arguments.keys()) - differently
    assert shared, node
    assert {name: widgets[name] for name in shared} == {name: arguments[name] for name in shared}
    at_the_command_line = shared & COMMAND.keys()
    assert {name: COMMAND[name] for name in at_the_command_line} == {
        name: widgets[name] for name in at_the_command_line
    }


def test_what_the_defaults_are():
    assert of_function(gatys.extract_content)["normalize"] is of_function(gatys.extract_style)["normalize"] is True
    assert COMMAND["weights"] == "auto" and COMMAND["pooling"] == "max"
    assert (COMMAND["steps"], COMMAND["content_weight"]) == (200, 0.004)


def test_the_first_template_has_the_defaults():
    workflow = json.loads((ROOT / "example_workflows" / "style_transfer.json").read_text(encoding="utf-8"))
    ours = [node for node in workflow["nodes"] if node["type"] in SCHEMAS]
    assert len(ours) == 4
    for node in ours:
        expected = list(of_node(node["type"]).values())
        values = node["widgets_values"]
        assert values == expected[: len(values)], node["type"]


def test_every_term_pulls_at_the_content_through_trained_filters(trained_net):
    photo, painting = (read_image(ROOT / "examples" / f"{name}.jpg", 128).pixels for name in ("content", "style"))
    content, style = gatys.extract_content(trained_net, photo), gatys.extract_style(trained_net, painting)
    shares = gatys.gradient_shares(
        gatys.Objective(trained_net, content=content, style=style), (photo + painting.mean()) / 2
    )
    layers = {name: share for name, share in shares.items() if name.startswith("style conv")}
    assert len(layers) == 5 and all(0.03 < share < 0.6 for share in layers.values()), shares
    content_share = sum(share for name, share in shares.items() if name.startswith("content conv"))
    assert 0.001 < content_share < 0.3, shares
