"""Fuzz what opens other people's files, guided by coverage (atheris, that is libFuzzer). Run by hand:

    pip install atheris && python tests/fuzz/loaders.py KIND [SECONDS] [FOLDER]

KIND is weights (.pth, .safetensors), keras (.h5), wheels (.whl), styles, images, states, lists (of pictures) or records
(what a picture says of its run, for --like).

Each input is loaded or refused: with the documented error, whose text is one printable sentence, in bounded time and
memory. All else is a find, kept in FOLDER/finds (by default under the temporary folder); once mended, it becomes a test.
libFuzzer's last line has the number of inputs and what they covered (`cov`).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import logging
import random
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

import atheris
import h5py
import layouts
import numpy as np
import safetensors.torch
import torch

with atheris.instrument_imports(include=["gatys", "PIL", "pickletools", "tifffile"], enable_loader_override=False):
    import tifffile
    from PIL import Image, PngImagePlugin

    from gatys.cli import preset_options, record
    from gatys.cli.jobs import find_jobs
    from gatys.descent.checkpoint import Checkpoint, Moment
    from gatys.descent.records import Record
    from gatys.errors import CheckpointError, GatysError
    from gatys.network import weights
    from gatys.network.vgg import NetworkTag
    from gatys.pictures import images, writing
    from gatys.pictures.metadata import Metadata, read_metadata, read_record
    from gatys.targets import style_files as bank
    from gatys.targets.targets import StyleTarget

SLOW = 10  # seconds
SUFFIXES = (".pth", ".safetensors", ".pt")


# what is opened


def load_weights(data: bytes) -> None:
    if data:
        return load_filters(data[1:], SUFFIXES[data[0] % len(SUFFIXES)])


def load_keras(data: bytes) -> None:
    return load_filters(data, ".h5")


def load_wheel(data: bytes) -> None:
    return load_filters(data, ".whl")


def load_filters(data: bytes, suffix: str) -> None:
    scratch = SCRATCH.with_suffix(suffix)
    scratch.write_bytes(data)
    try:
        weights.read_filters(scratch)
    except weights.WeightsError as problem:
        return problem


def load_style(data: bytes) -> None:
    SCRATCH.write_bytes(data)
    try:
        style = StyleTarget.load(SCRATCH)
        assert all(bool(gram.isfinite().all()) for grams in style.grams for gram in grams.values())
    except bank.StyleFileError as problem:
        return problem


def load_image(data: bytes) -> None:
    SCRATCH.write_bytes(data)
    try:
        picture = images.read_image(SCRATCH)
        assert picture.pixels.shape[:2] == (1, 3) and bool(((picture.pixels >= 0) & (picture.pixels <= 1)).all())
        assert picture.alpha is None or bool(((picture.alpha >= 0) & (picture.alpha <= 1)).all())
        metadata = read_metadata(SCRATCH)
        for form, depth in (("PNG", 16), ("JPEG", 8), ("TIFF", 16), ("WEBP", 8)):
            writing.encode(picture.pixels[0, :, :4, :4], form, depth, 90, metadata, "")
        read_record(SCRATCH)
    except images.ImageError as problem:
        return problem


def load_state(data: bytes) -> None:
    SCRATCH.write_bytes(data)
    try:
        Checkpoint(SCRATCH, 0, RUN, SCHEDULE).read()
    except CheckpointError as problem:
        return problem


def load_list(data: bytes) -> None:
    SCRATCH.with_suffix(".txt").write_bytes(data)
    try:
        find_jobs(str(SCRATCH.with_suffix(".txt")), str(SCRATCH.parent / "out"))
    except GatysError as problem:
        return problem


def load_record(data: bytes) -> None:
    said = Metadata(made=data.decode("latin-1"))
    SCRATCH.write_bytes(writing.encode(torch.zeros(3, 4, 5), "PNG", 16, 90, said, ""))
    try:
        preset_options.parse_options(["--like", str(SCRATCH)])
    except GatysError as problem:
        return problem


RUN, SCHEDULE = {"content": "0" * 64, "steps": "3"}, [2, 1]

# what the mutations begin with


def weight_files():
    tensors = {f"features.{index}.{part}": torch.ones(2, 1, 1, 1) for index in (0, 2, 5) for part in ("weight", "bias")}
    canonical = {"conv1_1.weight": torch.ones(64, 3, 3, 3), "mean": torch.zeros(3), "std": torch.ones(3)}
    states = [tensors, canonical, {"state_dict": OrderedDict(tensors)}, {"a": torch.nn.Parameter(torch.ones(2).half())}]
    whole = {}
    for name, layer in weights.LAYERS.items():
        whole[f"{name}.weight"] = torch.zeros(1, 1, 1, 1).expand(layer.channels, layer.in_channels, 3, 3)
        whole[f"{name}.bias"] = torch.zeros(1).expand(layer.channels)
    for state in [*states, whole]:
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
            yield b"\0" + buffer.getvalue()
    for state in states[:2]:
        yield b"\1" + safetensors.torch.save(state)


def keras_files():
    tensors = {f"block{block}_conv1/kernel:0": torch.ones(3, 3, 1, 2) for block in (1, 2)}
    for state in (tensors, {"features/0/weight": torch.ones(2, 1, 1, 1), "mean": torch.zeros(3)}):
        for how in ({}, {"chunks": True, "compression": "gzip"}):
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as file:
                for key, value in state.items():
                    file.create_dataset(key, data=value.numpy(), **how)
            yield buffer.getvalue()


def wheels():
    buffer = io.BytesIO()
    torch.save({"features.0.weight": torch.ones(2, 1, 1, 1)}, buffer)
    for name, content in (("weights.h5", next(iter(keras_files()))), ("a/vgg.pth", buffer.getvalue()), ("a.txt", b"a")):
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", compression) as archive:
                archive.writestr("a/METADATA", "Name: a")
                archive.writestr(name, content)
            yield packed.getvalue()


def style_files():
    gram = torch.eye(64)[None]
    network = NetworkTag("untrained:0", "average", "0" * 16)
    for levels in (1, 2):
        for thumbnail in (None, torch.zeros(1, 3, 4, 4)):
            style = StyleTarget(network, {"conv1_1": 1.0}, ({"conv1_1": gram},) * levels, (64, 64), True, True)
            yield bank._encode(style, thumbnail, "text")


def image_files():
    levels = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    picture = Image.fromarray(levels)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = images_profile()
    modes = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "F", "I;16"),
    }
    modes |= {"JPEG": ("L", "RGB", "CMYK"), "GIF": ("P",), "WEBP": ("RGB", "RGBA"), "BMP": ("RGB", "P", "1")}
    modes |= {"TGA": ("RGB", "P"), "PPM": ("RGB", "L", "1"), "PCX": ("P", "RGB"), "SGI": ("RGB",), "DDS": ("RGBA",)}
    modes |= {"ICO": ("RGBA",), "JPEG2000": ("RGB", "RGBA"), "AVIF": ("RGBA",), "QOI": ("RGBA",)}
    for form, kinds in modes.items():
        for mode in kinds:
            for extra in ({}, {"exif": exif, "icc_profile": profile, "save_all": True}):
                if extra and form not in ("PNG", "TIFF", "JPEG", "WEBP", "AVIF", "GIF"):
                    continue
                made = picture.convert("L").convert(mode) if mode in ("F", "I;16") else picture.convert(mode)
                if extra and form in ("PNG", "TIFF", "GIF", "WEBP"):
                    extra = extra | {"append_images": [made.copy()]}
                buffer = io.BytesIO()
                try:
                    made.save(buffer, form, **extra)
                except (OSError, ValueError, KeyError):  # this Pillow does not write it
                    continue
                yield buffer.getvalue()
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "TIFF", compression=compression)
        yield buffer.getvalue()
    for encode in (writing.encode_png, writing.encode_tiff):
        for channels in (3, 4):
            yield encode(levels[..., :channels].astype(np.uint16) * 257, Metadata())
    yield from told_files(levels)
    for kind, planes, compression in itertools.product(("u2", "f4"), ("contig", "separate"), (None, "zlib")):
        made = (levels[..., :4] / 255 * (65535 if kind == "u2" else 1)).astype(kind)
        made = made if planes == "contig" else np.moveaxis(made, -1, 0)
        how = {"photometric": "rgb", "planarconfig": planes, "extrasamples": ["assocalpha"], "rowsperstrip": 5}
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, made, compression=compression, predictor=kind == "u2" and bool(compression), **how)
        yield buffer.getvalue()


def told_files(levels: np.ndarray):
    """Files that say of their colours, or of how they were made, by other means than a profile."""
    primaries = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    colour = b"gAMA", struct.pack(">I", 100000)
    for chunks in ((colour, (b"cHRM", struct.pack(">8I", *primaries))), ((b"cICP", b"\x09\x10\0\1"),)):
        yield layouts.png(levels[..., :3], 2, 8, *chunks)
    tags = {301: ("H", tuple(range(0, 65536, 257))), 319: ("R", (64, 100, 33, 100, 30, 100, 60, 100, 15, 100, 6, 100))}
    for kind in (np.uint8, np.uint16, np.float32):
        yield layouts.tiff(
            levels[..., :3].astype(kind) / 255 if kind == np.float32 else levels[..., :3].astype(kind),
            layouts.RGB,
            tags=tags,
        )
    yield layouts.psd(np.moveaxis(levels, -1, 0), 3)
    said = Metadata('{"gatys": "1", "options": {}}', {315: "a"}, {0x829A: 0.01}, {1: "N"}, (300, 300), images_profile())
    for form, depth in (("PNG", 8), ("PNG", 16), ("JPEG", 8), ("TIFF", 8), ("TIFF", 16), ("WEBP", 8)):
        yield writing.encode(torch.rand(3, 6, 5), form, depth, 90, said, "")


def states():
    for step in (1, 2, 3):
        record = [Record(n + 1, int(n == 0), 1.0, 0.5, 0.5, 0.0, {"conv1_1": 0.5}) for n in range(step)]
        tensors = {"best": torch.rand(1, 3, 4, 4), "count": torch.tensor(3), "half": torch.zeros(3).half()}
        Checkpoint(SCRATCH, 0, RUN, SCHEDULE).write(Moment(int(step == 1), record, ["a note"], tensors, None, SCHEDULE))
        yield SCRATCH.read_bytes()


def lists():
    for text in ("a.png\nb/c.jpg\n# a comment\n\n", '"a b.png"\r\n', "~/a.png\n../b.png\n/c.png"):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
            yield text.encode(encoding)


def records():
    read = {name: json.dumps(value) for name, value in (("size", "128"), ("strength", "0.5"), ("normalize", True))}
    options = ",".join(f'"{name}":{value}' for name, value in read.items())
    for files in ({}, {"content": [{"name": "a.png", "sha256": "0"}], "style": [{"name": "../b.png", "sha256": "0"}]}):
        yield f'{{"options":{{{options}}},"files":{json.dumps(files)},"filters":{{"digest":"0"}}}}'.encode()
    yield b'{"options":{"steps":"20,40","blend":["0.5"],"style-layers":"conv1_1=2"},"files":{},"filters":{"digest":"0"}}'
    yield b'{"options":{"init":"noise","preset":"udacity","weights":"a.pth"},"files":{},"filters":{"digest":"0"}}'


def images_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def mutate_header(data: bytes, most: int, seed: int) -> bytes:
    """Every other time only the header of a .safetensors, whose length then still is what the file says."""
    length = int.from_bytes(data[:8], "little")
    if seed % 2 or not 2 <= length <= len(data) - 8:
        return atheris.Mutate(data, most)
    header = atheris.Mutate(data[8 : 8 + length], max(length, most - len(data) + length))
    try:  # the digest of a state: what is behind that check is looked at, too
        digest = json.loads(header)["__metadata__"]["digest"].encode()
        none = header.replace(digest, b"0" * 64)
        header = header.replace(digest, hashlib.sha256(none + data[8 + length :]).hexdigest().encode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


ODD = (
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    "",
    "none",
    "auto",
    "nan",
    "-",
    "--",
    "a=1",
    "0.5",
    "1,2",
    "a.png",
    [],
    {},
    [None],
)
"""Values of which a record may have any in any place."""


def mutate_record(data: bytes, most: int, seed: int) -> bytes:
    """Every other time one value of the JSON, or the name of one, becomes another."""
    draw = random.Random(seed)  # noqa: S311
    try:
        told = json.loads(data)
        here = told
        while draw.random() < 0.8 and isinstance(here, (dict, list)) and here:
            key = draw.choice(list(here) if isinstance(here, dict) else range(len(here)))
            below = here[key]
            if not isinstance(below, (dict, list)) or not below or draw.random() < 0.4:
                here[key] = draw.choice(ODD)
                if isinstance(here, dict) and draw.random() < 0.3:
                    here[draw.choice(record_names())] = here.pop(key)
                return json.dumps(told).encode("latin-1")[:most]
            here = below
    except (ValueError, TypeError, RecursionError):
        pass
    return atheris.Mutate(data, most)


def record_names() -> list[str]:
    return [name.replace("_", "-") for name in (*record._SETTINGS, *record._FILES, "out", "sha256", "name", "digest")]


LOADERS = {
    "weights": (load_weights, weight_files),
    "keras": (load_keras, keras_files),
    "wheels": (load_wheel, wheels),
    "styles": (load_style, style_files),
    "images": (load_image, image_files),
    "states": (load_state, states),
    "lists": (load_list, lists),
    "records": (load_record, records),
}


def main() -> None:
    what, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "480"
    folder = Path(sys.argv[3] if len(sys.argv) > 3 else Path(tempfile.gettempdir(), "gatys-fuzz")) / what
    corpus, finds = folder / "corpus", folder / "finds"
    for made in (corpus, finds):
        made.mkdir(parents=True, exist_ok=True)
    load, seeds = LOADERS[what]
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    seen: set[str] = set()
    counts = {"inputs": 0, "loaded": 0, "refused": 0, "finds": 0}

    def once(data: bytes) -> None:
        counts["inputs"] += 1
        began, find = time.monotonic(), None
        try:
            problem = load(data)
        except Exception as error:  # noqa: BLE001 - anything else is what is looked for
            where = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in where if "/gatys/" in frame.filename][-1:]
            find = f"{type(error).__name__} {[(Path(f.filename).name, f.lineno) for f in (*ours, where[-1])]}"
            shown = "".join(traceback.format_exception(error))
        else:
            counts["refused" if problem else "loaded"] += 1
            if problem and not (str(problem).isprintable() and len(str(problem)) < 1000):
                find, shown = f"text {traceback.extract_tb(problem.__traceback__)[-1].lineno}", repr(str(problem))
        if time.monotonic() - began > SLOW:
            find, shown = f"slow {round(time.monotonic() - began)}", "slow"
        if find and find not in seen:
            seen.add(find)
            counts["finds"] += 1
            name = hashlib.sha256(data).hexdigest()[:12]
            (finds / name).write_bytes(data)
            (finds / f"{name}.txt").write_text(f"{find}\n{shown}")
            print(f"FIND {find} -> {finds / name}", flush=True)
        if counts["inputs"] % 500 == 0:
            (folder / "counts.json").write_text(json.dumps(counts | {"finds": sorted(seen)}, indent=1))

    # libFuzzer ends on the memory limit with a file oom-* in the folder; what it lists as slow is slow
    limits = ["-rss_limit_mb=2500", "-timeout=60", f"-artifact_prefix={finds}/"]
    mutators = {"styles": mutate_header, "states": mutate_header, "records": mutate_record}
    how = {"custom_mutator": mutators[what]} if what in mutators else {}
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=40000", *limits, str(corpus)], once, **how)
    atheris.Fuzz()


if __name__ == "__main__":
    SCRATCH = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None), "input.safetensors")
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    images.MAX_PIXELS = 1 << 22  # so that what lies within the limit stays far below that of memory
    PngImagePlugin.ChunkStream.crc = lambda self, cid, data: self.fp.read(
        4
    )  # or all would be refused for its checksums
    main()
