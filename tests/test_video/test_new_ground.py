"""New ground: what it is painted by, with how many steps, and that nothing else changes by it."""

import pytest
import torch
from panning import PAN, SIZE, kept, known, panned
from pictures import picture

import gatys
from gatys.video.film_arguments import FilmArguments
from gatys.video.later_steps import plan_later
from gatys.video.new_ground import kept_inwards, style_of_ground, surroundings

pytestmark = pytest.mark.usefixtures("one_thread")
NEW = torch.zeros(1, 1, *SIZE)
NEW[..., -PAN:] = 1
STEPS = {"steps": [6, 12], "later_steps": 7, "tolerance": 0.0}


@pytest.fixture(scope="module")
def style(net):
    return gatys.extract_style(net, picture(2, size=SIZE), {"conv1_1": 0.5, "conv2_1": 0.5}, levels=2)


@pytest.fixture(scope="module")
def extract(net):
    return lambda film: gatys.extract_content(net, film, {"conv2_2": 1.0}, levels=2)


@pytest.fixture(scope="module")
def make(net, style):
    return lambda film, **options: gatys.optimize_frames(net, film, style=style, **(STEPS | options))


# where it is


def test_what_moves_inwards_from_the_border_is_not_all_kept():
    draw = torch.Generator().manual_seed(4)
    flow = 6 * torch.rand(1, 2, *SIZE, generator=draw) - 3
    torch.testing.assert_close(kept_inwards(flow), kept(flow), rtol=0, atol=1e-5)
    assert kept_inwards(flow).min() == 0 and torch.equal(kept_inwards(0 * flow), torch.ones(1, 1, *SIZE))


def test_surroundings_fade_outwards():
    reach, (height, width) = round(min(SIZE) / 8), SIZE
    window = lambda found, row, column: found[
        max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
    ]
    new = torch.zeros(SIZE)
    new[10, 20] = 1
    largest = torch.tensor([[window(new, row, column).max() for column in range(width)] for row in range(height)])
    mean = torch.tensor([[window(largest, row, column).mean() for column in range(width)] for row in range(height)])
    torch.testing.assert_close(surroundings(new[None, None])[0, 0], mean.maximum(new), rtol=0, atol=1e-5)


# what it is painted by


def loss(net, style, image):
    return float(gatys.Objective(net, style=style).evaluate(image)[0]["style"])


def test_all_of_a_picture_is_painted_as_a_picture(net, style):
    image = picture(5, size=SIZE)
    alone = style_of_ground(style, torch.ones(1, 1, *SIZE), 2)
    assert loss(net, alone, image) == pytest.approx(loss(net, style, image), rel=1e-5)


def test_a_part_is_pulled_at_as_strongly_as_in_a_picture_of_its_own(net, style):
    alone = style_of_ground(style, NEW, 2)
    mask = surroundings(NEW)
    wanted = gatys.regional_style([(style, mask)])
    image = picture(5, size=SIZE)
    share = float((mask**2).mean())
    assert 0.05 < share < 0.5 and loss(net, alone, image) == pytest.approx(share * loss(net, wanted, image), rel=1e-5)


def test_each_region_has_its_part_and_one_that_is_elsewhere_none(net, style):
    left, right = torch.zeros(SIZE), torch.zeros(SIZE)
    left[:, :20], right[:, 20:] = 1, 1
    other = gatys.extract_style(net, picture(7, size=SIZE), {"conv1_1": 0.5, "conv2_1": 0.5}, levels=2)
    alone = style_of_ground(gatys.regional_style([(style, left), (other, right)]), NEW, 2)
    assert len(alone.regions) == 1 and torch.equal(alone.regions[0].mask, surroundings(NEW) * right)
    image = picture(5, size=SIZE)
    mask = surroundings(NEW) * right
    wanted = float((mask**2).mean()) * loss(net, gatys.regional_style([(other, mask)]), image)
    assert loss(net, alone, image) == pytest.approx(wanted, rel=1e-5)
    assert style_of_ground(gatys.regional_style([(style, left)]), NEW, 2) is None


def test_a_few_pixels_are_no_ground(style):
    few = torch.zeros(1, 1, *SIZE)
    few[..., 3:5, 3:5] = 1
    assert style_of_ground(style, few, 2) is None


def test_a_region_that_a_grid_does_not_show_is_left_out(net, style):
    corner = torch.zeros(SIZE)
    corner[:, -1:] = 1  # of 5 columns at the second level, conv3_1 has one for 4
    deep = gatys.extract_style(net, picture(2, size=(36, 42)), {"conv3_1": 1.0}, levels=2)
    new = torch.zeros(1, 1, 36, 42)
    new[..., -4:] = 1
    region = torch.zeros(36, 42)
    region[:, -1:] = 1
    assert style_of_ground(gatys.regional_style([(deep, region), (deep, None)]), new, 2).regions[0].style.layers
    assert len(style_of_ground(gatys.regional_style([(deep, region), (deep, None)]), new, 2).regions) == 1


# with how many steps


@pytest.mark.parametrize("later", [None, 9, 40])
@pytest.mark.parametrize(("size", "levels"), [((96, 128), 2), ((384, 512), 4), ((768, 1024), 5)])
def test_it_takes_no_more_than_without(size, levels, later):
    told = FilmArguments(steps=200, later_steps=later)
    work = lambda steps: sum(
        count * round(size[0] / 2**level) * round(size[1] / 2**level) for level, count in enumerate(steps)
    )
    without, split = plan_later(told, size, levels), plan_later(told, size, levels, new=True)
    assert without.ground is None and split.ground is not None
    left = work(without.whole) - work(split.ground) - work(split.whole)
    assert 0 <= left < size[0] * size[1]
    assert split.ground[0] == 1 and min(split.ground[1:]) > 1 and split.whole[1:] == [1] * (levels - 1)


def test_of_one_level_half_of_all_and_of_too_few_none():
    told = lambda later: FilmArguments(steps=200, later_steps=later)
    assert plan_later(told(7), (64, 64), 1, new=True) == ([3], [4])
    assert plan_later(told(3), (64, 64), 1, new=True) == (None, [3])
    assert plan_later(told(2), (96, 128), 2, new=True) == (None, [1, 1])


# in a film


def test_new_ground_is_painted_by_itself_before_the_frame(net, style, extract, make):
    second, flow, seen = extract(panned(2)[1:]), known(2), []
    result = make(extract(panned(2)), flow=flow, callback=lambda progress, index: seen.append((index, progress)))
    plan = plan_later(FilmArguments(**STEPS), SIZE, 2, new=True)
    levels = [record.level for record in result.histories[1]]
    assert levels == [1] * plan.ground[1] + [0] + [1] + [0] * plan.whole[0] and plan.whole[0] > 1
    assert [record.step for record in result.histories[1]] == list(range(1, len(levels) + 1))
    told = [(progress.step, progress.steps) for index, progress in seen if index == 1]
    assert told == [(step, len(levels)) for step in range(1, len(levels) + 1)]
    moved, keep = gatys.warp(result.images[:1], flow.back), kept(flow.back)
    keep[..., -PAN:] = 0
    before, begun = (
        gatys.optimize(net, content=extract(one), style=style, steps=[1, 1]).image for one in panned(2).split(1)
    )
    begun = (begun + (keep == 1) * (moved - gatys.warp(before, flow.back))).clamp(0, 1)
    how = {"content": second, "tolerance": 0.0}
    ground = style_of_ground(style, 1 - keep, 2)
    alone = gatys.optimize(net, style=ground, init=begun.lerp(moved, keep), steps=plan.ground, **how).image
    held = gatys.TemporalTarget(moved, keep)
    start = alone.lerp(moved, keep)  # what it has changed elsewhere is dropped
    wanted = gatys.optimize(net, style=style, init=start, steps=plan.whole, temporal=held, **how).image
    torch.testing.assert_close(result.images[1:], wanted, rtol=0, atol=1e-3)
    assert (alone - begun)[..., -PAN:].abs().mean() > 0.01


@pytest.mark.parametrize("at", [2, 5])
def test_stop_hands_on_what_is_there(extract, make, at):
    def callback(progress, index):
        if (index, progress.step) == (1, at):
            raise StopIteration

    stopped = make(extract(panned()), flow=known(), callback=callback)
    assert stopped.stopped and len(stopped.images) == 2 and len(stopped.histories[1]) == at
    moved = gatys.warp(stopped.images[:1], known().back[:1])
    apart = (stopped.images[1:] - moved)[..., : -2 * PAN].abs().max()
    assert apart < 1e-4 if at == 2 else apart < 0.5


@pytest.mark.parametrize("options", [{}, {"occlusion": NEW[0, 0]}, {"style": "noise"}])
def test_a_film_goes_on_at_a_frame(net, style, extract, make, options):
    pictures, flow = panned(4), known(4)
    told = {"init": "noise"} if "style" in options else options
    whole = make(extract(pictures), flow=flow, **told).images
    rest = make(
        extract(pictures[2:]),
        flow=gatys.FilmFlow(flow.back[1:], flow.ahead[1:]),
        previous=(pictures[1:2], whole[1:2]),
        first_index=2,
        **told,
    ).images
    assert torch.equal(rest, whole[2:])


@pytest.mark.parametrize("at", [3, 6])
def test_a_frame_that_was_cut_short_goes_on(extract, make, tmp_path, at):
    def callback(progress, index):
        if (index, progress.step) == (1, at):
            raise KeyboardInterrupt

    film, options = extract(panned()), {"flow": known(), "checkpoint": tmp_path, "checkpoint_every": 0.0}
    whole = make(film, flow=known())
    with pytest.raises(KeyboardInterrupt):
        make(film, callback=callback, **options)
    again = make(film, **options)
    assert torch.equal(again.images, whole.images)
    assert [len(history) for history in again.histories] == [len(history) for history in whole.histories]
