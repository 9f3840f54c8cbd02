"""Every example workflow in ComfyUI's own page: opened in headless Chromium, turned into a prompt, run on the server.
And numbers typed into every float widget, in both ways in which the page draws nodes.

Needs a host as test_host.py does, Node.js with the module playwright-core (where NODE_PATH says) and a Chromium (the
program that CHROMIUM names, or one on the PATH). The frontend is the host's own or, where COMFYUI_FRONTENDS lists some (as the
variable PATH), each of these: "own", or the folder `static` of a comfyui-frontend-package; `tests/matrix.py` brings them. With
PAGE_PICTURES naming a folder the screenshots and the results are left there, to be looked at.
"""

import io
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import host_server
import numpy as np
import pytest
import search_words
import torch
from host_page import CHROMIUM, FRONTENDS, MARKS, ROOT, WORKFLOWS, frontend_name, small, start, unknown
from PIL import Image

MUTED, BYPASSED = 2, 4
"""How the page saves that a node was switched off: taken out with its wires, or its inputs wired on to its outputs."""
RUNS, REFUSED = "runs", "refused"
SWITCHED_OFF = {
    ("keep_colors", "GatysMatchColors", BYPASSED): RUNS,
    ("keep_colors", "GatysKeepLuminance", BYPASSED): RUNS,
    ("keep_colors", "GatysExtractStyleGrams", BYPASSED): RUNS,  # without a style: the content is reconstructed
    ("keep_colors", "GatysExtractStyleGrams", MUTED): RUNS,
    ("keep_colors", "GatysExtractContentFeatures", MUTED): RUNS,  # a texture
    ("keep_colors", "GatysKeepLuminance", MUTED): REFUSED,
    ("keep_colors", "GatysLoadVGG19", BYPASSED): REFUSED,
    ("style_regions", "GatysStyleRegion", BYPASSED): RUNS,
    ("style_regions", "GatysStyleRegion", MUTED): RUNS,
    ("blend_styles", "GatysBlendStyles", BYPASSED): RUNS,
}
"""Workflow, node and mode, and what becomes of it: a picture, or the server's word for a wire that is missing."""
FLOATS = {
    node_id: floats
    for node_id, info in json.loads((ROOT / "tests" / "schemas.json").read_text(encoding="utf-8")).items()
    if (
        floats := {
            name: options
            for kind in ("required", "optional")
            for name, (socket, options) in info["input"].get(kind, {}).items()
            if socket == "FLOAT"
        }
    )
}
"""Of each node, its widgets of this kind and their options."""
pytestmark = MARKS


@dataclass
class Page:
    server: host_server.Server
    seen: dict
    pictures: Path | None
    switched_off: dict
    """The prompts of `SWITCHED_OFF`."""


@pytest.fixture(scope="module", params=FRONTENDS, ids=frontend_name)
def page(request, tmp_path_factory):
    """All workflows opened one after another in one page, as it was found after each."""
    base = tmp_path_factory.mktemp("page") / "base"
    server = start(base, request.param)
    try:
        # what style_bank_save will write must be there, or the page says of style_bank_load that it is missing
        styles = server.base / "models" / "gatys_styles"
        styles.mkdir(parents=True, exist_ok=True)
        (styles / "orchard of suns.safetensors").touch()
        # weights that nobody trained, since a host has neither the network nor OpenCV for sure
        raft = pytest.importorskip("torchvision.models.optical_flow").raft_small(weights=None, progress=False)
        torch.save(raft.state_dict(), server.base / "models" / "optical_flow" / "raft_small.pth")
        kept = os.environ.get("PAGE_PICTURES")
        pictures = Path(kept) / request.node.name.replace("/", "-") / str(server.port) if kept else None
        if pictures:
            pictures.mkdir(parents=True)
        command = ["node", str(ROOT / "tests" / "page.js"), f"http://127.0.0.1:{server.port}", CHROMIUM]
        command += [str(pictures or "-"), *map(str, WORKFLOWS.values())]
        variants = {base / f"{number}.json": variant for number, variant in enumerate(SWITCHED_OFF)}
        for file, (name, node_type, mode) in variants.items():
            workflow = json.loads(WORKFLOWS[name].read_text(encoding="utf-8"))
            for node in workflow["nodes"]:
                node["mode"] = mode if node["type"] == node_type else node["mode"]
            file.write_text(json.dumps(workflow), encoding="utf-8")
        command += map(str, variants)
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        switched_off = {variant: seen["workflows"].pop(file.stem)["prompt"] for file, variant in variants.items()}
        yield Page(server, seen, pictures, switched_off)
    finally:
        server.stop()


def ours(errors):
    return [error for error in errors if "gatys" in error.lower()]


def test_page_starts_without_an_error_of_ours(page):
    assert page.seen["frontend"]
    assert not ours(page.seen["start"])
    assert set(page.seen["workflows"]) == set(WORKFLOWS) and len(WORKFLOWS) >= 18


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_opens_as_it_was_saved(page, name):
    if lack := unknown(page.server, name):
        pytest.skip(f"this host has no {', '.join(sorted(lack))}")
    seen = page.seen["workflows"][name]
    assert not seen["missing"]
    assert not seen["errors"]
    saved = json.loads(WORKFLOWS[name].read_text(encoding="utf-8"))["nodes"]
    compared = 0
    for node in saved:
        if node["type"].startswith("Gatys"):
            shown = [value for _, value in seen["widgets"][str(node["id"])]]
            values = node.get("widgets_values", [])
            assert shown[: len(values)] == values, node  # one that was added since stands behind them
            compared += len(values)
    assert compared or name.endswith(".app")  # whose nodes are in a subgraph
    assert any(node["type"] == "MarkdownNote" for node in saved)


def first_picture(data, name):
    """The pixels of a picture, or of a film's first frame."""
    if not name.endswith(".mp4"):
        return np.array(Image.open(io.BytesIO(data)))
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(io.BytesIO(data)) as film:
        return next(film.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_runs(page, name):
    if lack := unknown(page.server, name):
        pytest.skip(f"this host has no {', '.join(sorted(lack))}")
    workflows = page.seen["workflows"]
    if name == "style_bank_load":  # opens what the other has saved
        assert page.server.run(small(workflows["style_bank_save"]["prompt"])).status == "success"
    run = page.server.run(small(workflows[name]["prompt"]))
    assert run.status == "success", run.message
    files = [file for output in run.outputs.values() for file in output.get("images", [])]
    assert files
    for file in files:
        data = page.server.view(file)
        if page.pictures and file["type"] == "output":
            (page.pictures / file["filename"]).write_bytes(data)
        assert first_picture(data, file["filename"]).std() > 5, file


@pytest.mark.parametrize("name", [name for name in WORKFLOWS if name.startswith("film")])
def test_a_painted_film_is_as_long_as_the_clip_and_has_its_sound(page, name):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    if lack := unknown(page.server, name):
        pytest.skip(f"this host has no {', '.join(sorted(lack))}")
    run = page.server.run(small(page.seen["workflows"][name]["prompt"]))
    assert run.status == "success", run.message
    (file,) = [
        file for output in run.outputs.values() for file in output.get("images", []) if file["filename"].endswith("mp4")
    ]
    found = []
    for data in (page.server.view(file), (ROOT / "examples" / "clip.mp4").read_bytes()):
        with av.open(io.BytesIO(data)) as film:
            rate, sound = film.streams.video[0].average_rate, [stream.codec.name for stream in film.streams.audio]
            pictures = [frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)]
        found.append((rate, sound, pictures))
    (rate, sound, pictures), (clip_rate, clip_sound, clip) = found
    assert rate == clip_rate and sound == clip_sound == ["aac"]
    between = name == "film_every_second_frame"  # nothing is between the last two of an even number
    assert len(pictures) == len(clip) - between and len(clip) % 2 == 0
    if between:  # by the model of the tests it is the mean of both, but for what the codec loses
        off = [
            abs(pictures[at] - (pictures[at - 1] + pictures[at + 1]) / 2).mean() for at in range(1, len(pictures), 2)
        ]
        apart = [abs(pictures[at + 1] - pictures[at - 1]).mean() for at in range(1, len(pictures), 2)]
        assert max(off) < min(apart) / 2


@pytest.mark.parametrize("variant", SWITCHED_OFF, ids=lambda variant: f"{variant[0]} {variant[1]} {variant[2]}")
def test_nodes_bypassed_or_muted(page, variant):
    prompt = small(page.switched_off[variant])
    whole = page.seen["workflows"][variant[0]]["prompt"]
    assert variant[1] in {node["class_type"] for node in whole.values()}
    assert variant[1] not in {node["class_type"] for node in prompt.values()}
    if SWITCHED_OFF[variant] == REFUSED:
        with pytest.raises(RuntimeError, match="required_input_missing"):
            page.server.run(prompt)
    else:
        run = page.server.run(prompt)
        assert run.status == "success", run.message
        assert any(output.get("images") for output in run.outputs.values())


# the search for nodes, and languages


@pytest.fixture(scope="module")
def searched(page):
    """What the page's own search finds for each of the words, and the languages in its settings."""
    command = ["node", str(ROOT / "tests" / "page_search.js"), f"http://127.0.0.1:{page.server.port}", CHROMIUM]
    done = subprocess.run([*command, *search_words.FIRST], check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("word", search_words.FIRST)
def test_words_that_people_type_find_the_right_node_first(page, searched, word):
    node = search_words.FIRST[word]
    info = page.server.get(f"/object_info/{node}")[node]
    known = [info["name"].lower(), info["display_name"].lower(), *info.get("search_aliases", ())]
    if not any(word in text for text in known):  # an older host; tests/test_nodes says that the others know them all
        pytest.skip(f"this host has no search words, and {info['display_name']} is not called {word}")
    assert next((found for found in searched["found"][word] if found.startswith("Gatys")), None) == node


def test_the_page_offers_our_languages(searched):
    ours = {folder.name for folder in (ROOT / "locales").iterdir()}
    assert ours - set(searched["languages"]) <= {"pt-BR"}  # which came after 1.27.10


@pytest.mark.parametrize("language", ["en", "ja", "zh", "es"])
def test_help_is_shown_in_the_language_of_the_page(page, language):
    command = ["node", str(ROOT / "tests" / "page_help.js"), f"http://127.0.0.1:{page.server.port}", CHROMIUM]
    done = subprocess.run(
        [*command, language, "GatysStyleRegion"], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    there = "en" if language == "es" else language  # Spanish has no pages of its own
    words = json.loads((ROOT / "locales" / there / "nodeDefs.json").read_text(encoding="utf-8"))["GatysStyleRegion"]
    assert seen["title"] == words["display_name"] and words["inputs"]["propagation"]["name"] in seen["text"]
    assert "English: " not in seen["text"]  # the mark for test_help.py is not shown
    assert not seen["broken"]
    asked = [path.split("/docs/")[1] for path in seen["asked"]]
    assert asked == [f"GatysStyleRegion/{language}.md", *(["GatysStyleRegion.md"] if language == "es" else [])]


# files of filters


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_list_of_filters_says_their_sizes(page, language):
    file = page.server.base / "models" / "vgg19" / "mine.safetensors"
    file.write_bytes(bytes(2_500_000))
    command = [
        "node",
        str(ROOT / "tests" / "page_files.js"),
        f"http://127.0.0.1:{page.server.port}",
        CHROMIUM,
        language,
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    finally:
        file.unlink()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    words = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    own = words["GatysLoadVGG19"]["inputs"]["weights"]["tooltip"]
    assert seen["tooltip"] == f"{own}\nmine.safetensors: 2.5 MB" and seen["value"] == "auto"
    assert " ".join(seen["shown"].split()) == " ".join(seen["tooltip"].split())
    assert not ours(seen["errors"])


# numbers


def texts(options):
    """What is typed into a widget, all in its range: many digits before the point, and zeros behind it last."""
    low, high = options["min"], options["max"]
    large = "1234.56789" if high > 2000 else f"{high - 0.0123456:.7f}"
    return [large, *(["-0.000123"] if low < 0 else []), "0.000123" if low <= 0 else f"{low + 0.0000123:.7f}"]


@pytest.fixture(scope="module", params=["classic", "vue"])
def typed(request, page):
    """What became of numbers typed with real keys; the second way is called Nodes 2.0 in the settings."""
    file = page.server.base / "numbers.json"
    numbers = {node: {name: texts(options) for name, options in floats.items()} for node, floats in FLOATS.items()}
    file.write_text(json.dumps(numbers), encoding="utf-8")
    command = ["node", str(ROOT / "tests" / "page_numbers.js"), f"http://127.0.0.1:{page.server.port}", CHROMIUM]
    done = subprocess.run(
        [*command, request.param, str(file)], check=False, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def each(typed):
    """The node, the widget and what was seen after each text."""
    assert {node: set(found) for node, found in typed.items()} == {node: set(floats) for node, floats in FLOATS.items()}
    for node, widgets in typed.items():
        for name, found in widgets.items():
            assert [seen["typed"] for seen in found] == texts(FLOATS[node][name])
            yield from ((f"{node} {name}: {seen}", FLOATS[node][name], seen) for seen in found)


def decimals(text):
    return len(text.partition(".")[2])


def shows(text, number):
    """All its digits, and no more zeros than people are used to."""
    return float(text.replace(",", "")) == number and decimals(text) <= max(3, decimals(f"{number:.10f}".rstrip("0")))


def test_typed_numbers_are_sent_and_shown_with_all_their_digits(typed):
    for where, _, seen in each(typed):
        number = float(seen["typed"])
        assert seen["sent"] == number and shows(seen["shown"], number), where
        # entering the field and leaving it again changes nothing
        assert seen["left"] == number and shows(seen["leftShown"], number), where


def test_saved_numbers_are_opened_and_shown_with_all_their_digits(typed):
    opened = [(where, seen) for where, _, seen in each(typed) if "again" in seen]
    assert len(opened) == sum(map(len, FLOATS.values()))
    for where, seen in opened:
        assert seen["again"] == float(seen["typed"]) and shows(seen["againShown"], seen["again"]), where


def test_arrows_move_by_the_step(typed):
    moved = [(where, options, seen) for where, options, seen in each(typed) if "up" in seen]
    assert len(moved) == sum(map(len, FLOATS.values()))
    for where, options, seen in moved:
        assert seen["before"] == 0.5, where
        assert seen["up"] == round(0.5 + options["step"], 10), where  # to the last bit
