"""Attention as people read it: between words, or between the pieces that the model itself sees.

A line is encoded once, as a `Line`: its pieces travel with its words and with the word of each piece.
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
"""What a row or a column of a map stands for."""

END = "</s>"

UNKNOWN = "⁇"
"""Follows a word of which the vocabulary lacks a part: the model has not read what stands there."""

UNSPACED = re.compile(f"[{UNSPACED_LETTERS}]")

Symmetrisation = Literal["grow-diag-final-and", "intersection", "union", "agreement"]
"""How the alignments of two directions are made one: their links, or with `agreement` their weights."""

MERGES: dict[Symmetrisation, Callable[[Links, Links], Links]] = {
    "grow-diag-final-and": grow_diag_final_and,
    "intersection": intersection,
    "union": union,
}


class Words(NamedTuple):
    """The words of a sentence, and for each of the pieces that the model read of it the index of its word."""

    words: list[str]
    word_index: list[int]


@dataclass(frozen=True)
class Line:
    """A line of text and what the model reads of it, or writes.

    Args:
        text: the line as it was given.
        ids: its pieces, without BOS and EOS; a line that is too long is read as far as these go.
        words: all its words, as they are written.
        word_index: for each piece the index of its word. A word can have no piece.
        unknown: the words of which the vocabulary lacks a part.
    """

    text: str
    ids: list[int]
    words: list[str]
    word_index: list[int]
    unknown: frozenset[int] = frozenset()

    @property
    def by_word(self) -> Words:
        """Its words, as they are written."""
        return Words(self.words, self.word_index)

    def divided(self, subwords: Subwords, level: Level) -> Words:
        """Its words, or its pieces."""
        return self.by_word if level == "word" else Words(subwords.pieces(self.ids), list(range(len(self.ids))))

    def marked(self, words: Sequence[str]) -> list[str]:
        """These words of it for people to see: those that are unknown end in a mark."""
        return [
            f"{word}{UNKNOWN}" if i in self.unknown and UNKNOWN not in word else word for i, word in enumerate(words)
        ]


MANY_UNKNOWN = 0.05
"""The share of unknown words from which on a text is not what the model has learnt to read."""


@dataclass
class Unknown:
    """How many words of a text the vocabulary lacks a part of, counted portion by portion."""

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
        """A line for people if much of the text is unknown to the model: there, links and scores say little."""
        if self.unknown <= MANY_UNKNOWN * self.words:
            return []
        return [
            f"{self.unknown:,} of {self.words:,} {side} words hold characters that the model does not know, such as "
            f"{self.example}: it has not learnt what to do with them, nor what follows"
        ]


def unknown_note(side: str, lines: Iterable[Line]) -> list[str]:
    """The note of `Unknown` on a whole text."""
    counted = Unknown()
    counted.add(lines)
    return counted.note(side)


def has_spaces(lines: Iterable[str]) -> bool:
    """Whether white space sets the words of a text apart; decided once for all its lines, which then count alike.

    It does not in a text of Thai, Lao, Burmese, Khmer, Japanese or Chinese, unless half of the lines that have such
    letters have white space too, as text that was divided into words beforehand has.
    """
    unspaced = [line for line in lines if UNSPACED.search(line)]
    return 2 * sum(len(split_words(line)) > 1 for line in unspaced) >= len(unspaced)


def read_lines(
    lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, longest: int | None = None
) -> list[Line]:
    """Encode lines, each of them once.

    Args:
        lines: the text.
        subwords: the vocabulary of its language.
        spaced: whether white space sets words apart; if not, the words of a line are its pieces. None: each line is
            taken for a text of its own, and `has_spaces` decides.
        longest: read so many pieces of a line at most. The words beyond them are words all the same.
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
    """The sentence that a model wrote, of which there are only pieces; `spaced` as for `read_lines`."""
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
"""Share of a word's attention from which on it is the most."""


class Map(NamedTuple):
    """One sentence's attention: a row for each produced word, a column for each source word and one for its </s>.

    Where the model produced </s> too, its row is the last. With `level=piece`, words are pieces. The row and column
    of a word of which the model read nothing are zero.
    """

    weights: Float[Tensor, "rows columns"]
    src: list[str]
    tgt: list[str]

    @property
    def size(self) -> tuple[int, int]:
        """The number of source and of produced words."""
        return len(self.src), len(self.tgt)

    @property
    def between_words(self) -> Float[Tensor, "tgt src"]:
        """The weights without </s> on either side: rows no longer sum to 1."""
        return self.weights[: len(self.tgt), : len(self.src)]

    def health(self) -> Health:
        """How well formed this sentence's attention is."""
        rows = self.weights[: len(self.tgt)]
        return health(rows[rows.any(dim=1)])

    def links(self, threshold: float | None = None) -> Links:
        """For each produced word the source word that it attends to most, or every one from `threshold` on."""
        words = self.between_words
        if threshold is not None:
            return threshold_links(words, threshold)
        attended = words.any(dim=1)
        return frozenset(link for link in argmax_links(words) if attended[link[1]])

    def pictured(self, end: bool = False) -> "Map":
        """As pictures show it: with </s> if `end` is wanted, else without.

        A column for </s> is there in any case if a word attends to it for the most part: the row would be nearly empty.
        """
        words = self.weights[: len(self.tgt)]
        if end:
            return self.with_end()
        if bool((words[:, -1] > MOST).any()):
            return Map(words, [*self.src, END], self.tgt)
        return self._replace(weights=self.between_words)

    def with_end(self) -> "Map":
        """The same with </s> among the words, for a picture that shows it."""
        rows = len(self.weights) - len(self.tgt)
        return Map(self.weights, [*self.src, END], [*self.tgt, *[END] * rows])


def attention_map(weights: Float[Tensor, "rows columns"], src: Words, tgt: Words) -> Map:
    """The map of weights between pieces; their last column is the source's </s>, and a row may follow the pieces'.

    A word without a piece gets a row or a column of zeros.
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
    """For each line the number of pieces of each of its words, as `read_lines` divides this text, in bulk."""
    if not has_spaces(lines):
        each = read_lines(lines, subwords, spaced=False)
        return ragged([[line.word_index.count(word) for word in range(len(line.words))] for line in each])
    different, words = number_words(lines)
    counts = ragged([[len(own)] for own in subwords.encode_each(different)])
    return counts.take(words.values).joined(words.offsets)


def _shown_pieces(ids: Sequence[int], subwords: Subwords) -> list[str]:
    return [UNKNOWN if i == UNK else piece for i, piece in zip(ids, subwords.pieces(ids), strict=True)]


def _typed_pieces(line: str, pieces: Sequence[Sequence[int]], subwords: Subwords) -> list[str]:
    """What each piece stands for in the line as it was typed."""
    typed: list[str] = []
    for word, ids in zip(split_words(line), pieces, strict=True):
        surfaces = subwords.surfaces(word)
        whole = "".join(surfaces) == word and len(surfaces) == len(ids)
        typed += surfaces if whole else _shown_pieces(ids, subwords)
    return typed


def _pieces_as_words(pieces: Sequence[str]) -> tuple[list[str], list[int]]:
    """Pieces as the words of a text without spaces: one that shows nothing belongs to what follows."""
    words: list[str] = []
    index = []
    for piece in pieces:
        text = piece.removeprefix(SPACE)
        if words and not words[-1]:  # the mark of a space, alone, or the first bytes of a character
            words[-1] = text
        else:
            words.append(text)
        index.append(len(words) - 1)
    return words, index


def link_words(
    maps: Sequence[Map],
    threshold: float | None = None,
    reverse: Sequence[Map] | None = None,
    symmetrisation: Symmetrisation = "grow-diag-final-and",
    first: int = 1,
) -> list[Links]:
    """The links between the words of each pair, (source word, target word) from 0.

    Args:
        maps: attention of each target as the translation of its source.
        threshold: link every pair of words of at least this weight, instead of each target word's heaviest.
        reverse: maps of a model of the other direction, of each source as the translation of its target.
        symmetrisation: how both directions are made one alignment.
        first: the number of the first pair, for messages.

    Raises:
        UserError: the two models divide a line differently.
    """
    if reverse is None:
        return [one.links(threshold) for one in maps]
    for number, (one, other) in enumerate(zip(maps, reverse, strict=True), start=first):
        _check_divided_alike(number, one, other)
    if symmetrisation == "agreement":
        return [agreement(one, other, threshold) for one, other in zip(maps, reverse, strict=True)]
    merge = MERGES[symmetrisation]
    return [
        merge(one.links(threshold), transpose(other.links(threshold))) for one, other in zip(maps, reverse, strict=True)
    ]


def agreement(forward: Map, backward: Map, threshold: float | None = None) -> Links:
    """Links of the pairs of words that are each other's best by the weights of both directions multiplied.

    After Liang, Taskar and Klein 2006 (N06-1014), who multiply the probabilities of two models before they decide:
    where one direction is torn between two words, the other one decides. With a threshold, all pairs whose weights have
    at least this geometric mean.
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
                "parts; use level=word on text set apart by spaces, or models of one vocabulary"
            )


def read_gold(
    lines: Sequence[str], sizes: Iterable[tuple[int, int]], name: str, numbers: Iterable[int] | None = None
) -> list[Gold]:
    """Gold alignments of pairs of so many source and target words; UserError, with the line, for one not theirs.

    `numbers` are those of the lines in their file, where some were left out.
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
    """What to say of alignments that fit once their sides are exchanged; empty if they do not."""
    try:
        for line, (src_len, tgt_len) in zip(lines, sizes, strict=True):
            check_within(read_pharaoh(line).possible, tgt_len, src_len)
    except UserError:
        return ""
    return "; every line fits if the sides are exchanged, which corpus.turn_gold=true does for corpus=files"
