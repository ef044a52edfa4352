"""Read text files as lines. Files are UTF-8, compressed or not; for others an error says how to convert them."""

import bz2
import codecs
import gzip
import importlib
import lzma
import re
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heed.errors import UserError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
"""Endings of compressed files, in the order in which they are tried."""


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, decompressed according to its name; a BOM and the CR of CRLF are dropped.

    Only a line feed ends a line. `str.splitlines` would also split at U+2028, form feeds and others, and the two sides
    of a parallel text would no longer match.

    Raises:
        UserError: the file cannot be read, or is not UTF-8 text with line feeds.
    """
    text = _decode(path, _decompress(path, _read(path)))
    if not text:
        raise UserError(f"{path} is empty; expected one sentence a line")
    if "\r" in text and "\n" not in text.rstrip("\r\n"):
        _check_cr(path, text)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def existing(path: str) -> Path:
    """The path, or if it does not exist, that of a compressed file, such as `train.en.gz` for `train.en`."""
    plain = Path(path)
    try:
        if plain.exists():
            return plain
        compressed = (Path(path + ending) for ending in COMPRESSED)
        return next((each for each in compressed if each.exists()), plain)
    except OSError:  # the folder may not be listed; reading the file gives the error
        return plain


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path (relative to {Path.cwd()})") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _decompress(path: Path, data: bytes) -> bytes:
    kinds = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".zst": _unzstd}
    if path.suffix not in kinds:
        return data
    try:
        return kinds[path.suffix](data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        name = "gzip" if path.suffix == ".gz" else path.suffix
        raise UserError(f"{path} is not a complete {name} file ({error}); download or compress it again") from None


def _unzstd(data: bytes) -> bytes:
    """Decompress with Zstandard, which is part of Python since 3.14; before, with the package `zstandard`."""
    decompress, errors = _zstd()
    try:
        return decompress(data)
    except errors as error:
        raise ValueError(error) from error


def _zstd() -> tuple[Callable[[bytes], bytes], type[Exception]]:
    try:
        own: Any = importlib.import_module("compression.zstd")
    except ImportError:
        pass
    else:
        return own.decompress, own.ZstdError
    try:
        package: Any = importlib.import_module("zstandard")
    except ImportError:
        raise UserError("to read it, pip install zstandard, or decompress it with `zstd -d`") from None
    return lambda data: package.ZstdDecompressor().decompressobj().decompress(data), package.ZstdError


def _decode(path: Path, data: bytes) -> str:
    if encoding := _other(data):
        raise UserError(f"{path} is {encoding}; convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line} is not UTF-8; find out its encoding; {_advice(path, data)}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path} line {line} contains a NUL character; expected plain text; remove the character")
    return text


def _other(data: bytes) -> str | None:
    """The name for iconv of UTF-16, UTF-32 or an ISO 2022 encoding, recognised by its BOM or control bytes."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if b"\x1b$" in data:
        return "ISO-2022-KR" if b"\x1b$)C" in data else "ISO-2022-JP"
    others = _decoded(data.translate(None, b"\0\t\r\n"), "UTF-8") if b"\0" in data else ""
    if data.count(0) < len(data) / 4 and others is not None and others.isprintable():
        return None  # UTF-8, be there a NUL in it
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        text = _decoded(data, encoding)
        if text and "\0" not in text and ("\n" in text or max(text) < "\u0250"):
            return encoding
    return None


def _advice(path: Path, data: bytes) -> str:
    """How to convert what is no UTF-8: from the encoding that it seems to have, or as Latin-1 if little needs it."""
    if encoding := _east_asian(data):
        return f"it seems to be {encoding}; then convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}"
    if sum(byte > 127 for byte in data) < len(data) / 4:  # letters with accents among others
        return f"if it is Latin-1, convert it: {_piped(path, 'iconv -f ISO-8859-1 -t UTF-8')}"
    return f"then convert it, with its name for ENCODING: {_piped(path, 'iconv -f ENCODING -t UTF-8')}"


EAST_ASIAN = {
    "EUC-JP": ("euc_jp", r"[ぁ-ヿ]", 0.25),
    "CP932": ("cp932", r"[ぁ-ヿ]", 0.25),
    "CP949": ("cp949", r"[가-힣]", 0.85),
    "GB18030": ("gb2312", r"[一-鿿]", 0.7),
    "BIG5": ("big5", r"[一-鿿]", 0.7),
}
"""iconv's name of an encoding -> Python's, letters that text in it has, and their least share beside ASCII.

Chinese read as CP949 is Hangul in part, so this asks for more; gb2312 has the common signs of GB18030."""


def _east_asian(data: bytes) -> str | None:
    """The encoding, as iconv has it, in which data can be read as text of China, Japan or Korea."""
    for name, (encoding, letters, share) in EAST_ASIAN.items():
        others = re.sub(r"[\0-\x7f]", "", _decoded(data, encoding) or "")
        if others and len(re.findall(letters, others)) > share * len(others):
            return name
    return None


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _check_cr(path: Path, text: str) -> None:
    if "\r" in text.rstrip("\r\n"):
        command = _piped(path, r"tr '\r' '\n'")
        raise UserError(f"{path} has CR line ends instead of LF; convert it: {command}")


def _piped(path: Path, command: str) -> str:
    """A shell command that pipes the text through `command` into a new file with the same ending, its language."""
    unpack = {".gz": "gzip -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc", ".zst": "zstd -dc"}.get(path.suffix, "cat")
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    converted = plain.with_name(f"utf8-{plain.name}")
    return f"{unpack} {shlex.quote(str(path))} | {command} > {shlex.quote(str(converted))}"
