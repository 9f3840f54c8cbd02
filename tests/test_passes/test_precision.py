"""Convolutions in half precision beside those of the oracle in float64."""

import logging

import oracle
import pytest
import torch
from pictures import picture

import gatys
import gatys.passes.trunk
from gatys.network.layers import LAYERS
from gatys.objective.evaluation import Bounded
from gatys.objective.losses import Terms
from gatys.passes.memory import evaluation_bytes
from gatys.passes.plan import make_plan
from gatys.passes.precision import choose, derivative_scale, lowered
from gatys.targets.gram import gram_sum, gram_sum_gradient

STYLE = {"conv1_1": 0.5, "conv2_1": 0.3, "conv3_1": 0.2}
CONTENT = {"conv2_2": 1.0}
CLOSE = {"bfloat16": 0.998, "float16": 0.9995}
"""Cosine between the gradients; a bit less of mantissa would miss it."""


@pytest.fixture(params=["imagenet", "caffe"])
def net(request):
    """As it is, and with responses in the hundreds, as Caffe's networks have them."""
    net = gatys.load_vgg19("untrained", pooling="average")
    if request.param == "caffe":
        net.std.div_(255 / 4.4)
    return net


@pytest.fixture
def pictures():
    return [picture(seed, size=(32, 40)) for seed in (3, 4, 5)]


def objective(net, pictures, **how):
    content = gatys.extract_content(net, pictures[0], CONTENT, normalize=False)
    style = gatys.extract_style(net, pictures[1], STYLE, normalize=False)
    return gatys.Objective(net, content=content, style=style, **{"content_weight": 2.0, "style_weight": 5.0} | how)


def cosine(a, b):
    a, b = (t.flatten().double() / t.abs().max().double() for t in (a, b))
    return a @ b / (a.norm() * b.norm())


@pytest.mark.slow
@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_loss_and_gradient_are_the_oracles_but_for_rounding(net, pictures, precision, tile):
    losses, gradient = objective(net, pictures, precision=precision).evaluate(pictures[2], tile)
    net.double()
    x = pictures[2][0].double().requires_grad_()
    total = oracle.loss(
        net,
        x,
        content=(pictures[0][0].double(), CONTENT),
        style=([pictures[1][0].double()], STYLE),
        alpha=2.0,
        beta=5.0,
    )
    (expected,) = torch.autograd.grad(total, x)
    assert gradient.dtype == torch.float32
    assert losses["total"] == pytest.approx(total.item(), rel=0.05)
    assert cosine(gradient, expected) > CLOSE[precision]
    assert gradient.double().norm() == pytest.approx(expected.norm().item(), rel=0.05)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_float16_takes_weights_of_any_size(pictures, scale):
    net = gatys.load_vgg19("untrained", pooling="average")
    weights = {"content_weight": 2.0 * scale, "style_weight": 5.0 * scale}
    _, expected = objective(net, pictures, **weights).evaluate(pictures[2])
    _, gradient = objective(net, pictures, **weights, precision="float16").evaluate(pictures[2])
    assert cosine(gradient, expected) > CLOSE["float16"]


@pytest.mark.parametrize("weight", [1e-9, 1.0, 1e9])
def test_derivatives_are_scaled_to_the_middle_of_float16s_range(pictures, weight, monkeypatch):
    seen = []
    net = gatys.load_vgg19("untrained", pooling="average")
    backward = gatys.passes.trunk.backward

    def watching(net, tape, cotangent):
        def watched(name, core, onto, part):
            seen.append(cotangent(name, core, None, part))
            return seen[-1].clone() if onto is None else onto.add_(seen[-1])

        return backward(net, tape, watched)

    monkeypatch.setattr("gatys.objective.two_passes.backward", watching)
    objective(net, pictures, precision="float16", content_weight=0.0, style_weight=weight).evaluate(pictures[2])
    sizes = [pull.double().square().mean().sqrt().item() for pull in seen]
    assert 0.5 / 1.01 <= max(sizes) <= 1.01


def test_the_scale_rounds_nothing():
    assert derivative_scale([torch.tensor(3e-9), torch.tensor(1e-12)]) == 2.0**28
    assert derivative_scale([torch.tensor(0.0)]) == 2.0**100


def test_gram_sums_of_half_precision_are_taken_in_float32(monkeypatch):
    monkeypatch.setattr("gatys.targets.gram._ROWS", 7)  # several parts, the last one shorter
    features = (torch.rand(2, 8, 6, 5) * 300).to(torch.float16)  # 30 * 300^2 overflows float16
    weight = torch.rand(1, 1, 6, 5)
    found = gram_sum(features, weight)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), gram_sum(features.double(), weight.double()), rtol=1e-5, atol=0)
    pull = torch.rand(2, 8, 8) * 1e-3
    pulled = gram_sum_gradient(features, pull + pull.mT, weight)
    expected = gram_sum_gradient(features.double(), (pull + pull.mT).double(), weight.double())
    assert pulled.dtype == torch.float16
    torch.testing.assert_close(pulled.double(), expected, rtol=1e-3, atol=1e-3)


def test_a_lowered_network_leaves_the_network_as_it_was():
    net = gatys.load_vgg19("untrained", pooling="average")
    low = lowered(net, torch.bfloat16)
    assert low.conv3_1.weight.dtype == torch.bfloat16 and low.mean.dtype == torch.float32
    assert net.conv3_1.weight.dtype == torch.float32
    assert lowered(net, torch.float32) is net


def test_auto_is_what_the_device_multiplies_matrices_in(monkeypatch):
    net = gatys.load_vgg19("untrained", pooling="average")
    for has, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("gatys.passes.precision._has_bfloat16", lambda device, has=has: has)
        assert choose("auto", net) == expected
    monkeypatch.setattr("gatys.passes.precision._has_bfloat16", lambda device: True)
    assert choose("auto", net.double()) == torch.float64


def test_a_cpu_has_bfloat16_with_matrix_units_for_it(monkeypatch):
    from gatys.passes.precision import _has_bfloat16

    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    for there in names:
        for name in names:
            monkeypatch.setattr(torch.cpu, name, lambda there=there, name=name: name == there, raising=False)
        assert _has_bfloat16(torch.device("cpu"))
    for name in names:
        monkeypatch.delattr(torch.cpu, name)
    assert not _has_bfloat16(torch.device("cpu"))
    assert not _has_bfloat16(torch.device("mps"))


def test_precisions_that_are_none_are_refused():
    net = gatys.load_vgg19("untrained", pooling="average")
    with pytest.raises(ValueError, match=r"precision: expected one of auto, .*, got 'half'"):
        choose("half", net)
    with pytest.raises(ValueError, match=r"precision: expected 'auto' for a network in torch.float64, got 'float16'"):
        choose("float16", net.double())


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_numbers_out_of_range_are_found_again_in_float32(pictures, where, monkeypatch):
    net = gatys.load_vgg19("untrained", pooling="average")
    expected = objective(net, pictures).terms(pictures[2])
    low = objective(net, pictures, precision="float16")
    terms = low.terms

    def overflowing(*args, **how):
        found, gradient = terms(*args, **how)
        if low.dtype == torch.float16:
            if where == "gradient":
                gradient[0, 0, 3, 3] = float("inf")
            told = {"total": found.total, "content": found.content, "style": found.style, "tv": found.tv}
            told["total"] = told["total"] * (float("nan") if where == "loss" else 1)
            found = Terms.of(told, found.layers, gradient)
        return found, gradient

    monkeypatch.setattr(low, "terms", overflowing)
    plan = make_plan((32, 40), low.used, tile=None, dtype=torch.float16)
    evaluate = Bounded(low, plan)
    for _ in range(2):
        found, gradient = evaluate(pictures[2])
        torch.testing.assert_close(found.total, expected[0].total, rtol=0, atol=0)
        torch.testing.assert_close(gradient, expected[1], rtol=0, atol=0)
    assert evaluate.take_notes() == [
        "numbers left the range of float16; went on from the same picture in float32"
    ]  # once


def test_responses_beyond_float16_are_reached_in_float32(pictures):
    net = gatys.load_vgg19("untrained", pooling="average")
    net.std.div_(1e6)  # responses of a million
    content = gatys.extract_content(net, pictures[0], CONTENT, normalize=True, levels=2)
    style = gatys.extract_style(net, pictures[1], STYLE, normalize=True, levels=2)
    run = {"content": content, "style": style, "steps": 4}
    result = gatys.optimize(net, **run, precision="float16")
    assert result.notes == ("step 1: numbers left the range of float16; went on from the same picture in float32",)
    assert torch.equal(result.image, gatys.optimize(net, **run, precision="float32").image)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_reaches_the_loss_of_float32(pictures, precision):
    net = gatys.load_vgg19("untrained", pooling="average")
    content = gatys.extract_content(net, pictures[0], CONTENT, normalize=True)
    style = gatys.extract_style(net, pictures[1], STYLE, normalize=True)
    run = {"content": content, "style": style, "steps": 25}
    full, low = (gatys.optimize(net, **run, precision=each) for each in ("float32", precision))
    assert low.image.dtype == torch.float32 and low.notes == ()
    check = gatys.Objective(net, content=content, style=style)
    first = full.history[0].total
    reached, wanted = (check.evaluate(result.image)[0]["total"] for result in (low, full))
    assert wanted < 0.5 * first
    assert reached - wanted < 0.05 * (first - wanted)


def test_half_precision_plans_half_the_memory(caplog):
    layers, size = [LAYERS["conv1_1"], LAYERS["conv4_2"]], (512, 512)
    plans = [make_plan(size, layers, optimizer="adam", memory=2**40, dtype=d) for d in (None, torch.bfloat16)]
    pictures = 10 * 3 * 512 * 512 * 4
    assert plans[0].bytes == evaluation_bytes(size, layers) + pictures
    assert plans[1].bytes == evaluation_bytes(size, layers, bytes_per_value=2) + pictures
    assert "bfloat16" in str(plans[1]) and "float" not in str(plans[0])


def test_the_log_says_what_was_chosen(pictures, caplog):
    net = gatys.load_vgg19("untrained", pooling="average")
    style = gatys.extract_style(net, pictures[1], STYLE, normalize=False)
    with caplog.at_level(logging.INFO, logger="gatys"):
        gatys.optimize(net, style=style, steps=1, precision="bfloat16")
    assert "in bfloat16" in caplog.text
