"""Contact sheets: photographs in styles, or one picture with several settings, each painted once and kept.

The cells lie in a folder of their own, called by what they were made of. So the next command paints only those that
are not there, whatever ended the one before.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..errors import ImageError, InputError, is_out_of_memory
from ..network.devices import find_device
from ..pictures.contact_sheet import Cell, contact_sheet
from ..pictures.images import check_output, read_image
from .console import complain, tell
from .interrupts import CTRL_C, INTERRUPTED
from .many_pictures import check_many
from .network_and_style import NetworkAndStyle
from .option_checks import check_options
from .options import NO_CONTENT
from .parsed import Options
from .record import check_filters, key_of
from .session import Session
from .sheet_cells import Plan, Planned, plan_sheet

log = logging.getLogger(__name__)

NOT_MADE, FAILED = "not made", "failed"
"""The words in a cell without a picture."""


def paint_sheet(
    options: Options, argv: Sequence[str], paint: Callable[[Options], int], kept: NetworkAndStyle, session: Session
) -> int:
    """Paint what is not there of a contact sheet, and write it; give the exit code.

    Args:
        options, argv: the command line, read and unread.
        paint: paints one picture and gives its exit code.
        kept: the network, which the cells' names depend on.
        session: writes the sheet.

    Raises:
        InputError: for faults that every cell would meet, before anything is written.
        ImageError: where the sheet or the folder of its cells cannot be written to.
        WeightsError: where filters cannot be loaded.
    """
    plan = plan_sheet(options, argv)
    out = _check(options, plan, session)
    for stands, name in plan.names.items():
        log.info("%s is %s", stands, name)
    with _folder(options, out) as folder:
        sheet = _Sheet(plan, folder, paint, kept)
        try:
            sheet.make()
            CTRL_C.hold()  # what is made is written
        except CTRL_C.kinds:
            CTRL_C.settle()
            sheet.interrupted = True
        made = sum(isinstance(picture, Image.Image) for picture in sheet.pictures)
        if made:
            _write(out, plan, sheet.pictures, options, session)
    failed = sheet.pictures.count(FAILED)
    counts = {"made": sheet.painted, "there before": made - sheet.painted, "failed": failed}
    counts["left"] = len(plan.cells) - made - failed
    words = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "made")
    tell(f"{out}: {len(plan.cells)} cells, {words}")
    if sheet.interrupted:
        stays = "are on the sheet, and" if made else "would have been on the sheet, which was not written;"
        complain(f"interrupted by Ctrl-C; cells that are done {stays} the same command makes the others")
        return INTERRUPTED
    return 2 if failed else 0


def _check(options: Options, plan: Plan, session: Session) -> Path:
    """Check what can be before any file is opened; give the path of the sheet."""
    if session.shared:
        raise InputError("sheet: a contact sheet is made by one process; leave out torchrun")
    if options.workers > 1:
        raise InputError(f"--workers: a contact sheet is made by one process, got {options.workers}; leave it out")
    for name in ("save_every", "time_lapse", "trace"):
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option}: expected a run of one picture, got a contact sheet; leave it out")
    if not options.out:
        raise InputError(
            f"--out: expected a file for the contact sheet, got {options.out!r}; give one, such as sheet.jpg"
        )
    for cell in plan.cells:
        check_options(replace(cell.options, out=options.out))
    check_many(plan.cells[0].options)
    return check_output(options.out, options.depth, not options.no_overwrite)


@contextmanager
def _folder(options: Options, out: Path) -> Iterator[Path]:
    """Make the folder for the cells, or one that is gone afterwards.

    Raises:
        ImageError: where the system refuses.
    """
    if options.cells == "none":
        with tempfile.TemporaryDirectory(prefix="gatys-") as scratch:
            yield Path(scratch)
        return
    folder = out.with_suffix(".cells") if options.cells is None else Path(options.cells)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except (OSError, ValueError) as problem:
        raise ImageError(
            f"--cells: the folder {str(folder)!r} cannot be made ({problem}); give another, or none"
        ) from problem
    if not writable:
        raise ImageError(f"--cells: the folder {str(folder)!r} is not writable; give another, or none")
    yield folder


class _Sheet:
    """The pictures of a sheet while they are made."""

    def __init__(self, plan: Plan, folder: Path, paint: Callable[[Options], int], kept: NetworkAndStyle):
        self._plan, self._folder, self._paint, self._kept = plan, folder, paint, kept
        self._said: set[str] = set()
        self.pictures: list[Image.Image | str] = [NOT_MADE] * len(plan.cells)
        """The picture of each cell, or the word that stands there."""
        self.painted, self.interrupted = 0, False

    def make(self) -> None:
        """Take the cells that are there, then paint the others.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
        """
        keys = [self._key(cell, index) for index, cell in enumerate(self._plan.cells)]
        for index, key in enumerate(keys):
            if key is not None:
                self._take(index, key)
        for index, (cell, key) in enumerate(zip(self._plan.cells, keys, strict=True)):
            # a cell may be there by now: two settings may mean the same
            if key is None or isinstance(self.pictures[index], Image.Image) or self._take(index, key):
                continue
            log.info("cell %d of %d: %s", index + 1, len(keys), ", ".join(cell.lines))
            out = self._folder / f"{_title(cell.options)}-{key}.png"
            with self._told(cell, index):
                code = self._paint(replace(cell.options, out=str(out)))
                self.painted += self._take(index, key)
                if code == INTERRUPTED:
                    raise KeyboardInterrupt

    def _key(self, cell: Planned, index: int) -> str | None:
        device = find_device(cell.options.device, "--device")
        net = self._kept.network(cell.options, device)
        check_filters(cell.options.expected_filters, net.tag)
        with self._told(cell, index):
            return key_of(cell.options, net.tag, device.type)
        return None

    def _take(self, index: int, key: str) -> bool:
        """Take a cell from the folder if it is there; one that cannot be read is painted again."""
        for path in self._folder.glob(f"*-{key}.png"):
            try:
                self.pictures[index] = _pillow(path)
            except ImageError as problem:
                log.warning("%s; it is painted again", problem)
            else:
                return True
        return False

    @contextmanager
    def _told(self, cell: Planned, index: int) -> Iterator[None]:
        """Say what keeps a cell from being made, once for all cells, and go on."""
        try:
            yield
        except (ValueError, OSError, MemoryError, RuntimeError) as problem:
            if isinstance(problem, CTRL_C.kinds):
                raise KeyboardInterrupt from problem
            if isinstance(problem, RuntimeError) and not (is_out_of_memory(problem) or isinstance(problem, OSError)):
                raise
            if str(problem) not in self._said:
                complain(f"{', '.join(cell.lines)}: {problem}")
            self._said.add(str(problem))
            self.pictures[index] = FAILED


def _write(out: Path, plan: Plan, pictures: Sequence[Image.Image | str], options: Options, session: Session) -> None:
    cells = [Cell(cell.lines, picture) for cell, picture in zip(plan.cells, pictures, strict=True)]
    levels = torch.from_numpy(np.array(contact_sheet(cells, plan.columns))).permute(2, 0, 1)[None]
    size = (levels.shape[-2], levels.shape[-1])
    how = {"depth": options.depth, "quality": options.file_quality, "overwrite": not options.no_overwrite}
    session.save(out, levels.float() / 255, size, alpha=None, **how)


def _pillow(path: Path) -> Image.Image:
    """Read a cell, with white under what is transparent."""
    picture = read_image(path)
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = pixels * picture.alpha + 1 - picture.alpha
    return Image.fromarray((pixels[0] * 255).round().byte().permute(1, 2, 0).numpy())


def _title(options: Options) -> str:
    """Give what a cell's file is called by, for people."""
    names = [Path(path).stem for path in (options.content, *options.style, *options.load_style) if path != NO_CONTENT]
    return "_".join(names)[:50]
