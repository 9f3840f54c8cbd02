"""What settings look like through trained filters: figures, pictures and contact sheets.

    python benchmarks/look.py FILTERS OUT CONTENT:STYLE[:NAME=FILE ...] ... [--sizes 256,512] [--setting NAME='OPTIONS' ...]

FILTERS is a file of trained filters; OPTIONS are options of the command line, of which there is always one setting, "default",
with none. NAME=FILE behind a pair is another program's picture of it, which is judged beside ours. What is in OUT already is
not made again. It needs scikit-image, piq and POT beside the package.

Figures, each of the picture as saved, in 8 bits, at the size of the content:
- mean, cov, gram: how far the style is from that of the painting, in layers that no setting optimises (conv1_2, conv2_2,
  conv3_3, conv4_3, max pooling): the relative error of the features' means, covariances and Gram matrices, a mean over the layers.
- cov 2, cov 4: that of the covariances where both are half and a quarter as large: whether large forms are the painting's, too.
- colour: sliced Wasserstein distance of the colours in CIELAB to the painting's.
- SSIM, GMSD, edges: how much of the photograph's luma is left: structural similarity (Wang et al., 2004), deviation of the similarity
  of gradient magnitudes (Xue et al., 2014; 0 is the photograph) and correlation of gradient magnitudes.
- grain: energy of the three highest octaves, the finest first, each the root mean square of what a 2 x 2 mean leaves, divided by
  the painting's at that size.
- seconds of the whole command.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import ot
import piq
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.color import rgb2lab

import gatys
from gatys.network.preprocessing import read_as
from gatys.pictures.contact_sheet import Cell, contact_sheet
from gatys.pictures.images import fit, read_image
from gatys.pictures.resampling import resize

JUDGED = ("conv1_2", "conv2_2", "conv3_3", "conv4_3")
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
FIGURES = (
    "mean",
    "cov",
    "gram",
    "cov 2",
    "cov 4",
    "colour",
    "SSIM",
    "GMSD",
    "edges",
    "grain",
    "grain 2",
    "grain 4",
    "seconds",
)


def luma(picture):
    return (picture * LUMA).sum(1, keepdim=True).clamp(0, 1)


def moments(net, picture):
    found = {}
    for name, f in net(picture, JUDGED).items():
        f = f[0].flatten(1).double()
        mean, gram = f.mean(1), f @ f.T / f.shape[1]
        found[name] = mean, gram - torch.outer(mean, mean), gram
    return found


def style_errors(net, picture, painting):
    """Relative errors of means, covariances and Gram matrices."""
    ours, theirs = moments(net, picture), moments(net, painting)
    return [
        sum(float((ours[n][i] - theirs[n][i]).norm() / theirs[n][i].norm()) for n in JUDGED) / len(JUDGED)
        for i in range(3)
    ]


def smaller(picture, factor):
    return resize(picture, tuple(edge // factor for edge in picture.shape[-2:]))


def colours(picture, painting):
    draw = np.random.default_rng(0)
    a, b = (draw.choice(rgb2lab(p[0].movedim(0, -1).numpy()).reshape(-1, 3), 4000, axis=0) for p in (picture, painting))
    return float(ot.sliced_wasserstein_distance(a, b, n_projections=64, seed=0))


def edges(picture):
    x = luma(picture)
    sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None]
    return (F.conv2d(x, sobel) ** 2 + F.conv2d(x, sobel.transpose(2, 3)) ** 2).sqrt().flatten()


def octaves(picture, count=3):
    x, found = luma(picture), []
    for _ in range(count):
        height, width = (edge // 2 * 2 for edge in x.shape[-2:])
        x = x[..., :height, :width]
        coarse = F.avg_pool2d(x, 2)
        found.append(float((x - F.interpolate(coarse, scale_factor=2)).square().mean().sqrt()))
        x = coarse
    return found


def judge(net, picture, photo, painting):
    """All figures but the time."""
    a, b = luma(picture), luma(photo)
    return [
        *style_errors(net, picture, painting),
        *(style_errors(net, smaller(picture, factor), smaller(painting, factor))[1] for factor in (2, 4)),
        colours(picture, painting),
        float(piq.ssim(a, b, downsample=False)),
        float(piq.gmsd(a, b)),
        float(torch.corrcoef(torch.stack([edges(picture), edges(photo)]))[0, 1]),
        *(ours / theirs for ours, theirs in zip(octaves(picture), octaves(painting), strict=True)),
    ]


def told(row):
    return " ".join(f"{name} {value:.{1 if name in ('seconds', 'colour') else 3}f}" for name, value in row)


def at_size(pair, size):
    """The photograph and the painting as a run at that size takes them."""
    content, style = pair
    full = read_image(style).pixels
    return read_image(content, size).pixels, resize(full, fit(full.shape[-1], full.shape[-2], size)[::-1])


def make(options, pair, size, setting, made):
    """Run the command line; give its seconds, NaN where the picture was there."""
    if made.exists():
        return float("nan")
    command = [sys.executable, "-m", "gatys", *pair, "--size", str(size), "-o", str(made)]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--weights", options.filters, "--quiet", *shlex.split(setting)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def as_picture(pixels):
    return Image.fromarray((pixels[0].movedim(0, -1) * 255).round().byte().numpy())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters")
    parser.add_argument("out", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="CONTENT:STYLE[:NAME=FILE]")
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=OPTIONS")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    settings = {"default": ""} | dict(text.split("=", 1) for text in options.setting)
    net = read_as(gatys.load_vgg(options.filters), pooling="max")
    found = {}
    for size in map(int, options.sizes.split(",")):
        for text in options.pairs:
            *pair, others = [*text.split(":")[:2], text.split(":")[2:]]
            photo, painting = at_size(pair, size)
            title = f"{Path(pair[0]).stem}-{Path(pair[1]).stem}-{size}"
            print(f"\n{title}")
            sheet = [("photograph", as_picture(photo)), ("painting", as_picture(painting))]
            made = {name: options.out / f"{title}-{name}.png" for name in settings}
            seconds = {name: make(options, pair, size, settings[name], made[name]) for name in settings}
            for name, file in [*made.items(), *(other.split("=", 1) for other in others)]:
                pixels = resize(read_image(file).pixels, tuple(photo.shape[-2:])).clamp(0, 1)
                row = [*judge(net, pixels, photo, painting), seconds.get(name, float("nan"))]
                found.setdefault((size, name), []).append(row)
                print(f"  {name:20} {told(zip(FIGURES, row, strict=True))}", flush=True)
                sheet.append((name, as_picture(pixels)))
            cells = [Cell([label], picture) for label, picture in sheet]
            contact_sheet(cells, columns=3).save(options.out / f"sheet-{title}.png")
    print("\nmeans")
    for (size, name), rows in found.items():
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        print(f"  {size:5} {name:20} {len(rows)} pairs: {told(zip(FIGURES, means, strict=True))}")


if __name__ == "__main__":
    main()
