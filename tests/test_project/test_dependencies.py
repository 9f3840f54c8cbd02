"""Dependencies: the package declares what it imports, and imports only when needed what only some functions need."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="from Python 3.11 on")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = {
    "pillow": "PIL",
    "pillow-heif": "pillow_heif",
    "pillow-jxl-plugin": "pillow_jxl",
    "opencv-python-headless": "cv2",
}


def imported():
    """The packages that modules of `gatys` import, at whatever place in them."""
    for path in (ROOT / "gatys").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.split(".")[0]


def test_what_is_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *(name for extra in extras if extra != "test" for name in extras[extra])]
    declared = {MODULES.get(name, name) for name in (name.partition(">=")[0] for name in needed)}
    there_already = {"IPython"}  # where a notebook has imported it
    assert set(imported()) - set(sys.stdlib_module_names) - {"gatys"} - there_already == declared


@pytest.mark.slow
def test_the_nodes_need_nothing_that_comfyui_does_not_have():
    """Reading and writing files of pictures, and what the command line alone does, comes in when it is used."""
    script = "import sys, gatys\nfor name in gatys.__all__: getattr(gatys, name)\n"
    script += "print(sorted({'tifffile', 'matplotlib', 'h5py', 'torchvision', 'pillow_heif', 'OpenEXR', 'av', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_pages_name_extras_that_there_are():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = [
        names
        for page in pages
        for names in re.findall(r"'(?:\.|gatys-style-transfer)\[([a-z,]+)\]'", page.read_text("utf-8"))
    ]
    assert named and {name for names in named for name in names.split(",")} <= PROJECT["optional-dependencies"].keys()
