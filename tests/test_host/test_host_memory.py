"""The memory of a real ComfyUI: it does not grow over many runs, and is given back when the host asks for it.

Ten runs by default, two hundred with GATYS_LONG_TESTS=1, as many as GATYS_RUNS says. Tensors are counted exactly; of
the process's own memory the slope over the runs is taken, and a picture leaked each run would be twice the bound.
"""

import os

import host_server
import numpy as np
import pytest
from host_graphs import digested, digests, graph, node, pixels

INSTALLATION = host_server.find_installation()
pytestmark = [pytest.mark.host, pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION)]
RUNS = int(os.environ.get("GATYS_RUNS", "200" if os.environ.get("GATYS_LONG_TESTS") == "1" else "10"))
WARM_UP = 20 if RUNS >= 50 else 4
EDGE = 128
PICTURE = 3 * EDGE * EDGE * 4
"""Bytes of one of the pictures: float32."""
MIB = 2**20


def shallow(server, seed, *, leak=False):
    """Pictures through few layers: a picture is much beside the noise of the measurement, and a run is short."""
    prompt = graph(server, 2, content=pixels(1, EDGE, EDGE), style=pixels(2, EDGE, EDGE), seed=seed, init="noise")
    prompt["content"]["inputs"]["layers"] = "conv1_2"
    prompt["style"]["inputs"] |= {f"conv{block}_1": 0.0 for block in (2, 3, 4, 5)}
    for name in ("content", "style"):
        prompt[name]["inputs"]["levels"] = 1
    if seed % 2:  # another optimiser, and a content that must be extracted again
        prompt["optimize"]["inputs"]["optimizer"] = "adam"
        prompt["content"]["inputs"]["layers"] = "conv1_1, conv1_2"
    del prompt["save"]
    if leak:
        prompt["leak"] = node("InstrumentsLeak", image=["optimize", 0])
        return digested(prompt, "leak")
    return digested(prompt)


def measured(server, runs, **how):
    """The state of the process after each of so many runs; every second is a prompt of another kind, each of another seed."""
    source, states, seen = "leak" if how.get("leak") else "optimize", [], set()
    for seed in range(runs):
        run = server.run(shallow(server, seed, **how))
        seen.update(digests(run, source))
        assert "optimize" not in run.cached
        states.append(server.get("/instruments/memory"))
    assert len(seen) == runs  # none was taken from a cache
    return states


def slope(states, what):
    """Bytes, or tensors, a run: the least squares line through the last ones, past the warm-up."""
    values = [state[what] for state in states[WARM_UP:]]
    return float(np.polyfit(range(len(values)), values, 1)[0])


def alike(states):
    """The states after prompts of one kind, which alternate."""
    return states[WARM_UP::2], states[WARM_UP + 1 :: 2]


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A server of its own: what other tests have left would hide what is measured."""
    running = host_server.Server(INSTALLATION, tmp_path_factory.mktemp("memory") / "base", "--cpu")
    yield running
    running.stop()


def no_growth(server, name):
    states = measured(server, RUNS)
    found = {what: slope(states, what) for what in ("tensors", "bytes", "private", "rss")}
    print(
        f"\n{name}, {RUNS} runs: {found['private'] / MIB:+.4f} MiB private and {found['rss'] / MIB:+.4f} MiB RSS a run, ",
        end="",
    )
    print(f"{found['tensors']:+.2f} tensors; {states[-1]['tensors']} tensors of {states[-1]['bytes'] / MIB:.1f} MiB")
    for kind in alike(states):
        assert len({(state["tensors"], state["bytes"]) for state in kind}) == 1, kind
    assert len({state["threads"] for state in states[WARM_UP:]}) == 1
    if RUNS >= 50:  # fewer say nothing of the process
        assert found["private"] < PICTURE / 2 and found["rss"] < PICTURE / 2


@pytest.mark.boot
def test_no_growth_and_memory_back_after_free(roomy):
    roomy.forget()
    empty = roomy.get("/instruments/memory")
    no_growth(roomy, "default cache")
    full = roomy.get("/instruments/memory")
    assert full["bytes"] - empty["bytes"] > 70 * MIB  # the network, and what is cached
    roomy.forget()
    freed = roomy.get("/instruments/memory")
    print(
        f"after /free: {(freed['private'] - empty['private']) / MIB:+.1f} MiB private, from {(full['private'] - empty['private']) / MIB:.1f}"
    )
    assert freed["bytes"] <= empty["bytes"] and freed["tensors"] <= empty["tensors"]
    assert full["private"] - freed["private"] > 70 * MIB


@pytest.mark.boot
def test_a_picture_leaked_each_run_is_seen(roomy):
    """The measurement itself: a node that leaks a picture must be found by it."""
    states = measured(roomy, 12, leak=True)
    even, odd = alike(states)
    for kind in (even, odd):
        assert np.ptp([state["bytes"] for state in kind]) >= PICTURE * 2 * (len(kind) - 1)
    assert slope(states, "private") > PICTURE / 4
    roomy.forget()


@pytest.mark.boot
@pytest.mark.parametrize("arguments", [("--cache-none",), ("--cache-lru", "8")], ids=" ".join)
def test_no_growth_with_other_caches(tmp_path, arguments):
    server = host_server.Server(INSTALLATION, tmp_path / "base", "--cpu", *arguments)
    try:
        no_growth(server, " ".join(arguments))
    finally:
        server.stop()
