"""The command line: it takes pictures in, and gives one picture out.

    python -m gatys CONTENT STYLE [STYLE ...] -o OUT
    python -m gatys FOLDER STYLE [STYLE ...] -o FOLDER --workers N          many pictures, shared out (`jobs`)
    python -m gatys FILM STYLE [STYLE ...] -o FILM                          a film (`film`)
    python -m gatys sheet CONTENT STYLE [STYLE ...] -o OUT                  a contact sheet (`sheet`); also with --sweep
    torchrun --nproc-per-node N -m gatys CONTENT STYLE [STYLE ...] -o OUT   one picture on many processes (`strips`)

Options that each style has one of, such as --style-mask and --blend, are repeated: an option that took several values
would swallow the pictures that come after it.

Standard output carries one line, about the result; everything else goes to standard error. Exit codes are about the
picture, not about its printing (`streams`): 0 done; 1 out of memory; 2 something given is wrong, said in one sentence;
130 ended by Ctrl-C, the first of which stops the descent and saves the best picture so far (so that `gatys ... && next`
does not go on), the second of which saves nothing; 143 ended by SIGTERM during a descent with a --checkpoint.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..descent.arguments import settings_of
from ..descent.identity import digest
from ..descent.optimize import optimize
from ..descent.records import Progress, Record, Result
from ..errors import ImageError, InputError, MissingPackage, OutOfMemory, UntrainedWarning, is_out_of_memory
from ..network.devices import find_device
from ..network.preprocessing import read_as
from ..network.vgg import VGG
from ..network.weights import load_vgg
from ..pictures.images import check_output
from ..published.presets import presets
from ..targets.targets import StyleTarget
from .console import STEPS_BAR, Bar, Lines, Terminated, interruptible, losses_of, tell
from .film import paint_film
from .inputs import Inputs, load_inputs
from .interrupts import CTRL_C, INTERRUPTED
from .jobs import Job, find_jobs
from .many_pictures import paint_many
from .network_and_style import NetworkAndStyle
from .on_the_way import OnTheWay, check_way, on_the_way
from .option_checks import check_options, is_film, is_sheet
from .parsed import Options
from .parser import without_end
from .picture_lists import styles_told
from .preset_options import filled, parse_options
from .record import check_filters
from .saving import default_name, free_path, save_picture
from .session import Session, how_to_go_on
from .shares import with_shares
from .sheet import paint_sheet
from .streams import steady_streams

log = logging.getLogger(__name__)

TERMINATED = 143
UNTRAINED = (
    "untrained filters: colours and brush texture of the style, not the trained network of the paper; "
    "--weights auto or paper takes trained ones"
)


@CTRL_C.in_main
@steady_streams()
def main(argv: Sequence[str] | None = None, session: Session | None = None, run: str | None = None) -> int:
    """Run the command line and give its exit code; `--help` and `--version` raise SystemExit(0).

    Args:
        argv: the arguments; default those of this process.
        session: how this process reads and writes pictures, speaks and ends; default as one that is alone.
        run: the name of the run of which this process does a part of the pictures, for another one.
    """
    package = logging.getLogger(__name__.rpartition(".cli.")[0])
    handler, level = Lines(), package.level
    package.addHandler(handler)
    session, options, code = session or Session(), None, 1
    try:
        options = parse_options(argv)
        jobs = None if is_sheet(options) or is_film(options) else _find_jobs(options, session)
        options = session.meet(options)
        package.setLevel({"quiet": logging.ERROR, "verbose": logging.DEBUG}.get(options.verbosity or "", logging.INFO))
        if is_sheet(options):
            kept = NetworkAndStyle(_load_network)
            code = paint_sheet(
                options,
                sys.argv[1:] if argv is None else argv,
                lambda one: _paint(one, session, kept, one_of_many=True),
                kept,
                session,
            )
        elif is_film(options):
            code = paint_film(options, session, NetworkAndStyle(_load_network))
        elif jobs is None:
            code = _paint(options, session, NetworkAndStyle(_load_network))
        else:
            code = _paint_all(options, session, jobs, sys.argv[1:] if argv is None else argv, run)
        session.leave()
    except CTRL_C.kinds:
        CTRL_C.settle()
        left = how_to_go_on(options) or session.kept or "nothing was saved"
        session.complain(f"interrupted by Ctrl-C; {left}")
        code = INTERRUPTED
    except Terminated:
        session.complain(f"ended by SIGTERM; {how_to_go_on(options) or 'nothing was saved'}")
        code = TERMINATED
    except (ValueError, OSError, MissingPackage) as problem:  # WeightsError is an OSError, ImageError a ValueError
        session.complain(problem)
        code = 2
    except (MemoryError, RuntimeError) as problem:
        if not _explained(problem, session, options):
            raise
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
    session.quit(code)
    return code


def _explained(problem: Exception, session: Session, options: Options | None) -> bool:
    """Say what happened where memory ran out or another process is gone; tell whether it was one of these."""
    if options is None:
        return False
    go_on, loss = how_to_go_on(options), session.loss(problem)
    if loss:
        session.complain(f"{loss}; {go_on or 'start all of them again'}")
        return True
    if not isinstance(problem, OutOfMemory) and not is_out_of_memory(problem):
        return False
    edge = presets[options.preset].size if options.preset is not None and callable(options.size) else options.size
    said = problem if isinstance(problem, OutOfMemory) else f"out of memory with --size {edge}"
    session.complain(f"{said}; give a smaller --size (and --style-scale)")
    if go_on:
        log.info("with more memory, %s", go_on)
    return True


# many pictures


def _find_jobs(options: Options, session: Session) -> list[Job] | None:
    """Give the pictures of a folder or a list; None for one picture."""
    jobs = find_jobs(options.content, options.out)
    if options.workers > 1 and jobs is None:
        raise InputError("--workers: expected CONTENT to be a folder or a .txt list, got a picture; leave it out")
    if jobs is not None and session.shared:
        raise InputError("CONTENT: many pictures are shared out by --workers; leave out torchrun")
    return jobs


def _paint_all(options: Options, session: Session, jobs: list[Job], argv: Sequence[str], run: str | None) -> int:
    kept, argv = NetworkAndStyle(_load_network), without_end(argv)
    if options.workers > 1 and run is None:
        argv = [*argv, *_for_all_workers(options)]
    return paint_many(options, argv, jobs, lambda one: _paint(one, session, kept, one_of_many=True), run)


def _for_all_workers(options: Options) -> list[str]:
    """Find or download the filters before the workers start, each of which would do it; give the options that they
    need.
    """
    check_options(options)
    net = _load_network(options, torch.device("cpu"))
    return [] if net.remark is None else ["--weights", net.tag.weights]


# one picture


def _paint(options: Options, session: Session, kept: NetworkAndStyle, *, one_of_many: bool = False) -> int:
    """Paint one picture and save it; give the exit code."""
    CTRL_C.work()
    session.kept = ""
    check_options(options)
    check_way(options, session)
    if options.out is not None and session.first:
        check_output(options.out, options.depth, not options.no_overwrite)
    device = find_device(options.device, "--device")
    if line := "" if one_of_many else styles_told(options.content, options.style):
        log.info(line)
    given = load_inputs(options, device, session)
    options = filled(options, given.size)
    out: str | Path = options.out or free_path(default_name(options))
    if session.first:
        check_output(out, options.depth)

    CTRL_C.check()
    net = kept.network(options, device)
    check_filters(options.expected_filters, net.tag)
    _agree_on_filters_and_styles(net, given, options, session)
    began = time.monotonic()
    targets = _make_targets(net, given, options, session, kept)
    CTRL_C.check()
    # a picture that is one of many is not kept where it is cut short, so that there is nothing to say of it
    tells = session.first and not one_of_many
    with on_the_way(options, out, net, given, session) as way:
        result, asked, steps_planned = _descend(net, targets, given, options, session, way, tells=tells)
        CTRL_C.hold()  # what is made is saved
        interrupted = asked and len(result.history) < steps_planned
        for note in result.notes:
            log.warning(note)
        if interrupted and one_of_many:  # a picture that is there counts as done
            raise KeyboardInterrupt
        if options.out is None:
            out = free_path(Path(out))  # another run may have taken it meanwhile
        made = result.image, len(result.history), net.tag, given, options
        save_picture(out, *made, session.save, overwrite=not options.no_overwrite)
        session.kept = f"the picture is saved as {out}"
        problems = way.end(result, interrupted=interrupted)
    if interrupted and result.state is not None:
        log.info(how_to_go_on(options))
    elif result.state is not None and session.first:
        result.state.unlink(missing_ok=True)
    if net.remark is not None and not one_of_many:  # again, where it is seen beside the picture
        log.warning(net.remark)
    if session.first:
        done = f"{len(result.history)} steps"
        steps = f"interrupted after {len(result.history)} of {steps_planned} steps" if interrupted else done
        losses = losses_of(min(result.history, key=_worth))
        height, width = given.size
        tell(f"{out}: {width} x {height}, {steps}, {time.monotonic() - began:.1f} s, {losses}")
    if problems and not one_of_many:
        raise ImageError(f"{'; '.join(problems)}; the picture is saved as {out}")
    for problem in problems:  # the picture is there, and counts as done
        session.complain(problem)
    return INTERRUPTED if asked or CTRL_C.came else 0


def _load_network(options: Options, device: torch.device) -> VGG:
    with (
        Bar("weights", options.quiet, unit="B", unit_scale=True, delay=0.1) as bar,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UntrainedWarning)  # a line of its own tells it
        net = load_vgg(options.weights, options.pooling, layout=options.layout, progress=bar.reach)
    net = read_as(net, preprocessing=options.preprocessing, responses=options.responses)
    log.info("network: %s on %s", net.tag, device)
    if options.weights.partition(":")[0] == "untrained":
        log.info(UNTRAINED)
    elif net.remark is not None:
        log.error(net.remark)  # quiet workers say it, too
    return net.to(device)


def _agree_on_filters_and_styles(net: VGG, given: Inputs, options: Options, session: Session) -> None:
    found: dict[str, object] = {"filters": (net.tag.fingerprint, net.tag.pooling)}
    for path, style in zip(options.load_style, given.loaded, strict=True):
        found[path] = digest(*style.grams[0].values())
    session.place.team.agree(found)


def _make_targets(net: VGG, given: Inputs, options: Options, session: Session, kept: NetworkAndStyle) -> dict[str, Any]:
    """Give the targets of the descent, and weights that shares ask for, by their names as arguments; the style is saved if that is asked for."""
    style = kept.style(net, given, options, session.place)
    # save before the descent, so that a failure here has cost no time
    if options.save_style is not None and isinstance(style, StyleTarget) and session.first:
        style.save(options.save_style, overwrite=options.overwrite_style, thumbnail=given.thumbnail)
        log.info("saved the style as %s", options.save_style)
    targets = {"content": kept.content(net, given, options, session.place), "style": style}
    return with_shares(net, targets, given, options, session.place) if options.shares else targets


def _descend(
    net: VGG,
    targets: dict[str, Any],
    given: Inputs,
    options: Options,
    session: Session,
    way: OnTheWay,
    *,
    tells: bool,
) -> tuple[Result, bool, int]:
    """Give the result, whether Ctrl-C came meanwhile, which is answered if `tells`, and the steps planned at last."""
    settings = settings_of(options)
    size = given.size if given.content is None else None
    terminable = options.checkpoint is not None and not session.shared
    planned = 0  # a run that was finished before has none to take
    with (
        interruptible(terminable, tells=tells) as interruption,
        Bar("steps", options.quiet, bar_format=STEPS_BAR, total=options.total_steps) as bar,
    ):

        def follow(progress: Progress) -> None:
            nonlocal planned
            record, planned = progress.losses, progress.steps
            log.debug("step %d, level %d: %s", progress.step, progress.level, losses_of(record))
            bar.follow(progress)
            way.follow(progress)
            if interruption.asked:
                raise StopIteration

        settings |= {"init": given.start, "size": size, "callback": follow, "place": session.place}
        result = optimize(net, **(settings | targets))
    return result, interruption.asked, planned


# what is told


def _worth(record: Record) -> tuple[int, float]:
    """Give a key that is smallest for the record of the picture that is saved.

    That is the finest level, then the lowest total; NaN is none.
    """
    return record.level, record.total if record.total == record.total else float("inf")
