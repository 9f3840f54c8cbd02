"""A result that is smaller than the layers of a style that was taken from a larger picture: refused in words, or with fewer
levels where their number is the program's to choose."""

import pytest
import torch
from pictures import picture

import gatys
from gatys.cli import command as cli
from gatys.network.layers import LAYERS
from gatys.pictures.images import read_image
from gatys.targets.levels import levels_with_room

DEEP, SHALLOW = {"conv5_1": 1.0}, {"conv1_1": 1.0}
DEEPEST = [LAYERS["conv5_1"]]
"""Layers that need 16 pixels, and 1."""


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


@pytest.fixture(scope="module")
def style(net):
    """Makes a style of a picture of 256 x 256, whose 64 x 64 at the third level are plenty."""
    made = {}

    def make(levels, layers=DEEP):
        key = levels, *layers
        if key not in made:
            made[key] = gatys.extract_style(net, picture(2, size=(256, 256)), layers, levels, normalize=False)
        return made[key]

    return make


def scene(net, size, levels):
    return gatys.extract_content(net, picture(1, size=size), SHALLOW, levels, normalize=False)


def test_levels_with_room():
    assert [levels_with_room(levels, (64, 90), DEEPEST) for levels in (1, 3, 4)] == [1, 3, 3]
    assert levels_with_room(3, (15, 90), DEEPEST) == 0
    assert levels_with_room(3, (60, 60), DEEPEST) == 2  # 15 pixels at the third


def test_content_too_small_at_the_coarsest_level(net, style):
    message = (
        "^content: 61 x 60 pixels are 15 x 15 at the coarsest of 3 levels, but conv5_1 of the style needs at least 16 x 16; "
        "extract with at most 2 levels, make the picture larger, or choose shallower layers for the style$"
    )
    seen = []
    with pytest.raises(ValueError, match=message):
        gatys.optimize(net, content=scene(net, (60, 61), 3), style=style(3), steps=3, callback=seen.append)
    assert not seen
    # as many as it says are fine, and so is a content that is just large enough
    for size, levels in (((60, 61), 2), ((62, 62), 3)):
        result = gatys.optimize(net, content=scene(net, size, levels), style=style(levels), steps=levels)
        assert [record.level for record in result.history] == list(reversed(range(levels)))


def test_content_too_small_at_full_size(net, style):
    message = "^content: 20 x 12 pixels, but conv5_1 of the style needs at least 16 x 16; make the picture larger, or"
    for levels in (1, "auto"):
        with pytest.raises(ValueError, match=message):
            gatys.optimize(net, content=scene(net, (12, 20), levels), style=style(levels), steps=4)


def test_automatic_style_beside_a_content_of_given_levels(net, style):
    small = scene(net, (60, 60), 2)
    assert style("auto").levels == 3
    assert len(gatys.optimize(net, content=small, style=style("auto"), steps=2).history) == 2
    with pytest.raises(ValueError, match="content: 30 x 24 pixels are 15 x 12 at the coarsest of 2 levels"):
        gatys.optimize(net, content=scene(net, (24, 30), 2), style=style("auto"), steps=2)


def test_blended_and_regional_and_loaded_styles(net, style, tmp_path):
    small = scene(net, (30, 30), 2)
    blend = gatys.blend_styles([(style(2, SHALLOW), 0.5), (style(2), 0.5)])
    regions = gatys.regional_style([(style(2, SHALLOW), None), (style(2), torch.ones(8, 8))])
    loaded = gatys.StyleTarget.load(style(2).save(tmp_path / "style.safetensors"))
    for one in (blend, regions, loaded):
        with pytest.raises(ValueError, match="15 x 15 .* 2 levels, but conv5_1 of the style .* at most 1 level, make"):
            gatys.optimize(net, content=small, style=one, steps=2)


def test_textures(net, style):
    """Smaller than the style by `size` or by `init`: with automatic levels, as many as there is room for."""
    large = gatys.extract_style(net, picture(2, size=(364, 370)), DEEP, "auto", normalize=False)
    assert large.levels == 4
    for how in ({"size": (40, 48)}, {"init": picture(3, size=(40, 48))}):
        result = gatys.optimize(net, style=large, steps=2, **how)
        assert result.image.shape == (1, 3, 40, 48) and [record.level for record in result.history] == [1, 0]
        with pytest.raises(ValueError, match="^result: 48 x 40 pixels are 12 x 10 at the coarsest of 3 levels"):
            gatys.optimize(net, style=style(3), steps=3, **how)
    with pytest.raises(ValueError, match="^result: 48 x 12 pixels, but conv5_1 of the style needs at least 16 x 16"):
        gatys.optimize(net, style=large, size=(12, 48), steps=3)


def test_texture_by_regions_has_the_size_of_the_first(net, style):
    tiny = gatys.extract_style(net, picture(2, size=(12, 12)), SHALLOW, normalize=False)
    with pytest.raises(ValueError, match="^result: 12 x 12 pixels, but conv5_1 of the style"):
        gatys.optimize(net, style=gatys.regional_style([(tiny, None), (style(1), torch.ones(8, 8))]), steps=1)


def test_frames(net, style):
    film = gatys.extract_content(net, picture(1, 2, (60, 60)), SHALLOW, 3, normalize=False)
    with pytest.raises(ValueError, match="^content: 60 x 60 pixels are 15 x 15 at the coarsest of 3 levels"):
        gatys.optimize_frames(net, film, style=style(3), steps=3, later_steps=3)


def test_objective_is_refused_only_at_the_level_that_is_too_small(net, style):
    both = {"content": scene(net, (60, 60), 3), "style": style(3)}
    with pytest.raises(ValueError, match="^content: 60 x 60 pixels are 15 x 15 at the coarsest of 3 levels"):
        gatys.Objective(net, **both, level=2)
    assert gatys.Objective(net, **both, level=1).evaluate(picture(3, size=(30, 30)))[0]["style"] > 0


def test_command_line(net, tmp_path, capsys):
    """A saved style of automatic levels in a picture that is smaller than its own."""
    gatys.extract_style(net, picture(2, size=(364, 370)), DEEP, "auto", normalize=True).save(
        tmp_path / "style.safetensors"
    )
    made = tmp_path / "made.png"
    how = ["--load-style", str(tmp_path / "style.safetensors"), "--pooling", net.pooling, "-o", str(made)]
    how += ["--weights", "untrained", "--device", "cpu"]
    assert cli.main(["-", *how, "--size", "40", "--steps", "2"]) == 0, capsys.readouterr().err
    assert read_image(made).pixels.shape[-1] == 40
    assert cli.main(["-", *how, "--size", "12", "--steps", "2"]) == 2
    assert "12 x 12 pixels is too small for these layers, which need at least 16 x 16" in capsys.readouterr().err
