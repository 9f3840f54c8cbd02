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
    for rings, copies in (((False, True), (1, 3)), ((True, False), (3, 1))):
        rows, columns = (
            slice(0, length) if n == 1 else slice(length, 2 * length) for n, length in zip(copies, size, strict=True)
        )
        several = resize(image.repeat(1, 1, *copies), (copies[0] * height, copies[1] * width))
        assert torch.allclose(resize_ring(image, size, rings), several[:, :, rows, columns], atol=1e-6)


def test_a_level_of_a_ring_starts_without_a_seam():
    sizes, start, coarser = [(40, 48), (20, 24)], picture(1, size=(40, 48)), picture(2, size=(20, 24))

    def begun(down, by, **how):
        rolled = torch.roll(start, (2 * down, 2 * by), (2, 3)), torch.roll(coarser, (down, by), (2, 3))
        return torch.roll(begin(*rolled, sizes, 0, WHOLE, **how), (-2 * down, -2 * by), (2, 3))

    for detail in (1.0, 0.3, 0.0):
        for rings in ((True, True), (False, True), (False, False)):
            unrolled = begun(0, 0, detail=detail, rings=rings)
            assert torch.allclose(begun(7, 0, detail=detail, rings=rings), unrolled, atol=1e-6) == rings[0]
            assert torch.allclose(begun(0, 7, detail=detail, rings=rings), unrolled, atol=1e-6) == rings[1]
