"""Which share of the gradient each part has with the default weights, and which weights shares of the content ask for.

    python benchmarks/shares.py FILTERS CONTENT:STYLE ... [--size 128] [--steps 60]

FILTERS is a file of trained filters. For each pair: the shares at the content in the colours of the style, at noise, and at the
result of a run with the default weights; then the content weight, as a multiple of the default, and the strength with that
multiple, for some shares of the content at the first of these pictures.
"""

import argparse
import itertools
import math

import gatys
from gatys.descent.start import starting_picture
from gatys.passes.layout import WHOLE
from gatys.settings import CONTENT_WEIGHT, STRENGTH_KNOTS


def strength_of(factor):
    """The strength that puts this factor on the content weight."""
    power = math.log10(factor)
    for (low, at_low), (high, at_high) in itertools.pairwise(STRENGTH_KNOTS):
        if at_high <= power <= at_low:
            return low + (high - low) * (power - at_low) / (at_high - at_low)
    return float(power < 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters")
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=60)
    told = parser.parse_args()
    net = gatys.load_vgg(told.filters)
    for pair in told.pairs:
        photo, painting = (gatys.load_image(path, size=told.size) for path in pair.split(":"))
        content, style = gatys.extract_content(net, photo), gatys.extract_style(net, painting)
        objective = gatys.Objective(net, content=content, style=style)
        result = gatys.optimize(net, content=content, style=style, steps=told.steps, tolerance=0)
        print(pair)
        for at in ("recolored", "noise", "result"):
            image = (
                result.image if at == "result" else starting_picture(net, content, style, at, content.size, 0, WHOLE)
            )
            shares = gatys.gradient_shares(objective, image)
            print(f"  {at:9}", ", ".join(f"{name} {share:.1%}" for name, share in shares.items()), flush=True)
        for share in (0.01, 0.03, 0.1, 0.3):
            found = gatys.weights_for_shares(net, content=content, style=style, shares={"content": share})
            factor = found.content_weight / CONTENT_WEIGHT
            print(
                f"  content {share:.0%}: {factor:.3g} times the weight, strength {strength_of(factor):.2f}", flush=True
            )


if __name__ == "__main__":
    main()
