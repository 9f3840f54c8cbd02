"""The planner's choices, and runs that go on when memory runs out."""

import logging

import pytest
import torch
from pictures import noise as pictures

import gatys
from gatys.descent.adam import Adam
from gatys.descent.lbfgs import LBFGS
from gatys.errors import OutOfMemory, is_out_of_memory
from gatys.network.layers import LAYERS as TABLE
from gatys.objective import evaluation as bounded
from gatys.objective import two_passes
from gatys.passes import memory, trunk
from gatys.passes.memory import free_memory
from gatys.passes.plan import FEWEST_PAIRS, SMALLEST_TILE, make_plan, outlook, wanted_bytes
from gatys.passes.tiles import tiles
from gatys.targets import sweep

pytestmark = pytest.mark.slow

LAYERS = [TABLE[name] for name in ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1")]
GIB = 2**30


@pytest.fixture(scope="module")
def net():
    return gatys.load_vgg19("untrained", pooling="average")


@pytest.fixture(scope="module")
def targets(net):
    p, a = pictures(1, 3, 160, 192), pictures(1, 3, 96, 96, seed=1)
    how = {"normalize": True, "levels": 1}
    return {"content": gatys.extract_content(net, p, **how), "style": gatys.extract_style(net, a, **how)}


# plans


def test_whole_where_it_fits_and_tiles_where_not():
    plans = {
        gib: make_plan((2048, 2048), LAYERS, optimizer="adam", memory=int(gib * GIB)) for gib in (64, 2.8, 2, 1.2, 0.9)
    }
    assert plans[64].tile is None and plans[64].surplus == 1
    assert plans[2.8].tile is not None and plans[2.8].keep
    assert plans[2].tile is not None and not plans[2].keep
    # the less memory, the smaller the tiles and the more work
    work = [plan.operations for plan in plans.values()]
    peak = [plan.bytes for plan in plans.values()]
    assert work == sorted(work) and peak == sorted(peak, reverse=True)
    for gib, plan in plans.items():
        assert plan.bytes <= gib * GIB


def test_no_plan_with_less_work_fits():
    """Against trying every number of rows and columns."""
    size, room = (1000, 1800), int(1.5 * GIB)
    plan = make_plan(size, LAYERS, optimizer="adam", memory=room)
    for rows in range(1, 9):
        for columns in range(1, 9):
            tile = (-(-size[0] // rows), -(-size[1] // columns))
            for forced in (make_plan(size, LAYERS, optimizer="adam", memory=room, tile=tile),):
                fits = forced.bytes <= 0.85 * room
                assert not fits or forced.operations >= 0.999 * plan.operations


def test_surplus_and_operations_are_those_of_the_windows():
    plan = make_plan((1024, 1024), LAYERS, tile=512, memory=GIB // 2)
    windows = [part.size for part in tiles((1024, 1024), 512, LAYERS)]
    assert windows == [(582, 582), (582, 592), (592, 582), (592, 592)]
    assert plan.surplus == pytest.approx(sum(h * w for h, w in windows) / 1024**2)
    one = make_plan((512, 512), LAYERS, memory=64 * GIB)
    assert one.operations == pytest.approx(379e9, rel=0.01)  # counted by hand in issue 4
    assert plan.operations == pytest.approx(one.operations * 4 * plan.surplus * 1.5)


def test_history_gives_way_before_tiles_become_tiny():
    short = make_plan((4096, 4096), LAYERS, memory=5 * GIB)
    assert FEWEST_PAIRS <= short.history_size < 10 and min(short.tile) >= 512
    assert make_plan((4096, 4096), LAYERS, memory=64 * GIB).history_size == 10
    assert make_plan((64, 64), LAYERS, history_size=2, memory=64 * GIB).history_size == 2
    assert make_plan((64, 64), LAYERS, optimizer="adam", memory=64 * GIB).history_size == 0


def test_history_waits_in_main_memory_where_the_device_is_short():
    plan = make_plan((1024, 1024), LAYERS, device="meta", memory=GIB // 2)  # any device that is not the CPU
    assert plan.history_device == torch.device("cpu") and plan.history_size == 10
    assert "in main memory" in str(plan)
    assert make_plan((1024, 1024), LAYERS, device="meta", memory=9 * GIB).history_device == torch.device("meta")


def test_wanted_is_what_the_whole_picture_takes():
    assert wanted_bytes((512, 512), LAYERS) == make_plan((512, 512), LAYERS, tile=None, memory=2**50).bytes
    assert wanted_bytes((512, 512), LAYERS, optimizer=None) < wanted_bytes((512, 512), LAYERS)


def test_the_plan_is_said_in_one_line_before_the_run(net, targets, caplog):
    with caplog.at_level(logging.INFO, logger="gatys"):
        gatys.optimize(net, **targets, steps=3, tile=96)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("plan")]
    assert "192 x 160 pixels in 2 x 2 tiles of 96 x 96" in line and "two passes forward" in line
    assert "GiB with L-BFGS remembering 10 steps" in line and "a step" in line and "for 3 steps" in line


def test_outlook_sums_levels():
    plans = [make_plan((edge, edge), LAYERS, memory=64 * GIB) for edge in (512, 256)]
    line = outlook(plans, [10, 10], [2.5, 0.5])
    assert line.startswith("512 x 512 pixels in one piece")
    assert line.endswith(", about 2.5 s a step, 30 s for 20 steps on 2 levels")


def test_unknown_optimizer():
    with pytest.raises(ValueError, match="optimizer: expected one of lbfgs, adam, got 'sgd'"):
        make_plan((64, 64), LAYERS, optimizer="sgd")


# memory


def test_free_memory_minds_the_limit_of_the_process(monkeypatch):
    everything = free_memory("cpu")
    assert 0 < everything < 2**50
    monkeypatch.setattr(memory, "_limits", lambda: [12345])
    assert free_memory("cpu") == 12345


def test_limit_of_the_address_space_counts():
    resource = pytest.importorskip("resource", reason="no such limits on this system")
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        import psutil

        used = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
        assert 0 < free_memory("cpu") <= 2**30
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory")
    )
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(OutOfMemory("said already"))
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(real.value)


# when it runs out


class Short:
    """Makes windows of more than `limit` pixels fail as a full device would, from pass `after` on."""

    def __init__(self, monkeypatch, where, limit, after=0):
        self.calls, self.failures, self.after, self.limit = 0, 0, after, limit
        where = sweep if where is sweep else two_passes
        whole = trunk.forward

        def forward(net, image, part, *arguments, **options):
            self.calls += 1
            if self.calls > self.after and part.size[0] * part.size[1] > self.limit:
                self.failures += 1
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return whole(net, image, part, *arguments, **options)

        monkeypatch.setattr(where, "forward", forward)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_goes_on_in_tiles_from_the_same_picture(net, targets, monkeypatch, optimizer):
    how = {"steps": 6, "optimizer": optimizer, "tile": None, **targets}
    undisturbed = gatys.optimize(net, **how)
    short = Short(monkeypatch, bounded, 30000, after=3)
    images = []
    result = gatys.optimize(net, **how, callback=lambda progress: images.append(progress.image))
    assert short.failures >= 1
    assert len(result.history) == 6 and len(images) == 6
    assert result.image.sub(undisturbed.image).abs().mean() < 1e-4
    assert [r.total for r in result.history] == pytest.approx([r.total for r in undisturbed.history], rel=1e-3)
    assert any(note.startswith("step 4: memory ran out; went on from the same picture in ") for note in result.notes)


def test_below_the_smallest_tile_there_is_one_clear_sentence(net, targets, monkeypatch):
    Short(monkeypatch, bounded, 0)
    with pytest.raises(
        OutOfMemory, match=r"out of memory for a picture of 192 x 160 pixels even in tiles of 64 pixels"
    ):
        gatys.optimize(net, **targets, steps=2)
    assert SMALLEST_TILE == 64


def test_other_errors_are_not_taken_for_it(net, targets, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("something else")

    monkeypatch.setattr(bounded.Objective, "terms", fail)
    with pytest.raises(RuntimeError, match="something else"):
        gatys.optimize(net, **targets, steps=2)


def test_extraction_goes_on_in_tiles(net, monkeypatch):
    p = pictures(1, 3, 256, 64)
    content, style = gatys.extract_content(net, p, normalize=False), gatys.extract_style(net, p, normalize=False)
    short = Short(monkeypatch, sweep, 256 * 63)
    again = (
        gatys.extract_content(net, p, tile=None, normalize=False),
        gatys.extract_style(net, p, tile=None, normalize=False),
    )
    assert short.failures >= 2
    torch.testing.assert_close(again[0].features[0]["conv4_2"], content.features[0]["conv4_2"])
    for name, gram in style.grams[0].items():
        torch.testing.assert_close(again[1].grams[0][name], gram)
    short.limit = 0
    with pytest.raises(OutOfMemory, match="even in tiles of 64 pixels"):
        gatys.extract_style(net, p, normalize=False)


def test_an_error_in_extraction_is_passed_on(net, monkeypatch):
    monkeypatch.setattr(sweep, "forward", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("something else")))
    with pytest.raises(RuntimeError, match="something else"):
        gatys.extract_content(net, pictures(1, 3, 32, 32), normalize=False)


@pytest.mark.parametrize("error", ["out of memory", "something else"])
def test_memory_that_runs_out_in_the_descent_costs_its_memory_only(net, targets, monkeypatch, error):
    remember, calls = LBFGS._remember, []

    def failing(self, *arguments):
        calls.append(self)
        remember(self, *arguments)
        if len(calls) == 3:
            raise RuntimeError(error)

    monkeypatch.setattr(LBFGS, "_remember", failing)
    if error == "something else":
        with pytest.raises(RuntimeError, match=error):
            gatys.optimize(net, **targets, steps=8)
        return
    result = gatys.optimize(net, **targets, steps=12)
    assert len(result.history) == 12 and result.history[-1].total < result.history[3].total
    assert any("went on from the best picture, remembering fewer steps" in note for note in result.notes)
    assert calls[-1]._history_size == 5


def test_descents_that_cannot_be_lighter_say_so():
    image = pictures(1, 3, 8, 8)
    with pytest.raises(OutOfMemory, match="L-BFGS even with a single step remembered"):
        LBFGS(image, history_size=1).lighter()
    with pytest.raises(OutOfMemory, match="adam"):
        Adam(image).lighter()


def test_history_elsewhere_is_the_same_descent(net, targets):
    """Pairs kept on another device come back for each step; here the devices are two names of one."""
    image = pictures(1, 3, 16, 16)
    near, far = LBFGS(image), LBFGS(image, history_device="cpu")
    for _ in range(6):
        for method in (near, far):
            x = method.ask()
            method.tell((x - 0.3).square().sum(dim=(1, 2, 3)), 2 * (x - 0.3))
        assert torch.equal(near.ask(), far.ask())


def test_bounded_memory_changes_nothing_but_rounding(net, targets):
    free, bound = (gatys.optimize(net, **targets, steps=3, memory=m) for m in (None, 40 * 2**20))
    assert free.image.sub(bound.image).abs().mean() < 1e-4
