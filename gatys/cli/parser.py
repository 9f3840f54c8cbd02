"""The reading of a command line: `~` and `--` in every place, and unknown options with the one that is meant."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ..errors import InputError

_CONTENT, _STYLE = "CONTENT", "STYLE"
ELSEWHERE: Mapping[str, str] = {
    word: ours
    for ours, words in {
        "--steps": "iterations iters iter num-iterations num-iters num-iter n-iter max-iterations max-iter niter epoch epochs "
        "num-epochs num-steps n-steps iteration max-steps total-step",
        _CONTENT: "content content-image content-img content-path content-img-name content-file input input-image image "
        "input-path base-image base-image-path target",
        _STYLE: "style style-image style-images style-img style-imgs style-path style-img-name style-file styles "
        "style-reference-image-path style-image-path reference",
        "--out": "output output-image output-path output-file output-dir output-img img-output-dir result-dir result dest "
        "save-path result-prefix output-folder save-dir",
        "--size": "image-size img-size imsize resolution max-size max-img-size width height image-height dim img-height "
        "content-size end-scale",
        "--style-scale": "style-size style-scales",
        "--learning-rate": "lr rate step-size",
        "--content-weight": "alpha content-loss-weight",
        "--style-weight": "beta style-loss-weight",
        "--tv-weight": "tv tv-loss tv-loss-weight total-variation total-variation-weight smoothness",
        "--blend": "style-blend-weights style-interpolation-weights style-weights style-imgs-weights",
        "--keep-luminance": "original-colors preserve-colors preserve-color keep-colors keep-color color-preservation "
        "luminance luminance-only",
        "--match-colors": "color-transfer match-color match-histogram color-convert-type",
        "--style-mask": "mask masks mask-path style-mask-imgs style-semantic",
        "--weights": "model model-file model-path network model-weights vgg pretrained proto-file",
        "--device": "gpu gpu-id cuda cpu gpu-ids devices backend no-cuda multidevice-strategy",
        "--init": "initialization init-type init-image init-img init-img-type init-method init-images",
        "--history-size": "lbfgs-num-correction num-correction",
        "--checkpoint": "resume",
        "--save-every": "save-iter save-iters save-iterations checkpoint-iterations saving-freq save-freq save-interval",
        "--levels": "scales num-scales pyramid multiscale multires",
        "--tile": "tile-size tiles patch-size",
        "--precision": "fp16 half bf16 amp float16 use-fp16 dtype autocast",
        "--normalize": "normalize-gradients normalize-weights",
        "--verbose": "print-iter print-iterations debug log-level",
        "--memory": "max-memory vram memory-limit",
        "--workers": "jobs threads num-workers processes",
        "--file-quality": "jpeg-quality jpg-quality",
    }.items()
    for word in words.split()
}
"""Names of options of other programs, without dashes and with - between words, and ours for the same, or the place of a
picture."""


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are an InputError, in which `~` is the user's folder and what follows `--` is no option."""

    def __init__(self, **how: Any):
        super().__init__(**how)
        self.register("type", None, os.path.expanduser)  # of all options that take a text

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; --help-all lists what can be given")

    def parse_intermixed_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        """Read a command line in which options and pictures may stand in any order.

        Raises:
            InputError: for whatever cannot be read.
        """
        words = without_end(sys.argv[1:] if args is None else args)
        for word in words:
            if re.fullmatch(r"-[a-z][a-z_-]+(=.*)?", word) and self._means(word) is not None:
                self._unknown([word])  # else -output_image would be -o utput_image
        read, unknown = self.parse_known_intermixed_args(words, namespace)
        if unknown:
            self._unknown(unknown)
        return read

    def _unknown(self, words: Iterable[str]) -> NoReturn:
        options = [word for word in words if word.startswith("-")]
        if not options:
            self.error(f"unrecognized arguments: {' '.join(words)}")
        name = options[0].partition("=")[0]
        meant = self._means(name)
        if meant in (_CONTENT, _STYLE):
            raise InputError(f"there is no option {name}; give the picture itself, as {meant}: gatys CONTENT STYLE")
        hint = "" if meant is None else f" (did you mean {meant}?)"
        raise InputError(f"there is no option {name}{hint}; --help-all lists what can be given")

    def _means(self, word: str) -> str | None:
        """Give the option that a word may stand for; None where nothing is like it."""
        name, known = word.partition("=")[0].lstrip("-").lower().replace("_", "-"), self._option_string_actions
        if f"--{name}" in known:
            return f"--{name}"
        ours = ELSEWHERE.get(name)
        if ours in (_CONTENT, _STYLE) or ours in known:
            return ours
        if not word.startswith("--"):  # short words are like too many
            return None
        return next(iter(difflib.get_close_matches(f"--{name}", known, n=1, cutoff=0.7)), None)


def without_end(words: Sequence[str]) -> list[str]:
    """Give a command line of the same meaning without `--`, so that options may be added to it.

    After `--`, a path that looks like an option begins with `./`.
    """
    end = words.index("--") if "--" in words else len(words)
    paths = (
        os.path.join(os.curdir, word) if word.startswith("-") and word != "-" else word for word in words[end + 1 :]
    )
    return [*words[:end], *paths]
