"""Films at the command line that hold together over many frames: earlier frames, and passes back and forth."""

import os
import signal
from pathlib import Path

import pytest
import torch
from films import press
from pictures import drawing, picture
from PIL import Image

import gatys
from gatys.cli import command as cli
from gatys.cli import film_of_passes, kept_frames, kept_passes
from gatys.cli import painted_film as films_cli
from gatys.errors import CheckpointError, ImageError

SIZE, PAN, COUNT = (40, 48), 4, 4
QUICK = [
    "--size",
    "0",
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
QUICK += ["--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2", "--tolerance", "0", "--flow", "dis"]
LONG = ["--long-term", "2,1"]
PASSES = ["--passes", "3"]


def pan():
    wide = picture(3, size=(SIZE[0], SIZE[1] + COUNT * PAN))
    return torch.cat([wide[..., PAN * index :][..., : SIZE[1]] for index in range(COUNT)])


def between(frame, other):
    """The flow of the pan, of any number of frames apart, from the pictures themselves."""
    for shift in range(-COUNT * PAN, COUNT * PAN + 1, PAN):
        left, right = (frame, other) if shift >= 0 else (other, frame)
        if torch.allclose(left[..., : SIZE[1] - abs(shift)], right[..., abs(shift) :], atol=0.01):
            return torch.tensor([float(shift), 0.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    raise AssertionError("these are no frames of the pan")


@pytest.fixture(scope="session")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, net):
    """Where each test works: frames/, a pan by whole pixels, and style.png."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_vgg", lambda *_, **__: net)
    monkeypatch.setattr(films_cli, "flow_function", lambda *_, **__: between)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    drawing((40, 48), 2).save("style.png")
    Path("frames").mkdir()
    for index, frame in enumerate(pan()):
        gatys.save_image(frame, f"frames/{index}.png")
    torch.set_num_threads(1)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def run(*argv):
    return cli.main(["frames", "style.png", *argv, *QUICK])


def painted(out):
    names = sorted(os.listdir(out))
    return torch.cat([gatys.load_image(Path(out) / name) for name in names])


@pytest.mark.parametrize("more", [LONG, PASSES, [*PASSES, *LONG]])
def test_the_film_is_what_the_functions_make(net, more):
    assert run("-o", "out", "--film", "--depth", "16", *more) == 0
    layers = {"conv1_1": 1.0, "conv2_1": 1.0}
    style = gatys.extract_style(net, gatys.load_image("style.png"), layers=layers, levels=1)
    frames = torch.cat([gatys.load_image(f"frames/{index}.png") for index in range(COUNT)])
    contents = gatys.extract_content(net, frames, layers={"conv2_2": 1.0})
    told = {"long_term": (1, 2)} if LONG[0] in more else {}
    told |= {"passes": 3} if PASSES[0] in more else {}
    made = gatys.optimize_frames(
        net, contents, style=style, steps=4, later_steps=2, precision="float32", tolerance=0, flow=between, **told
    )
    difference = (painted("out") - made.images).abs()
    assert difference.mean() < 1e-4 and difference.max() < 0.05  # results of 16 bits are what further passes start from


def test_a_film_of_passes_says_so(capsys):
    assert run("-o", "out.mkv", "--codec", "ffv1", "--passes", "2") == 0
    out = capsys.readouterr().out
    assert out.startswith("out.mkv: 48 x 40, 4 frames, 18 steps, ")
    assert sorted(os.listdir()) == ["frames", "out.mkv", "style.png"]
    assert cli.main(["--like", "out.mkv", "-o", "again.mkv", "--device", "cpu"]) == 0
    first, second = ([frame.pixels for frame in gatys.open_clip(path)] for path in ("out.mkv", "again.mkv"))
    assert torch.equal(torch.cat(first), torch.cat(second))


@pytest.mark.parametrize(("at", "step"), [(2, 2), (3, 2), (4, 1), (6, 1), (10, 2)])
def test_a_film_goes_on_in_any_pass(monkeypatch, capsys, at, step):
    more = [*PASSES, *LONG, "--film", "--depth", "16", "--checkpoint-every", "0"]
    assert run("-o", "whole", *more) == 0
    Path("states").mkdir()
    with monkeypatch.context() as patch:
        press(patch, at, step)
        assert run("-o", "out", "--checkpoint", "states", *more) == 130
    out, err = capsys.readouterr()
    assert "the same command goes on from states" in err
    done = at + (step == 2)
    said = f"interrupted after {done} of 4 frames of the first of 3 passes" if done < 4 else f"4 frames, interrupted in pass {done // 4 + 1} of 3"  # fmt: skip
    assert said in out.splitlines()[-1] and len(painted("out")) == min(done, 4)
    assert run("-o", "out", "--checkpoint", "states", *more) == 0
    assert f"going on at frame {done} of 12, over all passes" in capsys.readouterr().err
    assert torch.equal(painted("out"), painted("whole")) and os.listdir("states") == []


@pytest.mark.parametrize("at", [1, 3])
def test_a_film_goes_on_with_several_frames_before(monkeypatch, at):
    more = [*LONG, "--film", "--depth", "16", "--checkpoint-every", "0"]
    assert run("-o", "whole", *more) == 0
    Path("states").mkdir()
    with monkeypatch.context() as patch:
        press(patch, at)
        assert run("-o", "out", "--checkpoint", "states", *more) == 130
    assert run("-o", "out", "--checkpoint", "states", *more) == 0
    assert torch.equal(painted("out"), painted("whole"))


def test_ctrl_c_before_the_first_frame_is_done(monkeypatch, capsys):
    with monkeypatch.context() as patch:
        press(patch, 0)
        assert run("-o", "out", "--film", *PASSES) == 130
    assert "nothing was saved" in capsys.readouterr().err and not Path("out").exists()
    resize = film_of_passes.resize
    monkeypatch.setattr(film_of_passes, "resize", lambda *a: os.kill(os.getpid(), signal.SIGINT) or resize(*a))
    assert run("-o", "out", "--film", *PASSES) == 130  # while frames are read
    assert "nothing was saved" in capsys.readouterr().err and not Path("out").exists()


def test_colours_and_larger_frames(monkeypatch):
    asked = []
    monkeypatch.setattr(
        films_cli, "flow_function", lambda *_, **__: lambda a, b: asked.append(a.shape) or between(a, b)
    )
    argv = ["-o", "out", "--film", "--passes", "2", "--keep-luminance", *QUICK, "--size", "24"]
    assert cli.main(["frames", "style.png", *argv]) == 0
    assert set(asked) == {(1, 3, *SIZE)} and painted("out").shape[-2:] == (20, 24)
    small = gatys.load_image("frames/2.png", 24)
    chroma = lambda image: image - (image * image.new_tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1, True)
    assert (chroma(painted("out")[2:3]) - chroma(small)).abs().median() < 0.02


@pytest.mark.parametrize("passes", [1, 2])
def test_a_style_for_each_frame(net, passes):
    drawing((40, 48), 5).save("other.png")
    style = lambda name: gatys.extract_style(net, gatys.load_image(name), {"conv1_1": 1.0, "conv2_1": 1.0}, levels=1)
    style("other.png").save("other.safetensors")
    times = ["--style-at", "0.1", "--style-at", "0:0.3", "--load-style", "other.safetensors"]
    more = ["--film", "--depth", "16", "--fps", "10", "--start", "0.1", "--passes", str(passes)]
    assert run("-o", "out", *times, *more) == 0
    frames = torch.cat([gatys.load_image(f"frames/{index}.png") for index in range(1, COUNT)])
    contents = gatys.extract_content(net, frames, layers={"conv2_2": 1.0})
    keys = [(0, style("style.png")), (2, style("other.png"))]
    told = {"passes": passes, "steps": 4, "later_steps": 2, "precision": "float32", "tolerance": 0}
    made = gatys.optimize_frames(net, contents, style=keys, flow=between, **told)
    difference = (painted("out") - made.images).abs()
    assert len(made.images) == 3 and difference.mean() < 1e-4 and difference.max() < 0.05


def test_a_film_of_several_styles_is_made_again():
    drawing((40, 48), 5).save("other.png")
    times = ["--style-at", "0", "--style-at", "0.1"]
    assert cli.main(["frames", "style.png", "other.png", "-o", "a.mkv", "--codec", "ffv1", *times, *QUICK]) == 0
    assert cli.main(["--like", "a.mkv", "-o", "b.mkv", "--device", "cpu"]) == 0
    first, second = ([frame.pixels for frame in gatys.open_clip(path)] for path in ("a.mkv", "b.mkv"))
    assert torch.equal(torch.cat(first), torch.cat(second))


# what makes no sense


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (
            ["--blend", "1", "--style-at", "0"],
            "--blend: expected one style for the whole film, got --style-at; give one",
        ),
        (
            ["--style-at", "0", "--style-at", "1"],
            "--style-at: expected one for each of the 1 styles 'style.png', got 2",
        ),
        (
            ["--load-style", "other.safetensors", "--style-at", "1", "--style-at", "0"],
            "--style-at: expected times in order, got 1, 0; bring the styles in the order of their times",
        ),
    ],
)
def test_times_of_styles_that_make_no_sense(net, capsys, more, part):
    gatys.extract_style(net, gatys.load_image("style.png"), {"conv1_1": 1.0}, levels=1).save("other.safetensors")
    assert run("-o", "out", "--film", *more) == 2
    assert part in capsys.readouterr().err.splitlines()[-1]


def test_states_that_are_refused(monkeypatch, capsys):
    Path("states").mkdir()
    argv = ["-o", "out", "--film", "--checkpoint", "states", *PASSES]
    with monkeypatch.context() as patch:
        press(patch, 5)
        assert run(*argv) == 130
    said = lambda *more: (run(*argv, *more), capsys.readouterr().err)[1]
    assert "--checkpoint: 'states' holds another film" in said("--seed", "1")
    os.replace("states/film-000001-0.png", "elsewhere.png")
    assert "the film in 'states' has lost 'film-000001-0.png'" in said()
    os.replace("elsewhere.png", "states/film-000001-0.png")
    Path("states/film-000001-0.png").write_bytes(b"no picture")
    assert "empty the folder to begin anew" in said()
    state = Path("states") / kept_passes.KeptPasses.file
    state.write_bytes(state.read_bytes()[:-9])
    assert "--checkpoint: the film in 'states' is damaged" in said()
    words = {"format": "x", "count": "1", "steps": "4", "frames": "4", "key": ""}
    kept_frames.write_tensors(state, {"count": torch.zeros(1)}, words)
    assert "makes no sense" in said()


def test_a_state_of_another_number_of_frames(monkeypatch, capsys):
    Path("states").mkdir()
    argv = ["-o", "out", "--film", "--checkpoint", "states", *PASSES]
    with monkeypatch.context() as patch:
        press(patch, 1)
        assert run(*argv) == 130
    monkeypatch.setattr(kept_passes.KeptPasses, "_read", lambda kept, folder: kept.__dict__.update(count=1, frames=3))
    assert run(*argv) == 2
    assert "--checkpoint: it holds a film of 3 frames, but there are 4" in capsys.readouterr().err


def test_a_checkpoint_that_finds_no_room_ends_no_film(monkeypatch, capsys):
    Path("states").mkdir()

    def full(*_, **__):
        raise ImageError("no room")

    monkeypatch.setattr(kept_frames, "write_image", full)
    assert run("-o", "out", "--film", "--checkpoint", "states", "--passes", "2") == 0
    assert capsys.readouterr().err.count("the film is kept up to frame 0 only: no room") == 1
    kept = kept_passes.KeptPasses(None, "")
    kept._folder, kept.count, kept.frames = Path("states"), 1, 1
    with pytest.raises(CheckpointError):
        list(kept.results())


def test_frames_that_find_no_room(monkeypatch, capsys, tmp_path):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    pictures = film_of_passes.Pictures(tmp_path)
    pictures[0] = picture(1, size=(4, 4))
    assert (pictures[0] - picture(1, size=(4, 4))).abs().max() <= 0.5 / 65535 + 1e-7
    pictures._file.close()
    pictures._file = type("Full", (), {"seek": full})()
    with pytest.raises(
        ImageError, match=r"--passes: frames cannot be kept in .* \(No space left on device\); free space"
    ):
        pictures[1] = picture(1, size=(4, 4))
    monkeypatch.setattr(film_of_passes.tempfile, "TemporaryFile", full)
    assert run("-o", "out", "--film", *PASSES) == 2
    assert "--passes: frames cannot be kept in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["frames", "-o", "out", "--film", "--long-term", "2,4"],
            "--long-term: expected different whole numbers from 1 on",
        ),
        (["frames", "-o", "out", "--film", "--long-term", "x"], "such as 1,2,4, got 'x'"),
        (
            ["frames", "-o", "out", "--film", "--passes", "0"],
            "--passes: expected a whole number of at least 1, got '0'",
        ),
        (["frames/0.png", "--passes", "2"], "--passes: expected a film, got the picture 'frames/0.png'"),
        (["frames/0.png", "--long-term", "1,2"], "--long-term: expected a film, got the picture"),
        (
            ["frames", "-o", "out", "--film", "--checkpoint", "other"],
            "--checkpoint: 'other' holds another file, 'notes.txt'",
        ),
        (["frames", "-o", "out.mp4/"], "--out: 'out.mp4/' ends as a folder does, and is called as a film"),
        (
            ["frames", "-o", "out", "--film", "--start", "9"],
            "give times within its 0.1667 seconds (4 frames, 24 a second)",
        ),
    ],
)
def test_one_sentence_each(capsys, argv, sentence):
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    before = sorted(os.listdir())
    assert cli.main([argv[0], "style.png", *argv[1:], "--size", "32"]) == 2
    assert sentence in capsys.readouterr().err and sorted(os.listdir()) == before


def test_a_folder_that_is_called_as_a_film_is_one():
    Path("out.mp4").mkdir()
    assert run("-o", "out.mp4/", "--film", "--end", "0.05") == 0
    assert len(os.listdir("out.mp4")) == 2


def test_an_image_beside_the_film_is_left_alone():
    Image.new("RGB", (8, 8)).save("film-000000-0.png")
    Path("states").mkdir()
    assert run("-o", "out", "--film", "--checkpoint", "states", "--passes", "2") == 0
    assert Path("film-000000-0.png").exists() and os.listdir("states") == []
