"""Read text files as lines. Files are UTF-8, compressed or not; for another encoding, the error says how to convert."""

import bz2
import codecs
import gzip
import importlib
import lzma
import os
import re
import shlex
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from heed.errors import UserError
from heed.text.lines import Lines

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
"""Endings of compressed files, in the order in which they are tried."""

AT_ONCE = 2**20  # bytes


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, decompressed according to its name; a BOM and the CR of CRLF are dropped.

    Only a line feed ends a line. `str.splitlines` would also split at U+2028, form feeds and others, and the two sides
    of a parallel text would no longer match.

    Raises:
        UserError: the file cannot be read, or is not UTF-8 text with line feeds.
    """
    return [line for text in _texts(path) for line in _split(text)]


def stored_lines(path: Path) -> Sequence[str]:
    """The lines of `read_lines`, without keeping them: the file is read once now, and again at every iteration.

    A file that is not regular, such as a named pipe, can be read only once, so its lines are kept in memory.

    Raises:
        UserError: as for `read_lines`; during an iteration, if the file has changed.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises in a folder that may not be listed
        return read_lines(path)
    size = sum(text.count("\n") + (not text.endswith("\n")) for text in _texts(path))
    return Lines(size, partial(_stored, path, size))


def _stored(path: Path, size: int) -> Iterator[str]:
    read = 0
    for text in _texts(path):
        lines = _split(text)
        read += len(lines)
        yield from lines
    if read != size:
        raise UserError(f"{path} had {size} lines and now has {read}; do not change it during a run, and start again")


def _split(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


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


def _texts(path: Path) -> Iterator[str]:
    """The text of a file in parts of about a mebibyte, each with whole lines."""
    blocks = _blocks(path)
    first = next(blocks, b"")
    text, before = _decode(path, first.removeprefix(b"\xef\xbb\xbf"), 0), first.count(b"\n")
    _check_first(path, text)
    yield text
    for data in blocks:
        yield _decode(path, data, before)
        before += data.count(b"\n")


def _blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, decompressed; each block ends with a line feed, except for the last."""
    rest: list[bytes] = []
    with _opened(path) as file:
        first = True
        while data := file.read(AT_ONCE):
            if first and (encoding := _other(data)):
                raise UserError(f"{path} is {encoding}; convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}")
            first = False
            end = data.rfind(b"\n") + 1
            if end:
                yield b"".join([*rest, data[:end]])
                rest = []
            rest.append(data[end:])
    if last := b"".join(rest):
        yield last


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path (relative to {Path.cwd()})") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        try:
            yield _unpacked(path, file)
        except UserError:  # a ValueError
            raise
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            if path.suffix not in KINDS:
                raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
            name = "gzip" if path.suffix == ".gz" else path.suffix
            raise UserError(f"{path} is not a complete {name} file ({error}); download or compress it again") from None


def _unpacked(path: Path, file: IO[bytes]) -> Any:
    """The file itself, or one with its decompressed bytes."""
    if path.suffix not in KINDS:
        return file
    try:
        return KINDS[path.suffix](file)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


class _Unzstd:
    """Reads a Zstandard file with one frame or several."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._data = file, b""
        self._new, self._error = _zstd()
        self._frame: Any = None

    def read(self, _: int) -> bytes:
        while data := self._data or self._file.read(2**16):
            if self._frame is None or self._frame.eof:
                self._frame = self._new()
            try:
                text: bytes = self._frame.decompress(data)
            except self._error as error:
                raise ValueError(error) from error
            self._data = self._frame.unused_data if self._frame.eof else b""
            if text:
                return text
        if self._frame and not self._frame.eof:
            raise EOFError("it ends within a frame")
        return b""


def _zstd() -> tuple[Callable[[], Any], type[Exception]]:
    """Zstandard is part of Python since 3.14; before, it is in the package `zstandard`."""
    try:
        own: Any = importlib.import_module("compression.zstd")
    except ImportError:
        pass
    else:
        return own.ZstdDecompressor, own.ZstdError
    try:
        package: Any = importlib.import_module("zstandard")
    except ImportError:
        raise UserError("to read it, pip install zstandard, or decompress it with `zstd -d`") from None
    return lambda: package.ZstdDecompressor().decompressobj(), package.ZstdError


KINDS: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _Unzstd,
}


def _decode(path: Path, data: bytes, before: int) -> str:
    """Decode a part of a file; `before` is the number of lines before it."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = before + data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line} is not UTF-8; find out its encoding; {_advice(path, data)}") from None
    if "\0" in text:
        line = before + text.count("\n", 0, text.index("\0")) + 1
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
    return _by_zeros(data) if b"\0" in data else None


def _by_zeros(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a BOM, unless the data are UTF-8 with a NUL."""
    whole = data[: data.rfind(b"\n") + 1] or data
    others = _decoded(whole.translate(None, b"\0\t\r\n"), "UTF-8")
    if data.count(0) < len(data) / 4 and others is not None and others.isprintable():
        return None
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        text = _decoded(data, encoding)
        if text and "\0" not in text and ("\n" in text or max(text) < "\u0250"):
            return encoding
    return None


def _advice(path: Path, data: bytes) -> str:
    """How to convert a file: from its probable encoding, or from Latin-1 if less than a quarter is not ASCII."""
    if encoding := _east_asian(data):
        return f"it seems to be {encoding}; then convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}"
    if sum(byte > 127 for byte in data) < len(data) / 4:  # a few accented letters among plain ones
        return f"if it is Latin-1, convert it: {_piped(path, 'iconv -f ISO-8859-1 -t UTF-8')}"
    return f"then convert it, with its name for ENCODING: {_piped(path, 'iconv -f ENCODING -t UTF-8')}"


EAST_ASIAN = {
    "EUC-JP": ("euc_jp", r"[ぁ-ヿ]", 0.25),
    "CP932": ("cp932", r"[ぁ-ヿ]", 0.25),
    "CP949": ("cp949", r"[가-힣]", 0.85),
    "GB18030": ("gb2312", r"[一-鿿]", 0.7),
    "BIG5": ("big5", r"[一-鿿]", 0.7),
}
"""For each encoding by its iconv name: Python's name, letters of its language, and their smallest share of non-ASCII.

Chinese decoded as CP949 is partly Hangul, so CP949 needs a larger share. gb2312 has the common characters of GB18030.
"""


def _east_asian(data: bytes) -> str | None:
    """The iconv name of an encoding that decodes data as Chinese, Japanese or Korean; None if there is none."""
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


def _check_first(path: Path, text: str) -> None:
    """Raise UserError if a file is empty or has CR line ends."""
    if not text:
        raise UserError(f"{path} is empty; expected one sentence a line")
    if "\r" in (line := text.rstrip("\r\n")) and "\n" not in line:
        command = _piped(path, r"tr '\r' '\n'")
        raise UserError(f"{path} has CR line ends instead of LF; convert it: {command}")


def _piped(path: Path, command: str) -> str:
    """A shell command that pipes the text through `command` into a new file with the same language as its ending."""
    unpack = {".gz": "gzip -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc", ".zst": "zstd -dc"}.get(path.suffix, "cat")
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    converted = plain.with_name(f"utf8-{plain.name}")
    return f"{unpack} {shlex.quote(str(path))} | {command} > {shlex.quote(str(converted))}"
