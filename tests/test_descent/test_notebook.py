"""Notebooks: what is shown there, by a stand-in for IPython and by IPython itself, which nothing imports unasked."""

import base64
import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pictures import picture
from PIL import Image

import gatys
from gatys.descent import notebook
from gatys.descent.records import Record, Result


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture
def shown(monkeypatch):
    """What a notebook was told to show: pairs of how ("display", "update") and what."""
    calls = []

    def display(data, *, raw, display_id=None):
        assert raw
        calls.append(("display", data))
        return SimpleNamespace(update=lambda data, raw: calls.append(("update", data))) if display_id else None

    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return calls


def pixels(png):
    return np.array(Image.open(io.BytesIO(png)))


def result(image):
    return Result(image, (Record(1, 0, 1.0, 1.0, 1.0, 1.0),), ())


def test_a_result_shows_its_pictures_side_by_side():
    image = picture(1, count=2, size=(40, 33))
    found = pixels(result(image)._repr_png_())
    expected = (torch.cat([image[0], image[1]], dim=2) * 255).round().permute(1, 2, 0)
    assert np.array_equal(found, expected.numpy())
    assert pixels(result(picture(1, size=(600, 900)))._repr_png_()).shape == (341, 512, 3)
    assert result(image).__repr__() == "Result(2 of 33 x 40, 1 steps, total 1, 0 notes)"


@pytest.mark.parametrize("kind", ["tensor", "result", "pil", "array"])
def test_show_in_a_notebook(shown, kind):
    image = picture(1, size=(20, 30))
    array = (image[0] * 255).round().permute(1, 2, 0).to(torch.uint8).numpy()
    given = {"tensor": image, "result": result(image), "pil": Image.fromarray(array), "array": array}[kind]
    assert gatys.show(given) is None
    ((how, data),) = shown
    assert how == "display" and np.array_equal(pixels(base64.b64decode(data["image/png"])), array)


def test_show_elsewhere_asks_the_system(monkeypatch):
    opened = []
    monkeypatch.setattr(Image.Image, "show", lambda image: opened.append(image.size))
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    gatys.show(picture(1, size=(20, 30)))
    gatys.show(picture(1, size=(2048, 1024)))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    gatys.show(picture(1, size=(20, 30)))  # IPython in a terminal has no kernel
    assert opened == [(30, 20), (512, 1024), (30, 20)]
    with pytest.raises(gatys.InputTypeError, match="^picture: expected"):
        gatys.show(7)


def test_progress_in_a_notebook(shown, net, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(notebook, "monotonic", lambda: float(next(clock)))
    style = gatys.extract_style(net, picture(1, size=(64, 64)), {"conv1_1": 1.0}, levels=2)
    settings = {"style": style, "size": (64, 64), "steps": [3, 3]}
    plain = gatys.optimize(net, **settings)
    watched = gatys.optimize(net, **settings, callback=gatys.notebook_progress(every=2.0))
    assert torch.equal(plain.image, watched.image)  # looking changes nothing
    assert [how for how, _ in shown] == ["display", "update", "update", "update"]  # steps 1, 3, 5 and the last
    first, last = (shown[index][1] for index in (0, -1))
    assert '<progress value="1" max="6"' in first["text/html"] and "step 1 of 6, level 1, loss " in first["text/html"]
    assert ", about 0:14 left<" in first["text/html"]  # 2 of a second, and 3 of four
    assert "left" not in last["text/html"] and last["text/plain"].startswith("Progress(step 6 of 6")
    image = last["text/html"].partition("base64,")[2].partition('"')[0]
    assert pixels(base64.b64decode(image)).shape == (64, 64, 3)


def test_progress_outside_a_notebook_is_refused(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with pytest.raises(gatys.InputError, match="^notebook_progress: expected a notebook, and there is none"):
        gatys.notebook_progress()


@pytest.mark.parametrize("every", [-1, float("nan"), float("inf")])
def test_seconds_that_are_none(shown, every):
    with pytest.raises(gatys.InputError, match="^every: expected a finite number of seconds of at least 0"):
        gatys.notebook_progress(every=every)


@pytest.mark.slow
def test_ipython_itself_shows_them_and_is_not_imported_before():
    pytest.importorskip("IPython", reason="not installed")
    script = """
import sys, torch, gatys
from gatys.descent.records import Result
result = Result(torch.zeros(1, 3, 8, 8), (), ())
result._repr_png_(), gatys.show
assert "IPython" not in sys.modules
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
shell.kernel = True
with capture_output() as captured:
    gatys.show(result)
(output,) = captured.outputs
assert output.data["image/png"].startswith("iVBOR"), output.data
formats = shell.display_formatter.format(result)[0]
assert "image/png" in formats and formats["text/plain"].startswith("Result(8 x 8")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
