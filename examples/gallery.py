"""Draws the gallery: what each parameter does to the same pair of pictures, one contact sheet each.

Usage: python examples/gallery.py [--weights FILE] [--out FOLDER] [--cache FOLDER] [SHEET ...]
The pictures are small, so that one core is enough. What has been painted is kept in the cache folder and not painted
again.
"""

import argparse
import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFont

import gatys
from gatys.descent.asked_shares import parse_shares
from gatys.pictures.resampling import scale_picture
from gatys.settings import ROOTS, STATISTICS, STRENGTH, TV_WEIGHT

HERE = Path(__file__).parent
WIDTH = 256  # longer edge of a result in pixels
BASE = {  # what a panel does not say: the package's defaults, but for size, steps and levels
    "weights": "auto",
    "content": "content.jpg",
    "style": "style.jpg",
    "width": WIDTH,
    "steps": 60,
    "levels": 1,
    "content_layers": ["conv4_2"],
    "style_layers": [f"conv{block}_1" for block in range(1, 6)],
    "content_weight": 0.002,
    "strength": STRENGTH,
    "laplacian_weight": 0.0,
    "tv_weight": TV_WEIGHT,
    "tv_form": "squared",
    "pooling": "max",
    "style_scale": 1.0,
    "init": "auto",
    "optimizer": "lbfgs",
    "padding": "zero",
    "statistic": STATISTICS[0],
    "octaves": 1,
    "detail": 1.0,
    "match": 0.0,  # share of the painting's features in what the content holds
    "shares": "",  # of the gradient at the start; they set the weights
    "factor": 0.0,  # of the second painting
}
TEXTURE = {"content": None, "width": 128, "steps": 400}
MASK = torch.linspace(-4, 5, WIDTH).clamp(0, 1).expand(WIDTH * 3 // 4, WIDTH)  # white on the right
DEEP = [f"conv{block}_1" for block in range(1, 6)]

FROM_NOISE = {"init": "noise", "steps": 300, "content_weight": 0.1}
COARSE_TO_FINE = {"levels": 4, "steps": [25, 37, 55, 83], "width": 512, "content_weight": 0.004}
AT_FULL_SIZE = {"levels": 3, "steps": [100, 1, 1]}  # octaves need levels, but these hardly run
PORTRAIT = {"content": "portrait.webp", "style": "style2.jpg"}
AROUND = {"content": "panorama.jpg", "width": 512}

# each sheet: its panels as (label, settings) or (label, settings, what to show of it)
SHEETS = {
    "strength": [(f"{s:g}", {"strength": s}) for s in (0.0, 0.25, 0.5, 0.75, 1.0)] + [("the content", {}, "content")],
    "content_weight": [(f"{w:g}", {"content_weight": w}) for w in (0.002, 0.02, 0.2)],
    "content_layers": [
        (f"{name}, content_weight 0.1", {"content_layers": [name], "content_weight": 0.1})
        for name in ("conv2_2", "conv4_2", "conv5_2")
    ],
    "style_layers": [
        ("conv1_1", {"style_layers": DEEP[:1]}),
        ("conv1_1 to conv3_1", {"style_layers": DEEP[:3]}),
        ("conv1_1 to conv5_1", {}),
    ],
    "statistic": [(name, {"statistic": name}) for name in STATISTICS[:5]],  # those beyond are the presets' own
    "octaves": [(f"{n}", AT_FULL_SIZE | {"width": 384, "octaves": n}) for n in (1, 3)],
    "detail": [(f"{d:g}", COARSE_TO_FINE | {"detail": d}, "houses") for d in (1.0, 0.5, 0.0)],
    "match_features": [
        ("not matched", {"strength": 0.25}),
        *((f"share {share:g}", {"strength": 0.25, "match": share}) for share in (0.5, 1.0)),
    ],
    "shares": [(f"content={n}%", {"shares": f"content={n}%"}) for n in (1, 5, 20)],
    "laplacian_weight": [(f"{w:g}", PORTRAIT | {"laplacian_weight": w}) for w in (0.0, 0.02, 0.1)],
    "panorama": [(f"{p}: the ends, joined", AROUND | {"padding": p}, "ends") for p in ("zero", "panorama")],
    "untrained": [("trained filters", {}), ("untrained filters", {"weights": "untrained"})],
    "pooling": [("max", {}), ("average", {"pooling": "average"})],
    "style_scale": [(f"{s:g}", {"style_scale": s}) for s in (0.5, 1.0, 2.0)],
    "init": [
        ("recolored", {"style": "style2.jpg"}),
        ("content", {"style": "style2.jpg", "init": "content"}),
        ("noise", {"style": "style2.jpg", "init": "noise"}),
    ],
    "levels": [(f"{n}, from noise", FROM_NOISE | {"levels": n}) for n in (1, 3)],
    "tv_weight": [(f"{w:g}", {"tv_weight": w}) for w in (0.0, 0.3, 3.0)],
    "tv_form": [(f"{form}, tv_weight 0.3", {"tv_weight": 0.3, "tv_form": form}) for form in ("squared", "absolute")],
    "optimizer": [("lbfgs", {}), ("adam", {"optimizer": "adam"})],
    "padding": [(f"{p}: lower right corner", {"padding": p}, "corner") for p in ("zero", "replicate")],
    "texture": [(f"{p}: laid 2 x 2", TEXTURE | {"padding": p}, "2 x 2") for p in ("zero", "circular")],
    "blend": [(f"factor {f:g}", {"factor": f}) for f in (0.0, 0.5, 1.0)],
    "style_region": [("the mask", {}, "mask"), ("second painting where it is white", {"regions": True})],
    "match_colors": [
        ("the painting", {}, "painting"),
        *((method, {}, f"match {method}") for method in (*ROOTS, "histogram")),
        ("the content", {}, "content"),
    ],
    "keep_luminance": [("strength 0", {}), ("strength 1", {}, "luminance"), ("the content", {}, "content")],
}


def picture(name, width):
    return gatys.load_image(HERE / name, width)


@cache
def network(weights, pooling):
    return gatys.load_vgg(weights, pooling=pooling)


def paint(settings):
    """The result, (1, 3, H, W)."""
    of = BASE | settings
    net = network(of["weights"], of["pooling"])
    how = {"levels": of["levels"], "normalize": True, "padding": of["padding"]}
    content = of["content"] and gatys.extract_content(
        net, picture(of["content"], of["width"]), of["content_layers"], **how
    )
    if of["match"]:
        content = gatys.match_features(net, content, picture(of["style"], of["width"]), share=of["match"])
    if of["padding"] in ("circular", "panorama"):
        how["padding"] = "replicate"  # a painting is not tileable
    weight = 1 / len(of["style_layers"])
    layers = dict.fromkeys(of["style_layers"], weight)
    how |= {"statistic": of["statistic"], "octaves": of["octaves"]}
    styles = [
        (gatys.extract_style(net, scale_picture(picture(name, of["width"]), of["style_scale"]), layers, **how), share)
        for name, share in ((of["style"], 1 - of["factor"]), ("style2.jpg", of["factor"]))
        if share
    ]
    style = gatys.blend_styles(styles)
    if of.get("regions"):
        second = gatys.extract_style(net, picture("style2.jpg", of["width"]), layers, **how)
        style = gatys.regional_style([(style, 1 - MASK), (second, MASK)])
    weights = {name: of[name] for name in ("content_weight", "tv_weight", "laplacian_weight")}
    targets = {"content": content, "style": style}
    if of["shares"]:
        shares = parse_shares(of["shares"])
        targets = gatys.weights_for_shares(net, shares=shares, **targets, **weights).arguments
        weights = {}
    return gatys.optimize(
        net,
        size=None if content else (of["width"], of["width"]),
        **{
            name: of[name]
            for name in ("init", "padding", "steps", "optimizer", "strength", "octaves", "detail", "tv_form")
        },
        **targets,
        **weights,
    ).image


def painted(settings, folder):
    """The same as a PIL image, kept in `folder`."""
    key = hashlib.sha1(json.dumps(BASE | settings, sort_keys=True).encode(), usedforsecurity=False).hexdigest()[:12]
    file = folder / f"{key}.png"
    if not file.exists():
        gatys.save_image(paint(settings), file)
    return Image.open(file).convert("RGB")


def shown(result, what):
    """What a panel shows of a result, and how large."""
    if what == "corner":
        return result.crop((result.width - 64, result.height - 48, result.width, result.height)).resize(
            (384, 288), Image.NEAREST
        )
    if what == "houses":
        left, top = result.width * 3 // 16, result.height * 5 // 16
        return result.crop((left, top, left + result.width // 2, top + result.height // 2))
    if what == "2 x 2":
        laid = Image.new("RGB", (2 * result.width, 2 * result.height))
        for x in (0, result.width):
            for y in (0, result.height):
                laid.paste(result, (x, y))
        return laid.resize((384, 384), Image.BICUBIC)
    if what == "ends":
        turned = ImageChops.offset(result, result.width // 2, 0)
        middle = result.width // 2
        return turned.crop((middle - 96, 0, middle + 96, result.height)).resize((384, 2 * result.height), Image.BICUBIC)
    content = picture("content.jpg", WIDTH)
    if what == "mask":
        result = to_image(MASK[None, None])
    elif what == "content":
        result = to_image(content)
    elif what == "painting":
        result = to_image(picture("style.jpg", WIDTH))
    elif what == "luminance":
        result = to_image(gatys.keep_luminance(to_tensor(result), content))
    elif what:
        method = what.removeprefix("match ")
        how = {"root": method} if method in ROOTS else {"method": method}
        result = to_image(gatys.match_colors(picture("style.jpg", WIDTH), content, **how))
    return result.resize((384, round(384 * result.height / result.width)), Image.BICUBIC)


def to_image(tensor):
    channels = tensor[0].mul(255).round().byte().permute(1, 2, 0)
    return Image.fromarray(channels.expand(-1, -1, 3).contiguous().numpy())


def to_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255


def sheet(panels, columns=3):
    """Panels in rows, each with its label below."""
    gap, foot = 8, 26
    width = max(panel.width for _, panel in panels)
    height = max(panel.height for _, panel in panels) + foot
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    page = Image.new("RGB", (columns * (width + gap) - gap, rows * height), "white")
    draw = ImageDraw.Draw(page)
    for index, (label, panel) in enumerate(panels):
        x, y = index % columns * (width + gap), index // columns * height
        page.paste(panel, (x, y))
        draw.text((x + width / 2, y + height - foot / 2), label, "black", ImageFont.load_default(15), "mm")
    return page


def save(page, file):
    """As JPEG of less than 95 kB, which a help page can carry."""
    for quality in range(90, 25, -5):
        page.save(file, quality=quality, optimize=True)
        if file.stat().st_size < 95_000:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheets", nargs="*", metavar="SHEET", help=f"which to draw: {', '.join(SHEETS)} (default: all)")
    parser.add_argument("--weights", default="auto", help="filters: auto, paper, imagenet, untrained or a file")
    parser.add_argument("--out", type=Path, default=HERE.parent / "web" / "docs" / "gallery")
    parser.add_argument("--cache", type=Path, default=Path(gettempdir()) / "gatys-gallery", help="single results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    BASE["weights"] = arguments.weights
    for folder in (arguments.out, arguments.cache):
        folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.sheets or SHEETS:
        panels = []
        for label, settings, *what in SHEETS[name]:
            result = painted(settings, arguments.cache)
            panels.append((label, shown(result, what[0] if what else None)))
        save(sheet(panels), arguments.out / f"{name}.jpg")
        print(arguments.out / f"{name}.jpg", flush=True)


if __name__ == "__main__":
    main()
