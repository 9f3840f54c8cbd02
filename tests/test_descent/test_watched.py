"""Descents that are watched: they leave saddles and kinks, and end where little more is to be gained."""

from functools import partial

import pytest
import torch
from pictures import noise as pictures

import gatys
from gatys.descent.adam import Adam
from gatys.descent.choice import _shake
from gatys.descent.lbfgs import LBFGS
from gatys.descent.watched import SHAKES, STANDSTILL, WINDOW, Watched

MANY, TWO = (1, 3, 18, 19), (1, 1, 1, 2)


def watched(start, make=LBFGS, **how):
    shake = partial(_shake, size=tuple(start.shape[2:]), rows=None)
    given = {"make": make, "shake": shake, "flat": lambda image: False, "tolerance": 0.0} | how
    return Watched(start, **given)


def descend(method, f, evaluations):
    """Let it descend on a function; give the lowest loss."""
    for _ in range(evaluations):
        picture = method.ask().clone().requires_grad_()
        loss = f(picture)
        method.tell(loss.detach().reshape(1), torch.autograd.grad(loss, picture)[0])
    return float(f(method.best))


def wells(x):
    """Two wells for each value, at 0.2 and 0.8, of depth 0; between them a saddle."""
    return (((x - 0.5) ** 2 - 0.09) ** 2).mean()


def kinks(x):
    """A kink at 0.3 in each value, some a hundred times as sharp as others; the minimum is 0."""
    return ((x - 0.3).abs() * torch.logspace(0, 2, x.numel(), dtype=x.dtype).view_as(x)).mean()


def bent(x):
    """Rosenbrock's valley with a kink along its bottom (Lewis and Overton, 2013, section 5); the minimum is 0."""
    a, b = x.flatten(1)[:, ::2], x.flatten(1)[:, 1::2]
    return (8 * (a**2 - b).abs() + (0.7 - a) ** 2).mean()


@pytest.mark.parametrize("shape", [TWO, MANY])
def test_a_saddle_is_left(shape):
    middle = torch.full(shape, 0.5, dtype=torch.float64)
    assert descend(LBFGS(middle), wells, 60) == pytest.approx(0.09**2)  # it stands on the saddle
    method = watched(middle)
    assert descend(method, wells, 60) < 1e-8
    assert method.stalls >= 1


@pytest.mark.parametrize("shape", [TWO, MANY])
@pytest.mark.parametrize("f", [kinks, bent])
def test_kinks_hold_it_less(f, shape):
    start = pictures(*shape, seed=3).double()
    lowest = descend(watched(start), f, 300)
    assert lowest < 0.04 * float(f(start))
    assert lowest <= descend(LBFGS(start), f, 300)


def test_the_best_picture_is_kept_through_shakes():
    method, lowest = watched(pictures(*TWO, seed=3).double()), float("inf")
    for _ in range(120):
        lowest_before = lowest
        lowest = min(lowest, descend(method, bent, 1))
        assert lowest <= lowest_before
        assert float(bent(method.best)) == lowest
    assert method.stalls >= 1


class Given:
    """A descent whose losses are given beforehand."""

    setbacks = 0

    def __init__(self, picture):
        self.best = picture

    def ask(self):
        return self.best

    def tell(self, loss, gradient):
        pass


def told(losses, **how):
    """Give after how many losses it has arrived, or None, and how often it was shaken."""
    method = watched(torch.full(MANY, 0.5), Given, **{"tolerance": 0.01} | how)
    for number, loss in enumerate(losses, start=1):
        method.tell(torch.tensor([loss]), torch.zeros(MANY))
        if method.arrived:
            return number, method.stalls
    return None, method.stalls


def test_it_arrives_where_the_loss_hardly_falls_any_more():
    losses = [1 + 10 * 0.8**step for step in range(100)]
    arrived, shakes = told(losses)
    fall = (losses[arrived - 1 - WINDOW] - losses[arrived - 1]) / losses[arrived - 1 - WINDOW]
    before = (losses[arrived - 2 - WINDOW] - losses[arrived - 2]) / losses[arrived - 2 - WINDOW]
    assert fall < 0.01 <= before and shakes == 0
    assert told(losses, tolerance=0.1)[0] < arrived < told(losses, tolerance=0.001)[0]


def test_a_saddle_that_is_being_left_is_no_arrival():
    assert told([1 - 1e-4 * 1.15**step for step in range(60)]) == (None, 0)


def test_a_flat_picture_is_no_arrival():
    losses = [1 + 10 * 0.8**step for step in range(60)]
    arrived, _ = told(losses)
    later, shakes = told(losses, flat=lambda image: True)
    assert shakes >= 1 and (later is None or later > arrived)


def test_a_standstill_is_shaken_and_then_given_up():
    arrived, shakes = told([1.0] * 200)
    assert shakes == SHAKES
    assert arrived == WINDOW + 1 + SHAKES * (3 * WINDOW + 1)
    assert told([1.0] * 200, tolerance=0.0)[0] is None


def test_a_loss_of_nothing_is_an_arrival():
    assert told([1.0, 0.0]) == (2, 0)
    assert told([1.0, 0.0, 0.0], tolerance=0.0) == (None, 0)


def test_hair_does_not_count_as_a_fall():
    _, shakes = told([1 - STANDSTILL / 100 * step for step in range(60)], tolerance=0.0)
    assert shakes >= 1


@pytest.mark.parametrize("make", [LBFGS, Adam])
@pytest.mark.parametrize("cut", [3, 14, 25, 40])
def test_it_goes_on_from_its_state_to_the_last_bit(make, cut):
    def run(method, evaluations):
        return descend(method, bent, evaluations)

    start = pictures(*MANY, seed=2).double()
    whole, first, second = (watched(start, make, tolerance=0.05) for _ in range(3))
    run(whole, 60)
    run(first, cut)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    run(second, 60 - cut)
    assert torch.equal(second.best, whole.best)
    assert (second.stalls, second.arrived, second.setbacks) == (whole.stalls, whole.arrived, whole.setbacks)


@pytest.mark.parametrize("name", ["trail", "stalls", "arrived", "in_vain", "earlier_setbacks"])
def test_a_state_without_a_part_is_refused(name):
    method = watched(torch.full(TWO, 0.5))
    state = method.state()
    del state[f"watched.{name}"]
    with pytest.raises(gatys.InputError, match=name):
        method.restore(state)


def test_a_trail_that_is_too_long_is_refused():
    method = watched(torch.full(TWO, 0.5))
    state = method.state() | {"watched.trail": torch.zeros(99, dtype=torch.float64)}
    with pytest.raises(gatys.InputError, match="expected at most 31 losses in 'trail', got 99"):
        method.restore(state)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


@pytest.fixture(scope="module")
def both(net):
    content = gatys.extract_content(net, pictures(1, 3, 24, 20, seed=1), ["conv2_2"], 2)
    return {"content": content, "style": gatys.extract_style(net, pictures(1, 3, 24, 24, seed=2), ["conv1_1"], 2)}


def test_levels_end_when_they_have_arrived(net, both):
    seen = []
    result = gatys.optimize(net, **both, steps=400, tolerance=0.05, callback=seen.append)
    counts = [sum(record.level == level for record in result.history) for level in (0, 1)]
    assert all(WINDOW < count < 160 for count in counts)
    assert seen[0].schedule == (160, 240) and seen[-1].schedule == tuple(counts)
    assert seen[-1].step == seen[-1].steps == sum(counts)
    assert not result.notes
    assert len(gatys.optimize(net, **both, steps=60, tolerance=0).history) == 60


@pytest.mark.parametrize("cut", [1, 12, 30, 45])
def test_a_run_that_arrives_early_goes_on_to_the_last_bit(net, both, tmp_path, cut):
    how = {**both, "steps": 400, "tolerance": 0.05, "checkpoint_every": 0}
    whole = gatys.optimize(net, **how)
    cut = min(cut, len(whole.history) - 1)

    def stop(progress):
        if progress.step == cut:
            raise KeyboardInterrupt

    file = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        gatys.optimize(net, **how, checkpoint=file, callback=stop)
    again = gatys.optimize(net, **how, checkpoint=file)
    assert torch.equal(again.image, whole.image)
    assert [record.total for record in again.history] == [record.total for record in whole.history]
    finished = gatys.optimize(net, **how, checkpoint=file)
    assert torch.equal(finished.image, whole.image) and len(finished.history) == len(whole.history)


def test_a_flat_start_of_an_endless_texture_is_left_and_that_is_told(net):
    style = gatys.extract_style(net, pictures(1, 3, 24, 24, seed=2), ["conv1_1", "conv2_1"], padding="replicate")
    flat = torch.full((1, 3, 24, 24), 0.5)
    result = gatys.optimize(net, style=style, init=flat, padding="circular", steps=150)
    assert result.image.std((2, 3)).min() > 0.05
    (note,) = [note for note in result.notes if "noise of at most a level of 8 bits" in note]
    assert note.startswith("step ")


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "0.1", True])
def test_a_tolerance_that_is_none_is_refused(value):
    with pytest.raises(gatys.InputError, match="tolerance: expected a number from 0 to below 1, got"):
        gatys.Settings(tolerance=value)
