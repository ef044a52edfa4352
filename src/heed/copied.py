"""Text that a translation copies from its source or its prefix: words in the place of `<unk>`, and addresses.

After Luong et al. 2015, arXiv 1410.8206, with attention instead of their pointers (Jean et al. 2015, arXiv 1412.2007).
"""

import re
from collections.abc import Mapping, Sequence
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
"""The part of a word that is replaced: the `<unk>` and the letters around it."""

EMPTY = Line("", [], [], [])


def with_copied_words(
    written: Line,
    weights: Float[Tensor, "rows columns"],
    source: Line,
    subwords: Subwords,
    spaced: bool,
    prefix: Line = EMPTY,
    replace_unk: bool = True,
) -> Line:
    """A translation with words of its source and of its prefix, as typed, in the place of `<unk>`.

    Args:
        written: the translation, as `heed.maps.written_line` makes it.
        weights: attention between subwords: rows are those of the translation, columns those of the source.
        source: the source line.
        subwords: the vocabulary of the translation.
        spaced: whether the words of the translation are separated by white space. Then the letters around an `<unk>`
            are replaced too, and punctuation stays.
        prefix: the beginning that was given, as `heed.maps.read_lines` makes it. Its words take the place of their own
            `<unk>`.
        replace_unk: replace each `<unk>` after the prefix by the source word that it attended to most.
    """
    given = prefix.word_index if written.ids[: len(prefix.ids)] == prefix.ids else []
    rows = [row for row, piece in enumerate(written.ids) if piece == UNK and (replace_unk or row < len(given))]
    if not rows or not source.word_index:
        return written
    attended = _attended(weights[: len(written.ids)], source)
    copied = {row: prefix.words[given[row]] if row < len(given) else _best(attended[row], source) for row in rows}
    words = list(written.words)
    for number in {written.word_index[row] for row in rows}:
        own = [row for row in rows if written.word_index[row] == number]
        if not spaced:
            words[number] = copied[own[-1]]
            continue
        typed, rest = "", words[number]
        if own[0] < len(given):
            after = [row for row in range(len(given), len(written.ids)) if written.word_index[row] == number]
            typed, rest = copied[own[0]], subwords.spell([[written.ids[row] for row in after]])[0]
        unknown = [row for row in own if row >= len(given)]
        if unknown:
            rest = _inserted(_best(attended[unknown].sum(0), source), rest)
        words[number] = typed + rest
    text = " ".join(filter(None, words)) if spaced else _unspaced(written.ids, copied, subwords)
    return replace(written, words=words, text=text)


def with_addresses(
    written: Line,
    weights: Float[Tensor, "rows columns"],
    source: Line,
    vocabularies: tuple[Subwords, Subwords],
    given: Sequence[str] = (),
) -> Line:
    """A translation in which each address symbol is replaced by the source's address that it attended to, as typed.

    Addresses are assigned once each, by descending weight, and a second time only to symbols that would get none. A
    symbol stays if the source has no address of its kind.

    Args:
        written: the translation, as `heed.maps.written_line` makes it.
        weights: attention between subwords: rows are those of the translation, columns those of the source.
        source: the source line.
        vocabularies: of the source and of the translation.
        given: the addresses of a prefix, which the first symbols stand for.
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
    """The addresses of a source line, as far as the model has read it, by the position of their subword."""
    places = [place for place, piece in enumerate(source.ids[:columns]) if piece in subwords.kept]
    typed = [address for word in split_words(source.text) for address in subwords.addresses(word)]
    return dict(zip(places, typed, strict=False))


def _attended(weights: Float[Tensor, "rows columns"], source: Line) -> Float[Tensor, "rows words"]:
    """How much each subword of the translation attended to each source word."""
    index = torch.tensor(source.word_index)
    words = torch.zeros(len(weights), len(source.words))
    return words.index_add(1, index, weights[:, : len(index)].float())


def _inserted(word: str, unknown: str) -> str:
    """A source word that replaces an `<unk>`; its punctuation is dropped at an end where other text follows."""
    stretch = STRETCH.search(unknown)
    if stretch is None:
        return word
    before, after = unknown[: stretch.start()], unknown[stretch.end() :]
    inserted = re.sub(r"^[^\w]+(?=\w)", "", word) if before else word
    return before + (re.sub(r"(?<=\w)[^\w]+$", "", inserted) if after else inserted) + after


def _best(attended: Float[Tensor, " words"], source: Line) -> str:
    return source.words[int(attended.argmax())]


def _unspaced(ids: Sequence[int], copied: Mapping[int, str], subwords: Subwords) -> str:
    """The text of a translation without spaces between words; consecutive `<unk>` may copy the same word only once."""
    index = subwords.word_index(ids)
    texts = []
    for _, group in groupby(range(len(ids)), key=lambda row: index[row]):
        parts = groupby(group, key=copied.get)
        texts.append("".join(word or subwords.spell([[ids[row] for row in own]])[0] for word, own in parts))
    return " ".join(filter(None, texts))
