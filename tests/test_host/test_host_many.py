"""Many styles and regions in one node of a real ComfyUI, and prompts in the shape of version 0.1."""

import host_server
import numpy as np
import pytest
from host_graphs import graph, is_result, node, pixels, png, saved

INSTALLATION = host_server.find_installation()
pytestmark = [pytest.mark.host, pytest.mark.skipif(INSTALLATION is None, reason=host_server.NO_INSTALLATION)]
SHAPE = {
    "GatysLoadVGG19": {"weights", "pooling"},
    "GatysExtractContentFeatures": {"vgg19", "image", "mask", "layers", "levels", "normalize"},
    "GatysExtractStyleGrams": {"vgg19", "image", "mask", "more_layers", "style_scale", "levels", "normalize"},
    "GatysOptimize": {
        *("vgg19", "content", "style", "init_image", "steps", "optimizer", "learning_rate"),
        *("content_weight", "style_weight", "tv_weight", "init", "seed"),
    },
}
"""The inputs that the nodes had in version 0.1, but for the weights of layers."""


def several(server):
    """Three styles extracted in one prompt."""
    prompt = graph(server, 3)
    third = server.upload("third.png", png(pixels(5)))
    prompt["third"] = node("LoadImage", image=third)
    for name, image in (("style_a", "painting"), ("style_b", "scene"), ("style_c", "third")):
        prompt[name] = node("GatysExtractStyleGrams", vgg19=["vgg19", 0], image=[image, 0])
    del prompt["style"]
    return prompt


def painted(server, prompt, style):
    prompt["optimize"]["inputs"]["style"] = [style, 0]
    (picture,) = saved(server, server.run(prompt))
    assert is_result(picture, pixels(1))
    return picture.astype(int)


def test_a_prompt_in_the_shape_of_the_first_version_runs(server):
    prompt = graph(server, 3)
    for each in prompt.values():
        known = SHAPE.get(each["class_type"])
        if known is not None:
            inputs = each["inputs"]
            each["inputs"] = {name: inputs[name] for name in inputs if name in known or name.startswith("conv")}
    assert "time_lapse" not in prompt["optimize"]["inputs"]
    (old,) = saved(server, server.run(prompt))
    assert is_result(old, pixels(1))
    (new,) = saved(server, server.run(graph(server, 3)))
    assert np.array_equal(old, new)  # what was added since does nothing of itself


def test_two_styles_are_blended_on_every_host(server):
    prompt = several(server)
    del prompt["style_c"], prompt["third"]
    prompt["blend"] = node("GatysBlendStyles", style_a=["style_a", 0], style_b=["style_b", 0], factor=0.25)
    by_factor = painted(server, prompt, "blend")
    prompt["blend"]["inputs"] |= {"weights": "3, 1"}
    assert np.abs(painted(server, prompt, "blend") - by_factor).max() <= 2  # rounding


@pytest.mark.skipif(INSTALLATION is not None and not INSTALLATION.newer, reason="this host's sockets do not grow")
def test_three_styles_in_one_node_are_those_of_a_chain(server):
    prompt = several(server)
    pair = {"style_a": ["style_a", 0], "style_b": ["style_b", 0]}
    prompt["two"] = node("GatysBlendStyles", **pair, factor=0.25)
    prompt["blend"] = node("GatysBlendStyles", style_a=["two", 0], style_b=["style_c", 0], factor=0.5)
    chained = painted(server, prompt, "blend")
    del prompt["two"]
    prompt["blend"] = node("GatysBlendStyles", **pair, weights="3, 1, 4", **{"more.style_c": ["style_c", 0]})
    assert np.abs(painted(server, prompt, "blend") - chained).mean() < 0.1  # rounding
    prompt["blend"]["inputs"]["weights"] = "3, 1"
    run = server.run(prompt)
    assert "GatysBlendStyles: weights: expected 3 numbers" in run.message


@pytest.mark.skipif(INSTALLATION is not None and not INSTALLATION.newer, reason="this host's sockets do not grow")
def test_three_regions_in_one_node_are_those_of_a_chain(server):
    prompt = several(server)
    size = {"width": pixels(1).shape[1], "height": pixels(1).shape[0]}
    for letter, value in (("a", 1.0), ("b", 0.7), ("c", 0.4)):
        prompt[f"mask_{letter}"] = node("SolidMask", value=value, **size)

    def region(letter, **more):
        return node("GatysStyleRegion", style=[f"style_{letter}", 0], mask=[f"mask_{letter}", 0], **more)

    prompt["first"] = region("a")
    prompt["second"] = region("b", others=["first", 0])
    prompt["region"] = region("c", others=["second", 0])
    chained = painted(server, prompt, "region")
    del prompt["first"], prompt["second"]
    further = {f"{group}s.{group}_{letter}": [f"{group}_{letter}", 0] for group in ("style", "mask") for letter in "bc"}
    prompt["region"] = region("a", **further)
    assert np.array_equal(painted(server, prompt, "region"), chained)
    del prompt["region"]["inputs"]["masks.mask_c"]
    run = server.run(prompt)
    assert "GatysStyleRegion: mask_c: expected a mask for style_c, got none" in run.message
