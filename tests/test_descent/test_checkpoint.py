"""A run that ends anywhere and goes on from its state comes to the picture of a run that did not."""

import json
import logging
from dataclasses import replace

import pytest
import safetensors
import safetensors.torch
import torch
from pictures import noise as pictures

import gatys
from gatys.descent import checkpoint as checkpoints
from gatys.descent.checkpoint import Checkpoint
from gatys.descent.lbfgs import LBFGS
from gatys.descent.tensor_file import Damaged, read_tensors, write_tensors
from gatys.errors import CheckpointError, OutOfMemory

STYLE = {"conv1_1": 0.5, "conv2_1": 0.5}
CONTENT = {"conv2_2": 1.0}


class Crash(BaseException):
    pass


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


@pytest.fixture(scope="module")
def targets(net):
    content = gatys.extract_content(net, pictures(2, 3, 32, 40, seed=1), CONTENT, 2, normalize=True)
    style = gatys.extract_style(net, pictures(1, 3, 36, 34, seed=2), STYLE, 2, normalize=True)
    return {"content": content, "style": style}


def crash_at(*steps):
    """A callback that ends the run after each of these steps, each once."""
    left = list(steps)

    def callback(progress):
        if left and progress.step >= left[0]:
            left.pop(0)
            raise Crash

    return callback


def interrupted(net, path, cuts, every=60.0, **options):
    """The result of a run that ends after each of `cuts` and is begun again."""
    callback = crash_at(*cuts)
    for _ in cuts:
        with pytest.raises(Crash):
            gatys.optimize(net, **options, checkpoint=path, checkpoint_every=every, callback=callback)
    return gatys.optimize(net, **options, checkpoint=path, checkpoint_every=every, callback=callback)


def same(one, other):
    assert torch.equal(one.image, other.image)
    assert one.history == other.history and one.notes == other.notes


RUNS = {
    "lbfgs": {},
    "adam": {"optimizer": "adam"},
    "average": {"optimizer": "adam", "average": 0.8},
    "noise": {"init": "noise", "steps": [8, 4]},
    "tiles": {"tile": 20, "steps": 8},
    "picture": {"init": pictures(1, 3, 50, 50, seed=3), "tv_weight": 0.01, "tv_form": "absolute"},
    "setbacks": {"optimizer": "adam", "learning_rate": 0.9},
}


@pytest.mark.parametrize("name", RUNS)
def test_goes_on_to_the_same_picture_and_history(net, targets, tmp_path, name, caplog):
    options = {**targets, "steps": 10, **RUNS[name]}
    whole = gatys.optimize(net, **options)
    assert whole.state is None
    total, coarse = len(whole.history), sum(record.level == 1 for record in whole.history)
    path, cuts = tmp_path / "run.safetensors", (1, 2, coarse - 1, coarse, coarse + 1, total - 1, total)
    with caplog.at_level(logging.INFO, "gatys.descent.logbook"):
        same(interrupted(net, path, cuts, **options), whole)
    for cut in cuts:
        assert f"going on from step {cut} of {total}, found in {path}" in caplog.text
    again = gatys.optimize(net, **options, checkpoint=path, callback=crash_at(1))  # no step is left
    same(again, whole)
    assert again.state == path and path.exists()


def test_a_state_every_step_and_none_before_its_time(net, targets, tmp_path):
    path, seen = tmp_path / "run.safetensors", []

    def look(progress):
        seen.append(json.loads(safetensors.safe_open(path, "pt").metadata()["record"])["step"] if path.exists() else 0)

    gatys.optimize(net, **targets, steps=5, checkpoint=path, checkpoint_every=0, callback=look)
    gatys.optimize(net, **targets, steps=5, checkpoint=tmp_path / "b", checkpoint_every=1e6,
                   callback=lambda progress: seen.append((tmp_path / "b").exists()))  # fmt: skip
    assert seen == [1, 2, 3, 4, 5] + [False] * 5 and (tmp_path / "b").exists()


def test_the_picture_of_a_run_that_is_stopped_early_is_returned_and_its_state_kept(net, targets, tmp_path):
    def stop(progress):
        if progress.step == 4:
            raise StopIteration

    whole = gatys.optimize(net, **targets, steps=8)
    part = gatys.optimize(net, **targets, steps=8, checkpoint=tmp_path / "run", callback=stop)
    assert len(part.history) == 4 and part.image.shape == whole.image.shape
    same(gatys.optimize(net, **targets, steps=8, checkpoint=part.state), whole)


def test_in_a_folder_each_run_has_a_file_of_its_own(net, targets, tmp_path):
    runs = [{"steps": 4}, {"steps": 4, "seed": 5, "init": "noise"}, {"steps": 6}]
    results = [gatys.optimize(net, **targets, **run, checkpoint=tmp_path) for run in runs]
    assert sorted(result.state for result in results) == sorted(tmp_path.iterdir())
    for run, result in zip(runs, results, strict=True):
        same(gatys.optimize(net, **targets, **run, checkpoint=tmp_path), result)


def test_regions_temporal_targets_and_textures(net, targets, tmp_path):
    mask = torch.zeros(20, 20)
    mask[:, :9] = 1
    style = gatys.regional_style([(targets["style"], mask), (targets["style"], 1 - mask)])
    temporal = gatys.TemporalTarget(pictures(1, 3, 32, 40, seed=7), pictures(1, 1, 32, 40, seed=8))
    for number, options in enumerate(
        [{**targets, "style": style, "temporal": temporal}, {"style": style, "size": (32, 32), "padding": "circular"}]
    ):
        whole = gatys.optimize(net, **options, steps=8)
        same(interrupted(net, tmp_path / f"{number}", (2, 5), **options, steps=8), whole)


def test_tiles_and_memory_that_ran_out_before_stay(net, targets, tmp_path, monkeypatch):
    """What a run has learnt of its memory is part of its state: here that it must go on in tiles, with fewer pairs."""
    big = {
        "content": gatys.extract_content(net, pictures(1, 3, 96, 64), CONTENT, normalize=False),
        "style": targets["style"],
    }
    big["style"] = replace(targets["style"], values=targets["style"].grams[:1])
    terms, tell, asked = gatys.Objective.terms, LBFGS.tell, []

    def short(self, image, tile=None, *, keep=False):
        asked.append((tile, keep))
        if tile is None and len(asked) > 3:
            raise MemoryError
        return terms(self, image, tile, keep=keep)

    def forgetful(self, loss, gradient):
        if self._history_size == 10 and len(self._history) == 4:
            raise MemoryError
        tell(self, loss, gradient)

    monkeypatch.setattr(gatys.Objective, "terms", short)
    monkeypatch.setattr(LBFGS, "tell", forgetful)
    whole = gatys.optimize(net, **big, steps=10)
    assert len(whole.notes) == 2 and "tiles" in whole.notes[0] and "fewer" in whole.notes[1]
    asked.clear()
    same(interrupted(net, tmp_path / "run", (4, 5, 8), **big, steps=10), whole)


def test_with_less_memory_than_before_it_goes_on_in_smaller_tiles(net, targets, tmp_path, monkeypatch):
    path, terms, asked = tmp_path / "run", gatys.Objective.terms, []

    def noted(self, image, tile=None, *, keep=False):
        asked.append(tile)
        return terms(self, image, tile, keep=keep)

    monkeypatch.setattr(gatys.Objective, "terms", noted)
    big = {
        "content": gatys.extract_content(net, pictures(1, 3, 136, 136, seed=4), CONTENT, normalize=False),
        "init": "noise",
    }
    with pytest.raises(Crash):
        gatys.optimize(net, **big, steps=4, checkpoint=path, callback=crash_at(2))
    result = gatys.optimize(net, **big, steps=4, checkpoint=path, memory=1)
    assert asked[:2] == [None, None] and all(max(tile) < 136 for tile in asked[2:]) and len(asked) == 4
    whole = gatys.optimize(net, **big, steps=4)
    assert [record.step for record in result.history] == [1, 2, 3, 4]
    assert result.history[:2] == whole.history[:2]
    torch.testing.assert_close(result.image, whole.image, atol=1e-3, rtol=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OutOfMemory("full"), RuntimeError("x")])
def test_the_last_sound_state_is_written_whatever_ends_the_run(net, targets, tmp_path, monkeypatch, error):
    """Even from the midst of an evaluation, and between two levels; never from the midst of `tell`."""
    whole = gatys.optimize(net, **targets, steps=8)
    terms, calls = gatys.Objective.terms, []

    def failing(self, *args, **how):
        calls.append(1)
        if len(calls) in (3, 8):  # the second is the first evaluation of the finer level
            raise error
        return terms(self, *args, **how)

    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(gatys.Objective, "terms", failing)
        for steps in (2, 4):
            with pytest.raises(error if isinstance(error, type) else type(error)):
                gatys.optimize(net, **targets, steps=8, checkpoint=path)
            record = json.loads(safetensors.safe_open(path, "pt").metadata()["record"])
            assert record["step"] == steps
            calls += [1] * (7 - 3) if steps == 2 else []
            calls[:] = calls[:5]
    same(gatys.optimize(net, **targets, steps=8, checkpoint=path), whole)


def test_a_step_that_is_half_done_is_not_written(net, targets, tmp_path, monkeypatch):
    tell, path = LBFGS.tell, tmp_path / "run"

    def failing(self, loss, gradient):
        tell(self, loss, gradient)
        if len(self._history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LBFGS, "tell", failing)
        with pytest.raises(KeyboardInterrupt):
            gatys.optimize(net, **targets, steps=8, checkpoint=path)
        assert not path.exists()  # its time had not come before
        with pytest.raises(KeyboardInterrupt):
            gatys.optimize(net, **targets, steps=8, checkpoint=path, checkpoint_every=0)
    same(gatys.optimize(net, **targets, steps=8, checkpoint=path), gatys.optimize(net, **targets, steps=8))


# refusals


@pytest.fixture(scope="module")
def interrupted_run(net, targets, tmp_path_factory):
    """The options of a run and the bytes of its state after four of eight steps."""
    path = tmp_path_factory.mktemp("state") / "run"
    with pytest.raises(Crash):
        gatys.optimize(net, **targets, steps=8, checkpoint=path, callback=crash_at(4))
    return {**targets, "steps": 8}, path.read_bytes()


def test_the_state_of_another_run_is_refused_and_left_alone(net, targets, tmp_path, interrupted_run):
    options, data = interrupted_run
    path = tmp_path / "run"
    path.write_bytes(data)
    pixels = pictures(2, 3, 32, 40, seed=1)
    mask = torch.ones(32, 40)
    mask[:16] = 0
    others = {
        "content, starting picture": {"content": gatys.extract_content(net, pixels * 0.99, CONTENT, 2, normalize=True)},
        "content": {"content": gatys.extract_content(net, pixels, CONTENT, 2, normalize=True, mask=mask)},
        "style, starting picture": {
            "style": gatys.extract_style(net, pictures(1, 3, 36, 34, seed=3), STYLE, 2, normalize=True)
        },
        "temporal": {"temporal": gatys.TemporalTarget(pixels)},
        "starting picture, from_noise": {"init": "noise", "steps": [4, 4]},
        "starting picture": {"init": pixels.flip(0)},
        "steps": {"steps": 9},
        "steps, optimizer, learning_rate": {"optimizer": "adam", "steps": [3, 5]},
        "content_weight, style_weight, tv_weight": {"content_weight": 1, "style_weight": 0.5, "tv_weight": 1e-3},
        "history_size": {"history_size": 9},
        "tv_form": {"tv_form": "corner"},
        "octaves": {"octaves": 2},
        "detail": {"detail": 0.5},
    }
    for differing, other in others.items():
        with pytest.raises(CheckpointError, match=f"is the state of another run, which differs in its {differing};"):
            gatys.optimize(net, **(options | other), checkpoint=path)
    network = gatys.load_vgg19("untrained:1", pooling="average")
    content = gatys.extract_content(network, pixels, CONTENT, 2, normalize=True)
    with pytest.raises(CheckpointError, match="differs in its network, style, starting picture;"):
        gatys.optimize(network, content=content, steps=8, checkpoint=path)
    with pytest.raises(ValueError, match="another run"):  # double precision
        gatys.optimize(gatys.load_vgg19("untrained", pooling="average").double(), **options, checkpoint=path)
    assert path.read_bytes() == data


def test_a_style_whose_rounding_differs_is_the_same_style(net, targets, tmp_path, interrupted_run):
    """As after an extraction in other tiles."""
    options, data = interrupted_run
    (tmp_path / "run").write_bytes(data)
    grams = tuple({name: gram * (1 + 1e-6) for name, gram in level.items()} for level in targets["style"].grams)
    style = replace(targets["style"], values=grams)
    assert len(gatys.optimize(net, **(options | {"style": style}), checkpoint=tmp_path / "run").history) == 8


def test_no_damaged_file_is_believed(net, tmp_path, interrupted_run, monkeypatch):
    """Cut off at any length, a bit turned or a byte too many anywhere: one sentence, and the file stays."""
    options, data = interrupted_run
    path, generator = tmp_path / "run", torch.Generator().manual_seed(0)
    length = 8 + int.from_bytes(data[:8], "little")
    place = [*range(40), *torch.randint(length, (60,), generator=generator).tolist()]
    place += torch.randint(length, len(data), (60,), generator=generator).tolist()
    damaged = [data[:at] for at in place] + [data + b"\0", data[:8] + b"[" * (len(data) - 8), b"\xff" * 64]
    for at in place:
        damaged.append(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
    run = json.loads(safetensors.torch.safe_open(write(path, data), "pt").metadata()["run"])
    keeper = Checkpoint(path, 60, run, [4, 4])
    assert keeper.read().history[-1].step == 4
    for bad in damaged:
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match="is no sound state of a run: .*; delete it to begin anew") as caught:
            keeper.read()
        assert len(str(caught.value)) < 500
    assert len(damaged) == 323
    with pytest.raises(CheckpointError, match="no sound state"):
        gatys.optimize(net, **options, checkpoint=path)
    assert path.read_bytes() == bad


def write(path, data):
    path.write_bytes(data)
    return path


def test_no_lying_file_is_believed(net, tmp_path, interrupted_run):
    """Whole files with the right digest, whose content is no state of this run."""
    options, data = interrupted_run
    tensors, metadata = read_tensors(write(tmp_path / "good", data))
    record = json.loads(metadata["record"])

    def attempt(**changes):
        lies = {name: metadata[name] for name in metadata} | {k: v for k, v in changes.items() if k in metadata}
        kept = tensors | {k: v for k, v in changes.items() if k not in metadata}
        write_tensors(tmp_path / "run", {k: v for k, v in kept.items() if v is not None}, lies)
        return gatys.optimize(net, **options, checkpoint=tmp_path / "run")

    assert len(attempt().history) == 8
    records = [{"step": 5}, {"step": -1}, {"step": True}, {"level": 2}, {"level": 0}, {"layers": [1]}, {"layers": []}]
    records += [{"way": None}, {"way": {}}, {"way": 3}, {"way": {"tile": [0, 5], "keep": True, "bytes": 9}}]
    lies = [{"record": json.dumps(record | lie)} for lie in records]
    lies += [{"record": "[]"}, {"record": "3"}, {"record": "{"}, {"notes": "[1]"}, {"notes": "9"}]
    lies += [{"0.best": tensors["0.best"] * 2}, {"0.best": tensors["0.best"][..., :-1]}, {"0.trial": None}]
    lies += [
        {"0.gradient": tensors["0.gradient"] * torch.nan},
        {"history": tensors["history"][:-1]},
        {"0.pair0": None},
    ]
    for lie in lies:
        with pytest.raises(CheckpointError, match="is no sound state of a run: "):
            attempt(**lie)
    for other in ("{}", "[]", "3", "{"):
        with pytest.raises(CheckpointError, match="another run|no sound state"):
            attempt(run=other)
    with pytest.raises(CheckpointError, match="format is 'gatys run 0' instead of 'gatys run 1'"):
        attempt(format="gatys run 0")


def test_the_file_is_an_ordinary_safetensors(tmp_path, interrupted_run):
    _, data = interrupted_run
    loaded, (tensors, _) = safetensors.torch.load(data), read_tensors(write(tmp_path / "run", data))
    assert loaded.keys() == tensors.keys() >= {"history", "0.best", "0.trial", "0.gradient", "0.pair0", "0.products"}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    safetensors.torch.save_file(loaded, tmp_path / "other", {"format": "pt"})
    with pytest.raises(Damaged, match="has no digest"):
        read_tensors(tmp_path / "other")


def test_no_more_is_allocated_than_the_file_holds(tmp_path):
    for shape, end in (([2**40], 2**42), ([2**40, 2**40], 2**82), ([2**62, 4], 0), ([1, -4], 4), ([0, 2**61], 0)):
        header = {"__metadata__": {"digest": "0" * 64}, "a": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}
        text = json.dumps(header).encode()
        (tmp_path / "bomb").write_bytes(len(text).to_bytes(8, "little") + text + b"1234")
        with pytest.raises(Damaged):
            read_tensors(tmp_path / "bomb")


def test_a_place_that_cannot_hold_a_file_is_refused_at_once(net, targets, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "run", tmp_path / "file" / "run"):
        with pytest.raises(CheckpointError, match="is in no folder that can be written to; give another path"):
            gatys.optimize(net, **targets, steps=4, checkpoint=path, callback=crash_at(1))
    for seconds in (-1, float("nan"), float("inf"), True):
        with pytest.raises(ValueError, match="checkpoint_every: expected a finite number of seconds of at least 0"):
            gatys.optimize(net, **targets, steps=4, checkpoint=tmp_path / "run", checkpoint_every=seconds)


def test_a_full_disk_ends_no_run_and_takes_no_state(net, targets, tmp_path, monkeypatch, interrupted_run, caplog):
    options, data = interrupted_run
    whole, path = gatys.optimize(net, **options), write(tmp_path / "run", data)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_tensors", full)
    result = gatys.optimize(net, **options, checkpoint=path, checkpoint_every=0)
    assert torch.equal(result.image, whole.image) and path.read_bytes() == data
    (note,) = result.notes
    assert note.startswith("step 5: the state could not be written: ") and "No space left" in note
    assert "free space, or give another path" in caplog.text


def test_a_film_goes_on_where_it_was_cut_short(net, targets, tmp_path):
    def cut(progress, frame):
        if frame == 1 and progress.step == 2:
            raise Crash

    still = pictures(1, 3, 32, 40, seed=1).expand(2, -1, -1, -1)  # the second frame starts from the first
    content = gatys.extract_content(net, still, CONTENT, 2, normalize=True)
    whole = gatys.optimize_frames(net, content, style=targets["style"], steps=24)
    film = {"content": content, "style": targets["style"], "steps": 24, "checkpoint": tmp_path}
    with pytest.raises(Crash):
        gatys.optimize_frames(net, **film, callback=cut)
    seen = []
    result = gatys.optimize_frames(net, **film, callback=lambda progress, frame: seen.append((frame, progress.step)))
    assert seen == [(1, 3)] and sorted(result.states) == sorted(tmp_path.iterdir())
    assert torch.equal(result.images, whole.images) and result.histories == whole.histories
    with pytest.raises(ValueError, match="checkpoint: expected a folder, with a file for each frame, got .*; make it"):
        gatys.optimize_frames(net, **film | {"checkpoint": tmp_path / "none"})
