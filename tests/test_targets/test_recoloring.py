"""Starts in the colours of the style: what a style knows of colours, and what the content looks like in them."""

import json
import logging

import numpy as np
import pytest
import torch
from pictures import noise, picture
from safetensors import safe_open
from safetensors.torch import save_file

import gatys
from gatys.passes.layout import WHOLE
from gatys.pictures.recoloring import MOST_GAIN, colors_of, mixed, recolor
from gatys.targets.recoloring import recolored

SIZE = (40, 33)
CPU = torch.device("cpu")


def flat(image):
    return image[0].double().flatten(1).numpy()


def calm(seed, middle=0.5, spread=0.3, size=SIZE):
    """A picture whose colours stay away from 0 and 1 when they are moved a little."""
    return middle + spread * (picture(seed, size=size) - 0.5)


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg("untrained")


@pytest.fixture(scope="module")
def content(net):
    return gatys.extract_content(net, calm(1, 0.4))


def style_of(net, *paintings, mask=None):
    return gatys.extract_style(net, list(paintings) if len(paintings) > 1 else paintings[0], mask=mask)


def start(net, content, style, **how):
    """The picture that a run starts from."""
    seen = []
    gatys.optimize(
        net, content=content, style=style, steps=1, callback=lambda now: seen.append(now.image.clone()), **how
    )
    return seen[0]


def test_colours_are_mean_and_covariance():
    image = picture(1, size=(300, 7))
    found = colors_of(image)
    assert np.allclose(found.mean, flat(image).mean(1)) and np.allclose(found.covariance, np.cov(flat(image), ddof=0))
    weight = noise(1, 1, 300, 7, seed=2)
    found, of = colors_of(image, weight), weight.double().flatten().numpy()
    assert np.allclose(found.mean, np.average(flat(image), axis=1, weights=of))
    assert np.allclose(found.covariance, np.cov(flat(image), aweights=of, ddof=0))
    assert colors_of(image, torch.zeros(1, 1, 300, 7)) is None
    both = mixed([(colors_of(picture(1)), 0.5), (colors_of(picture(2)), 0.5)])
    together = np.concatenate([flat(picture(1)), flat(picture(2))], axis=1)
    assert np.allclose(both.mean, together.mean(1)) and np.allclose(both.covariance, np.cov(together, ddof=0))


def test_blocks_of_rows_make_no_difference(monkeypatch):
    image, wanted = picture(1, count=2), colors_of(picture(2))
    whole, own = recolor(image.clone(), colors_of(image), wanted), colors_of(image)
    monkeypatch.setattr("gatys.pictures.recoloring._BLOCK", 70)
    assert torch.equal(recolor(image.clone(), colors_of(image), wanted), whole)
    assert torch.allclose(colors_of(image).covariance, own.covariance, rtol=1e-12)


def test_a_recoloured_picture_has_the_colours_asked_for():
    image, painting = calm(1, 0.4), calm(2, 0.6, 0.4)
    painting[:, 1] = 0.5 * painting[:, 0] + 0.3  # colours that go together
    found = recolor(image.clone(), colors_of(image), colors_of(painting))
    assert np.allclose(flat(found).mean(1), flat(painting).mean(1), atol=1e-6)
    assert np.allclose(np.cov(flat(found), ddof=0), np.cov(flat(painting), ddof=0), atol=1e-6)
    assert torch.allclose(found, gatys.match_colors(image, painting), atol=1e-6)


def test_no_difference_grows_more_than_threefold():
    pale, strong = calm(1, spread=0.02), picture(2)
    found = recolor(pale.clone(), colors_of(pale), colors_of(strong))
    gains = np.sqrt(np.linalg.eigvalsh(np.cov(flat(found), ddof=0)) / np.linalg.eigvalsh(np.cov(flat(pale), ddof=0)))
    assert gains.max() <= MOST_GAIN + 1e-3 and gains.max() > 0.9 * MOST_GAIN


def test_a_run_starts_in_the_colours_of_the_style(net, content):
    painting = calm(2, 0.6)
    style = style_of(net, painting)
    wanted = gatys.match_colors(content.image, painting)
    for init in ("auto", "recolored"):
        assert torch.allclose(start(net, content, style, init=init), wanted, atol=1e-5)
    assert torch.equal(start(net, content, style, init="content"), content.image)
    assert torch.equal(start(net, content, None, init="auto"), content.image)


def test_several_paintings_count_by_their_number_and_a_mask_by_its_square(net):
    first, second = calm(2, 0.6), calm(3, 0.3, size=(36, 50))
    style = style_of(net, first, second)
    wanted = mixed([(colors_of(first), 0.5), (colors_of(second), 0.5)])
    assert torch.allclose(style.colors.mean, wanted.mean) and torch.allclose(style.colors.covariance, wanted.covariance)
    mask = noise(*SIZE, seed=5)
    assert torch.allclose(style_of(net, first, mask=mask).colors.mean, colors_of(first, mask[None, None] ** 2).mean)
    blend = gatys.blend_styles([(style_of(net, first), 3), (style_of(net, second), 1)])
    assert torch.allclose(blend.colors.mean, 0.75 * colors_of(first).mean + 0.25 * colors_of(second).mean)


def test_each_region_takes_on_the_colours_of_its_own_style(net, content):
    left = torch.zeros(SIZE)
    left[:, :16] = 1
    first, second = calm(2, 0.6), calm(3, 0.3)
    regions = gatys.regional_style([(style_of(net, first), left), (style_of(net, second), 1 - left)])
    found = recolored(content, regions, WHOLE, CPU)
    halves = [(slice(None, 16), first), (slice(16, None), second)]
    for columns, painting in halves:
        assert torch.allclose(found[..., columns], gatys.match_colors(content.image[..., columns], painting), atol=1e-5)
    alone = recolored(content, gatys.regional_style([(style_of(net, first), left)]), WHOLE, CPU)
    assert torch.equal(alone[..., 16:], content.image[..., 16:]) and not torch.equal(
        alone[..., :16], content.image[..., :16]
    )
    everywhere = gatys.regional_style([(style_of(net, first), None), (style_of(net, second), None)])
    ways = [gatys.match_colors(content.image, painting) for painting in (first, second)]
    assert torch.allclose(recolored(content, everywhere, WHOLE, CPU), sum(ways) / 2, atol=1e-5)


def test_style_files_tell_colours_and_old_ones_are_read(net, content, tmp_path, caplog):
    caplog.set_level(logging.INFO, "gatys")
    style = style_of(net, calm(2, 0.6))
    new = style.save(tmp_path / "new.safetensors")
    loaded = gatys.StyleTarget.load(new)
    assert all(torch.equal(a, b) for a, b in zip(loaded.colors, style.colors, strict=True))
    with safe_open(new, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    record = json.loads(metadata["style"])

    def written(name, colors):
        record["colors"] = colors
        told = {key: value for key, value in record.items() if value is not None}
        save_file(tensors, tmp_path / name, metadata | {"style": json.dumps(told)})
        return gatys.StyleTarget.load(tmp_path / name)

    old = written("old.safetensors", None)
    assert old.colors is None and torch.equal(start(net, content, old), content.image)
    assert sum("does not tell its colours" in message for message in caplog.messages) == 1
    with pytest.raises(gatys.InputError, match="init: 'recolored' needs a style that knows its colours"):
        start(net, content, old, init="recolored")
    with pytest.raises(gatys.InputError, match="init: 'recolored' needs a style; extract"):
        start(net, content, None, init="recolored")
    with pytest.raises(gatys.InputError, match="init: 'recolored' needs a content target"):
        gatys.optimize(net, style=style, init="recolored", steps=1)
    assert gatys.blend_styles([(old, 1), (style, 1)]).colors is None
    for wrong in ([[0.5, 0.5]], "red", [[0.5] * 3] * 3, [[1e9] * 3] * 4, [[float("nan")] * 3] * 4):
        with pytest.raises(gatys.StyleFileError, match="its colours are no mean and covariance"):
            written("wrong.safetensors", wrong)
    with pytest.raises(gatys.StyleFileError, match="the covariance of its colours is not symmetric"):
        written("wrong.safetensors", [[0.5] * 3, [0.1, 0.2, 0.1], [0.1] * 3, [0.1] * 3])
