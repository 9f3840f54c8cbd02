"""The templates in ComfyUI's own page: no node over another or outside of its group, and one flow from left to right.

Boxes are measured as the page draws them, in both of its ways. Needs what test_page.py needs.
"""

import itertools
import json
import os
from pathlib import Path

import pytest
from host_page import FRONTENDS, MARKS, WORKFLOWS, ask, frontend_name, start

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
def test_no_node_lies_over_another_or_outside_of_its_group(drawn, name):
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
