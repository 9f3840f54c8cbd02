"""Blend Styles, Save Style and Load Style as the host runs them: in inference mode, in a model folder of their own."""

import logging
import os
from pathlib import Path

import pytest
import torch
from pictures import host_picture as picture

LOAD_NET, EXTRACT, OPTIMIZE = "GatysLoadVGG19", "GatysExtractStyleGrams", "GatysOptimize"
BLEND, SAVE, LOAD = "GatysBlendStyles", "GatysSaveStyle", "GatysLoadStyle"


@pytest.fixture(scope="module")
def run(standin):
    return standin.run


@pytest.fixture(scope="module")
def vgg19(run):
    return run(LOAD_NET, weights="untrained")[0]


@pytest.fixture(scope="module")
def styles(run, vgg19):
    return [run(EXTRACT, vgg19=vgg19, image=picture(seed))[0] for seed in (1, 2)]


@pytest.fixture
def folder(standin):
    """`models/gatys_styles`, emptied afterwards."""
    folder = Path(standin.folder_paths.models_dir) / "gatys_styles"
    yield folder
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            Path(place, name).unlink()
        for name in folders:
            Path(place, name).rmdir()


def same(a, b):
    assert (a.network, dict(a.layers), a.size, a.levels) == (b.network, dict(b.layers), b.size, b.levels)
    return all(torch.equal(one[n], two[n]) for one, two in zip(a.grams, b.grams, strict=True) for n in one)


def refused(run, node, message, **inputs):
    with pytest.raises((ValueError, OSError), match=message):
        run(node, **inputs)


def offered(standin):
    (name,) = standin.nodes[LOAD].GET_SCHEMA().inputs
    return name.info["options"]


# blending


@pytest.mark.parametrize("factor", [0.0, 0.25, 0.5, 1.0, 1.5, -1.0])
def test_the_factor_goes_from_a_to_b(run, styles, factor):
    a, b = styles
    blend = run(BLEND, style_a=a, style_b=b, factor=factor)[0]
    for name, gram in blend.grams[0].items():
        torch.testing.assert_close(gram, (1 - factor) * a.grams[0][name] + factor * b.grams[0][name])
        assert not gram.is_inference()
    if factor in (0, 1):
        assert same(blend, styles[int(factor)])


def test_only_extrapolation_is_logged(run, styles, caplog):
    for factor, lines in ((0.5, 0), (1.0, 0), (1.5, 1), (-0.5, 2)):
        with caplog.at_level(logging.INFO):
            run(BLEND, style_a=styles[0], style_b=styles[1], factor=factor)
        assert len([r for r in caplog.records if "extrapolate" in r.getMessage()]) == lines


def test_a_blend_is_optimised_and_chains(run, vgg19, styles):
    third = run(EXTRACT, vgg19=vgg19, image=picture(3))[0]
    blend = run(BLEND, style_a=run(BLEND, style_a=styles[0], style_b=styles[1])[0], style_b=third, factor=1 / 3)[0]
    for name, gram in blend.grams[0].items():
        torch.testing.assert_close(gram, sum(s.grams[0][name] for s in (*styles, third)) / 3)
    image, history, _ = run(OPTIMIZE, vgg19=vgg19, style=blend, steps=3)
    assert image.shape == (1, 48, 40, 3) and history[0][-1].style < history[0][0].style


def test_other_networks_and_levels_are_refused(run, vgg19, styles):
    other = run(EXTRACT, vgg19=run(LOAD_NET, weights="untrained", pooling="average")[0], image=picture(1))[0]
    refused(run, BLEND, "max pooling.* another with .*average pooling", style_a=styles[0], style_b=other)
    two = run(EXTRACT, vgg19=vgg19, image=picture(1), levels=2)[0]
    refused(run, BLEND, "one style was extracted with 1 and another with 2", style_a=styles[0], style_b=two)
    refused(run, BLEND, "weight of style 1: expected a finite number", style_a=two, style_b=two, factor=float("nan"))


# the bank


def test_a_saved_style_is_loaded_again(standin, run, vgg19, styles, folder):
    for name in ("starry night", "van gogh/Nuit étoilée 星"):
        assert run(SAVE, style=styles[0], name=name)[0] is styles[0]
    names = [str(Path("van gogh", "Nuit étoilée 星.safetensors")), "starry night.safetensors"]
    assert sorted(offered(standin)) == sorted(names)
    for name in names:
        loaded = run(LOAD, name=name)[0]
        assert same(loaded, styles[0])
        assert not any(gram.is_inference() for gram in loaded.grams[0].values())
    results = [run(OPTIMIZE, vgg19=vgg19, style=style, steps=2)[0] for style in (styles[0], loaded)]
    assert torch.equal(*results)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_description_and_thumbnail_are_kept(standin, run, styles, folder, channels):
    painting = picture(1, 300, 200, channels, count=2)
    run(SAVE, style=styles[0], name="a", description="a line\nand another", image=painting)
    info = standin.gatys.targets.style_files.read_style_info(folder / "a.safetensors")
    assert info.description == "a line\nand another" and info.thumbnail.shape == (1, 3, 256, 171)


def test_the_path_is_shown(standin, styles, folder):
    options = {"overwrite": False, "description": ""}
    with torch.inference_mode():
        output = standin.nodes[SAVE].execute(style=styles[0], name="deep/a", **options)
    assert output.ui == {"text": (str(folder / "deep" / "a.safetensors"),)} and Path(output.ui["text"][0]).is_file()
    assert standin.nodes[SAVE].GET_SCHEMA().is_output_node


def test_overwriting_is_asked_for(run, styles, folder):
    run(SAVE, style=styles[0], name="a")
    refused(run, SAVE, "exists already; choose another name, or allow overwriting", style=styles[1], name="a")
    assert same(run(LOAD, name="a.safetensors")[0], styles[0])
    run(SAVE, style=styles[1], name="a", overwrite=True)
    assert same(run(LOAD, name="a.safetensors")[0], styles[1])
    assert os.listdir(folder) == ["a.safetensors"]


@pytest.mark.parametrize("name", ["", "../a", "..\\a", "/tmp/a", "C:\\a", "C:a", "a/../../b", "NUL", "a\0b", ".a"])
def test_names_stay_inside_the_folder(run, styles, folder, name):
    before = sorted(folder.parent.rglob("*"))
    refused(run, SAVE, "^name: expected a name like", style=styles[0], name=name, overwrite=True)
    assert sorted(folder.parent.rglob("*")) == before


def test_a_file_is_no_folder(run, styles, folder):
    run(SAVE, style=styles[0], name="a")
    refused(run, SAVE, "^name: cannot make the folder", style=styles[0], name="a.safetensors/b")


@pytest.mark.parametrize("name", ["gone.safetensors", "../vgg19/secret.safetensors", "", "/etc/passwd"])
def test_a_missing_style_names_the_folder(standin, run, styles, folder, name):
    secret = folder.parent / "vgg19" / "secret.safetensors"
    secret.touch()
    try:
        refused(run, LOAD, "gatys_styles, got .*; there are none yet, save one with Save Style", name=name)
        run(SAVE, style=styles[0], name="a")
        refused(run, LOAD, "gatys_styles, got .*; choose another", name=name)
    finally:
        secret.unlink()


def test_an_empty_folder_offers_a_hint(standin, run, folder):
    assert offered(standin) == ["no styles saved yet"]
    refused(run, LOAD, "there are none yet, save one with Save Style")


def test_only_style_files_are_offered(standin, run, styles, folder):
    run(SAVE, style=styles[0], name="a")
    for name in ("notes.txt", "b.pth", ".0123.tmp"):
        (folder / name).touch()
    assert offered(standin) == ["a.safetensors"]


def test_a_foreign_file_is_refused(run, folder):
    (folder / "a.safetensors").write_bytes(b"\x80\x02cos\nsystem\n")
    refused(run, LOAD, "is no sound style file: .*; choose a file that was saved as a style", name="a.safetensors")


def test_a_changed_file_is_loaded_again(standin, run, styles, folder):
    fingerprint = standin.nodes[LOAD].fingerprint_inputs
    assert fingerprint(name="a.safetensors") == "a.safetensors"
    run(SAVE, style=styles[0], name="a")
    before = fingerprint(name="a.safetensors")
    assert before == fingerprint(name="a.safetensors") != "a.safetensors"
    os.utime(folder / "a.safetensors", (1, 1))
    assert before != fingerprint(name="a.safetensors")


def test_another_network_is_refused_with_both_named(run, styles, folder):
    run(SAVE, style=styles[0], name="a")
    message = r"^style: made with untrained:0 \(max pooling.*but the network given is untrained:0 \(average pooling"
    refused(
        run,
        OPTIMIZE,
        message,
        vgg19=run(LOAD_NET, weights="untrained", pooling="average")[0],
        style=run(LOAD, name="a.safetensors")[0],
    )


def test_styles_wait_where_the_host_wants_them(standin, run, styles, folder, monkeypatch):
    run(SAVE, style=styles[0], name="a")
    monkeypatch.setattr(standin.mm, "storage_device", torch.device("meta"))
    assert run(LOAD, name="a.safetensors")[0].grams[0]["conv1_1"].is_meta


def test_folders_named_by_the_user_stay_first(standin, run, styles, tmp_path):
    known = standin.folder_paths.folder_names_and_paths
    before = known.pop("gatys_styles")
    try:
        standin.folder_paths.add_model_folder_path("gatys_styles", str(tmp_path))  # as extra_model_paths.yaml does
        standin.host.register_model_folder(standin.host.STYLE_FOLDER)
        assert known["gatys_styles"] == ([str(tmp_path), *before[0]], {".safetensors"})
        run(SAVE, style=styles[0], name="a")
        assert os.listdir(tmp_path) == ["a.safetensors"] and same(run(LOAD, name="a.safetensors")[0], styles[0])
    finally:
        known["gatys_styles"] = before
