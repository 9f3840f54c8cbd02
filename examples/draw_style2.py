"""Draws a second example style, style2.jpg: a cubist still life (guitar, jug, bottle, fruit) in warm shards.

Usage: python examples/draw_style2.py [--out FOLDER]
Made from numpy, pillow and fixed random seeds alone, so it is free of anyone's rights.
"""

import argparse
from pathlib import Path

import numpy as np
from draw import SCALE, mix, noise, smoothstep, to_image
from PIL import Image, ImageDraw, ImageFilter

LEAD, UMBER, BROWN, BRICK, VERMILION = (34, 20, 16), (74, 42, 28), (118, 68, 38), (150, 48, 32), (218, 66, 36)
ORANGE, OCHRE, STRAW, CREAM = (236, 124, 48), (212, 154, 58), (238, 200, 116), (248, 232, 198)
PINK, ROSE, OLIVE, MOSS, SAGE = (238, 160, 146), (210, 98, 96), (122, 122, 52), (70, 74, 38), (172, 170, 104)
WARM = np.array((0.7, 1.05, 1.3))  # how much of the shade each colour channel takes


def curve(*points, steps=14):
    """Closed smooth outline through the points (Catmull-Rom)."""
    p, t = np.reshape(points, (-1, 2)).astype(float), np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    a, b, c, d = (np.roll(p, k, 0) for k in (1, 0, -1, -2))
    path = b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2) + t**3 * (1.5 * (b - c) + (d - a) / 2)
    return path.transpose(1, 0, 2).reshape(-1, 2)


def tilted(points, x, y, degrees):
    """Points about the origin, turned clockwise and moved to (x, y)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.reshape(points, (-1, 2)) @ np.array([[c, s], [-s, c]]) + (x, y)


def disc(x, y, rx, ry, degrees=0):
    a = np.linspace(0, 2 * np.pi, 90)[:, None]
    return tilted(np.hstack([rx * np.cos(a), ry * np.sin(a)]), x, y, degrees)


BODY = curve(0, -128, 44, -124, 66, -92, 52, -50, 46, -28, 66, 4, 88, 50, 78, 98, 40, 122, 0, 126,
             -40, 122, -78, 98, -88, 50, -66, 4, -46, -28, -52, -50, -66, -92, -44, -124)  # fmt: skip
JUG = curve(-34, -112, 8, -104, 40, -118, 34, -84, 30, -62, 58, -22, 70, 34, 56, 88, 34, 106, -34, 106,
            -58, 86, -70, 30, -56, -22, -30, -64, -32, -88)  # fmt: skip
SIDE = np.array(((13, -150), (13, -72), (22, -54), (36, -32), (38, -6), (38, 120)))
BOTTLE = np.concatenate([SIDE, SIDE[::-1] * (-1, 1)])
GUITAR = (382, 352, 32)
LAYERS = (  # from back to front: outline, colours, mean area of a shard
    ((0, 0, 0, 0, 0, 0), (PINK, CREAM, ROSE, PINK, OCHRE, PINK, VERMILION), 5200),
    ((-10, -10, 276, -10, 240, 250, -10, 222), (SAGE, CREAM, OLIVE, STRAW, SAGE, MOSS), 3400),
    ((560, -10, 790, -10, 790, 470, 640, 430, 610, 200), (VERMILION, BRICK, VERMILION, ROSE, ORANGE, UMBER), 4200),
    ((-10, 420, 250, 352, 560, 372, 790, 428, 790, 620, -10, 620), (BROWN, UMBER, BRICK, BROWN, OCHRE), 4400),
    ((330, 470, 640, 396, 780, 500, 590, 612, 420, 604), (CREAM, STRAW, PINK, CREAM, CREAM), 3200),
    (tilted(BOTTLE, 566, 296, 4), (OLIVE, MOSS, OLIVE, SAGE, MOSS), 1900),
    (tilted((-30, 10, 32, 10, 32, 70, -30, 70), 566, 296, 4), (CREAM, VERMILION, STRAW), 1500),
    (curve(178, 314, 218, 304, 246, 338, 234, 388, 190, 428, 180, 408, 218, 354, 186, 336), (BRICK, UMBER), 800),
    (JUG + (134, 394), (VERMILION, ROSE, ORANGE, BRICK, CREAM, VERMILION), 1900),
    (disc(134, 288, 33, 9, 4), (UMBER, LEAD), 900),
    (tilted(BODY, *GUITAR), (STRAW, ORANGE, STRAW, CREAM, ORANGE), 2600),
    (tilted((-13, 20, -11, -270, 11, -270, 13, 20), *GUITAR), (UMBER, BROWN, UMBER, LEAD), 1500),
    (tilted((-22, -262, -26, -330, 26, -336, 20, -262), *GUITAR), (BRICK, BROWN, VERMILION), 900),
    (tilted(disc(0, 14, 31, 31), *GUITAR), (LEAD, UMBER, BRICK), 1300),
    (tilted((-38, 74, 38, 74, 38, 88, -38, 88), *GUITAR), (UMBER, LEAD), 900),
    (disc(512, 488, 47, 46), (ORANGE, VERMILION, ORANGE), 2600),
    (curve(600, 394, 622, 420, 648, 462, 636, 504, 598, 514, 564, 500, 556, 464, 582, 424), (SAGE, OLIVE, SAGE), 2400),
    (disc(668, 508, 43, 41), (VERMILION, BRICK, VERMILION), 2400),
    (disc(588, 538, 40, 37), (STRAW, OCHRE, STRAW), 2400),
)  # fmt: skip


def split(rng, label, where, x, y, area):
    """Cut the pixels `where` across their long side until the pieces are about `area` large; number the pieces."""
    todo = [where]
    while todo:
        part = todo.pop()
        if len(part) < area * SCALE**2 * rng.uniform(0.6, 1.7):
            label[part] = label.max() + 1
            continue
        axis = np.linalg.eigh(np.cov(x[part], y[part]))[1][:, 1] + rng.normal(0, 0.35, 2)
        along = axis[0] * x[part] + axis[1] * y[part]
        side = along < np.quantile(along, rng.uniform(0.36, 0.64))
        todo += [part[side], part[~side]]


def shards(rng, x, y):
    """The layer and the shard of every pixel."""
    layer = Image.new("L", x.shape[::-1])
    for number, (outline, _, _) in enumerate(LAYERS):
        ImageDraw.Draw(layer).polygon((np.ravel(outline) * SCALE).tolist(), fill=number)
    layer, planes = np.asarray(layer).astype(int), np.zeros(x.shape, int)
    for px, py, turn in ((384, 352, 0.56), (470, 330, 2.2), (180, 330, 1.9), (600, 250, 0.75), (400, 480, 2.75)):
        planes = 2 * planes + ((x - px) * np.cos(turn) + (y - py) * np.sin(turn) > 0)  # cuts across all the things
    for px, py, radius in ((430, 90, 190), (330, 690, 250), (560, 560, 70)):
        planes = 2 * planes + (np.hypot(x - px, y - py) < radius)
    label, both = np.full(x.size, -1), (layer * 256 + planes).ravel()
    for value in np.unique(both):
        split(rng, label, np.flatnonzero(both == value), x.ravel(), y.ravel(), LAYERS[value // 256][2])
    return layer, label.reshape(x.shape)


def border(field, width):
    """Soft band, 0..1, along the places where the numbers in `field` change."""
    padded = np.pad(field, ((1, 0), (1, 0)), "edge")
    edge = (field != padded[:-1, 1:]) | (field != padded[1:, :-1])
    band = Image.fromarray((255 * edge).astype(np.uint8)).filter(ImageFilter.GaussianBlur(width * SCALE))
    return np.asarray(band, np.float32) / 255 * width * SCALE * 2.5  # 1 in the middle of a straight edge


def draw_style2():
    rng, shape = np.random.default_rng(5), (600 * SCALE, 768 * SCALE)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / SCALE
    layer, label = shards(rng, *(axis + 3 * noise(rng, shape, 240, 3) for axis in (x, y)))  # by hand
    palettes = [LAYERS[k][1] for k in layer.ravel()[np.unique(label, return_index=True)[1]]]
    count = len(palettes)
    colour = np.array([paints[rng.integers(len(paints))] for paints in palettes]) + rng.normal(0, 7, (count, 3))
    colour *= rng.choice((0.7, 0.95, 1.05, 1.12), (count, 1)) ** WARM

    def along(angle):
        return (np.cos(angle)[label] * x + np.sin(angle)[label] * y).astype(np.float32)

    light, ends = along(rng.normal(0.7, 0.7, count)), np.full((2, count), np.inf)  # it comes from the upper left
    np.minimum.at(ends[0], label, light)
    np.minimum.at(ends[1], label, -light)
    light = (light - ends[0][label]) / (1 - ends.sum(0))[label]  # from 0 to 1 in every shard
    angle = rng.choice((0.5, 2.2, 1.2, 2.8), count) + rng.normal(0, 0.15, count)
    u, v = (SCALE * along(angle + turn) for turn in (np.pi / 2, 0))
    bristles = np.pad(noise(rng, (800, 800), 26, 5, 0.85, stretch=12), (0, 800), "symmetric")  # tiles without seams
    paint = bristles[(v + 91 * label).astype(int) % 1600, (u + 57 * label).astype(int) % 1600] - 0.5
    strength = rng.choice((0, 0, 0.35, 0.6), count)[label]
    hatch = np.abs((v / rng.choice((10, 13, 16), count)[label] + 1.2 * paint) % 1 - 0.5) * 2
    other = 0.5 * colour + 0.5 * np.array((ORANGE, ROSE, STRAW, CREAM, VERMILION))[rng.integers(5, size=count)]
    picture = mix(colour[label], other[label], 0.8 * smoothstep(0.02, 0.14, paint))  # a second colour dragged over
    light = 1.24 - 0.56 * light + 0.25 * paint + 1.1 * (paint - np.roll(paint, (2, 2), (0, 1)))  # with relief
    picture *= np.clip(light, 0.2, 2)[..., None] ** WARM
    picture = mix(picture, picture * 0.45 + 6, strength * smoothstep(0.62, 0.8, hatch))
    picture += (6 * np.sin(x * 2.1) * np.sin(y * 2.1) + 10 * (noise(rng, shape, 6, 2) - 0.5))[..., None]  # canvas
    lead = np.maximum(border(label, 1.3), 1.1 * border(layer, 2.2)) + 0.5 * (noise(rng, shape, 20, 4) - 0.5)
    rim = smoothstep(0.1, 0.5, np.roll(lead, (5, 5), (0, 1)) - lead)  # the upper left edge of each shard shines
    picture = mix(mix(picture, CREAM, 0.16 * rim), LEAD, smoothstep(0.42, 0.62, lead))
    picture = to_image(1.1 * picture - 0.1 * picture.mean(-1, keepdims=True))
    for k in (-7, -3.5, 0, 3.5, 7):
        ImageDraw.Draw(picture).line(np.ravel(tilted((k, 80, k, -262), *GUITAR) * SCALE).tolist(), (204, 180, 140), 2)
    return picture.resize((768, 600), Image.LANCZOS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    draw_style2().save(folder / "style2.jpg", quality=90)
