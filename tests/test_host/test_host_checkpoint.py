"""A real ComfyUI that is killed in the middle of a run, and started again."""

import host_server
import numpy as np
import pytest
from host_graphs import graph, saved

INSTALLATION = host_server.find_installation()
pytestmark = [
    pytest.mark.host,
    pytest.mark.boot,
    pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION),
]
STEPS = 80


def test_a_killed_server_goes_on_with_the_same_prompt(tmp_path):
    base = tmp_path / "base"
    first = host_server.Server(INSTALLATION, base, "--cpu")

    def kill(node, value):
        if node == "optimize" and value >= 25:  # newer hosts leave values out
            first.kill()

    try:
        with pytest.raises((ConnectionError, OSError)):
            first.run(graph(first, STEPS, checkpoint_every=0.01), on_progress=kill)
    finally:
        first.stop()
    folder = base / "output" / "gatys" / "checkpoints"
    (state,) = folder.glob("*.safetensors")
    second = host_server.Server(INSTALLATION, base, "--cpu")
    try:
        run = second.run(graph(second, STEPS, checkpoint_every=0.01))
        (result,) = saved(second, run)
        values = [value for node, value, _ in run.progress if node == "optimize"]
        assert 25 <= values[0] <= STEPS and values[-1] == STEPS
        assert values == (sorted(set(values)) if INSTALLATION.newer else list(range(values[0], STEPS + 1)))
        assert f"going on from step {values[0] - 1} of {STEPS}, found in {state}" in second.log_text()
        assert list(folder.glob("*.safetensors")) == []
        (whole,) = saved(second, second.run(graph(second, STEPS)))
        assert np.array_equal(result, whole)
    finally:
        second.stop()
