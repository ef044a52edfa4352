"""Word alignment of a text and its translation, scored against a gold alignment if there is one.

import heed
from heed.alignment import align_text, read_text
aligned = align_text(heed.load("runs/tiny/model"), read_text("a.en", "a.fr", gold="a.gold"))
aligned.links, aligned.scores
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from heed.runs.alignment_files import digest, refuse_alignment, refuse_report, refuse_weights, report_path
from heed.translation import Translation
from heed.translator import Translator, check_reverse, forced_portions


class Text(NamedTuple):
    """The text to align: sources, targets, their gold alignment as Pharaoh lines, and a name for messages about it."""

    sources: Sequence[str]
    targets: Sequence[str]
    gold: Sequence[str] | None = None
    gold_name: str = "gold alignment"


@dataclass(frozen=True)
class Alignment:
    """The alignment of a text, pair by pair.

    Args:
        links: for each pair of lines its links, (source word, target word), counted from 0.
        maps: the weights of the forward model from which the links were made, if they were kept.
        scores: precision, recall, F1 and AER against the gold alignment, or None.
        notes: warnings about the links, one line each.
        attention_seconds: time of the forced passes, which compute attention; every method runs them.
        method_seconds: time to compute the weights of a method other than attention.
    """

    links: list[Links]
    maps: list[Map] = field(repr=False)
    scores: AlignmentScores | None
    notes: list[str]
    attention_seconds: float
    method_seconds: float


def read_text(source: str, target: str, gold: str | None = None) -> Text:
    """Read a text from files with one sentence a line, and its gold alignment from a file of Pharaoh lines.

    Raises:
        UserError: a file cannot be read, or has another number of lines than the others.
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
        UserError: the model folder names no corpus, or the corpus cannot be read or has no such split.
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
    symmetrisation: Symmetrisation = "agreement",
    batch_size: int | None = None,
    keep_maps: bool = False,
) -> Alignment:
    """Link the words of each pair of lines, and score the links if the text has a gold alignment. Writes nothing.

    The text is processed in portions, so memory grows only with the links, and with the maps if they are kept.

    Gold alignments link words, so with `level="piece"` there are no scores.

    Args:
        translator: the model, which is forced to translate each source as its target.
        text: the text to align.
        threshold, level, method, noisy_copies, reverse, symmetrisation, batch_size: as for `Translator.align`.
        keep_maps: return the attention maps too.

    Raises:
        UserError: a gold link names a word that does not exist, or `Translator.align` refuses an argument.
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
        sizes += [sentence_map.size for sentence_map in maps]
        kept += maps if keep_maps else []
        counted.unknown_src.add(pair.src for pair in pairs)
        counted.unknown_tgt.add(pair.tgt for pair in pairs)
    gold = read_gold(text.gold, sizes, text.gold_name) if text.gold is not None and level == "word" else None
    notes = [f"{text.gold_name}: {note}" for note in misfits(gold, sizes)] if gold is not None else []
    notes += counted.unknown_src.note("source") + counted.unknown_tgt.note("target")
    notes += _unit_notes(text) if level == "word" else []
    scores = alignment_scores(links, gold) if gold is not None else None
    return Alignment(links, kept, scores, notes, counted.attention_seconds, counted.method_seconds)


@dataclass
class _Counted:
    """Counts that are summed over the portions."""

    unknown_src: Unknown = field(default_factory=Unknown)
    unknown_tgt: Unknown = field(default_factory=Unknown)
    attention_seconds: float = 0.0
    method_seconds: float = 0.0


def write(alignment: Alignment, output: Path, weights: Path | None = None, given: bool = True) -> None:
    """Write the links as Pharaoh lines, their scores to a file beside them, and the weights to a .npz file.

    The file beside them also has the digest of the lines, by which heed recognises them later. In the usual place in a
    run folder it is written even without scores.

    Args:
        alignment: the alignment.
        output: the file of links.
        weights: the file of weights between words, if any.
        given: whether the user chose the path of the alignment; False for the usual place in a run folder.

    Raises:
        UserError: a file cannot be written, or exists and may not be replaced; what was to be written is then kept
            beside it. Call `heed.runs.alignment_files.refuse_strangers` before aligning to find this out sooner.
    """
    lines = "".join(f"{write_pharaoh(links)}\n" for links in alignment.links)
    scores = alignment.scores._asdict() if alignment.scores else {}
    with _writing(output, "output"):
        write_whole(output, lines, partial(refuse_alignment, output, given))
    if scores or not given:
        report = report_path(output)
        content = json.dumps(scores | digest(lines.encode()), indent=2) + "\n"
        with _writing(report, "output"):
            write_whole(report, content, partial(refuse_report, report))
    if weights is not None:
        between_words = (sentence_map.between_words for sentence_map in alignment.maps)
        with _writing(weights, "weights"):
            replace_whole(weights, lambda new: write_weights(new, between_words), partial(refuse_weights, weights))


@contextmanager
def _writing(path: Path, key: str) -> Iterator[None]:
    """Raise OSError as a UserError that names the key by which another path is chosen."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another file with {key}=FILE") from error


def _unit_notes(text: Text) -> list[str]:
    """A note if the numbers of the links count subwords instead of words between spaces."""
    unspaced = [side for side, lines in (("source", text.sources), ("target", text.targets)) if not has_spaces(lines)]
    return [f"{side} words are the model's subwords, because the text has no spaces between words" for side in unspaced]


def _check_same_length(path: str, lines: Sequence[str], other_path: str, others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(f"{path} has {len(lines)} lines and {other_path} has {len(others)}; expected the same number")
