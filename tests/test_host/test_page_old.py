"""Workflows as version 0.1 has saved them, in ComfyUI's own page of today; and styles wired into sockets that grow.

Needs what test_page.py does.
"""

import json

import host_page
import pytest
from host_graphs import saved

pytestmark = [*host_page.MARKS, pytest.mark.boot]
OLD = {file.stem: file for file in sorted((host_page.ROOT / "tests" / "workflows_0.1").glob("*.json"))}
GROWING = {"blend_styles": "GatysBlendStyles", "style_regions": "GatysStyleRegion"}
"""Workflows, and the node that takes more there."""


@pytest.fixture(scope="module", params=host_page.FRONTENDS, ids=host_page.frontend_name)
def served(request, tmp_path_factory):
    running = host_page.start(tmp_path_factory.mktemp("old") / "base", request.param)
    running.frontend = request.param
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["classic", "vue"])
def opened(request, served):
    return host_page.ask("page_old.js", served, request.param, *OLD.values())


@pytest.fixture
def grows(served):
    """Skips where sockets do not grow: in the older host, and in a page that is older than the newer one."""
    if not host_page.INSTALLATION.newer:
        pytest.skip("this host's sockets do not grow")
    if "1.27" in host_page.frontend_name(served.frontend):
        pytest.skip("this page's sockets do not grow")


def workflow(name):
    return json.loads(OLD[name].read_text(encoding="utf-8"))


def small(prompt):
    """The same graph, small, with its result saved."""
    prompt = host_page.small(prompt)
    (images,) = (node["inputs"]["images"] for node in prompt.values() if node["class_type"] == "SaveImage")
    return {**prompt, "save": {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": "old"}}}


@pytest.mark.parametrize("name", OLD)
def test_an_old_workflow_opens_with_its_values_and_wires(opened, name):
    seen, old = opened[name], workflow(name)
    assert not seen["missing"] and not [error for error in seen["errors"] if "gatys" in error.lower()]
    compared = 0
    for node in old["nodes"]:
        if not node["type"].startswith("Gatys"):
            continue
        values = node.get("widgets_values", [])
        assert seen["widgets"][str(node["id"])][: len(values)] == values, (
            node
        )  # what was added since stands behind them
        compared += len(values)
    assert compared > 15
    links = {link[0]: link for link in old["links"]}
    for node in old["nodes"]:
        for socket in node.get("inputs", ()):
            if socket.get("link") is not None:
                _, source, slot, *_ = links[socket["link"]]
                assert seen["prompt"][str(node["id"])]["inputs"][socket["name"]] == [str(source), slot]


@pytest.mark.parametrize("name", OLD)
def test_an_old_workflow_runs(served, opened, name):
    (picture,) = saved(served, served.run(small(opened[name]["prompt"])))
    assert picture.std() > 10


@pytest.mark.parametrize("name", GROWING)
def test_each_wire_opens_the_next_socket_also_in_an_old_workflow(served, grows, opened, name):
    seen = opened[name]
    node_id = next(str(node["id"]) for node in workflow(name)["nodes"] if node["type"] == GROWING[name])
    groups = {"blend_styles": {"more.style": "cde"}, "style_regions": {"styles.style": "bcd", "masks.mask": "bcd"}}[
        name
    ]
    before, grown, again = (dict(state["sockets"][node_id]) for state in (seen, seen["grown"], seen["again"]))
    for group, letters in groups.items():
        assert [socket for socket in before if socket.startswith(group)] == [f"{group}_{letters[0]}"]
        wired = {f"{group}_{letter}": letter != letters[-1] for letter in letters}
        assert {socket: there for socket, there in grown.items() if socket.startswith(group)} == wired
    assert again == grown
    assert seen["again"]["prompt"] == seen["grown"]["prompt"]
    inputs = seen["grown"]["prompt"][node_id]["inputs"]
    assert {f"{group}_{letter}" for group, letters in groups.items() for letter in letters[:-1]} <= set(inputs)
    assert {socket for socket, there in before.items() if there} <= set(inputs)  # the wires that were there
    (two,) = saved(served, served.run(small(seen["prompt"])))
    (more,) = saved(served, served.run(small(seen["again"]["prompt"])))
    assert more.std() > 10 and (more != two).any()
