"""The command's door: what needs no PyTorch is answered here, before that is imported, which takes seconds."""


def main() -> int:
    """Run the command line and give its exit code."""
    # nothing is imported above, so that Ctrl-C is answered from here on
    from .cli.interrupts import CTRL_C
    from .cli.streams import fill_descriptors, steady_streams
    from .distributed.torchrun import speaks, started_together

    with CTRL_C.in_program(tells=speaks()), steady_streams():
        fill_descriptors()
        from .cli.door import answered

        code = answered(alone=not started_together(), tells=speaks())
        return _work() if code is None else code


def _work() -> int:
    import os

    from .distributed.torchrun import started_together

    # PyTorch then asks for its large tensors in large pages, where Linux lets it; it reads this once
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from .cli import command

    if not started_together():
        return command.main()
    from .distributed.session import SharedSession

    return command.main(session=SharedSession())


if __name__ == "__main__":
    raise SystemExit(main())
