"""Pictures for tests: noise, the same for the same seed, in each form that the project takes pictures in."""

import torch
from PIL import Image


def noise(*shape, seed=0, dtype=torch.float32):
    """Draw values of [0, 1) in any shape."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def picture(seed, count=1, size=(40, 33), dtype=torch.float32):
    """Draw pictures as `gatys` has them, (count, 3, height, width)."""
    return noise(count, 3, *size, seed=seed, dtype=dtype)


def host_picture(seed, height=48, width=40, channels=3, count=1):
    """Draw pictures as ComfyUI has them, an IMAGE (count, height, width, channels)."""
    return noise(count, height, width, channels, seed=seed)


def drawing(size, seed, channels=3, tint=1.0):
    """Draw a PIL picture of 8 bits a value; `size` is PIL's, width and height, and `tint` a factor for all channels or each."""
    levels = torch.randint(0, 256, (size[1], size[0], channels), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray((levels * torch.as_tensor(tint)).to(torch.uint8).numpy())
