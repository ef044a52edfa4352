"""Patterns that ask."""

from __future__ import annotations

from random import Random

from .circumstances import time
from .clauses import predicate, question
from .events import choose_adverb, choose_tense, event, subject, weighted
from .noun_phrases import NounPhrase, noun_phrase
from .statements import BE_TENSES, describable, quality
from .surface import Phrase, Sentence, en, finish, fr
from .usage import frames, human_frames, nouns
from .verbs import VERBS

_ASKED = ("he", "she", "we", "they")
_WHAT = [
    "eat",
    "drink",
    "buy",
    "sell",
    "read",
    "write",
    "find",
    "lose",
    "choose",
    "hide",
    "prepare",
    "watch",
    "carry",
    "wear",
    "draw",
    "take",
    "forget",
    "build",
    "open",
    "repair",
]
_WHOM = ["love", "help", "invite", "meet", "wait_for", "look_for", "follow", "see", "watch", "know"]
_WHERE = ["work", "sleep", "swim", "dance", "live", "buy", "find", "lose", "go", "hide", "meet"]
_WHEN = ["come", "leave", "arrive", "come_back", "visit", "buy", "sell", "wake_up", "get_up", "build", "repair", "meet"]
_COUNTED = [
    "eat",
    "buy",
    "sell",
    "read",
    "write",
    "see",
    "find",
    "lose",
    "choose",
    "draw",
    "have",
    "visit",
    "repair",
    "invite",
]


def yes_no(rng: Random) -> Sentence:
    """Has the queen already read this letter?"""
    asked = event(rng, rng.choice(frames()), role="definite", negation="", pronouns=_ASKED)
    verb = asked.action.verb
    asked.adverb = choose_adverb(rng, verb, asked.tense)
    free = not (asked.adverb or asked.action.placed or "state" in verb.flags)
    when = time(rng, asked.tense, verb) if free and rng.random() < 0.25 else None
    return finish(asked.question() + (when or Phrase()), "?")


def is_it(rng: Random) -> Sentence:
    """Is the museum interesting?"""
    who = describable(rng)
    tense = weighted(rng, BE_TENSES)
    verb, said = quality(rng, who, tense, asks=True)
    return finish(question(who, verb, said), "?")


def where(rng: Random) -> Sentence:
    """Where does Thomas work?"""
    frame = rng.choice(human_frames(*_WHERE))
    asked = event(rng, frame, role="definite", negation="", pronouns=_ASKED)
    if not frame.objects:
        asked.action.rest = Phrase()
    return finish(asked.question("where"), "?")


def why(rng: Random) -> Sentence:
    """Why is the baby crying?"""
    asked = event(rng, rng.choice(frames()), role="definite", negation="", pronouns=_ASKED, adjective=0.2)
    return finish(asked.question("why"), "?")


def when(rng: Random) -> Sentence:
    """When will the tourists visit the museum?"""
    frame = rng.choice(human_frames(*_WHEN))
    tense = rng.choice(["present", "past", "past", "future", "future", "near"])
    asked = event(rng, frame, role="definite", negation="", pronouns=("he", "she", "they"), tense=tense)
    return finish(asked.question("when"), "?")


def who_does(rng: Random) -> Sentence:
    """Who has found my umbrella?"""
    asked = en("who")
    told = event(
        rng,
        rng.choice(human_frames()),
        who=NounPhrase(asked, [fr("qui", asked)]),
        negation="not" if rng.random() < 0.1 else "",
    )
    return finish(told.statement(), "?")


def what(rng: Random) -> Sentence:
    """What is the boy eating? Who does she love?"""
    people = rng.random() < 0.3
    frame = rng.choice(human_frames(*_WHOM) if people else frames(*_WHAT))
    who = subject(rng, frame.subjects, role="definite", pronouns=_ASKED)
    verb = VERBS[frame.verb]
    tense = choose_tense(rng, verb, who)
    often = 0 if "state" in verb.flags else 0.2
    asked = predicate(verb, tense, who, question=True)
    clause = question(who, asked, time(rng, tense, verb) if rng.random() < often else None, "who" if people else "what")
    if who.noun:
        clause.relations.append(("subject-verb", who.noun.singular, frame.verb))
    return finish(clause, "?")


def how_many(rng: Random) -> Sentence:
    """How many pears did she buy? The participle agrees: Combien de poires est-ce qu'elle a achetées ?"""
    frame = rng.choice(human_frames(*_COUNTED))
    noun = rng.choice([each for each in nouns(frame.objects) if not each.tags & {"mass", "unique"}])
    who = subject(rng, frame.subjects, role="definite", pronouns=_ASKED)
    if who.noun == noun:
        return how_many(rng)
    things = noun_phrase(rng, noun, determiner="many", plural=True, adjective=0.2)
    how = en("how")
    things.fr[0].form, things.fr[0].possible = "combien", how
    opening = Phrase(how) + things
    opening.relations.append(("verb-object", frame.verb, noun.singular))
    if who.noun:
        opening.relations.append(("subject-verb", who.noun.singular, frame.verb))
    verb = VERBS[frame.verb]
    asked = predicate(verb, choose_tense(rng, verb, who), who, question=True, agreement=(noun.feminine, True))
    return finish(opening + question(who, asked), "?")
