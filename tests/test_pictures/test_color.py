"""Colours: against SciPy's roots and factors, NumPy's sorted values, and what a painter would expect of grey."""

import colorsys
import functools

import numpy as np
import pytest
import scipy.linalg
import torch
from pictures import noise

from gatys.errors import InputError
from gatys.pictures import colors as color
from gatys.pictures.colors import keep_luminance, match_colors
from gatys.pictures.resampling import resize
from gatys.settings import METHODS, ROOTS

LINEAR = [{"root": root} for root in ROOTS]
ALL = [*LINEAR, {"method": "histogram"}]
LUMA = np.array([0.299, 0.587, 0.114])


def coloured(seed, size=(24, 31), spread=0.25, count=1, dtype=torch.float32):
    """Pictures of correlated colours, far enough from black and white that a matched one stays between."""
    mix = torch.eye(3, dtype=dtype) + 0.6 * (noise(3, 3, seed=seed + 100, dtype=dtype) - 0.5)
    values = noise(count, 3, *size, seed=seed, dtype=dtype) - 0.5
    mean = 0.4 + 0.2 * noise(1, 3, 1, 1, seed=seed + 200, dtype=dtype)
    return mean + spread * torch.einsum("ij,njhw->nihw", mix, values)


def constant(*rgb, size=(9, 7)):
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, *size).clone()


def grey(seed, size=(24, 31)):
    return noise(1, 1, *size, seed=seed).expand(-1, 3, -1, -1).clone()


def moments(picture):
    pixels = picture.double().flatten(1).numpy()
    return pixels.mean(1), np.cov(pixels, bias=True)


def luma(pictures):
    return np.einsum("c,nchw->nhw", LUMA, pictures.double().numpy())


def is_picture(image, like):
    assert image.shape == like.shape and image.dtype == like.dtype and image.device == like.device
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    return True


# linear


@pytest.mark.parametrize("how", LINEAR)
@pytest.mark.parametrize("seed", range(5))
def test_mean_and_covariance_become_the_contents(how, seed):
    style, content = coloured(seed), coloured(seed + 50, (17, 40), spread=0.2)
    image = match_colors(style, content, **how)
    assert is_picture(image, style) and image.min() > 0 and image.max() < 1  # nothing was clamped
    for made, wanted in zip(moments(image[0]), moments(content[0]), strict=True):
        np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-6)
    assert abs(moments(style[0])[1] - moments(content[0])[1]).max() > 1e-4


def oracle(style, content, root):
    if root == "cholesky":
        return scipy.linalg.cholesky(content, lower=True) @ scipy.linalg.inv(scipy.linalg.cholesky(style, lower=True))
    forth = scipy.linalg.sqrtm(style).real
    if root == "pca":
        return scipy.linalg.sqrtm(content).real @ scipy.linalg.inv(forth)
    back = scipy.linalg.inv(forth)
    return back @ scipy.linalg.sqrtm(forth @ content @ forth).real @ back


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("seed", range(5))
def test_each_root_is_scipys(root, seed):
    style, content = (coloured(s, dtype=torch.float64) for s in (seed, seed + 50))
    (mean, covariance), (new_mean, new_covariance) = moments(style[0]), moments(content[0])
    pixels = style[0].flatten(1).numpy() - mean[:, None]
    wanted = oracle(covariance, new_covariance, root) @ pixels + new_mean[:, None]
    image = match_colors(style, content, root=root)
    np.testing.assert_allclose(image[0].flatten(1).numpy(), wanted, rtol=0, atol=1e-9)


def test_roots_are_three_different_maps():
    style, content = coloured(1), coloured(51)
    images = [match_colors(style, content, **how) for how in ALL]
    for index, image in enumerate(images):
        assert all((image - other).abs().mean() > 1e-3 for other in images[:index])


def test_symmetric_moves_the_colours_least():
    for seed in range(5):
        style, content = coloured(seed), coloured(seed + 50)
        moved = {root: (match_colors(style, content, root=root) - style).square().mean() for root in ROOTS}
        assert moved["symmetric"] == min(moved.values()) < max(moved.values())


def test_what_leaves_the_range_is_clamped():
    style, content = coloured(1, spread=0.1), noise(1, 3, 20, 20).round()
    image = match_colors(style, content)
    assert is_picture(image, style) and image.min() == 0 and image.max() == 1


# histogram


@pytest.mark.parametrize(
    ("n", "m"), [((20, 20), (20, 20)), ((20, 20), (60, 40)), ((60, 40), (20, 20)), ((7, 11), (5, 13))]
)
def test_histogram_is_that_of_sorted_values(n, m):
    style, content = noise(1, 3, *n, seed=1), noise(1, 3, *m, seed=2).square()
    image = match_colors(style, content, "histogram")
    assert is_picture(image, style)
    for made, values, wanted in zip(*(t[0].flatten(1).double().numpy() for t in (image, style, content)), strict=True):
        # every wanted value len(values) times: then each place in the order holds a whole number of them
        share = np.repeat(np.sort(wanted), len(values)).reshape(len(values), len(wanted)).mean(1)
        expected = np.empty_like(share)
        expected[np.argsort(values, kind="stable")] = share
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)
        quantiles = np.quantile(wanted, [0.25, 0.5, 0.75])
        np.testing.assert_allclose(np.quantile(made, [0.25, 0.5, 0.75]), quantiles, rtol=0, atol=0.05)


def test_histogram_takes_over_the_values_exactly():
    style, content = noise(1, 3, 30, 20, seed=1), noise(1, 3, 20, 30, seed=2)
    image = match_colors(style, content, "histogram")
    assert torch.equal(image.flatten(2).sort().values, content.flatten(2).sort().values)


def test_histogram_keeps_equal_pixels_equal_and_their_order():
    style, content = (noise(1, 3, 40, 30, seed=1) * 9).round() / 9, noise(1, 3, 33, 17, seed=2)
    image = match_colors(style, content, "histogram")
    torch.testing.assert_close(image.mean((2, 3)), content.mean((2, 3)), rtol=0, atol=1e-6)
    for made, values in zip(image[0].flatten(1), style[0].flatten(1), strict=True):
        new = [made[values == level].unique() for level in values.unique()]
        assert all(len(level) == 1 for level in new) and torch.cat(new).diff().min() > 0


# every method


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("picture", [coloured(3), noise(1, 3, 20, 20), grey(4), constant(0.2, 0.5, 0.7)])
def test_a_picture_matched_to_itself_stays_as_it_is(how, picture):
    # triangular factors mix directions, so the raised variance of a grey picture shows a little in the others
    atol = 3e-4 if how == {"root": "cholesky"} else 1e-6
    torch.testing.assert_close(match_colors(picture, picture, **how), picture, rtol=0, atol=atol)


@pytest.mark.parametrize("how", ALL)
def test_style_of_one_colour_takes_the_mean_of_the_content(how):
    content = coloured(2)
    mean = content.mean((2, 3), keepdim=True)
    for style in (constant(0.1, 0.8, 0.3), constant(0.0, 0.0, 0.0), constant(1.0, 1.0, 1.0), noise(1, 3, 1, 1)):
        torch.testing.assert_close(match_colors(style, content, **how), mean.expand_as(style), rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ALL)
def test_grey_content_gives_grey(how):
    image = match_colors(coloured(1), grey(2), **how)
    assert is_picture(image, coloured(1))
    if "root" in how:  # channels for themselves keep their own order of pixels
        assert (image.amax(1) - image.amin(1)).max() < 1e-6
        assert image.std() == pytest.approx(grey(2).std().item(), abs=0.02)
    for shade in (0.0, 0.4, 1.0):
        flat = match_colors(coloured(1), constant(shade, shade, shade), **how)
        torch.testing.assert_close(flat, torch.full_like(flat, shade), rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ALL)
def test_grey_style_is_finite_and_takes_the_mean(how):
    content = coloured(1, spread=0.1)
    image = match_colors(grey(2), content, **how)
    assert is_picture(image, grey(2))
    torch.testing.assert_close(image.mean((2, 3)), content.mean((2, 3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("root", ROOTS)
def test_noise_on_a_grey_style_stays_faint(root):
    content = coloured(1)
    clean = (grey(2, (64, 64)) * 255).round()
    noisy = (clean + 2 * (noise(1, 3, 64, 64, seed=3) - 0.5)).round() / 255  # up to one step of 8 bits
    images = [match_colors(style, content, root=root) for style in (clean / 255, noisy)]
    chroma = moments(content[0])[1]
    stretched = np.sqrt(np.linalg.eigvalsh(chroma)[:2].sum() / 3)  # what a bare inverse makes of the noise
    assert 0 < (images[0] - images[1]).std() < 0.5 * stretched


@pytest.mark.parametrize("how", ALL)
def test_strength_mixes_the_pixels(how):
    style, content = coloured(1), coloured(51)
    full = match_colors(style, content, **how)
    assert torch.equal(match_colors(style, content, **how, strength=0), style)
    assert torch.equal(match_colors(style, content, **how, strength=1.0), full)
    half = match_colors(style, content, **how, strength=0.25)
    torch.testing.assert_close(half, 0.75 * style + 0.25 * full, rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("count", [1, 3])
def test_batches_are_matched_picture_by_picture(how, count):
    styles, contents = noise(3, 3, 12, 15), noise(count, 3, 20, 9, seed=1) * 0.5
    together = match_colors(styles, contents, **how)
    assert is_picture(together, styles)
    for index in range(3):
        alone = match_colors(styles[index : index + 1], contents[index % count][None], **how)
        assert torch.equal(together[index : index + 1], alone)


# one map for a film


def as_one(pictures):
    """All pictures of a film, side by side."""
    return torch.cat(list(pictures[None].unbind(1)), dim=-1)


@pytest.mark.parametrize("how", ALL)
@pytest.mark.parametrize("count", [1, 3])
def test_a_whole_film_is_matched_as_one_picture(how, count):
    film, other = coloured(3, count=3, dtype=torch.float64), coloured(7, count=count, dtype=torch.float64)
    found = match_colors(film, other, **how, film="whole")
    exact = match_colors(as_one(film), as_one(other), **how)
    torch.testing.assert_close(as_one(found), exact, rtol=0, atol=1e-9)
    apart = match_colors(film, other[:1], **how)
    assert not torch.allclose(found, apart, atol=1e-3)


@pytest.mark.parametrize("how", ALL)
def test_the_colours_of_one_frame_make_one_map(how):
    film, other = coloured(3, count=3), coloured(7, count=2)
    film[0] = film[1].flip(-1)  # the same colours
    found = match_colors(film, other, **how, film=1)
    single = match_colors(film[1:2], other[1:2], **how)
    torch.testing.assert_close(found[1:2], single, rtol=0, atol=1e-6)
    torch.testing.assert_close(found[0].flip(-1), found[1], rtol=0, atol=1e-6)
    # a painting takes the colours of a frame
    painting = match_colors(other[:1], film, **how, film=2)
    torch.testing.assert_close(painting, match_colors(other[:1], film[2:], **how), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_half_strength_of_a_film_is_half_way(method):
    film, other = coloured(3, count=2), coloured(7, spread=0.1)
    whole = match_colors(film, other, method, film="whole")
    half = match_colors(film, other, method, film="whole", strength=0.5)
    torch.testing.assert_close(half, film.lerp(whole, 0.5), rtol=0, atol=1e-2)


def test_a_large_film_gives_the_histogram_of_a_part(monkeypatch):
    monkeypatch.setattr(color, "_MOST", 500)
    film, other = coloured(3, count=3, spread=0.1), coloured(7, count=3, spread=0.1)
    found = match_colors(film, other, "histogram", film="whole")
    assert (found.mean(dim=(0, 2, 3)) - other.mean(dim=(0, 2, 3))).abs().max() < 0.01


@pytest.mark.parametrize("film", [3, -1, 1.0, True, "all"])
def test_a_frame_that_is_not_there_is_refused(film):
    with pytest.raises(
        InputError, match=f"film: expected 'off', 'whole', or the number of one of 3 pictures.*got {film!r}"
    ):
        match_colors(coloured(3, count=3), coloured(7), film=film)
    with pytest.raises(InputError, match="strength: expected a number from 0 to 1, got 2"):
        match_colors(coloured(3, count=3), coloured(7), film="whole", strength=2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_type_and_memory_layout_do_not_matter(dtype):
    style, content = coloured(1).to(dtype), coloured(51).to(dtype)
    for function in (*(functools.partial(match_colors, **how) for how in ALL), keep_luminance):
        image = function(style, content)
        assert is_picture(image, style)
        other = function(
            style.to(memory_format=torch.channels_last), content.movedim(1, -1).contiguous().movedim(-1, 1)
        )
        torch.testing.assert_close(image, other, rtol=0, atol=max(1e-12, torch.finfo(dtype).eps))


def test_inputs_stay_as_they_are_and_carry_no_gradient():
    style, content = coloured(1).requires_grad_(), coloured(51)
    before = style.detach().clone(), content.clone()
    for how in ALL:
        match_colors(style, content, **how).add_(1)  # a result of its own, never a view of what came in
        match_colors(style, content, **how, strength=0).add_(1)
    keep_luminance(style, content, strength=0).add_(1)
    assert torch.equal(style, before[0]) and torch.equal(content, before[1])
    assert not match_colors(style, content).requires_grad and not keep_luminance(style, content).requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_card_gives_the_same():
    style, content = coloured(1), coloured(51)
    for function in (*(functools.partial(match_colors, **how) for how in ALL), keep_luminance):
        image = function(style.cuda(), content.cuda())
        assert image.is_cuda and torch.equal(image.cpu(), function(style, content))


# luminance


def test_luminance_is_the_results_and_colour_the_contents():
    result, content = coloured(1, spread=0.1), coloured(51, spread=0.2)
    image = keep_luminance(result, content)
    assert is_picture(image, result) and image.min() > 0 and image.max() < 1
    np.testing.assert_allclose(luma(image), luma(result), rtol=0, atol=1e-6)
    for made, wanted, shown in zip(*(t[0].flatten(1).T.tolist() for t in (image, content, result)), strict=True):
        # the standard library's YIQ has coefficients of its own, rounded to 0.30, 0.59, 0.11
        np.testing.assert_allclose(colorsys.rgb_to_yiq(*made)[1:], colorsys.rgb_to_yiq(*wanted)[1:], rtol=0, atol=2e-3)
        assert colorsys.rgb_to_yiq(*made)[0] == pytest.approx(colorsys.rgb_to_yiq(*shown)[0], abs=4e-3)
    chroma = [t - torch.from_numpy(luma(t))[:, None] for t in (image, content)]
    torch.testing.assert_close(*chroma, rtol=0, atol=1e-6)


def test_out_of_gamut_colours_pale_and_keep_luminance_and_hue():
    result, content = noise(1, 3, 30, 30, seed=1), noise(1, 3, 30, 30, seed=2).round()
    image = keep_luminance(result, content)
    assert is_picture(image, result)
    np.testing.assert_allclose(luma(image), luma(result), rtol=0, atol=1e-6)
    made, wanted = (
        (t.double() - torch.from_numpy(luma(t))[:, None]).movedim(1, -1).reshape(-1, 3) for t in (image, content)
    )
    scale = (made * wanted).sum(-1) / wanted.square().sum(-1).clamp_min(1e-9)
    torch.testing.assert_close(made, scale[:, None] * wanted, rtol=0, atol=1e-6)  # the same direction: the same hue
    assert scale.min() > -1e-6 and scale.max() < 1 + 1e-6
    pale = (scale < 1 - 1e-5) & (wanted.abs().amax(-1) > 1e-6)
    edge = torch.minimum(image, 1 - image).amin(1).flatten()
    assert pale.any() and edge[pale].max() < 1e-6  # no paler than it takes


def test_luminance_of_a_picture_with_itself_changes_nothing():
    for picture in (coloured(1), noise(1, 3, 20, 20), grey(4), constant(0.0, 0.0, 0.0), constant(1.0, 0.0, 0.0)):
        for match in (False, True):
            image = keep_luminance(picture, picture, match=match)
            torch.testing.assert_close(image, picture, rtol=0, atol=1e-6)


def test_grey_black_and_white():
    content, result = coloured(1), noise(1, 3, 24, 31, seed=2)
    image = keep_luminance(result, grey(1))
    torch.testing.assert_close(
        image, torch.from_numpy(luma(result)).float()[:, None].expand_as(image), rtol=0, atol=1e-6
    )
    for shade in (0.0, 1.0):  # no colour fits there
        flat = torch.full((1, 3, 24, 31), shade)
        torch.testing.assert_close(keep_luminance(flat, content), flat, rtol=0, atol=1e-6)
    middle = torch.full((1, 3, 24, 31), 0.5)
    np.testing.assert_allclose(luma(keep_luminance(middle, content)), 0.5, rtol=0, atol=1e-6)


def test_matched_luminance_has_the_contents_mean_and_deviation():
    result, content = 0.1 * noise(1, 3, 30, 20) + 0.05, coloured(51, (30, 20), spread=0.3)
    image = keep_luminance(result, content, match=True)
    assert is_picture(image, result) and image.min() > 0 and image.max() < 1
    made, wanted, shown = luma(image), luma(content), luma(result)
    assert made.mean() == pytest.approx(wanted.mean(), abs=1e-6) and made.std() == pytest.approx(wanted.std(), abs=1e-6)
    assert np.corrcoef(made.ravel(), shown.ravel())[0, 1] == pytest.approx(1, abs=1e-6)
    flat = keep_luminance(constant(0.9, 0.9, 0.9, size=(30, 20)), content, match=True)
    np.testing.assert_allclose(luma(flat), wanted.mean(), rtol=0, atol=1e-6)


def test_matched_luminance_beyond_the_range_is_black_or_white():
    result, content = noise(1, 3, 30, 20), 0.5 + 0.5 * (noise(1, 3, 30, 20, seed=1).round() - 0.5)
    content[..., :15] = content[..., :15].mean(1, keepdim=True).round()
    image, made, wanted = keep_luminance(result, content, match=True), luma(result), luma(content)
    matched = (made - made.mean()) * wanted.std() / made.std() + wanted.mean()
    np.testing.assert_allclose(luma(image), matched.clip(0, 1), rtol=0, atol=1e-6)
    white, black = torch.from_numpy(matched)[:, None] >= 1, torch.from_numpy(matched)[:, None] <= 0
    assert white.any() and (image >= 1 - 1e-6).all(1, keepdim=True)[white].all()
    assert black.any() and (image <= 1e-6).all(1, keepdim=True)[black].all()


def test_content_of_another_size_is_resized():
    result, content = coloured(1), coloured(51, (60, 45))
    wanted = keep_luminance(result, resize(content, (24, 31)))
    torch.testing.assert_close(keep_luminance(result, content), wanted, rtol=0, atol=1e-6)


def test_strength_of_luminance_keeps_it_all_the_way():
    result, content = noise(1, 3, 20, 20), noise(1, 3, 20, 20, seed=1)
    full = keep_luminance(result, content)
    assert torch.equal(keep_luminance(result, content, strength=0), result)
    for strength in (0.3, 0.8):
        image = keep_luminance(result, content, strength=strength)
        torch.testing.assert_close(image, (1 - strength) * result + strength * full, rtol=0, atol=1e-6)
        np.testing.assert_allclose(luma(image), luma(result), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_batches_of_results(count):
    results, contents = noise(3, 3, 12, 15), noise(count, 3, 20, 9, seed=1)
    together = keep_luminance(results, contents, match=True)
    for index in range(3):
        alone = keep_luminance(results[index : index + 1], contents[index % count][None], match=True)
        assert torch.equal(together[index : index + 1], alone)


# bad input


@pytest.mark.parametrize("function", [match_colors, keep_luminance])
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (noise(3, 8, 8), noise(1, 3, 8, 8), r"expected a tensor of shape \(N, 3, H, W\), got \(3, 8, 8\)"),
        (noise(1, 3, 8, 8), noise(1, 1, 8, 8), r"content.*: expected a tensor of shape \(N, 3, H, W\)"),
        (noise(1, 3, 8, 8).byte(), noise(1, 3, 8, 8), "expected floating point values"),
        (noise(0, 3, 8, 8), noise(1, 3, 8, 8), "expected at least one picture"),
        (noise(1, 3, 8, 8), noise(1, 3, 0, 8), "content.*: expected at least one picture"),
        (noise(1, 3, 8, 8), torch.full((1, 3, 8, 8), float("nan")), "content.*: expected finite values"),
        (torch.full((1, 3, 8, 8), float("inf")), noise(1, 3, 8, 8), "expected finite values"),
        (noise(3, 3, 8, 8), noise(2, 3, 8, 8), "expected 1 picture or one for each .*, 3 in all, got 2"),
        (noise(1, 3, 8, 8), noise(2, 3, 8, 8), "expected 1 picture or one for each .*, 1 in all, got 2"),
        ("a.png", noise(1, 3, 8, 8), "there is no file 'a.png'; check the path"),
        (noise(1, 3, 8, 8), noise(1, 3, 8, 8) * 255, "content.*: expected values in .* divide by 255"),
    ],
)
def test_bad_pictures_are_named(function, first, second, message):
    with pytest.raises(ValueError, match=message):
        function(first, second)


@pytest.mark.parametrize("function", [match_colors, keep_luminance])
@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_bad_strength_is_named(function, strength):
    with pytest.raises(ValueError, match="strength: expected a number from 0 to 1"):
        function(coloured(1), coloured(2), strength=strength)


@pytest.mark.parametrize("how", [{"method": "lab"}, {"root": "qr"}, {"method": "symmetric"}, {"root": ""}])
def test_unknown_ways_are_named(how):
    ((name, value),) = how.items()
    known = METHODS if name == "method" else ROOTS
    with pytest.raises(ValueError, match=f"{name}: expected one of {', '.join(known)}, got {value!r}"):
        match_colors(coloured(1), coloured(2), **how)


def test_luma_is_that_of_grey():
    assert sum(color.LUMA) == pytest.approx(1)
