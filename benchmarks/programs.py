"""The programs that peers.py compares, each started as a process of its own: `programs.py NAME FOLDER`.

FOLDER has job.json, the pictures and the filters in the layouts that the programs read; the peers' own sources are
run as they are, with pictures, layers, weights and length set, and stopped after the last evaluation asked for.
A program computes only while it has its turn, and only that time counts.
"""

import json
import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

STYLE = [f"conv{block}_1" for block in range(1, 6)]
CONTENT = "conv4_2"
CHANNELS = dict(zip(STYLE, (64, 128, 256, 512, 512), strict=True))
CAFFE_MEAN = torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
WIDTHS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)


class Done(Exception):
    """After the last evaluation asked for."""


class Trace:
    """Seconds of each evaluation, and pictures along the way."""

    def __init__(self, job, folder):
        self.job, self.folder = job, folder
        self.seconds, self.turns, self.sizes = [], [], []
        self._marks, self._turn, self._began = set(job["marks"]), -1, None
        self._out = sys.stdout
        sys.stdout = sys.stderr  # what a program says of itself is not for peers.py
        self._idle = peak_memory()

    def start(self):
        self._wait()

    def _wait(self):
        self._out.write("ready\n")
        self._out.flush()
        sys.stdin.readline()
        self._turn += 1
        self._until = time.perf_counter() + self.job["turn"]
        self._began = time.perf_counter()

    def evaluated(self, picture, width):
        """After each evaluation: what makes the picture that would be the result now, (3, H, W) in sRGB, and its width."""
        if self.job["device"] == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds.append(now - self._began)
        self.turns.append(self._turn)
        self.sizes.append(width)
        count = len(self.seconds)
        if count in self._marks:
            np.save(self.folder / f"{count}.npy", picture().detach().float().cpu().numpy())
        if count == self.job["evaluations"]:
            raise Done
        if now > self._until:
            self._wait()
        else:
            self._began = time.perf_counter()

    def finish(self):
        # not of the card, where the context alone takes hundreds of MiB, but of what PyTorch allocated there
        peak = torch.cuda.max_memory_allocated() if self.job["device"] == "cuda" else peak_memory() - self._idle
        report = {"seconds": self.seconds, "turns": self.turns, "sizes": self.sizes, "peak": peak}
        (self.folder / "report.json").write_text(json.dumps(report))

    def watch(self, optimizer, picture):
        """Trace the closures given to a torch optimiser; `picture` makes one from its parameter."""
        step, trace = optimizer.step, self

        def traced(self, closure):
            def watched():
                parameter = self.param_groups[0]["params"][0]
                if trace._began is None:
                    trace.start()
                else:
                    trace.evaluated(lambda: picture(parameter.detach()[0]), parameter.shape[-1])
                return closure()

            return step(self, watched)

        optimizer.step = traced


def peak_memory():
    """Bytes of this process's resident memory at its largest."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def from_caffe(picture):
    return (picture.cpu() + CAFFE_MEAN).flip(0) / 255


def replaced(source, *pairs):
    """The source with parts of it replaced; each has to be there."""
    for old, new in pairs:
        if old not in source:
            raise SystemExit(f"expected to find {old!r}; this is another version of the program")
        source = source.replace(old, new)
    return source


def deeper(state):
    """VGG-19 of the convolutions of VGG-16: one more in three blocks, which changes nothing behind a rectifier."""
    from gatys.network.layers import LAYERS

    found = {name: values for name, values in state.items() if name not in ("mean", "std")}
    for name in LAYERS:
        if f"{name}.weight" not in state:
            n = LAYERS[name].channels
            found[f"{name}.weight"] = torch.eye(n)[:, :, None, None] * torch.eye(3)[1].outer(torch.eye(3)[1])
            found[f"{name}.bias"] = torch.zeros(n)
    return {f"{name}.{part}": found[f"{name}.{part}"] for name in LAYERS for part in ("weight", "bias")}


def torchvision_features(folder):
    """What `torchvision.models.vgg19(...)` returns, as far as the programs use it, with the filters of the comparison."""
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["E"])
    state = torch.load(folder / "torchvision.pth", weights_only=True)
    features.load_state_dict({key.removeprefix("features."): value for key, value in state.items()})
    return SimpleNamespace(features=features.requires_grad_(False))


# the programs


def convolutions(job, folder, trace, dtype=torch.float32):
    """The convolutions of one evaluation and nothing else: the floor."""
    torch.manual_seed(0)
    layers, size, width = [], job["size"], 3
    for channels in WIDTHS:
        if channels == "M":
            size //= 2
            continue
        weight = torch.randn(channels, width, 3, 3, device=job["device"]).to(dtype)
        forward, back = (w.contiguous(memory_format=torch.channels_last) for w in (weight, weight.transpose(0, 1)))
        maps = [torch.rand(1, n, size, size, device=job["device"]).to(dtype) for n in (width, channels)]
        layers.append((forward, back, *(m.contiguous(memory_format=torch.channels_last) for m in maps)))
        width = channels
    trace.start()
    with torch.no_grad():
        while True:
            for forward, back, image, gradient in layers:
                F.conv2d(image, forward, padding=1)
                F.conv2d(gradient, back, padding=1)
            trace.evaluated(lambda: torch.zeros(3, 1, 1), job["size"])


def ours(job, folder, trace, **how):
    import gatys
    from gatys.pictures.images import read_image

    net = gatys.load_vgg19(folder / "caffe.pth", job["pooling"], layout="caffe").to(job["device"])
    pictures = [read_image(folder / f"{name}.png").pixels.to(job["device"]) for name in ("content", "style")]
    levels = how.pop("levels", "auto")
    content = gatys.extract_content(net, pictures[0], {CONTENT: 1.0}, levels=levels, normalize=False)
    # here a layer's term is sum((G/M - A/M)^2) / (4 N^2), there mean((G/NM - A/NM)^2)
    layers = {name: 4 / n**2 for name, n in CHANNELS.items()}
    style = gatys.extract_style(net, pictures[1], layers, levels=content.levels, normalize=False)
    trace.start()
    gatys.optimize(
        net,
        content=content,
        style=style,
        init={"image": "content", "random": "mean"}[job["init"]],
        steps=job["evaluations"],
        content_weight=job["content_weight"],
        style_weight=job["style_weight"],
        callback=lambda progress: trace.evaluated(lambda: progress.image[0], job["size"] >> progress.level),
        **how,
    )


def bare(job, folder, trace, lower=False):
    """A loop as one would write it by hand; `lower` with autocast to bfloat16, Gram matrices in float32."""
    device = job["device"]
    features = torchvision_features(folder).features[:30].to(device)
    for index, layer in enumerate(features):
        if job["pooling"] == "average" and isinstance(layer, nn.MaxPool2d):
            features[index] = nn.AvgPool2d(2)
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in job["preprocessing"])

    def responses(x):
        found, x = {}, (x - mean) / std
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=lower):
            for index, layer in enumerate(features):
                x = layer(x)
                if index in (1, 6, 11, 20, 22, 29):
                    found[index] = x.float()
        return found

    def gram(f):
        f = f[0].flatten(1)
        return f @ f.T / f.numel()

    from gatys.pictures.images import read_image

    content, style = (read_image(folder / f"{name}.png").pixels.to(device) for name in ("content", "style"))
    with torch.no_grad():
        target = responses(content)[22]
        grams = {index: gram(f) for index, f in responses(style).items() if index != 22}
    torch.manual_seed(0)
    x = content.clone() if job["init"] == "image" else mean + 0.001 / 255 * torch.randn_like(content)
    x.requires_grad_()
    length = {"max_iter": job["evaluations"] + 1, "max_eval": job["evaluations"] + 1}
    method = torch.optim.LBFGS([x], **length, tolerance_grad=-1, tolerance_change=-1)
    trace.watch(torch.optim.LBFGS, lambda picture: picture)

    def closure():
        method.zero_grad()
        found = responses(x)
        loss = job["content_weight"] * F.mse_loss(found[22], target)
        for index, wanted in grams.items():
            loss = loss + job["style_weight"] * F.mse_loss(gram(found[index]), wanted)
        loss.backward()
        return loss

    torch.optim.LBFGS.step(method, closure)


def neural_style_pt(job, folder, trace, *options):
    place = Path(job["paths"]["neural-style-pt"])
    method = torch.optim.Adam if "adam" in options else torch.optim.LBFGS
    trace.watch(method, from_caffe)
    given = {
        "content_image": folder / "content.png",
        "style_image": folder / "style.png",
        "image_size": job["size"],
        "content_weight": job["content_weight"],
        "style_weight": job["style_weight"],
        "tv_weight": 0,
        "init": job["init"],
        "num_iterations": job["evaluations"] + 1,
        "pooling": {"max": "max", "average": "avg"}[job["pooling"]],
        "model_file": folder / "vgg19-caffe.pth",
        "gpu": "c" if job["device"] == "cpu" else "0",
        "backend": "mkl" if job["device"] == "cpu" else "cudnn",
        "print_iter": 0,
        "save_iter": 0,
        "seed": 0,
        "output_image": folder / "out.png",
    }
    sys.argv = ["neural_style.py", *options, "-disable_check"]
    sys.argv += [text for name, value in given.items() for text in (f"-{name}", str(value))]
    if job["device"] != "cpu":
        sys.argv.append("-cudnn_autotune")
    sys.path.insert(0, str(place))
    runpy.run_path(str(place / "neural_style.py"), run_name="__main__")


def leongatys(job, folder, trace):
    place = Path(job["paths"]["leongatys"]) / "NeuralStyleTransfer.ipynb"
    cells = ["".join(cell["source"]) for cell in json.loads(place.read_text())["cells"] if cell["cell_type"] == "code"]
    last = next(index for index, source in enumerate(cells) if source.startswith("#run style transfer"))
    start = "content_image.data.clone()" if job["init"] == "image" else "0.001 * torch.randn(content_image.size())"
    source = replaced(
        "\n".join(cells[: last + 1]),
        ("%pylab inline", ""),
        ("imshow(img);show()", "pass"),
        ("transforms.Scale(", "transforms.Resize("),  # its name since torchvision 0.2
        ("img_size = 512", f"img_size = {job['size']}"),
        ("'vangogh_starry_night.jpg', 'Tuebingen_Neckarfront.jpg'", "'style.png', 'content.png'"),
        ("img_dirs = [image_dir, image_dir]", f"img_dirs = ['{folder}/'] * 2"),
        ("model_dir + 'vgg_conv.pth'", f"'{folder}/caffe.pth'"),
        ("VGG()", f"VGG(pool={'max' if job['pooling'] == 'max' else 'avg'!r})"),
        ("Variable(content_image.data.clone()", f"Variable({start}"),
        ("[1e3/n**2 for n", f"[{job['style_weight']}/n**2 for n"),
        ("content_weights = [1e0]", f"content_weights = [{job['content_weight']}]"),
        ("max_iter = 500", f"max_iter = {job['evaluations'] + 1}"),
    )
    trace.watch(torch.optim.LBFGS, from_caffe)
    exec(compile(source, str(place), "exec"), {"__name__": "notebook"})


def tutorial(job, folder, trace):
    import matplotlib
    import torchvision.models

    matplotlib.use("Agg")
    place = Path(job["paths"]["tutorial"])
    trace.watch(torch.optim.LBFGS, lambda picture: picture)
    torchvision.models.vgg19 = lambda **_: torchvision_features(folder)
    start = "content_img.clone()" if job["init"] == "image" else "0.45 + 0.001 * torch.randn_like(content_img)"
    source = replaced(
        place.read_text(),
        ("./data/images/neural-style/picasso.jpg", f"{folder}/style.png"),
        ("./data/images/neural-style/dancing.jpg", f"{folder}/content.png"),
        ("imsize = 512 if torch.cuda.is_available() else 128", f"imsize = {job['size']}"),
        ("content_layers_default = ['conv_4']", "content_layers_default = ['relu_10']"),
        (
            "style_layers_default = ['conv_1', 'conv_2', 'conv_3', 'conv_4', 'conv_5']",
            "style_layers_default = ['relu_1', 'relu_3', 'relu_5', 'relu_9', 'relu_13']",
        ),
        ("num_steps=300", f"num_steps={job['evaluations'] + 1}"),
        ("style_weight=1000000", f"style_weight={job['style_weight']}"),
        ("content_weight=1)", f"content_weight={job['content_weight']})"),
        ("input_img = content_img.clone()", f"input_img = {start}"),
    )
    exec(compile(source, str(place), "exec"), {"__name__": "tutorial"})


def crowsonkb_program(place, folder):
    """Import the class of the program from its clone, with the filters of the comparison."""
    import torchvision.models

    # its package imports its web server, and that aiohttp
    sys.modules["style_transfer.web_interface"] = SimpleNamespace(WebInterface=None)
    sys.path.insert(0, str(Path(place)))
    torchvision.models.vgg19 = lambda **_: torchvision_features(folder)
    from style_transfer import StyleTransfer

    return StyleTransfer


def crowsonkb(job, folder, trace):
    """Its own objective, scales and averaging; its iterations shared out evenly over its scales."""
    from PIL import Image

    StyleTransfer = crowsonkb_program(job["paths"]["crowsonkb"], folder)
    from style_transfer.style_transfer import gen_scales

    program = StyleTransfer(devices=[job["device"]], pooling=job["pooling"])
    trace.watch(torch.optim.Adam, lambda picture: program.get_image_tensor())
    content, style = (Image.open(folder / f"{name}.png").convert("RGB") for name in ("content", "style"))
    least = job["size"] if job["evaluations"] < 20 else min(128, job["size"])
    each = -(-(job["evaluations"] + 1) // len(gen_scales(least, job["size"])))
    program.stylize(
        content,
        [style],
        min_scale=least,
        end_scale=job["size"],
        iterations=each,
        initial_iterations=each,
        init="content" if job["init"] == "image" else "gray",
    )


PROGRAMS = {
    "convolutions": convolutions,
    "convolutions-bfloat16": lambda *run: convolutions(*run, dtype=torch.bfloat16),
    "gatys": ours,
    "gatys-one-level": lambda *run: ours(*run, levels=1),
    "gatys-float32": lambda *run: ours(*run, levels=1, precision="float32"),
    "gatys-no-graphs": lambda *run: ours(*run, levels=1, graphs=False),
    "bare": bare,
    "bare-bfloat16": lambda *run: bare(*run, lower=True),
    "neural-style-pt": neural_style_pt,
    "neural-style-pt-adam": lambda *run: neural_style_pt(*run, "-optimizer", "adam"),
    "leongatys": leongatys,
    "tutorial": tutorial,
    "crowsonkb": crowsonkb,
}
"""`gatys` may have a suffix, so that it can run more than once."""


def main():
    name, folder = sys.argv[1], Path(sys.argv[2])
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    trace = Trace(job, folder / name)
    try:
        PROGRAMS[name.partition(":")[0]](job, folder, trace)
    except Done:
        pass
    trace.finish()


if __name__ == "__main__":
    main()
