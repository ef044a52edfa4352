"""Attention maps between words, or between the subwords that the model reads and writes.

A line is encoded once, as a `Line`: it keeps its words, its subwords, and the word of each subword.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError
from heed.metrics.alignment import Gold, Links, argmax_links, check_within, merge_words, read_pharaoh, threshold_links
from heed.metrics.attention import Health, health
from heed.metrics.symmetrisation import grow_diag_final_and, intersection, transpose, union
from heed.text.ragged import Ragged, number_words, ragged
from heed.text.subwords import SPACE, UNK, Subwords
from heed.text.words import UNSPACED_LETTERS, split_words

Level = Literal["word", "piece"]
"""The unit of rows and columns of a map: a word, or a piece, which is a subword."""

END = "</s>"

UNKNOWN = "⁇"
"""Mark after a word with characters that the vocabulary lacks, which the model cannot read."""

UNSPACED = re.compile(f"[{UNSPACED_LETTERS}]")

Symmetrisation = Literal["agreement", "grow-diag-final-and", "intersection", "union"]
"""How alignments of two directions are combined: by their links or, with `agreement`, by their weights."""

MERGES: dict[Symmetrisation, Callable[[Links, Links], Links]] = {
    "grow-diag-final-and": grow_diag_final_and,
    "intersection": intersection,
    "union": union,
}


class Words(NamedTuple):
    """The words of a sentence, and for each of its subwords the index of its word."""

    words: list[str]
    word_index: list[int]


@dataclass(frozen=True)
class Line:
    """A line of text, and the subwords of it that the model reads or writes.

    Args:
        text: the line as it was given.
        ids: its subwords, without BOS and EOS; if the line is too long, only the first ones.
        words: all its words, as written.
        word_index: for each subword the index of its word. A word may have no subword.
        unknown: indices of the words with characters that the vocabulary lacks.
    """

    text: str
    ids: list[int]
    words: list[str]
    word_index: list[int]
    unknown: frozenset[int] = frozenset()

    @property
    def by_word(self) -> Words:
        """The line in words, as written."""
        return Words(self.words, self.word_index)

    def divided(self, subwords: Subwords, level: Level) -> Words:
        """The line in words or in subwords."""
        return self.by_word if level == "word" else Words(subwords.pieces(self.ids), list(range(len(self.ids))))

    def marked(self, words: Sequence[str]) -> list[str]:
        """These words for display: unknown words end in a mark."""
        return [
            f"{word}{UNKNOWN}" if i in self.unknown and UNKNOWN not in word else word for i, word in enumerate(words)
        ]


MANY_UNKNOWN = 0.05
"""The share of unknown words above which a warning is given."""


@dataclass
class Unknown:
    """Count of the words with characters that the vocabulary lacks, over portions of a text."""

    words: int = 0
    unknown: int = 0
    example: str = ""

    def add(self, lines: Iterable[Line]) -> None:
        """Count the words of more lines."""
        for line in lines:
            self.words += len(line.words)
            self.unknown += len(line.unknown)
            if line.unknown and not self.example:
                self.example = line.words[min(line.unknown)]

    def note(self, side: str) -> list[str]:
        """A warning if many words are unknown to the model, because links and scores then mean little."""
        if self.unknown <= MANY_UNKNOWN * self.words:
            return []
        return [
            f"{self.unknown:,} of {self.words:,} {side} words contain characters that the model does not know, such as "
            f"{self.example}; it translates and aligns them, and what follows, badly"
        ]


def unknown_note(side: str, lines: Iterable[Line]) -> list[str]:
    """The note of `Unknown` on a whole text."""
    counted = Unknown()
    counted.add(lines)
    return counted.note(side)


def has_spaces(lines: Iterable[str]) -> bool:
    """Whether the words of a text are separated by white space; decided once for all its lines.

    It is false for a text in Thai, Lao, Burmese, Khmer, Japanese or Chinese, unless half of the lines with such letters
    contain white space, because the text was divided into words beforehand.
    """
    unspaced = [line for line in lines if UNSPACED.search(line)]
    return 2 * sum(len(split_words(line)) > 1 for line in unspaced) >= len(unspaced)


def read_lines(
    lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, longest: int | None = None
) -> list[Line]:
    """Encode each line once.

    Args:
        lines: the text.
        subwords: the vocabulary of its language.
        spaced: whether words are separated by white space; if not, the subwords of a line are its words. If None,
            `has_spaces` decides for each line separately.
        longest: the largest number of subwords to keep of a line. All its words are kept.
    """
    return [
        _read_line(line, pieces, subwords, has_spaces([line]) if spaced is None else spaced, longest)
        for line, pieces in zip(lines, subwords.encode_words(lines), strict=True)
    ]


def _read_line(line: str, pieces: list[list[int]], subwords: Subwords, spaced: bool, longest: int | None) -> Line:
    ids = [piece for own in pieces for piece in own]
    if spaced:
        words, index = split_words(line), [word for word, own in enumerate(pieces) for _ in own]
    else:
        words, index = _pieces_as_words(_typed_pieces(line, pieces, subwords))
    unknown = frozenset(word for word, piece in zip(index, ids, strict=True) if piece == UNK)
    return Line(line, ids[:longest], words, index[:longest], unknown)


def written_line(ids: Sequence[int], subwords: Subwords, spaced: bool | None = None) -> Line:
    """The line of a sentence that a model wrote as subwords; `spaced` as for `read_lines`."""
    index = subwords.word_index(ids)
    pieces: list[list[int]] = [[] for _ in range(max(index, default=-1) + 1)]
    for word, piece in zip(index, ids, strict=True):
        pieces[word].append(int(piece))
    words = subwords.spell(pieces)
    text = " ".join(word for word in words if word)
    if not (has_spaces([text]) if spaced is None else spaced):
        words, index = _pieces_as_words(_shown_pieces(ids, subwords))
    unknown = frozenset(word for word, piece in zip(index, ids, strict=True) if piece == UNK)
    return Line(text, list(ids), words, index, unknown)


MOST = 0.5
"""A share of a word's attention above this is most of it."""


class Map(NamedTuple):
    """Attention of one sentence: a row for each target word, a column for each source word and one for its </s>.

    If the model also wrote </s>, its row is the last one. With `level="piece"`, rows and columns are subwords. Rows and
    columns of words without subwords are zero.
    """

    weights: Float[Tensor, "rows columns"]
    src: list[str]
    tgt: list[str]

    @property
    def size(self) -> tuple[int, int]:
        """The numbers of source and target words."""
        return len(self.src), len(self.tgt)

    @property
    def between_words(self) -> Float[Tensor, "tgt src"]:
        """The weights without </s> on either side; rows may sum to less than 1."""
        return self.weights[: len(self.tgt), : len(self.src)]

    def health(self) -> Health:
        """Measures of this sentence's attention: its entropy, coverage and so on."""
        rows = self.weights[: len(self.tgt)]
        return health(rows[rows.any(dim=1)])

    def links(self, threshold: float | None = None) -> Links:
        """Links of each target word to the source word that it attends to most, or to all with at least `threshold`."""
        words = self.between_words
        if threshold is not None:
            return threshold_links(words, threshold)
        attended = words.any(dim=1)
        return frozenset(link for link in argmax_links(words) if attended[link[1]])

    def pictured(self, end: bool = False) -> "Map":
        """The map as heatmaps show it: with </s> if `end` is true, otherwise without.

        The column of </s> is always shown if a word attends mostly to it, because its row would be nearly empty.
        """
        words = self.weights[: len(self.tgt)]
        if end:
            return self.with_end()
        if bool((words[:, -1] > MOST).any()):
            return Map(words, [*self.src, END], self.tgt)
        return self._replace(weights=self.between_words)

    def with_end(self) -> "Map":
        """The map with </s> among the words, for a heatmap that shows it."""
        rows = len(self.weights) - len(self.tgt)
        return Map(self.weights, [*self.src, END], [*self.tgt, *[END] * rows])


def attention_map(weights: Float[Tensor, "rows columns"], src: Words, tgt: Words) -> Map:
    """The map for weights between subwords, whose last column is the source's </s>; the last row may be that of </s>.

    A word without subwords gets a row or a column of zeros.
    """
    rows = [len(tgt.words)] * (len(weights) - len(tgt.word_index))
    columns, rows = [*src.word_index, len(src.words)], [*tgt.word_index, *rows]
    merged = merge_words(weights.float().cpu(), _without_gaps(columns), _without_gaps(rows))
    whole = torch.zeros(max(len(tgt.words), *(row + 1 for row in rows), 0), len(src.words) + 1)
    whole[torch.tensor(sorted(set(rows)), dtype=torch.long)[:, None], torch.tensor(sorted(set(columns)))] = merged
    return Map(whole, src.words, tgt.words)


def _without_gaps(index: Sequence[int]) -> list[int]:
    place = {word: number for number, word in enumerate(sorted(set(index)))}
    return [place[word] for word in index]


def word_pieces(lines: Sequence[str], subwords: Subwords) -> Ragged:
    """For each line the number of subwords of each word, as `read_lines` divides this text; faster for long texts."""
    if not has_spaces(lines):
        encoded = read_lines(lines, subwords, spaced=False)
        return ragged([[line.word_index.count(word) for word in range(len(line.words))] for line in encoded])
    different, words = number_words(lines)
    counts = ragged([[len(own)] for own in subwords.encode_each(different)])
    return counts.take(words.values).joined(words.offsets)


def _shown_pieces(ids: Sequence[int], subwords: Subwords) -> list[str]:
    return [UNKNOWN if i == UNK else piece for i, piece in zip(ids, subwords.pieces(ids), strict=True)]


def _typed_pieces(line: str, pieces: Sequence[Sequence[int]], subwords: Subwords) -> list[str]:
    """The part of the line, as typed, that each subword stands for."""
    typed: list[str] = []
    for word, ids in zip(split_words(line), pieces, strict=True):
        surfaces = subwords.surfaces(word)
        whole = "".join(surfaces) == word and len(surfaces) == len(ids)
        typed += surfaces if whole else _shown_pieces(ids, subwords)
    return typed


def _pieces_as_words(pieces: Sequence[str]) -> tuple[list[str], list[int]]:
    """Subwords as the words of a text without spaces; one that displays as nothing is joined to the next."""
    words: list[str] = []
    index = []
    for piece in pieces:
        text = piece.removeprefix(SPACE)
        if words and not words[-1]:  # only the mark of a space, or the first bytes of a character
            words[-1] = text
        else:
            words.append(text)
        index.append(len(words) - 1)
    return words, index


def link_words(
    maps: Sequence[Map],
    threshold: float | None = None,
    reverse: Sequence[Map] | None = None,
    symmetrisation: Symmetrisation = "agreement",
    first: int = 1,
) -> list[Links]:
    """The links between the words of each pair, (source word, target word) from 0.

    Args:
        maps: maps of the forward model, one for each pair.
        threshold: link all pairs of words with at least this weight, instead of each target word's largest.
        reverse: maps of a model of the other direction, in which each source is the translation of its target.
        symmetrisation: how both directions are combined.
        first: the number of the first pair, for messages.

    Raises:
        UserError: the two models divide a line differently.
    """
    if reverse is None:
        return [sentence_map.links(threshold) for sentence_map in maps]
    for number, (one, other) in enumerate(zip(maps, reverse, strict=True), start=first):
        _check_divided_alike(number, one, other)
    if symmetrisation == "agreement":
        return [agreement(sentence_map, other, threshold) for sentence_map, other in zip(maps, reverse, strict=True)]
    merge = MERGES[symmetrisation]
    return [
        merge(sentence_map.links(threshold), transpose(other.links(threshold)))
        for sentence_map, other in zip(maps, reverse, strict=True)
    ]


def agreement(forward: Map, backward: Map, threshold: float | None = None) -> Links:
    """Links between words that are each other's best by the product of the weights of both directions.

    After Liang, Taskar and Klein 2006 (N06-1014), who multiply the probabilities of two models: if one direction is
    undecided between two words, the other one decides. With a threshold, all pairs are linked whose weights have at
    least this geometric mean.
    """
    joint = forward.between_words * backward.between_words.T
    if threshold is not None:
        return threshold_links(joint.sqrt(), threshold)
    best = argmax_links(joint) & transpose(argmax_links(joint.T))
    return frozenset((src, tgt) for src, tgt in best if joint[tgt, src] > 0)


def _check_divided_alike(number: int, one: Map, other: Map) -> None:
    for side, mine, others in (("source", one.src, other.tgt), ("target", one.tgt, other.src)):
        if mine != others:
            raise UserError(
                f"line {number}: the two models divide its {side} differently, into {len(mine)} and {len(others)} "
                "units; use level=word on text with spaces, or models with the same vocabularies"
            )


def read_gold(
    lines: Sequence[str], sizes: Iterable[tuple[int, int]], name: str, numbers: Iterable[int] | None = None
) -> list[Gold]:
    """Parse gold alignments of pairs whose numbers of source and target words are `sizes`.

    `numbers` are the line numbers in the file, if some lines were dropped.

    Raises:
        UserError: a link is malformed or names a word that does not exist; the message names the line.
    """
    gold, every = [], list(sizes)
    for number, line, size in zip(range(1, len(lines) + 1) if numbers is None else numbers, lines, every, strict=True):
        try:
            links = read_pharaoh(line)
            check_within(links.possible, *size)
        except UserError as error:
            raise UserError(f"{name}, line {number}: {error}{_if_turned(lines, every)}") from None
        gold.append(links)
    return gold


def _if_turned(lines: Sequence[str], sizes: Sequence[tuple[int, int]]) -> str:
    """A hint if the alignments would fit with exchanged sides; otherwise empty."""
    try:
        for line, (src_len, tgt_len) in zip(lines, sizes, strict=True):
            check_within(read_pharaoh(line).possible, tgt_len, src_len)
    except UserError:
        return ""
    return "; all lines fit with exchanged sides: for corpus=files, give corpus.turn_gold=true"
