"""Pictures: every kind of file in, every format and depth out, and what is said when it cannot be done."""

import io
import logging
import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from gatys.errors import ImageError
from gatys.pictures import images, tiff
from gatys.pictures.images import check_output, fit, read_image, write_image
from gatys.pictures.resampling import resize

# 3 wide, 2 high; every pixel different, every level exact
LEVELS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [128, 127, 126], [255, 254, 253]]], dtype=np.uint8
)


def expected(levels, top=255):
    """(H, W, C) levels as the (1, C, H, W) tensor that gatys holds."""
    return torch.from_numpy(np.asarray(levels).astype(np.float32) / top).permute(2, 0, 1)[None]


def saved(tmp_path, image, name="picture.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def png(levels, colour_type, *chunks, depth=16):
    """An independent PNG writer: unfiltered rows."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = levels.shape[:2]
    rows = levels.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    body = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour_type, 0, 0, 0))
    body += b"".join(chunk(*c) for c in chunks)
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def iccp(profile):
    return b"iCCP", b"profile\0\0" + zlib.compress(profile)


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile():
    """sRGB with the red and green primaries exchanged: pure red of the file is pure green of sRGB."""
    profile = srgb_profile()
    return profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)


def linear_grey_profile():
    """A version 2 profile of linear grey: the level is the luminance."""
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    curve = struct.pack(">4s4xI", b"curv", 0) + bytes(4)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78) + bytes(1)
    tags, at, body = b"", 128 + 4 + 3 * 12, b""
    for kind, content in ((b"wtpt", white), (b"kTRC", curve), (b"desc", text)):
        tags += struct.pack(">4sII", kind, at + len(body), len(content))
        body += content
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s12x4s", size, bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = (head + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0")
    return head + struct.pack(">I", 3) + tags + body


# --- sizes ---------------------------------------------------------------------------------------------------------


def test_fit_keeps_the_aspect_and_rounds():
    assert fit(400, 200, 100) == (100, 50)
    assert fit(200, 400, 100) == (50, 100)
    assert fit(3, 2, 9) == (9, 6)
    assert fit(4, 3, 2) == (2, 2)  # 1.5 is rounded up
    assert fit(1000, 1, 10) == (10, 1)


@pytest.mark.parametrize("size", [0, -5, 2.5, True, "9"])
def test_fit_refuses_what_is_no_size(size):
    with pytest.raises(ImageError, match=r"size must be a whole number of pixels, 1 or more, not "):
        fit(4, 3, size)


def test_load_at_a_size_does_not_quantise(tmp_path):
    ramp = np.repeat(np.arange(40, 104, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, -1)
    picture = read_image(saved(tmp_path, Image.fromarray(ramp)), size=128)
    assert picture.pixels.shape == (1, 3, 64, 128) and picture.pixels.dtype == torch.float32
    # a linear ramp stays linear: pixel x of 128 lies at (x + .5) / 2 - .5
    assert picture.pixels[0, 0, 30, 61].item() == pytest.approx((40 + 30.25) / 255, abs=1e-6)
    assert read_image(tmp_path / "picture.png", size=16).pixels.shape == (1, 3, 8, 16)
    with pytest.raises(ImageError, match="size must be a whole number of pixels, 1 or more, not 0"):
        read_image(tmp_path / "picture.png", size=0)


# --- kinds of files ------------------------------------------------------------------------------------------------


def test_rgb_exactly(tmp_path):
    picture = read_image(str(saved(tmp_path, Image.fromarray(LEVELS))))
    assert torch.equal(picture.pixels, expected(LEVELS))
    assert picture.pixels.is_contiguous() and picture.alpha is None


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "F"])
def test_grey(tmp_path, mode):
    values, name, top = np.array([[0, 77], [128, 255]]), "grey.png", 255
    if mode == "1":
        values, top = np.array([[0, 1], [1, 0]]), 1
        image = Image.fromarray(values.astype(bool))
    elif mode == "I;16":
        values, top = np.array([[0, 257], [32768, 65535]]), 65535
        image = Image.fromarray(values.astype(np.uint16))
    elif mode == "F":
        values, name, top = np.array([[0, 0.125], [0.3, 1]]), "grey.tif", 1
        image = Image.fromarray(values.astype(np.float32))
    else:
        image = Image.fromarray(values.astype(np.uint8))
    assert image.mode == mode
    picture = read_image(saved(tmp_path, image, name))
    assert torch.equal(picture.pixels, expected(np.repeat(values[..., None], 3, -1), top)) and picture.alpha is None


def test_32_bit_integers_in_and_out_of_range(tmp_path):
    values = np.array([[0, 65535], [1, 2]], dtype=np.int32)
    picture = read_image(saved(tmp_path, Image.fromarray(values), "grey.tif"))
    assert torch.equal(picture.pixels[0, 1], torch.from_numpy(values) / 65535)
    path = saved(tmp_path, Image.fromarray(values * 2), "grey.tif")
    with pytest.raises(ImageError, match=r"grey.tif' holds values from 0 to 131070, expected 0 to 65535; save it"):
        read_image(path)
    path = saved(tmp_path, Image.fromarray(np.array([[0, np.nan]], dtype=np.float32)), "nan.tif")
    with pytest.raises(ImageError, match=r"nan.tif' holds values from nan to nan, expected 0 to 1; save it"):
        read_image(path)


def test_alpha_is_carried_and_not_multiplied(tmp_path):
    rgba = np.concatenate((LEVELS, np.array([[[0], [51], [255]], [[1], [2], [3]]], dtype=np.uint8)), -1)
    picture = read_image(saved(tmp_path, Image.fromarray(rgba)))
    assert torch.equal(picture.pixels, expected(LEVELS)) and torch.equal(picture.alpha, expected(rgba[..., 3:]))
    la = rgba[..., 2:]
    picture = read_image(saved(tmp_path, Image.fromarray(la)))
    assert torch.equal(picture.pixels, expected(la[..., [0, 0, 0]]))
    assert torch.equal(picture.alpha, expected(la[..., 1:]))
    picture = read_image(tmp_path / "picture.png", size=6)
    assert picture.alpha.shape == (1, 1, 4, 6) and picture.pixels.shape == (1, 3, 4, 6)
    assert torch.equal(picture.alpha, resize(expected(la[..., 1:]), (4, 6)))


def test_palette_with_and_without_transparency(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "L")
    image.putpalette([255, 0, 0, 0, 128, 0, 9, 9, 250])
    assert image.mode == "P"
    colours = expected([[[255, 0, 0], [0, 128, 0], [9, 9, 250]]])
    picture = read_image(saved(tmp_path, image))
    assert torch.equal(picture.pixels, colours) and picture.alpha is None
    picture = read_image(saved(tmp_path, image, transparency=bytes([255, 0, 102])))
    assert torch.equal(picture.pixels, colours)
    assert torch.equal(picture.alpha, expected([[[255], [0], [102]]]))
    picture = read_image(saved(tmp_path, image, transparency=1))
    assert picture.alpha.flatten().tolist() == [1, 0, 1]


def test_cmyk_and_ycbcr(tmp_path):
    cmyk = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 51, 102, 0]]], dtype=np.uint8)
    picture = read_image(saved(tmp_path, Image.fromarray(cmyk, "CMYK"), "print.tif"))
    assert torch.equal(picture.pixels, expected([[[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 204, 153]]]))
    flat = Image.new("CMYK", (8, 8), (0, 51, 102, 0))
    picture = read_image(saved(tmp_path, flat, "print.jpg", quality=100))
    assert (picture.pixels - expected([[[255, 204, 153]]])).abs().max() <= 2 / 255
    flat = Image.new("YCbCr", (8, 8), (100, 128, 128))
    assert (read_image(saved(tmp_path, flat, "flat.jpg")).pixels - 100 / 255).abs().max() < 1e-6


def test_lab_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"lab.tif' has pixels of the kind LAB, .* save it as RGB"):
        read_image(saved(tmp_path, Image.new("LAB", (2, 2)), "lab.tif"))


DEEP = (np.arange(2 * 3 * 4).reshape(2, 3, 4) * 2777 + 5).astype(np.uint16)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_16_bit_colour_png_is_read_in_full(tmp_path, caplog, colour_type, channels):
    levels = DEEP[..., :channels]
    (tmp_path / "deep.png").write_bytes(png(levels, colour_type))
    picture = read_image(tmp_path / "deep.png")
    assert torch.equal(picture.pixels, expected(levels[..., :3], 65535))
    assert picture.alpha is None if channels == 3 else torch.equal(picture.alpha, expected(levels[..., 3:], 65535))
    assert not caplog.records


def test_16_bits_that_pillow_cannot_give_are_said(tmp_path, caplog):
    (tmp_path / "deep.png").write_bytes(png(DEEP[..., :2], 4))  # grey and alpha
    picture = read_image(tmp_path / "deep.png")
    assert torch.equal(picture.pixels, expected(DEEP[..., [0, 0, 0]] >> 8))
    assert torch.equal(picture.alpha, expected(DEEP[..., 1:2] >> 8))
    assert "deep.png has 16 bits a channel in a layout that is read as 8; save it as 16-bit RGB" in caplog.text


def patched_tiff(path, levels, encode, **tags):
    """A 16-bit TIFF that `write_image` wrote, its strip encoded and some tags changed."""
    write_image(path, expected(levels, 65535), depth=16)
    data = bytearray(path.read_bytes())
    strip_at = tiff_directory(bytes(data))[273][0]
    strip = encode(bytes(data[strip_at:]))
    data[strip_at:] = strip
    changes = {279: len(strip)} | {int(tag[1:]): value for tag, value in tags.items()}
    (count,) = struct.unpack_from("<H", data, 8)
    for at in range(10, 10 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, at)
        if tag in changes:
            struct.pack_into("<I", data, at + 8, changes.pop(tag))
    assert not changes
    path.write_bytes(data)
    return path


def test_16_bit_tiff_that_is_compressed_or_big_endian(tmp_path):
    # the two decoders of Pillow: libtiff, and its own
    path = patched_tiff(tmp_path / "zip.tif", DEEP[..., :3], zlib.compress, t259=8)
    assert torch.equal(read_image(path).pixels, expected(DEEP[..., :3], 65535))
    big = struct.pack(">2sHIH", b"MM", 42, 8, 8)
    for tag, kind, count, value in (
        (256, 4, 1, 3), (257, 4, 1, 2), (258, 3, 3, 110), (259, 3, 1, 1 << 16),
        (262, 3, 1, 2 << 16), (273, 4, 1, 116), (277, 3, 1, 3 << 16), (279, 4, 1, 36),
    ):  # fmt: skip
        big += struct.pack(">HHII", tag, kind, count, value)
    big += struct.pack(">I3H", 0, 16, 16, 16) + DEEP[..., :3].astype(">u2").tobytes()
    (tmp_path / "big.tif").write_bytes(big)
    assert torch.equal(read_image(tmp_path / "big.tif").pixels, expected(DEEP[..., :3], 65535))


TIFFS = [
    (kind, channels, planes, how)
    for kind in (np.uint16, np.float16, np.float32, np.float64, np.uint8)
    for channels in (1, 2, 3, 4)
    for planes in ("contig", "separate")
    for how in ({}, {"compression": "zlib", "rowsperstrip": 7}, {"tile": (16, 16), "byteorder": ">"})
    if (planes == "contig" or channels > 1) and (planes == "separate" or kind != np.uint8)
]


@pytest.mark.parametrize("grey", ["minisblack", "miniswhite"])
@pytest.mark.parametrize(("kind", "channels", "planes", "how"), TIFFS)
def test_tiffs_of_every_layout(tmp_path, caplog, kind, channels, planes, how, grey):
    random = np.random.default_rng(4)
    top = 1 if issubclass(kind, np.floating) else np.iinfo(kind).max
    levels = (
        random.random((20, 37, channels)) if top == 1 else random.integers(0, top, (20, 37, channels), endpoint=True)
    )
    levels = levels.astype(kind)
    stored = np.moveaxis(levels, -1, 0) if planes == "separate" else levels[..., 0] if channels == 1 else levels
    how = how | {"photometric": "rgb" if channels > 2 else grey, "planarconfig": planes if channels > 1 else None}
    how |= {"extrasamples": ["unassalpha"] if channels in (2, 4) else None}
    if how.get("compression") and kind in (np.uint16, np.uint8):
        how["predictor"] = True
    tifffile.imwrite(tmp_path / "a.tif", stored, **how)
    picture = read_image(tmp_path / "a.tif")
    values = levels.astype(np.float32)
    colour = values[..., :3] if channels > 2 else np.repeat(values[..., :1], 3, -1)
    if channels < 3 and grey == "miniswhite":
        colour = top - colour
    assert torch.equal(picture.pixels, expected(colour, top))
    assert (picture.alpha is None) == (channels in (1, 3))
    assert picture.alpha is None or torch.equal(picture.alpha, expected(values[..., -1:], top))
    assert not caplog.records


def test_what_else_a_deep_tiff_says(tmp_path, caplog):
    alpha = np.full((2, 3, 1), 0.5, np.float32)
    alpha[0, 0] = 0
    straight = np.concatenate([LEVELS / 255, alpha], -1).astype(np.float32)
    premultiplied = np.concatenate([straight[..., :3] * alpha, alpha], -1)
    orientation = (274, "H", 1, 6, True)
    tifffile.imwrite(
        tmp_path / "a.tif", premultiplied, photometric="rgb", extrasamples=["assocalpha"], extratags=[orientation]
    )
    picture = read_image(tmp_path / "a.tif")
    wanted = expected(np.rot90(straight, -1), 1)
    wanted[..., 0, -1][:, :3] = 0  # there is no colour where nothing shows
    assert torch.allclose(picture.pixels, wanted[:, :3], atol=1e-6) and torch.equal(picture.alpha, wanted[:, 3:])
    tifffile.imwrite(tmp_path / "a.tif", straight, photometric="rgb", extrasamples=["unspecified"])
    assert read_image(tmp_path / "a.tif").alpha is None and not caplog.records
    how = {"iccprofile": swapped_profile(), "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.tif", np.array([[[[65535, 0, 0]]]] * 2, np.uint16), **how)
    assert (read_image(tmp_path / "a.tif").pixels - expected([[[0, 255, 0]]])).abs().max() <= 1 / 255
    assert "a.tif holds several frames; only the first is used" in caplog.text
    assert "a.tif is read at 8 bits a channel to convert its colour profile; save it as sRGB" in caplog.text


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_deep_tiffs_that_are_refused(tmp_path, monkeypatch, compression):
    def refused(sentence):
        with pytest.raises(ImageError, match=sentence) as problem:
            read_image(path)
        assert "\n" not in str(problem.value)

    path = tmp_path / "a.tif"
    noise = np.random.default_rng(5).random((64, 64, 3)).astype(np.float32)
    tifffile.imwrite(path, noise * 2, photometric="rgb", compression=compression)
    refused("a.tif' holds values from .* to .*, expected 0 to 1; save it with 8 or 16 bits")
    tifffile.imwrite(path, noise, photometric="rgb", compression=compression, rowsperstrip=8)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    refused(r"a.tif' is damaged or cut short \(a strip or tile lies outside of it\); copy or download it again")
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        page = file.pages[0]
        edges = page.tags[257].valueoffset, page.dataoffsets[3]
    path.write_bytes(whole[: edges[0]] + (128).to_bytes(2, "little") + whole[edges[0] + 2 :])
    refused(r"\(it has 8 strips or tiles instead of 16\)")
    bomb = zlib.compress(bytes(1 << 20))
    path.write_bytes(whole[: edges[1]] + bomb + whole[edges[1] + len(bomb) :])
    if compression:
        refused(r"\(a strip or tile is larger than it says\)")
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 64 - 1)
    refused("a.tif' is not a picture that is read here")  # what Pillow says of it


def test_16_bit_tiffs_without_tifffile(tmp_path, monkeypatch):
    """As in ComfyUI, where it is not installed: nothing is read wrongly."""
    paths = {"plain": {}, "white": {"photometric": "miniswhite"}, "planes": {"planarconfig": "separate"}}
    for name, how in paths.items():
        levels = DEEP[..., 0] if name == "white" else np.moveaxis(DEEP[..., :3], -1, 0) if how else DEEP[..., :3]
        tifffile.imwrite(tmp_path / f"{name}.tif", levels, **({"photometric": "rgb"} | how))
    monkeypatch.setattr(tiff, "tiff_library", lambda: None)
    assert torch.equal(read_image(tmp_path / "plain.tif").pixels, expected(DEEP[..., :3], 65535))
    assert torch.equal(read_image(tmp_path / "white.tif").pixels, expected(65535 - DEEP[..., [0, 0, 0]], 65535))
    with pytest.raises(
        ImageError, match="has 16 bits a channel, its planes one after another, .*; install the package t"
    ):
        read_image(tmp_path / "planes.tif")
    for depth in (8, 16):
        assert write_image(tmp_path / "b.tif", smooth(), depth=depth).exists()


def test_16_bit_transparent_colour(tmp_path):
    key = struct.pack(">3H", *DEEP[1, 0, :3])
    (tmp_path / "deep.png").write_bytes(png(DEEP[..., :3], 2, (b"tRNS", key)))
    assert read_image(tmp_path / "deep.png").alpha.flatten().tolist() == [1, 1, 1, 0, 1, 1]
    (tmp_path / "grey.png").write_bytes(png(DEEP[..., :1], 0, (b"tRNS", struct.pack(">H", DEEP[0, 2, 0]))))
    assert read_image(tmp_path / "grey.png").alpha.flatten().tolist() == [1, 1, 0, 1, 1, 1]


UPRIGHT = np.arange(6).reshape(2, 3) * 40


@pytest.mark.parametrize(
    ("orientation", "store"),
    [  # how a camera stores the upright picture
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda a: np.rot90(a, 1)),  # shown turned 90 degrees clockwise, so stored counter-clockwise
        (7, lambda a: np.rot90(a, 2).T),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "tif"])  # Pillow turns TIFF itself: it must not turn twice
def test_exif_orientation(tmp_path, orientation, store, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(store(UPRIGHT)).astype(np.uint8))
    picture = read_image(saved(tmp_path, stored, f"photo.{suffix}", exif=exif))
    assert torch.equal(picture.pixels[0, 1] * 255, torch.from_numpy(UPRIGHT).float())


def test_exif_orientation_of_size_alpha_and_16_bits(tmp_path):
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    (tmp_path / "deep.png").write_bytes(png(DEEP, 6, (b"eXIf", exif)))
    picture = read_image(tmp_path / "deep.png")
    assert torch.equal(picture.pixels, expected(np.rot90(DEEP, -1)[..., :3], 65535))
    assert torch.equal(picture.alpha, expected(np.rot90(DEEP, -1)[..., 3:], 65535))
    assert read_image(tmp_path / "deep.png", size=6).pixels.shape == (1, 3, 6, 4)


def test_animation_gives_its_first_frame_and_says_so(tmp_path, caplog):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    path = saved(tmp_path, frames[0], "film.gif", save_all=True, append_images=frames[1:])
    picture = read_image(path)
    assert torch.equal(picture.pixels[0, :, 0, 0], torch.tensor([1.0, 0, 0]))
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "film.gif holds several frames; only the first is used" in caplog.text


# --- colour profiles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["p.png", "p.tif", "p.webp", "p.jpg"])
def test_profile_is_converted(tmp_path, caplog, name):
    image = Image.new("RGB", (16, 16), (255, 0, 0))
    options = {"quality": 100} if name[2:] in ("jpg", "webp") else {}
    picture = read_image(saved(tmp_path, image, name, icc_profile=swapped_profile(), **options))
    lossy = 8 if name == "p.webp" else 2
    assert (picture.pixels - expected([[[0, 255, 0]]])).abs().max() <= lossy / 255
    assert not caplog.records


def test_profile_of_other_modes(tmp_path):
    rgba = Image.new("RGBA", (1, 1), (255, 0, 0, 51))
    picture = read_image(saved(tmp_path, rgba, icc_profile=swapped_profile()))
    assert (picture.pixels - expected([[[0, 255, 0]]])).abs().max() <= 1 / 255
    assert picture.alpha.item() == pytest.approx(0.2)
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 0, 0])
    picture = read_image(saved(tmp_path, palette, icc_profile=swapped_profile()))
    assert (picture.pixels - expected([[[0, 255, 0]]])).abs().max() <= 1 / 255
    # linear grey of level 128 is sRGB 1.055 * (128 / 255) ** (1 / 2.4) - .055
    picture = read_image(saved(tmp_path, Image.new("L", (1, 1), 128), icc_profile=linear_grey_profile()))
    shown = 1.055 * (128 / 255) ** (1 / 2.4) - 0.055
    assert (picture.pixels - shown).abs().max() <= 1 / 255
    # grey under an RGB profile is grey of that space
    picture = read_image(saved(tmp_path, Image.new("L", (1, 1), 255), icc_profile=srgb_profile()))
    assert picture.pixels.flatten().tolist() == [1, 1, 1]


def test_srgb_profile_changes_nothing_not_even_16_bits(tmp_path, caplog):
    path = saved(tmp_path, Image.fromarray(LEVELS), icc_profile=srgb_profile())
    assert torch.equal(read_image(path).pixels, expected(LEVELS))
    (tmp_path / "deep.png").write_bytes(png(DEEP[..., :3], 2, iccp(srgb_profile())))
    assert torch.equal(read_image(tmp_path / "deep.png").pixels, expected(DEEP[..., :3], 65535))
    assert not caplog.records


@pytest.mark.parametrize("colour_type", [0, 2])
def test_16_bits_with_another_profile_say_that_8_are_read(tmp_path, caplog, colour_type):
    levels = np.full((1, 1, 1), 32896) if colour_type == 0 else np.array([[[65535, 0, 0]]])
    profile = linear_grey_profile() if colour_type == 0 else swapped_profile()
    (tmp_path / "deep.png").write_bytes(png(levels, colour_type, iccp(profile)))
    pixels = read_image(tmp_path / "deep.png").pixels
    shown = [[[188, 188, 188]]] if colour_type == 0 else [[[0, 255, 0]]]
    assert (pixels - expected(shown)).abs().max() <= 1 / 255
    assert "deep.png is read at 8 bits a channel to convert its colour profile; save it as sRGB" in caplog.text


@pytest.mark.parametrize("profile", [b"nonsense" * 40, linear_grey_profile()])
def test_unusable_profile_is_said(tmp_path, caplog, profile):
    path = saved(tmp_path, Image.fromarray(LEVELS), icc_profile=profile)
    assert torch.equal(read_image(path).pixels, expected(LEVELS))
    assert "picture.png has a colour profile that cannot be used" in caplog.text
    assert "it is taken as sRGB" in caplog.text


# --- files that are no pictures ------------------------------------------------------------------------------------


def test_unreadable_files(tmp_path, monkeypatch):
    def refused(path, sentence):
        with pytest.raises(ImageError, match=sentence) as problem:
            read_image(path)
        assert str(path) in str(problem.value) and "\n" not in str(problem.value)

    refused(tmp_path / "none.png", "there is no file '.*none.png'; check the path")
    refused(tmp_path, "is a folder, not a picture; give the path of one file in it")
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", r"is empty \(0 bytes\), not a picture; copy or download it again")
    (tmp_path / "text.png").write_text("not a picture")
    refused(tmp_path / "text.png", "is not a picture that is read here; convert it to PNG or JPEG")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for name in ("cut.png", "cut.jpg", "cut.webp", "cut.tif", "cut.gif"):
        whole = saved(tmp_path, noise, name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        refused(tmp_path / name, "is damaged or cut short|is not a picture that is read here")
    whole = png(np.random.default_rng(0).integers(0, 65536, (64, 64, 3)), 2)
    (tmp_path / "deep.png").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "deep.png", "is damaged or cut short")
    path = saved(tmp_path, noise, "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    refused(path, "has too many pixels, which is not safe to open; shrink it")


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_8_bit_lossless_round_trip(tmp_path, name, with_alpha):
    alpha = torch.tensor([[0, 51, 255], [1, 2, 254]])[None, None] / 255 if with_alpha else None
    assert write_image(str(tmp_path / name), expected(LEVELS), alpha=alpha) == tmp_path / name
    picture = read_image(tmp_path / name)
    assert torch.equal(picture.pixels, expected(LEVELS))
    assert picture.alpha is None if alpha is None else torch.equal(picture.alpha, alpha)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")
def test_values_go_to_the_nearest_level(tmp_path):
    image = torch.tensor([0.49, 0.51, 99.6, 254.4, 254.6]).expand(3, 1, 5) / 255
    write_image(tmp_path / "a.png", image)  # (3, H, W)
    assert np.array(Image.open(tmp_path / "a.png"))[0, :, 1].tolist() == [0, 1, 100, 254, 255]
    write_image(tmp_path / "a.png", image.double() * 255 / 65535, depth=16)
    assert np.array(stored_png(tmp_path / "a.png"))[0, :, 1].tolist() == [0, 1, 100, 254, 255]


def smooth():
    y, x = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 48), indexing="ij")
    return torch.stack((x, y, (x + y) / 2))[None]


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp"])
def test_lossy_round_trip_and_quality(tmp_path, name):
    write_image(tmp_path / name, smooth())
    assert Image.open(tmp_path / name).format == ("WEBP" if name == "a.webp" else "JPEG")
    assert (read_image(tmp_path / name).pixels - smooth()).abs().mean() < 0.01
    size = os.path.getsize(tmp_path / name)
    write_image(tmp_path / name, smooth(), quality=10)
    assert os.path.getsize(tmp_path / name) < size


def test_jpeg_colour_is_not_subsampled(tmp_path):
    write_image(tmp_path / "a.jpg", smooth())
    assert [layer[1:3] for layer in Image.open(tmp_path / "a.jpg").layer] == [(1, 1)] * 3


def test_webp_keeps_alpha_and_jpeg_says_that_it_does_not(tmp_path, caplog):
    alpha = torch.ones(1, 32, 48)
    alpha[:, :16] = 0
    write_image(tmp_path / "a.webp", smooth(), alpha=alpha)
    picture = read_image(tmp_path / "a.webp")
    assert torch.equal(picture.alpha[0], alpha)
    assert (picture.pixels - smooth()).abs().mean() < 0.01  # transparent pixels keep their colour
    assert not caplog.records
    write_image(tmp_path / "a.jpg", smooth(), alpha=alpha)
    assert read_image(tmp_path / "a.jpg").alpha is None
    assert "a.jpg is written without its alpha, which JPEG cannot hold; use .png" in caplog.text


def stored_png(path):
    from torchvision.io import ImageReadMode, decode_image  # a decoder that shares nothing with Pillow

    return decode_image(str(path), mode=ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()


@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_png(tmp_path, channels):
    levels = np.random.default_rng(1).integers(0, 65536, (5, 7, channels))
    alpha = expected(levels[..., 3:], 65535) if channels == 4 else None
    write_image(tmp_path / "a.png", expected(levels[..., :3], 65535), alpha=alpha, depth=16)
    stored = stored_png(tmp_path / "a.png")
    assert stored.dtype == np.uint16 and np.array_equal(stored, levels)
    image = Image.open(tmp_path / "a.png")
    image.load()
    assert image.info["srgb"] == 0  # perceptual
    assert np.array_equal(np.array(image), levels >> 8)  # Pillow reads the upper byte
    again = read_image(tmp_path / "a.png")
    assert torch.equal(again.pixels, expected(levels[..., :3], 65535))
    assert again.alpha is None if alpha is None else torch.equal(again.alpha, alpha)


def tiff_directory(data):
    """Tag -> values, as the specification lays a little-endian file out."""
    assert data[:4] == b"II*\0"
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    tags = {}
    for i in range(count):
        tag, kind, number = struct.unpack_from("<HHI", data, at + 2 + 12 * i)
        code, size = {3: ("H", 2), 4: ("I", 4), 5: ("II", 8)}[kind]
        place = at + 2 + 12 * i + 8
        if number * size > 4:
            (place,) = struct.unpack_from("<I", data, place)
            assert place % 2 == 0
        tags[tag] = struct.unpack_from("<" + code * number, data, place)
    assert list(tags) == sorted(tags)
    assert struct.unpack_from("<I", data, at + 2 + 12 * count) == (0,)
    return tags


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_tiff(tmp_path, caplog, channels):
    levels = np.random.default_rng(2).integers(0, 65536, (5, 7, channels))
    alpha = expected(levels[..., 3:], 65535) if channels == 4 else None
    write_image(tmp_path / "a.tif", expected(levels[..., :3], 65535), alpha=alpha, depth=16)
    data = (tmp_path / "a.tif").read_bytes()
    tags = tiff_directory(data)
    assert (tags[256], tags[257], tags[258]) == ((7,), (5,), (16,) * channels)
    assert (tags[259], tags[262], tags[277], tags[278]) == ((1,), (2,), (channels,), (5,))
    assert (tags[282], tags[283], tags[296]) == ((72, 1), (72, 1), (2,))
    assert tags.get(338) == (None if channels == 3 else (2,))
    assert tags[273][0] + tags[279][0] == len(data)
    strip = np.frombuffer(data, "<u2", offset=tags[273][0]).reshape(5, 7, channels)
    assert np.array_equal(strip, levels)
    assert np.array_equal(np.array(Image.open(tmp_path / "a.tif")), levels >> 8)
    again = read_image(tmp_path / "a.tif")
    assert torch.equal(again.pixels, expected(levels[..., :3], 65535))
    assert again.alpha is None if alpha is None else torch.equal(again.alpha, alpha)
    assert not caplog.records


def test_check_output(tmp_path):
    assert check_output(str(tmp_path / "a.png"), 16) == tmp_path / "a.png"
    assert check_output("a.JPG").name == "a.JPG"  # the current folder
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    for path, depth, sentence in (
        (tmp_path / "a.bmp", None, r"suffix '.bmp'; give it one of .png, .jpg, .jpeg, .webp, .tif, .tiff"),
        (tmp_path / "a", None, "suffix ''; give it one of"),
        (tmp_path / "a.png", 12, "depth must be 8 or 16 bits a channel, not 12"),
        (tmp_path / "a.jpg", 16, r"a.jpg' would be JPEG, which has no 16 bits a channel; use .png or .tif, or depth 8"),
        (tmp_path / "a.webp", 16, "would be WEBP, which has no 16 bits"),
        (tmp_path / "folder.png", None, "folder.png' is a folder; give the path of a file to write"),
        (tmp_path / "none" / "a.png", None, "there is no folder '.*none' to write 'a.png' to; create it first"),
        (tmp_path / "file" / "a.png", None, "there is no folder '.*file' to write"),
    ):
        with pytest.raises(ImageError, match=sentence):
            check_output(path, depth)
        with pytest.raises(ImageError, match=sentence):
            write_image(path, smooth(), depth=depth)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_folder_that_is_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda folder, mode: not (folder == tmp_path and mode & os.W_OK))
    with pytest.raises(ImageError, match="the folder '.*' is not writable; choose another or change its permissions"):
        check_output(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.zeros(2, 3, 4, 4), r"image must be .* not \(2, 3, 4, 4\) of torch.float32; give one picture a file"),
        (torch.zeros(1, 4, 4, 3), r"image must be a floating-point tensor \(1, 3, H, W\) or \(3, H, W\), not \(1, 4"),
        (torch.zeros(4, 4), r"not \(1, 4, 4\)|not \(4, 4\)"),
        (torch.zeros(3, 0, 4), r"not \(1, 3, 0, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "of torch.uint8"),
        (torch.full((3, 4, 4), 1.5), r"image must lie in \[0, 1\], not 1.5 to 1.5; clamp it first"),
        (torch.full((3, 4, 4), -0.25), r"not -0.25 to -0.25"),
        (torch.full((3, 4, 4), float("nan")), "not values that are not finite"),
        (torch.full((3, 4, 4), float("inf")), "not values that are not finite"),
    ],
)
def test_images_that_are_refused(tmp_path, image, sentence):
    with pytest.raises(ImageError, match=sentence):
        write_image(tmp_path / "a.png", image)
    assert os.listdir(tmp_path) == []


def test_alpha_and_quality_that_are_refused(tmp_path):
    with pytest.raises(ImageError, match=r"picture's height and width \(32, 48\), not \(32, 40\); resize it"):
        write_image(tmp_path / "a.png", smooth(), alpha=torch.ones(1, 1, 32, 40))
    with pytest.raises(ImageError, match=r"alpha must be a floating-point tensor \(1, 1, H, W\) or \(1, H, W\)"):
        write_image(tmp_path / "a.png", smooth(), alpha=torch.ones(32, 48))
    with pytest.raises(ImageError, match=r"alpha must lie in \[0, 1\], not 2 to 2"):
        write_image(tmp_path / "a.png", smooth(), alpha=torch.full((1, 32, 48), 2.0))
    for quality in (0, 101, 9.5, True):
        with pytest.raises(ImageError, match="quality must be a whole number from 1 to 100, not "):
            write_image(tmp_path / "a.jpg", smooth(), quality=quality)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_image(tmp_path / "a.png", expected(LEVELS))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ImageError, match=r"a.png' cannot be written \(.*No space left on device\); change the path"):
        write_image(path, smooth())
    assert os.listdir(tmp_path) == ["a.png"] and path.read_bytes() == before
    with pytest.raises(ImageError, match="a.webp' cannot be written"):
        write_image(tmp_path / "a.webp", torch.zeros(3, 1, 16384))  # one more than WebP's largest edge
    assert os.listdir(tmp_path) == ["a.png"]


def test_new_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("")
    path = write_image(tmp_path / "a.png", smooth())
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
