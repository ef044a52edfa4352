"""A translation of one line: its text, its score, and where the model looked for each of its words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from heed.arguments import one_of
from heed.maps import Level, Line, Map, attention_map
from heed.text.subwords import SPACE, Subwords

if TYPE_CHECKING:
    import matplotlib.figure


@dataclass(frozen=True)
class Translation:
    """A translation with its attention, as `Translator` returns it.

    The text was written by a search, or given by the caller (`Translator.force`).

    Args:
        text: the translation.
        score: what ranks it: its log-probability in nats, which beam search divides for length; with `search="mbr"` its
            expected utility, from 0 to 100.
        src: the source line, its pieces and its words.
        tgt: the same of the translation.
        piece_weights: attention between pieces: a row for each piece of the translation, and for its `</s>` if the
            model wrote it; a column for each piece of the source and for its `</s>`. Rows sum to 1.
        vocabularies: of the source and of the target.
        languages: of both sides, as the model folder names them, or empty texts.
        others: what else the search found, best first.

    Example:
        >>> import heed.translator
        >>> translator = heed.translator.load("runs/tiny/model")
        >>> t = translator.translate("a dog barks")
        >>> t.source_words
        ['a', 'dog', 'barks']
        >>> t.attention.shape == (len(t.words), len(t.source_words))
        True
        >>> [0 <= source < 3 for source, _ in t.alignment] == [True] * len(t.words)
        True
    """

    text: str
    score: float
    src: Line = field(repr=False)
    tgt: Line = field(repr=False)
    piece_weights: Float[Tensor, "tgt src"] = field(repr=False, compare=False)
    vocabularies: tuple[Subwords, Subwords] = field(repr=False)
    languages: tuple[str, str] = field(default=("", ""), repr=False)
    others: tuple["Translation", ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def source(self) -> str:
        """The source line as it was given."""
        return self.src.text

    @property
    def source_words(self) -> list[str]:
        """The words of the source as they were given; those of a script without spaces are the model's pieces."""
        return self.src.words

    @property
    def words(self) -> list[str]:
        """The words of the translation."""
        return self.tgt.words

    @property
    def source_pieces(self) -> list[str]:
        """The subwords that the model read."""
        return self.vocabularies[0].pieces(self.src.ids)

    @property
    def pieces(self) -> list[str]:
        """The subwords that make up the translation."""
        return self.vocabularies[1].pieces(self.tgt.ids)

    @property
    def finished(self) -> bool:
        """Whether the model ended the translation itself; if not, it was cut at its longest length."""
        return len(self.piece_weights) > len(self.tgt.ids)

    @property
    def unknown_words(self) -> list[str]:
        """The words of the source of which the vocabulary lacks a part: the model has not read what stands there."""
        return [word for i, word in enumerate(self.source_words) if i in self.src.unknown]

    @property
    def spelled_words(self) -> list[str]:
        """The words of the source that the model reads letter by letter, as it has learned none like them.

        Of 23,600 English words that a vocabulary of 1,000 subwords was trained on or tested with, none was read so.
        """
        subwords = self.vocabularies[0]
        if not subwords.joins_letters:
            return []
        pieces: list[list[str]] = [[] for _ in self.source_words]
        for word, piece in zip(self.src.word_index, subwords.pieces(self.src.ids), strict=True):
            pieces[word].append(piece.strip(SPACE))
        known = [i for i in range(len(pieces)) if i not in self.src.unknown]
        return [self.source_words[i] for i in known if _is_spelled(self.source_words[i], pieces[i])]

    @property
    def candidates(self) -> tuple["Translation", ...]:
        """All that the search found, best first; the first is this one."""
        return (self, *self.others)

    @cached_property
    def _word_map(self) -> Map:
        return attention_map(self.piece_weights, self.src.by_word, self.tgt.by_word)

    def map(self, level: Level = "word") -> Map:
        """The attention between words, or between pieces.

        Raises:
            UserError: a level that does not exist.
        """
        one_of("level", level, get_args(Level))
        if level == "word":
            return self._word_map
        source, target = self.vocabularies
        return attention_map(self.piece_weights, self.src.divided(source, level), self.tgt.divided(target, level))

    @property
    def attention(self) -> Float32[np.ndarray, "words source_words"]:
        """For each word of the translation (row) how much the model looked at each source word (column).

        The weights of a source word's pieces are summed, the rows of a word's pieces averaged. A row sums to 1 less
        what fell on the source's `</s>`, which `weights(end=True)` shows.
        """
        return self.weights()

    def weights(self, level: Level = "word", end: bool = False) -> Float32[np.ndarray, "rows columns"]:
        """`attention`, of words or pieces.

        Args:
            level: what a row and a column stand for, `word` or `piece`.
            end: add a last column, for the source's `</s>`; then each row sums to 1.
        """
        attention = self.map(level)
        columns, rows = attention.size
        weights: Float32[np.ndarray, "rows columns"] = attention.weights[:rows, : columns + end].numpy().copy()
        return weights

    @property
    def alignment(self) -> list[tuple[int, int]]:
        """(source word, target word) for each word of the translation, counted from 0: where the model looked most.

        A word of which the model has no piece, and one for which it looked at `</s>` alone, has no link.
        """
        return sorted(self._word_map.links(), key=lambda link: (link[1], link[0]))

    def plot(self, end: bool = False, level: Level = "word") -> "matplotlib.figure.Figure":
        """The attention as a picture, for `savefig` or to be shown in a notebook.

        Args:
            end: show `</s>` too; it has a column in any case if a word attends to it for the most part.
            level: what a row and a column stand for.

        Raises:
            UserError: matplotlib is not installed.
        """
        from heed.viz.heatmap import heatmap  # noqa: PLC0415 - pictures are seldom wanted

        shown = self.shown(level, end)
        return heatmap(shown.weights, shown.src, shown.tgt)

    def shown(self, level: Level = "word", end: bool = False) -> Map:
        """The attention for people to see: words that the model does not know end in `⁇`.

        Its weights have a row for each word and a column for each source word; with `end` they have `</s>` too, and a
        column for it in any case if a word attends to it for the most part.
        """
        attention = self.map(level)
        if level == "word":
            attention = attention._replace(src=self.src.marked(attention.src), tgt=self.tgt.marked(attention.tgt))
        return attention.pictured(end)

    def _repr_html_(self) -> str:
        """The interactive map, as which a notebook shows the object."""
        # for notebooks alone
        from heed.viz.attention_map import map_html  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415
        from heed.viz.entries import Candidate  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415

        src_lang, tgt_lang = self.languages
        others = [Candidate(one.words, one.score, one.weights(end=True), one.text) for one in self.others]
        return str(
            map_html(
                self.source_words,
                self.words,
                self.weights(end=True),
                score=self.score,
                alignment=self.alignment,
                candidates=others,
                source_text=self.source,
                text=self.text,
                unknown=self.src.unknown,
                src_lang=src_lang or None,
                tgt_lang=tgt_lang or None,
            )
        )


class Alternative(NamedTuple):
    """A word that a model could write at some place, and its probability there."""

    word: str | None
    """None: the translation could end there."""
    probability: float


SHORTEST_SPELLED = 4
"""Letters. Shorter words are often read letter by letter, and well translated."""


def _is_spelled(word: str, pieces: Sequence[str]) -> bool:
    letters = sum(sign.isalpha() for sign in word)
    return letters >= SHORTEST_SPELLED and all(len(piece) <= 1 for piece in pieces)
