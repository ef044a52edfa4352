"""Corpora in the user's own files: two text files for each split, or one table."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from heed.data.corpus import Corpus, Pairs
from heed.data.drawn import drawn_valid, without_valid
from heed.data.lines import existing, read_lines, stored_lines
from heed.data.provenance import read_provenance
from heed.data.tables import Column, read_table
from heed.errors import UserError
from heed.text.lines import Lines, concatenated

Prefix = str | list[str] | None
"""The path of a split's files, or several paths, which are read one after the other."""


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
    split_seed: int | None = 1,
) -> Corpus:
    """A corpus of two text files for each split, with one sentence per line.

    Files are called `{prefix}.{lang}`, with `.gz`, `.bz2`, `.xz` or `.zst` if compressed. If `{prefix}.align` exists,
    it has the gold alignments, source first. A `{prefix}.provenance.json` names the model that translated the text.

    Args:
        name: the name of the corpus.
        src_lang, tgt_lang: the languages, which end the file names.
        train, valid, test: the prefix of each split, or several prefixes, which are read one after the other. Without
            `valid`, validation pairs are drawn from `train`.
        src_suffix, tgt_suffix: replace the languages in file names, for example if both sides have the same language.
        valid_references, test_references: files of additional reference translations, one line for each source; an
            empty line means that there is no translation.
        turn_gold: exchange the sides of the gold alignments, for text in the other direction.
        split_seed: the seed for drawing validation pairs; None to draw none.

    Raises:
        UserError: both sides have the same file names, or there are references for a split that is not given.
    """
    suffixes = (src_suffix or src_lang, tgt_suffix or tgt_lang)
    if suffixes[0] == suffixes[1]:
        raise UserError(
            f"source and target have the same file ending .{suffixes[0]}; give corpus.src_suffix=… and "
            "corpus.tgt_suffix=…, the endings of their files"
        )
    named = {"train": train, "valid": valid, "test": test}
    further = {"valid": valid_references, "test": test_references}
    for split, paths in further.items():
        if paths and not named[split]:
            raise UserError(f"corpus.{split}_references needs corpus.{split}; give corpus.{split}=… too")
    splits = {
        split: partial(_read_files, _list(prefix), suffixes, turn_gold, _list(further.get(split) or []))
        for split, prefix in named.items()
        if prefix
    }
    paths = [f"{prefix}.{suffix}" for prefix in _list(train or []) for suffix in suffixes]
    return Corpus(name, src_lang, tgt_lang, with_valid(splits, split_seed, paths))


def tsv(
    name: str,
    src_lang: str,
    tgt_lang: str,
    train: Prefix = None,
    valid: Prefix = None,
    test: Prefix = None,
    columns: tuple[Column, Column] | None = None,
    split_seed: int | None = 1,
) -> Corpus:
    """A corpus of one table for each split, compressed or not: source, tab, target; or the two `columns`.

    Args:
        name: the name of the corpus.
        src_lang, tgt_lang: the languages.
        train, valid, test: the path of each split, or several paths, which are read one after the other. Without
            `valid`, validation pairs are drawn from `train`.
        columns: the columns of source and target, by number from 1 or by name.
        split_seed: the seed for drawing validation pairs; None to draw none.
    """
    named = {"train": train, "valid": valid, "test": test}
    languages = (src_lang, tgt_lang)
    splits = {split: partial(_read_tables, _list(path), languages, columns) for split, path in named.items() if path}
    return Corpus(name, src_lang, tgt_lang, with_valid(splits, split_seed, _list(train or [])))


def _list(prefix: str | list[str]) -> list[str]:
    return [prefix] if isinstance(prefix, str) else prefix


def _read_files(prefixes: Sequence[str], suffixes: tuple[str, str], turn_gold: bool, further: Sequence[str]) -> Pairs:
    pairs = joined([_read_prefix(prefix, *suffixes, turn_gold) for prefix in prefixes], prefixes)
    return replace(pairs, further=tuple(further_references(further, pairs.tgt)))


def further_references(paths: Sequence[str], references: Sequence[str]) -> list[list[str | None]]:
    """The lines of each file, with None for empty lines; a file that is equal to the references is left out.

    Raises:
        UserError: a file has another number of lines than the split.
    """
    texts = [read_lines(existing(path)) for path in paths]
    for path, lines in zip(paths, texts, strict=True):
        if len(lines) != len(references):
            raise UserError(
                f"references: {path} has {len(lines)} lines, and the split has {len(references)}; expected a line for "
                "each"
            )
    return [[line if line.strip() else None for line in lines] for lines in texts if lines != list(references)]


def _read_prefix(prefix: str, src_suffix: str, tgt_suffix: str, turn_gold: bool) -> Pairs:
    src_path, tgt_path = existing(f"{prefix}.{src_suffix}"), existing(f"{prefix}.{tgt_suffix}")
    src, tgt = stored_lines(src_path), stored_lines(tgt_path)
    _check_equal(src_path, src, tgt_path, tgt)
    provenance = read_provenance(prefix)
    notes = (f"{prefix}: {provenance.note}",) if provenance else ()
    gold_path = existing(f"{prefix}.align")
    if not gold_path.is_file():
        return Pairs(src, tgt, notes=notes)
    gold = stored_lines(gold_path)
    _check_equal(src_path, src, gold_path, gold)
    return Pairs(src, tgt, Lines(len(gold), partial(map, turn, gold)) if turn_gold else gold, notes=notes)


def turn(line: str) -> str:
    """Links in Pharaoh format with exchanged sides: `0-1 2?3` becomes `1-0 3?2`."""
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
            f"{without[0]}.align does not exist, but others do; expected gold alignments for all files or none"
        )
    gold = None if without else concatenated([part.gold or [] for part in parts])
    src, tgt = concatenated([part.src for part in parts]), concatenated([part.tgt for part in parts])
    return Pairs(src, tgt, gold, notes=[note for part in parts for note in part.notes])


def with_valid(
    splits: Mapping[str, Callable[[], Pairs]], seed: int | None, paths: Sequence[str]
) -> dict[str, Callable[[], Pairs]]:
    """The splits, with a validation split drawn from the training split if there is none and a `seed` to draw it.

    `paths` are the files of the training split.
    """
    if "train" not in splits or "valid" in splits or seed is None:
        return dict(splits)
    train = partial(_read_twice, splits["train"], paths)
    drawn = {"train": partial(without_valid, train, seed), "valid": partial(drawn_valid, train, seed)}
    return {**drawn, **{name: read for name, read in splits.items() if name != "train"}}


def _read_twice(read: Callable[[], Pairs], paths: Sequence[str]) -> Pairs:
    """Read a split that is read again for another one."""
    for path in map(existing, paths):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(
                f"{path} is not a regular file, so it can be read only once, and no pairs can be drawn from it; give "
                "corpus.valid=…, or save the text to a file"
            )
    return read()
