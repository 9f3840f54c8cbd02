"""One picture on many processes: time, memory and bytes of an evaluation, and what follows for many GPUs.

    python benchmarks/scaling.py measure --size 512 --processes 1 2 4
    python benchmarks/scaling.py model

`measure` starts processes with one thread each, gloo between them. On a machine with fewer cores than processes the
time that passes says nothing; the processor time of the busiest process does. `model` counts the convolutions'
operations of the strip with the most to do, halos and tiles as the planner would choose, and the bytes that are sent,
over the rates that are given; its counts are printed beside what `measure` measures.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from measure import watched

import gatys
from gatys.descent.lbfgs import LBFGS
from gatys.distributed.strips import Strips
from gatys.distributed.team import join
from gatys.network.layers import LAYERS
from gatys.passes.plan import make_plan

STYLE = [f"conv{block}_1" for block in range(1, 6)]
USED = [LAYERS[name] for name in (*STYLE, "conv4_2")]
GRAMS = sum(LAYERS[name].channels ** 2 for name in STYLE)


def strips(count, rank=0, team=None):
    return Strips(team or SimpleNamespace(count=count, rank=rank), USED)


def work(arguments):
    """What one process does: prints its figures as JSON."""
    torch.set_num_threads(1)
    team = join(torch.device("cpu"))
    place, size = strips(team.count, team=team), (arguments.size, arguments.size)
    low, high = place.rows(size)
    picture = torch.rand(1, 3, high - low, size[1], generator=torch.Generator().manual_seed(team.rank))
    net = gatys.load_vgg19("untrained", pooling="average")
    how = {"normalize": True, "place": place}
    objective = gatys.Objective(
        net,
        content=gatys.extract_content(net, picture, **how),
        style=gatys.extract_style(net, picture.flip(-1), **how),
        place=place,
    )
    descent = LBFGS(picture, add=place.team.add)

    def step():
        terms, gradient = objective.terms(descent.ask())
        descent.tell(terms.total, gradient)

    step()
    seconds, passed, sent = [], [], []
    for _ in range(arguments.rounds):
        began, sent_before, at = time.process_time(), team.sent, time.perf_counter()
        step()
        seconds.append(time.process_time() - began)
        passed.append(time.perf_counter() - at)
        sent.append(team.sent - sent_before)
    peak = watched(step)[2]
    print(json.dumps({"cpu": min(seconds), "wall": statistics.median(passed), "sent": min(sent), "peak": peak}))


def measure(arguments):
    size = (arguments.size, arguments.size)
    alone = None
    for count in arguments.processes:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment |= {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "work", "--size", str(arguments.size), "--rounds", str(arguments.rounds)]
        workers = [
            subprocess.Popen(command, env=environment | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
            for rank in range(count)
        ]
        found = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
        busiest = max(each["cpu"] for each in found)
        alone = alone or busiest
        expected = window(size, count) / window(size, 1)
        print(
            f"{count} processes: busiest {busiest:.2f} s, {busiest / alone:.3f} of the first's (counted {expected:.3f}); "
            f"{statistics.median(each['wall'] for each in found):.2f} s passed; peak "
            f"{max(each['peak'] for each in found) / 2**20:.0f} MiB; sent {max(each['sent'] for each in found) / 1e6:.3f} MB "
            f"(counted {sent(size, count) / 1e6:.3f})",
            flush=True,
        )


def window(size, count):
    """Pixels that the strip with the most to do passes over."""
    return max(strips(count, rank).extent(size, USED, "zero")[0] for rank in range(count)) * size[1]


def sent(size, count):
    """Bytes that the process with the most to send sends in an evaluation: Gram sums, and halos twice."""
    most = 0
    for rank in range(count):
        place = strips(count, rank)
        low, high = place.rows(size)
        runs = place._runs_around(size, place._halo, "zero")
        given = sum(n for other, each in enumerate(runs) for owner, _, n in each if owner == rank != other)
        returned = place.extent(size, USED, "zero")[0] - (high - low)
        most = max(most, (given + returned) * 12 * size[1])
    return most + 2 * (count - 1) * GRAMS * 4 // count


def model(arguments):
    """Seconds of an evaluation, speed-up and memory for GPUs of a given rate, memory and bandwidth."""
    rate, memory, bandwidth = arguments.tflops * 1e12, int(arguments.memory * 2**30), arguments.bandwidth * 1e9
    print(f"{arguments.tflops:g} TFLOP/s, {arguments.memory:g} GiB and {arguments.bandwidth:g} GB/s a GPU")
    print(
        "| pixels a side | GPUs | tiles of a strip | s an evaluation | speed-up | of it halos | sent | memory a GPU |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for edge in (8192, 16384, 65536):
        first = None
        for count in (1, 2, 4, 8, 16, 32, 64):
            extent = max(strips(count, rank).extent((edge, edge), USED, "zero") for rank in range(count))
            plan = make_plan(extent, USED, memory=memory)
            exchanged = sent((edge, edge), count)
            seconds = plan.operations / rate + exchanged / bandwidth + (count > 1) * arguments.latency
            ideal = edge * edge / (extent[0] * extent[1] * plan.surplus) / count
            first = first or seconds
            rows, columns = plan.grid
            targets = 16 * edge * -(-edge // count)  # the content's features, in half precision
            needed = plan.bytes + targets
            fits = "" if needed <= memory / 0.85 else ", too much"
            passes = "" if rows * columns == 1 or plan.keep else ", two passes"
            print(
                f"| {edge} | {count} | {rows} x {columns}{passes} | {seconds:.2f} | {first / seconds:.1f} | "
                f"{100 * (1 - ideal):.0f} % | {exchanged / 1e6:.0f} MB | {needed / 2**30:.0f} GiB{fits} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, function in (("measure", measure), ("work", work), ("model", model)):
        command = commands.add_parser(name)
        command.set_defaults(run=function)
        if name == "model":
            command.add_argument("--tflops", type=float, default=40)
            command.add_argument("--memory", type=float, default=72, help="GiB")
            command.add_argument("--bandwidth", type=float, default=20, help="GB/s that a GPU sends")
            command.add_argument("--latency", type=float, default=0.002, help="seconds of an evaluation's exchanges")
        else:
            command.add_argument("--size", type=int, default=512)
            command.add_argument("--rounds", type=int, default=3)
            command.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
