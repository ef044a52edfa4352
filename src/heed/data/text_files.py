"""Corpora in files of the user's own: two text files a split, or one table."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from heed.data.corpus import Corpus, Pairs
from heed.data.drawn import drawn_valid, without_valid
from heed.data.lines import existing, read_lines, stored_lines
from heed.data.tables import Column, read_table
from heed.errors import UserError
from heed.text.lines import Lines, concatenated

Prefix = str | list[str] | None
"""What names the files of a split: one of them, or several that are read one after the other."""


def files(
    name: str,
    src_lang: str,
    tgt_lang: str,
    train: Prefix = None,
    valid: Prefix = None,
    test: Prefix = None,
    src_suffix: str | None = None,
    tgt_suffix: str | None = None,
    valid_references: str | list[str] | None = None,
    test_references: str | list[str] | None = None,
    turn_gold: bool = False,
    split_seed: int = 1,
) -> Corpus:
    """Two text files a split, one sentence a line: `{prefix}.{lang}`, compressed or not (`.gz`, `.bz2`, `.xz`, `.zst`).

    A `{prefix}.align` beside them holds the gold alignments, source first; `turn_gold` exchanges their sides, for text
    that is read in the other direction. `src_suffix` and `tgt_suffix` are the ends of the names if these are not the
    languages, as for two kinds of text in one language. Without `valid`, some pairs of `train` are drawn for it.

    `valid_references` and `test_references` are files of further translations of the sources of a split, line for line;
    an empty line is one that is not there.
    """
    suffixes = (src_suffix or src_lang, tgt_suffix or tgt_lang)
    if suffixes[0] == suffixes[1]:
        raise UserError(
            f"source and target would both be read from files that end in .{suffixes[0]}; give corpus.src_suffix=… and "
            "corpus.tgt_suffix=…, the ends of their names"
        )
    named = {"train": train, "valid": valid, "test": test}
    further = {"valid": valid_references, "test": test_references}
    for split, paths in further.items():
        if paths and not named[split]:
            raise UserError(f"corpus.{split}_references without corpus.{split}; give corpus.{split}=… too")
    splits = {
        split: partial(_read_files, _list(prefix), suffixes, turn_gold, _list(further.get(split) or []))
        for split, prefix in named.items()
        if prefix
    }
    return Corpus(name, src_lang, tgt_lang, with_valid(splits, split_seed))


def tsv(
    name: str,
    src_lang: str,
    tgt_lang: str,
    train: Prefix = None,
    valid: Prefix = None,
    test: Prefix = None,
    columns: tuple[Column, Column] | None = None,
    split_seed: int = 1,
) -> Corpus:
    """One table a split, compressed or not: source, a tab, target; or the two `columns`, by number or name.

    Without `valid`, some pairs of `train` are drawn for it.
    """
    named = {"train": train, "valid": valid, "test": test}
    languages = (src_lang, tgt_lang)
    splits = {split: partial(_read_tables, _list(path), languages, columns) for split, path in named.items() if path}
    return Corpus(name, src_lang, tgt_lang, with_valid(splits, split_seed))


def _list(prefix: str | list[str]) -> list[str]:
    return [prefix] if isinstance(prefix, str) else prefix


def _read_files(prefixes: Sequence[str], suffixes: tuple[str, str], turn_gold: bool, further: Sequence[str]) -> Pairs:
    pairs = joined([_read_prefix(prefix, *suffixes, turn_gold) for prefix in prefixes], prefixes)
    return replace(pairs, further=tuple(further_references(further, pairs.tgt)))


def further_references(paths: Sequence[str], references: Sequence[str]) -> list[list[str | None]]:
    """The lines of each file, None for an empty one; a file of the very references is left out.

    Raises:
        UserError: a file that has not a line for each.
    """
    each = [read_lines(existing(path)) for path in paths]
    for path, lines in zip(paths, each, strict=True):
        if len(lines) != len(references):
            raise UserError(
                f"references: {path} has {len(lines)} lines, and the split has {len(references)}; expected a line for "
                "each"
            )
    return [[line if line.strip() else None for line in lines] for lines in each if lines != list(references)]


def _read_prefix(prefix: str, src_suffix: str, tgt_suffix: str, turn_gold: bool) -> Pairs:
    src_path, tgt_path = existing(f"{prefix}.{src_suffix}"), existing(f"{prefix}.{tgt_suffix}")
    src, tgt = stored_lines(src_path), stored_lines(tgt_path)
    _check_equal(src_path, src, tgt_path, tgt)
    gold_path = existing(f"{prefix}.align")
    if not gold_path.is_file():
        return Pairs(src, tgt)
    gold = stored_lines(gold_path)
    _check_equal(src_path, src, gold_path, gold)
    return Pairs(src, tgt, Lines(len(gold), partial(map, turn, gold)) if turn_gold else gold)


def turn(line: str) -> str:
    """Links in Pharaoh's format, the sides exchanged: `0-1 2?3` to `1-0 3?2`."""
    return LINK.sub(r"\3\2\1", line)


LINK = re.compile(r"(\d+)([-?p])(\d+)", re.ASCII)


def _check_equal(one_path: Path, one: Sequence[str], other_path: Path, other: Sequence[str]) -> None:
    if len(one) != len(other):
        raise UserError(
            f"{one_path} has {len(one)} lines and {other_path} has {len(other)}; expected a line for each line"
        )


def _read_tables(paths: Sequence[str], languages: tuple[str, str], columns: tuple[Column, Column] | None) -> Pairs:
    tables = [read_table(path, *languages, columns) for path in paths]
    return joined([Pairs(table.src, table.tgt, notes=tuple(table.notes)) for table in tables], paths)


def joined(parts: Sequence[Pairs], names: Sequence[str]) -> Pairs:
    """The pairs of several files, one after the other.

    Raises:
        UserError: only some of them have gold alignments.
    """
    if len(parts) == 1:
        return parts[0]
    without = [name for name, part in zip(names, parts, strict=True) if part.gold is None]
    if 0 < len(without) < len(parts):
        raise UserError(
            f"{without[0]}.align does not exist, and others do; expected gold alignments of all files or none"
        )
    gold = None if without else concatenated([part.gold or [] for part in parts])
    src, tgt = concatenated([part.src for part in parts]), concatenated([part.tgt for part in parts])
    return Pairs(src, tgt, gold, notes=[note for part in parts for note in part.notes])


def with_valid(splits: Mapping[str, Callable[[], Pairs]], seed: int) -> dict[str, Callable[[], Pairs]]:
    """The splits, with a validation split drawn from the training split if there is none."""
    if "train" not in splits or "valid" in splits:
        return dict(splits)
    train = splits["train"]
    drawn = {"train": partial(without_valid, train, seed), "valid": partial(drawn_valid, train, seed)}
    return {**drawn, **{name: read for name, read in splits.items() if name != "train"}}
