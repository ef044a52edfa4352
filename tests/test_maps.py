"""Attention maps: the row of a word has the attention with which the model wrote that word, for every score."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from heed.architecture import Architecture
from heed.bundle import Bundle
from heed.data.reverse import reverse
from heed.errors import UserError
from heed.maps import (
    END,
    Level,
    Map,
    Words,
    attention_map,
    has_spaces,
    link_words,
    read_gold,
    read_lines,
    unknown_note,
    word_pieces,
    written_line,
)
from heed.metrics.alignment import Gold, Links, alignment_scores
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, Subwords
from heed.text.words import split_words
from heed.translation import Translation
from heed.translator import Translator
from tests.support.models import KINDS, build_seq2seq

PAIRS = reverse(train=12, valid=0, test=0, min_len=4, max_len=8).read("train")
DIGITS = Subwords.train(PAIRS.src, "word", 100)
ATTENTIONS: list[dict[str, Any]] = [{"score": kind} for kind in KINDS]
SEARCHES: dict[str, dict[str, Any]] = {"greedy": {}, "beam": {"beam_size": 3}}

CHINESE = ["我喜欢红色的房子", "他不喜欢小狗", "我们喜欢小猫", "红色的小房子", "他们的狗不小"] * 20


def divide(ids: list[int], subwords: Subwords, level: Level = "word") -> Words:
    return written_line(ids, subwords).divided(subwords, level)


def divide_line(line: str, subwords: Subwords, longest: int | None = None) -> Words:
    return read_lines([line], subwords, longest=longest)[0].by_word


def sharp_translator(**attention: Any) -> tuple[Seq2Seq, Translator]:
    model = sharp_model(**attention)
    return model, Translator(Bundle(model, DIGITS, DIGITS, Architecture(), {}), "float32")


def sharp_model(**attention: Any) -> Seq2Seq:
    torch.manual_seed(2)
    sizes = dict.fromkeys(("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim", "att_dim"), 16)
    model = build_seq2seq(len(DIGITS), len(DIGITS), **(sizes | attention)).double().eval()  # chaotic in float32
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(1 if "embedding" in name else 4)  # far from uniform, and another place for every word
        model.decoder.output.bias[:EOS] = -1e4  # <unk> and the like cannot be read back from a text
    return model


def source_of(model: Seq2Seq, src_ids: list[int], tgt_ids: list[int]) -> Links:
    """For each target word, the source word whose encoder state has the largest derivative of its log-probability.

    The state before the word is held fixed, so that only the attention of this step counts.
    """
    links = set()
    state, memory = model.encode(torch.tensor([[*src_ids, EOS]]), torch.tensor([len(src_ids) + 1]))
    for position, (given, wanted) in enumerate(zip([BOS, *tgt_ids], tgt_ids, strict=False)):
        values = memory.values.detach().requires_grad_()
        state = type(state)(*(part.detach() for part in state))
        logits, state, _ = model.step(torch.tensor([given]), state, memory._replace(values=values))
        (slope,) = torch.autograd.grad(torch.log_softmax(logits[0], 0)[wanted], values)
        links.add((int(slope[0, :-1].norm(dim=1).argmax()), position))
    return frozenset(links)


def error(forced: list[Translation], gold: list[Links], shift: int = 0) -> float:
    moved = [replace(one, piece_weights=one.piece_weights.roll(shift, 0)) for one in forced]
    links = [one.map().links() for one in moved]
    return alignment_scores(links, [Gold(one, one) for one in gold]).aer


@pytest.mark.parametrize("attention", ATTENTIONS, ids=str)
def test_a_map_that_is_shifted_by_one_scores_worse(attention: dict[str, Any]) -> None:
    """Catches rows of the word before or after, for example if attention is read after the state was updated."""
    model, translator = sharp_translator(**attention)
    forced = translator.force(PAIRS.src, PAIRS.tgt)
    gold = [source_of(model, one.src.ids, one.tgt.ids) for one in forced]

    shifted = min(error(forced, gold, 1), error(forced, gold, -1))
    if attention["score"] == "multi_head":  # its map is the mean over heads, which differs from the derivative
        assert error(forced, gold) < shifted - 0.1
    else:
        assert error(forced, gold) == 0.0
        assert shifted > 0.25


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("attention", ATTENTIONS, ids=str)
def test_the_map_of_a_translation_equals_the_map_of_the_forced_pass(attention: dict[str, Any], search: str) -> None:
    """Catches weights of another hypothesis, of another step or of another sentence, in every candidate."""
    _, translator = sharp_translator(**attention)
    compared = 0
    for found in translator.translate(PAIRS.src, search, n_best=None, max_len=12, **SEARCHES[search]):
        for one in found.candidates:
            if one.tgt.ids and DIGITS.encode(one.text) == one.tgt.ids:
                forced = translator.force(one.source, one.text).map()
                torch.testing.assert_close(one.map().between_words, forced.between_words, rtol=1e-3, atol=1e-4)
                compared += 1
    assert compared >= 6


def pieces_map() -> tuple[Subwords, list[int], list[int], Tensor]:
    subwords = Subwords.train(["abc abd", "bcd abc"] * 5, "char", 50)
    src_ids, tgt_ids = subwords.encode("ab c"), subwords.encode("a bc")
    weights = torch.rand(len(tgt_ids) + 1, len(src_ids) + 1)
    return subwords, src_ids, tgt_ids, weights / weights.sum(dim=1, keepdim=True)


def test_subwords_are_joined_to_words_and_the_end_is_separate() -> None:
    """Catches </s> that is joined to the last word, rows that do not sum to 1, and words at wrong rows or columns."""
    subwords, src_ids, tgt_ids, weights = pieces_map()
    words = attention_map(weights, divide(src_ids, subwords), divide(tgt_ids, subwords))
    assert (words.src, words.tgt) == (["ab", "c"], ["a", "bc"])
    assert words.between_words.shape == (2, 2)
    torch.testing.assert_close(words.weights.sum(dim=1), torch.ones(3))
    torch.testing.assert_close(words.weights[-1, -1], weights[-1, -1])
    shown = words.with_end()
    assert (shown.src, shown.tgt) == (["ab", "c", END], ["a", "bc", END])
    assert shown.weights.shape == (3, 3)


@pytest.mark.parametrize(("on_end", "columns"), [(0.6, 3), (0.4, 2)])
def test_a_picture_shows_the_end_if_a_word_attends_mostly_to_it(on_end: float, columns: int) -> None:
    """Catches a row whose weight is mostly on </s> and is drawn as if it attended to a word with a small share."""
    rest = (1 - on_end) / 2
    weights = torch.tensor([[0.9, 0.1, 0.0], [rest, rest, on_end], [0.0, 0.1, 0.9]])  # the last row is that of </s>
    found = Map(weights, ["a", "b"], ["x", "y"])
    assert torch.equal(found.pictured().weights, weights[:2, :columns])
    assert (found.pictured().src, found.pictured().tgt) == (["a", "b", "</s>"][:columns], ["x", "y"])
    assert found.pictured(end=True) == found.with_end()


def test_the_map_of_subwords_equals_their_weights() -> None:
    """Catches a level that is ignored."""
    subwords, src_ids, tgt_ids, weights = pieces_map()
    pieces = attention_map(weights, divide(src_ids, subwords, "piece"), divide(tgt_ids, subwords, "piece"))
    assert pieces.src == subwords.pieces(src_ids)
    torch.testing.assert_close(pieces.weights, weights)


def test_a_threshold_links_to_several_words_or_to_none() -> None:
    """Catches a threshold that is ignored, and source and target swapped."""
    found = Map(torch.tensor([[0.5, 0.4, 0.1], [0.2, 0.1, 0.7]]), ["a", "b"], ["x", "y"])
    assert found.links() == {(0, 0), (0, 1)}
    assert found.links(0.3) == {(0, 0), (1, 0)}


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_a_sentence_written_without_spaces_is_read_by_its_subwords(kind: Any) -> None:
    """Catches a Chinese sentence taken for one word, whose map would be a single column."""
    subwords = Subwords.train(CHINESE, kind, 30)
    ids = subwords.encode(CHINESE[0])
    words, index = divide(ids, subwords)
    assert "".join(words) == CHINESE[0]
    assert all(words)
    assert len(words) > 1
    assert index == sorted(index)
    assert set(index) == set(range(len(words)))


def test_a_sentence_divided_by_spaces_keeps_its_words() -> None:
    """Catches maps of segmented Chinese that count other words than gold alignments, and divided Latin words."""
    subwords = Subwords.train([*CHINESE, "我 喜欢 猫", "houses"] * 10, "unigram", 60)
    assert divide(subwords.encode("我 喜欢 猫"), subwords)[0] == ["我", "喜欢", "猫"]
    assert divide(subwords.encode("houses"), subwords)[0] == ["houses"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0-0", "1-1 2-2"], "news.gold, line 2: alignment link 2-2 in a pair of 2 source and 2 target words"),
        (["0-0", "x"], "news.gold, line 2: alignment link 'x'"),
        (["0-0", "2?0"], "news.gold, line 2: alignment link 2-0"),
    ],
)
def test_gold_that_does_not_belong_here_is_reported_by_its_line(lines: list[str], message: str) -> None:
    """Catches gold counted from 1, which would give an AER near 1 without a hint about the reason."""
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        read_gold(lines, [(2, 2)] * 2, "news.gold")


def test_gold_of_the_other_direction_is_reported() -> None:
    """Catches an error without the hint that gold has its sides exchanged."""
    with pytest.raises(UserError, match=r"line 2: .* all lines fit with exchanged sides.*turn_gold"):
        read_gold(["0-0", "1-2"], [(2, 2), (3, 2)], "news.gold")
    with pytest.raises(UserError) as caught:
        read_gold(["0-0", "3-3"], [(2, 2), (3, 2)], "news.gold")
    assert "exchanged" not in str(caught.value)


ODD = ["a\u200cb c", "a\u200bb c", "a \u200f b", "a \ufdfa b", "\ufeff a b", "a \u200b b c", "a\u3000b c", "a \xad b"]
"""Lines whose words normalisation divides, adds or drops: non-joiner, zero-width space, direction marks, U+FDFA."""


@pytest.mark.parametrize("line", ODD)
@pytest.mark.parametrize("kind", ["unigram", "bpe", "char", "word"])
def test_words_are_those_of_the_line(line: str, kind: Any) -> None:
    """Catches words that are counted after normalisation, so that links after such a word are off by one."""
    subwords = Subwords.train(["a b c ab abc bc"] * 5, kind, 12)
    words, index = divide_line(line, subwords)
    ids = subwords.encode(line)
    assert len(words) == len(split_words(line))
    assert len(index) == len(ids)
    for number, word in enumerate(split_words(line)):
        assert [piece for piece, own in zip(ids, index, strict=True) if own == number] == subwords.encode(word)


def test_a_word_without_subwords_has_no_weight_and_no_link() -> None:
    """Catches a division by zero, links of a word without subwords, and links of later words that are off by one."""
    subwords = Subwords.train(["a b c"] * 5, "word", 12)
    source, target = "a \ufeff b", "\u200f a b"
    weights = torch.tensor([[0.1, 0.7, 0.2], [0.6, 0.1, 0.3], [0.0, 0.0, 1.0]])
    found = attention_map(weights, divide_line(source, subwords), divide_line(target, subwords))
    assert found.size == (3, 3)
    torch.testing.assert_close(found.between_words, torch.tensor([[0, 0, 0], [0.1, 0, 0.7], [0.6, 0, 0.1]]))
    assert found.links() == {(2, 1), (0, 2)}
    assert found.health().tgt_len == 2
    assert read_gold(["2-2 1-0"], [found.size], "gold")


def test_words_past_the_subwords_that_are_read_are_words_without_links() -> None:
    """Catches correct gold of a long line that is refused because only the beginning of the line was read."""
    subwords = Subwords.train(["a b c"] * 5, "word", 12)
    source, target = (divide_line("a b c a b", subwords, longest) for longest in (3, 2))
    found = attention_map(torch.full((3, 4), 0.25), source, target)
    assert found.size == (5, 5)
    assert {tgt for _, tgt in found.links()} == {0, 1}
    assert not found.between_words[:, 3:].any()
    assert read_gold(["4-4"], [found.size], "gold")
    (cut,) = read_lines(["a b c a b"], subwords, longest=3)
    assert len(cut.divided(subwords, "piece").words) == 3


TEXTS = [
    [*ODD, "a b c", "", "\ufeff", f"a {CHINESE[0]}", "ｶﾅ", "a"],
    [*CHINESE[:5], "", "a b", f"a {CHINESE[0]}", "ｶﾅ"],
]


@pytest.mark.parametrize("lines", TEXTS, ids=["spaced", "unspaced"])
@pytest.mark.parametrize("kind", ["unigram", "bpe", "char", "word"])
def test_subwords_of_words_in_bulk_are_those_of_each_line(kind: Any, lines: list[str]) -> None:
    """Catches words of another line, words without subwords that are left out, and sentences taken for one word."""
    subwords = Subwords.train([*CHINESE, "a b c ab abc bc カナ"] * 5, kind, 40)
    found = word_pieces(lines, subwords)
    for number, line in enumerate(read_lines(lines, subwords, has_spaces(lines))):
        assert found.row(number).tolist() == [line.word_index.count(word) for word in range(len(line.words))]


SEGMENTED = ["我 喜欢 猫", "他 不 喜欢 小 狗", "谢谢", "我们 的 房子"]


@pytest.mark.parametrize(
    ("lines", "spaced"),
    [
        (["a b", "c"], True),
        ([], True),
        (SEGMENTED, True),
        (CHINESE[:4], False),
        ([*CHINESE[:4], "我 喜欢", "a b"], False),
        (["the 猫 sleeps", "a dog"], True),
    ],
)
def test_words_or_subwords_are_chosen_once_for_a_text(lines: list[str], spaced: bool) -> None:
    """Catches a line of one word in segmented text that is divided into subwords, but is one word in the gold."""
    subwords = Subwords.train([*SEGMENTED, *CHINESE, "a b c the dog sleeps"] * 5, "char", 60)
    assert has_spaces(lines) is spaced
    for line in read_lines(lines, subwords, has_spaces(lines)):
        expected = line.text.split() if spaced else subwords.pieces(line.ids)
        assert len(line.words) == len([piece for piece in expected if piece != "▁"])
        assert "".join(line.words) == "".join(line.text.split())
        assert set(line.word_index) <= set(range(len(line.words)))


def test_unknown_words_are_shown_as_they_were_typed_and_marked() -> None:
    """Catches `⁇` instead of a word, a mark on another word, and a mark that is stored in the words."""
    subwords = Subwords.train(["a b c"] * 5, "char", 12)
    (line,) = read_lines(["a 猫b c"], subwords)
    assert line.words == ["a", "猫b", "c"]
    assert line.unknown == {1}
    assert line.marked(line.words) == ["a", "猫b⁇", "c"]


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_text_without_spaces_is_shown_as_it_was_typed(byte_fallback: bool) -> None:
    """Catches `⁇` for a character, a normalised character, and bytes that are words of their own."""
    size = 300 if byte_fallback else 20
    subwords = Subwords.train(["猫が寝る!", "犬が走る。"] * 5, "unigram", size, byte_fallback=byte_fallback)
    (line,) = read_lines(["龍が走る！！"], subwords)
    assert "".join(line.words) == line.text
    assert line.words[0] == "龍"
    assert line.unknown == (frozenset() if byte_fallback else {0})
    assert "" not in line.words
    assert max(line.word_index) == len(line.words) - 1


def test_many_unknown_words_are_noted() -> None:
    """Catches a missing note about many unknown words, and a note about a single rare word."""
    subwords = Subwords.train(["a b c"] * 5, "char", 12)
    assert unknown_note("target", read_lines(["a b c"] * 30 + ["«a c"], subwords)) == []
    (note,) = unknown_note("target", read_lines(["«a b c»", "a b"], subwords))
    assert note.startswith("2 of 5 target words contain characters that the model does not know, such as «a; ")
    assert unknown_note("target", []) == []


def test_two_directions_that_divide_a_line_differently_are_not_merged() -> None:
    """Catches merged links of two models that number different words."""
    one, other = (Map(torch.ones(1, count + 1), [str(i) for i in range(count)], ["x"]) for count in (1, 2))
    turned = Map(torch.ones(2, 2), ["x"], ["0", "1"])
    assert link_words([other], reverse=[turned]) == [frozenset({(0, 0)})]
    with pytest.raises(UserError, match="line 1: the two models divide its source differently, into 1 and 2 units"):
        link_words([one], reverse=[turned])


def test_agreement_lets_the_more_certain_direction_decide() -> None:
    """Catches weights that are added, links of only one direction, and a map that is not transposed."""
    words, others = ["a", "b"], ["x", "y", "z"]
    torn = torch.tensor([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.0, 0.0, 1.0]])  # a row for x, y, z; </s> last
    sure = torch.tensor([[0.2, 0.8, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0]])  # a row for a, b
    forward, backward = Map(torn, words, others), Map(sure, others, words)
    assert link_words([forward], reverse=[backward], symmetrisation="intersection") == [frozenset()]
    assert link_words([forward], reverse=[backward], symmetrisation="agreement") == [frozenset({(0, 1), (1, 0)})]
    assert link_words([backward], reverse=[forward], symmetrisation="agreement") == [frozenset({(1, 0), (0, 1)})]
    assert link_words([forward], reverse=[backward]) == [frozenset({(0, 1), (1, 0)})], "agreement is the default"
    low = link_words([forward], 0.3, [backward], "agreement")
    assert low == [frozenset({(0, 0), (0, 1), (1, 0)})]
