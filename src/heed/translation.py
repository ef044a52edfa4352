"""A translation of one line: its text, its score and its attention."""

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

    A search wrote the text, or the caller gave it (`Translator.force`).

    Args:
        text: the translation.
        score: the score that ranks it: its log-probability in nats, which beam search normalises by length; with
            `search="mbr"` its expected utility, from 0 to 100.
        src: the source line, with its subwords and words.
        tgt: the translation, with its subwords and words.
        piece_weights: attention between subwords: a row for each subword of the translation, and one for its `</s>` if
            the model wrote it; a column for each subword of the source and one for its `</s>`. Rows sum to 1.
        vocabularies: the vocabularies of source and target.
        languages: the languages of source and target from the model folder, or empty strings.
        others: other hypotheses of the search, best first.

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
        """The words of the source, as given; in a script without spaces, the model's subwords."""
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
        """Whether the model ended the translation; if not, it was cut at the maximum length."""
        return len(self.piece_weights) > len(self.tgt.ids)

    @property
    def unknown_words(self) -> list[str]:
        """The words of the source with characters that the vocabulary lacks, which the model cannot read."""
        return [word for i, word in enumerate(self.source_words) if i in self.src.unknown]

    @property
    def spelled_words(self) -> list[str]:
        """The words of the source that the model reads letter by letter, because it has not learned similar words.

        Of 23,600 English words from training and test text of a vocabulary of 1,000 subwords, none was read like this.
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
        """All hypotheses of the search, best first; the first is this translation."""
        return (self, *self.others)

    @cached_property
    def _word_map(self) -> Map:
        return attention_map(self.piece_weights, self.src.by_word, self.tgt.by_word)

    def map(self, level: Level = "word") -> Map:
        """The attention between words or between subwords.

        Raises:
            UserError: there is no such level.
        """
        one_of("level", level, get_args(Level))
        if level == "word":
            return self._word_map
        source, target = self.vocabularies
        return attention_map(self.piece_weights, self.src.divided(source, level), self.tgt.divided(target, level))

    @property
    def attention(self) -> Float32[np.ndarray, "words source_words"]:
        """Attention of each word of the translation (row) to each source word (column).

        The weights of a source word's subwords are summed; the rows of a target word's subwords are averaged. A row
        sums to 1 minus the weight of the source's `</s>`, which `weights(end=True)` shows.
        """
        return self.weights()

    def weights(self, level: Level = "word", end: bool = False) -> Float32[np.ndarray, "rows columns"]:
        """`attention`, between words or between subwords.

        Args:
            level: the unit of rows and columns: "word", or "piece" for subwords.
            end: add a last column for the source's `</s>`; then each row sums to 1.
        """
        attention = self.map(level)
        columns, rows = attention.size
        weights: Float32[np.ndarray, "rows columns"] = attention.weights[:rows, : columns + end].numpy().copy()
        return weights

    @property
    def alignment(self) -> list[tuple[int, int]]:
        """Links (source word, target word), counted from 0, of each target word to the word that it attends to most.

        A word without subwords, or one that attends only to `</s>`, has no link.
        """
        return sorted(self._word_map.links(), key=lambda link: (link[1], link[0]))

    def plot(self, end: bool = False, level: Level = "word") -> "matplotlib.figure.Figure":
        """A heatmap of the attention, as a matplotlib figure for `savefig` or for display in a notebook.

        Args:
            end: show `</s>` too; its column is always shown if a word attends mostly to it.
            level: the unit of rows and columns: "word", or "piece" for subwords.

        Raises:
            UserError: matplotlib is not installed.
        """
        from heed.viz.heatmap import heatmap  # noqa: PLC0415 - heatmaps are rarely asked for

        shown = self.shown(level, end)
        return heatmap(shown.weights, shown.src, shown.tgt)

    def shown(self, level: Level = "word", end: bool = False) -> Map:
        """The attention for display: words that the model does not know end in `⁇`.

        The weights have a row for each word and a column for each source word; with `end` they include `</s>`, whose
        column is always included if a word attends mostly to it.
        """
        attention = self.map(level)
        if level == "word":
            attention = attention._replace(src=self.src.marked(attention.src), tgt=self.tgt.marked(attention.tgt))
        return attention.pictured(end)

    def _repr_html_(self) -> str:
        """The interactive map that a notebook shows for this object."""
        # only for notebooks
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
    """A word that a model could write at a position, and its probability there."""

    word: str | None
    """None: the translation could end there."""
    probability: float


SHORTEST_SPELLED = 4
"""Letters. Shorter words are often read letter by letter and still translated well."""


def _is_spelled(word: str, pieces: Sequence[str]) -> bool:
    letters = sum(sign.isalpha() for sign in word)
    return letters >= SHORTEST_SPELLED and all(len(piece) <= 1 for piece in pieces)
