"""Pictures read and written by rows are those that are read and written whole."""

import numpy as np
import pytest
import tifffile
import torch
from pictures import noise
from PIL import Image

from gatys.distributed import rows
from gatys.distributed.rows import ROWS, open_rows, write_rows
from gatys.errors import ImageError, MissingPackage
from gatys.pictures import tiff
from gatys.pictures.images import read_image, write_image


def levels(*shape, kind=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def read_in_parts(path):
    with open_rows(str(path)) as source:
        height = source.size[0]
        parts = [source.read(low, min(low + 13, height)) for low in range(0, height, 13)]
        return torch.cat(parts, dim=2), source


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "how",
    [
        {"rowsperstrip": 7},
        {"tile": (16, 32), "compression": "zlib"},
        {"tile": (32, 16), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 10, "extrasamples": ["unassalpha"]},
        {"photometric": "minisblack"},
    ],
)
def test_rows_are_those_of_the_picture_read_whole(tmp_path, monkeypatch, kind, how):
    channels = 4 if "extrasamples" in how else 1 if "photometric" in how else 3
    shape = (45, 50) if channels == 1 else (45, 50, channels)
    tifffile.imwrite(tmp_path / "a.tif", levels(*shape, kind=kind), **({"photometric": "rgb"} | how))
    whole = read_image(tmp_path / "a.tif")
    expected = whole.pixels if whole.alpha is None else torch.cat([whole.pixels, whole.alpha], dim=1)
    monkeypatch.setattr(rows, "read_image", None)  # it is not needed
    read, source = read_in_parts(tmp_path / "a.tif")
    assert source.size == (45, 50) and source.channels == expected.shape[1]
    torch.testing.assert_close(read, expected)


def test_other_files_are_read_whole(tmp_path):
    Image.fromarray(levels(20, 30, 4), "RGBA").save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    read, source = read_in_parts(tmp_path / "a.png")
    assert torch.equal(read, torch.cat([picture.pixels, picture.alpha], dim=1)) and source.channels == 4
    turned = Image.fromarray(levels(20, 30, 3))
    turned.save(tmp_path / "b.tif", tiffinfo={274: 6})
    assert torch.equal(read_in_parts(tmp_path / "b.tif")[0], read_image(tmp_path / "b.tif").pixels)
    assert read_in_parts(tmp_path / "b.tif")[1].size == (30, 20)


@pytest.mark.parametrize(("channels", "depth"), [(3, 8), (4, 16)])
def test_written_rows_are_the_picture_written_whole(tmp_path, channels, depth):
    picture = noise(channels, 150, 40)
    write_rows(tmp_path / "a.tif", (150, 40), channels, picture.split(ROWS, dim=1), depth)
    write_image(tmp_path / "b.tif", picture[:3], alpha=picture[3:] if channels == 4 else None, depth=depth)
    one, other = read_image(tmp_path / "a.tif"), read_image(tmp_path / "b.tif")
    assert torch.equal(one.pixels, other.pixels)
    assert (one.alpha is None) == (other.alpha is None) and (one.alpha is None or torch.equal(one.alpha, other.alpha))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def test_refusals(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", levels(64, 50, 3), photometric="rgb", rowsperstrip=8, compression="zlib")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(ImageError, match=r"a.tif' is damaged or cut short \(.*\); copy or download it again"):
        read_in_parts(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="there is no file"):
        read_in_parts(tmp_path / "missing.tif")
    with pytest.raises(ImageError, match=r"cannot be written \(.*\); change the path, or free space"):
        write_rows(tmp_path / "no" / "a.tif", (20, 40), 3, [torch.rand(3, 20, 40)])
    monkeypatch.setattr(tiff, "tiff_library", lambda: None)
    with pytest.raises(MissingPackage, match="tifffile, which is not installed; run pip install tifffile"):
        write_rows(tmp_path / "b.tif", (20, 40), 3, [torch.rand(3, 20, 40)])
