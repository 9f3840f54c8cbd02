"""What tests share."""

from pathlib import Path

import pytest
from raises import Raises

ROOT = Path(__file__).resolve().parent.parent


class PackIsNoTestPackage:
    """The pack's `__init__.py` is for ComfyUI; pytest would import it, under a name of its own, before any test."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config):
    config.pluginmanager.register(PackIsNoTestPackage())
    raises = Raises()
    raises.install()
    config.pluginmanager.register(raises)
    config.addinivalue_line("markers", "boot: boots a ComfyUI server of its own (about ten seconds each)")


@pytest.fixture(scope="session", autouse=True)
def plain_processor():
    """Precision "auto" is float32 in this process, whatever the processor has units for; `test_precision` has the rest."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            patch.setattr(torch.cpu, name, lambda: False, raising=False)
        yield


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    """The host's stand-in in `sys.modules`, with the pack loaded into it; both are gone afterwards."""
    import host_standin
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the pictures are tiny, and on a shared machine threads wait for each other
    with host_standin.installed(tmp_path_factory.mktemp("host")) as host:
        yield host
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running ComfyUI with the pack, on the CPU."""
    import host_server

    running = host_server.Server(host_server.find_installation(), tmp_path_factory.mktemp("comfy") / "base", "--cpu")
    yield running
    running.stop()
