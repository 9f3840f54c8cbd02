"""Ours and other programs side by side: time an evaluation, memory, and time to the same loss.

    python benchmarks/peers.py --size 256 --filters FILE --neural-style-pt DIR --crowsonkb DIR --leongatys DIR --tutorial FILE

Peers are given by path: clones of ProGamerGov/neural-style-pt, crowsonkb/style-transfer-pytorch and
leongatys/PytorchNeuralStyleTransfer, and pytorch/tutorials' neural_style_tutorial.py. All have the same pictures,
filters (of a file of VGG-19 or VGG-16; without one untrained, made by a seed), layers and objective,

    content_weight * mean((F - P)^2) + style_weight * sum_l mean((G_l - A_l)^2 / (N_l M_l)^2),

which is neural-style-pt's with no smoothness; crowsonkb's program has no other objective than its own. The weights are
neural-style-pt's own; with untrained filters they are so large that the loss is what trained ones make it, since torch.optim.LBFGS
does not leave the start where it is about 1 and pixels go to 255. Each runs in a
process of its own; they take turns of some seconds, so that a machine whose speed drifts slows all of them alike. Along
each run pictures are put aside, and one function, written for this alone, says what their loss is.

`convolutions` is the floor: the convolutions of one evaluation, forward and back to the picture, and nothing else.
Several runs, as `--data` kept them, are told together by `peers_tables.py`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from peers_tables import GOALS, plot, tables
from PIL import Image
from programs import CAFFE_MEAN, PROGRAMS, STYLE, WIDTHS, deeper

import gatys
from gatys.network.layers import LAYERS
from gatys.network.weights import untrained_state

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
PEERS = ("neural-style-pt", "crowsonkb", "leongatys", "tutorial")


def main():
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="gatys-peers-"))
    try:
        jobs = prepare(folder, options)
        run(folder, jobs)
        report(folder, jobs, options)
    finally:
        shutil.rmtree(folder)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PATH", help="leaves it out where not given")
    parser.add_argument("--programs", help="NAME or NAME=EVALUATIONS, comma-separated; default all that are given")
    parser.add_argument("--size", type=int, default=256, help="edge of the square pictures")
    parser.add_argument("--evaluations", type=int, default=500)
    parser.add_argument("--ours", default="60,120,250", help="lengths of our runs")
    parser.add_argument("--init", choices=("image", "random"), default="image")
    parser.add_argument("--pooling", choices=("max", "average"), default="max")
    parser.add_argument("--content", default=EXAMPLES / "content.jpg")
    parser.add_argument("--style", default=EXAMPLES / "style.jpg")
    parser.add_argument("--filters", help="a file of trained filters")
    parser.add_argument("--content-weight", type=float, help="default 5, or 1e4 with untrained filters")
    parser.add_argument("--style-weight", type=float, help="default 100, or 1e9 with untrained filters")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turn", type=float, default=8.0, help="seconds")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--plot", type=Path, help="a picture of loss against seconds")
    parser.add_argument("--data", type=Path, help="the same as numbers, JSON")
    parser.add_argument("--pictures", type=Path, help="a folder for the last picture of each")
    options = parser.parse_args()
    options.content_weight = options.content_weight or (5.0 if options.filters else 1e4)
    options.style_weight = options.style_weight or (100.0 if options.filters else 1e9)
    return options


# the work of each program


def prepare(folder, options):
    """Pictures and filters as files, and what each program is to do."""
    for name, source in (("content", options.content), ("style", options.style)):
        square(source, options.size).save(folder / f"{name}.png")
    canonical = filters_of(options.filters)
    mean, std = canonical["mean"], canonical["std"]
    plain, caffe, index = {}, {}, 0
    for name, layer in LAYERS.items():
        index += 1 if layer.stride != 1 and name.endswith("_1") else 0  # the pooling before
        weight, bias = canonical[f"{name}.weight"], canonical[f"{name}.bias"]
        plain |= {f"features.{index}.weight": weight, f"features.{index}.bias": bias}
        index += 2
    # Caffe's mean is not ImageNet's to the last digit: the difference becomes a bias, which only the zeros at the border miss
    caffe = dict(plain)
    first = plain["features.0.weight"] / (255 * std.view(1, 3, 1, 1))
    shift = CAFFE_MEAN.flip(0).view(3) - 255 * mean
    caffe["features.0.bias"] = plain["features.0.bias"] + torch.einsum("oikl,i->o", first, shift)
    caffe["features.0.weight"] = first.flip(1)
    torch.save(plain, folder / "torchvision.pth")
    torch.save(caffe, folder / "vgg19-caffe.pth")
    named = dict(zip([f"{n}.{p}" for n in LAYERS for p in ("weight", "bias")], caffe.values(), strict=True))
    torch.save(named, folder / "caffe.pth")
    wanted = dict(pair.partition("=")[::2] for pair in options.programs.split(",")) if options.programs else {}
    paths = {name: getattr(options, name.replace("-", "_")) for name in PEERS}
    jobs = {}
    for name in PROGRAMS:
        peer = name.removesuffix("-adam")
        if (wanted and name not in wanted) or (peer in paths and not paths[peer]):
            continue
        lengths = [int(wanted.get(name) or options.evaluations)]
        if name.startswith("gatys") and not wanted.get(name):
            lengths = [int(length) for length in options.ours.split(",")]
        for length in lengths:
            jobs[f"{name}:{length}" if len(lengths) > 1 else name] = {
                "evaluations": length,
                "marks": marks(length),
                "paths": paths,
                "preprocessing": [mean.tolist(), std.tolist()],
            } | {
                key: getattr(options, key)
                for key in ("size", "init", "pooling", "content_weight", "style_weight", "threads", "turn", "device")
            }
    return jobs


def filters_of(file):
    """The filters of a VGG-19 which is given pixels as torchvision's."""
    state = untrained_state(0)
    if file is None:
        return state
    found = gatys.load_vgg(file).state_dict()
    state |= {name: values.contiguous() for name, values in deeper(found).items()}
    first = state["conv1_1.weight"] / found["std"].view(1, 3, 1, 1)
    state["conv1_1.bias"] = state["conv1_1.bias"] + torch.einsum("oikl,i->o", first, state["mean"] - found["mean"])
    state["conv1_1.weight"] = (first * state["std"].view(1, 3, 1, 1)).contiguous()
    return state


def square(source, size):
    image = Image.open(source).convert("RGB")
    edge = min(image.size)
    left, top = ((length - edge) // 2 for length in image.size)
    return image.resize((size, size), Image.LANCZOS, (left, top, left + edge, top + edge))


def marks(length):
    """Evaluations after which a picture is put aside: an eighth more each time, and the goals."""
    found, count = {length}, 1.0
    while count < length:
        found.add(round(count))
        count = max(count + 1, count * 1.125)
    return sorted(found | {goal for goal in GOALS if goal <= length})


def run(folder, jobs):
    """Let the programs compute in turns until all have finished."""
    running = {}
    try:
        take_turns(folder, jobs, running)
    finally:
        for program in running.values():
            program.kill()


def take_turns(folder, jobs, running):
    for name, job in jobs.items():
        place = folder / "runs" / name
        (place / name).mkdir(parents=True)
        for file in folder.glob("*.p*"):
            (place / file.name).symlink_to(file)
        (place / "job.json").write_text(json.dumps(job))
        log = (place / "log.txt").open("w")
        command = [sys.executable, str(HERE / "programs.py"), name, str(place)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
        running[name] = subprocess.Popen(command, **pipes)
    for name in list(running):
        ready(running, name, folder / "runs" / name)
    while running:
        for name in list(running):
            running[name].stdin.write("go\n")
            running[name].stdin.flush()
            ready(running, name, folder / "runs" / name)


def ready(running, name, place):
    """Wait until a program has set up or used its turn; one that has finished is taken out."""
    if not running[name].stdout.readline():
        if running.pop(name).wait():
            raise SystemExit(f"{name} failed:\n{(place / 'log.txt').read_text()[-2000:]}")
        print(f"{name} has finished", file=sys.stderr, flush=True)


# what came out


def loss_function(folder, options):
    """The objective of a picture (3, H, W), in sRGB: plainly, with torchvision's layout of the filters."""
    device = options.device
    torch.backends.cudnn.allow_tf32 = False
    state = torch.load(folder / "torchvision.pth", weights_only=True, map_location=device)
    state = {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in state.items()}
    mean, std = (untrained_state(0)[key].view(3, 1, 1).to(device) for key in ("mean", "std"))

    @torch.no_grad()
    def responses(picture):
        found, x, index, number = {}, (picture[None] - mean) / std, 0, 0
        for width in WIDTHS:
            if width == "M":
                x, index = (F.max_pool2d if options.pooling == "max" else F.avg_pool2d)(x, 2), index + 1
                continue
            x = F.relu(F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1))
            found[list(LAYERS)[number]] = x[0].flatten(1)
            index, number = index + 2, number + 1
        return found

    def picture(name):
        return torch.from_numpy(np.asarray(Image.open(folder / f"{name}.png")).copy()).permute(2, 0, 1).to(device) / 255

    target = responses(picture("content"))["conv4_2"]
    grams = {name: f @ f.T / f.numel() for name, f in responses(picture("style")).items() if name in STYLE}

    def loss(x):
        found = responses(x.to(device))
        style = sum(F.mse_loss(found[n] @ found[n].T / found[n].numel(), a) for n, a in grams.items())
        content = F.mse_loss(found["conv4_2"], target)
        return (options.content_weight * content + options.style_weight * style).item()

    return loss


def report(folder, jobs, options):
    loss = loss_function(folder, options)
    programs = {}
    for name, job in jobs.items():
        place = folder / "runs" / name / name
        programs[name] = result = json.loads((place / "report.json").read_text())
        result["evaluation"] = full_size(result, options.size)
        result["curve"], result["unclipped"] = [], {}
        for mark in job["marks"] if not name.startswith("convolutions") else ():
            picture = torch.from_numpy(np.load(place / f"{mark}.npy"))
            if picture.shape[-1] != options.size:
                picture = F.interpolate(picture[None], (options.size, options.size), mode="bicubic")[0]
            inside = picture.clamp(0, 1)
            result["curve"].append((mark, sum(result["seconds"][:mark]), loss(inside)))
            if mark in GOALS:
                result["unclipped"][mark] = loss(picture)
        if options.pictures and result["curve"]:
            options.pictures.mkdir(parents=True, exist_ok=True)
            pixels = (inside.permute(1, 2, 0) * 255).round().byte().numpy()
            Image.fromarray(pixels).save(options.pictures / f"{name.replace(':', '_')}.png")
    told = ("filters", "size", "init", "pooling", "threads", "turn", "device")
    found = {"torch": torch.__version__, **{key: getattr(options, key) for key in told}, "programs": programs}
    if options.data:
        options.data.write_text(json.dumps(found))
    tables(found)
    if options.plot:
        plot(found, options.plot)


def full_size(result, size):
    """Seconds of the evaluations at full size; the first of each turn, its caches cold, only where there is no other."""
    whole = [i for i, width in enumerate(result["sizes"]) if width == size]
    warm = [i for i in whole if i and result["turns"][i] == result["turns"][i - 1]]
    return [result["seconds"][i] for i in warm or whole]


if __name__ == "__main__":
    main()
