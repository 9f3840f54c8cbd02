"""Losses of published settings on trained filters: this package's descent beside the source's own loop.

    python benchmarks/published.py FILTERS CONTENT STYLE [--size 256] [--presets neural-style-pt,neural-style] [--marks 50,100]
        [--starts own,content] [--rounding LEVELS] [--neural-style-pt FOLDER]

The loop is the source's: PyTorch's L-BFGS or Adam, in the source's units of pixels, without a box, on the preset's
objective, which the tests compare with a second transcription of the source. Its loss is given as it is inside the loop, where pixels
leave [0, 1], and of the picture that would be saved, clipped. Ours never leave [0, 1]. With --neural-style-pt, that
program itself is run from its folder as well (it needs VGG-16's filters with torchvision's keys: --program-filters).
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import torch

import gatys
from gatys.descent import course
from gatys.descent.start import noise
from gatys.network.preprocessing import PREPROCESSINGS
from gatys.passes.precision import choose
from gatys.pictures.images import read_image
from gatys.pictures.resampling import resize
from gatys.settings import OWN


class Done(Exception):
    """After the last evaluation asked for."""


def pictures(preset, content, style, size):
    photo, painting = read_image(content, size).pixels, read_image(style).pixels
    return photo, resize(painting, preset.style_size(tuple(painting.shape[-2:]), tuple(photo.shape[-2:])))


def start(net, init, photo):
    if init == "content":
        return photo.clone()
    if init == "noise":
        return noise(1, tuple(photo.shape[-2:]), 0)
    mean, std = (t.view(1, 3, 1, 1) for t in (net.mean, net.std))
    return mean + 0.001 * std * noise(1, tuple(photo.shape[-2:]), 0, torch.randn)


def loop(preset, objective, picture, marks):
    """At each mark the loss inside, and that of the picture clipped."""
    scale = (
        1.0
        if preset.preprocessing == OWN or preset.moves == "picture"
        else 3 / sum(PREPROCESSINGS[preset.preprocessing][1])
    )
    values = torch.nn.Parameter(picture * scale)
    if preset.optimizer == "adam":
        optimizer = torch.optim.Adam([values], lr=preset.learning_rate)
    else:
        how = {"history_size": preset.history_size, "tolerance_change": -1, "tolerance_grad": -1}
        optimizer = torch.optim.LBFGS([values], max_iter=max(marks) + 1, max_eval=2 * max(marks), **how)
    found, count = {}, 0

    def closure():
        nonlocal count
        terms, gradient = objective.terms(values.detach() / scale)
        values.grad = gradient / scale
        count += 1
        if count in marks:
            saved, _ = objective.terms((values.detach() / scale).clamp(0, 1))
            found[count] = float(terms.total), float(saved.total)
        if count == max(marks):
            raise Done
        return terms.total

    try:
        while True:
            optimizer.step(closure)
    except Done:
        return found


def ours(preset, net, photo, painting, init, marks):
    found = {}
    best = float("inf")

    def follow(progress):
        nonlocal best
        best = min(best, progress.losses.total)
        if progress.step in marks:
            found[progress.step] = best

    result = preset.optimize(net, photo, painting, init=init, steps=max(marks), callback=follow)
    return found, result.notes


def program(folder, filters, content, style, size, init, marks):
    """neural-style-pt itself: {evaluation: total loss that it prints}."""
    command = [
        sys.executable,
        "neural_style.py",
        "-content_image",
        content,
        "-style_image",
        style,
        "-image_size",
        str(size),
    ]
    command += [
        "-gpu",
        "c",
        "-backend",
        "mkl",
        "-model_file",
        filters,
        "-disable_check",
        "-seed",
        "0",
        "-save_iter",
        "0",
    ]
    command += ["-num_iterations", str(max(marks)), "-print_iter", str(min(marks)), "-output_image", "/dev/null.png"]
    command += ["-init", {"content": "image"}.get(init, "random")]
    text = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    return {
        int(n): float(loss) for n, loss in re.findall(r"Iteration (\d+) /.*?Total loss: ([\d.e+]+)", text, re.DOTALL)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters")
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--presets", default="neural-style-pt,neural-style")
    parser.add_argument("--marks", default="50,100")
    parser.add_argument("--starts", default="own,content")
    parser.add_argument("--neural-style-pt", type=Path)
    parser.add_argument("--program-filters")
    parser.add_argument("--rounding", type=float, help="of absolute smoothness, in levels of 8 bits, instead of ours")
    options = parser.parse_args()
    if options.rounding is not None:
        course.TV_ROUNDING = options.rounding / 255
    marks = sorted(map(int, options.marks.split(",")))
    for name in options.presets.split(","):
        preset = gatys.presets[name]
        net = preset.network(gatys.load_vgg19(options.filters, preset.pooling))
        photo, painting = pictures(preset, options.content, options.style, options.size)
        objective = preset.objective(net, photo, painting)
        objective.compute_in(choose("auto", net))
        for init in dict.fromkeys(preset.init if where == "own" else where for where in options.starts.split(",")):
            began = time.perf_counter()
            found, notes = ours(preset, net, photo, painting, init, marks)
            middle = time.perf_counter()
            theirs = loop(preset, objective, start(net, init, photo), marks)
            end = time.perf_counter()
            print(f"{name} from {init}: ours {middle - began:.0f} s, loop {end - middle:.0f} s", *notes)
            itself = {}
            if options.neural_style_pt and name == "neural-style-pt":
                given = (
                    options.program_filters,
                    options.content.resolve(),
                    options.style.resolve(),
                    options.size,
                    init,
                )
                itself = program(options.neural_style_pt, *map(str, given[:3]), *given[3:], marks)
            for mark in marks:
                inside, saved = theirs[mark]
                print(f"  {mark:5}: ours {found[mark]:9.0f}   loop {inside:9.0f}, saved {saved:9.0f}", end="")
                print(f"   program {itself[mark]:9.0f}" if mark in itself else "", flush=True)


if __name__ == "__main__":
    main()
