"""The network, the style and the runs of films of tests/panning.py."""

import pytest
from panning import SIZE, STEPS
from pictures import picture

import gatys


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained", pooling="average")


@pytest.fixture(scope="module")
def style(net):
    return gatys.extract_style(net, picture(2, size=SIZE), {"conv1_1": 0.5, "conv2_1": 0.5}, normalize=True)


@pytest.fixture(scope="module")
def extract(net):
    return lambda film: gatys.extract_content(net, film, {"conv2_2": 1.0}, normalize=True)


@pytest.fixture(scope="module")
def make(net, style):
    return lambda film, **options: gatys.optimize_frames(net, film, style=style, **(STEPS | options))
