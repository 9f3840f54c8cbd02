"""How much a film flickers: frames on their own, each from the last result, and held by the temporal term.

    python benchmarks/flicker.py [--content FILE] [--style FILE] [--size 96] [--frames 4]

Two films are made of the content picture: the same view again and again with the noise of a camera (a standard
deviation of 2/255), and a pan of 4 px a frame. Flicker is the mean absolute difference of consecutive results, in
1/255, after undoing the motion, which is known; of the frames themselves it is printed first. The loss is that of the
last frame, without the temporal term: what steadiness costs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

import gatys
from gatys.pictures.images import read_image
from gatys.settings import TEMPORAL_WEIGHT
from gatys.video.frames import optimize_frames

ROOT = Path(__file__).resolve().parent.parent

PAN = 4
"""Pixels a frame."""
NOISE = 2 / 255


def static_film(picture: Tensor, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    frames = picture[..., : picture.shape[-1] - PAN * (count - 1)].expand(count, -1, -1, -1)
    return (frames + NOISE * torch.randn(frames.shape, generator=generator)).clamp(0, 1)


def panned_film(picture: Tensor, count: int) -> Tensor:
    width = picture.shape[-1] - PAN * (count - 1)
    return torch.cat([picture[..., PAN * index :][..., :width] for index in range(count)])


def follow(index: int, last: Tensor) -> Tensor:
    """The last result as the pan moves it; the strip that comes into view repeats the edge."""
    return torch.cat([last[..., PAN:], last[..., -1:].expand(-1, -1, -1, PAN)], dim=-1)


def flicker(pictures: Tensor, pan: int) -> float:
    width = pictures.shape[-1] - pan
    return float((pictures[1:, ..., :width] - pictures[:-1, ..., pan:]).abs().mean() * 255)


def methods(steps: int, later: int, weight: float, moved: bool, size: tuple[int, int]) -> dict[str, dict]:
    hidden = torch.zeros(size)
    hidden[:, -PAN:] = 1
    motion = {"warped": follow, "occlusion": hidden} if moved else {}
    warm = {"steps": steps, "later_steps": later}
    return {
        "independent": {"steps": steps, "warm_start": False, "temporal_weight": 0.0},
        "warm start": warm | {"temporal_weight": 0.0},
        **({"warm start, warped": warm | motion | {"temporal_weight": 0.0}} if moved else {}),
        "warm start, temporal": warm | motion | {"temporal_weight": weight},
        "  ten times the weight": warm | motion | {"temporal_weight": 10 * weight},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", default=ROOT / "examples/content.jpg")
    parser.add_argument("--style", default=ROOT / "examples/style.jpg")
    parser.add_argument("--weights", default="untrained", help="untrained, imagenet or a file")
    parser.add_argument("--size", type=int, default=96, help="longer edge of a frame in pixels")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30, help="of a frame without a past")
    parser.add_argument("--later-steps", type=int, default=12)
    parser.add_argument("--temporal-weight", type=float, default=TEMPORAL_WEIGHT)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.frames < 2:
        parser.error(f"--frames: expected at least 2, got {args.frames}")
    net = gatys.load_vgg19(args.weights, pooling="average").to(args.device)
    picture = read_image(args.content, args.size + PAN * (args.frames - 1)).pixels
    style = gatys.extract_style(net, read_image(args.style, args.size).pixels, levels="auto", normalize=True)
    for name, film, pan in (
        ("static view with noise", static_film(picture, args.frames), 0),
        (f"pan of {PAN} px a frame", panned_film(picture, args.frames), PAN),
    ):
        height, width = film.shape[-2:]
        print(f"{name}, {args.frames} frames of {width} x {height}; the frames themselves: {flicker(film, pan):.2f}")
        print(f"  {'':24}{'flicker':>9}{'loss':>9}{'steps':>7}{'seconds':>9}")
        content = gatys.extract_content(net, film, levels="auto", normalize=True)
        later = (args.steps, args.later_steps, args.temporal_weight, pan > 0, (height, width))
        for method, options in methods(*later).items():
            begun = time.perf_counter()
            result = optimize_frames(net, content, style=style, **options)
            seconds = time.perf_counter() - begun
            objective = gatys.Objective(net, content=content.pictures()[-1], style=style)
            loss = objective.evaluate(result.images[-1:].to(args.device))[0]["total"]
            spent = sum(len(history) for history in result.histories)
            print(f"  {method:24}{flicker(result.images, pan):9.2f}{loss:9.4f}{spent:7}{seconds:9.1f}", flush=True)


if __name__ == "__main__":
    main()
