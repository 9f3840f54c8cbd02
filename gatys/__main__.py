"""The command's door: `--help` and `--version` are answered here, before PyTorch is imported, which takes seconds."""

import contextlib
import os

from .cli.options import build_parser
from .distributed.torchrun import started_together


def main() -> int:
    """Run the command line and give its exit code."""
    with contextlib.suppress(ValueError):  # what is wrong is said by the command line itself
        build_parser().parse_intermixed_args()
    # PyTorch then asks for its large tensors in large pages, where Linux lets it; it reads this once
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from .cli import command

    if not started_together():
        return command.main()
    from .distributed.session import SharedSession

    return command.main(session=SharedSession())


if __name__ == "__main__":
    raise SystemExit(main())
