"""Films that are read: colour by hand from known numbers, times, turns, cuts, and what is wrong with a file in one sentence."""

import sys
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from films import film, flat, heard
from PIL import Image

from gatys.errors import ImageError, InputError, MissingPackage
from gatys.pictures.encodings import encoded_as_srgb, of_codes
from gatys.pictures.images import read_image
from gatys.video import video_reading
from gatys.video.clip import Cut
from gatys.video.clips import open_clip
from gatys.video.film_files import is_animated

KR_KB = {
    1: (0.2126, 0.0722),
    4: (0.3, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def by_hand(y, cb, cr, matrix, bits=8, full=False):
    """The colour of three numbers by the definition in ITU-T H.273: R - Y and B - Y from chroma, G from what is left of Y."""
    unit = 2 ** (bits - 8)
    if full:
        y, cb, cr = y / (2**bits - 1), (cb - 128 * unit) / (2**bits - 1), (cr - 128 * unit) / (2**bits - 1)
    else:
        y, cb, cr = (y / unit - 16) / 219, (cb / unit - 128) / 224, (cr / unit - 128) / 224
    kr, kb = KR_KB[matrix]
    r, b = y + cr * 2 * (1 - kr), y + cb * 2 * (1 - kb)
    return [r, (y - kr * r - kb * b) / (1 - kr - kb), b]


def the_colour(path):
    """The colour of the first frame, which is the same everywhere."""
    pixels = next(iter(open_clip(path))).pixels
    assert torch.equal(pixels, pixels[..., :1, :1].expand_as(pixels))
    return pixels[0, :, 0, 0].tolist()


@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize("full", [False, True])
def test_colour_is_that_of_the_matrix_and_the_range(tmp_path, matrix, full):
    numbers = (120, 110, 160)
    path = film(tmp_path / "a.mkv", [flat(*numbers)], matrix=matrix, full=full)
    assert the_colour(path) == pytest.approx(by_hand(*numbers, matrix, full=full), abs=1e-6)


@pytest.mark.parametrize(
    ("form", "bits", "numbers"),
    [("yuv420p", 8, (120, 110, 160)), ("yuv420p10le", 10, (481, 440, 641)), ("yuv444p12le", 12, (1923, 1760, 2561))],
)
def test_depths_and_smaller_chroma(tmp_path, form, bits, numbers):
    path = film(tmp_path / "a.mkv", [flat(*numbers, form=form)], form=form)
    assert the_colour(path) == pytest.approx(by_hand(*numbers, 1, bits), abs=1e-6)


@pytest.mark.parametrize(("size", "matrix"), [((32, 48), 6), ((720, 16), 1), ((16, 1280), 1)])
def test_a_matrix_that_is_not_told_goes_by_the_size(tmp_path, size, matrix):
    path = film(tmp_path / "a.mkv", [flat(120, 110, 160, size=size)], matrix=None, full=None)
    assert the_colour(path) == pytest.approx(by_hand(120, 110, 160, matrix), abs=1e-6)


def test_black_and_white_of_limited_range_are_0_and_1(tmp_path):
    path = film(tmp_path / "a.mkv", [flat(16, 128, 128), flat(235, 128, 128)])
    black, white = (frame.pixels for frame in open_clip(path))
    assert black.abs().max() < 1e-6 and (white - 1).abs().max() < 1e-6


@pytest.mark.parametrize(("form", "levels"), [("bgr0", 255), ("gbrp10le", 1023), ("gbrp16le", 65535)])
def test_red_green_and_blue_are_taken_as_they_are(tmp_path, form, levels):
    red, green, blue = (np.arange(32 * 48).reshape(32, 48) * factor % (levels + 1) for factor in (1, 3, 7))
    planes = [green, blue, red]
    if form == "bgr0":
        planes = [np.stack((blue, green, red, 0 * red), axis=-1).reshape(32, -1)]
        frame = av.VideoFrame(48, 32, form)
        frame.planes[0].update(planes[0].astype(np.uint8).tobytes())
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 48, 32, form
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        path = film(tmp_path / "a.mkv", [planes], form=form, matrix=0, full=True)
    pixels = next(iter(open_clip(path))).pixels[0].numpy()
    assert np.abs(pixels * levels - np.stack((red, green, blue))).max() < 0.01


@pytest.mark.parametrize(("full", "expected"), [(True, 120 / 255), (False, (120 - 16) / 219), (None, 120 / 255)])
def test_grey(tmp_path, full, expected):
    path = film(tmp_path / "a.mkv", [flat(120)], form="gray", matrix=None, full=full)
    assert the_colour(path) == pytest.approx([expected] * 3, abs=1e-6)


def test_hybrid_log_gamma_and_wide_primaries_become_srgb(tmp_path, caplog):
    numbers = (500, 480, 560)
    path = film(tmp_path / "a.mkv", [flat(*numbers)] * 3, form="yuv444p10le", matrix=9, primaries=9, transfer=18)
    signal = torch.tensor(by_hand(*numbers, 9, 10))[:, None, None]
    expected = encoded_as_srgb(signal, of_codes(9, 18), "a")[:, 0, 0].tolist()
    assert the_colour(path) == pytest.approx(expected, abs=1e-6)
    path = film(tmp_path / "b.mkv", [flat(*numbers)], form="yuv444p10le", matrix=9, primaries=9, transfer=14)
    expected = encoded_as_srgb(signal, of_codes(9, 13), "b")[:, 0, 0].tolist()
    assert the_colour(path) == pytest.approx(expected, abs=1e-6)
    assert expected != pytest.approx(signal[:, 0, 0].tolist(), abs=0.01)


def test_light_above_white_is_told_once_for_a_film(tmp_path, caplog):
    path = film(tmp_path / "a.mkv", [flat(900, 512, 512)] * 3, form="yuv444p10le", matrix=9, primaries=9, transfer=18)
    assert len(list(open_clip(path))) == 3
    assert caplog.text.count("brighter than white") == 1


def corners(size=(32, 48)):
    """A frame whose quarters have four lumas: 40 and 80 above, 120 and 160 below."""
    luma = np.zeros(size, int)
    height, width = size[0] // 2, size[1] // 2
    luma[:height, :width], luma[:height, width:], luma[height:, :width], luma[height:, width:] = 40, 80, 120, 160
    return [luma, np.full(size, 128), np.full(size, 128)]


@pytest.mark.parametrize(
    ("turn", "expected"),
    [  # where a point (x, y) goes: (a x + c y, b x + d y), as a, b, c, d
        ((1, 0, 0, 1), [[40, 80], [120, 160]]),
        ((0, 1, -1, 0), [[120, 40], [160, 80]]),  # a quarter clockwise, as telephones are held
        ((0, -1, 1, 0), [[80, 160], [40, 120]]),
        ((-1, 0, 0, -1), [[160, 120], [80, 40]]),
        ((-1, 0, 0, 1), [[80, 40], [160, 120]]),  # mirrored
        ((0, 1, 1, 0), [[40, 120], [80, 160]]),
    ],
)
def test_a_film_is_turned_and_mirrored_as_it_says(tmp_path, turn, expected):
    a, b, c, d = (round(each * 65536) for each in turn)
    path = film(
        tmp_path / "a.mp4", [corners()], codec="libx264", options={"crf": "0"}, turn=[a, b, 0, c, d, 0, 0, 0, 1 << 30]
    )
    clip = open_clip(path)
    pixels = next(iter(clip)).pixels
    assert clip.size == tuple(pixels.shape[-2:]) == ((32, 48) if turn[0] else (48, 32))
    high, wide = clip.size
    found = pixels[0, 0, high // 4 :: high // 2, wide // 4 :: wide // 2] * 219 + 16
    assert found.round().int().tolist() == expected


def test_a_turn_by_other_than_quarters_is_left_out_and_told(tmp_path, caplog):
    half = round(0.5**0.5 * 65536)
    turn = [half, half, 0, -half, half, 0, 0, 0, 1 << 30]
    path = film(tmp_path / "a.mp4", [corners()] * 2, codec="libx264", options={"crf": "0"}, turn=turn)
    assert open_clip(path).size == (32, 48)
    assert "turned by other than quarters" in caplog.text


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (32, 96)), (Fraction(1, 2), (64, 48)), (Fraction(16, 15), (32, 51))]
)
def test_pixels_become_square(tmp_path, aspect, size):
    path = film(tmp_path / "a.mp4", [flat(120, 128, 128)], codec="libx264", options={"crf": "0"}, aspect=aspect)
    clip = open_clip(path)
    assert clip.size == size and next(iter(clip)).pixels.shape[-2:] == size


def test_times_of_a_variable_rate_are_kept(tmp_path):
    times = [0, 40, 200, 210, 1000]
    path = film(tmp_path / "a.mkv", [flat(50 + 20 * index, 128, 128) for index in range(5)], times=times)
    frames = list(open_clip(path))
    assert [frame.time for frame in frames] == [Fraction(time, 1000) for time in times]
    assert [round(frame.pixels[0, 0, 0, 0].item() * 219 + 16) for frame in frames] == [50, 70, 90, 110, 130]


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ({}, range(20)),
        ({"start": 0.2}, range(5, 20)),
        ({"start": 0.21, "end": 0.4}, range(6, 10)),
        ({"end": 0.36, "every": 4}, (0, 4, 8)),
        ({"start": 0.4, "every": 7}, (10, 17)),
    ],
)
@pytest.mark.parametrize("kind", ["video", "frames", "animation"])
def test_a_part_of_a_film(tmp_path, kind, cut, expected):
    if kind == "video":  # a key frame every eight, from which the others depend
        planes = [flat(20 + 10 * index, 128, 128) for index in range(20)]
        clip = open_clip(film(tmp_path / "a.mp4", planes, codec="libx264", options={"crf": "0", "g": "8"}), **cut)
    else:
        images = [Image.new("RGB", (48, 32), (20 + 10 * index,) * 3) for index in range(20)]
        if kind == "frames":
            paths = [tmp_path / f"{index:02}.png" for index in range(20)]
            for path, image in zip(paths, images, strict=True):
                image.save(path)
            clip = open_clip("frames", frames=paths, rate=25, **cut)
        else:
            path = tmp_path / "a.webp"
            images[0].save(path, save_all=True, append_images=images[1:], duration=40, lossless=True)
            clip = open_clip(path, **cut)
    frames = list(clip)
    levels = [frame.pixels.mean().item() for frame in frames]
    levels = [level * 219 + 16 if kind == "video" else level * 255 for level in levels]
    assert [round((level - 20) / 10) for level in levels] == list(expected)
    assert clip.count == len(frames) and clip.rate == Fraction(25, cut.get("every", 1))
    step = Fraction(cut.get("every", 1), 25)
    assert [frame.time - frames[0].time for frame in frames] == [index * step for index in range(len(frames))]
    assert frames[0].length == step
    offset = expected[0] / Fraction(25) - Fraction(str(cut.get("start", 0))) if kind == "video" else 0
    assert frames[0].time == offset and 0 <= frames[0].time < Fraction(1, 25)
    assert [frame.time for frame in clip] == [frame.time for frame in frames]  # it may be read again


def test_an_animation_has_its_own_times_and_is_laid_on_white(tmp_path):
    images = [Image.new("RGBA", (40, 30), (200, 0, 0, alpha)) for alpha in (255, 0, 128)]
    path = tmp_path / "a.png"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[50, 5, 200], disposal=1, blend=0)
    clip = open_clip(path)
    frames = list(clip)
    assert [frame.time for frame in frames] == [0, Fraction(50, 1000), Fraction(150, 1000)]  # 5 ms is shown as 100
    assert clip.rate == Fraction(3000, 350) and clip.sound == ()
    colours = [frame.pixels[0, :, 3, 3].tolist() for frame in frames]
    assert colours[0] == pytest.approx([200 / 255, 0, 0]) and colours[1] == pytest.approx([1, 1, 1])
    assert colours[2] == pytest.approx([1 - 128 / 255 * 55 / 255, 1 - 128 / 255, 1 - 128 / 255], abs=1e-5)


def test_codecs_that_are_read(tmp_path):
    numbers = {"yuv420p": (120, 110, 160), "yuv422p10le": (480, 440, 640)}
    for codec, form, suffix in (("libx264", "yuv420p", ".mp4"), ("libx265", "yuv420p", ".mp4"), ("prores_ks", "yuv422p10le", ".mov"),
                                ("libsvtav1", "yuv420p", ".mkv"), ("libvpx-vp9", "yuv420p", ".webm")):  # fmt: skip
        planes = flat(*numbers[form], form=form)
        if form.startswith("yuv422"):
            planes[1:] = [plane[:, ::2] for plane in planes[1:]]
        frames = [[np.kron(plane, np.ones((4, 4), int)) for plane in planes]] * 3
        path = film(tmp_path / f"{codec}{suffix}", frames, codec=codec, form=form)
        colour = next(iter(open_clip(path))).pixels.mean(dim=(0, 2, 3)).tolist()
        assert colour == pytest.approx(by_hand(120, 110, 160, 1), abs=2 / 255), codec


# what is wrong


def told(error):
    text = str(error.value)
    assert text.isprintable() and 20 < len(text) < 500
    return text


def silent(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        container.mux(heard(stream, 48000))
        container.mux(stream.encode(None))
    return path


def test_a_file_without_video(tmp_path):
    with pytest.raises(ImageError, match="has no video; give a film"):
        open_clip(silent(tmp_path / "a.mp4"))


def test_files_that_are_no_films(tmp_path):
    for name, content in (("a.mp4", b"no film" * 99), ("b.mkv", b""), ("c.mkv", b"\x1aE\xdf\xa3")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match="cannot be read as a film") as error:
            open_clip(tmp_path / name)
        assert "Errno" not in told(error)
    with pytest.raises(ImageError, match="cannot be read as a film"):
        open_clip(tmp_path / "none.mp4")
    Image.new("RGB", (40, 30)).save(tmp_path / "still.png")
    with pytest.raises(ImageError, match="has one frame, and is no film"):
        open_clip(tmp_path / "still.png")


def test_a_codec_that_is_not_there(tmp_path):
    path = film(tmp_path / "a.mov", [flat(16, 128, 128)] * 3, codec="libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1\0\0", b"zzzz\0\0"))
    with pytest.raises(ImageError, match="codec that PyAV .* lacks; convert it") as error:
        open_clip(path)
    told(error)


def test_a_film_that_is_damaged_ends_there(tmp_path, caplog):
    rows = np.random.default_rng(0).integers(16, 236, (64, 96))
    frames = [[np.roll(rows, index), np.full((64, 96), 128), np.full((64, 96), 128)] for index in range(12)]
    data = bytearray(film(tmp_path / "a.mkv", frames).read_bytes())
    at = len(data) // 2
    data[at : at + 3000] = bytes(3000)
    (tmp_path / "b.mkv").write_bytes(data)
    found = len(list(open_clip(tmp_path / "b.mkv")))
    assert 0 < found < 12


def test_a_film_that_has_lost_its_frames_since_it_was_opened(tmp_path):
    clip = open_clip(film(tmp_path / "a.mkv", [flat(16, 128, 128)] * 3))
    with pytest.raises(ImageError, match="a.mkv' has no frame between start and end; give times"):
        list(replace(clip, read=lambda: iter(())))


def test_a_film_of_which_no_frame_can_be_decoded(tmp_path):
    def broken(stream):
        raise ValueError("no keyframe")
        yield

    with pytest.raises(ImageError, match=r"'a.mkv' cannot be decoded \(no keyframe\); copy or download it again"):
        next(video_reading._decoded("a.mkv", SimpleNamespace(decode=broken), None))


def test_a_matrix_that_is_not_read(tmp_path):
    path = film(tmp_path / "a.mkv", [flat(16, 128, 128)] * 3)
    frame = next(iter(av.open(str(path)).decode(video=0)))
    strange = SimpleNamespace(format=frame.format, colorspace=8, height=frame.height, width=frame.width)
    with pytest.raises(ValueError, match=r"the matrix 8 of ITU-T H.273"):
        video_reading._colour(strange)


def test_primaries_that_are_not_read(monkeypatch):
    monkeypatch.setattr(video_reading, "_colour", lambda frame: torch.zeros(3, 4, 4))
    stream = SimpleNamespace(sample_aspect_ratio=None, codec_context=None)
    making = video_reading._Picture("a.mkv", stream, tells=True)
    with pytest.raises(ImageError, match=r"'a.mkv' says its colours by the \w+ 99 of ITU-T H.273, not read here"):
        making.of(SimpleNamespace(color_primaries=99, color_trc=13))


def test_frames_of_another_size(tmp_path):
    for name, size in (("a", (40, 30)), ("b", (40, 30)), ("c", (41, 30))):
        for suffix in ("png", "bmp"):
            Image.new("RGB", size).save(tmp_path / f"{name}.{suffix}")
    clip = open_clip("frames", frames=[tmp_path / f"{name}.bmp" for name in "abc"])
    frames = iter(clip)
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(ImageError, match=r"c.bmp' is 41 x 30 pixels, but those before are 40 x 30") as error:
        next(frames)
    told(error)
    pngs = [tmp_path / f"{name}.png" for name in "abc"]
    with pytest.raises(ImageError, match=r"c.png' is 41 x 30 pixels, but those before are 40 x 30") as error:
        open_clip("frames", frames=pngs)  # which is told before the work
    told(error)
    assert open_clip("frames", frames=pngs, end=2 / 24).count == 2


def test_turned_frames_have_one_size(tmp_path):
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    Image.new("RGB", (30, 40)).save(tmp_path / "b.jpg", exif=turned)
    clip = open_clip("frames", frames=[tmp_path / "a.jpg", tmp_path / "b.jpg"])
    assert [tuple(frame.pixels.shape[-2:]) for frame in clip] == [(30, 40)] * 2


def test_cuts_that_make_no_sense(tmp_path):
    nan, inf = float("nan"), float("inf")
    wrongs = [("every", wrong) for wrong in (0, True, "2")] + [
        ("start", wrong) for wrong in (-1.0, nan, inf, 1e300, "1", None)
    ]
    for name, wrong in wrongs + [("end", wrong) for wrong in (0.0, nan, inf, "2")]:
        with pytest.raises(InputError, match=f"^{name}: expected"):
            Cut(**{name: wrong})
    path = film(tmp_path / "a.mkv", [flat(16, 128, 128)] * 5)
    with pytest.raises(ImageError, match="no frame between start and end"):
        open_clip(path, start=3)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="within its 0.04167 seconds"):
        open_clip("frames", frames=[tmp_path / "a.png"], start=3)
    for wrong in (0, -1, nan, inf, 1e-4, 1e9, "24"):
        with pytest.raises(InputError, match="rate: expected frames a second from 0.001 to 1000, got"):
            open_clip("frames", frames=[tmp_path / "a.png"], rate=wrong)
    with pytest.raises(InputError, match="rate: expected pictures"):
        open_clip(path, rate=3)
    images = [Image.new("RGB", (40, 30), (index, 0, 0)) for index in (1, 99)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=40)
    with pytest.raises(ImageError, match="within its 0.08 s"):
        open_clip(tmp_path / "a.gif", start=3)


def test_without_pyav(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mkv", [flat(16, 128, 128)])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackage, match="needs the package av.*-m pip install av") as error:
        open_clip(path)
    told(error)
    monkeypatch.setitem(sys.modules, "av", SimpleNamespace(__version__="14.2.0"))
    with pytest.raises(MissingPackage, match=r"needs the package av 14.4 or newer, but 14.2.0 is installed") as error:
        open_clip(path)
    told(error)


def test_what_is_animated(tmp_path):
    images = [Image.new("RGB", (40, 30), (index, 0, 0)) for index in (1, 99)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    images[0].save(tmp_path / "b.gif")
    images[0].save(tmp_path / "c.tif", save_all=True, append_images=images[1:])
    assert [is_animated(tmp_path / name) for name in ("a.gif", "b.gif", "c.tif", "none.gif")] == [
        True,
        False,
        False,
        False,
    ]
    assert read_image(tmp_path / "a.gif").pixels.shape == (1, 3, 30, 40)
