"""Text files as lines: UTF-8, compressed or not, and for any other file a line that says how to convert it."""

import bz2
import gzip
import importlib
import lzma
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
"""Endings of compressed files, in the order in which they are looked for."""

AT_ONCE = 2**20  # bytes


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, decompressed if its name says so; a BOM and the CR of CRLF are dropped.

    Only the line feed ends a line: `str.splitlines` would also cut at U+2028, form feeds and more, and shift one
    side of a bitext against the other.

    Raises:
        UserError: a file that cannot be read, or that is not UTF-8 text with a line feed after each line.
    """
    return [line for text in _texts(path) for line in _split(text)]


def stored_lines(path: Path) -> Sequence[str]:
    """The lines that `read_lines` gives, left in the file: it is read once now, and again at every iteration.

    What is not a regular file, such as a named pipe, can be read only once: its lines are kept in memory.

    Raises:
        UserError: as `read_lines`; while iterating, if the file has changed.
    """
    if not path.is_file():
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
        raise UserError(f"{path} had {size} lines and now has {read}; leave it as it is during a run, and start again")


def _split(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def existing(path: str) -> Path:
    """The file called so, or if there is none, a compressed one of the name, such as `train.en.gz` for `train.en`."""
    plain = Path(path)
    try:
        if plain.exists():
            return plain
        compressed = (Path(path + ending) for ending in COMPRESSED)
        return next((each for each in compressed if each.exists()), plain)
    except OSError:  # a folder that may not be looked into: reading from it says why
        return plain


def _texts(path: Path) -> Iterator[str]:
    """The text of a file, a mebibyte or so at a time, each a number of whole lines."""
    blocks = _blocks(path)
    first = next(blocks, b"")
    _check_utf16(path, first)
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
        while data := file.read(AT_ONCE):
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
            yield KINDS[path.suffix](file) if path.suffix in KINDS else file
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            if path.suffix not in KINDS:
                raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
            name = "gzip" if path.suffix == ".gz" else path.suffix
            raise UserError(f"{path} is not a whole {name} file ({error}); fetch or compress it again") from None


class _Unzstd:
    """Reads a file of Zstandard, of one frame or several."""

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
    """Python 3.14 has Zstandard; before that, the package `zstandard`."""
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


def _check_utf16(path: Path, data: bytes) -> None:
    if encoding := _utf16(data):
        raise UserError(f"{path} is {encoding}; convert it: {_piped(path, f'iconv -f {encoding} -t UTF-8')}")


def _decode(path: Path, data: bytes, before: int) -> str:
    """Text that `before` lines precede."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = before + data.count(b"\n", 0, error.start) + 1
        advice = f"if it is Latin-1, convert it: {_piped(path, 'iconv -f ISO-8859-1 -t UTF-8')}"
        raise UserError(f"{path} line {line} is not UTF-8; find out its encoding; {advice}") from None
    if "\0" in text:
        line = before + text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path} line {line} holds a NUL character; expected plain text, remove it")
    return text


def _utf16(data: bytes) -> str | None:
    """The name of UTF-16 as iconv has it, if the data begin with its mark, or every other byte is zero."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if data.count(0) > len(data) / 4:
        return "UTF-16BE" if data[::2].count(0) > data[1::2].count(0) else "UTF-16LE"
    return None


def _check_first(path: Path, text: str) -> None:
    """UserError for a file that has no line, or one line with ends of lines of another kind."""
    if not text:
        raise UserError(f"{path} is empty; expected one sentence a line")
    if "\r" in (line := text.rstrip("\r\n")) and "\n" not in line:
        command = _piped(path, r"tr '\r' '\n'")
        raise UserError(f"{path} ends its lines with CR alone; convert it: {command}")


def _piped(path: Path, command: str) -> str:
    """A shell command that sends the text through `command` into a file whose name keeps its ending, a language."""
    unpack = {".gz": "gzip -dc", ".bz2": "bzip2 -dc", ".xz": "xz -dc", ".zst": "zstd -dc"}.get(path.suffix, "cat")
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    converted = plain.with_name(f"utf8-{plain.name}")
    return f"{unpack} {shlex.quote(str(path))} | {command} > {shlex.quote(str(converted))}"
