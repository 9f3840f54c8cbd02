"""Draws the two example pictures of this project: content.jpg (a harbour) and style.jpg (an orchard of suns).

Usage: python examples/draw.py [--out FOLDER]
Made from numpy, pillow and fixed random seeds alone, so they are free of anyone's rights.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SCALE = 2  # both pictures are drawn this many times too large and then reduced


def noise(rng, shape, cell, octaves=5, gain=0.5, stretch=1.0):
    """Smooth random field in 0..1; `cell` is the size in pixels of the largest blobs, `stretch` widens them."""
    (h, w), total = shape, np.zeros(shape, np.float32)
    for octave in range(octaves):
        grid = rng.random((int(h * 2**octave / cell) + 3, int(w * 2**octave / cell / stretch) + 3), np.float32)
        total += gain**octave * np.asarray(Image.fromarray(grid).resize((w, h), Image.BICUBIC))
    return (total - total.min()) / (total.max() - total.min())


def smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    """Blend colours or images a and b; t may be a number or a field."""
    return np.asarray(a, np.float32) + np.asarray(t, np.float32)[..., None] * np.subtract(b, a, dtype=np.float32)


def to_image(array):
    return Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))


# ---------------------------------------------------------------- content: a harbour in the late afternoon
SHORE, HORIZON = 392, 372  # rows of the quay's waterline and of the eye level, in final pixels
CREAM, SLATE, DARK, ROOF = (246, 232, 196), (104, 116, 128), (56, 46, 46), (156, 84, 62)
LEFTS = (66, 128, 176, 242, 330, 388, 434, 504, 552, 616, 666, 738)  # the houses; the church stands in a gap
WALLS = (
    (226, 176, 104),
    (190, 92, 74),
    (236, 222, 190),
    (112, 150, 168),
    (226, 156, 124),
    (236, 202, 120),
    (208, 118, 84),
    (172, 186, 150),
    (240, 226, 204),
    (196, 146, 156),
    (230, 188, 120),
)
TRIMS = ((62, 104, 92), CREAM, (56, 98, 138), CREAM, (70, 110, 88), (150, 62, 50), (48, 88, 110), (96, 66, 50)) * 2
CIRCLE = np.stack([np.cos(np.arange(30) / 4.77), np.sin(np.arange(30) / 4.77)], 1)
CHURCH = (  # polygons about its left edge: points, colour, brightness from left to right
    ((40, 266, 128, 266, 128, 330, 40, 330), CREAM, (0.8, 0.7)),
    ((24, 268, 36, 234, 118, 234, 130, 268), ROOF, (1, 1)),
    ((0, 176, 34, 176, 34, 378, 0, 378), (222, 196, 158), (1.1, 0.95)),
    ((34, 176, 48, 176, 48, 378, 34, 378), (111, 98, 79), (1, 1.1)),
    *(((-2, y, 35, y, 35, y + 4, -2, y + 4), CREAM, (1.05, 0.9)) for y in (176, 222, 270)),
    ((-3, 176, 36, 176, 27, 84), SLATE, (1.4, 1.1)),
    ((36, 176, 51, 176, 27, 84), SLATE, (0.55, 0.55)),
    ((26, 88, 26, 78, 23, 78, 23, 76, 26, 76, 26, 71, 28, 71, 28, 76, 31, 76, 31, 78, 28, 78, 28, 88), DARK, (1, 1)),
    *(((x, 216, x, 197, x + 3, 191, x + 6, 197, x + 6, 216), DARK, (0.7, 1.2)) for x in (8, 20, 38)),
    (CIRCLE * 10 + (17, 248), (132, 96, 60), (1, 1)),
    (CIRCLE * 8.5 + (17, 248), CREAM, (1.1, 1)),
    ((16, 242, 17.4, 242, 17.4, 247.4, 22, 247.4, 22, 249, 16, 249), DARK, (1, 1)),
)
SLOOP = (  # polygons about the foot of the mast, on the waterline
    ((-46, -15, 50, -19, 39, 0, -36, 0), CREAM, (1.0, 0.75)),
    ((-38, -4, 41, -4, 39, 0, -36, 0), (30, 50, 78), (1, 1)),
    ((-44, -10, 46, -13, 44, -10, -43, -7), (176, 48, 40), (1.1, 0.8)),
    ((-22, -24, 10, -25, 15, -17, -24, -16), (150, 96, 56), (1.2, 0.8)),
    ((2, -177, 4, -18, 0, -18), ROOF, (1.0, 0.6)),
    ((0, -172, -22, -132, -38, -96, -48, -62, -53, -31, 0, -29), CREAM, (1.1, 0.74)),
    *(((0, y, -x, y + 3, -x, y + 4, 0, y + 1), ROOF, (1.1, 1.1)) for x, y in ((20, -138), (36, -104), (47, -68))),
    ((4, -160, 18, -122, 32, -82, 42, -48, 48, -22, 8, -30), (226, 108, 62), (1.25, 0.65)),
)
DINGHY = (((0, -10, 48, -11, 42, 0, 7, 0), (196, 74, 54), (1.2, 0.7)), ((0, -10, 48, -11, 43, -7, 6, -6), DARK, (1, 1)))
BOATS = ((DINGHY, 520, 424), (DINGHY, 92, 408), (DINGHY, 400, 412), (SLOOP, 204, 470))


class Scene:
    """A sky, before which shaded polygons are painted, in final-pixel coordinates. The sun is on the left."""

    def __init__(self, width, height, seed):
        self.rng, self.shape = np.random.default_rng(seed), (height * SCALE, width * SCALE)
        self.rows, self.cols = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float32) / SCALE
        self.grain = noise(self.rng, self.shape, 24, 5, 0.9) - 0.5
        up = np.clip(1 - self.rows / HORIZON, 0, 1)
        sky = mix(mix((252, 218, 172), (126, 172, 208), smoothstep(0, 0.5, up)), (48, 98, 164), smoothstep(0.35, 1, up))
        puff = noise(self.rng, self.shape, 330, 8, 0.52, stretch=2.0) + 0.10 * (0.5 - np.abs(up - 0.5))
        lit = puff - np.pad(puff, ((0, 16), (26, 0)), "edge")[16:, :-26]  # thinner towards the sun: bright
        cloud = mix((158, 164, 188), (255, 240, 216), smoothstep(-0.08, 0.06, lit - 0.3 * (puff - 0.64)))
        self.image = to_image(mix(sky, cloud, 0.94 * smoothstep(0.5, 0.68, puff)))

    def fill(self, points, colour, across=(1, 1), down=(1, 1), grain=0.3):
        """Polygon with brightness running over the ranges `across` and `down`, and some texture."""
        p = np.reshape(points, (-1, 2)) * SCALE
        x0, y0 = np.clip(np.floor(p.min(0)), 0, self.shape[::-1]).astype(int).tolist()
        x1, y1 = np.clip(np.ceil(p.max(0)) + 1, (x0, y0), self.shape[::-1]).astype(int).tolist()
        mask = Image.new("L", (x1 - x0, y1 - y0))
        ImageDraw.Draw(mask).polygon((p - (x0, y0)).ravel().tolist(), fill=255)
        light = np.outer(np.linspace(*down, y1 - y0), np.linspace(*across, x1 - x0))
        light *= 1 + grain * self.grain[y0:y1, x0:x1]
        self.image.paste(to_image(light[..., None] * np.array(colour)), (x0, y0), mask)

    def box(self, x, y, w, h, colour, *shading):
        self.fill((x, y, x + w, y, x + w, y + h, x, y + h), colour, *shading)

    def place(self, *shapes, flip=1):
        for table, left, base in shapes:
            for points, colour, across in table:
                self.fill(np.reshape(points, (-1, 2)) * (1, flip) + (left, base), colour, across)

    def ridge(self, top, height, cell, lit, shade, haze, snow=0.01):
        """A range of hills whose crest wanders `height` pixels about the row `top`, lit from the left."""
        crest = top - height * (noise(self.rng, (4, self.shape[1]), cell * SCALE, 7, 0.48)[0] - 0.5)
        depth = self.rows - crest
        rock = 1 - np.abs(2 * noise(self.rng, self.shape, cell * 0.6 * SCALE, 7, 0.55, stretch=0.6) - 1)
        slope = np.gradient(rock, axis=1) - 0.4 * np.gradient(rock, axis=0) + 0.5 * np.gradient(crest) / cell
        slope = smoothstep(-1.8, 1.8, slope / slope.std())
        white = mix((136, 156, 200), (255, 242, 228), slope)
        tint = mix(mix(shade, lit, slope), white, smoothstep(0.4, 0.1, depth / snow - rock))
        tint = mix(tint, (216, 204, 200), np.clip(haze + 0.4 * depth / (SHORE - top), 0, 0.9))
        self.image = to_image(mix(np.asarray(self.image), tint, smoothstep(-0.4, 0.4, depth)))

    def leaves(self, low, high, clumps, count, size, dark, light):
        """Clumps of leaves, (x, y, radius) drawn between `low` and `high`, brighter where they face the sun."""
        rng, draw = self.rng, ImageDraw.Draw(self.image)
        clumps = low + (np.array(high) - low) * rng.beta(1.5, 1.5, (clumps, 3))
        pick = np.sort(rng.choice(len(clumps), count, p=clumps[:, 2] ** 2 / (clumps[:, 2] ** 2).sum()))
        off = rng.normal(0, 0.5, (count, 2))
        shine = 0.4 - 0.34 * off[:, 0] - 0.42 * off[:, 1] + rng.normal(0, 0.18, count)
        tint = mix(dark, light, np.clip(shine, 0, 1) ** 1.4).astype(int).tolist()
        leaf = (clumps[pick, :2] + off * clumps[pick, 2:])[:, None] + rng.normal(0, size, (count, 4, 2))
        for i in np.lexsort((shine, pick)):
            draw.polygon((leaf[i] * SCALE).ravel().tolist(), fill=tuple(tint[i]))

    def house(self, x, w, h, gable, wall, trim):
        top, mid, wall, roof = SHORE - 14 - h, x + w / 2, np.array(wall), self.rng.uniform(0.8, 1.1) * np.array(ROOF)
        peak, columns, foot = top - w * (0.52 if gable else 0.34), int(w // 21), SHORE - 14
        if gable:
            self.fill((x, top + 1, mid, peak, x + w, top + 1), wall, (1.08, 0.92))
            for end, light in ((x - 3, 1.2), (x + w + 3, 0.5)):
                self.fill((end, top + 2, mid, peak - 4, mid, peak + 1.5, end, top + 6), roof * light)
        else:
            self.fill((x - 3, top, x + 6, peak, x + w - 6, peak, x + w + 3, top), roof, (1.15, 0.8), (1.15, 0.85))
            for row in np.arange(peak + 2, top, 2.4):
                self.box(x + 2, row, w - 4, 0.6, roof * 0.72)
            self.box(x + w * 0.68, peak - 9, 7, 14, (158, 92, 70), (1.25, 0.6))
        self.box(x, top, w, h, wall, (1.06, 0.86), (1.04, 0.86))
        self.box(x, top, w, 4, wall * 0.52, (1, 1), (0.8, 1.3))  # shadow of the eaves
        windows = [(x + w * (c + 0.5) / columns, y) for y in np.arange(top + 8, foot - 32, 20) for c in range(columns)]
        for cx, y in windows + [(mid, peak + 16)] * gable:
            self.box(cx - 8, y, 16, 12, trim, (1.15, 0.8))
            self.box(cx - 4.6, y - 1, 9.2, 14.4, CREAM)
            self.box(cx - 3.6, y, 7.2, 12, (58, 68, 84), (1.2, 0.8), (0.4, 1.6))
            self.box(cx - 0.4, y, 0.8, 12, CREAM)
        self.box(x + w / columns / 2 - 5, foot - 19, 10, 19, (72, 44, 32), (1.3, 0.7))
        left, stripe = x + w / columns + 1, (w - w / columns - 6) / 8
        self.box(left, foot - 17, 8 * stripe, 17, DARK, (1.2, 0.8), (0.5, 1.4))
        for i in range(8):
            self.box(left + stripe * i, foot - 20, stripe, 7, CREAM if i % 2 else trim, (1, 1), (1.1, 0.8))

    def town(self):
        self.place((CHURCH, 284, 0))
        for i, (x, w, *paint) in enumerate(zip(LEFTS, np.diff(LEFTS), WALLS, TRIMS, strict=False)):
            self.house(x, min(w, 50 if i % 2 else 70), 62 + 24 * (i % 2) + i * 7 % 12, i % 2, *paint)
        for x in (54, 312, 745):
            self.leaves((x - 8, 340, 5), (x + 8, 370, 10), 24, 1500, 0.9, (22, 40, 26), (176, 176, 80))
        self.box(0, SHORE - 15, 768, 4, (216, 196, 164))
        self.box(0, SHORE - 11, 768, 12, (140, 122, 104), (1, 1), (1.1, 0.5), 1.4)

    def water(self):
        """Mirror what stands above the shore, then shake the mirror with perspective waves."""
        top, (height, width) = SHORE * SCALE, self.shape
        below, rows, cols = self.rows[top:] - HORIZON, self.rows[top:], self.cols[top:]
        source = np.r_[:top, np.clip(top - 1 - (np.arange(height - top) * 1.55).astype(int), 0, None)]
        self.image = to_image(np.asarray(self.image)[source])
        self.place(*BOATS, flip=-1)
        mirror, far, tilt = np.array(self.image), 200 / below, 0
        for k in self.rng.uniform(0.8, 3.6, 40) ** 2:
            turn, phase = self.rng.normal(0, 0.5), self.rng.random() * 6.28
            wave = np.sin(k * (np.cos(turn) * far * 10 + np.sin(turn) * (cols - 384) * far / 100) + phase) / k**0.35
            tilt += wave * np.exp(-((k * far * 10 / below / 1.6) ** 2))  # waves finer than a pixel vanish
        tilt /= tilt.std()
        y = np.clip((rows + tilt * (1.5 + 0.055 * below)) * SCALE, top, height - 1).astype(int)
        x = np.clip((cols + np.roll(tilt, 9, 1) * 1.1) * SCALE, 0, width - 1).astype(int)
        sea = mix((22, 58, 76), mirror[y, x], np.clip(0.76 - 0.0014 * below + 0.1 * tilt, 0.15, 0.95))
        mirror[top:] = mix(sea, (255, 236, 200), 0.6 * smoothstep(1.6, 2.8, tilt))  # glints
        self.image = to_image(mirror)
        self.place(*BOATS)

    def foreground(self):
        """The near bank with its grass, and the tree that frames the view."""
        rng, (xs, ys) = self.rng, np.array(((400, 588), (470, 564), (560, 530), (660, 504), (768, 496))).T
        self.fill((*np.stack([xs, ys], 1).ravel(), 768, 576), (70, 76, 40), (1, 1), (1.1, 0.6), 1.2)
        for points in (
            (692, 554, 740, 554, 722, 500, 714, 300, 708, 120, 702, 120, 698, 300, 702, 500),
            (700, 340, 708, 322, 640, 206, 636, 210),
            (708, 310, 714, 318, 766, 190, 762, 188),
        ):
            self.fill(points, (112, 84, 60), (1.3, 0.4), (1, 1), 1.6)
        self.leaves((612, -16, 9), (800, 276, 24), 170, 30000, 1.5, (22, 34, 18), (206, 186, 72))
        tints = mix((34, 48, 22), (196, 178, 84), rng.random(4200) ** 1.6).astype(int).tolist()
        for x, ink in zip(768 - 350 * rng.random(4200) ** 1.3, tints, strict=True):
            y, sway, tall = rng.uniform((np.interp(x, xs, ys), -2, 5), (590, 6, 15))
            ImageDraw.Draw(self.image).line([v * SCALE for v in (x, y, x + sway, y - tall)], tuple(ink), 2)


def draw_content():
    scene = Scene(768, 576, seed=7)
    scene.ridge(190, 190, 330, (220, 186, 164), (80, 94, 138), 0.12, snow=50)
    scene.ridge(252, 110, 240, (166, 150, 116), (60, 82, 110), 0.08)
    scene.ridge(292, 80, 200, (132, 130, 72), (44, 64, 58), 0.02)
    scene.leaves((-10, 290, 5), (780, 385, 11), 420, 24000, 0.9, (24, 40, 34), (158, 150, 76))
    scene.town()
    scene.water()
    scene.foreground()
    picture = scene.image.resize((768, 576), Image.LANCZOS)
    bloom = np.asarray(picture.filter(ImageFilter.GaussianBlur(9)), np.float32) ** 2 / 1600
    return to_image(np.asarray(picture) * 0.94 + bloom + scene.rng.normal(0, 1.6, (576, 768, 1)))  # with film grain


# ---------------------------------------------------------------- style: an orchard of suns
INK, ULTRA, COBALT, AZURE, TEAL = (20, 22, 52), (26, 38, 116), (38, 82, 168), (92, 156, 200), (30, 116, 128)
LEMON, OCHRE, ORANGE, RUST = (248, 208, 92), (214, 152, 48), (232, 106, 36), (150, 56, 34)
SKY = (ULTRA, COBALT, INK, ULTRA, TEAL, AZURE, COBALT, ULTRA, INK, COBALT, TEAL, ULTRA, COBALT, AZURE, CREAM, AZURE)
DAWN = (TEAL, AZURE, CREAM, TEAL, OCHRE, CREAM, COBALT, ORANGE)
SOIL = (OCHRE, RUST, TEAL, INK, OCHRE, LEMON, ORANGE, TEAL, RUST, INK)
SUNS = (  # the crowns of the trees: x, y, radius, turning sense, colours from the middle outwards
    (238, 190, 150, 1, (CREAM, LEMON, ORANGE, LEMON, OCHRE, CREAM, TEAL, AZURE)),
    (574, 146, 118, -1, (ORANGE, RUST, ORANGE, LEMON, CREAM, AZURE, TEAL)),
    (668, 372, 80, 1, (CREAM, CREAM, LEMON, OCHRE, TEAL, CREAM, COBALT)),
    (424, 366, 78, -1, (LEMON, ORANGE, LEMON, CREAM, AZURE, COBALT)),
    (76, 416, 72, -1, (RUST, ORANGE, OCHRE, CREAM, TEAL, COBALT)),
)


def painting_fields(rng, w, h):
    """Direction (cos, sin) and colour of the paint at every pixel."""

    def ramp(colours, position):
        return np.array(colours)[np.clip(position, 0, None).astype(int) % len(colours)]

    y, x = np.mgrid[:h, :w].astype(np.float32)
    wander, wobble = noise(rng, (h, w), 220, 3), noise(rng, (h, w), 40, 4) - 0.5
    stream = y + 34 * np.sin(x / 88 + y / 130) + 150 * wander
    swell = y + 16 * np.sin(x / 62 + 1.5 + y / 50) + 40 * wander
    flow, level = (np.stack([np.gradient(f, axis=0), -np.gradient(f, axis=1)], -1) for f in (stream, swell))
    for sx, sy, radius, sense, _ in SUNS:
        dx, dy, r = x - sx, y - sy, np.hypot(x - sx, y - sy) + 1e-3
        pull = (4.5 * np.exp(-((r / radius / 1.12) ** 4)) + 1.3 * np.exp(-((r / radius / 1.9) ** 2))) / r
        flow += pull[..., None] * np.stack([-dy * sense - 0.16 * dx, dx * sense - 0.16 * dy], -1)
        stream = stream + 110 * np.exp(-((r / radius / 1.5) ** 2))
    dawn = (rng.random((h, w)) < smoothstep(300, 520, y + 60 * wobble))[..., None]
    colour = np.where(dawn, ramp(DAWN, stream / 16 + wobble), ramp(SKY, stream / 16 + wobble))
    colour = np.where((swell > 512)[..., None], ramp(SOIL, (swell - 500) / 11 + 1.6 * wobble), colour)
    flow = mix(flow / np.linalg.norm(flow, axis=-1, keepdims=True), level, smoothstep(498, 526, swell))
    for sx, sy, radius, sense, rings in SUNS:
        r = np.hypot(x - sx, y - sy) / radius
        spiral = r * len(rings) + sense * 0.16 * np.arctan2(y - sy, x - sx) + 1.2 * wobble
        colour = np.where((r + 0.12 * wobble < 1)[..., None], ramp(rings, np.minimum(spiral, len(rings) - 1)), colour)
        rise = np.clip((530 + 0.42 * radius - y) / (530 - 0.48 * radius - sy), 0, 2)  # 0 at the foot, 1 at the fork
        for reach in (-0.55, 0.06, 0.5):
            middle = sx + sense * 0.14 * radius * np.sin(4.4 * rise) + reach * radius * np.clip(rise - 1, 0, 1) ** 0.85
            side = (x - middle) / radius / (0.055 + 0.06 * np.clip(1.1 - rise, 0, 1) + 0.12 * np.exp(-9 * rise))
            wood = (np.abs(side) < 1) & (rise > 0) & (y > sy + (0.1 - 0.2 * reach) * radius)
            colour[wood] = ramp((RUST, INK, INK, INK, INK, COBALT), 3 + 3 * side)[wood]
            flow[wood] = np.stack([-np.gradient(middle, axis=0).clip(-1.2, 1.2), 0 * x - 1], -1)[wood]
    return flow / np.linalg.norm(flow, axis=-1, keepdims=True), colour


def lay(draw, rng, paths, colours, width):
    """Paint strokes, combs of bristles, along paths (n, points, 2); alpha keeps the height of the paint."""
    (n, points, _), count = paths.shape, max(3, round(width * SCALE / 2.6))
    across, tangent = np.linspace(-1, 1, count), np.gradient(paths, axis=1)
    normal = tangent[..., ::-1] * (-1, 1) / (np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-6)
    lines = np.repeat(paths[:, None], count, 1)
    for end, inner in ((0, 1), (-1, -2)):  # ragged ends
        lines[:, :, end] += rng.uniform(-0.5, 0.7, (n, count, 1)) * (lines[:, :, inner] - lines[:, :, end])
    taper = np.sin(np.linspace(0.5, 2.8, points)) ** 0.6 * width / 2
    lines = (lines + normal[:, None] * across[:, None, None] * taper[:, None]) * SCALE
    tone = rng.normal(0, 10, (n, count)) + 14 * (across == -1) - 18 * (across == 1)  # a lit and a shaded edge
    height = 110 + 60 * across**2 + rng.normal(0, 30, (n, count))
    inks = np.concatenate([colours[:, None] + tone[..., None], height[..., None]], -1).clip(0, 255).astype(int)
    for line, ink in zip(lines.reshape(-1, points * 2).tolist(), inks.reshape(-1, 4).tolist(), strict=True):
        draw.line(line, tuple(ink), 3)


def draw_style():
    w, h, rng = 768, 600, np.random.default_rng(11)
    flow, colour = painting_fields(rng, w, h)
    canvas = Image.new("RGBA", (w * SCALE, h * SCALE), (58, 40, 40, 90))
    for count, length, width, jitter in ((3000, 84, 18, 9), (7000, 60, 10, 14), (11000, 42, 6, 17), (7000, 28, 4, 20)):
        path = [rng.random((count, 2)) * (w + 40, h + 40) - 20]
        for way in (1, -1):  # from the middle on, then from the middle back
            for _ in range(4):
                at = np.clip(path[-1], 0, (w - 1, h - 1)).astype(int)
                path.append(path[-1] + way * flow[at[:, 1], at[:, 0]] * length / 8 * rng.uniform(0.8, 1.2, (count, 1)))
            path.reverse()
        at = np.clip(path[4] + rng.normal(0, 1, (count, 2)), 0, (w - 1, h - 1)).astype(int)
        tint = colour[at[:, 1], at[:, 0]] + rng.normal(0, jitter, (count, 1)) + rng.normal(0, jitter * 0.4, (count, 3))
        lay(ImageDraw.Draw(canvas), rng, np.stack(path, 1), tint, width)
    relief = np.asarray(canvas.getchannel("A").filter(ImageFilter.GaussianBlur(1.2)), np.float32)[..., None]
    slope = 0.004 * (relief - np.roll(relief, (3, 3), (0, 1)))  # the light comes from the upper left
    return to_image(np.asarray(canvas)[..., :3] * (1 - slope) - 25 * np.minimum(slope, 0)).resize((w, h), Image.LANCZOS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    draw_content().save(folder / "content.jpg", quality=92)
    draw_style().save(folder / "style.jpg", quality=90)
