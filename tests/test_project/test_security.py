"""SECURITY.md's statements on the source: it runs no code that it did not bring, and has one way to the network."""

import ast
import re
from pathlib import Path

import pytest
from torchvision.models import VGG19_Weights

import gatys
from gatys.network.download import imagenet_source, paper_source

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([ROOT / "__init__.py", *(ROOT / "gatys").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")])
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in FILES}

RUNS_CODE = "eval exec compile __import__ breakpoint input"
RUNS_CODE += " os.system os.popen os.startfile os.fork os.forkpty os.posix_spawn os.posix_spawnp torch.hub.load"
RUNS_CODE += " torch.hub.load_state_dict_from_url importlib.import_module importlib.reload torch.jit.load"
RUNS_CODE = {*RUNS_CODE.split()}
MODULES = "asyncio code ctypes dill cffi ftplib httpx imaplib marshal multiprocessing pickle poplib pty requests runpy"
MODULES += " shelve smtplib socket socketserver ssl subprocess telnetlib urllib3 webbrowser xmlrpc aiohttp joblib"
MODULES += " torch.utils.cpp_extension torch.package concurrent.futures.process urllib http"
MODULES = {*MODULES.split()}
NETWORK = ("gatys/network/download.py", {"urllib.request", "urllib.error", "urllib.parse", "http.client"})
ALLOWED = dict([NETWORK]) | {
    "gatys/__init__.py": {"importlib.import_module"},  # of its own modules, by a table
    "gatys/cli/worker.py": {"importlib.import_module"},  # of PyTorch and its own command
    "gatys/cli/jobs.py": {"multiprocessing"},  # --workers: Python's own, which run this package
}


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, banned):
    return any(name == one or name.startswith(f"{one}.") for one in banned)


def test_the_rules_find_what_they_are_for():
    bad = "import subprocess\nfrom os import system\nfrom urllib.request import urlopen\neval('1')\nos.popen('x')"
    tree = ast.parse(bad)
    assert [name for name, _ in calls(tree) if name in RUNS_CODE] == ["eval", "os.popen"]
    assert [name for name in imports(tree) if within(name, MODULES | RUNS_CODE)] == [
        "subprocess",
        "os.system",
        "urllib.request",
        "urllib.request.urlopen",
    ]


@pytest.mark.parametrize("file", TREES)
def test_no_code_is_made_or_started(file):
    found = [name for name, _ in calls(TREES[file]) if name in RUNS_CODE or re.match(r"os\.(exec|spawn)", name)]
    found += [name for name in imports(TREES[file]) if within(name, MODULES | RUNS_CODE)]
    assert [name for name in found if not within(name, ALLOWED.get(file, set()))] == []


def test_the_package_imports_nothing_but_what_is_public():
    with pytest.raises(AttributeError, match="has no attribute 'os.system'"):
        getattr(gatys, "os.system")


def test_the_network_is_used_for_two_downloads(monkeypatch):
    opens = re.compile("urlopen|urlretrieve|build_opener")
    opened = [file for file, tree in TREES.items() for name, _ in calls(tree) if opens.search(name)]
    assert opened == [NETWORK[0]]
    source = imagenet_source()
    assert source.url == VGG19_Weights.IMAGENET1K_V1.url  # both are written down here: no other torchvision decides
    assert source.url == f"https://download.pytorch.org/models/vgg19-{source.sha256}.pth" and len(source.sha256) == 8
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    paper = paper_source()
    assert paper.url == "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/vgg_normalised.pth"
    assert paper.sha256 == "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a"
    assert all(
        re.fullmatch(r"https://huggingface\.co/(spaces|datasets)/.*/vgg_normalised\.pth", m) for m in paper.mirrors
    )


def test_checkpoints_are_read_as_data_only():
    loads = [(file, node) for file, tree in TREES.items() for name, node in calls(tree) if name == "torch.load"]
    assert {file for file, _ in loads} == {"gatys/network/state_file.py"}
    for _, node in loads:
        (mode,) = (word.value for word in node.keywords if word.arg == "weights_only")
        assert isinstance(mode, ast.Constant) and mode.value is True
    assert not [
        name for tree in TREES.values() for name, _ in calls(tree) if "safe_globals" in name or "hub.load" in name
    ]


def test_the_page_asks_only_its_own_server():
    for path in (ROOT / "web").glob("**/*.js"):
        text = path.read_text("utf-8")
        assert not re.search(r"\b(eval|Function|XMLHttpRequest|WebSocket|importScripts)\s*\(|innerHTML|https?://", text)
        own = {"new URL(name, import.meta.url", "api.fileURL(`/gatys/examples/${name}`"}
        assert set(re.findall(r"\bfetch\(([^)]*)", text)) <= own
