"""Relative clauses: qui for the subject, que for the object, with the participle agreeing with what comes before it."""

from __future__ import annotations

from random import Random

from .clauses import predicate, statement
from .events import Action, Event, action, choose_tense, subject, subject_verb
from .lexicon import Noun
from .noun_phrases import NounPhrase, noun_phrase
from .surface import Phrase, Sentence, en, finish, fr
from .usage import Frame, done_by, frames, nouns
from .verbs import VERBS


def extend(head: NounPhrase, more: Phrase) -> NounPhrase:
    """The phrase with more after its noun; it agrees as before."""
    whole = head + more
    return NounPhrase(whole.en, whole.fr, whole.relations, head.person, head.feminine, head.noun, head.pronoun)


def with_subject_relative(rng: Random, head: NounPhrase) -> NounPhrase:
    """A relative clause such as "the man who is sleeping" / "l'homme qui dort"."""
    frame = rng.choice([each for each in done_by(head.named) if each.verb not in _NOT_DESCRIBING])
    verb = VERBS[frame.verb]
    tenses = ["past"] if "same" not in verb.flags or not head.plural else []
    tenses += ["present"] if "state" in verb.flags else [] if "point" in verb.flags else ["progressive", "progressive"]
    tense = rng.choice([*tenses, "future"] if not verb.flags & {"state", "mishap"} else tenses)
    done = action(rng, frame, head, tense)
    link = en("who" if head.animate else "that")
    made = predicate(verb, tense, head, clitic=done.clitic)
    return extend(head, Phrase([*link, *made.en], [fr("qui", link), *made.fr], done.relations) + done.rest)


_NOT_DESCRIBING = ("like", "hate", "need", "stop", "fall", "get_dressed", "have")


def with_object_relative(rng: Random, head: NounPhrase, frame: Frame) -> NounPhrase:
    """A relative clause such as "the apple that Paul ate" / "la pomme que Paul a mangée"."""
    verb = VERBS[frame.verb]
    who = subject(rng, frame.subjects, role="definite", adjective=0)
    if who.noun == head.noun:
        return with_object_relative(rng, head, frame)
    tense = "present" if "state" in verb.flags else rng.choice(["past", "past", "perfect"])
    if "same" in verb.flags:
        tense = "perfect"
    made = predicate(verb, tense, who, agreement=(head.feminine, head.plural))
    link = en("that")
    clause = Phrase(link, [fr("que", link)]) + statement(who, made)
    clause.relations += [("verb-object", frame.verb, head.named.singular), *subject_verb(who, frame.verb)]
    return extend(head, clause)


# outer verb: inner verbs, as in "sells the house that he built"
_RELATED = {
    "eat": "buy prepare choose bring",
    "drink": "buy",
    "read": "write buy choose find",
    "look_for": "lose hide buy love",
    "find": "lose hide look_for forget",
    "sell": "buy build choose",
    "wash": "buy",
    "repair": "buy break",
    "wear": "buy choose",
    "help": "love meet know invite",
    "wait_for": "love know invite",
    "invite": "meet love know help",
    "know": "love invite help meet",
    "listen_to": "know",
    "speak_to": "know meet invite",
    "answer": "know meet",
    "open": "send find buy choose",
    "sing": "love know",
}


def _related() -> list[tuple[Frame, Frame, tuple[Noun, ...]]]:
    """Two frames that may share an object, with the nouns for it."""
    matches = []
    for outer, inners in _RELATED.items():
        for frame in frames(outer):
            for made in frames(*inners.split()):
                shared = tuple(noun for noun in nouns(frame.objects) if noun in nouns(made.objects))
                shared = tuple(noun for noun in shared if not noun.tags & {"kin", "known"})
                if frame.human and made.human and len(shared) > 1:
                    matches.append((frame, made, shared))
    return matches


_PAIRS = _related()


def object_relative(rng: Random) -> Sentence:
    """A statement such as "Sophie is looking for the key that her brother lost"."""
    frame, made, shared = rng.choice(_PAIRS)
    who = subject(rng, frame.subjects, adjective=0.2)
    noun = rng.choice([each for each in shared if each != who.noun])
    head = noun_phrase(rng, noun, determiner="the", adjective=0.3)
    head = with_object_relative(rng, head, made)
    relations = [("verb-object", frame.verb, noun.singular), *subject_verb(who, frame.verb)]
    done = Action(VERBS[frame.verb], rest=Phrase(head.en, head.fr, head.relations), relations=relations)
    tense = choose_tense(rng, done.verb, who)
    return finish(Event(who, done, tense, "not" if rng.random() < 0.12 else "").statement())
