"""The sentence patterns and how often each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import combinations, descriptions, questions, relatives, statements
from .events import weighted
from .surface import Sentence

PATTERNS: dict[Callable[[Random], Sentence], float] = {
    statements.plain: 26,
    statements.modal: 8,
    descriptions.copula: 6,
    descriptions.profession: 1.5,
    descriptions.there_is: 3,
    descriptions.located: 3,
    descriptions.idiom: 2,
    descriptions.comparison: 5,
    descriptions.this_is: 2.5,
    statements.part_is: 1.5,
    statements.doing_to_part: 2,
    statements.the_house_where: 1.5,
    relatives.object_relative: 7,
    questions.yes_no: 6,
    descriptions.is_it: 2,
    questions.where: 1.5,
    questions.why: 1.5,
    questions.when: 1.5,
    questions.who_does: 2.5,
    questions.what: 2.5,
    questions.how_many: 2,
    combinations.take_up: 5,
    combinations.two_clauses: 8,
    combinations.if_then: 3,
    combinations.while_when: 2,
    combinations.whenever: 2,
    combinations.that_clause: 6,
}


def sentence(rng: Random) -> Sentence:
    """One pair from a pattern drawn by its weight."""
    return weighted(rng, PATTERNS)(rng)
