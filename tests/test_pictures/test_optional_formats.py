"""HEIC, JPEG XL and OpenEXR: what their packages read is right, and without a package a sentence names the extra."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from gatys.errors import ImageError
from gatys.pictures import images
from gatys.pictures.images import read_image

LEVELS = np.random.default_rng(6).integers(0, 256, (16, 24, 4), dtype=np.uint8)
HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf"


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "a.bin").write_bytes(data)
        picture = read_image(tmp_path / "a.bin")
        pixels = picture.pixels[0].movedim(0, -1).double().numpy()
        return pixels, None if picture.alpha is None else picture.alpha[0, 0].double().numpy()

    return read


@pytest.mark.parametrize(
    ("data", "what", "package", "extra"),
    [
        (HEIC, "HEIC", "pillow_heif", "heic"),
        (b"\xff\x0a" + bytes(20), "JPEG XL", "pillow_jxl.JpegXLImagePlugin", "jxl"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL", "pillow_jxl.JpegXLImagePlugin", "jxl"),
        (b"v/1\x01" + bytes(20), "OpenEXR", "OpenEXR", "exr"),
    ],
)
def test_a_missing_package_is_named(read, monkeypatch, data, what, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    sentence = f"a.bin' is {what}, which needs a package that is not installed; run pip install 'gatys-style-transfer"
    with pytest.raises(ImageError, match=sentence) as problem:
        read(data)
    assert str(problem.value).endswith(f"[{extra}]', or convert it to PNG")


def test_other_pictures_import_none_of_them(read, monkeypatch):
    for package in ("pillow_heif", "pillow_jxl", "pillow_jxl.JpegXLImagePlugin", "OpenEXR"):
        monkeypatch.setitem(sys.modules, package, None)
    Image.init()
    for form in ("PNG", "JPEG", "AVIF"):
        if form in Image.SAVE:
            buffer = io.BytesIO()
            Image.fromarray(LEVELS[..., :3]).save(buffer, form)
            assert read(buffer.getvalue())[0].shape == (16, 24, 3)


@pytest.mark.parametrize("channels", [3, 4])
def test_heic(read, channels):
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture = heif.from_pillow(Image.fromarray(LEVELS[..., :channels]))
    picture.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, exif=exif.tobytes())
    pixels, alpha = read(buffer.getvalue())
    turned = np.rot90(LEVELS, -1) / 255
    np.testing.assert_allclose(pixels, turned[..., :3], atol=1e-6)
    assert (alpha is None) == (channels == 3)
    if channels == 4:
        np.testing.assert_allclose(alpha, turned[..., 3], atol=1e-6)
    with pytest.raises(ImageError, match="a.bin' is damaged or cut short"):
        read(buffer.getvalue()[:200])


def test_heic_code_points(read):
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    picture = heif.from_pillow(Image.new("RGB", (16, 16), (128, 128, 128)))
    how = {"color_primaries": 1, "transfer_characteristics": 8, "full_range_flag": 1}
    picture.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, save_nclx_profile=True, **how)
    assert read(buffer.getvalue())[0].mean() == pytest.approx(0.73672, abs=1e-3)  # linear light of level 128


def jxl(image, **options):
    pytest.importorskip("pillow_jxl")
    buffer = io.BytesIO()
    image.save(buffer, "JXL", lossless=True, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_xl(read, channels):
    levels = LEVELS[..., :channels]
    pixels, alpha = read(jxl(Image.fromarray(levels[..., 0] if channels == 1 else levels)))
    colour = levels[..., : 3 if channels > 2 else 1] / 255
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=1e-6)
    assert (alpha is None) == (channels % 2 == 1)
    if alpha is not None:
        np.testing.assert_allclose(alpha, levels[..., -1] / 255, atol=1e-6)


def test_deep_jpeg_xl(read):
    """The plugin marks all but 8 bits as linear, by a profile."""
    for deep, top in ((LEVELS[..., 0].astype(np.uint16) * 257 + 3, 65535), ((LEVELS[..., 0] / 255).astype("f4"), 1)):
        pixels, _ = read(jxl(Image.fromarray(deep)))
        light = np.minimum(deep / top, 1)
        bright = light > 0.1  # the profile is converted at 8 bits, which is coarse in the shadows
        np.testing.assert_allclose(pixels[..., 0][bright], srgb(light)[bright], atol=2.5 / 255)


def test_a_jpeg_xl_is_turned_by_its_decoder_and_a_repacked_jpeg_by_exif(tmp_path, read):
    """ISO 18181-2: the codestream says how it is turned, and EXIF's orientation is to be ignored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(LEVELS[..., :3])
    assert read(jxl(image, exif=exif.tobytes()))[0].shape == (16, 24, 3)
    image.save(tmp_path / "a.jpg", exif=exif)
    pytest.importorskip("pillow_jxl")
    buffer = io.BytesIO()
    with Image.open(tmp_path / "a.jpg") as jpeg:
        jpeg.save(buffer, "JXL", lossless_jpeg=True)
    pixels, _ = read(buffer.getvalue())
    assert pixels.shape == (24, 16, 3)
    np.testing.assert_array_equal(pixels, read_image(tmp_path / "a.jpg").pixels[0].movedim(0, -1))


def test_damaged_jpeg_xl(read):
    """Its decoder speaks in several lines."""
    with pytest.raises(ImageError, match="a.bin' is damaged or cut short") as problem:
        read(jxl(Image.fromarray(LEVELS))[:100])
    assert str(problem.value).isprintable()


# OpenEXR


def exr(channels, **header):
    """The bytes of an EXR, by OpenEXR's own writer."""
    library = pytest.importorskip("OpenEXR")
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.exr")
        header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage} | header
        with library.File(header, channels) as file:
            file.write(str(path))
        return path.read_bytes()


def srgb(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_exr_is_light(read, caplog, kind):
    light = (LEVELS / 255).astype(kind)
    pixels, alpha = read(exr({"RGB": np.ascontiguousarray(light[..., :3])}))
    np.testing.assert_allclose(pixels, srgb(light[..., :3].astype(float)), atol=1e-6)
    assert alpha is None
    pixels, _ = read(exr({"Y": np.ascontiguousarray(light[..., 0])}))
    np.testing.assert_allclose(pixels[..., 2], srgb(light[..., 0].astype(float)), atol=1e-6)
    assert not caplog.records


def test_light_above_white_becomes_white_and_is_counted(read, caplog):
    light = np.full((10, 10, 3), 0.5, np.float32)
    light[0] = 7
    light[1, :, 0] = -1
    pixels, _ = read(exr({"RGB": light}))
    np.testing.assert_allclose(pixels[0], 1, atol=1e-6)
    np.testing.assert_allclose(pixels[1], np.broadcast_to([0, srgb(0.5), srgb(0.5)], (10, 3)), atol=1e-6)
    assert caplog.messages == [
        f"{caplog.messages[0].partition(':')[0]}: 10 % of its pixels are brighter than white, and become white"
    ]


def test_exr_alpha_and_chromaticities(read):
    light = np.array([[[0.4, 0.2, 0.1, 0.5], [0.3, 0.3, 0.3, 0.0], [0.2, 0.3, 0.4, 1.0]]], np.float32)
    pixels, alpha = read(exr({"RGBA": light}))
    np.testing.assert_allclose(pixels[0], srgb(np.array([[0.8, 0.4, 0.2], [0, 0, 0], [0.2, 0.3, 0.4]])), atol=1e-6)
    assert alpha[0].tolist() == [0.5, 0, 1]
    wide = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
    pixels, _ = read(exr({"RGB": np.full((2, 2, 3), (0.3, 0.2, 0.1), np.float32)}, chromaticities=wide))
    matrix = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])  # BT.2087
    np.testing.assert_allclose(pixels[0, 0], srgb(matrix @ (0.3, 0.2, 0.1)), atol=1e-3)


def test_exr_that_is_refused(read, monkeypatch):
    plane = np.ones((4, 4), np.float32)
    for data, sentence in (
        (exr({"\x7f": plane}), r"has the channels '.x7f', expected"),
        (exr({"Z": plane}), "has the channels 'Z', expected R, G, B or Y; save it as RGB"),
        (exr({"Y": plane, "RY": plane, "BY": plane}), "has the channels 'BY', 'RY', 'Y', expected R, G, B or Y"),
        (exr({"Y": plane * np.nan}), "holds NaN or infinite pixels; paint them over and save it again"),
        (exr({"Y": plane}, displayWindow=(np.array([0, 0], np.int32), np.array([9, 9], np.int32))),
         "holds another part than it shows, which is not read here; save it uncropped"),
        (exr({"Y": plane})[:150], "is damaged or cut short"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=f"a.bin' {sentence}") as problem:
            read(data)
        assert "\n" not in str(problem.value)
    monkeypatch.setattr(images, "MAX_PIXELS", 15)
    with pytest.raises(ImageError, match="has more than 15 pixels, which is not safe to open; shrink it"):
        read(exr({"Y": plane}))
