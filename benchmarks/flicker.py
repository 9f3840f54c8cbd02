"""How much a film flickers: frames on their own, each from the last result, and along optical flow.

    python benchmarks/flicker.py [--content FILE] [--style FILE] [--weights FILE] [--size 96] [--frames 5] [--out FOLDER]
    python benchmarks/flicker.py --films swing --frames 101 --only "on their own,known flow"     # drift over 100 frames
    python benchmarks/flicker.py --films "" --clips carphone.mp4,bikes.mp4@6.2                     # from 6.2 s on
    python benchmarks/flicker.py --size 512 --steps 200 --later-steps 0 --films pan --frames 3     # time by the defaults

Films are made of the content picture, with known motion: one view with the noise of a camera (a standard deviation of
2/255), a pan, a zoom, a disc that turns and moves over a background, and a camera that swings there and back in 20 frames. Of
clips the motion is that which DIS finds in frames of up to 768 pixels. Flicker is the mean absolute difference of consecutive
results, in 1/255, after undoing the motion, where the scene was seen in both frames; that of the frames themselves is
printed first. Drift is the same between the first frame and the last. `new` is about the ground that comes into view: how well
light and dark of the result go with those of the frame there (correlation; the mean of all such places). The loss is that
of the last frame, without the temporal term: what steadiness costs. The last column is the processor time of a later frame,
the median, as a share of the first's.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import gatys
from gatys.pictures.checks import size_of
from gatys.pictures.colors import LUMA
from gatys.pictures.images import fit, read_image
from gatys.pictures.resampling import resize
from gatys.video.flow import flow_function
from gatys.video.larger_flow import LargerFlow

ROOT = Path(__file__).resolve().parent.parent
PAN, ZOOM, TURN, MOVE = 4, 1.03, 6.0, 3.0
"""Pixels a frame, factor a frame, degrees a frame, pixels a frame."""
NOISE, PERIOD = 2 / 255, 20
LONG_TERM = (1, 2, 4, 8, 20)
"""The distances of the row "long term"."""

Place = Callable[[int, int], tuple[Tensor, Tensor]]
"""A function of two frames a and b: where each pixel of a is in b, (2, H, W), and whether it is seen in b, (H, W)."""


@dataclass
class Film:
    frames: Tensor
    place: Place

    def flow(self, index: int, other: int) -> tuple[Tensor, Tensor]:
        """The flow on a frame into another, (1, 2, H, W), and where it holds, (1, 1, H, W)."""
        there, seen = self.place(index, other)
        height, width = there.shape[1:]
        inside = (there[0] >= 0) & (there[0] <= width - 1) & (there[1] >= 0) & (there[1] <= height - 1)
        return (there - grid(height, width))[None], (seen & inside)[None, None]

    def uncovered(self, index: int) -> Tensor:
        """Where a frame shows what the one before it did not, though that is within the picture, (1, 1, H, W)."""
        return ~self.flow(index, index - 1)[1]

    def known(self, distances: tuple[int, ...] = (1,)) -> gatys.FilmFlow:
        """The flow between frames of these distances, the first of which is 1."""

        def flows(distance: int) -> tuple[Tensor, Tensor]:
            pairs = [(index, index - distance) for index in range(distance, len(self.frames))]
            ways = ([self.flow(*pair)[0] for pair in each] for each in (pairs, [pair[::-1] for pair in pairs]))
            back, ahead = map(torch.cat, ways)
            return back, ahead

        farther = {distance: gatys.FilmFlow(*flows(distance)) for distance in distances[1:]}
        return gatys.FilmFlow(*flows(1), farther)

    def difference(self, pictures: Tensor, index: int, other: int) -> float:
        flow, seen = self.flow(index, other)
        apart = (gatys.warp(pictures[other : other + 1], flow) - pictures[index : index + 1]).abs()
        return float(apart.mean(dim=1, keepdim=True)[seen].mean() * 255)

    def new(self, pictures: Tensor) -> float:
        """The correlation of light and dark of results and frames where ground comes into view."""
        weights = torch.tensor(LUMA).view(3, 1, 1)
        pairs = [
            torch.stack(
                [(given[index] * weights).sum(dim=0)[self.uncovered(index)[0, 0]] for given in (pictures, self.frames)]
            )
            for index in range(1, len(pictures))
        ]
        pairs = [pair for pair in pairs if pair.shape[1] > 50]
        return sum(float(torch.corrcoef(pair)[0, 1]) for pair in pairs) / len(pairs) if pairs else math.nan

    def flicker(self, pictures: Tensor) -> float:
        each = [self.difference(pictures, index, index - 1) for index in range(1, len(pictures))]
        return sum(each) / len(each)


def grid(height: int, width: int) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([columns, rows]).float()


def static_film(picture: Tensor, count: int, size: tuple[int, int]) -> Film:
    generator = torch.Generator().manual_seed(0)
    frames = picture[..., : size[0], : size[1]].expand(count, -1, -1, -1)
    noisy = (frames + NOISE * torch.randn(frames.shape, generator=generator)).clamp(0, 1)
    return Film(noisy, lambda a, b: (grid(*size), torch.ones(size, dtype=torch.bool)))


def panned_film(picture: Tensor, count: int, size: tuple[int, int]) -> Film:
    frames = torch.cat([picture[..., : size[0], PAN * index :][..., : size[1]] for index in range(count)])
    shift = torch.tensor([PAN, 0.0]).view(2, 1, 1)
    return Film(frames, lambda a, b: (grid(*size) + (a - b) * shift, torch.ones(size, dtype=torch.bool)))


def zoomed_film(picture: Tensor, count: int, size: tuple[int, int]) -> Film:
    middle = torch.tensor([size[1] - 1, size[0] - 1]).view(2, 1, 1) / 2

    def place(a: int, b: int) -> tuple[Tensor, Tensor]:
        return (grid(*size) - middle) * ZOOM ** (b - a) + middle, torch.ones(size, dtype=torch.bool)

    still = picture[..., : size[0], : size[1]]
    frames = [gatys.warp(still, place(index, 0)[0] - grid(*size)) for index in range(count)]
    return Film(torch.cat(frames), place)


def turning_film(picture: Tensor, count: int, size: tuple[int, int]) -> Film:
    """A disc with the upper left of the picture upside down and in other colours, before the picture."""
    background = picture[..., : size[0], : size[1]]
    thing = background.flip(-2)[:, [2, 0, 1]]
    radius = 0.28 * min(size)

    def middle(index: int) -> Tensor:
        return torch.tensor([0.35 * size[1] + MOVE * index, size[0] / 2]).view(2, 1, 1)

    def inside(place: Tensor, index: int) -> Tensor:
        return (place - middle(index)).norm(dim=0) - radius

    def turned(a: int, b: int) -> Tensor:
        angle = math.radians(TURN * (b - a))
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return torch.einsum("ij,jhw->ihw", turn, grid(*size) - middle(a)) + middle(b)

    def place(a: int, b: int) -> tuple[Tensor, Tensor]:
        here = grid(*size)
        on_disc = inside(here, a) < 0
        there = torch.where(on_disc, turned(a, b), here)
        edge = (inside(here, a).abs() < 1.5) | (~on_disc & (inside(here, b) < 1.5))
        return there, ~edge

    frames = []
    for index in range(count):
        cover = (0.5 - inside(grid(*size), index)).clamp(0, 1)
        disc = gatys.warp(thing, turned(index, 0) - grid(*size))
        frames.append(torch.lerp(background, disc, cover))
    return Film(torch.cat(frames), place)


def swinging_film(picture: Tensor, count: int, size: tuple[int, int]) -> Film:
    """A pan that turns back after half a period, within the picture."""
    half = PERIOD // 2
    step = (picture.shape[-1] - size[1]) // half
    at = [step * (half - abs(index % PERIOD - half)) for index in range(count)]
    frames = torch.cat([picture[..., : size[0], left:][..., : size[1]] for left in at])

    def place(a: int, b: int) -> tuple[Tensor, Tensor]:
        return grid(*size) + torch.tensor([at[a] - at[b], 0.0]).view(2, 1, 1), torch.ones(size, dtype=torch.bool)

    return Film(frames, place)


class RealFilm(Film):
    """Frames of a clip, whose motion DIS tells, looking at larger versions of them."""

    def __init__(self, file: str, count: int, edge: int):
        path, _, start = file.partition("@")
        larger = [
            frame.pixels for frame, _ in zip(gatys.open_clip(path, float(start or 0)), range(count), strict=False)
        ]
        small = fit(*reversed(size_of(larger[0])), edge)[::-1]
        self.frames = torch.cat([resize(frame, small) for frame in larger])
        self._flows: dict[tuple[int, int], Tensor] = {}
        function = LargerFlow(flow_function("dis"))
        for index, frame in enumerate(larger):
            function.know(self.frames[index : index + 1], frame)
            for pair in [(index, index - 1), (index - 1, index)] if index else []:
                first, second = (self.frames[one : one + 1] for one in pair)
                self._flows[pair] = gatys.optical_flow(first, second, function)

    def flow(self, index: int, other: int) -> tuple[Tensor, Tensor]:
        there = self._flows[index, other]
        return there, gatys.occlusion_mask(there, self._flows[other, index]) == 0

    def uncovered(self, index: int) -> Tensor:
        pair = (index, index - 1)
        return gatys.occlusion_mask(self._flows[pair], self._flows[pair[::-1]], boundaries=False) > 0


FILMS = {
    "static view with noise": static_film,
    "pan": panned_film,
    "zoom": zoomed_film,
    "turning disc": turning_film,
    "swing": swinging_film,
}


def methods(film: Film, args: argparse.Namespace) -> dict[str, dict]:
    warm = {"steps": args.steps, "later_steps": args.later_steps or None, "temporal_weight": args.temporal_weight}
    along = warm | {"flow": film.known()}
    far = tuple(distance for distance in LONG_TERM if distance < len(film.frames))
    ways = {
        "on their own": warm | {"warm_start": False, "temporal_weight": 0.0},
        "from the last result": warm,
        "known flow": along,
        "  started only": along | {"temporal_weight": 0.0},
        "  without masks": along | {"occlusion": torch.zeros(size_of(film.frames))},
    }
    if not isinstance(film, RealFilm):
        ways["  long term"] = warm | {"flow": film.known(far), "long_term": far}
    ways["  two passes"] = along | {"passes": 2}
    ways |= {f"flow {name}": warm | {"flow": name} for name in args.flow.split(",") if name}
    return {name: way for name, way in ways.items() if not args.only or name.strip() in args.only.split(",")}


def measured(net: gatys.VGG, style: gatys.StyleTarget, film: Film, content: gatys.ContentTarget, options: dict) -> str:
    images, times, begun = {}, [], time.process_time()
    for frame in gatys.iterate_frames(net, content, style=style, **options):
        images[frame.index] = frame.image.cpu()  # of several passes the last
        times.append(time.process_time() - begun)
        begun = time.process_time()
    results = torch.cat([images[index] for index in sorted(images)])
    objective = gatys.Objective(net, content=content.pictures()[-1], style=style)
    loss = objective.evaluate(results[-1:].to(net.mean))[0]["total"]
    share = sorted(times[1:])[(len(times) - 1) // 2] / times[0]
    measured.results = results  # for --out
    drift = math.nan if isinstance(film, RealFilm) else film.difference(results, len(results) - 1, 0)
    return f"{film.flicker(results):9.2f}{drift:8.2f}{film.new(results):8.2f}{loss:9.4f}{share:10.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", default=ROOT / "examples/content.jpg")
    parser.add_argument("--style", default=ROOT / "examples/style.jpg")
    parser.add_argument("--weights", default="untrained", help="untrained, imagenet or a file")
    parser.add_argument("--size", type=int, default=96, help="longer edge of a frame in pixels")
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30, help="of a frame without a past")
    parser.add_argument("--later-steps", type=int, default=8, help="0 for as many as films take by themselves")
    parser.add_argument("--temporal-weight", type=float, default=gatys.Settings().temporal_weight)
    parser.add_argument("--flow", default="dis", help="methods of gatys.optical_flow, with commas")
    parser.add_argument("--only", default="", help="rows to make, by their names, with commas")
    parser.add_argument("--films", default=",".join([*FILMS][:-1]), help="films to make, with commas")
    parser.add_argument("--clips", default="", help="videos, with commas, each with @ and the seconds where to begin")
    parser.add_argument("--out", type=Path, help="folder for pictures of the last frames")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.frames < 2:
        parser.error(f"--frames: expected at least 2, got {args.frames}")
    net = gatys.load_vgg(args.weights, pooling="average").to(args.device)
    picture = read_image(args.content, args.size + PAN * min(args.frames - 1, PERIOD // 2)).pixels
    size = (min(picture.shape[-2], args.size), args.size)
    style = gatys.extract_style(net, read_image(args.style, args.size).pixels, levels="auto", normalize=True)
    films = {name: FILMS[name](picture, args.frames, size) for name in args.films.split(",") if name}
    films |= {Path(file).stem: RealFilm(file, args.frames, args.size) for file in args.clips.split(",") if file}
    for name, film in films.items():
        frames, size = film.frames, size_of(film.frames)
        print(
            f"{name}, {len(frames)} frames of {size[1]} x {size[0]}; the frames themselves: {film.flicker(frames):.2f}"
        )
        print(f"  {'':22}{'flicker':>9}{'drift':>8}{'new':>8}{'loss':>9}{'time':>10}")
        content = gatys.extract_content(net, frames, levels="auto", normalize=True)
        for method, options in methods(film, args).items():
            print(f"  {method:22}{measured(net, style, film, content, options)}", flush=True)
            if args.out is not None:
                args.out.mkdir(parents=True, exist_ok=True)
                strip = torch.cat([frames[-1:], *measured.results[[0, -2, -1]].split(1)], dim=-1)
                gatys.save_image(strip, args.out / f"{name} {method.strip()}.png".replace(" ", "_"))


if __name__ == "__main__":
    main()
