"""The Laplacian term beside an independent one in float64: poolings, shifts and autograd."""

import pytest
import torch
import torch.nn.functional as F

import gatys


def picture(count, height, width, seed):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cells(pixels, pool, padding):
    """The means of cells, each half a cell from the next, as one pooling of the pixels."""
    grey, half = pixels.mean(dim=1, keepdim=True), pool // 2
    height, width = (edge // half * half for edge in grey.shape[-2:])
    grey = grey[..., :height, :width]
    below, beside = padding == "circular", padding in ("circular", "panorama")
    grey = F.pad(grey, (0, half * beside, 0, half * below), mode="circular")
    return F.avg_pool2d(grey, pool, half)


def lines(pixels, pool, padding):
    """Each of the four grids of cells by itself, since they overlap."""
    found = torch.zeros_like(cells(pixels, pool, padding))
    whole = cells(pixels, pool, padding)
    for axis in (2, 3):
        for step in (-2, 2):
            near = whole.roll(-step, axis)
            if padding != "circular" and (padding != "panorama" or axis == 2):  # the cell itself is in its place
                edge = [slice(None)] * 4
                edge[axis] = slice(-2, None) if step > 0 else slice(0, 2)
                near = near.clone()
                near[tuple(edge)] = whole[tuple(edge)]
            found = found + whole - near
    return found


def expected(image, photo, mask, padding):
    total = 0.0
    for pool in (4, 16):
        if min(photo.shape[-2:]) >= pool:
            guide = 1.0 if mask is None else cells(mask[:, None], pool, padding)
            own = lines(photo, pool, padding)
            size = own.square().mean(dim=(1, 2, 3)).clamp(min=1 / 255**2)
            total = total + (guide * (lines(image, pool, padding) - own).square()).mean(dim=(1, 2, 3)) / size
    return total


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:3", "average").double()


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("padding", ["zero", "circular", "panorama"])
@pytest.mark.parametrize("size", [(70, 53), (15, 40), (3, 20)])
def test_loss_and_gradient_are_those_of_the_definition(net, size, padding, masked, tile):
    photo, image = picture(2, *size, 1), picture(2, *size, 2).requires_grad_()
    mask = torch.rand(2, *size, generator=torch.Generator().manual_seed(3), dtype=torch.float64) if masked else None
    content = gatys.extract_content(net, photo, {"conv1_1": 1.0}, mask=mask, padding=padding)
    style = gatys.extract_style(net, picture(1, 20, 24, 5), {"conv1_1": 1.0})
    with_it, without = (
        gatys.Objective(net, content=content, style=style, laplacian_weight=weight, tv_weight=0.2)
        for weight in (0.7, 0.0)
    )
    value = expected(image, photo, mask, padding)
    slope = torch.autograd.grad(value.sum(), image)[0] if size[0] >= 4 else torch.zeros_like(image)
    (terms, gradient), (bare, bare_gradient) = (each.terms(image.detach(), tile) for each in (with_it, without))
    found = terms.layers["laplacian"] if size[0] >= 4 else terms.layers["laplacian"] + value
    assert torch.allclose(found, torch.as_tensor(value, dtype=torch.float64), rtol=1e-12)
    assert torch.allclose(terms.total - bare.total, 0.7 * terms.layers["laplacian"], rtol=1e-9)
    assert torch.allclose(gradient - bare_gradient, 0.7 * slope, rtol=1e-9, atol=1e-15)
    assert "laplacian" not in bare.layers


@pytest.mark.parametrize("levels", [1, 2])
def test_its_batches_and_levels_are_those_of_single_pictures(net, levels):
    photos, image = picture(2, 72, 40, 1), picture(2, 72 >> (levels - 1), 40 >> (levels - 1), 2)
    mask = torch.rand(2, 30, 30, generator=torch.Generator().manual_seed(3))
    content = gatys.extract_content(net, photos, {"conv2_1": 1.0}, levels=levels, mask=mask)
    both, _ = gatys.Objective(net, content=content, level=levels - 1, laplacian_weight=1.0).terms(image)
    for index, one in enumerate(content.to("cpu").pictures()):
        assert one.mask.shape == (1, 1, 72, 40)
        own, _ = gatys.Objective(net, content=one, level=levels - 1, laplacian_weight=1.0).terms(
            image[index : index + 1]
        )
        assert torch.allclose(own.layers["laplacian"], both.layers["laplacian"][index], rtol=1e-12)


def test_it_is_zero_at_the_content_and_about_one_where_lines_are_gone(net):
    photo = picture(1, 64, 64, 1)
    content = gatys.extract_content(net, photo, {"conv1_1": 1.0})
    objective = gatys.Objective(net, content=content, laplacian_weight=1.0, content_weight=0.0)
    assert objective.evaluate(photo)[0]["total"] == 0
    assert objective.evaluate((photo + 0.1).clamp(0, 1).mul(0).add(0.3))[0]["total"] == pytest.approx(2)  # both cells
    flat = gatys.extract_content(net, torch.full_like(photo, 0.3), {"conv1_1": 1.0})
    assert gatys.Objective(net, content=flat, laplacian_weight=1.0).evaluate(photo)[0]["total"] < 1e4


def test_a_run_keeps_lines_and_tells_of_them(net):
    content = gatys.extract_content(net, picture(1, 48, 48, 1), levels=2)
    style = gatys.extract_style(net, picture(1, 48, 48, 7), levels=2)
    how = {"content": content, "style": style, "steps": [10, 5], "tolerance": 0.0}
    with_it, without = (gatys.optimize(net, laplacian_weight=weight, **how) for weight in (1.0, 0.0))
    objective = gatys.Objective(net, content=content, laplacian_weight=1.0, content_weight=0.0)
    kept, lost = (objective.evaluate(result.image)[0]["total"] for result in (with_it, without))
    assert kept < 0.5 * lost
    assert with_it.history[-1].layers["laplacian"] == pytest.approx(kept, rel=0.5)
    shares = gatys.gradient_shares(
        gatys.Objective(net, content=content, style=style, laplacian_weight=1.0), with_it.image
    )
    assert shares["laplacian"] > 0


def test_it_follows_the_frames_of_a_film(net):
    content = gatys.extract_content(net, picture(2, 32, 32, 1))
    style = gatys.extract_style(net, picture(1, 32, 32, 7))
    result = gatys.optimize_frames(net, content, style=style, steps=3, later_steps=2, laplacian_weight=0.5)
    assert all("laplacian" in record.layers for history in result.histories for record in history)


def test_without_content_it_is_refused(net):
    style = gatys.extract_style(net, picture(1, 32, 32, 7))
    said = "laplacian_weight: expected content, whose lines it keeps, beside a weight of 0.5, got none; give content"
    with pytest.raises(gatys.InputError, match=said):
        gatys.optimize(net, style=style, size=(32, 32), laplacian_weight=0.5)
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(gatys.InputError, match="laplacian_weight: expected a finite number of at least 0"):
            gatys.Settings(laplacian_weight=weight)
        with pytest.raises(gatys.InputError, match="laplacian_weight: expected a finite number of at least 0"):
            gatys.Objective(net, content=gatys.extract_content(net, picture(1, 32, 32, 1)), laplacian_weight=weight)
