"""What it is worth to carry what a descent has learnt from one level to the next: L-BFGS's pairs, Adam's moments.

    python benchmarks/carry.py [--size 128] [--steps 32]

Two levels, half of the steps on each; the loss at full size after some of its steps, with and without what is carried,
over three pairs of pictures. A step enlarges as the picture does; a gradient's change is spread over four times the pixels.
"""

import argparse

import torch
from variants import EXAMPLES, PAIRS, run

import gatys
from gatys.descent.adam import Adam
from gatys.descent.lbfgs import LBFGS
from gatys.descent.start import noise
from gatys.objective.objective import Objective
from gatys.pictures.images import read_image
from gatys.pictures.resampling import resize


def carry_pairs(coarse, fine, size):
    """After the first evaluation of `fine`, which sets its unit."""
    unit, spread = fine._unit.factor / coarse._unit.factor, 1 / 4
    for s, y in coarse._history.pairs():
        fine._remember(resize(s, size), resize(y, size) * (unit * spread), fine._gradient)
    fine._turn()


def carry_moments(coarse, fine, size, unit):
    """Before the first evaluation of `fine`."""
    old = coarse._adam.state[coarse._image]
    moments = {
        name: resize(old[name], size).clamp_(min=least) * (unit / 4) ** power
        for name, power, least in (("exp_avg", 1, -torch.inf), ("exp_avg_sq", 2, 0.0))
    }
    fine._adam.state[fine._image] = {"step": old["step"].clone()} | moments


def two_levels(objectives, start, steps, make, carried):
    size, half = tuple(start.shape[-2:]), steps // 2
    small = resize(start, objectives[1].size)
    coarse = make(small.clone())
    run(objectives[1], coarse, half)
    image = (start + resize(coarse.best - small, size)).clamp(0, 1)
    fine = make(image.clone())
    if carried and make is Adam:
        look = Adam(image.clone())
        run(objectives[0], look, 1)
        carry_moments(coarse, fine, size, look._unit.factor / coarse._unit.factor)
    losses = run(objectives[0], fine, 1)
    if carried and make is LBFGS:
        carry_pairs(coarse, fine, size)
    return losses + run(objectives[0], fine, half - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=32)
    options = parser.parse_args()
    marks = [options.steps // 8, options.steps // 4, options.steps // 2]
    net = gatys.load_vgg19("untrained", pooling="average")
    for pair in PAIRS:
        pictures = [read_image(EXAMPLES / name, options.size).pixels for name in pair]
        content = gatys.extract_content(net, pictures[0], normalize=True, levels=2)
        style = gatys.extract_style(net, pictures[1], normalize=True, levels=2)
        objectives = [Objective(net, content=content, style=style, level=level) for level in (0, 1)]
        for name, start in (("content", pictures[0]), ("noise", noise(1, content.size, seed=0))):
            print(
                f"{' and '.join(pair)}, from {name}; loss after {', '.join(map(str, marks))} evaluations at full size"
            )
            for make in (LBFGS, Adam):
                for carried in (False, True):
                    losses = two_levels(objectives, start, options.steps, make, carried)
                    what = f"{make.__name__}{', carried' if carried else ''}"
                    print(f"| {what} | " + " | ".join(f"{losses[mark - 1]:.5f}" for mark in marks) + " |", flush=True)


if __name__ == "__main__":
    main()
