"""Read text files as lines. Files are UTF-8, compressed or not; for others an error says how to convert them."""

import bz2
import gzip
import importlib
import lzma
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
    if encoding := _utf16(data):
        raise UserError(f"{path} is {encoding}; convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        advice = f"if it is Latin-1, convert it: {_piped(path, 'iconv -f ISO-8859-1 -t UTF-8')}"
        raise UserError(f"{path} line {line} is not UTF-8; find out its encoding; {advice}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path} line {line} contains a NUL character; expected plain text; remove the character")
    return text


def _utf16(data: bytes) -> str | None:
    """The name of a UTF-16 encoding for iconv, if data begin with a BOM or every other byte is zero; otherwise None."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if data.count(0) > len(data) / 4:
        return "UTF-16BE" if data[::2].count(0) > data[1::2].count(0) else "UTF-16LE"
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
