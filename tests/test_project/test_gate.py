"""The gate of the source: lint, form, complexity and types, by the tools that pyproject.toml configures."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = {
    "lint and complexity": ["ruff", "check", "{root}"],
    "form": ["ruff", "format", "--check", "{root}"],
    "types": ["mypy", "--config-file", "{root}/pyproject.toml", "-p", "pack.gatys", "-p", "pack.nodes"],
}


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_the_source_passes(check, tmp_path):
    tool, *arguments = CHECKS[check]
    if find_spec(tool) is None:
        pytest.skip(f"{check}: {tool} is not installed")
    (tmp_path / "pack").symlink_to(ROOT)  # to mypy the folder is a package; its own name may be none that Python knows
    command = [sys.executable, "-m", tool, *(word.format(root=ROOT) for word in arguments)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
