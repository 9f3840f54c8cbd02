"""What is left of the seam of a panorama: the step from its right end to its left beside those between other columns.

    python benchmarks/seam.py FILTERS OUT PANORAMA PAINTING [--size 512] [--steps 120] [--seeds 3] [--paddings zero,...]

FILTERS is a file of trained filters. OUT gets each result, and beside it the same turned by half its width, so that the seam
is in the middle. Figures, each of the picture as saved, in 8 bits, a mean over the turns of the panorama (`--seeds` of them:
the seam is put elsewhere in it each time, in equal steps):
- seam: mean absolute difference between the last column and the first, over the median of that between neighbouring columns;
  in brackets the share of neighbouring columns that differ as much or more.
- ends: mean absolute difference between the first row and the last, over that of the panorama itself: below 1 they took on
  each other's colours.
"""

import argparse
from pathlib import Path

import torch

import gatys
from gatys.pictures.images import read_image


def seam(picture):
    steps = (picture.roll(-1, -1) - picture).abs().mean((0, 1, 2))
    across, others = steps[-1], steps[:-1]
    return float(across / others.median()), float((others >= across).double().mean())


def ends(picture):
    return float((picture[..., 0, :] - picture[..., -1, :]).abs().mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters")
    parser.add_argument("out", type=Path)
    parser.add_argument("panorama")
    parser.add_argument("painting")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--paddings", default="zero,replicate,circular,panorama")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    net = gatys.load_vgg(told.filters)
    panorama = gatys.load_image(told.panorama, size=told.size)
    painting = gatys.load_image(told.painting, size=told.size)
    width = panorama.shape[-1]
    for padding in told.paddings.split(","):
        found = []
        for turn in range(told.seeds):
            photo = panorama.roll(turn * width // told.seeds, -1)
            path = told.out / f"{padding}_{turn}.png"
            if not path.exists():
                result = gatys.stylize(photo, painting, net=net, size=None, steps=told.steps, padding=padding)
                gatys.save_image(result, path)
            picture = read_image(path).pixels
            gatys.save_image(picture.roll(width // 2, -1), told.out / f"{padding}_{turn}_turned.png")
            found.append((*seam(picture), ends(picture) / ends(photo)))
        step, share, rows = torch.tensor(found).mean(0).tolist()
        print(f"{padding:10} seam {step:5.2f} ({share:4.0%})  ends {rows:4.2f}", flush=True)


if __name__ == "__main__":
    main()
