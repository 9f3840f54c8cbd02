"""Reductions of pictures and their adjoints, against PyTorch's own resampling and its autograd."""

import pytest
import torch
import torch.nn.functional as F
from pictures import noise

from gatys.pictures import reduction
from gatys.pictures.reduction import Reduction
from gatys.pictures.resampling import resize_ring

SIZES = [((37, 50), (18, 25)), ((64, 33), (32, 16)), ((16, 301), (8, 150)), ((41, 23), (10, 6)), ((9, 12), (9, 12))]


@pytest.fixture(params=[7, 256], ids=["blocks of 7 rows", "blocks of 256 rows"], autouse=True)
def rows(request, monkeypatch):
    monkeypatch.setattr(reduction, "ROWS", request.param)


@pytest.mark.parametrize(("size", "to"), SIZES)
def test_reductions_are_pytorchs_resampling_and_its_gradient(size, to):
    x, g = (noise(2, 3, *each, seed=each[0], dtype=torch.float64) for each in (size, to))
    map_ = Reduction(size, to, x)
    leaf = x.clone().requires_grad_()
    expected = F.interpolate(leaf, to, mode="bicubic", antialias=True, align_corners=False)
    assert torch.allclose(map_.reduce(x), expected, rtol=0, atol=1e-12)
    (gradient,) = torch.autograd.grad(expected, leaf, g)
    assert torch.allclose(map_.pull(g), gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rings", [(True, True), (False, True)])
@pytest.mark.parametrize(("size", "to"), SIZES)
def test_rings_are_the_middle_of_their_kind(size, to, rings):
    x, g = 0.3 + 0.4 * noise(1, 3, *size, dtype=torch.float64), noise(1, 3, *to, seed=1, dtype=torch.float64)
    map_ = Reduction(size, to, x, rings=rings)
    assert torch.allclose(map_.reduce(x), resize_ring(x, to, rings), rtol=0, atol=1e-12)  # nothing there to be clamped
    assert (map_.reduce(x) * g).sum().item() == pytest.approx((x * map_.pull(g)).sum().item(), rel=1e-12)


def test_nothing_is_clamped():
    x = torch.zeros(1, 3, 32, 32)
    x[..., 16:] = 1.0
    made = Reduction((32, 32), (16, 16), x).reduce(x)
    assert made.min() < -0.01 and made.max() > 1.01
