"""Films for tests, made with PyAV: frames of known numbers, times, colour tags, turns and sound."""

import os
import signal
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from gatys.cli.film_progress import FilmBar


def film(path, frames, *, codec="ffv1", form="yuv444p", times=None, rate=25, matrix=1, full=False, sound=None, **how):
    """Write frames, each a list of the planes' arrays, shown at times of 1/1000 s; give the path.

    Args:
        matrix, full: the tags of colour; None is for none.
        sound: a codec, for a second or more of sound in 48 kHz.
        how: `primaries`, `transfer`, `aspect`, `turn` (a display matrix), `options` of the codec.
    """
    height, width = frames[0][0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=how.get("options", {}))
        stream.width, stream.height, stream.pix_fmt = width, height, form
        context = stream.codec_context
        context.time_base = Fraction(1, 1000)
        tags = {"colorspace": matrix, "color_range": None if full is None else 1 + full}
        tags |= {"color_primaries": how.get("primaries"), "color_trc": how.get("transfer")}
        for name, value in tags.items():
            if value is not None:
                setattr(context, name, value)
        if "aspect" in how:
            context.sample_aspect_ratio = how["aspect"]
        voice = None if sound is None else container.add_stream(sound, rate=48000, layout="mono")
        for index, planes in enumerate(frames):
            frame = filled(planes, form)
            frame.pts = round(1000 * index / rate) if times is None else times[index]
            for name, value in tags.items():
                if value is not None and hasattr(frame, name):
                    setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            seconds = (len(frames) / rate if times is None else times[-1] / 1000) + 0.2
            container.mux(heard(voice, round(seconds * 48000)))
            container.mux(voice.encode(None))
    if "turn" in how:  # of an MP4
        data = bytearray(Path(path).read_bytes())
        at = data.index(b"tkhd") + 44
        data[at : at + 36] = struct.pack(">9i", *how["turn"])
        Path(path).write_bytes(data)
    return path


def filled(planes, form):
    """A frame with the numbers of these planes."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], form)
    for plane, numbers in zip(frame.planes, planes, strict=True):
        kind = np.uint8 if frame.format.components[0].bits <= 8 else np.uint16
        rows = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        rows[:, : numbers.shape[1]] = numbers
        plane.update(rows.tobytes())
    return frame


def heard(stream, samples):
    """Packets of a tone."""
    form = stream.codec_context.format.name
    tone = np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000) * 0.3
    top, kind = {"s16": (2**15 - 1, np.int16), "s32": (2**31 - 1, np.int32)}.get(form[:3], (1, np.float32))
    values = (tone * top).astype(kind)
    frame = av.AudioFrame.from_ndarray(values[None], format=form, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    return stream.encode(frame)


def flat(*numbers, size=(32, 48), form="yuv444p"):
    """The planes of a frame of one colour."""
    sub = (2, 2) if form.startswith("yuv420") else (1, 1)
    shapes = [size, *[(size[0] // sub[0], size[1] // sub[1])] * 2]
    return [np.full(shape, number) for shape, number in zip(shapes, numbers, strict=False)]


def packets(path, kind):
    """The packets of the first stream of a kind ("audio", "video"): bytes, and times in seconds."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [packet for packet in container.demux(stream) if packet.size]
        return [bytes(packet) for packet in found], [packet.pts * packet.time_base for packet in found]


def shown(path):
    """Each frame of a film as PyAV decodes it."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def press(monkeypatch, at, step=1, times=1):
    """Press Ctrl-C in a step of a frame."""
    follow = FilmBar.step

    def pressing(bar, progress, index):
        follow(bar, progress, index)
        if (index, progress.step) == (at, step):
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(FilmBar, "step", pressing)
