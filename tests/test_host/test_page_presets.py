"""The menu of presets in ComfyUI's own page: the same values inside and across subgraphs. Needs what test_page.py needs."""

import json

import pytest
from host_page import FRONTENDS, MARKS, ROOT, ask, frontend_name, start

pytestmark = MARKS
PRESETS = json.loads((ROOT / "web" / "gatys_presets.json").read_text(encoding="utf-8"))
NAME = "udacity"  # its style weight goes with the number of pixels


@pytest.fixture(scope="module", params=FRONTENDS, ids=frontend_name)
def chosen(request, tmp_path_factory):
    server = start(tmp_path_factory.mktemp("presets") / "base", request.param)
    try:
        return ask("page_presets.js", server, NAME, ROOT / "example_workflows")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("making", "size"),
    [
        ("plain", (512, 384)),
        ("inside", (512, 384)),
        ("across", (512, 384)),
        ("deep", (512, 384)),
        ("wired", (192, 144)),
    ],
)
def test_a_preset_sets_the_same_values_wherever_its_nodes_are(chosen, making, size):
    preset, seen = PRESETS[NAME], chosen[making]
    assert preset["per_pixel"] == ["style_weight"]
    for node, widgets in preset["nodes"].items():
        for widget, value in widgets.items():
            if widget != "weights":  # a file that is not there
                expected = value * size[0] * size[1] / preset["size"] ** 2 if widget in preset["per_pixel"] else value
                assert seen["values"][node][widget] == pytest.approx(expected), (node, widget)
    width, height = size
    assert f"{width} × {height}" in seen["detail"]
    assert "is wired in" not in seen["detail"]  # every node was found
