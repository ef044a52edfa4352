"""The targets of guided attention, computed by hand, and that training on them works."""

from dataclasses import replace

import pytest
import torch

from heed.data.batches import SortedBatches
from heed.data.cleaning import clean
from heed.data.corpus import Pairs
from heed.data.encoded import encode
from heed.errors import UserError
from heed.metrics.loss import guided_attention
from heed.text.subwords import Subwords
from heed.training.guide import Guide

# in a vocabulary of characters, the subwords of a word are the mark ▁ and its letters: three for "bb"
PAIRS = Pairs(["a bb", "a"], ["bb a", "a"], ["0-1 1-0", "0?0"])


@pytest.fixture(scope="module")
def characters() -> Subwords:
    return Subwords.train(["a bb a", "bb"], kind="char", vocab_size=100)


def test_words_become_their_subwords_and_eos_attends_to_eos(characters: Subwords) -> None:
    """Catches rows and columns swapped, shares that do not sum to one, and missing subwords or possible links."""
    encoded = encode(PAIRS, characters, characters)
    (batch,) = list(SortedBatches(encoded, sentences=2))
    target = Guide(PAIRS, characters, characters).target(batch)
    pieces = [characters.pieces(encoded.src(pair).tolist()) for pair in batch.index.tolist()]
    assert pieces == [["▁", "a"], ["▁", "a", "▁", "b", "b"]]
    half, third = 1 / 2, 1 / 3
    expected = [
        # "▁a" from "▁a", by a link that is only possible; then EOS; the rest is padding
        [[half, half, 0, 0, 0, 0]] * 2 + [[0, 0, 1, 0, 0, 0]] + [[0] * 6] * 3,
        # "▁bb" from the second word, "▁a" from the first, EOS from EOS
        [[0, 0, third, third, third, 0]] * 3 + [[half, half, 0, 0, 0, 0]] * 2 + [[0, 0, 0, 0, 0, 1]],
    ]
    torch.testing.assert_close(target, torch.tensor(expected, dtype=torch.float32))


def test_a_word_without_a_link_has_no_target(characters: Subwords) -> None:
    """Catches a row of zeros that is taken for a distribution, which would give a wrong loss or a division by zero."""
    pairs = Pairs(["a bb"], ["bb a"], ["0-1"])
    (batch,) = list(SortedBatches(encode(pairs, characters, characters), sentences=1))
    target = Guide(pairs, characters, characters).target(batch)
    assert not target[0, :3].any()
    weights = torch.softmax(torch.randn(target.shape), dim=-1).requires_grad_()
    guided_attention(weights, target).backward()
    assert weights.grad is not None
    assert not weights.grad[0, :3].any()
    assert weights.grad[0, 3:].any()


def test_an_end_that_cannot_be_attended_to_has_no_target(characters: Subwords) -> None:
    """Catches a target for a weight that is always 0: it would add 20 nats to every loss, without a gradient."""
    (batch,) = list(SortedBatches(encode(PAIRS, characters, characters), sentences=2))
    whole, without = (Guide(PAIRS, characters, characters, attend_end=end).target(batch) for end in (True, False))
    asked = whole - without
    assert asked.sum() == 2
    assert asked[0, 2, 2] == asked[1, 5, 5] == 1


def test_the_loss_is_least_if_attention_equals_the_target() -> None:
    """The loss is a cross entropy: its minimum is the entropy of the target, and it is never infinite."""
    wanted = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]])
    assert guided_attention(wanted, wanted).item() == pytest.approx(torch.tensor(2.0).log().item())
    assert guided_attention(torch.full_like(wanted, 1 / 3), wanted) > guided_attention(wanted, wanted)
    assert guided_attention(wanted.flip(2), wanted).isfinite()


def test_without_alignments_guided_attention_is_refused(characters: Subwords) -> None:
    with pytest.raises(UserError, match=r"guided_attention needs word alignments of the training split"):
        Guide(Pairs(["a"], ["a"], None), characters, characters)


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("0-2", "line 2: alignment link 0-2 in a pair of 1 source and 1 target words"),
        ("x", "line 2: alignment link 'x'"),
    ],
)
def test_alignments_that_do_not_belong_are_reported_by_their_line(
    characters: Subwords, gold: str, message: str
) -> None:
    """Catches links counted from 1, which would guide attention to the next word, and a message without the line."""
    pairs = replace(PAIRS, gold=["0-1 1-0", gold])
    with pytest.raises(UserError, match=f"gold alignment of the training split, {message}"):
        Guide(pairs, characters, characters)


def test_words_are_counted_before_normalisation(characters: Subwords) -> None:
    """Catches links that are off by one after a word that normalisation removes."""
    pairs = Pairs(["\ufeff bb"], ["a"], ["1-0"])
    (batch,) = list(SortedBatches(encode(pairs, characters, characters), sentences=1))
    target = Guide(pairs, characters, characters).target(batch)
    torch.testing.assert_close(target[0, 0], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0]))


def test_alignments_are_reported_by_the_line_of_the_file(characters: Subwords) -> None:
    """Catches a line number that does not count lines dropped by cleaning, so that a person corrects another line."""
    pairs = Pairs(["a", "", "a", "bb"], ["a", "", "a", "bb"], ["0-0", "", "0-0", "0-7"])
    with pytest.raises(UserError, match="gold alignment of the training split, line 4: alignment link 0-7"):
        Guide(clean(pairs)[0], characters, characters)
