"""What holds a film together over many frames: earlier frames that count where no nearer one does, and passes back and forth."""

import gc
import weakref

import pytest
import torch
from panning import BAND, PAN, SIZE, STEPS, kept, known, panned, starts
from pictures import picture

import gatys
from gatys.video.past import Sight, past_of

pytestmark = pytest.mark.usefixtures("one_thread")
FAR = (1, 2)
LOOKED_AT = {"steps": 1, "later_steps": 1}
"""With one step the result is the start."""


def between(frame, other):
    """The flow of `panned`, of any number of frames apart, from the pictures themselves."""
    for shift in range(0, 3 * PAN + 1, PAN):
        for sign in (1, -1):
            left, right = (frame, other)[::sign]
            if torch.equal(left[..., : SIZE[1] - shift], right[..., shift:]):
                return torch.tensor([float(sign * shift), 0.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    raise AssertionError("these are no frames of the pan")


def seen(flow, back):
    return 1 - gatys.occlusion_mask(flow, back)


# earlier frames


@pytest.mark.parametrize("soft", [False, True])
def test_the_terms_of_several_earlier_frames_add_up_to_one(soft):
    draw = torch.Generator().manual_seed(3)
    random = lambda *shape: torch.rand(1, *shape, 6, 5, generator=draw, dtype=torch.float64)
    pictures, trusts = [random(3) for _ in range(3)], [random(1) for _ in range(3)]
    if not soft:
        trusts = [(trust > 0.6).double() for trust in trusts]

    def paper(x):
        """Equations 8 and 9 of Ruder et al., written out."""
        loss = 0
        for j, (w, c) in enumerate(zip(pictures, trusts, strict=True)):
            loss = loss + ((c - sum(trusts[:j])).clamp(min=0) * (x - w) ** 2).sum()
        return loss

    past = past_of([Sight(w, c, c) for w, c in zip(pictures, trusts, strict=True)])
    assert past.trust.min() >= 0 and past.trust.max() <= 1 + 1e-12
    offsets, gradients = [], []
    for _ in range(3):
        x = random(3).requires_grad_()
        ours = (past.trust * (x - past.held) ** 2).sum()
        offsets.append(float((paper(x) - ours).detach()))
        gradients.append(torch.autograd.grad(paper(x), x)[0] - torch.autograd.grad(ours, x)[0])
    assert max(offsets) - min(offsets) < 1e-12 and all(gradient.abs().max() < 1e-12 for gradient in gradients)
    untrusted = past.trust.expand_as(past.held) == 0
    assert torch.equal(past.held[untrusted], pictures[0][untrusted])


def hidden_for_a_frame():
    """A still view before which something is for one frame."""
    film = picture(3, size=SIZE).repeat(3, 1, 1, 1)
    film[1, :, 8:22, 8:22] = 1 - film[1, :, 8:22, 8:22]
    return film


def test_what_was_hidden_comes_back_as_it_was(extract, make):
    film = extract(hidden_for_a_frame())
    far = gatys.FilmFlow(torch.zeros(1, 2, *SIZE))
    options = {"flow": gatys.FilmFlow(torch.zeros(2, 2, *SIZE), farther={2: far}), "init": "noise"}
    images = starts(make, film, long_term=FAR, **options)
    inside = slice(11, 19)  # away from the edges of what hides, where trust is soft
    for part in ((..., inside, inside), (..., slice(0, 4), slice(None))):
        torch.testing.assert_close(images[2][part], images[0][part], rtol=0, atol=1e-6)
    other = starts(make, film, **options)
    assert (other[2] - other[0])[:, 11:19, 11:19].abs().mean() > 1 / 255


def test_and_is_held_to_that(extract, make):
    film = extract(hidden_for_a_frame())
    apart = lambda images: float((images[2] - images[0])[:, 11:19, 11:19].abs().mean())
    options = {"temporal_weight": 1e4, "warm_start": False, "steps": 12}
    assert apart(make(film, long_term=FAR, **options).images) < apart(make(film, **options).images) / 10


def test_a_static_film_equals_its_first_frame(extract, make):
    still = lambda frame, other: torch.zeros(1, 2, *SIZE)
    film = extract(panned(1).repeat(4, 1, 1, 1))
    images = starts(make, film, flow=still, long_term=(1, 2, 4), passes=3)
    torch.testing.assert_close(images[1:], images[:1].expand(3, -1, -1, -1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("options", [{"long_term": (1, 2, 4)}, {"passes": 2}, {"passes": 3, "long_term": FAR}])
def test_a_pan_by_whole_pixels_gives_back_the_shifted_result(extract, make, options):
    images = starts(make, extract(panned()), flow=between, **options)
    for index in (1, 2):
        new = BAND + PAN * ("passes" in options)  # a further pass blends it with what lies beside
        shifted = images[index - 1][..., PAN:-new]
        torch.testing.assert_close(images[index][..., : -PAN - new], shifted, rtol=0, atol=4e-5)


def test_a_flow_may_be_there_to_all_distances(extract, make):
    pictures = panned(4)
    flow = gatys.film_flow(pictures, between, distances=(1, 2, 4))
    assert flow.distances == FAR and repr(flow) == "FilmFlow(3 of 40 x 36, both ways, to distances of 1, 2)"
    assert torch.equal(
        flow.farther[2].back, torch.cat([between(pictures[i + 2, None], pictures[i, None]) for i in (0, 1)])
    )
    assert torch.equal(flow.farther[2].ahead, -flow.farther[2].back)
    film = extract(pictures)
    for options in ({"long_term": FAR}, {"long_term": FAR, "passes": 2}):
        assert torch.equal(make(film, flow=flow, **options).images, make(film, flow=between, **options).images)


def test_flows_to_all_distances_are_counted():
    told = []
    gatys.film_flow(panned(4), between, distances=(2, 1), callback=lambda *done: told.append(done))
    assert told == [(index, 5) for index in range(1, 6)]


def test_a_film_goes_on_with_several_frames_before(net, style, extract, make):
    pictures = panned(4)
    whole = make(extract(pictures), flow=between, long_term=FAR).images
    pairs = [(pictures[index, None], whole[index, None]) for index in (1, 2)]
    told = {"previous": pairs, "first_index": 3, "long_term": FAR, "flow": between}
    frames = list(gatys.iterate_frames(net, extract(pictures[3:]), style=style, **told, **STEPS))
    assert [frame.index for frame in frames] == [3] and torch.equal(frames[0].image, whole[3:])


# several passes


def test_each_pass_starts_from_its_own_result_and_the_frame_beside(extract, make):
    pictures = panned()
    options = LOOKED_AT | {"flow": between, "init": "noise", "warm_start": False}
    film = extract(pictures)
    wanted = list(make(film, **options).images.split(1))
    for way, order in ((-1, (1, 0)), (1, (1, 2))):
        for index in order:
            flow, back = known(2).ahead, known(2).back  # on a frame into the next one, and on that
            flow, back = (flow, back) if way < 0 else (back, flow)
            trust = 0.5 * seen(flow, back) * kept(flow)
            wanted[index] = (1 - trust) * wanted[index] + trust * gatys.warp(wanted[index - way], flow)
        passes = 2 if way < 0 else 3
        images = make(film, passes=passes, **options).images
        torch.testing.assert_close(images, torch.cat(wanted), rtol=0, atol=1e-5)


def test_a_further_pass_is_held_to_the_frame_beside(extract, make):
    film = extract(panned())
    apart = lambda images: float((images[1:, ..., :-PAN] - images[:-1, ..., PAN:]).abs().mean())
    once = {"flow": between, "warm_start": False, "temporal_weight": 0.0}
    first = make(film, **once)
    given = {"passes": 2, "done": 3, "later_steps": 6, "flow": between}
    loose, held = (
        make(film, temporal_weight=weight, results=dict(enumerate(first.images.split(1))), **given).images
        for weight in (0.0, 100.0)
    )
    assert apart(held) < apart(loose) / 2 < apart(first.images) / 2


def test_frames_of_all_passes_are_told_apart(net, style, extract, make):
    film, calls = extract(panned()), []
    options = {"passes": 2, "flow": between, "callback": lambda progress, index: calls.append(index)} | STEPS
    frames = list(gatys.iterate_frames(net, film, style=style, **options))
    assert [(frame.pass_index, frame.index) for frame in frames] == [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]
    assert [len(frame.history) for frame in frames] == [6, 3, 3, 3, 3, 3] and sorted(set(calls)) == list(range(6))
    whole = make(film, passes=2, flow=between)
    assert all(torch.equal(whole.images[frame.index, None], frame.image) for frame in frames[3:])
    assert [record.step for record in whole.histories[0]] == list(range(1, 10))
    assert whole.histories[0][:6] == frames[0].history and whole.histories[2][3].total == frames[3].history[0].total


@pytest.mark.parametrize("done", [2, 3, 4, 7])
def test_a_film_goes_on_in_any_pass(net, style, extract, make, done):
    film, options = extract(panned()), {"passes": 3, "flow": between, "long_term": FAR} | STEPS
    results = {}
    for number, frame in enumerate(gatys.iterate_frames(net, film, style=style, **options, results=results), 1):
        assert torch.equal(results[frame.index], frame.image)
        if number == done:
            break
    whole = make(film, **options).images
    again = gatys.optimize_frames(net, film, style=style, **options, results=dict(results), done=done)
    assert torch.equal(again.images, whole)
    rest = list(gatys.iterate_frames(net, film, style=style, **options, results=results, done=done))
    assert len(rest) == 9 - done and torch.equal(torch.cat([results[index] for index in range(3)]), whole)


def test_the_last_frame_may_be_all_that_is_left(extract, make):
    film, options = extract(panned(2)), {"passes": 2, "flow": between}
    whole, results = make(film, **options).images, {0: make(film, flow=between).images[:1], 1: None}
    results[1] = whole[1:]
    again = make(film, **options, results=results, done=3)
    assert torch.equal(again.images, whole) and len(again.histories) == 1


@pytest.mark.parametrize("at", [(1, 2), (4, 2)])
def test_stop_returns_what_is_there(extract, make, at):
    def callback(progress, index):
        if (index, progress.step) == at:
            raise StopIteration

    film, results = extract(panned()), {}
    stopped = make(film, passes=2, flow=between, callback=callback, results=results)
    whole, once = (make(film, passes=passes, flow=between).images for passes in (2, 1))
    assert stopped.stopped and len(stopped.images) == (2 if at[0] == 1 else 3)
    if at[0] == 4:  # frame 1 of the way back: the last one is done, the first as before
        assert torch.equal(stopped.images[2], whole[2]) and torch.equal(stopped.images[0], once[0])
        assert torch.equal(results[1], once[1:2])  # an unfinished one is not kept


def test_anchors_are_about_the_first_pass(extract, make):
    film = extract(panned(4))
    histories = make(film, passes=2, flow=between, anchor_every=2).histories
    assert [len(history) for history in histories] == [9, 6, 9, 6]


def test_a_still_camera_needs_no_flow(extract, make):
    images = starts(make, extract(panned(1).repeat(3, 1, 1, 1)), passes=2)
    torch.testing.assert_close(images[1:], images[:1].expand(2, -1, -1, -1), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_frames_are_read_again_and_only_one_lives(net, style, extract):
    pictures, alive = panned(), []

    class Film:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 2  # the frame just finished, and the picture before
            target = extract(pictures[index, None])
            alive.append(weakref.ref(target))
            return target

    result = gatys.optimize_frames(net, Film(), style=style, flow=between, passes=2, **STEPS)
    whole = gatys.optimize_frames(net, extract(pictures), style=style, flow=between, passes=2, **STEPS)
    torch.testing.assert_close(result.images, whole.images, rtol=0, atol=1e-5)
    assert len(alive) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long_term": 4}, "long_term: expected different whole numbers from 1 on, such as 1, 2, 4, got 4"),
        ({"long_term": (2, 4)}, r"long_term: .* got \(2, 4\)"),
        ({"long_term": (1, 1)}, r"long_term: .* got \(1, 1\)"),
        ({"long_term": FAR, "warped": panned()}, "long_term: expected none beside pictures that are warped already"),
        (
            {"long_term": FAR, "flow": known()},
            "long_term: the flow tells nothing of frames 2 apart; compute it by film_flow",
        ),
        ({"passes": 0}, "passes: expected a whole number of at least 1, got 0"),
        ({"passes": 2, "warped": panned()}, "warped: expected none with 2 passes, which go back, too"),
        ({"passes": 2, "occlusion": torch.zeros(SIZE)}, "occlusion: expected none with 2 passes"),
        ({"passes": 2, "first_index": 3}, "first_index: expected none with 2 passes"),
        (
            {"passes": 2, "flow": known().back},
            "flow: expected one both ways for 2 passes, got one way; give ahead, too",
        ),
        ({"passes": 2, "flow": gatys.FilmFlow(known().back)}, "flow: expected one both ways for 2 passes"),
        ({"passes": 2, "done": 6}, "done: expected a whole number below 6, the frames of all passes, got 6"),
        ({"passes": 2, "done": 2}, "done: expected results with it, of the frames that are made"),
        ({"done": 2}, "done, results: expected several passes, which they are for, got one"),
        ({"results": {}}, "done, results: expected several passes"),
    ],
)
def test_bad_options_are_named(extract, make, options, message):
    with pytest.raises(gatys.InputError, match=message):
        make(extract(panned()), **options)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("generator", "content: 2 passes read each frame again, got list_iterator, which is read once; give a batch"),
        ("batches", "content: expected a ContentTarget of one picture for each frame, got 3 pictures as frame 0"),
        ("pictures", "content: .* got Tensor as frame 0"),
        ("none", "content: expected at least one frame, got none"),
    ],
)
def test_frames_that_cannot_be_read_again_are_refused(extract, make, form, message):
    film = extract(panned())
    frames = {"generator": iter(film.pictures()), "batches": [film], "pictures": [panned()], "none": []}[form]
    with pytest.raises(gatys.InputError, match=message):
        make(frames, passes=2)


def test_flows_to_a_distance_are_as_many_as_there_are():
    near = known()
    with pytest.raises(gatys.InputError, match="flow, farther: expected 1 flows to a distance of 2, got 2"):
        gatys.FilmFlow(near.back, near.ahead, {2: near})


def test_a_flow_from_before_its_first_frame_is_missed(net, style, extract):
    pictures = panned(4)
    flow = gatys.film_flow(pictures[1:], between, distances=FAR)
    pairs = [(pictures[index, None], pictures[index, None]) for index in (0, 1)]
    frames = gatys.iterate_frames(
        net, extract(pictures[2:]), style=style, previous=pairs, first_index=2, flow=flow, long_term=FAR, **STEPS
    )
    with pytest.raises(
        gatys.InputError, match="flow: it tells nothing of frame 0 and that 2 before it; compute it from"
    ):
        next(frames)
