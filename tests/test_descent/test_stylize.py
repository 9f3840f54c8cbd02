"""The whole thing in one call, its settings, and what results and targets look like in a console."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

import gatys
from gatys.cli.parsed import Options
from gatys.descent.arguments import Arguments
from gatys.descent.stylize import StylizeArguments
from gatys.settings import SETTINGS
from gatys.video.frames import FilmArguments

QUICK = {"steps": 4, "size": 48, "style_layers": ["conv1_1", "conv2_1"], "content_layers": ["conv2_2"]}
SMALL = (34, 48), (48, 33)
"""What QUICK makes of the pictures' sizes."""


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:2")


@pytest.fixture
def pair():
    return picture(1, size=(40, 56)), picture(2, size=(64, 44))


def test_it_is_the_steps_one_by_one(net, pair, tmp_path):
    photo, painting = pair
    result = gatys.stylize(photo, painting, net=net, **QUICK)
    content = gatys.extract_content(net, gatys.pictures.resampling.resize(photo, (34, 48)), ["conv2_2"], levels="auto")
    style = gatys.pictures.resampling.resize(painting, (48, 33))
    style = gatys.extract_style(net, style, ["conv1_1", "conv2_1"], levels="auto")
    expected = gatys.optimize(net, content=content, style=style, steps=4)
    assert torch.equal(result.image, expected.image) and result.history == expected.history
    assert gatys.save_image(result, tmp_path / "out.png").is_file()


def test_pictures_of_every_kind(net, pair, tmp_path):
    levels = [(image[0].movedim(0, -1).numpy() * 255).round().astype(np.uint8) for image in pair]
    expected = gatys.stylize(*levels, net=net, **QUICK)
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path, array in zip(paths, levels, strict=True):
        Image.fromarray(array).save(path)
    for given in (paths, [Image.fromarray(array) for array in levels], [str(path) for path in paths]):
        assert torch.equal(gatys.stylize(*given, net=net, **QUICK).image, expected.image)


def test_several_paintings_are_averaged_and_colours_kept(net, pair):
    photo, painting = pair
    both = gatys.stylize(photo, [painting, photo], net=net, **QUICK)
    one = gatys.stylize(photo, painting, net=net, **QUICK)
    assert not torch.equal(both.image, one.image)
    kept = gatys.stylize(photo, painting, net=net, keep_luminance=True, **QUICK)
    small = gatys.pictures.resampling.resize(photo, (34, 48))
    assert torch.equal(kept.image, gatys.keep_luminance(one.image, small))
    for method in ("pca", "histogram"):
        matched = gatys.stylize(photo, painting, net=net, match_colors=method, **QUICK)
        assert not torch.equal(matched.image, one.image)


def test_the_content_is_matched_to_the_paintings(net, pair):
    photo, painting = (gatys.pictures.resampling.resize(each, size) for each, size in zip(pair, SMALL, strict=True))
    found = gatys.stylize(*pair, net=net, match_features=0.6, **QUICK)
    content = gatys.extract_content(net, photo, ["conv2_2"], levels="auto")
    content = gatys.match_features(net, content, painting, share=0.6)
    style = gatys.extract_style(net, painting, ["conv1_1", "conv2_1"], levels="auto")
    assert torch.equal(found.image, gatys.optimize(net, content=content, style=style, steps=4).image)
    assert not torch.equal(found.image, gatys.stylize(*pair, net=net, **QUICK).image)


def test_filters_are_loaded_where_no_network_is_given(pair):
    result = gatys.stylize(*pair, weights="untrained:2", device="cpu", **QUICK)
    assert torch.equal(result.image, gatys.stylize(*pair, net=gatys.load_vgg("untrained:2"), **QUICK).image)


def test_its_own_size_is_kept(net, pair):
    assert gatys.stylize(*pair, net=net, **(QUICK | {"size": None})).image.shape == pair[0].shape


def test_seamless_textures_read_the_painting_with_its_border_repeated(net, pair):
    ring = gatys.stylize(*pair, net=net, padding="circular", **QUICK)
    assert not torch.equal(ring.image, gatys.stylize(*pair, net=net, **QUICK).image)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"stpes": 3}, TypeError, "stylize: 'stpes' is no argument of it; did you mean steps?"),
        ({"colour": 3}, TypeError, "'colour' is no argument of it; it takes init, steps"),
        ({"match_colors": "paint"}, ValueError, "match_colors: expected one of linear, histogram, symmetric, pca"),
        ({"device": "tpu"}, ValueError, "device: 'tpu' is not on this machine"),
        ({"optimizer": "sgd"}, ValueError, "optimizer: expected one of lbfgs, adam, got 'sgd'"),
        ({"settings": {"steps": 3}}, TypeError, "settings: expected a gatys.Settings, got dict; give single ones"),
    ],
)
def test_mistakes_are_named(pair, given, error, said):
    with pytest.raises(error, match=said) as caught:
        gatys.stylize(*pair, weights="untrained", **given)
    assert isinstance(caught.value, gatys.GatysError)


def test_other_mistakes_are_named(net, pair):
    with pytest.raises(gatys.InputError, match="painting: expected at least one picture, got an empty list"):
        gatys.stylize(pair[0], [], net=net)
    with pytest.raises(gatys.ImageError, match=r"there is no file|cannot be|photo"):
        gatys.stylize("no such photo.jpg", pair[1], net=net)
    with pytest.raises(
        gatys.InputTypeError, match="optimize: got 1 arguments too many without names; give each by its"
    ):
        gatys.optimize(net, None)
    with pytest.raises(
        gatys.InputTypeError, match="optimize_frames: expected the argument 'content', got none; give it"
    ):
        gatys.optimize_frames(net, steps=3)
    with pytest.raises(gatys.InputTypeError, match="did you mean later_steps"):
        gatys.optimize_frames(net, [], later_step=3)


# settings


def test_settings_are_one_value_with_single_ones_in_their_place(net, pair):
    content = gatys.extract_content(net, pair[0], ["conv1_2"])
    how = {"content": content, "init": "noise"}
    calm = gatys.Settings(steps=3, tv_weight=0.5, seed=4)
    (one, other, more) = (
        gatys.optimize(net, settings=calm, **how),
        gatys.optimize(net, steps=3, tv_weight=0.5, seed=4, **how),
        gatys.optimize(net, settings=calm, steps=5, **how),
    )
    assert torch.equal(one.image, other.image) and len(more.history) == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        calm.steps = 9


def test_the_list_of_settings_stands_once():
    for arguments in (Arguments, StylizeArguments, FilmArguments, Options):
        fields = {field.name: field for field in dataclasses.fields(arguments)}
        assert set(SETTINGS) <= set(fields)
        for name in SETTINGS:
            assert fields[name].default == {f.name: f for f in dataclasses.fields(gatys.Settings)}[name].default
        assert not set(SETTINGS) & set(vars(arguments).get("__annotations__", {}))
    for function in (gatys.optimize, gatys.stylize, gatys.optimize_frames):
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in SETTINGS} == gatys.settings.DEFAULTS


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"optimizer": "sgd"}, "optimizer: expected one of lbfgs, adam, got 'sgd'"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0, got 0.0"),
        ({"history_size": True}, "history_size: expected a whole number of at least 1, got True"),
        ({"tile": "big"}, "tile: expected 'auto', None or a whole number of pixels, got 'big'"),
        ({"tv_weight": -1}, "tv_weight: expected a finite number of at least 0, got -1"),
        ({"tv_form": "round"}, "tv_form: expected one of squared, absolute, corner, nine-point, got 'round'"),
        ({"precision": "double"}, "precision: expected one of auto, float32, bfloat16, float16, got 'double'"),
        (
            {"padding": "mirror"},
            "padding: expected one of zero, replicate, circular, panorama, replicate-first, got 'mirror'",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(wrong, said):
    with pytest.raises(gatys.InputError, match=said):
        gatys.Settings(**wrong)


# in a console


def test_what_is_shown_is_short(net, pair):
    content, style = gatys.extract_content(net, pair[0]), gatys.extract_style(net, pair[1])
    regions = gatys.regional_style([(style, torch.ones(4, 4)), (style, None)])
    seen = []
    result = gatys.optimize(net, content=content, style=style, steps=2, callback=seen.append)
    film = gatys.optimize_frames(net, content, style=style, steps=2)
    near = gatys.TemporalTarget(pair[0], torch.ones(1, 1, 4, 4))
    objective = gatys.Objective(net, content=content, style=style, tv_weight=0.1)
    calm = gatys.Settings(steps=300, init=pair[0])
    more = (objective, calm, gatys.Settings(), gatys.presets)
    for shown in (net, content, style, regions, regions.regions[0], result, film, near, *seen, *more):
        assert len(repr(shown)) < 400 and "tensor" not in repr(shown), repr(shown)
    assert repr(content).startswith("ContentTarget(56 x 40, conv4_2, 1 levels, untrained:2 (max pooling")
    assert repr(result).startswith("Result(56 x 40, 2 steps, total ")
    assert repr(net).startswith("VGG(vgg19, untrained:2 (max pooling")
    assert repr(objective) == "Objective(level 0, content 0.004, style 1, tv 0.1, temporal 5)"
    assert repr(calm) == "Settings(init=<picture of 56 x 40>, steps=300)" and repr(gatys.Settings()) == "Settings()"
    assert repr(gatys.presets).startswith("Presets(gatys2016, ")


def test_masks_of_bytes_are_refused(net, pair):
    mask = torch.linspace(0, 255, 40 * 56).view(40, 56)
    style = gatys.extract_style(net, pair[1])
    for taken in (
        lambda mask: gatys.extract_style(net, pair[1], mask=mask),
        lambda mask: gatys.extract_content(net, pair[0], mask=mask),
        lambda mask: gatys.regional_style([(style, mask), (style, None)]),
        lambda mask: gatys.TemporalTarget(pair[0], mask[None, None]),
    ):
        taken(mask / 255)
        with pytest.raises(gatys.InputError, match="mask: expected values in .0, 1., got 0 to 255; divide by 255"):
            taken(mask)
    with pytest.raises(gatys.InputError, match="must lie in .0, 1., not .*; divide it by 255"):
        gatys.save_image(pair[0] * 255, "never.png")


def test_targets_move_to_a_device(net, pair):
    content = gatys.extract_content(net, pair[0], ["conv1_2"], mask=torch.ones(5, 5))
    style = gatys.regional_style([(gatys.extract_style(net, pair[1], ["conv1_1"]), torch.ones(4, 4))])
    there = content.to("meta")
    assert {
        there.image.device.type,
        there.features[0]["conv1_2"].device.type,
        there.guides[0]["conv1_2"].device.type,
    } == {"meta"}
    moved = style.to("meta").regions[0]
    assert moved.mask.device.type == moved.style.values[0]["conv1_1"].device.type == "meta"
    assert content.image.device.type == "cpu"


def test_the_version_is_that_of_the_project():
    import re
    from pathlib import Path

    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'version = "{gatys.__version__}"' in project and re.fullmatch(r"\d+\.\d+\.\d+", gatys.__version__)
