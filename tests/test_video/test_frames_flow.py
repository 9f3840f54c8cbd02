"""Films along a flow: what a frame starts from and is held to, new ground, frames handed on, and going on at one."""

import pytest
import torch
from panning import BAND, PAN, SIZE, STEPS, kept, known, panned, starts
from pictures import picture

import gatys

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_pan_by_whole_pixels_gives_back_the_shifted_result(extract, make):
    images = starts(make, extract(panned()), flow=known())
    for index in (1, 2):
        shifted = images[index - 1][..., PAN:-BAND]
        torch.testing.assert_close(images[index][..., : -PAN - BAND], shifted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("init", ["auto", "content", "noise", "mean"])
def test_new_ground_starts_as_init_says(net, style, extract, make, init):
    film, flow = extract(panned()), known().back[:1]
    images = starts(make, film, flow=known(), init=init)
    before, begun = (
        gatys.optimize(net, content=one, style=style, init=init, steps=1).image for one in film.pictures()[:2]
    )
    keep = kept(flow)
    keep[..., -PAN:] = 0  # what comes in
    moved, anew = gatys.warp(images[:1], flow), begun
    if init not in ("noise", "mean"):  # with what painting has changed, where all of it is kept
        anew = (begun + (keep == 1) * (moved - gatys.warp(before, flow))).clamp(0, 1)
    wanted = (1 - keep) * anew + keep * moved
    torch.testing.assert_close(images[1:2], wanted, rtol=0, atol=2e-5)
    assert 0 < keep[..., -PAN - BAND : -PAN].mean() < 0.5 and (keep[..., : -PAN - BAND] == 1).all()


def changed_content(film, images, flow):
    """Where the second frame of a film starts without a past, with `init="content"`, away from the border."""
    return (film[1:2] + gatys.warp(images[:1], flow.back[:1]) - gatys.warp(film[:1], flow.back[:1])).clamp(0, 1)[0]


@pytest.mark.parametrize("flow", ["dis", "auto", "function"])
def test_a_static_film_equals_its_first_frame(extract, make, flow):
    if flow != "function":
        pytest.importorskip("cv2", reason="OpenCV is not installed")
    still = lambda frame, last: torch.zeros(1, 2, *SIZE)
    images = starts(make, extract(panned(1).repeat(3, 1, 1, 1)), flow=still if flow == "function" else flow)
    torch.testing.assert_close(images[1:], images[:1].expand(2, -1, -1, -1), rtol=0, atol=1e-6)


def test_each_form_of_a_flow_is_the_same(extract, make):
    film, flow = extract(panned()), known()

    def between(frame, other):
        """The pan, from the frames themselves."""
        right = torch.equal(frame[..., :-PAN], other[..., PAN:])
        return torch.tensor([PAN if right else -PAN, 0.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)

    images = make(film, flow=flow).images
    first = torch.cat([torch.zeros(1, 2, *SIZE), flow.back]), torch.cat([torch.zeros(1, 2, *SIZE), flow.ahead])
    assert torch.equal(images, make(film, flow=between).images)
    assert torch.equal(images, make(film, flow=gatys.FilmFlow(*first)).images)
    assert torch.equal(images, make(iter(film.pictures()), flow=flow).images)


def test_along_one_way_of_a_flow_frames_must_look_alike(extract, make):
    pictures = panned(2)
    pictures[1, :, 10:24, 10:24] = 1 - pictures[1, :, 10:24, 10:24]  # something comes in
    images = starts(make, extract(pictures), flow=known(2).back, init="content")
    wanted = changed_content(pictures, images, known(2))
    torch.testing.assert_close(images[1, :, 12:22, 12:22], wanted[:, 12:22, 12:22], rtol=0, atol=1e-5)
    torch.testing.assert_close(images[1, :, :7, : -PAN - 2], images[0, :, :7, PAN:-2], rtol=0, atol=2e-5)


def test_occlusion_takes_the_place_of_the_mask(extract, make):
    hidden = torch.zeros(SIZE)
    hidden[:, :12] = 1
    film = panned(2)
    images = starts(make, extract(film), flow=known(2), occlusion=hidden, init="content")
    wanted = changed_content(panned(2), images, known(2))
    torch.testing.assert_close(images[1, ..., :12], wanted[..., :12], rtol=0, atol=1e-5)
    torch.testing.assert_close(images[1, ..., 12:-PAN], images[0, ..., 12 + PAN :], rtol=0, atol=2e-5)


@pytest.mark.parametrize("way", ["mask", "lost", "anchor"])
def test_a_frame_with_nothing_to_trust_starts_anew(extract, make, way):
    lost = gatys.FilmFlow(torch.full((1, 2, *SIZE), 99.0), torch.zeros(1, 2, *SIZE))
    options = {
        "mask": {"flow": known(2), "occlusion": torch.ones(SIZE)},
        "lost": {"flow": lost},
        "anchor": {"flow": known(2), "anchor_every": 1},
    }[way]
    film = extract(panned(2))
    alone = make(film, warm_start=False, temporal_weight=0.0).images
    result = make(film, **options)
    assert torch.equal(result.images[1], alone[1]) and len(result.histories[1]) == STEPS["steps"]


def test_boundaries_are_not_held_but_started_from(extract, make):
    film = panned(2)
    flow = known(2)
    flow.back[:, 0, :, 20:] -= 0.85  # two parts that move at slightly other speeds
    images = starts(make, extract(film), flow=flow, init="content")
    assert gatys.occlusion_mask(flow.back, flow.ahead)[..., 19:21].all()
    hidden = gatys.occlusion_mask(flow.back, flow.ahead, boundaries=False)[0]
    assert not hidden[..., 19:21].any()
    keep, moved = kept(flow.back)[0], gatys.warp(images[:1], flow.back)[0]
    came_in = (flow.back[0, :1] + torch.arange(SIZE[1]) > SIZE[1] - 0.5).float()
    changed = panned(2)[1] + (keep == 1) * (1 - came_in) * (moved - gatys.warp(panned(1), flow.back)[0])
    wanted = changed.clamp(0, 1).lerp(moved, keep * (1 - hidden))
    torch.testing.assert_close(images[1], wanted, rtol=0, atol=2e-5)


def test_ground_that_was_hidden_starts_anew_a_pixel_around(extract, make):
    pictures, (left, right, move) = picture(3, size=SIZE).repeat(2, 1, 1, 1), (12, 22, 6)
    thing = picture(4, size=(20, right - left))[0]
    back, ahead = torch.zeros(2, 1, 2, *SIZE)
    for index, (flow, way) in enumerate(((ahead, move), (back, -move))):
        place = ..., slice(8, 28), slice(left + index * move, right + index * move)
        pictures[index][place] = thing
        flow[:, :1][place] = way
    images = starts(make, extract(pictures), flow=gatys.FilmFlow(back, ahead), init="content")
    anew = torch.zeros(SIZE, dtype=torch.bool)
    anew[8 - 1 : 28 + 1, left - 1 : left + move + 1] = True  # what was hidden, and a pixel around
    moved, changed = gatys.warp(images[:1], back)[0], changed_content(pictures, images, gatys.FilmFlow(back, ahead))
    torch.testing.assert_close(images[1], torch.where(anew, changed, moved), rtol=0, atol=2e-5)
    assert (changed - moved)[:, anew].abs().mean() > 0.01


def test_a_pan_is_steadier_along_its_flow(extract, make):
    film = extract(panned())
    moved = lambda images: float((images[1:, ..., :-PAN] - images[:-1, ..., PAN:]).abs().mean())
    alone = moved(make(film, warm_start=False, temporal_weight=0.0).images)
    still = moved(make(film).images)
    along = moved(make(film, flow=known()).images)
    assert along < alone / 2 and along < still / 2


# one frame after the other


def test_frames_are_handed_on_as_they_are_made(net, style, extract, make):
    film, asked = extract(panned()), []

    def targets():
        for index, target in enumerate(film.pictures()):
            asked.append(index)
            yield target

    whole = make(film, flow=known())
    frames = gatys.iterate_frames(net, targets(), style=style, flow=known(), **STEPS)
    for index, frame in enumerate(frames):
        assert asked == list(range(index + 1)) and frame.index == index and not frame.stopped
        assert torch.equal(frame.image, whole.images[index : index + 1]) and frame.history == whole.histories[index]
    assert repr(frame) == "FilmFrame(2, 40 x 36, 3 steps, 0 notes)" and len(asked) == 3


@pytest.mark.parametrize("form", ["function", "batch", "kept"])
def test_a_film_goes_on_at_a_frame(net, style, extract, make, form):
    pictures, flow = panned(4), known(4)
    between = lambda frame, other: flow.back[0] if torch.equal(frame[..., :-PAN], other[..., PAN:]) else flow.ahead[0]
    whole = make(extract(pictures), flow=between, anchor_every=3).images
    rest = extract(pictures[2:])
    given = {"function": between, "batch": gatys.FilmFlow(flow.back[1:], flow.ahead[1:])}
    targets, way = (rest, given[form]) if form != "kept" else (iter(rest.pictures()), given["batch"])
    calls = set()
    again = gatys.iterate_frames(
        net,
        targets,
        style=style,
        flow=way,
        previous=(pictures[1:2], whole[1:2]),
        first_index=2,
        anchor_every=3,
        callback=lambda progress, index: calls.add(index),
        **STEPS,
    )
    frames = list(again)
    assert [frame.index for frame in frames] == [2, 3] and calls == {2, 3}
    assert torch.equal(torch.cat([frame.image for frame in frames]), whole[2:])


def test_stop_hands_on_what_is_there(net, style, extract):
    def callback(progress, index):
        if (index, progress.step) == (1, 2):
            raise StopIteration

    frames = list(gatys.iterate_frames(net, extract(panned()), style=style, callback=callback, **STEPS))
    assert [frame.stopped for frame in frames] == [False, True] and len(frames[1].history) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow": "farneback"}, "flow: expected one of auto, dis, raft_small, raft_large, got 'farneback'"),
        ({"flow": 3}, "flow: expected the name of a method, a function, a FilmFlow or a tensor .* got int"),
        ({"flow": known(2), "warped": panned()}, "flow: expected none beside pictures that are warped already"),
        (
            {"flow": torch.zeros(5, 2, *SIZE)},
            "flow: expected one for each of 3 frames, or for each but the first, got 5",
        ),
        ({"flow": torch.zeros(2, 2, 9, 9)}, "flow, frame 1: expected a flow of the pictures' size, 40 x 36"),
        ({"first_index": -1}, "first_index: expected a whole number of at least 0, got -1"),
        ({"previous": "last.png"}, "previous: expected two pictures, a frame and its result, got str"),
        ({"previous": (panned(2), panned(1))}, "previous: expected one frame and one result, got 2 and 1"),
        (
            {"previous": (panned(1)[..., 1:], panned(1))},
            "content: frame 0 is 40 x 36 pixels, but those before are 39 x 36",
        ),
    ],
)
def test_bad_options_are_named(extract, make, options, message):
    with pytest.raises((gatys.InputError, gatys.InputTypeError), match=message):
        make(extract(panned()), **options)


def test_too_few_flows_for_a_generator_are_noticed(extract, make):
    with pytest.raises(
        gatys.InputError, match="flow: expected one for each frame but the first, got 1, and there is a frame 2"
    ):
        make(iter(extract(panned()).pictures()), flow=known(2))
