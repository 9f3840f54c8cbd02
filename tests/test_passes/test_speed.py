"""The speed of the machine, by a clock of the tests: what a step is expected to take."""

import logging
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from pictures import picture

import gatys
from gatys.network.layers import LAYERS
from gatys.passes import speed
from gatys.passes.plan import make_plan, operations
from gatys.passes.speed import measure

USED = [LAYERS[name] for name in ("conv1_1", "conv2_1", "conv3_1")]
FIXED, RATE = 0.25, 1e9


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture
def passed(monkeypatch):
    """The edges that are passed over; the clock says that a pass takes FIXED, and its operations at RATE."""
    edges, real = [], speed.forward
    clock = SimpleNamespace(now=0.0)

    def forward(trunk, image, part, layers, **how):
        edges.append(image.shape[-1])
        clock.now += FIXED + 2 * operations(image.shape[-2:], USED) / RATE
        return real(trunk, image, part, layers, **how)

    monkeypatch.setattr(speed, "forward", forward)
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(speed, "_known", {})
    return edges


def test_what_is_fixed_and_what_grows_are_told_apart(net, passed):
    plan = make_plan((300, 200), USED, memory=2**40)
    found = measure(net, USED, plan)
    assert (found.fixed, found.rate) == pytest.approx((FIXED, RATE))
    assert sorted(set(passed)) == list(speed.EDGES["cpu"])
    assert found.seconds(plan) == pytest.approx(FIXED + 2 * operations((300, 200), USED) / RATE)
    tiled = make_plan((300, 200), USED, tile=128)
    assert found.seconds(tiled) == pytest.approx(6 * FIXED + tiled.operations / RATE)


@pytest.mark.parametrize(("size", "tile", "edges"), [((40, 90), "auto", [20, 40]), ((512, 512), 96, [48, 96])])
def test_nothing_larger_is_passed_over_than_the_plan_does(net, passed, size, tile, edges):
    measure(net, USED, make_plan(size, USED, tile=tile))
    assert sorted(set(passed)) == edges


def test_a_picture_as_small_as_can_be(net, passed):
    found = measure(net, USED, make_plan((4, 4), USED))
    assert set(passed) == {4} and found.fixed == 0
    assert found.seconds(make_plan((4, 4), USED)) == pytest.approx(FIXED + 2 * operations((4, 4), USED) / RATE)


def test_a_clock_that_is_blurred_gives_numbers_all_the_same(net, monkeypatch):
    monkeypatch.setattr(speed, "_pass_seconds", lambda trunk, layers, edge: 1.0 if edge > 64 else 2.0)
    found = measure(net, USED, make_plan((300, 200), USED))
    assert found.fixed > 0 and found.rate > 0


def test_steps_are_expected_where_the_plan_is_read_and_nothing_is_measured_elsewhere(net, passed, caplog):
    style = gatys.extract_style(net, picture(1, size=(64, 64)), {"conv1_1": 1.0, "conv2_1": 1.0}, levels=2)
    told = []
    with caplog.at_level(logging.INFO, logger="gatys"):
        heard = gatys.optimize(
            net, style=style, size=(64, 64), steps=2, seed=1, callback=lambda p: told.append(p.expected)
        )
    assert all(finer > coarser > 0 for finer, coarser in told) and len(told) == 2
    passed.clear()
    speed._known.clear()
    with caplog.at_level(logging.WARNING, logger="gatys"):
        unheard = gatys.optimize(
            net, style=style, size=(64, 64), steps=2, seed=1, callback=lambda p: told.append(p.expected)
        )
    assert told[2:] == [(), ()] and passed == []
    assert torch.equal(heard.image, unheard.image)


def test_a_process_measures_once_for_pictures_that_are_alike(net, passed):
    measure_for = partial(speed.measured, net, torch.float32, USED)
    first = measure_for(make_plan((300, 200), USED))
    assert first.rate == pytest.approx(RATE) and passed
    passed.clear()
    assert measure_for(make_plan((200, 400), USED)) is first and passed == []
    for other in (make_plan((40, 90), USED), make_plan((300, 200), USED, tile=96)):
        assert measure_for(other) is not first and passed
        passed.clear()
    speed.measured(net, torch.bfloat16, USED, make_plan((300, 200), USED))
    assert passed
