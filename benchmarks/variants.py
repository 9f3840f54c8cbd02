"""What was tried to make L-BFGS need fewer evaluations: the loss after some of them, beside that of the descent as it is.

    python benchmarks/variants.py [--size 96] [--steps 60]

One level, three pairs of pictures, of which the last was looked at only when the choice was made, from the content and
from noise. `history N` remembers so many steps. `first X` begins with a step of that root mean square. The others
precondition: in place of a multiple of the identity, the Hessian's inverse begins as a multiple of

- `colour W`: the covariance of the style's colours, mixed with the identity by W: steps along what colours share;
- `blur S W`: identity + W * Gaussian blur of S pixels: steps that are smoother;
- `pyramid`: identity and blurs of 1, 2 and 4 pixels, the wider ones the heavier: about 1 / frequency.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

import gatys
from gatys.descent.lbfgs import LBFGS
from gatys.descent.protocol import inner
from gatys.descent.start import noise
from gatys.objective.objective import Objective
from gatys.pictures.images import read_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PAIRS = (("content.jpg", "style.jpg"), ("dusk.jpg", "style2.jpg"), ("dusk.jpg", "style.jpg"))


class Preconditioned(LBFGS):
    """L-BFGS whose first guess of the inverse Hessian is gamma P, with gamma = <s, y> / <y, P y> of the last pair."""

    def __init__(self, image, precondition, **how):
        super().__init__(image, **how)
        self._precondition = precondition

    def _turn(self, *pair):
        if pair:
            self._remember(*pair, self._gradient)
        free = ~((self.best <= 0) & (self._gradient > 0) | (self.best >= 1) & (self._gradient < 0))
        q, scales, gamma, pairs = self._gradient * free, [], self._gamma, self._history.pairs()
        for s, y in reversed(pairs):
            scales.append(inner(s, q) / inner(s, y))
            q = q - scales[-1] * y
        if pairs:
            s, y = pairs[-1]
            gamma = inner(s, y) / inner(y, self._precondition(y))
        q = gamma * self._precondition(q)
        for (s, y), a in zip(pairs, reversed(scales), strict=True):
            q = q + s * (a - inner(y, q) / inner(s, y))
        self._try(self.best - self._length * q * free)
        if not self._slope < 0:
            self._try(self.best - self._steepest() * self._gradient)


def blur(sigma):
    reach = int(3 * sigma) + 1
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)

    def apply(q):
        q = F.conv2d(q, kernel, padding=(0, reach), groups=3)
        return F.conv2d(q, kernel.mT, padding=(reach, 0), groups=3)

    return apply


def colour(style, weight):
    covariance = torch.cov(style[0].flatten(1))
    mixed = (1 - weight) * torch.eye(3) + weight * 3 * covariance / covariance.trace()
    return lambda q: torch.einsum("ij,njhw->nihw", mixed, q)


def pyramid():
    blurs = [(2.0**octave, blur(2.0 ** (octave - 1))) for octave in (1, 2, 3)]
    return lambda q: q + sum(weight * wide(q) for weight, wide in blurs)


def variants(style):
    soft = blur(1.0)
    return {
        "as it is": LBFGS,
        "history 5": lambda image: LBFGS(image, history_size=5),
        "history 30": lambda image: LBFGS(image, history_size=30),
        "first 0.005": lambda image: LBFGS(image, first_step=0.005),
        "first 0.05": lambda image: LBFGS(image, first_step=0.05),
        "colour 0.5": lambda image: Preconditioned(image, colour(style, 0.5)),
        "colour 1": lambda image: Preconditioned(image, colour(style, 1.0)),
        "blur 1 1": lambda image: Preconditioned(image, lambda q: q + soft(q)),
        "pyramid": lambda image: Preconditioned(image, pyramid()),
    }


def run(objective, descent, steps):
    """The lowest loss so far after each evaluation."""
    losses = []
    for _ in range(steps):
        terms, gradient = objective.terms(descent.ask())
        losses.append(min([terms.total.item(), *losses[-1:]]))
        descent.tell(terms.total, gradient)
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    marks = [options.steps // 4, options.steps // 2, options.steps]
    net = gatys.load_vgg19("untrained", pooling="average")
    for pair in PAIRS:
        content_image, style_image = (read_image(EXAMPLES / name, options.size).pixels for name in pair)
        content = gatys.extract_content(net, content_image, normalize=True)
        objective = Objective(net, content=content, style=gatys.extract_style(net, style_image, normalize=True))
        for start_name, start in (("content", content_image), ("noise", noise(1, content.size, seed=0))):
            print(f"{' and '.join(pair)}, from {start_name}; loss after {', '.join(map(str, marks))} evaluations")
            for name, make in variants(style_image).items():
                losses = run(objective, make(start.clone()), options.steps)
                print(f"| {name} | " + " | ".join(f"{losses[mark - 1]:.5f}" for mark in marks) + " |", flush=True)


if __name__ == "__main__":
    main()
