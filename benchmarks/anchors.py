"""Pictures that other programs make of a pair with given trained filters, to be judged beside ours by look.py.

    python benchmarks/anchors.py FILTERS CONTENT STYLE OUT [--size 512] [--neural-style-pt FOLDER] [--crowsonkb FOLDER]
        [--iterations N] [--iterations-a-scale N]

FILTERS is as in sources.py. Each program runs from its clone with its own defaults but for the size, the filters and, where
given, the iterations: of neural-style-pt (its own are 1000), and of each scale of crowsonkb/style-transfer-pytorch (its own
are 500, and 1000 on the first, which gets twice as many here as well). OUT gets NAME.png of each.
"""

import argparse
import tempfile
from pathlib import Path

import sources
from PIL import Image
from programs import crowsonkb_program

import gatys
from gatys.pictures.images import read_image


def neural_style_pt(place, folder, options, file):
    sources.neural_style_pt(place, folder, (options.size,), None, num_iterations=options.iterations, output_image=file)


def crowsonkb(place, folder, options, file):
    program = crowsonkb_program(place, folder)(devices=["cpu"])
    content, style = (Image.open(folder / f"{name}.png").convert("RGB") for name in ("content", "style"))
    each = options.iterations_a_scale
    program.stylize(content, [style], end_scale=options.size, iterations=each, initial_iterations=2 * each)
    program.get_image().save(file)


PROGRAMS = {"neural_style_pt": neural_style_pt, "crowsonkb": crowsonkb}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", type=Path)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--neural-style-pt", type=Path)
    parser.add_argument("--crowsonkb", type=Path)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--iterations-a-scale", type=int, default=500)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photo, painting = read_image(options.content, options.size).pixels, read_image(options.style).pixels
        sources.prepare_filters(options.filters, photo, painting, folder)
        gatys.save_image(photo, folder / "content.png")
        gatys.save_image(painting, folder / "style.png")
        for name, run in PROGRAMS.items():
            if place := getattr(options, name):
                run(place.resolve(), folder, options, (options.out / f"{name}.png").resolve())


if __name__ == "__main__":
    main()
