"""Writers of picture files in every layout, by hand from the formats' specifications, as oracles of the reader."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, RGB, PALETTE, CMYK, YCBCR, LAB, WHITE_IS_0 = 1, 2, 3, 5, 6, 8, 0
"""TIFF's photometric interpretations."""
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""TIFF's sample formats."""


def pack(row: np.ndarray, bits: int, order: str, reversed_bits: bool = False) -> bytes:
    """Give the bytes of a row of samples: those of fewer than 8 bits one after another from the highest bit on."""
    if bits >= 8 and bits != 12:
        return row.astype(np.dtype(row.dtype).newbyteorder(order)).tobytes()
    digits = (row.reshape(-1, 1).astype(int) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.reshape(-1), bitorder="little" if reversed_bits else "big").tobytes()


def tiff(
    samples: np.ndarray,
    photometric: int,
    *,
    bits: int | None = None,
    order: str = "<",
    planar: bool = False,
    tile: int | None = None,
    rows: int | None = None,
    extra: tuple[int, ...] = (),
    kind: int | None = None,
    deflate: bool = False,
    fill: int = 1,
    tags: dict[int, tuple[str, tuple[int, ...] | bytes]] | None = None,
) -> bytes:
    """Give a TIFF of samples (H, W, C), as TIFF 6.0 has it.

    Args:
        order: "<" little-endian, ">" big-endian.
        rows: those of a strip; all by default.
        tags: further ones: type code of struct ("H", "I", "B"; "R" for rationals as pairs) and values.
    """
    height, width, channels = samples.shape
    bits = samples.dtype.itemsize * 8 if bits is None else bits
    kind = FLOAT if samples.dtype.kind == "f" and kind is None else kind
    blocks = []
    for plane in np.moveaxis(samples, -1, 0)[..., None] if planar else [samples]:
        if tile:
            full = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[-1]), plane.dtype)
            full[:height, :width] = plane
            for top in range(0, height, tile):
                blocks += [full[top : top + tile, left : left + tile] for left in range(0, width, tile)]
        else:
            blocks += [plane[top : top + (rows or height)] for top in range(0, height, rows or height)]
    data = [b"".join(pack(row.reshape(-1), bits, order, fill == 2) for row in block) for block in blocks]
    data = [zlib.compress(block) for block in data] if deflate else data
    fields = {256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (bits,) * channels)}
    fields |= {259: ("H", (8 if deflate else 1,)), 262: ("H", (photometric,)), 277: ("H", (channels,))}
    fields |= {284: ("H", (2 if planar else 1,)), 266: ("H", (fill,))}
    fields |= {322: ("I", (tile,)), 323: ("I", (tile,))} if tile else {278: ("I", (rows or height,))}
    fields |= {338: ("H", extra)} if extra else {}
    fields |= {339: ("H", (kind,) * channels)} if kind else {}
    fields |= tags or {}
    places, counts = (324, 325) if tile else (273, 279)
    fields |= {places: ("I", (0,) * len(data)), counts: ("I", tuple(map(len, data)))}
    at = 8 + 2 + 12 * len(fields) + 4
    later = b""
    sizes = {code: struct.calcsize(code) for code in "BHI"} | {"R": 8}
    for code, values in fields.values():
        length = sizes[code] * (len(values) // 2 if code == "R" else len(values))
        at += length + length % 2 if length > 4 else 0
    starts = [at + sum(map(len, data[:index])) for index in range(len(data))]
    fields[places] = ("I", tuple(starts))
    at = 8 + 2 + 12 * len(fields) + 4
    entries = b""
    types = {"B": 1, "H": 3, "I": 4, "R": 5}
    for tag, (code, values) in sorted(fields.items()):
        body = struct.pack(order + f"{len(values)}{'I' if code == 'R' else code}", *values)
        count = len(values) // 2 if code == "R" else len(values)
        value = body.ljust(4, b"\0")
        if len(body) > 4:
            value = struct.pack(order + "I", at + len(later))
            later += body + b"\0" * (len(body) % 2)
        entries += struct.pack(order + "HHI", tag, types[code], count) + value
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(fields))
    return head + entries + bytes(4) + later + b"".join(data)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Give a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples: np.ndarray, colour_type: int, depth: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Give a PNG of samples (H, W, C), its rows unfiltered; the chunks come before the pixels.

    Args:
        colour_type: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
    """
    height, width = samples.shape[:2]
    samples = samples.astype(">u2" if depth == 16 else "u1")
    rows = b"".join(b"\0" + pack(row.reshape(-1), depth, ">") for row in samples)
    body = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour_type, 0, 0, 0))
    body += b"".join(chunk(*each) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def psd(planes: np.ndarray, mode: int, depth: int = 8, palette: bytes = b"", resources: bytes = b"") -> bytes:
    """Give a PSD of planes (C, H, W) without layers; mode 0 bitmap, 1 grey, 2 indexed, 3 RGB, 4 CMYK, 9 Lab.

    CMYK is stored inverted, 0 being full ink.
    """
    count, height, width = planes.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, depth, mode)
    body = struct.pack(">I", len(palette)) + palette + struct.pack(">I", len(resources)) + resources + bytes(4)
    return head + body + struct.pack(">H", 0) + b"".join(pack(row, depth, ">") for row in planes.reshape(-1, width))
