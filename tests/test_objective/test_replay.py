"""Evaluations replayed from a CUDA graph, with a stand-in for the graph that computes again what was captured."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from pictures import noise

import gatys
from gatys.objective import graphs as replay
from gatys.objective.losses import Terms

LAYERS = {"conv1_1": 1.0, "conv2_1": 1.0}


class Graph:
    """Replays by evaluating the picture captured, and writes the results to where the captured ones are."""

    owner = None
    replays = 0

    def replay(self):
        type(self).replays += 1
        terms, gradient = self.owner._evaluate(self.owner._image)
        kept, kept_gradient = self.owner._found
        kept_gradient.copy_(gradient)
        kept._values.copy_(terms._values)


@pytest.fixture
def graphs(monkeypatch):
    """All evaluations can be captured; what comes out of a capture is of no use, as with a real one."""

    class Mine(Graph):
        replays = 0

    capture = replay.Replay._capture

    def captured(self, image):
        capture(self, image)
        if self._graph is not None:
            self._graph.owner = self
            self._found[1].fill_(torch.nan)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Mine)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **how: contextlib.nullcontext())
    monkeypatch.setattr(replay.Replay, "_capture", captured)
    monkeypatch.setattr("gatys.objective.evaluation.replayable", lambda objective, plan, image: plan.tile is None)
    return Mine


def run(**how):
    net = gatys.load_vgg19("untrained", pooling="average")
    pictures = noise(2, 1, 3, 40, 32)
    content = gatys.extract_content(net, pictures[0], {"conv2_2": 1.0}, levels=2, normalize=False)
    style = gatys.extract_style(net, pictures[1], LAYERS, levels=2, normalize=False)
    return gatys.optimize(net, content=content, style=style, steps=[9, 6], init="noise", **how)


@pytest.mark.parametrize("octaves", [1, 2])
def test_a_replayed_run_is_the_same_to_the_last_bit(graphs, octaves):
    expected = run(tile=None, graphs=False, octaves=octaves)
    assert graphs.replays == 0
    found = run(tile=None, octaves=octaves)
    assert graphs.replays == 9 + 6 - 2 * replay.WARM_UP
    assert torch.equal(found.image, expected.image)
    assert found.history == expected.history


def test_tiles_are_not_replayed(graphs):
    run(tile=16)
    assert graphs.replays == 0


def test_results_are_the_callers_own(graphs):
    def evaluate(image):
        value = image.sum(dim=(1, 2, 3))
        terms = dict.fromkeys(("total", "content", "style", "tv"), value)
        return Terms.of(terms, {"style conv1_1": value}, 2 * image), 2 * image

    again = replay.Replay(evaluate)
    images = [torch.full((1, 3, 4, 4), float(index)) for index in range(6)]
    results = [again(image) for image in images]
    assert graphs.replays == len(images) - replay.WARM_UP
    for image, (terms, gradient) in zip(images, results, strict=True):
        assert torch.equal(gradient, 2 * image)
        assert terms.total == terms.layers["style conv1_1"] == image.sum()


def test_where_a_capture_fails_the_run_goes_on_and_says_so(graphs, monkeypatch, caplog):
    @contextlib.contextmanager
    def fails(graph, **how):
        raise RuntimeError("operation not permitted when stream is capturing")
        yield

    monkeypatch.setattr(torch.cuda, "graph", fails)
    found = run(tile=None)
    assert torch.equal(found.image, run(tile=None, graphs=False).image)
    assert graphs.replays == 0
    assert "going on without" in caplog.text and "capturing" in caplog.text


@pytest.mark.skipif(torch.version.hip is not None, reason="a PyTorch for AMD's cards")
def test_only_whole_pictures_on_an_nvidia_card(monkeypatch):
    net = gatys.load_vgg19("untrained", pooling="average")
    picture = torch.rand(1, 3, 32, 32)
    content = gatys.extract_content(net, picture, {"conv2_2": 1.0}, levels=1, normalize=False)
    objective = gatys.Objective(net, content=content)
    whole, tiled = (gatys.passes.plan.make_plan((32, 32), objective.used, tile=tile) for tile in (None, 16))
    there = SimpleNamespace(device=torch.device("cuda"))
    assert replay.replayable(objective, whole, there)
    assert not replay.replayable(objective, tiled, there)
    assert not replay.replayable(objective, whole, picture)
    monkeypatch.setattr(objective, "place", SimpleNamespace(whole=False))  # in strips
    assert not replay.replayable(objective, whole, there)
