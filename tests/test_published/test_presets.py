"""Every preset against its source's own loss, written down a second time: its pixels, its Gram matrices, autograd."""

from dataclasses import FrozenInstanceError, fields

import pytest
import torch
import torch.nn.functional as F
from pictures import noise

import gatys
from gatys.network.preprocessing import read_as
from gatys.objective.smoothness import total_variation
from gatys.pictures.resampling import resize
from gatys.published.presets import weights_from
from gatys.settings import TV_FORMS

FIRSTS = ["1_1", "2_1", "3_1", "4_1", "5_1"]
SIZES = [((48, 64), (56, 40)), ((33, 50), (70, 34))]  # of content and style


def picture(size, seed):
    """In float64, but of values that float32 has, too."""
    return noise(1, 3, *size, seed=seed).double()


@pytest.fixture(scope="module")
def nets():
    double = gatys.load_vgg19("untrained:5", pooling="average").double()
    for index, parameter in enumerate(double.parameters()):
        if parameter.ndim == 1:  # untrained biases are 0; trained ones are not
            parameter.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(index))
    single = gatys.load_vgg19("untrained:5", pooling="average")
    single.load_state_dict(double.state_dict())
    return {torch.float64: double, torch.float32: single}


# the sources, each in its own units; what they share is the network's wiring


def run(net, x, pool, bgr=False, first="constant"):
    """What each of the source's modules gives: {"conv1_1": before the rectifier, "relu1_1": after it, ...}."""
    found, pool = {}, {"max": F.max_pool2d, "avg": F.avg_pool2d}[pool]
    for block, count in enumerate((2, 2, 4, 4, 1), start=1):
        if block > 1:
            x = pool(x, 2)
        for index in range(1, count + 1):
            layer = getattr(net, f"conv{block}_{index}")
            weight = layer.weight.flip(1) if bgr and (block, index) == (1, 1) else layer.weight
            around = F.pad(x, (1, 1, 1, 1), mode=first if (block, index) == (1, 1) else "constant")
            found[f"conv{block}_{index}"] = F.conv2d(around, weight, layer.bias)
            x = found[f"relu{block}_{index}"] = torch.relu(found[f"conv{block}_{index}"])
    return found


def product(f):
    _, c, h, w = f.shape
    flat = f.reshape(c, h * w)
    return flat @ flat.T


def column(values, like):
    return torch.tensor(values, dtype=like.dtype).view(1, 3, 1, 1)


def caffe(x, scale):
    return x.flip(1) * scale - column([103.939, 116.779, 123.68], x)


def torchvision(x):
    return (x - column([0.485, 0.456, 0.406], x)) / column([0.229, 0.224, 0.225], x)


def gatys2016(net, x, content, style):
    x, p, a = (run(net, (t - net.mean[:, None, None]) / net.std[:, None, None], "avg") for t in (x, content, style))
    loss = 1e-3 * 0.5 * ((x["relu4_2"] - p["relu4_2"]) ** 2).sum()
    for name in FIRSTS:
        f = x["relu" + name]
        n, m = f.shape[1], f.shape[2] * f.shape[3]
        loss = loss + 1 / 5 * ((product(f) - product(a["relu" + name])) ** 2).sum() / (4 * n**2 * m**2)
    return 1000 * loss  # only the ratio of the weights is published


def udacity(net, x, content, style):
    x, p, a = (run(net, torchvision(t), "max") for t in (x, content, style))
    loss = 0
    for name, weight in zip(FIRSTS, [1.0, 0.75, 0.2, 0.2, 0.2], strict=True):
        f = x["relu" + name]
        _, d, h, w = f.shape
        loss = loss + weight * ((product(f) - product(a["relu" + name])) ** 2).mean() / (d * h * w)
    return ((x["relu4_2"] - p["relu4_2"]) ** 2).mean() + 1e6 * loss


def leongatys(net, x, content, style):
    def prepare(t):
        return (t.flip(1) - column([103.939 / 255, 116.779 / 255, 123.68 / 255], t)) * 255

    x, p, a = (run(net, prepare(t), "max", bgr=True) for t in (x, content, style))
    loss = F.mse_loss(x["relu4_2"], p["relu4_2"])
    for name, n in zip(FIRSTS, [64, 128, 256, 512, 512], strict=True):
        ours, theirs = (product(f) / (f.shape[2] * f.shape[3]) for f in (x["relu" + name], a["relu" + name]))
        loss = loss + 1e3 / n**2 * F.mse_loss(ours, theirs)
    return loss


def johnson(net, x, content, style, scale):
    y, p, a = (run(net, caffe(t, scale), "max", bgr=True) for t in (x, content, style))
    loss = 5 * F.mse_loss(y["relu4_2"], p["relu4_2"])
    for name in FIRSTS:
        ours, theirs = (product(f) / f.numel() for f in (y["relu" + name], a["relu" + name]))
        loss = loss + 100 * F.mse_loss(ours, theirs)
    return loss


def neural_style(net, x, content, style):
    y = caffe(x, 256.0)
    corner = y[..., :-1, :-1]
    smooth = ((corner - y[..., :-1, 1:]) ** 2).sum() + ((corner - y[..., 1:, :-1]) ** 2).sum()
    return johnson(net, x, content, style, 256.0) + 1e-3 * smooth / 2


def neural_style_pt(net, x, content, style):
    y = caffe(x, 255.0)
    smooth = (y[:, :, 1:] - y[:, :, :-1]).abs().sum() + (y[..., 1:] - y[..., :-1]).abs().sum()
    return johnson(net, x, content, style, 255.0) + 1e-3 * smooth


def tutorial(net, x, content, style):
    x, p, a = (run(net, torchvision(t), "max") for t in (x, content, style))
    loss = F.mse_loss(x["conv2_2"], p["conv2_2"])
    for name in ["1_1", "1_2", "2_1", "2_2", "3_1"]:
        ours, theirs = (product(f) / f.numel() for f in (x["conv" + name], a["conv" + name]))
        loss = loss + 1000000 * F.mse_loss(ours, theirs)
    return loss


def gordicaleksa(net, x, content, style):
    def prepare(t):
        return t * 255 - column([123.675, 116.28, 103.53], t)

    y = prepare(x)
    z, p, a = (run(net, prepare(t), "max") for t in (x, content, style))
    loss = 0
    for name in FIRSTS:
        ours, theirs = (product(f) / f.numel() for f in (z["relu" + name], a["relu" + name]))
        loss = loss + F.mse_loss(ours, theirs, reduction="sum")
    smooth = (y[..., :-1] - y[..., 1:]).abs().sum() + (y[:, :, :-1] - y[:, :, 1:]).abs().sum()
    return 1e5 * F.mse_loss(z["relu4_2"], p["relu4_2"]) + 3e4 * loss / 5 + 1.0 * smooth


def newton_schulz(a, rounds=12):
    """The root of a matrix, and of it the derivative that crowsonkb's program takes, both by iterations of matrices."""

    class Root(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            size, three = torch.linalg.matrix_norm(a), 3 * torch.eye(len(a), dtype=a.dtype)
            y, z = a / size, torch.eye(len(a), dtype=a.dtype)
            for _ in range(rounds):
                t = 0.5 * (three - z @ y)
                y, z = y @ t, t @ z
            root = y * size**0.5
            ctx.save_for_backward(root)
            return root

        @staticmethod
        def backward(ctx, given):
            (root,) = ctx.saved_tensors
            size, three = torch.linalg.matrix_norm(root), 3 * torch.eye(len(root), dtype=root.dtype)
            a, q = root / size, given / size
            for _ in range(rounds):
                q = 0.5 * (q @ (three - a @ a) - a.T @ (a.T @ q - q @ a))
                a = 0.5 * a @ (three - a @ a)
            return 0.5 * q

    return Root.apply(a)


def crowsonkb(net, x, content, style):
    def normal(f):
        flat = f[0].flatten(1)
        mean = flat.mean(1)
        return mean, flat @ flat.T / flat.shape[1] - torch.outer(mean, mean) + 1e-4 * torch.eye(
            len(flat), dtype=f.dtype
        )

    z, p, a = (run(net, torchvision(t), "max", first="replicate") for t in (x, content, style))
    loss = 0.015 * F.mse_loss(z["relu4_2"], p["relu4_2"])
    for name, weight in zip(FIRSTS, [256, 64, 16, 4, 1], strict=True):
        (mean, spread), (wanted, wanted_spread) = normal(z["relu" + name]), normal(a["relu" + name])
        side = newton_schulz(wanted_spread)
        middle = wanted_spread + spread - 2 * newton_schulz(side @ spread @ side)
        loss = loss + weight / 341 * (((mean - wanted) ** 2).mean() + middle.diagonal().mean())
    return loss + 2 * nine_point_means(x)


def nine_point_means(x):
    around = F.pad(x, (1, 1, 1, 1), mode="replicate")
    _, _, h, w = x.shape
    middle, right, below = around[..., 1:-1, 1:-1], around[..., 1:-1, 2:], around[..., 2:, 1:-1]
    straight = ((right - middle) ** 2).mean() / 3 + ((below - middle) ** 2).mean() / 3
    falling = around[..., 1:, 1:] - around[..., :-1, :-1]
    rising = around[..., 1:, :-1] - around[..., :-1, 1:]
    assert falling.shape[2:] == (h + 1, w + 1)
    return 2 * (straight + (falling**2).mean() / 12 + (rising**2).mean() / 12)


def spst(net, x, content, style):
    def prepare(t):  # the program has these quotients with eight digits
        return (t.flip(1) - column([103.939 / 255, 116.779 / 255, 123.68 / 255], t)) * 255

    def moments(f):
        grams, means = product(f) / (f.shape[2] * f.shape[3]), f.mean((2, 3))[0]
        return grams, means, (grams.diagonal() - means**2).sqrt()

    x, p, a = (run(net, prepare(t), "max", bgr=True) for t in (x, content, style))
    loss = F.mse_loss(x["relu4_2"], p["relu4_2"])
    for name, n in zip(FIRSTS, [64, 128, 256, 512, 512], strict=True):
        weights = 1e3 / n**2, 1e3 / n**2 * n**2 * 1000 / 100, 1e3 / n**2 * n**2 * 1000 / 100
        for weight, ours, theirs in zip(weights, moments(x["relu" + name]), moments(a["relu" + name]), strict=True):
            loss = loss + weight * ((ours - theirs) ** 2).mean()
    return loss


SOURCES = {
    "gatys2016": gatys2016,
    "udacity": udacity,
    "leongatys-pytorch": leongatys,
    "neural-style": neural_style,
    "neural-style-pt": neural_style_pt,
    "pytorch-tutorial": tutorial,
    "gordicaleksa": gordicaleksa,
    "crowsonkb": crowsonkb,
    "spst": spst,
}
EQUAL_SIZES = {"gatys2016", "udacity", "pytorch-tutorial"}
"""Sources that know no style of another size than the content's."""


def test_every_preset_is_compared_with_its_source():
    assert list(gatys.presets) == list(SOURCES)
    assert {name for name, preset in gatys.presets.items() if preset.style_edge == "both"} == EQUAL_SIZES


@pytest.mark.slow
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-5)], ids=["double", "single"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", SOURCES)
def test_loss_and_gradient_are_the_source_s(nets, name, sizes, dtype, tolerance):
    content_size, style_size = sizes
    style_size = content_size if name in EQUAL_SIZES else style_size
    x, content, style = (picture(size, seed) for seed, size in enumerate((content_size, content_size, style_size)))
    leaf = x.clone().requires_grad_()
    # the truth in double precision: in single precision, two right answers differ by more than one from the truth
    expected = SOURCES[name](nets[torch.float64], leaf, content, style)
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    objective = gatys.presets[name].objective(nets[dtype], content.to(dtype), style.to(dtype))
    losses, gradient = objective.evaluate(x.to(dtype))
    off = abs(losses["total"] / expected.item() - 1)
    gradient_off = ((gradient.double() - expected_gradient).norm() / expected_gradient.norm()).item()
    print(f"{name}, {dtype}: loss {off:.1e}, gradient {gradient_off:.1e}")
    assert off < tolerance and gradient_off < tolerance
    assert gradient.dtype == dtype


def test_every_term_of_a_source_is_a_part_that_the_comparison_sees(nets):
    """Or a wrong coefficient of a small term would hide in the tolerance."""
    x, content, style = (picture((48, 64), seed).float() for seed in range(3))
    for name, preset in gatys.presets.items():
        objective = preset.objective(nets[torch.float32], content, style)
        terms, _ = objective.terms(x)
        total = terms.total.item()
        parts = {
            layer: objective.weights["style"] * value.item()
            for layer, value in terms.layers.items()
            if "style" in layer
        }
        parts["content"] = objective.weights["content"] * terms.content.item()
        assert len(parts) == 6, name
        if preset.tv_loss != "none":
            parts["tv"] = objective.weights["tv"] * terms.tv.item()
        assert min(parts.values()) > 1e-8 * total, (name, parts)


# the records


def test_every_value_has_its_source():
    told = {"name", "title", "remark", "source", "sources"}
    for preset in gatys.presets.values():
        # a field with a default is about something that most sources do without
        given = {field.name for field in fields(preset) if getattr(preset, field.name) != field.default}
        assert set(preset.sources) == given - told
        assert all(preset.sources.values())
        with pytest.raises(FrozenInstanceError):
            preset.steps = 1
        with pytest.raises(TypeError):
            preset.style_layers["conv1_1"] = 1.0


def test_every_preset_says_its_statistic_whatever_the_default_is():
    for name, preset in gatys.presets.items():
        expected = name if name in ("crowsonkb", "spst") else "gram"
        assert preset.settings((32, 48))["statistic"] == expected, name


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ValueError) as refusal:
        gatys.presets["gatys"]
    assert str(refusal.value) == f"preset: expected one of {', '.join(SOURCES)}, got 'gatys'"
    assert "gatys" not in gatys.presets and gatys.presets.get("gatys") is None


def test_where_the_weights_are_published():
    for preset in gatys.presets.values():
        assert weights_from(preset.weights).startswith("https://")
        assert weights_from(preset.weights).endswith(".pth")


def test_a_style_is_stretched_only_where_the_source_does(nets):
    net = nets[torch.float32]
    x, content, style = (picture(size, 0).float() for size in ((32, 48), (32, 48), (40, 40)))
    for name, preset in gatys.presets.items():
        losses, _ = preset.objective(net, content, style).evaluate(x)
        stretched, _ = preset.objective(net, content, resize(style, (32, 48))).evaluate(x)
        assert (losses == stretched) == (name in EQUAL_SIZES), name


def test_the_course_notebook_weighs_the_style_by_the_number_of_positions():
    small, large = (gatys.presets["udacity"].settings((edge, edge)) for edge in (200, 400))
    for name in ("conv1_1", "conv2_1", "conv3_1"):  # whose grids divide evenly
        coefficients = [s["style_weight"] * s["style_layers"][name] for s in (small, large)]
        assert coefficients[1] == pytest.approx(4 * coefficients[0], rel=1e-12)
    with pytest.raises(ValueError, match="size: 40 x 8 pixels is too small for the layers of preset udacity"):
        gatys.presets["udacity"].settings((8, 40))


@pytest.mark.parametrize(
    "name, content, edge, style, styles",
    [
        ("gatys2016", (600, 800), 512, (300, 900), (384, 512)),
        ("udacity", (600, 800), 533, (300, 900), (384, 512)),
        ("udacity", (200, 300), 450, (300, 900), (384, 512)),  # Resize(300) enlarges the shorter edge to 300
        ("leongatys-pytorch", (600, 800), 683, (300, 900), (384, 1152)),
        ("neural-style", (600, 800), 512, (300, 900), (171, 512)),
        ("gordicaleksa", (600, 800), 533, (300, 900), (384, 1152)),
        ("crowsonkb", (600, 800), 512, (300, 900), (171, 512)),
        ("spst", (600, 800), 800, (800, 900), (384, 432)),
    ],
)
def test_sizes(name, content, edge, style, styles):
    preset = gatys.presets[name]
    assert preset.result_edge(content) == edge
    assert preset.style_size(style, (384, 512)) == styles
    assert preset.style_size(style, (384, 512), 2.0) == pytest.approx([2 * size for size in styles], abs=1)


def test_small_styles_are_left_as_they_are():
    assert gatys.presets["crowsonkb"].style_size((100, 300), (384, 512)) == (100, 300)
    assert gatys.presets["spst"].style_size((422, 500), (384, 512)) == (422, 500)


def test_scales_and_their_steps():
    """Those of the sources' own rules, of which crowsonkb's has others in between."""

    def theirs(shorter):
        sizes = [shorter]
        while sizes[0] > 1023:
            sizes.insert(0, sizes[0] // 2)
        return [max(600 // 3**s, 30) for s in range(len(sizes))]

    for shorter in (64, 1023, 1024, 2046, 2048, 4100, 10000, 20000):
        settings = gatys.presets["spst"].settings((shorter, shorter + 500))
        found = settings["steps"]
        assert ([found] if isinstance(found, int) else found[::-1]) == theirs(shorter), shorter
        assert settings["levels"] == len(theirs(shorter))
    for longer in (256, 512, 2048):
        scales = [longer / 2**step for step in range(8) if longer / 2**step >= 128]
        found = gatys.presets["crowsonkb"].schedule((16 * 8, longer))
        assert found == [500] * (len(scales) - 1) + [1000]
    assert gatys.presets["udacity"].settings((3000, 4000))["steps"] == 2000


def test_scales_are_descended_and_averaged(nets):
    content, style = picture((256, 32), 1).float(), picture((256, 40), 2).float()
    seen = []
    result = gatys.presets["crowsonkb"].optimize(
        nets[torch.float32], content, style, steps=[1, 2], callback=lambda p: seen.append((p.level, p.image.shape[2]))
    )
    assert seen == [(1, 128), (1, 128), (0, 256)]
    enlarged = resize(resize(content, (128, 16)), (256, 32))  # nothing of the content's own detail is added
    assert 0 < (result.image - enlarged).abs().mean() < 0.05


# the descent


def test_the_start_and_the_first_loss_are_the_source_s(nets):
    content, style = picture((32, 48), 1).float(), picture((32, 48), 2).float()
    for name in ("udacity", "neural-style", "gatys2016"):
        preset = gatys.presets[name]
        started = []
        result = preset.optimize(
            nets[torch.float32], content, style, steps=3, callback=lambda p, to=started: to.append(p.image)
        )
        losses, _ = preset.objective(nets[torch.float32], content, style).evaluate(started[0])
        assert result.history[0].total == pytest.approx(losses["total"], rel=1e-5)
        assert result.history[-1].total < result.history[0].total or name == "gatys2016"
        if name == "udacity":
            assert torch.equal(started[0], content)
        elif name == "neural-style":
            mean = column([123.68 / 256, 116.779 / 256, 103.939 / 256], content)
            off = (started[0] - mean) * 256  # N(0, 1) / 1000 where a pixel counts to 256
            assert off.std().item() == pytest.approx(1e-3, rel=0.05) and abs(off.mean().item()) < 1e-4
        else:
            assert started[0].min() < 0.01 and started[0].max() > 0.99


def test_adam_s_rate_is_that_of_the_source_in_pixels(nets):
    """The notebook moves the normalised picture by 0.003 at first, which is 0.003 times the deviation in pixels."""
    content, style = (0.25 + 0.5 * picture((32, 48), seed).float() for seed in (1, 2))
    seen = []
    gatys.presets["udacity"].optimize(
        nets[torch.float32], content, style, steps=2, callback=lambda p: seen.append(p.image)
    )
    moved = (seen[1] - content).abs()
    theirs = column([0.003 * s for s in (0.229, 0.224, 0.225)], moved)
    assert moved.median().item() == pytest.approx(0.003 * 0.226, rel=1e-3)
    assert ((moved.median() - theirs) / theirs).abs().max() < 0.02  # one rate for three channels


# what the engine learnt for it


@pytest.mark.parametrize("form", TV_FORMS)
def test_total_variation_against_autograd(form):
    image = picture((5, 7), 3).requires_grad_()
    down, right = image[:, :, 1:] - image[:, :, :-1], image[..., 1:] - image[..., :-1]
    if form == "corner":
        down, right = down[..., :-1], right[:, :, :-1]
    expected = sum(d.abs().sum() if form == "absolute" else (d**2).sum() for d in (down, right)) / image.numel()
    expected = nine_point_means(image) if form == "nine-point" else expected
    value, _, gradient = total_variation(image.detach(), form)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, image)[0], rtol=1e-12, atol=0)
    assert total_variation(torch.rand(2, 3, 1, 1), form)[0].tolist() == [0, 0]


@pytest.mark.parametrize("rings", [(True, True), (False, True)], ids=["ring", "panorama"])
def test_nine_points_where_edges_meet(rings):
    """The value and the gradient of the middle one of nine, or three, such pictures side by side."""
    image = picture((5, 7), 3)
    value, _, gradient = total_variation(image, "nine-point", rings=rings)
    leaf = image.clone().requires_grad_()
    around = F.pad(leaf, (1, 1, 0, 0), mode="circular")
    around = F.pad(around, (0, 0, 1, 1), mode="circular" if rings[0] else "replicate")
    rows = slice(1, 6) if rings[0] else slice(0, 6)  # of the squares of four pixels
    straight = (around[..., 1:-1, 2:] - leaf).square().mean() + (around[..., 2:, 1:-1] - leaf).square().mean()
    falling = (around[..., 1:, 1:] - around[..., :-1, :-1])[..., rows, 1:]
    rising = (around[..., 1:, :-1] - around[..., :-1, 1:])[..., rows, 1:]
    expected = 2 / 3 * straight + (falling.square().mean() + rising.square().mean()) / 6
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, leaf)[0], rtol=1e-12, atol=1e-16)


def test_another_total_variation_is_refused(nets):
    message = "tv_form: expected one of squared, absolute, corner, nine-point, got 'l1'"
    with pytest.raises(ValueError, match=message):
        total_variation(picture((4, 4), 0), "l1")
    style = gatys.extract_style(nets[torch.float64], picture((32, 32), 0), normalize=False)
    with pytest.raises(ValueError, match=message):
        gatys.Objective(nets[torch.float64], style=style, tv_form="l1")


def test_responses_before_the_rectifier(nets):
    net = nets[torch.float64]
    before = read_as(net, responses="conv", pooling="max")
    x = picture((32, 48), 0)
    names = ["1_1", "1_2", "3_1"]
    expected = run(net, torchvision_of(net, x), "max")
    found = before(x, [f"conv{name}" for name in names])
    for name in names:
        torch.testing.assert_close(found[f"conv{name}"], expected[f"conv{name}"])
        assert found[f"conv{name}"].min() < 0


def torchvision_of(net, x):
    return (x - net.mean[:, None, None]) / net.std[:, None, None]


def test_tiles_read_before_the_rectifier_too(nets):
    objective = gatys.presets["pytorch-tutorial"].objective(
        nets[torch.float64], picture((70, 60), 1), picture((70, 60), 2)
    )
    losses, gradient = objective.evaluate(picture((70, 60), 0))
    tiled, tiled_gradient = objective.evaluate(picture((70, 60), 0), tile=24)
    assert tiled == pytest.approx(losses, rel=1e-12)
    assert (tiled_gradient - gradient).norm() / gradient.norm() < 1e-12


def test_reading_shares_the_filters_and_leaves_the_network():
    net = gatys.load_vgg19("untrained:5", pooling="average")
    kept = net.tag, net.pooling, net.responses, net.mean.clone(), net.std.clone()
    other = read_as(net, pooling="max", preprocessing="caffe", responses="conv")
    assert other.conv4_2.weight.data_ptr() == net.conv4_2.weight.data_ptr()
    assert (net.tag, net.pooling, net.responses) == kept[:3]
    assert torch.equal(net.mean, kept[3]) and torch.equal(net.std, kept[4])
    torch.testing.assert_close(other.mean * 255, torch.tensor([123.68, 116.779, 103.939]))
    assert not other.tag.fits(net.tag)
    ways = [{}, {"preprocessing": "caffe"}, {"responses": "conv"}, {"preprocessing": "caffe", "responses": "conv"}]
    assert len({read_as(net, **way).tag.fingerprint for way in ways}) == 4
    assert read_as(other, preprocessing="imagenet", responses="relu").tag.fingerprint == net.tag.fingerprint
    assert read_as(net, preprocessing="imagenet").tag == net.tag  # what it is given already


def test_readings_that_are_refused(nets):
    net = nets[torch.float32]
    with pytest.raises(ValueError, match="preprocessing: expected one of own, imagenet, .*, got 'bgr'"):
        read_as(net, preprocessing="bgr")
    with pytest.raises(ValueError, match="responses: expected one of relu, conv, got 'linear'"):
        read_as(net, responses="linear")
    with pytest.raises(ValueError, match="pooling: expected one of max, average, got 'mean'"):
        read_as(net, pooling="mean")
    folded = gatys.VGG19()  # as the normalised network of AdaIN is loaded: mean 0 or not, deviation 1
    with pytest.raises(ValueError, match="the filters of unnamed contain their own, .*; give 'own'"):
        read_as(folded, preprocessing="caffe")
    assert read_as(folded).tag == folded.tag
