"""What each statistic of a style costs, and octaves of it: processor time of an evaluation, in turns, as a share of the Gram matrices'.

OMP_NUM_THREADS=1 python benchmarks/statistic.py [--size 512] [--rounds 7] [--weights FILE]
"""

import argparse
import statistics
import time
from pathlib import Path

import gatys
from gatys.passes.precision import choose
from gatys.settings import STATISTICS

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--weights", default="untrained")
    options = parser.parse_args()
    net = gatys.load_vgg(options.weights)
    photo, painting = (gatys.load_image(EXAMPLES / name, options.size) for name in ("content.jpg", "style.jpg"))
    content = gatys.extract_content(net, photo)
    objectives = {}
    for name in STATISTICS:
        style = gatys.extract_style(net, painting, statistic=name)
        objectives[name] = gatys.Objective(net, content=content, style=style)
    several = {
        "style": gatys.extract_style(net, painting, levels=3),
        "content": gatys.extract_content(net, photo, levels=3),
    }
    for octaves in (2, 3):
        objectives[f"{octaves} octaves"] = gatys.Objective(net, **several, octaves=octaves)
    for objective in objectives.values():
        objective.compute_in(choose("auto", net))
    taken: dict[str, list[float]] = {name: [] for name in objectives}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, objective in objectives.items():
            before = time.process_time()
            objective.evaluate(photo, tile=None)
            taken[name].append(time.process_time() - before)
    for name, times in taken.items():
        shares = [own / gram for own, gram in zip(times[1:], taken["gram"][1:], strict=True)]
        print(f"{name:12} {statistics.median(times[1:]):6.3f} s, {statistics.median(shares):.3f} of gram")


if __name__ == "__main__":
    main()
