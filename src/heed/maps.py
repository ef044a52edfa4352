"""Attention as people read it: between words, or between the pieces that the model itself sees."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError
from heed.metrics.alignment import Gold, Links, argmax_links, check_within, merge_words, read_pharaoh, threshold_links
from heed.metrics.attention import Health, health
from heed.text.ragged import Ragged, number_words, ragged
from heed.text.subwords import SPACE, Subwords

Level = Literal["word", "piece"]
"""What a row or a column of a map stands for."""

END = "</s>"

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese letters, between whose words no space is written."""


class Words(NamedTuple):
    """The words of a sentence, and for each of the pieces that the model read of it the index of its word."""

    words: list[str]
    word_index: list[int]


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
        looked = words.any(dim=1)
        return frozenset(link for link in argmax_links(words) if looked[link[1]])

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


def divide_line(line: str, subwords: Subwords, level: Level = "word", read: int | None = None) -> Words:
    """The words of a line as the line itself sets them apart, whatever normalisation makes of its white space.

    Where the model read its first `read` pieces alone, the words beyond them are words all the same.
    """
    if level == "piece":
        return divide(subwords.encode(line)[:read], subwords, level)
    (pieces,) = subwords.encode_words([line])
    words = subwords.spell(pieces)
    if len(words) == 1 and UNSPACED.search(words[0]):
        words, index = _pieces_as_words(subwords.pieces(pieces[0]))
    else:
        index = [word for word, own in enumerate(pieces) for _ in own]
    return Words(words, index[:read])


def word_pieces(lines: Sequence[str], subwords: Subwords) -> Ragged:
    """For each line the number of pieces of each of its words, as `divide_line` sets them apart, in bulk."""
    different, words = number_words(lines)
    counts, rows = [[len(own)] for own in subwords.encode_each(different)], words.values.copy()
    for place in words.offsets[:-1][words.lengths == 1].tolist():  # alone, it may be a sentence without spaces
        shown, index = divide_line(different[rows[place]], subwords)
        if len(shown) > 1:
            counts.append([index.count(word) for word in range(len(shown))])
            rows[place] = len(counts) - 1
    return ragged(counts).take(rows).joined(words.offsets)


def divide(ids: Sequence[int], subwords: Subwords, level: Level = "word") -> Words:
    """The words of a sentence of which there are only pieces, as a model writes it.

    A sentence of a script that is written without spaces, and that has none, would be a single word: its pieces are
    taken for words. One that was set apart by spaces beforehand keeps the words that it was given, as gold
    alignments of such languages count them.
    """
    if level == "piece":
        return Words(subwords.pieces(ids), list(range(len(ids))))
    words = subwords.words(ids)
    if len(words) == 1 and UNSPACED.search(words[0]):
        return Words(*_pieces_as_words(subwords.pieces(ids)))
    return Words(words, subwords.word_index(ids))


def _pieces_as_words(pieces: Sequence[str]) -> tuple[list[str], list[int]]:
    words: list[str] = []
    index = []
    for piece in pieces:
        text = piece.removeprefix(SPACE)
        if words and not words[-1]:  # the mark of a space, alone: it belongs to what follows
            words[-1] = text
        else:
            words.append(text)
        index.append(len(words) - 1)
    return words, index


def read_gold(
    lines: Sequence[str], sizes: Iterable[tuple[int, int]], name: str, numbers: Iterable[int] | None = None
) -> list[Gold]:
    """Gold alignments of pairs of so many source and target words; UserError, with the line, for one not theirs.

    `numbers` are those of the lines in their file, where some were left out.
    """
    gold = []
    for number, line, size in zip(range(1, len(lines) + 1) if numbers is None else numbers, lines, sizes, strict=True):
        try:
            links = read_pharaoh(line)
            check_within(links.possible, *size)
        except UserError as error:
            raise UserError(f"{name}, line {number}: {error}") from None
        gold.append(links)
    return gold
