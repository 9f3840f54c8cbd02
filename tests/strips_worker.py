"""One of several processes that share pictures out: each case must give what one process gives.

    RANK=0 WORLD_SIZE=4 ... python strips_worker.py FOLDER

Process 0 makes what is expected, by one process, before; FOLDER gets what each process found.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from pictures import noise

import gatys
from gatys.distributed.strips import Strips
from gatys.distributed.team import Processes, join, leave
from gatys.network.layers import LAYERS
from gatys.objective import two_passes
from gatys.objective.temporal import TemporalTarget
from gatys.passes.layout import WHOLE

MEDIUM = {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.5}
DEEP = {"conv1_1": 0.2, "conv4_1": 0.3, "conv5_1": 0.5}
pictures = partial(noise, dtype=torch.float64)


def rows_of(place, picture):
    return picture[:, :, slice(*place.rows(tuple(picture.shape[-2:])))]


def half(height, width):
    mask = torch.zeros(height, width)
    mask[:, : width // 3] = 1
    mask[height // 2 :] += 0.4
    return mask.clamp(0, 1)


def content_and_style(net, place, size=(69, 22), layers=MEDIUM, levels=1, count=1, padding="zero", mask=None):
    photo, painting = pictures(count, 3, *size, seed=1), pictures(1, 3, 53, 40, seed=2)
    how = {"levels": levels, "normalize": True, "place": place}
    deepest = {"conv4_2": 1.0} if layers is DEEP else {"conv2_2": 0.5, "conv3_2": 1.0}
    content = gatys.extract_content(net, rows_of(place, photo), deepest, padding=padding, mask=mask, **how)
    return content, gatys.extract_style(net, rows_of(place, painting), layers, **how)


def evaluated(net, place, content, style, size=(69, 22), tile=None, keep=False, **rest):
    count = 1 if content is None else content.image.shape[0]
    objective = gatys.Objective(net, content=content, style=style, place=place, **rest)
    terms, gradient = objective.terms(rows_of(place, pictures(count, 3, *size, seed=5)), tile, keep=keep)
    return {"losses": terms.sums() | terms.layer_sums(), "rows": gradient}


def descended(net, place, content, style, steps=4, **rest):
    result = gatys.optimize(net, content=content, style=style, steps=steps, place=place, **rest)
    losses = {f"{r.step} {name}": value for r in result.history for name, value in (r.asdict() | r.layers).items()}
    return {"losses": losses, "rows": result.image, "notes": result.notes}


def deep_layers(net, place):
    return evaluated(net, place, *content_and_style(net, place, layers=DEEP), tile=32, tv_weight=0.1)


def replicate_with_two_passes(net, place):
    both = content_and_style(net, place, padding="replicate", count=2)
    return evaluated(net, place, *both, tile=16, tv_form="corner", tv_weight=0.3)


def nine_points_and_a_border_repeated_once(net, place):
    both = content_and_style(net, place, padding="replicate-first")
    return evaluated(net, place, *both, tile=16, tv_form="nine-point", tv_weight=0.3)


def nine_points_in_a_ring(net, place):
    both = content_and_style(net, place, size=(80, 32), padding="circular")
    return evaluated(net, place, *both, size=(80, 32), tv_form="nine-point", tv_weight=0.2)


def ring_whose_edge_the_poolings_do_not_divide(net, place):
    both = content_and_style(net, place, padding="circular")
    return evaluated(net, place, *both, tile=(24, 16), keep=True, tv_weight=0.2)


def ring(net, place):
    both = content_and_style(net, place, size=(80, 32), padding="circular")
    return evaluated(net, place, *both, size=(80, 32), tv_form="absolute", tv_weight=0.2)


def content_mask_and_regions(net, place):
    content, one = content_and_style(net, place, mask=half(30, 20), levels=2)
    paintings = [rows_of(place, pictures(1, 3, *size)) for size in ((40, 33), (70, 20))]
    other = gatys.extract_style(net, paintings, MEDIUM, 2, normalize=True, place=place)
    style = gatys.regional_style([(one, half(69, 22)), (other, 1 - half(31, 30))])
    near = TemporalTarget(pictures(1, 3, 20, 20, seed=8), pictures(1, 1, 69, 22, seed=9))
    return descended(net, place, content, style, temporal=near, temporal_weight=2.0, tv_weight=0.1)


def regions_from_inside(net, place):
    masked = gatys.extract_style(
        net, rows_of(place, pictures(1, 3, 53, 40)), MEDIUM, 1, half(20, 20), place=place, normalize=False
    )
    mask = torch.zeros(69, 60)
    mask[:50] = 1
    style = gatys.regional_style([(masked, mask), (masked, None)], propagation="inside")
    return evaluated(net, place, None, style, size=(69, 60))


def levels_of_which_some_are_too_small_for_all(net, place):
    both = content_and_style(net, place, levels=3)
    return descended(net, place, *both, steps=6, init="noise", seed=3, tile=32)


def adam_on_a_ring(net, place):
    both = content_and_style(net, place, levels=2, padding="circular")
    return descended(net, place, *both, optimizer="adam", init="mean", history_size=3)


def texture_from_a_picture(net, place):
    style = content_and_style(net, place)[1]
    init = rows_of(place, pictures(1, 3, 64, 33))
    return descended(net, place, None, style, init=init, size=(69, 22), steps=6)


def content_alone(net, place):
    return descended(net, place, content_and_style(net, place)[0], None, init="noise", learning_rate=3.0)


def panorama(net, place):
    """Two levels, resampled in a ring along the width, and a picture to stay near that is resampled so, too."""
    both = content_and_style(net, place, size=(96, 32), levels=2, padding="panorama", mask=half(30, 20))
    near = TemporalTarget(pictures(1, 3, 24, 20, seed=8), pictures(1, 1, 96, 32, seed=9))
    return descended(net, place, *both, temporal=near, tv_weight=0.2, tv_form="corner", strength=0.7, tile=(32, 16))


def two_rings_and_a_picture_to_stay_near(net, place):
    both = content_and_style(net, place, size=(96, 32), levels=2, padding="circular")
    near = TemporalTarget(pictures(1, 3, 24, 20, seed=8))
    return descended(net, place, *both, temporal=near, init=rows_of(place, pictures(1, 3, 60, 40, seed=3)))


def octaves_with_regions(net, place):
    """At the smallest size some processes own nothing."""
    content, one = content_and_style(net, place, levels=3)
    other = gatys.extract_style(net, rows_of(place, pictures(1, 3, 40, 33)), MEDIUM, 3, normalize=True, place=place)
    style = gatys.regional_style([(one, half(69, 22)), (other, 1 - half(31, 30))])
    return descended(net, place, content, style, octaves=3, tile=32, tv_weight=0.1)


def octaves_on_a_ring(net, place):
    both = content_and_style(net, place, size=(80, 32), levels=2, padding="circular")
    return evaluated(net, place, *both, size=(80, 32), octaves=2, tile=16, keep=True)


def weights_of_shares(net, place):
    content, style = content_and_style(net, place)
    shares = {"content": 0.3, "conv1_1": 0.2, "tv": 0.1}
    found = gatys.weights_for_shares(net, content=content, style=style, shares=shares, place=place)
    objective = gatys.Objective(net, **found.arguments, place=place)
    image = rows_of(place, pictures(1, 3, 69, 22, seed=5))
    measured = gatys.gradient_shares(objective, image)
    weights = {"content_weight": found.content_weight, "tv_weight": found.tv_weight}
    return {"losses": found.shares | weights | {f"there {k}": v for k, v in measured.items()}, "rows": image}


def stopped_by_the_last_process(net, place):
    last = place.team.rank == place.team.count - 1

    def callback(progress):
        if progress.step == 2 and last:
            raise StopIteration

    return descended(net, place, *content_and_style(net, place, levels=2), steps=6, callback=callback)


def gone_on_with(net, place):
    """A run that is left after 2 steps by two processes, after 5 by three, and finished by four."""
    both, how = content_and_style(net, place, levels=2), {"init": "noise", "steps": 8, "average": 0.7}
    if place.whole:
        return descended(net, place, *both, **how)
    stop = {2: 2, 3: 5}.get(place.team.count)

    def callback(progress):
        assert progress.step > {2: 0, 3: 2, 4: 5}[place.team.count]
        if progress.step == stop:
            raise StopIteration

    how |= {"checkpoint": Path(sys.argv[1], "run.safetensors"), "checkpoint_every": 3600}
    return descended(net, place, *both, callback=callback, **how)


def memory_runs_out_on_the_last_process(net, place):
    both, calls = content_and_style(net, place, size=(69, 72)), []
    forward = two_passes.forward

    def fails_once(*args, **how):
        calls.append(1)
        if not place.whole and place.team.rank == place.team.count - 1 and len(calls) == 1:
            raise RuntimeError("out of memory")
        return forward(*args, **how)

    two_passes.forward = fails_once
    try:
        found = descended(net, place, *both)
    finally:
        two_passes.forward = forward
    assert place.whole or "memory ran out; went on from the same picture in" in found["notes"][0]
    return found


def grey_but_for_the_last_row(net, place):
    """A style is grey; the content has colour in the rows of one process only, so that no process may keep to grey."""
    photo, painting = (pictures(1, 1, *size).expand(-1, 3, -1, -1).clone() for size in ((69, 22), (53, 40)))
    photo[:, 0, -1] = 1
    content = gatys.extract_content(net, rows_of(place, photo), {"conv3_2": 1.0}, place=place)
    style = gatys.extract_style(net, rows_of(place, painting), MEDIUM, place=place)
    assert style.grey
    found = descended(net, place, content, style, content_weight=0.1)
    assert (found["rows"].amax(1) > found["rows"].amin(1)).any()
    return found


def lines_on_a_ring(net, place):
    both = content_and_style(net, place, mask=half(30, 20), levels=2, padding="circular")
    return descended(net, place, *both, laplacian_weight=0.5)


def layers_beside_the_ones_before_them(net, place):
    painting = rows_of(place, pictures(1, 3, 53, 40, seed=2))
    style = gatys.extract_style(net, painting, MEDIUM, statistic="across", place=place)
    return evaluated(net, place, None, style, tile=16)


def matched_content(net, place):
    """A region is matched to part of a painting, in blocks of few rows; one process may have nothing of either."""
    content, style = content_and_style(net, place, levels=2)
    painting, how = rows_of(place, pictures(1, 3, 53, 40, seed=2)), {"memory": 2**15, "place": place}
    mask, under = half(30, 20).flip(0), half(53, 40)
    content = gatys.match_features(net, content, painting, ["conv3_2"], mask=mask, style_mask=under, **how)
    content = gatys.match_features(net, content, [painting, painting], share=0.5, **how)
    return descended(net, place, content, style)


CASES = (
    deep_layers,
    replicate_with_two_passes,
    ring_whose_edge_the_poolings_do_not_divide,
    ring,
    content_mask_and_regions,
    regions_from_inside,
    levels_of_which_some_are_too_small_for_all,
    adam_on_a_ring,
    texture_from_a_picture,
    content_alone,
    stopped_by_the_last_process,
    gone_on_with,
    memory_runs_out_on_the_last_process,
    grey_but_for_the_last_row,
    panorama,
    two_rings_and_a_picture_to_stay_near,
    lines_on_a_ring,
    layers_beside_the_ones_before_them,
    matched_content,
    octaves_with_regions,
    octaves_on_a_ring,
    weights_of_shares,
    nine_points_and_a_border_repeated_once,
    nine_points_in_a_ring,
)


def chosen(case, count):
    """Whether a case is tried on that many processes; without GATYS_LONG_TESTS, most are on one number only."""
    long = os.environ.get("GATYS_LONG_TESTS") == "1"
    if case is gone_on_with:  # the others leave it unfinished
        return count == 4
    return long or (CASES.index(case) + 1) % 3 == count - 2


def refused(net, place):
    """What each process is told where they do not agree."""
    try:
        place.team.agree({"options": 1, "pictures": place.team.rank})
    except ValueError as problem:
        return str(problem)


def main(folder, *names):
    cases = [case for case in CASES if not names or case.__name__ in names]
    torch.set_num_threads(1)
    team = join(torch.device("cpu"))
    net = gatys.load_vgg19("untrained:3", pooling="average").double()
    expected = folder / "expected.pt"
    if team.rank == 0:
        torch.save({case.__name__: case(net, WHOLE) for case in cases}, expected)
    dist.barrier()
    expected = torch.load(expected)
    found = {}
    for count in (2, 3, 4):
        group = dist.new_group(range(count))
        if team.rank < count:
            part = Processes("cpu", group)
            for case in cases:
                if not (chosen(case, count) or case is gone_on_with):
                    continue
                place = Strips(
                    part, [LAYERS["conv5_1" if case is deep_layers else "conv3_2"]], ring="ring" in case.__name__
                )
                here, whole = case(net, place), expected[case.__name__]
                if case is gone_on_with and count < 4:
                    continue
                rows = rows_of(place, whole["rows"])
                found[f"{case.__name__} {count}"] = {
                    "names": sorted(here["losses"]) == sorted(whole["losses"]),
                    "loss": max(abs(here["losses"][k] - v) / max(abs(v), 1e-9) for k, v in whole["losses"].items()),
                    "rows": ((here["rows"] - rows).norm() / rows.norm()).item(),
                    "losses": here["losses"],
                }
                if (case, count) in ((deep_layers, 3), (adam_on_a_ring, 4)):
                    again = case(net, place)
                    same = torch.equal(again["rows"], here["rows"]) and again["losses"] == here["losses"]
                    found[f"{case.__name__} again"] = same
            found[f"refused {count}"] = refused(net, place)
            found[f"sent {count}"] = part.sent
    (folder / f"{team.rank}.json").write_text(json.dumps(found))
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
