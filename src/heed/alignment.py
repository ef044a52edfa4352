"""Two texts that are translations of each other, with the words of each pair of lines linked, and scored against gold.

import heed
from heed.alignment import align_text, read_text
aligned = align_text(heed.load("runs/tiny/model"), read_text("a.en", "a.fr", gold="a.gold"))
aligned.links, aligned.scores
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from heed.attribution import Method
from heed.data.lines import read_lines
from heed.data.named import own_corpus
from heed.errors import UserError
from heed.files import replace_whole, write_whole
from heed.maps import Level, Map, Symmetrisation, Unknown, has_spaces, link_words, read_gold
from heed.metrics.alignment import AlignmentScores, Links, alignment_scores, misfits, write_pharaoh, write_weights
from heed.runs.alignment_files import digest, refuse_strangers, report_path
from heed.translation import Translation
from heed.translator import Translator, check_reverse, forced_portions


class Text(NamedTuple):
    """What is aligned: lines that belong together, the Pharaoh lines of their gold alignment, and a name for that."""

    sources: Sequence[str]
    targets: Sequence[str]
    gold: Sequence[str] | None = None
    gold_name: str = "gold alignment"


@dataclass(frozen=True)
class Alignment:
    """The alignment of a text, pair by pair.

    Args:
        links: (source word, target word) from 0, of each pair.
        maps: the weights that the links of the forward model come from, if they were kept.
        scores: against the gold alignment, if the text has one.
        notes: lines that a person should read beside the links.
        attention_seconds: spent on the forced passes, whose attention every method needs or has beside its own weights.
        method_seconds: spent on the weights of another method than attention.
    """

    links: list[Links]
    maps: list[Map] = field(repr=False)
    scores: AlignmentScores | None
    notes: list[str]
    attention_seconds: float
    method_seconds: float


def read_text(source: str, target: str, gold: str | None = None) -> Text:
    """A text from files of one sentence a line, and its gold alignment from one of Pharaoh lines.

    Raises:
        UserError: a file that cannot be read, or that has more or fewer lines than the others.
    """
    sources, targets = read_lines(Path(source)), read_lines(Path(target))
    _check_same_length(source, sources, target, targets)
    if gold is None:
        return Text(sources, targets)
    links = read_lines(Path(gold))
    _check_same_length(source, sources, gold, links)
    return Text(sources, targets, links, gold)


def own_text(translator: Translator, split: str = "test") -> Text:
    """A split of the corpus that a model was trained on.

    Raises:
        UserError: the model's folder names no corpus, or one that has no such split or cannot be read.
    """
    corpus = own_corpus(translator.about, translator.folders[0])
    pairs = corpus.read(split)
    return Text(pairs.src, pairs.tgt, pairs.gold, f"gold alignment of {corpus.name}, {split}")


def align_text(
    translator: Translator,
    text: Text,
    *,
    threshold: float | None = None,
    level: Level = "word",
    method: Method = "attention",
    noisy_copies: int = 0,
    reverse: Translator | None = None,
    symmetrisation: Symmetrisation = "grow-diag-final-and",
    batch_size: int | None = None,
    keep_maps: bool = False,
) -> Alignment:
    """Link the words of each pair of lines, and score the links if the text has gold ones; writes nothing.

    The text is read portion by portion: what a long one needs of memory are its links, and its maps if they are kept.

    Gold alignments count words: with `level="piece"` they are left out.

    Args:
        translator: the model that is made to translate each source as its target.
        text: what to align.
        threshold, level, method, noisy_copies, reverse, symmetrisation, batch_size: as for `Translator.align`.
        keep_maps: return the weights too.

    Raises:
        UserError: a gold link to a word that is not there, and what `Translator.align` refuses.
    """
    if reverse is not None:
        check_reverse(translator, reverse)
    counted = _Counted()

    def weigh(
        model: Translator, sources: Sequence[str], targets: Sequence[str]
    ) -> Iterator[tuple[list[Translation], list[Map]]]:
        started = time.perf_counter()
        for pairs in forced_portions(model, sources, targets, batch_size):
            forced = time.perf_counter()
            maps = model.maps(pairs, method, level, noisy_copies=noisy_copies, batch_size=batch_size)
            counted.attention_seconds += forced - started
            counted.method_seconds += time.perf_counter() - forced
            yield pairs, maps
            started = time.perf_counter()

    links: list[Links] = []
    sizes: list[tuple[int, int]] = []
    kept: list[Map] = []
    turned = repeat(None) if reverse is None else weigh(reverse, text.targets, text.sources)
    for (pairs, maps), other in zip(weigh(translator, text.sources, text.targets), turned, strict=False):
        backward = None if other is None else other[1]
        links += link_words(maps, threshold, backward, symmetrisation, first=len(links) + 1)
        sizes += [one.size for one in maps]
        kept += maps if keep_maps else []
        counted.unknown_src.add(one.src for one in pairs)
        counted.unknown_tgt.add(one.tgt for one in pairs)
    gold = read_gold(text.gold, sizes, text.gold_name) if text.gold is not None and level == "word" else None
    notes = [f"{text.gold_name}: {note}" for note in misfits(gold, sizes)] if gold is not None else []
    notes += counted.unknown_src.note("source") + counted.unknown_tgt.note("target")
    notes += _unit_notes(text) if level == "word" else []
    scores = alignment_scores(links, gold) if gold is not None else None
    return Alignment(links, kept, scores, notes, counted.attention_seconds, counted.method_seconds)


@dataclass
class _Counted:
    """What is counted portion by portion."""

    unknown_src: Unknown = field(default_factory=Unknown)
    unknown_tgt: Unknown = field(default_factory=Unknown)
    attention_seconds: float = 0.0
    method_seconds: float = 0.0


def write(alignment: Alignment, output: Path, weights: Path | None = None, given: bool = True) -> None:
    """Write the links as Pharaoh lines, their scores beside them, and the weights between words as a .npz file.

    A report beside the lines has their digest too, by which heed knows them later, and is written without scores for
    the usual place in a run folder.

    `given` says whether a person chose the place of the alignment, or it is the usual one in a run folder.

    Raises:
        UserError: a file that cannot be written, or that heed has not written: `refuse_strangers`, which is best called
            before aligning too.
    """
    check = partial(refuse_strangers, output, weights, given)
    lines = "".join(f"{write_pharaoh(one)}\n" for one in alignment.links)
    scores = alignment.scores._asdict() if alignment.scores else {}
    _write(output, lines, check)
    if scores or not given:
        _write(report_path(output), json.dumps(scores | digest(lines.encode()), indent=2) + "\n")
    if weights is not None:
        try:
            replace_whole(weights, lambda new: write_weights(new, (one.between_words for one in alignment.maps)))
        except OSError as error:
            raise UserError(
                f"{weights} cannot be written ({error.strerror}); choose another with weights=FILE"
            ) from error


def _write(path: Path, content: str, check: Callable[[], object] = lambda: None) -> None:
    try:
        write_whole(path, content, check)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error


def _unit_notes(text: Text) -> list[str]:
    """What the numbers of the links count, if that is not the words between spaces."""
    unspaced = [side for side, lines in (("source", text.sources), ("target", text.targets)) if not has_spaces(lines)]
    return [f"{side} words are the model's pieces: the text has no spaces between words" for side in unspaced]


def _check_same_length(path: str, lines: Sequence[str], other_path: str, others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(f"{path} has {len(lines)} lines and {other_path} has {len(others)}; expected as many in both")
