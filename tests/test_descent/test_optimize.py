"""Targets, levels and the loop around the descent."""

import pytest
import torch
from pictures import noise as pictures

import gatys
from gatys.descent import start
from gatys.descent.schedule import parse_steps, split_steps
from gatys.descent.start import noise
from gatys.network.layers import LAYERS
from gatys.pictures.resampling import resize, scale_picture
from gatys.targets.levels import level_size, resolve_levels

STYLE = {"conv1_1": 0.5, "conv2_1": 0.5}
CONTENT = {"conv2_2": 1.0}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


def targets(net, size=(40, 48), count=1, levels=1, seed=1):
    content = gatys.extract_content(net, pictures(count, 3, *size, seed=seed), CONTENT, levels, normalize=True)
    style = gatys.extract_style(net, pictures(1, 3, 44, 36, seed=seed + 1), STYLE, levels, normalize=True)
    return {"content": content, "style": style}


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_result_is_the_best_picture_of_the_history(net, optimizer):
    both = targets(net)
    result = gatys.optimize(net, **both, steps=25, optimizer=optimizer, init="noise")
    assert result.image.shape == (1, 3, 40, 48) and result.image.dtype == torch.float32
    assert result.image.min() >= 0 and result.image.max() <= 1
    assert [record.step for record in result.history] == list(range(1, 26))
    best = min(record.total for record in result.history)
    assert best < 0.5 * result.history[0].total
    losses, _ = gatys.Objective(net, **both).evaluate(result.image)
    assert losses["total"] == pytest.approx(best, rel=1e-5)
    record = result.history[-1]
    assert record["total"] == record.total == record.asdict()["total"]
    assert record.total == pytest.approx(0.004 * record.content + record.style, rel=1e-5)
    assert set(record.layers) == {"content conv2_2", "style conv1_1", "style conv2_1"}
    assert sum(v for name, v in record.layers.items() if name.startswith("style")) == pytest.approx(
        record.style, rel=1e-5
    )
    assert result.notes == ()


def test_same_seed_same_picture(net):
    both = targets(net)
    runs = [gatys.optimize(net, **both, steps=6, init="noise", seed=seed).image for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_noise_of_a_picture_depends_on_its_own_seed():
    assert torch.equal(noise(3, (4, 5), 7)[1:], noise(2, (4, 5), 8))


@pytest.mark.parametrize("draw", [torch.rand, torch.randn])
def test_rows_of_noise_are_those_of_the_whole(monkeypatch, draw):
    drawn = draw((3, 37, 11), generator=torch.Generator().manual_seed(7))
    whole = noise(1, (37, 11), 7, draw)
    assert torch.equal(whole[0], drawn)
    monkeypatch.setattr(start, "_PIECE", 96)
    for rows in ((0, 16), (16, 37), (5, 5), (0, 37)):
        assert torch.equal(noise(1, (37, 11), 7, draw, rows), whole[:, :, slice(*rows)])


def test_a_batch_gives_each_content_its_own_picture(net):
    both = targets(net, count=2)
    together = gatys.optimize(net, **both, steps=8)
    for i, content in enumerate(both["content"].pictures()):
        alone = gatys.optimize(net, content=content, style=both["style"], steps=8)
        torch.testing.assert_close(alone.image, together.image[i : i + 1], atol=1e-3, rtol=0)


def test_starts(net):
    both = targets(net)

    def first_loss(**options):
        return gatys.optimize(net, **(both | options), steps=1).history[0].content

    assert first_loss(init="content") == 0 < first_loss() == first_loss(init="recolored")
    assert first_loss(init="noise") > 0
    picture = pictures(1, 3, 40, 48, seed=9)
    assert first_loss(init=picture) == pytest.approx(
        gatys.Objective(net, **both).evaluate(picture)[0]["content"], rel=1e-5
    )
    assert gatys.optimize(net, style=both["style"], steps=2).image.shape == (1, 3, 44, 36)  # the style's own size
    assert gatys.optimize(net, style=both["style"], steps=2, size=(30, 20)).image.shape == (1, 3, 30, 20)
    assert gatys.optimize(net, style=both["style"], steps=2, init=pictures(2, 3, 20, 25)).image.shape == (2, 3, 20, 25)
    assert gatys.optimize(net, **both, steps=1, init=pictures(1, 3, 90, 91)).image.shape == (1, 3, 40, 48)


def test_content_alone_is_reconstructed_and_style_alone_is_matched(net):
    both = targets(net)
    content = gatys.optimize(net, content=both["content"], init="noise", steps=60, content_weight=1).history
    assert content[-1].content < 0.1 * content[0].content and content[-1].style == 0
    style = gatys.optimize(net, style=both["style"], steps=60).history
    assert style[-1].style < 0.1 * style[0].style and style[-1].content == 0


def test_inputs_stay_as_they_are(net):
    both, start = targets(net), pictures(1, 3, 40, 48)
    kept = start.clone(), both["content"].image.clone(), both["style"].grams[0]["conv1_1"].clone()
    gatys.optimize(net, **both, init=start, steps=4)
    gatys.optimize(net, **both, steps=4, optimizer="adam")
    assert all(
        torch.equal(a, b)
        for a, b in zip(kept, (start, both["content"].image, both["style"].grams[0]["conv1_1"]), strict=True)
    )


def test_callback_sees_each_step_and_may_stop_or_end_the_run(net):
    both, seen = targets(net, levels=2), []

    def watch(progress):
        seen.append(
            (progress.step, progress.steps, progress.level, tuple(progress.image.shape[-2:]), progress.losses.total)
        )
        progress.image.zero_()  # a copy: the run must not notice

    result = gatys.optimize(net, **both, steps=6, callback=watch)
    assert [s[:4] for s in seen] == [(i, 6, 1, (20, 24)) for i in (1, 2, 3)] + [(i, 6, 0, (40, 48)) for i in (4, 5, 6)]
    assert [s[4] for s in seen] == [record.total for record in result.history]
    assert torch.equal(result.image, gatys.optimize(net, **both, steps=6).image)

    class Cancelled(Exception):
        pass

    def cancel(progress):
        if progress.step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        gatys.optimize(net, **both, steps=6, callback=cancel)

    def stop(progress):
        if progress.step == 2:
            raise StopIteration

    early = gatys.optimize(net, **both, steps=6, callback=stop)
    assert len(early.history) == 2 and early.image.shape == (1, 3, 40, 48)


def test_levels(net):
    size = (40, 51)
    assert [level_size(size, level) for level in range(3)] == [(40, 51), (20, 26), (10, 13)]
    content = gatys.extract_content(net, pictures(1, 3, *size), ["conv1_1"], levels=2, normalize=False)
    assert [tuple(f["conv1_1"].shape[-2:]) for f in content.features] == [(40, 51), (20, 26)]
    coarse = resize(pictures(1, 3, *size), (20, 26))
    torch.testing.assert_close(content.features[1]["conv1_1"], net(coarse, ["conv1_1"])["conv1_1"])
    history = gatys.optimize(net, **targets(net, levels=2), steps=[3, 5]).history
    assert [record.level for record in history] == [1] * 5 + [0] * 3


def test_automatic_levels():
    for short, levels in ((512, 4), (384, 4), (256, 3), (192, 3), (158, 2), (80, 2), (79, 1), (20, 1)):
        assert resolve_levels("auto", (short, 700), [LAYERS["conv5_1"]]) == levels
    with pytest.raises(
        ValueError, match="image: 15 x 700 pixels is too small for these layers, which need at least 16"
    ):
        resolve_levels("auto", (700, 15), [LAYERS["conv5_1"]])
    with pytest.raises(ValueError, match=r"levels: 4 levels make this image of 64 x 64 .* at most 3"):
        resolve_levels(4, (64, 64), [LAYERS["conv5_1"]])
    for levels in (0, -1, 1.5, "many", True):
        with pytest.raises(ValueError, match="levels: expected a positive whole number or 'auto'"):
            resolve_levels(levels, (64, 64), [LAYERS["conv1_1"]])


def test_automatic_levels_meet_given_ones(net):
    large, small = pictures(1, 3, 128, 128), pictures(1, 3, 32, 32)
    automatic = gatys.extract_content(net, large, ["conv1_1"], "auto", normalize=False)
    assert automatic.levels == 2
    given = {levels: gatys.extract_style(net, small, ["conv1_1"], levels, normalize=False) for levels in (1, 2, 3)}
    assert len(gatys.optimize(net, content=automatic, style=given[1], steps=2).history) == 2
    assert [r.level for r in gatys.optimize(net, content=automatic, style=given[2], steps=2).history] == [1, 0]
    with pytest.raises(ValueError, match="content was extracted with 2 and style with 3"):
        gatys.optimize(net, content=automatic, style=given[3], steps=3)
    with pytest.raises(ValueError, match="content was extracted with 1 and style with 2"):
        gatys.optimize(
            net, content=gatys.extract_content(net, large, ["conv1_1"], 1, normalize=False), style=given[2], steps=3
        )


def test_split_steps():
    assert split_steps(300, 3) == [100, 100, 100]
    assert split_steps(8, 3) == [3, 3, 2]
    assert split_steps([5, 7], 2) == [5, 7]
    assert split_steps(200, 3, ratio=2) == [29, 57, 114]
    assert split_steps(5, 4, ratio=2) == [1, 1, 1, 2] and split_steps(4, 4, ratio=2) == [1, 1, 1, 1]
    assert parse_steps("200") == 200 and parse_steps("20, 40,80") == [20, 40, 80]
    for text in ("", "0", "3, x", "5,,6", "4, 0"):
        with pytest.raises(ValueError, match="steps_per_level: expected a whole number of at least 1, or one for each"):
            parse_steps(text, "steps_per_level")
    for steps in (1, 0, [3], [3, 0], "12", 2.0, True, None):
        with pytest.raises(ValueError, match="steps: expected"):
            split_steps(steps, 2)


def test_a_mask_frees_the_rest_of_the_picture(net):
    p, mask = pictures(1, 3, 32, 32), torch.zeros(32, 32)
    mask[:, :16] = 1
    content = gatys.extract_content(net, p, ["conv1_1"], mask=mask, normalize=False)
    objective = gatys.Objective(net, content=content, content_weight=1)
    _, gradient = objective.evaluate(pictures(1, 3, 32, 32, seed=5))
    assert gradient[..., :16].abs().min() > 0 and gradient[..., 18:].abs().max() == 0
    everywhere = gatys.extract_content(net, p, ["conv1_1"], mask=torch.ones(1, 5, 7), normalize=False)
    x = pictures(1, 3, 32, 32, seed=5)
    expected = gatys.Objective(
        net, content=gatys.extract_content(net, p, ["conv1_1"], normalize=False), content_weight=1
    ).evaluate(x)
    found = gatys.Objective(net, content=everywhere, content_weight=1).evaluate(x)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)


def test_style_of_a_part_of_the_painting(net):
    left = pictures(1, 3, 64, 64, seed=1)
    painting = torch.cat([left, pictures(1, 3, 64, 64, seed=2) * 0.2], dim=-1)
    mask = torch.zeros(64, 128)
    mask[:, :60] = 1
    part = gatys.extract_style(net, painting, ["conv1_1"], mask=mask, normalize=False).grams[0]["conv1_1"]
    torch.testing.assert_close(part, gatys.extract_style(net, painting[..., :61], ["conv1_1"],
                               mask=mask[:, :61], normalize=False).grams[0]["conv1_1"], rtol=1e-4, atol=1e-6)  # fmt: skip
    with pytest.raises(ValueError, match="style mask: its area vanishes on the grid of conv5_1"):
        speck = torch.zeros(64, 128)
        speck[63, 127] = 1e-6
        gatys.extract_style(net, painting[..., :63, :127], ["conv5_1"], mask=speck, normalize=False)


def test_averaging_styles_is_summing_losses(net):
    """sum_i w_i |G - A_i|^2 and |G - sum_i w_i A_i|^2 have the same gradient."""
    paintings, x = [pictures(1, 3, 40, 30 + 4 * i, seed=i) for i in range(3)], pictures(1, 3, 36, 36, seed=9)
    _, together = gatys.Objective(net, style=gatys.extract_style(net, paintings, STYLE, normalize=False)).evaluate(x)
    each = [
        gatys.Objective(net, style=gatys.extract_style(net, p, STYLE, normalize=False)).evaluate(x)[1]
        for p in paintings
    ]
    torch.testing.assert_close(together, sum(each) / 3, rtol=1e-3, atol=1e-8)


def test_scale_picture():
    image = pictures(1, 3, 40, 60)
    assert scale_picture(image, 1.0) is image
    assert scale_picture(image, 0.5).shape == (1, 3, 20, 30)
    assert scale_picture(image, 2.0, (15, 10)).shape == (1, 3, 20, 30)  # longer edge 2 * 15
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="style_scale: expected a finite factor above 0"):
            scale_picture(image, factor)


def test_resize():
    # bicubic at half size has eight taps; with a = -0.5 they lie at distances .25, .75, 1.25 and 1.75
    def kernel(x):
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2

    row = torch.tensor([0.3, 0.5, 0.2, 0.9, 0.4, 0.1, 0.6, 0.7, 0.5, 0.5, 0.4, 0.2])
    taps = [kernel(abs(i - 3.5) / 2) for i in range(8)]
    by_hand = sum(t * v for t, v in zip(taps, row[3:11], strict=True)) / sum(taps)  # between inputs 6 and 7
    assert resize(row.expand(1, 2, 4, 12), (4, 6))[0, 1, 2, 3].item() == pytest.approx(float(by_hand), abs=1e-6)
    edge = torch.cat((torch.zeros(1, 3, 8, 4), torch.ones(1, 3, 8, 4)), -1)
    large = resize(edge, (16, 24))
    assert large.min() == 0 and large.max() == 1 and large.shape == (1, 3, 16, 24)
    assert resize(edge, (8, 8)) is edge


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "sgd"}, "optimizer: expected one of lbfgs, adam, got 'sgd'"),
        ({"init": "style"}, "init: expected auto, recolored, content, noise, mean or a picture, got 'style'"),
        ({"init": torch.rand(3, 40, 48)}, r"init: expected a tensor of shape \(N, 3, H, W\)"),
        ({"init": torch.full((1, 3, 40, 48), float("nan"))}, "init: expected finite values"),
        ({"init": torch.rand(2, 3, 40, 48)}, "init: expected one picture for one content picture, got 2"),
        ({"learning_rate": -1.0}, "learning_rate: expected a finite number above 0, got -1.0"),
        ({"content_weight": float("inf")}, "content_weight: expected a finite number of at least 0, got inf"),
        ({"tile": "small"}, "tile: expected 'auto', None or a whole number of pixels, got 'small'"),
        ({"history_size": 0}, "history_size: expected a whole number of at least 1, got 0"),
        ({"tile": 1}, "tile: expected None or a whole number of pixels, at least"),
        ({"size": (10, 10)}, r"size: the content target is \(40, 48\)"),
        ({"steps": 0}, "steps: expected at least 1"),
        ({"content": None, "style": None}, "expected at least one target, got none"),
        ({"content": None, "init": "content"}, "init: 'content' needs a content target"),
    ],
)
def test_options_that_are_refused(net, options, message):
    with pytest.raises(ValueError, match=message):
        gatys.optimize(net, **(targets(net) | {"steps": 2} | options))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net, p: gatys.extract_style(net, p, {"conv1_1": 0, "conv2_1": 0.0}, normalize=False), "layers of the style: expected at least one layer with a weight above 0"),
        (lambda net, p: gatys.extract_content(net, p, [], normalize=False), "layers of the content: expected at least one layer"),
        (lambda net, p: gatys.extract_style(net, p, {"conv1_1": -1}, normalize=False), "expected a finite weight of at least 0 for conv1_1, got -1"),
        (lambda net, p: gatys.extract_style(net, p, {"conv1_1": 1, "relu1_1": 1}, normalize=False), "conv1_1 is named twice"),
        (lambda net, p: gatys.extract_style(net, p, {"conv9_1": 1}, normalize=False), "unknown layer 'conv9_1'"),
        (lambda net, p: gatys.extract_style(net, [], normalize=False), "style image: expected at least one picture, got an empty list"),
        (lambda net, p: gatys.extract_style(net, [p, p], mask=torch.ones(4, 4), normalize=False), "expected one batch of style pictures"),
        (lambda net, p: gatys.extract_content(net, p, mask=torch.zeros(8, 8), normalize=False), "content mask: .*0 everywhere"),
        (lambda net, p: gatys.extract_content(net, p, mask=torch.ones(2, 8, 8), normalize=False), "expected one mask for one picture, got 2"),
        (lambda net, p: gatys.extract_content(net, p, mask=torch.ones(1, 3, 8, 8), normalize=False), "content mask: expected a tensor of shape"),
        (lambda net, p: gatys.extract_content(net, p, mask=torch.full((8, 8), float("nan")), normalize=False), "content mask: expected finite"),
        (lambda net, p: gatys.extract_content(net, p[..., :5, :5], normalize=False), "content image: 5 x 5 pixels is too small for conv4_2"),
        (lambda net, p: gatys.extract_style(net, p, levels=3, normalize=False), "smaller than the 16 pixels that its layers need; use at most 2"),
    ],
)  # fmt: skip
def test_extractions_that_are_refused(net, call, message):
    with pytest.raises(ValueError, match=message):
        call(net, pictures(1, 3, 32, 32))


def test_constant_pictures_are_no_trouble(net):
    for value in (0.0, 0.5, 1.0):
        flat = torch.full((1, 3, 32, 32), value)
        content, style = (
            gatys.extract_content(net, flat, normalize=True),
            gatys.extract_style(net, flat, normalize=True),
        )
        result = gatys.optimize(net, content=content, style=style, init="noise", steps=5)
        assert torch.isfinite(result.image).all()
