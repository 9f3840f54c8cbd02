"""Descents that would stand still: kinks of absolute smoothness at a flat start, and what is said where nothing moved."""

from pathlib import Path

import pytest
import torch
from pictures import picture

import gatys
from gatys.descent import course
from gatys.descent.watched import WINDOW
from gatys.objective.smoothness import total_variation
from gatys.pictures.images import read_image

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def small(name, edge=96):
    return read_image(EXAMPLES / f"{name}.jpg", edge).pixels


def neural_style_pt(net, **changes):
    """The preset at 96 pixels, with the share of smoothness that it has beside the style's gradient at 256 pixels."""
    photo, painting = small("content"), small("style")
    preset = gatys.presets["neural-style-pt"]
    weight = preset.settings(tuple(photo.shape[-2:]))["tv_weight"] * (256 / 96) ** 2
    return preset.optimize(net, photo, painting, **{"steps": 40, "tv_weight": weight} | changes)


def test_a_flat_start_under_absolute_smoothness_is_left(trained_net):
    result = neural_style_pt(trained_net)
    totals = [record.total for record in result.history]
    assert min(totals) < 0.1 * totals[0]
    assert result.image.std() > 0.05 and not result.notes


def test_with_its_kinks_it_is_left_with_noise_and_that_is_told(trained_net, monkeypatch):
    monkeypatch.setattr(course, "TV_ROUNDING", 0.0)
    result = neural_style_pt(trained_net)
    totals = [record.total for record in result.history]
    assert min(totals[:WINDOW]) > 0.999 * totals[0]  # until it was shaken
    assert min(totals) < 0.1 * totals[0]
    (note,) = result.notes
    assert note.startswith(f"step {WINDOW + 1}: the loss stood still; went on from the best picture with noise")


def test_a_run_that_gets_nowhere_says_so(trained_net, monkeypatch):
    monkeypatch.setattr(course, "TV_ROUNDING", 0.0)
    result = neural_style_pt(trained_net, steps=WINDOW)
    (note,) = result.notes
    assert note.startswith("step 10: no progress: the loss was ") and "start from another picture" in note


def test_rounded_smoothness_ends_lower_from_the_content_too(trained_net, monkeypatch):
    def lowest(rounding):
        monkeypatch.setattr(course, "TV_ROUNDING", rounding)
        return min(record.total for record in neural_style_pt(trained_net, init="content").history)

    assert lowest(1 / 255) < lowest(0.0)


def test_the_losses_told_are_those_with_kinks(trained_net):
    result = neural_style_pt(trained_net, steps=12)
    photo, painting = small("content"), small("style")
    objective = gatys.presets["neural-style-pt"].objective(trained_net, photo, painting)
    terms, _ = objective.evaluate(result.image)
    best = min(result.history, key=lambda record: record.total)
    assert result.image.shape == photo.shape
    assert best.tv == pytest.approx(terms["tv"], rel=1e-5)
    assert best.style == pytest.approx(terms["style"], rel=1e-4)


@pytest.mark.parametrize("rings", [(False, False), (True, True), (False, True), (True, False)])
@pytest.mark.parametrize("rounding", [1e-3, 0.1])
def test_rounded_smoothness_against_autograd(rings, rounding):
    image = picture(1, 2, (5, 7), torch.float64)
    image[..., 2:4] = 0.5  # neighbours that are equal
    leaf = image.clone().requires_grad_()
    steps = [leaf.roll(-1, axis) - leaf for axis in (-2, -1)]
    steps = [
        d if ring else d.narrow(axis, 0, d.shape[axis] - 1) for d, axis, ring in zip(steps, (2, 3), rings, strict=True)
    ]
    expected = sum(((d**2 + rounding**2).sqrt() - rounding).sum((1, 2, 3)) for d in steps) / image[0].numel()
    value, smooth, gradient = total_variation(image, "absolute", rings=rings, rounding=rounding)
    torch.testing.assert_close(smooth, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), leaf)[0], rtol=1e-10, atol=1e-14)
    plain = total_variation(image, "absolute", rings=rings)
    assert torch.equal(value, plain[0]) and torch.equal(plain[0], plain[1])
    lost = value - smooth
    assert (lost > 0).all() and (lost < 2 * rounding).all()


@pytest.mark.parametrize("form", ["squared", "corner"])
def test_squares_have_no_kinks_to_round(form):
    image = picture(2, size=(6, 5))
    plain, rounded = (total_variation(image, form, rounding=rounding) for rounding in (0.0, 0.1))
    assert all(torch.equal(one, other) for one, other in zip(plain, rounded, strict=True))


def test_tiles_round_alike():
    net = gatys.load_vgg19("untrained", "max").double()
    style = gatys.extract_style(net, small("style").double(), ["conv1_1"])
    how = {"style": style, "tv_weight": 5.0, "tv_form": "absolute", "tv_rounding": 0.01}
    objective, image = gatys.Objective(net, **how), small("content").double()
    (whole, gradient), (tiled, same) = (objective.terms(image, tile) for tile in (None, 32))
    torch.testing.assert_close(tiled.smooth, whole.smooth, rtol=1e-12, atol=0)
    torch.testing.assert_close(same, gradient, rtol=1e-9, atol=1e-15)
    assert whole.smooth < whole.total


def test_too_few_steps_of_adam_are_told():
    net = gatys.load_vgg19("untrained", "max")
    style = gatys.extract_style(net, small("style", 32), ["conv1_1"])
    how = {"style": style, "init": small("content", 32), "optimizer": "adam"}
    short = gatys.optimize(net, **how, learning_rate=0.001, steps=12)
    (note,) = short.notes
    assert note.startswith(
        "step 12: 12 steps of adam at a learning rate of 0.001 change a pixel by 1.2% of its range at "
    )
    assert note.endswith("most; give at least 20 steps or a higher rate")
    assert not gatys.optimize(net, **how, learning_rate=0.02, steps=12).notes


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("weight", [0.3, 30.0, 300.0])
def test_the_picture_that_comes_back_is_the_best_by_the_loss_that_is_told(trained_net, optimizer, weight):
    photo, painting = (torch.cat([small(name, 64), small(name, 64).flip(-1)]) for name in ("content", "style"))
    targets = {
        "content": gatys.extract_content(trained_net, photo),
        "style": gatys.extract_style(trained_net, painting, ["conv1_1", "conv2_1"]),
    }
    how = {"tv_weight": weight, "tv_form": "absolute"}
    for init in ("mean", "content"):
        result = gatys.optimize(
            trained_net, **targets, **how, init=init, steps=15, optimizer=optimizer, precision="float32"
        )
        alone, _ = gatys.Objective(trained_net, **targets, **how).terms(result.image)
        assert float(alone.total.sum()) <= min(record.total for record in result.history) * (1 + 1e-5)


def test_it_goes_on_from_a_state_to_the_last_bit(trained_net, tmp_path):
    def run(**more):
        return neural_style_pt(trained_net, steps=14, **more)

    def stop(progress):
        if progress.step == 8:
            raise StopIteration

    file = tmp_path / "run.safetensors"
    run(checkpoint=file, callback=stop)
    assert torch.equal(run(checkpoint=file).image, run().image)
