"""Makes the pictures of two templates: panorama.jpg, which closes on itself, and portrait.webp, whose mask is the face.

Usage: python examples/draw_more.py    (needs scikit-image, whose package holds the photograph of the portrait)
The panorama is the harbour and its mirror image. The portrait is the cat Chelsea, photographed by Stéfan van der Walt and
given away by him (CC0).
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps
from skimage import data

HERE = Path(__file__).parent
FACE = (115, 66, 366, 290)  # from the eyes to the chin


def panorama():
    """The harbour, cut to its middle, beside its mirror image."""
    with Image.open(HERE / "content.jpg") as content:
        half = content.convert("RGB").crop((0, 64, 768, 576))
    whole = Image.new("RGB", (2 * half.width, half.height))
    whole.paste(half, (0, 0))
    whole.paste(ImageOps.mirror(half), (half.width, 0))
    return whole.resize((1024, 342), Image.Resampling.LANCZOS)


def portrait():
    """The photograph; what is transparent in it is a mask in ComfyUI."""
    photograph = Image.fromarray(data.chelsea())
    mask = Image.new("L", photograph.size, 255)
    ImageDraw.Draw(mask).ellipse(FACE, fill=0)
    photograph.putalpha(mask.filter(ImageFilter.GaussianBlur(14)))
    return photograph


if __name__ == "__main__":
    panorama().save(HERE / "panorama.jpg", quality=82)
    portrait().save(HERE / "portrait.webp", quality=90, exact=True)
