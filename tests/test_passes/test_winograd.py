"""Winograd's convolutions: the numbers of plain ones, forward and back, and taken only where the table says so."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import noise, picture

import gatys
from gatys.passes import adjoints, winograd
from gatys.passes.memory import setup_bytes
from gatys.passes.plan import operations
from gatys.passes.tiles import tiles
from gatys.passes.trunk import backward, forward
from gatys.settings import PADDINGS

LAST = torch.channels_last
HERE = torch.backends.cpu.get_cpu_capability()
FLOAT32, FLOAT64 = (torch.float32, 3e-6), (torch.float64, 1e-13)


def maps(*shape, seed=0, dtype=torch.float32):
    return noise(*shape, seed=seed, dtype=dtype).sub_(0.5).contiguous(memory_format=LAST)


def far(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


@pytest.fixture
def everywhere(monkeypatch):
    """Takes them for all but the first layer, on whatever processor; gives the calls of each kind, forward and turned."""
    calls = {False: 0, True: 0}
    real = winograd.convolve

    def convolve(x, weight, *arguments, turned=False, **how):
        calls[turned] += 1
        return real(x, weight, *arguments, turned=turned, **how)

    monkeypatch.setattr(winograd, "_FEWEST_BLOCKS", {HERE: {64: 1}})
    monkeypatch.setattr(winograd, "counts", lambda device, dtype: True)
    monkeypatch.setattr(adjoints, "convolve", convolve)
    return calls


# one convolution


@pytest.mark.parametrize(("dtype", "most"), [FLOAT32, FLOAT64])
@pytest.mark.parametrize("padding", [(1, 1), (0, 1), (1, 0), (0, 0), (2, 2), (2, 1)])
@pytest.mark.parametrize("size", [(12, 16), (17, 23), (13, 9), (3, 3), (4, 5), (30, 3)])
@pytest.mark.parametrize("blocks", [6, winograd._BLOCKS])
def test_plain_convolutions_and_their_adjoints(size, padding, dtype, most, blocks, monkeypatch):
    monkeypatch.setattr(winograd, "_BLOCKS", blocks)
    x, y = (maps(2, n, *size, seed=n, dtype=dtype) for n in (8, 16))
    weight, bias = maps(16, 8, 3, 3, dtype=dtype), noise(16, dtype=dtype)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=padding)
    found = winograd.convolve(x, weight, bias, padding=padding)
    assert found.is_contiguous(memory_format=LAST) and found.dtype == dtype
    assert far(found, expected) < most
    assert far(winograd.convolve(x, weight, bias, padding=padding, rectify=True), expected.relu()) < most
    pulled = winograd.convolve(y, weight, padding=padding, turned=True)
    assert far(pulled, F.conv_transpose2d(y.double(), weight.double(), padding=[2 - n for n in padding])) < most


def test_the_error_is_that_of_a_direct_convolution_nearly():
    x, weight = maps(1, 256, 24, 24).relu_(), maps(256, 256, 3, 3, seed=1)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    assert far(winograd.convolve(x, weight), exact) < 3 * far(F.conv2d(x, weight, padding=1), exact) < 3e-6


def test_a_picture_of_a_batch_has_the_bits_that_it_has_alone():
    x, weight = maps(3, 8, 21, 30), maps(16, 8, 3, 3, seed=1)
    assert torch.equal(winograd.convolve(x, weight)[1:2], winograd.convolve(x[1:2], weight))


def test_what_is_set_aside_serves_all_modes_and_dtypes():
    x, weight = maps(1, 8, 9, 9), maps(8, 8, 3, 3, seed=1)
    winograd._kept.buffers.clear()
    with torch.inference_mode():
        first = winograd.convolve(x, weight)
    exact = winograd.convolve(x.double(), weight.double())
    assert torch.equal(first, winograd.convolve(x, weight)) and far(first, exact) < 1e-6


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([64, 128, 256, 512]))
def test_what_is_set_aside_has_a_bound(rows, columns, channels):
    high, wide = winograd._at_a_time(rows, columns, channels)
    assert 1 <= high <= rows and 1 <= wide <= columns and high * wide <= winograd._BLOCKS


def test_the_bound_is_what_is_counted():
    winograd._kept.buffers.clear()
    winograd.convolve(maps(1, 512, 64, 48), maps(512, 512, 3, 3, seed=1))
    kept = sum(values.numel() * values.itemsize for values in winograd._kept.buffers.values())
    winograd._kept.buffers.clear()
    assert 0.9 * winograd.scratch_bytes() < kept <= winograd.scratch_bytes()


# whether they are taken


def test_only_float32_on_processors_of_the_table(monkeypatch):
    x, weight = maps(1, 256, 32, 32), maps(256, 256, 3, 3)
    for capability, gains in (("AVX2", True), ("AVX512", False), ("DEFAULT", False)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        assert winograd.gains(x, weight, (1, 1)) == gains
        more = winograd.scratch_bytes() if gains else 0
        assert setup_bytes("cpu") == setup_bytes("cpu", torch.bfloat16) + more
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not winograd.gains(x.double(), weight.double(), (1, 1))
    assert not winograd.gains(x.bfloat16(), weight.bfloat16(), (1, 1))
    assert not winograd.counts(torch.device("cuda"), torch.float32)
    assert setup_bytes("cuda") == setup_bytes("cuda", torch.bfloat16)


def test_only_where_there_are_blocks_and_channels_enough(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    for channels, edge, expected in (
        ((64, 64), 400, False),
        ((64, 128), 400, False),
        ((128, 128), 40, True),
        ((128, 256), 36, False),
        ((256, 512), 28, True),
        ((512, 512), 24, False),
        ((3, 64), 400, False),
    ):
        x = torch.empty(1, 1, 1, 1).expand(1, channels[0], edge, edge)
        weight = torch.empty(1, 1, 1, 1).expand(channels[1], channels[0], 3, 3)
        assert winograd.gains(x, weight, (1, 1)) == expected, (channels, edge)
        assert winograd.gains(x, weight.transpose(0, 1), (1, 1)) == expected  # back as forward


# in an objective


def objective(net, padding, dtype=torch.float32):
    how = {"normalize": True, "padding": padding}
    photo, painting = picture(1, size=(64, 48)).to(dtype), picture(2, size=(72, 56)).to(dtype)
    content = gatys.extract_content(net, photo, {"conv3_2": 1.0}, **how)
    style = gatys.extract_style(net, painting, ["conv1_1", "conv2_1", "conv3_1"], **how)
    return gatys.Objective(net, content=content, style=style)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_loss_and_gradient_whole_and_in_tiles(everywhere, padding, pooling, monkeypatch):
    """In float64, where no rounding opens or shuts a rectifier, whose kink a gradient shows."""
    image = picture(3, size=(64, 48), dtype=torch.float64)
    net = gatys.load_vgg("untrained:4", pooling=pooling).double()
    with monkeypatch.context() as patch:
        patch.setattr(adjoints, "gains", lambda *_: False)
        expected, slope = objective(net, padding, torch.float64).evaluate(image)
    assert everywhere == {False: 0, True: 0}
    ours = objective(net, padding, torch.float64)
    for tile in (None, 32):
        losses, gradient = ours.evaluate(image, tile)
        assert losses == pytest.approx(expected, rel=1e-9)
        assert far(gradient, slope) < 1e-9
    assert min(everywhere.values()) >= 6


def test_the_way_back_in_float32(everywhere, monkeypatch):
    """From the same rectifiers, poolings and features."""
    net, layers, image = gatys.load_vgg("untrained"), ["conv1_2", "conv3_1", "conv5_1"], picture(1, 2, (75, 66))
    (whole,) = tiles((75, 66), None, net.chosen(layers))
    gradients = []
    for gains in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(adjoints, "gains", lambda *_: False)
            tape = forward(net, image, whole, layers, tape=True)
            patch.setattr(
                adjoints, "gains", lambda x, weight, padding, gains=gains: gains and min(weight.shape[:2]) > 3
            )
            gradients.append(
                backward(net, tape, lambda name, core, onto, part: core if onto is None else onto.add_(core))
            )
    assert everywhere[False] == 0 and everywhere[True] >= 12
    assert 0 < far(gradients[1], gradients[0].double()) < 1e-5


@pytest.mark.usefixtures("everywhere")
def test_the_same_bits_each_time():
    net = gatys.load_vgg("untrained")
    content = gatys.extract_content(net, picture(1), {"conv2_2": 1.0})
    style = gatys.extract_style(net, picture(2), ["conv1_1", "conv3_1"])
    run = [gatys.optimize(net, content=content, style=style, steps=4, precision="float32").image for _ in range(2)]
    assert torch.equal(*run)


@pytest.mark.usefixtures("everywhere")
def test_filters_that_change_are_seen():
    net = gatys.load_vgg("untrained")
    ours, image = objective(net, "zero"), picture(3, size=(64, 48))
    before = ours.evaluate(image)[0]["total"]
    net.conv2_1.weight.data.mul_(2)
    after = ours.evaluate(image)[0]["total"]
    other = objective(gatys.load_vgg("untrained"), "zero")
    assert before == other.evaluate(image)[0]["total"] != after
    net.conv2_1.weight.data.div_(2)
    assert ours.evaluate(image)[0]["total"] == before


def test_a_step_is_expected_to_take_less_where_they_are_taken(monkeypatch):
    layers = gatys.load_vgg("untrained").chosen(["conv5_1"])
    counted = {}
    for capability in ("AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        counted[capability] = [operations((edge, edge), layers) for edge in (16, 512)]
        assert operations((512, 512), layers, dtype=torch.bfloat16) == operations((512, 512), layers, "cuda")
    assert counted["AVX2"][0] == counted["AVX512"][0]
    assert 0.5 < counted["AVX2"][1] / counted["AVX512"][1] < 0.65
