"""The command line, `python -m gatys`."""
