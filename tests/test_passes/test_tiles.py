"""Tiles, borders and passes by hand: the same numbers as plain autograd on the whole picture."""

from functools import partial

import oracle
import pytest
import torch
import torch.nn.functional as F
from pictures import noise

import gatys
import gatys.passes.bands
from gatys.network.layers import LAYERS
from gatys.passes.memory import evaluation_bytes, kept_bytes
from gatys.passes.tiles import cut, halo, tiles
from gatys.passes.trunk import backward, forward
from gatys.settings import PADDINGS

pytestmark = pytest.mark.slow

CONTENT = {"conv4_2": 1.0, "conv2_2": 0.3}
STYLE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.2, "conv4_1": 0.2, "conv5_1": 0.1}
USED = [LAYERS[name] for name in STYLE]
SHALLOW = {"conv1_2": 0.5, "conv2_1": 1.0}
pictures = partial(noise, dtype=torch.float64)


@pytest.fixture(scope="module", params=["average", "max"])
def net(request):
    net = gatys.load_vgg19("untrained:3", pooling=request.param).double()
    for index, parameter in enumerate(net.parameters()):
        if parameter.ndim == 1:
            parameter.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(index))
    return net


@pytest.fixture(params=["one band", "many bands"])
def banded(request, monkeypatch):
    """Both ways through the first block: these pictures would be too small for more than one band."""
    if request.param == "many bands":
        monkeypatch.setattr(gatys.passes.bands, "values_in_band", lambda device: 0)
        monkeypatch.setattr(gatys.passes.bands, "_FEWEST_ROWS", 6)


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def adding(own):
    """A cotangent as `backward` calls it, that is added in place where there is something to add it to."""

    def cotangent(name, core, onto, part):
        return own(name, core) if onto is None else onto.add_(own(name, core))

    return cotangent


def autograd_gradient(net, x, targets, padding):
    """Of sum_l sum(f_l * target_l), by autograd, each convolution's padding done by `F.pad`."""
    leaf = x.clone().requires_grad_()
    y = (leaf - net.mean[:, None, None]) / net.std[:, None, None]
    total, found = 0, {}
    for name in net.layers:
        if name.endswith("_1") and name != "conv1_1":
            y = F.avg_pool2d(y, 2) if net.pooling == "average" else F.max_pool2d(y, 2)
        convolution = getattr(net, name)
        linear = F.conv2d(oracle.padded(y, padding), convolution.weight, convolution.bias)
        y = torch.relu(linear)
        read = y if net.responses == "relu" else linear
        found[name] = read.detach()
        if name in targets:
            total = total + (read * targets[name](read)).sum()
        if len(set(targets) & set(found)) == len(targets):
            return found, torch.autograd.grad(total, leaf)[0]


# the passes


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(
    ("layers", "responses", "packed"),
    [
        ([*STYLE, "conv4_2"], "relu", False),
        ([*STYLE, "conv4_2"], "relu", True),
        (["conv1_1", "conv1_2", "conv3_2"], "conv", False),
        (["conv1_2", "conv2_1"], "relu", True),
        (["conv1_2"], "conv", True),
        (["conv1_1"], "relu", False),
    ],
)
@pytest.mark.usefixtures("banded")
def test_passes_by_hand_are_autograds(net, padding, layers, responses, packed, monkeypatch):
    monkeypatch.setattr(net, "responses", responses)
    size = {"circular": (48, 32), "panorama": (45, 32)}.get(padding, (45, 38))
    x = pictures(2, 3, *size)
    weights = {name: pictures(1, seed=index) + 0.5 for index, name in enumerate(layers)}
    expected, expected_gradient = autograd_gradient(
        net, x, {name: lambda y, name=name: weights[name] for name in layers}, padding
    )
    (whole,) = tiles(size, None, net.chosen(layers), padding)
    seen = {name: torch.full_like(expected[name], torch.nan) for name in layers}
    tape = forward(
        net,
        x,
        whole,
        layers,
        lambda name, core, part: seen[name][(..., *part.owned(net.layers[name]))].copy_(core),
        tape=True,
    )
    for name in layers:
        torch.testing.assert_close(seen[name], expected[name], rtol=1e-12, atol=1e-12)
    if packed:
        tape.pack()
    gradient = torch.zeros_like(x)
    whole.give(gradient, backward(net, tape, adding(lambda name, core: torch.ones_like(core) * weights[name])))
    assert relative(gradient, expected_gradient) < 1e-13


def test_max_pooling_gives_ties_to_the_first_as_autograd_does():
    net = gatys.load_vgg19("untrained", pooling="max").double()
    x = torch.full((1, 3, 16, 16), 0.7, dtype=torch.float64)  # inside, all units of a layer are equal
    layers = ["conv3_1"]
    _, expected = autograd_gradient(net, x, {"conv3_1": torch.ones_like}, "zero")
    (whole,) = tiles((16, 16), None, net.chosen(layers))
    tape = forward(net, x, whole, layers, tape=True)
    torch.testing.assert_close(backward(net, tape, adding(lambda name, core: torch.ones_like(core))), expected)


def test_max_pooling_of_maps_wider_than_short_integers():
    net = gatys.load_vgg19("untrained", pooling="max")
    x = torch.rand(1, 3, 3, 2**15 + 3)
    layers = ["conv2_1"]
    _, expected = autograd_gradient(net, x, {"conv2_1": torch.ones_like}, "zero")
    (whole,) = tiles(tuple(x.shape[-2:]), None, net.chosen(layers))
    tape = forward(net, x, whole, layers, tape=True)
    assert relative(backward(net, tape, adding(lambda name, core: torch.ones_like(core))), expected) < 1e-5


# tiles


MEDIUM = {"conv1_1": 0.2, "conv3_1": 0.3, "conv4_1": 0.2}


@pytest.mark.parametrize(
    ("padding", "content_layers", "style_layers", "size"),
    [
        *(
            (padding, *layers)
            for padding in ("zero", "replicate")
            for layers in ((CONTENT, STYLE, (101, 24)), ({"conv5_2": 1.0}, {"conv5_1": 1.0}, (33, 50)))
        ),
        *((padding, {"conv3_2": 1.0}, SHALLOW, (61, 83)) for padding in PADDINGS),
        ("circular", {"conv4_2": 1.0}, MEDIUM, (45, 36)),  # not a multiple of the stride
    ],
)
@pytest.mark.usefixtures("banded")
def test_tiles_do_not_change_anything(net, padding, content_layers, style_layers, size):
    count = 2 if style_layers is SHALLOW else 1
    x, p = pictures(count, 3, *size), pictures(count, 3, *size, seed=1)
    content = gatys.extract_content(
        net, p, content_layers, mask=pictures(*size, seed=3), padding=padding, normalize=False
    )
    style = gatys.extract_style(net, pictures(1, 3, 64, 64, seed=2), style_layers, normalize=True)
    objective = gatys.Objective(net, content=content, style=style, content_weight=0.5, style_weight=2, tv_weight=0.1)
    losses, gradient = objective.evaluate(x)
    for tile, keep in ((48, False), ((32, 100), True)):
        terms, tiled_gradient = objective.terms(x, tile, keep=keep)
        assert terms.sums() == pytest.approx(losses, rel=1e-12)
        assert relative(tiled_gradient, gradient) < 1e-12


@pytest.mark.parametrize("size", [(48, 32)])
@pytest.mark.usefixtures("banded")
def test_circular_is_each_layer_s_own_ring_where_the_poolings_divide_the_size(net, size):
    x = pictures(1, 3, *size)
    style = gatys.extract_style(net, pictures(1, 3, 32, 32, seed=2), STYLE, normalize=False)
    objective = gatys.Objective(net, style=style, padding="circular")
    grams = {name: gram[0] for name, gram in style.grams[0].items()}

    def cotangent(name):
        def of(y):
            c, h, w = y.shape[1:]
            gram = torch.einsum("nchw,ndhw->cd", y, y) / (h * w)
            difference = STYLE[name] * (gram - grams[name]) / (4 * c**2)
            return torch.einsum("cd,ndhw->nchw", difference, y).detach() * 4 / (h * w)

        return of

    _, expected = autograd_gradient(net, x, {name: cotangent(name) for name in STYLE}, "circular")
    assert relative(objective.evaluate(x)[1], expected) < 1e-12
    assert relative(objective.evaluate(x, tile=32)[1], expected) < 1e-12


@pytest.mark.parametrize("size", [(50, 37), (64, 45)])
@pytest.mark.usefixtures("banded")
def test_circular_is_the_picture_repeated_whatever_its_size(net, size):
    """Features of the picture are those inside a larger one that repeats it."""
    p = pictures(1, 3, *size)
    content = gatys.extract_content(net, p, ["conv4_2", "conv2_2"], padding="circular", normalize=False)
    rows, columns = (torch.arange(-96, length + 96) % length for length in size)
    around = net(p[:, :, rows][..., columns], ["conv4_2", "conv2_2"])
    for name, stride in (("conv4_2", 8), ("conv2_2", 2)):
        height, width = (length // stride for length in size)
        at = 96 // stride
        expected = around[name][..., at : at + height, at : at + width]
        torch.testing.assert_close(content.features[0][name], expected, rtol=1e-12, atol=1e-12)


def test_a_rolled_picture_has_the_rolled_gradient_of_a_ring(net):
    x = pictures(1, 3, 48, 32)
    style = gatys.extract_style(net, pictures(1, 3, 32, 32, seed=2), STYLE, normalize=False)
    objective = gatys.Objective(net, style=style, padding="circular", tv_weight=0.5)
    losses, gradient = objective.evaluate(x)
    rolled, rolled_gradient = objective.evaluate(x.roll((16, 16), (-2, -1)))
    assert rolled == pytest.approx(losses, rel=1e-12)
    assert relative(rolled_gradient.roll((-16, -16), (-2, -1)), gradient) < 1e-12


def test_float32_tiles_agree():
    single = gatys.load_vgg19(
        "untrained:3", pooling="average"
    )  # with max pooling the largest of four can change with rounding
    x, p = pictures(1, 3, 80, 67).float(), pictures(1, 3, 80, 67, seed=1).float()
    content = gatys.extract_content(single, p, normalize=True)
    style = gatys.extract_style(single, p.flip(-1), normalize=True)
    objective = gatys.Objective(single, content=content, style=style)
    losses, gradient = objective.evaluate(x)
    for keep in (False, True):
        terms, tiled = objective.terms(x, 32, keep=keep)
        assert relative(tiled, gradient) < 1e-5
        assert terms.sums()["total"] == pytest.approx(losses["total"], rel=1e-5)


@pytest.mark.usefixtures("banded")
def test_regions_and_levels_with_tiles(net):
    p, a = pictures(1, 3, 70, 66), pictures(1, 3, 66, 66, seed=1)
    mask = torch.zeros(70, 66)
    mask[:, :30] = 1
    styles = [gatys.extract_style(net, picture, STYLE, 2, normalize=False) for picture in (a, a.flip(1))]
    regional = gatys.regional_style([(styles[0], mask), (styles[1], 1 - mask)])
    content = gatys.extract_content(net, p, CONTENT, 2, normalize=False)
    for level, size in ((0, (70, 66)), (1, (35, 33))):
        objective = gatys.Objective(net, content=content, style=regional, level=level)
        x = pictures(1, 3, *size, seed=5)
        _, gradient = objective.terms(x)
        for keep in (False, True):
            assert relative(objective.terms(x, 32, keep=keep)[1], gradient) < 1e-12


# the cut


def test_halo_is_what_the_layers_see():
    assert halo([LAYERS["conv5_1"]]) == (80, 70)  # unit i sees pixels 16 i - 70 .. 16 i + 85
    assert halo([LAYERS["conv1_1"]]) == (1, 1)
    assert halo([LAYERS["conv2_1"]]) == (4, 4)
    assert halo(USED) == (80, 70)
    # fewer layers, smaller halo; and too small a halo would not do
    for layer in LAYERS.values():
        before, after = halo([layer])
        assert before >= -layer.first > before - layer.stride
        assert after == layer.last + 1 - layer.stride


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(205, 40), (333, 512)])
def test_cores_cover_every_unit_once_and_windows_are_even(size, padding):
    parts = tiles(size, 100, USED, padding)
    for layer in USED:
        stride = layer.stride
        count = torch.zeros(size[0] // stride, size[1] // stride, dtype=torch.int)
        for part in parts:
            count[part.owned(layer)] += 1
        assert (count == 1).all()
    edges = [part.rows.stop - part.rows.start for part in parts]
    assert max(edges) - min(edges) <= 16 + size[0] % 16 and max(edges) <= 100 + 16


def test_windows_end_at_the_picture_unless_it_is_a_ring():
    first, *_, last = cut(300, 100, USED)
    assert (first.low, last.high) == (0, 300)
    first, *_, last = cut(300, 100, USED, "circular")
    assert (first.low, last.high) == (-80, 370)
    assert first.pieces() == [(slice(0, 80), slice(220, 300)), (slice(80, 246), slice(0, 166))]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(
    ("size", "tile", "batch"), [((1040, 700), None, 1), ((1041, 2000), 400, 1), ((90, 4000), 64, 3)]
)
def test_bands_give_every_row_of_a_window_once(size, tile, batch, padding):
    for part in tiles(size, tile, USED, padding):
        found = gatys.passes.bands.bands(part, torch.device("cpu"), batch=batch)
        rows, pooled, core = ([] for _ in range(3))
        for band in found:
            assert band.rows.start % 2 == band.rows.low % 2 == 0
            rows += range(band.rows.start, band.rows.stop)
            pooled += range(band.rows.start // 2, band.rows.stop // 2)
            core += range(band.tile.rows.start, band.tile.rows.stop)
        height, width = part.size
        assert rows == list(range(height)) and pooled == list(range(height // 2))
        assert core == list(range(part.rows.start, part.rows.stop))
        tallest = max(band.rows.high - band.rows.low for band in found)
        assert (
            len(found) == 1 or 64 * tallest * width * batch < 1.5 * max(2**21, 64 * 32 * width * batch) + 64 * 4 * width
        )


def test_bytes_are_linear_in_pixels_and_a_tape_is_a_fraction():
    per_pixel = evaluation_bytes((1024, 1024), [*USED, LAYERS["conv4_2"], LAYERS["conv2_2"]]) / 2**20
    assert evaluation_bytes((2048, 512), [*USED, LAYERS["conv4_2"], LAYERS["conv2_2"]]) / 2**20 == pytest.approx(
        per_pixel, rel=0.01
    )
    assert kept_bytes((1024, 1024), [*USED, LAYERS["conv4_2"]]) / 2**20 == pytest.approx(
        304, rel=0.01
    )  # counted by hand
    assert evaluation_bytes((64, 64), USED, batch=3) == 3 * evaluation_bytes((64, 64), USED)
    assert evaluation_bytes((64, 64), USED, gradient=False) < evaluation_bytes((64, 64), USED)


# extraction


@pytest.mark.parametrize("padding", PADDINGS)
def test_extraction_in_tiles_is_that_of_the_whole_picture(net, padding):
    p, mask = pictures(2, 3, 53, 34), pictures(53, 34, seed=3)
    style_layers = MEDIUM if padding in ("circular", "panorama") else STYLE
    whole, tiled = (
        (
            gatys.extract_content(net, p, CONTENT, 2, mask=mask, padding=padding, tile=tile, normalize=False),
            gatys.extract_style(net, p, style_layers, 2, mask, padding=padding, tile=tile, normalize=False),
        )
        for tile in (None, 32)
    )
    for level in range(2):
        for name in CONTENT:
            torch.testing.assert_close(tiled[0].features[level][name], whole[0].features[level][name])
        for name in style_layers:
            torch.testing.assert_close(tiled[1].grams[level][name], whole[1].grams[level][name])
    if padding == "zero":
        expected = oracle.responses(net, p[1:])["conv4_2"]
        torch.testing.assert_close(whole[0].features[0]["conv4_2"][1:], expected)


def test_content_may_be_kept_in_half_precision(net):
    p = pictures(1, 3, 64, 64)
    content = gatys.extract_content(net, p, dtype=torch.bfloat16, normalize=False)
    assert content.features[0]["conv4_2"].dtype == torch.bfloat16
    exact = gatys.Objective(net, content=gatys.extract_content(net, p, normalize=False)).evaluate(p.flip(-1))
    rough = gatys.Objective(net, content=content).evaluate(p.flip(-1))
    assert rough[0]["content"] == pytest.approx(exact[0]["content"], rel=1e-3)
    assert 1e-5 < relative(rough[1], exact[1]) < 5e-3
    assert gatys.extract_content(net, p, dtype="auto", normalize=False).features[0]["conv4_2"].dtype == torch.float64


# what is refused


def test_refusals(net):
    p = pictures(1, 3, 32, 32)
    style, content = (
        gatys.extract_style(net, p, normalize=False),
        gatys.extract_content(net, p, padding="replicate", normalize=False),
    )
    with pytest.raises(
        ValueError, match="padding: expected one of zero, replicate, circular, panorama, replicate-first, got 'reflect'"
    ):
        gatys.Objective(net, style=style, padding="reflect")
    with pytest.raises(
        ValueError, match="padding: expected one of zero, replicate, circular, panorama, replicate-first, got 'same'"
    ):
        gatys.extract_content(net, p, padding="same", normalize=False)
    with pytest.raises(
        ValueError, match="padding: expected one of zero, replicate, circular, panorama, replicate-first, got None"
    ):
        gatys.extract_style(net, p, padding=None, normalize=False)
    with pytest.raises(ValueError, match="content was extracted with 'replicate', got 'zero'; extract it again"):
        gatys.Objective(net, content=content, padding="zero")
    with pytest.raises(ValueError, match="tile: expected None or a whole number of pixels, at least 8"):
        gatys.extract_content(net, p, tile=4, normalize=False)
    with pytest.raises(ValueError, match="tile: expected None or a whole number of pixels, at least 16"):
        gatys.extract_style(net, p, tile="whole", normalize=False)
    assert gatys.Objective(net, content=content).padding == "replicate"
