"""Who does what: subjects, objects, places and times that a person would put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from .clauses import Clitic, Predicate, infinitive, object_pronoun, predicate
from .lexicon import NOUNS, Frame, Noun, frames, nouns
from .noun_phrases import NounPhrase, build, name, noun_phrase, pronoun, two_names
from .surface import Phrase, Relation, en, fr, words
from .verbs import FIRST, FIRST_PLURAL, THIRD, VERBS, Verb

_PEOPLE = frozenset({"person", "role", "adult"})
ALL_OWNERS = ("my", "his", "her", "our", "their")
DITRANSITIVE = ("give", "show", "send", "lend", "bring", "tell")
GENERIC = ("like", "hate")
INTRANSITIVE = tuple(dict.fromkeys(frame.verb for frame in frames(*VERBS) if not frame.objects))
TRANSITIVE = tuple(dict.fromkeys(frame.verb for frame in frames(*VERBS) if frame.objects))

# preposition | French | links; then the places that it goes with, in `_PLACES`
PREPOSITIONS = {
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
    "out of": ("de", "1-0 0?0"),
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
    "out of": "house church shop restaurant hotel school",
}
_ACTIVITIES = ("eat", "read", "write", "draw", "sleep", "sing", "dance", "run", "walk", "laugh", "cry", "rest", "play")

_TIMES = {
    "past": [
        ("yesterday", "hier", ""),
        ("last week", "la semaine dernière", "0-2 1-1 1?0"),
        ("last month", "le mois dernier", "0-2 1-1 1?0"),
        ("last year", "l'année dernière", "0-1 1-0"),
        ("this morning", "ce matin", ""),
        ("on Monday", "lundi", "0?0 1-0"),
    ],
    "future": [
        ("tomorrow", "demain", ""),
        ("next week", "la semaine prochaine", "0-2 1-1 1?0"),
        ("next month", "le mois prochain", "0-2 1-1 1?0"),
        ("next year", "l'année prochaine", "0-1 1-0"),
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
_TIMES["near"] = _TIMES["future"]

Item = TypeVar("Item")


def weighted(rng: Random, choices: dict[Item, float]) -> Item:
    """One key, as often as its weight says."""
    return rng.choices(list(choices), list(choices.values()))[0]


@dataclass
class Action:
    """A verb with its objects and places, ready to be conjugated or put in the infinitive."""

    verb: Verb
    clitic: Clitic | None = None
    rest: Phrase = field(default_factory=Phrase)
    relations: list[Relation] = field(default_factory=list)
    object: NounPhrase | None = None


def subject(
    rng: Random, classes: frozenset[str], *, pronouns: Sequence[str] = ("I", "he", "she", "we", "they")
) -> NounPhrase:
    """A subject of one of these classes; people may be names or pronouns."""
    human = bool(classes & _PEOPLE)
    kind = weighted(rng, {"noun": 58, "name": 14, "pronoun": 22 if pronouns else 0, "two": 4}) if human else "noun"
    if kind == "name":
        return name(rng)
    if kind == "two":
        return two_names(rng)
    if kind == "pronoun":
        return pronoun(rng.choice(list(pronouns)))
    return person_or_thing(rng, rng.choice(nouns(classes)), is_subject=True)


def person_or_thing(rng: Random, noun: Noun, *, is_subject: bool = False, negated: bool = False) -> NounPhrase:
    """A noun phrase that nobody in the sentence has to own; sometimes "Paul's dog" or "my brother's dog"."""
    if not noun.tags & {"mass", "infant"} and rng.random() < 0.07:
        return noun_phrase(rng, noun, possessor=_possessor(rng), adjective=0.2)
    return noun_phrase(rng, noun, subject=is_subject, negated=negated, owners=ALL_OWNERS)


def _possessor(rng: Random) -> NounPhrase:
    if rng.random() < 0.5:
        return name(rng)
    kin = rng.random() < 0.5
    noun = rng.choice(nouns(frozenset({"kin"} if kin else {"role", "known"})))
    return build(noun, rng.choice(["my", "his", "her", "our"]) if kin else "the")


def owners_for(owner: NounPhrase) -> tuple[str, ...]:
    """The possessives natural in the same clause: the subject's own, or the speaker's."""
    return (owner.possessive, owner.possessive, "my") if owner.possessive else ("my", "our")


def preposition(english: str, phrase: Phrase) -> Phrase:
    """A preposition before a noun phrase."""
    french, links = PREPOSITIONS[english]
    return words(english, french, links) + phrase


def place(rng: Random, english: str, *, plural: bool = False) -> Phrase:
    """Somewhere: "in the garden", "au marché"."""
    noun = rng.choice(nouns(frozenset(_PLACES[english].split())))
    if noun.singular == "school" and english in ("at", "to") and rng.random() < 0.5:
        return words(f"{english} school", "à l'école", "0-0 1-1")
    determiner = weighted(rng, {"the": 7, "this": 1, "our": 1 if english not in ("at", "to", "from") else 0})
    return preposition(english, noun_phrase(rng, noun, determiner=determiner, plural=plural, adjective=0.25))


def time(rng: Random, tense: str) -> Phrase | None:
    """When: an adverb that agrees with the tense, if it has any."""
    return words(*rng.choice(_TIMES[tense])) if tense in _TIMES else None


def choose_tense(rng: Random, verb: Verb, who: NounPhrase) -> str:
    """A tense in which the English has one translation, whoever the subject is."""
    weights = {
        "present": 30,
        "progressive": 16,
        "past": 22,
        "perfect": 9,
        "future": 14,
        "near": 9,
        "past progressive": 3,
    }
    drop: set[str] = set()
    if "state" in verb.flags:
        drop |= {"progressive", "perfect", "near", "past progressive"}
    if "point" in verb.flags:
        drop |= {"progressive", "past progressive"}
    if "same" in verb.flags and who.person != THIRD:
        drop |= {"present", "past"}
    if who.person in (FIRST, FIRST_PLURAL) and verb.auxiliary == "être":
        drop |= {"past", "perfect"}
    if who.person == FIRST_PLURAL:
        drop.add("past progressive")
    return weighted(rng, {tense: weight for tense, weight in weights.items() if tense not in drop})


def choose_negation(rng: Random, tense: str, how_often: float = 0.27) -> str:
    """not, never, no longer or nothing, as far as the tense bears it."""
    if rng.random() > how_often:
        return ""
    weights = {"not": 6.0}
    if tense not in ("progressive", "past progressive"):
        weights["never"] = 3
    if tense in ("present", "progressive", "future"):
        weights["no longer"] = 2
    return weighted(rng, weights)


def choose_adverb(rng: Random, tense: str) -> str:
    """often, always or already, where they are natural."""
    if tense == "present" and rng.random() < 0.15:
        return rng.choice(["often", "always"])
    return "already" if tense == "perfect" and rng.random() < 0.3 else ""


def action(rng: Random, frame: Frame, who: NounPhrase, tense: str, negation: str = "") -> Action:
    """What the subject does: the verb of a frame with an object, a receiver and a place where they make sense."""
    verb = VERBS[frame.verb]
    done = Action(verb)
    if who.noun:
        done.relations.append(("subject-verb", who.noun.singular, verb.lemma))
    if not frame.objects:
        done.rest = _where(rng, verb, tense)
        return done
    if frame.verb not in (*DITRANSITIVE, *GENERIC, "play", "have") and rng.random() < 0.16:
        done.clitic = _clitic(rng, frame, who, tense)
    if not done.clitic:
        done.object = direct_object(rng, frame, who, bool(negation))
        done.rest = Phrase(done.object.en, done.object.fr, done.object.relations)
        done.relations.append(("verb-object", verb.lemma, done.object.noun.singular if done.object.noun else ""))
    if frame.verb in DITRANSITIVE:
        _add_receiver(rng, done, who)
    elif frame.verb in ("buy", "prepare", "choose") and done.object and rng.random() < 0.2:
        done.rest += preposition("for", person(rng, who))
    elif frame.verb in _ACTIVITIES and rng.random() < 0.2:
        done.rest += place(rng, rng.choice(["in", "at"]))
    return done


def person(rng: Random, who: NounPhrase) -> NounPhrase:
    """Somebody else, seen from the subject."""
    while True:
        other = (
            name(rng)
            if rng.random() < 0.2
            else noun_phrase(rng, rng.choice(nouns(frozenset({"person"}))), owners=owners_for(who), adjective=0.2)
        )
        if other.noun != who.noun:
            return other


def direct_object(rng: Random, frame: Frame, who: NounPhrase, negated: bool) -> NounPhrase:
    """An object out of the frame's classes; likes and dislikes are of things in general."""
    choices = [noun for noun in nouns(frame.objects) if noun != who.noun]
    noun = rng.choice(choices)
    if frame.verb in GENERIC:
        return _generic(noun)
    if frame.verb == "play":
        return build(noun, "the")
    if frame.verb == "have":
        plural = rng.random() < 0.3
        determiner = rng.choice(["two", "three", "many"]) if plural else "a"
        return noun_phrase(rng, noun, determiner=determiner, plural=plural, negated=negated, adjective=0.5)
    if "person" in noun.tags and rng.random() < 0.25 and frame.objects & _PEOPLE:
        return name(rng)
    if "to" in VERBS[frame.verb].flags or frame.verb == "wait_for":
        return person(rng, who)
    if rng.random() < 0.06 and not noun.tags & {"mass", "kin"}:
        return noun_phrase(rng, noun, possessor=_possessor(rng), adjective=0.2)
    return noun_phrase(rng, noun, negated=negated, owners=owners_for(who))


def _generic(noun: Noun) -> NounPhrase:
    """cheese, cats: no article in English, the definite one in French."""
    plural = "mass" not in noun.tags
    phrase = build(noun, "the", plural)
    article = phrase.en.pop(0)
    for word in phrase.fr:
        if article in word.sure:
            word.sure, word.possible = [], [phrase.en[-1]]
    return phrase


def _clitic(rng: Random, frame: Frame, who: NounPhrase, tense: str) -> Clitic | None:
    direct = "to" not in VERBS[frame.verb].flags
    choices = ["them"]
    if frame.objects & _PEOPLE:
        choices = ["him", "her", "them", "them"]
        if who.person not in (FIRST, FIRST_PLURAL) and not (direct and tense in ("past", "perfect")):
            choices += ["me", "us"]
    return object_pronoun(rng.choice(choices), direct)


def _add_receiver(rng: Random, done: Action, who: NounPhrase) -> None:
    """gives the book to Paul; gives him the book / lui donne le livre."""
    if rng.random() < 0.35:
        choices = ["him", "her", "them"] + (["me", "us"] if who.person not in (FIRST, FIRST_PLURAL) else [])
        done.clitic = object_pronoun(rng.choice(choices), direct=False)
    elif rng.random() < 0.8:
        done.rest += preposition("to", person(rng, who))


def _where(rng: Random, verb: Verb, tense: str) -> Phrase:
    """The place or the company that a verb without object needs or likes."""
    if verb.lemma in ("go", "come"):
        return place(rng, "to")
    if verb.lemma == "live":
        noun = rng.choice(nouns(frozenset({"town", "house", "hotel", "farm"})))
        return preposition("in", noun_phrase(rng, noun, determiner=rng.choice(["a", "this", "the"]), plural=False))
    if verb.lemma == "stay":
        return place(rng, rng.choice(["in", "at"]))
    if verb.lemma == "arrive" and rng.random() < 0.6:
        return place(rng, "at")
    if verb.lemma == "come_back" and rng.random() < 0.6:
        return place(rng, "from")
    if verb.lemma == "go_out" and rng.random() < 0.4:
        return place(rng, "out of")
    if verb.lemma == "work" and rng.random() < 0.4:
        noun = rng.choice(nouns(frozenset({"workplace"})))
        return preposition("at", noun_phrase(rng, noun, determiner="the", plural=False, adjective=0.2))
    if verb.lemma in ("run", "walk", "swim", "work", "fly") and rng.random() < 0.3:
        return words(*rng.choice([("slowly", "lentement"), ("quickly", "vite")]))
    if verb.lemma in ("sing", "dance", "swim", "sleep") and tense in ("present", "future") and rng.random() < 0.25:
        return words("well", "bien")
    if verb.lemma in ("dance", "sing", "travel", "walk", "laugh") and rng.random() < 0.25:
        return preposition("with", person(rng, NounPhrase()))
    if verb.lemma in _ACTIVITIES and rng.random() < 0.3:
        return place(rng, "in")
    return Phrase()


def conjugate(
    done: Action, who: NounPhrase, tense: str, negation: str = "", adverb: str = "", asks: bool = False
) -> Predicate:
    """The verb of an action in a tense, without what follows it."""
    return predicate(done.verb, tense, who, negation=negation, adverb=adverb, question=asks, clitic=done.clitic)


def to_do(done: Action, who: NounPhrase, link: str = "") -> Phrase:
    """An action in the infinitive, with what follows it."""
    return infinitive(done.verb, who, done.clitic, link) + done.rest
