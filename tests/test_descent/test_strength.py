"""Strength: one number that moves content against style."""

import itertools
import math
from functools import partial

import pytest
import torch
from pictures import picture

import gatys
from gatys.pictures.resampling import resize
from gatys.settings import LOOSEST, STRENGTH_KNOTS, content_factor

QUICK = {"steps": 3, "tile": None, "precision": "float32"}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(scope="module")
def targets(net):
    content = gatys.extract_content(net, picture(1, size=(32, 40)))
    return {"content": content, "style": gatys.extract_style(net, picture(2, size=(32, 40)))}


def test_the_middle_changes_no_weight_and_every_step_up_lowers_it():
    assert content_factor(0.5) == 1.0 and gatys.Settings().alpha == gatys.Settings().content_weight
    factors = [content_factor(step / 100) for step in range(101)]
    assert all(before > after > 0 for before, after in itertools.pairwise(factors))


def test_the_factor_is_straight_in_its_logarithm_between_the_knots():
    places, logs = zip(*STRENGTH_KNOTS, strict=True)
    assert places[0] == 0 and places[-1] == 1 and list(places) == sorted(places)
    for place, log in STRENGTH_KNOTS:
        assert math.log10(content_factor(place)) == pytest.approx(log, abs=1e-12)
    for (low, at_low), (high, at_high) in itertools.pairwise(zip(places, logs, strict=True)):
        middle = content_factor((low + high) / 2)
        assert middle == pytest.approx(math.sqrt(10**at_low * 10**at_high), rel=1e-12)


@pytest.mark.parametrize("function", ["optimize", "optimize_frames"])
@pytest.mark.parametrize(("strength", "init"), [(0.3, "auto"), (0.9, "noise")])
def test_it_is_a_factor_on_the_content_weight(net, targets, function, strength, init):
    content, style = targets["content"], targets["style"]
    paint = partial(getattr(gatys, function), net, style=style, init=init, **QUICK)
    moved = paint(content=content, strength=strength, content_weight=0.5)
    by_weight = paint(content=content, content_weight=0.5 * content_factor(strength))
    plain = paint(content=content, content_weight=0.5)
    pictures = [result.image if function == "optimize" else result.images for result in (moved, by_weight, plain)]
    assert torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[0], pictures[2])


def first_picture(**how):
    seen = []

    def stop(progress):
        seen.append(progress.image.cpu())
        raise StopIteration

    gatys.optimize(callback=stop, **QUICK | how)
    return seen[0]


@pytest.mark.parametrize("init", ["auto", "recolored", "content"])
@pytest.mark.parametrize(("strength", "share"), [(0.5, 0), (0.2, 0), (0.75, LOOSEST / 2), (1.0, LOOSEST)])
def test_above_the_middle_a_start_of_the_content_has_large_grained_noise(net, targets, init, strength, share):
    size = (32, 40)
    content = targets["content"].image
    plain = content if init == "content" else first_picture(net=net, **targets, init=init)
    generator = torch.Generator().manual_seed(5)
    drawn = torch.rand(1, 3, 16, 20, generator=generator)  # half as long, since the picture is so small
    loose = (1 - share) * plain + share * resize(drawn, size)
    assert torch.allclose(first_picture(net=net, **targets, init=init, strength=strength, seed=5), loose, atol=1e-6)


@pytest.mark.parametrize("init", ["noise", "mean", picture(9, size=(32, 40))], ids=["noise", "mean", "a picture"])
def test_other_starts_are_left_as_they_are(net, targets, init):
    own, strong = (first_picture(net=net, **targets, init=init, strength=strength) for strength in (0.5, 1.0))
    assert torch.equal(own, strong)


def test_the_noise_of_a_picture_that_stays_grey_is_grey(net):
    grey = [picture(seed, size=(32, 40)).mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous() for seed in (1, 2)]
    targets = {"content": gatys.extract_content(net, grey[0]), "style": gatys.extract_style(net, grey[1])}
    loose = first_picture(net=net, **targets, strength=1.0)
    assert not torch.allclose(loose, first_picture(net=net, **targets), atol=0.05)
    assert torch.equal(loose, loose[:, :1].expand(-1, 3, -1, -1))


def test_stylize_takes_it_and_settings_hold_it(net):
    paint = partial(gatys.stylize, picture(1, size=(32, 40)), picture(2, size=(32, 40)), net=net, size=40, **QUICK)
    strong = paint(strength=0.9)
    assert torch.equal(strong.image, paint(settings=gatys.Settings(strength=0.9)).image)
    assert not torch.equal(strong.image, paint().image)


@pytest.mark.slow
def test_more_of_it_leaves_less_of_the_content(net, targets):
    losses = [
        gatys.Objective(net, **targets).evaluate(
            gatys.optimize(net, **targets, strength=strength, **QUICK | {"steps": 15}).image
        )[0]["content"]
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert losses == sorted(losses) and losses[-1] > 2 * losses[0]


def test_without_content_it_does_nothing(net, targets):
    texture = partial(gatys.optimize, net, style=targets["style"], **QUICK)
    assert torch.equal(texture(strength=1.0).image, texture().image)


@pytest.mark.parametrize("value", [3, -0.1, math.nan, math.inf, True, "0.5", None], ids=str)
def test_anything_else_is_refused(value):
    with pytest.raises(gatys.InputError, match="strength: expected a number from 0 to 1, got ") as refused:
        gatys.Settings(strength=value)
    assert str(refused.value).endswith(repr(value))


def test_a_checkpoint_is_that_of_its_strength(net, targets, tmp_path):
    def stop(progress):
        if progress.step == 2:
            raise StopIteration

    file = tmp_path / "run.safetensors"
    run = partial(gatys.optimize, net, **targets, **QUICK, checkpoint=file)
    run(strength=0.8, callback=stop)
    with pytest.raises(
        gatys.CheckpointError, match="another run, which differs in its starting picture, content_weight;"
    ):
        run()
    with pytest.raises(gatys.CheckpointError, match="which differs in its starting picture, content_weight, strength;"):
        run(strength=0.7)
    whole = gatys.optimize(net, **targets, **QUICK, strength=0.8)
    assert torch.equal(run(strength=0.8).image, whole.image)


def test_a_preset_s_loss_is_its_own_until_the_strength_is_moved(net):
    pictures = picture(1, size=(32, 32)), picture(2, size=(32, 32))
    udacity = partial(gatys.presets["udacity"].optimize, net, *pictures, steps=1, init="noise")
    own, weak = (udacity(**how).history[0] for how in ({}, {"strength": 0.0}))
    assert weak.content == own.content and weak.style == own.style
    weight = gatys.presets["udacity"].settings((32, 32))["content_weight"]
    gained = weight * own.content * (content_factor(0.0) - 1)
    assert weak.total - own.total == pytest.approx(gained, rel=0.01)
