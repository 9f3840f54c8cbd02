"""More than two styles or regions in one node, where the host lets sockets grow."""

import json
import re
from pathlib import Path

import pytest
import torch
from pictures import host_picture as picture

STYLE, BLEND, REGION = "GatysExtractStyleGrams", "GatysBlendStyles", "GatysStyleRegion"


@pytest.fixture(scope="module")
def styles(newer):
    (net,) = newer.run("GatysLoadVGG19", weights="untrained")
    return [newer.run(STYLE, vgg19=net, image=picture(seed), levels=1)[0] for seed in range(4)]


GOLDEN, NEWER = (Path(__file__).parents[1] / name for name in ("schemas.json", "schemas_newer.json"))


def test_sockets_that_grow_are_optional_and_come_beside_what_older_hosts_have(newer):
    """All that saved workflows depend on is as in the golden file of the older host; tests/test_nodes/test_schemas.py writes both."""
    golden, further = (json.loads(file.read_text(encoding="utf-8")) for file in (GOLDEN, NEWER))
    for node_id, node in newer.nodes.items():
        info, known, more = json.loads(json.dumps(node.GET_NODE_INFO_V1())), golden[node_id], further.get(node_id, {})
        assert info["input"].get("optional", {}) == {**known["input"].get("optional", {}), **more}
        assert info["input"]["required"] == known["input"]["required"]
        assert {key: info[key] for key in known if not key.startswith("input")} == {
            key: known[key] for key in known if not key.startswith("input")
        }
        assert {kind for kind, _ in more.values()} <= {"COMFY_AUTOGROW_V3"}
        assert all(options["tooltip"] for _, options in more.values())
    assert set(further) == {BLEND, REGION} <= set(golden)


def half(side):
    mask = torch.zeros(1, 48, 40)
    mask[:, :, side * 10 : side * 10 + 10] = 1
    return mask


def same(one, other):
    for a, b in zip(one.values, other.values, strict=True):
        assert a.keys() == b.keys()
        for name, gram in a.items():
            torch.testing.assert_close(gram, b[name], rtol=1e-5, atol=1e-8)
    return one.layers == other.layers


def test_further_styles_count_as_much_as_the_two_on_average(newer, styles):
    blend = newer.gatys.blend_styles
    more = {"style_c": styles[2], "style_d": styles[3]}
    (four,) = newer.run(BLEND, style_a=styles[0], style_b=styles[1], more=more)
    assert same(four, blend([(style, 0.25) for style in styles]))
    (uneven,) = newer.run(BLEND, style_a=styles[0], style_b=styles[1], factor=0.2, more=more)
    assert same(uneven, blend(zip(styles, (0.4, 0.1, 0.25, 0.25), strict=True)))


def test_of_two_styles_the_factor_says_what_it_always_did(newer, styles):
    blend = newer.gatys.blend_styles
    pair = {"style_a": styles[0], "style_b": styles[1]}
    for more in ({}, {"more": {}}, {"more": None}, {"more": {"style_c": None}}):
        (two,) = newer.run(BLEND, **pair, factor=0.3, **more)
        expected = blend([(styles[0], 1 - 0.3), (styles[1], 0.3)])
        assert all(torch.equal(gram, expected.values[0][name]) for name, gram in two.values[0].items())


def test_weights_replace_the_factor_in_the_order_of_the_wires(newer, styles):
    blend = newer.gatys.blend_styles
    wired = {"style_a": styles[0], "style_b": styles[1], "more": {"style_e": styles[3], "style_c": styles[2]}}
    (mixed,) = newer.run(BLEND, **wired, factor=7.0, weights=" 3, 0,1.5 , 1 ")
    assert same(mixed, blend(zip(styles, (3, 0, 1.5, 1), strict=True)))
    (two,) = newer.run(BLEND, style_a=styles[0], style_b=styles[1], weights="1, 3")
    assert same(two, blend([(styles[0], 0.25), (styles[1], 0.75)]))


@pytest.mark.parametrize("weights", ["1", "1, 2, 3, 4", "1, two, 3", "1; 2; 3", "1,,2"])
def test_weights_that_are_not_one_for_each_style_are_refused(newer, styles, weights):
    expected = f"^weights: expected 3 numbers, one for each style that is wired, such as 1, 1, 1, got {re.escape(repr(weights))}; "
    with pytest.raises(ValueError, match=expected):
        newer.run(BLEND, style_a=styles[0], style_b=styles[1], more={"style_c": styles[2]}, weights=weights)


def test_weights_of_what_the_package_refuses_come_with_its_words(newer, styles):
    with pytest.raises(ValueError, match="expected them to sum to more than 0"):
        newer.run(BLEND, style_a=styles[0], style_b=styles[1], weights="0, 0")


def test_regions_of_one_node_are_those_of_a_chain(newer, styles):
    further = {
        "styles": {"style_c": styles[2], "style_b": styles[1]},
        "masks": {"mask_b": half(1), "mask_c": half(2)},
    }
    (three,) = newer.run(REGION, style=styles[0], mask=half(0), propagation="inside", others=styles[3], **further)
    assert [region.style for region in three.regions] == [styles[3], *styles[:3]]
    assert three.regions[0].mask is None
    for side, region in enumerate(three.regions[1:]):
        assert torch.equal(region.mask[:, 0], half(side)) and region.propagation == "inside"
        assert not region.mask.is_inference()
    (one,) = newer.run(REGION, style=styles[0], mask=half(0), styles={}, masks={})
    assert [region.style for region in one.regions] == [styles[0]]


@pytest.mark.parametrize(
    ("styles_of", "masks_of", "words"),
    [
        ("b", "", "mask_b: expected a mask for style_b, got none; wire one, or take style_b off"),
        ("", "c", "style_c: expected a style for mask_c, got none; wire one, or take mask_c off"),
        ("bd", "bc", "style_c: expected a style for mask_c"),
    ],
)
def test_a_region_that_lacks_its_half_is_named(newer, styles, styles_of, masks_of, words):
    given = {
        "styles": {f"style_{letter}": styles[1] for letter in styles_of},
        "masks": {f"mask_{letter}": half(1) for letter in masks_of},
    }
    with pytest.raises(ValueError, match=f"^{words}"):
        newer.run(REGION, style=styles[0], mask=half(0), **given)
