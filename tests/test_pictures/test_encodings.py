"""Colour that a file tells by anything but a profile, against published matrices, curves and values worked out by hand."""

import io
import struct
import zlib

import layouts
import numpy as np
import pytest
import tifffile
import torch
from layouts import RGB, chunk
from PIL import Image, ImageCms, PngImagePlugin

from gatys.errors import ImageError
from gatys.pictures.conversion import as_picture
from gatys.pictures.encodings import SRGB, Encoding, encoded_as_srgb, linear_light, srgb_light, srgb_numbers
from gatys.pictures.images import read_image

NUMBERS = np.array([[[128, 100, 90], [10, 20, 30], [255, 255, 255], [200, 180, 170]]], np.uint8)
COLOUR = torch.from_numpy(NUMBERS / 255).float().movedim(-1, 0)
# the matrices to linear sRGB that ITU-R BT.2087 and the makers' own papers print, to four digits
TO_SRGB = {
    "P3": [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
    "2020": [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    "Adobe": [[1.3984, -0.3984, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]],
}
XY = {
    "P3": (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    "2020": (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    "Adobe": (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06),
}


def srgb(light):
    """The curve of IEC 61966-2-1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def light_of_srgb(numbers):
    return np.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4)


def wanted(light, space=None):
    """sRGB (3, H, W) of light (H, W, 3) in a space."""
    matrix = np.eye(3) if space is None else np.array(TO_SRGB[space])
    return np.moveaxis(srgb(light @ matrix.T), -1, 0)


def near(pixels, expected, within=1.5e-3):
    np.testing.assert_allclose(pixels[0].numpy(), expected, rtol=0, atol=within)


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "a.bin").write_bytes(data)
        return read_image(tmp_path / "a.bin").pixels

    return read


def gama(gamma):
    return b"gAMA", struct.pack(">I", round(gamma * 100000))


def chrm(space):
    return b"cHRM", struct.pack(">8I", *(round(each * 100000) for each in XY[space]))


def cicp(primaries, transfer, matrix=0, full=1):
    return b"cICP", bytes([primaries, transfer, matrix, full])


def encode(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# curves and matrices


def test_curves_are_inverse_and_as_published():
    numbers = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(srgb_numbers(srgb_light(numbers)), numbers, rtol=0, atol=1e-7)
    np.testing.assert_allclose(srgb_light(numbers).numpy(), light_of_srgb(numbers.numpy()), atol=1e-9)
    np.testing.assert_allclose(srgb_numbers(numbers).numpy(), srgb(numbers.numpy()), atol=1e-9)


@pytest.mark.parametrize("space", XY)
def test_primaries_by_the_published_matrix(space):
    found = encoded_as_srgb(COLOUR, Encoding(linear_light, XY[space]), "a")
    near(found[None], wanted(NUMBERS / 255, space))


def test_white_of_any_colour_becomes_white():
    primaries = (1 / 3, 1 / 3, *SRGB[2:])
    found = encoded_as_srgb(torch.ones(3, 1, 1), Encoding(linear_light, primaries), "a")
    assert found.flatten().tolist() == pytest.approx([1, 1, 1], abs=2e-4)


def test_primaries_as_a_colour_profile_has_them(tmp_path):
    """LittleCMS, of another white: the matrix of a profile stands under D50."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).profile
    rgb = np.array([profile.red_colorant[0], profile.green_colorant[0], profile.blue_colorant[0]])  # XYZ under D50
    white = rgb.sum(0)
    xy = [(each / each.sum())[:2] for each in (white, *rgb)]
    found = encoded_as_srgb(COLOUR, Encoding(srgb_light, tuple(np.ravel(xy))), "a")  # sRGB's primaries seen under D50
    near(found[None], COLOUR.numpy(), within=4e-3)


# PNG


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 0.55])
def test_png_gamma(read, gamma):
    near(read(layouts.png(NUMBERS, 2, 8, gama(gamma))), wanted((NUMBERS / 255) ** (1 / gamma)))


def test_linear_grey_by_hand(read):
    # level 128 is 0.50196 of the light: 1.055 * 0.50196 ** (1 / 2.4) - 0.055 = 0.73672, level 187.9
    assert read(layouts.png(np.full((1, 1, 1), 128), 0, 8, gama(1.0))).flatten()[0] == pytest.approx(0.73672, abs=1e-4)


def test_png_chromaticities_alone_have_srgbs_curve(read):
    near(read(layouts.png(NUMBERS, 2, 8, chrm("P3"))), wanted(light_of_srgb(NUMBERS / 255), "P3"))


def test_png_gamma_and_chromaticities_stay_deep(read, caplog):
    deep = NUMBERS.astype(np.uint16) * 257 + 7 * (NUMBERS < 255)
    data = layouts.png(deep, 2, 16, gama(1 / 2.2), chrm("Adobe"))
    near(read(data), wanted(light_of_srgb(deep / 65535), "Adobe"))
    data = layouts.png(deep, 2, 16, gama(0.5), chrm("Adobe"))
    near(read(data), wanted((deep / 65535) ** 2, "Adobe"))
    assert not caplog.records


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [gama(0.45455)],
        [(b"sRGB", b"\0"), gama(1.0)],
        [(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)), gama(0.45455)],
        [cicp(1, 13), gama(1.0)],
        [cicp(1, 1)],
        [cicp(2, 2)],
    ],
)
def test_png_that_is_srgb_stays_exactly(read, chunks):
    assert torch.equal(read(layouts.png(NUMBERS, 2, 8, *chunks))[0], COLOUR)


def test_png_in_the_order_of_the_specification(read):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    iccp = (b"iCCP", b"profile\0\0" + zlib.compress(profile))
    assert torch.equal(read(layouts.png(NUMBERS, 2, 8, iccp, gama(1.0)))[0], COLOUR)
    near(read(layouts.png(NUMBERS, 2, 8, cicp(12, 13), iccp)), wanted(light_of_srgb(NUMBERS / 255), "P3"))


@pytest.mark.parametrize(
    ("codes", "light", "space"),
    [
        ((9, 13), light_of_srgb(NUMBERS / 255), "2020"),
        ((12, 8), NUMBERS / 255, "P3"),
        ((1, 4), (NUMBERS / 255) ** 2.2, None),
        ((1, 5), (NUMBERS / 255) ** 2.8, None),
    ],
)
def test_png_code_points(read, codes, light, space):
    near(read(layouts.png(NUMBERS, 2, 8, cicp(*codes))), wanted(light, space))


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_has_its_white_at_203_nits(read, caplog, transfer):
    """By ITU-R BT.2408 paper white is 58 % of the perceptual quantizer, and 75 % of hybrid log-gamma."""
    white = {16: 0.58069, 18: 0.75}[transfer]
    black_to_white = np.array([[[0] * 3, [round(white * 65535)] * 3, [65535] * 3]], np.uint16)
    pixels = read(layouts.png(black_to_white, 2, 16, cicp(9, transfer)))[0, 1, 0]
    assert pixels.tolist() == pytest.approx([0, 1, 1], abs=3e-3)
    assert "33.3 % of its pixels are brighter than white, and become white" in caplog.text
    # ITU-R BT.2100's own example: 100 cd/m2 is 50.81 % of the perceptual quantizer
    if transfer == 16:
        pixels = read(layouts.png(np.full((1, 1, 3), 33298, np.uint16), 2, 16, cicp(1, 16)))
        assert pixels.flatten().tolist() == pytest.approx([float(srgb(100 / 203))] * 3, abs=1e-3)


@pytest.mark.parametrize(
    ("chunks", "sentence"),
    [
        ([cicp(9, 16, 9)], "has a cICP chunk of numbers that are not full-range RGB; save it as sRGB"),
        ([cicp(1, 13, 0, 0)], "has a cICP chunk of numbers that are not full-range RGB"),
        ([cicp(3, 13)], "says its colours by the primaries 3 of ITU-T H.273, not read here; save it as sRGB"),
        ([cicp(1, 17)], "says its colours by the transfer 17 of ITU-T H.273, not read here"),
        ([gama(0)], "has a gAMA chunk of 0, which is no gamma; save it again"),
        ([(b"cHRM", bytes(32))], "has chromaticities of no colours; save it with a colour profile"),
        ([(b"cHRM", struct.pack(">8I", *[31270, 32900] * 4))], "has primaries that lie on a line; save it with a"),
        ([(b"cICP", b"\1")], "is damaged or cut short"),
    ],
)
def test_png_that_is_refused(read, chunks, sentence):
    with pytest.raises(ImageError, match=f"a.bin' {sentence}") as problem:
        read(layouts.png(NUMBERS, 2, 8, *chunks))
    assert "\n" not in str(problem.value)


def test_a_png_opened_elsewhere(tmp_path):
    (tmp_path / "a.png").write_bytes(layouts.png(NUMBERS, 2, 8, gama(1.0), chrm("P3")))
    with Image.open(tmp_path / "a.png") as image:
        given = as_picture(image)
    assert torch.equal(given, read_image(tmp_path / "a.png").pixels)


# TIFF, EXIF and the others


def rationals(values):
    return "R", tuple(number for value in values for number in (round(value * 10000), 10000))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_tiff_primaries_and_curve(read, kind):
    stored = NUMBERS.astype(kind) * (257 if kind == np.uint16 else 1)
    tags = {318: rationals(XY["P3"][:2]), 319: rationals(XY["P3"][2:])}
    near(read(layouts.tiff(stored, RGB, tags=tags)), wanted(light_of_srgb(NUMBERS / 255), "P3"))
    near(read(layouts.tiff(stored, RGB, tags={319: tags[319]})), wanted(light_of_srgb(NUMBERS / 255), "P3"))
    ramp = np.round((np.arange(256) / 255) ** 1.8 * 65535).astype(int)
    for table in (ramp, np.concatenate([ramp] * 3)):
        tags = {301: ("H", tuple(table))}
        near(read(layouts.tiff(stored, RGB, tags=tags)), wanted((NUMBERS / 255) ** 1.8))
    assert torch.equal(read(layouts.tiff(stored, RGB, tags={318: rationals((0.3127, 0.329))}))[0], COLOUR)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_tiff_that_is_refused(read, kind):
    with pytest.raises(ImageError, match="has [24] chromaticities instead of 6; save it with a colour profile"):
        read(layouts.tiff(NUMBERS.astype(kind), RGB, tags={319: rationals((0.3, 0.3))}))
    if kind == np.uint8:  # tifffile passes over it
        with pytest.raises(ImageError, match="has a TransferFunction without values; save it with a colour profile"):
            read(layouts.tiff(NUMBERS, RGB, tags={301: ("H", (0,))}))


def camera(space, index="R98"):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    return exif


FLAT = Image.new("RGB", (16, 16), (90, 120, 100))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_adobe_rgb_of_cameras(read, caplog, form):
    how = {"quality": 100} if form in ("JPEG", "WEBP") else {}
    adobe = wanted((np.array([[[90, 120, 100]]]) / 255) ** 2.19921875, "Adobe")
    for exif in (camera(2), camera(0xFFFF, "R03"))[: 1 if form == "TIFF" else 2]:  # Pillow does not write R03 there
        near(read(encode(FLAT, form, exif=exif.tobytes(), **how)), np.broadcast_to(adobe, (3, 16, 16)), 9e-3)
    assert not caplog.records
    near(read(encode(FLAT, form, exif=camera(1).tobytes(), **how)), np.array(FLAT).transpose(2, 0, 1) / 255, 9e-3)
    assert not caplog.records
    near(read(encode(FLAT, form, exif=camera(0xFFFF).tobytes(), **how)), np.array(FLAT).transpose(2, 0, 1) / 255, 9e-3)
    assert "its EXIF says that its colours are not sRGB, but not which; they are taken as sRGB" in caplog.text


def test_adobe_rgb_in_a_deep_tiff(tmp_path):
    """A grey of more than 8 bits goes the way of tifffile, where EXIF is found beside it."""
    Image.fromarray(np.full((2, 2), 32896, np.uint16)).save(tmp_path / "a.tif", exif=camera(2).tobytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].tags.valueof(34665)["ColorSpace"] == 2
    near(read_image(tmp_path / "a.tif").pixels, np.full((3, 2, 2), srgb((32896 / 65535) ** 2.19921875)))


def swapped():
    """sRGB with its red and green primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)


def with_profile_in_jp2(data, box):
    """A JP2 in whose header stands another colour box."""
    at = data.index(b"colr") - 4
    (length,) = struct.unpack_from(">I", data, at)
    head = data.index(b"jp2h") - 4
    new = struct.pack(">I", 8 + len(box)) + b"colr" + box
    (whole,) = struct.unpack_from(">I", data, head)
    whole = struct.pack(">I", whole - length + len(new))
    return data[:head] + whole + data[head + 4 : at] + new + data[at + length :]


def test_profiles_that_pillow_passes_over(read):
    red, green = Image.new("RGB", (8, 8), (255, 0, 0)), np.array([0.0, 1.0, 0.0])[:, None, None] * np.ones((3, 8, 8))
    jp2 = encode(red, "JPEG2000", irreversible=False)
    near(read(with_profile_in_jp2(jp2, b"\2\0\0" + swapped())), green, 5e-3)
    with pytest.raises(ImageError, match="has the colour space 14 of JPEG 2000, not read here; save it as sRGB"):
        read(with_profile_in_jp2(jp2, b"\1\0\0" + struct.pack(">I", 14)))
    palette = red.convert("P")
    gif, profile = encode(palette, "GIF"), swapped()
    blocks = b"".join(bytes([len(part)]) + part for part in (profile[i : i + 255] for i in range(0, len(profile), 255)))
    at = gif.index(b"\x2c\0\0\0\0")
    near(read(gif[:at] + b"\x21\xff\x0bICCRGBG1012" + blocks + b"\0" + gif[at:]), green, 5e-3)
    rows = np.tile(np.array([0, 0, 255], np.uint8), (8, 8, 1)).tobytes()
    head = struct.pack("<IiiHHIIiiII16s4s36s12sIIII", 124, 8, 8, 1, 24, 0, len(rows), 0, 0, 0, 0, b"", b"DEBM", b"", b"",
                       4, 124 + len(rows), len(profile), 0)  # fmt: skip
    bmp = b"BM" + struct.pack("<IHHI", 14 + 124 + len(rows) + len(profile), 0, 0, 138) + head + rows + profile
    near(read(bmp), green, 5e-3)


def test_linear_qoi(read):
    qoi = b"qoif" + struct.pack(">2I2B", 1, 1, 3, 1) + bytes([0xFE, 128, 128, 128]) + bytes(7) + b"\1"
    assert read(qoi).flatten()[0] == pytest.approx(0.73672, abs=1e-4)
    assert read(qoi[:13] + b"\0" + qoi[14:]).flatten()[0] == pytest.approx(128 / 255)


def test_avif_code_points(read):
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow has no AVIF")
    data = encode(Image.new("RGB", (16, 16), (128, 128, 128)), "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"colrnclx") + 8
    assert read(data).mean() == pytest.approx(128 / 255, abs=5e-3)
    linear = data[:at] + struct.pack(">2H", 1, 8) + data[at + 4 :]
    assert read(linear).mean() == pytest.approx(0.73672, abs=6e-3)
    with pytest.raises(ImageError, match="says its colours by the transfer 9 of ITU-T H.273, not read here"):
        read(data[:at] + struct.pack(">2H", 1, 9) + data[at + 4 :])


def test_a_chunk_is_what_pillow_reads():
    """The test's own writer of chunks, against Pillow's reader."""
    assert chunk(*gama(0.5))[8:12] == struct.pack(">I", 50000)
    with Image.open(io.BytesIO(layouts.png(NUMBERS, 2, 8, gama(0.5), chrm("P3")))) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert image.info["gamma"] == 0.5 and image.info["chromaticity"][2] == 0.68
