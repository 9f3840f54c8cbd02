"""Grey pictures: where content and styles are grey, so is the result, in every way to make one."""

import json
import logging
from functools import partial

import pytest
import torch
from pictures import noise, picture
from safetensors import safe_open

import gatys
from gatys.cli import command
from gatys.pictures.colors import are_grey, average_channels

SIZE = (40, 33)
QUICK = {"steps": 12, "precision": "float32"}


def grey_picture(seed, count=1, size=SIZE):
    return noise(count, 1, *size, seed=seed).expand(-1, 3, -1, -1).clone()


def is_grey(pictures):
    return bool((pictures.amax(1) == pictures.amin(1)).all())


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(scope="module")
def extract(net):
    return partial(gatys.extract_content, net, levels=2), partial(gatys.extract_style, net, levels=2)


@pytest.fixture(scope="module")
def targets(extract):
    return {"content": extract[0](grey_picture(1)), "style": extract[1](grey_picture(2))}


def test_what_counts_as_grey():
    levels = (grey_picture(1, count=3) * 255).round()
    levels[1, 0, 0, 0] += 1 - 2 * (levels[1, 0, 0, 0] > 0)  # one level of one channel
    levels[2, 0, 0, 0] += 2 - 4 * (levels[2, 0, 0, 0] > 1)
    assert are_grey(levels / 255) == [True, True, False]
    assert are_grey(picture(1, count=2)) == [False, False]


def test_the_averaged_gradient_is_the_derivative_along_grey_pictures(targets):
    net = gatys.load_vgg("untrained").double()
    exact = {
        "content": gatys.extract_content(net, grey_picture(1).double()),
        "style": gatys.extract_style(net, grey_picture(2).double()),
    }
    objective = gatys.Objective(net, **exact, content_weight=0.5)
    at, way = grey_picture(3).double(), grey_picture(4).double() - 0.5
    _, gradient = objective.evaluate(at)
    losses = [objective.evaluate(at + step * way)[0]["total"] for step in (-1e-7, 1e-7)]
    averaged = average_channels(gradient, [True])
    assert is_grey(averaged) and not is_grey(gradient)
    assert float((averaged * way).sum()) == pytest.approx(float(losses[1] - losses[0]) / 2e-7, rel=1e-6)
    assert average_channels(gradient, [False]) is gradient


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["auto", "noise", "mean"])
def test_the_result_is_grey_and_the_loss_has_fallen(net, targets, optimizer, init, caplog):
    caplog.set_level(logging.INFO, "gatys")
    result = gatys.optimize(net, **targets, optimizer=optimizer, init=init, **QUICK)
    assert is_grey(result.image) and result.notes in ((), tuple(n for n in result.notes if "adam" in n))
    own = [record.total for record in result.history if record.level == 0]
    assert min(own[1:]) < own[0]
    assert "content and style are grey, so the picture stays grey" in caplog.messages


@pytest.mark.parametrize("what", ["style", "content"])
def test_with_one_target_alone(net, targets, what):
    assert is_grey(gatys.optimize(net, **{what: targets[what]}, init="noise", **QUICK).image)


def test_colour_anywhere_is_colour_in_the_result(net, targets, extract, caplog):
    caplog.set_level(logging.INFO, "gatys")

    class Pixels(gatys.Term):
        name, weight = "pixels", 1.0

        def of_pixels(self, image):
            return (image - torch.tensor([1.0, 0, 0]).view(3, 1, 1)).square().mean(dim=(1, 2, 3))

    coloured = [
        {"content": extract[0](picture(1))},
        {"style": extract[1](picture(2))},
        {"style": extract[1]([grey_picture(2), picture(2)])},
        {"init": picture(3)},
        {"terms": [Pixels()]},
    ]
    for change in coloured:
        assert not is_grey(gatys.optimize(net, **targets | change, **QUICK).image), change
    assert not any("grey" in message for message in caplog.messages)


def test_each_picture_of_a_batch_is_looked_at_by_itself(net, targets, extract):
    batch = torch.cat([grey_picture(1), picture(1)])
    result = gatys.optimize(net, content=extract[0](batch), style=targets["style"], **QUICK)
    alone = gatys.optimize(net, **targets, **QUICK)
    assert is_grey(result.image[:1]) and not is_grey(result.image[1:])
    assert float((result.image[:1] - alone.image).abs().mean()) < 1e-3  # rounding differs in a batch


def test_blends_and_regions_are_grey_where_all_their_styles_are(net, targets, extract):
    grey, other, coloured = targets["style"], extract[1](grey_picture(5)), extract[1](picture(6))
    mask = noise(*SIZE, seed=7)
    combined = [
        lambda second: gatys.blend_styles([(grey, 0.5), (second, 0.5)]),
        lambda second: gatys.regional_style([(grey, mask), (second, 1 - mask)]),
    ]
    for combine in combined:
        paint = partial(gatys.optimize, net, content=targets["content"], **QUICK)
        assert is_grey(paint(style=combine(other)).image) and not is_grey(paint(style=combine(coloured)).image)
    assert gatys.blend_styles([(grey, 1.0), (coloured, 0.0)]).grey


def test_a_saved_style_knows_it(targets, extract, tmp_path):
    for style, said in ((targets["style"], True), (extract[1](picture(2)), False)):
        path = style.save(tmp_path / f"{said}.safetensors")
        assert style.grey is gatys.StyleTarget.load(path).grey is said
        with safe_open(path, "pt") as file:  # older programs refuse what they do not know
            assert ("grey" in json.loads(file.metadata()["style"])) is said


def test_stylize_and_films(net, targets, extract):
    how = {"net": net, "size": 40, **QUICK}
    assert is_grey(gatys.stylize(grey_picture(1), grey_picture(2), **how).image)
    film = gatys.optimize_frames(net, extract[0](grey_picture(1, count=3)), style=targets["style"], **QUICK)
    assert len(film.images) == 3 and is_grey(film.images)


def test_a_run_goes_on_grey(net, targets, tmp_path):
    def stop(progress):
        if progress.step == 3:
            raise StopIteration

    file = tmp_path / "run.safetensors"
    cut = gatys.optimize(net, **targets, **QUICK, checkpoint=file, callback=stop)
    again = gatys.optimize(net, **targets, **QUICK, checkpoint=file)
    whole = gatys.optimize(net, **targets, **QUICK)
    assert is_grey(cut.image) and torch.equal(again.image, whole.image)
    assert torch.equal(
        gatys.optimize(net, **targets, **QUICK, checkpoint=file).image, whole.image
    )  # as it was finished


def test_the_command_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("content.png", "style.png")):
        gatys.save_image(grey_picture(seed), name)
    arguments = ["content.png", "style.png", "-o", "out.png", "--weights", "untrained", "--size", "40", "--steps", "3"]
    assert command.main(arguments) == 0
    assert "gatys: content and style are grey, so the picture stays grey\n" in capsys.readouterr().err
    assert is_grey(gatys.load_image("out.png"))
