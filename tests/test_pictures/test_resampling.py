"""Resampling in a ring, where the edges of a picture meet the opposite ones."""

import pytest
import torch
from pictures import picture

from gatys.descent.start import begin
from gatys.passes.layout import WHOLE
from gatys.pictures.resampling import resize, resize_ring


@pytest.mark.parametrize("size", [(66, 80), (16, 20), (33, 57), (40, 40)])
def test_a_ring_is_the_middle_of_nine(size):
    image, (height, width) = picture(1, count=2, size=(33, 40)), size
    nine = resize(image.repeat(1, 1, 3, 3), (3 * height, 3 * width))
    wanted = nine[:, :, height : 2 * height, width : 2 * width]
    assert torch.allclose(resize_ring(image, size), wanted, atol=1e-6)
    assert not torch.allclose(resize(image, size), wanted, atol=1e-2)


def test_a_level_of_a_ring_starts_without_a_seam():
    sizes, start, coarser = [(40, 48), (20, 24)], picture(1, size=(40, 48)), picture(2, size=(20, 24))

    def begun(by, **how):
        rolled = torch.roll(start, (2 * by, 2 * by), (2, 3)), torch.roll(coarser, (by, by), (2, 3))
        return torch.roll(begin(*rolled, sizes, 0, WHOLE, **how), (-2 * by, -2 * by), (2, 3))

    for detail in (True, False):
        assert torch.allclose(begun(0, detail=detail, ring=True), begun(7, detail=detail, ring=True), atol=1e-6)
        assert not torch.allclose(begun(0, detail=detail, ring=False), begun(7, detail=detail, ring=False), atol=1e-2)
