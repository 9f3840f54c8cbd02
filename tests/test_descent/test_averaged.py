"""The average over the pictures of a descent, in the place of the best one."""

import pytest
import torch
from pictures import noise as pictures

import gatys
from gatys.descent.averaged import Averaged
from gatys.descent.watched import Watched
from gatys.errors import InputError

SHAPE = (1, 3, 6, 7)


class Walk:
    """A descent that goes through given pictures, whatever it is told."""

    setbacks = 0

    def __init__(self, pictures):
        self.pictures, self.best = list(pictures), pictures[0]

    def ask(self):
        return self.pictures[0]

    def tell(self, loss, gradient):
        del self.pictures[0]

    def lighter(self):
        return self


def watched(start, descent):
    how = {"shake": lambda image, number: image, "flat": lambda image: False, "tolerance": 0.0, "window": 10**6}
    return Watched(start, make=lambda image: descent, **how)


def walked(steps, decay):
    """The average after so many steps, and all pictures up to there, the start first."""
    seen = [pictures(*SHAPE, seed=seed).double() for seed in range(steps + 2)]
    method = Averaged(seen[0], watched(seen[0], Walk(seen)), decay)
    for step in range(steps):
        method.tell(torch.tensor([float(step)]), torch.zeros(SHAPE))
    return method.best, torch.stack(seen[: steps + 1])


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("steps", [0, 1, 7, 40])
def test_each_picture_weighs_so_much_less_than_the_next(steps, decay):
    found, seen = walked(steps, decay)
    weights = decay ** torch.arange(steps, -1, -1, dtype=torch.float64)
    expected = (weights.view(-1, 1, 1, 1, 1) * seen).sum(0) / weights.sum()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_it_is_that_of_adam_s_moments_with_the_bias_corrected():
    """As crowsonkb/style-transfer-pytorch has it: a sum that begins at 0, divided by 1 - d^n."""
    found, seen = walked(12, 0.99)
    value, left = torch.zeros(SHAPE, dtype=torch.float64), 1.0
    for picture in seen:
        left *= 0.99
        value = value * 0.99 + (1 - 0.99) * picture
    torch.testing.assert_close(found, value / (1 - left), rtol=1e-12, atol=1e-13)


def test_an_average_of_white_and_black_stays_within_them():
    start = torch.ones(SHAPE)
    method = Averaged(start, watched(start, Walk([torch.ones(SHAPE)] * 300)), 0.9)
    for _ in range(200):
        method.tell(torch.tensor([1.0]), torch.zeros(SHAPE))
    assert torch.equal(method.best, torch.ones(SHAPE))
    assert torch.equal(start, torch.ones(SHAPE))


@pytest.fixture(scope="module")
def run():
    net = gatys.load_vgg19("untrained", pooling="average")
    content = gatys.extract_content(net, pictures(2, 3, 32, 40, seed=1), {"conv2_2": 1.0}, 2)
    style = gatys.extract_style(net, pictures(1, 3, 36, 34, seed=2), {"conv1_1": 0.5, "conv2_1": 0.5}, 2)
    return lambda **how: gatys.optimize(net, content=content, style=style, optimizer="adam", **how)


def test_a_run_previews_the_average_returns_it_and_begins_the_next_level_with_it(run):
    seen = []
    result = run(steps=[6, 6], average=0.9, tolerance=0.0, callback=lambda progress: seen.append(progress.image))
    assert torch.equal(result.image, seen[-1])
    best = run(steps=[6, 6], tolerance=0.0)
    assert len(best.history) == len(result.history) and not torch.equal(best.image, result.image)
    # the coarse level's iterates are the same, whatever is made of them
    assert [r.total for r in best.history[:6]] == [r.total for r in result.history[:6]]
    assert best.history[6].total != result.history[6].total
    assert result.image.amin() >= 0 and result.image.amax() <= 1


def test_an_average_out_of_range_is_refused(run):
    for value in (1, -0.1, "much", True, float("nan")):
        with pytest.raises(InputError, match="^average: expected a number from 0 to below 1, got"):
            run(steps=2, average=value)


def test_memory_that_runs_out_leaves_the_average(monkeypatch):
    seen = [pictures(*SHAPE, seed=seed) for seed in range(4)]
    method = Averaged(seen[0], watched(seen[0], Walk(seen)), 0.5)
    method.tell(torch.tensor([1.0]), torch.zeros(SHAPE))
    kept = method.best.clone()
    assert method.lighter() is method and torch.equal(method.best, kept)
    assert method.stalls == method.setbacks == 0 and not method.arrived
