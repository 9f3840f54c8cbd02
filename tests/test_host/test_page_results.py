"""The result of a long run stays on its node when ComfyUI's own page is loaded anew: see test_page.py for what it needs."""

import io
import json
import os
from urllib.parse import parse_qs, urlsplit

import host_page
import numpy as np
import pytest
from PIL import Image

pytestmark = [*host_page.MARKS, pytest.mark.boot]
TYPE = "GatysOptimize"


@pytest.fixture(scope="module", params=host_page.FRONTENDS, ids=host_page.frontend_name)
def served(request, tmp_path_factory):
    running = host_page.start(tmp_path_factory.mktemp("results") / "base", request.param)
    yield running
    running.stop()


@pytest.mark.parametrize("mode", ["classic", "vue"])
def test_result_stands_on_its_node_after_the_page_was_loaded_anew(served, tmp_path, mode):
    if mode == "vue" and not host_page.INSTALLATION.newer:
        pytest.skip("Nodes 2.0 was an early experiment in the page of this host (1.27): no picture was found there")
    workflow = json.loads(host_page.WORKFLOWS["style_transfer"].read_text(encoding="utf-8"))
    for node in workflow["nodes"]:
        values = node.get("widgets_values")
        if node["type"] == "ImageScaleToMaxDimension":
            values[1] = 64
        elif node["type"] == "GatysLoadVGG19":
            values[0] = "untrained"
        elif node["type"] == TYPE:
            values[0] = {"classic": 3, "vue": 4}[mode]  # a run that is not in the cache
    (optimizer,) = (str(node["id"]) for node in workflow["nodes"] if node["type"] == TYPE)
    file = tmp_path / "small.json"
    file.write_text(json.dumps(workflow), encoding="utf-8")
    seen = host_page.ask("page_results.js", served, mode, os.environ.get("PAGE_PICTURES") or "-", file, timeout=400)
    (picture,) = seen["before"][optimizer]
    assert picture["type"] == "temp"
    asked = parse_qs(urlsplit(next(url for url in seen["after"][optimizer] if "/view?" in url)).query)
    assert asked["filename"] == [picture["filename"]] and asked["type"] == ["temp"]
    shown = np.array(Image.open(io.BytesIO(served.view(picture))))
    assert max(shown.shape) == 64 and shown.std() > 10
    assert not any("/view?" in url for url in seen["other"][optimizer])  # of another workflow nothing is shown
    assert not [error for error in seen["errors"] if "gatys" in error.lower()]
