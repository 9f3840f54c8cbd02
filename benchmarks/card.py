"""What an evaluation and a step of L-BFGS take on a graphics card, and the operations that make them up, beside others.

    python benchmarks/card.py [--sizes 256 512 1024 2048] [--pooling max]

Milliseconds, the device waited for after each call; operations are replayed from a CUDA graph, twenty times in a row. On
another device than NVIDIA's there are no graphs, and what cuDNN does is left out.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

import gatys
from gatys.descent.lbfgs import LBFGS
from gatys.descent.start import noise
from gatys.objective.graphs import Replay
from gatys.objective.objective import Objective
from gatys.passes.adjoints import average, corners, gate, shut, to_taken
from gatys.targets.gram import gram_sum

STYLE = {f"conv{block}_1": 1.0 for block in range(1, 6)}


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def milliseconds(work, device, calls=15, warm=5):
    found = []
    for call in range(warm + calls):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        if call >= warm:
            found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


def evaluations(size, pooling, device):
    net = gatys.load_vgg19("untrained", pooling).to(device)
    pictures = [noise(1, (size, size), seed=seed).to(device) for seed in range(3)]
    content = gatys.extract_content(net, pictures[0], {"conv4_2": 1.0}, normalize=False)
    style = gatys.extract_style(net, pictures[1], STYLE, normalize=False)
    for precision in ("float32", "bfloat16", "float16"):
        objective = Objective(net, content=content, style=style, precision=precision)
        plain = milliseconds(lambda: objective.terms(pictures[2]), device)  # noqa: B023 (called here)
        evaluate = Replay(objective.terms) if device == "cuda" else objective.terms
        replayed = milliseconds(lambda: evaluate(pictures[2]), device)  # noqa: B023
        descent, steps = LBFGS(pictures[2].clone()), []
        for _ in range(25):
            terms, gradient = evaluate(descent.ask())
            steps.append(milliseconds(lambda: descent.tell(terms.total, gradient), device, calls=1, warm=0))  # noqa: B023
        print(
            f"| {size} | {precision} | {plain:.2f} | {replayed:.2f} | {statistics.median(steps[12:]):.2f} |", flush=True
        )


def replayed(work, device, times=20):
    for _ in range(3):
        work()
    if device == "cuda":
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        work = graph.replay
    return milliseconds(lambda: [work() for _ in range(times)], device, calls=5, warm=1) / times


def operations(device, edge=1024, channels=64):
    """Of a map in bfloat16."""

    def some(*size):
        values = torch.rand(size, device=device).sub_(0.5).to(torch.bfloat16)
        return values.contiguous(memory_format=torch.channels_last)

    x, weight, bias = some(1, channels, edge, edge), some(channels, channels, 3, 3), some(1, channels, 1, 1).flatten()
    y, gradient, pulled = x.relu(), some(1, channels, edge, edge), some(1, channels, edge // 2, edge // 2)
    open_, ours = y.bool(), gate(y)
    pooled, index = F.max_pool2d(y, 2, return_indices=True)
    taken = corners(pooled, index, edge, divide=True)
    fours = pulled.new_empty(1, edge // 2, 2, edge // 2, 2, channels).permute(0, 5, 1, 2, 3, 4)
    parts = [fours[:, :, :, corner // 2, :, corner % 2] for corner in range(4)]
    wide = y.permute(0, 2, 3, 1).flatten(1, 2)

    def in_copies():
        return sum(part.float().transpose(1, 2) @ part.float() for part in wide.split(2**13, dim=1))

    def by_products():
        for corner, part in enumerate(parts, start=1):
            torch.mul(pulled, taken.eq(corner).view(torch.int8), out=part)

    def fused(x, weight):
        return lambda: torch.cudnn_convolution_relu(x, weight, bias, (1, 1), (1, 1), (1, 1), 1)

    pairs = {
        "which units were open": {"bool": y.bool, "ours": lambda: gate(y)},
        "the gradient through them": {
            "product": lambda: gradient.mul_(open_.view(torch.int8)),
            "ours": lambda: shut(gradient, ours),
        },
        "which was taken": {
            how: lambda d=d: corners(pooled, index, edge, divide=d) for how, d in (("shifts", 0), ("remainder", 1))
        },
        "the gradient to what was taken": {"products": by_products, "ours": lambda: to_taken(pulled, taken)},
        "average pooling": {"avg_pool2d": lambda: F.avg_pool2d(y, 2), "ours": lambda: average(y)},
        "Gram sum": {"float32 copies": in_copies, "ours": lambda: gram_sum(y)},
    }
    if device == "cuda":
        few = {n: fused(some(1, n, edge, edge), some(channels, n, 3, 3)) for n in (3, 8, 16)}
        pairs["convolution, bias, rectifier"] = {
            "one by one": lambda: F.relu_(F.conv2d(x, weight, bias, padding=1)),
            "cuDNN": fused(x, weight),
        }
        pairs["the same, of few channels"] = few
    for what, ways in pairs.items():
        print(
            f"| {what} | " + ", ".join(f"{name} {replayed(work, device):.3f}" for name, work in ways.items()) + " |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--pooling", choices=("max", "average"), default="max")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    print("| size | precision | evaluation | from a graph | step of L-BFGS |\n|---|---|---|---|---|")
    for size in options.sizes:
        evaluations(size, options.pooling, options.device)
    with torch.no_grad():
        operations(options.device, edge=max(64, min(1024, max(options.sizes))))


if __name__ == "__main__":
    main()
