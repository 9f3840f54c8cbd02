"""The network forward and back over a window, by hand: tiles, bands, precision, and what fits into memory."""
