"""What pictures say beside their pixels: it is kept, in every format, and read by others' readers."""

import errno
import functools
import io
import json
import os
import struct

import layouts
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from gatys.distributed.rows import write_rows
from gatys.errors import ImageError
from gatys.pictures import images
from gatys.pictures.images import check_output, read_image, write_image
from gatys.pictures.metadata import MAX_RECORD, Metadata, read_metadata, read_record
from gatys.pictures.replacing import replacing

FILES = [("a.png", 8), ("a.png", 16), ("a.jpg", 8), ("a.webp", 8), ("a.tif", 8), ("a.tif", 16)]
MADE = json.dumps({"gatys": "0.1.0", "options": {"steps": "120"}, "quoted": "<a & 'b'> \u00e9 \U0001f3a8"})
GREY = torch.full((1, 3, 24, 32), 0.5)


def photograph(tmp_path, name="photo.jpg", **how):
    """A photograph as a camera writes it, on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[271], exif[272], exif[315], exif[33432] = "Maker", "Model 7", "A. Photographer", "(c) 2026 A. Photographer"
    exif[0x8769] = {
        0x829A: 0.008,
        0x9003: "2026:11:28 05:00:00",
        0xA001: 1,
        0xA002: 640,
        0xA003: 480,
        0x927C: b"x" * 40,
    }
    exif[0x8825] = {1: "N", 2: (48.0, 31.0, 12.0), 3: "E", 4: (9.0, 3.0, 0.0)}
    image = Image.fromarray(np.tile(np.arange(32, dtype=np.uint8)[:, None, None] * 8, (1, 24, 3)))
    image.save(tmp_path / name, exif=exif.tobytes(), **({"dpi": (300, 200)} | how))
    return tmp_path / name


@functools.cache  # it holds the time at which it was made
def adobe_profile():
    """A profile of RGB whose green is purer than sRGB's: its colours are duller where they are taken for sRGB's."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    tags = {
        profile[132 + 12 * i : 136 + 12 * i].decode(): struct.unpack_from(">2I", profile, 136 + 12 * i)
        for i in range(count)
    }
    for tag, xyz in (
        ("rXYZ", (0.60974, 0.31111, 0.01947)),
        ("gXYZ", (0.20528, 0.62567, 0.06087)),
        ("bXYZ", (0.14919, 0.06322, 0.74457)),
    ):
        struct.pack_into(">3i", profile, tags[tag][0] + 8, *(round(each * 65536) for each in xyz))
    return bytes(profile)


def told(path):
    """What Pillow, and for TIFF tifffile, read: EXIF's tags with those of its parts, and the resolution."""
    with Image.open(path) as image:
        image.load()
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(0x8769)), dict(exif.get_ifd(0x8825)), image.info


@pytest.mark.parametrize(("name", "depth"), FILES)
def test_what_the_content_says_is_kept(tmp_path, caplog, name, depth):
    metadata = read_metadata(photograph(tmp_path))
    write_image(tmp_path / name, GREY, depth=depth, metadata=metadata)
    tags, details, place, info = told(tmp_path / name)
    assert (tags[271], tags[272], tags[315]) == ("Maker", "Model 7", "A. Photographer")
    assert tags[33432] == "(c) 2026 A. Photographer" and tags[305].startswith("gatys ")
    assert tags.get(0x0112, 1) == 1  # upright
    assert (float(details[0x829A]), details[0x9003], details[0xA001]) == (0.008, "2026:11:28 05:00:00", 1)
    assert details.keys().isdisjoint({0xA002, 0xA003, 0x927C})  # the content's own size, and places in its file
    assert (place[1], [float(each) for each in place[2]]) == ("N", [48, 31, 12])
    if name != "a.webp":
        assert [float(each) for each in info["dpi"]] == pytest.approx([300, 200], abs=0.02)
    assert [float(tags[282]), float(tags[283]), tags[296]] == [300, 200, 2]
    assert torch.allclose(read_image(tmp_path / name).pixels, GREY, atol=2.01 / 255)
    assert read_metadata(tmp_path / name).tags == metadata.tags | {}  # and so on, from result to result
    assert not caplog.records


@pytest.mark.parametrize(("name", "depth"), FILES)
def test_the_record_comes_back(tmp_path, name, depth):
    write_image(tmp_path / name, GREY, depth=depth, metadata=Metadata(MADE))
    assert read_record(tmp_path / name) == json.loads(MADE)
    with Image.open(tmp_path / name) as image:
        if name == "a.png":
            assert json.loads(image.info["gatys"]) == json.loads(MADE)
        else:
            from xml.etree import ElementTree

            xmp = image.info.get("xmp") or image.tag_v2[700]
            root = ElementTree.fromstring(xmp)  # noqa: S314 - the test's own
            assert json.loads(root.find(".//{urn:gatys-style-transfer/}made").text) == json.loads(MADE)
    if name == "a.tif":
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.pages[0].asarray().shape == (24, 32, 3)
            assert bytes(file.pages[0].tags.valueof(700)).startswith(b"<?xpacket")


@pytest.mark.parametrize(("name", "depth"), FILES)
def test_without_metadata_there_is_none(tmp_path, name, depth):
    write_image(tmp_path / name, GREY, depth=depth)
    tags, details, place, info = told(tmp_path / name)
    assert not details and not place and tags.keys().isdisjoint({305, 315, 33432, 271, 700})
    assert "gatys" not in info and "xmp" not in info and "icc_profile" not in info
    if name == "a.tif":  # a TIFF has to name one
        assert info["dpi"] == (72, 72)
    with pytest.raises(ImageError, match=f"{name}' does not say how it was made; give a picture that gatys wrote"):
        read_record(tmp_path / name)


def test_a_tiff_by_rows_says_it_too(tmp_path):
    metadata = read_metadata(photograph(tmp_path))
    write_rows(tmp_path / "a.tif", (24, 32), 3, [GREY[0]], metadata=Metadata(MADE, metadata.tags, dpi=metadata.dpi))
    tags, _, _, info = told(tmp_path / "a.tif")
    assert (tags[271], tags[315], tags[305].partition(" ")[0]) == ("Maker", "A. Photographer", "gatys")
    assert info["dpi"] == (300, 200) and read_record(tmp_path / "a.tif") == json.loads(MADE)
    write_rows(tmp_path / "b.tif", (24, 32), 3, [GREY[0]])
    assert told(tmp_path / "b.tif")[3]["dpi"] == (72, 72)
    with pytest.raises(ImageError, match="b.tif' cannot be written"):
        write_rows(tmp_path / "b.tif", (24, 32), 3, [GREY[0]], overwrite=False)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_the_profile_of_the_content_is_kept_and_the_colours_stay(tmp_path, name):
    photo = photograph(tmp_path, "photo.png", icc_profile=adobe_profile())
    metadata = read_metadata(photo)
    assert metadata.profile == adobe_profile()
    colour = torch.tensor([0.3, 0.6, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    write_image(tmp_path / name, colour, metadata=metadata, quality=100)
    with Image.open(tmp_path / name) as image:
        assert image.info["icc_profile"] == adobe_profile()
        assert image.getexif().get_ifd(0x8769)[0xA001] == 0xFFFF  # not sRGB
        stored = np.array(image)[8, 8] / 255
    assert stored[0] - 0.3 > 0.05  # a wider space has smaller numbers, here nearer to grey
    assert (read_image(tmp_path / name).pixels - colour).abs().max() < (8 if name == "a.webp" else 2.5) / 255


def test_profiles_that_are_not_kept(tmp_path, caplog):
    metadata = Metadata(profile=adobe_profile())
    write_image(tmp_path / "a.png", GREY, depth=16, metadata=metadata)
    assert "a.png is written in sRGB: the content's profile is kept at 8 bits a channel only" in caplog.text
    with Image.open(tmp_path / "a.png") as image:
        assert "icc_profile" not in image.info
    write_image(tmp_path / "b.png", GREY, metadata=Metadata(profile=b"nonsense" * 40))
    assert "b.png is written in sRGB: nothing can be converted to the content's profile" in caplog.text
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_image(tmp_path / "c.png", GREY, metadata=Metadata(profile=srgb))
    with Image.open(tmp_path / "c.png") as image:
        assert image.info["icc_profile"] == srgb and np.array(image)[0, 0].tolist() == [128] * 3
    ink = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "lab.png", icc_profile=ink)
    assert read_metadata(tmp_path / "lab.png").profile is None
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "none.png", icc_profile=b"nonsense" * 40)
    assert read_metadata(tmp_path / "none.png").profile is None


def test_copyright_in_text_chunks_and_xmp(tmp_path):
    data = layouts.png(
        np.zeros((4, 4, 3)), 2, 8, (b"tEXt", b"Copyright\0(c) Somebody"), (b"tEXt", b"Author\0Some Body")
    )
    (tmp_path / "a.png").write_bytes(data)
    assert read_metadata(tmp_path / "a.png").tags == {33432: "(c) Somebody", 315: "Some Body"}
    xmp = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights><rdf:Alt>
    <rdf:li xml:lang="x-default">Mine &amp; yours</rdf:li></rdf:Alt></dc:rights><dc:creator><rdf:Seq>
    <rdf:li>B</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"""
    for name in ("b.jpg", "b.webp"):
        Image.new("RGB", (8, 8)).save(tmp_path / name, xmp=xmp)
        assert read_metadata(tmp_path / name).tags == {33432: "Mine & yours", 315: "B"}
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 4, 3), np.uint8), extratags=[(700, 1, len(xmp), xmp, True)])
    assert read_metadata(tmp_path / "b.tif").tags[33432] == "Mine & yours"


def test_damaged_metadata_is_left_out_and_said(tmp_path, caplog):
    exif = Image.Exif()
    exif[315], exif[33432] = "Artist", "Copyright"
    data = exif.tobytes()[6:]
    for end in range(0, len(data), 3):
        (tmp_path / "a.png").write_bytes(layouts.png(np.zeros((4, 4, 3)), 2, 8, (b"eXIf", data[:end])))
        write_image(tmp_path / "b.png", GREY, metadata=read_metadata(tmp_path / "a.png"))
        assert read_metadata(tmp_path / "b.png").tags.items() <= {315: "Artist", 33432: "Copyright"}.items()
    (tmp_path / "cut.jpg").write_bytes(photograph(tmp_path).read_bytes()[:60])
    assert read_metadata(tmp_path / "cut.jpg") == Metadata()
    assert "the metadata of " in caplog.text and "cut.jpg' is" in caplog.text


def test_values_that_cannot_be_written_are_left_out(tmp_path, caplog, monkeypatch):
    photo = photograph(tmp_path)
    read = Image.Exif.__getitem__
    monkeypatch.setattr(Image.Exif, "__getitem__", lambda exif, tag: object() if tag == 315 else read(exif, tag))
    tags = read_metadata(photo).tags
    assert tags[271] == "Maker" and 315 not in tags
    assert "photo.jpg: the tag 315 of its EXIF is damaged, and left out" in caplog.text


def test_resolutions(tmp_path):
    for dpi in ((300, 300), (72, 150)):
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png", dpi=dpi)
        assert read_metadata(tmp_path / "a.png").dpi == pytest.approx(dpi, abs=0.02)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    assert read_metadata(tmp_path / "b.png").dpi is None
    Image.new("RGB", (8, 8)).save(tmp_path / "one.tif", dpi=(1, 1))  # as Pillow writes where nobody tells it
    assert read_metadata(tmp_path / "one.tif").dpi is None
    exif = Image.Exif()
    exif[282], exif[283], exif[296] = 100, 50, 3  # dots per centimetre
    Image.new("RGB", (8, 8)).save(tmp_path / "c.webp", exif=exif.tobytes())
    assert read_metadata(tmp_path / "c.webp").dpi == (254, 127)


def test_metadata_longer_than_jpeg_holds(tmp_path, caplog):
    long = Metadata(json.dumps("x" * 70000), {270: "y" * 70000})
    write_image(tmp_path / "a.jpg", GREY, metadata=long)
    assert "a.jpg is written without metadata that is longer than JPEG can hold; use .png to keep it" in caplog.text
    assert read_metadata(tmp_path / "a.jpg").tags == {}
    for name in ("a.png", "a.webp", "a.tif"):
        write_image(tmp_path / name, GREY, metadata=long)
        assert read_metadata(tmp_path / name).tags[270] == "y" * 70000


def test_records_that_are_none(tmp_path):
    for text in ("[1]", "{", "[" * 100000, '{"a": "' + "x" * MAX_RECORD + '"}'):
        write_image(tmp_path / "a.png", GREY, metadata=Metadata(text))
        with pytest.raises(ImageError, match="does not say how it was made|is damaged or cut short"):
            read_record(tmp_path / "a.png")
    with pytest.raises(ImageError, match="there is no file '.*none.png'; check the path"):
        read_record(tmp_path / "none.png")
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(ImageError, match="is not a picture that is read here"):
        read_record(tmp_path / "a.txt")


def test_an_exr_says_nothing(tmp_path):
    library = pytest.importorskip("OpenEXR")
    header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
    with library.File(header, {"Y": np.ones((4, 4), np.float32)}) as file:
        file.write(str(tmp_path / "a.exr"))
    assert read_metadata(tmp_path / "a.exr") == Metadata()
    with pytest.raises(ImageError, match="does not say how it was made"):
        read_record(tmp_path / "a.exr")


# links, devices, files that are there


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    target = write_image(tmp_path / "real" / "a.png", GREY)
    (tmp_path / "link.png").symlink_to("real/a.png")
    (tmp_path / "second.png").symlink_to("link.png")
    (tmp_path / "dangling.png").symlink_to("real/new.png")
    for name in ("link.png", "second.png", "dangling.png"):
        path = tmp_path / name
        assert write_image(path, GREY * 0.5) == path
        assert path.is_symlink() and torch.equal(read_image(path).pixels, read_image(path.resolve()).pixels)
        assert read_image(path).pixels[0, 0, 0, 0] == 64 / 255
    assert not target.is_symlink() and sorted(os.listdir(tmp_path / "real")) == ["a.png", "new.png"]
    (tmp_path / "round.png").symlink_to("round.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    for name in ("round.png", "null.png"):
        with pytest.raises(ImageError, match="is a device, or a link that leads nowhere; give the path of a file"):
            write_image(tmp_path / name, GREY)
    with pytest.raises(OSError, match="it is a device or a folder"), replacing(tmp_path / "null.png"):
        pass
    (tmp_path / "lost.png").symlink_to("none/a.png")
    with pytest.raises(ImageError, match="there is no folder '.*none' to write 'lost.png' to; create it first"):
        write_image(tmp_path / "lost.png", GREY)
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_a_file_that_is_there_can_be_kept(tmp_path, monkeypatch):
    path = write_image(tmp_path / "a.png", GREY)
    before = path.read_bytes()
    sentence = "a.png' exists already; give another path, or leave out --no-overwrite"
    with pytest.raises(ImageError, match=sentence):
        check_output(path, overwrite=False)
    with pytest.raises(ImageError, match=sentence):
        write_image(path, GREY * 0, overwrite=False)
    monkeypatch.setattr(images, "check_output", lambda path, depth: path)  # it appears while the picture is made
    with pytest.raises(ImageError, match=sentence):
        write_image(path, GREY * 0, overwrite=False)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.png"]
    assert write_image(tmp_path / "b.png", GREY, overwrite=False).exists()


@pytest.mark.parametrize("call", ["pathlib.Path.write_bytes", "os.replace"])
def test_a_full_disk_names_the_picture_and_no_other_file(tmp_path, monkeypatch, call):
    """As the system does where the size of files is limited (EFBIG), or a disk is full."""

    def full(path, *_):
        raise OSError(errno.EFBIG, "File too large", str(path))

    monkeypatch.setattr(call, full)
    with pytest.raises(ImageError) as problem:
        write_image(tmp_path / "a.png", GREY)
    assert "a.png' cannot be written (File too large)" in str(problem.value)
    assert ".tmp" not in str(problem.value) + str(problem.value.__cause__) and os.listdir(tmp_path) == []


def test_of_a_tiff_only_tags_are_read(tmp_path, monkeypatch):
    """One by rows may be larger than memory."""
    write_image(tmp_path / "a.tif", torch.rand(1, 3, 400, 500), metadata=Metadata(MADE, {315: "A"}, dpi=(300, 300)))
    size, read = os.path.getsize(tmp_path / "a.tif"), 0

    class Counting(io.BufferedReader):
        def read(self, count=-1):
            nonlocal read
            data = super().read(count)
            read += len(data)
            return data

    monkeypatch.setattr("pathlib.Path.open", lambda path, mode: Counting(io.FileIO(path)))
    assert read_metadata(tmp_path / "a.tif").tags == {315: "A"} and read_metadata(tmp_path / "a.tif").dpi == (300, 300)
    assert 0 < read < size / 50


def test_a_length_that_lies_takes_no_memory(tmp_path, caplog):
    """Found by fuzzing: a box of a JPEG 2000 that says it has 2^60 bytes."""
    box = struct.pack(">I4sQ", 1, b"jp2h", 1 << 60)
    (tmp_path / "a.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + box + bytes(40))
    assert read_metadata(tmp_path / "a.jp2") == Metadata() and "a.jp2' is" in caplog.text
    with pytest.raises(ImageError, match="a.jp2' is"):
        read_record(tmp_path / "a.jp2")
