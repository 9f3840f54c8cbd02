"""Draws dusk.jpg, a city at nightfall beyond a river: the second photograph of the workflow figure_7_photo.

Usage: python examples/draw_dusk.py [--out FOLDER]
Made from numpy, pillow and a fixed random seed alone, so it is free of anyone's rights.
"""

import argparse
from pathlib import Path

import numpy as np
from draw import SCALE, mix, noise, smoothstep, to_image
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, SHORE = 768, 576, 396  # in final pixels; the waterline
LAMPS = ((255, 196, 108), (255, 226, 170), (255, 168, 84), (226, 236, 255), (255, 210, 140))
SIGNS = ((255, 74, 60), (76, 200, 255), (255, 150, 40), (190, 110, 255))


def sky(rng, h, w):
    """Blue above, the last red of the sun below, thin clouds lit from beneath."""
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None] * np.ones((1, w), np.float32)
    colour = mix((24, 38, 92), (74, 92, 158), smoothstep(0, 0.45, y))
    colour = mix(colour, (214, 122, 128), smoothstep(0.28, 0.52, y))
    colour = mix(colour, (255, 176, 96), smoothstep(0.45, 0.68, y))
    clouds = smoothstep(0.5, 0.8, noise(rng, (h, w), 260 * SCALE, 6, 0.55, 2.6))
    return mix(colour, mix((84, 82, 140), (255, 150, 120), smoothstep(0.1, 0.5, y)), 0.75 * clouds)


def towers(rng, image, far):
    """A row of buildings from left to right; the far ones are hazy and dimmer."""
    draw, light = ImageDraw.Draw(image), Image.new("RGB", image.size)
    glow = ImageDraw.Draw(light)
    x, base = -10, SHORE * SCALE
    while x < WIDTH:
        width = int(rng.integers(24, 54) if far else rng.integers(30, 76))
        middle = np.exp(-(((x + width / 2 - 330) / 210) ** 2)) + 0.5 * np.exp(-(((x - 640) / 70) ** 2))
        height = int((70 if far else 36) + rng.uniform(0.35, 1) * (210 if far else 170) * middle + rng.integers(0, 26))
        tone = rng.uniform(0.8, 1.2)
        body = tuple(int(c * tone) for c in ((74, 68, 104) if far else (28, 30, 56)))
        left, right, top = x * SCALE, (x + width) * SCALE, (SHORE - height) * SCALE
        draw.rectangle((left, top, right, base), body)
        draw.rectangle((left, top, left + 5 * SCALE, base), tuple(c + 10 for c in body))
        if height > 150 and rng.random() < 0.7:  # a mast with a red lamp
            draw.line(((left + right) // 2, top - 40 * SCALE, (left + right) // 2, top), body, 2 * SCALE)
            glow.ellipse(
                [(left + right) // 2 - 4, top - 40 * SCALE - 4, (left + right) // 2 + 4, top - 40 * SCALE + 4], SIGNS[0]
            )
        lamp, share = LAMPS[rng.integers(len(LAMPS))], rng.uniform(0.25, 0.6)
        across, down = (7, 8) if far else (9, 11)
        for v in range(top + 8 * SCALE, base - 8 * SCALE, down * SCALE):
            floor = rng.random()  # some floors are lit from end to end
            for u in range(left + 4 * SCALE, right - across * SCALE // 2, across * SCALE):
                if rng.random() < (0.95 if floor < 0.12 else share):
                    bright = rng.uniform(0.35, 1) * (0.6 if far else 1)
                    glow.rectangle(
                        (u, v, u + (across - 4) * SCALE, v + (down - 5) * SCALE), tuple(int(c * bright) for c in lamp)
                    )
        if not far and rng.random() < 0.35:
            sign = SIGNS[rng.integers(len(SIGNS))]
            glow.rectangle((left + 6 * SCALE, top + 3 * SCALE, right - 6 * SCALE, top + 7 * SCALE), sign)
        x += width + int(rng.integers(0, 8 if far else 16))
    return np.asarray(image, np.float32), np.asarray(light, np.float32)


def add(colour, light, haze):
    """Lamps over their buildings, with the glow that a lens makes of them."""
    picture = to_image(light)
    near, wide = (np.asarray(picture.filter(ImageFilter.GaussianBlur(r * SCALE)), np.float32) for r in (2.5, 14))
    return colour * (1 - haze) + haze * np.array((196, 120, 110), np.float32) + light + 0.7 * near + 1.1 * wide


def draw_dusk():
    rng = np.random.default_rng(3)
    w, h, shore = WIDTH * SCALE, HEIGHT * SCALE, SHORE * SCALE
    scene = sky(rng, h, w)
    stars = rng.random((h, w)) > 0.99985
    scene[stars & (np.arange(h) < 0.4 * h)[:, None]] += 120
    y, x = np.mgrid[:h, :w].astype(np.float32)
    moon = np.hypot(x - 640 * SCALE, y - 96 * SCALE) / SCALE
    scene = mix(scene, (255, 244, 220), smoothstep(25, 23, moon)) + 90 * np.exp(-((moon / 60) ** 2))[..., None] * (
        1,
        0.95,
        0.8,
    )
    for far in (True, False):
        scene = add(*towers(rng, to_image(scene), far), 0.22 if far else 0.0)
    quay = np.zeros_like(scene)  # a row of street lamps along the water
    for u in range(12 * SCALE, w, 34 * SCALE):
        quay[shore - 7 * SCALE : shore - 4 * SCALE, u : u + 3 * SCALE] = LAMPS[0]
    scene[shore - 3 * SCALE : shore] = (20, 18, 24)
    scene = add(scene, quay, 0)
    # the river: the mirrored city, drawn out downwards and broken by ripples
    depth = np.arange(h - shore, dtype=np.float32)
    ripple = noise(rng, (h - shore, w), 30 * SCALE, 4, 0.6, 7) - 0.5
    rows = np.clip(
        shore - 1 - depth[:, None] * 1.25 - 60 * SCALE * ripple * (0.15 + depth[:, None] / len(depth)), 0, shore - 1
    )
    columns = np.clip(np.arange(w) + 14 * SCALE * ripple, 0, w - 1)
    mirror = scene[rows.astype(int), columns.astype(int)]
    drawn = to_image(mirror).resize((w, (h - shore) // 24)).resize((w, h - shore), Image.BICUBIC)  # long streaks
    mirror = 0.45 * mirror + 0.55 * np.asarray(drawn, np.float32)
    scene[shore:] = mix((8, 14, 30), mirror, 0.8 - 0.35 * (depth / len(depth))[:, None] * np.ones((1, w)))
    picture = to_image(scene * 0.95).resize((WIDTH, HEIGHT), Image.LANCZOS)
    return to_image(np.asarray(picture) + rng.normal(0, 2.2, (HEIGHT, WIDTH, 1)))  # with film grain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    draw_dusk().save(folder / "dusk.jpg", quality=90)
