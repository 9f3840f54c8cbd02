"""What half precision for what only waits costs: content features in bfloat16 and L-BFGS's history in scaled float16.

    python benchmarks/half.py [--size 160] [--steps 100]

Large pictures keep them so (`plan.HALF_ABOVE`). The same runs at a small size, in float32 and in half precision; beside
them a run in tiles, which differs by rounding alone: how far two runs come apart in the end.
"""

import argparse
from pathlib import Path

import torch

import gatys
from gatys import plan
from gatys.images import load_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    net = gatys.load_vgg19("untrained")
    photo = load_image(EXAMPLES / "content.jpg", options.size).pixels
    for painting in ("style.jpg", "style2.jpg"):
        pixels = load_image(EXAMPLES / painting, options.size).pixels
        style = gatys.extract_style(net, pixels, normalize=True)
        results = {}
        for name, dtype, above, how in (
            ("float32", None, plan.HALF_ABOVE, {}),
            ("half", torch.bfloat16, 0, {}),
            ("float32 in tiles", None, plan.HALF_ABOVE, {"tile": options.size // 2}),
        ):
            plan.HALF_ABOVE = above
            content = gatys.extract_content(net, photo, normalize=True, dtype=dtype)
            results[name] = gatys.optimize(net, content=content, style=style, steps=options.steps, **how)
            plan.HALF_ABOVE = 2**22
            loss = min(record.total for record in results[name].history)
            apart = (results[name].image - results["float32"].image).abs().mean() * 255
            print(f"{painting}, {name}: loss {loss:.6f}, {apart:.2f}/255 from float32 on average", flush=True)


if __name__ == "__main__":
    main()
