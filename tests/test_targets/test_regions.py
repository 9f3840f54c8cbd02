"""Regions and the temporal term against plain autograd."""

from dataclasses import replace
from functools import partial

import oracle
import pytest
import torch
from pictures import noise

import gatys
from gatys.network.layers import LAYERS
from gatys.targets.regions import inside_guide

LEFT = {"conv1_1": 0.3, "conv3_1": 0.4}
RIGHT = {"conv1_1": 0.5, "conv4_1": 0.2}
pictures = partial(noise, dtype=torch.float64)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained:3", pooling="average").double()


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def masks(height, width):
    """A soft left side and a hard right side, which overlap."""
    across = torch.linspace(0, 1, width, dtype=torch.float32).expand(height, width)
    return (1.2 - across).clamp(0, 1), (across > 0.6).float()


def style_loss(net, x, painting, layers, mask, normalize, propagation="average"):
    """The guided Gram loss of one region, from the formula."""
    mine, theirs, total = oracle.responses(net, x[None]), oracle.responses(net, painting[None]), 0
    for name, coefficient in layers.items():
        guide = oracle.pooled(mask, name) if propagation == "average" else _inside(mask, name)
        target = oracle.gram(theirs[name][0]).detach()
        square = (oracle.gram(mine[name][0], guide) - target).square().sum() / (4 * len(target) ** 2)
        total = total + coefficient * square / (target.square().mean() if normalize else 1)
    return total


def _inside(mask, name):
    """Unit by unit: the least of the mask in the unit's receptive field, cut at the border."""
    layer, (height, width) = LAYERS[name], mask.shape[-2:]

    def reach(i, edge):
        return slice(max(0, layer.stride * i + layer.first), min(edge, layer.stride * i + layer.last + 1))

    rows = [
        [mask[0, 0, reach(i, height), reach(j, width)].min() for j in range(width // layer.stride)]
        for i in range(height // layer.stride)
    ]
    return torch.tensor(rows)[None, None].double()


@pytest.mark.parametrize("propagation", ["average", "inside"])
@pytest.mark.parametrize("normalize", [False, True])
def test_guided_grams_are_the_oracles(net, normalize, propagation):
    height, width = 37, 90
    x, a, b, p = (
        pictures(3, height, width),
        pictures(3, 40, 33, seed=1),
        pictures(3, 33, 50, seed=2),
        pictures(3, height, width, seed=3),
    )
    left, right = masks(height, width)
    if propagation == "inside":
        left[:, :80], right = 1, torch.ones(height, width)  # room enough for what conv4_1 sees
    style = gatys.regional_style(
        [
            (gatys.extract_style(net, a[None], LEFT, normalize=normalize), left),
            (gatys.extract_style(net, b[None], RIGHT, normalize=normalize), right[None, None]),
        ],
        propagation=propagation,
    )
    content = gatys.extract_content(net, p[None], {"conv2_2": 1.0}, normalize=False)
    objective = gatys.Objective(net, content=content, style=style, content_weight=0.5, style_weight=2)
    losses, gradient = objective.evaluate(x[None])
    leaf = x.clone().requires_grad_()
    guides = [mask[None, None].double() for mask in (left, right)]
    style_term = sum(
        style_loss(net, leaf, painting, layers, guide, normalize, propagation)
        for painting, layers, guide in ((a, LEFT, guides[0]), (b, RIGHT, guides[1]))
    )
    expected = 2 * style_term + oracle.loss(net, leaf, content=(p, {"conv2_2": 1.0}), alpha=0.5)
    assert losses["style"] == pytest.approx(style_term.item(), rel=1e-9)
    assert losses["total"] == pytest.approx(expected.item(), rel=1e-9)
    assert relative(gradient[0], torch.autograd.grad(expected, leaf)[0]) < 1e-9
    tiled, tiled_gradient = objective.evaluate(x[None], tile=32)
    assert tiled == pytest.approx(losses, rel=1e-12) and relative(tiled_gradient, gradient) < 1e-12


def test_inside_guide_by_hand():
    mask = torch.ones(1, 1, 5, 8)
    mask[..., 3] = 0.25
    guide = inside_guide(mask, LAYERS["conv1_1"])  # sees one pixel to each side
    assert guide[0, 0, 0].tolist() == [1, 1, 0.25, 0.25, 0.25, 1, 1, 1]


def test_a_mask_of_ones_is_no_mask_and_none_is_everywhere(net):
    x, style = pictures(1, 3, 32, 40), gatys.extract_style(net, pictures(1, 3, 32, 32, seed=1), LEFT, normalize=False)
    plain = gatys.Objective(net, style=style).evaluate(x)
    for mask in (torch.ones(7, 9), None):
        found = gatys.Objective(net, style=gatys.regional_style([(style, mask)])).evaluate(x)
        assert found[0] == pytest.approx(plain[0], rel=1e-6)
        assert relative(found[1], plain[1]) < 1e-5


def test_a_small_region_gets_its_style_in_full(net):
    """The term is 0 where the region looks like its style, however small the region is."""
    painting = pictures(1, 3, 64, 64, seed=1)
    x = pictures(1, 3, 64, 64, seed=2) * 0.2
    x[..., :24] = painting[..., :24]
    mask = torch.zeros(64, 64)
    mask[:, :20] = 1
    part = gatys.extract_style(net, painting, ["conv1_1"], mask=mask, normalize=False)
    losses, _ = gatys.Objective(net, style=gatys.regional_style([(part, mask)])).evaluate(x)
    elsewhere, _ = gatys.Objective(net, style=gatys.regional_style([(part, 1 - mask)])).evaluate(x)
    assert losses["style"] < 1e-12 < 1e-3 * elsewhere["style"]


def test_what_no_region_covers_has_no_style_gradient(net):
    mask = torch.zeros(48, 48)
    mask[:, :16] = 1
    style = gatys.regional_style(
        [(gatys.extract_style(net, pictures(1, 3, 48, 48, seed=1), ["conv1_1"], normalize=False), mask)]
    )
    _, gradient = gatys.Objective(net, style=style).evaluate(pictures(1, 3, 48, 48))
    assert gradient[..., :16].abs().min() > 0 and gradient[..., 18:].abs().max() == 0


def test_regions_chain_and_run_over_levels(net):
    single = gatys.load_vgg19("untrained:3", pooling="average")
    x = pictures(2, 3, 64, 64).float()
    style = gatys.extract_style(single, x[:1].flip(-1), ["conv1_1", "conv2_1"], levels=2, normalize=True)
    content = gatys.extract_content(single, x, ["conv2_2"], levels=2, normalize=True)
    left, right = masks(30, 30)
    both = gatys.regional_style([(style, left), (style, right)])
    chained = gatys.regional_style([(gatys.regional_style([(style, left)]), None), (style, right)])
    runs = [gatys.optimize(single, content=content, style=s, steps=6) for s in (both, chained)]
    assert torch.equal(runs[0].image, runs[1].image)
    assert runs[0].history[-1].total < runs[0].history[3].total


def test_a_mask_for_each_picture_of_a_batch(net):
    x, style = pictures(2, 3, 32, 32), gatys.extract_style(net, pictures(1, 3, 32, 32, seed=1), LEFT, normalize=False)
    each = torch.stack(masks(32, 32))
    _, gradient = gatys.Objective(net, style=gatys.regional_style([(style, each)])).evaluate(x)
    for i in range(2):
        alone = gatys.regional_style([(style, each[i])])
        assert relative(gatys.Objective(net, style=alone).evaluate(x[i : i + 1])[1], gradient[i : i + 1]) < 1e-9


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (lambda s, other: [], "regions: expected at least one pair"),
        (lambda s, other: [(s, torch.zeros(8, 8))], "region mask: .*0 everywhere; paint a region"),
        (lambda s, other: [(s, torch.zeros(1, 3, 8, 8))], r"region mask: expected a tensor of shape .*got \(1, 3, 8, 8\)"),
        (lambda s, other: [(s, torch.full((8, 8), float("nan")))], "region mask: expected finite values"),
        (lambda s, other: [(s, None), (other, None)], "made with untrained:3 .* and with untrained:4 .* do not go together"),
        (lambda s, other: [(gatys.regional_style([(s, None)]), torch.ones(4, 4))], "takes no further mask"),
    ],
)  # fmt: skip
def test_regions_that_are_refused(net, regions, message):
    p = pictures(1, 3, 32, 32)
    style, other = (
        gatys.extract_style(net, p, LEFT, normalize=False),
        gatys.extract_style(gatys.load_vgg19("untrained:4", pooling="average"), p, LEFT, normalize=False),
    )
    with pytest.raises(ValueError, match=message):
        gatys.regional_style(regions(style, other))


def test_the_same_filters_under_another_name_go_together(net):
    style = gatys.extract_style(net, pictures(1, 3, 32, 32), LEFT, normalize=False)
    renamed = replace(style, network=replace(style.network, weights="other name.pth"))
    assert len(gatys.regional_style([(style, None), (renamed, None)]).regions) == 2


def test_other_refusals(net):
    p = pictures(1, 3, 64, 64)
    style = gatys.extract_style(net, p, RIGHT, normalize=False)
    with pytest.raises(ValueError, match="propagation: expected one of average, inside, got 'outside'"):
        gatys.regional_style([(style, None)], propagation="outside")
    with pytest.raises(
        ValueError, match="levels: the styles of the regions have 1, 2; extract them with the same number"
    ):
        gatys.regional_style([(style, None), (gatys.extract_style(net, p, RIGHT, levels=2, normalize=False), None)])
    small = torch.zeros(64, 64)
    small[20:30, 20:30] = 1
    inside = gatys.regional_style([(style, small)], propagation="inside")
    with pytest.raises(ValueError, match="region mask: its area vanishes on the grid of conv4_1 by the rule 'inside'"):
        gatys.Objective(net, style=inside).evaluate(p)


def test_temporal_term_is_autograds(net):
    x, near, mask = pictures(2, 3, 20, 24), pictures(1, 3, 20, 24, seed=1), pictures(2, 1, 20, 24, seed=2)
    style = gatys.extract_style(net, pictures(1, 3, 32, 32, seed=3), LEFT, normalize=False)
    without = gatys.Objective(net, style=style).evaluate(x)
    temporal = gatys.TemporalTarget(near, mask)
    losses, gradient = gatys.Objective(net, style=style, temporal=temporal, temporal_weight=3).evaluate(x)
    leaf = x.clone().requires_grad_()
    term = (mask * (leaf - near) ** 2).mean(dim=(1, 2, 3)).sum()
    assert losses["total"] - without[0]["total"] == pytest.approx(3 * term.item(), rel=1e-9)
    torch.testing.assert_close(gradient - without[1], 3 * torch.autograd.grad(term, leaf)[0])


def test_as_many_masks_as_pictures(net):
    style = gatys.extract_style(net, pictures(1, 3, 20, 20, seed=1), LEFT)
    regions = gatys.regional_style([(style, torch.ones(2, 20, 24))])
    objective = gatys.Objective(net, style=regions)
    objective.evaluate(pictures(2, 3, 20, 24, seed=2))
    with pytest.raises(gatys.InputError, match="region mask: expected 1 mask or 3, one for each picture, got 2; give"):
        objective.evaluate(pictures(3, 3, 20, 24, seed=2))
