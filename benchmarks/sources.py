"""Each preset beside the program that it was read from, with the same trained filters: losses, gradients, pictures.

    python benchmarks/sources.py FILTERS CONTENT STYLE [--size 256] [--evaluations 100] [--presets NAME,NAME]
        [--udacity FOLDER] [--leongatys FOLDER] [--neural-style-pt FOLDER] [--gordicaleksa FOLDER] [--tutorial FILE]
        [--crowsonkb FOLDER] [--spst FOLDER] [--pictures FOLDER] [--sheet FILE.jpg]

FILTERS is a VGG-16 or VGG-19 as Caffe has it (a VGG-16 becomes the VGG-19 that the programs ask for: the convolutions that
it lacks are the identity). Programs for torchvision's filters get them as if they had been trained with its mean and
deviation, the paper gets them with a mean activation of 1 over the two pictures.

The programs run from clones as they are, with their own numbers; only pictures and sizes are given. At the
first two, a quarter and the last of the evaluations the picture that the program has reached is put aside with its own loss and
gradient, and compared with the preset's.
crowsonkb runs at the one size that is compared, without its coarser scales, here as there, and its picture is the
average over its steps.
gatys2016 has no program and neural-style's is written in Lua: for them the transcriptions of
tests/test_published/test_presets.py run in PyTorch's L-BFGS. Then this package descends, and both results are judged by the
preset's loss, clipped to [0, 1] as they are saved.
"""

import argparse
import contextlib
import io
import json
import runpy
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import torch
import torchvision.models
from PIL import Image, ImageDraw, ImageFont
from programs import Done, crowsonkb_program, deeper, replaced, torchvision_features

import gatys
from gatys.network.preprocessing import PREPROCESSINGS
from gatys.pictures.images import read_image
from gatys.pictures.resampling import resize

TESTS = Path(__file__).resolve().parents[1] / "tests"
BLUE_FIRST = ("leongatys-pytorch", "neural-style-pt", "spst")
TRANSCRIBED = {"gatys2016": 255, "neural-style": 256}
"""Presets without a program that runs, and what their pixels count to."""
REAL_STEP = {method: method.step for method in (torch.optim.LBFGS, torch.optim.Adam)}


class Watch:
    """Puts aside what a program's loop has at some evaluations, and ends it after the last."""

    def __init__(self, marks):
        self.marks, self.count, self.kept = marks, 0, {}
        self.loss = None  # gives the loss where the optimiser is given no closure
        self.saved = None  # gives the picture that is saved where it is not the one that moves
        self.last = None  # that picture at the last evaluation

    def __enter__(self):
        watch = self

        def lbfgs(optimizer, closure):
            def watched():
                loss = closure()
                watch.evaluated(optimizer, loss)
                return loss

            return REAL_STEP[torch.optim.LBFGS](optimizer, watched)

        def adam(optimizer, closure=None):
            loss = watch.loss() if closure is None else closure()
            watch.evaluated(optimizer, loss)
            REAL_STEP[torch.optim.Adam](optimizer)
            return loss

        torch.optim.LBFGS.step, torch.optim.Adam.step = lbfgs, adam
        return self

    def __exit__(self, kind, *_):
        for method, step in REAL_STEP.items():
            method.step = step
        return kind is Done

    def evaluated(self, optimizer, loss):
        self.count += 1
        if self.count in self.marks:
            (values,) = optimizer.param_groups[0]["params"]
            self.kept[self.count] = values.detach().clone(), float(loss.detach()), values.grad.clone()
        if self.count == max(self.marks):
            self.last = self.saved and self.saved()
            raise Done


# the programs


def cells(place, last):
    """The code of a notebook, up to the cell that contains `last`."""
    code = ["".join(c["source"]) for c in json.loads(place.read_text())["cells"] if c["cell_type"] == "code"]
    return "\n".join(code[: next(index for index, source in enumerate(code) if last in source) + 1])


def udacity(place, folder, size, watch):
    source = replaced(
        cells(place / "style-transfer" / "Style_Transfer_Solution.ipynb", "optimizer = optim.Adam"),
        ("%matplotlib inline", ""),
        ("import requests", ""),  # for addresses
        ("load_image('images/octopus.jpg')", f"load_image('{folder}/content.png', shape={size})"),
        ("images/hockney.jpg", f"{folder}/style.png"),
    )
    names = {"__name__": "notebook"}
    watch.loss = lambda: names["total_loss"]
    exec(compile(source, str(place), "exec"), names)


def leongatys(place, folder, size, watch):
    source = replaced(
        cells(place / "NeuralStyleTransfer.ipynb", "#run style transfer"),
        ("%pylab inline", ""),
        ("imshow(img);show()", "pass"),
        ("transforms.Scale(", "transforms.Resize("),  # its name since torchvision 0.2
        ("img_size = 512", f"img_size = {min(size)}"),
        ("'vangogh_starry_night.jpg', 'Tuebingen_Neckarfront.jpg'", "'style.png', 'content.png'"),
        ("img_dirs = [image_dir, image_dir]", f"img_dirs = ['{folder}/'] * 2"),
        ("model_dir + 'vgg_conv.pth'", f"'{folder}/caffe.pth'"),
    )
    exec(compile(source, str(place), "exec"), {"__name__": "notebook"})


def neural_style_pt(place, folder, size, watch, **more):
    given = {
        "content_image": folder / "content.png",
        "style_image": folder / "style.png",
        "image_size": max(size),
        "model_file": folder / "vgg19-caffe.pth",
        "gpu": "c",
        "backend": "mkl",
        "seed": 0,
        "save_iter": 0,
        "output_image": folder / "out.png",
    } | more
    sys.argv = ["neural_style.py", "-disable_check", *(t for k, v in given.items() for t in (f"-{k}", str(v)))]
    sys.path.insert(0, str(place))
    runpy.run_path(str(place / "neural_style.py"), run_name="__main__")


def tutorial(place, folder, size, watch):
    source = replaced(
        place.read_text(),
        ("./data/images/neural-style/picasso.jpg", f"{folder}/style.png"),
        ("./data/images/neural-style/dancing.jpg", f"{folder}/content.png"),
        ("imsize = 512 if torch.cuda.is_available() else 128", f"imsize = {min(size)}"),
    )
    exec(compile(source, str(place), "exec"), {"__name__": "tutorial"})


def gordicaleksa(place, folder, size, watch):
    for name in ("content", "style"):
        (folder / "data" / f"{name}-images").mkdir(parents=True, exist_ok=True)
        Image.open(folder / f"{name}.png").save(folder / "data" / f"{name}-images" / f"{name}.png")
    sys.argv = ["", "--content_img_name", "content.png", "--style_img_name", "style.png", "--height", str(size[0])]
    sys.path.insert(0, str(place))
    source = (place / "neural_style_transfer.py").read_text()
    exec(compile(source, str(place), "exec"), {"__name__": "__main__", "__file__": str(folder / "program.py")})


def crowsonkb(place, folder, size, watch):
    content, style = (Image.open(folder / f"{name}.png").convert("RGB") for name in ("content", "style"))
    program, last = crowsonkb_program(place, folder)(devices=["cpu"]), max(watch.marks)
    watch.saved = lambda: program.get_image_tensor()[None]  # the average over its steps
    program.stylize(content, [style], min_scale=max(size), end_scale=max(size), initial_iterations=last)


def spst(place, folder, size, watch):
    sys.path.insert(0, str(place))
    sys.argv = ["", "--content", f"{folder}/content.png", "--style", f"{folder}/style.png"]
    sys.argv += ["--results_root_dir", str(folder / "spst")]
    source = replaced(
        (place / "spst.py").read_text(),
        ("model_dir = os.path.join(os.getcwd(), 'model')", f"model_dir = {str(folder)!r}"),
        ("'vgg_conv.pth'", "'caffe.pth'"),
        ("  torch.cuda.synchronize()\n  scale_start", "  scale_start"),  # there may be no card
        ("os.system('cp", "str('"),
    )
    exec(compile(source, str(place), "exec"), {"__name__": "__main__", "__file__": str(place / "spst.py")})


PROGRAMS = {
    "udacity": ("udacity", udacity),
    "leongatys-pytorch": ("leongatys", leongatys),
    "neural-style-pt": ("neural_style_pt", neural_style_pt),
    "pytorch-tutorial": ("tutorial", tutorial),
    "gordicaleksa": ("gordicaleksa", gordicaleksa),
    "crowsonkb": ("crowsonkb", crowsonkb),
    "spst": ("spst", spst),
}
"""The option that says where it is, and what runs it."""


def transcription(name, net, photo, painting, watch):
    """The tests' transcription of a source, in PyTorch's port of the L-BFGS that neural-style uses."""
    sys.path.insert(0, str(TESTS))
    loss = runpy.run_path(str(TESTS / "test_published" / "test_presets.py"))["SOURCES"][name]
    torch.manual_seed(0)
    if name == "gatys2016":
        start = torch.rand_like(photo)
    else:
        start = net.mean.view(1, 3, 1, 1) + torch.randn_like(photo) * 0.001 / TRANSCRIBED[name]
    values = torch.nn.Parameter(start * TRANSCRIBED[name])
    endless = {"max_iter": 10**6, "max_eval": 10**6, "tolerance_grad": -1, "tolerance_change": -1}
    optimizer = torch.optim.LBFGS([values], **endless)

    def closure():
        optimizer.zero_grad()
        total = loss(net, values / TRANSCRIBED[name], photo, painting)
        total.backward()
        return total

    optimizer.step(closure)


# the filters, as each program reads them


def folded(state, preprocessing):
    """The same network as if it had been trained with pixels prepared in another way.

    All its responses are as much smaller as the pixels; only the zeros around a picture mean something else.
    """
    mean, std = (torch.tensor(values) for values in PREPROCESSINGS[preprocessing])
    weight, scale = state["conv1_1.weight"], float((state["std"] / std).mean())
    shift = torch.einsum("oikl,i->o", weight, (mean - state["mean"]) / state["std"])
    found = {name: values * scale if name.endswith("bias") else values for name, values in state.items()}
    found["conv1_1.weight"] = weight * (std / state["std"] * scale).view(1, 3, 1, 1)
    found["conv1_1.bias"] = (state["conv1_1.bias"] + shift) * scale
    return found | {"mean": mean, "std": std}


def normalised(net, pictures):
    """The same network with responses whose mean over the pictures is 1, by section 2 of the paper.

    A filter that hardly responds to these pictures is held to a tenth of its layer's mean.
    """
    state, before = dict(net.state_dict()), torch.ones(3)
    with torch.no_grad():
        found = [net(picture, list(net.layers)) for picture in pictures]
    for name in net.layers:
        after = sum(f[name].mean((0, 2, 3)) for f in found) / len(found)
        after = after.clamp(min=after.mean() / 10)
        state[f"{name}.weight"] = state[f"{name}.weight"] * before.view(1, -1, 1, 1) / after.view(-1, 1, 1, 1)
        state[f"{name}.bias"] = state[f"{name}.bias"] / after
        before = after
    return state


def network(state, file):
    torch.save(state, file)
    return gatys.load_vgg(file)


def prepare_filters(filters, photo, painting, folder):
    """Write the files that the programs read; give this package's networks of the same filters, by preprocessing."""
    caffe = gatys.load_vgg(filters, layout="caffe")
    state = caffe.state_dict()
    torchvision_state = folded(state, "imagenet")
    blue_first = deeper(state | {"conv1_1.weight": state["conv1_1.weight"].flip(1)})
    index = [i for i, layer in enumerate(torchvision.models.vgg19(weights=None).features) if hasattr(layer, "weight")]

    def numbered(of):
        parts = [f"features.{i}.{part}" for i in index for part in ("weight", "bias")]
        return dict(zip(parts, of.values(), strict=True))

    torch.save(blue_first, folder / "caffe.pth")
    torch.save(numbered(blue_first), folder / "vgg19-caffe.pth")
    torch.save(numbered(deeper(torchvision_state)), folder / "torchvision.pth")
    average = gatys.read_as(caffe, pooling="average")
    return {
        "own": network(normalised(average, (photo, painting)), folder / "normalised.pth"),
        "imagenet": network(torchvision_state, folder / "folded.pth"),
        "caffe": caffe,
    }


# the comparison


def run_source(name, options, net, photo, painting, folder, marks):
    """What the source has at the marks, {evaluation: (picture, loss, gradient by the picture)}, and what it would save."""
    size = tuple(photo.shape[-2:])
    preset = gatys.presets[name]
    with Watch(marks) as watch, contextlib.redirect_stdout(io.StringIO()):
        if name in TRANSCRIBED:
            state = preset.network(net).state_dict()
            both = {key: state[key] for key in ("mean", "std")}
            transcription(name, network(deeper(state) | both, folder / "vgg19.pth"), photo, painting, watch)
        else:
            option, run = PROGRAMS[name]
            run(getattr(options, option), folder, size, watch)
    if name in TRANSCRIBED or name == "pytorch-tutorial" or preset.moves == "picture":
        mean, std = torch.zeros(3), torch.full((3,), 1 / TRANSCRIBED.get(name, 1))
    else:
        mean, std = (torch.tensor(values) for values in PREPROCESSINGS[preset.preprocessing])
    mean, std = mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)
    found = {}
    for mark, (values, loss, gradient) in watch.kept.items():
        if name in BLUE_FIRST:
            values, gradient = values.flip(1), gradient.flip(1)
        found[mark] = values * std + mean, loss, gradient / std
    return found, found[max(found)][0].clamp(0, 1) if watch.last is None else watch.last


def at_one_size(preset, net, photo, painting):
    """The preset's targets at full size alone, which is what the programs are run at."""
    settings = preset.settings(tuple(photo.shape[-2:]))
    if settings["levels"] == 1:
        return {}
    net = preset.network(net)
    how = {name: settings[name] for name in ("normalize", "padding")}
    content = gatys.extract_content(net, photo, settings["content_layers"], **how)
    style = gatys.extract_style(net, painting, settings["style_layers"], statistic=settings["statistic"], **how)
    return {"content": content, "style": style}


def compare(name, options, nets, folder):
    """Print how far the losses differ; give both pictures and their losses."""
    preset = gatys.presets[name]
    net = nets.get(preset.preprocessing.removesuffix("-255").removesuffix("-256"))
    photo = read_image(options.content, options.size).pixels
    painting = read_image(options.style).pixels
    painting = resize(painting, preset.style_size(tuple(painting.shape[-2:]), tuple(photo.shape[-2:])))
    for picture, what in ((photo, "content"), (painting, "style")):
        gatys.save_image(picture, folder / f"{what}.png")
    photo, painting = (read_image(folder / f"{what}.png").pixels for what in ("content", "style"))  # 8 bits for both
    objective = preset.objective(net, photo, painting)
    last = options.evaluations
    began = time.process_time()
    theirs, kept = run_source(name, options, net, photo, painting, folder, {1, 2, last // 4, last})
    spent = time.process_time() - began
    for mark, (picture, loss, gradient) in theirs.items():
        terms, own = objective.terms(picture)  # `evaluate` refuses pictures that leave [0, 1]
        off, gradient_off = abs(float(terms.total) / loss - 1), float((own - gradient).norm() / gradient.norm())
        print(
            f"{name:18} {mark:5}  loss {loss:12.6g} differs {off:.1e}  gradient differs {gradient_off:.1e}", flush=True
        )
    if not options.pictures:
        return
    began = time.process_time()
    result = preset.optimize(net, photo, painting, steps=last, **at_one_size(preset, net, photo, painting))
    ours = time.process_time() - began
    saved = {"ours": result.image, "source": kept}
    losses = {}
    for what, picture in saved.items():
        gatys.save_image(picture, options.pictures / f"{name}-{what}.png")
        terms, _ = objective.terms(picture)
        losses[what] = float(terms.total)
        weighted = ((part, objective.weights[part] * getattr(terms, part)) for part in ("content", "style", "tv"))
        shares = [f"{part} {float(value / terms.total):.3f}" for part, value in weighted]
        print(f"{name:18} {what}: shares of the loss", *shares)
    print(f"{name:18} {last:5}  ours {losses['ours']:.4g}  source, saved {losses['source']:.4g}", *result.notes)
    print(f"{name:18} processor seconds: ours {ours:.0f}, source {spent:.0f}", flush=True)
    text = {what: f"{name}: {what}, {last} evaluations, loss {loss:.4g}" for what, loss in losses.items()}
    (options.pictures / f"{name}.json").write_text(json.dumps(text))


def sheet(folder, file, columns=4):
    """All pictures of the folder, ours beside the source's, with their losses."""
    panels = []
    for name in gatys.presets:
        if (folder / f"{name}.json").exists():
            text = json.loads((folder / f"{name}.json").read_text())
            panels += [(text[what], Image.open(folder / f"{name}-{what}.png")) for what in ("ours", "source")]
    gap, foot = 4, 34
    width, height = (max(sizes) for sizes in zip(*(panel.size for _, panel in panels), strict=True))
    page = Image.new("RGB", (columns * (width + gap), -(-len(panels) // columns) * (height + foot)), "white")
    draw = ImageDraw.Draw(page)
    for index, (text, panel) in enumerate(panels):
        x, y = index % columns * (width + gap), index // columns * (height + foot)
        page.paste(panel, (x, y))
        label = text.replace(", loss", "\nloss")
        draw.text((x + width / 2, y + height + foot / 2), label, "black", ImageFont.load_default(12), "mm", 2, "center")
    page.save(file, quality=60, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", type=Path)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--presets", default=",".join(gatys.presets))
    for option, _ in PROGRAMS.values():
        parser.add_argument("--" + option.replace("_", "-"), type=Path)
    parser.add_argument("--pictures", type=Path, help="descend with this package, too, and put both results here")
    parser.add_argument("--sheet", type=Path, help="all that lie there in one picture")
    options = parser.parse_args()
    matplotlib.use("Agg")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photo, painting = (read_image(file, options.size).pixels for file in (options.content, options.style))
        nets = prepare_filters(options.filters, photo, painting, folder)
        torchvision.models.vgg19 = lambda **_: torchvision_features(folder)
        for name in options.presets.split(","):
            if name in PROGRAMS and not getattr(options, PROGRAMS[name][0]):
                print(f"{name:18} left out: --{PROGRAMS[name][0].replace('_', '-')} is not given", flush=True)
                continue
            for option, _ in PROGRAMS.values():
                if path := getattr(options, option):
                    setattr(options, option, path.resolve())
            compare(name, options, nets, folder)
    if options.sheet:
        sheet(options.pictures, options.sheet)


if __name__ == "__main__":
    main()
