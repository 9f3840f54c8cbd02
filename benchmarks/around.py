"""What a run costs beside its evaluations: loading, extraction, the optimiser's own arithmetic, progress and previews.

    python benchmarks/around.py --size 512

Evaluations are timed from inside; shares are those of a run of 100 steps at full size, to which fewer steps are scaled,
with what a run does once. The preview is what the node sends: the best picture as a JPEG, after every step. Then several
pictures in one pass, beside one at a time, in turn.
"""

import argparse
import io
import statistics
import time

import torch
from PIL import Image

import gatys
from gatys.descent.start import noise
from gatys.objective.evaluation import Bounded
from gatys.objective.objective import Objective
from gatys.passes.plan import make_plan

STEPS = 100
WARM_UP = 4
"""Rounds that do not count, in which a graphics card's graphs are made, too."""


class Clock(dict):
    """Seconds by name."""

    def __call__(self, name, work):
        began = time.perf_counter()
        value = work()
        self[name] = self.get(name, 0.0) + time.perf_counter() - began
        return value


def around(size, steps, precision):
    clock, step = Clock(), Clock()
    net = clock("loading the filters", lambda: gatys.load_vgg19("untrained", pooling="average"))
    pictures = [torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    content = clock("extraction of the content", lambda: gatys.extract_content(net, pictures[0], normalize=True))
    style = clock("extraction of the style", lambda: gatys.extract_style(net, pictures[1], normalize=True))
    terms = Objective.terms
    Objective.terms = lambda *given, **how: step("evaluations", lambda: terms(*given, **how))

    def encode(image, form):
        pixels = image[0].mul(255).round_().to(torch.uint8).numpy()
        Image.merge("RGB", [Image.fromarray(channel) for channel in pixels]).save(io.BytesIO(), form)

    def preview(progress):
        step("previews", lambda: encode(progress.image, "JPEG"))

    run = {"content": content, "style": style, "steps": steps, "tile": None, "precision": precision}
    result = step("run", lambda: gatys.optimize(net, **run, callback=preview))
    Objective.terms = terms
    clock("saving the picture", lambda: encode(result.image, "PNG"))
    step["optimiser and records"] = step["run"] - step["evaluations"] - step["previews"]
    whole = step["evaluations"] * STEPS / steps
    print(
        f"{size} x {size}, {torch.get_num_threads()} threads: evaluations of {STEPS} steps take {whole:.1f} s; beside them"
    )
    print("| what | seconds | share |\n|---|---|---|")
    rest = dict(clock) | {name: step[name] * STEPS / steps for name in ("previews", "optimiser and records")}
    for name, seconds in rest.items():
        print(f"| {name} | {seconds:.2f} | {100 * seconds / whole:.2f} % |")
    print(f"| together | {sum(rest.values()):.2f} | {100 * sum(rest.values()) / whole:.2f} % |")


def batches(size, rounds, device, precision):
    net = gatys.load_vgg19("untrained", pooling="average").to(device)
    counts = (1, 2, 4) if device == "cpu" else (1, 2, 4, 8)
    start = noise(max(counts), (size, size), seed=0).to(device)
    style = gatys.extract_style(net, noise(1, (size, size), seed=9).to(device), normalize=False)
    evaluations = {}
    for n in counts:
        objective = Objective(
            net, content=gatys.extract_content(net, start[:n], normalize=False), style=style, precision=precision
        )
        evaluations[n] = Bounded(
            objective,
            make_plan((size, size), objective.used, device=device, tile=None, batch=n, dtype=objective.dtype),
        )
    rates = {n: [] for n in counts}
    for turn in range(WARM_UP + rounds):
        for n, evaluate in evaluations.items():
            began = time.perf_counter()
            terms, _ = evaluate(start[:n])
            terms.sums()  # waits for the device
            if turn >= WARM_UP:
                rates[n].append(60 * n / (time.perf_counter() - began))
    print(f"\n{size} x {size}: evaluations of a picture a minute, so many pictures at a time")
    for n, found in rates.items():
        share = statistics.median(a / b for a, b in zip(found, rates[1], strict=True))
        print(f"| {n} | {statistics.median(found):.1f} | {share:.2f} of one at a time |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--precision", default="auto", help="of the convolutions")
    parser.add_argument("--batch-size", type=int, default=256, help="edge of the pictures of a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="of the batches; for another than the CPU there are only these")
    options = parser.parse_args()
    if options.device == "cpu":
        around(options.size, options.steps, options.precision)
    batches(options.batch_size, options.rounds, options.device, options.precision)


if __name__ == "__main__":
    main()
