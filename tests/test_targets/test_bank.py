"""Blends against sums of losses, style files there and back, and everything that is no sound style file."""

import json
import logging
import math
import os
import pickle
import struct
from dataclasses import replace

import pytest
import torch
from pictures import picture
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import gatys
from gatys import StyleTarget
from gatys.errors import StyleFileError
from gatys.targets.blending import blend_styles, check_whole
from gatys.targets.regions import regional_style
from gatys.targets.style_files import FORMAT, MAX_BYTES, read_style_info
from gatys.targets.style_paths import style_path

LAYERS = {"conv1_1": 0.5, "conv2_1": 0.3, "conv3_1": 0.2}


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained:7", pooling="average")


@pytest.fixture(scope="module")
def exact():
    return gatys.load_vgg19("untrained:7", pooling="average").double()


@pytest.fixture(scope="module")
def styles(net):
    return [gatys.extract_style(net, picture(seed), LAYERS, 2, normalize=False) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def style(styles):
    return styles[0]


def same(a, b):
    assert (a.network, dict(a.layers), a.size, a.normalize, a.automatic, a.levels) == (
        b.network,
        dict(b.layers),
        b.size,
        b.normalize,
        b.automatic,
        b.levels,
    )
    for mine, other in zip(a.grams, b.grams, strict=True):
        assert list(mine) == list(other) and all(torch.equal(mine[name], other[name]) for name in mine)
    return True


# blending


@pytest.mark.parametrize("weights", [(0.7, 0.3), (7.0, 3.0), (0.2, 0.2, 0.6), (1.5, -0.5), (2.0, 0.0, -1.0)])
def test_grams_are_averaged(styles, weights):
    blend = blend_styles(list(zip(styles, weights, strict=False)))
    assert blend.layers == pytest.approx(LAYERS) and blend.levels == 2
    for level, grams in enumerate(blend.grams):
        for name, gram in grams.items():
            mean = sum(s.grams[level][name] * w for s, w in zip(styles, weights, strict=False)) / sum(weights)
            torch.testing.assert_close(gram, mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("weights", [(0.7, 0.3), (1.6, -0.6)])
def test_a_blend_has_the_gradient_of_the_summed_losses(exact, weights, level):
    uneven = {"conv1_1": 0.1, "conv2_1": 0.9, "conv3_1": 0.4}  # so that equal shares of the Grams would be wrong
    styles = [
        gatys.extract_style(exact, picture(seed).double(), layers, 2, normalize=False)
        for seed, layers in ((1, LAYERS), (2, uneven if min(weights) > 0 else LAYERS))
    ]
    x = picture(5, size=(40 >> level, 33 >> level)).double()
    values, gradients = [], []
    for target in (*styles, blend_styles(list(zip(styles, weights, strict=True)))):
        losses, gradient = gatys.Objective(exact, style=target, level=level).evaluate(x)
        values.append(losses["style"])
        gradients.append(gradient)
    wanted = sum(w * g for w, g in zip(weights, gradients, strict=False))
    torch.testing.assert_close(gradients[2], wanted, rtol=0, atol=1e-10 * wanted.abs().max().item())
    # and the losses differ by the same constant for every picture
    other = [gatys.Objective(exact, style=s, level=level).evaluate(1 - x)[0]["style"] for s in styles]
    blended = gatys.Objective(exact, style=blend_styles(list(zip(styles, weights, strict=True))), level=level)
    constant = sum(w * v for w, v in zip(weights, values, strict=False)) - values[2]
    again = sum(w * v for w, v in zip(weights, other, strict=True)) - blended.evaluate(1 - x)[0]["style"]
    assert constant == pytest.approx(again, rel=1e-8)


def test_averaged_pictures_and_blended_styles_are_the_same(net, styles):
    together = gatys.extract_style(net, [picture(1), picture(2), picture(3)], LAYERS, 2, normalize=False)
    blend = blend_styles([(s, 1) for s in styles])
    for level, grams in enumerate(together.grams):
        for name, gram in grams.items():
            torch.testing.assert_close(blend.grams[level][name], gram)


def test_fine_texture_of_one_and_large_forms_of_another(net):
    fine = gatys.extract_style(net, picture(1), {"conv1_1": 0.2, "conv2_1": 0.3}, normalize=False)
    coarse = gatys.extract_style(net, picture(2), {"conv3_1": 0.4, "conv4_1": 0.1}, normalize=False)
    blend = blend_styles([(fine, 0.9), (coarse, 0.1)])
    assert dict(blend.layers) == pytest.approx({"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.4, "conv4_1": 0.1})
    assert torch.equal(blend.grams[0]["conv1_1"], fine.grams[0]["conv1_1"])
    assert torch.equal(blend.grams[0]["conv4_1"], coarse.grams[0]["conv4_1"])


def test_layers_that_overlap_are_shared_where_they_do(net):
    a = gatys.extract_style(net, picture(1), {"conv1_1": 0.2, "conv2_1": 0.3}, normalize=False)
    b = gatys.extract_style(net, picture(2), {"conv2_1": 0.3, "conv3_1": 0.4}, normalize=False)
    blend = blend_styles([(a, 0.25), (b, 0.75)])
    assert list(blend.layers) == ["conv1_1", "conv2_1", "conv3_1"] and blend.layers == pytest.approx(
        {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.4}
    )
    wanted = 0.25 * a.grams[0]["conv2_1"] + 0.75 * b.grams[0]["conv2_1"]
    torch.testing.assert_close(blend.grams[0]["conv2_1"], wanted)


def test_weight_zero_leaves_a_style_out(net, styles):
    deeper = gatys.extract_style(net, picture(2), {"conv4_1": 1.0}, 2, normalize=False)
    assert same(blend_styles([(styles[0], 1), (deeper, 0)]), styles[0])
    assert same(blend_styles([(styles[1], 0), (styles[0], 0.3)]), styles[0])


def test_the_size_is_one_that_every_layer_and_level_fits(net):
    small = gatys.extract_style(net, picture(1, size=(8, 90)), {"conv1_1": 1.0}, 3, normalize=False)
    large = gatys.extract_style(net, picture(2, size=(64, 64)), {"conv5_1": 1.0}, 3, normalize=False)
    for pair in ((small, large), (large, small)):
        assert blend_styles([(s, 1) for s in pair]).size == (64, 64)


@pytest.mark.parametrize(
    ("counts", "automatic"), [((2, "auto"), False), (("auto", "auto"), True), (("auto", 2), False)]
)
def test_automatic_levels_give_way(net, counts, automatic):
    # by themselves these pictures have 2 and 3 levels
    pair = [
        gatys.extract_style(net, picture(1, size=(edge, 600)), {"conv1_1": 1.0}, count, normalize=False)
        for edge, count in zip((130, 250), counts, strict=True)
    ]
    blend = blend_styles([(style, 1) for style in pair])
    assert (blend.levels, blend.automatic) == (2, automatic)


def test_extrapolation_is_said_once(styles, caplog):
    with caplog.at_level(logging.INFO, logger="gatys"):
        blend_styles([(styles[0], 0.5), (styles[1], 0.5)])
        assert not caplog.records
        blend_styles([(styles[0], 3), (styles[1], -1)])
    assert [r.getMessage() for r in caplog.records] == [
        "blend_styles: shares of 1.5, -0.5 extrapolate beyond the styles"
    ]


def test_an_extrapolated_gram_may_belong_to_no_picture(net, styles):
    blend = blend_styles([(styles[0], 4), (styles[1], -3)])
    assert torch.linalg.eigvalsh(blend.grams[0]["conv1_1"].double())[0, 0] < 0
    losses, gradient = gatys.Objective(net, style=blend).evaluate(picture(4))
    assert math.isfinite(losses["total"]) and gradient.isfinite().all()


def test_blending_leaves_the_styles_alone(styles):
    before = [{n: g.clone() for n, g in s.grams[0].items()} for s in styles]
    blend_styles([(s, w) for s, w in zip(styles, (0.3, -0.2, 0.9), strict=True)])
    for style, grams in zip(styles, before, strict=True):
        assert all(torch.equal(style.grams[0][name], gram) for name, gram in grams.items())


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (lambda net, s: [], "weights: expected them to sum to more than 0, got no styles"),
        (lambda net, s: [(s, 0)], "weights: expected them to sum to more than 0, got 0"),
        (lambda net, s: [(s, 1), (s, -1)], "sum to more than 0, got 1, -1"),
        (lambda net, s: [(s, 0.1), (s, 0.2), (s, -0.3)], "sum to more than 0"),  # 5e-17 in floating point
        (lambda net, s: [(s, float("nan"))], "weight of style 1: expected a finite number, got nan"),
        (lambda net, s: [(s, 1), (s, float("inf"))], "weight of style 2: expected a finite number"),
        (
            lambda net, s: [(s, 1), (replace(s, network=replace(s.network, weights="other", fingerprint="f" * 16)), 1)],
            r"made with untrained:7 \(average.* another with other \(average pooling, ffffffff\)",
        ),
        (
            lambda net, s: [
                (s, 1),
                (
                    gatys.extract_style(gatys.load_vgg19("untrained:7", "max"), picture(1), LAYERS, 2, normalize=False),
                    1,
                ),
            ],
            r"average pooling.* another with .*max pooling.*; extract both with the same network",
        ),
        (
            lambda net, s: [(s, 1), (gatys.extract_style(net, picture(1), LAYERS, 2, normalize=True), 1)],
            "one was extracted with normalize, another without",
        ),
        (
            lambda net, s: [(s, 1), (gatys.extract_style(net, picture(1), LAYERS, 1, normalize=False), 1)],
            "levels: one style was extracted with 1 and another with 2; extract all with the same number, or with 'auto'",
        ),
        (
            lambda net, s: [
                (s, 1.5),
                (gatys.extract_style(net, picture(1), {"conv4_1": 1.0}, 2, normalize=False), -0.5),
            ],
            "the styles that have conv4_1 do not sum to more than 0 there; extrapolate between styles that were",
        ),
        (
            lambda net, s: [
                (s, 1.5),
                (gatys.extract_style(net, picture(1), {n: 9.0 for n in LAYERS}, 2, normalize=False), -0.5),
            ],
            "the styles that have conv1_1 do not sum to more than 0 there",
        ),
    ],
)
def test_blends_that_make_no_sense_are_refused(net, style, others, message):
    with pytest.raises(ValueError, match=message):
        blend_styles(others(net, style))


def test_a_style_with_regions_is_no_style_to_blend_or_save(style):
    regions = regional_style([(style, torch.ones(4, 4))])
    with pytest.raises(TypeError, match="style 2: expected one style for the whole picture, got RegionalStyle"):
        blend_styles([(style, 1), (regions, 1)])
    with pytest.raises(TypeError, match="style: expected one style"):
        check_whole(regions, "style")


# there and back


@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"levels": "auto"}, {"levels": 3}])
def test_what_is_loaded_is_what_was_saved(net, tmp_path, options):
    style = gatys.extract_style(
        net, picture(1, size=(90, 70)), {"relu1_1": 0.1, "conv3_2": 1 / 3, "conv5_1": 7}, **options
    )
    path = style.save(tmp_path / "Nuit étoilée 星.safetensors")
    assert path == tmp_path / "Nuit étoilée 星.safetensors" and os.listdir(tmp_path) == [path.name]
    loaded = StyleTarget.load(path)
    assert same(loaded, style)
    x = picture(2, size=(90, 70))
    assert torch.equal(*(gatys.Objective(net, style=s).evaluate(x)[1] for s in (style, loaded)))


def test_blends_and_averages_keep(net, styles, tmp_path):
    many = gatys.extract_style(net, [picture(seed, size=(20 + seed, 30)) for seed in range(5)], LAYERS, normalize=False)
    for index, style in enumerate([many, blend_styles([(styles[0], 1.4), (styles[1], -0.4)])]):
        assert same(StyleTarget.load(style.save(tmp_path / f"{index}.safetensors")), style)


def test_wider_numbers_are_rounded_to_float32(exact, tmp_path):
    style = gatys.extract_style(exact, picture(1).double(), LAYERS, normalize=False)
    loaded = StyleTarget.load(style.save(tmp_path / "a.safetensors"))
    for name, gram in style.grams[0].items():
        assert gram.dtype == torch.float64 and torch.equal(loaded.grams[0][name], gram.float())


def test_a_file_is_ordinary_safetensors(style, tmp_path):
    path = style.save(tmp_path / "a.safetensors")
    tensors = load_file(path)
    assert set(tensors) == {f"level{level}.{name}" for level in (0, 1) for name in LAYERS}
    assert torch.equal(tensors["level1.conv2_1"], style.grams[1]["conv2_1"][0])
    with safe_open(path, "pt") as file:
        record = json.loads(file.metadata()["style"])
    assert record["network"]["weights"] == "untrained:7" and record["layers"] == LAYERS


@pytest.mark.parametrize(("size", "kept"), [((40, 33), (40, 33)), ((300, 512), (150, 256)), ((2000, 1), (256, 1))])
def test_information_and_thumbnail(style, tmp_path, size, kept):
    painting = picture(1, 2, size)
    text = "Vincent van Gogh, «La Nuit étoilée»\n1889 🌌"
    info = read_style_info(style.save(tmp_path / "a.safetensors", thumbnail=painting, description=text))
    assert (info.description, info.levels, info.size, info.layers) == (text, 2, (40, 33), LAYERS)
    assert info.network == style.network
    assert tuple(info.thumbnail.shape) == (1, 3, *kept) and info.thumbnail.dtype == torch.float32
    if size == kept:
        torch.testing.assert_close(info.thumbnail, painting[:1], rtol=0, atol=0.5 / 255 + 1e-6)
    assert same(StyleTarget.load(tmp_path / "a.safetensors"), style)
    plain = read_style_info(style.save(tmp_path / "b.safetensors"))
    assert plain.thumbnail is None and plain.description == ""


def test_loading_in_inference_mode_gives_ordinary_tensors(style, tmp_path):
    with torch.inference_mode():
        loaded = StyleTarget.load(style.save(tmp_path / "a.safetensors"))
    assert not any(g.is_inference() for grams in loaded.grams for g in grams.values())


def test_another_network_is_refused_with_both_named(style, tmp_path):
    loaded = StyleTarget.load(style.save(tmp_path / "a.safetensors"))
    with pytest.raises(ValueError, match=r"^style: made with untrained:7 .*, but the network given is untrained:8 "):
        gatys.Objective(gatys.load_vgg19("untrained:8", pooling="average"), style=loaded)


def test_nothing_is_overwritten_without_being_told(styles, tmp_path):
    path = styles[0].save(tmp_path / "a.safetensors")
    with pytest.raises(
        StyleFileError, match="a.safetensors' exists already; choose another name, or allow overwriting"
    ):
        styles[1].save(path)
    assert same(StyleTarget.load(path), styles[0])
    styles[1].save(path, overwrite=True)
    assert same(StyleTarget.load(path), styles[1]) and os.listdir(tmp_path) == ["a.safetensors"]
    link = tmp_path / "link.safetensors"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StyleFileError, match="exists already"):
        styles[1].save(link)


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failed_write_leaves_everything_as_it_was(styles, tmp_path, monkeypatch, function):
    path = styles[0].save(tmp_path / "a.safetensors")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.raises(StyleFileError, match="a.safetensors' cannot be written .*No space left"):
        styles[1].save(path, overwrite=True)
    assert same(StyleTarget.load(path), styles[0]) and os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"description": "x" * 10_001}, "description: expected a text of at most 10000 characters, got 10001"),
        ({"description": None}, "description: expected a text of at most 10000 characters, got NoneType"),
        ({"thumbnail": torch.zeros(3, 8, 8)}, "thumbnail: expected a tensor of shape"),
        ({"thumbnail": torch.full((1, 3, 8, 8), math.nan)}, "thumbnail: expected finite values"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(style, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        style.save(tmp_path / "a.safetensors", **change)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {"values": ({n: g * math.inf for n, g in s.grams[0].items()},)},
            "level0.conv1_1 has NaN or infinite",
        ),
        (lambda s: {"network": replace(s.network, fingerprint="")}, "no sound name and fingerprint"),
        (lambda s: {"size": (1 << 20, 4)}, "its size is"),
    ],
)
def test_a_style_that_could_not_be_loaded_is_not_saved(style, tmp_path, change, message):
    with pytest.raises(ValueError, match=f"style: it cannot be saved, because .*{message}"):
        replace(style, **change(style)).save(tmp_path / "a.safetensors")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["", "missing/a.safetensors"])
def test_a_folder_that_is_not_there_is_named(style, tmp_path, name):
    with pytest.raises(StyleFileError, match="is a folder or in a folder that is not there"):
        style.save(tmp_path / name)


# names in a bank


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("starry night", ["starry night.safetensors"]),
        (" Nuit étoilée 星 ", ["Nuit étoilée 星.safetensors"]),
        ("v1.5", ["v1.5.safetensors"]),
        ("a.SAFETENSORS", ["a.SAFETENSORS"]),
        ("van gogh/starry", ["van gogh", "starry.safetensors"]),
        ("van gogh\\1889 / starry", ["van gogh", "1889", "starry.safetensors"]),
        ("console", ["console.safetensors"]),
    ],
)
def test_names_become_paths_inside_the_bank(tmp_path, name, parts):
    assert style_path(tmp_path, name) == tmp_path.joinpath(*parts)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "an empty part"),
        ("  ", "an empty part"),
        (".safetensors", "an empty part"),
        ("a/", "an empty part"),
        ("a//b", "an empty part"),
        ("/etc/passwd", "an empty part"),
        ("\\\\server\\share\\a", "an empty part"),
        ("../a", "begins or ends with a dot"),
        ("a/../../b", "begins or ends with a dot"),
        ("a/ .. /b", "begins or ends with a dot"),
        ("..\\a", "begins or ends with a dot"),
        ("..", "begins or ends with a dot"),
        ("./a", "begins or ends with a dot"),
        (".hidden", "begins or ends with a dot"),
        ("a./b", "begins or ends with a dot"),
        ("C:\\a", "a control character or one of"),
        ("C:a", "a control character or one of"),
        ("a:stream", "a control character or one of"),
        ("a\0b", "a control character or one of"),
        ("a\nb", "a control character or one of"),
        ("a?", "a control character or one of"),
        ("\ud800", "a control character or one of"),
        ("CON", "a device on Windows"),
        ("nul.txt/a", "a device on Windows"),
        ("x/Com1.safetensors", "a device on Windows"),
        ("é" * 130, "a part of more than 255 bytes"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, problem):
    with pytest.raises(ValueError, match=r"^name: expected a name like 'starry night'.* with .*" + problem) as caught:
        style_path(tmp_path, name)
    assert str(caught.value).endswith("; choose another name") and "\n" not in str(caught.value)


# files from strangers


@pytest.fixture(scope="module")
def parts(style, tmp_path_factory):
    """The tensors, the metadata and the style record of a sound file, each for a test to spoil."""
    path = style.save(tmp_path_factory.mktemp("sound") / "a.safetensors", thumbnail=picture(1), description="sound")
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    return load_file(path), metadata, path.read_bytes()


def refused(path, message):
    for reader in (StyleTarget.load, read_style_info, StyleTarget.load):
        with pytest.raises(StyleFileError, match=message) as caught:
            reader(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 700


def with_record(metadata, **change):
    return metadata | {"style": json.dumps(json.loads(metadata["style"]) | change)}


def spoiled(parts, tmp_path, tensors=None, metadata=None, **record):
    kept, texts, _ = parts
    path = tmp_path / "stranger.safetensors"
    texts = texts if metadata is None else metadata
    save_file(kept if tensors is None else tensors, path, with_record(texts, **record) if record else texts)
    return path


def test_the_sound_file_is_sound(parts, style, tmp_path):
    assert same(StyleTarget.load(spoiled(parts, tmp_path)), style)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, 1000, -1])
def test_files_that_are_cut_off(parts, tmp_path, length):
    path = tmp_path / "a.safetensors"
    path.write_bytes(parts[2][:length])
    refused(path, "is no sound style file: .*cut off")


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def test_a_file_with_something_appended(parts, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(parts[2] + b"PK\x03\x04")
    refused(path, "cut off, damaged, or no .safetensors at all")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (raw({}, length=2**63), "cut off, or no .safetensors at all"),
        (raw({}, length=2**64 - 1), "cut off, or no .safetensors at all"),
        (raw(b" " * ((1 << 20) + 1)), "cut off, or no .safetensors at all"),
        (raw({}), "its format is None"),
        (raw([]), "damaged, or no .safetensors at all"),
        (raw(b"nonsense"), "damaged, or no .safetensors at all"),
        (raw(b"\xff\xfe\xfd"), "damaged, or no .safetensors at all"),
        (raw(b"[" * 100_000), "damaged, or no .safetensors at all"),
        (raw(b'{"a":' * 100_000), "damaged, or no .safetensors at all"),
        (raw({"__metadata__": []}), "damaged, or no .safetensors at all"),
        (raw({"a": {"dtype": "A\nB", "shape": [0], "data_offsets": [0, 0]}}), "damaged, or no .safetensors at all"),
        (raw({"__metadata__": {"format": FORMAT}}), "its metadata has"),
        (
            raw({"__metadata__": {"format": FORMAT, "style": {}, "description": ""}}),
            "damaged, or no .safetensors at all",
        ),
        (raw({"__metadata__": {"format": FORMAT, "style": "", "description": "", "x": ""}}), "its metadata has"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no .safetensors at all"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\n", "no .safetensors at all"),
    ],
)
def test_headers_that_lie(tmp_path, data, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    refused(path, message)


def test_offsets_that_lie(parts, tmp_path):
    _, _, data = parts
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    for offsets in ([0, 2**40], [-4, 16380], [16384, 0], [4, 16388]):
        changed = header | {"level0.conv1_1": header["level0.conv1_1"] | {"data_offsets": offsets}}
        path = tmp_path / "a.safetensors"
        path.write_bytes(raw(changed, body))
        refused(path, "cut off, damaged, or no .safetensors at all")


class Malice:
    def __reduce__(self):
        return (os.abort, ())


@pytest.mark.parametrize("how", [pickle.dump, torch.save])
def test_pickles_are_not_opened(tmp_path, how):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        how({"level0.conv1_1": Malice()}, file)
    refused(path, "no .safetensors at all")


def test_other_safetensors_and_newer_formats(parts, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"conv1_1.weight": torch.zeros(3)}, path, {"format": "pt"})
    refused(path, f"its format is 'pt' instead of '{FORMAT}'; choose a file that was saved as a style")
    refused(spoiled(parts, tmp_path, metadata=parts[1] | {"format": "gatys style 2"}), "its format is 'gatys style 2'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": torch.zeros(2)}, r"1 tensors are missing or do not belong there, first \['extra'\]"),
        ({"level2.conv1_1": torch.zeros(64, 64)}, r"first \['level2.conv1_1'\]"),
        ({"level0.conv1_1": None}, r"first \['level0.conv1_1'\]"),
        ({"level0.conv1_1": torch.zeros(64, 63)}, r"level0.conv1_1 is torch.float32 \(64, 63\) instead of"),
        ({"level0.conv1_1": torch.zeros(1, 64, 64)}, r"\(1, 64, 64\) instead of"),
        ({"level0.conv1_1": torch.zeros(0)}, r"\(0,\) instead of"),
        ({"level0.conv1_1": torch.zeros(64, 64, dtype=torch.float64)}, "is torch.float64"),
        ({"level0.conv1_1": torch.zeros(64, 64, dtype=torch.int64)}, "is torch.int64"),
        ({"level1.conv2_1": torch.full((128, 128), math.nan)}, "level1.conv2_1 has NaN or infinite values"),
        ({"level1.conv2_1": torch.full((128, 128), math.inf)}, "level1.conv2_1 has NaN or infinite values"),
        ({"level1.conv2_1": torch.arange(128.0**2).view(128, 128)}, "level1.conv2_1 is not symmetric"),
        ({"level1.conv2_1": torch.ones(128, 128).tril() * 2 - 1}, "level1.conv2_1 is not symmetric"),
        ({"level1.conv2_1": torch.ones(128, 128).tril() * 6e38 - 3e38}, "level1.conv2_1"),
        ({"thumbnail": torch.zeros(4, 4, 3)}, "its thumbnail is torch.float32"),
        ({"thumbnail": torch.zeros(257, 4, 3, dtype=torch.uint8)}, r"its thumbnail is torch.uint8 \(257, 4, 3\)"),
        ({"thumbnail": torch.zeros(4, 4, 4, dtype=torch.uint8)}, "its thumbnail is"),
        ({"thumbnail": torch.zeros(0, 4, 3, dtype=torch.uint8)}, "its thumbnail is"),
        ({"thumbnail": torch.zeros((), dtype=torch.uint8)}, "its thumbnail is"),
    ],
)
def test_tensors_that_do_not_belong(parts, tmp_path, change, message):
    tensors = {name: tensor for name, tensor in (parts[0] | change).items() if tensor is not None}
    refused(spoiled(parts, tmp_path, tensors), message)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"layers": {}}, "at least one layer"),
        ({"layers": ["conv1_1"]}, "its layers have no weights"),
        ({"layers": LAYERS | {"conv9_9": 1.0}}, "unknown layer 'conv9_9'"),
        ({"layers": LAYERS | {"../../x": 1.0}}, "unknown layer"),
        ({"layers": LAYERS | {"conv1_1": -1.0}}, "at least 0 for conv1_1"),
        ({"layers": LAYERS | {"conv1_1": math.nan}}, "expected a finite weight"),
        ({"layers": LAYERS | {"conv1_1": 10**400}}, "too large"),
        ({"layers": LAYERS | {"conv1_1": "0.5"}}, "its layers have no weights"),
        ({"layers": LAYERS | {"conv1_1": True}}, "its layers have no weights"),
        ({"layers": LAYERS | {"conv1_1": 0}}, "or have a weight of 0"),
        ({"layers": {"relu1_1": 1.0}}, "its layers are not named as 'conv1_1'"),
        ({"layers": {"conv1_1": 1.0}}, "tensors are missing or do not belong"),
        ({"levels": 0}, "its number of levels is 0"),
        ({"levels": 3}, "tensors are missing or do not belong"),
        ({"levels": 2.0}, "its number of levels is 2.0"),
        ({"levels": True}, "its number of levels is True"),
        ({"levels": 10**9}, "its number of levels is 1000000000"),
        ({"levels": "2" * 5000}, "its number of levels is '222"),
        ({"size": [40]}, r"its size is \[40\]"),
        ({"size": "40x33"}, "its size is '40x33'"),
        ({"size": [40, 10**12]}, "its size is"),
        ({"size": [40, -33]}, "its size is"),
        ({"size": [2, 3]}, "3 x 2 pixels"),
        ({"normalize": 1}, "its flags are neither true nor false"),
        ({"automatic": None}, "its flags are neither true nor false"),
        ({"grey": "yes"}, "its flags are neither true nor false"),
        ({"network": None}, "its network is not named"),
        ({"network": {"weights": "x", "pooling": "max"}}, "its network is not named"),
        ({"network": {"weights": 1, "pooling": "max", "fingerprint": "0" * 16}}, "its network is not named"),
        ({"network": {"weights": "x", "pooling": "min", "fingerprint": "0" * 16}}, "no sound name and fingerprint"),
        ({"network": {"weights": "x\n\x1b[2J", "pooling": "max", "fingerprint": "0" * 16}}, "no sound name"),
        ({"network": {"weights": "x", "pooling": "max", "fingerprint": "0" * 15 + "\n"}}, "no sound name"),
        ({"surprise": 1}, "its style record has"),
    ],
)
def test_records_that_do_not_fit(parts, tmp_path, record, message):
    refused(spoiled(parts, tmp_path, **record), message)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"style": "[]"}, "its style record is no JSON object"),
        ({"style": "{"}, "its style record cannot be read"),
        ({"style": "[" * 100_000}, "its style record cannot be read"),
        ({"style": '{"levels": ' + "9" * 5000 + "}"}, "its style record"),
        ({"description": "x" * 10_001}, "its description is longer than 10000"),
        ({"more": "text"}, "its metadata has"),
    ],
)
def test_metadata_that_does_not_fit(parts, tmp_path, texts, message):
    refused(spoiled(parts, tmp_path, metadata=parts[1] | texts), message)


def test_the_size_is_looked_at_before_reading(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no space
    refused(path, f"it has {MAX_BYTES + 1} bytes, more than any style")


def test_what_is_no_file(tmp_path):
    refused(tmp_path, "is no sound style file: it is a folder or a device")
    refused(tmp_path / "a.safetensors", "there is no file .*; check the path")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    refused(pipe, "it is a folder or a device")


def test_each_flipped_bit_is_refused_or_harmless(parts, tmp_path):
    """A damaged file gives a style with finite symmetric Grams or a `StyleFileError`, never anything else."""
    _, _, data = parts
    length = struct.unpack("<Q", data[:8])[0]
    path = tmp_path / "a.safetensors"
    random = torch.Generator().manual_seed(1)
    places = torch.randint(0, 8 * (8 + length), (300,), generator=random).tolist()
    outcomes = set()
    for place in places:
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            StyleTarget.load(path)
            outcomes.add("loaded")  # a letter of the description, or of the name of the weights
        except StyleFileError:
            outcomes.add("refused")
    assert "refused" in outcomes
