"""Contact sheets: every cell is what the command line paints alone, is made once, and is labelled; faults cost one cell."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import drawing
from PIL import Image

from gatys import load_vgg19
from gatys.cli import command as cli
from gatys.cli import network_and_style, sheet, sheet_cells
from gatys.cli.options import build_parser
from gatys.pictures import contact_sheet as drawn
from gatys.pictures.images import read_image

QUICK = ["--size", "48", "--steps", "2", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1,conv2_1"]
QUICK += ["--content-layers", "conv2_2"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: two photographs in `in`, three paintings in `styles`."""
    monkeypatch.chdir(tmp_path)
    for folder, names in (("in", "ab"), ("styles", "xyz")):
        Path(folder).mkdir()
        for seed, name in enumerate(names):
            drawing((40 + seed, 30), ord(name)).save(f"{folder}/{name}.png")


@pytest.fixture(scope="session")
def net():
    return load_vgg19("untrained")


@pytest.fixture
def runs(monkeypatch, net):
    """The number of networks that were loaded, of styles and contents that were extracted, and of descents."""
    counts = dict.fromkeys(("networks", "styles", "contents", "descents"), 0)

    def counted(name, make):
        def count(*given, **rest):
            counts[name] += 1
            return make(*given, **rest)

        return count

    monkeypatch.setattr(cli, "load_vgg", counted("networks", lambda *given, **rest: net))
    monkeypatch.setattr(network_and_style, "make_style", counted("styles", network_and_style.make_style))
    monkeypatch.setattr(network_and_style, "make_content", counted("contents", network_and_style.make_content))
    monkeypatch.setattr(cli, "optimize", counted("descents", cli.optimize))
    return counts


@pytest.fixture
def seen(monkeypatch):
    """What was drawn: the cells and the number of columns of the last sheet."""
    last = {}

    def draw(cells, columns):
        last.update(cells=list(cells), columns=columns)
        return drawn.contact_sheet(cells, columns)

    monkeypatch.setattr(sheet, "contact_sheet", draw)
    return last


def lines(seen):
    return [list(cell.lines) for cell in seen["cells"]]


def pixels(picture):
    return np.asarray(picture)


def test_photographs_are_rows_and_styles_columns_and_each_cell_is_what_it_is_alone(runs, seen, capsys):
    assert cli.main(["sheet", "in", "styles", *QUICK, "-o", "sheet.png"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "sheet.png: 6 cells, 6 made"
    assert seen["columns"] == 3
    assert lines(seen) == [[photo, style] for photo in ("a.png", "b.png") for style in ("x.png", "y.png", "z.png")]
    assert runs == {"networks": 1, "styles": 3, "contents": 2, "descents": 6}
    assert cli.main(["in/b.png", "styles/x.png", *QUICK, "-o", "alone.png"]) == 0
    alone = Image.open("alone.png")
    assert np.array_equal(pixels(seen["cells"][3].picture), pixels(alone))
    whole = Image.open("sheet.png")
    left, top = drawn._GAP, whole.height - drawn._GAP - 36
    assert np.array_equal(pixels(whole)[top : top + 36, left : left + 48][: alone.height], pixels(alone))


def test_one_style_more_costs_one_cell(runs, seen, capsys):
    command = ["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.jpg"]
    assert cli.main(command) == 0 and runs["descents"] == 3 and len(list(Path("sheet.cells").iterdir())) == 3
    drawing((44, 30), 7).save("more.png")
    assert cli.main([*command[:3], "more.png", *command[3:]]) == 0
    assert (
        runs["descents"] == 4
        and capsys.readouterr().out.splitlines()[-1] == "sheet.jpg: 4 cells, 1 made, 3 there before"
    )
    assert seen["columns"] == 4 and lines(seen) == [["x.png"], ["y.png"], ["z.png"], ["more.png"]]
    os.rename("styles/y.png", "styles/w.png")  # what counts is what is in a file
    assert cli.main(command) == 0 and runs["descents"] == 4
    drawing((43, 30), 8).save("styles/w.png")
    assert cli.main([*command, "--seed", "0"]) == 0 and runs["descents"] == 5


@pytest.mark.parametrize(
    "other",
    [
        ["--strength", "0.6"],
        ["--size", "40"],
        ["--style-scale", "0.8"],
        ["--steps", "1"],
        ["--tv-weight", "0.1"],
        ["--keep-luminance"],
        ["--match-colors", "pca"],
        ["--style-layers", "conv1_1,conv2_1=2"],
        ["--no-normalize"],
        ["--padding", "replicate"],
        ["--init", "in/b.png"],
        ["--strip"],
        ["--seed", "1", "--init", "noise"],
    ],
)
def test_whatever_makes_a_difference_is_part_of_a_cell_s_name(runs, other):
    command = ["sheet", "in/a.png", "styles/x.png", *QUICK, "-o", "sheet.png"]
    assert cli.main(command) == 0 and cli.main([*command, *other]) == 0
    assert runs["descents"] == 2 and len(list(Path("sheet.cells").iterdir())) == 2


def test_a_sweep_and_a_second_one(runs, seen, capsys):
    swept = ["--sweep", "strength=0.2,0.8", "--sweep", "style_scale=0.5, 1,1.0"]
    assert cli.main(["in/a.png", "styles/x.png", "styles/y.png", *QUICK, *swept, "-o", "sheet.png"]) == 0
    assert seen["columns"] == 2 and lines(seen) == [
        [f"style-scale {scale}", f"strength {strength}"] for scale in ("0.5", "1", "1.0") for strength in ("0.2", "0.8")
    ]
    assert runs == {"networks": 1, "styles": 2, "contents": 1, "descents": 4}  # 1 and 1.0 are the same
    assert capsys.readouterr().out.splitlines()[-1] == "sheet.png: 6 cells, 4 made, 2 there before"
    given = ["--strength", "0.8", "--style-scale", "0.5"]
    assert cli.main(["in/a.png", "styles/x.png", "styles/y.png", *QUICK, *given, "-o", "alone.png"]) == 0
    assert np.array_equal(pixels(seen["cells"][1].picture), pixels(Image.open("alone.png")))


def test_photographs_or_styles_beside_a_sweep(runs, seen):
    assert cli.main(["in", "styles/x.png", *QUICK, "--sweep", "seed=0,1", "-o", "sheet.png"]) == 0
    assert lines(seen) == [[photo, f"seed {seed}"] for photo in ("a.png", "b.png") for seed in (0, 1)]
    assert cli.main(["sheet", "in/a.png", "styles", *QUICK, "--sweep", "init=noise,content", "-o", "sheet.png"]) == 0
    assert lines(seen)[:3] == [["x.png", "init noise"], ["x.png", "init content"], ["y.png", "init noise"]]
    assert seen["columns"] == 2


def test_networks_and_presets_may_be_swept(runs, seen):
    assert cli.main(["in/a.png", "styles/x.png", *QUICK, "--sweep", "pooling=max,average", "-o", "sheet.png"]) == 0
    assert runs["networks"] == 2 and runs["styles"] == 2 and runs["contents"] == 2
    assert lines(seen) == [["pooling max"], ["pooling average"]]


def test_saved_styles_and_textures(runs, seen):
    assert cli.main(["in/a.png", "styles/x.png", *QUICK, "-o", "a.png", "--save-style", "kept.safetensors"]) == 0
    saved = ["--load-style", "kept.safetensors"]
    assert cli.main(["sheet", "in/a.png", "styles/y.png", *saved, *QUICK, "-o", "sheet.png"]) == 0
    assert lines(seen) == [["y.png"], ["kept.safetensors"]]
    assert np.array_equal(pixels(seen["cells"][1].picture), pixels(Image.open("a.png")))
    assert cli.main(["sheet", "-", "styles/y.png", *saved, *QUICK, "-o", "sheet.png"]) == 0
    assert lines(seen) == [["y.png"], ["kept.safetensors"]]
    without = ["--style-weight", "0", "--sweep", "init=noise,content"]
    assert cli.main(["sheet", "in/a.png", *QUICK, *without, "-o", "sheet.png"]) == 0
    assert lines(seen) == [["init noise"], ["init content"]]


def test_a_style_that_cannot_be_read_is_an_empty_cell(runs, seen, capsys):
    Path("styles/y.png").write_bytes(b"no picture")
    assert cli.main(["sheet", "in", "styles", *QUICK, "-o", "sheet.png"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "sheet.png: 6 cells, 4 made, 2 failed"
    assert err.count("gatys: error: ") == 1 and "gatys: error: a.png, y.png: 'styles/y.png' is " in err
    assert [cell.picture for cell in seen["cells"] if isinstance(cell.picture, str)] == ["failed", "failed"]
    drawing((40, 30), 5).save("styles/y.png")
    assert cli.main(["sheet", "in", "styles", *QUICK, "-o", "sheet.png"]) == 0 and runs["descents"] == 6


def test_a_file_that_is_gone_by_then_is_an_empty_cell(runs, capsys):
    Path("list.txt").write_text("styles/x.png\nstyles/gone.png\n")
    assert cli.main(["sheet", "in/a.png", "list.txt", *QUICK, "-o", "sheet.png"]) == 2
    assert "gone.png" in capsys.readouterr().err and Path("sheet.png").exists()


def test_where_nothing_was_made_there_is_no_sheet(runs, monkeypatch, capsys):
    def no_room(*given, **rest):
        raise MemoryError("no room")

    monkeypatch.setattr(cli, "optimize", no_room)
    assert cli.main(["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]) == 2
    out, err = capsys.readouterr()
    assert (
        not Path("sheet.png").exists() and out == "sheet.png: 3 cells, 0 made, 3 failed\n" and err.count("no room") == 1
    )

    def mistaken(*given, **rest):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(cli, "optimize", mistaken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        cli.main(["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"])


@pytest.mark.parametrize("after", [0, 2])
def test_ctrl_c_leaves_a_sheet_of_what_is_done(runs, seen, monkeypatch, capsys, after):
    run = cli.optimize

    def interrupted(*given, **rest):
        if runs["descents"] == after:
            os.kill(os.getpid(), signal.SIGINT)
        return run(*given, **rest)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(cli, "optimize", interrupted)
            assert cli.main(["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    out, err = capsys.readouterr()
    assert "interrupted by Ctrl-C; cells that are done " in err and "the same command makes the others" in err
    assert Path("sheet.png").exists() == bool(after) and len(list(Path("sheet.cells").iterdir())) == after
    if after:
        assert out.splitlines()[-1] == "sheet.png: 3 cells, 2 made, 1 left"
        assert [cell.picture for cell in seen["cells"]][2] == "not made"
    done = runs["descents"]
    assert cli.main(["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]) == 0
    assert runs["descents"] - done == 3 - after


def test_where_cells_are_kept(runs, tmp_path):
    command = ["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]
    assert cli.main([*command, "--cells", "kept/here"]) == 0
    assert len(list(Path("kept/here").iterdir())) == 3 and not Path("sheet.cells").exists()
    assert cli.main([*command[:-1], "other.png", "--cells", "kept/here"]) == 0 and runs["descents"] == 3
    assert cli.main([*command, "--cells", "none"]) == 0 and runs["descents"] == 6
    assert not Path("none").exists() and not Path("sheet.cells").exists()


def test_a_damaged_cell_is_painted_again(runs, caplog):
    command = ["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]
    assert cli.main(command) == 0
    next(Path("sheet.cells").glob("a_y-*.png")).write_bytes(b"\x89PNG")
    assert cli.main(command) == 0 and runs["descents"] == 4 and "; it is painted again" in caplog.text
    assert cli.main(command) == 0 and runs["descents"] == 4


def test_a_cell_says_how_it_was_made(runs):
    assert cli.main(["in/a.png", "styles/x.png", *QUICK, "--sweep", "strength=0.3,0.6", "-o", "sheet.png"]) == 0
    cell = next(Path("sheet.cells").iterdir())
    assert cli.main(["--like", str(cell), "-o", "again.png"]) == 0
    assert torch.equal(read_image("again.png").pixels, read_image(cell).pixels)


X = ["in/a.png", "styles/x.png"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["sheet"], "sheet: expected CONTENT and at least one STYLE"),
        (["sheet", "in/a.png"], "STYLE: expected at least one picture, got none"),
        (["sheet", "in/a.png", "styels"], "STYLE: expected a file, a folder or a .txt list, got 'styels'"),
        (["sheet", "in/q.png", "styles"], "CONTENT: expected a file, a folder or a .txt list, got 'in/q.png'"),
        (["sheet", "in/a.png", "empty"], "STYLE: expected pictures in 'empty', got none"),
        (["sheet", "in", "styles", "--sweep", "seed=1,2"], "got 2 of photographs, 3 of styles, 2 of seed; give"),
        (["sheet", "in", "styles", "--blend", "1"], "--blend: each cell of a sheet of styles has one style"),
        (["sheet", *X, "--style-mask", "in/a.png"], "--style-mask: each cell of a sheet of styles has one style"),
        (["sheet", *X, "--workers", "2"], "--workers: a contact sheet is made by one process, got 2"),
        (["sheet", *X, "--save-style", "a.safetensors"], "--save-style: expected one CONTENT, got many"),
        (["sheet", *X, "--trace", "run.json"], "--trace: expected a run of one picture, got a contact sheet"),
        (["sheet", *X, "--save-every", "3"], "--save-every: expected a run of one picture, got a contact sheet"),
        ([*X, "--sweep", "seed=1,2", "--time-lapse", "a.gif"], "--time-lapse: expected a run of one picture"),
        (["sheet", *X, "-o", "in/a.png"], "--out: 'in/a.png' is also an input"),
        (["sheet", *X, "-o", "sheet.xyz"], "'sheet.xyz' has the suffix '.xyz'"),
        (["sheet", *X, "-o", ""], "--out: expected a file for the contact sheet, got ''"),
        (["sheet", *X, "--cells", "in/a.png"], "--cells: the folder 'in/a.png' cannot be made"),
        (["sheet", *X, "--cells", "/proc"], "--cells: the folder '/proc' is not writable"),
        (
            [*X, "--sweep", "strength"],
            "--sweep: expected NAME=VALUE,VALUE,..., as in strength=0.2,0.5,0.8, got 'strength'",
        ),
        ([*X, "--sweep", "strength=0.2,,1"], "--sweep: expected NAME=VALUE,VALUE,..."),
        ([*X, "--sweep", "strenght=0.2,0.4"], "got 'strenght'; is strength meant?"),
        ([*X, "--sweep", "verbose=a,b"], "got 'verbose'; it takes strength, size, "),
        ([*X, "--sweep", "strength=0.2,1.4"], "--strength: expected a number from 0 to 1, got '1.4'"),
        ([*X, "--sweep", "optimizer=adam,sgd"], "--optimizer: invalid choice: 'sgd'"),
        ([*X, "--sweep", "seed=1,2", "--sweep", "seed=3"], "--sweep: seed is given twice"),
        ([*X, "--sweep", "size=40,48"], "--sweep, --size: both give size; leave one of them out"),
        ([*X, "--sweep", "seed=" + ",".join(map(str, range(401)))], "expected at most 400 cells on a sheet, got 401"),
        (["in", "styles/x.png", "--sweep", "seed=1,2", "--sweep", "tv-weight=0,1"], "got 2 of photographs, 2 of tv-w"),
    ],
)
def test_what_is_refused_in_a_sentence_before_anything_is_written(runs, given, words, capsys, monkeypatch):
    Path("empty").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != "/proc")  # root may write anywhere
    out = [] if "-o" in given else ["-o", "sheet.png"]
    assert cli.main([*given, *QUICK, *out]) == 2
    said = capsys.readouterr().err.splitlines()
    assert words in said[-1] and said[-1].startswith("gatys: error: ")
    assert not Path("sheet.png").exists() and not Path("sheet.cells").exists() and not runs["descents"]


def test_no_overwrite(runs, capsys):
    Path("sheet.png").write_bytes(b"precious")
    assert cli.main(["sheet", *X, *QUICK, "-o", "sheet.png", "--no-overwrite"]) == 2
    assert "exists already" in capsys.readouterr().err and Path("sheet.png").read_bytes() == b"precious"


def test_shared_processes_are_refused(runs, capsys):
    class Shared(cli.Session):
        shared = True

    assert cli.main(["sheet", *X, *QUICK, "-o", "sheet.png"], session=Shared()) == 2
    assert "a contact sheet is made by one process; leave out torchrun" in capsys.readouterr().err


def test_what_can_be_swept_are_options_of_one_value():
    options = build_parser().parse_args(["a"])
    for name in sheet_cells.SWEPT:
        assert hasattr(options, name.replace("-", "_")), name
        assert not isinstance(getattr(options, name.replace("-", "_")), (bool, list, dict)), name


# the drawing


def picture(width, height, color):
    return Image.new("RGB", (width, height), color)


def test_a_sheet_has_its_pictures_where_they_belong():
    cells = [drawn.Cell(["one"], picture(60, 40, "red")), drawn.Cell(["two"], picture(40, 40, "blue"))]
    cells += [drawn.Cell(["three"], "failed")]
    made = drawn.contact_sheet(cells, 2)
    gap = drawn._GAP
    assert made.width == 2 * (60 + gap) + gap and made.height % 2 == gap % 2
    found = np.asarray(made)
    red, blue, empty = (np.argwhere((found == value).all(-1)) for value in ((255, 0, 0), (0, 0, 255), drawn._EMPTY))
    assert len(red) == 60 * 40 and red.min(0)[1] == gap and len(blue) == 40 * 40
    assert blue.min(0)[1] == gap + 60 + gap + 10  # in the middle of its place
    assert red.min(0)[0] == blue.min(0)[0] and empty.min(0)[0] > red.max(0)[0] + gap
    above = found[gap : red.min(0)[0], gap : gap + 60]
    assert (above < 128).any(), "there is no label"


def test_a_sheet_that_would_be_too_large_is_drawn_smaller(monkeypatch):
    monkeypatch.setattr(drawn, "LONGEST", 500)
    for count, columns in ((4, 4), (4, 1), (9, 3), (10, 2)):
        made = drawn.contact_sheet([drawn.Cell(["a", "b"], picture(300, 200, "red"))] * count, columns)
        assert max(made.size) <= 500
        assert (np.asarray(made) == (255, 0, 0)).all(-1).any()


def test_long_labels_keep_both_ends():
    font = drawn.ImageFont.load_default(12)
    name = "a-very-long-name-of-a-photograph-2031.jpg"
    short = drawn.shortened(name, font, 120)
    assert font.getlength(short) <= 120 and short.startswith("a-v") and short.endswith(".jpg") and "..." in short
    assert drawn.shortened("a.jpg", font, 120) == "a.jpg"


def test_columns():
    assert [drawn.columns_for(count) for count in (1, 3, 4, 5, 9, 10)] == [1, 3, 4, 3, 3, 4]


def test_names_in_letters_that_the_font_lacks_are_told(runs, seen, caplog, capsys):
    assert drawn.can_show("sunset 2.jpg") and not drawn.can_show("\u5bcc\u58eb.jpg")
    os.rename("styles/y.png", "styles/\u5bcc\u58eb.png")
    assert cli.main(["sheet", "in/a.png", "styles", *QUICK, "-o", "sheet.png"]) == 0
    assert lines(seen) == [["x.png"], ["z.png"], ["style 3"]]
    assert "style 3 is \u5bcc\u58eb.png" in capsys.readouterr().err


def test_without_freetype_sheets_have_labels_too(monkeypatch):
    plain = drawn.ImageFont.load_default_imagefont()
    monkeypatch.setattr(drawn.ImageFont, "load_default", lambda size=None: plain)
    made = drawn.contact_sheet([drawn.Cell(["one"], "failed")], 1)
    assert (np.asarray(made) < 128).any() and drawn.can_show("a") and not drawn.can_show("\xe9")


def pressed(monkeypatch, name, press, argv):
    """Run a command during which a function of `command` is replaced; give the exit code."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(cli, name, press)
            return cli.main(argv)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "argv", [["sheet", "in/a.png", "styles", "-o", "sheet.png"], ["in", "styles/x.png", "-o", "out"]]
)
def test_ctrl_c_while_a_picture_is_saved_ends_what_goes_over_many(runs, monkeypatch, capsys, argv):
    """The picture is there then, and `_paint` gives the code of Ctrl-C instead of raising."""
    assert pressed(monkeypatch, "_paint", lambda *given, **rest: 130, [*argv, *QUICK]) == 130
    assert capsys.readouterr().err.count("interrupted by Ctrl-C") == 1


@pytest.mark.parametrize(
    "argv", [["sheet", "in/a.png", "styles", "-o", "sheet.png"], ["in", "styles/x.png", "-o", "out"]]
)
def test_ctrl_c_that_tidying_up_turned_into_another_error_is_ctrl_c(runs, monkeypatch, capsys, argv):
    def turned(*given, **rest):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise OSError("not ready for it") from None

    assert pressed(monkeypatch, "load_inputs", turned, [*argv, *QUICK]) == 130
    err = capsys.readouterr().err
    assert err.count("interrupted by Ctrl-C") == 1 and "not ready for it" not in err
