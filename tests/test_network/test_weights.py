"""Weights: every layout against a plain computation with the file's own numbers, the download, and refusals."""

import hashlib
import http.server
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pictures import picture
from safetensors import safe_open
from safetensors.torch import save_file

from gatys.errors import WeightsError
from gatys.network import weights as module
from gatys.network.download import Source
from gatys.network.found_files import IMAGENET_FILE
from gatys.network.layers import LAYERS
from gatys.network.preprocessing import read_as
from gatys.network.weights import load_vgg19

PLAIN = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
PADDED = [2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]
SHAPES = [(layer.channels, layer.in_channels, 3, 3) for layer in LAYERS.values()]
ASKED = ["conv1_1", "conv2_2"]
RGB_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
RGB_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
BGR_MEAN = torch.tensor([0.40760392, 0.45795686, 0.48501961]).view(1, 3, 1, 1)  # as leongatys' notebook subtracts it


@pytest.fixture(scope="module")
def filters():
    """Sixteen (weight, bias) pairs, shallowest first."""
    generator = torch.Generator().manual_seed(5)
    pairs = []
    for name, shape in zip(LAYERS, SHAPES, strict=True):
        own = shape if name < "conv3" else (shape[0], 1, 1, 1)  # expanded: the deep ones take no space in a file
        weight = (torch.randn(own, generator=generator) / shape[1] ** 0.5).expand(shape)
        pairs.append((weight, torch.randn(shape[0], generator=generator)))
    return pairs


def packed(state):
    return {key: value.contiguous() for key, value in state.items()}


@pytest.fixture(scope="module")
def image():
    return picture(6, size=(24, 20))


def keyed(filters, names):
    state = {}
    for name, (weight, bias) in zip(names, filters, strict=True):
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return state


def features(filters, stem="features."):
    return keyed(filters, [f"{stem}{index}" for index in PLAIN])


def hollow(shapes=SHAPES, names=None):
    """A state dict of the right shapes whose file takes no space."""
    names = names or [f"features.{index}" for index in PLAIN]
    one = torch.ones(1)
    return keyed([(one.expand(shape), one.expand(shape[0])) for shape in shapes], names)


def plain(x, filters):
    """conv1_1 and conv2_2 of an already preprocessed input, after their ReLUs."""
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = filters[:4]
    first = F.conv2d(x, w1, b1, padding=1).relu()
    x = F.avg_pool2d(F.conv2d(first, w2, b2, padding=1).relu(), 2)
    second = F.conv2d(F.conv2d(x, w3, b3, padding=1).relu(), w4, b4, padding=1).relu()
    return {"conv1_1": first, "conv2_2": second}


def assert_responses(net, image, expected):
    found = read_as(net, pooling="average")(image, ASKED)
    for name in ASKED:
        scale = expected[name].abs().max()
        assert scale > 0
        torch.testing.assert_close(found[name] / scale, expected[name] / scale, rtol=0, atol=3e-6)


def saved(state, path, **options):
    torch.save(state, path, **options)
    return path


def assert_refused(state, tmp_path, *words, name="other.pth"):
    with pytest.raises(WeightsError) as caught:
        load_vgg19(saved(state, tmp_path / name))
    assert_sentence(str(caught.value), name, *words)


def assert_sentence(message, *words):
    assert "\n" not in message
    for word in words:
        assert word in message


# Layouts


def test_torchvision_layouts_give_the_same_network(filters, image, tmp_path):
    expected = plain((image - RGB_MEAN) / RGB_STD, filters)
    classifier = {"classifier.0.weight": torch.ones(4, 4), "classifier.3.weight": torch.ones(4, 4)}
    whole = load_vgg19(saved(features(filters) | classifier, tmp_path / "whole.pth"))
    wrapped = {"epoch": 3, "state_dict": features(filters, stem="")}
    bare = load_vgg19(str(saved(wrapped, tmp_path / "old.pt", _use_new_zipfile_serialization=False)))
    save_file(packed(features(filters)), tmp_path / "same.safetensors")
    safe = load_vgg19(tmp_path / "same.safetensors", pooling="max")
    assert_responses(whole, image, expected)
    assert_responses(bare, image, expected)
    assert whole.tag.weights == "whole.pth"
    assert (safe.tag.weights, safe.tag.pooling, safe.pooling) == ("same.safetensors", "max", "max")
    assert whole.tag.fingerprint == bare.tag.fingerprint == safe.tag.fingerprint


def test_fingerprint_is_of_filters_then_preprocessing(filters, tmp_path):
    net = load_vgg19(saved({"model": features(filters)}, tmp_path / "net.pth"))
    digest = hashlib.sha256()
    for tensor in [part for pair in filters for part in pair] + [RGB_MEAN, RGB_STD]:
        digest.update(tensor.numpy().tobytes())
    assert net.tag.fingerprint == digest.hexdigest()[:16]
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.training
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}
    again = load_vgg19(saved(net.state_dict(), tmp_path / "again.pth"))  # its own state: RGB although named conv1_1
    assert again.tag.fingerprint == net.tag.fingerprint


def test_caffe_with_layer_names(filters, image, tmp_path):
    path = saved(keyed(filters, LAYERS), tmp_path / "vgg_conv.pth")
    net = load_vgg19(path)
    assert_responses(net, image, plain((image.flip(1) - BGR_MEAN) * 255, filters))
    assert_responses(load_vgg19(path, layout="torchvision"), image, plain((image - RGB_MEAN) / RGB_STD, filters))


@pytest.mark.parametrize("name, keys, layout", [
    ("any.pth", {"classifier.1.weight": torch.ones(2, 2)}, "auto"),
    ("vgg19-d01eb7cb.pth", {"classifier.0.weight": torch.ones(2, 2)}, "auto"),
    ("VGG19_Caffe.pth", {}, "auto"),
    ("any.pth", {}, "caffe"),
])  # fmt: skip
def test_caffe_with_torchvision_keys(filters, image, tmp_path, name, keys, layout):
    net = load_vgg19(saved(features(filters) | keys, tmp_path / name), layout=layout)
    assert_responses(net, image, plain((image.flip(1) - BGR_MEAN) * 255, filters))


def test_normalised_encoder_is_folded_exactly(filters, image, tmp_path):
    mixing = torch.tensor([[0.1, 0.2, 255.0], [-3.0, 250.0, 0.0], [260.0, 1.0, 2.0]])
    offset = torch.tensor([-103.9, -116.8, -123.7])
    state = keyed(filters, PADDED) | {"0.weight": mixing.view(3, 3, 1, 1), "0.bias": offset}
    path = saved(state, tmp_path / "vgg_normalised.pth")
    net = load_vgg19(path)
    assert_responses(net, image, plain(F.conv2d(image, mixing.view(3, 3, 1, 1), offset), filters))
    with pytest.raises(ValueError, match="expected 'auto' for vgg_normalised.pth"):
        load_vgg19(path, layout="caffe")


def test_half_precision_becomes_float32(filters, image, tmp_path):
    halves = [(weight.half(), bias.half()) for weight, bias in filters]
    save_file(packed(features(halves)), tmp_path / "half.safetensors")
    net = load_vgg19(tmp_path / "half.safetensors")
    assert net.conv1_1.weight.dtype == torch.float32
    rounded = [(weight.float(), bias.float()) for weight, bias in halves[:4]]
    assert_responses(net, image, plain((image - RGB_MEAN) / RGB_STD, rounded))


def test_preprocessing_is_torchvisions():
    models = pytest.importorskip("torchvision.models")
    transform = models.VGG19_Weights.IMAGENET1K_V1.transforms()
    net = load_vgg19("untrained")
    assert (net.mean.tolist(), net.std.tolist()) == (
        torch.tensor(transform.mean).tolist(),
        torch.tensor(transform.std).tolist(),
    )
    source = module.imagenet_source()
    assert source.url.endswith(f"vgg19-{source.sha256}.pth")
    assert len(source.sha256) == 8
    assert int(source.sha256, 16) > 0


# Download


class Server:
    """A checkpoint on 127.0.0.1; `announced` is the length it claims."""

    def __init__(self, content, announced=None, status=200):
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                self.send_response(status)
                self.send_header("Content-Length", str(len(content) if announced is None else announced))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/vgg19-fake.pth"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def source_at(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def point(url, sha256):
        monkeypatch.setattr(module, "imagenet_source", lambda: Source(url, sha256))

    return point


def test_download_keeps_the_convolutions_only(filters, tmp_path, source_at):
    checkpoint = packed(features(filters)) | {
        "classifier.0.weight": torch.ones(8, 8),
        "classifier.0.bias": torch.ones(8),
    }
    path = saved(checkpoint, tmp_path / "whole.pth", _use_new_zipfile_serialization=False)  # as torchvision's is
    content = path.read_bytes()
    digest, folder, reports = hashlib.sha256(content).hexdigest(), tmp_path / "new" / "folder", []
    with Server(content) as server:
        source_at(server.url, digest[:8])
        first = load_vgg19("imagenet", folder=folder, progress=lambda *report: reports.append(report))
        assert server.requests == 1
    assert [file.name for file in folder.iterdir()] == [IMAGENET_FILE]
    assert reports[-1] == (len(content), len(content))
    assert reports == sorted(reports)
    assert len(reports) > 10
    with safe_open(folder / IMAGENET_FILE, framework="pt") as kept:
        assert set(kept.keys()) == set(first.state_dict())
        assert kept.metadata()["source_sha256"] == digest
        assert kept.metadata()["layout"] == "gatys"
    second = load_vgg19("imagenet", folder=folder, pooling="max")  # the server is gone
    assert first.tag.fingerprint == second.tag.fingerprint == load_vgg19(path).tag.fingerprint
    assert first.tag.weights == second.tag.weights == "imagenet"
    (folder / IMAGENET_FILE).unlink()
    path.rename(folder / "vgg19-fake.pth")  # put there by hand
    assert load_vgg19("imagenet", folder=folder).tag == first.tag


def assert_not_downloaded(folder, url, *words):
    with pytest.raises(WeightsError) as caught:
        load_vgg19("imagenet", folder=folder)
    assert_sentence(str(caught.value), url, str(folder), "untrained", *words)
    assert list(folder.iterdir()) == []


def test_wrong_hash_and_foreign_content_leave_nothing(tmp_path, source_at):
    content = b"not what was asked for"
    digest = hashlib.sha256(content).hexdigest()
    with Server(content) as server:
        source_at(server.url, "00000000")
        assert_not_downloaded(tmp_path, server.url, "SHA-256", digest[:8], "00000000")
        source_at(server.url, digest[:8])
        assert_not_downloaded(tmp_path, server.url, "begins with b'not what")


def test_cut_off_transfer_leaves_nothing(tmp_path, source_at):
    content = b"x" * 1000
    with Server(content, announced=5000) as server:
        source_at(server.url, hashlib.sha256(content).hexdigest()[:8])
        assert_not_downloaded(tmp_path, server.url, "cut off after 1000 of 5000 bytes")


def test_http_error_and_absent_server_leave_nothing(tmp_path, source_at):
    with Server(b"", status=404) as server:
        source_at(server.url, "00000000")
        assert_not_downloaded(tmp_path, server.url, "404")
    assert_not_downloaded(tmp_path, server.url, "refused")


@pytest.mark.parametrize("cancel", [KeyboardInterrupt, OSError("stop"), WeightsError])
def test_cancelling_comes_through_and_leaves_nothing(tmp_path, source_at, cancel):
    def progress(done, total):
        assert (done, total) == (1000, 1000)
        raise cancel

    with Server(b"x" * 1000) as server:
        source_at(server.url, "00000000")
        with pytest.raises(BaseException) as caught:
            load_vgg19("imagenet", folder=tmp_path, progress=progress)
    assert caught.value is cancel or type(caught.value) is cancel
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path, source_at):
    (tmp_path / "file").write_text("in the way")
    source_at("http://127.0.0.1:9/vgg19-fake.pth", "00000000")
    with pytest.raises(WeightsError, match="weights: .* cannot be kept in .*file.*; set TORCH_HOME"):
        load_vgg19("imagenet", folder=tmp_path / "file" / "folder")


def test_default_folder_is_torch_hubs_and_only_made_when_needed(tmp_path, source_at, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    load_vgg19("untrained")
    assert not (tmp_path / "hub").exists()
    with Server(b"", status=500) as server:
        source_at(server.url, "00000000")
        with pytest.raises(WeightsError):
            load_vgg19("imagenet")
    assert list((tmp_path / "hub" / "gatys").iterdir()) == []


# Refusals


class Malice:
    def __reduce__(self):
        return (open, ("malice-was-here", "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    saved({"features.0.weight": Malice()}, tmp_path / "bad.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError) as caught:
        load_vgg19(tmp_path / "bad.pth")
    assert_sentence(str(caught.value), "bad.pth", "never run", "open", "state_dict")
    assert not (tmp_path / "malice-was-here").exists()


def test_a_name_without_end_in_a_pickle_is_cut(tmp_path):
    path = tmp_path / "bad.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02ccollections\n" + b"OrderedDict" * 1000 + b"\nq.")
        archive.writestr("a/version", b"3")
    with pytest.raises(WeightsError) as caught:
        load_vgg19(path)
    assert_sentence(str(caught.value), "bad.pth", "never run", "OrderedDict")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_checkpoint(tmp_path, zipped):
    path = saved(hollow(), tmp_path / "part.pth", _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    for length in (0, len(content) // 2, len(content) - 2):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError) as caught:
            load_vgg19(path)
        assert_sentence(str(caught.value), str(path), "cut off", "fetch it again")
        assert caught.value.__cause__ is not None


def test_truncated_safetensors(tmp_path):
    path = tmp_path / "part.safetensors"
    save_file({"conv1_1.weight": torch.ones(64, 3, 3, 3)}, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(WeightsError, match=r"part.safetensors is cut off.*\.safetensors"):
        load_vgg19(path)


def test_foreign_files(tmp_path):
    (tmp_path / "page.pth").write_text("<html>no such file</html>")
    with pytest.raises(WeightsError, match="page.pth is no checkpoint.*begins with b'<html>no such"):
        load_vgg19(tmp_path / "page.pth")
    (tmp_path / "vgg.onnx").write_text("")
    with pytest.raises(WeightsError, match="vgg.onnx ends in '.onnx'; expected .*safetensors"):
        load_vgg19(tmp_path / "vgg.onnx")
    with pytest.raises(
        WeightsError, match=r"no file .*missing.pth; expected 'auto', 'paper', 'imagenet', 'untrained', or a \.pth"
    ):
        load_vgg19(tmp_path / "missing.pth")
    with pytest.raises(OSError, match="no file imagnet; expected 'auto', 'paper', 'imagenet'"):
        load_vgg19("imagnet")


def test_other_networks(tmp_path):
    assert_refused(
        {"layer1.0.conv1.weight": torch.ones(64, 64, 3, 3)}, tmp_path, "'layer1.0.conv1.weight' (64, 64, 3, 3)"
    )
    assert_refused({}, tmp_path, "0 keys (none)", "vgg_normalised.pth")
    assert_refused(torch.ones(3), tmp_path, "Tensor instead of named tensors")
    normalised = features([(torch.ones(1).expand(shape), torch.ones(shape[0])) for shape in SHAPES])
    del normalised["features.2.bias"]
    assert_refused(normalised, tmp_path, "1 of VGG-19's convolutions are missing, first conv1_2 (features.2.weight)")
    assert_refused(normalised | {"features.1.running_mean": torch.zeros(64)}, tmp_path, "batch normalisation")
    short = hollow(names=[str(index) for index in PADDED])
    short |= {"0.weight": torch.eye(3).view(3, 3, 1, 1), "0.bias": torch.zeros(3)}
    for index in PADDED[9:]:
        del short[f"{index}.weight"], short[f"{index}.bias"]
    assert_refused(short, tmp_path, "7 of VGG-19's convolutions are missing, first conv4_2 (32.weight)")


def test_wrong_numbers(tmp_path):
    for key, value, word in (
        ("features.5.weight", torch.ones(128, 64, 5, 5), "shape (128, 64, 3, 3), got (128, 64, 5, 5)"),
        ("features.5.bias", torch.ones(128, dtype=torch.int64), "got (128,), torch.int64"),
        ("features.5.bias", 7, "got int"),
        ("features.34.bias", torch.full((512,), torch.nan), "NaN or infinite"),
        ("features.34.bias", torch.full((512,), 1e300, dtype=torch.float64), "NaN or infinite"),
    ):
        assert_refused(hollow() | {key: value}, tmp_path, key, word)
    singular = hollow(names=[str(index) for index in PADDED])
    singular |= {"0.weight": torch.ones(3, 3, 1, 1), "0.bias": torch.zeros(3)}
    assert_refused(singular, tmp_path, "invertible")


@pytest.mark.parametrize("text", ["", "-1", "1.5", "abc", "²", "1_0", " 1", str(2**64)])
def test_bad_seed(text):
    with pytest.raises(ValueError) as caught:
        load_vgg19(f"untrained:{text}")
    assert_sentence(str(caught.value), "weights", "whole number", repr(text))


def test_bad_arguments():
    with pytest.raises(ValueError, match="pooling: expected one of .*, got 'sum'"):
        load_vgg19("untrained", pooling="sum")
    with pytest.raises(ValueError, match="layout: expected one of auto, torchvision, caffe, got 'keras'"):
        load_vgg19("untrained", layout="keras")
    for weights in ("untrained:3", "imagenet", "paper", "auto"):
        with pytest.raises(ValueError, match=f"layout: 'caffe' is for checkpoint files, but weights is '{weights}'"):
            load_vgg19(weights, layout="caffe")
    with pytest.raises(TypeError, match="weights: expected .* got None"):
        load_vgg19(None)


# Untrained


def test_untrained_depends_on_its_seed_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    zero = load_vgg19("untrained")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, one = load_vgg19("untrained:00"), load_vgg19(f"untrained:{2**64 - 1}")
    assert zero.tag == again.tag
    assert (zero.tag.weights, one.tag.weights) == ("untrained:0", f"untrained:{2**64 - 1}")
    assert torch.equal(zero.conv3_1.weight, again.conv3_1.weight)
    assert not torch.equal(zero.conv3_1.weight, one.conv3_1.weight)
    assert zero.tag.fingerprint != one.tag.fingerprint


def test_untrained_keeps_responses_finite_and_alive(image):
    net = load_vgg19("untrained:3")
    responses = net(F.interpolate(image, size=64), list(LAYERS))
    for response in responses.values():
        assert response.isfinite().all()
        assert response.std() > 1e-3


def test_usable_after_inference_mode(tmp_path, image):
    path = saved(hollow(), tmp_path / "net.pth")
    with torch.inference_mode():
        nets = [load_vgg19("untrained"), load_vgg19(path)]
    for net in nets:
        assert not any(value.is_inference() for value in net.state_dict().values())
        picture = image.clone().requires_grad_()
        net(picture, ["conv2_1"])["conv2_1"].square().mean().backward()
        assert picture.grad.abs().max() > 0


@pytest.mark.slow
def test_filters_are_loaded_without_a_heavy_import():
    code = "import sys, torch, gatys.network.weights; before = set(sys.modules); gatys.network.weights.load_vgg19('untrained')"
    code += "; print([name for name in sys.modules if name not in before])"
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert found.stdout.startswith("[") and not any(f"'{name}" in found.stdout for name in ("sympy", "h5py"))
