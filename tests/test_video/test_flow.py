"""Optical flow by the methods of others: direction and units of each, which one "auto" takes, and files of weights."""

import hashlib
import logging

import pytest
import torch
from pictures import noise, picture

import gatys
from gatys.network.download import Source
from gatys.pictures.resampling import resize
from gatys.video import flow as module

SHIFT = (5, 3)
"""Pixels to the right and down by which the view moves."""


def view(index, size=(96, 128)):
    """A view that moves over a smooth picture."""
    wide = resize(noise(1, 3, 26, 30, seed=4), (156, 180))
    left, top = 10 + SHIFT[0] * index, 10 + SHIFT[1] * index
    return wide[..., top : top + size[0], left : left + size[1]]


@pytest.fixture
def dis():
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    return "dis"


@pytest.fixture(scope="module")
def models():
    return pytest.importorskip("torchvision.models.optical_flow", reason="torchvision is not installed")


@pytest.fixture(scope="module")
def raft(models):
    """A small RAFT of random weights: its arithmetic alone."""
    torch.manual_seed(3)
    return models.raft_small(weights=None, progress=False).eval()


@pytest.fixture
def without(monkeypatch):
    """Take packages away."""

    def hide(*names):
        find = module.importlib.util.find_spec
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name in names else find(name))
        for name in names:
            monkeypatch.setitem(__import__("sys").modules, name, None)

    return hide


def test_flow_is_on_the_first_picture_and_points_into_the_second(dis):
    first, second = view(0), view(1)
    flow = gatys.optical_flow(first, second, dis)
    assert flow.shape == (1, 2, 96, 128) and flow.dtype == torch.float32
    inner = flow[..., 12:-12, 12:-12]
    wanted = -torch.tensor(SHIFT).view(1, 2, 1, 1)
    assert (inner - wanted).abs().mean() < 0.1
    moved = gatys.warp(second, flow)
    assert (moved - first).abs()[..., 12:-12, 12:-12].mean() * 255 < 1 < (second - first).abs().mean() * 25


def test_a_film_that_stands_still_has_no_flow(dis):
    assert not gatys.optical_flow(view(0), view(0), dis).any()


@pytest.mark.parametrize("size", [(1, 1), (20, 36), (70, 9), (64, 65)])
def test_pictures_of_any_size_are_taken(dis, raft, size):
    pictures = picture(1, 2, size)
    for method in (dis, raft):
        assert gatys.optical_flow(pictures, pictures.flip(0), method).shape == (2, 2, *size)


def test_raft_is_given_what_it_takes(raft):
    """128 x 136 pixels in [-1, 1] by repeating the last column and row; the last of its flows, cut."""
    first, second = picture(1, size=(100, 131)), picture(2, size=(100, 131))
    rows, columns = torch.arange(128).clamp(max=99), torch.arange(136).clamp(max=130)
    with torch.no_grad():
        exact = raft(*(2 * one[..., rows, :][..., columns] - 1 for one in (first, second)))[-1][..., :100, :131]
    torch.testing.assert_close(gatys.optical_flow(first, second, raft), exact, rtol=0, atol=1e-4)


def test_a_function_may_compute_the_flow():
    flow = gatys.optical_flow(view(0), view(1), lambda first, second: torch.ones(2, 96, 128))
    assert torch.equal(flow, torch.ones(1, 2, 96, 128))


def test_film_flow_goes_both_ways(dis):
    film = torch.cat([view(index) for index in range(3)])
    told = []
    flow = gatys.film_flow(film, dis, callback=lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)] and len(flow) == 2 and "2 of 128 x 96, both ways" in repr(flow)
    for index in range(2):
        here, last = film[index + 1 : index + 2], film[index : index + 1]
        assert torch.equal(flow.back[index : index + 1], gatys.optical_flow(here, last, dis))
        assert torch.equal(flow.ahead[index : index + 1], gatys.optical_flow(last, here, dis))


# which method


def save(models, folder, raft, name="raft_small", kept=None):
    weights = {"raft_small": models.Raft_Small_Weights, "raft_large": models.Raft_Large_Weights}[name].DEFAULT
    path = folder / (kept or weights.url.rpartition("/")[2])
    torch.save(raft.state_dict(), path)
    return path


@pytest.mark.parametrize("kept", [None, "raft_small.pth"])
def test_weights_that_are_there_are_taken(models, raft, tmp_path, kept, caplog):
    save(models, tmp_path, raft, kept=kept)
    first, second = picture(1, size=(40, 40)), picture(2, size=(40, 40))
    caplog.set_level(logging.INFO, "gatys")
    exact = gatys.optical_flow(first, second, raft)
    for method in ("raft_small", "auto"):
        found = gatys.optical_flow(first, second, method, folder=[tmp_path / "none", tmp_path])
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-5)
    assert "flow auto: raft_small" in caplog.text


def test_the_large_raft_is_taken_before_the_small(models, tmp_path):
    for name in ("raft_small", "raft_large"):
        (tmp_path / f"{name}.pth").write_bytes(b"")
    with pytest.raises(gatys.WeightsError, match=r"flow: .*raft_large.pth is not the file of torchvision's raft_large"):
        gatys.optical_flow(view(0), view(1), folder=tmp_path)


def test_auto_takes_opencv_without_weights(dis, tmp_path, caplog):
    caplog.set_level(logging.INFO, "gatys")
    found = gatys.optical_flow(view(0), view(1), folder=str(tmp_path))
    assert torch.equal(found, gatys.optical_flow(view(0), view(1), dis)) and "flow auto: dis" in caplog.text


def test_auto_downloads_without_opencv_and_checks_the_hash(models, raft, tmp_path, without, monkeypatch):
    without("cv2")
    served = save(models, tmp_path, raft)
    digest = hashlib.sha256(served.read_bytes()).hexdigest()
    told = []

    def fetched(digits):
        monkeypatch.setattr(module, "_raft", lambda name: (models.raft_small, Source(served.as_uri(), digits)))
        progress = lambda *done: told.append(done)
        return gatys.optical_flow(view(0), view(1), folder=tmp_path / "new", progress=progress)

    with pytest.raises(gatys.DownloadError, match=r"could not get the 'raft_large' weights .*or choose 'dis'"):
        fetched("00000000")
    torch.testing.assert_close(fetched(digest[:8]), gatys.optical_flow(view(0), view(1), raft), rtol=0, atol=1e-5)
    assert told[-1][0] == served.stat().st_size
    assert [path.name for path in (tmp_path / "new").iterdir()] == [served.name]


def test_what_is_missing_is_said(without, tmp_path):
    without("cv2", "torchvision", "torchvision.models")
    ask = lambda method: gatys.optical_flow(view(0), view(1), method, folder=tmp_path)
    with pytest.raises(
        gatys.MissingPackage, match="flow: expected OpenCV or torchvision, .*pip install opencv-python-h"
    ):
        ask("auto")
    with pytest.raises(gatys.MissingPackage, match="flow: 'dis' needs OpenCV, .*pip install opencv-python-headless"):
        ask("dis")
    with pytest.raises(gatys.MissingPackage, match="flow: 'raft_small' needs torchvision, .*pip install torchvision"):
        ask("raft_small")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("farneback", "flow: expected one of auto, dis, raft_small, raft_large, got 'farneback'"),
        (lambda first, second: torch.zeros(1, 2, 9, 9), "flow: expected a flow of the pictures' size, 128 x 96 pixels"),
        (lambda first, second: torch.zeros(3, 2, 96, 128), "flow: expected one for each of 1 pictures, got 3"),
    ],
)
def test_methods_that_do_not_fit_are_refused(method, message):
    with pytest.raises(gatys.InputError, match=message):
        gatys.optical_flow(view(0), view(1), method)


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(gatys.InputError, match=r"second: expected pictures like the first, \(1, 3, 96, 128\), got"):
        gatys.optical_flow(view(0), view(1)[..., 1:], "dis")
    with pytest.raises(gatys.InputError, match="frames: expected at least two, .*got 1"):
        gatys.film_flow(view(0))


def test_film_flows_are_checked():
    with pytest.raises(gatys.InputError, match="flow, back: expected a tensor of shape"):
        gatys.FilmFlow(torch.zeros(5))
    with pytest.raises(
        gatys.InputError, match=r"flow, ahead: expected \(1, 2, 8, 8\), as of the way back, got \(2, 2, 8, 8\)"
    ):
        gatys.FilmFlow(torch.zeros(1, 2, 8, 8), torch.zeros(2, 2, 8, 8))
