"""The time-lapse of a descent: which steps give a frame, their size, and that they stay within memory."""

import pytest
import torch

import gatys
from gatys.descent.time_lapse import LARGEST, TimeLapse, frame_size, is_frame

SIZE = (6, 8)


def progress(step, steps, value, size=SIZE):
    losses = gatys.Record(step, 0, 1.0, 1.0, 0.0, 0.0)
    return gatys.Progress(step, steps, 0, losses, (steps,), lambda: torch.full((1, 3, *size), value / 255))


def followed(lapse, steps, start=0):
    """A descent whose picture at each step is as bright as the step's number, and whose result is white."""
    for step in range(1, steps + 1):
        lapse.follow(progress(step, steps, start + step))
    lapse.end(torch.ones(1, 3, *SIZE))


def brightness(frames):
    values = frames.mul(255).round()
    assert all(value.unique().numel() == 1 for value in values)
    return [int(value[0, 0, 0]) for value in values]


@pytest.mark.parametrize("every, steps", [(1, 7), (3, 7), (3, 8), (10, 7)])
def test_frames_are_the_first_each_nth_after_it_and_the_result(every, steps):
    lapse = TimeLapse(SIZE, every)
    followed(lapse, steps)
    # the last step's picture is the result
    assert brightness(lapse.frames()) == [*range(1, steps, every), 255]
    assert [step for step in range(1, steps + 1) if is_frame(progress(step, steps, 0), every)] == [
        *range(1, steps, every)
    ]


def test_pictures_of_coarser_levels_are_enlarged_and_large_ones_reduced():
    lapse = TimeLapse(SIZE, 1)
    lapse.follow(progress(1, 3, 100, size=(3, 4)))
    lapse.follow(progress(2, 3, 100))
    lapse.end(torch.ones(1, 3, *SIZE))
    frames = lapse.frames()
    assert frames.shape == (3, 3, 6, 8) and frames.dtype == torch.float32
    assert frame_size((6, 8)) == (6, 8) and frame_size((LARGEST, LARGEST)) == (LARGEST, LARGEST)
    assert frame_size((2 * LARGEST, 512)) == (LARGEST, 256) and frame_size((512, 4 * LARGEST)) == (128, LARGEST)


def test_every_second_frame_goes_where_memory_ends_and_results_stay():
    one = 3 * 6 * 8 * 4
    lapse = TimeLapse(SIZE, 1, most=8 * one)
    followed(lapse, 20)
    first = brightness(lapse.frames())
    assert lapse.every == 4 and first == [*range(1, 20, 4), 255]  # 5 of them and the result
    lapse = TimeLapse(SIZE, 1, most=8 * one)
    for start in (0, 100):
        followed(lapse, 20, start=start)
    both = brightness(lapse.frames())
    assert lapse.every == 8 and both == [1, 9, 17, 255, 101, 109, 117, 255]


def test_frames_are_handed_on_once_and_never_exceed_the_bound():
    one = 3 * 6 * 8 * 4
    lapse = TimeLapse(SIZE, 1, most=4 * one)
    for step in range(1, 200):
        lapse.follow(progress(step, 200, 1))
        assert sum(4 * frame.nbytes for _, frame in lapse._frames) <= 4 * one
    assert len(lapse.frames()) <= 4 and lapse._frames == []


def test_the_first_frame_and_the_result_of_each_descent_stay():
    lapse = TimeLapse(SIZE, 1, most=1)
    for _ in range(3):
        followed(lapse, 9)
    assert brightness(lapse.frames()) == [1, 255] * 3
