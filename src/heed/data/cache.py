"""The user's cache folder, and cached arrays in it, which are mapped into memory.

CACHE/encoded/KEY.safetensors   arrays computed from a text, its settings and this code; may be deleted while
                                no command of heed runs

Arrays are written in parts while they are computed, so that none of them has to fit into memory.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import platformdirs
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open

from heed.files import PART, replace_whole

Array = Shaped[np.ndarray, "..."]

Arrays = Mapping[str, Array]

Store = Callable[[str, Iterable[Array]], Array]
"""Keeps the array that parts make end to end, by a name, and gives it back."""

HEADER = 4096
"""Bytes before the first array, of which the header fills what it needs."""

ABANDONED = 24 * 3600
"""Seconds after which an unfinished file is removed: the process that wrote it was killed."""

TEXT, FILLER = "text", "filler"

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """Cached content: arrays by name, and a string about them."""

    arrays: Arrays
    text: str


def cache_folder() -> Path:
    """The folder for files that heed can download or compute again: `$HEED_CACHE`, or the system's user cache."""
    given = os.environ.get("HEED_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("heed", appauthor=False)


def key(parts: Iterable[bytes | str | memoryview]) -> str:
    """A name that is different for different parts (a hash)."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def in_memory(_: str, parts: Iterable[Array]) -> Array:
    """A store that keeps an array in memory."""
    return np.concatenate(list(parts))


def cached(name: str, make: Callable[[Store], str]) -> Entry:
    """The arrays that `make` stores, and the string that it returns, read from the disk if they are cached.

    The arrays are memory-mapped, so only the used parts are in memory, and processes share them. A damaged file is made
    again; if the file cannot be written, the arrays are computed in memory. Both are logged.
    """
    path = cache_folder() / "encoded" / f"{name}.safetensors"
    if (entry := _read(path)) is not None:
        return entry
    _remove_abandoned(path.parent)
    try:
        replace_whole(path, lambda temporary: _write(temporary, make))
    except OSError as error:
        log.warning("%s cannot be written (%s); the next run computes it again", path, error.strerror or error)
    return _read(path) or _made(make)


def _remove_abandoned(folder: Path) -> None:
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):  # another process has renamed or removed it, or another user owns it
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def _made(make: Callable[[Store], str]) -> Entry:
    arrays: dict[str, Array] = {}

    def store(name: str, parts: Iterable[Array]) -> Array:
        arrays[name] = in_memory(name, parts)
        return arrays[name]

    return Entry(arrays, make(store))


def _write(path: Path, make: Callable[[Store], str]) -> None:
    """Write a safetensors file, its header last, when the lengths of all arrays are known."""
    described: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    with path.open("wb+") as file:
        file.seek(HEADER)

        def store(name: str, parts: Iterable[Array]) -> Array:
            arrays[name], described[name] = _append(file, parts)
            filler = -file.tell() % 8  # safetensors cannot map numbers that are not aligned
            _, described[f"{FILLER}_{name}"] = _append(file, [np.zeros(filler, np.uint8)])
            return arrays[name]

        text = make(store)
        store(TEXT, [np.frombuffer(text.encode(), np.uint8)])
        del arrays[TEXT]
        described["__metadata__"] = {"digest": _digest(Entry(arrays, text))}
        header = json.dumps(described).encode().ljust(HEADER - 8)
        file.seek(0)
        file.write(len(header).to_bytes(8, "little") + header)


def _append(file: IO[bytes], parts: Iterable[Array]) -> tuple[Array, dict[str, Any]]:
    """Append the parts to the file as one array; return it and its entry in the header."""
    start, rows = file.tell(), 0
    for part in parts:
        file.write(np.ascontiguousarray(part).data)
        rows += len(part)
    file.flush()
    shape, kind = (rows, *part.shape[1:]), part.dtype
    size = file.tell() - start
    array = np.memmap(file, kind, "r", start, shape) if size else np.empty(shape, kind)
    about = {
        "dtype": f"{kind.kind.upper()}{8 * kind.itemsize}",
        "shape": shape,
        "data_offsets": [start - HEADER, start - HEADER + size],
    }
    return array, about


def _read(path: Path) -> Entry | None:
    """The entry in a file, or None if the file is damaged or missing."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            arrays: dict[str, Any] = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
            about = file.metadata() or {}
        text = arrays.pop(TEXT).tobytes().decode()
    except (OSError, SafetensorError, KeyError, UnicodeDecodeError):
        about, arrays, text = {}, {}, ""
    entry = Entry({name: array for name, array in arrays.items() if not name.startswith(FILLER)}, text)
    if about.get("digest") == _digest(entry):
        return entry
    log.warning("%s is damaged and will be computed again", path)
    return None


def _digest(entry: Entry) -> str:
    def parts() -> Iterator[str | memoryview]:
        yield entry.text
        for name in sorted(entry.arrays):
            array = np.ascontiguousarray(entry.arrays[name])
            yield json.dumps([name, str(array.dtype), array.shape])
            yield array.reshape(-1).view(np.uint8).data

    return key(parts())
