"""Arrays that took long to make, kept on the disk and mapped into memory.

data/cache/encoded/KEY.safetensors   what one text, its settings and this code give; it may be deleted at any time
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from heed.files import replace_whole

CACHE = Path("data/cache/encoded")

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]

log = logging.getLogger(__name__)


def key(parts: Iterable[bytes | str | memoryview]) -> str:
    """A name for what is made of these parts: another one for any other parts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def kept(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` gives, read from the disk where they were made before.

    They are mapped, so that memory holds no more of them than is in use, and processes share it. A file that is
    not whole is made again; where none can be written, the arrays stay in memory. Either is said.
    """
    path = CACHE / f"{name}.safetensors"
    if (found := _read(path)) is not None:
        return found
    made = make()
    try:
        _write(path, made)
    except (OSError, SafetensorError) as error:  # the second is what a full disk looks like to safetensors
        reason = getattr(error, "strerror", None) or error
        log.warning("%s cannot be written (%s); the next start makes it again", path, reason)
        return made
    return _read(path) or made


def _write(path: Path, arrays: Arrays) -> None:
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    about = {"digest": _digest(arrays)}
    replace_whole(path, lambda temporary: save_file(tensors, temporary, about))


def _read(path: Path) -> Arrays | None:
    """The arrays of a file whose content is what was written; None for any other."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            arrays: dict[str, Any] = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
            if (file.metadata() or {}).get("digest") == _digest(arrays):
                return arrays
    except (OSError, SafetensorError):
        pass
    log.warning("%s is damaged; it is made again", path)
    return None


def _digest(arrays: Arrays) -> str:
    def parts() -> Iterator[str | memoryview]:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            yield json.dumps([name, str(array.dtype), array.shape])
            yield array.reshape(-1).view(np.uint8).data

    return key(parts())
