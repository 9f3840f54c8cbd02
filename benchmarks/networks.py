"""Time of one evaluation through VGG-16 beside VGG-19 at the same layers, interleaved.

    python benchmarks/networks.py --size 512 --rounds 9

Both run in this process in turn, so that a machine whose speed drifts slows both; the median of the ratios is what
counts. Beside it stands the ratio of the convolutions' operations, which is what the difference should be.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

import gatys
from gatys.network.layers import LAYERS, TABLES
from gatys.network.weights import untrained_state
from gatys.passes.plan import make_plan


def networks(pooling, device):
    """The untrained VGG-19, and the VGG-16 of those of its filters that a VGG-16 has."""
    yield gatys.load_vgg("untrained", pooling=pooling).to(device)
    deeper = tuple(LAYERS.keys() - TABLES["vgg16"].keys())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "16.safetensors")
        save_file({key: value for key, value in untrained_state(0).items() if not key.startswith(deeper)}, path)
        yield gatys.load_vgg(path, pooling=pooling).to(device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pooling", default="max")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    size = (options.size, options.size)
    content, style, x = (
        torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)).to(options.device) for seed in range(3)
    )
    objectives, times = {}, {}
    for net in networks(options.pooling, options.device):
        targets = {"content": gatys.extract_content(net, content), "style": gatys.extract_style(net, style)}
        objectives[net.tag.architecture] = gatys.Objective(net, **targets)
    for turn in range(options.rounds + 1):
        for name, objective in objectives.items():
            began = time.perf_counter()
            objective.evaluate(x)  # gives numbers, for which it waits for the device
            if turn:  # the first is a warm-up
                times.setdefault(name, []).append(time.perf_counter() - began)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.device}, {options.size} px")
    for name, seconds in times.items():
        used = ", ".join(layer.name for layer in objectives[name].used)
        print(f"{name}: {statistics.median(seconds):.4f} s ({min(seconds):.4f} to {max(seconds):.4f}); {used}")
    ratios = sorted(a / b for a, b in zip(times["vgg16"], times["vgg19"], strict=True))
    work = {name: make_plan(size, objective.used, tile=None).operations for name, objective in objectives.items()}
    print(f"vgg16 / vgg19: median {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"of the convolutions' operations: {work['vgg16'] / work['vgg19']:.3f}")


if __name__ == "__main__":
    main()
