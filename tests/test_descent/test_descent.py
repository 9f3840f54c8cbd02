"""The descent methods on problems whose answer is known another way."""

import itertools
from functools import partial

import pytest
import scipy.optimize
import torch
from pictures import noise
from torch.utils._python_dispatch import TorchDispatchMode

from gatys.descent.adam import Adam
from gatys.descent.batch import Batch
from gatys.descent.lbfgs import LBFGS

SHAPE = (3, 4, 5)
N = 60


def quadratic(seed, inside):
    """A convex quadratic in 60 pixels: loss, gradient and its matrix; the minimum in the box or partly outside."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(N, N, generator=generator, dtype=torch.float64)
    matrix = root @ root.T / N + 0.1 * torch.eye(N, dtype=torch.float64)
    low, high = (0.3, 0.7) if inside else (-0.5, 1.5)
    minimum = low + (high - low) * torch.rand(N, generator=generator, dtype=torch.float64)

    def evaluate(x):
        difference = x.reshape(-1, N) - minimum
        product = difference @ matrix
        return (difference * product).sum(1) / 2, product.reshape(-1, *SHAPE)

    return evaluate, matrix, minimum


def descend(method, evaluate, steps):
    losses = []
    for _ in range(steps):
        x = method.ask()
        assert x.min() >= 0 and x.max() <= 1
        loss, gradient = evaluate(x)
        losses.append(loss)
        method.tell(loss, gradient)
    return torch.stack(losses)


@pytest.mark.parametrize("inside", [True, False])
def test_lbfgs_reaches_scipys_constrained_minimum(inside):
    evaluate, matrix, minimum = quadratic(1, inside)

    def plain(x):
        difference = torch.from_numpy(x) - minimum
        return (difference @ matrix @ difference / 2).item(), (matrix @ difference).numpy()

    expected = scipy.optimize.minimize(
        plain, torch.full((N,), 0.5).double().numpy(), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * N, tol=1e-14
    )
    method = LBFGS(torch.full((1, *SHAPE), 0.5, dtype=torch.float64))
    descend(method, evaluate, 150)
    assert evaluate(method.best)[0].item() == pytest.approx(expected.fun, rel=1e-6, abs=1e-12)
    torch.testing.assert_close(method.best.flatten(), torch.from_numpy(expected.x), atol=1e-4, rtol=0)


def test_lbfgs_direction_is_that_of_dense_bfgs():
    """Full-length steps inside the box are x - H g, H built from the pairs by the dense update formula."""
    evaluate, *_ = quadratic(2, inside=True)
    method = LBFGS(torch.full((1, *SHAPE), 0.5, dtype=torch.float64), history_size=4, first_step=0.01)
    points, compared = [], 0
    for _ in range(12):
        x = method.ask()
        if len(points) >= 2 and (0 < x).all() and (x < 1).all():
            (x0, g0), pairs = points[-1], list(itertools.pairwise(points))[-4:]
            h = None
            for (a, ga), (b, gb) in pairs:
                s, y = b - a, gb - ga
                if h is None:
                    last_s, last_y = points[-1][0] - points[-2][0], points[-1][1] - points[-2][1]
                    h = torch.eye(N, dtype=torch.float64) * (last_s @ last_y) / (last_y @ last_y)
                rho = 1 / (s @ y)
                v = torch.eye(N, dtype=torch.float64) - rho * torch.outer(y, s)
                h = v.T @ h @ v + rho * torch.outer(s, s)
            torch.testing.assert_close(x.flatten(), x0 - h @ g0, rtol=1e-8, atol=1e-10)
            compared += 1
        loss, gradient = evaluate(x)
        method.tell(loss, gradient.clone())  # it is the method's own from then on
        if torch.equal(method.best, x):  # accepted
            points.append((x.flatten(), gradient.flatten()))
    assert compared >= 6


def test_lbfgs_never_rises_and_keeps_the_best():
    def rosenbrock(x):
        with torch.enable_grad():
            leaf = (x.reshape(-1, N) * 4 - 2).detach().requires_grad_()
            loss = (100 * (leaf[:, 1:] - leaf[:, :-1] ** 2) ** 2 + (1 - leaf[:, :-1]) ** 2).sum(1)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), 4 * gradient.reshape(-1, *SHAPE)

    method = LBFGS(torch.full((1, *SHAPE), 0.3, dtype=torch.float64))
    best = float("inf")
    for _ in range(400):
        loss, gradient = rosenbrock(method.ask())
        method.tell(loss, gradient)
        now = rosenbrock(method.best)[0].item()
        assert now <= best
        best = now
    assert best < 1e-3
    assert method.setbacks == 0 or best < 1e-3


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_pictures_of_a_batch_descend_on_their_own(kind):
    evaluate, *_ = quadratic(3, inside=False)
    start = noise(3, *SHAPE, dtype=torch.float64)
    together = Batch(start, kind)
    losses = descend(together, evaluate, 25)
    for i in range(3):
        alone = kind(start[i : i + 1])
        torch.testing.assert_close(descend(alone, evaluate, 25)[:, 0], losses[:, i], rtol=1e-7, atol=1e-12)
        torch.testing.assert_close(alone.best, together.best[i : i + 1], rtol=1e-6, atol=1e-9)


def test_adam_descends_and_keeps_the_best():
    evaluate, *_ = quadratic(4, inside=False)
    method = Adam(torch.full((1, *SHAPE), 0.5, dtype=torch.float64), learning_rate=0.05)
    losses = descend(method, evaluate, 200)
    assert evaluate(method.best)[0] == losses.min()
    reference = LBFGS(torch.full((1, *SHAPE), 0.5, dtype=torch.float64))
    descend(reference, evaluate, 150)
    assert losses.min() < 1.05 * evaluate(reference.best)[0]


@pytest.mark.parametrize("kind", [LBFGS, Adam])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_diverging_step_is_rolled_back(kind, bad):
    evaluate, *_ = quadratic(5, inside=False)
    method = Batch(torch.full((2, *SHAPE), 0.5, dtype=torch.float64), kind)
    descend(method, evaluate, 5)
    good = evaluate(method.best)[0]
    loss, gradient = evaluate(method.ask())
    spoiled = torch.tensor([bad, 1.0], dtype=torch.float64)
    method.tell(loss * spoiled, gradient * spoiled.reshape(2, 1, 1, 1))
    assert method.setbacks == 1
    assert evaluate(method.best)[0][0] == good[0]  # the first picture went back
    descend(method, evaluate, 60)
    assert torch.isfinite(method.best).all()
    assert (evaluate(method.best)[0] < good).all()  # and both go on


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_a_start_that_is_not_finite_is_asked_for_again(kind):
    evaluate, *_ = quadratic(7, inside=False)
    start = torch.full((1, *SHAPE), 0.5, dtype=torch.float64)
    troubled, plain = kind(start), kind(start)
    loss, gradient = evaluate(start)
    troubled.tell(loss * float("nan"), gradient.clone())
    troubled.tell(loss, gradient / 0)
    assert troubled.setbacks == 2 and torch.equal(troubled.ask(), start)
    assert torch.equal(descend(troubled, evaluate, 9), descend(plain, evaluate, 9))


def test_lbfgs_at_a_minimum_stays_there():
    method = LBFGS(torch.full((1, *SHAPE), 0.5))
    for _ in range(5):
        method.tell(torch.zeros(1), torch.zeros(1, *SHAPE))
        assert torch.equal(method.ask(), torch.full((1, *SHAPE), 0.5))


def stored(method):
    """A state as a file would give it back."""
    return {name: tensor.clone() for name, tensor in method.state().items()}


NEAR = partial(LBFGS, history_size=4)
"""With its pairs beside the picture."""


def fresh(kind):
    how = {"history_size": 4, "history_dtype": torch.float16} if kind is LBFGS else {}
    method = kind(noise(1, *SHAPE, seed=6, dtype=torch.float64), **how)
    return method, quadratic(6, inside=False)[0]


@pytest.mark.parametrize("kind", [LBFGS, NEAR, Adam])
@pytest.mark.parametrize("cut", [0, 1, 2, 7, 11, 15, 20])
def test_a_restored_descent_goes_on_to_the_last_bit(kind, cut):
    def spoil(step, loss):  # so that setbacks, refused steps and dropped pairs are among what is restored
        return loss * 1e9 if step in (4, 5, 6, 12) else loss

    method, evaluate = fresh(kind)
    restored = None
    for step in range(25):
        if step == cut:
            state = stored(method)
            restored, _ = fresh(kind)
            restored.restore(state)
        asked = method.ask()
        loss, gradient = evaluate(asked)
        if restored is not None:
            assert torch.equal(restored.ask(), asked)
            restored.tell(spoil(step, loss), gradient.clone())
        method.tell(spoil(step, loss), gradient)
    assert torch.equal(restored.best, method.best) and restored.setbacks == method.setbacks > 0
    assert stored(restored).keys() == stored(method).keys()
    assert all(torch.equal(one, stored(method)[name]) for name, one in stored(restored).items())


def test_a_descent_that_remembers_less_is_restored_as_such():
    method, evaluate = fresh(LBFGS)
    descend(method, evaluate, 5)
    method = method.lighter()
    descend(method, evaluate, 5)
    restored, _ = fresh(LBFGS)
    restored.restore(stored(method))
    assert torch.equal(descend(restored, evaluate, 5), descend(method, evaluate, 5))


@pytest.mark.parametrize("kind", [LBFGS, NEAR, Adam])
def test_a_state_that_does_not_fit_is_refused(kind):
    method, evaluate = fresh(kind)
    descend(method, evaluate, 6)
    state = stored(method)
    for name, tensor in state.items():
        optional = name == "loss"  # says how much there is
        for bad in ([] if optional else [None]) + [tensor[None].expand(2, *tensor.shape), tensor.bool()]:
            with pytest.raises(ValueError, match=f"state: expected .*'{name}'"):
                fresh(kind)[0].restore({k: v for k, v in (state | {name: bad}).items() if v is not None})
    for name, bad in (("best", state["best"] + 1), ("loss", state["loss"] * torch.nan), ("setbacks", torch.tensor(-1))):
        with pytest.raises(ValueError, match=f"state: expected .*{name}"):
            fresh(kind)[0].restore(state | {name: bad})
    if kind is NEAR:
        for bad in ({"first": state["first"] + 4}, {"pairs": state["pairs"] + 4}):
            with pytest.raises(ValueError, match="state: expected at most . pairs, got . from place . on"):
                fresh(kind)[0].restore(state | bad)


class Waits(TorchDispatchMode):
    """Counts the single values that are read from the device, for each of which a graphics card would be waited for."""

    count = calls = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.calls += 1
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize(("method", "most"), [(LBFGS, 2), (Adam, 2)])  # Adam reads its count of steps, in main memory
def test_an_ordinary_step_hardly_waits_for_the_device(method, most):
    descent = method(torch.full((1, 3, 4, 4), 0.5))
    goal = torch.linspace(0, 1, 48).view(1, 3, 4, 4)
    for step in range(5):
        difference = descent.ask() - goal
        loss, gradient = difference.square().sum().view(1), 2 * difference
        with Waits() as waits:
            descent.tell(loss, gradient)
        assert step == 0 or waits.count <= most


# each call takes a graphics card some microseconds to begin with; lists of values, which are waited for, are not among them
@pytest.mark.parametrize(("method", "calls", "lists"), [(LBFGS, 75, 2), (Adam, 25, 1)])
def test_an_ordinary_step_calls_for_little(method, calls, lists, monkeypatch):
    read, seen = torch.Tensor.tolist, []
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: seen.append(tensor) or read(tensor))
    descent = method(torch.full((1, 3, 4, 4), 0.5))
    goal = torch.linspace(0.1, 0.9, 48).view(1, 3, 4, 4)
    for step in range(15):
        difference = descent.ask() - goal
        bent = difference + difference**3
        loss, gradient = bent.square().sum().view(1), 2 * bent * (1 + 3 * difference**2)
        seen.clear()
        with Waits() as counted:
            descent.tell(loss, gradient)
        assert step == 0 or (counted.calls <= calls and len(seen) <= lists)
