"""Each address is one subword: which text is an address, and whether it is shown as it was typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.errors import UserError
from heed.maps import read_lines
from heed.text.kept import KEPT, SYMBOLS, masked, pattern
from heed.text.sampling import sample
from heed.text.subwords import UNK, Kind, Subwords, check_settings, train_pair

LINES = [
    f"{verb} {noun} at {address}{end}"
    for verb in ("see", "buy", "read")
    for noun in ("books", "trees", "mails")
    for address in ("https://a.org/x?y=1&z=2", "www.b.co.uk", "me.too@mail.c.com")
    for end in (".", " now", "!")
]
ALL = pattern(KEPT)
URL, EMAIL = SYMBOLS.values()


def trained(kind: Kind = "unigram", **settings: object) -> Subwords:
    return Subwords.train(LINES, kind, 80, normalization="nmt_nfkc", keep=KEPT, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://example.org.", f"see {URL}."),
        ("(https://a.b/c_(d)/e), and", f"({URL}), and"),
        ("HTTPS://A.B/%C3%A9#top?", f"{URL}?"),
        ("https://fr.wikipedia.org/wiki/Économie!", f"{URL}!"),
        ("请看https://a.cn/x。谢谢", f"请看{URL}。谢谢"),
        ("ดูwww.a.thที่นี่", f"ดู{URL}ที่นี่"),
        ('<a href="https://a.org/">', f'<a href="{URL}">'),
        ("a.b+c@d-e.co.uk, x@y", f"{EMAIL}, x@y"),
        ("联系foo@bar.cn。", f"联系{EMAIL}。"),
        ("https://user@host.org/", URL),
        ("ahttp://x.org www. http:// swww.a.org", "ahttp://x.org www. http:// swww.a.org"),
        (f"{URL} as it is", f"{URL} as it is"),
    ],
)
def test_addresses_end_where_the_sentence_goes_on(text: str, expected: str) -> None:
    """Catches a full stop, a bracket or Chinese text that becomes part of an address, and half an address."""
    assert masked(text, ALL) == expected


@pytest.mark.parametrize("unit", ["a", "a.", "http://", "http://a(", "a@", "www.((", "a@b.", "((a)", "."])
def test_a_long_line_takes_linear_time(unit: str) -> None:
    """Catches a pattern whose time grows with the square of a line, which would not end here."""
    masked(unit * 200_000, ALL)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_any_address_is_one_subword_and_shown_as_it_was_typed(kind: Kind) -> None:
    """Catches an address split into subwords, `<unk>` for unknown letters in it, and a symbol shown in its place."""
    subwords = trained(kind)
    line = "see Ｘ http://never.seen/ЖЖ?q=ﬁ! me@x.org. www.a.org www.a.org"
    [read] = read_lines([line], subwords)

    assert [subwords.kept[piece] for piece in read.ids if piece in subwords.kept] == ["url", "email", "url", "url"]
    assert read.words == line.split()
    assert not {word for word in read.unknown if "://" in read.words[word]}
    assert subwords.addresses("http://never.seen/ЖЖ?q=ﬁ!") == ["http://never.seen/ЖЖ?q=ﬁ"]


def test_text_without_spaces_is_shown_as_it_was_typed() -> None:
    """Catches a symbol shown instead of the address, for example in the gallery of a Chinese corpus."""
    subwords = Subwords.train(
        ["请看https://a.cn/x。", "谢谢你看书。"] * 5, "char", 40, normalization="identity", keep=["url"]
    )
    [read] = read_lines(["请看https://b.org/谢。看"], subwords)
    assert "".join(read.words) == read.text
    assert "https://b.org/" in read.words


@given(st.text(st.sampled_from("a:/.@()｟｠url水 www")))
def test_each_address_has_its_subword(text: str) -> None:
    """Catches addresses that are put back in the place of other addresses."""
    ids = [piece for piece in SUBWORDS.encode(text) if piece in SUBWORDS.kept]
    addresses = [address for word in text.split(" ") for address in SUBWORDS.addresses(word)]
    assert len(ids) == len(addresses)


SUBWORDS = trained()


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_an_address_is_not_divided_by_sampling(kind: Kind) -> None:
    """Catches sampling that sometimes splits an address."""
    subwords, words = trained(kind), ["books", "(https://a.org)"]
    drawn = sample(subwords, kind, words, 0.3, [1])
    for row in {*drawn.slots[1].tolist()}:
        assert URL in subwords.pieces(drawn.pieces.row(row).tolist())


def test_a_vocabulary_spends_nothing_on_addresses() -> None:
    """Catches subwords of addresses in a vocabulary that never reads them."""
    assert not [piece for piece in trained().pieces(range(len(trained()))) if re.search("http|www|@|[^<]/", piece)]
    assert not trained("char").joins_letters


def test_without_the_setting_addresses_are_text() -> None:
    """Catches a model trained before the setting existed that would read its text differently."""
    subwords = Subwords.train(LINES, "unigram", 80)
    assert subwords.kept == {}
    assert subwords.addresses("http://a.org") == []
    assert subwords.decode(subwords.encode("see https://a.org/x")) == "see https://a.org/x"
    assert UNK not in subwords.encode("https://a.org/x")


def test_both_sides_keep_addresses_and_impossible_settings_are_refused() -> None:
    """Catches an address that a model can read but not write, and settings without effect."""
    for joint in (True, False):
        pair = train_pair(LINES, LINES, vocab_size=80, joint=joint, keep=["url"])
        assert [list(one.kept.values()) for one in pair] == [["url"], ["url"]]
    with pytest.raises(UserError, match="keep is not possible with kind=word"):
        check_settings("word", 100, False, 1.0, (), ["url"])
    with pytest.raises(UserError, match="keep contains a kind twice"):
        check_settings("char", 100, False, 1.0, (), ["url", "url"])
    with pytest.raises(UserError, match=r"vocab_size=6, expected 7 \(6 subwords are special\)"):
        check_settings("char", 6, False, 1.0, (), ["url", "email"])
