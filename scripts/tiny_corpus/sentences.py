"""The sentence patterns and how often each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import combinations, questions, relatives, statements
from .events import weighted
from .surface import Sentence

PATTERNS: dict[Callable[[Random], Sentence], float] = {
    statements.plain: 30,
    statements.modal: 8,
    statements.copula: 8,
    statements.profession: 1.5,
    statements.there_is: 3,
    statements.located: 3,
    statements.idiom: 2,
    statements.comparison: 3,
    statements.this_is: 2.5,
    statements.part_of: 3,
    statements.the_house_where: 1.5,
    relatives.object_relative: 5,
    questions.yes_no: 6,
    questions.is_it: 2,
    questions.where: 1.5,
    questions.why: 1.5,
    questions.when: 1.5,
    questions.who_does: 2.5,
    questions.what: 2.5,
    questions.how_many: 2,
    combinations.take_up: 4,
    combinations.contrast: 3,
    combinations.because: 3.5,
    combinations.if_then: 3,
    combinations.when: 3,
    combinations.that_clause: 4,
}


def sentence(rng: Random) -> Sentence:
    """One pair from a pattern drawn by its weight."""
    return weighted(rng, PATTERNS)(rng)
