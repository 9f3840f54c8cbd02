"""How well the plan knows beforehand what a run will take, in the processor time of one thread.

    OMP_NUM_THREADS=1 python benchmarks/estimate.py

The plan's own clock is made to be the processor's, so that other programs on the machine do not count. It prints, for each
run, the seconds that its steps were expected to take, those that they took, and the ratio.
"""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import torch

import gatys
from gatys.passes import speed

RUNS = (
    ("64", 64, {}),
    ("128", 128, {}),
    ("256", 256, {}),
    ("512", 512, {}),
    ("512, float32", 512, {"precision": "float32"}),
    ("512, tiles of 128", 512, {"tile": 128}),
    ("512, adam", 512, {"optimizer": "adam"}),
    ("512, shallow", 512, {}),
)


def main() -> None:
    torch.set_num_threads(1)
    speed.time = SimpleNamespace(perf_counter=time.process_time)
    logging.getLogger("gatys").setLevel(logging.INFO)
    net = gatys.load_vgg("untrained")
    for name, edge, settings in RUNS:
        layers = {"conv1_1": 1.0, "conv2_1": 1.0} if "shallow" in name else None
        given = {"layers": layers, "levels": "auto"} if layers else {"levels": "auto"}
        picture = torch.rand(1, 3, edge * 3 // 4, edge, generator=torch.Generator().manual_seed(0))
        style = gatys.extract_style(net, picture.flip(3), **given)
        content = None if layers else gatys.extract_content(net, picture, levels="auto")
        told: list[tuple[float, gatys.Progress]] = []
        gatys.optimize(
            net,
            content=content,
            style=style,
            steps=12,
            callback=lambda progress, told=told: told.append((time.process_time(), progress)),
            **settings,
        )
        taken = told[-1][0] - told[0][0]  # without the first step, whose time holds the measuring
        expected = sum(progress.expected[progress.level] for _, progress in told[1:])
        print(f"{name}: expected {expected:.2f} s, took {taken:.2f} s, ratio {expected / taken:.2f}", flush=True)


if __name__ == "__main__":
    main()
