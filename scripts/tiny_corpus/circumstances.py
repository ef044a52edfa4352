"""Where and when: prepositions with the places they go with, and adverbs of time that agree with the tense."""

from __future__ import annotations

from random import Random

from .noun_phrases import noun_phrase
from .surface import Phrase, words
from .usage import nouns
from .verbs import Verb

# English preposition: French, links
_PREPOSITIONS = {
    "in": ("dans", "0-0"),
    "on": ("sur", "0-0"),
    "under": ("sous", "0-0"),
    "behind": ("derrière", "0-0"),
    "in front of": ("devant", "1-0 0?0 2?0"),
    "near": ("près de", "0-0 0?1"),
    "with": ("avec", "0-0"),
    "for": ("pour", "0-0"),
    "at": ("à", "0-0"),
    "to": ("à", "0-0"),
    "from": ("de", "0-0"),
    "of": ("de", "0-0"),
}

_PLACES = {
    "in": "inside",
    "on": "table chair",
    "under": "table tree chair",
    "behind": "house church school tree door car",
    "in front of": "house school station hotel museum shop church",
    "near": "station park school church house hospital forest beach farm market",
    "at": "aim",
    "to": "aim",
    "from": "aim",
    "of": "house church shop restaurant hotel school",
}

Time = tuple[str, str, str]
_DAYS: dict[str, list[Time]] = {
    "past": [("yesterday", "hier", ""), ("this morning", "ce matin", ""), ("on Monday", "lundi", "0?0 1-0")],
    "future": [
        ("tomorrow", "demain", ""),
        ("this evening", "ce soir", ""),
        ("on Sunday", "dimanche", "0?0 1-0"),
        ("soon", "bientôt", ""),
    ],
    "present": [
        ("every day", "tous les jours", "0-0 0?1 1-2"),
        ("every morning", "tous les matins", "0-0 0?1 1-2"),
        ("every evening", "tous les soirs", "0-0 0?1 1-2"),
        ("in the morning", "le matin", "0?0 1-0 2-1"),
        ("on Sundays", "le dimanche", "0?0 1-1 1?0"),
    ],
    "progressive": [("now", "maintenant", ""), ("today", "aujourd'hui", "")],
}
_LONG: dict[str, list[Time]] = {
    "past": [
        ("last week", "la semaine dernière", "0-2 1-1 1?0"),
        ("last month", "le mois dernier", "0-2 1-1 1?0"),
        ("last year", "l'année dernière", "0-1 1-0"),
    ],
    "future": [
        ("next week", "la semaine prochaine", "0-2 1-1 1?0"),
        ("next month", "le mois prochain", "0-2 1-1 1?0"),
        ("next year", "l'année prochaine", "0-1 1-0"),
    ],
}


def preposition(english: str, phrase: Phrase) -> Phrase:
    """A preposition before a noun phrase."""
    return words(english, *_PREPOSITIONS[english]) + phrase


def place(rng: Random, english: str, classes: str = "") -> Phrase:
    """A place, such as "in the garden" / "dans le jardin", "at the market" / "au marché"."""
    noun = rng.choice(nouns(frozenset((classes or _PLACES[english]).split())))
    if noun.singular == "school" and english in ("at", "to") and rng.random() < 0.5:
        return words(f"{english} school", "à l'école")
    choices = ["the"] * 7 + ["this"]
    choices += ["our"] * 2 if noun.tags & {"owned", "ours"} and english in ("in", "behind", "near") else []
    return preposition(english, noun_phrase(rng, noun, determiner=rng.choice(choices), plural=False, adjective=0.25))


def time(rng: Random, tense: str, verb: Verb | None = None) -> Phrase | None:
    """An adverb of time, if the tense has any; weeks, months and years only for verbs that may be said of them."""
    tense = "future" if tense == "near" else tense
    if tense not in _DAYS:
        return None
    once = verb is not None and ("mishap" in verb.flags or ("point" in verb.flags and verb.auxiliary == "avoir"))
    if tense == "present" and once:
        return None  # nobody finds a key every day
    long = verb is not None and "long" in verb.flags and rng.random() < 0.5
    return words(*rng.choice(_LONG.get(tense, _DAYS[tense]) if long else _DAYS[tense]))


def comma(phrase: Phrase) -> Phrase:
    """The same phrase with a comma after it in both languages; the spelling of its end must be final."""
    phrase.en[-1].form += ","
    phrase.fr[-1].form += ","
    return phrase
