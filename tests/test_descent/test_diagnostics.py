"""The share of each layer in the gradient, and the plot of a history."""

import sys
from dataclasses import replace
from functools import partial

import pictures
import pytest
import torch

import gatys
from gatys.descent.plot import plot_history
from gatys.objective.shares import gradient_parts, gradient_shares

STYLE = {"conv1_1": 0.5, "conv2_2": 2.0}
CONTENT = {"conv2_2": 1.0, "conv3_1": 0.5}
NAMES = ["content conv2_2", "content conv3_1", "style conv1_1", "style conv2_2", "tv", "temporal"]
picture = partial(pictures.picture, size=(36, 32), dtype=torch.float64)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average").double()


@pytest.fixture(scope="module")
def build(net):
    content = gatys.extract_content(net, picture(1, 2), CONTENT, levels=2, normalize=False)
    style = gatys.extract_style(net, picture(2), STYLE, levels=2, normalize=False)
    temporal = gatys.TemporalTarget(picture(3))
    weights = {"content_weight": 0.1, "style_weight": 3.0, "tv_weight": 0.01, "temporal_weight": 0.1}

    def objective(**changes):
        arguments = {"content": content, "style": style, "temporal": temporal} | weights | changes
        return gatys.Objective(net, **arguments)

    return objective


# shares in the gradient


def test_parts_add_up_to_the_gradient(build):
    parts = dict(gradient_parts(build(), picture(4, 2)))
    assert list(parts) == NAMES
    wanted = build().evaluate(picture(4, 2))[1]
    torch.testing.assert_close(sum(parts.values()), wanted, rtol=1e-10, atol=1e-15)


def test_parts_of_regions_add_up_to_the_gradient(net, build):
    mask = torch.zeros(1, 36, 32)
    mask[..., :16] = 1
    other = gatys.extract_style(net, picture(6), {"conv2_2": 1.0}, levels=2, normalize=False)
    style = gatys.extract_style(net, picture(2), STYLE, levels=2, normalize=False)
    objective = build(style=gatys.regional_style([(style, mask), (other, 1 - mask)]))
    parts = dict(gradient_parts(objective, picture(4, 2)))
    assert list(parts) == NAMES
    wanted = objective.evaluate(picture(4, 2))[1]
    torch.testing.assert_close(sum(parts.values()), wanted, rtol=1e-10, atol=1e-15)


def test_parts_are_those_of_objectives_with_one_layer(net, build):
    parts = dict(gradient_parts(build(), picture(4, 2)))
    alone = gatys.extract_style(net, picture(2), {"conv2_2": 2.0}, normalize=False)
    wanted = gatys.Objective(net, style=alone, style_weight=3.0).evaluate(picture(4, 2))[1]
    torch.testing.assert_close(parts["style conv2_2"], wanted, rtol=1e-10, atol=1e-15)


def test_shares_are_lengths_of_sum_one(build):
    shares = gradient_shares(build(), picture(4, 2))
    parts = dict(gradient_parts(build(), picture(4, 2)))
    assert list(shares) == NAMES and sum(shares.values()) == pytest.approx(1)
    ratio = float(parts["tv"].norm() / parts["style conv1_1"].norm())
    assert shares["tv"] / shares["style conv1_1"] == pytest.approx(ratio)


def test_objective_is_left_as_it_was(build):
    objective = build()
    before = objective.evaluate(picture(4, 2))
    gradient_shares(objective, picture(4, 2))
    after = objective.evaluate(picture(4, 2))
    assert before[0] == after[0] and torch.equal(before[1], after[1])


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"content": None}, NAMES[2:]),
        ({"style": None, "temporal": None}, [*NAMES[:2], "tv"]),
        ({"tv_weight": 0.0, "style_weight": 0.0, "temporal_weight": 0.0}, NAMES[:2]),
    ],
)
def test_terms_without_a_part_are_left_out(build, changes, names):
    assert list(gradient_shares(build(**changes), picture(4, 2))) == names


def test_another_level_has_its_own_shares(build):
    small = gatys.pictures.resampling.resize(picture(4, 2), (18, 16))
    assert sum(gradient_shares(build(level=1), small).values()) == pytest.approx(1)


def test_no_gradient_gives_no_shares(build):
    shares = gradient_shares(build(style=None, temporal=None, tv_weight=0.0), picture(1, 2))
    assert shares == {"content conv2_2": 0.0, "content conv3_1": 0.0}


def test_pictures_that_do_not_fit_are_refused(build):
    with pytest.raises(ValueError, match="expected finite values"):
        gradient_shares(build(), picture(4, 2) * torch.nan)
    with pytest.raises(ValueError, match="the content target is 32 x 36"):
        gradient_shares(build(), picture(4, 2)[..., :20])


# the plot


def history(levels=(1, 1, 1, 0, 0, 0), **terms):
    return [
        gatys.Record(step, level, **({"total": 3.0 / step, "content": 1.0, "style": 2.0 / step, "tv": 0.0} | terms))
        for step, level in enumerate(levels, 1)
    ]


def drawn(plot):
    """The colours that appear; lines are blended with what is behind them, so only their hue tells."""
    red, green, blue = plot[0]
    hues = {"content": blue - red, "style": red - torch.maximum(green, blue), "tv": green - torch.maximum(red, blue)}
    return {term for term, strength in hues.items() if strength.max() > 0.3}


@pytest.mark.parametrize("size", [(960, 540), (321, 241), (333, 1001)])
def test_plot_has_the_size_asked_for(size):
    width, height = size
    plot = plot_history(history(), width=width, height=height)
    assert plot.shape == (1, 3, height, width) and plot.dtype == torch.float32 and plot.is_contiguous()
    assert plot.min() >= 0 and plot.max() == 1


@pytest.mark.parametrize("log_scale", [True, False])
def test_terms_are_drawn_unless_they_are_zero(log_scale):
    assert drawn(plot_history(history(), log_scale=log_scale)) == {"content", "style"}
    assert drawn(plot_history(history(tv=0.5), log_scale=log_scale)) == {"content", "style", "tv"}
    assert drawn(plot_history(history(style=0.0), log_scale=log_scale)) == {"content"}


def test_levels_are_bands():
    left, right = plot_history(history())[0, :, 30, [200, 900]].T  # above the curves, beside the names
    assert left.tolist() == pytest.approx([240 / 255] * 3, abs=0.01) and right.tolist() == [1, 1, 1]
    left, right = plot_history(history(levels=(0,) * 6))[0, :, 30, [200, 900]].T
    assert left.tolist() == right.tolist() == [1, 1, 1]


def test_pictures_of_a_batch_follow_each_other():
    one, two = plot_history([history()]), plot_history([history(), history()])
    assert torch.equal(one, plot_history(history()))
    assert torch.equal(one, plot_history((tuple(history()),)))
    assert not torch.equal(one, two)
    assert (two[0, :, 30] < 0.8).all(dim=0).any() and not (one[0, :, 30, 100:-20] < 0.8).any()  # the dashed line


def test_log_scale_is_another_picture():
    assert not torch.equal(plot_history(history()), plot_history(history(), log_scale=False))


@pytest.mark.parametrize("levels", [(0,), (1, 0)])
def test_few_steps_can_be_drawn(levels):
    assert drawn(plot_history(history(levels))) == {"content", "style"}


def test_losses_that_are_not_finite_leave_gaps():
    records = history()
    records[2] = gatys.Record(3, 1, float("inf"), float("nan"), 1.0, 0.0)
    assert drawn(plot_history(records)) == {"content", "style"}


def test_layers_are_drawn_when_asked_for():
    """A style layer whose part falls apart from everything else: red where nothing else is drawn."""
    parts = {"content conv4_2": 1.0, "style conv1_1": 1e-6, "style conv2_1": 0.0}
    records = [replace(record, layers=parts) for record in history()]
    plain, layered = plot_history(records), plot_history(records, layers=True)
    assert torch.equal(plain, plot_history(history(), layers=True))  # records without parts
    red = layered[0, 0] - torch.maximum(layered[0, 1], layered[0, 2]) > 0.3
    below = slice(layered.shape[2] // 2, int(layered.shape[2] * 0.8))
    assert not torch.equal(plain, layered) and red[below].any()


def test_pyplot_is_not_touched():
    plot_history(history())
    assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("empty", [[], [[]], [(), ()]])
def test_empty_history_is_refused(empty):
    with pytest.raises(ValueError, match="history: expected at least one record"):
        plot_history(empty)


@pytest.mark.parametrize("size", [(319, 540), (960, 239)])
def test_tiny_plot_is_refused(size):
    with pytest.raises(ValueError, match="expected at least 320 x 240 pixels, got"):
        plot_history(history(), width=size[0], height=size[1])


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="plot_history: needs the package matplotlib") as caught:
        plot_history(history())
    assert str(caught.value).endswith(f'"{sys.executable}" -m pip install matplotlib')
