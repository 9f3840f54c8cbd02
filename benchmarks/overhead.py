"""Time of one evaluation beside a bare PyTorch loop over the same network, interleaved; and peak memory of each.

    python benchmarks/overhead.py --size 512 --rounds 7

The bare loop is what one would write by hand: forward, Gram matrices, losses, `backward()`. Both run in this process
in turn, so that a machine whose speed drifts slows both; the ratio of the medians is what counts. Memory is the peak
of resident memory during one evaluation, above what was resident before it, each in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from measure import watched

import gatys
from gatys.network.layers import LAYERS
from gatys.passes.memory import evaluation_bytes, setup_bytes

STYLE = [f"conv{block}_1" for block in range(1, 6)]
CONTENT = "conv4_2"


def bare(net, content, style):
    """Loss and gradient with torchvision-like layers, `F.mse_loss` and autograd; the filters are the same."""

    def features(x):
        found, x = {}, (x - net.mean[:, None, None]) / net.std[:, None, None]
        for name in LAYERS:
            if name.endswith("_1") and name != "conv1_1":
                x = F.avg_pool2d(x, 2)
            convolution = getattr(net, name)
            x = F.relu(F.conv2d(x, convolution.weight, convolution.bias, padding=1), inplace=True)
            found[name] = x
            if name == STYLE[-1]:
                return found

    def gram(f):
        f = f[0].flatten(1)
        return f @ f.T / f.shape[1]

    with torch.no_grad():
        target = features(content)[CONTENT]
        grams = {name: gram(features(style)[name]) for name in STYLE}

    def evaluate(x):
        x = x.detach().requires_grad_()
        found = features(x)
        loss = 0.01 * F.mse_loss(found[CONTENT], target)
        for name in STYLE:
            loss = loss + 1e3 * 0.2 / 4 * F.mse_loss(gram(found[name]), grams[name])
        loss.backward()
        return loss.item(), x.grad

    return evaluate


def build(which, size):
    net = gatys.load_vgg19("untrained", pooling="average")
    pictures = [torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    if which == "bare":
        return bare(net, *pictures[:2]), pictures[2]
    content, style = (
        gatys.extract_content(net, pictures[0], normalize=False),
        gatys.extract_style(net, pictures[1], normalize=False),
    )
    objective = gatys.Objective(net, content=content, style=style, style_weight=1e3)

    def evaluate(x):
        losses, gradient = objective.evaluate(x)
        return losses["total"], gradient

    return evaluate, pictures[2]


def peak(which, size):
    """MiB that one evaluation adds to what is resident before it."""
    evaluate, x = build(which, size)
    return watched(lambda: evaluate(x))[2] / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", choices=("gatys", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(options.peak, options.size))
        return
    programs = {which: build(which, options.size) for which in ("gatys", "bare")}
    times = {which: [] for which in programs}
    results = {}
    for turn in range(options.rounds + 1):
        for which, (evaluate, x) in programs.items():
            began = time.perf_counter()
            results[which] = evaluate(x)
            if turn:  # the first is a warm-up
                times[which].append(time.perf_counter() - began)
    (loss, gradient), (expected, expected_gradient) = results["gatys"], results["bare"]
    agreement = ((gradient - expected_gradient).norm() / expected_gradient.norm()).item()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.size} px, {options.rounds} rounds")
    print(f"losses {loss:.6g} and {expected:.6g}, gradients differ by {agreement:.1e}")
    for which, seconds in times.items():
        mib = float(
            subprocess.run(
                [sys.executable, __file__, "--size", str(options.size), "--peak", which],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        print(
            f"{which:6} {statistics.median(seconds):7.3f} s an evaluation ({min(seconds):.3f} to {max(seconds):.3f}), "
            f"peak {mib:.0f} MiB"
        )
    ratios = sorted(a / b for a, b in zip(times["gatys"], times["bare"], strict=True))
    print(f"ratio gatys / bare: median {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    planned = (
        evaluation_bytes((options.size, options.size), [LAYERS[name] for name in (*STYLE, CONTENT)])
        + setup_bytes("cpu")
    ) / 2**20
    print(f"planned for gatys: {planned:.0f} MiB")


if __name__ == "__main__":
    main()
