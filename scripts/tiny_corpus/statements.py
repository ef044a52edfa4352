"""Patterns of one clause about what somebody does."""

from __future__ import annotations

from random import Random

from .circumstances import comma, preposition, time
from .clauses import predicate, statement
from .descriptions import BE_TENSES, PERSON, be_negation, quality
from .events import Action, Event, action, choose_adverb, choose_tense, event, subject, subject_verb, weighted
from .lexicon import NOUNS, Noun
from .noun_phrases import NounPhrase, build, choose_number, noun_phrase
from .relatives import extend, with_subject_relative
from .surface import Phrase, Sentence, en, finish, fr
from .usage import doing_to, frames, human_frames, listed, nouns
from .verbs import VERBS


def plain(rng: Random) -> Sentence:
    """A statement such as "The neighbour has already sold the old car"."""
    told = event(rng, rng.choice(frames()))
    if [word.form for word in told.who.en[:-1]] == ["the"] and rng.random() < 0.5:
        told.who = with_subject_relative(rng, told.who)
    told.adverb = "" if told.negation else choose_adverb(rng, told.action.verb, told.tense)
    return finish(_timed(rng, told))


def _timed(rng: Random, told: Event) -> Phrase:
    """The statement, sometimes with a time at its end, or in front of it with a comma."""
    clause, verb = told.statement(), told.action.verb
    negated = told.negation and not (told.negation == "not" and told.tense in ("past", "progressive"))
    free = not (negated or told.adverb or told.action.placed or "state" in verb.flags)
    when = time(rng, told.tense, verb) if free and rng.random() < 0.5 else None
    if not when:
        return clause
    return comma(when) + clause if rng.random() < 0.3 else clause + when


# verb, French before the infinitive, tenses
_MODALS = (
    ("want", "", ("present", "present", "past")),
    ("want", "", ("present", "present", "past")),
    ("can", "bare", ("present", "present", "past")),
    ("can", "bare", ("present", "present", "past")),
    ("must", "bare", ("present",)),
    ("like", "", ("present",)),
    ("begin_to", "à", ("present", "past")),
    ("try_to", "de", ("present", "past")),
)
_NOT_AFTER_MODALS = listed("like hate love know have need fall fall_asleep wake_up stop lose forget break")


def modal(rng: Random) -> Sentence:
    """A verb with an infinitive, as in "The girl cannot open the door" or "He tries to sell them"."""
    lemma, link, tenses = rng.choice(_MODALS)
    refused = {"point", "etre", "state"} if lemma in ("like", "begin_to", "try_to") else set()
    usable = [each for each in human_frames() if each.verb not in _NOT_AFTER_MODALS]
    frame = rng.choice([each for each in usable if VERBS[each.verb].flags.isdisjoint(refused)])
    who, tense = subject(rng, frame.subjects), rng.choice(tenses)
    negation = "not" if lemma in ("want", "can", "like", "must") and rng.random() < 0.25 else ""
    if negation and lemma == "want" and rng.random() < 0.2:
        negation = "no longer"
    done = action(rng, frame, who, "infinitive", negation if lemma != "like" else "")
    verb = predicate(VERBS[lemma]._replace(particle=""), tense, who, negation=negation)
    return finish(statement(who, verb, done.infinitive(who, link)))


# part, what it may be part of
_PARTS = (
    ("door", "house church school shop kitchen hotel museum"),
    ("window", "house church school shop kitchen hotel"),
    ("garden", "hotel school museum queen farmer"),
    ("street", "village city"),
    ("teacher", "village school"),
    ("doctor", "village hospital"),
    ("baker", "village"),
    ("church", "village city"),
    ("mother", "boy girl student actress nurse"),
    ("father", "boy girl student baker farmer"),
    ("friend", "teacher writer doctor painter"),
    ("key", "house car school hotel"),
)
_TO_PARTS = listed(
    "open close wash paint repair see know visit meet help find lose look_for invite speak_to answer listen_to wait_for"
)


def part(rng: Random) -> tuple[NounPhrase, Noun, Noun]:
    """A part of a whole, as in "the door of the old hotel"; also the nouns of the part and of the whole."""
    name, wholes = rng.choice(_PARTS)
    noun, whole = NOUNS[name], rng.choice(nouns(frozenset(wholes.split())))
    determiners = ["the", "the", "this", *(["our"] if whole.tags & {"owned", "ours"} else [])]
    owner = noun_phrase(rng, whole, determiner=rng.choice(determiners), plural=False, adjective=0.2)
    return extend(build(noun, "the", choose_number(rng, noun)), preposition("of", owner)), noun, whole


def part_is(rng: Random) -> Sentence:
    """A quality of a part, as in "The doors of the hotel are green"."""
    thing, _, _ = part(rng)
    return finish(statement(thing, *quality(rng, thing, weighted(rng, BE_TENSES), be_negation(rng))))


def doing_to_part(rng: Random) -> Sentence:
    """An event with a part, as in "He closes the windows of the kitchen"."""
    thing, noun, whole = part(rng)
    usable = doing_to(noun, *_TO_PARTS)
    frame = rng.choice(usable) if usable else None
    who = subject(rng, frame.subjects if frame else PERSON)
    if not frame or who.noun in (noun, whole):
        return doing_to_part(rng)
    relations = [("verb-object", frame.verb, noun.singular), *subject_verb(who, frame.verb)]
    done = Action(VERBS[frame.verb], rest=Phrase(thing.en, thing.fr, thing.relations), relations=relations)
    negation = "not" if rng.random() < 0.2 else ""
    return finish(Event(who, done, choose_tense(rng, done.verb, who), negation).statement())


_HOMES = {
    "live": "house village city hotel",
    "work": "workplace shop",
    "sleep": "hotel house",
    "eat": "restaurant kitchen garden",
    "dance": "garden park house street",
    "sing": "garden park church street",
    "play": "garden park house street",
}


def the_house_where(rng: Random) -> Sentence:
    """A statement such as "This is the house where Paul lives" / "c'est la maison où Paul habite"."""
    verb = rng.choice(list(_HOMES))
    noun = rng.choice(nouns(frozenset(_HOMES[verb].split())))
    who = subject(rng, PERSON, pronouns=("he", "she", "they", "we"), adjective=0)
    intransitive = VERBS[verb]._replace(flags=VERBS[verb].flags - {"de"})
    clause = statement(who, predicate(intransitive, choose_tense(rng, intransitive, who), who))
    clause.relations += subject_verb(who, verb)
    link, source = en("where"), en("this")
    house = noun_phrase(rng, noun, determiner="the", plural=False, adjective=0.2) + Phrase(link, [fr("où", link)])
    this = NounPhrase(source, [fr("ce", source)])
    return finish(statement(this, predicate(VERBS["be"], "present", this), house + clause))
