"""Draws what package pages show: icon.png, half photograph and half strokes, and banner.jpg, a result 21 by 9.

Usage: python examples/publish.py [--weights FILE] [--out FOLDER] [icon] [banner]
The banner is the harbour in the style of the first painting through trained filters: several minutes on one core.
"""

import argparse
import math
import random
from pathlib import Path

from PIL import Image, ImageDraw

import gatys
from gatys.pictures.conversion import to_tensor

HERE = Path(__file__).parent
SIDE, SCALE = 400, 4  # the registry takes 400 pixels at most
BANNER, TOP = (1050, 450), 64  # in final pixels; the first row of the photograph, with the spire
NIGHT, SUN, SNOW, ROCK = (27, 58, 122), (246, 196, 74), (238, 241, 248), (44, 56, 92)
RIDGE = ((0, 300), (70, 214), (118, 262), (206, 132), (290, 244), (330, 204), (400, 276), (400, 400), (0, 400))


def scene():
    """The motif without strokes: a sun above a ridge with snow on it."""
    image = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), NIGHT)
    draw = ImageDraw.Draw(image)
    draw.ellipse([SCALE * edge for edge in (246, 58, 334, 146)], fill=SUN)
    draw.polygon([(SCALE * x, SCALE * y) for x, y in RIDGE], fill=ROCK)
    for peak in (
        ((206, 132), (170, 184), (200, 174), (224, 196), (246, 184)),
        ((70, 214), (44, 246), (72, 238), (92, 238)),
    ):
        draw.polygon([(SCALE * x, SCALE * y) for x, y in peak], fill=SNOW)
    return image


def flow(x, y):
    """The direction of a stroke: around the sun, else along the slopes."""
    across, down = x - 290, y - 102
    if math.hypot(across, down) < 130:
        return math.atan2(down, across) + math.pi / 2
    return 0.5 * math.sin(x / 45) * (1 if y > 190 else -0.6)


def icon():
    """The right half of the scene is painted in strokes of its own colours, a little off in tone."""
    chance = random.Random(1)  # noqa: S311 (a drawing)
    smooth = scene()
    image = smooth.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(5200):
        x, y = chance.uniform(170, SIDE + 10), chance.uniform(-10, SIDE + 10)
        if x < 200 + 14 * math.sin(y / 26):
            continue
        at = (min(max(int(x), 0), SIDE - 1) * SCALE, min(max(int(y), 0), SIDE - 1) * SCALE)
        off = chance.gauss(0, 22)
        colour = tuple(min(max(round(tone + off + chance.gauss(0, 9)), 0), 255) for tone in smooth.getpixel(at))
        angle, length = flow(x, y), chance.uniform(7, 15)
        dx, dy = length * math.cos(angle), length * math.sin(angle)
        line = [SCALE * edge for edge in (x - dx, y - dy, x + dx, y + dy)]
        draw.line(line, fill=colour, width=round(SCALE * chance.uniform(3, 5.5)))
    corners = Image.new("L", image.size, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, *(edge - 1 for edge in image.size)), 60 * SCALE, fill=255)
    image.putalpha(corners)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).quantize(128, method=Image.Quantize.FASTOCTREE)


def banner(weights):
    content = Image.open(HERE / "content.jpg")
    height = content.width * BANNER[1] // BANNER[0]
    content = content.crop((0, TOP, content.width, TOP + height)).resize(BANNER, Image.Resampling.LANCZOS)
    net = gatys.load_vgg(weights)
    style = gatys.extract_style(net, Image.open(HERE / "style.jpg"), levels="auto")
    result = gatys.optimize(net, content=gatys.extract_content(net, to_tensor(content), levels="auto"), style=style)
    pixels = (result.image[0].movedim(0, -1) * 255).round().byte().numpy()
    return Image.fromarray(pixels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", default="auto", help="as for gatys --weights")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the pictures")
    parser.add_argument("which", nargs="*", metavar="icon|banner", help="default: both")
    options = parser.parse_args()
    if set(options.which) - {"icon", "banner"}:
        parser.error("expected icon or banner")
    if not options.which or "icon" in options.which:
        icon().save(options.out / "icon.png", optimize=True)
    if not options.which or "banner" in options.which:
        banner(options.weights).save(options.out / "banner.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    main()
