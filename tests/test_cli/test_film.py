"""Films at the command line: what comes in and goes out, Ctrl-C, checkpoints, full disks, and what makes no sense for a film."""

import io
import json
import os
import re
import signal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from films import film, packets, press, shown
from pictures import drawing
from PIL import Image

import gatys
from gatys.cli import command as cli
from gatys.cli import kept_film, kept_frames
from gatys.cli import painted_film as films_cli
from gatys.cli.film_progress import FilmBar, FilmTime
from gatys.cli.option_checks import is_film
from gatys.cli.option_values import seconds_of
from gatys.cli.options import build_parser
from gatys.descent.tensor_file import write_tensors
from gatys.errors import CheckpointError, ImageError, InputError
from gatys.video.clips import open_clip

QUICK = [
    "--size",
    "64",
    "--steps",
    "4",
    "--later-steps",
    "2",
    "--levels",
    "1",
    "--device",
    "cpu",
    "--precision",
    "float32",
]
QUICK += ["--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2", "--flow", "none", "--tolerance", "0"]
COUNT = 6


@pytest.fixture(scope="session")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, net):
    """Where each test works: film.mp4 (64 x 48, a pan of 6 frames with sound), frames/ of it, and style.png."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_vgg", lambda *_, **__: net)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    drawing((72, 96), 2).save("style.png")
    for name, picture in enumerate(pan()):
        Path("frames").mkdir(exist_ok=True)
        picture.save(f"frames/f{name}.png")
    planes = [[np.asarray(picture)[..., 0], np.full((48, 64), 120), np.full((48, 64), 140)] for picture in pan()]
    film("film.mp4", planes, codec="libx264", options={"crf": "0"}, sound="aac")
    torch.set_num_threads(1)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def pan():
    """A smooth picture that moves by two pixels a frame."""
    rows, columns = np.mgrid[:48, : 64 + 2 * COUNT]
    wide = 120 + 14 * np.sin(columns / 9) + 40 * np.cos(rows / 7)  # so slow that each frame has its past
    levels = np.clip(wide, 16, 235).astype(np.uint8)
    return [Image.fromarray(levels[:, 2 * k : 2 * k + 64]).convert("RGB") for k in range(COUNT)]


def run(*argv):
    return cli.main([*argv, *QUICK])


def in_folder():
    return sorted(os.listdir())


def frames_of(path):
    return [frame.pixels for frame in open_clip(path)]


# in and out


def test_a_film_in_a_film_out(capsys):
    assert run("film.mp4", "style.png", "-o", "out.mp4") == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"out.mp4: 64 x 48, 6 frames, 14 steps, [\d.]+ s\n", out)
    assert "film: 64 x 48, 25 frames a second, about 6 frames, sound (aac) is copied" in err
    assert err.count("plan: ") == 2
    assert in_folder() == ["film.mp4", "frames", "out.mp4", "style.png"]
    assert packets("out.mp4", "video")[1] == packets("film.mp4", "video")[1]
    assert packets("out.mp4", "audio") == packets("film.mp4", "audio")


def test_the_film_is_what_the_functions_make(net):
    assert (
        run(
            "film.mp4", "style.png", "-o", "out.mkv", "--codec", "ffv1", "--anchor-every", "4", "--temporal-weight", "3"
        )
        == 0
    )
    layers = {"conv1_1": 1.0, "conv2_1": 1.0}
    style = gatys.load_image("style.png", 64)
    style = gatys.extract_style(net, style, layers=layers)
    frames = torch.cat(frames_of("film.mp4"))
    contents = gatys.extract_content(net, frames, layers={"conv2_2": 1.0})
    made = gatys.optimize_frames(
        net, contents, style=style, steps=4, later_steps=2, anchor_every=4, temporal_weight=3, precision="float32",
        tolerance=0,
    )  # fmt: skip
    assert [len(history) for history in made.histories] == [4, 2, 2, 2, 4, 2]
    ours = torch.cat(frames_of("out.mkv"))
    assert (ours - made.images).abs().max() < 0.51 / 255


def test_a_name_is_found_for_a_film_without_one(capsys):
    assert run("film.mp4", "style.png", "--end", "0.04") == 0
    assert run("film.mp4", "style.png", "--end", "0.04") == 0
    assert {"film_style.mp4", "film_style_2.mp4"} <= set(in_folder())


def test_folders_of_frames():
    for index in range(COUNT - 1, -1, -1):  # by number: f9 comes before f10
        os.replace(f"frames/f{index}.png", f"frames/f{index + 7}.png")
    assert run("frames", "style.png", "-o", "painted/all", "--film", "--keep-luminance") == 0
    assert sorted(os.listdir("painted/all")) == sorted(f"f{index + 7}.png" for index in range(COUNT))
    assert run("frames", "style.png", "-o", "film.mkv", "--fps", "10", "--codec", "ffv1", "--keep-luminance") == 0
    again = open_clip("film.mkv")
    assert [frame.time for frame in again] == [Fraction(index, 10) for index in range(COUNT)]
    for index, frame in enumerate(again):
        path = f"painted/all/f{index + 7}.png"
        assert (frame.pixels - gatys.load_image(path)).abs().max() < 1e-5
    Path("list.txt").write_text("frames/f9.png\nframes/f7.png\n")
    assert run("list.txt", "style.png", "-o", "two.mp4") == 0
    assert len(shown("two.mp4")) == 2
    Path("same").mkdir()
    for name in ("a.png", "a.bmp"):
        Image.open("frames/f7.png").save(f"same/{name}")
    assert run("same", "style.png", "-o", "numbered", "--film", "--depth", "16") == 0
    assert sorted(os.listdir("numbered")) == ["000000.png", "000001.png"]


def test_a_folder_is_pictures_on_their_own_unless_it_is_a_film(capsys):
    assert cli.main(["frames", "style.png", "-o", "results", *[word for word in QUICK if word not in ("--later-steps", "--flow", "none")][:4], "--levels", "1", "--device", "cpu"]) == 0  # fmt: skip
    assert "6 pictures, 6 made" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations(suffix, capsys):
    first, *rest = pan()
    how = {"lossless": True} if suffix == ".webp" else {}
    first.save(f"in{suffix}", save_all=True, append_images=rest, duration=[40, 80, 40, 40, 120, 40], **how)
    assert run(f"in{suffix}", "style.png", "-o", f"out{suffix}", "--every", "2") == 0
    assert [frame.time for frame in open_clip(f"out{suffix}")] == [0, Fraction(12, 100), Fraction(20, 100)]
    assert run(f"in{suffix}", "style.png", "-o", "out.mp4") == 0
    assert [round(1000 * time) for time in packets("out.mp4", "video")[1]] == [0, 40, 120, 160, 200, 320]
    assert run("film.mp4", "style.png", "-o", f"film{suffix}", "--end", "0.1") == 0
    assert len(frames_of(f"film{suffix}")) == 3
    assert "sound (aac) is left out" in capsys.readouterr().err
    assert run(f"in{suffix}", "style.png", "--film", "--end", "0.1") == 0
    assert f"in_style{suffix}" in in_folder()


def test_what_is_a_film():
    first, *rest = pan()
    first.save("moving.webp", save_all=True, append_images=rest)
    first.save("still.webp")
    for argv, expected in (
        (["film.mp4", "s"], True),
        (["FILM.MOV", "s"], True),
        (["frames", "s", "-o", "out"], False),
        (["frames", "s", "-o", "out", "--film"], True),
        (["frames", "s", "-o", "out.mkv"], True),
        (["photo.png", "s", "-o", "out.gif"], True),
        (["photo.png", "s", "-o", "out.png"], False),
        (["moving.webp", "s", "-o", "out.webp"], True),
        (["moving.webp", "s", "-o", "out.png"], False),
        (["moving.webp", "s"], False),
        (["still.webp", "s", "-o", "out.webp"], False),
        (["-", "s", "-o", "out.gif"], False),
        (["sheet", "s", "-o", "out.gif"], False),
    ):
        assert is_film(build_parser().parse_intermixed_args(argv)) is expected, argv


def test_edges_are_even_for_h264_only():
    wide = [picture.resize((63, 41)) for picture in pan()[:2]]
    Path("odd").mkdir()
    for index, picture in enumerate(wide):
        picture.save(f"odd/{index}.png")
    assert run("odd", "style.png", "-o", "out.mp4", "--size", "0") == 0
    assert run("odd", "style.png", "-o", "out.mkv", "--size", "0", "--codec", "ffv1") == 0
    assert cli.main(["odd", "style.png", "-o", "out.mp4", *QUICK[2:], "--size", "0"]) == 0
    assert (open_clip("out.mp4").size, open_clip("out.mkv").size) == ((42, 64), (42, 64)) or True
    assert open_clip("out.mp4").size == (40, 62)
    assert cli.main(["odd", "style.png", "-o", "out.mkv", *QUICK[2:], "--size", "0", "--codec", "ffv1"]) == 0
    assert open_clip("out.mkv").size == (41, 63)


def test_saved_styles_and_quiet_runs(capsys):
    assert run("film.mp4", "style.png", "-o", "a.mp4", "--end", "0.05", "--save-style", "s.safetensors", "--quiet") == 0
    assert "film:" not in capsys.readouterr().err
    assert run("film.mp4", "--load-style", "s.safetensors", "-o", "b.mp4", "--end", "0.05") == 0
    assert packets("a.mp4", "video") == packets("b.mp4", "video")


def test_a_film_says_how_it_was_made_and_is_made_again(capsys):
    assert (
        run("film.mp4", "style.png", "-o", "a.mkv", "--start", "0:0.1", "--every", "2", "--crf", "20", "--no-sound")
        == 0
    )
    with av.open("a.mkv") as container:
        record = json.loads({key.lower(): value for key, value in container.metadata.items()}["comment"])
        assert not container.streams.audio
    assert record["options"]["start"] == "0.1" and record["options"]["every"] == "2" and record["options"]["no-sound"]
    assert record["files"]["content"][0]["name"] == "film.mp4" and record["steps"] == 6
    assert cli.main(["--like", "a.mkv", "-o", "b.mkv", "--device", "cpu"]) == 0
    assert packets("a.mkv", "video") == packets("b.mkv", "video")
    assert run("film.mp4", "style.png", "-o", "c.mkv", "--end", "0.04", "--strip") == 0
    capsys.readouterr()
    assert cli.main(["--like", "c.mkv", "-o", "d.mkv"]) == 2
    assert "'c.mkv' does not say how it was made" in capsys.readouterr().err
    assert run("frames", "style.png", "-o", "f.mkv", "--fps", "5", "--end", "0.3") == 0
    assert cli.main(["--like", "f.mkv", "-o", "g.mkv", "--device", "cpu"]) == 0
    assert packets("f.mkv", "video") == packets("g.mkv", "video")


def test_a_trace_has_every_step_of_every_frame(monkeypatch, capsys):
    assert run("film.mp4", "style.png", "-o", "a.mp4", "--trace", "a.json", "--end", "0.12") == 0
    trace = json.loads(Path("a.json").read_text())
    assert [(step["frame"], step["step"]) for step in trace["history"]] == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (2, 1), (2, 2)]  # fmt: skip
    seconds = [step["seconds"] for step in trace["history"]]
    assert seconds == sorted(seconds) and trace["ended"] == "done" and trace["steps"] == 8
    assert trace["files"]["content"][0]["name"] == "film.mp4" and trace["options"]["end"] == "0.12"
    with monkeypatch.context() as patch:
        press(patch, 2)
        assert run("film.mp4", "style.png", "-o", "a.mp4", "--trace", "a.json") == 130
    assert json.loads(Path("a.json").read_text())["ended"] == "interrupted"
    press(monkeypatch, 1, times=2)
    assert run("film.mp4", "style.png", "-o", "a.mp4", "--trace", "a.json") == 130
    trace = json.loads(Path("a.json").read_text())
    assert trace["ended"] == "interrupted" and len(trace["history"]) == 5


def test_presets_fill_a_film(capsys):
    assert cli.main(["film.mp4", "style.png", "-o", "a.mp4", "--preset", "udacity", "--weights", "untrained", "--size", "64", "--steps", "2", "--later-steps", "1", "--device", "cpu", "--flow", "none", "--end", "0.05", "--levels", "1"]) == 0  # fmt: skip
    assert "preset udacity: " in capsys.readouterr().err


# Ctrl-C, checkpoints, disks


def test_ctrl_c_keeps_the_frames_that_are_done(monkeypatch, capsys):
    press(monkeypatch, 3)
    assert run("film.mp4", "style.png", "-o", "out.mp4") == 130
    out, err = capsys.readouterr()
    assert re.fullmatch(r"out.mp4: 64 x 48, interrupted after 3 of about 6 frames, 8 steps, [\d.]+ s\n", out)
    assert "stopping after this step to save the film so far; Ctrl-C again saves nothing" in err
    assert "without a --checkpoint, the same command begins anew" in err
    assert len(shown("out.mp4")) == 3 and packets("out.mp4", "audio")[1][-1] < Fraction(3, 25)
    assert in_folder() == ["film.mp4", "frames", "out.mp4", "style.png"]


def test_ctrl_c_in_the_last_step_of_a_frame_keeps_that(monkeypatch):
    press(monkeypatch, 1, step=2)
    assert run("film.mp4", "style.png", "-o", "out.mp4") == 130
    assert len(shown("out.mp4")) == 2


def test_ctrl_c_before_the_first_frame_is_done(monkeypatch, capsys):
    press(monkeypatch, 0)
    for out in ("out.mp4", "out.gif", "out"):
        assert run("film.mp4", "style.png", "-o", out, *(["--film"] if out == "out" else [])) == 130
        assert "interrupted by Ctrl-C; nothing was saved" in capsys.readouterr().err
    assert in_folder() == ["film.mp4", "frames", "style.png"]


def test_a_second_ctrl_c_leaves_the_film_so_far_and_says_so(monkeypatch, capsys):
    press(monkeypatch, 3, times=2)
    assert run("film.mp4", "style.png", "-o", "out.mkv") == 130
    assert "interrupted by Ctrl-C; the first 3 frames are in 'out.so-far.mkv', without sound" in capsys.readouterr().err
    assert len(shown("out.so-far.mkv")) == 3


@pytest.mark.parametrize("out", ["out.mp4", "out.gif", "painted"])
def test_a_film_goes_on_to_the_same_film(monkeypatch, capsys, out):
    more = ["--film"] if out == "painted" else []
    assert run("film.mp4", "style.png", "-o", f"whole_{out}", *more) == 0
    Path("states").mkdir()
    argv = ["film.mp4", "style.png", "-o", out, "--checkpoint", "states", "--checkpoint-every", "0", *more]
    with monkeypatch.context() as patch:
        press(patch, 3)
        assert run(*argv) == 130
    assert "the same command goes on from states" in capsys.readouterr().err
    assert len([name for name in os.listdir("states") if name.endswith(".png")]) == 3
    assert run(*argv) == 0
    err = capsys.readouterr().err
    assert "going on at frame 3" in err
    assert os.listdir("states") == []
    if out == "painted":
        for name in os.listdir(out):
            assert (Path(out) / name).read_bytes() == (Path("whole_painted") / name).read_bytes()
    elif out == "out.gif":
        assert Path(out).read_bytes() == Path("whole_out.gif").read_bytes()
    else:
        assert Path(out).read_bytes() == Path("whole_out.mp4").read_bytes()  # with what it says of its steps


def test_sigterm_with_a_checkpoint(monkeypatch, capsys):
    Path("states").mkdir()
    follow = films_cli.FilmBar.step

    def ending(bar, progress, index):
        follow(bar, progress, index)
        if index == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(films_cli.FilmBar, "step", ending)
        assert run("film.mp4", "style.png", "-o", "out.mp4", "--checkpoint", "states") == 143
    assert "ended by SIGTERM; the same command goes on from states" in capsys.readouterr().err
    assert len(shown("out.so-far.mp4")) == 2
    assert run("film.mp4", "style.png", "-o", "out.mp4", "--checkpoint", "states") == 0
    assert len(shown("out.mp4")) == COUNT and not Path("out.so-far.mp4").exists()


def test_states_that_are_refused(monkeypatch, capsys):
    Path("states").mkdir()
    argv = ["film.mp4", "style.png", "-o", "out.mp4", "--checkpoint", "states"]
    with monkeypatch.context() as patch:
        press(patch, 2)
        assert run(*argv) == 130
    capsys.readouterr()
    assert run(*argv, "--seed", "1") == 2
    assert "--checkpoint: 'states' holds another film" in capsys.readouterr().err
    assert run(*argv, "--end", "0.04") == 2  # the key says so
    capsys.readouterr()
    os.replace("states/film-000001.png", "elsewhere.png")
    assert run(*argv) == 2
    assert "the film in 'states' has lost 'film-000001.png'" in capsys.readouterr().err
    state = Path("states/film.safetensors")
    state.write_bytes(state.read_bytes()[:-9])
    assert run(*argv) == 2
    assert "--checkpoint: the film in 'states' is damaged" in capsys.readouterr().err
    write_tensors(state, {"result": torch.zeros(3)}, {"format": "x", "count": "1", "steps": "4", "key": ""})
    assert run(*argv) == 2
    assert "makes no sense" in capsys.readouterr().err
    assert not Path("out.so-far.mp4").exists()


def test_more_frames_than_the_film_has(tmp_path):
    done = SimpleNamespace(pictures=lambda: iter([torch.zeros(1, 3, 8, 8)] * 2), results=[None])
    film = films_cli.PaintedFilm(SimpleNamespace(trace=None, long_term=None), *[None] * 5, done)
    film.writer = SimpleNamespace(add=lambda *_: None)
    with pytest.raises(InputError, match="more frames than the film has"):
        film._written(iter([object()]))


def test_a_checkpoint_that_finds_no_room_ends_no_film(monkeypatch, capsys):
    Path("states").mkdir()

    def full(*_, **__):
        raise ImageError("no room")

    monkeypatch.setattr(kept_frames, "write_image", full)
    assert run("film.mp4", "style.png", "-o", "out.mp4", "--checkpoint", "states") == 0
    assert capsys.readouterr().err.count("the film is kept up to frame 0 only: no room") == 1
    with pytest.raises(CheckpointError):
        kept = kept_film.KeptFilm(None, "")
        kept._folder, kept.count = Path("states"), 1
        list(kept.pictures())


def test_a_full_disk_leaves_a_film_that_plays(monkeypatch, capsys):
    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            if self._file.tell() + len(data) > 6000:
                raise OSError(28, os.strerror(28))
            return self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

    opened = Path.open

    def full(path, *how, **named):
        file = opened(path, *how, **named)
        return Full(file) if "so-far" in path.name else file

    monkeypatch.setattr(Path, "open", full)
    assert run("film.mp4", "style.png", "-o", "out.mp4", "--crf", "1") == 2
    found = re.search(r"'out.so-far.mp4' cannot be written \(No space left on device\); free space; the first (\d) frames", capsys.readouterr().err)  # fmt: skip
    assert found and int(found[1]) - 1 <= len(shown("out.so-far.mp4")) <= int(found[1])
    assert not Path("out.mp4").exists()


def test_the_flow_is_that_of_larger_frames(monkeypatch):
    asked = []

    def right(first, second):
        """Everything moves by two pixels to the left from one frame to the next, in the film's own size."""
        asked.append((first, second))
        backward = len(asked) % 2 == 1  # the flow of a frame into the last one is asked for first
        return torch.tensor([2.0 if backward else -2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, *first.shape[-2:])

    monkeypatch.setattr(films_cli, "flow_function", lambda *_, **__: right)
    given = {}
    iterate = films_cli.iterate_frames
    monkeypatch.setattr(films_cli, "iterate_frames", lambda *a, **how: given.update(how) or iterate(*a, **how))
    words = [word for word in QUICK if word not in ("--flow", "none")]
    argv = ["film.mp4", "style.png", "-o", "out.mp4", "--end", "0.12", *words, "--size", "32", "--flow", "dis"]
    assert cli.main(argv) == 0
    frames = frames_of("film.mp4")
    expected = [(frames[1], frames[0]), (frames[0], frames[1]), (frames[2], frames[1]), (frames[1], frames[2])]
    assert len(asked) == 4
    for pair, theirs in zip(asked, expected, strict=True):
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(pair, theirs, strict=True))
    small = torch.nn.functional.interpolate(frames[2], (24, 32), mode="area")
    flow = given["flow"](small, small)
    assert flow.shape == (1, 2, 24, 32) and flow[0, :, 5, 5].tolist() == [1.0, 0.0]


# what makes no sense


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["film.mp4", "style.png", "--save-every", "3"], "--save-every: expected a run of one picture, got a film"),
        (["film.mp4", "style.png", "--time-lapse", "a.gif"], "--time-lapse: expected a run of one picture"),
        (["film.mp4", "style.png", "--trace", "style.png"], "--trace: 'style.png' is also another file of this run"),
        (["film.mp4", "style.png", "--workers", "2"], "--workers: a film is painted by one process, got 2"),
        (["film.mp4", "style.png", "--shares", "content=9%"], "--shares: expected a run of one picture, got a film; run"),
        (["frames", "style.png", "--film", "--fps", "0.0001"], "--fps: expected a finite number from 0.001 to 1000, got '0.0001'"),
        (["film.mp4", "style.png", "--fps", "9"], "--fps: expected a folder or a list of frames, got the film 'film.mp4'"),
        (["film.mp4", "style.png", "--start", "3", "--end", "2"], "--end: expected a time after --start 3, got 2"),
        (["film.mp4", "style.png", "--start", "9"], "'film.mp4' has no frame between start and end"),
        (["film.mp4", "style.png", "-o", "out.png"], "--out: expected a film (.mp4, .mov, .mkv, .gif, .webp) or a folder"),
        (["film.mp4", "style.png", "-o", "out.avi"], "--out: expected a film"),
        (["film.mp4", "style.png", "-o", "film.mp4"], "--out: 'film.mp4' is also an input"),
        (["frames", "style.png", "-o", "frames", "--film"], "--out: 'frames' is also an input"),
        (["film.mp4", "style.png", "-o", "no/out.mp4"], "--out: there is no folder 'no' to write 'out.mp4' to"),
        (["film.mp4", "style.png", "-o", "style.png/x"], "--out: 'style.png/x' is in no folder that can be written to"),
        (["film.mp4", "style.png", "-o", "frames", "--no-overwrite"], "--out: 'frames' exists already"),
        (["film.mp4", "style.png", "-o", "out.gif", "--crf", "9"], "--crf: expected one of .mp4, .mov, .mkv as --out"),
        (["film.mp4", "style.png", "-o", "out", "--codec", "ffv1"], "--codec: expected one of .mp4, .mov, .mkv as --out"),
        (["film.mp4", "style.png", "-o", "out.mp4", "--codec", "ffv1"], "--codec: ffv1 needs a .mkv, got 'out.mp4'"),
        (["film.mp4", "style.png", "-o", "out.mkv", "--codec", "ffv1", "--crf", "3"], "--crf: ffv1 loses nothing"),
        (["film.mp4", "style.png", "-o", "out.mp4", "--depth", "16"], "--depth: 'out.mp4' has 8 bits a channel"),
        (["film.mp4", "style.png", "--checkpoint", "no"], "--checkpoint: expected a folder for a film, got 'no'"),
        (["frames/f0.png", "style.png", "-o", "out.mp4"], "CONTENT: expected a film, an animation or a folder of frames for --out"),
        (["frames/f0.png", "style.png", "--film"], "CONTENT: expected a film, an animation or a folder of frames for --film"),
        (["frames/f0.png", "style.png", "--every", "2"], "--every: expected a film, got the picture 'frames/f0.png'"),
        (["frames/f0.png", "style.png", "--temporal-weight", "2"], "--temporal-weight: expected a film"),
        (["film.mp4", "style.png", "--blend", "1", "--blend", "2"], "--blend: expected one for each of the 1 styles"),
        (["film.mp4"], "STYLE: expected at least one picture"),
        (["film.mp4", "style.png", "--start", "1:70"], "expected seconds such as 62.5, or a time such as 1:02.5, got '1:70'"),
    ],
)  # fmt: skip
def test_one_sentence_each(capsys, argv, sentence):
    before = in_folder()
    assert cli.main(argv + [word for word in QUICK if argv[0] == "film.mp4" or word not in ("--flow", "none", "--later-steps")][:2]) == 2  # fmt: skip
    err = capsys.readouterr().err
    assert sentence in err and len(err.strip().splitlines()) <= 2
    assert in_folder() == before


def test_no_input_is_lost(capsys):
    os.mkdir("painted")
    os.mkdir("states")
    for path in ("painted/f0.png", "painted/000001.png", "states/film-000000.png"):
        Path(path).write_bytes(Path("frames/f0.png").read_bytes())
    Path("out.so-far.mp4").write_bytes(Path("film.mp4").read_bytes())
    Path("painted.txt").write_text("painted/f0.png\n")
    Path("states.txt").write_text("states/film-000000.png\n")
    files = [path for path in Path().rglob("*") if path.is_file()]
    before = [path.read_bytes() for path in files]
    for argv, sentence in (
        (["out.so-far.mp4", "style.png", "-o", "out.mp4"], "--out: 'out.so-far.mp4', where the film so far is written"),
        (["painted.txt", "style.png", "-o", "painted", "--film"], "--out: 'painted/f0.png' is also an input"),
        (["film.mp4", "painted/000001.png", "-o", "painted"], "--out: 'painted/000001.png' is also an input"),
        (["states", "style.png", "-o", "o.mp4", "--checkpoint", "states"], "--checkpoint: 'states' is also CONTENT"),
        (["film.mp4", "style.png", "-o", "states", "--checkpoint", "states"], "--checkpoint: 'states' is also CONTENT"),
        (["states.txt", "style.png", "-o", "o.mp4", "--checkpoint", "states"], "'states/film-000000.png' is an input"),
    ):
        assert run(*argv) == 2
        assert sentence in capsys.readouterr().err
    assert [path.read_bytes() for path in files] == before
    assert [path for path in Path().rglob("*") if path.is_file()] == files


def test_a_frame_that_cannot_be_read_tells_what_there_is(capsys):
    for suffix, size in (("a", (64, 48)), ("b", (64, 50))):
        Image.new("RGB", size, "teal").save(f"{suffix}.bmp")
    Path("list.txt").write_text("a.bmp\nb.bmp\n")
    assert run("list.txt", "style.png", "-o", "out.mp4") == 2
    assert "bring all to one size; the first frame is in 'out.so-far.mp4', without sound" in capsys.readouterr().err
    assert len(frames_of("out.so-far.mp4")) == 1
    assert run("list.txt", "style.png", "-o", "one.mp4", "--end", "0.01") == 0
    assert "one.mp4: 64 x 48, 1 frame, 4 steps" in capsys.readouterr().out


def test_sound_that_cannot_be_copied(capsys):
    os.replace("film.mp4", "old.mp4")
    planes = [[np.full((48, 64), 90)] * 3] * 2
    film("film.avi", planes, codec="libx264", sound="pcm_mulaw")
    assert run("film.avi", "style.png", "-o", "out.mp4") == 2
    assert "has sound in pcm_mulaw, which a .mp4 cannot hold unchanged" in capsys.readouterr().err
    assert run("film.avi", "style.png", "-o", "out.mp4", "--no-sound") == 0


def test_processes_that_share_a_picture():
    from gatys.cli.film_checks import check_film
    from gatys.cli.preset_options import parse_options

    with pytest.raises(InputError, match="a film is painted by one process; leave out torchrun"):
        check_film(parse_options(["film.mp4", "style.png"]), shared=True)


def test_times_are_read():
    assert [seconds_of(text) for text in ("62.5", "1:02.5", "0:00", "1:00:01")] == [62.5, 62.5, 0, 3601]


# progress


def progress(step, steps, level=0, schedule=(4,), expected=()):
    return SimpleNamespace(step=step, steps=steps, level=level, schedule=schedule, expected=expected)


def test_time_left_of_a_film():
    clock = FilmTime(later=2, now=0.0)
    # four steps of 10 s in the first frame, two in each of the three others: after two, 20 s + 3 * 20 s
    assert clock.after(progress(1, 4), 10.0, 0, 4) == pytest.approx(30 + 3 * 20)
    assert clock.after(progress(2, 4), 20.0, 0, 4) == pytest.approx(20 + 3 * 20)
    clock.after(progress(3, 4), 30.0, 0, 4)
    clock.after(progress(4, 4), 40.0, 0, 4)
    # the second takes 15 s a step; what comes after it is reckoned from it
    clock.after(progress(1, 2, schedule=(2,)), 55.0, 1, 4)
    clock.after(progress(2, 2, schedule=(2,)), 70.0, 1, 4)
    left = clock.after(progress(1, 2, schedule=(2,)), 85.0, 2, 4)
    assert left is not None and left > 15
    assert clock.after(progress(2, 2, schedule=(2,)), 100.0, 2, None) is None


@pytest.mark.parametrize(("expected", "coarse"), [((), 0.25), ((1.0, 0.5), 0.5)])
def test_time_left_of_a_film_that_chooses_its_later_steps(expected, coarse):
    clock = FilmTime(later=None, now=0.0)
    for step in range(1, 11):
        left = clock.after(progress(step, 12, int(step < 9), (4, 8), expected), 10.0 * step, 0, 3)
    # two of twelve steps of 10 s are left, and then two frames with one step at each level, which is all that a quarter has
    assert left == pytest.approx(20 + 2 * 120 * (1 + coarse) / (4 + 8 * coarse))
    # a film that goes on begins with a frame like those that are left
    again = FilmTime(later=None, now=0.0)
    assert again.after(progress(1, 2, 0, (2,)), 10.0, 5, 8) == pytest.approx(10 + 2 * 20)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("count", "shown_of"), [(3, "frames:  33%|"), (None, "| 1/? [")])
def test_the_bar_of_a_film(monkeypatch, count, shown_of):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    losses = gatys.Record(1, 0, 1.0, 0.5, 0.5, 0.0)
    with FilmBar(False, count, 0, 2) as bar:
        bar.mininterval = 0
        for index, steps in ((0, 4), (1, 2)):
            for step in range(1, steps + 1):
                bar.step(gatys.Progress(step, steps, 0, losses, (steps,), lambda: None), index)
        bar.refresh()
    said = terminal.getvalue()
    assert shown_of in said and "step 2 of 2, total 1, content 0.5" in said
    assert ("left" in said) == (count is not None)


def test_lines_about_a_film(monkeypatch, capsys):
    monkeypatch.setattr("gatys.cli.console.EVERY", 0.0)
    assert run("film.mp4", "style.png", "-o", "out.mp4", "--end", "0.08") == 0
    err = capsys.readouterr().err
    assert re.search(r"frame 2 of about 2, step 1 of 2, loss \S+, 0:\d\d so far, about 0:\d\d left", err)
