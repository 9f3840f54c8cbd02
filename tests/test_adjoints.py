"""What a pooling took, told in few bits."""

import pytest
import torch
import torch.nn.functional as F

from gatys.adjoints import corners


@pytest.mark.parametrize("divide", [False, True])
@pytest.mark.parametrize("width", [2, 3, 5, 6, 7, 8, 9, 31, 2**15 - 3, 2**15 - 2, 2**15 + 1])
def test_corners_are_those_that_the_largest_comes_from(width, divide):
    x = torch.rand(2, 3, 7, width, generator=torch.Generator().manual_seed(width)).sub_(0.5).relu_()
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    found = corners(pooled, index, width, divide=divide)
    fours = x[:, :, :6, : width // 2 * 2].unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).transpose(3, 4).flatten(4)
    expected = torch.where(pooled > 0, 1 + fours.argmax(dim=-1), 0)
    assert found.dtype == torch.uint8 and torch.equal(found.long(), expected)
    assert set(found.unique().tolist()) == {0, 1, 2, 3, 4} or width < 9
