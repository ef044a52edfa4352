"""What a translation takes from its source as it was typed: words for its unknown ones, and addresses that are kept.

Luong et al. 2015, arXiv 1410.8206, with attention in the place of their pointers (Jean et al. 2015, arXiv 1412.2007).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from heed.maps import UNKNOWN, Line
from heed.text.kept import put_in
from heed.text.subwords import UNK, Subwords
from heed.text.words import split_words

STRETCH = re.compile(rf"[\w{UNKNOWN}]*{UNKNOWN}(?:[^｟｠]*{UNKNOWN})?[\w{UNKNOWN}]*")
"""The part of a word that is replaced: what is unknown, and the letters around it."""


def with_source_words(
    written: Line, weights: Float[Tensor, "rows columns"], source: Line, subwords: Subwords, spaced: bool
) -> Line:
    """A translation whose `<unk>` are the source words that they attended to most, as these were typed.

    Args:
        written: the translation, as `heed.maps.written_line` makes it.
        weights: attention between the pieces: a row for each of the translation, a column for each of the source.
        source: the source line.
        subwords: the vocabulary of the translation.
        spaced: whether white space sets the words of the translation apart. Then the letters around an `<unk>` go too,
            and punctuation stays.
    """
    if UNK not in written.ids or not source.word_index:
        return written
    attended = _attended(weights[: len(written.ids)], source)
    words = list(written.words)
    for number in written.unknown:
        rows = [i for i, word in enumerate(written.word_index) if word == number and written.ids[i] == UNK]
        word = source.words[int(attended[rows].sum(0).argmax())]
        words[number] = _inserted(word, words[number]) if spaced else word
    text = " ".join(filter(None, words)) if spaced else _unspaced(written.ids, attended, source.words, subwords)
    return replace(written, words=words, text=text)


def with_addresses(
    written: Line,
    weights: Float[Tensor, "rows columns"],
    source: Line,
    vocabularies: tuple[Subwords, Subwords],
    given: Sequence[str] = (),
) -> Line:
    """A translation whose symbols for addresses are those of the source that they attended to, as these were typed.

    Each address is taken once, the heaviest weights first, and again only by symbols that would have none. A symbol
    stays if the source has no address of its kind.

    Args:
        written: the translation, as `heed.maps.written_line` makes it.
        weights: attention between the pieces: a row for each of the translation, a column for each of the source.
        source: the source line.
        vocabularies: of the source and of the translation.
        given: what the first symbols stand for, if it is known: the addresses of a prefix.
    """
    src, tgt = vocabularies
    rows = [row for row, piece in enumerate(written.ids) if piece in tgt.kept]
    if not rows:
        return written
    typed = _typed_addresses(source, src, weights.shape[1])
    by_row = dict(zip(rows, given, strict=False))
    alike = [
        (row, column)
        for row in rows[len(given) :]
        for column in typed
        if tgt.kept[written.ids[row]] == src.kept[source.ids[column]]
    ]
    free = {*typed}
    for row, column in sorted(alike, key=lambda place: -float(weights[place])):
        if row not in by_row and column in free:
            by_row[row] = typed[column]
            free.remove(column)
    for row, column in sorted(alike, key=lambda place: -float(weights[place])):
        by_row.setdefault(row, typed[column])
    addresses = [by_row.get(row, tgt.pieces([written.ids[row]])[0]) for row in rows]
    in_words = iter(addresses)
    words = [put_in(word, in_words) for word in written.words]
    return replace(written, words=words, text=put_in(written.text, iter(addresses)))


def _typed_addresses(source: Line, subwords: Subwords, columns: int) -> dict[int, str]:
    """The addresses of a source line by the place of their piece, of those that the model has read."""
    places = [place for place, piece in enumerate(source.ids[:columns]) if piece in subwords.kept]
    typed = [address for word in split_words(source.text) for address in subwords.addresses(word)]
    return dict(zip(places, typed, strict=False))


def _attended(weights: Float[Tensor, "rows columns"], source: Line) -> Float[Tensor, "rows words"]:
    """How much each piece of the translation attended to each source word."""
    index = torch.tensor(source.word_index)
    words = torch.zeros(len(weights), len(source.words))
    return words.index_add(1, index, weights[:, : len(index)].float())


def _inserted(word: str, unknown: str) -> str:
    """A source word in the place of what is unknown, without its own punctuation at an end where other text stands."""
    stretch = STRETCH.search(unknown)
    if stretch is None:
        return word
    before, after = unknown[: stretch.start()], unknown[stretch.end() :]
    inserted = re.sub(r"^[^\w]+(?=\w)", "", word) if before else word
    return before + (re.sub(r"(?<=\w)[^\w]+$", "", inserted) if after else inserted) + after


def _unspaced(
    ids: Sequence[int], attended: Float[Tensor, "rows words"], words: Sequence[str], subwords: Subwords
) -> str:
    """The text of a translation without spaces between words; several `<unk>` in a row may copy one word, once."""
    best, index = attended.argmax(dim=1).tolist(), subwords.word_index(ids)
    texts = []
    for _, group in groupby(range(len(ids)), key=lambda i: index[i]):
        parts = groupby(group, key=lambda i: best[i] if ids[i] == UNK else None)
        texts.append("".join(_part(copied, [ids[i] for i in own], words, subwords) for copied, own in parts))
    return " ".join(filter(None, texts))


def _part(copied: int | None, ids: Sequence[int], words: Sequence[str], subwords: Subwords) -> str:
    return subwords.spell([ids])[0] if copied is None else words[copied]
