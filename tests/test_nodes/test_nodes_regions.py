"""Style Region as the host runs it: in inference mode, its region going on to another node."""

import pytest
import torch
from pictures import host_picture as picture

LOAD, CONTENT, STYLE = "GatysLoadVGG19", "GatysExtractContentFeatures", "GatysExtractStyleGrams"
REGION, OPTIMIZE = "GatysStyleRegion", "GatysOptimize"


def left(height=48, width=40):
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2] = 1
    return mask


@pytest.fixture(scope="module")
def run(standin):
    return standin.run


@pytest.fixture(scope="module")
def vgg19(run):
    return run(LOAD, weights="untrained")[0]


@pytest.fixture(scope="module")
def style(run, vgg19):
    return run(STYLE, vgg19=vgg19, image=picture(2), conv4_1=0.0, conv5_1=0.0)[0]


def test_a_region_in_the_graph_is_a_region_of_the_library(standin, run, vgg19, style):
    content = run(CONTENT, vgg19=vgg19, image=picture(1))[0]
    region = run(REGION, style=style, mask=left())[0]
    both = run(REGION, style=style, mask=1 - left(), others=region)[0]
    assert len(both.regions) == 2
    image = run(OPTIMIZE, vgg19=vgg19, content=content, style=both, steps=3)[0]
    gatys = standin.gatys
    net = gatys.load_vgg19("untrained")
    expected = gatys.optimize(
        net,
        content=gatys.extract_content(net, picture(1).movedim(-1, 1), levels="auto", normalize=True),
        style=gatys.regional_style([(style, left()), (style, 1 - left())]),
        steps=3,
    )
    torch.testing.assert_close(image, expected.image.movedim(1, -1), atol=1e-4, rtol=0)


def test_only_the_region_is_painted(run, vgg19, style):
    """Without a content weight nothing else pulls: what the region's layers do not see stays as it was."""
    content = run(CONTENT, vgg19=vgg19, image=picture(1))[0]
    region = run(REGION, style=style, mask=left())[0]
    image = run(OPTIMIZE, vgg19=vgg19, content=content, style=region, steps=4, content_weight=0.0)[0]
    changed = (image - picture(1)).abs().amax(dim=(0, 1, 3))
    assert changed[:20].min() > 0 and changed[30:].max() < 1e-6


def test_a_plain_style_can_lie_beneath(run, vgg19, style):
    region = run(REGION, style=style, mask=left(), others=style)[0]
    assert region.regions[0].mask is None and region.regions[1].mask is not None
    assert run(OPTIMIZE, vgg19=vgg19, style=region, steps=2)[0].shape == (1, 48, 40, 3)


@pytest.mark.parametrize("mask", [torch.zeros(1, 64, 64), torch.zeros(1, 48, 40)])
def test_an_empty_mask_is_refused(run, style, mask):
    with pytest.raises(ValueError, match="mask: expected some area above 0.*0 everywhere; paint a region"):
        run(REGION, style=style, mask=mask)
