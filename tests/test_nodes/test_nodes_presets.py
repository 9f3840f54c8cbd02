"""The page's menu of presets: its data against the presets, and against the widgets that there are.

After a change of the presets write it anew: `PYTHONPATH=tests python tests/test_nodes/test_nodes_presets.py --write`.
"""

import importlib
import json
import sys
import tempfile
from pathlib import Path

import host_standin
import pytest
from pictures import host_picture

import gatys

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "web" / "gatys_presets.json"
GOLDEN = Path(__file__).parents[1] / "schemas.json"


def page_data(host):
    return importlib.import_module(f"{host.pack.__name__}.nodes.published").page_data()


@pytest.fixture(scope="module")
def data():
    return json.loads(DATA.read_text(encoding="utf-8"))


def test_the_page_s_data_is_that_of_the_presets(standin, data):
    assert page_data(standin) == data
    assert list(data) == list(gatys.presets)


def test_every_value_is_one_that_its_widget_takes(data):
    infos = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, preset in data.items():
        for node, widgets in preset["nodes"].items():
            inputs = infos[node]["input"]
            known = inputs["required"] | inputs.get("optional", {})
            for widget, value in widgets.items():
                kind, options = known[widget]
                where = f"{name}: {node}.{widget} = {value!r}"
                if widget == "weights":  # its options are the files that there are
                    continue
                if kind == "COMBO":
                    assert value in options["options"], where
                elif kind in ("INT", "FLOAT"):
                    assert options["min"] <= value <= options["max"], where
                else:
                    assert isinstance(value, {"STRING": str, "BOOLEAN": bool}[kind]), where


def test_a_preset_leaves_no_widget_of_its_nodes_to_chance(data):
    infos = json.loads(GOLDEN.read_text(encoding="utf-8"))
    free = {"style_scale", "seed"}
    later = {
        "tile",
        "padding",
        "checkpoint_every",
        "keep_on_cancel",
        "time_lapse",
        "precision",
    }  # how it is computed, not what
    for node, widgets in next(iter(data.values()))["nodes"].items():
        inputs = infos[node]["input"]
        known = inputs["required"] | inputs.get("optional", {})
        named = {name for name, (kind, _) in known.items() if kind in ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")}
        assert named - free - later == set(widgets) - later, node


@pytest.mark.parametrize("name", gatys.presets)
def test_what_goes_with_the_number_of_pixels_is_said(data, name):
    preset = data[name]
    size = preset["size"]
    settings = gatys.presets[name].settings((size, 2 * size))
    settings |= settings["style_layers"] | {"strength": 0.5}
    for node in ("GatysOptimize", "GatysExtractStyleGrams"):
        for widget, value in preset["nodes"][node].items():
            if isinstance(value, float) and value:
                expected = value * 2 if widget in preset["per_pixel"] else value
                assert settings[widget] == pytest.approx(expected, rel=1e-9), widget


@pytest.mark.slow
def test_the_nodes_make_the_source_s_own_loss(standin, data):
    """The widgets' values, run through the nodes, give the first loss of the preset's own descent."""

    content = host_picture(1, 48, 64)
    style = host_picture(2, 48, 64)
    for name in ("udacity", "neural-style", "pytorch-tutorial", "gordicaleksa", "crowsonkb", "spst"):
        preset = data[name]
        nodes = {node: dict(widgets) for node, widgets in preset["nodes"].items()}
        nodes["GatysLoadVGG19"]["weights"] = "untrained"
        for node in ("GatysExtractContentFeatures", "GatysExtractStyleGrams"):
            nodes[node]["levels"] = 1  # the picture has no room for more
        for widget in preset["per_pixel"]:
            nodes["GatysOptimize"][widget] *= 48 * 64 / preset["size"] ** 2
        if name == "udacity":  # on whole multiples of 16 pixels the layers' ratios are the same at every size
            assert preset["per_pixel"] == ["style_weight"]
        run = {node: standin.nodes[node].execute for node in nodes}
        vgg19 = run["GatysLoadVGG19"](**nodes["GatysLoadVGG19"]).args[0]
        target = run["GatysExtractContentFeatures"](vgg19, content, **nodes["GatysExtractContentFeatures"]).args[0]
        grams = run["GatysExtractStyleGrams"](vgg19, style, style_scale=1.0, **nodes["GatysExtractStyleGrams"]).args[0]
        nodes["GatysOptimize"] |= {"steps": 1, "steps_per_level": "", "init": "content"}
        _, history, _ = run["GatysOptimize"](vgg19, seed=0, content=target, style=grams, **nodes["GatysOptimize"]).args
        planes = [picture.movedim(-1, 1) for picture in (content, style)]
        expected = gatys.presets[name].objective(gatys.load_vgg19("untrained"), *planes)
        losses, _ = expected.evaluate(planes[0])
        assert history[0][0].total == pytest.approx(losses["total"], rel=1e-5), name


def main(arguments):
    if arguments != ["--write"]:
        sys.exit("usage: PYTHONPATH=tests python tests/test_nodes/test_nodes_presets.py --write")
    with tempfile.TemporaryDirectory() as base, host_standin.installed(Path(base)) as host:
        DATA.write_text(json.dumps(page_data(host), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
