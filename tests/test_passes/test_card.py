"""An NVIDIA card beside the CPU: the same numbers come out, and graphs change none."""

import pytest
import torch
from pictures import picture

import gatys
from gatys.passes import adjoints
from gatys.passes.tiles import tiles
from gatys.targets.gram import gram_sum, gram_sum_gradient

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

SIZE = (72, 61)
STYLE = {f"conv{block}_1": 1.0 for block in range(1, 6)}
CONTENT = {"conv4_2": 1.0}


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Convolutions in float32 are that: PyTorch's default on these cards keeps 10 bits of a factor's 23."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def pictures(count, seed, device="cuda"):
    return picture(seed, count, SIZE).to(device)


def objective(device, pooling, padding, responses="relu", **how):
    net = gatys.read_as(gatys.load_vgg19("untrained", pooling), responses=responses).to(device)
    given = {"normalize": True, "padding": padding}
    content = gatys.extract_content(net, pictures(1, 1, device), CONTENT, **given)
    style = gatys.extract_style(net, pictures(1, 2, device), STYLE, **given)
    return gatys.Objective(net, content=content, style=style, tv_weight=0.1, **how)


@pytest.mark.parametrize("responses", ["relu", "conv"])
@pytest.mark.parametrize("padding", ["zero", "replicate", "circular"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_loss_and_gradient_are_those_of_the_cpu(pooling, padding, responses):
    here, there = (objective(device, pooling, padding, responses) for device in ("cpu", "cuda"))
    losses, gradient = here.evaluate(pictures(1, 3, "cpu"))
    for tile, keep in ((None, False), (32, False), (32, True)):
        terms, found = there.terms(pictures(1, 3), tile, keep=keep)
        assert terms.sums() == pytest.approx(losses, rel=1e-4)
        # where two of the four that are pooled are nearly equal, rounding may take another
        assert (found.cpu() - gradient).norm() < 5e-3 * gradient.norm()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_run_from_graphs_is_the_same(precision, caplog):
    net = gatys.load_vgg19("untrained", pooling="average").cuda()
    content = gatys.extract_content(net, pictures(2, 1), CONTENT, levels=2, normalize=True, device="cpu")
    style = gatys.extract_style(net, pictures(1, 2), STYLE, levels=2, normalize=True)
    both = {"content": content, "style": style, "steps": [8, 7], "precision": precision, "tile": None}
    plain, replayed = (gatys.optimize(net, **both, graphs=graphs) for graphs in (False, True))
    assert "no CUDA graph" not in caplog.text
    if precision == "float32":  # in which cuDNN adds up in another order each time
        first = [[record.total for record in result.history[:4]] for result in (plain, replayed)]
        assert first[0] == pytest.approx(first[1], rel=1e-3)
    else:
        assert torch.equal(plain.image, replayed.image) and plain.history == replayed.history
    assert plain.history[-1].total < 0.9 * plain.history[8].total


def test_graphs_in_inference_mode_beside_another_thread(caplog):
    """As hosts have it: all under inference mode, and others that work on the card."""
    import threading

    net = gatys.load_vgg19("untrained", pooling="average").cuda()
    content, done = gatys.extract_content(net, pictures(1, 1), CONTENT, normalize=False), threading.Event()

    def busy():
        while not done.is_set():
            torch.ones(2**16).cuda().sum().item()
            torch.cuda.empty_cache()

    other = threading.Thread(target=busy)
    other.start()
    try:
        with torch.inference_mode():
            found = gatys.optimize(net, content=content, init="noise", steps=30)
    finally:
        done.set()
        other.join()
    assert found.notes == () and "no CUDA graph" not in caplog.text
    assert found.history[-1].total < 0.2 * found.history[0].total


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("positions", [0, 5, 2**11, 2**12 + 100])
def test_gram_sums_in_pieces(dtype, positions):
    features = torch.rand(2, 64, 1, positions, device="cuda").to(dtype).contiguous(memory_format=torch.channels_last)
    flat = features.double().flatten(2)
    found = gram_sum(features)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), flat @ flat.mT, rtol=1e-4, atol=1e-6)
    pull = torch.rand(2, 64, 64, device="cuda")
    pull = pull + pull.mT
    expected = (2 * pull.double() @ flat).view(2, 64, 1, positions)
    found = gram_sum_gradient(features, pull)
    torch.testing.assert_close(found.double(), expected, rtol=2 * torch.finfo(dtype).eps + 1e-4, atol=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_convolution_that_rectifies(dtype):
    net = gatys.load_vgg19("untrained", pooling="average").cuda()
    low = gatys.passes.precision.lowered(net, dtype)
    (part,) = tiles(SIZE, None, [net.layers["conv2_1"]])
    x = torch.randn(1, 64, *SIZE, device="cuda").to(dtype).contiguous(memory_format=torch.channels_last)
    assert adjoints._fuses(x.device, dtype)
    spoiled = [torch.full((1, 128, *SIZE), torch.nan, device="cuda", dtype=dtype) for _ in range(8)]
    del spoiled  # whatever comes now may lie where they were
    found = adjoints.respond(low, "conv2_1", x, part)
    expected = adjoints.respond(low, "conv2_1", x, part, linear=True).relu_()
    torch.testing.assert_close(found, expected, rtol=2 * torch.finfo(dtype).eps, atol=2 * torch.finfo(dtype).eps)
    x[0, 0, 3, 4] = torch.nan
    assert adjoints.respond(low, "conv2_1", x, part).isnan().any()  # nothing that is wrong is hidden
