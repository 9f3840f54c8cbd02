"""The command lines of examples/README.md: each is run as it stands, but small and short."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gatys.cli import command as cli

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
LINES = [shlex.split(line)[3:] for line in TEXT.splitlines() if line.startswith("python -m gatys ")]


def small(arguments):
    """The same at 96 pixels with three steps, and without a download."""
    changed = {"--size": "96", "--steps": "3", "--tile": "48"}
    given = [changed.get(before, here) for before, here in zip(["", *arguments], arguments, strict=False)]
    return given if "--weights" in given else [*given, "--weights", "untrained"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


def test_every_figure_has_a_line():
    figures = set(map(int, re.findall(r"[Ff]igures? (\d)", TEXT))) | {3}
    assert figures == {1, 2, 3, 4, 5, 6, 7} and len(LINES) >= 25
    assert all("--size" in line and "--steps" in line for line in LINES)


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES, ids=lambda line: line[line.index("-o") + 1])
def test_line_paints(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "examples").is_symlink() or (folder / "examples").symlink_to(ROOT / "examples")
    assert cli.main(small(line)) == 0
    result = np.array(Image.open(folder / line[line.index("-o") + 1]))
    assert max(result.shape) == 96 and result.std() > 10
