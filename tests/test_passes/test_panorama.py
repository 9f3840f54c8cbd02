"""Panoramas: left and right meet, and nothing shows where; loss and gradient are those of plain autograd."""

import copy
from functools import partial

import oracle
import pytest
import torch
import torch.nn.functional as F
from pictures import noise

import gatys
from gatys.objective.smoothness import total_variation

CONTENT = {"conv3_2": 0.7, "conv2_2": 0.3}
STYLE = {"conv1_1": 0.2, "conv3_1": 0.3, "conv4_1": 0.5}
pictures = partial(noise, dtype=torch.float64)


@pytest.fixture(scope="module", params=["average", "max"])
def net(request):
    return gatys.load_vgg("untrained:3", pooling=request.param).double()


def smoothness(x, form):
    """Smoothness of each picture, its neighbours across the seam by `F.pad`."""
    down = x.diff(dim=2)
    right = F.pad(x, (0, 1, 0, 0), mode="circular").diff(dim=3)
    if form == "corner":  # the last row has no neighbour below
        right = right[:, :, :-1]
    size = torch.abs if form == "absolute" else torch.square
    return (size(down).sum((1, 2, 3)) + size(right).sum((1, 2, 3))) / x[0].numel()


def plain_loss(net, x, content, guide, style, form):
    """The loss of each picture of a batch, by autograd alone."""
    mine = oracle.responses(net, x, "panorama")
    theirs = oracle.responses(net, content, "panorama")
    total = 0.1 * smoothness(x, form)
    for name, coefficient in CONTENT.items():
        square = (mine[name] - theirs[name]) ** 2 * oracle.pooled(guide, name)
        total = total + 0.5 * coefficient * square.mean((1, 2, 3))
    for name, coefficient in STYLE.items():
        gram = torch.stack([oracle.gram(f) for f in mine[name]])
        difference = gram - style.grams[0][name]
        total = total + 2.0 * coefficient * difference.square().sum((1, 2)) / (4 * gram.shape[1] ** 2)
    return total


@pytest.mark.parametrize("form", ["squared", "absolute", "corner"])
def test_loss_and_gradient_are_those_of_autograd(net, form):
    x, p, guide = pictures(2, 3, 27, 48), pictures(2, 3, 27, 48, seed=1), pictures(1, 1, 27, 48, seed=3)
    content = gatys.extract_content(net, p, CONTENT, mask=guide, padding="panorama", normalize=False)
    style = gatys.extract_style(net, pictures(1, 3, 24, 24, seed=2), STYLE, normalize=False)
    leaf = x.clone().requires_grad_()
    loss = plain_loss(net, leaf, p, guide, style, form)
    (expected,) = torch.autograd.grad(loss.sum(), leaf)
    weights = {"content_weight": 0.5, "style_weight": 2.0, "tv_weight": 0.1, "tv_form": form}
    objective = gatys.Objective(net, content=content, style=style, **weights)
    assert objective.padding == "panorama"
    for tile, keep in ((None, False), (16, False), ((16, 48), True)):
        terms, gradient = objective.terms(x, tile, keep=keep)
        torch.testing.assert_close(terms.total, loss.detach(), rtol=1e-10, atol=0)
        assert ((gradient - expected).norm() / expected.norm()).item() < 1e-10


def test_a_style_s_sums_are_those_of_the_ring(net):
    p = pictures(1, 3, 27, 48)
    style = gatys.extract_style(net, p, STYLE, padding="panorama", normalize=False, tile=32)
    plain = oracle.responses(net, p, "panorama")
    for name in STYLE:
        torch.testing.assert_close(style.grams[0][name][0], oracle.gram(plain[name][0]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [(24, 21)])
def test_a_width_that_the_poolings_do_not_divide_is_the_picture_repeated(net, size):
    p = pictures(1, 3, *size)
    content = gatys.extract_content(net, p, CONTENT, padding="panorama", normalize=False, tile=32)
    columns = torch.arange(-48, size[1] + 48) % size[1]
    around = oracle.responses(net, p[..., columns], "replicate")
    for name, stride in (("conv3_2", 4), ("conv2_2", 2)):
        expected = around[name][..., 48 // stride : 48 // stride + size[1] // stride]
        torch.testing.assert_close(content.features[0][name], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("padding", ["panorama", "replicate"])
def test_a_whole_run_does_not_know_where_the_seam_is(net, padding):
    """A picture that is turned around first gives the result turned around: its levels, its start, its target, all."""
    photo, painting, near = (pictures(1, 3, 16, 64, seed=seed) for seed in (1, 2, 3))
    style = gatys.extract_style(net, painting, {"conv1_1": 1.0, "conv3_1": 1.0}, 2)

    def turned(by):
        content = gatys.extract_content(net, photo.roll(by, -1), {"conv2_2": 1.0}, 2, padding=padding)
        temporal = gatys.TemporalTarget(near.roll(by, -1))
        found = gatys.optimize(
            net, content=content, style=style, temporal=temporal, steps=(3, 3), tv_weight=0.1, tolerance=0
        )
        return found.image.roll(-by, -1)

    far = (turned(16) - turned(0)).abs().max().item()
    assert far < 1e-6 if padding == "panorama" else far > 1e-3


def test_neighbours_meet_across_the_seam_only():
    image = torch.zeros(1, 3, 4, 5)
    image[..., 0] = 1  # a step to the right, and one over the seam
    assert total_variation(image, rings=(False, True))[0].item() == pytest.approx(2 * 12 / 60)
    assert total_variation(image)[0].item() == pytest.approx(12 / 60)
    image = torch.zeros(1, 3, 4, 5)
    image[..., 0, :] = 1
    assert total_variation(image, rings=(False, True))[0].item() == pytest.approx(15 / 60)


def test_paintings_are_read_with_their_border_repeated(net, monkeypatch):
    read, single = [], copy.deepcopy(net).float()
    monkeypatch.setattr(
        "gatys.descent.stylize.extract_style",
        lambda *args, **how: read.append(how["padding"]) or gatys.extract_style(*args, **how),
    )
    photo, painting = pictures(1, 3, 32, 64).float(), pictures(1, 3, 32, 40, seed=2).float()
    gatys.stylize(photo, painting, net=single, size=None, steps=2, padding="panorama", style_layers=["conv1_1"])
    gatys.stylize(photo, painting, net=single, size=None, steps=2, style_layers=["conv1_1"])
    assert read == ["replicate", "zero"]
