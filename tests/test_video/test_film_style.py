"""The style of each frame: keyframes with a blend that moves, and functions of the frame's number."""

import pytest
import torch
from pictures import picture

import gatys
from gatys.video.film_style import Keyframes

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = (32, 36)
OPTIONS = {"steps": 3, "later_steps": 6, "tolerance": 0.0, "temporal_weight": 0.0}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained", pooling="average")


@pytest.fixture(scope="module")
def extract(net):
    return lambda seed, **how: gatys.extract_style(
        net, picture(seed, size=SIZE), {"conv1_1": 1.0, "conv2_1": 1.0}, **how
    )


@pytest.fixture(scope="module")
def styles(extract):
    return extract(2), extract(5), extract(7)


@pytest.fixture(scope="module")
def film(net):
    return gatys.extract_content(net, picture(3, size=SIZE).repeat(5, 1, 1, 1), {"conv2_2": 1.0})


def grams(style):
    return torch.cat([gram.flatten() for level in style.grams for gram in level.values()])


def test_between_two_keyframes_the_statistics_move_in_a_straight_line(styles):
    first, second, third = styles
    keys = Keyframes([(2, first), (6, second), (7, third)])
    for place, wanted in (
        (0, grams(first)),
        (2, grams(first)),
        (3, 0.75 * grams(first) + 0.25 * grams(second)),
        (4.5, 0.375 * grams(first) + 0.625 * grams(second)),
        (6, grams(second)),
        (6.5, 0.5 * grams(second) + 0.5 * grams(third)),
        (7, grams(third)),
        (99, grams(third)),
    ):
        torch.testing.assert_close(grams(keys.at(place)), wanted, rtol=1e-6, atol=1e-9)
    assert keys.at(0) is first and keys.at(6) is second and keys.at(7) is third


def test_a_film_of_keyframes_is_that_of_its_blends(net, styles, film):
    keys = [(1, styles[0]), (3, styles[1])]
    mixed = gatys.blend_styles([(styles[0], 0.5), (styles[1], 0.5)])
    each = [styles[0], styles[0], mixed, styles[1], styles[1]]
    images = gatys.optimize_frames(net, film, style=keys, **OPTIONS).images
    assert torch.equal(images, gatys.optimize_frames(net, film, style=each.__getitem__, **OPTIONS).images)
    alone = gatys.optimize_frames(net, film, style=styles[0], **OPTIONS).images
    assert torch.equal(images[:2], alone[:2]) and not torch.equal(images[2], alone[2])


def test_passes_know_the_style_of_each_frame(net, styles, film):
    keys = [(0, styles[0]), (4, styles[1])]
    options = OPTIONS | {"passes": 2, "warm_start": False}
    asked, keyed = [], Keyframes(keys)

    def style(index):
        asked.append(index)
        return keyed.at(index)

    images = gatys.optimize_frames(net, film, style=style, **options).images
    assert asked == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]
    assert torch.equal(images, gatys.optimize_frames(net, film, style=keys, **options).images)


def test_the_same_style_twice_is_that_style(net, styles, film):
    keys = [(0, styles[0]), (4, styles[0])]
    images = gatys.optimize_frames(net, film, style=keys, **OPTIONS).images
    wanted = gatys.optimize_frames(net, film, style=styles[0], **OPTIONS).images
    torch.testing.assert_close(images, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("none", "style: expected frames in order, each once, got none"),
        ("order", "style: expected frames in order, each once, got 4, 2; sort the pairs"),
        ("twice", "style: expected frames in order, each once, got 2, 2"),
        ("nan", "style: expected frames in order, each once, got nan"),
        ("styles", "style: expected pairs of a frame's number and its style, got StyleTarget"),
        ("picture", "style at 0: expected one style for the whole picture, got Tensor"),
        ("statistic", "styles: one is of the statistic 'gram', another of 'moments'; extract both with the same"),
        ("function", "style: expected a style for frame 0, got int; give what extract_style makes"),
    ],
)
def test_what_is_no_style_of_a_film(net, styles, film, extract, form, message):
    first, second, _ = styles
    given = {
        "none": [],
        "order": [(4, first), (2, second)],
        "twice": [(2, first), (2, second)],
        "nan": [(float("nan"), first)],
        "styles": [first, second],
        "picture": [(0, picture(2, size=SIZE))],
        "statistic": [(0, extract(2, statistic="gram")), (2, extract(5, statistic="moments"))],
        "function": lambda index: index,
    }[form]
    with pytest.raises((gatys.InputError, gatys.InputTypeError), match=message):
        gatys.optimize_frames(net, film, style=given, **OPTIONS)
