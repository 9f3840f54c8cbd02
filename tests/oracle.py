"""The method written down a second time, plainly and with autograd only: what `gatys` is compared with."""

import torch
import torch.nn.functional as F

from gatys.network.layers import LAYERS

CHANNELS = [3] + [layer.channels for layer in LAYERS.values()]


def padded(x, padding):
    """A map with what a convolution sees around it."""
    if padding == "replicate-first":
        padding = "replicate" if x.shape[1] == 3 else "zero"
    if padding == "panorama":
        return F.pad(F.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1), mode="replicate")
    return F.pad(x, (1, 1, 1, 1), mode={"zero": "constant"}.get(padding, padding))


def responses(net, x, padding="zero"):
    """All responses after the ReLU, from the filters alone."""
    x = (x - net.mean[:, None, None]) / net.std[:, None, None]
    found = {}
    for name in net.layers:
        if name.endswith("_1") and name != "conv1_1":
            if min(x.shape[-2:]) < 2:
                break
            x = F.avg_pool2d(x, 2) if net.pooling == "average" else F.max_pool2d(x, 2)
        convolution = getattr(net, name)
        x = torch.relu(F.conv2d(padded(x, padding), convolution.weight, convolution.bias))
        found[name] = x
    return found


def gram(f, guide=None):
    """sum_i t_i^2 f_i f_i^T / sum_i t_i^2 of one picture's (C, H, W) responses, position by position."""
    c = f.shape[0]
    f = f.reshape(c, -1)
    t = torch.ones(f.shape[1], dtype=f.dtype) if guide is None else guide.reshape(-1)
    return (f * t**2) @ f.T / (t**2).sum()


def pooled(mask, name):
    for _ in range(int(name[4]) - 1):
        mask = F.avg_pool2d(mask, 2)
    return mask


def loss(net, x, *, content=None, style=None, alpha=1.0, beta=1.0, gamma=0.0, normalize=False, mask=None):
    """The canonical loss of one picture (3, H, W).

    content: (picture, {layer: c_l}); style: ([pictures], {layer: s_l}); mask: (1, 1, H, W) on the content's grid.
    """
    mine = responses(net, x[None])
    total = gamma * (x.diff(dim=1).square().sum() + x.diff(dim=2).square().sum()) / x.numel()
    if content is not None:
        theirs = responses(net, content[0][None])
        for name, coefficient in content[1].items():
            target = theirs[name][0].detach()
            square = (mine[name][0] - target) ** 2
            if mask is not None:
                square = square * pooled(mask, name)[0]
            spread = ((target - target.mean(dim=(1, 2), keepdim=True)) ** 2).mean() if normalize else 1.0
            total = total + alpha * coefficient * square.mean() / spread
    if style is not None:
        for name, coefficient in style[1].items():
            target = sum(gram(responses(net, picture[None])[name][0]) for picture in style[0]) / len(style[0])
            target = target.detach()
            channels = target.shape[0]
            square = ((gram(mine[name][0]) - target) ** 2).sum() / (4 * channels**2)
            total = total + beta * coefficient * square / ((target**2).mean() if normalize else 1.0)
    return total
