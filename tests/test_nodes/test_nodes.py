"""The nodes as the host runs them: in inference mode, one after another, on tensors that autograd refuses.

`standin.run` executes a node and fails if it has changed anything that came in.
"""

import importlib
import inspect
import itertools
import re
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from pictures import host_picture as picture
from PIL import Image
from safetensors.torch import save_file
from torch import nn

LOAD, CONTENT, STYLE, OPTIMIZE = (
    "GatysLoadVGG19",
    "GatysExtractContentFeatures",
    "GatysExtractStyleGrams",
    "GatysOptimize",
)
STEPS = 3
META = torch.device("meta")  # a second device that every machine has


def as_gatys(image):
    return image.movedim(-1, 1).contiguous()


@pytest.fixture(scope="module")
def run(standin):
    return standin.run


@pytest.fixture(scope="module")
def vgg19(standin, run):
    network = run(LOAD, weights="untrained")[0]
    yield network
    assert standin.gatys.network.weights.fingerprint(network.net) == network.net.tag.fingerprint, (
        "a node changed the weights"
    )


@pytest.fixture(scope="module")
def net(standin):
    """A network of its own, for calling `gatys` beside the nodes."""
    return standin.gatys.load_vgg19("untrained")


@pytest.fixture(scope="module")
def content(run, vgg19):
    return run(CONTENT, vgg19=vgg19, image=picture(1))[0]


@pytest.fixture(scope="module")
def style(run, vgg19):
    return run(STYLE, vgg19=vgg19, image=picture(2))[0]


@pytest.fixture
def hook(standin):
    """Sets the server's hook on progress bars."""
    yield standin.utils.set_progress_bar_global_hook
    standin.utils.set_progress_bar_global_hook(None)


@pytest.fixture
def host_state(standin):
    """The stand-in's devices, for a test to change."""
    names = ("load_device", "offload_device", "storage_device", "weight_budget", "bf16", "fp16")
    before = {name: getattr(standin.mm, name) for name in names}
    yield standin.mm
    for name, value in before.items():
        setattr(standin.mm, name, value)


def is_picture(image, shape):
    assert tuple(image.shape) == shape and image.dtype == torch.float32 and image.device.type == "cpu"
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    return True


def poison(network):
    """What other nodes' memory requests do: move the weights away and back in inference mode."""
    with torch.inference_mode():
        network.net.to(torch.float64)
        network.net.to(torch.float32)
    assert all(p.is_inference() for p in network.net.parameters())


# the whole chain


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_chain_does_what_gatys_does(standin, run, vgg19, net, content, style, optimizer):
    image, history, _ = run(OPTIMIZE, vgg19=vgg19, content=content, style=style, steps=STEPS, optimizer=optimizer)
    gatys = standin.gatys
    result = gatys.optimize(
        net,
        content=gatys.extract_content(net, as_gatys(picture(1)), levels="auto", normalize=True),
        style=gatys.extract_style(net, as_gatys(picture(2)), levels="auto", normalize=True),
        steps=STEPS,
        optimizer=optimizer,
    )
    assert is_picture(image, (1, 48, 40, 3))
    assert torch.equal(image, result.image.movedim(1, -1))
    assert history == [result.history] and [record.step for record in history[0]] == [1, 2, 3]
    assert history[0][-1].total < history[0][0].total
    assert (image - picture(1)).abs().mean() > 0.001  # the best picture is not the one it started from


def test_widgets_reach_gatys(standin, run, vgg19, net):
    weights = {"conv1_1": 1.0, "conv2_1": 0.0, "conv3_1": 0.5, "conv4_1": 0.0, "conv5_1": 0.0}
    scene = run(CONTENT, vgg19=vgg19, image=picture(1), layers="relu2_2, conv3_1 = 0.25", levels=2, normalize=False)[0]
    options = {"more_layers": "conv2_2=2", "levels": 2, "normalize": False, "style_scale": 0.75}
    painting = run(STYLE, vgg19=vgg19, image=picture(2), **weights, **options)[0]
    image, history, _ = run(
        OPTIMIZE,
        vgg19=vgg19,
        content=scene,
        style=painting,
        steps=4,
        optimizer="adam",
        learning_rate=0.1,
        content_weight=3.0,
        style_weight=2.0,
        tv_weight=0.5,
        strength=0.7,
        init="noise",
        seed=7,
    )
    gatys = standin.gatys
    small = gatys.pictures.resampling.resize(as_gatys(picture(2)), (36, 30))
    layers = {"conv1_1": 1.0, "conv3_1": 0.5, "conv2_2": 2.0}
    result = gatys.optimize(
        net,
        content=gatys.extract_content(net, as_gatys(picture(1)), {"conv2_2": 1.0, "conv3_1": 0.25}, 2, normalize=False),
        style=gatys.extract_style(net, small, layers, 2, normalize=False),
        steps=4,
        optimizer="adam",
        learning_rate=0.1,
        content_weight=3.0,
        style_weight=2.0,
        tv_weight=0.5,
        strength=0.7,
        init="noise",
        seed=7,
    )
    assert torch.equal(image, result.image.movedim(1, -1))
    assert history == [result.history] and [record.level for record in history[0]] == [1, 1, 0, 0]


def test_average_pooling_is_another_network(run, vgg19):
    other = run(LOAD, weights="untrained", pooling="average")[0]
    assert other.net.pooling == "average" and vgg19.net.pooling == "max"
    a, b = (run(STYLE, vgg19=v, image=picture(2))[0].grams[0]["conv3_1"] for v in (vgg19, other))
    assert not torch.allclose(a, b, rtol=0.05)


def test_style_alone_makes_a_texture(run, vgg19):
    painting = run(STYLE, vgg19=vgg19, image=picture(2, 64, 32), style_scale=0.5)[0]
    image, history, _ = run(OPTIMIZE, vgg19=vgg19, style=painting, steps=STEPS, seed=1)
    assert is_picture(image, (1, 32, 16, 3))
    assert history[0][-1].style < history[0][0].style and history[0][0].content == 0
    other = run(OPTIMIZE, vgg19=vgg19, style=painting, steps=STEPS, seed=2)[0]
    assert (image - other).abs().mean() > 0.05  # it starts from the seed's noise


def test_style_may_take_its_size_from_another_picture(run, vgg19):
    like_content = run(STYLE, vgg19=vgg19, image=picture(2, 96, 64), size_from=picture(3, 40, 48), style_scale=0.5)[0]
    assert like_content.size == (24, 16)  # the longer edge of 48 pixels, halved


def test_content_alone_is_reconstructed(run, vgg19, content):
    image, history, _ = run(OPTIMIZE, vgg19=vgg19, content=content, init="noise", steps=STEPS)
    assert is_picture(image, (1, 48, 40, 3))
    assert history[0][-1].content < history[0][0].content and history[0][0].style == 0


# where it starts: the first evaluation sees the starting picture, and after one step that is the result


@pytest.mark.parametrize("count", [1, 2])
def test_init_image_is_where_it_starts(run, vgg19, style, count):
    scene = run(CONTENT, vgg19=vgg19, image=picture(1, count=2))[0]
    first = picture(3, count=count)
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, content=scene, style=style, init_image=first, steps=1)
    torch.testing.assert_close(image, first.expand(2, -1, -1, -1), rtol=0, atol=1e-6)


def test_init_image_of_another_size_is_resized(standin, run, vgg19, content, style):
    first = picture(3, 30, 60)
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, content=content, style=style, init_image=first, steps=1)
    wanted = standin.gatys.pictures.resampling.resize(as_gatys(first), (48, 40)).movedim(1, -1)
    torch.testing.assert_close(image, wanted, rtol=0, atol=1e-6)


def test_init_image_gives_a_texture_its_size_and_number(run, vgg19, style):
    image, histories, _ = run(OPTIMIZE, vgg19=vgg19, style=style, init_image=picture(3, 36, 32, count=2), steps=1)
    assert is_picture(image, (2, 36, 32, 3)) and len(histories) == 2


@pytest.mark.parametrize("init", ["content", "noise"])
def test_init_widget_goes_before_init_image(run, vgg19, content, style, init):
    wired = {"vgg19": vgg19, "content": content, "style": style, "init": init, "steps": 1, "seed": 4}
    image = run(OPTIMIZE, **wired, init_image=picture(3))[0]
    assert torch.equal(image, run(OPTIMIZE, **wired)[0])
    same_as_content = torch.allclose(image, picture(1), rtol=0, atol=1e-6)
    assert same_as_content == (init == "content")


# batches, alpha, grey


@pytest.mark.parametrize("init", ["content", "noise"])
def test_each_content_frame_gets_its_single_result(run, vgg19, style, init):
    frames = picture(1, count=3)
    film = run(CONTENT, vgg19=vgg19, image=frames)[0]
    options = {"vgg19": vgg19, "style": style, "steps": STEPS, "init": init}
    images, histories, _ = run(OPTIMIZE, content=film, seed=10, **options)
    assert is_picture(images, (3, 48, 40, 3)) and len(histories) == 3
    for index in range(3):
        scene = run(CONTENT, vgg19=vgg19, image=frames[index : index + 1])[0]
        image, history, _ = run(OPTIMIZE, content=scene, seed=10 + index, **options)
        torch.testing.assert_close(images[index : index + 1], image, rtol=0, atol=1e-5)
        assert len(history[0]) == len(histories[index]) == STEPS
    assert (images[0] - images[1]).abs().mean() > 0.01


def test_style_batch_is_averaged(run, vgg19):
    paintings = picture(2, count=2)
    both = run(STYLE, vgg19=vgg19, image=paintings)[0]
    each = [run(STYLE, vgg19=vgg19, image=paintings[i : i + 1])[0] for i in range(2)]
    for name, gram in both.grams[0].items():
        torch.testing.assert_close(gram, (each[0].grams[0][name] + each[1].grams[0][name]) / 2)
        assert not torch.allclose(gram, each[0].grams[0][name], rtol=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_alpha_of_the_content_is_carried_through(run, vgg19, style, count):
    frames = picture(1, channels=4, count=count)
    film = run(CONTENT, vgg19=vgg19, image=frames)[0]
    assert film.alpha.untyped_storage().nbytes() == film.alpha.nbytes  # a view would pin the picture
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, content=film, style=style, steps=2)
    assert is_picture(image, (count, 48, 40, 4))
    assert torch.equal(image[..., 3], frames[..., 3])
    opaque = run(CONTENT, vgg19=vgg19, image=frames[..., :3])[0]
    assert torch.equal(image[..., :3], run(OPTIMIZE, vgg19=vgg19, content=opaque, style=style, steps=2)[0])


def test_alpha_of_an_earlier_result_is_carried_through(run, vgg19, style):
    first = picture(3, channels=4)
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, style=style, init_image=first, steps=1)
    assert torch.equal(image[..., 3], first[..., 3])


def test_alpha_of_the_style_does_not_count(run, vgg19, style):
    painting = torch.cat([picture(2), picture(9, channels=1)], dim=-1)
    grams = run(STYLE, vgg19=vgg19, image=painting)[0].grams[0]
    assert all(torch.equal(gram, style.grams[0][name]) for name, gram in grams.items())


@pytest.mark.parametrize("node", [CONTENT, STYLE])
def test_grey_is_colour_with_equal_channels(run, vgg19, node):
    grey = picture(4, channels=1)
    one, three = (run(node, vgg19=vgg19, image=image)[0] for image in (grey, grey.expand(-1, -1, -1, 3)))
    if node == CONTENT:
        assert torch.equal(one.target.features[0]["conv4_2"], three.target.features[0]["conv4_2"])
        assert one.target.image.shape == (1, 3, 48, 40) and one.alpha is None
    else:
        assert all(torch.equal(gram, three.grams[0][name]) for name, gram in one.grams[0].items())


# masks


@pytest.mark.parametrize("spread", [1.2, 255.0])
def test_pictures_that_leave_the_range_count_as_the_host_shows_them(run, vgg19, content, spread):
    image = 0.5 + spread * (picture(2) - 0.5)
    shown = run(STYLE, vgg19=vgg19, image=image.clamp(0, 1))[0]
    assert torch.equal(run(STYLE, vgg19=vgg19, image=image)[0].grams[0]["conv3_1"], shown.grams[0]["conv3_1"])
    found = run(CONTENT, vgg19=vgg19, image=image)[0].target.image
    assert torch.equal(found, as_gatys(image.clamp(0, 1)))
    assert is_picture(
        run("GatysMatchColors", image=image, reference=image, method="histogram", strength=1.0)[0], (1, 48, 40, 3)
    )


def test_blank_mask_of_load_image_is_no_mask(run, vgg19, content, style):
    blank = torch.zeros(1, 64, 64)  # what Load Image gives for a picture without alpha, whatever its size
    painting = run(STYLE, vgg19=vgg19, image=picture(2), mask=blank)[0]
    assert all(torch.equal(gram, style.grams[0][name]) for name, gram in painting.grams[0].items())
    scene = run(CONTENT, vgg19=vgg19, image=picture(1), mask=blank)[0]
    assert scene.target.guides is None


@pytest.mark.parametrize("shape", [(1, 48, 40), (48, 40), (1, 24, 20), (2, 48, 40)])
def test_style_mask_chooses_the_part_that_counts(standin, run, vgg19, net, style, shape):
    mask = torch.zeros(shape)
    mask[..., : shape[-1] // 2] = 1
    paintings = picture(2, count=2)
    grams = run(STYLE, vgg19=vgg19, image=paintings, mask=mask)[0].grams[0]
    wanted = standin.gatys.extract_style(net, as_gatys(paintings), mask=mask, normalize=False).grams[0]
    assert all(torch.equal(gram, wanted[name]) for name, gram in grams.items())
    whole = run(STYLE, vgg19=vgg19, image=paintings)[0].grams[0]
    assert not torch.allclose(grams["conv3_1"], whole["conv3_1"], rtol=1e-2)


def test_content_mask_leaves_the_black_part_to_the_style(run, vgg19, style):
    mask = torch.zeros(1, 48, 40)
    mask[:, :24] = 1
    pair = {"vgg19": vgg19, "style": style, "steps": 6, "content_weight": 1.0}
    whole = run(CONTENT, vgg19=vgg19, image=picture(1))[0]
    upper = run(CONTENT, vgg19=vgg19, image=picture(1), mask=mask)[0]
    change = [(run(OPTIMIZE, content=c, **pair)[0] - picture(1)).abs().mean(dim=(0, 2, 3)) for c in (whole, upper)]
    assert change[1][32:].mean() > change[0][32:].mean() * 1.02
    assert change[1][32:].mean() > change[1][:16].mean() * 1.02


# what is said when it cannot be done


def refused(run, node, message, **inputs):
    with pytest.raises((ValueError, OSError), match=message) as caught:
        run(node, **inputs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("node", "size", "minimum"), [(CONTENT, (7, 40), "8 x 8"), (STYLE, (40, 15), "16 x 16"), (STYLE, (1, 1), "16 x 16")]
)
def test_picture_too_small_names_the_minimum(run, vgg19, node, size, minimum):
    text = refused(run, node, minimum, vgg19=vgg19, image=picture(1, *size))
    assert f"{size[1]} x {size[0]}" in text


def test_smallest_picture_works(run, vgg19):
    scene = run(CONTENT, vgg19=vgg19, image=picture(1, 16, 16))[0]
    painting = run(STYLE, vgg19=vgg19, image=picture(2, 16, 16))[0]
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, content=scene, style=painting, steps=2)
    assert is_picture(image, (1, 16, 16, 3))


@pytest.mark.parametrize("other", [{"weights": "untrained:1"}, {"pooling": "average"}])
@pytest.mark.parametrize("which", ["content", "style"])
def test_another_network_is_refused(run, content, style, other, which):
    wired = {"content": content, "style": style}
    text = refused(
        run,
        OPTIMIZE,
        f"^{which}: made with",
        vgg19=run(LOAD, **({"weights": "untrained"} | other))[0],
        **{which: wired[which]},
    )
    assert "untrained:0 (max pooling" in text and "extract it again" in text


@pytest.mark.parametrize(
    ("node", "widgets", "message"),
    [
        (STYLE, {f"conv{block}_1": 0.0 for block in range(1, 6)}, "at least one layer with a weight above 0"),
        (CONTENT, {"layers": "conv4_2=0"}, "at least one layer with a weight above 0"),
        (CONTENT, {"layers": ""}, "layers?.*at least one layer"),
        (CONTENT, {"layers": " , "}, "layers?.*at least one layer"),
        (CONTENT, {"layers": "conv9_9"}, "unknown layer 'conv9_9': expected one of conv1_1"),
        (STYLE, {"more_layers": "conv1_3"}, "unknown layer 'conv1_3': expected one of conv1_1"),
        (CONTENT, {"layers": "conv4_2=much"}, "layers: expected names like conv4_2"),
        (STYLE, {"more_layers": "relu2_1=3"}, "more_layers: conv2_1 has a widget of its own"),
        (STYLE, {"more_layers": "conv2_2=1=2"}, "more_layers: expected names like conv4_2"),
        (CONTENT, {"layers": "conv4_2, conv4_2=2"}, "conv4_2 is named twice"),
        (CONTENT, {"layers": "conv4_2, relu4_2"}, "conv4_2 is named twice"),
        (CONTENT, {"layers": "conv4_2=nan"}, "finite weight"),
        (CONTENT, {"layers": "conv4_2=-1"}, "at least 0"),
        (STYLE, {"conv1_1": float("nan")}, "finite weight"),
        (STYLE, {"style_scale": float("nan")}, "style_scale"),
        (CONTENT, {"levels": 9}, "levels: 9 levels make this content image of 40 x 48"),
        (STYLE, {"mask": torch.zeros(1, 48, 40)}, "style mask: .*0 everywhere"),
        (CONTENT, {"mask": torch.zeros(1, 48, 40)}, "content mask: .*0 everywhere"),
        (CONTENT, {"mask": torch.full((1, 48, 40), float("nan"))}, "content mask: .*NaN"),
        (CONTENT, {"mask": torch.ones(3, 48, 40)}, "content mask: expected one mask for one picture, got 3"),
        (CONTENT, {"image": picture(1, channels=2)}, "image: expected an IMAGE of shape"),
        (STYLE, {"image": picture(1)[0]}, "image: expected an IMAGE of shape"),
        (CONTENT, {"image": picture(1, count=0)}, "content image: expected at least one picture"),
        (CONTENT, {"image": torch.full((1, 48, 40, 3), float("nan"))}, "content image: .*NaN"),
        (STYLE, {"image": torch.full((1, 48, 40, 3), float("inf"))}, "style image: .*infinite"),
    ],
)
def test_bad_input_of_the_extraction_is_named(run, vgg19, node, widgets, message):
    refused(run, node, message, **{"vgg19": vgg19, "image": picture(1)} | widgets)


@pytest.mark.parametrize(
    ("widgets", "message"),
    [
        ({"content": None, "style": None}, "content, style: expected at least one target, got none"),
        ({"content": None, "init": "content"}, "init: 'content' needs a content target"),
        ({"init_image": picture(3, count=2)}, "init_image: expected one picture for one content picture, got 2"),
        ({"init_image": torch.full((1, 48, 40, 3), float("nan"))}, "NaN or infinite"),
        ({"init_image": picture(3, count=0)}, "init"),
        ({"init_image": picture(3, channels=2)}, "expected an IMAGE of shape"),
        ({"optimizer": "sgd"}, "optimizer: expected one of lbfgs, adam"),  # the server does not check combos
        ({"init": "white"}, "init: expected auto, recolored, content, noise"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a finite number"),  # nor NaN against min and max
        ({"style_weight": float("nan")}, "style_weight: expected a finite number"),
        ({"steps": 0}, "steps: expected at least 1, got 0"),
    ],
)
def test_bad_input_of_the_optimiser_is_named(run, vgg19, content, style, widgets, message):
    inputs = {"vgg19": vgg19, "content": content, "style": style, "steps": STEPS} | widgets
    refused(run, OPTIMIZE, message, **{name: value for name, value in inputs.items() if value is not None})


def test_one_for_all_or_one_for_each(run, vgg19):
    text = "one mask for all 3 pictures, or one for each, got 2; take one of them"
    refused(run, CONTENT, text, vgg19=vgg19, image=picture(1, count=3), mask=torch.ones(2, 48, 40))


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("gatys-style_transfer", None),
        ("a+b(c)", None),
        ("style-transfer-0.1", "does not find the help pages; rename it"),
        ("my nodes", "does not find the menu of presets, the help pages and"),
        ("estilo_é", "does not find the menu of presets, the help pages and"),
        ("a#b", "does not find the menu of presets, the help pages and"),
    ],
)
def test_a_folder_in_which_the_page_does_not_find_everything_is_told(standin, caplog, name, lost):
    importlib.import_module(f"{standin.pack.__name__}.nodes.pack_folder").check_pack_folder(name)
    assert (lost is None) == (not caplog.messages)
    assert lost is None or f"in a folder called {name!r} ComfyUI's page {lost}" in caplog.text


def test_levels_that_do_not_fit_are_named(run, vgg19, content):
    painting = run(STYLE, vgg19=vgg19, image=picture(2), levels=2)[0]
    scene = run(CONTENT, vgg19=vgg19, image=picture(1), levels=1)[0]
    refused(run, OPTIMIZE, "content was extracted with 1 and style with 2", vgg19=vgg19, content=scene, style=painting)
    refused(run, OPTIMIZE, "at least 1 for each of 2 levels", vgg19=vgg19, style=painting, steps=1)


def test_content_too_small_for_the_style_is_refused_in_words(run, vgg19):
    """With the levels that the widgets choose themselves there is room for all."""
    scene, painting = picture(1, 60, 60), picture(2, 256, 256)
    for levels, frames in ((3, 1), (3, 2), (0, 1)):
        content = run(CONTENT, vgg19=vgg19, image=scene.expand(frames, -1, -1, -1), levels=levels)[0]
        style = run(STYLE, vgg19=vgg19, image=painting, levels=levels)[0]
        inputs = {"vgg19": vgg19, "content": content, "style": style, "steps": STEPS}
        if levels:
            node = OPTIMIZE if frames == 1 else "GatysOptimizeFrames"
            refused(
                run, node, "content: 60 x 60 pixels are 15 x 15 at the coarsest of 3 levels, but conv5_1 of", **inputs
            )
        else:
            assert is_picture(run(OPTIMIZE, **inputs)[0], (1, 60, 60, 3))


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["conv1_1", "conv5_1"])
@pytest.mark.parametrize("levels", list(itertools.product((1, 3, 0), repeat=2)))
@pytest.mark.parametrize("sizes", list(itertools.product((16, 60), repeat=2)))
def test_whatever_sizes_levels_and_layers_meet_there_is_a_picture_or_a_sentence(run, vgg19, sizes, levels, layers):
    """Content shallower than the style and deeper, larger and smaller; `refused` tells a sentence from PyTorch's errors."""
    style = {f"conv{block}_1": float(block == (1 if layers == "conv5_1" else 5)) for block in range(1, 6)}
    wired = {"vgg19": vgg19, "steps": 3}
    try:
        for name, node, size, count, more in (
            ("content", CONTENT, sizes[0], levels[0], {"layers": layers}),
            ("style", STYLE, sizes[1], levels[1], style),
        ):
            wired[name] = run(node, vgg19=vgg19, image=picture(1, size, size), levels=count, **more)[0]
        image = run(OPTIMIZE, **wired)[0]
    except ValueError as error:
        assert re.match(r"(content|style|levels): ", str(error)), error
        assert any(levels)  # with the levels that the widgets choose themselves there is room for all
    else:
        assert is_picture(image, (1, sizes[0], sizes[0], 3))


@pytest.mark.slow
def test_texture_smaller_than_its_style_has_fewer_levels(run, vgg19):
    automatic = run(STYLE, vgg19=vgg19, image=picture(2, 384, 384))[0]
    assert automatic.levels == 4
    start = picture(3, 40, 40)
    image, history, _ = run(OPTIMIZE, vgg19=vgg19, style=automatic, init_image=start, steps=STEPS)
    assert is_picture(image, (1, 40, 40, 3)) and {record.level for record in history[0]} == {0, 1}
    given = run(STYLE, vgg19=vgg19, image=picture(2, 384, 384), levels=3)[0]
    refused(
        run, OPTIMIZE, "result: 40 x 40 pixels are 10 x 10 at", vgg19=vgg19, style=given, init_image=start, steps=STEPS
    )


@pytest.mark.parametrize("name", ["nothing.safetensors", "../secret.pth", ""])
def test_missing_weights_name_the_folder(standin, run, tmp_path, name):
    (Path(standin.folder_paths.models_dir) / "secret.pth").touch()  # beside the folder: must not be found
    folder = Path(standin.folder_paths.models_dir) / "vgg19"
    text = refused(run, LOAD, re.escape(repr(name)), weights=name)
    assert f"a file in {folder}, where there is no file of filters, got" in text
    for number in (1, 2):
        (folder / f"{number}.pth").write_bytes(bytes(number * 1_250_000))
    try:
        text = refused(run, LOAD, re.escape(repr(name)), weights=name)
    finally:
        for number in (1, 2):
            (folder / f"{number}.pth").unlink()
    assert f"a file in {folder}, where there is 1.pth (1.2 MB), 2.pth (2.5 MB), got" in text


# weights from the model folder


@pytest.fixture(scope="module")
def weights_file(standin, net):
    """The untrained filters as a file that the node finds."""
    file = Path(standin.folder_paths.models_dir) / "vgg19" / "own.safetensors"
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, file)
    yield file
    file.unlink()


def test_a_file_in_the_model_folder_is_loaded(run, net, weights_file):
    loaded = run(LOAD, weights=weights_file.name)[0].net
    assert loaded.tag.fingerprint == net.tag.fingerprint and loaded.tag.weights == weights_file.name
    assert not any(tensor.is_inference() for tensor in (*loaded.parameters(), *loaded.buffers()))


def test_what_is_there_is_told_with_its_size(standin, run, weights_file, caplog):
    size = f"{weights_file.stat().st_size / 1e6:.1f} MB"
    options = standin.nodes[LOAD].GET_NODE_INFO_V1()["input"]["required"]["weights"][1]
    assert options["sizes"] == {weights_file.name: size} and weights_file.name in options["options"]
    caplog.set_level("INFO")
    run(LOAD, weights="untrained")
    assert f"Load VGG19: in {weights_file.parent} there is {weights_file.name} ({size})" in caplog.messages


def test_a_vgg16_goes_through_all_nodes(standin, run, net):
    file = Path(standin.folder_paths.models_dir) / "vgg19" / "own16.safetensors"
    deeper = ("conv3_4", "conv4_4", "conv5_4")
    state = {key: value.contiguous() for key, value in net.state_dict().items() if not key.startswith(deeper)}
    save_file(state, file)
    try:
        network = run(LOAD, weights=file.name)[0]
    finally:
        file.unlink()
    assert "conv3_4" not in network.net.layers and not hasattr(network.net, "conv3_4")
    content = run(CONTENT, vgg19=network, image=picture(1), layers="conv4_2, conv5_3")[0]
    style = run(STYLE, vgg19=network, image=picture(2), more_layers="conv3_3")[0]
    image, history, _ = run(OPTIMIZE, vgg19=network, content=content, style=style, steps=STEPS)
    assert is_picture(image, (1, 48, 40, 3)) and history[0][-1].total < history[0][0].total
    shares = run("GatysGradientShares", vgg19=network, content=content, style=style, image=picture(1))[0]
    assert all(f"{name} " in shares for name in ("conv5_3", "conv3_3", "conv4_2", "conv5_1"))
    sentence = "conv4_4 is not in VGG-16, whose layers are conv1_1, conv1_2, "
    refused(run, CONTENT, "^layers: " + sentence, vgg19=network, image=picture(1), layers="conv4_4")
    refused(run, STYLE, "^more_layers: " + sentence, vgg19=network, image=picture(1), more_layers="relu4_4=2")


def test_a_changed_file_is_loaded_again(standin, weights_file):
    fingerprint = standin.nodes[LOAD].fingerprint_inputs
    before = fingerprint(weights=weights_file.name, pooling="average")
    assert before == fingerprint(weights=weights_file.name, pooling="average")
    weights_file.touch()
    assert before != fingerprint(weights=weights_file.name, pooling="average")
    assert fingerprint(weights="untrained", pooling="max") == fingerprint(weights="untrained", pooling="max")


def test_kept_imagenet_weights_are_not_fetched_again(run, net, weights_file):
    kept = weights_file.rename(weights_file.with_name("vgg19-imagenet1k-v1-conv.safetensors"))
    try:
        loaded = run(LOAD, weights="imagenet")[0].net
    finally:
        kept.rename(weights_file)
    assert loaded.tag.fingerprint == net.tag.fingerprint and loaded.tag.weights == "imagenet"


def test_a_download_goes_into_the_model_folder_and_can_be_cancelled(standin, run, monkeypatch, hook, net):
    asked, shown = {}, []

    def load(weights, pooling, *, folder, progress):
        asked.update(weights=weights, folder=folder)
        progress(1, 10)
        standin.mm.interrupt_current_processing()
        progress(2, 10)
        return net

    monkeypatch.setitem(standin.nodes[LOAD].execute.__func__.__globals__, "load_vgg", load)
    hook(lambda value, total, preview, node_id=None: shown.append((value, total)))
    with pytest.raises(standin.mm.InterruptProcessingException):
        run(LOAD, weights="imagenet")
    assert asked == {"weights": "imagenet", "folder": [Path(standin.folder_paths.models_dir) / "vgg19"]}
    assert shown == [(1, 10)]


@pytest.fixture
def offline(standin, monkeypatch, tmp_path):
    """No network, and nothing where torchvision keeps its files; the messages that the page gets."""
    sent = []
    weights = sys.modules[f"{standin.pack.__name__}.gatys.network.weights"]
    for name in ("paper_source", "imagenet_source"):
        monkeypatch.setattr(weights, name, lambda: weights.Source("http://127.0.0.1:9/vgg_normalised.pth", "0"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    instance = SimpleNamespace(client_id="this page", send_sync=lambda *message: sent.append(message))
    server = ModuleType("server")
    server.PromptServer = SimpleNamespace(instance=instance)
    monkeypatch.setitem(sys.modules, "server", server)
    return sent


def test_auto_takes_a_file_that_is_there(standin, run, net, weights_file, offline):
    node = standin.nodes[LOAD]
    loaded = run(LOAD)[0].net
    assert loaded.tag.fingerprint == net.tag.fingerprint and loaded.tag.weights == weights_file.name
    before = node.fingerprint_inputs(weights="auto")
    better = weights_file.with_name("vgg_normalised.pth")
    better.touch()
    try:
        assert node.fingerprint_inputs(weights="auto") != before
    finally:
        better.unlink()
    assert node.fingerprint_inputs(weights="auto") == before and offline == []


def test_untrained_filters_instead_of_trained_ones_are_told_in_the_page(
    standin, run, net, weights_file, offline, caplog
):
    hidden = weights_file.rename(weights_file.with_suffix(".away"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the log and the page are enough
            loaded = run(LOAD, weights="auto")[0].net
    finally:
        hidden.rename(weights_file)
    assert loaded.tag == net.tag
    ((event, data, client),) = offline
    assert event == "gatys.notice" and client == "this page" and data == {"text": loaded.remark}
    assert str(Path(standin.folder_paths.models_dir) / "vgg19") in data["text"]
    assert f"Gatys Style Transfer: {loaded.remark}" in caplog.messages
    page = (Path(__file__).parents[2] / "web" / "gatys_notices.js").read_text("utf-8")
    assert f'"{event}"' in page and "detail.text" in page and "life:" not in page


def test_a_notice_without_the_hosts_server_goes_to_the_log(standin, caplog, monkeypatch):
    for server in (None, ModuleType("server")):
        monkeypatch.setitem(sys.modules, "server", server)
        standin.host.notify("look here")
    assert caplog.messages == ["Gatys Style Transfer: look here"] * 2


@pytest.mark.parametrize("weights", ["paper", "imagenet"])
def test_a_named_download_that_fails_is_an_error(run, offline, weights):
    with pytest.raises(OSError, match=f"could not get the '{weights}' weights from http://127.0.0.1:9/"):
        run(LOAD, weights=weights)
    assert offline == []


def test_the_host_leaves_the_weights_to_the_node(standin):
    """Newer ones check the lists of V3 nodes, unless `validate_inputs` names the input."""
    validate = standin.nodes[LOAD].validate_inputs
    assert inspect.getfullargspec(validate).args == ["cls", "weights"]
    assert all(validate(weights=name) is True for name in ("untrained:7", "gone.pth", None))


def test_model_folders_named_by_the_user_stay_first(standin, tmp_path):
    known = standin.folder_paths.folder_names_and_paths
    before = known.pop("vgg19")
    try:
        standin.folder_paths.add_model_folder_path("vgg19", str(tmp_path))  # as extra_model_paths.yaml does, earlier
        standin.host.register_model_folder()
        assert known["vgg19"][0] == [str(tmp_path), *before[0]]
        assert ".safetensors" in known["vgg19"][1]
        assert standin.host.model_folder() == tmp_path
    finally:
        known["vgg19"] = before


# cancelling, progress, previews


@contextmanager
def counted_evaluations(standin):
    objective = standin.gatys.Objective
    terms, count = objective.terms, SimpleNamespace(value=0)

    def counting(self, *arguments, **options):
        count.value += 1
        return terms(self, *arguments, **options)

    objective.terms = counting
    try:
        yield count
    finally:
        objective.terms = terms


@pytest.mark.parametrize("by", ["flag", "hook"])
def test_cancel_ends_within_one_evaluation_and_leaves_all_intact(standin, run, vgg19, content, style, hook, by):
    wired = {"vgg19": vgg19, "content": content, "style": style, "steps": 8}
    before = run(OPTIMIZE, **wired)[0]

    def cancel(value, total, preview, node_id=None):
        if value == 3:
            standin.mm.interrupt_current_processing()
            if by == "hook":  # as the server's own hook
                standin.mm.throw_exception_if_processing_interrupted()

    hook(cancel)
    with counted_evaluations(standin) as count, pytest.raises(standin.mm.InterruptProcessingException):
        run(OPTIMIZE, **wired)
    assert count.value == (3 if by == "hook" else 4)
    assert not standin.mm.processing_interrupted()  # raising it answers it
    hook(None)
    assert torch.equal(before, run(OPTIMIZE, **wired)[0])


@pytest.mark.parametrize("node", [CONTENT, STYLE])
def test_cancel_ends_an_extraction_within_one_pass(standin, run, vgg19, node, monkeypatch):
    passes, sweep = [], sys.modules[standin.gatys.extract_content.__module__.replace("extraction", "sweep")]
    forward = sweep.forward

    def counted(*arguments, **options):
        passes.append(arguments)
        standin.mm.interrupt_current_processing()
        return forward(*arguments, **options)

    monkeypatch.setattr(sweep, "forward", counted)
    with pytest.raises(standin.mm.InterruptProcessingException):
        run(node, vgg19=vgg19, image=picture(1, count=3))
    assert len(passes) == 1 and not standin.mm.processing_interrupted()


def cancel_at(standin, step):
    return lambda value, total, preview, node_id=None: value == step and standin.mm.interrupt_current_processing()


def states(standin):
    return list(Path(standin.folder_paths.get_output_directory(), "gatys", "checkpoints").glob("*"))


def test_a_cancelled_batch_goes_on_where_it_was(standin, run, vgg19, style, hook, caplog):
    film = run(CONTENT, vgg19=vgg19, image=picture(1, count=2))[0]
    wired = {"vgg19": vgg19, "content": film, "style": style, "steps": 5}
    with counted_evaluations(standin) as count:
        whole, histories, _ = run(OPTIMIZE, **wired)
        assert count.value == 10 and states(standin) == []
        hook(cancel_at(standin, 8))
        with pytest.raises(standin.mm.InterruptProcessingException):
            run(OPTIMIZE, **wired, checkpoint_every=60.0)  # in its ninth evaluation
        hook(None)
        assert count.value == 19 and len(states(standin)) == 2
        with caplog.at_level("INFO"):
            images, again, _ = run(OPTIMIZE, **wired, checkpoint_every=60.0)
    assert count.value == 20 and states(standin) == []
    assert torch.equal(images, whole) and again == histories
    assert re.findall(r"going on from step (\d) of 5, found in .*gatys.checkpoints", caplog.text) == ["5", "4"]


def test_cancel_keeps_the_best_picture_so_far_if_asked_to(standin, run, vgg19, content, style, hook):
    wired = {"vgg19": vgg19, "content": content, "style": style, "steps": 8, "keep_on_cancel": True}
    short = run(OPTIMIZE, **wired | {"steps": 4})
    hook(cancel_at(standin, 3))  # seen after the fourth step
    image, histories, _ = run(OPTIMIZE, **wired)
    assert torch.equal(image, short[0]) and histories == short[1]
    assert not standin.mm.processing_interrupted()  # the rest of the graph goes on


def test_cancel_of_a_batch_keeps_the_pictures_made_so_far(standin, run, vgg19, style, hook):
    batch = run(CONTENT, vgg19=vgg19, image=picture(1, count=3, channels=4))[0]
    wired = {"vgg19": vgg19, "content": batch, "style": style, "steps": 4, "keep_on_cancel": True}
    whole = run(OPTIMIZE, **wired)[0]
    hook(cancel_at(standin, 5))
    kept, histories, _ = run(OPTIMIZE, **wired)
    assert kept.shape == (2, *whole.shape[1:]) and torch.equal(kept[0], whole[0])
    assert torch.equal(kept[..., 3], whole[:2, ..., 3])
    assert [len(history) for history in histories] == [4, 2]


def test_what_was_cut_short_is_made_again(standin, run, vgg19, content, style, hook):
    fingerprint = standin.nodes[OPTIMIZE].fingerprint_inputs
    before, careless = fingerprint(keep_on_cancel=True, steps=8), fingerprint(steps=8)
    assert fingerprint(keep_on_cancel=True, steps=8) == before  # else nothing would ever be cached
    hook(cancel_at(standin, 3))
    run(OPTIMIZE, vgg19=vgg19, content=content, style=style, steps=8, keep_on_cancel=True)
    assert fingerprint(keep_on_cancel=True, steps=8) != before
    assert fingerprint(steps=8) == careless


def test_progress_counts_every_evaluation_of_every_picture(run, vgg19, style, hook):
    film = run(CONTENT, vgg19=vgg19, image=picture(1, count=2))[0]
    shown = []
    hook(lambda value, total, preview, node_id=None: shown.append((value, total)))
    run(OPTIMIZE, vgg19=vgg19, content=film, style=style, steps=4)
    assert shown == [(step, 8) for step in range(1, 9)]


def test_previews_are_throttled_and_end_with_the_result(standin, run, vgg19, content, style, hook, monkeypatch):
    times = iter(range(1000))
    clock = SimpleNamespace(monotonic=lambda: next(times) * standin.host.PREVIEW_INTERVAL / 3)
    monkeypatch.setattr(standin.host, "time", clock)
    previews = {}
    hook(lambda value, total, preview, node_id=None: previews.update({value: preview} if preview else {}))
    image, _, _ = run(OPTIMIZE, vgg19=vgg19, content=content, style=style, init="content", steps=9)
    assert list(previews) == [1, 4, 7, 9]
    for kind, shown, edge in previews.values():
        assert kind == "JPEG" and isinstance(shown, Image.Image) and shown.mode == "RGB" and shown.size == (40, 48)
        assert edge == standin.latent_preview.MAX_PREVIEW_RESOLUTION
    pixels = torch.tensor(list(previews[9][1].tobytes())).view(48, 40, 3)
    assert torch.equal(pixels, (image[0] * 255).round().long())
    # the server encodes them later, on another thread
    first = torch.tensor(list(previews[1][1].tobytes())).view(48, 40, 3)
    assert torch.equal(first, (picture(1)[0] * 255).round().long())


def test_preview_of_a_coarse_level_has_its_size(run, vgg19, hook):
    scene = run(CONTENT, vgg19=vgg19, image=picture(1), levels=2)[0]
    sizes = []
    hook(lambda value, total, preview, node_id=None: sizes.append(preview and preview[1].size))
    run(OPTIMIZE, vgg19=vgg19, content=scene, init="noise", steps=2)
    assert sizes[0] == (20, 24) and sizes[-1] == (40, 48)


# what the host does to weights and targets between nodes


def test_weights_moved_in_inference_mode_are_mended(run, content, style, vgg19):
    wired = {"content": content, "style": style, "steps": STEPS}
    wanted = run(OPTIMIZE, vgg19=vgg19, **wired)[0]
    own = run(LOAD, weights="untrained")[0]
    poison(own)
    scene = run(CONTENT, vgg19=own, image=picture(1))[0]
    poison(own)
    image = run(OPTIMIZE, vgg19=own, content=scene, style=style, steps=STEPS)[0]
    assert torch.equal(image, wanted)
    assert not any(p.is_inference() for p in own.net.parameters())


def test_targets_between_nodes_are_ordinary_tensors(content, style):
    tensors = [content.target.image, *content.target.features[0].values(), *style.grams[0].values()]
    assert not any(tensor.is_inference() or tensor.requires_grad or tensor.grad_fn for tensor in tensors)


def test_memory_is_asked_for_and_grows_with_the_picture(standin, run, vgg19, style):
    asked = []
    for edge in (32, 64):
        scene = run(CONTENT, vgg19=vgg19, image=picture(1, edge, edge))[0]
        extraction = standin.mm.requested[-1]
        run(OPTIMIZE, vgg19=vgg19, content=scene, style=style, steps=1)
        asked.append((extraction, standin.mm.requested[-1]))
    (small_extraction, small), (large_extraction, large) = asked
    assert 3.5 < large_extraction / small_extraction <= 4.5 and 3.5 < large / small <= 4.5
    assert small > small_extraction > 32 * 32 * 64 * 4


@pytest.mark.parametrize("moved_before", [False, True])
@pytest.mark.parametrize("budget", [0.1, 40e6, None])
def test_network_left_half_loaded_is_whole_while_in_use(standin, run, host_state, net, budget, moved_before):
    # The meta device stands for a card: what the host leaves in main memory must be on it during work, and must be
    # in main memory with its values afterwards.
    host_state.load_device, host_state.weight_budget = META, budget
    network = run(LOAD, weights="untrained")[0]
    if moved_before:
        poison(network)
    with torch.inference_mode(), standin.host.working(network) as working:
        assert {t.device.type for t in (*working.parameters(), *working.buffers())} == {"meta"}
        assert not any(t.is_inference() for t in (*working.parameters(), *working.buffers()))
        assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
        features = working(torch.rand(1, 3, 32, 32, device=META, requires_grad=True), ["conv5_1"])["conv5_1"]
        assert features.requires_grad and features.device.type == "meta"
    state, wanted = network.net.state_dict(), net.state_dict()
    behind = [key for key, value in state.items() if value.device.type == "cpu"]
    assert all(torch.equal(state[key], wanted[key]) for key in behind)
    assert len(behind) == {0.1: len(state), None: 0}.get(budget, len(behind))
    assert budget != 40e6 or 0 < len(behind) < len(state)
    assert not any(state[key].is_inference() for key in behind)
    assert isinstance(network.net.conv1_1.weight, nn.Parameter)
    assert not isinstance(network.net.mean, nn.Parameter)  # a buffer stays a buffer


def test_what_was_left_behind_is_put_back_after_an_error(standin, run, host_state, net):
    host_state.load_device, host_state.weight_budget = META, 0.1
    network = run(LOAD, weights="untrained")[0]
    with pytest.raises(RuntimeError, match="from within"), standin.host.working(network):
        assert network.net.conv1_1.weight.is_meta
        raise RuntimeError("from within")
    assert torch.equal(network.net.conv1_1.weight, net.conv1_1.weight)


def test_results_wait_where_the_host_wants_them(standin, run, host_state, vgg19, content, style, monkeypatch):
    host_state.storage_device = META
    monkeypatch.setattr(standin.host, "shown", lambda image: None)  # there is nothing in it to see
    assert run(CONTENT, vgg19=vgg19, image=picture(1))[0].target.features[0]["conv4_2"].is_meta
    assert run(STYLE, vgg19=vgg19, image=picture(2))[0].grams[0]["conv1_1"].is_meta
    assert run(OPTIMIZE, vgg19=vgg19, content=content, style=style, steps=1)[0].is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("budget", [0.1, 40e6, None])
def test_half_loaded_on_a_card_gives_the_same_picture(run, host_state, content, style, vgg19, budget):
    wanted = run(OPTIMIZE, vgg19=vgg19, content=content, style=style, steps=1, init="noise")[1][0][0]
    host_state.load_device, host_state.weight_budget = torch.device("cuda", torch.cuda.current_device()), budget
    own = run(LOAD, weights="untrained")[0]
    image, history, _ = run(OPTIMIZE, vgg19=own, content=content, style=style, steps=2, init="noise")
    assert is_picture(image, (1, 48, 40, 3))
    assert history[0][0].total == pytest.approx(wanted.total, rel=0.02)


# precision


@pytest.mark.parametrize(
    ("bf16", "fp16", "auto"),
    [(True, True, "bfloat16"), (False, True, "float16"), (False, False, "float32")],
)
def test_auto_is_what_the_host_finds_fast_on_a_graphics_card(standin, host_state, bf16, fp16, auto):
    host_state.load_device, host_state.bf16, host_state.fp16 = torch.device("cuda"), bf16, fp16
    assert standin.host.precision("auto") == auto
    assert standin.host.precision("float16") == "float16"
    host_state.load_device = torch.device("mps")  # which gains nothing by it: left to the engine
    assert standin.host.precision("auto") == "auto"


def test_convolutions_have_the_precision_that_is_chosen(run, vgg19, content, style):
    wired = {"vgg19": vgg19, "content": content, "style": style, "steps": STEPS}
    full, low = (run(OPTIMIZE, **wired, precision=each)[0] for each in ("float32", "bfloat16"))
    assert not torch.equal(low, full)
    assert (low - full).abs().mean() < 0.02
    assert torch.equal(run(OPTIMIZE, **wired)[0], run(OPTIMIZE, **wired, precision="auto")[0])
