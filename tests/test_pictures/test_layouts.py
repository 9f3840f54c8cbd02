"""Every layout that picture files have, against values computed by hand: decoded right, or refused in a sentence."""

import io
import itertools

import layouts
import numpy as np
import pytest
from layouts import CMYK, FLOAT, GREY, LAB, PALETTE, RGB, SIGNED, WHITE_IS_0, YCBCR
from PIL import Image

from gatys.cli.jobs import find_jobs
from gatys.cli.picture_lists import SUFFIXES
from gatys.errors import ImageError
from gatys.pictures.decoding import READABLE
from gatys.pictures.images import read_image

H, W = 19, 21
RANDOM = np.random.default_rng(0)
LEVELS = RANDOM.integers(0, 256, (H, W, 4), dtype=np.uint8)
COLOURS = RANDOM.integers(0, 256, (256, 3), dtype=np.uint8)
"""A palette."""


@pytest.fixture
def read(tmp_path):
    """Give a function from a file's bytes to its pixels (H, W, 3) and its alpha (H, W) or None, float64."""

    def read(data):
        path = tmp_path / "picture"
        path.write_bytes(data)
        try:
            picture = read_image(path)
        except ImageError as problem:
            text = str(problem)
            assert str(path) in text and text.isprintable() and len(text) < 300 + len(str(path))
            raise
        pixels = picture.pixels[0].permute(1, 2, 0).double().numpy()
        return pixels, None if picture.alpha is None else picture.alpha[0, 0].double().numpy()

    return read


def compare(found, colour, alpha=None, within=1e-6):
    pixels, opacity = found
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), rtol=0, atol=within)
    assert (opacity is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_allclose(opacity, alpha, rtol=0, atol=1e-6)


def encode(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# TIFF

HOW = [
    {"order": order, "tile": tile, "deflate": deflate, "rows": rows}
    for order, deflate, (tile, rows) in itertools.product("<>", (False, True), ((16, None), (None, None), (None, 5)))
]
KINDS = {1: np.uint8, 2: np.uint8, 4: np.uint8, 8: np.uint8, 16: np.uint16, "h": np.float16, "f": np.float32}
KINDS |= {"d": np.float64}
READ = [(GREY, bits) for bits in KINDS] + [(WHITE_IS_0, bits) for bits in KINDS]
READ += [(RGB, bits) for bits in (8, 16, "h", "f", "d")] + [(CMYK, 8), (CMYK, 16)]
READ += [(PALETTE, bits) for bits in (1, 2, 4, 8)]


def samples(kind, bits, channels):
    if isinstance(bits, str):
        values = RANDOM.random((H, W, channels)).astype(kind)
        return values, values.astype(np.float64)
    values = RANDOM.integers(0, 2**bits, (H, W, channels)).astype(kind)
    return values, values / (2**bits - 1)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("extra", [(), (0,), (1,), (2,)], ids=["none", "unspecified", "premultiplied", "straight"])
@pytest.mark.parametrize(("photometric", "bits"), READ)
def test_tiff(read, photometric, bits, extra, planar):
    colours = {RGB: 3, CMYK: 4}.get(photometric, 1)
    if planar and colours + len(extra) == 1:
        pytest.skip("one plane")
    tags, done = {}, 0
    for how in HOW:
        stored, values = samples(KINDS[bits], bits, colours + len(extra))
        colour = values[..., :colours]
        alpha = values[..., -1] if extra and extra != (0,) else None
        if photometric == PALETTE:
            palette = COLOURS[: 2**bits]
            tags = {320: ("H", tuple((palette.T.astype(int) * 257).ravel()))}
            colour = palette[stored[..., 0]] / 255
        elif photometric == CMYK:
            colour = (1 - values[..., :3]) * (1 - values[..., 3:4])
        elif photometric == WHITE_IS_0:
            colour = 1 - colour
        elif extra == (1,):
            opaque = np.where(alpha > 0, alpha, 1)[..., None]
            colour = (colour / opaque).clip(0, 1) * (alpha > 0)[..., None]
        how = how | {"bits": None if isinstance(bits, str) else bits, "planar": planar, "extra": extra, "tags": tags}
        data = layouts.tiff(stored, photometric, **how)
        eight_bits = photometric == CMYK or (extra == (1,) and bits == 8)
        try:
            found = read(data)
        except ImageError:
            continue
        if extra == (1,):  # there is no colour where nothing shows
            found[0][alpha == 0] = 0
        compare(found, colour, alpha, 2.01 / 255 if eight_bits else 1e-6)
        done += 1
    deep = bits in (8, 16, "h", "f", "d")
    plain = not extra and (photometric != CMYK or bits != 16 or not planar)
    whole = plain or (deep and photometric == RGB) or (deep and photometric == GREY)
    whole = whole or (deep and photometric == WHITE_IS_0 and extra != (1,) and (planar or bits != 8))
    assert done == len(HOW) or not whole


@pytest.mark.parametrize("order", "<>")
def test_tiff_of_reversed_bits(read, order):
    for bits in (1, 2, 4):
        stored, values = samples(np.uint8, bits, 1)
        compare(read(layouts.tiff(stored, GREY, bits=bits, order=order, fill=2)), values)
        compare(read(layouts.tiff(stored, WHITE_IS_0, bits=bits, order=order, fill=2)), 1 - values)


def test_tiff_of_12_bits(read):
    stored, values = samples(np.uint16, 12, 1)
    compare(read(layouts.tiff(stored, GREY, bits=12)), values)
    for photometric, channels in ((WHITE_IS_0, 1), (RGB, 3)):
        with pytest.raises(ImageError, match="is not a picture that is read here"):
            read(layouts.tiff(samples(np.uint16, 12, channels)[0], photometric, bits=12))


def test_tiff_of_whole_numbers_with_signs(read):
    for kind in (np.int8, np.int16):
        with pytest.raises(ImageError, match="holds whole numbers with signs, of which white is unknown; save it with"):
            read(layouts.tiff(np.full((4, 4, 1), -1, kind), GREY, kind=SIGNED))
    values = np.array([[[0], [65535], [4711]]], np.int32)  # as Pillow keeps whole numbers
    compare(read(layouts.tiff(values, GREY, kind=SIGNED)), values / 65535)
    with pytest.raises(ImageError, match="holds values from 0 to 65536, expected 0 to 65535"):
        read(layouts.tiff(np.array([[[0], [65536]]], np.uint32), GREY))


def test_tiff_of_ycbcr(read):
    stored = LEVELS[..., :3]
    y, cb, cr = (stored[..., index].astype(float) - (0, 128, 128)[index] for index in range(3))
    colour = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(0, 255) / 255
    for deflate in (False, True):
        data = layouts.tiff(stored, YCBCR, deflate=deflate, tags={530: ("H", (1, 1))})
        compare(read(data), colour, within=2.01 / 255)


def test_tiffs_that_are_refused(read):
    with pytest.raises(ImageError, match="has pixels of the kind LAB, which have no sRGB colour; save it as RGB"):
        read(layouts.tiff(LEVELS[..., :3], LAB))
    for planar in (False, True):
        with pytest.raises(ImageError, match="has premultiplied alpha where white is 0, which nobody defines; save it"):
            read(layouts.tiff(LEVELS[..., :2].astype(np.uint16), WHITE_IS_0, extra=(1,), planar=planar))
    table = {320: ("H", (0,) * 768)}
    with pytest.raises(ImageError, match="has a palette and alpha one after another, which is not read here; save it"):
        read(layouts.tiff(LEVELS[..., :2], PALETTE, extra=(2,), planar=True, deflate=True, tags=table))


# PNG

PNGS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16)]
PNGS += [(6, 8), (6, 16)]


@pytest.mark.parametrize(("kind", "depth"), PNGS)
def test_png(read, caplog, kind, depth):
    stored, values = samples(np.uint16, depth, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind])
    colours = COLOURS[: 2**depth]
    chunks = [(b"PLTE", colours.tobytes())] if kind == 3 else []
    colour = colours[stored[..., 0]] / 255 if kind == 3 else values if kind in (0, 2) else values[..., :-1]
    alpha = values[..., -1] if kind in (4, 6) else None
    if (kind, depth) == (4, 16):  # this one is read at 8 bits, and says so
        colour, alpha = (stored[..., :1] >> 8) / 255, (stored[..., 1] >> 8) / 255
    compare(read(layouts.png(stored, kind, depth, *chunks)), colour, alpha)
    assert ("read as 8" in caplog.text) == ((kind, depth) == (4, 16))
    if kind == 3:
        opacity = RANDOM.integers(0, 256, 2**depth, dtype=np.uint8)
        data = layouts.png(stored, kind, depth, *chunks, (b"tRNS", opacity.tobytes()))
        compare(read(data), colour, opacity[stored[..., 0]] / 255)
    elif kind in (0, 2):
        key = stored[0, 0]
        data = layouts.png(stored, kind, depth, (b"tRNS", key.astype(">u2").tobytes()))
        compare(read(data), colour, (stored != key).any(-1))


# JPEG and others


def test_jpeg_of_cmyk_with_and_without_adobes_inversion(read):
    ink = np.tile(np.array([10, 60, 110, 20], np.uint8), (16, 16, 1))
    data = encode(Image.fromarray(ink, "CMYK"), "JPEG", quality=100)  # as Adobe's: inverted, and so marked
    ink = ink / 255
    compare(read(data), (1 - ink[..., :3]) * (1 - ink[..., 3:]), within=2 / 255)
    at = data.index(b"\xff\xee")
    without = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    compare(read(without), ink[..., :3] * ink[..., 3:], within=2 / 255)  # the same numbers, now not inverted


def test_jpeg_of_grey(read):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    compare(read(encode(Image.fromarray(ramp), "JPEG", quality=100)), ramp[..., None] / 255, within=2 / 255)


LOSSLESS = {"WEBP": {"lossless": True, "exact": True}, "JPEG2000": {"irreversible": False}}
LOSSLESS["AVIF"] = {"quality": 100, "subsampling": "4:4:4"}


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("form", LOSSLESS)
def test_webp_avif_and_jpeg_2000(read, form, mode):
    Image.init()
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow has no {form}")
    image = Image.fromarray(LEVELS).convert(mode) if mode != "L" else Image.fromarray(LEVELS[..., 0])
    values = np.array(image).reshape(H, W, -1) / 255
    colour, alpha = (values[..., :3], values[..., 3]) if mode == "RGBA" else (values, None)
    compare(read(encode(image, form, **LOSSLESS[form])), colour, alpha, 3 / 255 if form == "AVIF" else 1e-6)


def test_jpeg_2000_of_16_bits(read):
    stored, values = samples(np.uint16, 16, 1)
    compare(read(encode(Image.fromarray(stored[..., 0]), "JPEG2000", irreversible=False)), values)


def test_gif(read):
    image = Image.fromarray(LEVELS[..., 0] % 8, "L")
    image.putpalette(COLOURS[:8].tobytes())
    colour = COLOURS[LEVELS[..., 0] % 8] / 255
    compare(read(encode(image, "GIF")), colour)
    compare(read(encode(image, "GIF", transparency=3)), colour, LEVELS[..., 0] % 8 != 3)


def test_psd(read, caplog):
    planes = np.moveaxis(LEVELS, -1, 0)
    values = LEVELS / 255
    compare(read(layouts.psd(planes[:1], 1)), values[..., :1])
    compare(read(layouts.psd(planes[:3], 3)), values[..., :3])
    compare(read(layouts.psd(planes, 3)), values[..., :3], values[..., 3])
    compare(read(layouts.psd(planes, 4)), values[..., :3] * values[..., 3:], within=1.01 / 255)  # inverted
    compare(read(layouts.psd(planes[:1], 2, palette=COLOURS.T.tobytes())), COLOURS[LEVELS[..., 0]] / 255)
    compare(read(layouts.psd(planes[:1] > 127, 0, depth=1)), 1.0 - (LEVELS[..., :1] > 127))  # a 1 is ink
    for data, sentence in (
        (layouts.psd(planes[:3], 9), "has pixels of the kind LAB"),
        (layouts.psd(planes[:3].astype(np.uint16), 3, depth=16), "is not a picture that is read here"),
    ):
        with pytest.raises(ImageError, match=sentence):
            read(data)
    assert not caplog.records


def test_portable_maps(read):
    for top, kind in ((255, "u1"), (1000, ">u2"), (65535, ">u2")):
        stored = RANDOM.integers(0, top + 1, (H, W, 3))
        head = f"{W} {H} {top}\n".encode()
        compare(read(b"P6 " + head + stored.astype(kind).tobytes()), stored / top, within=0.51 / 255)
        compare(read(b"P5 " + head + stored[..., 0].astype(kind).tobytes()), stored[..., :1] / top, within=1e-5)
    stored = RANDOM.random((H, W, 1)).astype("<f4")
    compare(read(f"Pf {W} {H}\n-1.0\n".encode() + stored[::-1].tobytes()), stored)


# orientation

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
    8: lambda a: np.rot90(a, 1),
}
QUARTERS = np.repeat(np.repeat(np.array([[250, 60], [120, 0]], np.uint8), 8, 0), 16, 1)[..., None].repeat(3, -1)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_orientation(read, form, orientation):
    Image.init()
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow has no {form}")
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {} if form in ("PNG", "TIFF") else {"quality": 100}
    data = encode(Image.fromarray(QUARTERS), form, exif=exif, **how)
    compare(read(data), UPRIGHT[orientation](QUARTERS) / 255, within=12 / 255)


def test_deep_tiff_of_every_orientation(read):
    for orientation, turned in UPRIGHT.items():
        stored = QUARTERS.astype(np.uint16) * 257
        compare(read(layouts.tiff(stored, RGB, tags={274: ("H", (orientation,))})), turned(QUARTERS) / 255)


def test_fuzzed_sizes(read):
    for height, width in RANDOM.integers(1, 40, (40, 2)):
        for bits in (1, 2, 4, 8, 16):
            stored = RANDOM.integers(0, 2**bits, (height, width, 1)).astype(np.uint16 if bits == 16 else np.uint8)
            values = stored / (2**bits - 1)
            for planar, tile in ((False, None), (False, 16)):
                compare(read(layouts.tiff(stored, GREY, bits=bits, planar=planar, tile=tile)), values)
            compare(read(layouts.png(stored, 0, bits)), values)


def test_floats_count_to_1(read):
    stored = np.array([[[0.0, 0.5, 1.0]]], np.float32)
    compare(read(layouts.tiff(stored, RGB, kind=FLOAT)), stored)
    for wrong in (1.5, -0.5, np.nan, np.inf):
        stored[0, 0, 0] = wrong
        with pytest.raises(ImageError, match="holds values from .* expected 0 to 1; save it with 8 or 16 bits"):
            read(layouts.tiff(stored, RGB, kind=FLOAT))


def test_suffixes_are_pillows_own():
    """A folder takes what is read: every suffix that Pillow has for a format that is read, but those of JPEG's film."""
    Image.init()
    known = {suffix for suffix, form in Image.registered_extensions().items() if form in READABLE}
    assert known <= set(SUFFIXES) and all(suffix == suffix.lower() for suffix in SUFFIXES)
    assert {form for form in READABLE if form not in Image.OPEN} <= {"AVIF", "QOI"}  # younger than others


def test_a_folder_takes_every_kind(tmp_path):
    for name in ("a.JP2", "b.psd", "c.jfif", "d.heic", "e.exr", "f.jxl", "notes.md", "film.mp4"):
        (tmp_path / name).write_bytes(b"")
    jobs = find_jobs(str(tmp_path), str(tmp_path / "out"))
    assert [job.content.name for job in jobs] == ["a.JP2", "b.psd", "c.jfif", "d.heic", "e.exr", "f.jxl"]


def test_a_jpeg_of_several_pictures(read, caplog):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    compare(read(encode(frames[0], "MPO", save_all=True, append_images=frames[1:])), [1, 0, 0], within=3 / 255)
    assert "holds several frames; only the first is used" in caplog.text
