"""Pack a model into one block of bytes, for the JavaScript engine in `web`.

The block is the length of a JSON header (uint32, little-endian), the header, and arrays; web/packed.mjs reads it.
Matrices are int8 with a float32 scale for each row, or float32; vectors are always float32.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int8
from torch import nn

from heed.export.subword_model import parse
from heed.text.subwords import Subwords

Precision = Literal["int8", "float32"]

NARROW = 8  # smaller matrices do not get smaller as int8
LEVELS = 127


class Arrays:
    """Concatenated arrays, aligned to four bytes; equal ones are stored once."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._size = 0

    def add(self, content: bytes) -> int:
        """Store the bytes and return their offset."""
        if content not in self._places:
            self._places[content] = self._size
            self._size += len(content) + -len(content) % 4
        return self._places[content]

    def joined(self) -> bytes:
        """All arrays, in the order in which they were added."""
        return b"".join(content + bytes(-len(content) % 4) for content in self._places)


def pack_model(
    model: nn.Module, architecture: Mapping[str, Any], src: Subwords, tgt: Subwords, precision: Precision
) -> bytes:
    """The block of a model.

    Args:
        model: The model; its parameters keep their names.
        architecture: The settings of `config.json` that the engine needs: query, score, heads, bidirectional, layers.
        src: The source vocabulary.
        tgt: The target vocabulary; its normalisation is left out, unless both are the same, because it is not needed.
        precision: How matrices are stored.
    """
    arrays = Arrays()
    same = src == tgt
    source = subword_header(src, arrays)
    header = {
        "architecture": dict(architecture),
        "tensors": _tensors(model, arrays, precision),
        "source": source,
        "target": source if same else subword_header(tgt, arrays, normaliser=False),
    }
    return join_block(header, arrays)


def join_block(header: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Join header and arrays to one block."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + arrays.joined()


def subword_header(subwords: Subwords, arrays: Arrays, normaliser: bool = True) -> dict[str, Any]:
    """The type `SubwordHeader` of web/subwords.mjs."""
    parsed = parse(subwords.model)
    charsmap = parsed.charsmap if normaliser else b""
    return {
        "kind": parsed.kind,
        "pieces": parsed.pieces,
        "types": {index: kind for index, kind in enumerate(parsed.types) if kind != 1},
        "scores": arrays.add(parsed.scores.tobytes()),
        "charsmap": [arrays.add(charsmap), len(charsmap)],
        "dummyPrefix": parsed.dummy_prefix,
        "removeSpaces": parsed.remove_spaces,
        "escapeSpaces": parsed.escape_spaces,
        "spaceAsSuffix": parsed.space_as_suffix,
        "byteFallback": parsed.byte_fallback,
        "unkSurface": parsed.unk_surface,
    }


def quantise(
    matrix: Float32[np.ndarray, "rows columns"],
) -> tuple[Int8[np.ndarray, "rows columns"], Float32[np.ndarray, " rows"]]:
    """The matrix as int8 with a scale for each row: the largest number of each row becomes 127 or -127."""
    scale = np.abs(matrix).max(axis=1) / LEVELS
    steps = np.where(scale == 0, 1, scale).astype(np.float32)
    return np.round(matrix / steps[:, None]).astype(np.int8), steps


def _tensors(model: nn.Module, arrays: Arrays, precision: Precision) -> dict[str, Any]:
    """Shape and offset of each parameter; tied parameters have the same offset."""
    return {
        name: _tensor(parameter.detach().float().cpu().numpy(), arrays, precision)
        for name, parameter in model.named_parameters(remove_duplicate=False)
    }


def _tensor(values: Float32[np.ndarray, "..."], arrays: Arrays, precision: Precision) -> dict[str, Any]:
    shape = list(values.shape)
    if precision == "float32" or values.ndim < 2 or min(shape) < NARROW:
        return {"shape": shape, "at": arrays.add(values.tobytes())}
    levels, scales = quantise(values)
    return {"shape": shape, "at": arrays.add(levels.tobytes()), "scales": arrays.add(scales.tobytes())}
