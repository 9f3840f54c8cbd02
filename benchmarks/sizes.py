"""Time and memory of one evaluation, whole and in tiles, and of a whole run, against what was planned.

    python benchmarks/sizes.py evaluate 2048 none 1024 1024+keep 512     # one picture, several ways, interleaved
    python benchmarks/sizes.py run 3072x2304 512 --steps 3               # peak of a whole process with L-BFGS
    python benchmarks/sizes.py run 8192x8192 auto --steps 1 --memory 8   # GiB that the planner may use

A way is `none` for the whole picture, an edge of tiles in pixels, `+keep` for tiles that keep what the way back needs,
or `auto`. Times are medians of interleaved rounds in one process (Linux); memory is the peak of resident memory of an
evaluation, above what was resident before it; up to a megapixel each way in a process of its own. Layers are the
defaults.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import torch
from measure import resident, watched

import gatys
from gatys.network.layers import CONTENT_LAYERS, STYLE_LAYERS
from gatys.network.layers import LAYERS as TABLE
from gatys.passes.memory import evaluation_bytes, free_memory, kept_bytes, picture_bytes, setup_bytes
from gatys.passes.plan import make_plan
from gatys.passes.tiles import tiles

LAYERS = [TABLE[name] for name in (*STYLE_LAYERS, *CONTENT_LAYERS)]


def picture(height, width, seed):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def size_of(text):
    width, _, height = text.partition("x")
    return int(height or width), int(width)


def parsed(way):
    tile, _, keep = way.partition("+")
    return None if tile == "none" else int(tile), bool(keep)


def planned(size, way):
    """Bytes that the planner counts for one evaluation, and pixels of the windows over those of the picture."""
    tile, keep = parsed(way)
    plan = make_plan(size, LAYERS, optimizer="adam", tile=tile, memory=2**50)
    largest = max((part.size for part in tiles(size, tile, LAYERS)), key=lambda edges: edges[0] * edges[1])
    kept = kept_bytes(size, LAYERS) if keep else 0
    gradient = 3 * picture_bytes(size)  # and two more while the smoothness is computed
    return evaluation_bytes(largest, LAYERS) + kept + gradient + setup_bytes("cpu"), plan.surplus


def build(size):
    net = gatys.load_vgg19("untrained", pooling="average")
    content = gatys.extract_content(net, picture(*size, 0), normalize=False)
    style = gatys.extract_style(net, picture(512, 512, 1), normalize=False)
    return gatys.Objective(net, content=content, style=style), picture(*size, 2)


def peak(size, way):
    objective, x = build(size)
    tile, keep = parsed(way)
    objective.terms(x, tile, keep=keep)  # what the libraries set up once, about 100 MiB, would hide what is measured
    return watched(lambda: objective.terms(x, tile, keep=keep))[2]


def evaluate(size, ways, rounds):
    objective, x = build(size)
    times, peaks = {way: [] for way in ways}, {}
    for turn in range(rounds + (rounds > 1)):
        for way in ways:
            tile, keep = parsed(way)
            _, seconds, peaks[way] = watched(lambda tile=tile, keep=keep: objective.terms(x, tile, keep=keep))
            if turn or rounds == 1:
                times[way].append(seconds)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {size[1]} x {size[0]}, {rounds} rounds")
    for way in ways:
        used = peaks[way]
        if size[0] * size[1] <= 2**20:  # small enough for the allocator to keep what another way has left
            command = [sys.executable, __file__, "peak", f"{size[1]}x{size[0]}", way]
            used = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        expected, surplus = planned(size, way)
        ratios = [b / a for a, b in zip(times[ways[0]], times[way], strict=True)]
        print(
            f"{way:>10} {statistics.median(times[way]):8.2f} s, {statistics.median(ratios):.2f} of {ways[0]} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), halo {100 * (surplus - 1):.0f} %, "
            f"peak {used / 2**20:.0f} MiB, planned {expected / 2**20:.0f} MiB ({expected / used - 1:+.0%})"
        )


def run(size, tile, steps, memory):
    how = {} if memory is None else {"memory": int(memory * 2**30)}
    net = gatys.load_vgg19("untrained", pooling="average")
    base = resident()
    began = time.perf_counter()
    content = gatys.extract_content(net, picture(*size, 0), normalize=True, dtype="auto", tile=tile, **how)
    style = gatys.extract_style(net, picture(512, 512, 1), normalize=True)
    extracted = time.perf_counter()
    plan = make_plan(size, LAYERS, tile=tile, **how)
    print(f"plan: {plan}, tile {plan.tile}; free {free_memory('cpu') / 2**30:.1f} GiB", flush=True)
    result = gatys.optimize(net, content=content, style=style, steps=steps, tile=tile, **how)
    done = time.perf_counter()
    top = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    features = sum(f.numel() * f.element_size() for f in content.features[0].values())
    pair = 2 * picture_bytes(size) // (2 if plan.half else 1)
    made = min(plan.history_size, max(0, steps - 1))  # a first step has nothing to remember
    expected = plan.bytes + setup_bytes("cpu") + features - pair * (plan.history_size - made)
    print(
        f"{size[1]} x {size[0]}, tile {tile}, {steps} steps: extraction {extracted - began:.1f} s, "
        f"{(done - extracted) / steps:.1f} s a step, peak of the process {top / 2**30:.2f} GiB, {base / 2**30:.2f} before; "
        f"activations of a tile {evaluation_bytes(plan.tile or size, LAYERS) / 2**30:.2f} GiB without halo; "
        f"planned {expected / 2**30:.2f} GiB beside {base / 2**30:.2f} ({expected / (top - base) - 1:+.0%}); "
        f"total loss {result.history[0].total:.4g} to {result.history[-1].total:.4g}"
    )
    for note in result.notes:
        print(note)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("evaluate", "run", "peak"))
    parser.add_argument("size", type=size_of, help="EDGE or WIDTHxHEIGHT")
    parser.add_argument("ways", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--memory", type=float, help="GiB that the planner may use")
    options = parser.parse_args()
    if options.what == "peak":
        print(peak(options.size, options.ways[0]))
    elif options.what == "evaluate":
        evaluate(options.size, options.ways, options.rounds)
    else:
        tile = {"none": None, "auto": "auto"}.get(options.ways[0], options.ways[0])
        run(options.size, int(tile) if tile not in (None, "auto") else tile, options.steps, options.memory)


if __name__ == "__main__":
    main()
