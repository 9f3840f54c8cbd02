"""What `peers.py` measured, as tables and as a plot; or several runs of it together:

    python benchmarks/peers_tables.py RUN.json RUN.json ...

Each program's evaluation beside neural-style-pt's, and the share of its time that it needs to its loss: of each run, and
the median and the range of all.
"""

import json
import statistics
import sys
from pathlib import Path

from programs import WIDTHS

REFERENCE = "neural-style-pt"
GOALS = (100, 300, 500)


def tables(run):
    programs, size = run["programs"], run["size"]
    floor = statistics.median(programs["convolutions"]["evaluation"]) if "convolutions" in programs else None
    print("torch {torch}, {threads} threads, {size} x {size}, {device}, from {init}, {pooling} pooling".format(**run))
    if floor:
        work = arithmetic(size) / 1e9
        print(f"one evaluation's convolutions: {work:.0f} GFLOP in {floor:.4g} s, {work / floor:.0f} GFLOP/s")
    columns = ["program", "s an evaluation (quartiles)", "share of the floor", "peak MiB"]
    row(columns + [f"loss after {goal} (unclipped)" for goal in GOALS])
    row(["---"] * (len(columns) + len(GOALS)))
    for name, result in programs.items():
        seconds = result["evaluation"]
        if not seconds:  # it never came to the full size
            continue
        middle = statistics.median(seconds)
        low, _, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else (middle,) * 3
        cells = [name, f"{middle:.4g} ({low:.4g} to {high:.4g})", f"{floor / middle:.2f}" if floor else ""]
        at, beyond = ({int(mark): v for mark, v in each} for each in (by_mark(result), result["unclipped"].items()))
        losses = [f"{at[goal]:.4g} ({beyond[goal]:.4g})" if goal in at else "" for goal in GOALS]
        row([*cells, f"{result['peak'] / 2**20:.0f}", *losses])
    if REFERENCE not in programs:
        return
    goals = [(goal, value) for goal, value in by_mark(programs[REFERENCE]) if goal in GOALS]
    row(["to the loss of neural-style-pt", *(f"after {goal}: {value:.4g}" for goal, value in goals)])
    row(["---"] * (1 + len(goals)))
    for name, result in programs.items():
        if not result["curve"]:
            continue
        found = [reached(run, name, goal) for goal, _ in goals]
        row([name, *(f"{each[0]} evaluations, {each[1]:.3f} of its time" if each else "not reached" for each in found)])


def by_mark(result):
    return [(mark, value) for mark, _, value in result["curve"]]


def reached(run, name, goal):
    """Evaluations to the loss that the reference has after `goal`, and their time as a share of its own."""
    its = next(((seconds, value) for mark, seconds, value in run["programs"][REFERENCE]["curve"] if mark == goal), None)
    if its is None:
        return None
    curve = run["programs"][name]["curve"]
    return next(((mark, seconds / its[0]) for mark, seconds, value in curve if value <= its[1]), None)


def together(runs):
    """Medians over runs, and between brackets the least and the most."""
    row(["program", "runs", "evaluation", *(f"to the loss after {goal}" for goal in GOALS)])
    row(["---"] * (3 + len(GOALS)))
    for name in dict.fromkeys(name for run in runs for name in run["programs"]):
        those = [run for run in runs if name in run["programs"] and run["programs"][name]["evaluation"]]
        ratios = []
        for run in those:
            mine, its = (statistics.median(run["programs"][each]["evaluation"]) for each in (name, REFERENCE))
            ratios.append(mine / its)
        cells = [name, len(those), spread(ratios)]
        for goal in GOALS:
            its = [run for run in those if run["programs"][name]["curve"] and reached(run, REFERENCE, goal)]
            found = [reached(run, name, goal) for run in its]
            shares = [each[1] for each in found if each]
            missed = f"not reached in {len(its) - len(shares)} of {len(its)}" if len(shares) < len(its) else ""
            cells.append(f"{spread(shares) if shares else ''} {missed}".strip())
        row(cells)


def spread(values):
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def row(cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def arithmetic(size):
    """Floating point operations of one evaluation's convolutions, forward and back."""
    total, width = 0, 3
    for channels in WIDTHS:
        if channels == "M":
            size //= 2
            continue
        total, width = total + 2 * 2 * 9 * width * channels * size**2, channels
    return total


def plot(run, place):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, result in run["programs"].items():
        if result["curve"]:
            _, seconds, values = zip(*result["curve"], strict=True)
            axes.plot(seconds, values, label=name, linewidth=2.5 if name.startswith("gatys") else 1.2)
    axes.set(xscale="log", yscale="log", xlabel="seconds", ylabel="loss of the picture in [0, 1]")
    axes.set_title("{size} x {size}, from {init}, {pooling} pooling, {device}, {threads} threads".format(**run))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(place, dpi=120)


if __name__ == "__main__":
    together([json.loads(Path(path).read_text()) for path in sys.argv[1:]])
