"""A generated corpus for teaching: dates in English words, and the same dates in digits, with gold alignments.

the third of march nineteen eighty four   ->   1 9 8 4 - 0 3 - 0 3

Spaces separate the digits of ISO 8601, so that each digit is a word and has its own row in attention maps.
"""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

from heed.data.corpus import Corpus, Pairs
from heed.errors import UserError

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
DATES = (LAST - FIRST).days + 1

UNITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


class Word(NamedTuple):
    """A word of a source, and the positions of the target that depend on it.

    Positions 0 to 3 are the year, 5 and 6 the month, 8 and 9 the day.
    """

    text: str
    places: tuple[int, ...] = ()


def dates(name: str = "dates", train: int = 10_000, valid: int = 500, test: int = 1_000, seed: int = 1) -> Corpus:
    """A corpus of dates from 1900 to 2099, in words or numerals, with or without a weekday.

    No date occurs twice, within a split or across splits.

    Args:
        name: the name of the corpus.
        train, valid, test: the numbers of pairs.
        seed: the seed for drawing the dates.

    Raises:
        UserError: a number is below 0, or all together are more than the dates of these years.
    """
    for split, size in {"train": train, "valid": valid, "test": test}.items():
        if size < 0:
            raise UserError(f"corpus.{split}={size}: expected 0 pairs or more")
    if (together := train + valid + test) > DATES:
        raise UserError(f"corpus.train, valid and test have {together:,} pairs together; there are {DATES:,} dates")
    starts = {"train": (0, train), "valid": (train, valid), "test": (train + valid, test)}
    splits = {split: partial(_pairs, seed, start, size) for split, (start, size) in starts.items() if size}
    return Corpus(name, "words", "iso", splits)


def _pairs(seed: int, start: int, size: int) -> Pairs:
    days = list(range(DATES))
    random.Random(seed).shuffle(days)
    chosen = [FIRST + timedelta(day) for day in days[start : start + size]]
    sources = [written(day, random.Random(f"{seed} {day}")) for day in chosen]
    return Pairs(
        src=[" ".join(word.text for word in words) for words in sources],
        tgt=[" ".join(day.isoformat()) for day in chosen],
        gold=[" ".join(_links(words)) for words in sources],
    )


def _links(words: Sequence[Word]) -> list[str]:
    """Sure links of each word to the digits that depend on it, and possible links of every word to the hyphens."""
    sure = [f"{place}-{target}" for place, word in enumerate(words) for target in word.places]
    return sure + [f"{place}?{hyphen}" for place in range(len(words)) for hyphen in (4, 7)]


def written(day: date, generator: random.Random) -> list[Word]:
    """Write a date in one of many English ways, drawn by `generator`."""
    in_words, choose = generator.random() < 0.5, generator.choice
    month = Word(choose((MONTHS[day.month - 1], MONTHS[day.month - 1][:3])), (5, 6))
    number = _day(day.day, in_words, generator)
    year = _year(day.year, in_words or generator.random() < 0.3, generator)
    of, the = choose(([Word("of")], [])), choose(([Word("the")], []))
    before, after = [*the, *number, *of, month], [month, *the, *number]
    ordered = choose(([*before, *year], [*after, *year], [*year, *after], [Word("in"), *year, Word("on"), *before]))
    weekday = choose(([], [Word(WEEKDAYS[day.weekday()])]))
    return [*weekday, *ordered]


def _day(day: int, in_words: bool, generator: random.Random) -> list[Word]:
    if not in_words:
        suffix = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        return [Word(generator.choice((f"{day}", f"{day}{suffix}")), (8, 9))]
    if day <= 20:
        return [Word(ORDINALS[day - 1], (8, 9))]
    if day == 30:
        return [Word("thirtieth", (8, 9))]
    return [Word(TENS[day // 10 - 2], (8,)), Word(ORDINALS[day % 10 - 1], (9,))]


def _year(year: int, in_words: bool, generator: random.Random) -> list[Word]:
    if not in_words:
        return [Word(str(year), (0, 1, 2, 3))]
    century, rest = divmod(year, 100)
    if century == 20 and (rest < 10 or generator.random() < 0.3):
        if rest == 0:
            return [Word("two", (0,)), Word("thousand", (1, 2, 3))]
        return [Word("two", (0,)), Word("thousand", (1,)), Word("and"), *_two_digits(rest)]
    first = Word("nineteen" if century == 19 else "twenty", (0, 1))
    if rest == 0:
        return [first, Word("hundred", (2, 3))]
    return [first, *([Word("oh", (2,)), Word(UNITS[rest], (3,))] if rest < 10 else _two_digits(rest))]


def _two_digits(number: int) -> list[Word]:
    """The last two digits of a year, from 01 to 99, in words."""
    if number < 10:
        return [Word(UNITS[number], (2, 3))]
    if number < 20:
        return [Word(TEENS[number - 10], (2, 3))]
    tens = TENS[number // 10 - 2]
    return [Word(tens, (2,)), Word(UNITS[number % 10], (3,))] if number % 10 else [Word(tens, (2, 3))]
