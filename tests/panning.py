"""Films of a camera that moves by whole pixels, and what tests make of them; tests/test_video/conftest.py has the fixtures."""

import torch
from pictures import picture

import gatys

SIZE, PAN = (36, 40), 4
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


def starts(make, film, **options):
    """The pictures that frames start from: after one step the result is the start."""
    return make(film, **({"later_steps": 1} | options)).images
