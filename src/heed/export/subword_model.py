"""Parse a SentencePiece model file, for an engine without SentencePiece.

The file is a protocol buffer, described in sentencepiece_model.proto of the SentencePiece project. Its wire format is a
sequence of numbered fields, which are read here without the protobuf library, so that it is not a dependency.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
UNK_SURFACE = " ⁇ "  # the text of <unk>, unless the file sets another one


@dataclass(frozen=True)
class SubwordModel:
    """The fields of the file that encoding and decoding need."""

    kind: str
    """unigram, bpe, word or char."""
    pieces: list[str]
    types: list[int]
    """1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 a byte."""
    scores: Float32[np.ndarray, " pieces"]
    charsmap: bytes
    """The precompiled character map of the normalisation; empty for `identity`."""
    dummy_prefix: bool
    remove_spaces: bool
    """Whether white space at both ends is removed, and repeated white space is reduced to one."""
    escape_spaces: bool
    space_as_suffix: bool
    byte_fallback: bool
    unk_surface: str


def parse(model: bytes) -> SubwordModel:
    """Parse a model file that SentencePiece itself has accepted."""
    pieces: list[dict[int, Any]] = []
    trainer: dict[int, Any] = {}
    normaliser: dict[int, Any] = {}
    for number, value in _fields(model):
        if number == 1:
            pieces.append(dict(_fields(value)))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normaliser = dict(_fields(value))
    return SubwordModel(
        kind=KINDS[trainer.get(3, 1)],
        pieces=[piece.get(1, b"").decode() for piece in pieces],
        types=[piece.get(3, 1) for piece in pieces],
        scores=np.array([_float(piece.get(2)) for piece in pieces], dtype=np.float32),
        charsmap=normaliser.get(2, b""),
        dummy_prefix=bool(normaliser.get(3, 1)),
        remove_spaces=bool(normaliser.get(4, 1)),
        escape_spaces=bool(normaliser.get(5, 1)),
        space_as_suffix=bool(trainer.get(24, 0)),
        byte_fallback=bool(trainer.get(35, 0)),
        unk_surface=trainer[44].decode() if 44 in trainer else UNK_SURFACE,
    )


def _float(raw: bytes | None) -> float:
    value: float = struct.unpack("<f", raw)[0] if raw else 0.0
    return value


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: an int, or the bytes of a string, a message or a fixed-size number."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value: int | bytes
        if key & 7 == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
