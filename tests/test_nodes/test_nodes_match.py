"""Match Features as the host runs it; `standin.run` fails if a node changes anything that came in."""

import pytest
import torch
from pictures import host_picture as picture

MATCH, EXTRACT = "GatysMatchFeatures", "GatysExtractContentFeatures"


@pytest.fixture(scope="module")
def vgg19(standin):
    return standin.run("GatysLoadVGG19", weights="untrained")[0]


@pytest.fixture(scope="module")
def content(standin, vgg19):
    image = picture(1, channels=4, count=2)
    return standin.run(EXTRACT, vgg19=vgg19, image=image, layers="conv2_2, conv3_1", levels=2)[0]


@pytest.fixture(scope="module")
def match(standin, vgg19, content):
    def matched(**inputs):
        return standin.run(MATCH, vgg19=vgg19, **({"content": content, "style_image": picture(2)} | inputs))[0]

    return matched


def half(height, width):
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2] = 1
    return mask


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ({}, {}),
        ({"share": 0.4, "layers": "relu3_1"}, {"share": 0.4, "layers": ["conv3_1"]}),
        ({"mask": half(48, 40), "style_mask": half(20, 30)},) * 2,
        ({"mask": torch.zeros(1, 64, 64)}, {}),  # what Load Image gives for a picture without alpha
    ],
)
def test_the_content_is_that_of_gatys(standin, vgg19, content, match, inputs, arguments):
    found = match(**inputs)
    style = picture(2).movedim(-1, 1).contiguous()
    wanted = standin.gatys.match_features(vgg19.net, content.target, style, **arguments)
    for level, features in enumerate(wanted.features):
        for name, values in features.items():
            assert torch.equal(found.target.features[level][name], values)
            assert not torch.equal(values, content.target.features[level][name]) or name not in arguments.get(
                "layers", name
            )
    assert torch.equal(found.alpha, content.alpha) and found.target.matched == wanted.matched


def test_it_stands_between_content_and_optimize(standin, vgg19, match):
    how = {"vgg19": vgg19, "steps": 8, "style_weight": 0.0, "content_weight": 1.0}
    both = match(content=match(mask=half(8, 8)), mask=half(8, 8).flip(2), style_image=picture(3))
    image, plain = (standin.run("GatysOptimize", content=each, **how)[0] for each in (both, match(share=0.0)))
    assert image.shape == plain.shape == (2, 48, 40, 4) and not torch.equal(image, plain)


def test_no_neighbours_under_a_mask_is_one_sentence(match):
    with pytest.raises(
        ValueError, match="style mask: it leaves no neighbours on the grid of conv2_2 where the style has"
    ):
        match(style_mask=torch.eye(64)[None])
    with pytest.raises(ValueError, match="conv4_2 is not among the content's"):
        match(layers="conv4_2")


def test_a_cancel_ends_the_search(standin, match):
    standin.mm.interrupt_current_processing()
    with pytest.raises(standin.mm.InterruptProcessingException):
        match()
    assert not standin.mm.processing_interrupted()
