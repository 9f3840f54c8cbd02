"""The same picture in every mode of a real ComfyUI, and from every way to wire the nodes and to queue them."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import host_server
import pytest
from host_graphs import digested, digests, graph, is_result, node, pixels, png, saved

HERE = Path(__file__).resolve().parents[1]
INSTALLATION = host_server.find_installation()
pytestmark = [pytest.mark.host, pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION)]


@pytest.fixture(scope="module")
def expected(server):
    return digests(server.run(digested(graph(server, 3))))


def same(tmp_path, *arguments, expected, **how):
    """A server of its own paints the same picture, again, and once more after it was told to forget everything."""
    running = host_server.Server(INSTALLATION, tmp_path / "base", *arguments, **how)
    try:
        prompt = digested(graph(running, 3))
        for _ in range(2):
            assert digests(running.run(prompt)) == expected
        running.forget()
        assert digests(running.run(prompt)) == expected
    finally:
        running.stop()


def known(argument):
    """Whether this host has a command line argument."""
    return f'"{argument}"' in (INSTALLATION.comfy / "comfy" / "cli_args.py").read_text(encoding="utf-8")


@pytest.mark.boot
@pytest.mark.parametrize(
    "arguments",
    [
        ("--cache-none",),
        ("--cache-lru", "3"),
        ("--cache-classic",),
        ("--cache-ram",),
        ("--cache-ram", "100000"),  # GB that are to stay free: what is cached is always too much
        ("--high-ram",),
        ("--deterministic",),
        ("--disable-smart-memory",),
        ("--fast",),
        ("--multi-user",),
        ("--disable-metadata",),
    ],
    ids=" ".join,
)
def test_same_picture_with_these_arguments(tmp_path, expected, arguments):
    if not known(arguments[0]):
        pytest.skip(f"this host has no {arguments[0]}")
    same(tmp_path, "--cpu", *arguments, expected=expected)


@pytest.mark.boot
@pytest.mark.parametrize(
    "pack", ["19 styles.transfer v0.1", "画風 — Stilübertragung.v2 (копия)", "gatys", "import", "a'b&c;d #e%20f"]
)
def test_same_picture_from_a_folder_of_any_name(tmp_path, expected, pack):
    same(tmp_path, "--cpu", expected=expected, pack=pack)


@pytest.mark.boot
@pytest.mark.parametrize("flag", ["--lowvram", "--novram", "--highvram", "--gpu-only"])
def test_memory_settings_on_a_card(tmp_path, flag):
    ask = [INSTALLATION.python, "-c", "import torch; print(torch.cuda.is_available())"]
    if subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() != "True":
        pytest.skip(f"no card: ComfyUI takes either {flag} or --cpu")
    running = host_server.Server(INSTALLATION, tmp_path / "base", flag)
    try:
        for _ in range(2):  # the second finds the network wherever the first has left it
            assert is_result(saved(running, running.run(graph(running, 2)))[0], pixels(1))
            running.forget()
    finally:
        running.stop()


def test_memory_settings_on_an_emulated_card():
    """What `--lowvram` and its like switch, and other models between our nodes, without the card that these ask for."""
    command = [INSTALLATION.python, str(HERE / "host_memory_states.py"), str(INSTALLATION.comfy)]
    environment = host_server.clean_environment()
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    if "needs a PyTorch that takes devices written in Python" in ran.stderr:
        pytest.skip("the host's PyTorch takes no devices written in Python")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert {"NORMAL_VRAM", "LOW_VRAM", "NO_VRAM", "HIGH_VRAM", "--gpu-only"} <= set(found)
    for state, seen in found.items():
        assert seen["difference"] == 0 and not seen["unsupported"], found
        assert seen["device"] == ("privateuseone" if state == "--gpu-only" else "cpu")
    assert found["NO_VRAM"]["loaded"] < 1 == found["HIGH_VRAM"]["loaded"]  # the host did leave weights behind
    assert 0 < found["NORMAL_VRAM"]["pressed"] < 1  # and took a part of them away


# other nodes and other wires


def test_another_model_between_our_nodes(server):
    expected = digests(server.run(digested(graph(server, 3, init="content"))))
    prompt = digested(graph(server, 3))
    for name, image, after in (("one", "painting", "content"), ("two", "scene", "style")):
        prompt[name] = node("InstrumentsPressure", image=[image, 0], after=[after, 0])
    prompt["style"]["inputs"]["image"] = ["one", 0]
    prompt["optimize"]["inputs"]["init_image"] = ["two", 0]  # the content, as without
    server.forget()
    run = server.run(prompt)
    assert digests(run) == expected
    assert [name for name in run.executed if name in ("content", "one", "style", "two", "optimize")] == [
        "content",
        "one",
        "style",
        "two",
        "optimize",
    ]


def test_one_network_wired_to_several_optimisers(server):
    alone = {}
    ways = {"first": {"seed": 1, "init": "noise"}, "second": {"optimizer": "adam"}, "third": {"tile": 32}}
    for name, options in ways.items():
        server.forget()
        alone[name] = digests(server.run(digested(graph(server, 3, **options))))
    prompt = graph(server, 3)
    for name, options in ways.items():
        prompt[name] = node("GatysOptimize", **prompt["optimize"]["inputs"] | options)
    del prompt["optimize"], prompt["save"]
    server.forget()
    run = server.run(digested(prompt, *ways))
    assert {name: digests(run, name) for name in ways} == alone
    assert len({*map(tuple, alone.values())}) == len(ways)


def test_two_prompts_queued(server):
    prompts = [digested(graph(server, 3, seed=seed, init="noise")) for seed in range(4)]
    one_by_one = [digests(server.run(prompt)) for prompt in prompts]
    server.forget()
    with ThreadPoolExecutor(len(prompts)) as pool:
        queued = list(pool.map(server.run, prompts))
    assert [digests(run) for run in queued] == one_by_one
    assert len({*map(tuple, one_by_one)}) == len(prompts)


def test_a_list_of_pictures_of_two_sizes(server):
    contents = {"scene": pixels(1), "tall": pixels(4, 96, 40)}
    alone = []
    for content in contents.values():
        alone += digests(server.run(digested(graph(server, 3, content=content))))
    prompt = digested(graph(server, 3))
    prompt["tall"] = node("LoadImage", image=server.upload("tall.png", png(contents["tall"])))
    prompt["list"] = node("InstrumentsAsList", first=["scene", 0], second=["tall", 0])
    prompt["content"]["inputs"]["image"] = ["list", 0]
    run = server.run(prompt)
    assert digests(run) == alone
    for picture, content in zip(saved(server, run), contents.values(), strict=True):
        assert is_result(picture, content)


def test_a_list_of_styles_gives_a_picture_for_each(server):
    prompt = digested(graph(server, 3))
    prompt["list"] = node("InstrumentsAsList", first=["painting", 0], second=["scene", 0])
    prompt["style"]["inputs"]["image"] = ["list", 0]
    assert len(set(digests(server.run(prompt)))) == 2
