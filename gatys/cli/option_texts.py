"""What the command line says of each option."""

from __future__ import annotations

from ..settings import FLOWS, LEARNING_RATES, PREPROCESSINGS, PRESETS, PROPAGATIONS, QUALITIES, STYLE_SUFFIX, Quality
from ..video.film_files import CODECS, CRF, RATE


def _quality(word: Quality) -> str:
    sets = QUALITIES[word]
    precise = "" if sets["precision"] == "auto" else f", {sets['precision']}"
    return f"{word} ({sets['size']} pixels, {sets['steps']} steps{precise})"


_RATES = ", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items())
HELP = {
    "content": "picture file of what is to be seen; - for none: a texture of the style; or a folder of pictures, or a .txt "
    "file with a path in each line: each becomes OUT/NAME.png, unless that is there already; or a film, see below",
    "style": "picture file of how it is to be painted; several are averaged, or see --blend and --style-mask; none, with "
    "--style-weight 0, reconstructs the content",
    "out": "file to write, .png, .jpg, .webp or .tif, replaced if it exists (default: CONTENT_STYLE.png in the current "
    "folder, numbered if it exists)",
    "workers": "processes that share out the pictures of a folder or list, each on a GPU of its own if there are several",
    "preset": "a published setting, which fills all that is not given: " + ", ".join(PRESETS) + " (default: none)",
    "size": "longer edge of the result in pixels, to which CONTENT is enlarged or reduced; 0 keeps its own",
    "style_scale": "longer edge of each STYLE as a factor of the result's; below 1 makes finer strokes, above coarser",
    "load_style": "style file that --save-style or the Save Style node wrote, a further style after all STYLEs, with the "
    "size, layers, statistic, levels and colours that it was saved with; once for each file (default: none)",
    "blend": "share of a style in a mixture, any finite number, of which the ratios count; below 0 leads away from a "
    "style; once for each STYLE, then for each --load-style, in their order (default: equal shares)",
    "style_mask": "picture file whose luminance is where in the result a style goes, white in full, black not at all, "
    "stretched to the result; once for each STYLE, then for each --load-style, in their order (default: everywhere)",
    "propagation": "how a --style-mask comes to the layers: average (soft edges, for any region) or inside (no style "
    f"crosses the edge, for large regions) (default: {PROPAGATIONS[0]})",
    "save_style": f"file to keep the style in, averaged or blended, for --load-style; ends in {STYLE_SUFFIX} (default: not kept)",
    "overwrite_style": "let --save-style replace a file that exists (default: it is left alone, and nothing is done)",
    "match_colors": "give each STYLE the colours of CONTENT first: linear, whose matrix root is symmetric (moves colours "
    "least) unless pca or cholesky (the paper's) is given instead, or histogram (each channel) (default: its own colours)",
    "match_features": "how far the content that is matched goes, from 0 (CONTENT's own) to 1, to what is most like it in each STYLE, "
    "so that strokes follow forms and flat areas are painted; goes well with --strength 0.25",
    "keep_luminance": "give the result the colours of CONTENT at last, so that only its luminance is painted (default: "
    "the result's own colours)",
    "depth": "bits a channel of OUT; 16 needs .png or .tif (default: 8)",
    "strip": "write nothing into OUT but the picture: neither how it was made nor CONTENT's EXIF (camera, place, copyright), "
    "resolution and profile (default: they are written)",
    "no_overwrite": "leave OUT alone where it exists, and do nothing (default: it is replaced)",
    "like": "picture that this program wrote: what it says of its options, pictures and filters is taken for all that is "
    "not given (default: none)",
    "sweep": "option and its values, as in strength=0.2,0.5,0.8: OUT becomes a contact sheet with a picture for each; a "
    "second --sweep makes the rows (default: none)",
    "cells": "folder for the pictures of a contact sheet, which are not painted again by the next command that needs them, "
    "or none (default: OUT with the suffix .cells)",
    "config": "TOML file with options by their names, such as size = 768; those at the command line win (default: none)",
    "quality": f"{', '.join(map(_quality, QUALITIES))}: what is not given of --size, --levels, --steps and --precision; a "
    "number counts as --file-quality (default: good)",
    "file_quality": "of .jpg and .webp, in percent, 1 to 100",
    "weights": "filters of the network: paper (the paper's own, 80 MB are downloaded once), imagenet (torchvision's, 548 "
    "MB), untrained or untrained:SEED (random), a file (VGG-19 or VGG-16 as .pth, .safetensors or Keras' .h5, or a .whl or "
    ".zip with one), or auto: a file that is there, else paper, else untrained",
    "layout": "preprocessing that the filters of a --weights file were trained with; auto goes by its keys, content and name",
    "pooling": "between the blocks: max (as the network was trained) or average (the paper)",
    "preprocessing": "what the network is given, whatever the filters: " + ", ".join(PREPROCESSINGS) + ", or their own",
    "responses": "relu: layers are read after their rectifiers; conv: before them",
    "device": "what computes: cpu, cuda, cuda:N, mps; auto is CUDA, else MPS, else the CPU",
    "content_layers": "where the content is matched: layer names, each with its weight or 1",
    "style_layers": "where the style is matched: layer names, each with its weight or 1",
    "statistic": "what is compared of the style: gram (the Gram matrices, as the paper), covariance (covariance and mean, each by "
    "itself), moments (Gram, and the channels' means and deviations), wasserstein (the distance of normal distributions), across "
    "(the covariance of each layer with the one before it), crowsonkb or spst (as these programs have it, for their presets)",
    "content_weight": "alpha, factor of the content term, at least 0",
    "style_weight": "beta, factor of the style term, at least 0",
    "strength": "how strongly the style shows, from 0 (nearly CONTENT) to 1 (CONTENT hardly counts), in steps that look equal: a factor on --content-weight, which is 1 at 0.5",
    "octaves": "at how many sizes of the result the style is matched at once, each half of the one before: 1 is the paper's, more "
    "hold large forms beside fine strokes; at most as many as --levels, and auto are at least as many",
    "tv_weight": "factor of smoothness, at least 0; 0.1 calms the grain",
    "tv_form": "what is smooth: squared differences of neighbours, absolute ones, or as neural-style, squared without those along the lower and right edge (corner), or squared ones along the diagonals, too (nine-point)",
    "laplacian_weight": "factor of keeping the lines of CONTENT, such as eyes and mouths, at the pixels, at least 0; 0.02 keeps a face",
    "shares": "weights by what they do: shares of the gradient at the start, such as 'content=10%%, conv1_1=20%%' (docs/settings.md) (default: none)",
    "normalize": "divide each layer's term by the size of its target, so that the weights mean the same for every network and picture; without it they must be chosen anew (default: --normalize)",
    "init": "where to start: recolored (the content in the colours of the style), content, noise, mean (the mean colour, as "
    "neural-style), auto (recolored if there is a content, else noise) or a picture file",
    "steps": "number of evaluations of loss and gradient, over all levels; or of each level, full size first: 20,40,80",
    "tolerance": "share of the loss by which it still falls in ten evaluations, or a level ends, so that --steps are the most; "
    "0 takes them all",
    "average": "what a level gives: 0 its best picture; above, to below 1, an average of its pictures, each of which weighs this "
    "much less than the next, such as 0.99, which evens adam out",
    "levels": "number of sizes to descend at, the smallest first, each twice the one before; auto begins at about 56 "
    "pixels of the short edge, 1 is the paper's",
    "detail": "share of CONTENT's own detail that each level adds to what the coarser one made, from 0 to 1; below 1 what is small "
    "is painted rather than photographed",
    "optimizer": "lbfgs (the paper's, lowest loss for the steps) or adam (less memory)",
    "learning_rate": "for lbfgs a factor on the first step of each level, for adam the change of pixels in a step, "
    f"their range being 1 (default: {_RATES})",
    "history_size": "number of steps that lbfgs remembers, two pictures of memory each",
    "seed": "seed of the noise, a whole number",
    "checkpoint": "file for the run's state, from which the same command goes on after a crash, or after Ctrl-C, to the "
    "same picture; deleted when that is saved; up to 23 times a picture in float32 (default: none)",
    "checkpoint_every": "seconds between two states at least",
    "save_every": "write the picture so far every so many steps, or seconds as in 30s, to OUT's name with .so-far in it, which "
    "goes when OUT is there (default: not before the end)",
    "time_lapse": "film of the descent to write, .gif, .webp or .mp4 (which needs the package av), at most 1024 pixels wide "
    "or high; of a folder or list one for each picture, with its name after FILE's (default: none)",
    "time_lapse_every": "steps from one frame to the next (default: so many that there are about 50 frames)",
    "trace": "JSON file to write with the losses and the time of each step, the settings and the versions, also where the run "
    "is cut short; of a folder or list one for each picture (default: none)",
    "tile": "edge in pixels of the tiles that a step is cut into to save memory, or none for whole pictures, or auto for "
    "the fastest way that fits; loss and gradient are the same",
    "memory": "GiB that may be used beside filters and targets (default: what is free)",
    "precision": "of the convolutions: float32, bfloat16, float16, or auto for bfloat16 where the device has units for it; "
    "all else is float32, and a run whose numbers leave the range goes on in float32",
    "graphs": "replay the evaluations of whole pictures on NVIDIA cards from CUDA graphs, which holds the memory of one",
    "film": "the pictures of CONTENT, a folder or list or an animation, are the frames of a film (default: where OUT is one)",
    "start": "where in the film to begin, in seconds or as 1:02.5 (default: its beginning)",
    "end": "where in the film to end, likewise (default: its end)",
    "every": "of so many frames paint the first, shown as long as all of them (default: 1)",
    "fps": f"frames a second of a film whose frames are a folder or list (default: {RATE})",
    "flow": f"what tells how the scene moves: {', '.join(FLOWS)} (docs/films.md), or none: the camera stands still (default: auto)",
    "later_steps": "steps of a frame that starts from the one before it (default: so many that it takes a quarter of the first one's time)",
    "temporal_weight": "factor of staying near the frame before, at least 0",
    "style_at": "when in the film a style is alone, as --start; once for each STYLE and --load-style (default: one for all)",
    "long_term": "how many frames before a frame is held to, each where no nearer one is to be trusted, as 1,2,4 (default: 1)",
    "passes": "how often the film is painted: forward, back, forward, ... (default: 1)",
    "anchor_every": "frames after which one is painted as the first is, against drift; 0 is never",
    "codec": f"of a film: {CODECS[0]}, or {CODECS[1]} (loses nothing, .mkv) (default: {CODECS[0]})",
    "crf": f"quality of {CODECS[0]}, 0 (loses least) to 51 (default: {CRF})",
    "no_sound": "leave the sound out, which is else copied as it is (default: it is copied)",
    "padding": "what the network sees beyond the border: zero (the paper), replicate (paint does not thin out there), "
    "replicate-first (the same for the first layer alone), "
    "circular (a texture to be laid side by side) or panorama (360 degrees: left and right meet); STYLE is with the last two "
    "read with replicate (default: zero)",
}
"""Of each option; its default is added where none is said."""
