"""Downloads of trained filters: they show progress, are checked by SHA-256, and are there whole or not at all.

This is the only module that speaks to the network.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from safetensors import SafetensorError

from ..errors import DownloadError, FolderError
from .accepted_files import MAX_BYTES

Report = Callable[[int, int], None]
"""A function that is called with (bytes done, bytes in all or 0)."""
Make = Callable[[Path, Path, str], None]
"""A function that is called with the path of what came, a path to write to, and the SHA-256 of what came."""
_SCRATCH = ".vgg19-"  # the names of folders that a download works in begin so
_PATIENCE = 20  # seconds without a byte
_log = logging.getLogger(__name__)


@contextmanager
def _writing(folder: Path, url: str, advice: str) -> Iterator[None]:
    """Raise FolderError for what the folder refuses, so that it is told from what the network does."""
    try:
        yield
    except OSError as error:
        raise FolderError(
            f"weights: {url} cannot be kept in {folder} ({error}); set TORCH_HOME to a folder with room that can be written "
            f"to, {advice}"
        ) from error


@dataclass(frozen=True)
class Source:
    """A file on the network, and its SHA-256, or the first hexadecimal digits of that."""

    url: str
    sha256: str
    mirrors: tuple[str, ...] = ()
    """Further addresses of the same file, in the order in which they are tried."""

    @property
    def name(self) -> str:
        """Give the file's name, the last part of its address."""
        return self.url.rsplit("/", 1)[-1]


def imagenet_source() -> Source:
    """Give torchvision's `VGG19_Weights.IMAGENET1K_V1` (548 MB); its file name ends in the hash's first digits."""
    return Source("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d")


def paper_source() -> Source:
    """Give the VGG-19 of the paper, scaled to a mean activation of 1, as converted for AdaIN (80 MB), and its mirrors.

    The environment variable HF_ENDPOINT replaces https://huggingface.co, as for Hugging Face's own programs.
    """
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    return Source(
        "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/vgg_normalised.pth",
        "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
        (
            f"{hub}/spaces/vkganesan/AdaIN/resolve/61b41295c02426bf996830eebf625370488c9758/vgg_normalised.pth",
            f"{hub}/spaces/dataroots/SofaStyler/resolve/eca5c3634c9de1a94c88b6347e74785e1c7b738d/vgg_normalised.pth",
            f"{hub}/datasets/HanzhouLiu/Stylos/resolve/main/checkpoints/vgg_normalised.pth",
        ),
    )


_ADVICE = "give the path of another VGG-19 or VGG-16 as weights, or choose 'untrained'"


def fetch(what: str, source: Source, kept: Path, make: Make, progress: Report | None, advice: str = _ADVICE) -> None:
    """Make the file `kept` of what the first address gives that has the right SHA-256; nothing else stays.

    Args:
        what: the weights' name, for messages.
        kept: the file to make; its folder is made if needed.
        make: given the checked file as it came, it writes the one that is kept.
        progress: called as pieces come; an exception from it cancels the download.
        advice: what else one can do, for messages.

    Raises:
        DownloadError: if no address gives the file; it names each with the reason. It is a `FolderError` where the
            folder is why.
    """
    failures, unreachable = [], set()
    for url in (source.url, *source.mirrors):
        if urlsplit(url).netloc in unreachable:
            continue  # where packets get lost, each try takes long
        with closing(_pieces(url, source.sha256, kept, make, advice)) as pieces:
            while True:
                try:
                    done = next(pieces, None)
                except FolderError:
                    raise
                except (OSError, HTTPException, SafetensorError, ValueError) as error:  # ValueError: no address at all
                    said = _reason(error, url)
                    failures.append((url, said))
                    if isinstance(error, URLError) and not isinstance(error, HTTPError):
                        unreachable.add(urlsplit(url).netloc)
                    _log.info("that failed: %s", said)
                    break
                if done is None:
                    return
                if progress is not None:
                    progress(*done)  # it stands outside the generator: what it raises is no failed download
    digest = f" (SHA-256 {source.sha256})" if source.mirrors else ""
    problem = DownloadError(
        f"could not get the {what!r} weights from {_tried(failures)}; download that elsewhere{digest} and put it into "
        f"{kept.parent}, {advice}"
    )
    url, said = failures[0]
    problem.reason = f"{urlsplit(url).netloc}: {said[:400]}" + f", and {len(source.mirrors)} mirrors" * bool(
        source.mirrors
    )
    raise problem


def _reason(error: Exception, url: str) -> str:
    """Give an error's words, and what is known of the way to the address that may be the cause."""
    said = "".join(letter if letter.isprintable() else " " for letter in str(error))  # a server's words
    said = re.sub("^<urlopen error (.*)>$", r"\1", said)[:200]
    if "CERTIFICATE_VERIFY_FAILED" in said:
        said += "; the environment variable SSL_CERT_FILE may name a file of further certificates to trust"
    way = urlsplit(url)
    proxy = urllib.request.getproxies().get(way.scheme)
    if proxy and not urllib.request.proxy_bypass(way.netloc):
        place = proxy.rpartition("://")[2].rpartition("@")[2]  # without a password
        shown = "".join(letter if letter.isprintable() else " " for letter in place)[:80]
        said += f"; by way of the proxy {shown}, which the environment names"
    return said


def _tried(failures: list[tuple[str, str]]) -> str:
    """Give the addresses with the reasons why they failed; a reason that all share is said once."""
    reasons = {said for _, said in failures}
    if len(reasons) == 1:
        return " or ".join(url for url, _ in failures) + f" ({reasons.pop()})"
    return ", nor from ".join(f"{url} ({said})" for url, said in failures)


def _pieces(url: str, sha256: str, kept: Path, make: Make, advice: str) -> Generator[tuple[int, int], None, None]:
    """Make `kept`, and yield (bytes done, bytes in all or 0) after every piece."""
    folder, digest, done = kept.parent, hashlib.sha256(), 0
    _log.info("downloading %s", url)
    request = urllib.request.Request(url, headers={"User-Agent": "gatys"})  # noqa: S310 - the digest decides
    with _writing(folder, url, advice):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        # Inside `folder`, so that the last step is a rename; removed whatever happens, cancelling included.
        scratch_folder = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True)
    with scratch_folder as scratch:
        # The host lists .pth and .safetensors wherever it finds them: not while they are coming.
        coming, original, part = (Path(scratch) / name for name in ("coming", "original.pth", kept.name))
        # a new opener: that of `urlopen` keeps to the proxies and certificates that the environment named at its first use
        opener = urllib.request.build_opener()
        with opener.open(request, timeout=_PATIENCE) as reply, coming.open("wb") as file:
            length = reply.headers.get("Content-Length", "")
            total = int(length) if length.isascii() and length.isdigit() else 0
            while piece := reply.read(1 << 20):
                with _writing(folder, url, advice):
                    file.write(piece)
                    file.flush()
                digest.update(piece)
                done += len(piece)
                if done > MAX_BYTES:
                    raise OSError(f"more than {MAX_BYTES} bytes came")
                yield done, total
        if done < total:
            raise OSError(f"the transfer was cut off after {done} of {total} bytes")
        if not (found := digest.hexdigest()).startswith(sha256):
            raise OSError(f"the SHA-256 of what came begins with {found[:8]}, expected {sha256[:8]}")
        coming.rename(original)
        make(original, part, found)
        if not kept.exists():  # another process may have been faster; Windows replaces no file that is in use
            os.replace(part, kept)


def _sweep(folder: Path) -> None:
    """Remove the leftovers of downloads that were killed: nothing was written there for a day."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - max(path.stat().st_mtime for path in (scratch, *scratch.iterdir())) > 86400:
                shutil.rmtree(scratch)
