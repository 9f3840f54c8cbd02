"""Detail: how much of the photograph's own detail each level adds to what the coarser one made."""

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

import gatys
from gatys.descent.start import begin
from gatys.passes.layout import WHOLE

SIZE, HALF = (48, 40), (24, 20)
ONE_STEP = {"steps": [1, 1], "tile": None, "precision": "float32"}
"""A step looks at the picture that a level starts at, and gives it back."""


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(scope="module")
def targets(net):
    content = gatys.extract_content(net, picture(1, size=SIZE), levels=2)
    return {"content": content, "style": gatys.extract_style(net, picture(2, size=SIZE), levels=2)}


def resized(image, size):
    """By Pillow, a channel at a time."""
    planes = [Image.fromarray(plane.numpy(), mode="F").resize(size[::-1], Image.BICUBIC) for plane in image[0]]
    return torch.from_numpy(np.stack(planes))[None].clamp(0, 1)


def expected(start, coarser, detail):
    """The step of a Laplacian pyramid, with the detail multiplied."""
    return (resized(coarser, SIZE) + detail * (start - resized(resized(start, HALF), SIZE))).clamp(0, 1)


@pytest.mark.parametrize("detail", [0.0, 0.3, 1.0])
def test_a_level_starts_at_the_coarser_picture_and_a_share_of_the_detail(detail):
    start, coarser = picture(3, size=SIZE), picture(4, size=HALF)
    begun = begin(start, coarser, [SIZE, HALF], 0, WHOLE, detail=detail)
    assert torch.allclose(begun, expected(start, coarser, detail), atol=1e-5)


@pytest.mark.parametrize("detail", [0.0, 0.3, 1.0])
def test_a_run_takes_the_share_of_the_content(net, targets, detail):
    start = targets["content"].image
    result = gatys.optimize(net, **targets, init="content", detail=detail, **ONE_STEP)
    assert torch.allclose(result.image, expected(start, resized(start, HALF), detail), atol=1e-5)


@pytest.mark.parametrize("init", ["noise", "mean", picture(5, size=SIZE)], ids=["noise", "mean", "picture"])
def test_other_starts_are_left_as_they_are(net, targets, init):
    painted = [gatys.optimize(net, **targets, init=init, detail=detail, **ONE_STEP).image for detail in (0.0, 1.0)]
    assert torch.equal(*painted)


def test_one_level_has_nothing_to_add_to_which_is_said(net, targets, caplog):
    caplog.set_level("INFO", "gatys")
    content = gatys.extract_content(net, targets["content"].image, levels=1)
    style = gatys.extract_style(net, picture(2, size=SIZE), levels=1)
    how = {"content": content, "style": style, "steps": 2, "tile": None, "precision": "float32"}
    assert torch.equal(*(gatys.optimize(net, detail=detail, **how).image for detail in (0.0, 1.0)))
    said = [message for message in caplog.messages if message.startswith("detail")]
    assert said == ["detail 0 changes nothing at one level: there is no coarser picture to add it to"]


@pytest.mark.parametrize("detail", [-0.1, 1.1, float("nan"), True, "much"])
def test_anything_but_a_share_is_refused(detail):
    with pytest.raises(gatys.InputError, match="detail: expected a number from 0 to 1, got"):
        gatys.Settings(detail=detail)


def test_presets_of_several_sizes_enlarge_what_the_smaller_one_gave():
    assert gatys.presets["crowsonkb"].settings((512, 512))["detail"] == 0
    assert gatys.presets["neural-style"].settings((512, 512))["detail"] == 1
