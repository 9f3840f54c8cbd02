"""The command line: pictures in, one picture out.

    python -m gatys CONTENT STYLE [STYLE ...] -o OUT
    python -m gatys FOLDER STYLE [STYLE ...] -o FOLDER --workers N          many pictures, shared out (`jobs`)
    torchrun --nproc-per-node N -m gatys CONTENT STYLE [STYLE ...] -o OUT   one picture on many processes (`strips`)

Options of which there is one for each style, such as --style-mask and --blend, are repeated: one that took several
values would swallow the pictures that come after it.

Standard output carries one line, about the result; everything else goes to standard error. Exit codes: 0 done; 1 out
of memory; 2 something given is wrong, said in one sentence; 130 ended by Ctrl-C, the first of which stops the descent
and saves the best picture so far (so that `gatys ... && next` does not go on), the second of which saves nothing; 143
ended by SIGTERM during a descent with a --checkpoint.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..descent.identity import digest
from ..descent.optimize import optimize
from ..descent.records import Progress, Record, Result
from ..distributed.files import save_strips
from ..distributed.session import LOST, Crew, go_on
from ..errors import ImageError, InputError, MissingPackage, OutOfMemory, UntrainedWarning, is_out_of_memory
from ..network.preprocessing import read_as
from ..network.vgg import VGG19
from ..network.weights import load_vgg19
from ..passes.layout import WHOLE, Layout
from ..pictures.colors import keep_luminance
from ..pictures.images import check_output, write_image
from ..targets.extraction import extract_content
from .console import INTERRUPTED, Bar, Lines, Terminated, interruptible, losses_of, tell
from .inputs import load_inputs
from .jobs import find_jobs
from .many_pictures import paint_many
from .option_checks import check_options
from .options import NO_CONTENT
from .preset_options import describe, fill_options, parse_options
from .reuse import Studio

log = logging.getLogger(__name__)

TERMINATED = 143
UNTRAINED = (
    "untrained filters: colours and brush texture of the style, not the trained network of the paper; "
    "--weights auto or paper takes trained ones"
)
_OF_OPTIMIZE = ("steps", "optimizer", "learning_rate", "content_weight", "style_weight", "tv_weight")
_OF_OPTIMIZE += ("tv_form", "seed", "tile", "history_size", "memory", "padding", "precision", "graphs")
_OF_OPTIMIZE += ("checkpoint", "checkpoint_every")


def main(argv: Sequence[str] | None = None, run: str | None = None) -> int:
    """Run the command line and return its exit code; `--help` and `--version` raise SystemExit(0).

    `run` is given to a process that does a part of the pictures of another one's run.
    """
    package = logging.getLogger(__name__.rpartition(".cli.")[0])
    handler, level = Lines(), package.level
    package.addHandler(handler)
    crew, options, code = Crew(), None, 1
    try:
        options = parse_options(argv)
        jobs = find_jobs(options.content, options.out)
        if options.workers > 1 and jobs is None:
            raise InputError("--workers: expected CONTENT to be a folder or a .txt list, got a picture; leave it out")
        if jobs is not None and crew.several:
            raise InputError("CONTENT: many pictures are shared out by --workers; leave out torchrun")
        place = crew.meet(options)
        package.setLevel({"quiet": logging.ERROR, "verbose": logging.DEBUG}.get(options.verbosity, logging.INFO))
        if jobs is None:
            code = _run(options, place)
        else:
            studio, given = Studio(_load_network, many=True), sys.argv[1:] if argv is None else argv
            if options.workers > 1 and run is None:
                given = [*given, *_for_all_workers(options)]
            code = paint_many(options, given, jobs, lambda one: _run(one, place, studio), _worker, run)
        crew.leave()
    except KeyboardInterrupt:
        crew.complain(f"interrupted by Ctrl-C; {go_on(options) or 'nothing was saved'}")
        code = INTERRUPTED
    except Terminated:
        crew.complain(f"ended by SIGTERM; {go_on(options) or 'nothing was saved'}")
        code = TERMINATED
    except (ValueError, OSError, MissingPackage) as problem:  # WeightsError is an OSError, ImageError a ValueError
        crew.complain(problem)
        code = 2
    except (MemoryError, RuntimeError) as problem:
        if crew.lost(problem):
            crew.complain(f"{LOST}; {go_on(options) or 'start all of them again'}")
        elif not isinstance(problem, OutOfMemory) and not is_out_of_memory(problem):
            raise
        else:
            said = problem if isinstance(problem, OutOfMemory) else f"out of memory with --size {options.size}"
            crew.complain(f"{said}; give a smaller --size (and --style-scale)")
            if go_on(options):
                log.info("with more memory, %s", go_on(options))
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
    crew.quit(code)
    return code


def _worker(argv: list[str], run: str, threads: int) -> None:
    torch.set_num_threads(threads)
    sys.exit(main(argv, run))


def _run(options: argparse.Namespace, place: Layout = WHOLE, studio: Studio | None = None) -> int:
    studio = studio or Studio(_load_network)
    check_options(options)
    writes = place.rank == 0
    if options.out is not None and writes:
        check_output(options.out, options.depth)
    device = find_device(options.device)
    given = load_inputs(options, device, place)
    content, size = given.content, given.size
    if options.preset is not None:
        fill_options(options, size)
        log.info("preset %s: %s", options.preset, describe(options, size))
    out = options.out or _free_path(_default_name(options))
    if writes:
        check_output(out, options.depth)

    net = studio.network(options, device)
    saved = {
        path: digest(*style.grams[0].values()) for path, style in zip(options.load_style, given.loaded, strict=True)
    }
    place.agree({"filters": (net.tag.fingerprint, net.tag.pooling)} | saved)
    began = time.monotonic()
    style = studio.style(net, given, options, place)
    if options.save_style is not None and writes:  # before the descent, so that what fails here has cost no time
        style.save(options.save_style, overwrite=options.overwrite_style, thumbnail=given.thumbnail)
        log.info("saved the style as %s", options.save_style)
    targets: dict[str, Any] = {"content": None, "style": style}
    if content is not None:
        how = {"levels": options.levels, "normalize": options.normalize, "padding": options.padding or "zero"}
        how |= {"tile": options.tile, "memory": options.memory, "dtype": "auto", "place": place}
        targets["content"] = extract_content(net, content.pixels, options.content_layers, **how)
    result, interrupted = _descend(net, targets, given.start, size if content is None else None, options, place)

    for note in result.notes:
        log.warning(note)
    if interrupted and studio.many:  # a picture that is there is one that is done
        return INTERRUPTED
    if options.out is None:
        out = _free_path(out)  # another run may have taken it meanwhile
    alpha = None if content is None else content.alpha
    image = result.image.clamp(0, 1)
    if options.keep_luminance:
        image = keep_luminance(image, content.pixels)
    how = {"alpha": alpha, "depth": options.depth, "quality": options.quality}
    if place is WHOLE:
        _save(out, image, **how)
    else:
        save_strips(Path(out), image, size, place, **how)
    done = len(result.history)
    steps = f"interrupted after {done} of {_total(options)} steps" if interrupted else f"{done} steps"
    losses = losses_of(min(result.history, key=_worth))
    if interrupted and result.state is not None:
        log.info(go_on(options))
    elif result.state is not None and writes:
        result.state.unlink(missing_ok=True)
    if net.remark is not None and not studio.many:  # again, where it is seen beside the picture
        log.warning(net.remark)
    if writes:
        tell(f"{out}: {size[1]} x {size[0]}, {steps}, {time.monotonic() - began:.1f} s, {losses}")
    return INTERRUPTED if interrupted else 0


def _load_network(options: argparse.Namespace, device: torch.device) -> VGG19:
    with (
        Bar("weights", options.verbosity == "quiet", unit="B", unit_scale=True, delay=0.1) as bar,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UntrainedWarning)  # told in a line of its own
        net = load_vgg19(options.weights, options.pooling, layout=options.layout, progress=bar.reach)
    net = read_as(net, preprocessing=options.preprocessing, responses=options.responses)
    log.info("network: %s on %s", net.tag, device)
    if options.weights.partition(":")[0] == "untrained":
        log.info(UNTRAINED)
    elif net.remark is not None:
        log.error(net.remark)  # whatever is quiet: workers are
    return net.to(device)


def _for_all_workers(options: argparse.Namespace) -> list[str]:
    """Find or fetch the filters before workers are there, each of which would; what they are to be given."""
    check_options(options)
    net = _load_network(options, torch.device("cpu"))
    return [] if net.remark is None else ["--weights", net.tag.weights]


def _descend(
    net: torch.nn.Module,
    targets: dict,
    start: str | Tensor,
    size: tuple[int, int] | None,
    options: argparse.Namespace,
    place: Layout,
) -> tuple[Result, bool]:
    """The result, and whether Ctrl-C ended it early."""
    given = {name: getattr(options, name) for name in _OF_OPTIMIZE}
    with (
        interruptible(options.checkpoint is not None and place is WHOLE, tells=place.rank == 0) as interruption,
        Bar("steps", options.verbosity == "quiet", unit="step", total=_total(options)) as bar,
    ):

        def follow(progress: Progress) -> None:
            record = progress.losses
            log.debug("step %d, level %d: %s", progress.step, progress.level, losses_of(record))
            bar.follow(progress)
            if interruption.asked:
                raise StopIteration

        result = optimize(net, **targets, init=start, size=size, **given, callback=follow, place=place)
    return result, interruption.asked and len(result.history) < _total(options)


def _save(out: Path, image: Tensor, **how: Any) -> None:
    """As `write_image`; but a picture that took hours is not lost for a full disk: a temporary folder takes it, then."""
    try:
        write_image(out, image, **how)
    except ImageError as problem:
        kept = write_image(Path(tempfile.mkdtemp(prefix="gatys-"), "result.png"), image, **how)
        raise ImageError(f"{problem}; until then it is kept as {str(kept)!r}") from problem


def _total(options: argparse.Namespace) -> int:
    return options.steps if isinstance(options.steps, int) else sum(options.steps)


# before the network is loaded


def find_device(name: str) -> torch.device:
    """The device that `--device` names; "auto" is CUDA, then MPS, then the CPU.

    Raises ValueError for a name that is none, and for a device that this machine or this PyTorch does not have.
    """
    cards, mps = torch.cuda.device_count(), torch.backends.mps.is_available()
    there = [
        "cpu",
        *(["mps"] if mps else []),
        *(["cuda"] if cards else []),
        *(f"cuda:{index}" for index in range(cards)),
    ]
    if name == "auto":
        return torch.device("cuda" if cards else "mps" if mps else "cpu")
    if name not in there:
        raise InputError(
            f"--device: {name!r} is not on this machine or not known to PyTorch; use auto or {', '.join(there)}"
        )
    return torch.device(name)


def _default_name(options: argparse.Namespace) -> Path:
    """`content_style.png`, `style_texture.png` or `content_reconstruction.png`."""
    styles = [*options.style, *options.load_style]
    names = [Path(path).stem for path in [options.content, *styles] if path != NO_CONTENT]
    names += ["texture"] if options.content == NO_CONTENT else [] if styles else ["reconstruction"]
    return Path(
        os.fsencode("_".join(names))[:200].decode(errors="ignore") + ".png"
    )  # file systems allow about 255 bytes


def _free_path(path: Path) -> Path:
    """`path`, or where there is such a file, the first of `path_2`, `path_3` ... that is free."""
    names = itertools.chain(
        [path], (path.with_name(f"{path.stem}_{count}{path.suffix}") for count in itertools.count(2))
    )
    return next(name for name in names if not os.path.lexists(name))


# what is told


def _worth(record: Record) -> tuple[int, float]:
    """Smallest for the record of the picture that is saved: the finest level, then the lowest total; NaN is none."""
    return record.level, record.total if record.total == record.total else float("inf")
