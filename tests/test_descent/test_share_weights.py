"""Weights for shares: after one measurement the parts of the gradient are as long as was asked for."""

import pytest
import torch
from pictures import picture

import gatys
from gatys.descent.asked_shares import parse_shares
from gatys.descent.start import starting_picture
from gatys.passes.layout import WHOLE
from gatys.settings import content_factor

CONTENT = {"conv2_2": 1.0, "conv3_1": 0.5}
STYLE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.5}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:3").double()


@pytest.fixture(scope="module")
def content(net):
    return gatys.extract_content(net, picture(1, size=(32, 36)).double(), CONTENT, 2)


@pytest.fixture(scope="module")
def style(net):
    return gatys.extract_style(net, picture(2, size=(40, 32)).double(), STYLE, 2)


@pytest.fixture
def give(net, content, style):
    """`weights_for_shares` with these targets, or others."""

    def given(shares, **other):
        return gatys.weights_for_shares(net, **{"content": content, "style": style} | other, shares=shares)

    return given


def begin(net, content, style, at="auto"):
    return starting_picture(net, content, style, at, (32, 36), 0, WHOLE)


def lengths_by_autograd(net, found, image, tv=0.0):
    """The length of each part of the gradient, by autograd on the loss as it is defined."""
    leaf = image.clone().requires_grad_()
    mine = net(leaf, [*CONTENT, *STYLE])
    theirs = net(found.content.image, list(CONTENT))
    parts = {}
    for name, c in found.content.layers.items():
        target = theirs[name].detach()
        spread = (target - target.mean((2, 3), keepdim=True)).square().mean()
        parts[f"content {name}"] = found.content_weight * c * (mine[name] - target).square().mean() / spread
    for name, s in found.style.layers.items():
        f, target = mine[name][0].flatten(1), found.style.grams[0][name][0]
        square = (f @ f.T / f.shape[1] - target).square().sum() / (4 * len(f) ** 2)
        parts[f"style {name}"] = found.style_weight * s * square / target.square().mean()
    if tv:
        parts["tv"] = tv * (leaf.diff(dim=2).square().sum() + leaf.diff(dim=3).square().sum()) / leaf.numel()
    return {name: float(torch.autograd.grad(loss, leaf, retain_graph=True)[0].norm()) for name, loss in parts.items()}


def test_shares_are_as_asked_for_by_autograd(net, content, style, give):
    """The oracle: the loss written down plainly, with the weights that were found, and its gradients by autograd."""
    found = give({"content": 0.1, "conv1_1": 0.2, "style conv2_1": 0.05, "tv": 0.15})
    lengths = lengths_by_autograd(net, found, begin(net, content, style), found.tv_weight)
    whole = sum(lengths.values())
    shares = {name: length / whole for name, length in lengths.items()}
    assert shares == pytest.approx(found.shares, rel=1e-6)
    assert shares["content conv2_2"] + shares["content conv3_1"] == pytest.approx(0.1, rel=1e-6)
    assert shares["style conv1_1"] == pytest.approx(0.2, rel=1e-6)
    assert shares["style conv2_1"] == pytest.approx(0.05, rel=1e-6)
    assert shares["style conv3_1"] == pytest.approx(0.5, rel=1e-6)  # the rest
    assert shares["tv"] == pytest.approx(0.15, rel=1e-6)


def test_a_run_with_these_weights_starts_with_these_shares(net, content, style):
    """The first picture of a run itself, of one level."""
    targets = {
        "content": gatys.extract_content(net, content.image, CONTENT),
        "style": gatys.extract_style(net, picture(2, size=(40, 32)).double(), STYLE),
    }
    found = gatys.weights_for_shares(net, **targets, shares={"content": 0.3, "style conv3_1": 0.3})
    seen = []
    gatys.optimize(net, **found.arguments, steps=2, callback=lambda progress: seen.append(progress.image.clone()))
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), seen[0])
    assert shares["content conv2_2"] + shares["content conv3_1"] == pytest.approx(0.3, rel=0.01)
    assert shares["style conv3_1"] == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("strength", [0.1, 0.9])
def test_a_run_of_another_strength_starts_with_these_shares(net, content, style, strength):
    """Strength changes the content's weight and, above its default, the start: both are measured as the run has them."""
    targets = {
        "content": gatys.extract_content(net, content.image, CONTENT),
        "style": gatys.extract_style(net, picture(2, size=(40, 32)).double(), STYLE),
    }
    found = gatys.weights_for_shares(net, **targets, shares={"content": 0.3, "style conv3_1": 0.3}, strength=strength)
    seen, run = [], found.arguments | {"strength": strength, "steps": 2}
    gatys.optimize(net, **run, callback=lambda progress: seen.append(progress.image.clone()))
    there = found.arguments | {"content_weight": found.content_weight * content_factor(strength)}
    shares = gatys.gradient_shares(gatys.Objective(net, **there), seen[0])
    assert shares["content conv2_2"] + shares["content conv3_1"] == pytest.approx(0.3, rel=0.01)
    assert shares["style conv3_1"] == pytest.approx(0.3, rel=0.01)
    plain = gatys.gradient_shares(gatys.Objective(net, **there), begin(net, content, style))
    loose = plain["style conv3_1"] != pytest.approx(0.3, rel=0.01)
    assert loose == (strength > 0.5)  # the start without noise is another picture


def test_what_is_not_named_keeps_its_ratios(net, content, style, give):
    before = gatys.gradient_shares(gatys.Objective(net, content=content, style=style), begin(net, content, style))
    found = give({"content": 0.4})
    after = gatys.gradient_shares(gatys.Objective(net, **found.arguments), begin(net, content, style))
    for term, names in (("content", list(CONTENT)), ("style", list(STYLE))):
        ratios = [after[f"{term} {name}"] / before[f"{term} {name}"] for name in names]
        assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-6)
    assert found.style_weight == pytest.approx(1.0) and dict(found.style.layers) == pytest.approx(STYLE)
    assert sum(found.content.layers.values()) == pytest.approx(sum(CONTENT.values()))


def test_a_layer_within_its_term(give):
    shares = give({"style": 0.6, "conv1_1": 0.2, "content conv2_2": 0.4}).shares
    assert shares["style conv1_1"] == pytest.approx(0.2)
    assert shares["style conv2_1"] + shares["style conv3_1"] == pytest.approx(0.4)
    assert shares["content conv3_1"] == 0


def test_no_share_leaves_a_part_out(net, give):
    found = give({"conv1_1": 0.0, "content conv3_1": 0.0})
    assert set(found.style.layers) == {"conv2_1", "conv3_1"} and set(found.content.layers) == {"conv2_2"}
    assert [set(level) for level in found.content.features] == [{"conv2_2"}] * 2
    assert give({"content": 0.0}).content_weight == 0
    assert give({"content": 1.0}).style_weight == 0
    image = begin(net, found.content, found.style)
    assert gatys.gradient_shares(gatys.Objective(net, **found.arguments), image) == pytest.approx(
        {name: share for name, share in found.shares.items() if share}, rel=1e-6
    )


def test_all_named_is_rounded_to_all(give):
    shares = give({"content": 0.333, "style conv1_1": 0.333, "relu2_1": 0.166, "style conv3_1": 0.166}).shares
    assert sum(shares.values()) == pytest.approx(1) and shares["style conv2_1"] == pytest.approx(0.166 / 0.998)


@pytest.mark.parametrize("at", ["noise", "mean", "picture"])
def test_other_pictures_to_measure_at(net, content, style, give, at):
    at = picture(7, size=(32, 36)).double() if at == "picture" else at
    found = give({"content": 0.25}, at=at)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), begin(net, content, style, at))
    assert shares == pytest.approx(found.shares, rel=1e-6)


def test_a_content_that_does_not_pull_keeps_its_weight(give):
    found = give({"conv1_1": 0.5}, at="content")
    assert found.content_weight == pytest.approx(0.004)
    assert found.shares["content conv2_2"] == 0 and found.shares["style conv1_1"] == pytest.approx(0.5)


def test_regions_keep_their_ratios(net, style, give):
    mask = torch.zeros(32, 36)
    mask[:, :15] = 1
    other = gatys.extract_style(net, picture(5, size=(32, 32)).double(), {"conv1_1": 0.4, "conv2_1": 0.1}, 2)
    regional = gatys.regional_style([(style, mask), (other, 1 - mask)])
    found = give({"conv1_1": 0.35, "content": 0.05}, style=regional)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), begin(net, found.content, regional))
    assert shares["style conv1_1"] == pytest.approx(0.35, rel=1e-6)
    one, two = (each.layers for each in found.style.styles)
    assert one["conv1_1"] / two["conv1_1"] == pytest.approx(0.5)


class Level(gatys.Term):
    """A further term: the mean is to be 0.9."""

    name = "level"

    def of_pixels(self, image):
        return (image.mean(dim=(1, 2, 3)) - 0.9).square()


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_further_terms_have_shares_too(net, give, weight):
    given = Level(weight=weight)
    found = give({"level": 0.3, "content": 0.2}, terms=[given])
    assert given.weight == weight
    image = begin(net, found.content, found.style)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), image)
    assert shares["level"] == pytest.approx(0.3, rel=1e-6)


class Strength(gatys.Term):
    """A further term of two layers, which have one weight."""

    name, layers = "strength", ("conv1_1", "conv2_1")

    def of_features(self, layer, features, part):
        return features.square().mean(dim=(1, 2, 3))


def test_layers_of_a_further_term_have_one_weight(net, give):
    found = give({"strength": 0.3, "style": 0.5}, terms=[Strength()])
    image = begin(net, found.content, found.style)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), image)
    assert shares["strength conv1_1"] + shares["strength conv2_1"] == pytest.approx(0.3, rel=1e-6)
    with pytest.raises(
        ValueError, match="shares: expected one of content, style, strength, .*, got 'strength conv1_1'"
    ):
        give({"strength conv1_1": 0.3}, terms=[Strength()])


def test_a_style_across_layers_keeps_all_of_them(net, give):
    style = gatys.extract_style(net, picture(2, size=(40, 32)).double(), STYLE, 2, statistic="across")
    found = give({"style conv3_1": 0.6, "content": 0.1}, style=style)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), begin(net, found.content, style))
    assert shares["style conv3_1"] == pytest.approx(0.6, rel=1e-6) and set(found.style.layers) == set(STYLE)
    with pytest.raises(
        ValueError, match="shares: conv2_1 has none, but the layer after it is compared across it; give"
    ):
        give({"conv2_1": 0.0}, style=style)


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_the_laplacian_has_a_share_too(net, give, weight):
    found = give({"laplacian": 0.2, "content": 0.2}, laplacian_weight=weight)
    shares = gatys.gradient_shares(gatys.Objective(net, **found.arguments), begin(net, found.content, found.style))
    assert shares["laplacian"] == pytest.approx(0.2, rel=1e-6)
    assert (give({"content": 0.2}, laplacian_weight=weight).laplacian_weight > 0) == (weight > 0)


def test_style_or_content_alone(net, style, content, give):
    assert give({"conv1_1": 0.7}, content=None, size=(24, 24)).shares["style conv1_1"] == pytest.approx(0.7)
    found = give({"tv": 0.2}, style=None, at="noise")
    assert found.content_weight == pytest.approx(0.004) and found.style is None
    assert found.shares["tv"] == pytest.approx(0.2)


def test_it_shows_itself_in_a_line(give):
    found = give({"content": 0.2, "conv1_1": 0.2})
    assert repr(found).startswith("ShareWeights(content_weight=") and "style conv1_1 20.0%" in repr(found)


@pytest.mark.parametrize(
    ("shares", "other", "message"),
    [
        ({}, {}, "shares: expected at least one, such as content=10%, got none"),
        ({"content": 1.5}, {}, r"shares: expected a share from 0 to 1 \(0 % to 100 %\) for 'content', got 1.5"),
        ({"content": "10%"}, {}, "shares: expected a share from 0 to 1 .* for 'content', got '10%'"),
        ({"content": True}, {}, "shares: expected a share from 0 to 1 .* for 'content', got True"),
        ({"conv1_1": 0.1, "relu1_1": 0.1}, {}, "shares: 'conv1_1' is named twice"),
        ({"conv9_1": 0.1}, {}, "shares: expected one of content, style, content conv2_2, .*, got 'conv9_1'; name what"),
        ({"content conv1_1": 0.1}, {}, "shares: expected one of .*, got 'content conv1_1'"),
        (
            {"conv3_1": 0.1},
            {},
            "'conv3_1' is a layer of several terms; name one of them: content conv3_1, style conv3_1",
        ),
        ({"content": 0.7, "conv1_1": 0.4}, {}, "shares: 110 % in all, which is more than 100 %; ask for less"),
        (
            {"style": 0.3, "conv1_1": 0.4},
            {},
            "shares: style conv1_1 have 40 % of the 30 % of style, which they are part of",
        ),
        (
            {"content": 0.2, "style": 0.4},
            {},
            "shares: 60 % in all, and nothing else pulls that could have the rest; make",
        ),
        (
            {"content": 0.2},
            {"at": "content"},
            "shares: content has no gradient at this picture, as content has none at",
        ),
        ({"temporal": 0.2}, {}, "shares: expected one of .*, got 'temporal'"),
    ],
)
def test_shares_that_cannot_be(give, shares, other, message):
    with pytest.raises(ValueError, match=message):
        give(shares, **other)


def test_shares_are_read_from_text():
    assert parse_shares(" content = 10%, relu1_1=20%,style conv2_1=2.5%\ntv=0%") == pytest.approx(
        {"content": 0.1, "conv1_1": 0.2, "style conv2_1": 0.025, "tv": 0.0}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "shares: expected at least one, such as content=10%, got none"),
        ("content=0.1", "shares: expected names with percents like content=10%, conv1_1=20%, got 'content=0.1'"),
        ("10%", "shares: expected names with percents .*, got '10%'"),
        ("content=ten%", "shares: expected names with percents .*, got 'content=ten%'"),
        ("content=10%, content=20%", "shares: 'content' is named twice"),
        ("content=nan%", r"shares: expected a share from 0 to 1 \(0 % to 100 %\) for 'content', got nan"),
        ("content=120%", r"shares: expected a share from 0 to 1 \(0 % to 100 %\) for 'content', got 1.2"),
    ],
)
def test_text_that_is_none(text, message):
    with pytest.raises(ValueError, match=message):
        parse_shares(text)
