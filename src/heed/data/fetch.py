"""Downloaded corpora: their addresses, the digests of their files, and their place in the cache.

CACHE/CORPUS/NAME              a complete file
CACHE/CORPUS/.NAME.heed-part   a partial download, which the next attempt resumes
CACHE/CORPUS/.lock             locked while a process downloads
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from heed.data.cache import cache_folder
from heed.data.corpus import Corpus, Pairs
from heed.data.lines import read_lines
from heed.data.progress import report
from heed.errors import UserError, needs
from heed.files import PART

if TYPE_CHECKING:
    import requests

URL = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"

TERMS = (
    "Downloading Multi30k to %s. Its repository, multi30k/dataset, permits non-commercial research and\n"
    "education; cite Elliott et al. 2016 (W16-3210) and, for French, Elliott et al. 2017 (W17-4718)."
)

STEMS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}

DIGESTS = {
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
}
"""SHA-256 of every file that can be downloaded."""

SILENCE = 30.0  # seconds without data after which the download is stopped
CHUNK = 2**16  # bytes

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """Published files: their folder in the cache, their address, their SHA-256 digests, and the terms of use."""

    folder: str
    url: str
    digests: Mapping[str, str]
    terms: str


def multi30k(
    name: str = "multi30k",
    pair: Literal["en-de", "en-fr", "de-en", "fr-en"] = "en-de",
    root: str | None = None,
    url: str | None = None,
) -> Corpus:
    """Image captions, translated by people; German of Elliott et al. 2016, French of Elliott et al. 2017.

    A split is downloaded when it is first read. The digests of files are always checked.

    Args:
        name: the name of the corpus.
        pair: source and target language.
        root: a folder that contains the files; then nothing is downloaded or written.
        url: the address to download from; None for the dataset's repository.
    """
    src_lang, tgt_lang = pair.split("-")
    find = finder(Source("multi30k", URL if url is None else url, DIGESTS, TERMS), root)
    splits = {split: partial(_read, find, stem, src_lang, tgt_lang) for split, stem in STEMS.items()}
    return Corpus(name, src_lang, tgt_lang, splits)


def finder(source: Source, root: str | None) -> Callable[[str], Path]:
    """A function that finds and checks a file by name: in the folder `root`, or in the cache, downloaded if needed."""
    return partial(_cached, source) if root is None else partial(_kept, source, Path(root))


def _read(find: Callable[[str], Path], stem: str, src_lang: str, tgt_lang: str) -> Pairs:
    src_path, tgt_path = find(f"{stem}.{src_lang}.gz"), find(f"{stem}.{tgt_lang}.gz")
    return Pairs(read_lines(src_path), read_lines(tgt_path))


def _kept(source: Source, root: Path, name: str) -> Path:
    """A file of the user's copy, checked."""
    digest = _digest(root / name)
    if digest is None:
        raise UserError(f"{root / name} does not exist; copy it there, or leave out corpus.root to download it")
    _check(root / name, source.digests[name], digest, "copy it again, or leave out corpus.root to download it")
    return root / name


def _cached(source: Source, name: str) -> Path:
    """A file of the cache, downloaded if needed."""
    path = cache_folder() / source.folder / name
    digest = _digest(path)
    if digest is None:
        _fetch_alone(source, name, path)
    else:
        _check(path, source.digests[name], digest, "remove it, and give the same command to download it again")
    return path


def _digest(path: Path) -> str | None:
    """SHA-256 of a file, or None if the file does not exist."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _check(where: Path | str, expected: str, found: str | None, advice: str) -> None:
    if found != expected:
        raise UserError(
            f"{where} is not the published file: its SHA-256 begins with {str(found)[:12]}, expected "
            f"{expected[:12]}; {advice}"
        )


def _fetch_alone(source: Source, name: str, path: Path) -> None:
    """Download a file while no other process does; do nothing if another process has downloaded it in the meantime."""
    try:
        with _locked(path.parent, source.terms):
            if not path.exists():
                _fetch(f"{source.url.rstrip('/')}/{name}", path, source.digests[name])
    except OSError as error:
        raise UserError(
            f"{error.filename or path} cannot be written ({error.strerror}); fix that, name another folder in the "
            "environment variable HEED_CACHE, or give a folder that has the files with corpus.root=DIR"
        ) from error


@contextmanager
def _locked(folder: Path, terms: str) -> Iterator[None]:
    """Lock the folder for this process; if it does not exist, create it and log the terms of use."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        log.warning(terms, folder)
    with (folder / ".lock").open("a") as lock:
        _lock(lock)
        yield


def _lock(file: IO[str]) -> None:
    """Wait for the lock on a file; if the system or the file system has no locks, continue without."""
    try:
        import fcntl  # noqa: PLC0415 - not available on Windows

        fcntl.flock(file, fcntl.LOCK_EX)
    except ImportError:
        log.debug("no file locks on this system")
    except OSError as error:
        log.warning("%s cannot be locked (%s); do not download in two processes at once", file.name, error.strerror)


def _fetch(address: str, path: Path, expected: str) -> None:
    """Download to a temporary file, and rename it only if its digest is right."""
    part = path.with_name(f".{path.name}{PART}")
    _download(address, part)
    digest = _digest(part)
    if digest != expected:
        part.unlink()
    _check(address, expected, digest, "give the same command again, or another address with corpus.url=…")
    part.replace(path)


def _download(address: str, part: Path) -> None:
    """Download the missing bytes of `part`. Raise UserError for network errors."""
    with needs("train"):  # all commands import this module, and few download
        import requests  # noqa: PLC0415
        import urllib3  # noqa: PLC0415

    try:
        _receive(address, part)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise UserError(
            f"{address} cannot be downloaded ({_reason(error)}); the same command resumes the download; "
            "without a network, give a folder that has the files with corpus.root=DIR"
        ) from error


def _receive(address: str, part: Path) -> None:
    import requests  # noqa: PLC0415

    there = part.stat().st_size if part.exists() else 0
    # with compressed transfer, positions would differ from those in the file
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
    with requests.get(address, headers=headers, stream=True, timeout=SILENCE) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # the file is complete
        if not response.ok:
            raise UserError(
                f"{address} answered {response.status_code} {response.reason}; try again later, give another "
                "address with corpus.url=…, or a folder that has the files with corpus.root=DIR"
            )
        goes_on = response.status_code == requests.codes.partial_content  # not every server supports this
        with part.open("ab" if goes_on else "wb") as file:
            _copy(response, file.write, part.stem[1:], there if goes_on else 0)


def _copy(response: "requests.Response", write: Callable[[bytes], object], name: str, there: int) -> None:
    """Write the response, and report progress; `there` is the number of bytes that were downloaded before."""
    coming = response.headers.get("Content-Length", "")
    total = there + int(coming) if coming.isdecimal() else None
    # unbuffered, so that received bytes are kept if the connection breaks; not decompressed, whatever the server says
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        write(chunk)
        there += len(chunk)
        report(f"bytes of {name}", there, total)


def _reason(error: BaseException) -> str:
    """The system's error message, without the messages that libraries put around it."""
    below = error.__cause__ or error.__context__
    return _reason(below) if below else str(getattr(error, "strerror", None) or error)
