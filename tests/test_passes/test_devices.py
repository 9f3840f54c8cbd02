"""Everything that works on the network, on a device that lacks float64 and a part of the operations (MPS, DirectML)."""

import copy
from functools import partial

import pytest
import torch
from pictures import picture

import gatys
from gatys.descent.adam import Adam
from gatys.descent.batch import Batch
from gatys.descent.lbfgs import LBFGS
from gatys.objective.objective import Objective
from gatys.passes import adjoints
from gatys.video.frames import optimize_frames

emulated = pytest.importorskip(
    "emulated_device", reason="this PyTorch takes no devices written in Python", exc_type=ImportError
)


@pytest.fixture(scope="module")
def pictures():
    return picture(1, 2, (32, 24)), picture(2, size=(24, 32))


@pytest.fixture(scope="module")
def nets():
    """The same filters in main memory and on the device."""
    near = gatys.load_vgg19("untrained", pooling="average")
    return near, emulated.send(copy.deepcopy(near))


MASK = torch.linspace(0, 1, 32 * 24).view(32, 24)
SHALLOW = {"conv1_1": 0.5, "conv2_1": 0.5}


def targets(net, pictures, kept="cpu", **how):
    content_image, style_image = pictures
    how = {"levels": 2, "normalize": True, "device": kept} | how
    content = gatys.extract_content(net, content_image, {"conv2_2": 1.0}, **how)
    return {"content": content, "style": gatys.extract_style(net, style_image, SHALLOW, **how)}


def whole(net, pictures):
    """The default layers, L-BFGS."""
    content = gatys.extract_content(net, pictures[0][:1], normalize=True, device="cpu")
    style = gatys.extract_style(net, pictures[1], normalize=True, device="cpu")
    return gatys.optimize(net, content=content, style=style, steps=2).image


def kept_on_the_device(net, pictures):
    """Targets and pictures that are there already, as under --gpu-only."""
    there = [picture.to(net.mean.device) for picture in pictures]
    return gatys.optimize(net, **targets(net, there, kept=None), steps=3).image


def painted(net, pictures, *, how=(), **options):
    return gatys.optimize(net, **targets(net, pictures, **dict(how)), steps=3, **options).image


def regions(net, pictures):
    content = gatys.extract_content(net, pictures[0], {"conv2_1": 1.0}, mask=MASK, device="cpu", normalize=False)
    style = gatys.extract_style(net, pictures[1], SHALLOW, device="cpu", normalize=False)
    masked = gatys.extract_style(net, pictures[0][:1], SHALLOW, mask=MASK, device="cpu", normalize=False)
    inner = gatys.regional_style([(masked, 1 - MASK)], propagation="inside")
    both = gatys.regional_style([(style, MASK), (inner, None)])
    return gatys.optimize(net, content=content, style=both, steps=3).image


def blended(net, pictures):
    style = targets(net, pictures)["style"]
    other = gatys.extract_style(net, pictures[0], SHALLOW, levels=2, normalize=True)  # stays on the device
    mixed = gatys.blend_styles([(style, 0.5), (other, 0.5)])
    return gatys.optimize(net, style=mixed, size=(32, 32), steps=3, init="noise").image


def film(net, pictures):
    given = targets(net, pictures)
    return optimize_frames(net, given["content"], style=given["style"], steps=2, later_steps=2).images


def other_reading(net, pictures):
    read = gatys.read_as(net, pooling="max", preprocessing="caffe", responses="conv")
    return painted(read, pictures)


def descended(net, pictures, *, descend=LBFGS, lost=(), **options):
    """A descent on a plain quadratic, told at the steps of `lost` that the loss is not finite."""
    image = pictures[0].to(net.mean.device)
    goal, descent = image.flip(-1), Batch(image, partial(descend, **options))
    for step in range(12):
        away = descent.ask() - goal
        loss = away.square().sum(dim=(1, 2, 3))
        descent.tell(loss * (float("nan") if step in lost else 1), 2 * away)
    assert descent.setbacks == 2 * len(lost)
    return descent.best


def shares(net, pictures):
    objective = Objective(net, **targets(net, pictures), tv_weight=0.1)
    return torch.tensor(list(gatys.gradient_shares(objective, pictures[0].to(net.mean.device)).values()))


def colours(net, pictures):
    there = [picture.to(net.mean.device) for picture in pictures]
    matched = gatys.match_colors(there[0], there[1])
    return gatys.keep_luminance(gatys.match_colors(matched, there[1], "histogram"), there[0], match=True)


WAYS = {
    "defaults": whole,
    "kept on the device": kept_on_the_device,
    "adam": partial(painted, optimizer="adam"),
    "tiles": partial(painted, tile=16),
    "replicate": partial(painted, how={"padding": "replicate"}),
    "circular": partial(painted, how={"padding": "circular"}, tv_weight=0.1, tile=16),
    "smooth": partial(painted, tv_weight=0.1, tv_form="absolute", init="mean"),
    "corner": partial(painted, tv_weight=0.1, tv_form="corner", init="noise"),
    "regions": regions,
    "blended": blended,
    "film": film,
    "max pooling, before the rectifier": other_reading,
    "half history": partial(descended, history_dtype=torch.float16),
    "recovery of L-BFGS": partial(descended, lost=range(2, 9)),
    "recovery of Adam": partial(descended, descend=Adam, lost=range(2, 9)),
    "shares": shares,
    "colours": colours,
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_same_result_there_without_float64_or_an_operation_that_mps_lacks(nets, pictures, way):
    near, far = nets
    with emulated.averages_as_there(adjoints):
        expected = WAYS[way](near, pictures)
    with emulated.Emulation() as emulation:
        found = WAYS[way](far, pictures)
        assert torch.equal(found.cpu(), expected)
    assert emulation.operations
    assert not emulation.operations - emulated.operations_of_mps()


def test_emulation_refuses_what_a_device_does():
    with emulated.Emulation() as emulation:
        distant = torch.ones(3).to(emulated.DEVICE)
        assert isinstance(distant + 1, emulated.Distant) and (distant + 1).tolist() == [2, 2, 2]
        with pytest.raises(TypeError, match="no torch.float64"):
            distant.double()
        with pytest.raises(TypeError, match="no torch.float64"):
            torch.zeros(3, dtype=torch.float64, device=emulated.DEVICE)
        with pytest.raises(RuntimeError, match="on cpu"):
            distant + torch.ones(3)
        distant.mul_(3).add_(torch.tensor(1.0))
        assert distant.cpu().sum() == 12
    assert {"_to_copy", "add", "mul_"} <= emulation.operations


def test_operations_of_mps_are_read_right():
    known = emulated.operations_of_mps()
    assert {"convolution", "relu_", "avg_pool2d", "bmm", "zeros"} <= known
    assert "linalg_eig" not in known and "_cdist_backward" in known


def test_a_whole_picture_fetches_its_content_once(nets, pictures, monkeypatch):
    """On each evaluation it would wait for main memory, and could not be replayed from a graph."""
    _, far = nets
    fetched, to = [], torch.Tensor.to

    def watched(tensor, *where, **how):
        # the content's features: they alone are in main memory, and as large
        if tensor.device.type == "cpu" and tensor.ndim == 4 and tensor.shape[1] == 128:
            fetched.append(tensor)
        with patch.context() as inside:  # the emulation calls it once more
            inside.setattr(torch.Tensor, "to", to)
            return to(tensor, *where, **how)

    with emulated.Emulation():
        objective = Objective(far, **targets(far, pictures, kept="cpu", levels=1))
        image = pictures[0].to(emulated.DEVICE)
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "to", watched)
            counts = []
            for tile in (None, None, None, 16, 16, None, None):
                fetched.clear()
                objective.terms(image, tile)
                counts.append(len(fetched))
    assert counts == [1, 0, 0, 4, 4, 1, 0]
