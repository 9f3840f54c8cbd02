"""`--save-every`, `--time-lapse` and `--trace`: what they keep, that the run is the same, and what goes wrong."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from pictures import drawing
from PIL import Image

from gatys import load_vgg, optimize
from gatys.cli import command as cli
from gatys.cli import on_the_way
from gatys.cli.options import build_parser
from gatys.descent import time_lapse
from gatys.errors import ImageError
from gatys.pictures.images import read_image

QUICK = ["content.png", "style.png", "--size", "48", "--steps", "4,4", "--levels", "2", "--device", "cpu"]
QUICK += ["--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2", "-o", "out.png"]
SO_FAR = Path("out.so-far.png")


@pytest.fixture(scope="module")
def net():
    return load_vgg("untrained")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, net):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_vgg", lambda *_, **__: net)
    drawing((60, 48), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")


@pytest.fixture
def at_step(monkeypatch):
    """Do something after a step, when what is to be kept of it is kept: `at_step(5, lambda: ...)`."""
    actions = {}
    real = on_the_way.OnTheWay.follow

    def follow(way, progress):
        real(way, progress)
        actions.get(progress.step, lambda: None)()

    monkeypatch.setattr(on_the_way.OnTheWay, "follow", follow)
    return actions.__setitem__


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def trace(name="run.json"):
    return json.loads(Path(name).read_text("utf-8"))


def made():
    return sorted(set(os.listdir()) - {"content.png", "style.png"})


def test_the_run_is_the_same_with_and_without_them(capsys):
    assert cli.main(QUICK) == 0
    plain = Path("out.png").read_bytes()
    more = ["--save-every", "1", "--time-lapse", "film.gif", "--time-lapse-every", "1", "--trace", "run.json"]
    assert cli.main([*QUICK, *more]) == 0
    assert Path("out.png").read_bytes() == plain
    assert made() == ["film.gif", "out.png", "run.json"]


# the picture so far


@pytest.mark.parametrize("more", [[], ["--keep-luminance"], ["--padding", "circular"]])
def test_the_picture_so_far_is_what_a_run_that_stops_there_saves(at_step, more):
    kept = {}
    for step in range(1, 9):
        at_step(step, lambda step=step: kept.update({step: SO_FAR.read_bytes() if SO_FAR.exists() else None}))
    assert cli.main([*QUICK, *more, "--save-every", "3"]) == 0
    assert kept[1] is kept[2] is None and kept[3] == kept[4] == kept[5] and kept[6] == kept[7]
    assert not SO_FAR.exists()
    for step in (3, 6):  # the first on the coarse level
        at_step(step, interrupt)
        assert cli.main([*QUICK, *more]) == 130
        assert Path("out.png").read_bytes() == kept[step]
        at_step(step, lambda: None)


def test_seconds(monkeypatch, at_step):
    clock = iter(np.arange(0, 1000, 10.0))
    monkeypatch.setattr(on_the_way, "monotonic", lambda: next(clock))
    seen = []
    for step in range(1, 9):
        at_step(step, lambda: seen.append(SO_FAR.exists() and SO_FAR.stat().st_mtime_ns))
    assert cli.main([*QUICK, "--save-every", "20s"]) == 0
    assert [bool(each) for each in seen] == [False] + [True] * 7 and len(set(seen)) == 4


def test_a_second_ctrl_c_leaves_the_picture_so_far_and_says_so(at_step, capsys):
    at_step(5, lambda: (interrupt(), interrupt()))
    assert cli.main([*QUICK, "--save-every", "2", "--time-lapse", "film.gif", "--trace", "run.json"]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "gatys: error: interrupted by Ctrl-C; the picture of step 4 is kept as out.so-far.png"
    assert made() == ["out.so-far.png", "run.json"] and read_image(str(SO_FAR)).pixels.shape[-1] == 48
    assert trace()["ended"] == "interrupted" and len(trace()["history"]) == 5


def test_a_disk_that_is_full_on_the_way_ends_no_run(monkeypatch, capsys):
    def full(path, *_, **__):
        raise ImageError(f"{str(path)!r} cannot be written (No space left on device)")

    monkeypatch.setattr(on_the_way, "write_image", full)
    assert cli.main([*QUICK, "--save-every", "1"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "so far is not kept" in line]
    assert said == [
        "gatys: the picture so far is not kept: 'out.so-far.png' cannot be written (No space left on device)"
    ]
    assert made() == ["out.png"]


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "s", "0s", "-1s", "nans", "infs", "often", ""])
def test_every_refuses(text, capsys):
    assert cli.main([*QUICK, f"--save-every={text}"]) == 2
    assert (
        "--save-every: expected a whole number of steps of at least 1, or seconds such as 30s"
        in capsys.readouterr().err
    )


def test_every():
    def read(text):
        return build_parser().parse_args(["c", "s", "--save-every", text]).save_every

    assert read("7") == (7, 0.0) and read("30s") == (0, 30.0) and read("0.5s") == (0, 0.5)


# the film


def frames(name):
    with Image.open(name) as image:
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(np.array(image.convert("RGB")).astype(int))
        return found


def count(name):
    """The number of frames of a GIF, by how long it lasts: those that are alike are one to Pillow."""
    with Image.open(name) as image:
        lasts = []
        for index in range(image.n_frames):
            image.seek(index)
            lasts.append(image.info["duration"])
    return (sum(lasts) - 2000) // 100 + 1


def test_a_film_begins_with_the_start_and_ends_with_the_result(at_step):
    assert cli.main([*QUICK, "--init", "content", "--time-lapse", "film.gif", "--time-lapse-every", "3"]) == 0
    found = frames("film.gif")
    assert [frame.shape for frame in found] == [(38, 48, 3)] * 4  # steps 1, 4, 7, and the result
    start = np.array(Image.open("content.png").convert("RGB").resize((24, 19), Image.BICUBIC).resize((48, 38)))
    assert np.abs(found[0] - start).mean() < 12
    result = np.array(Image.open("out.png").convert("RGB")).astype(int)
    assert np.abs(found[-1] - result).mean() < 12 < np.abs(found[0] - result).mean()


def test_a_film_has_about_fifty_frames_and_is_not_larger_than_can_be_watched(monkeypatch):
    monkeypatch.setattr(time_lapse, "LARGEST", 32)
    assert cli.main([*QUICK, "--steps", "60,60", "--optimizer", "adam", "--time-lapse", "film.gif"]) == 0
    assert count("film.gif") == 61 and Image.open("film.gif").size == (32, 25)


def test_colours_of_the_content_are_in_every_frame():
    more = ["--keep-luminance", "--time-lapse", "film.webp", "--time-lapse-every", "7"]
    Image.new("RGB", (60, 48), (200, 120, 40)).save("content.png")
    assert cli.main([*QUICK, *more]) == 0
    for frame in frames("film.webp"):
        red, _, blue = frame.mean(axis=(0, 1))
        assert red > blue + 50


def test_a_film_cut_short_by_ctrl_c_shows_what_there_was(at_step, capsys):
    at_step(5, interrupt)
    assert cli.main([*QUICK, "--time-lapse", "film.gif", "--time-lapse-every", "2", "--trace", "run.json"]) == 130
    assert count("film.gif") == 4  # steps 1, 3, 5 and the result
    assert "saved a film of 4 frames as film.gif" in capsys.readouterr().err
    assert trace()["ended"] == "interrupted" and made() == ["film.gif", "out.png", "run.json"]


def test_ctrl_c_while_the_film_is_written_says_where_the_picture_is(monkeypatch, capsys):
    def late(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(on_the_way, "write_animation", late)
    assert cli.main([*QUICK, "--time-lapse", "film.gif"]) == 130
    assert "interrupted by Ctrl-C; the picture is saved as out.png" in capsys.readouterr().err
    assert made() == ["out.png"]


@pytest.mark.parametrize("what", ["film", "trace"])
def test_a_film_or_trace_that_cannot_be_written_costs_no_picture(monkeypatch, capsys, what):
    def full(*_):
        raise ImageError("'film.gif' cannot be written (No space left on device)")

    if what == "film":
        monkeypatch.setattr(on_the_way, "write_animation", full)
    else:
        monkeypatch.setattr("gatys.cli.trace.replacing", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert cli.main([*QUICK, "--time-lapse", "film.gif", "--trace", "run.json"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("out.png: 48 x 38, 8 steps") and read_image("out.png").pixels.shape[-1] == 48
    last = err.splitlines()[-1]
    assert "No space left" in last and last.endswith("; the picture is saved as out.png")
    assert ("run.json" in made()) == (what == "film")


def test_frames_that_find_no_room_end_the_film_early(monkeypatch, capsys):
    real, tries = on_the_way.Film._keep, iter(range(100))

    def keep(film, picture):
        if next(tries) == 2:
            raise OSError(28, "No space left on device")
        real(film, picture)

    monkeypatch.setattr(on_the_way.Film, "_keep", keep)
    assert cli.main([*QUICK, "--time-lapse", "film.gif", "--time-lapse-every", "1"]) == 0
    assert capsys.readouterr().err.count("frames can no longer be kept") == 1
    assert count("film.gif") == 3


def test_a_film_whose_last_frame_finds_no_room(monkeypatch, capsys):
    def keep(film, picture):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(on_the_way.Film, "_keep", keep)
    assert cli.main([*QUICK, "--time-lapse", "film.gif"]) == 2
    assert "--time-lapse: 'film.gif' cannot be written" in capsys.readouterr().err and made() == ["out.png"]


# the trace


def test_what_a_trace_says(net):
    argv = [*QUICK, "--seed", "3", "--strip", "--trace", "run.json"]
    assert cli.main(argv) == 0
    said = trace()
    assert (said["options"]["seed"], said["steps"], said["size"], said["schedule"]) == ("3", 8, [38, 48], [4, 4])
    assert said["files"]["content"][0]["name"] == "content.png"  # even where the picture tells nothing
    assert said["ended"] == "done" and said["notes"] == [] and said["device"] == "cpu"
    assert {"python", "torch"} == said["versions"].keys() and "gatys" in said
    assert [each["step"] for each in said["history"]] == list(range(1, 9))
    assert [each["level"] for each in said["history"]] == [1] * 4 + [0] * 4
    assert set(said["history"][0]["layers"]) == {"content conv2_2", "style conv1_1", "style conv2_1"}
    seconds = [each["seconds"] for each in said["history"]]
    assert seconds == sorted(seconds) and 0 < seconds[0] and seconds[-1] <= said["seconds"]


def test_losses_are_those_of_the_result_and_a_resumed_run_has_all_of_them(monkeypatch, at_step):
    results = []
    monkeypatch.setattr(cli, "optimize", lambda *a, **k: results.append(optimize(*a, **k)) or results[-1])
    at_step(3, interrupt)
    more = ["--checkpoint", "run.safetensors", "--time-lapse", "film.gif", "--time-lapse-every", "1", "--trace"]
    assert cli.main([*QUICK, *more, "first.json"]) == 130
    at_step(3, lambda: None)
    assert cli.main([*QUICK, *more, "run.json"]) == 0
    said = trace()["history"]
    assert [each["total"] for each in said] == [record.total for record in results[1].history]
    assert [each["seconds"] is None for each in said] == [True] * 3 + [False] * 5
    assert count("film.gif") == 5  # steps 4 to 7 from where the run went on, and the result


def test_a_trace_of_a_run_that_fails(monkeypatch):
    def fail(*_, callback, **__):
        raise ImageError("something")

    monkeypatch.setattr(cli, "optimize", fail)
    assert cli.main([*QUICK, "--trace", "run.json"]) == 2
    assert trace()["ended"] == "ImageError: something" and trace()["history"] == [] and trace()["schedule"] is None


def test_a_trace_that_fails_beside_a_failure_hides_nothing(monkeypatch, capsys):
    monkeypatch.setattr("gatys.cli.trace.replacing", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    monkeypatch.setattr(cli, "optimize", lambda *_, **__: (_ for _ in ()).throw(ImageError("something")))
    assert cli.main([*QUICK, "--trace", "run.json"]) == 2
    err = capsys.readouterr().err
    assert "--trace: 'run.json' cannot be written" in err and err.splitlines()[-1] == "gatys: error: something"


def test_numbers_that_are_not_finite_are_null():
    from gatys.cli.trace import _finite

    assert _finite({"a": [float("nan"), 1.5], "b": float("inf")}) == {"a": [None, 1.5], "b": None}


# what goes together


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--time-lapse", "out.png"], "--time-lapse: 'out.png' is also another file"),
        (["--trace", "content.png"], "--trace: 'content.png' is also another file"),
        (["--trace", "a.gif", "--time-lapse", "a.gif"], "--trace: 'a.gif' is also another file"),
        (["--trace", "nowhere/run.json"], "--trace: 'nowhere/run.json' is a folder, or in none"),
        (["--time-lapse", "film.avi"], "--time-lapse: 'film.avi' has the suffix '.avi'; give it .gif, .webp, .mp4"),
        (["--time-lapse-every", "3"], "--time-lapse-every: expected --time-lapse FILE with it, got none"),
        (["other.so-far.png", "-o", "other.png", "--save-every", "1"], "'other.so-far.png' is also an input"),
    ],
)
def test_refusals(given, said, capsys):
    drawing((60, 48), 3).save("other.so-far.png")
    assert cli.main([*QUICK, *given]) == 2
    assert said in capsys.readouterr().err and made() == ["other.so-far.png"]


def test_many_pictures_have_one_each(capsys):
    os.mkdir("photos")
    for name in ("a", "b"):
        drawing((60, 48), ord(name)).save(f"photos/{name}.png")
    argv = [
        "photos",
        *QUICK[1:-2],
        "-o",
        "results",
        "--time-lapse",
        "film.gif",
        "--trace",
        "run.json",
        "--save-every",
        "2",
    ]
    assert cli.main(argv) == 0
    assert made() == ["film_a.gif", "film_b.gif", "photos", "results", "run_a.json", "run_b.json"]
    assert sorted(name for name in os.listdir("results") if name != ".gatys") == ["a.png", "b.png"]
    assert trace("run_b.json")["files"]["content"][0]["name"] == os.path.join("photos", "b.png")


def test_many_pictures_without_room_for_their_films_are_there(monkeypatch, capsys):
    os.mkdir("photos")
    drawing((60, 48), 5).save("photos/a.png")

    def full(*_):
        raise ImageError("'film_a.gif' cannot be written")

    monkeypatch.setattr(on_the_way, "write_animation", full)
    assert cli.main(["photos", *QUICK[1:-2], "-o", "results", "--time-lapse", "film.gif"]) == 0
    out, err = capsys.readouterr()
    assert "1 pictures, 1 made" in out and "gatys: error: 'film_a.gif' cannot be written" in err


def test_a_picture_called_like_another_ones_picture_so_far(capsys):
    os.mkdir("photos")
    for name in ("a", "a.so-far"):
        drawing((60, 48), 5).save(f"photos/{name}.png")
    assert cli.main(["photos", *QUICK[1:-2], "-o", "results", "--save-every", "2"]) == 2
    assert "--save-every: 'a.so-far.png' is also a result; rename " in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--save-every", "3"], ["--time-lapse", "film.gif"]])
def test_processes_that_share_a_picture_keep_none_on_the_way(option):
    from gatys.cli.preset_options import parse_options
    from gatys.cli.session import Session

    shared = type("Shared", (Session,), {"shared": True})
    with pytest.raises(ValueError, match=f"^{option[0]}: expected one process, got several"):
        on_the_way.check_way(parse_options([*QUICK, *option]), shared())
