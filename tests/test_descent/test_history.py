"""The memory of L-BFGS, beside the two-loop recursion written as in the book."""

import pytest
import torch

from gatys.descent.history import History
from gatys.descent.protocol import here

SHAPE = (1, 3, 4, 5)
CPU = torch.device("cpu")


def two_loops(pairs, vector, gamma):
    q, scales = vector.clone(), []
    for s, y in reversed(pairs):
        scales.append((s * q).sum() / (s * y).sum())
        q -= scales[-1] * y
    q *= gamma
    for (s, y), a in zip(pairs, reversed(scales), strict=True):
        q += s * (a - (y * q).sum() / (s * y).sum())
    return q


def some(count, seed=0):
    """Pairs of a convex quadratic, and a vector."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(60, 60, generator=generator, dtype=torch.float64)
    matrix = root @ root.T / 60 + 0.5 * torch.eye(60, dtype=torch.float64)
    steps = torch.randn(count + 1, 60, generator=generator, dtype=torch.float64)
    return [(s.view(SHAPE), (matrix @ s).view(SHAPE)) for s in steps[:-1]], steps[-1].view(SHAPE)


@pytest.fixture(params=["beside the picture", "elsewhere", "in float16"])
def make(request):
    """An empty history of three pairs, and how exact it is."""
    like = torch.zeros(SHAPE, dtype=torch.float64)
    if request.param == "beside the picture":
        return lambda: History(3, like, CPU, torch.float64, here), 1e-12
    # float32 pictures stand for another device, of which there may be none
    if request.param == "elsewhere":
        return lambda: History(3, like, CPU, torch.float32, here), 1e-5
    return lambda: History(3, like, CPU, torch.float16, here), 1e-2


def test_the_direction_is_that_of_the_two_loops(make):
    (fresh, exact), (pairs, vector) = make, some(7)
    history = fresh()
    assert torch.equal(history.direction(vector, 0.3), 0.3 * vector)
    for number, (s, y) in enumerate(pairs, start=1):
        curvature, size, moved = history.append(s, y, vector)
        expected = [(a * b).sum().item() for a, b in ((s, y), (y, y), (s, s))]
        assert [curvature, size, moved] == pytest.approx(expected, rel=exact)
        expected = two_loops(pairs[max(0, number - 3) : number], vector, 0.3)
        assert (history.direction(vector, 0.3) - expected).norm() < 20 * exact * expected.norm()
        other = -vector.flip(-1)  # whose products are not known yet
        expected = two_loops(pairs[max(0, number - 3) : number], other, 2.0)
        assert (history.direction(other, 2.0) - expected).norm() < 20 * exact * expected.norm()
    assert len(history) == len(history.pairs()) == 3


def test_a_pair_that_is_popped_was_never_there(make):
    (fresh, exact), (pairs, vector) = make, some(5)
    history = fresh()
    for s, y in pairs[:2]:
        history.append(s, y, vector)
    before = history.direction(vector, 1.0)
    history.append(pairs[2][0] * torch.nan, pairs[2][1], vector)
    history.pop()
    assert torch.equal(history.direction(vector, 1.0), before)
    history.append(*pairs[3], vector)
    history.clear()
    assert not len(history) and torch.equal(history.direction(vector, 1.0), vector)
    history.append(*pairs[4], vector)
    expected = two_loops(pairs[4:], vector, 1.0)
    assert (history.direction(vector, 1.0) - expected).norm() < 20 * exact * expected.norm()
