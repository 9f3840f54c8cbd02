"""The question whether `torchrun` has started this process; without PyTorch, so that `--help` need not wait for it."""

from __future__ import annotations

import os
from collections.abc import Mapping


def started_together(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether `torchrun`, or something like it, has started this process as one of several.

    `torchrun` also counts where it has started one process only.
    """
    return int(environment.get("WORLD_SIZE", "1")) > 1 or "TORCHELASTIC_RUN_ID" in environment


def speaks(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process is the one of its machine that says what all see."""
    return not started_together(environment) or environment.get("LOCAL_RANK", "0") == "0"
