"""A result says how it was made, and `--like` makes it again; `--strip` and `--no-overwrite`."""

import hashlib
import json
import os
from dataclasses import fields
from pathlib import Path

import pytest
from pictures import drawing
from PIL import Image, PngImagePlugin

from gatys import load_vgg
from gatys.cli import command as cli
from gatys.cli import record
from gatys.cli.parsed import Options
from gatys.errors import ImageError
from gatys.pictures.images import read_image
from gatys.pictures.metadata import read_record
from gatys.settings import __version__

QUICK = ["--size", "48", "--steps", "2", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1,conv2_1=0.1"]
QUICK += ["--content-layers", "conv2_2", "--quiet"]


@pytest.fixture(scope="session")
def nets():
    return {seed: load_vgg(f"untrained:{seed}") for seed in (0, 1)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, nets):
    """Where each test works: content.png, style.png, other.png, mask.png; networks cost nothing."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("content", "style", "other")):
        drawing((60, 48), seed).save(f"{name}.png")
    Image.new("L", (60, 48), 255).save("mask.png")
    monkeypatch.setattr(cli, "load_vgg", lambda weights, *_, **__: nets[1 if weights == "untrained:1" else 0])
    return tmp_path


def run(*argv):
    return cli.main([*map(str, argv)])


def refusal(capsys, *argv):
    """The one sentence of a run that is refused."""
    capsys.readouterr()
    before = sorted(os.listdir())
    assert run(*argv) == 2 and sorted(os.listdir()) == before
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("gatys: error: ") and lines[-1].isprintable()
    return lines[-1]


def sha256(name):
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_every_option_is_recorded_or_makes_no_difference():
    elsewhere = {
        "out",
        "workers",
        "strip",
        "no_overwrite",
        "like",
        "config",
        "save_style",
        "overwrite_style",
        "device",
        "memory",
    }
    elsewhere |= {
        "checkpoint",
        "checkpoint_every",
        "save_every",
        "time_lapse",
        "time_lapse_every",
        "trace",
        "sweep",
        "cells",
        "verbosity",
        "filled",
        "of_pictures",
        "expected_filters",
        "tolerance",
        "quality",
    }
    assert {*record._SETTINGS, *record._FILM, *record._FILES} | elsewhere == {field.name for field in fields(Options)}


def test_what_a_record_says(nets):
    assert run("content.png", "style.png", *QUICK, "-o", "a.png", "--no-normalize", "--tv-weight", "1e-3") == 0
    said = read_record("a.png")
    assert said["gatys"] == __version__ and said["steps"] == 2
    assert said["files"] == {
        name: [{"name": f"{name}.png", "sha256": sha256(f"{name}.png")}] for name in ("content", "style")
    }
    tag = nets[0].tag
    assert said["filters"] == {"name": tag.weights, "network": tag.architecture, "digest": tag.fingerprint}
    settings = said["options"]
    assert (settings["size"], settings["steps"], settings["tv-weight"]) == ("48", "2", "0.001")
    assert settings["normalize"] is False and settings["style-layers"] == "conv1_1=1.0,conv2_1=0.1"


def test_a_record_tells_no_folders(tmp_path):
    assert run(tmp_path / "content.png", tmp_path / ".." / tmp_path.name / "style.png", *QUICK, "-o", "a.png") == 0
    assert str(tmp_path).encode() not in Path("a.png").read_bytes()
    assert [file["name"] for kind in read_record("a.png")["files"].values() for file in kind] == [
        "content.png",
        "style.png",
    ]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_like_makes_the_same_picture_again(name):
    assert run("content.png", "style.png", *QUICK, "--seed", "3", "--init", "noise", "-o", name) == 0
    assert run("--like", name, "-o", f"again{name}", "--quiet", "--device", "cpu") == 0
    assert sha256(name) == sha256(f"again{name}")  # record and all


@pytest.mark.parametrize(
    "more",
    [
        ["other.png", "--blend", "0.7", "--blend", "-0.1"],
        ["other.png", "--style-mask", "mask.png", "--style-mask", "mask.png", "--propagation", "inside"],
        ["--init", "other.png", "--steps", "2,1", "--levels", "2", "--size", "64", "--tile", "none", "--no-graphs"],
        ["--match-colors", "pca", "--keep-luminance", "--padding", "circular", "--depth", "16"],
        ["--strength", "0.9", "--file-quality", "80"],
        ["--optimizer", "adam", "--learning-rate", "0.1", "--preset", "neural-style", "--weights", "untrained"],
        ["--load-style", "kept.safetensors"],
    ],
)
def test_like_repeats_every_kind_of_run(more):
    if "--load-style" in more:
        assert run("content.png", "style.png", *QUICK, "--save-style", "kept.safetensors", "-o", "first.png") == 0
    assert run("content.png", "style.png", *QUICK, *more, "-o", "a.png") == 0
    assert run("--like", "a.png", "-o", "b.png", "--quiet", "--device", "cpu") == 0
    assert sha256("a.png") == sha256("b.png")


def test_a_texture_and_a_reconstruction(capsys):
    assert run("-", "style.png", *QUICK, "-o", "a.png") == 0
    assert run("content.png", "--style-weight", "0", "--init", "noise", *QUICK, "-o", "b.png") == 0
    for name in ("a.png", "b.png"):
        assert run("--like", name, "-o", "again.png", "--quiet", "--device", "cpu") == 0
        assert sha256(name) == sha256("again.png")


def test_explicit_options_win():
    assert run("content.png", "style.png", "other.png", "--blend", "1", "--blend", "2", *QUICK, "-o", "a.png") == 0
    how = ["--quiet", "--device", "cpu", "-o", "b.png"]
    assert run("other.png", "--like", "a.png", *how, "--seed", "5", "--steps", "1") == 0
    said = read_record("b.png")
    assert said["files"]["content"][0]["name"] == "other.png" and len(said["files"]["style"]) == 2
    assert (said["options"]["seed"], said["options"]["steps"], said["options"]["blend"]) == ("5", "1", ["1.0", "2.0"])
    assert run("content.png", "other.png", "--like", "a.png", *how) == 0  # another style, without the shares of those
    said = read_record("b.png")
    assert [file["name"] for file in said["files"]["style"]] == ["other.png"] and said["options"]["blend"] == []
    assert run("--like", "a.png", *how, "--quality", "draft", "--size", "40", "--steps", "1", "--levels", "1") == 0
    said = read_record("b.png")
    assert (said["options"]["size"], said["options"]["style-layers"]) == ("40", "conv1_1=1.0,conv2_1=0.1")
    assert run("--like", "a.png", *how, "--weights", "untrained:1") == 0
    assert read_record("b.png")["filters"]["digest"] != said["filters"]["digest"]


def test_pictures_are_found_beside_the_result(tmp_path, monkeypatch):
    Path("-c.png").write_bytes(Path("content.png").read_bytes())
    assert run("./-c.png", "style.png", *QUICK, "-o", "a.png") == 0
    assert run("--like", "a.png", "-o", "b.png", "--quiet", "--device", "cpu") == 0
    assert sha256("a.png") == sha256("b.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("--like", "../a.png", "-o", "c.png", "--quiet", "--device", "cpu") == 0
    assert (read_image("c.png").pixels == read_image("../a.png").pixels).all()


def test_what_like_refuses(capsys, nets, monkeypatch):
    assert run("content.png", "style.png", *QUICK, "-o", "a.png") == 0
    sentence = "'style.png' does not say how it was made; give a picture that gatys wrote without --strip"
    assert sentence in refusal(capsys, "--like", "style.png")
    assert "there is no file 'none.png'; check the path" in refusal(capsys, "--like", "none.png")
    assert "--preset, --like: each of them fills what is not given" in refusal(
        capsys, "--like", "a.png", "--preset", "udacity"
    )
    monkeypatch.setattr(cli, "load_vgg", lambda *_, **__: nets[1])
    sentence = (
        f"--like: that run had the filters '{nets[0].tag.fingerprint[:8]}', found '{nets[1].tag.fingerprint[:8]}' "
    )
    assert sentence in refusal(capsys, "--like", "a.png")
    drawing((60, 48), 7).save("style.png")
    sentence = "--like: 'style.png' is another file than in that run; give the one that you want as STYLE"
    assert sentence in refusal(capsys, "--like", "a.png")
    Path("content.png").rename("moved.png")
    sentence = "--like: 'content.png' of that run is neither here nor beside 'a.png'; give it as CONTENT"
    assert sentence in refusal(capsys, "--like", "a.png")
    assert "the following arguments are required: CONTENT" in refusal(capsys, "-o", "x.png")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"options": {"save_style": "x.safetensors"}},
            "was made with the option 'save_style', which is not known here",
        ),
        ({"options": {"future-\x1b[1m": 1}}, "which is not known here; update gatys"),
        ({"options": None}, "--like: the record in 'a.png' is damaged; give the options yourself"),
        ({"files": {"content": [1]}}, "is damaged"),
        ({"files": {"content": [{"name": "content.png"}]}}, "is damaged"),
        ({"files": 5}, "is damaged"),
        ({"filters": []}, "is damaged"),
        ({"options": {"steps": "many"}}, "--steps: expected"),
        ({"options": {"weights": 5}}, "is damaged"),
    ],
)
def test_records_that_lie(capsys, change, sentence):
    whole = {"gatys": "9", "options": {}, "files": {}, "filters": {"digest": "0"}}
    info = PngImagePlugin.PngInfo()
    info.add_text("gatys", json.dumps(whole | change))
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=info)
    assert sentence in refusal(capsys, "--like", "a.png")


# what the content says, --strip


def photograph():
    exif = Image.Exif()
    exif[0x0112], exif[33432] = 6, "(c) Somebody"
    exif[0x8825] = {1: "N", 2: (48.0, 31.0, 12.0)}
    drawing((48, 60), 0).save("photo.jpg", exif=exif.tobytes(), dpi=(300, 300))


def test_what_the_content_says_is_kept_or_stripped():
    photograph()
    assert run("photo.jpg", "style.png", *QUICK, "-o", "a.png") == 0
    with Image.open("a.png") as image:
        exif = image.getexif()
        assert exif[33432] == "(c) Somebody" and exif[0x0112] == 1 and exif.get_ifd(0x8825)[1] == "N"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02) and image.size == (48, 38)
    assert run("photo.jpg", "style.png", *QUICK, "-o", "b.png", "--strip") == 0
    with Image.open("b.png") as image:
        assert image.info.keys() == {"srgb"} and not image.getexif()
    assert (read_image("a.png").pixels == read_image("b.png").pixels).all()


def test_a_style_alone_gives_no_metadata_of_its_own():
    photograph()
    assert run("-", "photo.jpg", *QUICK, "-o", "a.png") == 0
    with Image.open("a.png") as image:
        assert 33432 not in image.getexif() and "dpi" not in image.info


# --no-overwrite, links


def test_no_overwrite(capsys, monkeypatch):
    Path("a.png").write_bytes(b"precious")
    monkeypatch.setattr(cli, "load_inputs", None)  # nothing is done before
    sentence = "'a.png' exists already; give another path, or leave out --no-overwrite"
    assert sentence in refusal(capsys, "content.png", "style.png", *QUICK, "-o", "a.png", "--no-overwrite")
    assert Path("a.png").read_bytes() == b"precious"
    monkeypatch.undo()


def test_a_file_that_appears_meanwhile_is_kept_and_the_picture_too(capsys, monkeypatch):
    paint = cli.optimize

    def slow(*given, **settings):
        Path("a.png").write_bytes(b"precious")
        return paint(*given, **settings)

    monkeypatch.setattr(cli, "optimize", slow)
    assert run("content.png", "style.png", *QUICK, "-o", "a.png", "--no-overwrite") == 2
    said = capsys.readouterr().err
    assert "'a.png' exists already" in said and "until then it is kept as '" in said
    assert Path("a.png").read_bytes() == b"precious"
    assert read_record(said.rpartition("kept as '")[2].partition("'")[0])["steps"] == 2


def test_out_may_be_a_link(tmp_path):
    Path("pictures").mkdir()
    Path("a.png").symlink_to("pictures/real.png")
    for _ in range(2):
        assert run("content.png", "style.png", *QUICK, "-o", "a.png") == 0
    assert Path("a.png").is_symlink() and os.listdir("pictures") == ["real.png"]


def test_each_picture_of_a_folder_has_a_record_of_its_own():
    Path("in").mkdir()
    for seed in (1, 2):
        drawing((60, 48), seed).save(f"in/{seed}.png")
    assert run("in", "style.png", *QUICK, "-o", "out") == 0
    for seed in (1, 2):
        assert read_record(f"out/{seed}.png")["files"]["content"] == [
            {"name": f"in/{seed}.png", "sha256": sha256(f"in/{seed}.png")}
        ]
    with pytest.raises(ImageError, match="does not say how it was made"):
        read_record("in/1.png")
