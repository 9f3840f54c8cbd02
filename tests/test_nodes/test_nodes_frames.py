"""The nodes for films and for the plot, as the host runs them: in inference mode, on tensors that autograd refuses."""

import sys
from pathlib import Path

import pytest
import torch
from pictures import host_picture as picture

FRAMES, FLOW, PLOT = "GatysOptimizeFrames", "GatysOpticalFlow", "GatysPlotHistory"
OPTIONS = {"steps": 4, "later_steps": 2}


def film(count=3, channels=3):
    """One view with the noise of a camera."""
    noise = picture(9, channels=channels, count=count)
    return picture(1, channels=channels) * 0.9 + 0.02 * noise


def as_gatys(image):
    return image.movedim(-1, 1).contiguous()


@pytest.fixture(scope="module")
def vgg19(standin):
    return standin.run("GatysLoadVGG19", weights="untrained")[0]


@pytest.fixture(scope="module")
def content(standin, vgg19):
    return lambda image: standin.run("GatysExtractContentFeatures", vgg19=vgg19, image=image, layers="conv2_2")[0]


@pytest.fixture(scope="module")
def style(standin, vgg19):
    deep = {"conv3_1": 0.0, "conv4_1": 0.0, "conv5_1": 0.0}
    return standin.run("GatysExtractStyleGrams", vgg19=vgg19, image=picture(2), **deep)[0]


@pytest.fixture(scope="module")
def make(standin, vgg19, style, content):
    def run(image, **inputs):
        return standin.run(FRAMES, vgg19=vgg19, content=content(image), style=style, **(OPTIONS | inputs))

    return run


@pytest.fixture
def hook(standin):
    """Sets the server's hook on progress bars."""
    yield standin.utils.set_progress_bar_global_hook
    standin.utils.set_progress_bar_global_hook(None)


def test_film_is_what_gatys_makes(standin, vgg19, style, content, make):
    hidden = torch.zeros(3, 48, 40)
    hidden[1, :, :10] = 1
    warped = picture(5, count=3)
    widgets = {"optimizer": "adam", "content_weight": 0.1, "style_weight": 2.0, "tv_weight": 0.01, "seed": 3}
    frames = {"temporal_weight": 4.0, "anchor_every": 2, "init": "noise", "strength": 0.7}
    images, histories = make(film(), warped=warped, occlusion=hidden, learning_rate=0.05, **frames, **widgets)
    wanted = sys.modules[f"{standin.pack.__name__}.gatys.video.frames"].optimize_frames(
        vgg19.net,
        content(film()).target,
        style=style,
        warped=as_gatys(warped),
        occlusion=hidden,
        learning_rate=0.05,
        **frames,
        **widgets,
        **OPTIONS,
    )
    assert torch.equal(images, wanted.images.movedim(1, -1)) and histories == list(wanted.histories)
    assert [len(history) for history in histories] == [4, 2, 4]
    assert images.shape == (3, 48, 40, 3) and images.dtype == torch.float32 and not images.requires_grad


def test_later_steps_of_0_are_a_quarter_of_the_first_frames(make):
    _, histories = make(film(), steps=10, later_steps=0)
    assert [len(history) for history in histories] == [10, 2, 2]


def test_first_frame_is_that_of_gatys_optimize(standin, vgg19, style, content, make):
    images, _ = make(film())
    scene = content(film()[:1])
    alone, *_ = standin.run("GatysOptimize", vgg19=vgg19, content=scene, style=style, steps=4)
    assert torch.equal(images[:1], alone)


def test_frames_on_their_own_are_those_of_gatys_optimize(standin, vgg19, style, content, make):
    images, _ = make(film(), warm_start=False, temporal_weight=0.0)
    wanted, *_ = standin.run("GatysOptimize", vgg19=vgg19, content=content(film()), style=style, steps=4)
    torch.testing.assert_close(images, wanted, rtol=0, atol=1e-6)


def test_alpha_is_carried_through(make):
    frames = film(channels=4)
    images, _ = make(frames)
    assert images.shape == (3, 48, 40, 4) and torch.equal(images[..., 3], frames[..., 3])


def test_init_image_begins_the_film(make):
    first = picture(6, 24, 20)
    images, _ = make(film(2), init_image=first.expand(1, -1, -1, -1), steps=1, later_steps=1)
    small = torch.nn.functional.avg_pool2d(as_gatys(images[:1]), 2)
    assert (small - as_gatys(first)).abs().mean() < 0.1 and torch.allclose(images[0], images[1], atol=1e-6)
    unused, _ = make(film(2), init_image=first, init="content", steps=1)
    torch.testing.assert_close(unused[:1], film(2)[:1], rtol=0, atol=1e-6)


def test_blank_occlusion_of_load_image_is_none(make):
    warped = picture(5, count=3)
    with_blank, _ = make(film(), warped=warped, occlusion=torch.zeros(1, 64, 64))
    assert torch.equal(with_blank, make(film(), warped=warped)[0])


def test_progress_gives_every_frame_an_equal_part(make, hook):
    shown, previews = [], []

    def show(value, total, preview, node_id=None):
        shown.append((value, total))
        previews.append(preview)

    hook(show)
    images, _ = make(film())
    assert shown == [(value, 12) for value in (1, 2, 3, 4, 6, 8, 10, 12)]
    pixels = torch.tensor(list(previews[-1][1].tobytes())).view(48, 40, 3)
    assert previews[0] and torch.equal(pixels, (images[-1] * 255).round().long())


# cancelling


def cancel_at(standin, at, by="flag"):
    def hook(value, total, preview, node_id=None):
        if value == at:
            standin.mm.interrupt_current_processing()
            if by == "hook":  # as the server's own hook
                standin.mm.throw_exception_if_processing_interrupted()

    return hook


def test_cancel_stops_everything_unless_asked_to_keep(standin, make, hook):
    hook(cancel_at(standin, 6))
    with pytest.raises(standin.mm.InterruptProcessingException):
        make(film())
    assert not standin.mm.processing_interrupted()


@pytest.mark.parametrize("by", ["flag", "hook"])
def test_cancel_keeps_the_frames_made_so_far(standin, make, hook, by):
    frames = film(channels=4)
    whole, histories = make(frames)
    hook(cancel_at(standin, 6, by))
    kept, kept_histories = make(frames, keep_on_cancel=True)
    assert (
        kept.shape == (2, 48, 40, 4)
        and torch.equal(kept[0], whole[0])
        and torch.equal(kept[..., 3], frames[:2, ..., 3])
    )
    assert kept_histories[0] == histories[0] and 1 <= len(kept_histories[1]) <= 2
    assert not standin.mm.processing_interrupted()  # the rest of the graph goes on


@pytest.mark.parametrize("keep", [True, False])
def test_a_film_cut_short_goes_on(standin, make, hook, keep):
    whole, histories = make(film())
    hook(cancel_at(standin, 6))
    if keep:
        assert len(make(film(), keep_on_cancel=True, checkpoint_every=60.0)[0]) == 2
    else:
        with pytest.raises(standin.mm.InterruptProcessingException):
            make(film(), checkpoint_every=60.0)
    folder = Path(standin.folder_paths.get_output_directory(), "gatys", "checkpoints")
    assert len(list(folder.iterdir())) == 2
    hook(None)
    images, again = make(film(), keep_on_cancel=keep, checkpoint_every=60.0)
    assert torch.equal(images, whole) and again == histories and list(folder.iterdir()) == []


def test_a_film_cut_short_is_made_again(standin, make, hook):
    fingerprint = standin.nodes[FRAMES].fingerprint_inputs
    inputs = {"vgg19": None, "content": None, "style": None, **OPTIONS}
    before, careless = (fingerprint(keep_on_cancel=keep, **inputs) for keep in (True, False))
    assert fingerprint(keep_on_cancel=True, **inputs) == before  # else nothing would ever be cached
    hook(cancel_at(standin, 6))
    make(film(), keep_on_cancel=True)
    hook(None)
    assert fingerprint(keep_on_cancel=True, **inputs) != before
    assert fingerprint(keep_on_cancel=False, **inputs) == careless
    after = fingerprint(keep_on_cancel=True, **inputs)
    make(film(), keep_on_cancel=True)
    assert fingerprint(keep_on_cancel=True, **inputs) == after


def test_errors_are_passed_on_when_cancel_would_keep(make, hook):
    def fail(value, total, preview, node_id=None):
        raise RuntimeError("from within")

    hook(fail)
    with pytest.raises(RuntimeError, match="from within"):
        make(film(), keep_on_cancel=True)


# what is said when it cannot be done


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"init_image": picture(6, count=2)}, "init_image: expected one picture.*got 2"),
        (
            {"warped": picture(6, count=5)},
            "warped: expected one for each of 3 frames, or for each but the first, got 5",
        ),
        ({"occlusion": torch.ones(5, 48, 40)}, "occlusion: expected one for each of 3 frames"),
        ({"warped": picture(6, count=3) * torch.nan}, "warped, frame 0: expected finite values"),
    ],
)
def test_bad_inputs_are_named(make, inputs, message):
    with pytest.raises(ValueError, match=message):
        make(film(), **inputs)


# the plot


def test_plot_of_a_film(standin, make):
    history = make(film())[1]
    plot = standin.run(PLOT, history=history, width=400, height=300)[0]
    assert plot.shape == (1, 300, 400, 3) and plot.dtype == torch.float32 and plot.device.type == "cpu"
    assert 0 <= plot.min() < 0.1 and plot.max() == 1
    assert not torch.equal(plot, standin.run(PLOT, history=history, width=400, height=300, log_scale=False)[0])


def test_plot_without_matplotlib_says_what_to_install(standin, make, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="needs the package matplotlib.*pip install matplotlib"):
        standin.run(PLOT, history=make(film(1))[1])


# along a flow


def panned(count=3):
    """A camera that moves to the right by 4 pixels a frame."""
    wide = torch.nn.functional.interpolate(as_gatys(picture(3, 12, 16)), (64, 88), mode="bicubic").clamp(0, 1)
    return torch.cat([wide[..., 4 * index :][..., :72] for index in range(count)]).movedim(1, -1)


@pytest.fixture
def raft(standin):
    models = pytest.importorskip("torchvision.models.optical_flow", reason="torchvision is not installed")
    torch.manual_seed(3)
    return models.raft_small(weights=None, progress=False).eval()


def test_flow_is_what_gatys_computes(standin, hook):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    shown = []
    hook(lambda value, total, preview, node_id=None: shown.append((value, total)))
    flow, image, hidden = standin.run(FLOW, frames=panned(), method="dis")
    wanted = sys.modules[f"{standin.pack.__name__}.gatys"].film_flow(as_gatys(panned()), "dis")
    assert torch.equal(flow.back, wanted.back) and torch.equal(flow.ahead, wanted.ahead)
    masks = sys.modules[f"{standin.pack.__name__}.gatys"].occlusion_mask(wanted.back, wanted.ahead)
    assert torch.equal(hidden, masks[:, 0]) and hidden[:, :, -2:].all()
    assert image.shape == (2, 64, 72, 3) and image.min() >= 0 and image.max() <= 1 and shown == [(1, 2), (2, 2)]
    (hue,) = image[:, 8:-8, 8:-12].median(dim=1).values.median(dim=1).values[:1]
    assert hue[0] > 0.8 and hue[0] > hue[2] + 0.3  # to the right, which is red in Middlebury's colours


def test_film_along_a_flow_is_what_gatys_makes(standin, vgg19, style, content, make):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    flow = standin.run(FLOW, frames=panned(), method="dis")[0]
    images, _ = make(panned(), flow=flow, tolerance=0.0)
    wanted = sys.modules[f"{standin.pack.__name__}.gatys.video.frames"].optimize_frames(
        vgg19.net, content(panned()).target, style=style, flow="dis", tolerance=0.0, **OPTIONS
    )
    torch.testing.assert_close(images, wanted.images.movedim(1, -1), rtol=0, atol=1e-5)
    assert not torch.allclose(images, make(panned(), tolerance=0.0)[0], atol=1e-2)


def test_the_hosts_model_is_taken(standin, raft):
    patcher = sys.modules["comfy.model_patcher"].ModelPatcher(raft, torch.device("cpu"), torch.device("cpu"))
    flow, _, _ = standin.run(FLOW, frames=panned(), model=patcher, method="dis")
    wanted = sys.modules[f"{standin.pack.__name__}.gatys"].film_flow(as_gatys(panned()), raft)
    torch.testing.assert_close(flow.back, wanted.back, rtol=0, atol=1e-4)
    assert not flow.back.is_inference()


def test_weights_in_the_hosts_folder_are_taken(standin, raft):
    host = sys.modules[f"{standin.pack.__name__}.nodes.host"]
    file = host.model_folder(host.FLOW_FOLDER) / "raft_small.pth"
    torch.save(raft.state_dict(), file)
    try:
        flow, _, _ = standin.run(FLOW, frames=panned(2), method="auto")
    finally:
        file.unlink()
    wanted = sys.modules[f"{standin.pack.__name__}.gatys"].film_flow(as_gatys(panned(2)), raft)
    torch.testing.assert_close(flow.back, wanted.back, rtol=0, atol=1e-4)


@pytest.mark.parametrize("model", [torch.zeros(1, 2, 8, 8), object()])
def test_flows_of_other_packs_are_told_from_models(standin, model):
    with pytest.raises(
        ValueError, match="model: expected an optical flow model, as Load Optical Flow Model gives, got"
    ):
        standin.run(FLOW, frames=panned(), model=model, method="dis")


def test_long_consistency_and_two_styles_are_what_gatys_makes(standin, vgg19, style, content, make, hook):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    gatys = sys.modules[f"{standin.pack.__name__}.gatys"]
    flow = standin.run(FLOW, frames=panned(), method="dis", long_term=True)[0]
    assert flow.distances == (1, 2) and len(standin.run(FLOW, frames=panned(), method="dis")[0].farther) == 0
    other = standin.run("GatysExtractStyleGrams", vgg19=vgg19, image=picture(4), conv3_1=0.0, conv4_1=0.0, conv5_1=0.0)[
        0
    ]
    shown = []
    hook(lambda value, total, preview, node_id=None: shown.append((value, total)))
    images, histories = make(panned(), flow=flow, tolerance=0.0, passes=2, last_style=other)
    wanted = gatys.optimize_frames(
        vgg19.net, content(panned()).target, style=[(0, style), (2, other)], flow="dis", long_term=(1, 2), passes=2,
        tolerance=0.0, **OPTIONS,
    )  # fmt: skip
    torch.testing.assert_close(images, wanted.images.movedim(1, -1), rtol=0, atol=1e-5)
    assert [len(history) for history in histories] == [6, 4, 4] and shown[-1] == (24, 24)
    assert shown == sorted(shown)


def test_a_still_of_two_styles_is_of_the_first(make, style):
    assert torch.equal(make(film(1), last_style=style)[0], make(film(1))[0])
