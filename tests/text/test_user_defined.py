"""Symbols that are kept whole: placeholders such as `<name>` and `{0}`."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heed.errors import UserError
from heed.text.sampling import sample
from heed.text.subwords import Kind, Subwords, check_settings, train_pair

SYMBOLS = ("<name>", "{0}", "％1", "http://")
LINES = [
    f"{greeting} <name>, you have {{0}} {thing}: see http://{thing}.org or ％1"
    for greeting in ("hello", "good day", "dear")
    for thing in ("mails", "names", "houses")
]


def trained(kind: Kind = "unigram") -> Subwords:
    return Subwords.train(LINES, kind, 60, normalization="nmt_nfkc", user_defined_symbols=SYMBOLS)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.sampled_from([*SYMBOLS, "hello", "a", " ", ", ", "<", ">", "{"]), max_size=12))
def test_a_symbol_is_one_subword_wherever_it_stands(kind: Kind, parts: list[str]) -> None:
    """Catches a placeholder that is divided, normalised, or glued to a letter beside it."""
    subwords, text = SUBWORDS[kind], "".join(parts)
    pieces = subwords.pieces(subwords.encode(text))

    assert [piece for piece in pieces if piece in SYMBOLS] == re.findall("|".join(map(re.escape, SYMBOLS)), text)


SUBWORDS = {kind: trained(kind) for kind in ("unigram", "bpe", "char")}


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_a_symbol_is_written_as_it_is_read(kind: Kind) -> None:
    """Catches `％1`, which NFKC would rewrite, and a space before what follows a symbol."""
    subwords = SUBWORDS[kind]
    for line in LINES:
        assert subwords.decode(subwords.encode(line)) == line
    assert subwords.words(subwords.encode("hello <name>, see {0}.")) == ["hello", "<name>,", "see", "{0}."]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_symbol_is_not_divided_by_sampling(kind: Kind) -> None:
    """Catches sampling that sometimes splits a symbol into `<`, `name`, `>`."""
    words = sorted({word for line in LINES for word in line.split()})
    drawn = sample(SUBWORDS[kind], kind, words, 0.3, [1])
    for word, slots in zip(words, drawn.slots, strict=True):
        for row in {*slots.tolist()}:
            pieces = SUBWORDS[kind].pieces(drawn.pieces.row(row).tolist())
            assert all(symbol in pieces for symbol in SYMBOLS if symbol in word)


def test_a_symbol_makes_no_subwords_of_letters() -> None:
    """Catches symbols counted as subwords of letters: a character vocabulary would report each word as spelled out."""
    assert [SUBWORDS[kind].joins_letters for kind in ("unigram", "bpe", "char")] == [True, True, False]


@pytest.mark.parametrize("joint", [True, False])
def test_both_sides_have_the_symbols(joint: bool) -> None:
    """Catches a placeholder that a model can read but not write."""
    pair = train_pair(LINES, LINES, vocab_size=60, joint=joint, user_defined_symbols=SYMBOLS)
    assert [one.user_defined for one in pair] == [frozenset(SYMBOLS)] * 2


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (("a b",), "'a b' cannot be a symbol; expected a string without spaces"),
        (("",), "'' cannot be a symbol"),
        (("▁x",), "'▁x' cannot be a symbol"),
        (("</s>",), "'</s>' cannot be a symbol"),
        (("{0}", "{0}"), "contains a symbol twice"),
    ],
)
def test_an_impossible_symbol_is_refused(symbols: tuple[str, ...], message: str) -> None:
    """Catches an end of sentence in the middle of a text, and SentencePiece's own errors."""
    with pytest.raises(UserError, match=re.escape(message)):
        check_settings("unigram", 100, False, 1.0, symbols)


def test_word_and_small_vocabularies_have_no_room_for_symbols() -> None:
    """Catches a setting that does nothing, and a vocabulary of symbols alone."""
    with pytest.raises(UserError, match="user_defined_symbols is not possible with kind=word"):
        check_settings("word", 100, False, 1.0, SYMBOLS)
    with pytest.raises(UserError, match=r"vocab_size=8, expected 9 \(8 subwords are special\)"):
        check_settings("unigram", 8, False, 1.0, SYMBOLS)
