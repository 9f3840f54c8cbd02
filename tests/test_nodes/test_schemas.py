"""The schemas of the nodes, as the frontend gets them: against a golden file, and against rules that a person would
check.

A saved workflow depends on every id, type and order in `schemas.json`; after an intended change write it anew:
`PYTHONPATH=tests python tests/test_nodes/test_schemas.py --write`, and read the difference.
"""

import inspect
import json
import sys
import tempfile
from pathlib import Path

import host_standin
import pytest

GOLDEN = Path(__file__).parents[1] / "schemas.json"
NEWER = GOLDEN.with_name("schemas_newer.json")
"""What hosts as of 2026 have beside it, {node: {input: socket}}; tests/test_nodes/test_nodes_many.py reads it."""
ROOT = GOLDEN.parent.parent
KEPT = ("vgg_normalised.pth", "vgg19-imagenet1k-v1-conv.safetensors")
WIDGETS = {"INT", "FLOAT", "BOOLEAN", "STRING", "COMBO"}


def schemas(host):
    """Every node's V1 info, as `/object_info` gives it but for the folder's name."""
    infos = {node_id: node.GET_NODE_INFO_V1() for node_id, node in host.nodes.items()}
    for info in infos.values():
        del info["python_module"]
    return json.loads(json.dumps(infos))


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def inputs_of(info):
    """What can be wired or set; hidden inputs come from the host."""
    return {
        name: socket for kind, of_kind in info["input"].items() if kind != "hidden" for name, socket in of_kind.items()
    }


def test_schemas_are_those_of_the_golden_file(standin, golden):
    assert schemas(standin) == golden


def newer_inputs(host, golden):
    """The inputs that the nodes of a newer host have beside those of the golden file."""
    found = {}
    for node_id, info in schemas(host).items():
        known = inputs_of(golden[node_id])
        found[node_id] = {name: socket for name, socket in inputs_of(info).items() if name not in known}
    return {node_id: added for node_id, added in found.items() if added}


def test_ids_begin_with_the_packs_name(golden):
    assert golden and all(node_id.startswith("Gatys") for node_id in golden)
    assert all(info["name"] == node_id for node_id, info in golden.items())


def test_every_node_is_described_and_filed(golden):
    for node_id, info in golden.items():
        assert info["category"] == "image/style transfer", node_id
        assert info["description"] and info["display_name"] and info["output"], node_id
    names = [info["display_name"] for info in golden.values()]
    assert len(set(names)) == len(names)


def test_every_socket_and_widget_has_a_tooltip(golden):
    for node_id, info in golden.items():
        untold = [name for name, (_, options) in inputs_of(info).items() if not options.get("tooltip")]
        assert not untold, f"{node_id}: {untold}"
        assert all(info["output_tooltips"]), node_id


def test_every_node_has_a_help_page_and_is_in_a_workflow(golden):
    used = set()
    for file in (ROOT / "example_workflows").glob("*.json"):
        used |= {node["type"] for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]}
        assert file.with_suffix(".jpg").is_file(), f"{file.name} has no thumbnail"
    assert {name for name in used if name.startswith("Gatys")} == set(golden)
    assert {file.stem for file in (ROOT / "web" / "docs").glob("*.md")} == set(golden)


def test_every_widget_has_a_default_that_it_accepts(golden):
    seen = set()
    for node_id, info in golden.items():
        for name, (kind, options) in inputs_of(info).items():
            if kind not in WIDGETS:
                continue
            seen.add(kind)
            where = f"{node_id}.{name}: {options}"
            assert "default" in options, where
            if kind in ("INT", "FLOAT"):
                assert options["min"] <= options["default"] <= options["max"], where
            if kind == "COMBO":
                assert options["default"] in options["options"], where
    assert seen == WIDGETS  # or the rules above have looked at nothing


def test_no_number_is_rounded(golden):
    """The page rounds to `round`; `web/gatys_numbers.js` keeps it from rounding to the decimals of `step`."""
    floats = [options for info in golden.values() for kind, options in inputs_of(info).values() if kind == "FLOAT"]
    assert floats and not any("round" in options for options in floats)
    assert all(options["step"] > 0 for options in floats)  # by how much arrows and dragging move


def test_sockets_of_the_pack_fit_together(golden):
    made = {kind for info in golden.values() for kind in info["output"]}
    taken = {kind for info in golden.values() for kind, _ in inputs_of(info).values()}
    assert {kind for kind in taken if kind.startswith("GATYS_")} <= made


def test_a_stranger_in_the_model_folder_is_not_offered(standin):
    folder = Path(standin.folder_paths.models_dir) / "vgg19"
    for name in ("mine.safetensors", "deep/caffe.PTH", "notes.txt", *KEPT, "hed.whl", "vgg16.h5", "any.zip"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    try:
        offered = inputs_of(schemas(standin)["GatysLoadVGG19"])["weights"][1]["options"]
    finally:
        for file in (*folder.glob("deep/*"), *folder.glob("*.*")):
            file.unlink()
        (folder / "deep").rmdir()
    # the kept weights are what "paper" and "imagenet" load: once is enough
    files = ["any.zip", str(Path("deep/caffe.PTH")), "hed.whl", "mine.safetensors", "vgg16.h5"]
    assert offered == ["auto", "paper", "imagenet", "untrained", *files]


def test_an_older_host_has_no_search_words(standin):
    sockets = sys.modules[f"{standin.pack.__name__}.nodes.sockets"]
    assert "search_aliases" not in inspect.signature(sockets.io.Schema).parameters


def main(arguments):
    if arguments != ["--write"]:
        sys.exit("usage: PYTHONPATH=tests python tests/test_nodes/test_schemas.py --write")
    with tempfile.TemporaryDirectory() as base, host_standin.installed(Path(base)) as host:
        golden = schemas(host)
        GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as base, host_standin.installed(Path(base), newer=True) as host:
        NEWER.write_text(json.dumps(newer_inputs(host, golden), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
