"""The notebooks in `examples/` are valid, without output, and run from top to bottom, at a small size and without Jupyter."""

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells_of(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_a_notebook_without_output(path):
    text = path.read_text("utf-8")
    book = json.loads(text)
    assert text == json.dumps(book, indent=1, ensure_ascii=False) + "\n", "not as Jupyter writes it"
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5) and set(book) == {
        "cells",
        "metadata",
        "nbformat",
        "nbformat_minor",
    }
    assert book["metadata"]["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch("[a-zA-Z0-9-_]{1,64}", each) for each in ids)
    for cell in book["cells"]:
        assert all(line.endswith("\n") for line in cell["source"][:-1]) and not cell["source"][-1].endswith("\n")
        more = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | more and cell["cell_type"] in (
            "code",
            "markdown",
        )
        assert not more or (cell["outputs"] == [] and cell["execution_count"] is None)


@pytest.mark.skipif(find_spec("nbformat") is None, reason="Jupyter's own check: nbformat is not installed")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_jupyter_takes_it(path):
    import nbformat

    nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch, capsys):
    for picture in EXAMPLES.glob("*.jpg"):
        shutil.copy(picture, tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in (("SIZE", "48"), ("STEPS", "2"), ("WEIGHTS", "untrained:0")):
        monkeypatch.setenv(f"GATYS_NOTEBOOK_{name}", value)
    names = {"__name__": "__main__"}
    for cell in cells_of(path):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{path.name}, {cell['id']}", "exec"), names)  # noqa: S102
    with Image.open("tour.png") as made:
        assert max(made.size) == 48
    assert len(names["result"].history) == 2 and "style conv1_1" in capsys.readouterr().out
