"""Folders and lists of pictures, as systems, shells and editors make them."""

import os
from pathlib import Path

import pytest
from pictures import drawing

import gatys
from gatys.cli import command as cli
from gatys.cli.jobs import find_jobs
from gatys.cli.option_checks import check_options
from gatys.cli.picture_lists import find_pictures, left_out, styles_told
from gatys.cli.preset_options import parse_options
from gatys.errors import ImageError

QUICK = ["--size", "48", "--steps", "1", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1"]
QUICK += ["--content-layers", "conv1_1"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where each test works: two pictures in `photos`, one with a blank and a letter beyond ASCII."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for name in ("photos", "home"):
        Path(name).mkdir()
    drawing((40, 30), 1).save("photos/a.png")
    drawing((40, 30), 2).save("photos/élan vital.png")
    drawing((36, 30), 9).save("style.png")


@pytest.fixture
def loaded(monkeypatch):
    net = gatys.load_vgg("untrained")
    monkeypatch.setattr(cli, "load_vgg", lambda *given, **rest: net)


# lists

PLAIN = "a.png\nélan vital.png\n"
LISTS = {
    "UTF-8": PLAIN.encode(),
    "UTF-8 with a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16, little end first": b"\xff\xfe" + PLAIN.encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "Windows' lines": PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
    "old Macs' lines": PLAIN.replace("\n", "\r").encode(),
    "no last line's end": PLAIN.rstrip().encode(),
    "quotes": "\"a.png\"\n'élan vital.png'\n".encode(),
    "blank lines and blanks": "\n\n  a.png  \n\t\n\télan vital.png\n\n".encode(),
    "comments": "# mine\na.png\n  # and\nélan vital.png\n".encode(),
    "the same twice": (PLAIN + PLAIN).encode(),
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_any_making(kind):
    Path("photos/list.txt").write_bytes(LISTS[kind])
    assert find_pictures("photos/list.txt") == [Path("photos/a.png"), Path("photos/élan vital.png")]


def test_paths_in_lists(tmp_path):
    lines = ["~/b.png", str(tmp_path / "c.png"), "../style.png", "'~/quoted #1.png'", '"#2.png"', "it's.png", "'", "''"]
    Path("photos/LIST.TXT").write_text("\n".join(lines))
    home, here = tmp_path / "home", Path("photos")
    expected = [home / "b.png", tmp_path / "c.png", here / "../style.png", home / "quoted #1.png", here / "#2.png"]
    assert find_pictures("photos/LIST.TXT") == [*expected, here / "it's.png", here / "'", here / "''"]


def test_a_name_that_has_quotes_itself():
    Path("photos/'a'").touch()
    Path("photos/list.txt").write_text("'a'\n'a.png'\n")
    assert find_pictures("photos/list.txt") == [Path("photos/'a'"), Path("photos/a.png")]


def test_letters_that_only_python_takes_for_the_end_of_a_line():
    Path("photos/list.txt").write_text("a\x0bb.png\nc\x85d.png\ne\u2028f.png\n", "utf-8")
    assert [path.name for path in find_pictures("photos/list.txt")] == ["a\x0bb.png", "c\x85d.png", "e\u2028f.png"]


@pytest.mark.skipif(os.name != "posix", reason="names are Unicode there")
def test_names_that_are_no_unicode():
    name = b"photos/caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes(Path("photos/a.png").read_bytes())
    Path("photos/list.txt").write_bytes(b"a.png\ncaf\xe9.png\n")
    assert os.fsencode(find_pictures("photos/list.txt")[1]) == name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"a.png\n\xe9lan vital.png\n",
            "CONTENT: line 2 of the list 'photos/list.txt' is no UTF-8; save the list as UTF-8",
        ),
        (
            PLAIN.encode("utf-16-le"),
            "CONTENT: line 1 of the list 'photos/list.txt' is no UTF-8; save the list as UTF-8",
        ),
        (b"~\0a.png\n", "CONTENT: line 1 of the list 'photos/list.txt' is no UTF-8; save the list as UTF-8"),
        (b"\xff\xfea", "CONTENT: the list 'photos/list.txt' is damaged UTF-16; save it as UTF-8"),
        (b"# none\n", "CONTENT: expected pictures in 'photos/list.txt', got none; put some there, or give a picture"),
    ],
)
def test_lists_that_are_refused(data, said):
    Path("photos/list.txt").write_bytes(data)
    with pytest.raises(ImageError) as problem:
        find_pictures("photos/list.txt")
    assert str(problem.value) == said


@pytest.mark.parametrize(("content", "what"), [("photos", "folder"), ("list.txt", "list")])
def test_what_the_system_will_not_give(monkeypatch, content, what):
    Path("list.txt").write_text(PLAIN)

    def refuse(*given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    said = rf"^CONTENT: the {what} '{content}' cannot be read \(Permission denied\); check its permissions$"
    with pytest.raises(ImageError, match=said):
        find_pictures(content)


def test_a_list_paints_what_it_names(loaded, capsys):
    Path("photos/list.txt").write_bytes(LISTS["Windows' lines"])
    assert cli.main(["photos/list.txt", "style.png", *QUICK, "-o", "out"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out: 2 pictures, 2 made"


# folders


def test_hidden_files_and_those_of_macos_are_no_pictures():
    for name in (".a.png", "._a.png", ".DS_Store", "._élan vital.png"):
        Path("photos", name).write_bytes(b"\0\5\x16\7")
    assert [path.name for path in find_pictures("photos")] == ["a.png", "élan vital.png"]
    assert left_out("photos") == ""


def test_other_kinds_are_counted_and_named(loaded, capsys):
    for name in ("1.CR2", "2.cr2", "3.mov", "notes", "4.xmp", "5.xmp", "6.xmp", "x.a", "y.b", "z.c"):
        Path("photos", name).touch()
    Path("photos/more").mkdir()
    said = "photos: left out 10 files that are no pictures, or of a kind that is not read: 3 .xmp, 2 .cr2, 1 .mov, "
    assert left_out("photos").startswith(said) and left_out("photos").endswith(" and 2 others")
    assert cli.main(["photos", "style.png", *QUICK, "-o", "out"]) == 0
    assert capsys.readouterr().err.count(f"gatys: {said}") == 1
    assert cli.main(["photos", "style.png", *QUICK, "-o", "out", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_one_file_of_another_kind():
    Path("photos/notes").touch()
    said = "photos: left out 1 file that is no picture, or of a kind that is not read: 1 without a suffix"
    assert left_out("photos") == said and left_out("style.png") == ""


def test_a_folder_of_other_kinds_says_which():
    Path("raw").mkdir()
    for name in ("1.cr2", "2.cr2"):
        Path("raw", name).touch()
    with pytest.raises(
        ImageError, match=r"^CONTENT: expected pictures in 'raw', got none \(2 .cr2 are not read\); put some"
    ):
        find_pictures("raw")
    Path("raw/2.cr2").unlink()
    with pytest.raises(ImageError, match=r"got none \(1 .cr2 is not read\); "):
        find_pictures("raw")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_link_that_leads_nowhere_is_missed_and_a_pipe_is_not():
    os.mkfifo("photos/pipe.png")
    Path("photos/lost.png").symlink_to("gone.png")
    Path("photos/sub.png").mkdir()
    assert [path.name for path in find_pictures("photos")] == ["a.png", "lost.png", "élan vital.png"]


def test_results_do_not_come_among_the_pictures():
    said = "^--out: the results would come among the pictures, in '{}'; give another folder$"
    with pytest.raises(ImageError, match=said.format("photos/")):
        find_jobs("photos", "photos/")
    Path("list.txt").write_text("photos/a.png\n")
    with pytest.raises(ImageError, match=said.format("photos")):
        find_jobs("list.txt", "photos")
    assert len(find_jobs("list.txt", "photos/results")) == 1


# what a shell makes of photos/*.jpg


def test_how_many_pictures_became_styles_is_told(loaded, capsys):
    several = ["photos/a.png", "photos/élan vital.png", "style.png", "-o", "out.png", *QUICK]
    assert cli.main(several) == 0
    line = "gatys: 2 pictures are styles: photos/élan vital.png, style.png; CONTENT is photos/a.png alone: for each picture "
    assert line + "in turn, give the folder 'photos' as CONTENT\n" in capsys.readouterr().err
    assert cli.main(["photos/a.png", "style.png", "-o", "out.png", *QUICK]) == 0
    assert "styles:" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "styles", "hinted"),
    [
        ("photo.jpg", ["one.jpg", "two.jpg"], False),
        ("photos/photo.jpg", ["styles/one.jpg", "styles/two.jpg"], False),
        ("a.jpg", ["b.jpg", "c.jpg", "style.jpg"], True),
        ("a.jpg", ["b.jpg", "styles/style.jpg"], True),
        ("c.jpg", ["b.jpg", "a.jpg", "style.jpg"], False),
        ("p/a.jpg", [f"p/b{index}.jpg" for index in range(8)] + ["s.jpg"], True),
    ],
)
def test_where_a_shell_has_had_its_hand(content, styles, hinted):
    line = styles_told(content, styles)
    assert line.startswith(f"{len(styles)} pictures are styles: {styles[0]}, {styles[1]}")
    assert ("for each picture in turn" in line) == hinted
    assert (" and 4 others" in line) == (len(styles) == 9)


def test_a_folder_of_pictures_may_have_a_folder_of_results():
    for content in ("photos", "list.txt"):
        check_options(parse_options([content, "style.png", "-o", "results/"]))


@pytest.mark.parametrize("out", ["results/", "photos"])
def test_results_in_a_folder_are_for_a_folder_of_pictures(capsys, out):
    assert cli.main(["photos/a.png", "photos/élan vital.png", "style.png", "-o", out]) == 2
    said = (
        f"gatys: error: --out: {out!r} is a folder, for many pictures, but CONTENT is one, 'photos/a.png', and the 2 "
    )
    said += "others are styles; give a folder of pictures as CONTENT, or the name of a file as --out\n"
    assert capsys.readouterr().err == said
