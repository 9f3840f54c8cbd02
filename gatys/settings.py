"""What can be chosen, by its names. Without PyTorch, so that the command line can tell before that is there."""

from __future__ import annotations

POOLINGS = ("max", "average")
"""Between the blocks, the default first: as VGG was trained, or as the paper has it; with trained filters max is better
at everything that was measured (benchmarks/RESULTS.md, "Defaults")."""

STEPS = 120
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 0.002, 1.0, 0.0
TEMPORAL_WEIGHT = 1.0
"""Defaults, chosen through trained filters (benchmarks/look.py), for normalised targets."""

RESPONSES = ("relu", "conv")
"""Where a layer is read: after its rectifier, or before it, as only few implementations do."""

LAYOUTS = ("auto", "torchvision", "caffe")
"""Preprocessing of the filters in a file."""

OWN = "own"
PREPROCESSINGS = ("imagenet", "caffe", "caffe-256", "imagenet-255")
"""What the network is given, whatever its filters; see `reading.PREPROCESSINGS`. Or their own."""

PADDINGS = ("zero", "replicate", "circular")
"""What each convolution sees beyond the picture's border: 0 as in the paper, the border repeated, or the other side."""

TV_FORMS = ("squared", "absolute", "corner")
"""Of the differences between neighbours: their squares; their absolute values; the squares, at those pixels only that
have a neighbour on both sides (jcjohnson/neural-style), which in a ring all have."""

PROPAGATIONS = ("average", "inside")

METHODS = ("linear", "histogram")
ROOTS = ("symmetric", "pca", "cholesky")

INITS = ("auto", "content", "noise", "mean")

OPTIMIZERS = ("lbfgs", "adam")
LEARNING_RATES = {"lbfgs": 1.0, "adam": 0.02}
"""Default of each optimiser: of L-BFGS a factor on its step, of Adam a change of pixels in the [0, 1] range."""

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""Of the convolutions."""

PRESETS = (
    "gatys2016",
    "udacity",
    "leongatys-pytorch",
    "neural-style",
    "neural-style-pt",
    "pytorch-tutorial",
    "gordicaleksa",
)
"""See `presets.presets`."""

STYLE_SUFFIX = ".safetensors"
