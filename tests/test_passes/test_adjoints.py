"""Differences between devices: poolings, and what is found out about cuDNN."""

import pytest
import torch
import torch.nn.functional as F

from gatys.passes import adjoints
from gatys.passes.adjoints import corners


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


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_an_average_is_that_of_pytorch(size):
    x = torch.rand(2, 3, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    found = adjoints.average(x)
    torch.testing.assert_close(found, F.avg_pool2d(x, 2), rtol=1e-14, atol=0)
    assert found.is_contiguous(memory_format=torch.channels_last)


def fuses(monkeypatch, fused):
    """What is found out where cuDNN's convolution does as `fused`, on a card that is the CPU."""
    ones = torch.ones
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", lambda *size, device, dtype: ones(*size, dtype=dtype))
        patch.setattr(torch.backends.cudnn, "is_available", lambda: True)
        patch.setattr(torch.version, "hip", None)
        patch.setattr(torch, "cudnn_convolution_relu", fused, raising=False)
        return adjoints._fuses.__wrapped__(torch.device("cuda"), torch.float32)


def failing(error):
    def fails(*arguments):
        raise error

    return fails


def test_where_cudnn_does_not_rectify_pytorch_does(monkeypatch):
    assert fuses(monkeypatch, lambda *arguments: None)
    assert not fuses(monkeypatch, failing(RuntimeError("no engine for this")))
    assert not adjoints._fuses(torch.device("cpu"), torch.float32)


def test_that_memory_ran_out_says_nothing_of_cudnn(monkeypatch):
    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        fuses(monkeypatch, failing(torch.cuda.OutOfMemoryError("CUDA out of memory")))
