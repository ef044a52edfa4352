"""Patterns of questions."""

from __future__ import annotations

from random import Random

from .circumstances import time
from .clauses import predicate, question
from .events import choose_adverb, choose_tense, event, subject, subject_verb
from .noun_phrases import NounPhrase, noun_phrase
from .surface import Phrase, Sentence, en, finish, fr
from .usage import frames, human_frames, listed, nouns
from .verbs import VERBS

_ASKED = listed("he she we they")
_WHAT = listed(
    "eat drink buy sell read write find lose choose hide prepare watch carry wear draw take forget build open"
)
_WHOM = listed("love help invite meet wait_for look_for follow see watch know")
_WHERE = listed("work sleep swim dance live buy find lose go hide meet")
_WHEN = listed("come leave arrive come_back visit buy sell wake_up get_up build repair meet")
_COUNTED = listed("eat buy sell read write see find lose choose draw have visit repair invite")


def yes_no(rng: Random) -> Sentence:
    """Ask whether the queen has already read this letter."""
    asked = event(rng, rng.choice(frames()), role="definite", negation="", pronouns=_ASKED)
    verb = asked.action.verb
    asked.adverb = choose_adverb(rng, verb, asked.tense)
    free = not (asked.adverb or asked.action.placed or "state" in verb.flags)
    when = time(rng, asked.tense, verb) if free and rng.random() < 0.25 else None
    return finish(asked.question() + (when or Phrase()), "?")


def where(rng: Random) -> Sentence:
    """Ask where Thomas works."""
    frame = rng.choice(human_frames(*_WHERE))
    asked = event(rng, frame, role="definite", negation="", pronouns=_ASKED)
    if not frame.objects:
        asked.action.rest = Phrase()
    return finish(asked.question("where"), "?")


def why(rng: Random) -> Sentence:
    """Ask why the baby is crying."""
    frame = rng.choice([each for each in frames() if each.verb not in ("have", "know", "live")])
    asked = event(rng, frame, role="definite", negation="", pronouns=_ASKED, adjective=0.2)
    return finish(asked.question("why"), "?")


def when(rng: Random) -> Sentence:
    """Ask when the tourists will visit the museum."""
    frame = rng.choice(human_frames(*_WHEN))
    tense = rng.choice(["present", "past", "past", "future", "future", "near"])
    asked = event(rng, frame, role="definite", negation="", pronouns=("he", "she", "they"), tense=tense)
    return finish(asked.question("when"), "?")


def who_does(rng: Random) -> Sentence:
    """Ask who has found the umbrella."""
    asked = en("who")
    told = event(
        rng,
        rng.choice(human_frames()),
        who=NounPhrase(asked, [fr("qui", asked)]),
        negation="not" if rng.random() < 0.1 else "",
    )
    return finish(told.statement(), "?")


def what(rng: Random) -> Sentence:
    """Ask what the boy is eating, or whom she loves."""
    people = rng.random() < 0.3
    frame = rng.choice(human_frames(*_WHOM) if people else frames(*_WHAT))
    who = subject(rng, frame.subjects, role="definite", pronouns=_ASKED)
    verb = VERBS[frame.verb]
    tense = choose_tense(rng, verb, who)
    often = 0 if "state" in verb.flags else 0.2
    asked = predicate(verb, tense, who, question=True)
    clause = question(who, asked, time(rng, tense, verb) if rng.random() < often else None, "who" if people else "what")
    clause.relations += subject_verb(who, frame.verb)
    return finish(clause, "?")


def how_many(rng: Random) -> Sentence:
    """Ask how many pears she bought; the participle agrees, as in "combien de poires est-ce qu'elle a achetées"."""
    frame = rng.choice(human_frames(*_COUNTED))
    noun = rng.choice([each for each in nouns(frame.objects) if not each.tags & {"mass", "unique"}])
    who = subject(rng, frame.subjects, role="definite", pronouns=_ASKED)
    if who.noun == noun:
        return how_many(rng)
    things = noun_phrase(rng, noun, determiner="many", plural=True, adjective=0.2)
    how = en("how")
    things.fr[0].form, things.fr[0].possible = "combien", how
    opening = Phrase(how) + things
    opening.relations += [("verb-object", frame.verb, noun.singular), *subject_verb(who, frame.verb)]
    verb = VERBS[frame.verb]
    asked = predicate(verb, choose_tense(rng, verb, who), who, question=True, agreement=(noun.feminine, True))
    return finish(opening + question(who, asked), "?")
