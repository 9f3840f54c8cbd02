"""Statistics of features extended by a constant 1, against plain autograd in float64 and POT's distance."""

import json
import math
from functools import partial

import pytest
import torch
from pictures import picture
from safetensors import safe_open
from safetensors.torch import save_file

import gatys
from gatys.settings import STATISTICS
from gatys.targets.moments import Covariance, Moments, ShiftedGram, Wasserstein
from gatys.targets.named_statistics import find_statistic
from gatys.targets.published_moments import CrowsonWasserstein, SpstMoments

EXTENDED = (Covariance(), Moments(), Wasserstein(), CrowsonWasserstein(), SpstMoments(), ShiftedGram())
each_statistic = pytest.mark.parametrize("statistic", EXTENDED, ids=[each.name for each in EXTENDED])
LAYERS = {"conv1_1": 1.0, "conv2_1": 0.5}


def features(seed, count=2, channels=5, size=(7, 9)):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, channels, *size, generator=generator, dtype=torch.float64)
    mixed = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    return torch.einsum("nchw,dc->ndhw", drawn, mixed).relu()


def weights(seed, count=2, size=(7, 9)):
    return torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments_of(f, w):
    """Means and covariances of features by their definition, from centred features."""
    f, w = f.flatten(2), torch.ones_like(f[:, :1]).flatten(2) if w is None else w.flatten(2)
    mass = w.sum(dim=2, keepdim=True)
    mean = (f * w).sum(dim=2, keepdim=True) / mass
    centred = f - mean
    return mean[..., 0], (centred * w) @ centred.mT / mass


def root(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag_embed(values.clamp(min=0).sqrt()) @ vectors.mT


def expected(name, f, w, style):
    """The penalty as it is defined, differentiable."""
    (mean, spread), (wanted, wanted_spread) = moments_of(f, w), moments_of(style, None)
    channels = f.shape[1]
    outer, wanted_outer = mean[:, :, None] * mean[:, None], wanted[:, :, None] * wanted[:, None]
    if name == "covariance":
        parts = (spread - wanted_spread).square() + (outer - wanted_outer).square()
        return parts.sum(dim=(1, 2)) / (4 * channels**2)
    gram, wanted_gram = spread + outer, wanted_spread + wanted_outer
    variance, wanted_variance = (s.diagonal(dim1=1, dim2=2) for s in (spread, wanted_spread))
    if name == "gram shifted by -1":
        (shifted, moved), (wanted_shifted, wanted_moved) = (
            moments_of(f - style.mean(), w),
            moments_of(style - style.mean(), None),
        )
        here, there = (s + m[:, :, None] * m[:, None] for m, s in ((shifted, moved), (wanted_shifted, wanted_moved)))
        return (here - there).square().sum(dim=(1, 2)) / (4 * channels**2)
    if name == "moments":
        floor = 1e-5 * wanted_variance.mean()
        deviation, wanted_deviation = (variance + floor).sqrt(), (wanted_variance + floor).sqrt()
        whole = wanted.square().sum() + wanted_deviation.square().sum()
        share = wanted_gram.square().mean() / 4 / whole
        own = (mean - wanted).square().sum(dim=1) + (deviation - wanted_deviation).square().sum(dim=1)
        return (gram - wanted_gram).square().sum(dim=(1, 2)) / (4 * channels**2) + share * own
    if name == "spst":
        deviation, wanted_deviation = variance.sqrt(), wanted_variance.sqrt()
        own = (mean - wanted).square().mean(dim=1) + (deviation - wanted_deviation).square().mean(dim=1)
        return (gram - wanted_gram).square().mean(dim=(1, 2)) / 4 + 10 * channels**2 * own / 4
    if name == "crowsonkb":
        ridge = 1e-4 * torch.eye(channels, dtype=f.dtype)
        spread, wanted_spread = spread + ridge, wanted_spread + ridge
    side = root(wanted_spread)
    traces = spread.diagonal(dim1=1, dim2=2).sum(1) + wanted_spread.diagonal(dim1=1, dim2=2).sum(1)
    common = torch.linalg.eigvalsh(side @ spread @ side).clamp(min=0).sqrt().sum(dim=1)
    return ((mean - wanted).square().sum(dim=1) + traces - 2 * common) / channels


@each_statistic
@pytest.mark.parametrize("guided", [False, True])
def test_the_penalty_and_its_gradient_are_those_of_the_formula(statistic, guided):
    f, style = features(1).requires_grad_(), features(2, count=1)
    w = weights(3) if guided else None
    plain = expected(statistic.name, f, w, style)
    (gradient,) = torch.autograd.grad(plain.sum(), f)
    target = statistic.sums(style) / (style.shape[2] * style.shape[3])
    mass = 63.0 if w is None else w.sum(dim=(2, 3))[..., None]
    sums = statistic.sums(f.detach(), w)
    values, derivative = statistic.derivative(sums, mass, target, torch.tensor([1.0], dtype=torch.float64))
    pulled = statistic.pull(f.detach(), derivative, w)
    # the floor under the eigenvalues moves the distance by its root; twelve steps leave so much of it
    tolerance = 1e-4 if statistic.name in ("wasserstein", "crowsonkb") else 1e-9
    assert torch.allclose(values, plain.detach(), rtol=tolerance, atol=0)
    assert (pulled - gradient).norm() <= tolerance * gradient.norm() and gradient.norm() > 0


def test_the_distance_is_that_of_optimal_transport():
    transport = pytest.importorskip("ot", reason="POT is not installed")
    f, style = features(4, count=1), features(5, count=1)
    (mean, spread), (wanted, wanted_spread) = moments_of(f, None), moments_of(style, None)
    squared = transport.gaussian.bures_wasserstein_distance(mean[0], wanted[0], spread[0], wanted_spread[0]) ** 2
    found = Wasserstein().penalty(*(Wasserstein().sums(each) / 63 for each in (f, style)))
    assert float(found) * f.shape[1] == pytest.approx(float(squared), rel=1e-4)


@each_statistic
def test_equal_features_have_no_penalty_and_no_pull(statistic):
    f = features(6, count=1)
    target = statistic.sums(f) / 63
    value, derivative = statistic.derivative(63 * target, 63.0, target, torch.ones(1, dtype=torch.float64))
    scale = float(statistic.magnitude(target))
    assert -1e-12 * scale <= float(value) <= 1e-4 * scale
    assert statistic.pull(f, derivative).norm() * f.norm() <= 2e-3 * scale


@each_statistic
@pytest.mark.parametrize("rank", ["a channel that is silent", "fewer positions than channels"])
def test_features_without_spread_have_a_gradient_without_nan(statistic, rank):
    f, style = features(7, count=1), features(8, count=1)
    if rank == "a channel that is silent":
        f[:, 2] = 0
        style[:, 1] = 0
    else:
        f, style = f[..., :1, :2], style[..., :2, :1]
    count, wanted = (each.shape[2] * each.shape[3] for each in (f, style))
    target = statistic.sums(style) / wanted
    value, derivative = statistic.derivative(
        statistic.sums(f), float(count), target, torch.ones(1, dtype=torch.float64)
    )
    assert math.isfinite(float(value)) and float(value) >= 0
    assert torch.isfinite(statistic.pull(f, derivative)).all()


@each_statistic
@pytest.mark.parametrize("guided", [False, True])
def test_sums_of_tiles_add_up(statistic, guided):
    f = features(9)
    w = weights(10) if guided else None
    halves = [
        statistic.sums(f[..., columns], None if w is None else w[..., columns])
        for columns in (slice(0, 4), slice(4, 9))
    ]
    assert torch.allclose(halves[0] + halves[1], statistic.sums(f, w), rtol=1e-12)


@each_statistic
def test_a_pull_is_added_in_place(statistic):
    f = features(11)
    derivative = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(12), dtype=torch.float64)
    for w in (None, weights(13)):
        onto = torch.ones_like(f)
        assert statistic.pull(f, derivative, w, onto) is onto
        assert torch.allclose(onto, 1 + statistic.pull(f, derivative, w), rtol=1e-12)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(scope="module")
def content(net):
    return gatys.extract_content(net, picture(1, size=(32, 48)), ["conv2_1"])


@pytest.mark.parametrize("name", STATISTICS[1:])
def test_tiles_and_regions_are_exact_and_a_descent_comes_nearer(net, content, name):
    painting = picture(2, size=(40, 32))
    style = gatys.extract_style(net, painting, LAYERS, statistic=name)
    assert name in repr(style) and find_statistic(name) is style.statistic
    mask = torch.zeros(32, 48)
    mask[:, 20:] = 1
    regions = gatys.regional_style([(style, mask), (style, 1 - mask)])
    for each in (style, regions):
        objective = gatys.Objective(net, content=content, style=each)
        start = picture(3, size=(32, 48))
        whole, tiled = (objective.evaluate(start, tile=tile) for tile in (None, 16))
        assert tiled[0]["style"] == pytest.approx(whole[0]["style"], rel=1e-4) and whole[0]["style"] > 0
        assert (tiled[1] - whole[1]).norm() <= 1e-3 * whole[1].norm()
    result = gatys.optimize(net, content=content, style=style, steps=8, precision="float32")
    assert result.history[-1].total < 0.7 * result.history[0].total


@pytest.mark.parametrize("name", STATISTICS)
def test_a_file_keeps_the_statistic_and_blends_with_its_like_only(net, name, tmp_path):
    extract = partial(gatys.extract_style, net, layers=LAYERS, statistic=name)
    style, other = extract(picture(4, size=(32, 32))), extract(picture(5, size=(32, 32)))
    kept = gatys.StyleTarget.load(style.save(tmp_path / "style.safetensors"))
    assert kept.statistic is style.statistic
    assert all(torch.equal(kept.values[0][layer], style.values[0][layer]) for layer in LAYERS)
    both = gatys.blend_styles([(kept, 1), (other, 3)])
    mean = (style.values[0]["conv1_1"] + 3 * other.values[0]["conv1_1"]) / 4
    assert torch.allclose(both.values[0]["conv1_1"], mean, rtol=1e-5)
    strange = gatys.extract_style(
        net, picture(4, size=(32, 32)), LAYERS, statistic=STATISTICS[STATISTICS.index(name) - 1]
    )
    with pytest.raises(gatys.InputError, match="styles: one is of the statistic .*; extract both with the same"):
        gatys.blend_styles([(style, 1), (strange, 1)])


@pytest.mark.parametrize(
    ("record", "corner", "said"),
    [
        (
            {"statistic": "means"},
            1.0,
            "its statistic is 'means' instead of one of gram, covariance, moments, wasserstein, across, crowsonkb, spst",
        ),
        ({"statistic": ["gram"]}, 1.0, r"its statistic is \['gram'\] instead of"),
        ({"statistic": "gram"}, 1.0, r"is torch.float32 \(65, 65\) instead of torch.float32 \(64, 64\)"),
        ({}, 0.5, "level0.conv1_1 has 0.5 in its last corner instead of 1"),
    ],
)
def test_a_file_whose_statistic_does_not_fit_is_refused(net, tmp_path, record, corner, said):
    style = gatys.extract_style(net, picture(4, size=(32, 32)), ["conv1_1"], statistic="moments")
    path = style.save(tmp_path / "style.safetensors")
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["level0.conv1_1"][-1, -1] = corner
    metadata["style"] = json.dumps(json.loads(metadata["style"]) | record)
    save_file(tensors, path, metadata)
    with pytest.raises(gatys.StyleFileError, match=said):
        gatys.StyleTarget.load(path)


def test_an_unknown_statistic_is_refused(net):
    with pytest.raises(
        gatys.InputError,
        match="statistic: expected one of gram, .*across, crowsonkb, spst or a gatys.Statistic, got",
    ):
        gatys.extract_style(net, picture(1), statistic="means")


def test_a_shift_of_nothing_is_the_gram_matrix(net, content):
    painting, start = picture(4, size=(32, 32)), picture(5, size=(32, 32))
    found = []
    for statistic in ("gram", gatys.ShiftedGram(0)):
        style = gatys.extract_style(net, painting, LAYERS, statistic=statistic)
        found.append(gatys.Objective(net, style=style).evaluate(start, tile=16))
    (losses, gradient), (again, other) = found
    assert again["style"] == pytest.approx(losses["style"], rel=1e-5)
    assert (other - gradient).norm() < 1e-5 * gradient.norm()


@pytest.mark.parametrize("shift", [math.nan, math.inf, "-1", True])
def test_a_shift_is_a_number(shift):
    with pytest.raises(gatys.InputError, match="shift: expected a finite number, such as -1, got"):
        gatys.ShiftedGram(shift)
