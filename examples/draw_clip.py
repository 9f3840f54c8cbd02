"""Draw the example film: clip.mp4, a pan over content.jpg with a balloon before it, and clip_matte.mp4, where the balloon is.

    python examples/draw_clip.py

It has 16 frames of 320 x 240 pixels, 8 a second, and a soft sound. It needs PyAV.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT, COUNT, RATE = 320, 240, 16, 8
FINE = 4
"""Drawn pixels for one of the balloon's, each way."""
SOUND = 44100


def balloon(index: int) -> Image.Image:
    """The balloon in a frame, RGBA: it drifts to the right and up, faster than the view does."""
    picture = Image.new("RGBA", (WIDTH * FINE, HEIGHT * FINE))
    draw = ImageDraw.Draw(picture)
    x, y, radius = (70 + 7 * index) * FINE, (120 - 1.5 * index) * FINE, 42 * FINE
    draw.line([(x - radius // 2, y + radius // 2), (x - 8 * FINE, y + 62 * FINE)], fill=(60, 45, 40, 255), width=FINE)
    draw.line([(x + radius // 2, y + radius // 2), (x + 8 * FINE, y + 62 * FINE)], fill=(60, 45, 40, 255), width=FINE)
    for share, colour in ((1, (196, 52, 42)), (0.72, (242, 214, 150)), (0.4, (196, 52, 42)), (0.12, (242, 214, 150))):
        draw.ellipse([x - share * radius, y - radius, x + share * radius, y + radius], fill=(*colour, 255))
    draw.rectangle([x - 9 * FINE, y + 60 * FINE, x + 9 * FINE, y + 72 * FINE], fill=(120, 78, 46, 255))
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def write(name: str, frames: list[Image.Image], sound: np.ndarray | None) -> None:
    with av.open(str(FOLDER / name), "w") as file:
        film = file.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "slow"})
        film.width, film.height, film.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        track = None if sound is None else file.add_stream("aac", rate=SOUND, layout="mono")
        for picture in frames:
            file.mux(film.encode(av.VideoFrame.from_image(picture)))
        file.mux(film.encode(None))
        if track is not None:
            for start in range(0, len(sound), 1024):
                part = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
                part.sample_rate, part.pts = SOUND, start
                file.mux(track.encode(part))
            file.mux(track.encode(None))


def main() -> None:
    view = Image.open(FOLDER / "content.jpg").convert("RGB")
    scale = HEIGHT * 1.15 / view.height
    view = view.resize((round(view.width * scale), round(view.height * scale)), Image.Resampling.LANCZOS)
    step = min(3, (view.width - WIDTH) // COUNT)
    frames, mattes = [], []
    for index in range(COUNT):
        frame = view.crop((step * index, 18, step * index + WIDTH, 18 + HEIGHT))
        thing = balloon(index)
        frame.paste(thing, (0, 0), thing)
        frames.append(frame)
        mattes.append(Image.merge("RGB", [thing.getchannel("A")] * 3))
    time = np.arange(COUNT * SOUND // RATE) / SOUND
    sound = 0.1 * np.sin(2 * np.pi * 220 * time) * np.sin(np.pi * time / time[-1])
    write("clip.mp4", frames, sound.astype(np.float32))
    write("clip_matte.mp4", mattes, None)


if __name__ == "__main__":
    main()
