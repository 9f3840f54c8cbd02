"""The session of processes that share each picture: who speaks, what all must share, and how a run ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..cli.console import complain
from ..cli.parsed import Options
from ..cli.session import Session, how_to_go_on
from ..errors import InputError
from ..network.layers import LAYERS
from ..passes.layout import Size
from ..passes.memory import free_memory
from ..pictures.images import Picture
from ..settings import __version__, rings
from .files import load_strip, save_strips
from .strips import Strips
from .team import Processes, is_lost, join, leave, own_device

LOST = "another process of this run was lost, so that the others ended, too"
ENDED = "ended from outside, as all are where one process of a run is lost"


class SharedSession(Session):
    """One of the processes that `torchrun` has started.

    Args:
        environment: the environment variables, in which `torchrun` has spoken to this process.
    """

    shared = True

    def __init__(self, environment: Mapping[str, str] = os.environ):
        self._environment = environment
        self._team: Processes | None = None

    def meet(self, options: Options) -> Options:
        if options.match_colors:
            raise InputError(
                "--match-colors: expected one process, since it looks at all of CONTENT, got several; keep the style "
                "by one process and --save-style, and give it here with --load-style"
            )
        device = own_device(options.device, self._environment)
        self._team = team = join(device)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: self._end(options))
        versions = {"version of gatys": __version__, "version of PyTorch": torch.__version__}
        team.agree(versions | {"options": sorted(vars(options).items(), key=str)})
        self._strips = Strips(
            team,
            [LAYERS[name] for name in (*options.content_layers, *options.style_layers)],
            ring=rings(options.padding)[0],
        )
        self.place = self._strips
        memory = options.memory
        if device.type == "cpu" and memory is None:
            memory = free_memory("cpu") // int(self._environment.get("LOCAL_WORLD_SIZE", "1"))
        verbosity = "quiet" if team.rank else options.verbosity
        return replace(options, device=str(device), memory=memory, verbosity=verbosity)

    def load(self, path: str, size: int | Callable[[Size], int] | None = None) -> Picture:
        return load_strip(path, self._strips, size)

    def save(self, path: str | Path, image: Tensor, size: Size, *, alpha: Tensor | None, **how: Any) -> None:
        save_strips(Path(path), image, size, self._strips, alpha=alpha, **how)

    def complain(self, problem: object) -> None:
        first_here = self._environment.get("LOCAL_RANK", "0") == "0"
        if first_here if self._team is None else self._team.may_speak():
            complain(problem)

    def loss(self, error: BaseException) -> str:
        return LOST if self._team is not None and is_lost(error) else ""

    def leave(self) -> None:
        if self._team is not None:
            leave()
            self._team = None

    def quit(self, code: int) -> None:
        if self._team is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            self._team.part()
            os._exit(code)

    def _end(self, options: Options) -> None:
        self.complain(f"{ENDED}; {how_to_go_on(options) or 'start all of them again'}")
        self.quit(128 + signal.SIGTERM)
