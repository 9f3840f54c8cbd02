"""Matched content, against distances of all pairs in float64."""

import pytest
import torch
from pictures import picture

import gatys
from gatys.descent.identity import identify
from gatys.errors import InputError
from gatys.network.layers import LAYERS
from gatys.passes.layout import WHOLE
from gatys.pictures.resampling import resize
from gatys.targets.masks import guide_at
from gatys.targets.matching import MOST_ROWS, _Search

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ("conv2_2", "conv3_1")


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained:3").double()


@pytest.fixture(scope="module")
def pair():
    return picture(1, size=(48, 40), dtype=torch.float64), picture(2, size=(40, 56), dtype=torch.float64)


def rows_of(features):
    """All positions of a batch, a row for each."""
    return features.movedim(1, -1).flatten(0, -2)


def nearest(own, style):
    """For each row of `own` the row of `style` at the least centred cosine distance, from the whole matrix of distances."""
    a, b = own - own.mean(0), style - style.mean(0)
    distance = 1 - a @ b.T / (a.norm(dim=1)[:, None] * b.norm(dim=1))
    return style[distance.argmin(dim=1)]


def expected(net, photo, paintings, name, share=1.0):
    own = net(photo, [name])[name]
    style = torch.cat([rows_of(net(each, [name])[name]) for each in paintings])
    made = (1 - share) * rows_of(own) + share * nearest(rows_of(own), style)
    return made.reshape(own.shape[0], *own.shape[2:], own.shape[1]).movedim(-1, 1)


def half(height, width):
    mask = torch.zeros(height, width)
    mask[:, : width // 2] = 1
    return mask


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_each_position_gets_the_style_features_nearest_to_it(net, pair, share):
    photo, painting = pair
    plain = gatys.extract_content(net, photo, NAMES, levels=1)
    matched = gatys.match_features(net, plain, painting, share=share)
    for name in NAMES:
        torch.testing.assert_close(matched.features[0][name], expected(net, photo, [painting], name, share))
    assert matched.layers == plain.layers and matched.image is plain.image


def test_levels_layers_and_pictures_of_a_batch_are_matched_each_by_itself(net, pair):
    photo, painting = pair
    photos = torch.cat([photo, photo.flip(3)])
    content = gatys.extract_content(net, photos, NAMES, levels=2)
    matched = gatys.match_features(net, content, painting, ["relu3_1"])
    for level in range(2):
        size = (48 >> level, 40 >> level)
        small = [resize(p, s) for p, s in ((photos, size), (painting, (40 >> level, 56 >> level)))]
        assert torch.equal(matched.features[level]["conv2_2"], content.features[level]["conv2_2"])
        for index in range(2):
            wanted = expected(net, small[0][index : index + 1], [small[1]], "conv3_1")
            torch.testing.assert_close(matched.features[level]["conv3_1"][index : index + 1], wanted)


def test_several_pictures_are_one_pool(net, pair):
    photo, painting = pair
    content = gatys.extract_content(net, photo, NAMES)
    turned = torch.rot90(painting, 1, (2, 3))
    matched = gatys.match_features(net, content, [painting, turned])
    torch.testing.assert_close(matched.features[0]["conv3_1"], expected(net, photo, [painting, turned], "conv3_1"))


@pytest.mark.parametrize("rows", [1, 7, MOST_ROWS])
def test_blocks_and_tiles_make_no_difference(net, pair, rows, monkeypatch):
    photo, painting = pair
    content = gatys.extract_content(net, photo, ["conv3_1"])
    whole = gatys.match_features(net, content, painting).features[0]["conv3_1"]
    seen = []
    monkeypatch.setattr("gatys.targets.matching.MOST_ROWS", rows)
    cut = gatys.match_features(net, content, painting, tile=16, callback=lambda: seen.append(1))
    torch.testing.assert_close(cut.features[0]["conv3_1"], whole)
    assert len(seen) == 3 * 4 + -(-10 * 14 // rows)  # tiles, and blocks of the style's positions


@pytest.mark.parametrize(("memory", "rows"), [(0, 1), (2**20, 70), (2**40, MOST_ROWS)])
def test_blocks_fit_into_memory(memory, rows):
    found = _Search(torch.device("cpu"), WHOLE, memory, None)._rows(512, 4)
    assert found == rows
    assert rows == 1 or 4 * (rows**2 + 6 * 512 * rows) <= memory


def test_a_mask_is_a_factor_on_the_share_and_the_region_of_the_means(net, pair):
    photo, painting = pair
    mask = half(48, 40)
    mask[:10] *= 0.25
    content = gatys.extract_content(net, photo, ["conv3_1"])
    own = content.features[0]["conv3_1"]
    found = gatys.match_features(net, content, painting, share=0.8, mask=mask).features[0]["conv3_1"]
    guide = guide_at(mask[None, None].double(), LAYERS["conv3_1"].stride)
    weight, rows, style = guide.flatten()[:, None], rows_of(own), rows_of(net(painting, ["conv3_1"])["conv3_1"])
    a, b = rows - (weight * rows).sum(0) / weight.sum(), style - style.mean(0)
    best = style[(a @ (b / b.norm(dim=1, keepdim=True)).T).argmax(dim=1)]
    wanted = ((1 - 0.8 * weight) * rows + 0.8 * weight * best).reshape(1, 12, 10, -1).movedim(-1, 1)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(found[..., 5:], own[..., 5:])


def test_neighbours_come_from_under_the_style_mask(net, pair):
    photo, painting = pair
    content = gatys.extract_content(net, photo, ["conv3_1"])
    found = gatys.match_features(net, content, painting, style_mask=half(20, 28)).features[0]["conv3_1"]
    style = rows_of(net(painting, ["conv3_1"])["conv3_1"][..., :7])
    wanted = nearest(rows_of(content.features[0]["conv3_1"]), style)
    torch.testing.assert_close(rows_of(found), wanted)


def test_regions_are_matched_one_after_the_other(net, pair):
    photo, painting = pair
    content = gatys.extract_content(net, photo, ["conv3_1"])
    left, right = half(48, 40), 1 - half(48, 40)
    both = gatys.match_features(net, content, painting, mask=left)
    both = gatys.match_features(net, both, painting.flip(1), mask=right)
    for mask, style in ((left, painting), (right, painting.flip(1))):
        alone = gatys.match_features(net, content, style, mask=mask)
        there = guide_at(mask[None, None], 4).bool().expand_as(alone.features[0]["conv3_1"])
        assert torch.equal(both.features[0]["conv3_1"][there], alone.features[0]["conv3_1"][there])


def test_share_0_is_the_content_and_half_precision_is_kept(net, pair):
    photo, painting = pair
    content = gatys.extract_content(net, photo, ["conv3_1"])
    assert gatys.match_features(net, content, painting, share=0) is content
    half = gatys.extract_content(net, photo, ["conv3_1"], dtype=torch.bfloat16)
    matched = gatys.match_features(net, half, painting).features[0]["conv3_1"]
    assert matched.dtype == torch.bfloat16
    # each is a feature of the style, whichever is nearest to what is left of the content's
    style = rows_of(net(painting, ["conv3_1"])["conv3_1"].bfloat16())
    assert all((row == style).all(dim=1).any() for row in rows_of(matched))


def test_a_descent_goes_to_the_matched_features(net, pair):
    photo, painting = pair
    content = gatys.match_features(net, gatys.extract_content(net, photo, NAMES, mask=half(48, 40)), painting)
    first, *_, last = gatys.optimize(net, content=content, steps=12, init="content", style_weight=0).history
    assert last.content < 0.7 * first.content and content.guides is not None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"share": 1.5}, "share: expected a number from 0"),
        ({"share": float("nan")}, "share: expected a number from 0"),
        ({"layers": ["conv4_1"]}, "conv4_1 is not among the content's, conv2_2, conv3_1"),
        ({"images": []}, "expected at least one picture, got an empty list"),
        ({"images": [picture(1), picture(2)], "style_mask": half(4, 4)}, "match one after the other"),
        ({"images": picture(1, size=(3, 9))}, "too small"),
        ({"style_mask": torch.eye(40)}, "it leaves no neighbours on the grid of conv3_1"),
        ({"tile": 3}, "tile"),
    ],
)
def test_what_cannot_be_matched_is_refused(net, pair, how, said):
    content = gatys.extract_content(net, pair[0], NAMES)
    with pytest.raises(InputError, match=said):
        gatys.match_features(net, content, **({"images": pair[1]} | how))


def test_a_style_smaller_than_the_levels_and_another_network_are_refused(net, pair):
    content = gatys.extract_content(net, pair[0], NAMES, levels=3)
    with pytest.raises(InputError, match="use at most 2"):
        gatys.match_features(net, content, picture(1, size=(8, 9), dtype=torch.float64))
    with pytest.raises(InputError, match="made with"):
        gatys.match_features(gatys.load_vgg("untrained:4"), content, pair[1])


def test_checkpoints_tell_runs_apart_by_what_was_matched(net, pair):
    photo, painting = pair
    content = gatys.extract_content(net, photo, NAMES)

    def identity(*args, **how):
        found = gatys.match_features(net, content, *args, **how)
        return identify(net, content=found, style=None, temporal=None, start=photo)["content"]

    ways = [{}, {"layers": ["conv3_1"]}, {"share": 0.5}, {"mask": half(48, 40)}, {"mask": half(48, 40).flip(1)}]
    ways += [{"style_mask": half(48, 40)}, {"share": 0}]
    found = [identity(painting, **how) for how in ways] + [identity(painting.flip(2))]
    assert len(set(found)) == len(found)
    assert identity(painting, tile=16) == found[0]
    assert repr(gatys.match_features(net, content, painting)).endswith(", matched)")


def test_an_automatic_number_of_levels_is_lowered_for_a_small_style(net):
    photo = picture(1, size=(260, 256), dtype=torch.float64)
    content = gatys.extract_content(net, photo, ["conv3_1"], "auto", mask=half(20, 20))
    matched = gatys.match_features(net, content, picture(2, size=(6, 60), dtype=torch.float64))
    assert (content.levels, matched.levels, len(matched.guides)) == (3, 1, 1)
