"""Winograd's convolutions beside direct ones, in float32 on the CPU: layer by layer, and in whole evaluations.

    python benchmarks/winograd.py --size 512 --rounds 5
    ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=1 python benchmarks/winograd.py

The second line lets a processor that can do more compute as one with AVX2 only. All ways take turns in one process. With
one thread the clock is that of the processor's time, which other work on the machine blurs less; else it is the wall's.
"direct" is the same program with its table of layers emptied, and the bare loop that of `overhead.py`.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from overhead import build

from gatys.network.layers import LAYERS
from gatys.passes import winograd


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="the longer edge of the pictures, 4 to 3 of the other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("layers", "whole"))
    parser.add_argument("--like", help="take the layers that are taken on another processor, such as AVX2")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    table = dict(winograd._FEWEST_BLOCKS)
    if options.like:
        table = {torch.backends.cpu.get_cpu_capability(): table[options.like]}
    told = f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    print(f"{told}, {options.size} px, medians of {options.rounds} rounds")
    if options.only != "whole":
        layers(options, table)
    if options.only != "layers":
        whole(options, table)


def in_turns(ways, rounds):
    """The seconds that each of some functions takes, after a first time, which prepares."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = clock()
            way()
            if turn:
                seconds[name].append(clock() - began)
    return seconds


def layers(options, table):
    print("| layer | direct, ms | its rate, GFLOP/s | forward | back | error forward | back | taken |\n|" + "---|" * 8)
    seen = set()
    for name, layer in LAYERS.items():
        size = options.size * 3 // 4 // layer.stride, options.size // layer.stride
        kind = layer.in_channels, layer.channels, size
        if layer.in_channels < 64 or kind in seen:
            continue
        seen.add(kind)
        torch.manual_seed(0)
        weight = torch.randn(layer.channels, layer.in_channels, 3, 3) * (2 / (9 * layer.in_channels)) ** 0.5
        weight = weight.contiguous(memory_format=torch.channels_last)
        bias = torch.randn(layer.channels)
        x, g = (torch.randn(1, n, *size).to(memory_format=torch.channels_last) for n in kind[:2])
        x.relu_()
        ways = {
            "direct": lambda: F.relu_(F.conv2d(x, weight, bias, padding=1)),  # noqa: B023
            "forward": lambda: winograd.convolve(x, weight, bias, rectify=True),  # noqa: B023
            "direct back": lambda: F.conv_transpose2d(g, weight, padding=1),  # noqa: B023
            "back": lambda: winograd.convolve(g, weight, turned=True),  # noqa: B023
        }
        errors = [far(ways[one](), ways[other]()) for one, other in (("forward", "direct"), ("back", "direct back"))]
        found = {way: statistics.median(seconds) for way, seconds in in_turns(ways, options.rounds).items()}
        rate = 18 * layer.in_channels * layer.channels * size[0] * size[1] / found["direct"] / 1e9
        winograd._FEWEST_BLOCKS = table
        print(
            f"| {name}, {kind[0]} -> {kind[1]} @ {size[1]} x {size[0]} | {1e3 * found['direct']:.1f} | {rate:.0f} "
            f"| {found['forward'] / found['direct']:.2f} | {found['back'] / found['direct back']:.2f} "
            f"| {errors[0]:.1e} | {errors[1]:.1e} | {'yes' if winograd.gains(x, weight, (1, 1)) else 'no'} |",
            flush=True,
        )


def whole(options, table):
    (evaluate, picture), (loop, _) = build("gatys", options.size), build("bare", options.size)

    def by(found):
        def way():
            winograd._FEWEST_BLOCKS = found
            return evaluate(picture)

        return way

    def by_loop():
        with torch.enable_grad():
            return loop(picture)

    ways = {"winograd": by(table), "direct": by({}), "bare loop": by_loop}
    results = {name: way() for name, way in ways.items()}
    seconds = in_turns(ways, options.rounds)
    print(
        "| square picture | s an evaluation | range | of direct | of the bare loop | gradient off direct's |\n|"
        + "---|" * 6
    )
    for name, found in seconds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(found, seconds[other], strict=True))
            for other in ("direct", "bare loop")
        ]
        print(
            f"| {name} | {statistics.median(found):.3f} | {min(found):.3f} to {max(found):.3f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} | {far(results[name][1], results['direct'][1]):.1e} |"
        )


def far(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


if __name__ == "__main__":
    main()
