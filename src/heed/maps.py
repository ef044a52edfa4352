"""Attention as people read it: between words, or between the pieces that the model itself sees."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError
from heed.metrics.alignment import Gold, Links, argmax_links, check_within, merge_words, read_pharaoh, threshold_links
from heed.metrics.attention import Health, health
from heed.text.subwords import SPACE, Subwords

Level = Literal["word", "piece"]
"""What a row or a column of a map stands for."""

END = "</s>"

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese letters, between whose words no space is written."""


class Map(NamedTuple):
    """One sentence's attention: a row for each produced word, a column for each source word and one for its </s>.

    Where the model produced </s> too, its row is the last. With `level=piece`, words are pieces.
    """

    weights: Float[Tensor, "rows columns"]
    src: list[str]
    tgt: list[str]

    @property
    def between_words(self) -> Float[Tensor, "tgt src"]:
        """The weights without </s> on either side: rows no longer sum to 1."""
        return self.weights[: len(self.tgt), : len(self.src)]

    def health(self) -> Health:
        """How well formed this sentence's attention is."""
        return health(self.weights[: len(self.tgt)])

    def links(self, threshold: float | None = None) -> Links:
        """For each produced word the source word that it attends to most, or every one from `threshold` on."""
        words = self.between_words
        return argmax_links(words) if threshold is None else threshold_links(words, threshold)

    def with_end(self) -> "Map":
        """The same with </s> among the words, for a picture that shows it."""
        rows = len(self.weights) - len(self.tgt)
        return Map(self.weights, [*self.src, END], [*self.tgt, *[END] * rows])


def attention_map(
    weights: Float[Tensor, "rows columns"],
    src_ids: Sequence[int],
    tgt_ids: Sequence[int],
    src: Subwords,
    tgt: Subwords,
    level: Level = "word",
) -> Map:
    """The map of weights between pieces; their last column is the source's </s>, and a row may follow the pieces'."""
    src_words, src_index = divide(src_ids, src, level)
    tgt_words, tgt_index = divide(tgt_ids, tgt, level)
    rows = [len(tgt_words)] * (len(weights) - len(tgt_ids))
    merged = merge_words(weights.float().cpu(), [*src_index, len(src_words)], [*tgt_index, *rows])
    return Map(merged, src_words, tgt_words)


def divide(ids: Sequence[int], subwords: Subwords, level: Level = "word") -> tuple[list[str], list[int]]:
    """The words of a sentence, and for each piece the index of its word.

    A sentence of a script that is written without spaces, and that has none, would be a single word: its pieces are
    taken for words. One that was set apart by spaces beforehand keeps the words that it was given, as gold
    alignments of such languages count them.
    """
    if level == "piece":
        return subwords.pieces(ids), list(range(len(ids)))
    words = subwords.words(ids)
    if len(words) == 1 and UNSPACED.search(words[0]):
        return _pieces_as_words(subwords.pieces(ids))
    return words, subwords.word_index(ids)


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


def read_gold(lines: Sequence[str], maps: Sequence[Map], name: str) -> list[Gold]:
    """Gold alignments of the sentences on these maps; UserError, with the line, for one that cannot be theirs."""
    gold = []
    for number, (line, found) in enumerate(zip(lines, maps, strict=True), start=1):
        try:
            links = read_pharaoh(line)
            check_within(links.possible, len(found.src), len(found.tgt))
        except UserError as error:
            raise UserError(f"{name}, line {number}: {error}") from None
        gold.append(links)
    return gold
