"""Faults of arithmetic, made to happen: the run goes on from its best picture, says so once, and returns that."""

import logging
import math
from functools import partial

import pictures
import pytest
import torch

import gatys
from gatys.descent.adam import Adam
from gatys.descent.batch import Batch
from gatys.descent.lbfgs import LBFGS
from gatys.descent.notes import SETBACK
from gatys.objective.losses import Terms
from gatys.objective.objective import Objective

CONTENT = {"conv2_1": 1.0}
STYLE = {"conv1_1": 0.5, "conv2_1": 0.5}
OPTIMIZERS = ("lbfgs", "adam")
SIZE = (16, 18)
picture = partial(pictures.picture, size=SIZE)
EVALUATE = Objective.terms
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


def targets(net, content=None, style=None, levels=1, normalize=True, **how):
    content, style = picture(1) if content is None else content, picture(2) if style is None else style * torch.ones(1)
    return {
        "content": gatys.extract_content(net, content, CONTENT, levels, normalize=normalize, **how),
        "style": gatys.extract_style(net, style, STYLE, levels, normalize=normalize, **how),
    }


@pytest.fixture
def spoil(monkeypatch):
    """spoil({step: change of (loss, gradient)}): what the evaluations of the run give, counted from 1."""
    done = []

    def begin(faults):
        done.clear()

        def spoiled(self, *args, **kwargs):
            terms, gradient = EVALUATE(self, *args, **kwargs)
            done.append(1)
            loss, gradient = faults.get(len(done), lambda loss, gradient: (loss, gradient))(terms.total, gradient)
            told = {"total": loss, "content": terms.content, "style": terms.style, "tv": terms.tv}
            return Terms.of(told, terms.layers, gradient), gradient

        monkeypatch.setattr(Objective, "terms", spoiled)

    yield begin


def worth(net, both, image, **weights):
    return EVALUATE(Objective(net, **both, **weights), image)[0].sums()["total"]


def check(net, both, result, faulty=(), **weights):
    """The result is finite, in [0, 1] and has the lowest loss of the history but for the faulty steps."""
    assert torch.isfinite(result.image).all() and result.image.min() >= 0 and result.image.max() <= 1
    seen = [r.total for r in result.history if r.level == 0 and r.step not in faulty and math.isfinite(r.total)]
    assert worth(net, both, result.image, **weights) == pytest.approx(min(seen), rel=1e-5)
    return min(seen)


def scaled(loss=1.0, gradient=1.0, which=slice(None)):
    """A fault: the loss and the gradient of some pictures times a number."""

    def change(values, pull):
        values, pull = values.clone(), pull.clone()
        values[which] *= loss
        pull[which] *= gradient
        return values, pull

    return change


def replaced(pixel):
    def change(loss, gradient):
        gradient = gradient.clone()
        gradient[0, 0, 3, 4] = pixel
        return loss, gradient

    return change


FAULTS = {
    "loss x 1e6": scaled(loss=1e6),
    "loss and gradient x 1e30": scaled(1e30, 1e30),
    "loss NaN": scaled(loss=NAN),
    "loss infinite": scaled(loss=INF),
    "gradient NaN": scaled(gradient=NAN),
    "gradient infinite": scaled(gradient=INF),
    "a pixel's gradient NaN": replaced(NAN),
    "a pixel's gradient -infinite": replaced(-INF),
    "gradient x 1e30": scaled(gradient=1e30),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("steps", [(2,), (5, 6, 7, 12)], ids=["one", "many"])
def test_a_fault_is_recovered_from(net, spoil, caplog, optimizer, fault, steps):
    both = targets(net)
    spoil({step: FAULTS[fault] for step in steps})
    with caplog.at_level(logging.WARNING, "gatys"):
        result = gatys.optimize(net, **both, steps=22, optimizer=optimizer, init="noise")
    best = check(net, both, result, faulty=steps)
    before = min(r.total for r in result.history[: steps[-1]] if r.step not in steps)
    assert best < 0.97 * before  # it went on, and down: Adam in steps of a sixteenth
    assert list(result.notes) == [f"step {steps[0]}: {SETBACK}"]
    assert [record.message for record in caplog.records] == list(result.notes)


def test_a_gradient_far_too_large_is_recovered_from(net, spoil):
    """Too small to overflow, and with a loss as it should be: the wrong curvature must not stop the run."""
    both = targets(net)
    spoil({5: scaled(gradient=1e12)})
    result = gatys.optimize(net, **both, steps=40, init="noise")
    assert check(net, both, result) < 0.9 * result.history[4].total


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_all_that_follows_is_faulty(net, spoil, optimizer):
    both = targets(net)
    spoil({step: FAULTS["loss NaN"] for step in range(6, 99)})
    result = gatys.optimize(net, **both, steps=20, optimizer=optimizer, init="noise")
    check(net, both, result)
    assert len(result.notes) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_level_that_begins_with_a_fault(net, spoil, optimizer):
    both = targets(net, levels=2)
    how = {"optimizer": optimizer, "init": "noise"}
    start = gatys.optimize(net, **both, steps=[1, 5], **how).image  # the coarser level's picture, enlarged
    spoil({6: FAULTS["loss NaN"], 7: FAULTS["gradient infinite"]})
    result = gatys.optimize(net, **both, steps=[15, 5], **how)
    assert check(net, both, result, faulty=(6, 7)) < result.history[7].total
    assert result.notes == (f"step 6: {SETBACK}",)
    spoil({step: FAULTS["loss NaN"] for step in range(6, 99)})
    assert torch.equal(gatys.optimize(net, **both, steps=[15, 5], **how).image, start)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_with_a_fault_is_resumed_as_any_other(net, spoil, optimizer, tmp_path):
    both, how = targets(net), {"steps": 16, "optimizer": optimizer, "init": "noise"}
    spoil({5: FAULTS["loss NaN"]})
    whole = gatys.optimize(net, **both, **how)

    def stop(progress):
        if progress.step == 9:
            raise KeyboardInterrupt

    spoil({5: FAULTS["loss NaN"]})
    with pytest.raises(KeyboardInterrupt):
        gatys.optimize(net, **both, **how, checkpoint=tmp_path / "run", callback=stop)
    resumed = gatys.optimize(net, **both, **how, checkpoint=tmp_path / "run")
    assert torch.equal(whole.image, resumed.image) and whole.notes == resumed.notes == (f"step 5: {SETBACK}",)
    assert [str(r) for r in whole.history] == [str(r) for r in resumed.history]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (scaled(loss=NAN, which=1), "picture 2 of 2: the weighted total is nan"),
        (scaled(gradient=INF), "picture 1 of 2: its gradient is inf"),
        (replaced(NAN), "picture 1 of 2: its gradient is nan"),
    ],
)
def test_a_first_evaluation_that_is_not_finite_is_refused(net, spoil, optimizer, fault, what):
    both = targets(net, content=picture(1, 2))
    spoil({1: fault})
    with pytest.raises(ValueError, match=rf"^{what} where the descent starts, so .*; lower the weights .*"):
        gatys.optimize(net, **both, steps=9, optimizer=optimizer)


def test_what_is_not_finite_first_is_named(net):
    both = targets(net)
    broken = gatys.load_vgg19("untrained", pooling="average")
    broken.conv2_1.bias.data[5] = NAN
    with pytest.raises(ValueError, match="picture 1 of 1: the term style conv2_1 is nan"):
        gatys.optimize(broken, **both, steps=3)
    with pytest.raises(ValueError, match="the weighted total is inf where the descent starts"):
        gatys.optimize(net, **both, steps=3, style_weight=1e300)


@pytest.mark.parametrize("kind", [LBFGS, Adam])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_other_pictures_of_a_batch_never_notice(kind, fault):
    goal = picture(5, 3)

    def evaluate(x):  # each picture's numbers must not depend on how many there are
        difference = x - goal[: x.shape[0]] if x.shape[0] > 1 else x - goal[2:]
        bent = difference + difference**3
        return torch.stack([one.square().sum() for one in bent]), 2 * bent * (1 + 3 * difference**2)

    start = picture(6, 3)
    if kind is Adam:
        kind = partial(Adam, learning_rate=0.1)
    together, alone = Batch(start, kind), kind(start[2:])
    for step in range(40):
        asked = together.ask()
        assert torch.equal(asked[2:], alone.ask())
        loss, gradient = evaluate(asked)
        if step in (4, 5, 11):
            spoiled, pull = FAULTS[fault](loss, gradient)
            loss, gradient = torch.cat([spoiled[:1], loss[1:]]), torch.cat([pull[:1], gradient[1:]])
        together.tell(loss, gradient)
        alone.tell(*evaluate(asked[2:]))
    assert torch.equal(together.best[2:], alone.best) and together.setbacks > alone.setbacks == 0
    assert (evaluate(together.best)[0] < 0.5 * evaluate(start)[0]).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_bad_picture_leaves_the_batch_as_it_is(net, spoil, optimizer):
    both, how = targets(net, content=picture(1, 2)), {"steps": 20, "optimizer": optimizer, "init": "noise"}
    plain = gatys.optimize(net, **both, **how)
    spoil({step: scaled(NAN, INF, which=0) for step in (3, 4, 8)})
    spoiled = gatys.optimize(net, **both, **how)
    assert torch.equal(plain.image[1], spoiled.image[1])
    assert torch.isfinite(spoiled.image).all() and spoiled.notes == (f"step 3: {SETBACK}",)


# extreme pictures, weights and rates


FLAT = {
    "black": torch.zeros(1, 3, *SIZE),
    "grey": torch.full((1, 3, *SIZE), 0.5),
    "white": torch.ones(1, 3, *SIZE),
    "red": torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, *SIZE),
    "saturated": picture(3).round(),
}


@pytest.mark.parametrize(("optimizer", "normalize"), [("lbfgs", True), ("adam", False)])
@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("where", ["content", "style", "both", "init"])
def test_constant_and_saturated_pictures(net, optimizer, normalize, name, where):
    flat = FLAT[name]
    content = flat if where in ("content", "both") else picture(1)
    style = flat if where in ("style", "both") else picture(2)
    both = targets(net, content=content, style=style, normalize=normalize)
    init = flat if where == "init" else "noise"
    result = gatys.optimize(net, **both, steps=8, optimizer=optimizer, init=init)
    assert check(net, both, result) < result.history[0].total


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("scale", [1e12, 1e-12, 2.0**40, 2.0**-40])
def test_weights_of_any_size(net, optimizer, scale):
    """Only the ratio of the weights counts; exactly where the factor is a power of two."""
    both, how = targets(net, normalize=False), {"steps": 10, "optimizer": optimizer, "init": "noise"}
    both["temporal"] = gatys.TemporalTarget(picture(4))
    weights = {"content_weight": 0.01, "style_weight": 1.0, "tv_weight": 0.1, "temporal_weight": 0.1}
    plain = gatys.optimize(net, **both, **how, **weights)
    weights = {name: weight * scale for name, weight in weights.items()}
    result = gatys.optimize(net, **both, **how, **weights)
    check(net, both, result, **weights)
    assert result.history[-1].style == pytest.approx(plain.history[-1].style, rel=0.05)
    if math.log2(scale).is_integer():
        assert torch.equal(plain.image, result.image)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weight", ["content_weight", "style_weight", "tv_weight", "temporal_weight"])
@pytest.mark.parametrize("value", [1e12, 1e-12, 0.0])
def test_one_weight_far_from_the_others(net, optimizer, weight, value):
    both, weights = targets(net), {"tv_weight": 0.1} | {weight: value}
    both["temporal"] = gatys.TemporalTarget(picture(4))
    result = gatys.optimize(net, **both, steps=8, optimizer=optimizer, init="noise", **weights)
    assert check(net, both, result, **weights) < result.history[0].total


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_of_layers(net, optimizer):
    for value in (1e12, 1e-12, 0.0):
        both = {
            "content": gatys.extract_content(net, picture(1), {"conv2_1": value or 1, "conv1_1": 1}, normalize=False),
            "style": gatys.extract_style(net, picture(2), {"conv1_1": value, "conv2_1": 1}, normalize=False),
        }
        result = gatys.optimize(net, **both, steps=8, optimizer=optimizer, init="noise")
        assert check(net, both, result) < result.history[0].total


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_nothing_to_do(net, optimizer):
    both = targets(net)
    result = gatys.optimize(net, **both, steps=5, optimizer=optimizer, init="noise", content_weight=0, style_weight=0)
    assert torch.equal(result.image, gatys.optimize(net, **both, steps=1, init="noise").image) and not result.notes


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rate", [1e-6, 1.0, 1e3, 1e6, 1e30])
@pytest.mark.parametrize("init", ["content", "white"])
def test_learning_rates_far_too_large_and_small(net, optimizer, rate, init):
    both = targets(net)
    start = FLAT["white"] if init == "white" else init
    result = gatys.optimize(net, **both, steps=30, optimizer=optimizer, learning_rate=rate, init=start)
    best = check(net, both, result)
    assert best < result.history[0].total * (1 - 1e-5 if rate < 1e-3 else 0.7)
    assert len(result.notes) <= 1


# lower precision


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_history_in_float16_neither_overflows_nor_vanishes(scale):
    goal, curvature = picture(5), scale * (0.01 + picture(8))

    def evaluate(x):
        pull = curvature * (x - goal)
        return (pull * (x - goal)).sum().reshape(1), 2 * pull

    method = LBFGS(picture(6), history_dtype=torch.float16)
    for step in range(20):
        loss, gradient = evaluate(method.ask())
        method.tell(*(FAULTS["loss and gradient x 1e30"](loss, gradient) if step == 3 else (loss, gradient)))
    assert evaluate(method.best)[0] < 1e-3 * evaluate(picture(6))[0]
    assert method.setbacks == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_of_a_network_in_lower_precision_are_float32(net, dtype):
    """Gram matrices of up to 8e7 and losses of up to 3e11, as of filters for pixels of 0 to 255."""
    low, exact = (
        gatys.load_vgg19("untrained", pooling="average").to(dtype),
        gatys.load_vgg19("untrained", pooling="average"),
    )
    for one in (low, exact):
        one.std.fill_(1 / 2048)
    results = []
    for one in (low, exact):
        both = targets(one, normalize=False)
        terms, _ = Objective(one, **both).terms(picture(9).to(one.mean.dtype))
        grams = both["style"].grams[0]
        assert all(gram.dtype == torch.float32 for gram in grams.values()) and terms.total.dtype == torch.float32
        results.append((grams["conv2_1"], terms.style, terms.content))
    assert results[0][0].max() > 65504  # the most that float16 holds
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.01 * float(b.max()))


def test_a_network_in_float16_that_overflows_is_refused():
    net = gatys.load_vgg19("untrained", pooling="average").half()
    net.std.fill_(1e-5)
    both = targets(net, normalize=False)
    with pytest.raises(ValueError, match="picture 1 of 1: .* work in float32"):
        gatys.optimize(net, **both, steps=3, init="noise")
