"""The templates in ComfyUI's own page: no node over another or outside of its group, and one flow from left to right.

Boxes are measured as the page draws them, in both of its ways. Needs what test_page.py needs.
"""

import io
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from host_page import FRONTENDS, MARKS, ROOT, WORKFLOWS, ask, frontend_name, start, unknown
from PIL import Image

pytestmark = MARKS
NOTE = "MarkdownNote"


@pytest.fixture(scope="module", params=FRONTENDS, ids=frontend_name)
def server(request, tmp_path_factory):
    server = start(tmp_path_factory.mktemp("templates") / "base", request.param)
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["classic", "vue"])
def drawn(request, server):
    """Of each workflow, its boxes; the second way of drawing is called Nodes 2.0 in the settings."""
    kept = os.environ.get("PAGE_PICTURES")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
    seen = ask("page_boxes.js", server, request.param, kept or "-", *WORKFLOWS.values())
    elements = {name: found["elements"] for name, found in seen.items()}
    assert all((count > 0) == (request.param == "vue") for count in elements.values()), elements
    return seen


def overlap(one, other, by=1.0):
    """Whether two boxes share more than `by` pixels each way."""
    return all(
        min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) - max(one[axis], other[axis]) > by
        for axis in (0, 1)
    )


def inside(box, group):
    return all(
        group[axis] <= box[axis] and box[axis] + box[axis + 2] <= group[axis] + group[axis + 2] for axis in (0, 1)
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_node_lies_over_another_or_outside_of_its_group(server, drawn, name):
    if lack := unknown(server, name):
        pytest.skip(f"this host has no {', '.join(sorted(lack))}")
    nodes, groups = drawn[name]["nodes"], drawn[name]["groups"]
    for one, other in itertools.combinations(nodes, 2):
        assert not overlap(one["box"], other["box"]), (one, other)
    for one, other in itertools.combinations(groups, 2):
        assert not overlap(one["box"], other["box"]), (one, other)
    for node in nodes:
        over = [group for group in groups if overlap(node["box"], group["box"])]
        assert len(over) == (node["type"] != NOTE), node
        assert all(inside(node["box"], group["box"]) for group in over), (node, over)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_flow_goes_from_left_to_right(drawn, name):
    boxes = {node["id"]: node["box"] for node in drawn[name]["nodes"]}
    assert drawn[name]["links"]
    for source, target in drawn[name]["links"]:
        assert boxes[source][0] + boxes[source][2] < boxes[target][0], (source, target)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_groups_have_titles_and_notes_are_short(name):
    workflow = json.loads(WORKFLOWS[name].read_text(encoding="utf-8"))
    assert all(group["title"] for group in workflow["groups"]) and len(workflow["groups"]) >= 2
    (note,) = [node for node in workflow["nodes"] if node["type"] == NOTE]
    assert len(note["widgets_values"][0]) <= 400, name


# the blueprint

BLUEPRINT = "Neural Style Transfer"
CHOICES = {"strength": 0.75, "quality": "draft", "keep_colors": True}


def tiny(prompt):
    """The same graph for a picture of 64 pixels in two steps."""
    prompt = json.loads(json.dumps(prompt))
    sums = [node["inputs"] for node in prompt.values() if node["class_type"] == "ComfyMathExpression"]
    assert [values["expression"].split()[0] for values in sums] == ["320", "90"]
    for values, small in zip(sums, ("64", "2"), strict=True):
        values["expression"] = values["expression"].replace(values["expression"].split()[0], small, 1)
    return prompt


@pytest.fixture(scope="module", params=["classic", "vue"])
def blueprint(request, server, tmp_path_factory):
    """What the page makes of the blueprint; skipped where the host has none."""
    try:
        server.get("/global_subgraphs")
    except RuntimeError:
        pytest.skip("this host serves no blueprints")
    file = tmp_path_factory.mktemp("blueprint") / "choices.json"
    file.write_text(json.dumps(CHOICES), encoding="utf-8")
    return ask("page_blueprint.js", server, request.param, BLUEPRINT, file)


def test_the_blueprint_is_found_by_the_words_of_its_name(server):
    try:
        served = server.get("/global_subgraphs")
    except RuntimeError:
        pytest.skip("this host serves no blueprints")
    (ours,) = [entry for entry in served.values() if entry["source"] == "custom_node"]
    assert ours["name"] == BLUEPRINT
    found = ask("page_search.js", server, "neural style transfer", "style transfer", "neural")["found"]
    assert all(found[word][0].startswith("SubgraphBlueprint.") for word in found), found


def test_the_blueprint_offers_five_things_and_opens(blueprint):
    assert blueprint["node"]["title"] == BLUEPRINT
    assert blueprint["node"]["inputs"] == ["photo", "painting", "strength", "quality", "keep_colors"]
    assert blueprint["node"]["outputs"] == ["picture"]
    assert blueprint["node"]["widgets"] == [
        ["strength", 0.5, None],
        ["quality", "good", ["draft", "good", "final"]],
        ["keep colours", False, None],
    ]
    ours = {
        "GatysLoadVGG19",
        "GatysExtractContentFeatures",
        "GatysExtractStyleGrams",
        "GatysOptimize",
        "GatysKeepLuminance",
    }
    assert ours < set(blueprint["inside"])
    assert not [error for error in blueprint["errors"] if "gatys" in error.lower()]


def test_what_is_chosen_outside_acts_inside_and_is_saved(blueprint):
    for prompt in (blueprint["prompt"], blueprint["again"]):
        (descent,) = [node["inputs"] for node in prompt.values() if node["class_type"] == "GatysOptimize"]
        (choice,) = [node["inputs"] for node in prompt.values() if node["class_type"] == "CustomCombo"]
        (switch,) = [node["inputs"] for node in prompt.values() if node["class_type"] == "ComfySwitchNode"]
        assert descent["strength"] == 0.75 and choice["choice"] == "draft" and choice["index"] == 0
        assert switch["switch"] is True


def test_the_blueprint_runs(server, blueprint):
    run = server.run(tiny(blueprint["prompt"]))
    assert run.status == "success", run.message
    (file,) = [file for output in run.outputs.values() for file in output.get("images", []) if file["type"] == "output"]
    picture = Image.open(io.BytesIO(server.view(file)))
    assert picture.size == (64, 48) and np.array(picture).std() > 5


# the app


def test_the_app_shows_five_choices_and_a_button(server):
    (file,) = [file for name, file in WORKFLOWS.items() if name.endswith(".app")]
    if lack := unknown(server, file.stem):
        pytest.skip(f"this host has no {', '.join(sorted(lack))}")
    kept = os.environ.get("PAGE_PICTURES")
    seen = ask("page_app.js", server, kept or "-", file)
    lines = [line.strip() for line in seen["text"].splitlines()]
    at = [lines.index(label) for label in ("photo", "painting", "strength", "quality", "keep colours")]
    assert at == sorted(at) and "Run" in lines[at[-1] :]
    assert len([node for node in seen["prompt"].values() if node["class_type"] == "GatysOptimize"]) == 1


# pictures that are missing


@pytest.mark.parametrize("frontend", FRONTENDS, ids=frontend_name)
def test_pictures_that_a_template_asks_for_are_put_there(frontend, tmp_path):
    examples, name = ROOT / "examples", "portrait_with_a_mask"
    server = start(tmp_path / "base", frontend, pictures=False)
    try:
        own = (examples / "dusk.jpg").read_bytes()
        server.upload("style.jpg", own)  # a picture of the user's that is called the same
        seen = ask("page.js", server, "-", WORKFLOWS[name])["workflows"][name]
        inputs = server.base / "input"
        assert (inputs / "portrait.webp").read_bytes() == (examples / "portrait.webp").read_bytes()
        assert (inputs / "style.jpg").read_bytes() == own
        assert not (inputs / "panorama.jpg").exists()  # another template's
        assert not seen["missing"]
        assert "portrait.webp" in json.dumps(server.get("/object_info/LoadImage"))
    finally:
        server.stop()
