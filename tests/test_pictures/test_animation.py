"""Animations: what is written is read again, frame for frame, and nothing is left where that fails."""

import builtins
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gatys.errors import ImageError, MissingPackage
from gatys.pictures import animation
from gatys.pictures.animation import SUFFIXES, check_animation, write_animation


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def moving(count=4, height=65, width=97):
    """Frames of smooth colour that moves."""
    rows, columns = np.mgrid[:height, :width]
    each = [np.stack([(columns * 2 + 30 * k) % 200, rows * 3, rows * 0 + 50 * k], -1) for k in range(count)]
    return np.stack(each).astype(np.uint8)


@pytest.mark.parametrize(("suffix", "most"), [(".gif", 4), (".webp", 4)])
def test_gif_and_webp(suffix, most):
    frames = moving()
    write_animation(f"a{suffix}", frames)
    with Image.open(f"a{suffix}") as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (4, (97, 65), 0)
        for index, frame in enumerate(frames):
            image.seek(index)
            assert np.abs(np.array(image.convert("RGB")).astype(int) - frame).mean() < most
            assert image.info["duration"] == (2000 if index == 3 else 100)


def test_mp4():
    av = pytest.importorskip("av", reason="the extra mp4")
    frames = moving()
    write_animation("a.mp4", frames)
    with av.open("a.mp4") as container:
        read = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(read) == 3 + 20 and read[0].shape == (64, 96, 3)  # even edges; the last one stays two seconds
    for index, found in enumerate(read):
        assert np.abs(found.astype(int) - frames[min(index, 3), :64, :96]).mean() < 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_frame(suffix):
    if suffix == ".mp4":
        pytest.importorskip("av", reason="the extra mp4")
    write_animation(f"a{suffix}", moving(1))
    assert os.path.getsize(f"a{suffix}") > 100 and os.listdir() == [f"a{suffix}"]


def test_without_the_package_for_mp4_a_sentence_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "av":
            raise ImportError("No module named 'av'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        MissingPackage, match=r"^--time-lapse: an .mp4 needs the package av .* -m pip install av, or give"
    ):
        check_animation("a.mp4", "--time-lapse")
    check_animation("a.gif", "--time-lapse")


@pytest.mark.parametrize("name", ["a.avi", "a", "nowhere/a.gif", "folder.gif"])
def test_what_cannot_be_written_is_refused_before_long_work(name):
    os.mkdir("folder.gif")
    with pytest.raises(ImageError, match=r"^--time-lapse: '.*'.*; give (it \.gif|a file's path)"):
        check_animation(name, "--time-lapse")


def test_a_full_disk_leaves_what_was_there(monkeypatch):
    write_animation("a.gif", moving(2))
    before = Path("a.gif").read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(animation.Path, "write_bytes", full)
    with pytest.raises(ImageError, match="'a.gif' cannot be written .No space left on device.; free space"):
        write_animation("a.gif", moving(3))
    assert Path("a.gif").read_bytes() == before and os.listdir() == ["a.gif"]
