"""Files that are cut off, lie, carry code or lead elsewhere, and disks that are full: refused or survived, in a sentence.

docs/reliability.md lists these. The folder that a test works in is watched: nothing outside of it may change, and inside
only what is meant to.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import EpsImagePlugin, Image
from safetensors.torch import load_file, save_file

import gatys
from gatys import StyleTarget
from gatys.cli import command as cli
from gatys.descent import tensor_file as tensorfile
from gatys.descent.checkpoint import FORMAT, Checkpoint
from gatys.descent.tensor_file import Damaged, read_tensors, write_tensors
from gatys.errors import CheckpointError, ImageError, StyleFileError, WeightsError
from gatys.network import download, state_file, weights
from gatys.network.download import Source
from gatys.network.found_files import IMAGENET_FILE
from gatys.network.layers import LAYERS
from gatys.pictures import decoding, images
from gatys.pictures.images import read_image, write_image
from gatys.pictures.replacing import replacing
from gatys.targets.style_files import save_style
from gatys.targets.style_paths import style_path

pytestmark = pytest.mark.slow

resource = pytest.importorskip("resource", reason="limits on the size of files, which Windows has not")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
POSIX = pytest.mark.skipif(os.name != "posix", reason="names and signals of POSIX")


def tree(folder):
    """Every path below a folder with what is in it."""
    paths = sorted(Path(folder).rglob("*"))
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in paths}


def told(error):
    """The text of an error, which is one sentence of characters that can be printed."""
    text = str(error.value)
    assert text.isprintable() and 20 < len(text) < 1000
    return text


@contextlib.contextmanager
def disk_of(size):
    """No file can grow beyond `size` bytes: what a full disk does, done by the system itself."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def pictures():
    return picture(1, size=(64, 64))


@pytest.fixture(scope="module")
def style():
    net = gatys.load_vgg19("untrained", pooling="average")
    return gatys.extract_style(net, torch.rand(1, 3, 32, 32), layers={"conv1_1": 1.0}, normalize=False)


@pytest.fixture(scope="module")
def checkpoint():
    """A whole VGG-19 in torchvision's layout, of which the file takes no space."""
    state = {}
    for index, layer in zip((0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34), LAYERS.values(), strict=True):
        weight = torch.full((1, 1, 1, 1), 0.01).expand(layer.channels, layer.in_channels, 3, 3)
        state |= {f"features.{index}.weight": weight, f"features.{index}.bias": torch.zeros(1).expand(layer.channels)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


# downloads


class Server:
    """Answers each request on 127.0.0.1 with the bytes that it is given, HTTP and all, and hangs up."""

    def __init__(self, reply, together=1):
        self.reply, self.together = reply, threading.Barrier(together, timeout=60)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/vgg19-fake.pth"

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self.socket.accept()[0],), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            while b"\r\n\r\n" not in connection.recv(4096):
                pass
            half = len(self.reply) // 2
            connection.sendall(self.reply[:half])
            self.together.wait()
            connection.sendall(self.reply[half:])
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


def http(content, *headers, length=True, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(content)}"] if length else [])]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + content


def failed_download(monkeypatch, folder, reply, content):
    """The sentence of a download that fails, whatever its hash; nothing is left."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder /= "models"
    folder.mkdir(exist_ok=True)
    before = tree(folder.parent)
    with Server(reply) as server:
        source = Source(server.url, hashlib.sha256(content).hexdigest()[:8])
        monkeypatch.setattr(weights, "imagenet_source", lambda: source)
        with pytest.raises(WeightsError) as caught:
            gatys.load_vgg19("imagenet", folder=folder, pooling="average")
        assert server.url in told(caught) and str(folder) in told(caught) and "choose 'untrained'" in told(caught)
    assert tree(folder.parent) == before
    return str(caught.value)


@pytest.mark.parametrize("length", [True, False])
def test_a_download_cut_off_at_any_byte(tmp_path, monkeypatch, length):
    content = bytes(range(40))
    reply = http(content, length=length)
    said = [failed_download(monkeypatch, tmp_path, reply[:end], content) for end in range(len(reply))]
    assert ("cut off after 39 of 40 bytes" if length else "SHA-256 of what came begins with") in said[-1]
    assert len(said) > 70


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http(b"other"), "expected"),
        (http(b"", status="404 Not Found"), "404"),
        (http(b"", "Location: file:///etc/passwd", status="302 Found"), "not allowed"),
        (http(b"", "Location: /vgg19-fake.pth", status="302 Found"), "redirect"),
        (http(b"x" * 50, "Content-Length: 1e9", length=False), "expected"),
        (http(b"x" * 50, "Content-Length: -7", length=False), "expected"),
        (http(b"x" * 50, "Content-Length: 99999999999999999999", length=False), "cut off after 50 of"),
        (http(b"zz\r\nno chunk", "Transfer-Encoding: chunked", length=False), ""),
        (http(b"x", *[f"X-{n}: y" for n in range(200)]), "headers"),
        (http(b"x", "X: " + "y" * 70_000), "header"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"", ""),
    ],
)
def test_a_server_that_lies(tmp_path, monkeypatch, reply, words):
    assert words in failed_download(monkeypatch, tmp_path, reply, b"what was asked for")


def test_a_download_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 20)
    assert "more than 1048576 bytes came" in failed_download(monkeypatch, tmp_path, http(bytes(3 << 20)), b"")


@pytest.mark.parametrize("room", [4096, 1 << 20])
def test_a_disk_that_fills_during_the_download(tmp_path, monkeypatch, checkpoint, room):
    assert 4096 < len(checkpoint) < 1 << 20  # so that first the download fails, then what is kept of it
    with disk_of(room):
        said = failed_download(monkeypatch, tmp_path, http(checkpoint), checkpoint)
    assert os.strerror(errno.EFBIG) in said


@pytest.mark.parametrize("folder", ["/proc/gatys", "/dev/null/gatys"])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to, root included")
def test_a_folder_that_cannot_be_written_to(folder, monkeypatch):
    monkeypatch.setattr(weights, "imagenet_source", lambda: Source("http://127.0.0.1:9/vgg19-0.pth", "0"))
    with pytest.raises(WeightsError) as caught:
        gatys.load_vgg19("imagenet", folder=folder, pooling="average")
    assert folder in told(caught)


def test_a_read_only_folder_that_has_the_weights_serves(tmp_path, monkeypatch, checkpoint):
    (tmp_path / "vgg19-0.pth").write_bytes(checkpoint)
    monkeypatch.setattr(weights, "imagenet_source", lambda: Source("http://127.0.0.1:9/vgg19-0.pth", "0"))
    for function in ("mkdir", "replace", "rename", "unlink"):  # root may write anywhere: whatever would, fails
        monkeypatch.setattr(os, function, lambda *_, **__: pytest.fail("wrote to a read-only folder"))
    assert gatys.load_vgg19("imagenet", folder=tmp_path, pooling="average").tag.weights == "imagenet"


def test_a_damaged_file_of_an_earlier_download_says_what_to_delete(tmp_path):
    (tmp_path / IMAGENET_FILE).write_bytes(b"\0" * 1000)
    with pytest.raises(WeightsError) as caught:
        gatys.load_vgg19("imagenet", folder=tmp_path, pooling="average")
    assert f"or delete {tmp_path / IMAGENET_FILE}, which is then downloaded again" in told(caught)


def test_two_processes_that_download_at_once(tmp_path, checkpoint):
    script = f"""
        from pathlib import Path
        from gatys.network import weights
        weights.imagenet_source = lambda: weights.Source({{url!r}}, {hashlib.sha256(checkpoint).hexdigest()[:8]!r})
        state = weights.load_vgg19("imagenet", folder={str(tmp_path / "models")!r}).state_dict()
        print(len(state), float(state["conv5_4.weight"].sum()))
    """
    source = Path(weights.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(source), "no_proxy": "127.0.0.1"}
    with Server(http(checkpoint), together=2) as server:  # neither gets the second half before both have the first
        command = [sys.executable, "-c", textwrap.dedent(script).format(url=server.url)]
        running = [
            subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        printed = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert printed[0][0] == printed[1][0] and printed[0][0].startswith(b"34 ")
    assert os.listdir(tmp_path / "models") == [IMAGENET_FILE]
    assert len(load_file(tmp_path / "models" / IMAGENET_FILE)) == 34


def test_one_that_comes_second_keeps_what_the_first_has_made(tmp_path, monkeypatch, checkpoint):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(http(checkpoint)) as server:
        source = Source(server.url, hashlib.sha256(checkpoint).hexdigest()[:8])
        monkeypatch.setattr(weights, "imagenet_source", lambda: source)
        monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("replaced a file that may be in use"))

        def first(done, total):
            if not (tmp_path / IMAGENET_FILE).exists():
                save_file({"first": torch.zeros(1)}, tmp_path / IMAGENET_FILE)

        with pytest.raises(WeightsError, match="no VGG-19 or VGG-16 among its 1 keys"):
            gatys.load_vgg19("imagenet", folder=tmp_path, progress=first, pooling="average")
    assert list(load_file(tmp_path / IMAGENET_FILE)) == ["first"] and os.listdir(tmp_path) == [IMAGENET_FILE]


def test_what_a_killed_download_left_is_swept_and_no_others(tmp_path, monkeypatch):
    for name, age in ((".vgg19-old", 100_000), (".vgg19-new", 0), ("vgg19-mine", 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "coming").write_bytes(b"part")
        for path in (tmp_path / name / "coming", tmp_path / name):
            os.utime(path, (time.time() - age,) * 2)
    monkeypatch.setattr(weights, "imagenet_source", lambda: Source("http://127.0.0.1:9/vgg19-0.pth", "0"))
    with pytest.raises(WeightsError):
        gatys.load_vgg19("imagenet", folder=tmp_path, pooling="average")
    assert sorted(os.listdir(tmp_path)) == [".vgg19-new", "vgg19-mine"]


# checkpoints


def pickled(name, argument=b"\x8c\x0cI-was-here.x", call=b"\x85R"):
    """A pickle that calls the function `name`, 'module function'."""
    return b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n" + argument + call + b"."


CODE = {
    "global": pickled("os mkdir"),
    "a name of builtins": pickled("builtins eval", b"\x8c\x19__import__('os').mkdir(1)"),
    "stack global": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c\x0aI-was-here\x85R.",
    "instance": b"(X\x0a\0\0\0I-was-hereios\nmkdir\n.",
    "object": b"(cos\nmkdir\nX\x0a\0\0\0I-was-hereo.",
    "behind an innocent one": b"\x80\x02ccollections\nOrderedDict\n)R" + pickled("os mkdir")[2:],
    "memory without end": pickled("builtins bytearray", b"\x8a\x06\0\0\0\0\0\x01"),
}


@pytest.mark.parametrize("form", ["zip", "bare", "second"])
@pytest.mark.parametrize("kind", CODE)
def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch, kind, form):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "code.pth"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("code/data.pkl", CODE[kind])
            archive.writestr("code/version", "3\n")
    else:  # as torch wrote before 1.6: a magic number, the version, the system, the state
        first = [b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03.", b"\x80\x02}."]
        path.write_bytes(b"".join(first[: 3 * (form == "second")]) + CODE[kind])
    before = tree(tmp_path)
    with pytest.raises(WeightsError) as caught:
        gatys.load_vgg19(path, pooling="average")
    assert "never run" in told(caught) or "no checkpoint that PyTorch reads safely" in told(caught)
    with pytest.raises(StyleFileError):
        StyleTarget.load(path)
    assert tree(tmp_path) == before


def bomb(kind):
    innocent = b"\x80\x02}q\x00."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind == "zip bomb":
            archive.writestr("a/data.pkl", innocent)
            archive.writestr("a/data/0", bytes(1 << 26))
        elif kind == "compressed pickle":
            archive.writestr("a/data.pkl", b"\x80\x02" + b"}0" * (1 << 20) + innocent[2:])
        elif kind == "long pickle":
            archive.writestr("a/data.pkl", b"\xff}0" * (3 << 20), zipfile.ZIP_STORED)
        elif kind == "the same name twice":
            archive.writestr("a/data.pkl", innocent, zipfile.ZIP_STORED)
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a/data.pkl", CODE["memory without end"], zipfile.ZIP_STORED)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("zip bomb", "would unpack to 6710"),
        ("compressed pickle", "would unpack to 20"),
        ("long pickle", "cut off, damaged"),
        ("the same name twice", "two parts of the same name"),
    ],
)
def test_archives_that_swell(tmp_path, kind, words):
    (tmp_path / "bomb.pth").write_bytes(bomb(kind))
    with pytest.raises(WeightsError, match=words) as caught:
        gatys.load_vgg19(tmp_path / "bomb.pth", pooling="average")
    told(caught)


def test_a_pickle_of_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(state_file, "_MAX_PICKLE", 1000)
    torch.save({f"{number}": number for number in range(1000)}, tmp_path / "long.pth")
    with pytest.raises(WeightsError, match="more than 1000 bytes besides its tensors") as caught:
        gatys.load_vgg19(tmp_path / "long.pth", pooling="average")
    told(caught)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_checkpoint_that_is_too_large_is_not_read(tmp_path, suffix):
    path = tmp_path / f"large{suffix}"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space
    with pytest.raises(WeightsError, match="large.* has 1099511627776 bytes, more than any VGG ") as caught:
        gatys.load_vgg19(path, pooling="average")
    told(caught)


def lying(**change):
    entry = {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]} | change
    return json.dumps({"conv1_1.weight": entry}).encode()


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (lying(data_offsets=[0, 2**40]), None),
        (lying(data_offsets=[256, 0]), None),
        (lying(data_offsets=[-256, 0]), None),
        (lying(data_offsets=[4, 260]), None),
        (lying(shape=[63]), None),
        (lying(shape=[2**62, 4]), None),
        (lying(shape=[-64]), None),
        (lying(dtype="F33"), None),
        (lying(dtype="F64"), None),
        (lying()[:-1] + b', "b": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}', None),  # overlapping
        (lying()[:-1] + b', "__metadata__": {"a": 1}}', None),
        (b"{" * 100_000, None),
        (b'{"a":' * 100_000, None),
        (b"\xff\xfe", None),
        (b"", None),
        (lying(), 2**63),
        (lying(), 2**64 - 1),
        (lying(), 99_999_999),
        (lying(), 100_000_001),
        (lying(), 0),
        (lying(), 3),
    ],
)
def test_a_safetensors_header_that_lies(tmp_path, header, length):
    path = tmp_path / "lies.safetensors"
    size = len(header) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + header + bytes(256))
    with pytest.raises(WeightsError, match="lies.safetensors is cut off, damaged or not") as caught:
        gatys.load_vgg19(path, pooling="average")
    told(caught)


def test_names_inside_a_file_are_not_printed_as_they_are(tmp_path):
    save_file({"\x1b]0;gotcha\x07\n" + "x" * 5000: torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="no VGG-19 or VGG-16 among its 1 keys") as caught:
        gatys.load_vgg19(tmp_path / "a.safetensors", pooling="average")
    told(caught)


# pictures


def png_that_claims(width, height):
    def chunk(kind, content):
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\0\0\0") + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None])  # ComfyUI's other packs may have set it
@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1)])
def test_an_image_bomb(tmp_path, monkeypatch, limit, width, height):
    Image.init()  # some of Pillow's modules load pictures of their own
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    (tmp_path / "bomb.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(ImageError, match="pixels, which is not safe to open; shrink it") as caught:
        read_image(tmp_path / "bomb.png")
    told(caught)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a file without end")
def test_a_file_without_end(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 1 << 20)
    with pytest.raises(ImageError, match="has more than 1048576 bytes, which is not safe to open"):
        read_image("/dev/zero")


def test_no_other_program_reads_a_picture(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "a.eps")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started Ghostscript"))
    for name in ("a.eps", "a.png"):
        (tmp_path / "a.eps").rename(tmp_path / name)
        (tmp_path / name).rename(tmp_path / "a.eps")
        with pytest.raises(ImageError, match="is not a picture that is read here; convert it to PNG or JPEG"):
            read_image(tmp_path / "a.eps")


# names

LONG = {  # of 255 bytes with .png, which is what file systems take
    "plain": "a" * 251 + ".png",
    "two bytes": "é" * 125 + "x.png",
    "three bytes": "画" * 83 + "xx.png",
    "emoji": "🖼" * 62 + "xxx.png",
}
NAMES = {
    "umlaut": "Gemälde.png",
    "composed otherwise": "Gema\u0308lde.png",
    "right to left": "לוח.png",
    "dots": "a..b.png",
}
NAMES |= {"spaces": "  a b .png", "quotes": 'it\'s "a".png', "newline": "a\nb.png", "backslash": "a\\..\\b.png"}


@POSIX
@pytest.mark.parametrize("name", [*LONG.values(), *NAMES.values(), os.fsdecode(b"not-utf-8-\xff.png")])
def test_names_that_pictures_may_have(tmp_path, monkeypatch, pictures, name):
    monkeypatch.chdir(tmp_path)
    write_image(name, pictures)
    assert os.listdir(tmp_path) == [name]
    assert read_image(name).pixels.shape == pictures.shape


@pytest.mark.parametrize("name", ["a" * 252 + ".png", "é" * 126 + ".png", "a\0b.png", "x/" * 3000 + "a.png"])
def test_names_that_no_file_can_have(tmp_path, monkeypatch, pictures, name):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: write_image(name, pictures), lambda: images.check_output(name), lambda: read_image(name)):
        with pytest.raises(ImageError) as caught:
            call()
        assert str(caught.value).isprintable()
    with pytest.raises(WeightsError, match="there is no file"):
        gatys.load_vgg19(f"{name}.safetensors", pooling="average")
    with pytest.raises(StyleFileError):
        StyleTarget.load(name)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", [*LONG.values(), *NAMES.values()])
def test_names_that_styles_may_have(tmp_path, style, name):
    stem = name.removesuffix(".png")
    while len(stem.encode()) > 255 - len(".safetensors"):
        stem = stem[:-1]
    if "\n" in stem or '"' in stem or "\\" in stem:  # no file of Windows has such a name
        with pytest.raises(ValueError, match="name: expected a name like"):
            style_path(tmp_path, stem)
        return
    path = style_path(tmp_path, stem)
    save_style(style, path)
    assert path.parent == tmp_path and os.listdir(tmp_path) == [path.name]
    assert StyleTarget.load(path).network == style.network


TRICKS = ["../out", "..\\out", "a/../../out", "/out", "\\out", "C:\\out", "C:out", "\\\\server\\share\\out", "out\0"]
TRICKS += ["....//out", "..", ".", "", "a/", "~/../out", "out./a", "NUL", "com1.x", "\ud800", "a:stream", "x" * 300]


@pytest.mark.parametrize("name", TRICKS)
def test_names_that_lead_elsewhere(standin, name):
    folder = Path(standin.folder_paths.models_dir)
    for place in (folder, folder.parent):
        (place / "out.safetensors").write_bytes(b"not a model")
    before = tree(folder.parent)
    with pytest.raises((ValueError, OSError)) as caught:
        standin.run("GatysSaveStyle", style=None, name=name, overwrite=True, description="")
    assert "name: expected a name like" in str(caught.value)
    for node, inputs in (
        ("GatysLoadStyle", {"name": name}),
        ("GatysLoadStyle", {"name": f"{name}.safetensors"}),
        ("GatysLoadVGG19", {"weights": name, "pooling": "max"}),
        ("GatysLoadVGG19", {"weights": f"{name}.safetensors", "pooling": "max"}),
    ):
        with pytest.raises(ValueError, match="expected .* got "):
            standin.run(node, **inputs)
    assert tree(folder.parent) == before


# what cannot be read after all


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    readers = {
        "a.pth": (gatys.load_vgg19, WeightsError),
        "a.safetensors": (StyleTarget.load, StyleFileError),
        "b.safetensors": (lambda path: Checkpoint(path, 0, {}, [1]).read(), CheckpointError),
        "a.png": (read_image, ImageError),
    }

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # root may read everything

    for name, (read, error) in readers.items():
        (tmp_path / name).write_bytes(b"x")
        with monkeypatch.context() as patch, pytest.raises(error, match=f"{name}.*Permission") as caught:
            patch.setattr(Path, "open", denied)
            read(tmp_path / name)
        assert "permissions" in told(caught)


def test_memory_that_runs_out_in_a_decoder_is_no_damage_of_the_file(tmp_path, monkeypatch, pictures):
    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(decoding, "as_tensor", fail)
    with pytest.raises(RuntimeError, match="not enough memory"):
        read_image(write_image(tmp_path / "a.png", pictures))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_state_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "run.safetensors")
    with pytest.raises(Damaged, match="a folder or a device"):
        read_tensors(tmp_path / "run.safetensors")


def test_a_state_that_is_no_file_or_shrinks_while_it_is_read(tmp_path):
    with pytest.raises(Damaged, match="a folder or a device"):
        read_tensors(Path(os.devnull))
    path = tmp_path / "a.safetensors"
    path.write_bytes((10).to_bytes(8, "little") + b"[1, 2, 3] ")
    with pytest.raises(Damaged, match="its header is no list of tensors"):
        read_tensors(path)
    write_tensors(path, {"a": torch.ones(100)}, {})
    data = path.read_bytes()
    with pytest.raises(Damaged, match="it is cut off"):
        tensorfile._read(io.BytesIO(data[:-1]), len(data))


# what fuzzing, and reading what it went through, found in the states of runs (tests/fuzz/loaders.py)


@pytest.mark.parametrize(
    ("entry", "digest"),
    [
        ({"dtype": "F32", "shape": [0, 2**61, 2**61], "data_offsets": [0, 0]}, None),
        ({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "\ud800" * 64),
        ({"dtype": ["F32"], "shape": [0], "data_offsets": [0, 0]}, None),
    ],
)
def test_a_state_that_lies(tmp_path, entry, digest):
    path = tmp_path / "state.safetensors"
    header = json.dumps({"__metadata__": {"digest": digest or "0" * 64}, "a": entry}).encode()
    header = header.replace(b"0" * 64, hashlib.sha256(header).hexdigest().encode())
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(Damaged):
        read_tensors(path)


def test_the_state_of_another_run_names_only_what_this_one_has(tmp_path):
    path = tmp_path / "state.safetensors"
    notes = {"record": "{}", "notes": "[]"}
    for run, words in (
        ({"steps": "3", "\x1b]0;gotcha\x07": "1"}, "in its form;"),
        ({"s\x7fteps": "3"}, "in its steps;"),
    ):
        write_tensors(path, {}, {"format": FORMAT, "run": json.dumps(run), **notes})
        with pytest.raises(CheckpointError, match=words) as caught:
            Checkpoint(path, 0, {"steps": "3"}, [3]).read()
        told(caught)


# disks that are full, and ends without warning


def writers(folder, pictures, style):
    wide = pictures.repeat(1, 1, 8, 8)
    return {
        "png": lambda: write_image(folder / "a.png", wide),
        "deep.png": lambda: write_image(folder / "a.png", wide, depth=16),
        "tif": lambda: write_image(folder / "a.tif", wide),
        "jpg": lambda: write_image(folder / "a.jpg", wide),
        "webp": lambda: write_image(folder / "a.webp", wide),
        "style": lambda: save_style(style, folder / "a.safetensors", overwrite=True),
    }


@pytest.mark.parametrize("kind", ["png", "deep.png", "tif", "jpg", "webp", "style"])
def test_a_full_disk_leaves_what_was_there(tmp_path, pictures, style, kind):
    write = writers(tmp_path, pictures, style)[kind]
    size = write().stat().st_size
    before = tree(tmp_path)
    for room in (0, 1, 4096, size - 1):
        with disk_of(room), pytest.raises((ImageError, StyleFileError)) as caught:
            write()
        assert "cannot be written" in told(caught) and os.strerror(errno.EFBIG) in told(caught)
        assert tree(tmp_path) == before
    with disk_of(size):
        assert write().stat().st_size == size


@pytest.mark.parametrize("where", ["open", "fsync", "replace"])
def test_a_disk_that_is_full_at_any_call(tmp_path, monkeypatch, pictures, style, where):
    write = writers(tmp_path, pictures, style)
    for kind in ("png", "style"):
        write[kind]()
    before = tree(tmp_path)
    with monkeypatch.context() as patch:

        def full(*_, **__):
            raise FULL

        patch.setattr(io if where == "open" else os, where, full)
        for kind in ("png", "style"):
            with pytest.raises((ImageError, StyleFileError)) as caught:
                write[kind]()
            assert os.strerror(errno.ENOSPC) in told(caught)
    assert tree(tmp_path) == before


@pytest.mark.skipif("GATYS_SMALL_DISK" not in os.environ, reason="GATYS_SMALL_DISK names no folder on a disk of 1 MB")
@pytest.mark.parametrize("kind", ["png", "deep.png", "tif", "style"])
def test_a_disk_that_is_really_full(pictures, style, kind):
    folder = Path(tempfile.mkdtemp(dir=os.environ["GATYS_SMALL_DISK"]))
    write = writers(folder, pictures, style)[kind]
    filler = folder / "filler"
    try:
        size = write().stat().st_size
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        before = tree(folder)
        with pytest.raises((ImageError, StyleFileError)) as caught:
            write()
        assert os.strerror(errno.ENOSPC) in told(caught) and size > 4096
        assert tree(folder) == before
    finally:
        for path in folder.iterdir():
            path.unlink()


@POSIX
def test_a_process_killed_while_it_writes_leaves_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(1 << 18))
    waits = np.random.default_rng(1).uniform(0, 0.03, 20)
    for wait in waits:
        child = os.fork()
        if child == 0:  # nothing but writes: what was copied of torch's threads is not to be used
            with contextlib.suppress(BaseException):
                for number in range(1, 10_000):
                    with replacing(path) as temporary:
                        temporary.write_bytes(bytes([number % 256]) * (1 << 18))
            os._exit(1)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        content = path.read_bytes()
        assert len(content) == 1 << 18 and content == content[:1] * (1 << 18)
    assert all(file == path or file.suffix == ".tmp" for file in tmp_path.iterdir())


def test_a_picture_that_cannot_be_saved_is_kept_elsewhere(tmp_path, monkeypatch, capsys, pictures):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path("tmp").mkdir()
    write_image("a.png", pictures)
    real = images.os.replace

    def full(source, target):
        if Path(target).name == "out.jpg":
            raise FULL
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    quick = "--weights untrained --size 32 --steps 1 --levels 1 --device cpu --style-layers conv1_1 --content-layers conv1_1 --quiet"
    assert cli.main(["a.png", "a.png", "-o", "out.jpg", *quick.split()]) == 2
    (kept,) = Path("tmp").glob("gatys-*/result.png")
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("gatys: error: 'out.jpg' cannot be written") and len(err.splitlines()) == 1
    assert f"it is kept as '{tmp_path / kept}'" in err
    assert read_image(kept).pixels.shape == (1, 3, 32, 32)


# what the command line says


def hostile(folder):
    """Files of every kind that no run may use."""
    write_image(folder / "good.png", torch.rand(1, 3, 40, 40))
    (folder / "bomb.png").write_bytes(png_that_claims(20_000, 20_000))
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(folder / "program.eps")
    (folder / "program.eps").rename(folder / "program.png")
    (folder / "half.png").write_bytes((folder / "good.png").read_bytes()[:-900])
    with zipfile.ZipFile(folder / "code.pth", "w") as archive:
        archive.writestr("code/data.pkl", CODE["global"])
    (folder / "swells.pth").write_bytes(bomb("zip bomb"))
    for name in ("lies.safetensors", "lying style.safetensors"):
        header = lying(data_offsets=[0, 2**40])
        (folder / name).write_bytes(len(header).to_bytes(8, "little") + header)


LONG_NAME = "x" * 250
REFUSED = {  # arguments; a part of the sentence
    "content that swells": ("bomb.png good.png", "'bomb.png' has "),
    "style for another program": ("good.png program.png", "'program.png' is not a picture that is read here"),
    "half a style": ("good.png half.png", "'half.png' is damaged or cut short"),
    "mask that swells": ("good.png good.png --style-mask bomb.png", "'bomb.png' has "),
    "init that swells": ("good.png good.png --init bomb.png", "'bomb.png' has "),
    "weights with code": ("good.png good.png --weights code.pth", "code.pth holds Python objects besides tensors"),
    "weights that swell": ("good.png good.png --weights swells.pth", "swells.pth would unpack to"),
    "weights that lie": ("good.png good.png --weights lies.safetensors", "lies.safetensors is cut off, damaged"),
    "a style that lies": ("good.png --load-style lies.safetensors", "'lies.safetensors' is no sound style file"),
    "weights as a style": ("good.png --load-style code.pth", "'code.pth' is no sound style file"),
    "no file can be called so": (f"good.png {LONG_NAME}xxxxxx", "cannot be opened (File name too long)"),
    "nor a style": (f"good.png --load-style {LONG_NAME}.safetensors", "there is no file"),
    "nor weights": (f"good.png good.png --weights {LONG_NAME}.pth.pth", "there is no file"),
    "nor a result": (f"good.png good.png -o {LONG_NAME}xx.jpeg", "can be no file"),
    "nor a saved style": (f"good.png good.png --save-style {LONG_NAME}.safetensors", "name too long"),
    "a result elsewhere": ("good.png good.png -o ../gone/a.png", "there is no folder '../gone'"),
    "a style elsewhere": ("good.png good.png --save-style ../gone/a.safetensors", "in none that can be written to"),
    "a result on a device": ("good.png good.png -o /dev/null/a.png", "there is no folder '/dev/null'"),
}


@POSIX
@pytest.mark.parametrize("kind", REFUSED)
def test_the_command_line_refuses_in_one_line(tmp_path, monkeypatch, capsys, kind):
    hostile(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    given, words = REFUSED[kind]
    quick = "--weights untrained --size 32 --steps 1 --levels 1 --device cpu"
    assert cli.main([*quick.split(), *given.split()]) == 2
    out, err = capsys.readouterr()
    complaint = err.splitlines()[-1]
    assert out == "" and complaint.startswith("gatys: error: ") and err.count("error") == 1 and words in complaint
    assert complaint.isprintable() and "Traceback" not in err
    assert tree(tmp_path) == before
