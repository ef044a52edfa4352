"""The page's segmentation compared with SentencePiece: equal ids for any text."""

import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from heed.export.subword_model import parse
from heed.text.subwords import Kind, Subwords
from scripts.page_engine import segment
from tests.support.page import needs_node, unicode_lines

TINY = Path(__file__).parents[2] / "data" / "tiny"
KINDS: list[tuple[Kind, bool]] = [
    ("unigram", False), ("unigram", True), ("bpe", False), ("bpe", True), ("char", False), ("char", True),
    ("word", False),
]  # fmt: skip


def tiny_lines(lang: str, *splits: str) -> list[str]:
    return [line for split in splits for line in (TINY / f"{split}.{lang}").read_text("utf-8").splitlines()]


def trained(kind: Kind, byte_fallback: bool = False) -> Subwords:
    return Subwords.train(tiny_lines("fr", "valid"), kind, vocab_size=600, byte_fallback=byte_fallback)


def assert_same(subwords: Subwords, lines: list[str], folder: Path) -> None:
    answers = segment(subwords, lines, folder)
    for line, answer, words in zip(lines, answers, subwords.encode_words(lines), strict=True):
        ids = [piece for word in words for piece in word]
        assert answer == {"words": words, "text": subwords.decode(ids), "index": subwords.word_index(ids)}, repr(line)


@needs_node
@pytest.mark.parametrize(("kind", "byte_fallback"), KINDS)
def test_text_of_the_corpus_and_from_all_over_unicode_has_the_same_ids(
    kind: Kind, byte_fallback: bool, tmp_path: Path
) -> None:
    """Catches a fault in normalising, segmenting, byte fallback, joining of unknown characters, or reading back."""
    lines = [*tiny_lines("fr", "test"), *unicode_lines(1500, seed=2)]
    assert_same(trained(kind, byte_fallback), lines, tmp_path)


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_line_of_the_embedded_corpus_has_the_same_ids(lang: str, tmp_path: Path) -> None:
    """Catches a score whose sum differs in its last bit, which few lines show."""
    lines = tiny_lines(lang, "train", "valid", "test")
    assert_same(Subwords.train(lines, "unigram", vocab_size=1000), lines, tmp_path)


@needs_node
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("unigram", {"normalization_rule_name": "identity"}),
        ("bpe", {"normalization_rule_name": "nfkc_cf"}),
        ("unigram", {"remove_extra_whitespaces": False}),
        ("char", {"remove_extra_whitespaces": False}),
        ("bpe", {"add_dummy_prefix": False}),
        ("unigram", {"treat_whitespace_as_suffix": True}),
        ("bpe", {"treat_whitespace_as_suffix": True}),
        ("unigram", {"user_defined_symbols": ["ing", "<sep>", "é"]}),
        ("bpe", {"user_defined_symbols": ["ing", "<sep>", "é"]}),
        ("char", {"user_defined_symbols": ["ing", "<sep>", "é"]}),
    ],
    ids=str,
)
def test_other_settings_of_sentencepiece_are_followed(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Catches a model trained elsewhere, with heed's special subwords, whose text the page segments differently."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(tiny_lines("en", "valid")), model_writer=model, model_type=kind, vocab_size=300,
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, hard_vocab_limit=False, minloglevel=2, **settings,
    )  # fmt: skip
    assert_same(Subwords(model.getvalue()), [*tiny_lines("en", "test")[:200], *unicode_lines(500, seed=3)], tmp_path)


@needs_node
def test_bytes_in_any_order_read_as_sentencepiece_reads_them(tmp_path: Path) -> None:
    """Catches bytes that do not form a character, as a model may write them: each is one replacement character."""
    subwords = trained("bpe", byte_fallback=True)
    first = subwords.pieces(range(len(subwords))).index("<0x00>")
    choice = random.Random(4)
    # no text encodes to such bytes, so ids are given instead of text; the engine writes them with its own `spell`
    rows = [[first + choice.randrange(256) for _ in range(choice.randrange(1, 9))] for _ in range(400)]
    answers = segment(subwords, [f"ids:{' '.join(map(str, row))}" for row in rows], tmp_path)
    assert [answer["text"] for answer in answers] == [subwords.decode(row) for row in rows]


@needs_node
def test_a_word_of_20_000_letters_is_segmented_quickly(tmp_path: Path) -> None:
    """Catches a search through all pairs for each merge, which would not finish for so many letters."""
    for kind, byte_fallback in KINDS:
        if kind in ("unigram", "bpe"):
            assert_same(trained(kind, byte_fallback), ["abcde" * 4000], tmp_path)


def test_the_parser_reads_what_sentencepiece_says() -> None:
    """Catches a field that is read with the wrong number or type."""
    subwords = trained("unigram", byte_fallback=True)
    parsed = parse(subwords.model)
    assert parsed.pieces == subwords.pieces(range(len(subwords)))
    assert parsed.scores.tolist() == pytest.approx(subwords.scores)
    assert (parsed.kind, parsed.byte_fallback, parsed.dummy_prefix, parsed.unk_surface) == ("unigram", True, True, "⁇")
    assert len(parsed.charsmap) > 100_000
    assert [parsed.types[i] for i in range(4)] == [3, 2, 3, 3]
