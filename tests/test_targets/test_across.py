"""Styles across layers, against their definition in float64: whole maps, centred features, plain autograd."""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from pictures import noise
from safetensors import safe_open
from safetensors.torch import save_file

import gatys
import gatys.passes.bands
from gatys.targets.across import Across

FIVE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.5, "conv4_1": 0.7, "conv5_1": 1.1}
CHAINS = {
    "blocks": FIVE,
    "a block left out": {"conv1_1": 0.5, "conv3_1": 1.0},
    "two of a block": {"conv1_2": 1.0, "conv1_1": 0.5, "conv2_2": 0.25},  # in another order than the network's
    "deep": {"conv3_1": 0.5, "conv3_3": 1.0, "conv5_1": 2.0},
}
each_chain = pytest.mark.parametrize("layers", CHAINS.values(), ids=CHAINS)


def picture(count, height, width, seed):
    return noise(count, 3, height, width, seed=seed, dtype=torch.float64)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:3").double()


@pytest.fixture
def narrow_bands(monkeypatch):
    monkeypatch.setattr(gatys.passes.bands, "values_in_band", lambda device: 0)
    monkeypatch.setattr(gatys.passes.bands, "_FEWEST_ROWS", 6)


def parts_of(net, pixels, layers, mask=None):
    """The covariance and the product of means of each layer with the one before it, by their definition."""
    found, before = {}, None
    names = [name for name in net.layers if name in layers]
    features = net(pixels, names)
    for name in names:
        g, stride = features[name], net.layers[name].stride
        f = g if before is None else F.avg_pool2d(features[before], stride // net.layers[before].stride)
        f, weight = f[..., : g.shape[2], : g.shape[3]].flatten(2), torch.ones_like(g[:, :1]).flatten(2)
        g = g.flatten(2)
        if mask is not None:
            guide = mask
            for _ in range(int(math.log2(stride))):
                guide = F.avg_pool2d(guide, 2)
            weight = guide.square().flatten(2).expand(len(g), -1, -1)
        mass = weight.sum(dim=2, keepdim=True)
        m, n = ((each * weight).sum(dim=2, keepdim=True) / mass for each in (f, g))
        found[name] = ((f - m) * weight) @ (g - n).mT / mass, m @ n.mT
        before = name
    return found


def expected(net, image, painting, layers, *, normalize=False, mask=None):
    own, wanted = parts_of(net, image, layers, mask), parts_of(net, painting, layers)
    total = 0.0
    for name, coefficient in layers.items():
        count = wanted[name][0][0].numel()
        apart = sum((a - b).square().sum(dim=(1, 2)) for a, b in zip(own[name], wanted[name], strict=True)) / (
            4 * count
        )
        size = sum(float(b.square().sum()) for b in wanted[name]) / count if normalize else 1.0
        total = total + coefficient * apart / size
    return total


@each_chain
@pytest.mark.parametrize("normalize", [False, True])
def test_loss_and_gradient_are_those_of_the_definition(net, layers, normalize):
    image, painting = picture(2, 54, 37, 1).requires_grad_(), picture(1, 43, 41, 2)
    value = expected(net, image, painting, layers, normalize=normalize)
    (slope,) = torch.autograd.grad(value.sum(), image)
    style = gatys.extract_style(net, painting, layers, statistic="across", normalize=normalize)
    terms, gradient = gatys.Objective(net, style=style).terms(image.detach())
    assert torch.allclose(terms.style, value.detach(), rtol=1e-9)
    assert (gradient - slope).norm() <= 1e-9 * slope.norm() and slope.norm() > 0


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    ("chain", "padding"), [*zip(CHAINS, ("zero", "replicate", "circular", "panorama"), strict=True)]
)
def test_tiles_and_bands_change_nothing(net, chain, padding, narrow, request):
    layers, image, painting = CHAINS[chain], picture(2, 54, 37, 1), picture(1, 43, 41, 2)
    style = gatys.extract_style(net, painting, layers, statistic="across", tile=None, padding=padding)
    whole, gradient = gatys.Objective(net, style=style, padding=padding).terms(image)
    if narrow:
        request.getfixturevalue("narrow_bands")
    tiled = gatys.extract_style(net, painting, layers, statistic="across", tile=32, padding=padding)
    objective = gatys.Objective(net, style=tiled, padding=padding)
    for tile, keep in ((None, False), (32, True), ((16, 40), True), (16, False)):
        terms, found = objective.terms(image, tile, keep=keep)
        assert torch.allclose(terms.style, whole.style, rtol=1e-9), (tile, keep)
        assert (found - gradient).norm() <= 1e-9 * gradient.norm(), (tile, keep)


def test_it_is_guided_by_regions(net, narrow_bands):
    image, painting = picture(1, 64, 48, 1).requires_grad_(), picture(1, 40, 56, 2)
    mask = torch.rand(1, 1, 64, 48, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    layers = CHAINS["a block left out"]
    value = sum(expected(net, image, painting, layers, mask=each) for each in (mask, 1 - mask))
    (slope,) = torch.autograd.grad(value.sum(), image)
    style = gatys.extract_style(net, painting, layers, statistic="across", normalize=False)
    objective = gatys.Objective(net, style=gatys.regional_style([(style, mask), (style, 1 - mask)]))
    for tile in (None, 16):
        losses, gradient = objective.evaluate(image.detach(), tile)
        # masks are kept in float32
        assert losses["style"] == pytest.approx(float(value.detach()), rel=1e-5)
        assert (gradient - slope).norm() <= 1e-5 * slope.norm()


def test_the_gradients_of_its_layers_add_up(net):
    image = picture(1, 48, 40, 1)
    content = gatys.extract_content(net, picture(1, 48, 40, 4), {"conv3_1": 1.0})
    style = gatys.extract_style(net, picture(1, 48, 40, 2), FIVE, statistic="across")
    objective = gatys.Objective(net, content=content, style=style)
    (terms, gradient), parts = objective.terms(image), dict(objective.only())
    assert list(parts) == ["content conv3_1", *(f"style {name}" for name in FIVE)]
    found = {name: part.terms(image, 32) for name, part in parts.items()}
    assert (sum(each for _, each in found.values()) - gradient).norm() <= 1e-9 * gradient.norm()
    for name, (own, _) in found.items():
        assert torch.allclose(own.layers[name], terms.layers[name], rtol=1e-9)


def test_an_evaluation_that_is_cut_off_leaves_nothing_behind(net, monkeypatch):
    image = picture(1, 64, 48, 1)
    objective = gatys.Objective(net, style=gatys.extract_style(net, picture(1, 48, 40, 2), FIVE, statistic="across"))
    whole, gradient = objective.terms(image)
    import gatys.objective.two_passes as passes

    with monkeypatch.context() as during:
        during.setattr(passes, "backward", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            objective.terms(image, 32, keep=True)
    terms, found = objective.terms(image, 32, keep=True)
    assert torch.allclose(terms.style, whole.style, rtol=1e-9)
    assert (found - gradient).norm() <= 1e-9 * gradient.norm()
    assert all(not term._chain._held and not any(term._chain._pieces.values()) for term in objective._terms[:1])


@pytest.mark.parametrize(("dtype", "alike"), [(torch.bfloat16, 0.95), (torch.float16, 0.995)])
@pytest.mark.parametrize("statistic", ["across", "covariance"])
def test_in_lower_precision_it_is_nearly_the_same(statistic, dtype, alike):
    net = gatys.load_vgg("untrained:3")
    image, painting = picture(1, 64, 48, 1).float(), picture(1, 64, 48, 2).float()
    style = gatys.extract_style(net, painting, FIVE, statistic=statistic)
    objective = gatys.Objective(net, style=style)
    whole, gradient = objective.evaluate(image)
    objective.compute_in(dtype)
    for tile in (None, 32):
        losses, found = objective.evaluate(image, tile)
        assert losses["style"] == pytest.approx(whole["style"], rel=0.05)
        assert F.cosine_similarity(found.flatten(), gradient.flatten(), dim=0) > alike


def test_one_layer_has_none_before_it(net):
    said = "statistic: 'across' compares each layer of the style with the one before it, got conv2_1 alone; choose two"
    with pytest.raises(gatys.InputError, match=said):
        gatys.extract_style(net, picture(1, 32, 32, 1), ["conv2_1"], statistic="across")


def test_blends_have_the_same_layers(net):
    one, other = (
        gatys.extract_style(net, picture(1, 32, 32, 1), layers, statistic="across")
        for layers in (["conv1_1", "conv2_1"], ["conv1_1", "conv3_1"])
    )
    said = "'across' compares each layer with the one before it, but one style has conv1_1, conv2_1, another conv1_1, conv3_1"
    with pytest.raises(gatys.InputError, match=said):
        gatys.blend_styles([(one, 1), (other, 1)])


def test_a_file_keeps_it_or_is_refused(net, tmp_path):
    layers = ["conv4_1", "conv5_1", "conv1_1"]  # two have equally many channels, and yet no symmetric matrix
    style = gatys.extract_style(net, picture(1, 48, 32, 1), layers, statistic="across", levels=2)
    path = style.save(tmp_path / "style.safetensors")
    kept = gatys.StyleTarget.load(path)
    assert isinstance(kept.statistic, Across) and kept.values[1]["conv4_1"].shape == (1, 65, 513)
    assert torch.equal(kept.values[0]["conv5_1"], style.values[0]["conv5_1"].float())
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    swapped = tensors | {"level0.conv5_1": tensors["level0.conv4_1"]}
    save_file({name: each.clone() for name, each in swapped.items()}, path, metadata)
    with pytest.raises(gatys.StyleFileError, match=r"conv5_1 is torch.float32 \(65, 513\) instead of .*\(513, 513\)"):
        gatys.StyleTarget.load(path)
    record = json.loads(metadata["style"])
    metadata["style"] = json.dumps(record | {"layers": {"conv1_1": 1.0}})
    save_file({name: each.clone() for name, each in tensors.items() if name.endswith("conv1_1")}, path, metadata)
    with pytest.raises(gatys.StyleFileError, match="its statistic is 'across', of one layer instead of two or more"):
        gatys.StyleTarget.load(path)


def test_the_plan_counts_what_it_keeps(net):
    from gatys.passes.plan import make_plan

    style = gatys.extract_style(net, picture(1, 48, 32, 1), FIVE, statistic="across")
    objective = gatys.Objective(net, style=style)
    assert objective.held == 64 / 4 + 128 / 16 + 256 / 64 + 512 / 256
    plain, held = (
        make_plan((256, 256), objective.used, memory=2**34, tile=None, held=values) for values in (0.0, objective.held)
    )
    assert held.bytes - plain.bytes == pytest.approx(30 * 4 * 256 * 256, rel=1e-3)
    assert gatys.Objective(net, style=gatys.extract_style(net, picture(1, 48, 32, 1), FIVE)).held == 0
