"""Moving along a flow, and the masks that say where it is not to be trusted, against direct formulas."""

import numpy as np
import pytest
import torch
from pictures import noise, picture

import gatys

SIZE = (17, 23)


def uneven(seed, size=SIZE, most=4.0):
    """A flow that differs from pixel to pixel and points out of the picture in places."""
    return (noise(1, 2, *size, seed=seed) * 2 - 1) * most


def keys(x, a=-0.75):
    """Keys' cubic convolution kernel (1981, equation 4)."""
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def tent(x):
    return max(0.0, 1 - abs(x))


def mirrored(index, count):
    """The pixel that lies at an index beyond the edges, where the picture's mirror image is."""
    index %= 2 * count
    return index if index < count else 2 * count - 1 - index


def sampled(image, flow, kernel, inside):
    """The picture at p + flow(p), summed over its pixels in float64; beyond the edges lies its mirror image, or with
    `inside` the place on the edge is taken."""
    channels, height, width = image.shape
    out = np.zeros((channels, height, width))
    for row in range(height):
        for column in range(width):
            x, y = column + flow[0, row, column], row + flow[1, row, column]
            if inside:
                x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            for j in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
                for i in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                    here = image[:, mirrored(j, height), mirrored(i, width)]
                    out[:, row, column] += kernel(x - i) * kernel(y - j) * here
    return out


def test_warp_is_cubic_convolution():
    image, flow = picture(1, size=SIZE), uneven(2)
    exact = sampled(image[0].double().numpy(), flow[0].double().numpy(), keys, False).clip(0, 1)
    torch.testing.assert_close(gatys.warp(image, flow)[0].double(), torch.from_numpy(exact), rtol=0, atol=2e-5)


def test_warp_by_whole_pixels_shifts():
    image = picture(1, size=SIZE)
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    moved = gatys.warp(image, flow)
    torch.testing.assert_close(moved[..., 2:, :-3], image[..., :-2, 3:], rtol=0, atol=1e-5)
    torch.testing.assert_close(moved[..., :2, :-3], image[..., :2, 3:].flip(-2), rtol=0, atol=1e-5)  # mirrored
    assert torch.equal(gatys.warp(image, torch.zeros(2, *SIZE)), image)


@pytest.mark.parametrize("count", [1, 2])
def test_one_flow_is_for_all_pictures(count):
    images, flow = picture(1, 2, SIZE), uneven(2).repeat(count, 1, 1, 1)
    moved = gatys.warp(images, flow)
    assert torch.equal(moved[1:], gatys.warp(images[1:], flow[:1])) and moved.dtype == images.dtype


def masks(flow, back):
    """Ruder et al., equations 5 and 6, pixel by pixel in float64: (hidden or outside, on a boundary)."""
    there = sampled(back, flow, tent, True)
    _, height, width = flow.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = columns + flow[0], rows + flow[1]
    outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    square = lambda v: (v**2).sum(0)
    hidden = square(flow + there) > 0.01 * (square(flow) + square(there)) + 0.5
    steep = sum(np.gradient(flow[part], axis=axis) ** 2 for part in (0, 1) for axis in (0, 1))
    return hidden | outside, steep > 0.01 * square(flow) + 0.002


@pytest.mark.parametrize("most", [0.1, 1.0, 4.0])
def test_masks_are_the_papers(most):
    flow, back = uneven(3, most=most), uneven(4, most=most)
    hidden, boundary = masks(flow[0].double().numpy(), back[0].double().numpy())
    assert np.array_equal(gatys.occlusion_mask(flow, back, boundaries=False)[0, 0].numpy() == 1, hidden)
    assert np.array_equal(gatys.occlusion_mask(flow, back)[0, 0].numpy() == 1, hidden | boundary)


def test_a_flow_and_its_reverse_hide_what_left_the_picture_only():
    flow = torch.tensor([2.0, 0.0]).view(2, 1, 1).expand(2, *SIZE)
    hidden = gatys.occlusion_mask(flow, -flow)
    assert hidden.shape == (1, 1, *SIZE) and hidden[..., -2:].all() and not hidden[..., :-2].any()


def test_what_uncovers_is_hidden_and_its_edge_a_boundary():
    """A square goes right by 4 pixels before a background that stands still."""
    flow, back = torch.zeros(2, 2, 40, 40)
    back[0, 10:30, 10:30] = 4  # where it is in the frame before
    flow[0, 10:30, 14:34] = -4  # and in the frame
    hidden = gatys.occlusion_mask(flow, back, boundaries=False)[0, 0]
    assert hidden[10:30, 10:14].all() and hidden.sum() == 80
    edges = gatys.occlusion_mask(flow, back)[0, 0]
    assert edges[15, 13] and edges[15, 34] and edges[9, 20] and not edges[15, 20]


def test_a_single_row_has_no_slope_down():
    assert not gatys.occlusion_mask(torch.zeros(2, 1, 5), torch.zeros(2, 1, 5)).any()


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (
            torch.zeros(1, 3, *SIZE),
            r"flow: expected a tensor of shape \(N, 2, H, W\) in pixels, x before y, got \(1, 3, 17",
        ),
        ("left", r"flow: expected a tensor .* got str"),
        (torch.zeros(2, 8, 9), "flow: expected a flow of the pictures' size, 23 x 17 pixels, got 9 x 8"),
        (torch.full((2, *SIZE), torch.nan), "flow: expected finite values in pixels, got NaN"),
        (torch.zeros(3, 2, *SIZE), "flow: expected one, or one for each of 2 pictures, got 3"),
    ],
)
def test_flows_that_do_not_fit_are_refused(flow, message):
    with pytest.raises(gatys.InputError, match=message):
        gatys.warp(picture(1, 2, SIZE), flow)


def test_masks_want_two_flows_of_one_size():
    with pytest.raises(gatys.InputError, match="back: expected a flow of the pictures' size, 23 x 17"):
        gatys.occlusion_mask(torch.zeros(2, *SIZE), torch.zeros(2, 8, 9))
    with pytest.raises(gatys.InputError, match="flow: expected a tensor of shape"):
        gatys.occlusion_mask(None, torch.zeros(2, 8, 9))
