"""Patterns of two clauses; the second often refers to the first with a pronoun."""

from __future__ import annotations

from random import Random

from .circumstances import comma, preposition
from .clauses import predicate, statement, taken_up
from .descriptions import PERSON, THIRD_PERSONS, be_negation, describable, feeling, quality
from .events import Event, choose_tense, event, gender_unknown, owners_for, person, subject, subject_verb
from .lexicon import Noun
from .noun_phrases import NounPhrase, name, noun_phrase, pronoun, pronoun_for
from .surface import Phrase, Sentence, en, finish, fr, words
from .usage import Frame, frames, human_frames, listed, nouns
from .verbs import KNOW_THAT, THIRD, VERBS

_PASTIMES = listed("sleep work sing dance swim run walk laugh travel rest leave shout go_out get_up wake_up")

_THEN = {
    "take": "eat open read wash hide give show repair",
    "buy": "eat wash open read give lend",
    "find": "open read wash hide show take",
    "choose": "buy draw wear read give",
    "meet": "invite help follow speak_to",
    "see": "follow draw help",
    "prepare": "eat bring",
    "open": "read close",
    "write": "send show hide",
    "repair": "sell wash",
    "paint": "sell show",
    "wash": "eat hide wear",
}
_HANDED_ON = ("give", "show", "lend", "bring", "send")


def _sequences() -> list[tuple[Frame, Frame, tuple[Noun, ...]]]:
    """Two things that people do one after the other with the same object, and the nouns for this object."""
    combinations = []
    for first, seconds in _THEN.items():
        for frame in human_frames(first):
            for later in human_frames(*seconds.split()):
                shared = tuple(noun for noun in nouns(frame.objects) if noun in nouns(later.objects))
                if len(shared) > 1:
                    combinations.append((frame, later, shared))
    return combinations


_SEQUENCES = _sequences()


def take_up(rng: Random) -> Sentence:
    """A sequence such as "Anna takes the apple and eats it" / "Anna prend la pomme et la mange"."""
    frame, later, shared = rng.choice(_SEQUENCES)
    who = subject(rng, PERSON)
    tense = rng.choice(["present", "past", "past", "future"])
    if "read" in (frame.verb, later.verb) and who.person != THIRD:
        tense = "future"
    noun = rng.choice([each for each in shared if each != who.noun])
    determiner = "the" if "mass" in noun.tags else None
    thing = noun_phrase(rng, noun, "receiver", owners=owners_for(who), determiner=determiner, adjective=0.3)
    start = statement(who, predicate(VERBS[frame.verb], tense, who), thing) + words("and", "et")
    clause = start + _and_then(later, tense, who, thing)
    clause.relations += [("verb-object", frame.verb, noun.singular), *subject_verb(who, frame.verb)]
    receiver = preposition("to", person(rng, who)) if later.verb in _HANDED_ON and not thing.animate else Phrase()
    return finish(clause + receiver)


def _and_then(frame: Frame, tense: str, who: NounPhrase, thing: NounPhrase) -> Phrase:
    """The second verb with a pronoun for the thing; English does not repeat will."""
    reference = taken_up(thing)
    if "to" in VERBS[frame.verb].flags:
        reference.direct = False
        reference.french[0].form = "leur" if thing.plural else "lui"
    # the second thing is done once, so porter too takes the passé composé here: "les a lavés et les a portés"
    verb = VERBS[frame.verb]._replace(flags=VERBS[frame.verb].flags - {"state"})
    later = predicate(verb, tense, who, clitic=reference)
    if tense == "future":
        will = later.en.pop(0)
        for word in later.fr:
            word.possible = [each for each in word.possible if each is not will]
    return Phrase(later.en, later.fr)


def contrast(rng: Random) -> Phrase:
    """A contrast such as "the boys are singing but their sister is not dancing"."""
    link, tense = rng.choice(["but", "but", "and"]), rng.choice(["present", "progressive", "past", "future"])
    refused = {"point"} if tense == "progressive" else set()
    usable = [each for each in human_frames(*_PASTIMES) if VERBS[each.verb].flags.isdisjoint(refused)]
    first, second = rng.sample(usable, 2)
    who = subject(rng, first.subjects, adjective=0.1)
    other = subject(rng, second.subjects, adjective=0.1, pronouns=("I", "we"))
    same = who.noun == other.noun and who.pronoun == other.pronoun
    if same or gender_unknown(VERBS[first.verb], who, tense) or gender_unknown(VERBS[second.verb], other, tense):
        return contrast(rng)
    start = event(rng, first, who=who, tense=tense, negation="").statement()
    negation = "not" if link == "but" and rng.random() < 0.6 else ""
    end = event(rng, second, who=other, tense=tense, negation=negation).statement()
    return start + words(link, {"but": "mais", "and": "et"}[link]) + end


_CAUSES = {
    "tired": "sleep rest leave fall_asleep",
    "sick": "sleep rest leave",
    "happy": "sing dance laugh smile_at",
    "sad": "cry leave",
    "hungry": "eat cry prepare",
    "thirsty": "drink cry",
    "afraid": "run shout cry leave",
}


def because(rng: Random) -> Phrase:
    """A cause, as in "the baby is crying because he is hungry"; the pronoun repeats a phrase, so they may be elles."""
    cause = rng.choice(list(_CAUSES))
    frame = rng.choice(frames(*_CAUSES[cause].split()))
    pronouns = THIRD_PERSONS if cause in ("tired", "sick", "happy", "sad") else ("I", *THIRD_PERSONS, "we")
    who = subject(rng, frame.subjects, adjective=0.1, pronouns=pronouns)
    if who.noun and not who.animate and cause in ("happy", "sad"):
        return because(rng)
    verb = VERBS[frame.verb]
    tense = rng.choice(["present", "progressive", "past"])
    if (tense == "progressive" and verb.flags & {"point", "state"}) or gender_unknown(verb, who, tense):
        tense = "present"
    clause = event(rng, frame, who=who, tense=tense, negation="").statement()
    again = pronoun_for(who)
    reason = statement(again, *feeling(rng, again, cause, "past" if tense == "past" else "present"))
    return clause + words("because", "parce que", "0-0 0?1") + reason


def two_clauses(rng: Random) -> Sentence:
    """A contrast or a cause."""
    return finish(rng.choice([contrast, because])(rng))


_WILL = listed("sleep rest eat drink sing dance leave go come_back buy help invite visit wash read swim work")
_IF = listed("come leave arrive sing lose find come_back work forget answer help buy stay")


def if_then(rng: Random) -> Sentence:
    """A condition such as "If he comes, she will leave", with si, or s' before il."""
    negation = "not" if rng.random() < 0.3 else ""
    if rng.random() < 0.35:
        who = subject(rng, PERSON, role="definite", pronouns=THIRD_PERSONS, adjective=0)
        condition, verb = statement(who, *feeling(rng, who, rng.choice(list(_CAUSES)), "present", negation)), ""
    else:
        told = event(rng, rng.choice(human_frames(*_IF)), tense="present", negation=negation, role="definite")
        who, condition, verb = told.who, told.statement(), told.action.verb.lemma
    other = rng.choice([pronoun("I"), pronoun("we"), name(rng)])
    if rng.random() < 0.6 or other.noun == who.noun:
        other = pronoun_for(who)
    negation = "not" if rng.random() < 0.15 else ""
    frame = rng.choice([each for each in human_frames(*_WILL) if each.verb != verb])
    then = event(rng, frame, who=other, tense="future", negation=negation).statement()
    return finish(words("if", "si") + comma(condition) + then)


_ARRIVALS = listed("arrive come_back leave wake_up open see find shout")
_MEANWHILE = listed("sleep work sing dance laugh eat read write play watch prepare wash wait_for")


def while_when(rng: Random) -> Sentence:
    """Two past tenses, as in "When Luc arrived, Sophie was sleeping": passé composé and imperfect."""
    arrival = _past(rng, _ARRIVALS, "past", THIRD_PERSONS)
    meanwhile = _past(rng, _MEANWHILE, "past progressive", ("I",))
    if arrival.who.noun == meanwhile.who.noun:
        return while_when(rng)
    return finish(words("when", "quand") + comma(arrival.statement()) + meanwhile.statement())


def _past(rng: Random, verbs: tuple[str, ...], tense: str, pronouns: tuple[str, ...]) -> Event:
    frame = rng.choice(human_frames(*verbs))
    return event(rng, frame, tense=tense, negation="", role="definite", pronouns=pronouns)


def whenever(rng: Random) -> Sentence:
    """A habit such as "When they are tired, they rest"."""
    who = subject(rng, PERSON, role="definite", pronouns=THIRD_PERSONS, adjective=0)
    kind = rng.choice(["tired", "happy", "sad", "hungry", "thirsty", "afraid"])
    first = statement(who, *feeling(rng, who, kind, "present"))
    frame = rng.choice(human_frames(*[verb for verb in _CAUSES[kind].split() if verb != "fall_asleep"]))
    second = event(rng, frame, who=pronoun_for(who), tense="present", negation="").statement()
    return finish(words("when", "quand") + comma(first) + second)


def that_clause(rng: Random) -> Sentence:
    """A clause with that, as in "She knows that the shop is big" (elle sait que) or "He hopes that Anna will come"."""
    lemma = rng.choice(["think", "say", "know", "hope"])
    speaker = subject(rng, PERSON, adjective=0.1)
    negation = "not" if lemma == "know" and rng.random() < 0.3 else ""  # the others would need the subjunctive
    verb = predicate(KNOW_THAT if lemma == "know" else VERBS[lemma], "present", speaker, negation=negation)
    link = en("that")
    start = statement(speaker, verb) + Phrase(link, [fr("que", link)], subject_verb(speaker, lemma))
    if lemma != "hope" and rng.random() < 0.3:
        return finish(start + because(rng))
    if lemma != "hope" and rng.random() < 0.4:
        who = describable(rng)
        return finish(start + statement(who, *quality(rng, who, "present", be_negation(rng, 0.15))))
    refused = {"state", "mishap"} if lemma == "hope" else set()
    frame = rng.choice([each for each in frames() if VERBS[each.verb].flags.isdisjoint(refused)])
    who = subject(rng, frame.subjects, role="definite", adjective=0.2)
    tense = "future" if lemma == "hope" else choose_tense(rng, VERBS[frame.verb], who)
    return finish(start + event(rng, frame, who=who, tense=tense, negation="").statement())
