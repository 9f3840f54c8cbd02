"""What the command line minds as one of several processes: who speaks, what all must share, and how it ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping

import torch

from ..cli.console import complain
from ..cli.options import version
from ..errors import InputError
from ..network.layers import LAYERS
from ..passes.layout import WHOLE, Layout
from ..passes.memory import free_memory
from .strips import Strips
from .team import Processes, is_lost, join, leave, own_device, started_together

LOST = "another process of this run was lost, so that the others ended, too"
ENDED = "ended from outside, as all are where one process of a run is lost"


class Crew:
    """This process alone, or as one of those that `torchrun` has started."""

    def __init__(self, environment: Mapping[str, str] = os.environ):
        self._environment = environment
        self.several = started_together(environment)
        self._team: Processes | None = None

    def meet(self, options: argparse.Namespace) -> Layout:
        """Where the pictures will lie; several processes find each other, and `options` becomes what each has for itself.

        Raises:
            ValueError: where they do not find each other or do not agree, and for what only one process can do.
        """
        if not self.several:
            return WHOLE
        if options.match_colors:
            raise InputError(
                "--match-colors: expected one process, since it looks at all of CONTENT, got several; keep the style "
                "by one process and --save-style, and give it here with --load-style"
            )
        device = own_device(options.device, self._environment)
        self._team = join(device)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: self._end(options))
        versions = {"version of gatys": version(), "version of PyTorch": torch.__version__}
        self._team.agree(versions | {"options": sorted(vars(options).items(), key=str)})
        if device.type == "cpu" and options.memory is None:
            options.memory = free_memory("cpu") // int(self._environment.get("LOCAL_WORLD_SIZE", "1"))
        options.device = str(device)
        if self._team.rank:
            options.verbosity = "quiet"
        layers = [LAYERS[name] for name in (*options.content_layers, *options.style_layers)]
        return Strips(self._team, layers, ring=options.padding == "circular")

    def complain(self, problem: object) -> None:
        """Say what went wrong; of several processes, one does."""
        if self._team is not None:
            speaks = self._team.may_speak()
        else:
            speaks = not self.several or self._environment.get("LOCAL_RANK", "0") == "0"
        if speaks:
            complain(problem)

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that another process is gone."""
        return self._team is not None and is_lost(error)

    def leave(self) -> None:
        """Part in good order."""
        if self._team is not None:
            leave()
            self._team = None

    def quit(self, code: int) -> None:
        """After a failure, end this process at once, since others may be gone; nothing where it is alone or has left."""
        if self._team is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            self._team.part()
            os._exit(code)

    def _end(self, options: argparse.Namespace) -> None:
        self.complain(f"{ENDED}; {go_on(options) or 'start all of them again'}")
        self.quit(128 + signal.SIGTERM)


def go_on(options: argparse.Namespace | None) -> str:
    """How to go on after a run that was cut short; nothing where it has left no state."""
    path = None if options is None else options.checkpoint
    return f"the same command goes on from {path}" if path is not None and os.path.isfile(path) else ""
