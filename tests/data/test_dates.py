"""Generated dates: each has the right digits and the right alignment, and no date is in two splits."""

import re
from datetime import date
from typing import Any

import pytest

from heed.data.dates import DATES, MONTHS, dates
from heed.data.readers import read_corpus
from heed.errors import UserError
from heed.metrics.alignment import check_within, read_pharaoh

PAIRS = dates(train=3000).read("train")
NUMBERS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
DAYS = {
    word: number
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        start=1,
    )
} | {"thirtieth": 30}


def target(words: list[str]) -> str:
    return "".join(words)


def decided(number: int, places: range) -> str:
    """The words that the gold alignment of a pair links to some positions of its target, in order."""
    assert PAIRS.gold is not None
    sure = read_pharaoh(PAIRS.gold[number]).sure
    words = PAIRS.src[number].split()
    return " ".join(words[place] for place in sorted({src for src, tgt in sure if tgt in places}))


def year(text: str) -> int:
    if text.isdecimal():
        return int(text)
    words = text.replace(" and", "").replace(" oh", "").split()
    if words[:2] == ["two", "thousand"]:
        return 2000 + sum(NUMBERS[word] for word in words[2:])
    return 100 * NUMBERS[words[0]] + sum(NUMBERS[word] for word in words[1:] if word != "hundred")


def day(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else sum({**NUMBERS, **DAYS}[word] for word in text.split())


def test_the_words_that_are_linked_to_a_part_of_a_date_mean_that_part() -> None:
    """Catches a wrong date, a link to a neighbour of the right word, and a word without its link."""
    for number, tgt in enumerate(PAIRS.tgt):
        iso = date.fromisoformat(target(tgt.split()))
        assert year(decided(number, range(4))) == iso.year
        assert MONTHS[iso.month - 1].startswith(decided(number, range(5, 7)))
        assert day(decided(number, range(8, 10))) == iso.day


def test_every_digit_has_one_sure_link_and_hyphens_have_possible_links_to_all_words() -> None:
    """Catches digits without a sure link, and links beyond the words of a date."""
    assert PAIRS.gold is not None
    for src, gold in zip(PAIRS.src, PAIRS.gold, strict=True):
        found, words = read_pharaoh(gold), len(src.split())
        check_within(found.possible, words, 10)
        assert sorted(tgt for _, tgt in found.sure) == [0, 1, 2, 3, 5, 6, 8, 9]
        assert set(found.possible - found.sure) == {(src, tgt) for src in range(words) for tgt in (4, 7)}


def test_a_weekday_is_that_of_the_date() -> None:
    """Catches a weekday that contradicts the date."""
    named = 0
    for src, tgt in zip(PAIRS.src, PAIRS.tgt, strict=True):
        weekday = date.fromisoformat(target(tgt.split())).strftime("%A").lower()
        named += weekday in src.split()
        assert not {word for word in src.split() if word.endswith("day")} - {weekday}
    assert 0 < named < len(PAIRS)


def test_no_date_is_in_two_splits() -> None:
    """Catches a test date that is also in the training split in other words."""
    corpus = dates(train=2000, valid=300, test=500)
    each = {split: corpus.read(split).tgt for split in ("train", "valid", "test")}
    assert {split: len(lines) for split, lines in each.items()} == {"train": 2000, "valid": 300, "test": 500}
    assert len({line for lines in each.values() for line in lines}) == 2800


def test_the_seed_decides_and_the_size_of_a_later_split_does_not() -> None:
    """Catches dates that differ from one start to the next, so that a run could not continue."""
    read = read_corpus({"reader": "dates", "train": 50}).read("train")
    assert read == dates(train=50, valid=7, test=9).read("train")
    assert read.src != dates(train=50, seed=2).read("train").src


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": -1}, "corpus.train=-1: expected 0 pairs or more"),
        ({"train": DATES, "valid": 0, "test": 1}, "have 73,050 pairs together; there are 73,049 dates"),
    ],
)
def test_what_cannot_be_generated_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Catches a split that is shorter than requested."""
    with pytest.raises(UserError, match=message):
        dates(**wrong)
