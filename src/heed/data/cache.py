"""The user's cache folder, and cached arrays in it, which are mapped into memory.

CACHE/encoded/KEY.safetensors   arrays computed from a text, its settings and this code; may be deleted at any time
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from heed.files import replace_whole

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]

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


def cached(name: str, make: Callable[[], Entry]) -> Entry:
    """The result of `make`, read from the disk if it is cached.

    The arrays are memory-mapped, so only the used parts are in memory, and processes share them. A damaged file is made
    again; if the file cannot be written, the arrays stay in memory. Both are logged.
    """
    path = cache_folder() / "encoded" / f"{name}.safetensors"
    if (entry := _read(path)) is not None:
        return entry
    made = make()
    try:
        _write(path, made)
    except (OSError, SafetensorError) as error:  # safetensors raises the second one if the disk is full
        reason = getattr(error, "strerror", None) or error
        log.warning("%s cannot be written (%s); the next run computes it again", path, reason)
        return made
    return _read(path) or made


def _write(path: Path, entry: Entry) -> None:
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in entry.arrays.items()}
    about = {"digest": _digest(entry), "text": entry.text}
    replace_whole(path, lambda temporary: save_file(tensors, temporary, about))


def _read(path: Path) -> Entry | None:
    """The entry in a file, or None if the file is damaged or missing."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            arrays: dict[str, Any] = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
            about = file.metadata() or {}
    except (OSError, SafetensorError):
        about, arrays = {}, {}
    entry = Entry(arrays, about.get("text", ""))
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
