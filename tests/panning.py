"""Films of a camera that moves by whole pixels, and what tests make of them; tests/test_video/conftest.py has the fixtures."""

import torch
from pictures import picture

import gatys

SIZE, PAN = (36, 40), 4
BAND = 2
"""What is up to so many pixels from the border is not all kept when it moves inwards."""
STEPS = {"steps": 6, "later_steps": 3}


def wide(seed):
    """A scene that the camera of `panned` passes."""
    return picture(seed, size=(SIZE[0], SIZE[1] + 3 * PAN))


def panned(count=3):
    """A camera that moves to the right by 4 pixels a frame."""
    return torch.cat([wide(3)[..., PAN * index :][..., : SIZE[1]] for index in range(count)])


def known(count=3):
    back = torch.zeros(count - 1, 2, *SIZE)
    back[:, 0] = PAN
    return gatys.FilmFlow(back, -back)


def kept(flow):
    """How far a past is kept that has moved inwards from the border: a twentieth of the short edge, pixel by pixel."""
    height, width = flow.shape[-2:]
    found = torch.ones(1, 1, height, width)
    for row in range(height):
        for column in range(width):
            x, y = column + float(flow[0, 0, row, column]), row + float(flow[0, 1, row, column])
            here, there = (
                min(column, width - 1 - column, row, height - 1 - row),
                min(x, width - 1 - x, y, height - 1 - y),
            )
            if here > there + 0.5:
                found[0, 0, row, column] = min(1.0, max(0.0, there / (min(height, width) / 20)))
    return found


def starts(make, film, **options):
    """The pictures that frames start from: after one step the result is the start."""
    return make(film, **({"later_steps": 1} | options)).images
