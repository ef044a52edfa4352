from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heed.errors import UserError
from heed.metrics.alignment import (
    Gold,
    Links,
    alignment_scores,
    argmax_links,
    check_within,
    merge_words,
    misfits,
    read_pharaoh,
    threshold_links,
    write_pharaoh,
    write_weights,
)

ALL_LINKS = st.frozensets(st.tuples(st.integers(0, 12), st.integers(0, 12)))


def links(line: str) -> Links:
    return read_pharaoh(line).sure


def test_reads_sure_and_possible_links() -> None:
    gold = read_pharaoh(" 0-0 1-2\t2?1 3p10\n")
    assert gold.sure == {(0, 0), (1, 2)}
    assert gold.possible == {(0, 0), (1, 2), (2, 1), (3, 10)}
    assert read_pharaoh("") == Gold(frozenset(), frozenset())


@pytest.mark.parametrize("line", ["1", "1-", "a-b", "0-0,1-1", "1--2", "-1-2", "1 - 2", "0-1-2", "²-1"])
def test_refuses_what_is_not_a_link(line: str) -> None:
    with pytest.raises(UserError, match="expected SOURCE-TARGET"):
        read_pharaoh(line)


@given(ALL_LINKS)
def test_writes_what_it_reads(found: Links) -> None:
    assert read_pharaoh(write_pharaoh(found)).sure == found


def test_links_are_written_by_number() -> None:
    """Catches sorting as text, which puts 10 before 2."""
    assert write_pharaoh(frozenset({(10, 0), (2, 1), (2, 0)})) == "2-0 2-1 10-0"


def test_gold_counted_from_one_is_noticed() -> None:
    check_within(links("0-0 2-1"), src_len=3, tgt_len=2)
    with pytest.raises(UserError, match="link 3-2 in a pair of 3 source and 2 target words"):
        check_within(links("1-1 3-2"), src_len=3, tgt_len=2)
    with pytest.raises(UserError, match="link 0-2"):
        check_within(links("0-2"), src_len=3, tgt_len=2)


def test_merges_by_hand() -> None:
    """Three source subwords in two words, three target subwords in two words: columns summed, rows averaged."""
    weights = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8], [0.0, 0.9, 0.1]])
    merged = merge_words(weights, src_words=[0, 0, 1], tgt_words=[0, 1, 1])
    torch.testing.assert_close(merged, torch.tensor([[0.7, 0.3], [0.55, 0.45]]))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_merging_keeps_every_row_a_distribution(src_sizes: list[int], tgt_sizes: list[int]) -> None:
    """Catches rows that are summed and columns that are averaged, instead of the other way round."""
    src_words = [word for word, size in enumerate(src_sizes) for _ in range(size)]
    tgt_words = [word for word, size in enumerate(tgt_sizes) for _ in range(size)]
    weights = torch.rand(len(tgt_words), len(src_words), generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    merged = merge_words(weights, src_words, tgt_words)
    assert merged.shape == (len(tgt_sizes), len(src_sizes))
    torch.testing.assert_close(merged.sum(dim=1), torch.ones(len(tgt_sizes)))


def test_merging_words_of_one_subword_changes_nothing() -> None:
    weights = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    assert merge_words(weights, range(4), range(3)).equal(weights)


def test_merging_keeps_the_dtype_of_half_precision() -> None:
    assert merge_words(torch.full((2, 2), 0.5, dtype=torch.bfloat16), [0, 0], [0, 1]).dtype is torch.bfloat16


def test_merging_an_empty_translation() -> None:
    assert merge_words(torch.zeros(0, 2), [0, 1], []).shape == (0, 2)


def test_merging_refuses_the_column_of_eos_left_in() -> None:
    """Catches maps shifted by one: word numbers for fewer subwords than the weights have columns."""
    with pytest.raises(ValueError, match=r"shape \(2, 3\) for 2 target, 2 source subwords"):
        merge_words(torch.rand(2, 3), [0, 1], [0, 1])
    with pytest.raises(ValueError, match="every number from 0"):
        merge_words(torch.rand(1, 2), [0, 2], [0])


def test_argmax_links_are_source_first() -> None:
    """The adjective after the noun: "the black cat" to "le chat noir" crosses. Catches (target, source) pairs."""
    weights = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.1, 0.6, 0.3], [0.1, 0.1, 0.8]])
    assert write_pharaoh(argmax_links(weights)) == "0-0 1-2 2-1 2-3"
    assert argmax_links(torch.zeros(0, 3)) == frozenset()
    assert argmax_links(torch.zeros(3, 0)) == frozenset()


def test_threshold_links_by_hand() -> None:
    weights = torch.tensor([[0.5, 0.5, 0.0], [0.3, 0.3, 0.4]])
    assert write_pharaoh(threshold_links(weights, 0.5)) == "0-0 1-0"
    assert write_pharaoh(threshold_links(weights, 0.4)) == "0-0 1-0 2-1"
    assert threshold_links(weights, 0.6) == frozenset()
    with pytest.raises(UserError, match="threshold of 0"):
        threshold_links(weights, 0.0)


# NLTK's alignment_error_rate gives the same four error rates.
@pytest.mark.parametrize(
    ("found", "gold", "precision", "recall", "aer"),
    [
        # 4 links, 2 of 3 sure ones among them, 3 of them possible: 1 - (2 + 3) / (4 + 3)
        ("0-0 1-2 2-1 3-4", "0-0 1-2 3-3 2?1 2?2", 3 / 4, 2 / 3, 2 / 7),
        ("0-0 1-1 3-0 3-3", "0?3 1?3 3?0 3?3", 2 / 4, 1.0, 1 / 2),
        ("2-1 2-3 3-0 3-1", "0-1 1-0 1-3 2-0 3-0 2?2", 1 / 4, 1 / 5, 7 / 9),
        ("1-0 2-1 2-3 3-0 3-2", "2-1 2-3 0?1", 2 / 5, 1.0, 3 / 7),
    ],
)
def test_scores_by_hand(found: str, gold: str, precision: float, recall: float, aer: float) -> None:
    scores = alignment_scores([links(found)], [read_pharaoh(gold)])
    assert scores.precision == pytest.approx(precision)
    assert scores.recall == pytest.approx(recall)
    assert scores.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores.aer == pytest.approx(aer)


@given(ALL_LINKS, ALL_LINKS, ALL_LINKS)
def test_no_error_when_all_sure_and_nothing_impossible(sure: Links, possible: Links, extra: Links) -> None:
    gold = Gold(sure, sure | possible)
    scores = alignment_scores([sure | (extra & possible)], [gold])
    assert scores == (1.0, 1.0, 1.0, 0.0)


def test_counts_are_summed_before_dividing() -> None:
    """Catches a mean over sentences, in which a pair of two words weighs as much as one of twenty."""
    gold = [read_pharaoh("0-0 1-1 2-2 3-3"), read_pharaoh("0-0")]
    scores = alignment_scores([links("0-0 1-1 2-2 3-3"), links("1-1")], gold)
    assert scores.precision == scores.recall == pytest.approx(4 / 5)
    assert scores.aer == pytest.approx(1 - 8 / 10)


def test_possible_links_need_not_repeat_the_sure_ones() -> None:
    assert alignment_scores([links("0-0")], [Gold(links("0-0"), frozenset())]).aer == 0.0


def test_finding_nothing_is_all_wrong() -> None:
    assert alignment_scores([frozenset()], [read_pharaoh("0-0")]) == (1.0, 0.0, 0.0, 1.0)


def test_refuses_unequal_numbers_of_sentences() -> None:
    with pytest.raises(UserError, match="1 alignments and 2 gold"):
        alignment_scores([frozenset()], [read_pharaoh(""), read_pharaoh("")])


def test_soft_weights_come_back(tmp_path: Path) -> None:
    """Catches a wrong order of lines after the tenth, and a suffix that numpy adds to the given name."""
    sentences = [torch.rand(1 + line % 3, 2) for line in range(12)]
    path = tmp_path / "weights.part"
    write_weights(path, sentences)
    with np.load(path) as arrays:
        assert len(arrays.files) == 12
        for line, weights in enumerate(sentences):
            np.testing.assert_array_equal(arrays[str(line)], weights.numpy())


def one_pair(size: int, base: int = 0, last: bool = True) -> Gold:
    links = frozenset((i + base, i + base) for i in range(size - (0 if last else 1)))
    return Gold(links, links)


def test_gold_that_counts_from_one_is_noticed() -> None:
    """Catches a wrong file that goes unnoticed, for example as an AER of 0.4, and a note about a correct file."""
    sizes = [(count, count) for count in range(3, 33)]
    good = [one_pair(count) for count, _ in sizes]
    assert misfits(good, sizes) == []
    shifted = [one_pair(count, base=1, last=False) for count, _ in sizes]
    assert misfits(shifted, sizes) == [
        "no link in 30 lines is to word 0; words seem to be counted from 1, expected from 0"
    ]
    assert misfits([good[0], *shifted[1:]], sizes) == []
    assert misfits(shifted[:10], sizes[:10]) == []
    assert misfits([Gold(frozenset(), frozenset())] * 30, sizes) == []


def test_gold_of_another_division_into_words_is_noticed() -> None:
    """Catches gold that counts words with their punctuation, for a tokenised text: no number is out of range."""
    sizes = [(count, count + 2) for count in range(3, 33)]
    found = misfits([one_pair(count) for count, _ in sizes], sizes)
    assert [note.partition(" is linked in 0 of 30 lines")[0] for note in found] == ["the last target word"]
    some = [one_pair(count + 2 * (count % 7 == 0)) for count, _ in sizes]
    assert len(misfits(some, [(target, target) for _, target in sizes])) == 2
