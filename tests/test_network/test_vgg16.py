"""VGG-16 as a network of its own: beside the VGG-19 that sees what it sees, and beside autograd."""

import copy
from dataclasses import replace

import oracle
import pytest
import torch
from safetensors.torch import save_file

import gatys
from gatys.network.layers import LAYERS, TABLES, check_members
from gatys.network.vgg import VGG
from gatys.network.weights import fingerprint, untrained_state
from gatys.passes import adjoints
from gatys.passes.memory import kept_bytes
from gatys.passes.plan import make_plan
from gatys.passes.tiles import halo, tiles
from gatys.passes.trunk import forward
from gatys.settings import PADDINGS

pytestmark = pytest.mark.slow

DEEPER = ("conv3_4", "conv4_4", "conv5_4")
VGG16 = TABLES["vgg16"]
STYLE = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_3": 0.2, "conv4_1": 0.2, "conv5_1": 0.1}
CONTENT = {"conv4_2": 1.0, "conv2_2": 0.3}
USED = [*STYLE, "conv4_2"]


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def state_of(seed=3):
    """Filters of VGG-16 with biases, some of them positive, so that rectifiers are open and shut."""
    state = untrained_state(seed)
    generator = torch.Generator().manual_seed(seed)
    for key, value in state.items():
        if key.endswith("bias"):
            value.normal_(0, 0.1, generator=generator)
    return {key: value for key, value in state.items() if not key.startswith(DEEPER)}


def with_identities(state):
    """The VGG-19 with the identity for the layers that VGG-16 does not have: behind a rectifier it changes nothing."""
    identities = {}
    for name in DEEPER:
        channels = LAYERS[name].channels
        weight = torch.zeros(channels, channels, 3, 3)
        weight[range(channels), range(channels), 1, 1] = 1
        identities |= {f"{name}.weight": weight, f"{name}.bias": torch.zeros(channels)}
    return state | identities


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, state = tmp_path_factory.mktemp("vgg16"), state_of()
    save_file(state, folder / "16.safetensors")
    save_file(with_identities(state), folder / "19.safetensors")
    return folder / "16.safetensors", folder / "19.safetensors"


@pytest.fixture(scope="module", params=["average", "max"])
def pair(request, files):
    """VGG-16, and the VGG-19 that is the same; float64."""
    nets = [gatys.load_vgg(path, pooling=request.param).double() for path in files]
    assert [net.tag.architecture for net in nets] == ["vgg16", "vgg19"]
    return nets


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def targets(net, **how):
    p, a = pictures(1, 3, 34, 181), pictures(1, 3, 40, 48, seed=1)
    how = {"tile": None, "normalize": True} | how
    return {
        "content": gatys.extract_content(net, p, CONTENT, **how),
        "style": gatys.extract_style(net, a, STYLE, **how),
    }


# the VGG-19 whose further layers are the identity


def test_features_are_those_of_the_vgg19_with_identities(pair):
    x = pictures(2, 3, 45, 38)
    ours, theirs = (net(x, VGG16) for net in pair)
    for name in VGG16:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-12, atol=1e-12)
    further = pair[1](x, ["conv3_3", "conv3_4"])
    assert torch.equal(further["conv3_3"], further["conv3_4"])


@pytest.mark.parametrize("tile", [None, 32])
@pytest.mark.parametrize("padding", ["zero", "replicate"])
def test_loss_and_gradient_are_those_of_the_vgg19_with_identities(pair, tile, padding):
    x, found = pictures(1, 3, 34, 181, seed=2), []
    for net in pair:
        objective = gatys.Objective(net, **targets(net, padding=padding), padding=padding, tv_weight=0.1)
        found.append(objective.evaluate(x, tile))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    assert relative(found[0][1], found[1][1]) < 1e-12


def test_targets_of_the_one_are_good_for_the_other(pair, tmp_path):
    """So that styles stay good that were saved while VGG-16 was run as such a VGG-19."""
    ours, theirs = pair
    assert ours.tag.fingerprint == theirs.tag.fingerprint == fingerprint(ours)
    x, own = pictures(1, 3, 34, 181, seed=2), targets(ours)
    saved = gatys.StyleTarget.load(targets(theirs)["style"].save(tmp_path / "s.safetensors"))
    found = [
        gatys.Objective(ours, content=own["content"], style=style).evaluate(x, 32) for style in (saved, own["style"])
    ]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)  # a file keeps float32
    assert relative(found[0][1], found[1][1]) < 1e-5


# autograd


@pytest.mark.parametrize("tile", [None, 32])
def test_loss_and_gradient_are_autograds_whatever_the_tiles(pair, tile):
    net, p, a = pair[0], pictures(3, 34, 181), pictures(3, 40, 48, seed=1)
    x = pictures(3, 34, 181, seed=2).requires_grad_()
    how = {"alpha": 2.0, "beta": 30.0, "gamma": 0.1, "normalize": True}
    expected = oracle.loss(net, x, content=(p, CONTENT), style=([a], STYLE), **how)
    (gradient,) = torch.autograd.grad(expected, x)
    weights = {"content_weight": 2.0, "style_weight": 30.0, "tv_weight": 0.1}
    losses, found = gatys.Objective(net, **targets(net, tile=tile), **weights).evaluate(x.detach()[None], tile)
    assert losses["total"] == pytest.approx(expected.item(), rel=1e-12)
    assert relative(found[0], gradient) < 1e-12


@pytest.mark.parametrize("padding", PADDINGS)
def test_extraction_in_tiles_is_that_of_the_whole_picture(pair, padding):
    net, p = pair[0], pictures(1, 3, 32, 176)
    how = {"padding": padding, "normalize": False}
    whole, tiled = (gatys.extract_content(net, p, list(VGG16), tile=tile, **how).features[0] for tile in (None, 32))
    for name in VGG16:
        torch.testing.assert_close(tiled[name], whole[name], rtol=1e-12, atol=1e-12)


# a halo, a plan and a cost of its own


def test_the_halo_is_just_large_enough():
    for name, layer in VGG16.items():
        before, after = halo([layer])
        assert before >= -layer.first > before - layer.stride
        assert after == layer.last + 1 - layer.stride
        assert (layer == LAYERS[name]) == (name < "conv4")  # up to conv3_3 both see the same
    assert halo([VGG16["conv5_1"]]) == (64, 58) and halo([LAYERS["conv5_1"]]) == (80, 70)


def test_only_thirteen_convolutions_are_run(pair, monkeypatch):
    run, respond = [], adjoints.respond

    def counted(net, name, *rest, **how):
        run.append(name)
        return respond(net, name, *rest, **how)

    monkeypatch.setattr("gatys.passes.trunk.respond", counted)
    net = pair[0]
    (whole,) = tiles((32, 32), None, net.layers.values())
    forward(net, pictures(1, 3, 32, 32), whole, ["conv5_3"])
    assert run == list(VGG16)


def test_plans_count_the_network_s_own_layers():
    plans = [make_plan((512, 512), [table[name] for name in USED], memory=2**36) for table in (VGG16, LAYERS)]
    # conv3_4 of 256 channels at a sixteenth of the pixels, conv4_4 of 512 at a 64th; conv5_4 is behind the deepest layer
    saved = 2 * 18 * 512**2 * (256**2 / 4**2 + 512**2 / 8**2)
    assert plans[1].operations - plans[0].operations == pytest.approx(saved)
    assert plans[0].operations / plans[1].operations == pytest.approx(0.796, abs=0.001)
    tiled = [replace(plan, tile=(128, 128)) for plan in plans]
    assert tiled[0].surplus < 0.9 * tiled[1].surplus
    kept = [kept_bytes((512, 512), plan.layers) for plan in plans]
    assert kept[1] - kept[0] == (256 * 128**2 + 512 * 64**2) // 8  # a bit for each unit


# files, names and messages


def test_a_state_that_was_saved_is_read_as_the_same_network(pair, tmp_path):
    net = copy.deepcopy(pair[0]).float()
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, tmp_path / "again.safetensors")
    again = gatys.load_vgg(tmp_path / "again.safetensors", net.pooling)
    assert again.layers is VGG16 and again.tag.fits(net.tag)
    assert again.state_dict().keys() == net.state_dict().keys() and len(again.state_dict()) == 28


def test_a_vgg19_fingerprint_is_that_of_its_filters_alone():
    """As 0.1 wrote it into style files."""
    assert gatys.load_vgg("untrained:0").tag.fingerprint == "e8ea6319d131a224"


def test_a_style_file_says_which_network_it_is_of(pair, tmp_path):
    ours, theirs = (targets(net)["style"].save(tmp_path / f"{net.tag.architecture}.safetensors") for net in pair)
    assert gatys.StyleTarget.load(ours).network == pair[0].tag
    assert gatys.read_style_info(ours).network.architecture == "vgg16"
    assert b"architecture" in ours.read_bytes()
    assert b"architecture" not in theirs.read_bytes()  # as in older files
    assert gatys.StyleTarget.load(theirs).network == pair[1].tag
    for problem, change in (
        ("its network is a 'vgg11' instead of one of vgg19, vgg16", (b"vgg16", b"vgg11")),
        ("layers: conv3_4 is not in VGG-16", (b"conv3_3", b"conv3_4")),
    ):
        (tmp_path / "other.safetensors").write_bytes(ours.read_bytes().replace(*change))
        with pytest.raises(gatys.StyleFileError, match=problem):
            gatys.StyleTarget.load(tmp_path / "other.safetensors")


def test_a_target_with_a_layer_that_is_not_there_is_refused(pair):
    ours, theirs = pair
    x = pictures(1, 3, 48, 48)
    style = gatys.extract_style(theirs, x, ["conv3_4", "conv1_1"])
    content = gatys.extract_content(theirs, x, ["conv5_4"])
    assert style.network.fits(ours.tag)
    with pytest.raises(ValueError, match="^layers of the style: conv3_4 is not in VGG-16, whose layers are conv1_1, "):
        gatys.Objective(ours, style=style)
    with pytest.raises(
        ValueError, match="^layers of the content: conv5_4 is not in VGG-16, whose layers are conv1_1, "
    ):
        gatys.optimize(ours, content=content, style=gatys.extract_style(ours, x), steps=1)
    blended = gatys.blend_styles([(gatys.extract_style(ours, x), 1.0), (style, 1.0)])
    assert "conv3_4" in blended.layers and blended.network == theirs.tag
    regional = gatys.regional_style([(gatys.extract_style(ours, x), None), (style, None)])
    assert [layer.name for layer in regional.used] == [*gatys.extract_style(ours, x).layers, "conv3_4"]
    with pytest.raises(ValueError, match="^layers of the style: conv3_4 is not in VGG-16"):
        gatys.Objective(ours, style=regional)


def test_members_are_looked_for_in_the_order_given():
    check_members(["conv5_3"], "vgg16", "layers")
    with pytest.raises(ValueError, match=r"^layers: conv5_4 is not in VGG-16, whose layers are .*, conv5_3; choose"):
        check_members(["conv1_1", "conv5_4", "conv3_4"], "vgg16", "layers")


def test_regions_see_as_far_as_the_network_does(pair):
    """By the rule "inside" a unit counts that sees nothing beyond its region: more of them where a unit sees less."""
    mask = torch.zeros(192, 192)
    mask[:, :112] = 1
    counts = []
    for net in pair:
        style = gatys.extract_style(net, pictures(1, 3, 48, 48), ["conv5_1"])
        (region,) = gatys.regional_style([(style, mask)], propagation="inside").regions
        weights = gatys.targets.regions.region_weights(region, (192, 192), torch.zeros(1))
        counts.append(int(weights["conv5_1"].sum()))
    assert counts[0] > counts[1] > 0


def test_it_paints(files):
    net = gatys.load_vgg(files[0])
    p, a = (pictures(1, 3, 64, 48, seed=seed).float() for seed in range(2))
    content, style = gatys.extract_content(net, p, levels=2), gatys.extract_style(net, a, levels=2)
    result = gatys.optimize(net, content=content, style=style, steps=6)
    assert result.image.shape == p.shape and result.history[-1].total < result.history[-3].total
    shares = gatys.gradient_shares(gatys.Objective(net, content=content, style=style), p)
    assert set(shares) == {"content conv4_2", *(f"style conv{block}_1" for block in range(1, 6))}


def test_an_empty_network_has_no_filters_of_other_layers():
    assert not any(hasattr(VGG(architecture="vgg16"), name) for name in DEEPER)
