"""Match Colors and Keep Luminance as the host runs them; `standin.run` fails where a node changes what came in."""

import importlib

import pytest
import torch
from pictures import host_picture as picture

MATCH, KEEP = "GatysMatchColors", "GatysKeepLuminance"
METHODS = ["symmetric", "pca", "cholesky", "histogram"]


def as_gatys(image):
    return image[..., :3].movedim(-1, 1).contiguous()


def as_image(pictures):
    return pictures.movedim(1, -1)


@pytest.fixture(scope="module")
def run(standin):
    for module, name in (("match_colors", "MatchColors"), ("keep_luminance", "KeepLuminance")):
        node = getattr(importlib.import_module(f"{standin.pack.__name__}.nodes.{module}"), name)
        standin.nodes.setdefault(node.GET_SCHEMA().node_id, node)
    return standin.run


@pytest.fixture(scope="module")
def color(standin):
    return importlib.import_module(f"{standin.pack.__name__}.gatys.pictures.colors")


def wanted_match(color, image, reference, method, **options):
    how = {"method": "histogram"} if method == "histogram" else {"root": method}
    return as_image(color.match_colors(as_gatys(image), as_gatys(reference), **how, **options))


@pytest.mark.parametrize("method", METHODS)
def test_match_does_what_gatys_does(run, color, method):
    image, reference = picture(1), picture(2, 30, 40) * 0.5
    (made,) = run(MATCH, image=image, reference=reference, method=method)
    assert made.shape == image.shape and made.dtype == torch.float32 and made.is_contiguous()
    assert torch.equal(made, wanted_match(color, image, reference, method))
    assert (made - image).abs().mean() > 0.05


def test_the_default_is_the_symmetric_root_in_full(run):
    wired = {"image": picture(1), "reference": picture(2) * 0.5}
    assert torch.equal(run(MATCH, **wired)[0], run(MATCH, **wired, method="symmetric", strength=1.0)[0])
    assert torch.equal(run(KEEP, image=picture(1), content=picture(2))[0], run_keep(run, strength=1.0))


def run_keep(run, **widgets):
    return run(KEEP, image=picture(1), content=picture(2), **widgets)[0]


@pytest.mark.parametrize("match", [False, True])
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_keep_does_what_gatys_does(run, color, match, strength):
    image, content = picture(1), picture(2, 30, 40)
    (made,) = run(KEEP, image=image, content=content, strength=strength, match_luminance=match)
    wanted = color.keep_luminance(as_gatys(image), as_gatys(content), match=match, strength=strength)
    assert torch.equal(made, as_image(wanted)) and made.dtype == torch.float32 and made.is_contiguous()
    assert torch.equal(made, image) == (strength == 0)


def test_strength_reaches_gatys(run, color):
    image, reference = picture(1), picture(2) * 0.5
    (made,) = run(MATCH, image=image, reference=reference, strength=0.3)
    assert torch.equal(made, wanted_match(color, image, reference, "symmetric", strength=0.3))
    assert torch.equal(run(MATCH, image=image, reference=reference, strength=0.0)[0], image)


@pytest.mark.parametrize(("node", "other"), [(MATCH, "reference"), (KEEP, "content")])
@pytest.mark.parametrize("count", [1, 3])
def test_batches_are_done_picture_by_picture(run, node, other, count):
    images, references = picture(1, count=3), picture(2, count=count)
    (together,) = run(node, **{"image": images, other: references})
    assert together.shape == images.shape
    for index in range(3):
        (alone,) = run(node, **{"image": images[index][None], other: references[index % count][None]})
        assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize(("node", "other"), [(MATCH, "reference"), (KEEP, "content")])
def test_alpha_is_carried_through_and_the_others_does_not_count(run, node, other):
    images, reference = picture(1, channels=4, count=2), picture(2, channels=4)
    (made,) = run(node, **{"image": images, other: reference})
    assert made.shape == images.shape and torch.equal(made[..., 3], images[..., 3])
    (opaque,) = run(node, **{"image": images[..., :3], other: reference[..., :3]})
    assert torch.equal(made[..., :3], opaque)


@pytest.mark.parametrize(("node", "other"), [(MATCH, "reference"), (KEEP, "content")])
def test_grey_and_constant_pictures_work(run, node, other):
    flat = torch.full((1, 48, 40, 3), 0.25)
    for image in (picture(1), picture(1, channels=1), flat, flat * 0):
        for reference in (picture(2), picture(2, channels=1), flat, flat * 0):
            (made,) = run(node, **{"image": image, other: reference})
            assert made.shape == (1, 48, 40, 3) and torch.isfinite(made).all() and 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize(("node", "other"), [(MATCH, "reference"), (KEEP, "content")])
def test_results_wait_where_the_host_wants_them(standin, run, monkeypatch, node, other):
    monkeypatch.setattr(standin.mm, "storage_device", torch.device("meta"))
    assert run(node, **{"image": picture(1), other: picture(2)})[0].is_meta


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        (MATCH, {"method": "linear"}, f"method: expected one of {', '.join(METHODS)}, got 'linear'"),
        (MATCH, {"method": "lab"}, f"method: expected one of {', '.join(METHODS)}, got 'lab'"),
        (MATCH, {"strength": float("nan")}, "strength: expected a number from 0 to 1"),
        (KEEP, {"strength": float("nan")}, "strength: expected a number from 0 to 1"),
        (MATCH, {"reference": picture(2, count=2)}, "expected 1 picture or one for each style image, 1 in all, got 2"),
        (KEEP, {"content": picture(2, count=2)}, "expected 1 picture or one for each result, 1 in all, got 2"),
        (MATCH, {"image": picture(1, channels=2)}, "image: expected an IMAGE of shape"),
        (KEEP, {"content": picture(1)[0]}, "image: expected an IMAGE of shape"),
        (MATCH, {"reference": torch.full((1, 8, 8, 3), float("nan"))}, "content image: .*NaN"),
        (KEEP, {"image": torch.full((1, 8, 8, 3), float("inf"))}, "result: .*infinite"),
        (KEEP, {"image": picture(1, count=0)}, "result: expected at least one picture"),
    ],
)
def test_bad_input_is_named(run, node, inputs, message):
    wired = {"image": picture(1), "reference" if node == MATCH else "content": picture(2)}
    with pytest.raises(ValueError, match=message):
        run(node, **wired | inputs)


@pytest.mark.parametrize(("film", "scope"), [("off", "off"), ("whole", "whole"), ("frame", 1)])
@pytest.mark.parametrize("method", ["symmetric", "histogram"])
def test_a_film_gets_one_map(run, color, method, film, scope):
    frames, reference = picture(1, count=3), picture(2, 30, 20, count=3)
    (found,) = run(MATCH, image=frames, reference=reference, method=method, film=film, frame=1)
    assert torch.equal(found, wanted_match(color, frames, reference, method, film=scope))


def test_unknown_scopes_are_refused(run):
    with pytest.raises(ValueError, match="film: expected one of off, whole, frame, got 'all'"):
        run(MATCH, image=picture(1), reference=picture(2), film="all")
    with pytest.raises(ValueError, match="film: .*number of one of 2 pictures, from 0 to 1, got 7"):
        run(MATCH, image=picture(1), reference=picture(2, count=2), film="frame", frame=7)
