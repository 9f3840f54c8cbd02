"""Gradient Shares as the host runs it; `standin.run` fails if a node changes anything that came in."""

import re

import pytest
import torch
from pictures import host_picture as picture

SHARES = "GatysGradientShares"
WEIGHTS = {"content_weight": 0.1, "style_weight": 2.0, "tv_weight": 0.01}


def as_gatys(image):
    return image[..., :3].movedim(-1, 1).contiguous()


def read(text):
    """{"style conv1_1": 31.2, ...}, in the order of the lines."""
    lines = [re.fullmatch(r"(\w+(?: conv\d_\d)?) +(\d+\.\d) %", line) for line in text.split("\n")]
    assert all(lines), text
    return {line[1]: float(line[2]) for line in lines}


@pytest.fixture(scope="module")
def vgg19(standin):
    return standin.run("GatysLoadVGG19", weights="untrained")[0]


@pytest.fixture(scope="module")
def content(standin, vgg19):
    return standin.run("GatysExtractContentFeatures", vgg19=vgg19, image=picture(1), layers="conv2_2, conv3_1")[0]


@pytest.fixture(scope="module")
def style(standin, vgg19):
    deep = {"conv3_1": 0.0, "conv4_1": 0.0, "conv5_1": 0.0}
    return standin.run("GatysExtractStyleGrams", vgg19=vgg19, image=picture(2), **deep)[0]


@pytest.fixture(scope="module")
def look(standin, vgg19):
    """The node's text at an image."""
    return lambda image, **inputs: standin.run(SHARES, vgg19=vgg19, image=image, **inputs)[0]


@pytest.mark.parametrize("count", [1, 2])
def test_shares_are_those_of_gatys(standin, vgg19, content, style, look, count):
    image = picture(3, count=count)
    shown = read(look(image, content=content, style=style, **WEIGHTS))
    objective = standin.gatys.Objective(vgg19.net, content=content.target, style=style, **WEIGHTS)
    wanted = standin.gatys.gradient_shares(objective, as_gatys(image))
    assert shown == pytest.approx({name: 100 * share for name, share in wanted.items()}, abs=0.051)
    assert len(shown) == 5 and sum(shown.values()) == pytest.approx(100, abs=0.3)
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_numbers_stand_below_each_other(look, content, style):
    lines = look(picture(3), content=content, style=style, **WEIGHTS).split("\n")
    assert len({len(line) for line in lines}) == 1 and not any(line.startswith(" ") for line in lines)


def test_weights_are_those_of_gatys_optimize(standin, look, content, style):
    names = ("content_weight", "style_weight", "tv_weight")
    of = {
        node: {i.id: i.as_dict() for i in standin.nodes[node].GET_SCHEMA().inputs} for node in (SHARES, "GatysOptimize")
    }
    assert [of[SHARES][name] for name in names] == [of["GatysOptimize"][name] for name in names]
    assert "tv" not in read(look(picture(3), content=content, style=style))


def test_a_larger_weight_has_a_larger_share(look, content, style):
    little, much = (
        read(look(picture(3), content=content, style=style, content_weight=weight)) for weight in (0.01, 1.0)
    )
    assert much["content conv2_2"] > little["content conv2_2"] and much["style conv1_1"] < little["style conv1_1"]


def test_either_target_is_enough(look, content, style):
    assert set(read(look(picture(3), content=content))) == {"content conv2_2", "content conv3_1"}
    assert set(read(look(picture(3, 40, 44), style=style))) == {"style conv1_1", "style conv2_1"}


def test_regions_and_alpha_are_taken(standin, look, content, style):
    region = standin.run("GatysStyleRegion", style=style, mask=torch.ones(1, 48, 40))[0]
    whole = look(picture(3), content=content, style=region)
    opaque = torch.cat([picture(3), picture(5, channels=1)], dim=-1)
    assert read(whole) and look(opaque, content=content, style=region) == whole


def test_content_does_not_pull_at_itself(look, content, style):
    shown = read(look(picture(1), content=content, style=style))
    assert list(shown)[-2:] == ["content conv2_2", "content conv3_1"]
    assert shown["content conv2_2"] == shown["content conv3_1"] == 0


def test_no_gradient_is_said_in_words(look, content):
    assert "nothing pulls" in look(picture(3), content=content, content_weight=0.0)


def test_memory_for_the_whole_batch_is_asked_for(standin, look, content, style):
    look(picture(3), content=content, style=style)
    look(picture(3, count=3), content=content, style=style)
    one, three = standin.mm.requested[-2:]
    assert three == 3 * one > 0


@pytest.mark.parametrize(
    ("image", "wired", "message"),
    [
        (picture(3), [], "content, style: expected at least one target, got none"),
        (picture(3, 40, 44), ["content"], "image: 44 x 40 pixels, but the content target is 40 x 48; resize"),
        (picture(3) * torch.nan, ["style"], "image: expected finite values"),
        (picture(3, channels=2), ["style"], "image: expected an IMAGE of shape"),
    ],
)
def test_bad_inputs_are_named(look, content, style, image, wired, message):
    have = {"content": content, "style": style}
    with pytest.raises(ValueError, match=message):
        look(image, **{name: have[name] for name in wired})


# the way round: Weights for Shares

FOR_SHARES = "GatysWeightsForShares"


def test_weights_give_the_shares_that_are_asked_for(standin, vgg19, content, style):
    asked = "content conv2_2=12%, style conv1_1=40%, tv=5%"
    new, styled, *weights, text = standin.run(FOR_SHARES, vgg19=vgg19, content=content, style=style, shares=asked)
    assert read(text)["style conv1_1"] == 40.0 and read(text)["content conv2_2"] == 12.0
    wanted = standin.gatys.weights_for_shares(
        vgg19.net,
        content=content.target,
        style=style,
        shares={"content conv2_2": 0.12, "style conv1_1": 0.4, "tv": 0.05},
    )
    assert weights == pytest.approx([wanted.content_weight, wanted.style_weight, wanted.tv_weight])
    assert dict(new.target.layers) == pytest.approx(dict(wanted.content.layers))
    assert dict(styled.layers) == pytest.approx(dict(wanted.style.layers)) and new.alpha is content.alpha


def test_what_it_gives_is_what_gradient_shares_then_shows(standin, vgg19, content, style, look):
    inputs = {"vgg19": vgg19, "content": content, "style": style, "shares": "content=30%", "image": picture(6)}
    new, styled, alpha, beta, gamma, text = standin.run(FOR_SHARES, **inputs)
    weights = {"content_weight": alpha, "style_weight": beta, "tv_weight": gamma}
    assert read(look(picture(6), content=new, style=styled, **weights)) == pytest.approx(read(text), abs=0.051)
    both = [share for name, share in read(text).items() if name.startswith("content")]
    assert sum(both) == pytest.approx(30, abs=0.11)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"shares": "content=0.1"}, "shares: expected names with percents like content=10%, conv1_1=20%, got"),
        ({"shares": "content=70%, style=40%"}, "shares: 110 % in all, which is more than 100 %; ask for less"),
        ({"shares": "content=10%", "image": picture(1)}, "shares: content has no gradient at this picture"),
    ],
)
def test_shares_that_cannot_be_are_named(standin, vgg19, content, style, inputs, message):
    with pytest.raises(ValueError, match=message):
        standin.run(FOR_SHARES, vgg19=vgg19, content=content, style=style, **inputs)
