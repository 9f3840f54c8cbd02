"""Metadata: what a picture file says beside its pixels, read from the content and written into the result.

It is the record of how the result was made, and of the content's: EXIF, its copyright and artist, resolution and
profile. PNG keeps the record in a text chunk called `gatys`, every other format in XMP.
"""

from __future__ import annotations

import html
import io
import json
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms

from ..errors import ImageError
from ..settings import __version__
from .decoding import MAX_PIXELS, damage_told, opened
from .optional_formats import extra_for

log = logging.getLogger(__name__)

KEYWORD = "gatys"
"""The keyword of the text chunk in a PNG, and the prefix in XMP."""
MAX_RECORD = 1 << 20
"""The longest record that is read."""
_EXIF, _GPS = 0x8769, 0x8825
_ARTIST, _COPYRIGHT, _SOFTWARE, _ORIENTATION, _DPI_X, _DPI_Y, _DPI_UNIT = 315, 33432, 305, 274, 282, 283, 296
_COLOUR_SPACE, _SRGB, _UNCALIBRATED = 0xA001, 1, 0xFFFF
_KEPT = (270, 271, 272, 306, _ARTIST, 316, 18246, 18249, _COPYRIGHT, 40091, 40092, 40093, 40094, 40095)
"""The tags that are kept: description, maker, model, date, artist, computer, rating, copyright, and Windows' own."""
_NOT_KEPT = (_COLOUR_SPACE, 0xA002, 0xA003, 0xA005, 0x927C, 0x9101, 0x9102)
"""EXIF that is true of the content's own pixels, or holds places in its file."""
_NAMESPACE = "urn:gatys-style-transfer/"
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    f'xmlns:{KEYWORD}="{_NAMESPACE}"><{KEYWORD}:made>%s</{KEYWORD}:made></rdf:Description></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
_RECORD = re.compile(f"<{KEYWORD}:made>(.*?)</{KEYWORD}:made>", re.DOTALL)
_IN_XMP = {
    _COPYRIGHT: re.compile(r"<dc:rights>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL),
    _ARTIST: re.compile(r"<dc:creator>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL),
}
_IN_TEXT = {_COPYRIGHT: "Copyright", _ARTIST: "Author"}


@dataclass(frozen=True)
class Metadata:
    """What is written into a file beside its pixels."""

    made: str | None = None
    """How the picture was made, as JSON in ASCII."""
    tags: Mapping[int, Any] = field(default_factory=dict)
    """EXIF's tags of the picture by their numbers, those of `_KEPT`."""
    details: Mapping[int, Any] = field(default_factory=dict)
    """EXIF's tags of how it was taken."""
    place: Mapping[int, Any] = field(default_factory=dict)
    """EXIF's tags of where it was taken."""
    dpi: tuple[float, float] | None = None
    """The resolution in dots per inch, across and down."""
    profile: bytes | None = None
    """The profile, of RGB, that the pixels are to be converted to from sRGB; None for sRGB."""

    def exif_tags(self) -> Mapping[int, Any]:
        """Give all tags of EXIF by their numbers, those of its parts as mappings; none where there is nothing to say."""
        if self.made is None and not (self.tags or self.details or self.place):
            return {}
        space = _SRGB if self.profile is None else _UNCALIBRATED
        tags = {**self.tags, _SOFTWARE: f"gatys {__version__}", _ORIENTATION: 1}
        tags[_EXIF] = {**self.details, _COLOUR_SPACE: space}
        if self.place:
            tags[_GPS] = dict(self.place)
        if self.dpi is not None:
            tags |= {_DPI_X: self.dpi[0], _DPI_Y: self.dpi[1], _DPI_UNIT: 2}
        return tags

    def exif(self) -> bytes:
        """Give EXIF as files hold it, after its six bytes of identification; nothing where there is nothing to say."""
        tags = self.exif_tags()
        return _exif_bytes(tags) if tags else b""

    def xmp(self) -> bytes:
        """Give the record as XMP; nothing where there is none."""
        return b"" if self.made is None else (_XMP % html.escape(self.made, quote=False)).encode()


def read_metadata(path: str | os.PathLike) -> Metadata:
    """Read what a picture file says beside its pixels, but for its own record; what is damaged is left out, and logged.

    Raises:
        OSError: where the file cannot be read.
    """
    path = Path(path)
    try:
        with damage_told(str(path)), _opened(path) as said:
            tags = _sound({tag: said.exif[tag] for tag in _KEPT if tag in said.exif}, path)
            tags |= _told_elsewhere(said, tags)
            details = {tag: value for tag, value in said.exif.get_ifd(_EXIF).items() if tag not in _NOT_KEPT}
            details, place = _sound(details, path, _EXIF), _sound(said.exif.get_ifd(_GPS), path, _GPS)
            return Metadata(None, tags, details, place, _dpi(said), _profile(said))
    except ImageError as problem:
        log.warning("the metadata of %s", problem)
        return Metadata()


def read_record(path: str | os.PathLike) -> Mapping[str, Any]:
    """Read the record of how a picture was made.

    Raises:
        ImageError: where the file is no picture, or has no record.
    """
    name, record = str(path), None
    if not os.path.isfile(path):
        raise ImageError(f"there is no file {name!r}; check the path")
    with damage_told(name), _opened(Path(path)) as said:
        text = _record(said)
    if text is not None and len(text) <= MAX_RECORD:
        with suppress(ValueError, RecursionError):
            record = json.loads(text)
    if not isinstance(record, dict):
        raise ImageError(f"{name!r} does not say how it was made; give a picture that gatys wrote without --strip")
    return record


@dataclass(frozen=True)
class _Said:
    """What an open file says."""

    exif: Image.Exif = field(default_factory=Image.Exif)
    info: Mapping[Any, Any] = field(default_factory=dict)
    form: str | None = None


@contextmanager
def _opened(path: Path) -> Iterator[_Said]:
    """Open a picture without decoding it, where that goes; of a TIFF, which may not fit into memory, only tags are read."""
    with path.open("rb") as file:
        head = file.read(256)
        file.seek(0)
        if head[:4] in (b"II*\0", b"MM\0*"):
            exif = Image.Exif()
            exif.load_from_fp(file)
            yield _Said(exif, {"xmp": exif.get(700), "icc_profile": exif.get(34675)}, "TIFF")
            return
        if extra_for(head) == "exr":  # its attributes are of films, and none is kept
            yield _Said()
            return
        data = file.read()  # of a file, Pillow would allocate whatever a damaged length says
        image = opened(data, str(path), MAX_PIXELS)
        yield _Said(image.getexif(), image.info, image.format) if isinstance(image, Image.Image) else _Said()


def _sound(tags: Mapping[int, Any], path: Path, part: int | None = None) -> dict[int, Any]:
    """Give the tags that can be written again."""
    kept = {}
    for tag, value in tags.items():
        try:
            _exif_bytes({tag: value} if part is None else {part: {tag: value}})
        except Exception:  # noqa: BLE001 - what damaged values raise, Pillow says nowhere
            log.warning("%s: the tag %d of its EXIF is damaged, and left out", path, tag)
        else:
            kept[tag] = value
    return kept


def _exif_bytes(tags: Mapping[int, Any]) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    return exif.tobytes()


def _told_elsewhere(said: _Said, tags: Mapping[int, Any]) -> dict[int, str]:
    """Give copyright and artist from text chunks or XMP, where EXIF does not tell them."""
    found, xmp = {}, _xmp(said)
    for tag, keyword in _IN_TEXT.items():
        told, match = said.info.get(keyword), _IN_XMP[tag].search(xmp)
        text = told if isinstance(told, str) else html.unescape(match[1]) if match else ""
        if tag not in tags and text.strip():
            found[tag] = text.strip()[:1000].encode("ascii", "replace").decode()  # EXIF's texts are in ASCII
    return found


def _xmp(said: _Said) -> str:
    found = said.info.get("xmp") or said.info.get("XML:com.adobe.xmp") or b""
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def _record(said: _Said) -> str | None:
    text = said.info.get(KEYWORD) if said.form == "PNG" else None
    match = _RECORD.search(_xmp(said))
    return text if isinstance(text, str) else html.unescape(match[1]) if match else None


def _dpi(said: _Said) -> tuple[float, float] | None:
    found: Iterable[Any] = said.info.get("dpi") or ()
    unit = said.exif.get(_DPI_UNIT, 2)
    if not found and unit in (2, 3):
        found = [(1 if unit == 2 else 2.54) * float(said.exif.get(tag, 0)) for tag in (_DPI_X, _DPI_Y)]
    values = [float(value) for value in found]
    sound = len(values) == 2 and all(math.isfinite(value) and 2 <= value <= 65535 for value in values)
    return (values[0], values[1]) if sound else None


def _profile(said: _Said) -> bytes | None:
    """Give the profile where it is one of RGB, which pixels can be converted to."""
    profile = said.info.get("icc_profile")
    if not isinstance(profile, bytes):
        return None
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):  # read_image says that it cannot be used
        return None
    return profile if space == "RGB" else None
