"""The pack in a real ComfyUI: over HTTP and WebSocket as a browser does it, and the stand-in held against it.

Needs a checkout in COMFYUI_PATH and the Python of its environment in COMFYUI_PYTHON, or to stand in `custom_nodes/`.
`-m boot` chooses the tests that boot a server of their own, `-m "not boot"` leaves them out.
"""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import host_server
import numpy as np
import pytest
from host_graphs import HEIGHT, WIDTH, batch, graph, is_result, node, pixels, png, saved
from PIL import Image

HERE = Path(__file__).resolve().parents[1]
INSTALLATION = host_server.find_installation()
pytestmark = [pytest.mark.host, pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION)]
UNSERVED = "ComfyUI's page does not find the menu of presets"


# the pack in the server


def test_pack_is_imported_without_a_complaint(server):
    log = server.log_text()
    mentions = [line for line in log.splitlines() if host_server.PACK_FOLDER in line and UNSERVED not in line]
    assert mentions, "the server did not try the pack"
    wrong = ("IMPORT FAILED", "Cannot import", "Error while calling", "Skip ", "WARNING")
    assert not [line for line in mentions if any(word in line for word in wrong)], log
    assert not any(line.lstrip().startswith('File "') for line in mentions), log  # of a traceback


def test_object_info_is_the_golden_file(server):
    golden = json.loads((HERE / "schemas.json").read_text(encoding="utf-8"))
    info = server.get("/object_info")
    ours = f"custom_nodes.{host_server.PACK_FOLDER}"
    assert sorted(name for name in info if info[name].get("python_module") == ours) == sorted(golden)
    further = json.loads((HERE / "schemas_newer.json").read_text(encoding="utf-8")) if INSTALLATION.newer else {}
    for name, wanted in golden.items():
        inputs, more = wanted["input"], further.get(name, {})
        if more:  # sockets that grow
            inputs = {**inputs, "optional": {**inputs.get("optional", {}), **more}}
        # a newer host may tell more about a node, never anything else
        assert info[name]["input"] == inputs
        rest = wanted.keys() - {"input", "input_order"}
        assert {key: info[name][key] for key in rest} == {key: wanted[key] for key in rest}
        order = {
            kind: [each for each in names if each not in more] for kind, names in info[name]["input_order"].items()
        }
        assert {kind: names for kind, names in order.items() if names or kind in wanted["input_order"]} == wanted[
            "input_order"
        ]


def test_log_tells_if_no_file_of_the_page_is_served(server):
    try:
        served = bool(server.get(f"/extensions/{quote(host_server.PACK_FOLDER)}/gatys_presets.json"))
    except RuntimeError as error:
        assert ": 404 " in str(error)
        served = False
    assert served != (UNSERVED in server.log_text())


def test_model_folder_is_made(server):
    assert (server.base / "models" / "vgg19").is_dir()


# graphs


def test_whole_graph_paints_reports_and_previews(server):
    steps = 4
    run = server.run(graph(server, steps))
    (result,) = saved(server, run)
    assert is_result(result, pixels(1))
    values = [value for name, value, _ in run.progress if name == "optimize"]
    assert values[0] == 1 and values[-1] == steps and {top for *_, top in run.progress} == {steps}
    assert values == (sorted(set(values)) if INSTALLATION.newer else list(range(1, steps + 1)))
    assert run.previews
    for data in run.previews:
        shown = Image.open(io.BytesIO(data))
        assert shown.format == "JPEG" and len(data) < 200_000
        assert shown.size == (512 * WIDTH // HEIGHT, 512)  # the server brings them to its preview size
    # the last preview is the result, but for what JPEG leaves out
    last = np.array(shown.resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    assert np.abs(last.astype(int) - result.astype(int)).mean() < 12


def test_only_what_changed_runs_again(server):
    first = server.run(graph(server, 2, seed=11))
    again = server.run(graph(server, 3, seed=11))
    assert first.status == again.status == "success"
    assert {"scene", "painting", "vgg19", "content", "style"} <= set(again.cached)
    assert not {"optimize", "save"} & set(again.cached)
    assert {name for name, *_ in again.progress} == {"optimize"}
    same = server.run(graph(server, 3, seed=11))
    assert "optimize" in same.cached and not same.progress


def test_cancel_ends_within_one_evaluation_and_the_next_run_is_good(server):
    large = pixels(3, 192, 192)  # an evaluation takes longer than the message
    pressed = []

    def cancel(name, value):
        if name == "optimize" and value >= 2 and not pressed:  # newer hosts leave values out
            pressed.append(value)
            server.interrupt()

    run = server.run(graph(server, 200, content=large), on_progress=cancel)
    assert run.status == "interrupted"
    assert pressed[0] <= max(value for name, value, _ in run.progress if name == "optimize") <= pressed[0] + 1
    if INSTALLATION.newer:  # what its page shows of a run; the older one has no word for it
        assert server.get("/api/jobs?limit=1")["jobs"][0]["status"] == "cancelled"
    after = server.run(graph(server, 3, content=large))
    assert is_result(saved(server, after)[0], large)
    assert {"vgg19", "content", "style"} <= set(after.cached)


def test_batch_gives_a_picture_for_each(server):
    prompt = graph(server, 3)
    (single,) = saved(server, server.run(prompt))
    run = server.run(batch(server, prompt, pixels(4)))
    first, other = saved(server, run)
    assert np.abs(first.astype(int) - single.astype(int)).max() <= 1
    assert is_result(other, pixels(4))
    assert run.progress[-1][1:] == (6, 6)


def test_load_images_masks_mean_what_they_show(server):
    plain = graph(server, 3)
    (unmasked,) = saved(server, server.run(plain))
    masked = graph(server, 3)
    for name, source in (("content", "scene"), ("style", "painting")):
        masked[name]["inputs"]["mask"] = [source, 1]  # without alpha: 64 x 64 zeros
    (blank,) = saved(server, server.run(masked))
    assert np.array_equal(unmasked, blank)
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0  # Load Image: transparent is white
    masked["painting"]["inputs"]["image"] = server.upload("cut.png", png(np.concatenate([pixels(2), alpha], axis=-1)))
    (half,) = saved(server, server.run(masked))
    assert not np.array_equal(unmasked, half)


def unwire(prompt):
    del prompt["optimize"]["inputs"]["content"], prompt["optimize"]["inputs"]["style"]


def name_an_unknown_layer(prompt):
    prompt["content"]["inputs"]["layers"] = "conv9_9"


def name_missing_weights(prompt):
    prompt["vgg19"]["inputs"]["weights"] = "none.pth"


def name_a_missing_style(prompt):
    prompt["style"] = node("GatysLoadStyle", name="none.safetensors")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unwire, "GatysOptimize: content, style: expected at least one target"),
        (name_an_unknown_layer, "GatysExtractContentFeatures: unknown layer 'conv9_9'"),
        (name_missing_weights, "GatysLoadVGG19: weights: expected 'auto', 'paper', 'imagenet', 'untrained' or a file"),
        (name_a_missing_style, "GatysLoadStyle: name: expected a style in "),
    ],
)
def test_what_went_wrong_reaches_the_client(server, spoil, message):
    prompt = graph(server, 2)
    spoil(prompt)
    run = server.run(prompt)
    assert run.status == "error" and message in run.message


def test_minimum_size_reaches_the_client(server):
    run = server.run(graph(server, 2, content=pixels(1, 6, 40)))
    assert run.status == "error"
    assert "GatysExtractContentFeatures: content image: 40 x 6 pixels is too small for conv4_2" in run.message
    assert "at least 8 x 8" in run.message


def test_content_too_small_for_the_layers_of_a_larger_style_reaches_the_client(server):
    prompt = graph(server, 3, content=pixels(1, 60, 60), style=pixels(2, 256, 256))
    prompt["content"]["inputs"]["levels"] = prompt["style"]["inputs"]["levels"] = 3
    run = server.run(prompt)
    assert run.status == "error"
    assert "GatysOptimize: content: 60 x 60 pixels are 15 x 15 at the coarsest of 3 levels, but conv5_1" in run.message
    assert "extract with at most 2 levels, make the picture larger, or choose shallower layers" in run.message
    prompt["content"]["inputs"]["levels"] = prompt["style"]["inputs"]["levels"] = 0
    assert is_result(saved(server, server.run(prompt))[0], pixels(1, 60, 60))


@pytest.mark.parametrize("steps", [0, 10**9])
def test_server_refuses_widgets_out_of_range(server, steps):
    with pytest.raises(RuntimeError, match="/prompt: 400 .*steps"):
        server.run(graph(server, steps))


# under a limit


@pytest.mark.boot
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of another process's memory are Linux's")
def test_large_pictures_under_a_memory_limit_and_a_shortage_in_the_middle(tmp_path):
    """Exact tiles, whether they are planned or come when an allocation has really failed."""
    running = host_server.Server(INSTALLATION, tmp_path / "base", "--cpu")
    try:
        large = pixels(5, 640, 512)  # a whole evaluation takes about 250 MiB
        levels = {"content": {"levels": 2}, "style": {"levels": 2}}

        def prompt(seed):
            made = graph(running, 6, content=large, style=pixels(6, 256, 256), seed=seed, precision="float32")
            for name, changes in levels.items():
                made[name]["inputs"] |= changes
            return made

        (free,) = saved(running, running.run(prompt(1)))
        assert "pixels in one piece" in running.log_text()
        running.limit_memory(280 * 2**20)
        (bounded,) = saved(running, running.run(prompt(2)))
        assert "tiles of" in running.log_text() and "out of memory" not in running.log_text()
        running.limit_memory(None)

        running.post("/instruments/shortage", {"bytes": 72 * 2**20})
        short = running.run(prompt(3))
        (mended,) = saved(running, short)
        assert "out of memory; going on with" in running.log_text()
        assert max(value for name, value, _ in short.progress if name == "optimize") == 6
        for other in (bounded, mended):
            assert is_result(other, large)
            assert np.abs(other.astype(int) - free.astype(int)).mean() < 0.5
    finally:
        running.stop()


# the stand-in


def names_that_nodes_use():
    """Every dotted name of the host in `nodes/`."""
    hosts, used = ("comfy", "comfy_api", "folder_paths", "latent_preview"), set()
    for file in (HERE.parent / "nodes").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        aliases = {}
        for item in ast.walk(tree):
            if isinstance(item, ast.Import):
                for name in item.names:
                    top = name.name.split(".")[0]
                    if top in hosts:
                        aliases[name.asname or top] = name.name if name.asname else top
            elif isinstance(item, ast.ImportFrom) and not item.level and item.module.split(".")[0] in hosts:
                aliases |= {name.asname or name.name: f"{item.module}.{name.name}" for name in item.names}
        inner = {id(item.value) for item in ast.walk(tree) if isinstance(item, ast.Attribute)}
        for item in ast.walk(tree):
            chain = []
            while isinstance(item, ast.Attribute) and (chain or id(item) not in inner):
                chain.insert(0, item.attr)
                item = item.value
            if isinstance(item, ast.Name) and item.id in aliases and (chain or id(item) not in inner):
                used.add(".".join([aliases[item.id], *chain]))
    return sorted(used)


METHODS = [
    "comfy.model_management.interrupt_current_processing",
    "comfy.model_management.processing_interrupted",
    "comfy.model_patcher.ModelPatcher.partially_load",
    "comfy.utils.ProgressBar.update_absolute",
    "comfy.utils.set_progress_bar_global_hook",
    "comfy_api.latest.io.ComfyNode.EXECUTE_NORMALIZED",
    "comfy_api.latest.io.ComfyNode.GET_NODE_INFO_V1",
]
"""Names that the nodes reach through objects, and those that the tests themselves use."""
NEWER_METHODS = [
    "comfy.model_patcher.ModelPatcher.get_free_memory",
    "comfy_api.latest.io.Autogrow.Input",
    "comfy_api.latest.io.Autogrow.TemplateNames",
]
"""Those that only hosts as of 2026 have."""


def test_names_that_nodes_use_are_found():
    assert {
        "comfy.model_management.load_models_gpu",
        "comfy.model_patcher.ModelPatcher",
        "comfy.utils.ProgressBar",
        "comfy_api.latest.io.Combo.Input",
        "folder_paths.models_dir",
        "latent_preview.MAX_PREVIEW_RESOLUTION",
    } <= set(names_that_nodes_use())


@pytest.fixture(scope="session")
def probed(tmp_path_factory):
    """What `host_probe.py` finds in the real host and in the stand-in."""
    names, found = sorted({*names_that_nodes_use(), *METHODS, *(NEWER_METHODS if INSTALLATION.newer else ())}), {}
    standin = "newer-standin" if INSTALLATION.newer else "standin"
    hosts = {"real": (INSTALLATION.python, str(INSTALLATION.comfy)), "standin": (sys.executable, standin)}
    for which, (python, host) in hosts.items():
        base = tmp_path_factory.mktemp(which)
        command = [python, str(HERE / "host_probe.py"), host, str(base), *names]
        options = {"capture_output": True, "text": True, "cwd": base, "env": host_server.clean_environment()}
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == 0, done.stderr[-4000:]
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("PROBE ")]
        found[which] = json.loads(line.removeprefix("PROBE "))
    return found


def test_signatures_of_the_standin_are_the_hosts(probed):
    real, standin = (probed[which]["described"] for which in ("real", "standin"))
    assert real.keys() == standin.keys()
    for name, described in standin.items():
        if "parameters" not in described:
            assert described == real[name], name
            continue
        here, there = described["parameters"], real[name]["parameters"]
        if INSTALLATION.newer:  # a default that is made anew each time
            there = {
                key: [kind, "None" if default == "<factory>" else default] for key, (kind, default) in there.items()
            }
        assert here.items() <= there.items(), name  # the stand-in may leave parameters out, that nobody passes
        needed = {name for name, (kind, default) in there.items() if default is None and not kind.startswith("VAR")}
        assert needed <= here.keys(), name


def only(told, like):
    """Of nested dictionaries, the keys that `like` has: a newer host may tell more about a node, never anything else."""
    if isinstance(told, dict) and isinstance(like, dict):
        return {key: only(told[key], value) for key, value in like.items()}
    if isinstance(told, list) and isinstance(like, list) and len(told) == len(like):
        return [only(*pair) for pair in zip(told, like, strict=True)]
    return told


@pytest.mark.parametrize("what", ["folders", "progress", "interruption", "moves", "loading", "node", "preview size"])
def test_standin_behaves_as_the_host(probed, what):
    standin, real = (probed[which]["behaviours"][what] for which in ("standin", "real"))
    if what == "node" and INSTALLATION.newer:
        real = only(real, standin)
    assert standin == real
