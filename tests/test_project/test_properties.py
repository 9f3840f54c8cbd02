"""Properties of every run: results are finite, in range and repeatable, inputs are left alone, tiles change nothing.

A few examples a property, always the same ones. With GATYS_LONG_TESTS=1 thousands, others each time.
"""

import contextlib
import functools
import math
import os
from dataclasses import fields, is_dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st

import gatys
from gatys.network.layers import LAYERS, minimum_size
from gatys.settings import PADDINGS, POOLINGS, RESPONSES, TV_FORMS

pytestmark = pytest.mark.slow

LONG = os.environ.get("GATYS_LONG_TESTS") == "1"
MANY = int(os.environ.get("GATYS_EXAMPLES", "2000"))
SHALLOW = ["conv1_1", "conv1_1", "conv1_2", "conv2_1", "conv2_1", "conv2_2", "conv3_1"]
"""What is deeper costs more and is no different."""
EDGES = st.one_of(st.integers(1, 12), st.integers(1, 20), st.integers(1, 64))
"""Of pictures; small ones often."""
COUNTS = st.sampled_from([1, 1, 2, 3])
WEIGHTS = (0.0, 1e-12, 1e-3, 1.0, 1.0, 1.0, 1e3, 1e12)


def examples(few, share=1.0):
    return settings(
        max_examples=max(1, int(MANY * share)) if LONG else few,
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@functools.cache
def network(pooling, dtype, responses="relu"):
    net = gatys.load_vgg19("untrained:2", pooling=pooling)
    return gatys.read_as(net, responses=responses).to(dtype)


def tensors(of):
    """Every tensor inside targets, lists and the like, and of networks those that are used here."""
    if isinstance(of, torch.Tensor):
        yield of
    elif isinstance(of, torch.nn.Module):
        yield from (of.mean, of.std)
        for name in set(SHALLOW):
            yield from getattr(of, name).parameters()
    elif is_dataclass(of):
        yield from tensors([getattr(of, field.name) for field in fields(of)])
    elif isinstance(of, dict):
        yield from tensors(list(of.values()))
    elif isinstance(of, (list, tuple)):
        for one in of:
            yield from tensors(one)


@contextlib.contextmanager
def untouched(*inputs):
    before = [(tensor, tensor.detach().clone(), tensor.requires_grad) for tensor in tensors(inputs)]
    yield
    for tensor, was, tracked in before:
        assert torch.equal(tensor.detach(), was) and tensor.requires_grad == tracked and tensor.grad is None


@contextlib.contextmanager
def only_refused(*words):
    """A scenario that is refused for one of these reasons, in one sentence, is none."""
    try:
        yield
    except ValueError as problem:
        assert "\n" not in str(problem)
        if not any(word in str(problem) for word in words):
            raise
        reject()


def is_picture(image, shape, dtype):
    assert image.shape == shape and image.dtype == dtype and not image.requires_grad
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1


@st.composite
def pictures(draw, size=None, count=None, dtype=torch.float32, least=1):
    """(N, 3, H, W): noise, one colour, black and white, only a few values, or in another memory layout."""
    height, width = size or (max(least, draw(EDGES)), max(least, draw(EDGES)))
    count = count or draw(COUNTS)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    image = torch.rand(count, 3, height, width, generator=generator, dtype=dtype)
    kind = draw(st.sampled_from(["noise", "noise", "flat", "black", "white", "saturated", "dark", "grey"]))
    if kind == "flat":
        image = image[..., :1, :1].expand(-1, -1, height, width)  # of stride 0
    elif kind in ("black", "white"):
        image = torch.full_like(image, kind == "white")
    elif kind == "saturated":
        image = image.round()
    elif kind == "dark":
        image = image * 1e-6
    elif kind == "grey":
        image = image[:, :1].expand(-1, 3, -1, -1)
    layout = draw(st.sampled_from(["plain", "channels last", "cut out"]))
    if layout == "channels last":
        image = image.contiguous(memory_format=torch.channels_last)
    elif layout == "cut out":
        image = torch.nn.functional.pad(image, (1, 2, 3, 1))[..., 3 : 3 + height, 1 : 1 + width]
    return image


@st.composite
def masks(draw, count):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    shape = draw(st.sampled_from([(height, width), (1, height, width), (count, height, width)]))
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    kind = draw(st.sampled_from(["soft", "hard", "half", "full"]))
    if kind == "hard":
        return (mask > 0.3).float()
    if kind == "half":
        mask = torch.zeros(shape)
        mask[..., : (width + 1) // 2] = 1
        return mask
    return torch.ones(shape) if kind == "full" else mask


@st.composite
def layer_weights(draw, edge):
    fitting = [name for name in SHALLOW if LAYERS[name].stride <= edge]
    names = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3, unique=True))
    weights = {name: draw(st.sampled_from(WEIGHTS)) for name in names}
    return weights if any(weights.values()) else dict.fromkeys(names, 1.0)


@st.composite
def runs(draw):
    """Arguments of `optimize`, but for `steps`, and everything they were made from."""
    dtype = draw(st.sampled_from([torch.float32, torch.float32, torch.float64]))
    net = network(draw(st.sampled_from(POOLINGS)), dtype, draw(st.sampled_from([*RESPONSES, "relu"])))
    # float64 pictures for a float32 network and the other way round, too
    given_dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    size = draw(EDGES), draw(EDGES)
    levels = draw(st.sampled_from([1, 1, 2, "auto"]))
    edge = max(1, min(size) // 2 if levels == 2 else min(size))
    if levels == 2 and min(size) < 2:
        levels = 1
    which = draw(st.sampled_from(["both", "both", "both", "content", "style"]))
    padding = draw(st.sampled_from(PADDINGS))
    tile = draw(st.sampled_from(["auto", None, 16, 24, 37]))
    how = {"levels": levels, "normalize": draw(st.booleans())}
    made_from = []
    content, count = None, draw(COUNTS)
    if which != "style":
        image = draw(pictures(size, count, given_dtype))
        if draw(st.booleans()):
            image = image.clone().requires_grad_()
        mask = draw(st.none() | masks(count))
        kept = draw(st.sampled_from([None, None, torch.bfloat16]))
        made_from += [image, mask]
        with only_refused("vanish", "everywhere"), untouched(net, made_from):
            layers = draw(layer_weights(edge))
            content = gatys.extract_content(
                net, image, layers, mask=mask, padding=padding, tile=tile, dtype=kept, **how
            )
    styles = []
    for _ in range(0 if which == "content" else draw(st.sampled_from([1, 1, 2]))):
        layers = draw(layer_weights(edge))
        least = minimum_size(LAYERS[name] for name in layers) * (2 if levels == 2 else 1)
        painting = draw(pictures(dtype=given_dtype, least=least))
        mask = draw(st.none() | masks(painting.shape[0]))
        made_from += [painting, mask]
        with only_refused("vanish", "everywhere"), untouched(net, made_from):
            styles.append(gatys.extract_style(net, painting, layers, mask=mask, tile=tile, **how))
    style = styles[0] if styles else None
    if len(styles) == 2:
        with untouched(styles):
            if draw(st.booleans()):
                style = gatys.blend_styles([(styles[0], draw(st.floats(0.1, 1))), (styles[1], 0.5)])
            else:
                region = draw(st.none() | masks(1 if content is None else count))
                made_from.append(region)
                with only_refused("everywhere"):
                    rule = draw(st.sampled_from(["average", "average", "inside"]))
                    style = gatys.regional_style([(styles[0], region), (styles[1], None)], propagation=rule)
    init = draw(st.sampled_from(["auto", "noise", "mean", "picture"] + ["content"] * (content is not None)))
    if init == "picture":
        init = draw(pictures(size if draw(st.booleans()) else None, draw(st.sampled_from([1, count])), given_dtype))
        if content is None:
            count = init.shape[0]
    elif content is None:
        count = 1
    temporal = None
    if draw(st.booleans()):
        temporal = gatys.TemporalTarget(
            draw(pictures(count=1)), draw(st.none() | masks(1).map(lambda m: m.reshape(1, 1, *m.shape[-2:])))
        )
    arguments = {
        "content": content,
        "style": style,
        "temporal": temporal,
        "init": init,
        "size": None if content is not None else size,
        "optimizer": draw(st.sampled_from(["lbfgs", "adam"])),
        "learning_rate": draw(st.sampled_from([None, None, 1e-6, 1.0, 1e6])),
        "history_size": draw(st.sampled_from([10, 1])),
        "seed": draw(st.integers(0, 2**64)),
        "tile": tile,
        "padding": padding,
        "tv_form": draw(st.sampled_from(TV_FORMS)),
    }
    for name in ("content_weight", "style_weight", "tv_weight", "temporal_weight"):
        arguments[name] = draw(st.sampled_from(WEIGHTS))
    arguments["laplacian_weight"] = 0.0 if content is None else draw(st.sampled_from(WEIGHTS))
    return net, arguments, made_from, size, count


@examples(5)
@given(runs(), st.sampled_from(["plain", "no_grad", "inference"]), st.data())
def test_runs(run, mode, data):
    net, arguments, made_from, size, count = run
    levels = min(target.levels for target in (arguments["content"], arguments["style"]) if target is not None)
    steps = levels + data.draw(st.integers(0, 3))
    note(f"{mode}, {steps} steps, {size}, {arguments}")
    context = {"plain": contextlib.nullcontext, "no_grad": torch.no_grad, "inference": torch.inference_mode}[mode]
    with only_refused("vanishes", "too small", "smaller than"), untouched(net, arguments, made_from), context():
        result = gatys.optimize(net, steps=steps, **arguments)
        again = gatys.optimize(net, steps=steps, **arguments)
    is_picture(result.image, (count, 3, *size), net.mean.dtype)
    assert torch.equal(result.image, again.image) and result.history == again.history
    assert len(result.history) == steps
    assert all(math.isfinite(v) for record in result.history for v in record.asdict().values())
    terms = {"temporal", "content", "style", "padding", "tv_form"} | {n for n in arguments if n.endswith("_weight")}
    objective = gatys.Objective(net, **{name: arguments[name] for name in terms})
    tile = None if arguments["tile"] == "auto" else arguments["tile"]
    worth = objective.evaluate(result.image, tile)[0]["total"]
    assert worth <= min(record.total for record in result.history if record.level == 0) * (1 + 1e-6)


@examples(6)
@given(runs(), st.integers(8, 40), st.integers(0, 99))
def test_tiles_change_nothing(run, tile, seed):
    """Loss to 1e-4 in float32, of which sums of activations keep that much; to 1e-9 in float64, and so the gradient."""
    net, arguments, made_from, size, count = run
    x = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed)).to(net.mean.dtype)
    terms = {"temporal", "content", "style", "padding", "tv_form"} | {n for n in arguments if n.endswith("_weight")}
    with only_refused("vanishes", "too small", "smaller than"):
        objective = gatys.Objective(net, **{name: arguments[name] for name in terms})
        whole, gradient = objective.evaluate(x)
    with untouched(net, arguments, made_from, x):
        cut, tiled_gradient = objective.evaluate(x, max(tile, minimum_size(objective.used)))
        kept, kept_gradient = objective.terms(x, max(tile, minimum_size(objective.used)), keep=True)
    exact = net.mean.dtype == torch.float64
    for name, value in whole.items():
        assert cut[name] == pytest.approx(value, rel=1e-9 if exact else 1e-4)
        assert kept.sums()[name] == pytest.approx(value, rel=1e-9 if exact else 1e-4)
    if exact:
        norm = gradient.abs().amax()
        assert ((tiled_gradient - gradient).abs().amax() <= 1e-8 * norm).all()
        assert ((kept_gradient - gradient).abs().amax() <= 1e-8 * norm).all()
    assert not tiled_gradient.requires_grad


@examples(10, share=0.5)
@given(st.data())
def test_colours(data):
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]))
    picture, content = data.draw(pictures(dtype=torch.float32)).to(dtype), data.draw(pictures(count=1)).to(dtype)
    strength = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    calls = [functools.partial(gatys.keep_luminance, match=match) for match in (False, True)]
    calls += [functools.partial(gatys.match_colors, root=root) for root in gatys.pictures.colors.ROOTS]
    calls.append(functools.partial(gatys.match_colors, method="histogram"))
    for call in calls:
        with untouched(picture, content):
            result = call(picture, content, strength=strength)
        is_picture(result, picture.shape, dtype)
        assert torch.equal(result, call(picture, content, strength=strength))
        if strength == 0:
            torch.testing.assert_close(result, picture)


@examples(5, share=0.25)
@given(st.data())
def test_a_saved_style_comes_back_as_it_was(tmp_path_factory, data):
    net = network(data.draw(st.sampled_from(POOLINGS)), data.draw(st.sampled_from([torch.float32, torch.float64])))
    painting = data.draw(pictures(least=4))
    layers = {name: weight for name, weight in data.draw(layer_weights(2)).items() if weight}
    style = gatys.extract_style(net, painting, layers, data.draw(st.sampled_from([1, 2])), normalize=False)
    with untouched(net, style, painting):
        path = style.save(tmp_path_factory.mktemp("styles") / "style.safetensors", thumbnail=painting[:1])
        loaded = gatys.StyleTarget.load(path)
    for kept, was in zip(tensors(loaded.values), tensors(style.values), strict=True):
        torch.testing.assert_close(kept, was.float(), rtol=1e-6, atol=0)
    assert all(torch.equal(kept, was) for kept, was in zip(loaded.colors, style.colors, strict=True))
    for field in fields(style):
        if field.name not in ("values", "statistic", "colors"):
            assert getattr(loaded, field.name) == getattr(style, field.name)
