"""Pictures of every kind that people have: what each becomes, that every door takes them, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import gatys
from gatys.errors import ImageError, InputError, InputTypeError
from gatys.pictures.checks import OVERSHOOT
from gatys.pictures.conversion import as_picture, to_tensor

LEVELS = np.random.default_rng(3).integers(0, 256, (20, 24, 3)).astype(np.uint8)
PIXELS = torch.from_numpy(LEVELS.astype(np.float32) / 255).permute(2, 0, 1)[None]
LAYERS = {"conv1_1": 1.0}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    Image.fromarray(LEVELS).save(path)
    return path


@pytest.fixture(params=["tensor", "PIL", "uint8", "uint16", "float64", "strided", "big endian", "path", "text"])
def picture(request, path):
    """The same picture as each kind of thing."""
    return {
        "tensor": PIXELS,
        "PIL": Image.fromarray(LEVELS),
        "uint8": LEVELS,
        "uint16": LEVELS.astype(np.uint16) * 257,
        "float64": LEVELS / 255,
        "strided": np.asfortranarray(LEVELS[::-1])[::-1],
        "big endian": LEVELS.astype(">u2") * 257,
        "path": path,
        "text": str(path),
    }[request.param]


def test_every_kind_is_the_same_picture(picture):
    image = as_picture(picture)
    assert image.dtype == torch.float32 and image.shape == (1, 3, 20, 24)
    torch.testing.assert_close(image, PIXELS, rtol=0, atol=1e-7)
    assert torch.equal(to_tensor(picture), image)


def test_arrays_are_copied_and_tensors_are_not():
    array = np.zeros((2, 2, 3), np.float32)
    as_picture(array).add_(1)
    assert not array.any() and as_picture(PIXELS) is PIXELS
    array.flags.writeable = False
    assert as_picture(array).shape == (1, 3, 2, 2)


def test_a_size_is_that_of_the_longer_edge(picture, path):
    image = as_picture(picture, size=12)
    assert image.shape == (1, 3, 10, 12)
    torch.testing.assert_close(image, gatys.load_image(path, size=12), rtol=0, atol=1e-6)
    with pytest.raises(ImageError, match="size must be a whole number of pixels, 1 or more, not 0"):
        as_picture(picture, size=0)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7), (1, 3, 5, 7)),
        ((5, 7, 1), (1, 3, 5, 7)),
        ((5, 7, 3), (1, 3, 5, 7)),
        ((5, 7, 4), (1, 3, 5, 7)),
        ((2, 5, 7, 1), (2, 3, 5, 7)),
        ((2, 5, 7, 3), (2, 3, 5, 7)),
        ((2, 5, 7, 4), (2, 3, 5, 7)),
    ],
)
def test_shapes_of_arrays(shape, expected):
    array = np.random.default_rng(0).random(shape)
    image = as_picture(array)
    assert image.shape == expected and image.is_contiguous()
    pixel = np.broadcast_to(array.reshape(-1, 5, 7, shape[-1] if len(shape) > 2 else 1)[-1, 3, 2, :3], 3)
    assert image[-1, :, 3, 2].tolist() == pytest.approx(pixel.tolist())


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LA"])
def test_pil_pictures_are_read_as_files_are(tmp_path, mode):
    if mode in ("I;16", "I", "F"):
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        image = Image.fromarray((LEVELS[..., 0] / 255 * (1 if mode == "F" else 65535)).astype(kinds[mode]))
    else:
        image = Image.fromarray(LEVELS).convert(mode)
    assert image.mode == mode
    image.save(tmp_path / "a.tif")
    assert torch.equal(as_picture(image), gatys.load_image(tmp_path / "a.tif"))


def test_pil_pictures_are_turned_upright_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(LEVELS).save(tmp_path / "a.png", exif=exif)
    expected = gatys.load_image(tmp_path / "a.png")
    assert expected.shape == (1, 3, 24, 20)
    with Image.open(tmp_path / "a.png") as image:
        assert torch.equal(as_picture(image), expected)
        assert torch.equal(as_picture(ImageOps.exif_transpose(image)), expected)


@pytest.mark.parametrize("what", ["PIL", "array", "path"])
def test_transparency_is_ignored_and_told(tmp_path, caplog, what):
    for opacity in (255, 254):
        rgba = np.concatenate([LEVELS, np.full((20, 24, 1), opacity, np.uint8)], axis=-1)
        Image.fromarray(rgba).save(tmp_path / "a.png")
        given = {"PIL": Image.fromarray(rgba), "array": rgba, "path": tmp_path / "a.png"}[what]
        assert torch.equal(as_picture(given, "photo"), PIXELS)
        assert len(caplog.records) == (opacity == 254)
    name = "photo" if what != "path" else str(tmp_path / "a.png")
    assert caplog.messages == [f"{name}: its transparency is ignored, the colours underneath count"]


# every door


def test_extraction_and_descent(net, picture, path):
    content, wanted = (gatys.extract_content(net, given, LAYERS) for given in (picture, PIXELS))
    torch.testing.assert_close(content.features[0]["conv1_1"], wanted.features[0]["conv1_1"], rtol=1e-5, atol=1e-5)
    style, wanted = (gatys.extract_style(net, given, LAYERS) for given in (picture, PIXELS))
    torch.testing.assert_close(style.grams[0]["conv1_1"], wanted.grams[0]["conv1_1"], rtol=1e-5, atol=1e-5)
    start = PIXELS.flip(-1)
    several = gatys.extract_style(net, [picture, start], LAYERS)
    torch.testing.assert_close(several.grams, gatys.extract_style(net, [PIXELS, start], LAYERS).grams)
    ended = [gatys.optimize(net, style=style, init=given, steps=1).image for given in (picture, PIXELS)]
    torch.testing.assert_close(*ended, rtol=0, atol=1e-6)


def test_colours_presets_shares_and_thumbnails(net, picture, tmp_path):
    other = PIXELS.flip(-1) * 0.5
    for function in (gatys.match_colors, gatys.keep_luminance):
        torch.testing.assert_close(function(picture, other), function(PIXELS, other), rtol=0, atol=1e-5)
        torch.testing.assert_close(function(other, picture), function(other, PIXELS), rtol=0, atol=1e-5)
    preset = gatys.presets["udacity"]
    objective = preset.objective(net, picture, picture)
    wanted = preset.objective(net, PIXELS, PIXELS)
    assert objective.evaluate(other)[0] == pytest.approx(wanted.evaluate(other)[0], rel=1e-4)
    assert preset.optimize(net, picture, picture, steps=1).image.shape == PIXELS.shape
    style = gatys.extract_style(net, PIXELS, LAYERS)
    objective = gatys.Objective(net, style=style, content=gatys.extract_content(net, other, LAYERS))
    assert gatys.gradient_shares(objective, picture) == pytest.approx(
        gatys.gradient_shares(objective, PIXELS), rel=1e-3
    )
    saved = style.save(tmp_path / "a.safetensors", thumbnail=picture)
    torch.testing.assert_close(gatys.read_style_info(saved).thumbnail, PIXELS, rtol=0, atol=1e-6)


def test_films(net, picture):
    how = {"style": gatys.extract_style(net, PIXELS, LAYERS), "steps": 1, "later_steps": 1}
    film = gatys.extract_content(net, torch.cat([PIXELS, PIXELS * 0.5]), LAYERS)
    wanted = gatys.optimize_frames(net, film, init=PIXELS, warped=[PIXELS], **how).images
    for warped in (picture, [picture], lambda index, last: picture):
        made = gatys.optimize_frames(net, film, init=picture, warped=warped, **how).images
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(gatys.TemporalTarget(picture).image, PIXELS, rtol=0, atol=1e-7)


# what is refused


def noise(*shape):
    return np.random.default_rng(1).random(shape)


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (None, InputTypeError, r"photo: expected a tensor \(N, 3, H, W\), a PIL picture, a numpy .*, got NoneType; give"),
        ([PIXELS], InputTypeError, "photo: expected a tensor .*, got list; give one of these"),
        (PIXELS[0], InputError, r"photo: expected a tensor of shape \(N, 3, H, W\), got \(3, 20, 24\)"),
        (PIXELS.mul(255).byte(), InputError, "got torch.uint8; divide bytes by 255"),
        (PIXELS * 255, InputError, r"photo: expected values in \[0, 1\], got 0 to 255; divide by 255"),
        (LEVELS.astype(np.float32), InputError, r"photo: expected values in \[0, 1\], got 0 to 255; divide by 255"),
        (PIXELS * 2 - 1, InputError, r"photo: expected values in \[0, 1\], got -1 to 1; bring them to that range"),
        (PIXELS + 0.6, InputError, r"photo: expected values in \[0, 1\], got 0.6 to 1.6; bring them to that range"),
        (noise(4, 4, 3) * np.nan, InputError, "photo: expected finite values"),
        (noise(3, 20, 24), InputError, r"expected an array of shape .*, got \(3, 20, 24\); move the channels to the end"),
        (noise(4), InputError, r"expected an array of shape .*, got \(4,\); move the channels to the end"),
        (noise(1, 1, 4, 4, 3), InputError, "expected an array of shape"),
        (noise(0, 4, 3), InputError, "photo: expected at least one picture with at least one pixel"),
        (LEVELS.astype(np.int64), InputError, "expected an array of uint8, uint16, or floating .*, got int64; convert it"),
        (LEVELS > 9, InputError, "got bool; convert it to one of these"),
        (Image.new("LAB", (2, 2)), ImageError, "photo: 'the PIL picture' has pixels of the kind LAB"),
        (Image.new("RGB", (0, 2)), InputError, "photo: expected at least one picture with at least one pixel"),
        ("no/such.png", ImageError, "photo: there is no file 'no/such.png'; check the path"),
    ],
)  # fmt: skip
def test_what_is_no_picture(given, error, sentence):
    with pytest.raises(error, match=sentence) as problem:
        as_picture(given, "photo")
    assert "\n" not in str(problem.value)


def test_a_pil_picture_that_is_closed_or_cut_short(tmp_path, path):
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match=r"photo: '.*picture.png' is closed and was never loaded; convert it before"):
        as_picture(image, "photo")
    (tmp_path / "cut.png").write_bytes(path.read_bytes()[:700])
    with (
        Image.open(tmp_path / "cut.png") as image,
        pytest.raises(ImageError, match=r"photo: '.*cut.png' is damaged or"),
    ):
        as_picture(image, "photo")


def test_resampling_may_overshoot():
    """The worst that bicubic resampling makes of pictures in [0, 1] is let pass."""
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(30, 30)[None, None].expand(1, 3, -1, -1)
    worst = torch.nn.functional.interpolate(checks, scale_factor=3.7, mode="bicubic")
    assert worst.min() < -0.05 and worst.max() > 1.05
    assert as_picture(worst) is worst
    a = -0.75  # of PyTorch's and OpenCV's kernel, the longest; the weights half way between two pixels
    near, far = (a + 2) / 8 - (a + 3) / 4 + 1, a * (1 / 8 * 27 - 5 / 4 * 9 + 8 / 2 * 3 - 4)
    assert 2 * (near + far) == pytest.approx(1)
    assert ((2 * (near - far)) ** 2 - 1) / 2 < OVERSHOOT  # what negative weights take in two dimensions


@pytest.mark.parametrize("spoiled", [PIXELS * 255, PIXELS * 2 - 1])
def test_every_door_refuses_other_ranges(net, spoiled, tmp_path):
    style = gatys.extract_style(net, PIXELS, LAYERS)
    content = gatys.extract_content(net, PIXELS, LAYERS)
    objective = gatys.Objective(net, style=style)
    for what, call in {
        "content image": lambda: gatys.extract_content(net, spoiled, LAYERS),
        "style image": lambda: gatys.extract_style(net, [PIXELS, spoiled], LAYERS),
        "init": lambda: gatys.optimize(net, style=style, init=spoiled, steps=1),
        "image": lambda: objective.evaluate(spoiled),
        "image ": lambda: gatys.gradient_shares(objective, spoiled),
        "temporal image": lambda: gatys.TemporalTarget(spoiled),
        "warped, frame 0": lambda: gatys.optimize_frames(
            net, [content] * 2, style=style, steps=1, warped=[spoiled] * 2
        ),
        "thumbnail": lambda: style.save(tmp_path / "a.safetensors", thumbnail=spoiled),
        "result": lambda: gatys.keep_luminance(spoiled, PIXELS),
        "content image ": lambda: gatys.presets["udacity"].objective(net, spoiled, PIXELS),
    }.items():
        with pytest.raises(InputError, match=rf"^{what.strip()}: expected values in \[0, 1\], got -?[01] to "):
            call()


def test_a_text_that_is_no_name_of_a_start(net, tmp_path, monkeypatch):
    style = gatys.extract_style(net, PIXELS, LAYERS)
    with pytest.raises(
        InputError, match="init: expected auto, recolored, content, noise, mean or a picture, got 'nosie'"
    ):
        gatys.optimize(net, style=style, init="nosie")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nosie").write_text("no picture")
    with pytest.raises(InputError, match="init: 'nosie' is not a picture that is read here"):
        gatys.optimize(net, style=style, init="nosie")


# load and save


@pytest.mark.parametrize(
    "given", [PIXELS, PIXELS[0], LEVELS, Image.fromarray(LEVELS)], ids=["N", "one", "array", "PIL"]
)
def test_what_is_saved_is_loaded(tmp_path, given):
    out = gatys.save_image(given, tmp_path / "a.png")
    assert out == tmp_path / "a.png" and torch.equal(gatys.load_image(out), PIXELS)


def test_a_result_is_saved(net, tmp_path):
    result = gatys.optimize(net, style=gatys.extract_style(net, PIXELS, LAYERS), steps=1)
    out = gatys.save_image(result, str(tmp_path / "a.png"), depth=16)
    assert (gatys.load_image(out) - result.image).abs().max() < 1e-5
    assert gatys.load_image(out).shape == result.image.shape


def test_arguments_in_the_wrong_order(tmp_path):
    with pytest.raises(ImageError, match="image: expected a picture, got the path 'a.png'; give the picture first"):
        gatys.save_image("a.png", PIXELS)
