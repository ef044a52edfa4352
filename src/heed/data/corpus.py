"""Parallel text: where the splits of a corpus are and what they hold."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heed.errors import UserError

LINES_AT_ONCE = 10_000


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs, side by side; `gold` holds an alignment in Pharaoh's format for each, or is None.

    `lines` are their numbers in the files, from 1, where some were left out.
    """

    src: list[str]
    tgt: list[str]
    gold: list[str] | None = None
    lines: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.src)

    @property
    def digest(self) -> str:
        """A name for this text, gold alignments included: another text has another one."""
        digest = hashlib.blake2b(digest_size=16)
        for side in (self.src, self.tgt, self.gold or []):
            digest.update(len(side).to_bytes(8, "little"))
            for start in range(0, len(side), LINES_AT_ONCE):
                digest.update("\n".join([*side[start : start + LINES_AT_ONCE], ""]).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


@dataclass(frozen=True)
class Corpus:
    """A named bitext; its splits are read when asked for.

    `notes` are lines that a person should read before training, as on how the splits were made.
    """

    name: str
    src_lang: str
    tgt_lang: str
    splits: Mapping[str, Callable[[], Pairs]]
    notes: Sequence[str] = ()

    def read(self, split: str) -> Pairs:
        """Every pair of the split, in order; blank lines stay, so that line numbers do."""
        if split not in self.splits:
            known = ("train", "valid", "test")
            advice = f"set corpus.{split}=…" if split in known else f"a split is one of {', '.join(known)}"
            raise UserError(f"corpus {self.name} has no {split} split; {advice}")
        return self.splits[split]()


def files(
    name: str,
    src_lang: str,
    tgt_lang: str,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
) -> Corpus:
    """Two text files a split, one sentence a line: `{prefix}.{lang}`, or the same with `.gz`.

    A `{prefix}.align` beside them holds the gold alignments.
    """
    prefixes = {"train": train, "valid": valid, "test": test}
    splits = {split: partial(_read_files, prefix, src_lang, tgt_lang) for split, prefix in prefixes.items() if prefix}
    return Corpus(name, src_lang, tgt_lang, splits)


def tsv(
    name: str,
    src_lang: str,
    tgt_lang: str,
    train: str | None = None,
    valid: str | None = None,
    test: str | None = None,
) -> Corpus:
    """One file a split (`.gz` or not): source, a tab, target."""
    paths = {"train": train, "valid": valid, "test": test}
    splits = {split: partial(_read_tsv, path) for split, path in paths.items() if path}
    return Corpus(name, src_lang, tgt_lang, splits)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, gzipped if its name ends so; a BOM and the CR of CRLF are dropped.

    Only the line feed ends a line: `str.splitlines` would also cut at U+2028, form feeds and more, and shift one
    side of a bitext against the other.
    """
    data = _read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line} is not UTF-8; convert the file, as with `iconv -t UTF-8`") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path} line {line} holds a NUL character; expected plain text, remove it")
    if not text:
        raise UserError(f"{path} is empty; expected one sentence a line")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path (relative to {Path.cwd()})") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}); fetch or compress it again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _read_files(prefix: str, src_lang: str, tgt_lang: str) -> Pairs:
    src_path, tgt_path = _existing(f"{prefix}.{src_lang}"), _existing(f"{prefix}.{tgt_lang}")
    src, tgt = read_lines(src_path), read_lines(tgt_path)
    _check_equal(src_path, src, tgt_path, tgt)
    gold_path = _existing(f"{prefix}.align")
    if not gold_path.is_file():
        return Pairs(src, tgt)
    gold = read_lines(gold_path)
    _check_equal(src_path, src, gold_path, gold)
    return Pairs(src, tgt, gold)


def _existing(path: str) -> Path:
    plain, gzipped = Path(path), Path(f"{path}.gz")
    try:
        return gzipped if gzipped.exists() and not plain.exists() else plain
    except OSError:  # a folder that may not be looked into: reading from it says why
        return plain


def _check_equal(one_path: Path, one: list[str], other_path: Path, other: list[str]) -> None:
    if len(one) != len(other):
        raise UserError(
            f"{one_path} has {len(one)} lines and {other_path} has {len(other)}; expected a line for each line"
        )


def _read_tsv(path: str) -> Pairs:
    rows = [line.split("\t") for line in read_lines(Path(path))]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise UserError(
                f"{path} line {number} has {len(row)} columns, expected 2 (source, tab, target); "
                "keep two, as with `cut -f1,2`"
            )
    return Pairs([src for src, _ in rows], [tgt for _, tgt in rows])
