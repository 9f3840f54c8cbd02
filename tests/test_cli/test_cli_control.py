"""The command line's regions, blends, saved styles and colours: each is what the library's function gives."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from pictures import drawing, picture

from gatys import StyleTarget, extract_content, extract_style, load_vgg19, optimize
from gatys.cli import command as cli
from gatys.cli import inputs, options, saving
from gatys.pictures import colors
from gatys.pictures.colors import LUMA, keep_luminance, match_colors
from gatys.pictures.images import read_image, write_image
from gatys.settings import METHODS, PROPAGATIONS, ROOTS
from gatys.targets.blending import blend_styles
from gatys.targets.matching import match_features
from gatys.targets.regions import regional_style
from gatys.targets.style_files import read_style_info, save_style

LAYERS = {"conv1_1": 1.0, "conv2_1": 1.0}
QUICK = ["--size", "64", "--steps", "2", "--levels", "1", "--device", "cpu", "--style-layers", "conv1_1,conv2_1"]
QUICK += ["--content-layers", "conv2_2", "-o", "out.png", "--depth", "16"]
PAIR = ["content.png", "style.png", "other.png"]
HALVES = ["--style-mask", "left.png", "--style-mask", "right.png"]


@pytest.fixture(scope="module")
def net():
    return load_vgg19("untrained")


@pytest.fixture(scope="module")
def average_pooled():
    return load_vgg19("untrained", "average")


@pytest.fixture(scope="module")
def saved(net, tmp_path_factory):
    """Styles as files, made once."""
    folder = tmp_path_factory.mktemp("bank")
    kinds = {"bank": {}, "auto": {"levels": "auto"}, "plain": {"normalize": False}, "three": {"levels": 3}}
    for seed, (name, how) in enumerate(kinds.items(), start=10):
        painting = picture(seed, size=(240, 200)) * torch.tensor([1.0, 0.6, 0.2]).view(3, 1, 1)
        style = extract_style(net, painting, LAYERS, **{"levels": 1, "normalize": True, **how})
        save_style(style, folder / f"{name}.safetensors", thumbnail=painting)
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, net, saved):
    """Where each test works; loads of the network cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: net)
    drawing((80, 64), 1).save("content.png")
    drawing((72, 96), 2).save("style.png")
    drawing((90, 40), 3, tint=(0.2, 0.5, 0.9)).save("other.png")
    half = torch.zeros(20, 40)
    half[:, :20] = 1
    write_image("left.png", half.expand(1, 3, -1, -1))
    write_image("right.png", (1 - half).expand(1, 3, -1, -1))
    write_image("black.png", torch.zeros(1, 3, 8, 8))
    for path in saved.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def run(*argv, code=0):
    assert cli.main([*argv, *QUICK]) == code


def result(*argv):
    run(*argv)
    return read_image("out.png").pixels


def extracted(net, name, **how):
    return extract_style(net, read_image(name, 64).pixels, LAYERS, 1, normalize=True, **how)


def expected(net, style):
    content = extract_content(net, read_image("content.png", 64).pixels, {"conv2_2": 1.0}, 1, normalize=True)
    return optimize(net, content=content, style=style, steps=2).image


def spied(monkeypatch, module, name):
    """The arguments of each call of a function, bound to its signature; the function still does its work."""
    calls, real = [], getattr(module, name)

    def spy(*args, **given):
        arguments = inspect.signature(real).bind(*args, **given).arguments
        calls.append({key: list(value) if inspect.isgenerator(value) or isinstance(value, zip) else value
                      for key, value in arguments.items()})  # fmt: skip
        return real(**calls[-1])

    monkeypatch.setattr(module, name, spy)
    return calls


def descended(monkeypatch):
    """What `optimize` is given, without descending."""
    seen = {}
    record = cli.Record(2, 0, 1.0, 0.5, 0.25, 0.125)

    def descend(net, **given):
        seen.update(given)
        height, width = given["size"] or given["content"].size
        return cli.Result(torch.full((1, 3, height, width), 0.5), (record,) * 2, ())

    monkeypatch.setattr(cli, "optimize", descend)
    return seen


def same(one, other, exact=True):
    assert one.layers == other.layers and one.levels == other.levels and one.normalize == other.normalize
    for mine, its in zip(one.grams, other.grams, strict=True):
        assert mine.keys() == its.keys()
        for name in mine:
            torch.testing.assert_close(mine[name], its[name], **({"rtol": 0, "atol": 0} if exact else {}))
    return True


# regions


def test_regions_are_what_the_functions_give(net):
    masks = [read_image(name).pixels[:, 0] for name in ("left.png", "right.png")]
    styles = [extracted(net, name) for name in ("style.png", "other.png")]
    picture = result(*PAIR, *HALVES)
    wanted = expected(net, regional_style(list(zip(styles, masks, strict=True))))
    assert torch.allclose(picture, wanted, atol=2 / 65535)
    swapped = result(*PAIR, "--style-mask", "right.png", "--style-mask", "left.png")
    averaged = result(*PAIR)
    assert (picture - swapped).abs().max() > 0.01 and (picture - averaged).abs().max() > 0.01


@pytest.mark.parametrize("given", [None, *PROPAGATIONS])
def test_propagation_and_masks_reach_the_regions(monkeypatch, given):
    calls = spied(monkeypatch, inputs, "regional_style")
    write_image("tinted.png", torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, 10, 12))
    seen = descended(monkeypatch)
    argv = ["content.png", "style.png", "--load-style", "bank.safetensors"]
    argv += ["--style-mask", "left.png", "--style-mask", "tinted.png"]
    run(*argv, *([] if given is None else ["--propagation", given]))
    (call,) = calls
    assert call.get("propagation") == given
    assert [region.propagation for region in seen["style"].regions] == [given or "average"] * 2
    (first, left), (second, tinted) = call["regions"]
    assert torch.allclose(left, read_image("left.png").pixels[:, 0]) and left.shape == (1, 20, 40)
    luminance = sum(weight * value for weight, value in zip(LUMA, (1.0, 0.5, 0.25), strict=True))
    assert torch.allclose(tinted, torch.full((1, 10, 12), luminance), atol=1 / 255)
    assert first.size == (64, 48) and same(second, StyleTarget.load("bank.safetensors"))  # STYLEs, then loaded ones


def test_a_mask_may_leave_part_of_the_content_alone(net):
    one = result(
        "content.png", "style.png", "--style-mask", "left.png", "--init", "content", "--style-layers", "conv1_1"
    )
    change = (one - read_image("content.png", 64).pixels).abs().mean(dim=(0, 1, 2))
    assert change[:28].mean() > 3 * change[-28:].mean()


def test_texture_of_two_regions(monkeypatch):
    seen = descended(monkeypatch)
    run("-", *PAIR[1:], *HALVES)
    assert len(seen["style"].regions) == 2 and seen["content"] is None and seen["size"] == (64, 48)


def test_transparency_of_a_mask_is_said_to_be_ignored(monkeypatch, capsys):
    descended(monkeypatch)
    mask = drawing((8, 8), 5)
    mask.putalpha(100)
    mask.save("clear.png")
    run("content.png", "style.png", "--style-mask", "clear.png")
    assert "style mask 'clear.png': its transparency is ignored" in capsys.readouterr().err


# blends and saved styles


@pytest.mark.parametrize("weights", [("0.75", "0.25"), ("3", "1"), ("1.5", "-0.5")])
def test_a_blend_is_what_the_functions_give(net, weights, capsys):
    styles = [extracted(net, name) for name in ("style.png", "other.png")]
    picture = result(*PAIR, "--blend", weights[0], "--blend", weights[1])
    wanted = expected(net, blend_styles(zip(styles, map(float, weights), strict=True)))
    assert torch.allclose(picture, wanted, atol=2 / 65535)
    assert (picture - result(*PAIR)).abs().max() > 0.01
    assert ("extrapolate" in capsys.readouterr().err) == ("-" in weights[1])


def test_weights_of_a_blend_follow_the_order_of_the_styles(monkeypatch):
    calls = spied(monkeypatch, inputs, "blend_styles")
    descended(monkeypatch)
    argv = ["--load-style", "bank.safetensors", "content.png", "--blend", "0.5", "style.png", "--blend", "2"]
    run(*argv, "--load-style", "auto.safetensors", "--blend=-1e-1")
    ((first, a), (second, b), (third, c)) = calls[0]["styles"]
    assert (a, b, c) == (0.5, 2.0, -0.1)
    assert first.size == (64, 48) and same(second, StyleTarget.load("bank.safetensors"))
    assert third.levels == 1 and torch.equal(
        third.grams[0]["conv1_1"], StyleTarget.load("auto.safetensors").grams[0]["conv1_1"]
    )


def test_equal_weights_are_the_plain_average(monkeypatch):
    seen = descended(monkeypatch)
    run(*PAIR)
    plain = seen["style"]
    run(*PAIR, "--blend", "2", "--blend", "2")
    assert same(plain, seen["style"], exact=False)


def test_a_loaded_style_alone(monkeypatch, capsys):
    seen = descended(monkeypatch)
    assert cli.main(["content.png", "--load-style", "bank.safetensors", *QUICK[:-4]]) == 0
    assert same(seen["style"], StyleTarget.load("bank.safetensors"))
    assert capsys.readouterr().out.startswith("content_bank.png: 64 x 51, ")
    assert cli.main(["-", "--load-style", "bank.safetensors", *QUICK[:-4]]) == 0
    assert capsys.readouterr().out.startswith("bank_texture.png: 53 x 64, ")  # the shape of its picture, 200 x 240


def test_what_is_for_pictures_is_not_left_out_silently(capsys):
    alone, rest = ["content.png", "--load-style", "bank.safetensors"], QUICK[: QUICK.index("--style-layers")]
    said = lambda *argv: (cli.main([*argv, *rest]), capsys.readouterr().err)[1]
    assert "it is as it was saved" not in said(*alone)
    told = "style 'bank.safetensors': it is as it was saved; --statistic, --style-layers: for STYLE pictures only"
    assert told in said(*alone, "--statistic", "moments", "--style-layers", "conv1_1")
    assert "it is as it was saved" not in said(*PAIR, *alone[1:], "--style-scale", "0.9")


def test_loaded_and_extracted_styles_are_averaged(monkeypatch, net):
    seen = descended(monkeypatch)
    run(*PAIR, "--load-style", "bank.safetensors")
    styles = [extracted(net, "style.png"), extracted(net, "other.png"), StyleTarget.load("bank.safetensors")]
    assert same(seen["style"], blend_styles([(style, 1.0) for style in styles]))


def test_what_is_saved_is_what_is_used(monkeypatch, capsys):
    fresh = result("content.png", "style.png", "--save-style", "new.safetensors")
    assert "gatys: saved the style as new.safetensors" in capsys.readouterr().err
    assert torch.equal(fresh, result("content.png", "--load-style", "new.safetensors"))
    info = read_style_info("new.safetensors")
    assert info.layers == LAYERS and info.size == (64, 48) and info.levels == 1
    assert torch.allclose(info.thumbnail, read_image("style.png", 64).pixels, atol=1 / 255)
    seen = descended(monkeypatch)
    run(*PAIR, "--blend", "1", "--blend", "3", "--save-style", "blend.safetensors")
    assert same(StyleTarget.load("blend.safetensors"), seen["style"])


def test_the_style_of_saved_styles_has_the_first_thumbnail(monkeypatch):
    descended(monkeypatch)
    loads = ["--load-style", "bank.safetensors", "--load-style", "auto.safetensors"]
    run("content.png", *loads, "--save-style", "both.safetensors")
    assert torch.equal(read_style_info("both.safetensors").thumbnail, read_style_info("bank.safetensors").thumbnail)


def test_saved_styles_are_replaced_only_when_told(monkeypatch, capsys):
    seen = descended(monkeypatch)
    argv = ["content.png", "style.png", "--save-style", "new.safetensors"]
    run(*argv)
    before = Path("new.safetensors").read_bytes()
    run("content.png", "other.png", *argv[2:], code=2)
    assert "--save-style: 'new.safetensors' exists already; " in capsys.readouterr().err
    assert Path("new.safetensors").read_bytes() == before
    run("content.png", "other.png", *argv[2:], "--overwrite-style")
    assert same(StyleTarget.load("new.safetensors"), seen["style"]) and Path("new.safetensors").read_bytes() != before


def test_a_file_that_appears_meanwhile_stops_the_run_before_the_descent(monkeypatch, net, capsys):
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: Path("new.safetensors").write_text("hers") and net)
    monkeypatch.setattr(cli, "optimize", lambda *args, **given: pytest.fail("found only by the descent"))
    run("content.png", "style.png", "--save-style", "new.safetensors", code=2)
    assert "'new.safetensors' exists already" in capsys.readouterr().err
    assert Path("new.safetensors").read_text() == "hers" and not Path("out.png").exists()


def test_another_network_is_refused_with_both_named(monkeypatch, average_pooled, capsys):
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: average_pooled)
    monkeypatch.setattr(inputs, "extract_content", lambda *args, **rest: pytest.fail("found only after long work"))
    run("content.png", "style.png", "--load-style", "bank.safetensors", "--pooling", "average", code=2)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "style 'bank.safetensors': made with untrained:0 (max pooling, " in line
    assert "the network given is untrained:0 (average pooling, " in line


@pytest.mark.parametrize(("levels", "name", "count"), [("1", "auto", 1), ("2", "auto", 2), ("auto", "three", 3)])
def test_levels_of_saved_styles(monkeypatch, levels, name, count):
    """Of an automatic one, as many as are asked for; of any other, exactly its own."""
    seen = descended(monkeypatch)
    assert StyleTarget.load("auto.safetensors").levels == 3
    argv = ["-", "--load-style", f"{name}.safetensors", *QUICK, "--steps", "9", "--levels", levels, "--size", "200"]
    assert cli.main(argv) == 0
    assert seen["style"].levels == count
    assert cli.main([*argv, "--style-mask", "left.png"]) == 0
    assert seen["style"].levels == count


# colours


@pytest.mark.parametrize("method", [*METHODS, *ROOTS])
def test_colours_are_matched_before_extraction(monkeypatch, net, method):
    seen, calls = descended(monkeypatch), spied(monkeypatch, colors, "match_colors")
    run(*PAIR, "--match-colors", method)
    content = read_image("content.png", 64).pixels
    how = {"method": "linear", "root": method} if method in ROOTS else {"method": method}
    for call, name in zip(calls, PAIR[1:], strict=True):
        assert torch.equal(call["style_image"], read_image(name, 64).pixels)
        assert torch.equal(call["content_image"], content)
        assert {key: call[key] for key in ("method", "root") if key in call} == how
    matched = [match_colors(read_image(name, 64).pixels, content, **how) for name in PAIR[1:]]
    assert same(seen["style"], extract_style(net, matched, LAYERS, 1, normalize=True))
    run(*PAIR)
    assert not torch.allclose(
        seen["style"].grams[0]["conv1_1"], extract_style(net, matched, LAYERS, normalize=False).grams[0]["conv1_1"]
    )


def test_features_are_matched_to_all_styles_to_those_of_the_blend_or_each_under_its_mask(monkeypatch, net):
    seen, share = descended(monkeypatch), ["--match-features", "0.75"]
    plain = extract_content(net, read_image("content.png", 64).pixels, ["conv2_2"])
    one, other = (read_image(name, 64).pixels for name in PAIR[1:])

    def expect(content):
        assert torch.equal(seen["content"].features[0]["conv2_2"], content.features[0]["conv2_2"])

    run(*PAIR)
    expect(plain)
    run(*PAIR, *share)
    expect(match_features(net, plain, [one, other], share=0.75))
    run(*PAIR, *share, "--blend", "2", "--blend", "-1")
    expect(match_features(net, plain, one, share=0.75))
    run(*PAIR, *share, *HALVES)
    left, right = (read_image(f"{name}.png").pixels[:, :1] for name in ("left", "right"))
    expect(match_features(net, match_features(net, plain, one, share=0.75, mask=left), other, share=0.75, mask=right))


def test_saved_styles_keep_their_colours_and_that_is_said(monkeypatch, capsys):
    seen = descended(monkeypatch)
    argv = ["content.png", "style.png", "--load-style", "bank.safetensors", "--match-colors", "linear"]
    run(*argv, "--blend", "0", "--blend", "1")
    assert same(seen["style"], StyleTarget.load("bank.safetensors"))
    assert "style 'bank.safetensors': it keeps the colours" in capsys.readouterr().err


def test_the_thumbnail_has_the_matched_colours(monkeypatch):
    descended(monkeypatch)
    write_image("content.png", torch.full((1, 3, 64, 80), 0.25))
    run("content.png", "style.png", "--match-colors", "histogram", "--save-style", "new.safetensors")
    assert torch.allclose(read_style_info("new.safetensors").thumbnail, torch.tensor(0.25), atol=2 / 255)


def test_luminance_is_kept_after_the_descent(monkeypatch):
    plain = result("content.png", "style.png", "--init", "noise")
    calls = spied(monkeypatch, saving, "keep_luminance")
    kept = result("content.png", "style.png", "--init", "noise", "--keep-luminance")
    content = read_image("content.png", 64).pixels
    assert torch.equal(calls[0]["content"], content)
    assert torch.allclose(calls[0]["result"], plain, atol=1 / 65535)
    assert torch.allclose(kept, keep_luminance(plain, content), atol=3 / 65535)
    assert (kept - plain).abs().mean() > 0.05


def test_all_together(monkeypatch, capsys):
    argv = [*PAIR, "--load-style", "bank.safetensors", "--match-colors", "pca", "--keep-luminance"]
    picture = result(*argv, "--blend", "1", "--blend", "1", "--blend", "1", "--save-style", "all.safetensors")
    assert picture.shape == (1, 3, 51, 64) and capsys.readouterr().out.startswith("out.png: 64 x 51, 2 steps")
    masks = [*HALVES, "--style-mask", "left.png"]
    assert (result(*argv, *masks) - picture).abs().max() > 0.01


# mistakes: found before the network is loaded

ALONE = ["content.png", "style.png"]
BANK = ["--load-style", "bank.safetensors"]
BAD = {  # what is wrong: arguments, a part of the sentence
    "one mask of two": (
        [*PAIR, "--style-mask", "left.png"],
        "--style-mask: expected one for each of the 2 styles 'style.png', 'other.png', got 1; repeat --style-mask",
    ),
    "mask as a style": (
        [*ALONE, "--style-mask", "left.png", "right.png"],
        "--style-mask: expected one for each of the 2 styles 'style.png', 'right.png', got 1",
    ),
    "mask of no loaded style": ([*ALONE, *BANK, "--style-mask", "left.png"], "'style.png', 'bank.safetensors', got 1"),
    "too many weights": ([*ALONE, "--blend", "1", "--blend", "2"], "--blend: expected one for each of the 1 styles"),
    "blend and masks": ([*PAIR, *HALVES, "--blend", "1", "--blend", "1"], "--blend, --style-mask: "),
    "missing mask": ([*ALONE, "--style-mask", "gone.png"], "there is no file 'gone.png'"),
    "black mask": ([*ALONE, "--style-mask", "black.png"], "--style-mask: 'black.png' is black everywhere; paint"),
    "no mask to propagate": ([*ALONE, "--propagation", "inside"], "--propagation: expected a --style-mask"),
    "propagation": ([*ALONE, "--style-mask", "left.png", "--propagation", "up"], "--propagation: invalid choice: 'up'"),
    "weight as text": ([*ALONE, "--blend", "much"], "--blend: expected a finite number, got 'much'"),
    "NaN weight": ([*ALONE, "--blend", "nan"], "--blend: expected a finite number, got 'nan'"),
    "weights of nothing": (
        [*PAIR, "--blend", "1", "--blend", "-1"],
        "--blend: expected weights that sum to more than 0, got 1, -1; raise one",
    ),
    "mask of no style": (
        ["content.png", "--style-weight", "0", "--style-mask", "left.png"],
        "--style-mask: expected one for each of the 0 styles",
    ),
    "missing style file": (["content.png", "--load-style", "gone.safetensors"], "there is no file 'gone.safetensors'"),
    "foreign style file": (["content.png", "--load-style", "style.png"], "'style.png' is no sound style file"),
    "not normalised": (
        ["content.png", "--load-style", "plain.safetensors"],
        "--load-style: 'plain.safetensors' was saved with --no-normalize, which holds for a whole run; give",
    ),
    "normalised": (["content.png", *BANK, "--no-normalize"], "was saved with --normalize, "),
    "another statistic": (
        [*ALONE, *BANK, "--statistic", "moments"],
        "--load-style: 'bank.safetensors' was saved with --statistic gram, but STYLE is read with moments, and the two",
    ),
    "more levels than saved": (
        ["-", *BANK, "--levels", "2"],
        "--levels: style 'bank.safetensors' was saved with 1, got 2; give 1 or auto",
    ),
    "more levels than an automatic style": (
        ["-", "--load-style", "auto.safetensors", "--levels", "4", "--steps", "9"],
        "--levels: style 'auto.safetensors' was saved with 3, got 4",
    ),
    "other levels than the content": (
        ["content.png", "--load-style", "three.safetensors"],
        "--levels: style 'three.safetensors' has 3 and content 'content.png' has 1, but all must have the same number",
    ),
    "other levels than another": (
        ["-", *BANK, "--load-style", "three.safetensors", "--levels", "auto", "--steps", "9"],
        "--levels: style 'three.safetensors' has 3 and style 'bank.safetensors' has 1, ",
    ),
    "steps for saved levels": (
        ["-", "--load-style", "three.safetensors", "--levels", "auto"],
        "steps: expected at least 1 for each of 3 levels",
    ),
    "overwriting nothing": ([*ALONE, "--overwrite-style"], "--overwrite-style: expected --save-style FILE with it"),
    "style file exists": ([*ALONE, "--save-style", "taken.safetensors"], "'taken.safetensors' exists already; give"),
    "style suffix": ([*ALONE, "--save-style", "x.png"], "--save-style: 'x.png' has the suffix '.png'; give it .safe"),
    "style folder": ([*ALONE, "--save-style", "gone/x.safetensors"], "--save-style: 'gone/x.safetensors' is a folder,"),
    "style is a folder": (
        [*ALONE, "--save-style", "folder.safetensors", "--overwrite-style"],
        "--save-style: 'folder.safetensors' is a folder,",
    ),
    "style name too long": ([*ALONE, "--save-style", f"{'x' * 300}.safetensors"], "ame too long"),
    "style over the weights": (
        [*ALONE, "--save-style", "taken.safetensors", "--overwrite-style", "--weights", "taken.safetensors"],
        "--save-style: 'taken.safetensors' is also the --weights file",
    ),
    "regions saved": ([*PAIR, *HALVES, "--save-style", "x.safetensors"], "--save-style: a file holds one style"),
    "no style to save": (
        ["content.png", "--style-weight", "0", "--save-style", "x.safetensors"],
        "--save-style: expected a STYLE or --load-style",
    ),
    "result over a mask": (
        [*ALONE, "--style-mask", "left.png", "-o", "left.png"],
        "--out: 'left.png' is also an input",
    ),
    "colours of no content": (["-", "style.png", "--match-colors", "linear"], "--match-colors: expected a CONTENT"),
    "colours of no style": (["content.png", *BANK, "--match-colors", "pca"], "--match-colors: expected a STYLE"),
    "features of no content": (["-", "style.png", "--match-features", "1"], "--match-features: expected a CONTENT"),
    "features of no style": (["content.png", *BANK, "--match-features", "1"], "--match-features: expected a STYLE"),
    "features of styles led away from": (
        ["content.png", "style.png", *BANK, "--blend", "-1", "--blend", "3", "--match-features", "0.5"],
        "--match-features: expected a STYLE picture, with a --blend above 0",
    ),
    "more than all features": ([*ALONE, "--match-features", "1.5"], "expected a finite number from 0 to 1, got '1.5'"),
    "way of matching": ([*ALONE, "--match-colors", "magic"], "--match-colors: invalid choice: 'magic'"),
    "luminance of no content": (["-", "style.png", "--keep-luminance"], "--keep-luminance: expected a CONTENT"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_mistake_is_one_sentence(mistake, monkeypatch, capsys):
    Path("taken.safetensors").write_text("precious")
    Path("folder.safetensors").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in Path().iterdir()}
    monkeypatch.setattr(cli, "load_vgg", lambda *args, **rest: pytest.fail("found only after the network was loaded"))
    argv, part = BAD[mistake]
    assert cli.main([*QUICK, *argv]) == 2
    out, err = capsys.readouterr()
    complaints = [line for line in err.splitlines() if line.startswith("gatys: error: ")]
    assert out == "" and len(complaints) == 1 and err.splitlines()[-1] == complaints[0], err
    assert part in complaints[0] and "Traceback" not in err
    assert {path: path.is_file() and path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (
            ["--style-mask", "dot.png", "--propagation", "inside", "--style-layers", "conv3_1"],
            "region mask: its area vanishes on the grid of conv3_1 by the rule 'inside'",
        ),
        (["--blend", "1e-9"], None),
    ],
)
def test_what_the_functions_say_of_a_style(argv, part, capsys):
    dot = torch.zeros(1, 3, 51, 64)
    dot[..., 20:24, 30:34] = 1
    write_image("dot.png", dot)
    assert cli.main(["content.png", "style.png", *QUICK, *argv]) == (0 if part is None else 2)
    assert part is None or part in capsys.readouterr().err


# what is offered


def test_help_names_what_is_used_without_the_option(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help-all"])
    text = capsys.readouterr().out
    for option, shown in {
        "load-style": "none",
        "blend": "equal shares",
        "style-mask": "everywhere",
        "propagation": inspect.signature(regional_style).parameters["propagation"].default,
        "save-style": "not kept",
        "overwrite-style": "it is left alone, and nothing is done",
        "match-colors": "its own colours",
        "keep-luminance": "the result's own colours",
    }.items():
        (part,) = re.findall(rf"^  --{option} .*?(?=^  -|^$)", text, re.MULTILINE | re.DOTALL)
        assert f"(default: {shown})" in " ".join(part.split()), option


def test_lists_begin_empty_each_time():
    for _ in range(2):
        given = options.build_parser().parse_intermixed_args(["c", "s", "--blend", "1", "--load-style", "x"])
        assert (given.blend, given.load_style, given.style_mask) == ([1.0], ["x"], [])
