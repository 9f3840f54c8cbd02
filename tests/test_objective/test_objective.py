"""Loss and gradient against plain autograd, finite differences and numbers computed by hand."""

from functools import partial

import oracle
import pytest
import torch
from pictures import noise

import gatys
from gatys.objective.smoothness import total_variation
from gatys.targets.gram import gram_matrix, gram_sum, gram_sum_gradient

CONTENT = {"conv4_2": 1.0, "conv2_2": 0.3}
STYLE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.2, "conv4_1": 0.2, "conv5_1": 0.1}
pictures = partial(noise, dtype=torch.float64)


@pytest.fixture(scope="module", params=["average", "max"])
def net(request):
    net = gatys.load_vgg19("untrained:3", pooling=request.param).double()
    for index, parameter in enumerate(net.parameters()):
        if parameter.ndim == 1:  # untrained biases are 0; trained ones are not
            parameter.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(index))
    return net


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize("normalize", [False, True])
def test_loss_and_gradient_are_the_oracles(net, normalize):
    x, p = pictures(2, 3, 43, 37), pictures(2, 3, 43, 37, seed=1)
    paintings = [pictures(2, 3, 33, 48, seed=2), pictures(1, 3, 40, 21, seed=3)]  # other sizes than the content's
    mask = pictures(43, 37, seed=4)
    objective = gatys.Objective(
        net,
        content=gatys.extract_content(net, p, CONTENT, normalize=normalize, mask=mask),
        style=gatys.extract_style(net, paintings, STYLE, normalize=normalize),
        content_weight=0.7,
        style_weight=3.0,
        tv_weight=0.2,
    )
    losses, gradient = objective.evaluate(x)
    leaf = x.clone().requires_grad_()
    each = [picture for batch in paintings for picture in batch]
    expected = sum(
        oracle.loss(
            net,
            leaf[i],
            content=(p[i], CONTENT),
            style=(each, STYLE),
            alpha=0.7,
            beta=3.0,
            gamma=0.2,
            normalize=normalize,
            mask=mask[None, None],
        )
        for i in range(2)
    )
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    assert losses["total"] == pytest.approx(expected.item(), rel=1e-10)
    assert losses["total"] == pytest.approx(
        0.7 * losses["content"] + 3 * losses["style"] + 0.2 * losses["tv"], rel=1e-12
    )
    assert relative(gradient, expected_gradient) < 1e-10
    assert gradient.dtype == torch.float64 and gradient.shape == x.shape


def test_gradient_by_finite_differences(net):
    x = pictures(1, 3, 24, 20)
    content = gatys.extract_content(net, pictures(1, 3, 24, 20, seed=1), {"conv3_1": 1.0}, normalize=False)
    style = gatys.extract_style(net, pictures(1, 3, 30, 30, seed=2), {"conv1_1": 1.0, "conv4_1": 1.0}, normalize=False)
    objective = gatys.Objective(net, content=content, style=style, content_weight=1, style_weight=2, tv_weight=0.5)
    _, gradient = objective.evaluate(x)
    for seed in range(3):
        direction = pictures(1, 3, 24, 20, seed=10 + seed) - 0.5
        h = 1e-6
        ahead, behind = (objective.evaluate(x + k * direction)[0]["total"] for k in (h, -h))
        assert (ahead - behind) / (2 * h) == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


@pytest.mark.parametrize("which", ["content", "style"])
def test_one_target_alone(net, which):
    x, p = pictures(1, 3, 32, 32), pictures(1, 3, 32, 32, seed=1)
    targets = {
        "content": gatys.extract_content(net, p, CONTENT, normalize=False),
        "style": gatys.extract_style(net, p, STYLE, normalize=False),
    }
    losses, gradient = gatys.Objective(net, **{which: targets[which]}, content_weight=2, style_weight=2).evaluate(x)
    leaf = x[0].clone().requires_grad_()
    expected = oracle.loss(net, leaf, content=(p[0], CONTENT) if which == "content" else None,
                           style=([p[0]], STYLE) if which == "style" else None, alpha=2, beta=2)  # fmt: skip
    assert losses["total"] == pytest.approx(expected.item(), rel=1e-10)
    assert relative(gradient[0], torch.autograd.grad(expected, leaf)[0]) < 1e-10
    assert losses["style" if which == "content" else "content"] == 0


def test_pictures_of_a_batch_do_not_influence_each_other(net):
    x, p = pictures(3, 3, 20, 20), pictures(3, 3, 20, 20, seed=1)
    style = gatys.extract_style(net, pictures(1, 3, 20, 20, seed=2), normalize=True)
    together = gatys.Objective(net, content=gatys.extract_content(net, p, normalize=True), style=style)
    _, gradient = together.evaluate(x)
    for i in range(3):
        alone = gatys.Objective(net, content=gatys.extract_content(net, p[i : i + 1], normalize=True), style=style)
        assert relative(alone.evaluate(x[i : i + 1])[1], gradient[i : i + 1]) < 1e-12


@pytest.mark.parametrize("tile", [None, 16])
def test_each_layer_s_part_is_the_oracles(net, tile):
    x, p, a = pictures(1, 3, 32, 40), pictures(1, 3, 32, 40, seed=1), pictures(1, 3, 32, 32, seed=2)
    objective = gatys.Objective(
        net,
        content=gatys.extract_content(net, p, CONTENT, normalize=False),
        style=gatys.extract_style(net, a, STYLE, normalize=False),
    )
    terms, _ = objective.terms(x, tile)
    expected = {f"style {n}": oracle.loss(net, x[0], style=([a[0]], {n: s})).item() for n, s in STYLE.items()}
    expected |= {f"content {n}": oracle.loss(net, x[0], content=(p[0], {n: c})).item() for n, c in CONTENT.items()}
    assert terms.layer_sums() == pytest.approx(expected, rel=1e-9)


def test_the_picture_itself_has_no_loss(net):
    p = pictures(1, 3, 40, 40)
    objective = gatys.Objective(
        net, content=gatys.extract_content(net, p, normalize=False), style=gatys.extract_style(net, p, normalize=False)
    )
    losses, gradient = objective.evaluate(p)
    assert losses["total"] < 1e-20 and gradient.abs().max() < 1e-12


def test_inputs_are_not_modified(net):
    x, p = pictures(1, 3, 20, 20), pictures(1, 3, 20, 20, seed=1)
    kept = x.clone(), p.clone()
    content, style = gatys.extract_content(net, p, normalize=False), gatys.extract_style(net, p, normalize=False)
    gatys.Objective(net, content=content, style=style, tv_weight=1).evaluate(x)
    assert torch.equal(x, kept[0]) and torch.equal(p, kept[1])
    assert not x.requires_grad


def test_float32_agrees_with_float64(net):
    x, p = pictures(1, 3, 64, 48), pictures(1, 3, 64, 48, seed=1)
    losses, gradient = _evaluate(net, x, p)
    single = gatys.load_vgg19("untrained:3", pooling=net.pooling)
    single.load_state_dict(net.state_dict())
    losses32, gradient32 = _evaluate(single, x.float(), p.float())
    assert gradient32.dtype == torch.float32
    assert losses32["total"] == pytest.approx(losses["total"], rel=1e-5)
    assert relative(gradient32.double(), gradient) < 1e-4


def _evaluate(net, x, p):
    content, style = gatys.extract_content(net, p, normalize=True), gatys.extract_style(net, p.flip(-1), normalize=True)
    return gatys.Objective(net, content=content, style=style).evaluate(x)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(205, 40), (33, 230)])
def test_tiles_do_not_change_anything(net, size):
    x, p = pictures(1, 3, *size), pictures(1, 3, *size, seed=1)
    content = gatys.extract_content(net, p, CONTENT, mask=pictures(*size, seed=3), normalize=False)
    style = gatys.extract_style(net, pictures(1, 3, 64, 64, seed=2), STYLE, normalize=True)
    objective = gatys.Objective(net, content=content, style=style, content_weight=0.5, style_weight=2, tv_weight=0.1)
    losses, gradient = objective.evaluate(x)
    for tile in (48, 100):
        tiled, tiled_gradient = objective.evaluate(x, tile=tile)
        assert tiled == pytest.approx(losses, rel=1e-12)
        assert relative(tiled_gradient, gradient) < 1e-12


# by hand


def test_gram_matrix_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    expected = torch.tensor([[1 + 4 + 9 + 16, 2 + 4], [2 + 4, 2.0]])
    assert torch.equal(gram_sum(features)[0], expected)
    assert torch.equal(gram_matrix(features)[0], expected / 4)
    guide = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]])
    guided = torch.tensor([[1 + 0.25 * 4, 0.25 * 2], [0.25 * 2, 0.25]]) / 1.25
    torch.testing.assert_close(gram_matrix(features, guide)[0], guided)


def test_gram_sum_adds_up_over_parts_and_accumulates_in_float32():
    features = pictures(2, 5, 6, 7)
    parts = gram_sum(features[..., :4, :]) + gram_sum(features[..., 4:, :])
    torch.testing.assert_close(parts, gram_sum(features))
    half = torch.full((1, 2, 8, 8), 300.0, dtype=torch.float16)  # 300^2 is more than float16 can hold
    assert gram_sum(half).dtype == torch.float32
    assert torch.equal(gram_sum(half), torch.full((1, 2, 2), 64 * 90000.0))


def test_gram_sum_gradient_is_autograds():
    features = pictures(2, 4, 5, 3).requires_grad_()
    cotangent = pictures(2, 4, 4, seed=1)
    cotangent = cotangent + cotangent.transpose(1, 2)
    weight = pictures(2, 1, 5, 3, seed=2)
    (expected,) = torch.autograd.grad((gram_sum(features, weight) * cotangent).sum(), features)
    torch.testing.assert_close(gram_sum_gradient(features.detach(), cotangent, weight), expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_gram_sum_gradient_adds_to_what_is_there(layout, weighted, dtype, monkeypatch):
    monkeypatch.setattr("gatys.passes.adjoints._AT_A_TIME", 24)  # a row
    features, there = (pictures(2, 4, 5, 3, seed=seed).to(dtype, memory_format=layout) for seed in (0, 3))
    cotangent = torch.eye(4, dtype=torch.promote_types(dtype, torch.float32)).repeat(2, 1, 1)
    weight = pictures(2, 1, 5, 3, seed=2) if weighted else None
    expected = there + gram_sum_gradient(features, cotangent, weight)
    assert gram_sum_gradient(features, cotangent, weight, there) is there
    torch.testing.assert_close(there, expected)


def test_total_variation_by_hand():
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0] = torch.tensor([[0.0, 1.0], [2.0, 4.0]])
    value, _, gradient = total_variation(image)
    assert value.item() == pytest.approx((1 + 4 + 4 + 9) / 12)
    assert gradient[0, 0].flatten().tolist() == pytest.approx([2 * x / 12 for x in (-3, 1 - 3, 2 - 2, 2 + 3)])
    assert total_variation(torch.rand(2, 3, 1, 1))[0].tolist() == [0, 0]


# what is refused


def test_refusals(net):
    p = pictures(1, 3, 32, 32)
    content, style = gatys.extract_content(net, p, normalize=False), gatys.extract_style(net, p, normalize=False)
    with pytest.raises(ValueError, match="expected at least one target, got none"):
        gatys.Objective(net)
    with pytest.raises(ValueError, match=r"image: 31 x 32 pixels, but the content target is 32 x 32"):
        gatys.Objective(net, content=content).evaluate(pictures(1, 3, 32, 31))
    with pytest.raises(ValueError, match="2 pictures, but the content target has 3"):
        gatys.Objective(net, content=gatys.extract_content(net, pictures(3, 3, 32, 32), normalize=False)).evaluate(
            pictures(2, 3, 32, 32)
        )
    with pytest.raises(ValueError, match="style_weight: expected a finite number of at least 0, got nan"):
        gatys.Objective(net, style=style, style_weight=float("nan"))
    with pytest.raises(ValueError, match="tv_weight: expected a finite number of at least 0, got -1"):
        gatys.Objective(net, style=style, tv_weight=-1)
    with pytest.raises(ValueError, match="level: expected 0 to 0, got 1"):
        gatys.Objective(net, style=style, level=1)
    with pytest.raises(ValueError, match="NaN or infinite pixels"):
        gatys.Objective(net, style=style).evaluate(p * float("nan"))
    for tile in (0, -64, 15, 64.0, "64"):
        with pytest.raises(ValueError, match="tile: expected None or a whole number of pixels, at least 16"):
            gatys.Objective(net, style=style).evaluate(p, tile=tile)


def test_targets_of_another_network_are_refused(net):
    p = pictures(1, 3, 32, 32)
    content, style = gatys.extract_content(net, p, normalize=False), gatys.extract_style(net, p, normalize=False)
    other_pooling = gatys.load_vgg19("untrained:3", pooling="max" if net.pooling == "average" else "average")
    other_weights = gatys.load_vgg19("untrained:4", pooling=net.pooling)
    for other in (other_pooling, other_weights):
        with pytest.raises(
            ValueError, match=r"content: made with untrained:3 .* but the network given is untrained:\d"
        ):
            gatys.Objective(other, content=content)
        with pytest.raises(ValueError, match="style: made with .*extract it again with that network"):
            gatys.Objective(other, style=style)
