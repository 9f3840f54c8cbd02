"""One picture on several processes: loss, gradient and whole runs are those of one."""

import json
from itertools import pairwise
from types import SimpleNamespace

import launcher
import pytest
import strips_worker
import torch
import torch.nn.functional as F

from gatys.distributed.strips import ALIGNMENT, Strips
from gatys.network.layers import LAYERS
from gatys.pictures.resampling import resize_columns, resize_rows, seen_rows

pytestmark = [pytest.mark.slow, pytest.mark.processes]

PROCESSES = 4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of four processes found, alone and in smaller teams."""
    folder = tmp_path_factory.mktemp("strips")
    processes = launcher.start([strips_worker.__file__, folder], PROCESSES)
    said = [process.communicate(timeout=900)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, said
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(PROCESSES)]


@pytest.mark.parametrize(
    ("case", "count"),
    [(case, count) for case in strips_worker.CASES for count in (2, 3, 4) if strips_worker.chosen(case, count)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_processes_find_what_one_finds(found, case, count):
    for rank in range(count):
        here = found[rank][f"{case.__name__} {count}"]
        assert here["names"]
        assert here["loss"] < 1e-10 and here["rows"] < 1e-10
        assert here["losses"] == found[0][f"{case.__name__} {count}"]["losses"]  # bit for bit on all


def test_the_same_processes_find_the_same_again(found):
    for name, count in (("deep_layers", 3), ("adam_on_a_ring", 4)):
        assert all(found[rank][f"{name} again"] for rank in range(count))


def test_processes_that_disagree_are_all_told(found):
    for count in (2, 3, 4):
        told = {found[rank][f"refused {count}"] for rank in range(count)}
        words = f"pictures: expected the same on all {count} processes, got different ones; start every process with "
        assert told == {words + "the same files, options and versions"}


# how rows are dealt


def strips(count, rank=0, layers=(LAYERS["conv5_1"],), **rest):
    return Strips(SimpleNamespace(count=count, rank=rank), layers, **rest)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("ring", [False, True])
def test_strips_are_aligned_and_all_have_as_much_to_do(count, ring):
    bounds = strips(count, ring=ring).bounds(2005)
    assert bounds[0] == 0 and bounds[-1] == 2005
    assert all(start % ALIGNMENT == 0 for start in bounds[:-1])
    padding = "circular" if ring else "zero"
    windows = [
        strips(count, rank, ring=ring).extent((2005, 30), [LAYERS["conv5_1"]], padding)[0] for rank in range(count)
    ]
    assert max(windows) - min(windows) <= 2 * ALIGNMENT


def test_each_process_has_rows_as_long_as_there_are_enough():
    assert strips(4).bounds(64) == (0, 16, 32, 48, 64)
    assert strips(4).bounds(40) == (0, 0, 16, 16, 40)
    assert strips(4).bounds(9) == (0, 0, 0, 0, 9)
    strips(4).check_count((64, 30))
    with pytest.raises(ValueError, match="30 x 63 pixels has 3 strips of 16 rows, too few for 4 processes; start at m"):
        strips(4).check_count((63, 30))


def test_rows_that_are_another_s_are_refused():
    place = strips(2)
    place.team.device, place.team.add = "cpu", lambda value: 2 * value
    place.check(torch.rand(1, 3, 32, 20), [LAYERS["conv1_1"]], "image")
    with pytest.raises(
        ValueError, match="content image: expected rows 0 to 16 of the 40 on process 0, got 20 rows; cut"
    ):
        place.check(torch.rand(1, 3, 20, 20), [LAYERS["conv1_1"]], "content image")


def test_a_picture_is_dealt_a_strip_at_a_time():
    picture, sent, read = torch.rand(1, 3, 205, 7), {}, []
    place = strips(4)
    place.team.device = "cpu"
    place.team.exchange = lambda given, expected: sent.update(given)

    def rows(low, high):
        read.append(high - low)
        return picture[:, :, low:high]

    mine = place.deal(rows, (1, 3), (205, 7), torch.float32)
    assert torch.equal(torch.cat([mine, *(sent[rank] for rank in (1, 2, 3))], dim=2), picture)
    assert max(read) == max(high - low for low, high in pairwise(place.bounds(205))) < 100


# resampling by rows


@pytest.mark.parametrize(("height", "to"), [(101, 51), (51, 101), (333, 100), (7, 64), (200, 199), (64, 1)])
def test_resized_rows_are_those_of_the_whole(height, to):
    x = torch.rand(2, 3, height, 37, dtype=torch.float64)
    expected = F.interpolate(x, size=(to, 20), mode="bicubic", antialias=True, align_corners=False)
    for start, stop in ((0, to), (to // 3, to // 2), (to // 2, to // 2)):
        low, high = seen_rows(height, to, start, stop)
        made = resize_rows(resize_columns(x[:, :, low:high], 20), low, height, to, start, stop)
        torch.testing.assert_close(made, expected[:, :, start:stop], rtol=1e-13, atol=1e-13)
