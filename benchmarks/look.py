"""What settings look like through trained filters: figures, pictures and a contact sheet.

    python benchmarks/look.py FILTERS OUT CONTENT:STYLE [CONTENT:STYLE ...] [--sizes 256,512] [--setting NAME='OPTIONS' ...]
        [--picture NAME=FILE ...]

FILTERS is a file of trained filters; OPTIONS are options of the command line, of which there is always one setting, "default",
with none. A --picture, such as one that another program made of the first pair, is judged beside them.

Figures, each of the picture as saved, in 8 bits:
- mean, cov: how far the style is from that of the painting, in layers that no setting optimises (conv1_2, conv2_2, conv3_3,
  conv4_3, max pooling): the relative error of the features' means and covariances, a mean over the layers.
- SSIM, edges: how much of the photograph is left: structural similarity of luma, and correlation of gradient magnitudes.
- grain: root mean square of what a 2 x 2 mean leaves, and beside it the painting's at that size.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

import gatys
from gatys.network.preprocessing import read_as
from gatys.pictures.images import fit, read_image
from gatys.pictures.resampling import resize

JUDGED = ("conv1_2", "conv2_2", "conv3_3", "conv4_3")
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def luma(picture):
    return (picture * LUMA).sum(1, keepdim=True)


def moments(net, picture):
    found = {}
    for name, f in net(picture, JUDGED).items():
        f = f[0].flatten(1).double()
        mean = f.mean(1)
        centred = f - mean[:, None]
        found[name] = mean, centred @ centred.T / f.shape[1]
    return found


def style_errors(net, picture, painting):
    ours, theirs = moments(net, picture), moments(net, painting)
    mean, cov = (
        sum(float((ours[n][i] - theirs[n][i]).norm() / theirs[n][i].norm()) for n in JUDGED) / len(JUDGED)
        for i in (0, 1)
    )
    return mean, cov


def ssim(a, b):
    """Wang, Bovik, Sheikh and Simoncelli (2004), with a Gaussian window of 11 pixels and deviation 1.5."""
    x = torch.arange(11.0) - 5
    g = torch.exp(-(x**2) / (2 * 1.5**2))
    window = (g[:, None] * g[None] / g.sum() ** 2)[None, None]

    def mean(t):
        return F.conv2d(t, window)

    ma, mb = mean(a), mean(b)
    va, vb, cab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return float(((2 * ma * mb + c1) * (2 * cab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def edges(picture):
    x = luma(picture)
    sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None]
    return (F.conv2d(x, sobel) ** 2 + F.conv2d(x, sobel.transpose(2, 3)) ** 2).sqrt().flatten()


def grain(picture):
    height, width = (edge // 2 * 2 for edge in picture.shape[-2:])
    x = luma(picture[..., :height, :width])
    return float((x - F.interpolate(F.avg_pool2d(x, 2), scale_factor=2)).square().mean().sqrt())


def judge(net, picture, photo, painting):
    mean, cov = style_errors(net, picture, painting)
    same = torch.corrcoef(torch.stack([edges(picture), edges(photo)]))[0, 1]
    return mean, cov, ssim(luma(picture), luma(photo)), float(same), grain(picture)


def at_edge(path, edge):
    return read_image(path, edge).pixels


def show(pictures, out, columns):
    """A sheet of labelled pictures."""
    width, height = max(p.width for _, p in pictures), max(p.height for _, p in pictures)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + 18)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(pictures):
        x, y = index % columns * width, index // columns * (height + 18)
        draw.text((x + 4, y + 3), label, fill="black")
        sheet.paste(picture, (x, y + 18))
    sheet.save(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters")
    parser.add_argument("out", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="CONTENT:STYLE")
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=OPTIONS")
    parser.add_argument("--picture", action="append", default=[], metavar="NAME=FILE")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    settings = {"default": ""} | dict(text.split("=", 1) for text in options.setting)
    net = read_as(gatys.load_vgg19(options.filters), pooling="max")
    sums = {}
    for size in map(int, options.sizes.split(",")):
        for index, pair in enumerate(options.pairs):
            content, style = pair.split(":")
            photo = at_edge(content, size)
            full = read_image(style).pixels
            painting = resize(full, fit(full.shape[-1], full.shape[-2], size)[::-1])
            print(f"\n{Path(content).stem} + {Path(style).stem}, {size}: the painting's grain {grain(painting):.3f}")
            sheet = []
            named = [text.split("=", 1) for text in options.picture] if not index else []
            for name, where in [*settings.items(), *named]:
                seconds = 0.0
                if (name, where) in settings.items():
                    made = options.out / f"{Path(content).stem}-{Path(style).stem}-{size}-{name}.png"
                    command = [sys.executable, "-m", "gatys", content, style, "--size", str(size), "-o", str(made)]
                    began = time.perf_counter()
                    if not made.exists():
                        subprocess.run(
                            [*command, "--weights", options.filters, "--quiet", *shlex.split(where)],
                            check=True,
                            stdout=subprocess.DEVNULL,
                        )
                        seconds = time.perf_counter() - began
                else:
                    made = Path(where)
                found = resize(read_image(made).pixels, tuple(photo.shape[-2:])).clamp(0, 1)
                row = judge(net, found, photo, painting)
                if not named or name not in dict(named):
                    sums.setdefault((size, name), []).append((*row, seconds))
                print(
                    f"  {name:24} mean {row[0]:.3f} cov {row[1]:.3f} SSIM {row[2]:.2f} edges {row[3]:.2f} "
                    f"grain {row[4]:.3f} {seconds:6.1f} s",
                    flush=True,
                )
                sheet.append((name, Image.fromarray((found[0].movedim(0, -1) * 255).round().byte().numpy())))
            columns = min(3, len(sheet))
            show(sheet, options.out / f"sheet-{Path(content).stem}-{Path(style).stem}-{size}.png", columns)
    print("\nmeans over the pairs")
    for (size, name), rows in sums.items():
        values = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        print(
            f"  {size:5} {name:24} mean {values[0]:.3f} cov {values[1]:.3f} SSIM {values[2]:.2f} edges {values[3]:.2f} "
            f"grain {values[4]:.3f} {values[5]:6.1f} s"
        )


if __name__ == "__main__":
    main()
