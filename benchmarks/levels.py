"""Coarse to fine against one level, and how to split steps over levels, at equal arithmetic.

    python benchmarks/levels.py CONTENT STYLE --size 1024 --cost 20 --init noise --ratio none 1 2 4 -o FOLDER

A step on a level costs a quarter of one on the level above; `--cost` is the sum in steps at full size. A ratio is how
many times the steps of a level the next coarser one gets; `none` is full size alone. Printed is the loss at full size
of the picture that the run returns; the pictures are written to FOLDER, to be looked at.
"""

import argparse
import time
from pathlib import Path

import gatys
from gatys.pictures.images import read_image, write_image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cost", type=float, default=20)
    parser.add_argument("--init", default="noise")
    parser.add_argument("--content-weight", type=float, default=0.01)
    parser.add_argument("--ratio", nargs="+", default=["none", "1", "2", "4"])
    parser.add_argument("-o", "--out", type=Path, default=Path("."))
    options = parser.parse_args()
    net = gatys.load_vgg19("untrained", pooling="average")
    content, style = (read_image(path, options.size).pixels for path in (options.content, options.style))
    for ratio in options.ratio:
        levels = 1 if ratio == "none" else "auto"
        targets = {
            "content": gatys.extract_content(net, content, levels=levels, normalize=True),
            "style": gatys.extract_style(net, style, levels=levels, normalize=True),
        }
        count = min(target.levels for target in targets.values())
        r = 1.0 if ratio == "none" else float(ratio)
        finest = options.cost / sum((r / 4) ** level for level in range(count))
        steps = [max(1, round(finest * r**level)) for level in range(count)]
        cost = sum(n / 4**level for level, n in enumerate(steps))
        began = time.perf_counter()
        result = gatys.optimize(net, **targets, init=options.init, steps=steps, content_weight=options.content_weight)
        seconds = time.perf_counter() - began
        last = min((record for record in result.history if record.level == 0), key=lambda record: record.total)
        print(
            f"{options.size} px from {options.init}, ratio {ratio}: steps {steps}, cost {cost:.1f}, {seconds:.0f} s: "
            f"total {last.total:.6f}, content {last.content:.4f}, style {last.style:.6f}",
            flush=True,
        )
        write_image(options.out / f"levels_{options.size}_{options.init}_{ratio}.png", result.image)


if __name__ == "__main__":
    main()
