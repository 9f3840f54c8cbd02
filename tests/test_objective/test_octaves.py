"""The style matched at several sizes at once, against the plain formula in float64 by autograd."""

from functools import partial

import oracle
import pytest
import torch
import torch.nn.functional as F
from pictures import noise

import gatys
from gatys.errors import InputError
from gatys.objective.shares import gradient_parts
from gatys.passes.plan import make_plan

CONTENT = {"conv2_2": 1.0}
STYLE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.5}
pictures = partial(noise, dtype=torch.float64)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained:3").double()


def halved(x):
    size = [max(1, round(edge / 2)) for edge in x.shape[-2:]]
    return F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)


def extended_sums(features, weight):
    """What every statistic here is a function of, position by position: moments of (f, 1)."""
    f = torch.cat([features, torch.ones_like(features[:1])]).flatten(1)
    w = weight.flatten()
    return (f * w) @ f.T / w.sum()


def style_at(net, x, style, level, mask=None):
    """The style term of one picture (1, 3, H, W) at one size."""
    total = 0.0
    grid = torch.ones(1, 1, *x.shape[-2:], dtype=x.dtype)
    if mask is not None:
        grid = F.interpolate(mask, x.shape[-2:], mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    for name, coefficient in style.layers.items():
        features = oracle.responses(net, x)[name][0]
        guide = oracle.pooled(grid, name)[..., : features.shape[1], : features.shape[2]]
        sums, target = extended_sums(features, guide.square()), style.values[level][name]
        if style.statistic.name == "gram":
            sums = sums[:-1, :-1]
        penalty = type(style.statistic).penalty(style.statistic, sums[None], target)
        total = total + coefficient * penalty / style.statistic.magnitude(target)
    return total


def plain(net, x, regions, octaves):
    total = 0.0
    for octave in range(octaves):
        total = total + sum(style_at(net, x, style, octave, mask) for style, mask in regions).sum() / octaves
        x = halved(x)
    return total


def check(net, x, objective, regions, octaves, ways=((None, False), (16, False), ((24, 16), True)), exact=1e-9):
    leaf = x.clone().requires_grad_()
    expected = sum(plain(net, leaf[i : i + 1], regions, octaves) for i in range(len(x)))
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    for tile, keep in ways:
        terms, gradient = objective.terms(x, tile, keep=keep)
        losses, layers = terms.sums(), terms.layer_sums()
        assert losses["style"] == pytest.approx(expected.item(), rel=exact)
        assert losses["total"] == pytest.approx(2 * losses["style"], rel=1e-12)
        assert sum(layers[name] for name in layers if name.startswith("style")) == pytest.approx(losses["style"])
        assert (gradient - 2 * expected_gradient).norm() < exact * gradient.norm()


@pytest.mark.parametrize("statistic", ["gram", "covariance", "moments", "wasserstein"])
def test_loss_and_gradient_are_the_plain_sum_over_sizes(net, statistic):
    x, content = pictures(2, 3, 43, 50), gatys.extract_content(net, pictures(1, 3, 43, 50, seed=1), CONTENT, 3)
    style = gatys.extract_style(net, pictures(1, 3, 53, 40, seed=2), STYLE, 3, statistic=statistic)
    objective = gatys.Objective(net, content=content, style=style, style_weight=2.0, content_weight=0.0, octaves=3)
    exact = 1e-7 if statistic == "wasserstein" else 1e-9  # of roots of matrices
    check(net, x, objective, [(style, None)], 3, exact=exact)


def test_regions_and_blends(net):
    masks = [noise(20, 31, seed=4).double(), noise(48, 40, seed=5).double()]
    paintings = [gatys.extract_style(net, pictures(1, 3, 48, 40, seed=seed), STYLE, 2) for seed in (1, 2, 3)]
    blend = gatys.blend_styles([(paintings[0], 0.3), (paintings[1], 0.7)])
    style = gatys.regional_style([(blend, masks[0]), (paintings[2], masks[1])])
    objective = gatys.Objective(net, style=style, octaves=2, style_weight=2.0)
    regions = [(blend, masks[0][None, None]), (paintings[2], masks[1][None, None])]
    check(net, pictures(1, 3, 48, 40), objective, regions, 2)


@pytest.mark.parametrize("statistic", ["gram", "across"])
def test_each_octave_is_the_objective_of_that_level(net, statistic):
    """And only the style is matched there: content and smoothness are those of the picture itself."""
    x, content = pictures(1, 3, 48, 64), gatys.extract_content(net, pictures(1, 3, 48, 64, seed=1), CONTENT, 2)
    style = gatys.extract_style(net, pictures(1, 3, 48, 64, seed=2), STYLE, 2, statistic=statistic)
    how = {"style": style, "tv_weight": 0.3}
    both = gatys.Objective(net, content=content, octaves=2, **how).evaluate(x)[0]
    own = gatys.Objective(net, content=content, **how).evaluate(x)[0]
    coarse = gatys.Objective(net, level=1, **how).evaluate(halved(x).clamp(0, 1))[0]
    assert both["content"] == own["content"] and both["tv"] == own["tv"]
    assert both["style"] == pytest.approx((own["style"] + coarse["style"]) / 2, rel=1e-3)  # but for the clamp
    assert gatys.Objective(net, content=content, octaves=1, **how).evaluate(x)[0] == own


@pytest.mark.parametrize(("padding", "shift", "tile"), [("circular", 16, 32), ("panorama", 0, None)])
def test_a_ring_stays_one_at_all_sizes(net, padding, shift, tile):
    """Moved along by a whole number of units of the deepest layer at the smallest size, the loss is the same."""
    x, style = pictures(1, 3, 64, 96), gatys.extract_style(net, pictures(1, 3, 64, 64, seed=2), STYLE, 3)
    objective = gatys.Objective(net, style=style, octaves=3, padding=padding)
    losses, gradient = objective.evaluate(x, tile)
    moved, moved_gradient = objective.evaluate(x.roll((shift, 48), (2, 3)), tile)
    assert moved["style"] == pytest.approx(losses["style"], rel=1e-10)
    assert (moved_gradient - gradient.roll((shift, 48), (2, 3))).norm() < 1e-9 * gradient.norm()
    direction, h = pictures(1, 3, 64, 96, seed=7) - 0.5, 1e-7
    ahead, behind = (objective.evaluate(x * 0.8 + 0.1 + k * direction)[0]["total"] for k in (h, -h))
    slope = (objective.evaluate(x * 0.8 + 0.1)[1] * direction).sum().item()
    assert (ahead - behind) / (2 * h) == pytest.approx(slope, rel=1e-4)


def test_shares_of_the_gradient_know_of_octaves(net):
    x, content = pictures(1, 3, 48, 40), gatys.extract_content(net, pictures(1, 3, 48, 40, seed=1), CONTENT, 2)
    other = gatys.extract_style(net, pictures(1, 3, 40, 40, seed=3), {"conv1_2": 1.0}, 2)
    style = gatys.extract_style(net, pictures(1, 3, 48, 40, seed=2), STYLE, 2)
    style = gatys.regional_style([(style, pictures(48, 40, seed=4)), (other, pictures(48, 40, seed=5))])
    objective = gatys.Objective(net, content=content, style=style, octaves=2, tv_weight=0.1)
    _, whole = objective.evaluate(x)
    parts = dict(gradient_parts(objective, x))
    assert set(parts) == {"content conv2_2", "tv", "style conv1_2", *(f"style {name}" for name in STYLE)}
    assert (sum(parts.values()) - whole).norm() < 1e-10 * whole.norm()


def test_lower_precision_is_close(net):
    low = gatys.load_vgg19("untrained:3")
    style = gatys.extract_style(low, noise(1, 3, 48, 64, seed=2), STYLE, 2)
    gradients = [
        gatys.Objective(low, style=style, octaves=2, precision=precision).evaluate(noise(1, 3, 48, 64))[1]
        for precision in ("float32", "bfloat16", "float16")
    ]
    for gradient in gradients[1:]:
        assert (gradient - gradients[0]).norm() < 0.2 * gradients[0].norm()


def test_a_run_matches_as_many_sizes_as_are_left_at_each_level(net, monkeypatch):
    seen, build = {}, gatys.Objective.__init__

    def watched(self, *args, **how):
        seen[how["level"]] = how["octaves"]
        build(self, *args, **how)

    monkeypatch.setattr(gatys.Objective, "__init__", watched)
    content = gatys.extract_content(net, pictures(1, 3, 64, 64, seed=1), CONTENT, 3)
    style = gatys.extract_style(net, pictures(1, 3, 64, 64, seed=2), STYLE, 3)
    result = gatys.optimize(net, content=content, style=style, octaves=2, steps=[3, 2, 2])
    assert seen == {2: 1, 1: 2, 0: 2}
    objective = gatys.Objective(net, content=content, style=style, octaves=2, level=0)
    worth = objective.evaluate(result.image)[0]
    best = min((record for record in result.history if record.level == 0), key=lambda record: record.total)
    assert worth["total"] == pytest.approx(best.total, rel=1e-9) and worth["style"] == pytest.approx(best.style)
    content_alone = gatys.optimize(net, content=content, octaves=9, steps=3)
    assert content_alone.history[-1].style == 0


def test_the_plan_counts_further_octaves():
    layers = [gatys.network.layers.LAYERS[name] for name in ("conv1_1", "conv3_1")]
    one, three = (make_plan((512, 512), layers, tile=None, memory=2**40, octaves=octaves) for octaves in (1, 3))
    assert three.bytes - one.bytes == 2 * 3 * 4 * 512 * 512
    assert three.operations == pytest.approx(one.operations * (1 + 1 / 4 + 1 / 16))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_a_number_that_is_none(net, value):
    with pytest.raises(InputError, match=r"^octaves: expected a whole number of at least 1, got "):
        gatys.Settings(octaves=value)
    with pytest.raises(InputError, match=r"^octaves: expected a whole number of at least 1, got "):
        gatys.Objective(net, style=gatys.extract_style(net, pictures(1, 3, 16, 16), STYLE), octaves=value)


def test_more_octaves_than_there_are(net):
    style = gatys.extract_style(net, pictures(1, 3, 64, 64), STYLE, 3)
    words = "octaves: 4 are more than the 3 levels of the targets; use at most 3, or extract content and style with at least 4 levels"
    for ask in (gatys.optimize, gatys.Objective):
        with pytest.raises(InputError) as caught:
            ask(net, style=style, octaves=4)
        assert str(caught.value) == words
    with pytest.raises(InputError, match="more than the 1 level of the targets"):
        gatys.Objective(net, style=style, octaves=2, level=2)
    small = gatys.Objective(net, style=style, octaves=3)
    with pytest.raises(InputError) as caught:
        small.evaluate(pictures(1, 3, 8, 20))
    assert str(caught.value) == (
        "octaves: 3 make this picture of 20 x 8 pixels smaller than the 4 pixels that the layers of the style need; use at "
        "most 2"
    )


def test_automatic_levels_are_at_least_as_many():
    low = gatys.load_vgg19("untrained:3")
    picture, painting = noise(1, 3, 70, 64), noise(1, 3, 64, 50, seed=1)
    assert gatys.extract_content(low, picture, CONTENT, "auto").levels == 1
    content = gatys.extract_content(low, picture, CONTENT, "auto", octaves=3)
    style = gatys.extract_style(low, painting, STYLE, "auto", octaves=3)
    assert content.levels == style.levels == 3 and content.automatic and style.automatic
    assert gatys.extract_style(low, painting, STYLE, 2, octaves=3).levels == 2
    how = {"net": low, "content_layers": CONTENT, "style_layers": STYLE, "size": 64}
    result = gatys.stylize(picture, painting, octaves=2, steps=4, **how)
    assert {record.level for record in result.history} == {0, 1}
    with pytest.raises(InputError) as caught:
        gatys.stylize(picture, painting, octaves=6, steps=4, **how)
    assert str(caught.value) == (
        "octaves: 6 levels make this style image of 50 x 64 pixels smaller than the 4 pixels that its layers need; use at "
        "most 4"
    )
    with pytest.raises(InputError, match="^octaves: expected a whole number of at least 1, got 0"):
        gatys.extract_content(low, picture, CONTENT, octaves=0)
