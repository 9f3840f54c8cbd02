"""The network: its layers against plain convolutions, what each layer sees, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
import torchvision

import gatys
from gatys.network.layers import LAYERS, layer_name, minimum_size
from gatys.network.vgg import VGG19, check_image


def random_net(pooling="average", seed=0):
    net = VGG19(pooling)
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        fan = parameter[0].numel() if parameter.ndim == 4 else 100
        parameter.data.normal_(0, (2 / fan) ** 0.5, generator=generator)
    net.mean.uniform_(0.3, 0.6, generator=generator)
    net.std.uniform_(0.2, 0.4, generator=generator)
    return net.double()


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_responses_are_torchvisions(pooling):
    """torchvision's own layer list, with our filters put in, gives the same responses after each ReLU."""
    net = random_net(pooling)
    modules = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"]).double()
    convolutions = [module for module in modules if isinstance(module, torch.nn.Conv2d)]
    for convolution, name in zip(convolutions, LAYERS, strict=True):
        convolution.load_state_dict(getattr(net, name).state_dict())
    image = torch.rand(2, 3, 37, 50, dtype=torch.float64)
    x, expected = (image - net.mean.view(3, 1, 1)) / net.std.view(3, 1, 1), []
    for module in modules:
        if isinstance(module, torch.nn.MaxPool2d) and pooling == "average":
            x = F.avg_pool2d(x, 2)
        elif isinstance(module, torch.nn.ReLU):
            x = F.relu(x)
            expected.append(x)
        else:
            x = module(x)
    found = net(image, reversed(LAYERS))
    for name, response in zip(LAYERS, expected, strict=True):
        torch.testing.assert_close(found[name], response)


def test_relu_names_are_the_same_responses_and_order_does_not_matter():
    net = random_net()
    image = torch.rand(1, 3, 20, 20, dtype=torch.float64)
    found = net(image, ["relu2_1", "conv1_2", "conv2_1"])
    assert list(found) == ["relu2_1", "conv1_2", "conv2_1"]
    assert torch.equal(found["relu2_1"], found["conv2_1"])
    assert (found["conv1_2"] >= 0).all()


def test_nothing_deeper_than_the_deepest_is_computed(monkeypatch):
    net = random_net()
    monkeypatch.setattr(net, "conv2_2", None)
    assert net(torch.rand(1, 3, 8, 8, dtype=torch.float64), ["conv2_1"])["conv2_1"].shape == (1, 128, 4, 4)


@pytest.mark.parametrize("name", ["conv1_2", "conv2_2", "conv3_1", "conv4_2", "conv5_1"])
def test_a_unit_sees_exactly_its_receptive_field(name):
    """Positive filters: the gradient of one unit is above 0 on each pixel that it sees and 0 elsewhere."""
    layer = LAYERS[name]
    net = VGG19("average").double()
    for parameter in net.parameters():
        parameter.data.fill_(1 / parameter[0].numel() if parameter.ndim == 4 else 0)
    edge, unit = 256, 7 if layer.stride > 4 else 30
    image = torch.full((1, 3, edge, edge), 0.5, dtype=torch.float64, requires_grad=True)
    response = net(image, [name])[name]
    (gradient,) = torch.autograd.grad(response[0, 0, unit, unit], image)
    seen = gradient[0, 0].sum(dim=0).nonzero().flatten()
    assert (seen.min(), seen.max()) == (layer.stride * unit + layer.first, layer.stride * unit + layer.last)
    assert len(seen) == layer.receptive_field


def test_receptive_fields_of_the_literature():
    assert LAYERS["conv1_1"].receptive_field == 3
    assert (LAYERS["conv5_1"].receptive_field, LAYERS["conv5_1"].stride) == (156, 16)
    assert minimum_size([LAYERS["conv1_1"]]) == 1 and minimum_size([LAYERS["conv5_4"], LAYERS["conv1_1"]]) == 16


def test_filters_are_frozen_and_the_gradient_reaches_the_picture():
    net = random_net()
    assert not any(parameter.requires_grad for parameter in net.parameters())
    image = torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    net(image, ["conv2_1"])["conv2_1"].sum().backward()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["conv6_1", "conv1_3", "relu", "", 3, None])
def test_unknown_layer(name):
    with pytest.raises(ValueError, match=r"unknown layer .*expected one of conv1_1, conv1_2"):
        layer_name(name)


def test_unknown_pooling():
    with pytest.raises(ValueError, match="pooling: expected one of max, average, got 'min'"):
        VGG19("min")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.rand(3, 8, 8), r"expected a tensor of shape \(N, 3, H, W\), got \(3, 8, 8\)"),
        (torch.rand(1, 4, 8, 8), r"got \(1, 4, 8, 8\)"),
        ("photo.jpg", "got str"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"got torch.uint8; divide bytes by 255"),
        (torch.rand(0, 3, 8, 8), "got an empty batch"),
        (torch.full((1, 3, 8, 8), float("nan")), "NaN or infinite"),
        (torch.full((1, 3, 8, 8), float("inf")), "NaN or infinite"),
        (torch.rand(1, 3, 1, 1), r"1 x 1 pixels is too small for conv4_2, which needs at least 8 x 8"),
        (torch.rand(1, 3, 9, 7), r"7 x 9 pixels is too small for conv4_2"),
    ],
)
def test_pictures_that_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        check_image(image, [LAYERS["conv1_1"], LAYERS["conv4_2"]])


def test_the_network_itself_says_what_it_needs():
    with pytest.raises(ValueError, match="at least 16 x 16"):
        gatys.load_vgg19("untrained", pooling="average")(torch.rand(1, 3, 15, 40), ["conv5_1"])
