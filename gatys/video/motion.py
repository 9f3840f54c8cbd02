"""Motion between pictures: moving a picture along a flow, and telling where the flow says nothing.

A flow is (N, 2, H, W) in pixels, x to the right before y downwards. It is defined on one picture and points into another:
the pixel at p of the first is that at p + flow(p) of the second.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..pictures.checks import size_of
from ..pictures.conversion import AnyPicture, as_picture


def check_flow(flow: Tensor, size: tuple[int, int], what: str = "flow") -> Tensor:
    """Give a flow (2, H, W) or (N, 2, H, W) as (N, 2, H, W) in float32.

    Args:
        flow: what was given.
        size: the (height, width) that it must have.
        what: how to call it in errors.

    Raises:
        InputError: for anything but a tensor of that shape and size with finite values.
    """
    if not isinstance(flow, Tensor) or flow.ndim not in (3, 4) or flow.shape[-3] != 2:
        got = tuple(flow.shape) if isinstance(flow, Tensor) else type(flow).__name__
        raise InputError(f"{what}: expected a tensor of shape (N, 2, H, W) in pixels, x before y, got {got}")
    if size_of(flow) != tuple(size):
        width, height = flow.shape[-1], flow.shape[-2]
        raise InputError(
            f"{what}: expected a flow of the pictures' size, {size[1]} x {size[0]} pixels, got {width} x {height}; compute it "
            "from pictures of that size"
        )
    if not torch.isfinite(flow).all():
        raise InputError(f"{what}: expected finite values in pixels, got NaN or infinity; compute it anew")
    return flow.detach().to(torch.float32).reshape(-1, *flow.shape[-3:])


def warp(image: AnyPicture, flow: Tensor) -> Tensor:
    """Move a picture along a flow: the result at p is the picture at p + flow(p).

    So the flow is defined on the result, and points back into `image`. Between pixels the picture is interpolated by
    cubic convolution (Keys, 1981, with a = -3/4), which keeps strokes sharp over many frames; beyond its edges lies
    its mirror image. The work is done in main memory, since some devices lack it.

    Args:
        image: (N, 3, H, W) in [0, 1], or another kind of picture as for `extract_content`.
        flow: (1 or N, 2, H, W) or (2, H, W), in pixels, x before y.

    Returns:
        (N, 3, H, W) in [0, 1], like `image` in device and type.

    Raises:
        InputError: for a picture or a flow of another shape, or with values that are not finite.

    Example:
        >>> flow = gatys.optical_flow(frame, last)  # on `frame`, into `last`
        >>> moved = gatys.warp(last_result, flow)  # the last result as it is seen in `frame`
    """
    image = as_picture(image)
    flow = check_flow(flow, size_of(image))
    if flow.shape[0] not in (1, image.shape[0]):
        raise InputError(f"flow: expected one, or one for each of {image.shape[0]} pictures, got {flow.shape[0]}")
    return _sampled(image.detach().cpu(), flow.cpu(), "bicubic", "reflection").clamp_(0, 1).to(image)


def occlusion_mask(flow: Tensor, back: Tensor, *, boundaries: bool = True) -> Tensor:
    """Tell where a flow is not to be trusted: what was hidden in the other picture, and where motions meet.

    (Ruder, Dosovitskiy and Brox, *Artistic style transfer for videos*, 2016, section 4.2, equations 5 and 6, with the
    numbers of Sundaram, Brox and Keutzer, *Dense point trajectories by GPU-accelerated large displacement optical flow*, 2010.)
    With w the flow at p and v the flow back at p + w, interpolated linearly, p is hidden where
    |w + v|^2 > 0.01 (|w|^2 + |v|^2) + 0.5, that is, where going there and back does not lead to where one came from, and where
    p + w lies outside of the picture. It is on a motion boundary where |grad w_x|^2 + |grad w_y|^2 > 0.01 |w|^2 + 0.002, with
    central differences.

    Args:
        flow: (N, 2, H, W) or (2, H, W), in pixels, defined on the picture that the mask is for.
        back: the same the other way, defined on the picture that `flow` points into.
        boundaries: whether motion boundaries count.

    Returns:
        (N, 1, H, W): 1 where the flow is not to be trusted, 0 elsewhere.

    Raises:
        InputError: for flows of another shape, of two sizes, or with values that are not finite.

    Example:
        >>> hidden = gatys.occlusion_mask(gatys.optical_flow(frame, last), gatys.optical_flow(last, frame))
    """
    there = check_flow(flow, size_of(flow) if isinstance(flow, Tensor) and flow.ndim > 1 else (0, 0)).cpu()
    returns = _sampled(check_flow(back, size_of(there), "back").cpu(), there, "bilinear", "border")
    lost = _square(there + returns) > 0.01 * (_square(there) + _square(returns)) + 0.5
    hidden = lost | outside(there)
    if boundaries:
        hidden |= motion_boundaries(there)
    return hidden.to(torch.float32).to(flow.device)


def motion_boundaries(flow: Tensor) -> Tensor:
    """Tell where motions meet, as `occlusion_mask` has it: bool (N, 1, H, W), for a flow (N, 2, H, W) in main memory."""
    steepness = sum(_square(part) for part in (_slope(flow, -1), _slope(flow, -2)))
    return steepness > 0.01 * _square(flow) + 0.002


def _slope(flow: Tensor, axis: int) -> Tensor:
    if flow.shape[axis] == 1:
        return torch.zeros_like(flow)
    return torch.gradient(flow, dim=axis)[0]


def _square(flow: Tensor) -> Tensor:
    """Give the squared length of each vector, (N, 1, H, W)."""
    return flow.square().sum(dim=1, keepdim=True)


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Give the columns and the rows that a flow points at, each (N, H, W), in float64, so that whole pixels are met."""
    height, width = size_of(flow)
    rows, columns = (torch.arange(edge, dtype=torch.float64) for edge in (height, width))
    return flow[:, 0] + columns, flow[:, 1] + rows[:, None]


def outside(flow: Tensor) -> Tensor:
    """Tell where a flow points out of the picture: bool (N, 1, H, W), for a flow (N, 2, H, W) in main memory."""
    height, width = size_of(flow)
    x, y = _places(flow)
    return ((x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5))[:, None]


def _sampled(values: Tensor, flow: Tensor, mode: str, beyond: str) -> Tensor:
    """Give (N, C, H, W) at the places that a flow points at, in float64; `beyond` is what lies outside of the edges."""
    height, width = size_of(flow)
    x, y = _places(flow)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    count = max(len(values), len(grid))
    values, grid = values.to(torch.float64).expand(count, -1, -1, -1), grid.expand(count, -1, -1, -1)
    return F.grid_sample(values, grid, mode=mode, padding_mode=beyond, align_corners=False)
