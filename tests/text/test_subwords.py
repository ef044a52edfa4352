"""Subwords: text and ids convert without loss, words stay words, and impossible vocabularies are reported."""

import logging
import pickle
import tempfile
import unicodedata
from functools import cache
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from heed.errors import UserError
from heed.text.normalization import NORMALIZATIONS, Normalization
from heed.text.subwords import BOS, EOS, PAD, UNK, Kind, Subwords, train_pair
from heed.text.words import split_words
from tests.support.scripts import SCRIPTS

KINDS: tuple[Kind, ...] = ("unigram", "bpe", "char", "word")
LINES = [
    "a dog runs across the green field .",
    "the cat sleeps on a small chair .",
    "Ein Hund läuft über die grüne Wiese !",
    "the dogs and the cats run and sleep",
] * 5
LETTERS = "".join(sorted(set("".join(LINES))))


@cache
def trained(kind: Kind, byte_fallback: bool = False) -> Subwords:
    return Subwords.train(LINES, kind, 320 if byte_fallback else 60, byte_fallback=byte_fallback)


@given(st.text())
def test_with_byte_fallback_any_text_comes_back_normalised(text: str) -> None:
    """Catches a lost character, and characters that only Python or only SentencePiece treats as white space."""
    subwords = trained("unigram", byte_fallback=True)
    assert subwords.decode(subwords.encode(text)) == subwords.normalise(text)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
@given(text=st.text(alphabet=LETTERS))
def test_text_of_known_characters_comes_back_normalised(kind: Kind, text: str) -> None:
    """Catches an unknown character although the vocabulary should cover all."""
    subwords = trained(kind)
    ids = subwords.encode(text)
    assert UNK not in ids
    assert subwords.decode(ids) == " ".join(split_words(text))


@given(st.text())
def test_words_are_those_of_the_normalised_text(text: str) -> None:
    """Catches a word index that is shifted by a lone mark, a subword of several bytes or an unknown character."""
    subwords = trained("bpe", byte_fallback=True)
    ids = subwords.encode(text)
    assert subwords.words(ids) == split_words(subwords.normalise(text))


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(alphabet=LETTERS + "☃字"))
def test_unknown_characters_do_not_change_the_number_of_words(kind: Kind, text: str) -> None:
    """Catches `<unk>` of a word model, which carries no mark, being glued to the word before."""
    subwords = trained(kind)
    ids = subwords.encode(text)
    assert len(subwords.words(ids)) == len(split_words(subwords.normalise(text)))
    assert split_words(subwords.decode(ids)) == subwords.words(ids)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_ids_decode_to_one_line_whose_words_the_index_counts(kind: Kind, data: st.DataObject) -> None:
    """Catches a model's odd output (specials, lone marks, bytes of a line feed) breaking a line or an index."""
    subwords = trained(kind, byte_fallback=kind != "word")
    ids = data.draw(st.lists(st.integers(0, len(subwords) - 1)))
    index, words = subwords.word_index(ids), subwords.words(ids)
    assert len(index) == len(ids)
    assert sorted(set(index)) == list(range(len(words)))
    assert index == sorted(index)
    assert not set(subwords.decode(ids)) & {"\n", "\r"}
    assert split_words(subwords.decode(ids)) == [word for word in words if word]


def test_every_subword_knows_its_word() -> None:
    subwords = trained("char")
    ids = subwords.encode("a dog")
    assert subwords.pieces(ids) == ["▁", "a", "▁", "d", "o", "g"]
    assert subwords.word_index(ids) == [0, 0, 1, 1, 1, 1]
    assert subwords.words(ids) == ["a", "dog"]


def test_specials_are_where_the_models_expect_them_and_leave_no_trace_in_text() -> None:
    subwords = trained("bpe")
    ids = subwords.encode("a dog")
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert not {PAD, BOS, EOS} & set(ids)
    assert subwords.decode([BOS, *ids, EOS, PAD, PAD]) == "a dog"
    assert subwords.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]
    assert subwords.decode([UNK]) == "⁇"


@pytest.mark.parametrize("kind", KINDS)
def test_text_cannot_name_a_special(kind: Kind) -> None:
    """Catches a line of input whose text `</s>` ends the sentence, or whose text `<pad>` pads it."""
    ids = trained(kind).encode("a <s> </s> <pad> dog </s>")
    assert not {PAD, BOS, EOS} & set(ids)


def test_several_unknown_words_stay_several() -> None:
    """Catches SentencePiece's one <unk> for a run of unknown words, which shifts every alignment after it."""
    subwords = trained("word")
    assert subwords.encode("a zebra zebra dog") == [*subwords.encode("a"), UNK, UNK, *subwords.encode("dog")]
    assert subwords.words(subwords.encode("a zebra zebra dog")) == ["a", "⁇", "⁇", "dog"]


@pytest.mark.parametrize("text", ["", " ", "\t\n", "▁"])
def test_nothing_becomes_nothing(text: str) -> None:
    subwords = trained("unigram")
    assert subwords.encode(text) == []
    assert subwords.decode([]) == ""
    assert not subwords.words([])
    assert not subwords.word_index([])


def test_lines_are_encoded_as_one_by_one() -> None:
    """Catches lines that the threads of SentencePiece return out of order."""
    subwords = trained("unigram")
    lines = [*LINES, "", "▁ a\tdog"] * 20
    assert subwords.encode_lines(lines) == [subwords.encode(line) for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_gives_the_same_bytes(kind: Kind) -> None:
    """Catches training that depends on the timing of its threads."""
    models = {Subwords.train(LINES, kind, 60).model for _ in range(5)}
    assert len(models) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_beyond_the_text_is_lowered_and_reported(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Catches "Vocabulary size too high", which ends the training of everyone whose corpus is small."""
    caplog.set_level(logging.INFO)
    subwords = Subwords.train(LINES, kind, 1_000_000)
    assert 4 < len(subwords) < 1000
    assert caplog.messages == [
        f"subword vocabulary lowered from 1000000 to {len(subwords)}, the most that the text supports"
    ]


def test_a_size_that_fits_is_kept_in_silence(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Catches the pages that SentencePiece writes to stderr while it trains."""
    caplog.set_level(logging.INFO)
    assert len(Subwords.train(LINES, "bpe", 60)) == 60
    assert not caplog.messages
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [-1, 0, 3, 4, 1_000_001])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"vocab_size={size}, expected 5 "):
        Subwords.train(LINES, "bpe", size)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_size_below_the_characters_names_what_they_need(kind: Kind) -> None:
    with pytest.raises(UserError, match=r"vocab_size=20 is too small: the characters of this text need \d+"):
        Subwords.train(LINES, kind, 20)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_a_size_below_the_bytes_is_refused(kind: Kind) -> None:
    with pytest.raises(UserError, match="vocab_size=200 is too small"):
        Subwords.train(LINES, kind, 200, byte_fallback=True)


@pytest.mark.parametrize("lines", [[], [""], ["  ", "\t"], ["\u200b"], ["a" * 5000]])
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_one_clear_line(kind: Kind, lines: list[str]) -> None:
    with pytest.raises(UserError, match="no text to train subwords on"):
        Subwords.train(lines, kind)


@pytest.mark.parametrize("line", ["x" * 1_000_000, "lorem ipsum " * 90_000])
def test_a_line_of_a_million_characters_is_left_out_and_reported(line: str, caplog: pytest.LogCaptureFixture) -> None:
    """Catches unigram training that never ends on such a line."""
    assert Subwords.train([line, *LINES], "unigram", 39) == Subwords.train(LINES, "unigram", 39)
    assert caplog.messages == ["subword training ignores 1 lines of more than 4192 bytes"]


@pytest.mark.parametrize("coverage", [0.0, 0.5, 0.979, 1.1, -1.0])
def test_a_coverage_out_of_range_is_refused(coverage: float) -> None:
    with pytest.raises(UserError, match=f"character_coverage={coverage}, expected"):
        Subwords.train(LINES, character_coverage=coverage)


def test_coverage_below_one_gives_up_the_rarest_characters() -> None:
    lines = ["abcabcabc" * 50] * 40 + ["☃"]
    covered, partial = (Subwords.train(lines, "char", 20, character_coverage=share) for share in (1.0, 0.999))
    assert UNK not in covered.encode("☃")
    assert UNK in partial.encode("☃")


def test_a_word_vocabulary_has_no_byte_fallback() -> None:
    with pytest.raises(UserError, match="byte_fallback=true is not possible with kind=word"):
        Subwords.train(LINES, "word", byte_fallback=True)


def test_a_file_and_a_pickle_contain_the_whole_model(tmp_path: Path) -> None:
    subwords = trained("unigram")
    subwords.save(tmp_path / "src.model")
    for again in (Subwords.load(tmp_path / "src.model"), pickle.loads(pickle.dumps(subwords))):
        assert again == subwords
        assert len(again) == len(subwords)
        assert again.encode(LINES[0]) == subwords.encode(LINES[0])
    assert trained("bpe") != subwords


@given(text=st.text(st.characters(codec="utf-8") | st.sampled_from("adog  \u200b\u200c\u200f\ufeff\ufdfa▁\u0301\xad")))
@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_words_one_by_one_have_the_subwords_of_the_line(kind: Kind, text: str) -> None:
    """Catches ids other than SentencePiece's own for the whole line, and words other than the line's."""
    subwords = trained(kind)
    processor = sentencepiece.SentencePieceProcessor(model_proto=subwords.model)
    assert subwords.encode(text) == processor.encode(" ".join(text.replace("▁", " ").split()))
    assert len(subwords.encode_words([text])[0]) == len(split_words(text))


def test_the_file_is_sentencepiece_s_own(tmp_path: Path) -> None:
    subwords = trained("bpe")
    subwords.save(tmp_path / "src.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "src.model"))
    assert processor.encode(LINES[0]) == subwords.encode(LINES[0])


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\x80\x02}q\x00.", trained("bpe").model[:-7], b"\x0a\x00"])
def test_a_file_that_is_not_a_model_is_refused_by_name(garbage: bytes, tmp_path: Path) -> None:
    (tmp_path / "src.model").write_bytes(garbage)
    with pytest.raises(UserError, match=r"src\.model: not a complete SentencePiece model"):
        Subwords.load(tmp_path / "src.model")


@given(at=st.integers(0, len(trained("bpe").model) - 1), byte=st.integers(0, 255))
def test_an_altered_byte_ends_in_a_working_model_or_in_one_line(at: int, byte: int) -> None:
    """Catches an untrusted file that can be loaded but breaks the first translation."""
    altered = bytearray(trained("bpe").model)
    altered[at] = byte
    try:
        subwords = Subwords(bytes(altered))
    except UserError:
        return
    assert len(subwords.words(list(range(len(subwords))))) > 1
    subwords.decode(subwords.encode("a dog läuft ☃"))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.model cannot be read: No such file"):
        Subwords.load(tmp_path / "none.model")


def test_a_model_with_other_specials_is_refused(tmp_path: Path) -> None:
    """Catches a model of SentencePiece's defaults, whose id 0 is <unk>: every unknown subword would be padding."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_prefix=str(tmp_path / "foreign"),
        vocab_size=60,
        model_type="bpe",
        minloglevel=2,
    )
    with pytest.raises(UserError, match=r"pad, unk, bos, eos at \(-1, 0, 1, 2\), expected \(0, 1, 2, 3\)"):
        Subwords.load(tmp_path / "foreign.model")


def test_a_pair_is_separate_or_one_for_both() -> None:
    english, german = ["the dog runs"] * 5, ["der Hund läuft"] * 5
    src, tgt = train_pair(english, german, kind="char", vocab_size=60)
    assert UNK in src.encode("läuft")
    assert UNK not in tgt.encode("läuft")
    src, tgt = train_pair(english, german, kind="char", vocab_size=60, joint=True)
    assert src is tgt
    assert UNK not in src.encode("the dog läuft")


def test_of_very_many_lines_the_same_sample_is_trained_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches training on only the beginning of a sorted file, and another vocabulary in every run."""
    monkeypatch.setattr("heed.text.subwords.MAX_LINES", 100)
    lines = ["early"] * 500 + ["later"] * 500
    with caplog.at_level(logging.INFO):
        one, other = (Subwords.train(lines, "word", 6, side="source") for _ in range(2))
    assert one == other
    assert UNK not in one.encode("early later")
    assert "source vocabulary: trained on 100 of the 1000 lines, drawn at random" in caplog.messages


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_target_is_learnt_as_it_is_written(script: str, joint: bool, kind: Kind) -> None:
    """Catches full-width punctuation, non-joiners, SARA AM, fractions and no-break spaces that a model cannot write."""
    lines = SCRIPTS[script]
    _, tgt = train_pair(["a b"], lines, kind=kind, vocab_size=1000, joint=joint)
    for line in lines:
        assert tgt.decode(tgt.encode(line)) == line
        (encoded,) = tgt.encode_with_words([line])
        assert encoded.words == tgt.spell(encoded.ids_of_words()) == line.split(" ")


def test_nfc_changes_what_unicode_says_and_nothing_else() -> None:
    """Catches rules that compose characters but do not reorder marks, and rules of compatibility."""
    written = [line for lines in SCRIPTS.values() for line in lines]
    lines = [*written, *(unicodedata.normalize("NFD", line) for line in written)]
    _, tgt = train_pair(["a b"], lines, kind="char", vocab_size=1000, tgt_normalization="nfc")
    for line in lines:
        assert tgt.decode(tgt.encode(line)) == unicodedata.normalize("NFC", line)


def test_nfc_gives_the_same_bytes_every_time() -> None:
    """Catches a path of a temporary file in the model."""
    models = [Subwords.train(LINES, "char", 60, normalization="nfc").model for _ in range(2)]
    assert models[0] == models[1]
    assert tempfile.gettempdir().encode() not in models[0]


@pytest.mark.parametrize(
    ("normalization", "read"),
    [
        ("identity", "Ａ，\u200c½ É"),
        ("nfc", "Ａ，\u200c½ É"),
        ("nfkc", "A,\u200c1⁄2 É"),
        ("nmt_nfkc", "A, 1⁄2 É"),
        ("nfkc_cf", "a,\u200c1⁄2 é"),
        ("nmt_nfkc_cf", "a, 1⁄2 é"),
    ],
)
def test_each_side_is_normalised_as_it_is_set(normalization: Normalization, read: str) -> None:
    """Catches a setting that is ignored, applied to the other side, or missing in the saved model."""
    line = "Ａ，\u200c½ É"
    src, tgt = train_pair([line], [line], kind="char", vocab_size=100, src_normalization=normalization)
    assert Subwords(src.model).normalise(line) == read
    assert tgt.normalise(line) == line
    src, tgt = train_pair([line], [line], kind="char", vocab_size=100, tgt_normalization=normalization)
    assert Subwords(tgt.model).normalise(line) == read
    assert src.normalise(line) == "A, 1⁄2 É"
    assert len(NORMALIZATIONS) == 6


def test_one_vocabulary_has_one_normalisation() -> None:
    with pytest.raises(UserError, match=r"src_normalization=nfkc and tgt_normalization=identity, but joint=true"):
        train_pair(["a"], ["b"], joint=True, src_normalization="nfkc")
    src, tgt = train_pair(["½ a"], ["½ b"], kind="char", vocab_size=50, joint=True)
    assert src is tgt
    assert src.normalise("½") == "½"


def test_white_space_is_ascii_s() -> None:
    """Catches words that are counted differently than by word aligners, and tabs that become characters."""
    assert split_words(" a\tb  c\u00a0d\u3000e\u202ff\r\v\fg ") == ["a", "b", "c\u00a0d\u3000e\u202ff", "g"]
    subwords = Subwords.train(["a b\u00a0c"], "char", 20, normalization="identity")
    assert subwords.decode(subwords.encode("\ta  b\u00a0c ")) == "a b\u00a0c"


def test_each_subword_keeps_its_word() -> None:
    """Catches words that normalisation removes, and subwords assigned to another word when a line is cut short."""
    subwords = trained("bpe")
    line = "the Dogs  \ufeff sleep☃ a\u00a0dog"
    (encoded,) = subwords.encode_with_words([line])
    assert encoded.words == ["the", "Dogs", "\ufeff", "sleep☃", "a\u00a0dog"]
    assert encoded.ids == subwords.encode(line)
    assert encoded.ids_of_words() == subwords.encode_words([line])[0]
    short = encoded.first(3)
    assert (short.words, short.ids) == (encoded.words, encoded.ids[:3])
    assert [len(ids) for ids in short.ids_of_words()][3:] == [0, 0]
