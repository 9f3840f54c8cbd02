"""Films: what a frame inherits, what holds it, when it starts anew, and what is left after a stop."""

import gc
import weakref
from functools import partial

import pytest
import torch
from pictures import picture

import gatys
from gatys.video.frames import optimize_frames
from gatys.video.past import agreement

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = (36, 32)
STEPS = {"steps": 6, "later_steps": 3}
INDEPENDENT = {"steps": 6, "warm_start": False, "temporal_weight": 0.0}
pictures = partial(picture, size=SIZE)


def noisy(count, sigma=2 / 255):
    """One view with the noise of a camera."""
    noise = torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(5))
    return (pictures(1).expand(count, -1, -1, -1) * 0.8 + 0.1 + sigma * noise).clamp(0, 1)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


@pytest.fixture(scope="module")
def style(net):
    return gatys.extract_style(net, pictures(2), {"conv1_1": 0.5, "conv2_1": 0.5}, levels="auto", normalize=True)


@pytest.fixture(scope="module")
def extract(net):
    return lambda film, levels=1: gatys.extract_content(net, film, {"conv2_2": 1.0}, levels, normalize=True)


@pytest.fixture(scope="module")
def make(net, style):
    return lambda contents, **options: optimize_frames(net, contents, style=style, **(STEPS | options))


def flicker(images):
    return float(images.diff(dim=0).abs().mean())


# where a frame starts: after one step the result is the start


def starts(make, film, **options):
    return make(film, **({"later_steps": 1} | options)).images


def test_first_frame_is_what_optimize_makes(net, style, extract, make):
    result = make(extract(noisy(2)), optimizer="adam", content_weight=0.1)
    first = gatys.optimize(net, content=extract(noisy(1)), style=style, steps=6, optimizer="adam", content_weight=0.1)
    assert torch.equal(result.images[:1], first.image) and result.histories[0] == first.history
    assert result.images.shape == (2, 3, *SIZE) and not result.stopped and result.notes == ()


def test_later_frames_start_from_the_last_result_with_fewer_steps(extract, make):
    result = make(extract(noisy(3)), later_steps=1)
    torch.testing.assert_close(result.images[1:], result.images[:1].expand(2, -1, -1, -1), rtol=0, atol=1e-6)
    assert [len(history) for history in result.histories] == [6, 1, 1]


@pytest.mark.parametrize(
    ("levels", "options"),
    [
        (1, {"steps": 16}),
        (1, {"steps": 3}),
        (2, {"steps": 30}),
        (2, {"steps": 30, "init": "noise"}),
        (2, {"steps": [4, 40]}),
        (2, {"steps": [12, 9], "octaves": 2}),
        (2, {"steps": 20, "init": pictures(4)}),
    ],
)
def test_later_frames_take_a_quarter_of_the_first_unless_told(net, extract, levels, options):
    painting = gatys.extract_style(net, pictures(2), {"conv1_1": 1.0}, levels=levels)
    how = {"style": painting, "tolerance": 0.0} | options
    result = optimize_frames(net, extract(noisy(2), levels), **how)
    octaves = options.get("octaves", 1)

    def work(history):
        """The pixels that the network has read."""
        areas = [36 * 32 // 4**level for level in range(levels)]
        return sum(sum(areas[record.level :][:octaves]) for record in history)

    first, later = map(work, result.histories)
    one = sum(36 * 32 // 4**level for level in range(octaves))
    begun_anew = optimize_frames(net, extract(noisy(1), levels), **how | {"init": "content"}).histories[0]
    told = first if isinstance(options.get("init"), str) else work(begun_anew)  # later ones do not begin from a picture
    assert later <= first / 4 or later == one == first / 3
    assert later > 0.22 * told - one


def test_later_steps_are_spent_at_full_size(net, style, extract):
    painting = gatys.extract_style(net, pictures(2), {"conv1_1": 1.0}, levels=2, normalize=False)
    result = optimize_frames(net, extract(noisy(2), levels=2), style=painting, steps=6, later_steps=5)
    assert [record.level for record in result.histories[0]] == [1, 1, 1, 0, 0, 0]
    assert [record.level for record in result.histories[1]] == [1, 0, 0, 0, 0]
    # a single step a level changes nothing: no detail is lost on the way up
    kept = optimize_frames(net, extract(noisy(2), levels=2), style=painting, steps=6, later_steps=1).images
    torch.testing.assert_close(kept[1], kept[0], rtol=0, atol=1e-6)


def test_without_warm_start_and_weight_frames_are_independent(net, style, extract, make):
    film = pictures(3, count=3)
    result = make(extract(film), **INDEPENDENT)
    for index in range(3):
        alone = gatys.optimize(net, content=extract(film[index : index + 1]), style=style, steps=6)
        assert torch.equal(result.images[index : index + 1], alone.image)


def test_noise_is_the_same_for_every_frame(extract, make):
    options = INDEPENDENT | {"steps": 1, "init": "noise", "seed": 3}
    images = make(extract(pictures(3, count=2)), **options).images
    assert torch.equal(images[0], images[1]) and not torch.equal(
        images, make(extract(pictures(3, 2)), **options | {"seed": 4}).images
    )


def test_a_picture_begins_the_first_frame_only(extract, make):
    first = pictures(4)
    film = noisy(3)
    images = starts(make, extract(film), init=first, steps=1, anchor_every=2)
    torch.testing.assert_close(images[:2], first.expand(2, -1, -1, -1), rtol=0, atol=1e-6)
    torch.testing.assert_close(images[2:], film[2:], rtol=0, atol=1e-6)


# moved along with the scene


def test_warp_is_given_the_last_result_and_is_the_start(extract, make):
    seen = []

    def warp(index, last):
        seen.append((index, last.clone()))
        return last.flip(-1)

    images = starts(make, extract(noisy(3)), warped=warp)
    assert [index for index, _ in seen] == [1, 2]
    assert all(torch.equal(last, images[index - 1 : index]) for index, last in seen)
    torch.testing.assert_close(images[1], images[0].flip(-1), rtol=0, atol=1e-6)
    torch.testing.assert_close(images[2], images[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", ["tensor", "one less", "list"])
def test_warped_pictures_are_the_start(extract, make, form):
    given = pictures(6, count=3)
    film = extract(noisy(3))
    warped = {"tensor": given, "one less": given[1:], "list": [None, given[1], given[2:, ..., ::2, ::2]]}[form]
    images = starts(make, film, warped=warped)
    torch.testing.assert_close(images[1], given[1], rtol=0, atol=1e-6)
    if form != "list":
        torch.testing.assert_close(images[2], given[2], rtol=0, atol=1e-6)
    if form == "tensor":  # the part of a longer film: its first frame has a past, too
        torch.testing.assert_close(images[0], given[0], rtol=0, atol=1e-6)
        assert len(make(film, warped=warped).histories[0]) == STEPS["later_steps"]


def test_occluded_parts_start_from_their_content_changed_as_before(extract, make):
    film, hidden = noisy(2), torch.zeros(SIZE)
    hidden[:, :12] = 1
    given = pictures(6)
    images = starts(make, extract(film), warped=given, occlusion=hidden)
    wanted = (film[1] + images[0] - film[0]).clamp(0, 1)
    torch.testing.assert_close(images[1][..., :12], wanted[..., :12], rtol=0, atol=1e-6)
    torch.testing.assert_close(images[1][..., 12:], given[0][..., 12:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", ["function", "batch", "small", "one for all"])
def test_occlusion_may_come_in_any_form(extract, make, form):
    hidden = torch.zeros(2, 1, *SIZE)
    hidden[..., :16] = 1
    given = {
        "function": lambda index: hidden[index],
        "batch": hidden,
        "small": hidden[..., ::2, ::2],
        "one for all": hidden[0, 0],
    }[form]
    film = noisy(2)
    images = starts(make, extract(film), occlusion=given)
    free = 10 if form == "small" else 16  # its edge is soft
    torch.testing.assert_close(images[1][..., 20:], images[0][..., 20:], rtol=0, atol=1e-5)
    wanted = (film[1] + images[0] - film[0]).clamp(0, 1)
    torch.testing.assert_close(images[1][..., :free], wanted[..., :free], rtol=0, atol=1e-2)


def test_mostly_occluded_frames_start_anew(extract, make):
    hidden = torch.ones(3, *SIZE)
    hidden[1, :10] = 0  # less than half to go by
    film = noisy(3)
    result = make(extract(film), occlusion=hidden, steps=2, later_steps=1)
    assert [len(history) for history in result.histories] == [2, 2, 2]
    assert torch.equal(
        make(extract(film), **INDEPENDENT | {"steps": 2}).images[2], result.images[2]
    )  # all hidden: a cut


# without a warp: the frames themselves tell


def test_agreement_ignores_noise_and_sees_change():
    film = noisy(2)
    assert agreement(film[:1], film[1:]).min() == 1
    moved = film[1:].clone()
    moved[..., 10:20, 10:20] = 1 - moved[..., 10:20, 10:20]
    trust = agreement(film[:1], moved)
    assert trust.shape == (1, 1, *SIZE) and trust[..., 12:18, 12:18].max() == 0 and trust[..., :7, :].min() == 1


def test_what_moves_before_a_still_camera_is_not_held(extract, make):
    film = noisy(2)
    film[1, :, 8:20, 8:20] = 1 - film[1, :, 8:20, 8:20]
    images = starts(make, extract(film))
    torch.testing.assert_close(images[1][..., 24:], images[0][..., 24:], rtol=0, atol=1e-6)
    wanted = (film[1] + images[0] - film[0]).clamp(0, 1)[..., 11:17, 11:17]
    torch.testing.assert_close(images[1][..., 11:17, 11:17], wanted, rtol=0, atol=1e-6)


def test_a_cut_starts_anew(extract, make):
    film = torch.cat([noisy(2), 1 - noisy(2)])
    result = make(extract(film))
    assert [len(history) for history in result.histories] == [6, 3, 6, 3]
    assert torch.equal(result.images[2], make(extract(film), **INDEPENDENT).images[2])


# what holds a frame


def test_warm_start_and_temporal_term_calm_the_film(extract, make):
    film = extract(noisy(3))
    alone = flicker(make(film, **INDEPENDENT).images)
    warm = flicker(make(film, temporal_weight=0.0).images)
    held = flicker(make(film, temporal_weight=10.0).images)
    held_only = flicker(make(film, temporal_weight=10.0, warm_start=False).images)
    assert held < warm / 1.5 and warm < alone / 2 and held_only < alone / 4


def test_temporal_term_spares_what_is_occluded(extract, make):
    hidden = torch.zeros(SIZE)
    hidden[:, :14] = 1
    given = pictures(6)
    options = {"warped": given, "occlusion": hidden, "temporal_weight": 100.0, "warm_start": False}
    change = (make(extract(noisy(2)), **options).images[1] - given[0]).abs().mean(dim=(0, 1))
    assert change[16:].max() < change[:12].min() / 3


def test_anchors_forget_the_past(extract, make):
    film = noisy(5)
    result = make(extract(film), anchor_every=2)
    assert [len(history) for history in result.histories] == [6, 3, 6, 3, 6]
    alone = make(extract(film), **INDEPENDENT).images
    for index in (0, 2, 4):
        assert torch.equal(result.images[index], alone[index])


# forms of the contents


@pytest.mark.slow
def test_contents_may_be_a_generator_and_only_one_lives(net, style, extract):
    film, alive = noisy(4), []

    def frames():
        for index in range(4):
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 2  # the frame just finished, and the picture before
            target = extract(film[index : index + 1])
            alive.append(weakref.ref(target))
            yield target
            del target

    result = optimize_frames(net, frames(), style=style, **STEPS)
    batch = optimize_frames(net, extract(film), style=style, **STEPS)
    torch.testing.assert_close(result.images, batch.images, rtol=0, atol=1e-5)


def test_same_film_twice_is_the_same(extract, make):
    assert torch.equal(*(make(extract(noisy(3)), init="noise").images for _ in range(2)))


# stopping


@pytest.mark.parametrize("at", [(0, 2), (1, 2)])
def test_stop_returns_what_is_there(extract, make, at):
    calls = []

    def callback(progress, frame):
        calls.append((frame, progress.step))
        if calls[-1] == at:
            raise StopIteration

    film = extract(noisy(3))
    result = make(film, callback=callback)
    assert result.stopped and len(result.images) == len(result.histories) == at[0] + 1 and calls[-1] == at
    whole = make(film)
    assert torch.equal(result.images[: at[0]], whole.images[: at[0]])
    assert result.histories[-1] == whole.histories[at[0]][:2]


def test_other_exceptions_of_the_callback_are_passed_on(extract, make):
    def callback(progress, frame):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(extract(noisy(2)), callback=callback)


# what is said when it cannot be done


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"later_steps": 0}, "later_steps: expected a whole number of at least 1, got 0"),
        ({"later_steps": 2.5}, "later_steps: .*got 2.5"),
        ({"anchor_every": -1}, "anchor_every: expected a whole number of at least 0, got -1"),
        ({"temporal_weight": -1.0}, "temporal_weight: expected a finite number"),
        ({"temporal_weight": float("nan")}, "temporal_weight: expected a finite number"),
        (
            {"warped": pictures(6, count=5)},
            "warped: expected one for each of 3 frames, or for each but the first, got 5",
        ),
        ({"occlusion": torch.zeros(5, *SIZE)}, "occlusion: expected one for each of 3 frames"),
        ({"occlusion": torch.full(SIZE, float("nan"))}, "occlusion, frame 1: expected finite values"),
        ({"occlusion": torch.zeros(3, 2, *SIZE)}, "occlusion, frame 1: expected one mask for one picture"),
        ({"warped": lambda index, last: last[:, :1]}, r"warped, frame 1: expected a tensor of shape \(N, 3, H, W\)"),
        ({"warped": lambda index, last: last.repeat(2, 1, 1, 1)}, "warped, frame 1: expected one picture, got 2"),
        ({"warped": lambda index, last: last * torch.nan}, "warped, frame 1: expected finite values"),
        ({"init": "former"}, "init: expected auto"),
    ],
)
def test_bad_options_are_named(extract, make, options, message):
    with pytest.raises(ValueError, match=message):
        make(extract(noisy(3)), **options)


def test_frames_of_several_sizes_are_refused(extract, make):
    film = [extract(noisy(1)), extract(pictures(1, size=(36, 40)))]
    with pytest.raises(ValueError, match="frame 1 is 40 x 36 pixels, but those before are 32 x 36; resize"):
        make(film)


@pytest.mark.parametrize("contents", [[], iter(())])
def test_no_frames_are_refused(make, contents):
    with pytest.raises(ValueError, match="content: expected at least one frame, got none"):
        make(contents)


def test_contents_of_another_kind_are_refused(make):
    with pytest.raises(TypeError, match="content: expected a ContentTarget for each frame, got Tensor"):
        make(noisy(2))


def test_too_few_warped_pictures_for_a_generator_are_noticed(extract, make):
    film = (extract(noisy(1)) for _ in range(3))
    with pytest.raises(ValueError, match="warped: expected one for each frame, got 2, and there is a frame 2"):
        make(film, warped=pictures(6, count=2))
