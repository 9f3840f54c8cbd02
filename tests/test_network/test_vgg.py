"""The network: its layers against plain convolutions, what each layer sees, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
import torchvision

import gatys
from gatys.network.layers import LAYERS, TABLES, layer_name, minimum_size
from gatys.network.vgg import VGG, check_image


def random_net(pooling="average", seed=0, architecture="vgg19"):
    net = VGG(pooling, architecture=architecture)
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        fan = parameter[0].numel() if parameter.ndim == 4 else 100
        parameter.data.normal_(0, (2 / fan) ** 0.5, generator=generator)
    net.mean.uniform_(0.3, 0.6, generator=generator)
    net.std.uniform_(0.2, 0.4, generator=generator)
    return net.double()


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize(("architecture", "configuration"), [("vgg19", "E"), ("vgg16", "D")])
def test_responses_are_torchvisions(pooling, architecture, configuration):
    """torchvision's own layer list, with our filters put in, gives the same responses after each ReLU."""
    net = random_net(pooling, architecture=architecture)
    modules = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs[configuration]).double()
    convolutions = [module for module in modules if isinstance(module, torch.nn.Conv2d)]
    for convolution, name in zip(convolutions, net.layers, strict=True):
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
    found = net(image, reversed(net.layers))
    for name, response in zip(net.layers, expected, strict=True):
        torch.testing.assert_close(found[name], response)
        layer = net.layers[name]
        assert response.shape == (2, layer.channels, 37 // layer.stride, 50 // layer.stride)


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


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "name"), [
    *(("vgg19", name) for name in ("conv1_2", "conv2_2", "conv3_1", "conv4_2", "conv5_1")),
    *(("vgg16", name) for name in ("conv3_3", "conv4_1", "conv5_1")),
])  # fmt: skip
def test_a_unit_sees_exactly_its_receptive_field(architecture, name):
    """Positive filters: the gradient of one unit is above 0 on each pixel that it sees and 0 elsewhere."""
    layer = TABLES[architecture][name]
    net = VGG("average", architecture=architecture).double()
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
    assert TABLES["vgg16"]["conv5_3"].receptive_field == 196  # 212 behind the last pooling, which nothing here needs
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
        VGG("min")


def test_unknown_architecture():
    with pytest.raises(ValueError, match="architecture: expected one of vgg19, vgg16, got 'vgg11'"):
        VGG(architecture="vgg11")


@pytest.mark.parametrize(("architecture", "convolutions"), [("vgg19", 16), ("vgg16", 13)])
def test_a_network_owns_its_table(architecture, convolutions):
    net = VGG(architecture=architecture)
    names = [name for name, _ in net.named_children()]
    assert list(net.layers) == names and len(names) == convolutions
    assert len(net.state_dict()) == 2 * convolutions + 2
    layer = net.layers["conv4_2"]
    assert (layer.channels, layer.stride, layer.in_channels) == (512, 8, 512)
    assert [each.name for each in net.layers["conv5_1"].run] == names[: names.index("conv5_1") + 1]
    with pytest.raises(TypeError):
        net.layers["conv6_1"] = layer
    assert ("conv3_4" in net.layers) == (architecture == "vgg19")


def test_old_names_are_the_same_things():
    assert gatys.VGG19 is gatys.VGG and gatys.load_vgg19 is gatys.load_vgg
    assert gatys.LAYERS is TABLES["vgg19"]


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
