"""The command's door: `--help` and `--version` are answered here, before PyTorch is imported, which takes seconds."""

import contextlib

from .options import build_parser


def main() -> int:
    """Run the command line and return its exit code."""
    with contextlib.suppress(ValueError):  # what is wrong is said by the command line itself
        build_parser().parse_intermixed_args()
    from .cli import main

    return main()


if __name__ == "__main__":
    raise SystemExit(main())
