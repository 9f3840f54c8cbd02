"""Long runs: the time-lapse that Gatys Optimize hands on, and the result that it shows on itself."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import host_picture as picture
from PIL import Image

CONTENT, STYLE, OPTIMIZE = "GatysExtractContentFeatures", "GatysExtractStyleGrams", "GatysOptimize"


@pytest.fixture(scope="module")
def vgg19(standin):
    return standin.run("GatysLoadVGG19", weights="untrained")[0]


@pytest.fixture(scope="module")
def wired(standin, vgg19):
    """The inputs of a small run on two levels."""
    (content,) = standin.run(CONTENT, vgg19=vgg19, image=picture(1, channels=4), levels=2)
    (style,) = standin.run(STYLE, vgg19=vgg19, image=picture(2), levels=2)
    return {"vgg19": vgg19, "content": content, "style": style, "steps": 7}


def alike(pictures, others):
    """The same but for their rounding to 8 bits."""
    assert pictures.shape == others.shape
    return bool(((pictures - others).abs() <= 0.5001 / 255).all())


def test_time_lapse_runs_from_the_start_to_the_result(standin, wired):
    image, history, way = standin.run(OPTIMIZE, **wired, time_lapse=2)
    assert image.shape == (1, 48, 40, 4) and way.shape == (4, 48, 40, 3)  # steps 1, 3, 5, and the result
    assert way.dtype == torch.float32 and 0 <= way.min() and way.max() <= 1
    assert alike(way[-1:], image[..., :3])
    assert not alike(way[0], way[1]) and not alike(way[1], way[2])
    plain, same, alone = standin.run(OPTIMIZE, **wired)
    assert torch.equal(plain, image) and same == history  # looking changes nothing
    assert torch.equal(alone, image[..., :3])


def test_frames_are_the_pictures_of_their_steps(standin, wired):
    """A run that is cancelled after that step, and kept, ends with the same picture."""
    way = standin.run(OPTIMIZE, **wired | {"time_lapse": 3})[2]
    steps = []
    standin.utils.set_progress_bar_global_hook(
        lambda value, *_, **__: steps.append(value) or (value == 4 and standin.mm.interrupt_current_processing())
    )
    try:
        kept, _, cut = standin.run(OPTIMIZE, **wired, keep_on_cancel=True, time_lapse=3)
    finally:
        standin.utils.set_progress_bar_global_hook(None)
    assert len(cut) == 3 and alike(cut[-1:], kept[..., :3])  # steps 1 and 4, and what was kept
    assert torch.equal(cut[:2], way[:2]) and len(way) == 3


def test_time_lapse_of_a_batch_is_one_picture_after_another(standin, vgg19, wired):
    (content,) = standin.run(CONTENT, vgg19=vgg19, image=picture(1, count=2), levels=2)
    image, _, way = standin.run(OPTIMIZE, **wired | {"content": content}, time_lapse=5)
    assert len(way) == 6  # steps 1, 6 and the result of each
    assert alike(way[[2, 5]], image)


def test_time_lapse_of_a_texture_and_from_a_picture(standin, vgg19, wired):
    texture = {"vgg19": vgg19, "style": wired["style"], "steps": 4, "time_lapse": 1}
    image, _, way = standin.run(OPTIMIZE, **texture)
    assert way.shape == (4, *image.shape[1:])
    image, _, way = standin.run(OPTIMIZE, **texture, init_image=picture(3, height=64, width=40))
    assert image.shape[1:3] == (64, 40) and way.shape == (4, 64, 40, 3)


def shown(standin, **inputs):
    """What the node shows on itself, and its results."""
    with torch.inference_mode():
        defaults = {
            socket.id: socket.info["default"]
            for socket in standin.nodes[OPTIMIZE].GET_SCHEMA().inputs
            if "default" in socket.info
        }
        output = standin.nodes[OPTIMIZE].execute(**defaults | inputs)
    return output.ui, output.args


def test_the_result_is_shown_on_the_node(standin, wired):
    ui, (image, *_) = shown(standin, **wired)
    (file,) = ui.as_dict()["images"]
    assert file["type"] == "temp"
    seen = np.array(Image.open(Path(standin.folder_paths.get_temp_directory(), file["filename"])))
    assert seen.shape == (48, 40, 4) and np.abs(seen / 255 - image[0].numpy()).max() < 1.01 / 255


def test_a_disk_that_refuses_costs_no_result(standin, wired, monkeypatch, caplog, tmp_path):
    full = tmp_path / "a file"
    full.touch()
    monkeypatch.setattr(standin.folder_paths, "get_temp_directory", lambda: os.fspath(full))
    with caplog.at_level("WARNING"):
        ui, (image, *_) = shown(standin, **wired)
    assert ui is None and image.shape == (1, 48, 40, 4)
    assert "the node cannot show its result (" in caplog.text
