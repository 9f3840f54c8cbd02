"""Films that are written: known colours, kept times, sound byte for byte, and what a crash or a full disk leaves."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from films import film, flat, packets, shown
from pictures import picture
from PIL import Image

from gatys.errors import ImageError, InputError, MissingPackage
from gatys.video import video_writing
from gatys.video.clip import ClipFrame
from gatys.video.clip_writing import AnimationWriter, FolderWriter, open_writer
from gatys.video.clips import open_clip
from gatys.video.video_writing import VideoWriter, check_video


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def source(path="source.mp4", count=12, **how):
    planes = [flat(40 + 8 * index, 110, 160) for index in range(count)]
    return film(path, planes, **({"codec": "libx264", "options": {"crf": "0"}} | how))


def copied(clip, out, comment="", **how):
    """Write the frames of a clip as they are."""
    writer = open_writer(Path(out), clip, **how)
    for frame in clip:
        writer.add(frame.pixels, frame)
    writer.finish(comment=comment)
    return writer


def moment(index, rate=25):
    return ClipFrame(torch.zeros(1), Fraction(index, rate), Fraction(1, rate), "a frame")


# colours


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_h264_has_the_numbers_of_bt_709_and_says_so(suffix):
    colours = [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.75, 0.25, 0.5), (0.2, 0.6, 0.9)]
    writer = VideoWriter(Path(f"a{suffix}"), open_clip(source()), crf=0)
    for index, colour in enumerate(colours):
        writer.add(torch.tensor(colour)[None, :, None, None].expand(1, 3, 32, 48), moment(index))
    writer.finish()
    frames = shown(f"a{suffix}")
    assert len(frames) == 4
    for (r, g, b), frame in zip(colours, frames, strict=True):
        y = 0.2126 * r + 0.7152 * g + 0.0722 * b
        expected = (16 + 219 * y, 128 + 224 * (b - y) / 1.8556, 128 + 224 * (r - y) / 1.5748)
        planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]
        assert frame.format.name == "yuv420p"
        for plane, number in zip(planes, expected, strict=True):
            assert np.abs(plane - number).max() <= 0.51  # rounded once
        assert (frame.colorspace, frame.color_range) == (1, 1)
    with av.open(f"a{suffix}") as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (1, 1)


@pytest.mark.parametrize(("depth", "levels"), [(8, 255), (16, 65535)])
def test_ffv1_loses_nothing_but_what_its_depth_rounds(depth, levels):
    writer = VideoWriter(Path("a.mkv"), open_clip(source()), codec="ffv1", depth=depth)
    pixels = [picture(seed, size=(33, 41)) for seed in range(3)]
    for index, each in enumerate(pixels):
        writer.add(each, moment(index))
    writer.finish()
    frames = list(open_clip("a.mkv"))
    for each, frame in zip(pixels, frames, strict=True):
        assert (frame.pixels - each).abs().max() * levels < 0.51


def test_a_lower_rate_factor_keeps_more():
    clip, pixels = open_clip(source()), picture(0, size=(64, 64))[:, :1].expand(1, 3, -1, -1)
    errors = {}
    for crf in (4, 40):
        writer = VideoWriter(Path(f"{crf}.mkv"), clip, crf=crf)
        writer.add(pixels, moment(0))
        writer.finish()
        errors[crf] = (next(iter(open_clip(f"{crf}.mkv"))).pixels - pixels).abs().mean()
    assert errors[40] > 1.2 * errors[4]


# times and sound


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("h264", ".mov"), ("h264", ".mkv"), ("ffv1", ".mkv")])
@pytest.mark.parametrize("sound", ["aac", "libmp3lame", None])
def test_times_and_sound_are_kept(codec, suffix, sound):
    times = [0, 40, 80, 200, 240, 300, 500, 540]
    clip = open_clip(source(count=8, times=times, sound=sound))
    writer = copied(clip, f"a{suffix}", codec=codec, comment='{"made": "so"}')
    assert not writer.so_far.exists() and writer.count == 8
    _, at = packets(f"a{suffix}", "video")
    assert [round(1000 * (time - at[0])) for time in at] == times
    with av.open(f"a{suffix}") as container:
        said = {name.lower(): value for name, value in container.metadata.items()}
        assert said["comment"] == '{"made": "so"}'
        assert len(container.streams.audio) == (sound is not None)
        if suffix != ".mkv":  # which has no length of its own for a track
            stream = container.streams.video[0]
            assert stream.duration * stream.time_base == Fraction(540, 1000) + next(iter(clip)).length
    if sound is not None:
        theirs, when = packets("source.mp4", "audio")
        ours, now = packets(f"a{suffix}", "audio")
        assert ours == theirs
        shift = at[0] - packets("source.mp4", "video")[1][0]  # Matroska has no time below 0, and shifts all
        assert max(abs(a - b - shift) for a, b in zip(now, when, strict=True)) <= Fraction(1, 1000)


def test_the_sound_of_a_part_of_a_film():
    clip = open_clip(source(count=50, sound="aac"), start=0.4, end=1.2)
    copied(clip, "a.mp4")
    theirs = dict(zip(*reversed(packets("source.mp4", "audio")), strict=True))
    ours = dict(zip(*reversed(packets("a.mp4", "audio")), strict=True))
    expected = {time - Fraction(2, 5): data for time, data in theirs.items() if Fraction(2, 5) <= time < Fraction(6, 5)}
    assert list(ours.values()) == list(expected.values())
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < Fraction(1, 1000)  # of an MP4's edits
    assert len(shown("a.mp4")) == 20


def test_the_sound_of_a_film_that_is_cut_short_ends_with_it():
    clip = open_clip(source(count=50, sound="aac"))
    writer = open_writer(Path("a.mp4"), clip)
    for frame, _ in zip(clip, range(10), strict=False):
        writer.add(frame.pixels, frame)
    writer.finish(whole=False)
    _, times = packets("a.mp4", "audio")
    assert Fraction(1, 3) < times[-1] < Fraction(10, 25)


def test_a_film_without_its_sound():
    copied(open_clip(source(sound="aac")), "a.mp4", sound=False)
    with av.open("a.mp4") as container:
        assert not container.streams.audio


def test_every_third_frame_is_shown_as_long_as_three():
    copied(open_clip(source(count=12), every=3), "a.mp4")
    _, times = packets("a.mp4", "video")
    assert times == [Fraction(3 * index, 25) for index in range(4)]


def test_a_film_is_upright_without_a_turn():
    path = source("turned.mp4", turn=[0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30])
    copied(open_clip(path), "a.mp4")
    (first, *_) = shown("a.mp4")
    assert (first.width, first.height, first.rotation) == (32, 48, 0)


# animations and folders


@pytest.mark.parametrize(("suffix", "unit"), [(".gif", 10), (".webp", 1)])
def test_animations_keep_times(suffix, unit):
    clip = open_clip(source(count=8, times=[0, 40, 80, 200, 240, 333, 500, 540]))
    copied(clip, f"a{suffix}")
    again = open_clip(f"a{suffix}")
    times = [frame.time for frame in again]
    assert [round(1000 * time / unit) for time in times] == [
        round(t / unit) for t in (0, 40, 80, 200, 240, 333, 500, 540)
    ]
    errors = [(a.pixels - b.pixels).abs().mean() for a, b in zip(clip, again, strict=True)]
    assert max(errors) < 0.02
    assert list(Path().glob("*")) == [Path("source.mp4"), Path(f"a{suffix}")] or len(os.listdir()) == 2


def test_folders():
    clip = open_clip(source(count=3))
    copied(clip, "frames")
    assert sorted(os.listdir("frames")) == ["000000.png", "000001.png", "000002.png"]
    frames = open_clip("frames", frames=sorted(Path("frames").iterdir()), rate=25)
    copied(frames, "again/deep", depth=16)
    for name in "xyz":
        os.replace(f"again/deep/00000{'xyz'.index(name)}.png", f"again/deep/{name}.png")
    again = open_clip("again", frames=[f"again/deep/{name}.png" for name in "xyz"], rate=25)
    copied(again, "named", named=True)
    assert sorted(os.listdir("named")) == ["x.png", "y.png", "z.png"]
    for a, b in zip(frames, again, strict=True):
        assert (a.pixels - b.pixels).abs().max() < 1e-5 and (a.time, a.length) == (b.time, b.length)


def test_what_is_left_without_a_frame():
    clip = open_clip(source())
    for out in ("a.mp4", "a.gif", "a"):
        writer = open_writer(Path(out), clip)
        assert writer.left == "nothing was saved"
        writer.abandon()
    assert os.listdir() == ["source.mp4"]


# a crash, a full disk


def test_a_process_that_is_killed_leaves_a_film_that_plays():
    source(sound="aac")
    program = """
        import os, signal, sys
        from pathlib import Path
        from gatys.video.clip_writing import open_writer
        from gatys.video.clips import open_clip
        clip = open_clip("source.mp4")
        writer = open_writer(Path(sys.argv[1]), clip, codec=sys.argv[2])
        for index, frame in enumerate(clip):
            if index == 8:
                os.kill(os.getpid(), signal.SIGKILL)
            writer.add(frame.pixels, frame)
    """
    root = Path(__file__).parents[2]
    for suffix, codec in ((".mp4", "h264"), (".mov", "h264"), (".mkv", "h264"), (".mkv", "ffv1")):
        command = [sys.executable, "-c", textwrap.dedent(program), f"a{suffix}", codec]
        environment = os.environ | {"PYTHONPATH": str(root)}
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        levels = [frame.to_ndarray()[0, 0] for frame in shown(f"a.so-far{suffix}")] if codec == "h264" else []
        frames = list(open_clip(f"a.so-far{suffix}"))
        assert len(frames) >= 7  # the one before the kill may not be on the disk
        assert all(abs(level - 40 - 8 * index) <= 2 for index, level in enumerate(levels))
        assert not os.path.exists(f"a{suffix}")


class SmallDisk:
    """A file on a disk that has room for so many bytes."""

    def __init__(self, file, room):
        self._file, self.room = file, room

    def write(self, data):
        if self._file.tell() + len(data) > self.room:
            fits = self.room - self._file.tell()
            self._file.write(bytes(data)[: max(0, fits)])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("h264", ".mkv"), ("ffv1", ".mkv")])
def test_a_full_disk_leaves_what_plays(monkeypatch, codec, suffix):
    opened, full = Path.open, r"cannot be written \(No space left on device\); free space; the first"
    writer = VideoWriter(Path(f"a{suffix}"), open_clip(source()), codec=codec, crf=0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *how, **more: SmallDisk(opened(path, *how, **more), 50_000))
        with pytest.raises(ImageError, match=full) as error:
            for index in range(40):
                writer.add(picture(index, size=(48, 64)), moment(index))
        assert str(error.value).isprintable() and f"a.so-far{suffix}" in str(error.value)
        writer.abandon()
    frames = shown(f"a.so-far{suffix}")
    assert 1 <= len(frames) <= writer.count
    assert len(frames) >= writer.count - 2
    assert not Path(f"a{suffix}").exists()


@pytest.mark.skipif("GATYS_SMALL_DISK" not in os.environ, reason="GATYS_SMALL_DISK names no folder on a disk of 1 MB")
def test_a_small_disk_leaves_what_plays():
    folder = Path(tempfile.mkdtemp(dir=os.environ["GATYS_SMALL_DISK"]))
    writer = VideoWriter(folder / "a.mp4", open_clip(source()), crf=0)
    try:
        with pytest.raises(ImageError, match=r"cannot be written \(No space left on device\); free space; the first"):
            for index in range(400):
                writer.add(picture(index, size=(96, 96)), moment(index))
        writer.abandon()
        assert 1 < writer.count - 2 <= len(shown(writer.so_far)) <= writer.count
        assert sorted(os.listdir(folder)) == ["a.so-far.mp4"]
    finally:
        shutil.rmtree(folder)


def test_a_disk_without_room_for_the_result_leaves_the_film_so_far(monkeypatch):
    clip = open_clip(source())
    writer = VideoWriter(Path("a.mp4"), clip)
    for frame in clip:
        writer.add(frame.pixels, frame)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "_join", full)
    with pytest.raises(
        ImageError, match=r"'a.mp4' cannot be written .*; free space; the first 12 frames are in 'a.so-far.mp4'"
    ):
        writer.finish()
    writer.abandon()
    assert len(shown("a.so-far.mp4")) == 12 and sorted(os.listdir()) == ["a.so-far.mp4", "source.mp4"]


def test_other_full_disks(monkeypatch):
    clip, full = open_clip(source()), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    frame = next(iter(clip))

    def raises(*_, **__):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", raises)
        with pytest.raises(ImageError, match=r"'a.gif' cannot be written \(No space"):
            AnimationWriter(Path("a.gif"))
    writer = AnimationWriter(Path("a.gif"))
    writer._file.close()
    with monkeypatch.context() as patch, open("x", "wb") as file:
        patch.setattr(writer, "_file", SmallDisk(file, 10))
        with pytest.raises(ImageError, match=r"'a.gif' cannot be written \(No space"):
            writer.add(frame.pixels, frame)
    Path("file").write_text("")
    with pytest.raises(ImageError, match="the folder 'file' cannot be made"):
        FolderWriter(Path("file"))


# refusals


def test_a_gif_cannot_show_a_frame_for_long():
    frame = replace(next(iter(open_clip(source()))), length=Fraction(656))
    with pytest.raises(ImageError, match=r"'a.gif': the frame at 0.000 s of .* is shown for 656 s, but a GIF shows"):
        AnimationWriter(Path("a.gif")).add(frame.pixels, frame)
    for name, length in (("b.gif", 655), ("b.webp", 656)):
        writer = AnimationWriter(Path(name))
        writer.add(frame.pixels, replace(frame, length=Fraction(length)))
        writer.finish()
        with Image.open(name) as image:
            image.load()
            assert image.format == name[2:].upper()


def test_sound_that_the_container_cannot_hold():
    clip = open_clip(source("a.avi", sound="pcm_mulaw"))
    with pytest.raises(
        InputError, match=r"sound in pcm_mulaw, which a .mp4 cannot hold unchanged; give another of .mp4, .mov, .mkv"
    ):
        check_video(Path("b.mp4"), "h264", clip, sound=True)
    check_video(Path("b.mp4"), "h264", clip, sound=False)
    check_video(Path("b.mov"), "h264", clip, sound=True)


@pytest.mark.parametrize("sound", ["flac", "libopus"])
def test_sound_that_a_container_lists_but_does_not_take(sound):
    clip = open_clip(source("a.mkv", sound=sound))
    with av.open("b.mov", "w") as container:
        assert clip.sound[0] in container.supported_codecs
    with pytest.raises(InputError, match=rf"sound in {clip.sound[0]}, which a .mov cannot hold unchanged"):
        check_video(Path("b.mov"), "h264", clip, sound=True)
    for name in ("b.mp4", "b.mkv"):
        check_video(Path(name), "h264", clip, sound=True)
        copied(clip, name)
        with av.open(name) as film:
            assert [stream.codec.name for stream in film.streams.audio] == [*clip.sound]


def test_sound_that_fails_on_the_way_may_be_left_out():
    clip = open_clip(source("a.mkv", sound="flac"))
    writer = VideoWriter(Path("b.mov"), clip)  # what check_video would have refused
    for frame in clip:
        writer.add(frame.pixels, frame)
    with pytest.raises(
        ImageError, match=r"'b.mov' cannot be written .*; free space, or leave the sound out; the first 12"
    ):
        writer.finish()
    writer.abandon()
    assert len(shown("b.so-far.mov")) == 12 and not Path("b.mov").exists()


def test_codecs_that_are_refused(monkeypatch):
    clip = open_clip(source())
    with pytest.raises(InputError, match="codec: expected h264 or ffv1, got 'hevc'"):
        check_video(Path("b.mp4"), "hevc", clip, sound=True)
    with pytest.raises(InputError, match="ffv1 needs a .mkv"):
        check_video(Path("b.mp4"), "ffv1", clip, sound=True)
    with pytest.raises(ImageError, match="needs even edges, got 41 x 33"):
        VideoWriter(Path("b.mp4"), clip).add(picture(0, size=(33, 41)), moment(0))
    monkeypatch.setitem(video_writing._ENCODERS, "h264", "no_such_encoder")
    with pytest.raises(InputError, match="has no no_such_encoder to encode h264 with"):
        check_video(Path("b.mp4"), "h264", clip, sound=True)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackage, match="needs the package av"):
        check_video(Path("b.mp4"), "h264", clip, sound=True)


def test_a_gif_of_a_still_film():
    Image.new("RGB", (40, 30), (9, 9, 9)).save("a.png")
    clip = open_clip("frames", frames=["a.png"], rate=5)
    copied(clip, "a.gif")
    with Image.open("a.gif") as image:
        assert image.info["duration"] == 200
