"""The examples in the docstrings of public names run, and give what they say that they give.

They are written as people type them. Here they work in a folder with the files that they name, 48 x 40 pixels large, and
with filters that nobody trained; "size=512" becomes "size=48", and each level gets two steps at most. Output is compared
where an example shows some; what it says of the number of steps is that of the whole example.
"""

import doctest
import inspect
import re
import shutil

import pytest
import torch
from films import film, flat
from pictures import drawing

import gatys
from gatys.descent import course
from gatys.network import weights
from gatys.network.filters import Filters

WITHOUT = {"LAYERS", "__version__", "presets", "notebook_progress"}
"""Public names that are values, of which `Preset` shows the third; and one that needs a notebook."""
NAMES = [
    name
    for name in gatys.__all__
    if name not in WITHOUT
    and not (inspect.isclass(getattr(gatys, name)) and issubclass(getattr(gatys, name), Exception))
]


class Shown(doctest.OutputChecker):
    """What an example shows is compared; one that shows nothing may give anything."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The names that examples take for granted."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "styles").mkdir()
    for seed, name in enumerate(("photo", "painting", "wave", "fuji")):
        drawing((48, 40), seed).save(folder / f"{name}.jpg")
    film(folder / "clip.mp4", [flat(16 + 8 * count, 110, 150) for count in range(25)], codec="libx264", rate=5)
    net = gatys.load_vgg("untrained")
    photo, painting = (gatys.load_image(folder / f"{name}.jpg") for name in ("photo", "painting"))
    content, style = gatys.extract_content(net, photo), gatys.extract_style(net, painting)
    style.save(folder / "styles" / "wave.safetensors", description="The Great Wave")
    names = {"gatys": gatys, "net": net, "photo": photo, "painting": painting, "content": content, "style": style}
    names |= dict.fromkeys(("waves", "clouds", "starry_night", "great_wave"), style)
    names |= {"pictures": torch.cat([photo, photo]), "frames": gatys.extract_content(net, torch.cat([photo, photo]))}
    names |= {"frame": photo, "last": photo, "last_result": painting}
    names |= {"previous": painting, "trusted": torch.ones(1, 1, 40, 48)}
    names |= {"sea_mask": torch.ones(40, 48), "sky_mask": torch.ones(40, 48)}
    names["result"] = gatys.optimize(net, content=content, style=style, steps=2)
    return folder, names


@pytest.fixture(autouse=True)
def small(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stage[0], tmp_path, dirs_exist_ok=True)
    filters = Filters(weights.untrained_state(0))
    monkeypatch.setattr(weights, "_auto", lambda *given: ("untrained:0", filters, None))
    monkeypatch.setattr(weights, "_kept_filters", lambda *given: filters)
    split = course.split_steps
    monkeypatch.setattr(course, "split_steps", lambda *given, **how: [min(each, 2) for each in split(*given, **how)])


def examples_of(thing):
    finder = doctest.DocTestFinder(recurse=False)
    return [test for test in finder.find(thing, thing.__name__, globs={}) if test.examples]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(stage, name, tmp_path):
    thing = getattr(gatys, name)
    (test,) = examples_of(thing)
    test.globs = dict(stage[1])
    for example in test.examples:
        example.source = re.sub(r"\bsize=\d+", "size=48", example.source)
        example.want = re.sub(r"\b120\b", "2", example.want)
    said = []
    runner = doctest.DocTestRunner(Shown(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    failed = runner.run(test, out=said.append).failed
    assert not failed, "".join(said)


def test_an_example_that_is_wrong_is_seen():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n>>> 2 + 2\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(Shown()).run(test, out=lambda text: None).failed == 1
