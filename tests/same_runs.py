"""Runs of all kinds by the public interface alone, as one digest each: what `test_same_bytes` compares.

python tests/same_runs.py PATH      with PATH, the folder of a `gatys` package, first on the search path
"""

import contextlib
import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path


def digest(*tensors):
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def told(result):
    """A run's picture, losses and notes."""
    sha = hashlib.sha256(digest(result.image).encode())
    sha.update(repr([(r.asdict(), dict(r.layers)) for r in result.history]).encode())
    sha.update(repr(result.notes).encode())
    return sha.hexdigest()[:16]


def scene(torch, count, height, width, seed):
    """Pictures with edges and gradients, (count, 3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (smooth + 0.1 * torch.rand(count, 3, height, width, generator=generator)).clamp(0, 1)


def runs(gatys, torch, folder):
    """The name and the digest of each run, in turn."""
    net = gatys.load_vgg19("untrained:0", "max")
    smooth = gatys.load_vgg19("untrained:1", "average")
    photo, painting = scene(torch, 1, 72, 98, 1), scene(torch, 1, 90, 70, 2)
    how = {"steps": 6, "precision": "float32"}

    content = gatys.extract_content(net, photo, levels=2)
    style = gatys.extract_style(net, painting, levels=2)
    yield "targets", digest(*content.features[1].values(), *style.grams[0].values())
    yield "default", told(gatys.optimize(net, content=content, style=style, **how))
    yield "bfloat16", told(gatys.optimize(net, content=content, style=style, steps=4, precision="bfloat16"))
    yield "tiles", told(gatys.optimize(net, content=content, style=style, tile=48, **how))
    rough = {"optimizer": "adam", "tv_weight": 0.3, "tv_form": "absolute", "init": "noise", "seed": 5}
    yield "adam", told(gatys.optimize(net, content=content, style=style, **rough, **how))
    rough["optimizer"] = "lbfgs"
    yield "absolute", told(gatys.optimize(net, content=content, style=style, **rough, **how))

    far = gatys.extract_content(smooth, photo, {"conv3_1": 1.0, "conv2_2": 0.5}, mask=scene(torch, 1, 9, 9, 3)[0, 0])
    texture = gatys.extract_style(smooth, [painting, photo], ["conv1_2", "conv3_2"], normalize=False)
    yield "average", told(gatys.optimize(smooth, content=far, style=texture, style_weight=1e-3, **how))
    yield "texture", told(gatys.optimize(smooth, style=texture, size=(40, 50), padding="circular", **how))

    batch = gatys.extract_content(net, scene(torch, 3, 48, 64, 4), ["conv2_1"], normalize=False)
    few = gatys.extract_style(net, painting, ["conv1_1", "conv2_1"])
    yield "batch", told(gatys.optimize(net, content=batch, style=few, history_size=2, **how))
    large = gatys.extract_content(net, scene(torch, 1, 150, 210, 6), ["conv2_1"])
    yield "tiles in little memory", told(gatys.optimize(net, content=large, style=few, memory=1, **how))
    yield "whole", told(gatys.optimize(net, content=large, style=few, tile=None, **how))
    left = torch.zeros(48, 64)
    left[:, :30] = 1
    both = [(few, left), (gatys.extract_style(net, photo, ["conv2_2"]), 1 - left)]
    for rule in ("average", "inside"):
        regions = gatys.regional_style(both, propagation=rule)
        yield f"regions {rule}", told(gatys.optimize(net, content=batch, style=regions, **how))
    film = gatys.optimize_frames(net, batch, style=few, later_steps=3, temporal_weight=1.0, **how)
    yield "film", digest(film.images)

    def stop(progress):
        if progress.step == 4:
            raise StopIteration

    state = {"checkpoint": folder / "run.safetensors", "checkpoint_every": 0}
    gatys.optimize(net, content=content, style=style, callback=stop, **state, **how)
    yield "resumed", told(gatys.optimize(net, content=content, style=style, **state, **how))

    preset = gatys.presets["neural-style-pt"]
    yield "preset", told(preset.optimize(net, photo, painting, steps=3, precision="float32"))
    yield "colours", digest(gatys.match_colors(painting, photo), gatys.keep_luminance(painting, painting.flip(1)))
    mixed = gatys.blend_styles([(few, 2.0), (gatys.extract_style(net, photo, ["conv1_1", "conv2_1"]), -1.0)])
    yield "blend", digest(*mixed.grams[0].values())
    mixed.save(folder / "mixed.safetensors", thumbnail=painting, description="a mixture")
    info = gatys.read_style_info(folder / "mixed.safetensors")
    loaded = gatys.StyleTarget.load(folder / "mixed.safetensors")
    yield "style file", digest(info.thumbnail, *loaded.grams[0].values())
    objective = gatys.Objective(net, content=content, style=style, tv_weight=0.1)
    losses, gradient = objective.evaluate(photo.flip(3), tile=32)
    yield "objective", digest(gradient, torch.tensor(list(losses.values())))
    shares = gatys.gradient_shares(objective, photo)
    yield "shares", digest(torch.tensor(list(shares.values())))


def main(package):
    sys.path.insert(0, package)
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    import gatys

    # the processor decides which convolutions are Winograd's, whose last bits are others; test_winograd.py is about those
    with contextlib.suppress(ImportError):  # an older package has none
        from gatys.passes import winograd

        winograd._FEWEST_BLOCKS = {}
    assert Path(gatys.__file__).is_relative_to(Path(package).resolve()), gatys.__file__
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(dict(runs(gatys, torch, Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1])
