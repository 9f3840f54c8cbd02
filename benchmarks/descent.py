"""The loss of the finished picture after equal evaluations: our L-BFGS and Adam, and torch's L-BFGS with clipping.

    python benchmarks/descent.py [--content FILE] [--style FILE] [--size 160] [--steps 120]

torch's runs without a line search and without bounds, as every published program uses it; its picture is clipped to
[0, 1] at the end, as theirs are. All see the same objective and start; the printed loss is that of the finished picture.
"""

import argparse
import time
from pathlib import Path

import torch

import gatys
from gatys.descent.start import noise
from gatys.pictures.images import read_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def torch_lbfgs(objective, start, steps, history_size):
    x = start.clone().requires_grad_()
    method = torch.optim.LBFGS(
        [x], max_iter=steps, max_eval=steps, history_size=history_size, tolerance_grad=-1, tolerance_change=-1
    )

    def closure():
        terms, x.grad = objective.terms(x)
        return terms.total.sum()

    method.step(closure)
    return x.detach().clamp(0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", default=EXAMPLES / "content.jpg")
    parser.add_argument("--style", default=EXAMPLES / "style.jpg")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=120)
    options = parser.parse_args()
    net = gatys.load_vgg19("untrained", pooling="average")
    content = gatys.extract_content(net, read_image(options.content, options.size).pixels, normalize=True)
    style = gatys.extract_style(net, read_image(options.style, options.size).pixels, normalize=True)
    targets = {"content": content, "style": style}
    objective = gatys.Objective(net, **targets)
    for start_name, start in (("content", content.image), ("noise", noise(1, content.size, seed=0))):
        print(f"from {start_name}, {options.steps} evaluations, {content.size[1]} x {content.size[0]} px")

        def ours(start=start, **how):
            return gatys.optimize(net, **targets, init=start, steps=options.steps, **how).image

        programs = {
            "gatys lbfgs, history 10": ours,
            "gatys lbfgs, history 50": lambda ours=ours: ours(history_size=50),
            "gatys adam": lambda ours=ours: ours(optimizer="adam"),
            "torch lbfgs, history 10": lambda start=start: torch_lbfgs(objective, start, options.steps, 10),
            "torch lbfgs, history 100": lambda start=start: torch_lbfgs(objective, start, options.steps, 100),
        }
        for name, program in programs.items():
            began = time.perf_counter()
            picture = program()
            seconds = time.perf_counter() - began
            print(f"  {name:26} loss {objective.evaluate(picture)[0]['total']:.6f}  {seconds:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
