"""Train, validation and test splits; test contains combinations of words that train never contains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from .lexicon import ADJECTIVES, NAMES, NOUNS
from .noun_phrases import NUMERALS
from .sentences import sentence
from .surface import Relation, Sentence
from .verbs import VERBS

SIZES = {"train": 10_000, "valid": 500, "test": 1_000}
SEED = 20_150_903
POOL = 17_000  # distinct pairs drawn; enough for every split once the held-out combinations are taken away
HELD_OUT = {"adjective-noun": 80, "verb-object": 70, "subject-verb": 60}
STRUCTURES_IN_TEST = 150  # at most; the other test sentences have combinations of two words that are held out
SEEN = 5  # each word form of valid or test occurs at least this often in train
LENGTHS = range(3, 21)


class Combination(NamedTuple):
    """Two sets of English word forms; no sentence of train contains a form of each."""

    kind: str
    first: frozenset[str]
    second: frozenset[str]

    def inside(self, forms: frozenset[str]) -> bool:
        """Whether a sentence with these forms contains one of each set."""
        return not self.first.isdisjoint(forms) and not self.second.isdisjoint(forms)


# Kinds of structure, by the words that mark them in English.
STRUCTURES = {
    ("structure", name, ""): Combination("structure", frozenset(first.split()), frozenset(second.split()))
    for name, (first, second) in {
        "never with the near future": ("never", "going"),
        "these with a numeral": ("these", " ".join(NUMERALS)),
        "comparison in a question": ("than", "?"),
        "pronoun object them with not": ("them", "not cannot"),
        "pronoun object after must": ("me him us them", "must"),
        "relative clause with who and a future": ("who", "will"),
        "negated condition": ("if", "not cannot"),
    }.items()
}


class Corpus(NamedTuple):
    """The three splits and what was held out of the first two."""

    splits: dict[str, list[Sentence]]
    held_out: list[Combination]


def english_forms(text: str) -> frozenset[str]:
    """The lower-case words of an English sentence without punctuation; a question mark counts as a word."""
    return frozenset(text.lower().replace("?", " ?").replace(",", "").replace(".", "").split())


def french_forms(text: str) -> frozenset[str]:
    """The lower-case words of a French sentence, split after an apostrophe as well."""
    return frozenset(text.lower().replace("'", "' ").replace(",", "").replace(".", "").split())


def draw(rng: Random, size: int) -> list[Sentence]:
    """Draw distinct pairs: no English sentence and no French sentence occurs twice."""
    pool: list[Sentence] = []
    english: set[str] = set()
    french: set[str] = set()
    while len(pool) < size:
        pair = sentence(rng)
        lengths = len(pair.english.split()), len(pair.french.split())
        new = pair.english not in english and pair.french not in french
        if new and all(length in LENGTHS for length in lengths):
            english.add(pair.english)
            french.add(pair.french)
            pool.append(pair)
    return pool


def _lemma_forms(kind: str, lemma: str, second: bool) -> frozenset[str]:
    if kind == "adjective-noun" and not second:
        forms = ADJECTIVES[lemma].forms()
    elif (kind == "subject-verb") == second:
        forms = VERBS[lemma].forms()
    else:
        forms = (NOUNS.get(lemma) or NAMES[lemma]).forms()
    return frozenset(form.lower() for form in forms)


def choose_held_out(rng: Random, pool: list[Sentence]) -> dict[Relation, Combination]:
    """Draw combinations that are not rare and not the main use of a word: at most three of each kind for a word."""
    counts = Counter(relation for pair in pool for relation in pair.relations)
    totals: Counter[tuple[str, str]] = Counter()
    for (kind, first, second), count in counts.items():
        totals.update({(kind, first): count, (kind, second): count})
    vocabulary = frozenset().union(*(english_forms(pair.english) for pair in pool))
    chosen: dict[Relation, Combination] = dict(STRUCTURES)
    for kind, size in HELD_OUT.items():
        candidates = sorted(
            (kind, first, second)
            for (other_kind, first, second), count in counts.items()
            if other_kind == kind and 5 <= count <= 0.15 * min(totals[kind, first], totals[kind, second])
        )
        rng.shuffle(candidates)
        uses: Counter[str] = Counter()
        for _, first, second in candidates:
            if sum(each[0] == kind for each in chosen) < size and max(uses[first], uses[second]) < 3:
                uses.update((first, second))
                forms = (_lemma_forms(kind, first, False), _lemma_forms(kind, second, True))
                chosen[kind, first, second] = Combination(kind, *(each & vocabulary for each in forms))
    return chosen


def _held(pair: Sentence, held_out: dict[Relation, Combination]) -> list[Combination]:
    """The held-out combinations that a sentence was built from; structures are found by the words that mark them."""
    forms = english_forms(pair.english)
    built = [held_out[relation] for relation in sorted(pair.relations) if relation in held_out]
    return built + [each for key, each in held_out.items() if key[0] == "structure" and each.inside(forms)]


def _count(texts: Iterable[frozenset[str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for forms in texts:
        counts.update(forms)
    return counts


def _take(pairs: list[Sentence], train: list[Sentence], size: int) -> list[Sentence]:
    """The first pairs whose word forms all occur often enough in train."""
    english = _count(english_forms(pair.english) for pair in train)
    french = _count(french_forms(pair.french) for pair in train)
    known = [
        pair
        for pair in pairs
        if all(english[form] >= SEEN for form in english_forms(pair.english))
        and all(french[form] >= SEEN for form in french_forms(pair.french))
    ]
    if len(known) < size:
        raise ValueError(f"only {len(known)} pairs can be used for a split of {size}; draw more than {POOL}")
    return known[:size]


def _mostly_words(pairs: list[Sentence], held_out: dict[Relation, Combination]) -> list[Sentence]:
    """The pairs, without most of those that have a held-out structure but no held-out pair of words."""
    structural = [pair for pair in pairs if pair.relations.isdisjoint(held_out)]
    surplus = {pair.english for pair in structural[STRUCTURES_IN_TEST:]}
    return [pair for pair in pairs if pair.english not in surplus]


def make(seed: int = SEED) -> Corpus:
    """Draw the corpus; it depends only on the seed."""
    rng = Random(seed)
    pool = draw(rng, POOL)
    held_out = choose_held_out(rng, pool)
    combinations = list(held_out.values())
    familiar, unseen = [], []
    for pair in pool:
        forms = english_forms(pair.english)
        if _held(pair, held_out):
            unseen.append(pair)
        elif not any(each.inside(forms) for each in combinations):
            familiar.append(pair)
    size = SIZES["train"]
    train = familiar[:size]
    splits = {
        "train": train,
        "valid": _take(familiar[size:], train, SIZES["valid"]),
        "test": _take(_mostly_words(unseen, held_out), train, SIZES["test"]),
    }
    return Corpus(splits, combinations)
