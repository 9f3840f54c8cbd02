"""What half precision costs, at equal evaluations: for what only waits, and for the convolutions.

    python benchmarks/half.py [--size 160] [--steps 100]

Content features in bfloat16 and L-BFGS's history in scaled float16, as large pictures have them (`plan.HALF_ABOVE`), and
convolutions in bfloat16 or float16, as some devices have them (`precision`): the same runs at a small size in each, and
the loss of the finished picture in float32. Beside them a run in tiles, which differs by rounding alone: how far two
runs come apart in the end.
"""

import argparse
from pathlib import Path

import torch

import gatys
from gatys.descent import course
from gatys.objective.objective import Objective
from gatys.passes import plan
from gatys.pictures.images import read_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    net = gatys.load_vgg19("untrained", pooling="average")
    photo = read_image(EXAMPLES / "content.jpg", options.size).pixels
    for painting in ("style.jpg", "style2.jpg"):
        pixels = read_image(EXAMPLES / painting, options.size).pixels
        style = gatys.extract_style(net, pixels, normalize=True)
        check = Objective(net, content=gatys.extract_content(net, photo, normalize=True), style=style)
        results = {}
        for name, dtype, above, how in (
            ("float32", None, plan.HALF_ABOVE, {}),
            ("waiting in half", torch.bfloat16, 0, {}),
            ("convolutions in bfloat16", None, plan.HALF_ABOVE, {"precision": "bfloat16"}),
            ("convolutions in float16", None, plan.HALF_ABOVE, {"precision": "float16"}),
            ("float32 in tiles", None, plan.HALF_ABOVE, {"tile": options.size // 2}),
        ):
            course.HALF_ABOVE = above
            content = gatys.extract_content(net, photo, normalize=True, dtype=dtype)
            run = {"content": content, "style": style, "steps": options.steps, "precision": "float32"} | how
            results[name] = gatys.optimize(net, **run)
            loss = check.evaluate(results[name].image)[0]["total"]
            apart = (results[name].image - results["float32"].image).abs().mean() * 255
            print(f"{painting}, {name}: loss {loss:.6f}, {apart:.2f}/255 from float32 on average", flush=True)


if __name__ == "__main__":
    main()
