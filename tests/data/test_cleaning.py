"""Cleaning: dropped pairs are counted by reason, and the others stay paired."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data.cleaning import clean, empty, letters
from heed.data.corpus import Pairs
from heed.errors import UserError

FAULTY = Pairs(
    src=["a dog", "", "a cat", "a b c d", "x" * 30, "a dog", "a dog", "no"],
    tgt=["ein Hund", "leer", " \t", "a b", "y" * 30, "ein Hund", "der Hund", "n" * 25],
    gold=["0", "1", "2", "3", "4", "5", "6", "7"],
)


def test_each_fault_is_counted_and_gold_follows_what_stays() -> None:
    """Catches gold alignments that are not dropped with their pair, so that all later ones are shifted."""
    kept, report = clean(FAULTY, max_len=3, max_ratio=2.5, max_characters=28)
    assert kept == Pairs(["a dog", "a dog"], ["ein Hund", "der Hund"], ["0", "6"], [1, 7])
    assert (report.read, report.kept) == (8, 2)
    assert report.dropped == {
        "empty": 2,
        "over 3 words": 1,
        "over 28 characters": 1,
        "length ratio over 2.5": 1,
        "duplicate": 1,
    }


def test_duplicates_stay_if_they_are_wanted() -> None:
    """Catches duplicates that are kept but counted as dropped."""
    pairs = Pairs(["a dog", "a dog", "", "a dog"], ["un chien", "un chien", "", "le chien"])
    kept, report = clean(pairs, keep_duplicates=True)
    assert kept == Pairs(["a dog", "a dog", "a dog"], ["un chien", "un chien", "le chien"])
    assert "duplicate" not in report.dropped
    assert (sum(report.dropped.values()), report.kept) == (1, 3)


@given(st.lists(st.tuples(st.text("ab ", max_size=30), st.text("ab ", max_size=30))))
def test_every_pair_is_either_kept_or_counted(rows: list[tuple[str, str]]) -> None:
    """Catches a pair that vanishes uncounted, or is counted twice because it has two faults."""
    pairs = Pairs(["good", *(src for src, _ in rows)], ["gut", *(tgt for _, tgt in rows)])
    kept, report = clean(pairs, max_len=5, max_ratio=2.0, max_characters=20)
    assert report.read == len(pairs) == report.kept + sum(report.dropped.values())
    assert report.kept == len(kept) == len(kept.tgt)
    assert clean(kept, max_len=5, max_ratio=2.0, max_characters=20)[0] == kept
    assert empty(kept) == 0


def test_a_good_corpus_is_kept_as_it_is() -> None:
    pairs = Pairs(["Run!", "a dog"], ["Prenez vos jambes à votre cou !", "un chien"])
    assert clean(pairs)[0] == pairs


def test_text_without_spaces_is_limited_by_its_characters() -> None:
    """Catches a limit in words alone: a Chinese line of any length is one word."""
    kept, report = clean(Pairs(["狗" * 2000, "狗"], ["犬" * 2000, "犬"]))
    assert kept.src == ["狗"]
    assert report.dropped["over 1000 characters"] == 1


def test_a_corpus_of_which_nothing_is_kept_is_refused_with_the_reasons() -> None:
    with pytest.raises(UserError, match=r"all 2 pairs were dropped \(empty: 1, over 1 words: 1\); check the training"):
        clean(Pairs(["", "a b"], ["x", "a b"]), max_len=1)


@pytest.mark.parametrize("wrong", [{"max_len": 0}, {"max_ratio": 0.5}, {"max_characters": -3}])
def test_a_limit_that_keeps_nothing_is_refused(wrong: dict[str, Any]) -> None:
    ((key, value),) = wrong.items()
    with pytest.raises(UserError, match=f"{key}={value}.*expected 1 or more"):
        clean(FAULTY, **wrong)


def test_lengths_compare_across_scripts() -> None:
    """Catches correct pairs that are dropped because the script of one side needs fewer characters."""
    pairs = Pairs(
        [
            "The committee decided yesterday that the meeting would be postponed until the end of next month.",
            "Please keep your ticket until you have left the station.",
            "The weather was so beautiful that we went for a long walk along the river.",
            "Where is the nearest station?",
        ],
        [
            "委员会昨天决定将会议推迟到下个月底。",
            "駅を出るまで切符をお持ちください。",
            "날씨가 너무 좋아서 우리는 강을 따라 오래 걸었다.",
            "x" * 200,
        ],
    )
    kept, _ = clean(pairs)
    assert kept.tgt == pairs.tgt[:3]
    assert letters("long, œuvre") == len("long, œuvre")
