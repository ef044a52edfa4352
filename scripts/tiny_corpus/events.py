"""Events, in which somebody does something: drawn first, then made a statement, a question or an infinitive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from .circumstances import place, preposition
from .clauses import Clitic, infinitive, object_pronoun, predicate, question, statement
from .lexicon import Noun
from .noun_phrases import NounPhrase, build, name, noun_phrase, pronoun, two_names
from .surface import Phrase, Relation, words
from .usage import PEOPLE, Frame, listed, nouns
from .verbs import FIRST, FIRST_PLURAL, THIRD, VERBS, Verb

OWNERS = ("my", "his", "her", "our", "their")
SUBJECTS = ("I", "he", "she", "we", "they")
_RECEIVER = ("give", "show", "send", "lend", "bring", "tell")
_GENERIC = ("like", "hate")
# Verbs whose object may be "them" although the sentence has not named the things
_THEM = ("buy", "see", "find", "lose", "forget", "take", "carry", "wash", "hide", "read", "repair", "sell", "choose")
_ACTIVITIES = ("eat", "read", "write", "draw", "sleep", "sing", "dance", "run", "walk", "laugh", "cry", "rest", "play")
# verb: how often it has a place, with which prepositions
_PLACED = {
    "go": (1, ("to",)),
    "come": (1, ("to",)),
    "stay": (1, ("in", "at")),
    "arrive": (0.6, ("at",)),
    "come_back": (0.6, ("from",)),
    "go_out": (0.4, ("of",)),
    "fall": (0.3, ("in",)),
    "shout": (0.3, ("in",)),
    **dict.fromkeys(_ACTIVITIES, (0.25, ("in",))),
}
_MANNERS = {
    "slowly": ("lentement", ("walk", "swim", "work", "fly")),
    "quickly": ("vite", ("run", "walk", "swim", "work")),
    "well": ("bien", ("sing", "dance", "swim", "sleep", "work")),
}

_TENSES = {"present": 28, "progressive": 17, "past": 24, "perfect": 9, "future": 13, "near": 9, "past progressive": 3}
# Verbs whose object may be indefinite: "buys flowers", "some letters"
_INDEFINITE = listed("eat drink buy sell read write draw see prepare choose find send bring give paint repair carry")
_OUTDOORS = "garden park forest street"

Item = TypeVar("Item")


def weighted(rng: Random, choices: Mapping[Item, float]) -> Item:
    """Draw a key with a probability proportional to its weight."""
    return rng.choices(list(choices), list(choices.values()))[0]


@dataclass
class Action:
    """A verb with its objects and places."""

    verb: Verb
    clitic: Clitic | None = None
    rest: Phrase = field(default_factory=Phrase)
    relations: list[Relation] = field(default_factory=list)
    placed: bool = False

    def infinitive(self, who: NounPhrase, link: str = "") -> Phrase:
        """The infinitive; `link` is the French à or de before it, or bare for English without "to"."""
        phrase = infinitive(self.verb, who, self.clitic, link) + self.rest
        phrase.relations += self.relations
        return phrase


@dataclass
class Event:
    """A subject and its action, with tense, negation and adverb."""

    who: NounPhrase
    action: Action
    tense: str
    negation: str = ""
    adverb: str = ""

    def statement(self) -> Phrase:
        """A statement such as "The queen has already read this letter"."""
        verb = predicate(
            self.action.verb,
            self.tense,
            self.who,
            negation=self.negation,
            adverb=self.adverb,
            clitic=self.action.clitic,
        )
        return self._related(statement(self.who, verb, self.action.rest))

    def question(self, word: str = "") -> Phrase:
        """A question such as "Has the queen already read this letter?", or one that begins with a question `word`."""
        verb = predicate(
            self.action.verb, self.tense, self.who, adverb=self.adverb, question=True, clitic=self.action.clitic
        )
        return self._related(question(self.who, verb, self.action.rest, word))

    def _related(self, phrase: Phrase) -> Phrase:
        phrase.relations += self.action.relations
        return phrase


def event(
    rng: Random,
    frame: Frame,
    *,
    who: NounPhrase | None = None,
    tense: str = "",
    negation: str | None = None,
    role: str = "subject",
    adjective: float = 0.35,
    pronouns: Sequence[str] = SUBJECTS,
) -> Event:
    """Draw an event of this frame; arguments that are given are not drawn."""
    verb = VERBS[frame.verb]
    who = who or subject(rng, frame.subjects, role=role, adjective=adjective, pronouns=pronouns)
    tense = tense or choose_tense(rng, verb, who)
    negation = choose_negation(rng, verb, tense) if negation is None else negation
    return Event(who, action(rng, frame, who, tense, negation), tense, negation)


def subject(
    rng: Random,
    classes: frozenset[str],
    *,
    role: str = "subject",
    adjective: float = 0.35,
    pronouns: Sequence[str] = SUBJECTS,
) -> NounPhrase:
    """A subject of one of these classes; people may be names or pronouns."""
    human = not PEOPLE.isdisjoint(classes)
    kind = weighted(rng, {"noun": 64, "name": 9, "two": 3, "pronoun": 22 if pronouns else 0}) if human else "noun"
    if kind == "name":
        return name(rng)
    if kind == "two":
        return two_names(rng)
    if kind == "pronoun":
        return pronoun(rng.choice(pronouns))
    return described(rng, rng.choice(nouns(classes)), role, OWNERS, adjective=adjective)


def described(
    rng: Random, noun: Noun, role: str, owners: tuple[str, ...], *, negated: bool = False, adjective: float = 0.4
) -> NounPhrase:
    """A noun phrase; one noun in eight that can be owned has an owner, as in "my brother's dog"."""
    if "owned" in noun.tags and rng.random() < 0.12:
        return noun_phrase(rng, noun, possessor=possessor(rng, noun), adjective=min(adjective, 0.2))
    return noun_phrase(rng, noun, role, negated=negated, owners=owners, adjective=adjective)


def possessor(rng: Random, owned: Noun) -> NounPhrase:
    """The owner: a name, a relative or a person who is named by what they do."""
    kind = rng.choice(["name", "name", "kin", "role"])
    if kind == "name":
        return name(rng)
    choices = [each for each in nouns(frozenset({kind, "known"} if kind == "kin" else {kind})) if each != owned]
    return build(rng.choice(choices), rng.choice(["my", "his", "her", "our"]) if kind == "kin" else "the")


def owners_for(owner: NounPhrase) -> tuple[str, ...]:
    """The possessives that are natural in the clause of this subject: its own, or the speaker's."""
    if owner.person in (FIRST, FIRST_PLURAL):
        return (owner.possessive,)
    return (owner.possessive, owner.possessive, "my") if owner.possessive else ("my", "our")


def choose_tense(rng: Random, verb: Verb, who: NounPhrase) -> str:
    """A tense in which the English has one translation, whoever the subject is."""
    weights = dict(_TENSES)
    refused: set[str] = set()
    if "state" in verb.flags:
        refused |= {"progressive", "perfect", "near", "past progressive"}
    if "mishap" in verb.flags or ("state" in verb.flags and "lasting" not in verb.flags):
        refused |= {"future", "near"}
    if "point" in verb.flags:
        refused |= {"progressive", "past progressive"}
        weights["present"] = 12
    if "same" in verb.flags and who.person != THIRD:
        refused |= {"present", "past"}
    refused |= {tense for tense in weights if gender_unknown(verb, who, tense)}
    if who.person == FIRST_PLURAL:
        refused.add("past progressive")
    return weighted(rng, {tense: weight for tense, weight in weights.items() if tense not in refused})


def gender_unknown(verb: Verb, who: NounPhrase, tense: str) -> bool:
    """Whether French depends on the gender of the speakers, as in "je suis allé" or "allée"."""
    return who.person in (FIRST, FIRST_PLURAL) and tense in ("past", "perfect") and verb.auxiliary == "être"


def choose_negation(rng: Random, verb: Verb, tense: str, how_often: float = 0.27) -> str:
    """Draw "not", "never", "no longer" or no negation, as the tense and the verb allow."""
    if rng.random() > how_often:
        return ""
    weights = {"not": 6.0}
    if tense not in ("progressive", "past progressive") and "state" not in verb.flags:
        weights["never"] = 3
    if tense in ("present", "progressive"):
        weights["no longer"] = 2
    return weighted(rng, weights)


def choose_adverb(rng: Random, verb: Verb, tense: str) -> str:
    """Draw "often", "always", "already" or no adverb, as the tense and the verb allow."""
    if tense == "present" and not verb.flags & {"state", "point"} and rng.random() < 0.2:
        return rng.choice(["often", "always"])
    return "already" if tense == "perfect" and rng.random() < 0.3 else ""


def action(rng: Random, frame: Frame, who: NounPhrase, tense: str, negation: str = "") -> Action:
    """What the subject does: the verb of a frame with an object, a receiver and a place if they make sense."""
    done = Action(VERBS[frame.verb], relations=subject_verb(who, frame.verb))
    if frame.objects:
        _add_object(rng, done, frame, who, tense, bool(negation))
    else:
        done.rest = _where(rng, frame, who, tense)
        done.placed = bool(done.rest.en)
    return done


def subject_verb(who: NounPhrase, verb: str) -> list[Relation]:
    """The combination of a subject and its verb, if the subject is more than a pronoun."""
    return [("subject-verb", who.noun.singular, verb)] if who.noun and not who.pronoun else []


def _add_object(rng: Random, done: Action, frame: Frame, who: NounPhrase, tense: str, negated: bool) -> None:
    pronouns = _pronouns(frame, who, tense)
    if pronouns and rng.random() < (0.2 if len(pronouns) > 1 else 0.08):
        done.clitic = object_pronoun(rng.choice(pronouns), direct="to" not in done.verb.flags)
    else:
        thing = direct_object(rng, frame, who, negated)
        done.rest += thing
        done.relations.append(("verb-object", frame.verb, thing.named.singular))
    if frame.verb in _RECEIVER:
        _add_receiver(rng, done, who)
    elif frame.verb in ("buy", "prepare", "choose") and not done.clitic and rng.random() < 0.2:
        done.rest += preposition("for", person(rng, who))
    elif frame.verb in _ACTIVITIES and rng.random() < 0.2:
        done.rest += place(rng, "in", "" if who.animate else _OUTDOORS)
        done.placed = True


def _pronouns(frame: Frame, who: NounPhrase, tense: str) -> list[str]:
    """The object pronouns that fit; "me" and "us" do not if the passé composé would depend on their gender."""
    if PEOPLE.isdisjoint(frame.objects) or frame.verb in _RECEIVER:
        return ["them"] if frame.verb in _THEM else []
    hidden = "to" not in VERBS[frame.verb].flags and tense in ("past", "perfect")
    speakers = who.person not in (FIRST, FIRST_PLURAL) and not hidden
    return ["him", "her", "them", "them"] + (["me", "us"] if speakers else [])


def direct_object(rng: Random, frame: Frame, who: NounPhrase, negated: bool) -> NounPhrase:
    """Draw an object of the frame's classes; after like and hate, it is meant in general."""
    noun = rng.choice([each for each in nouns(frame.objects) if each != who.noun])
    if frame.verb in _GENERIC:
        return _generic(noun)
    if frame.verb == "play":
        return build(noun, "the")
    if frame.verb == "have":
        several = [] if negated else [("two", True), ("three", True)]
        determiner, plural = rng.choice([("a", False), ("a", False), *several])
        return noun_phrase(rng, noun, determiner=determiner, plural=plural, negated=negated, adjective=0.5)
    if frame.verb == "need":
        needed = "bare" if "mass" in noun.tags else rng.choice(["a", "a", "the", "this", owners_for(who)[0]])
        return noun_phrase(rng, noun, determiner=needed, plural=False)
    if "person" in noun.tags:
        return person(rng, who, noun)
    role = "object" if frame.verb in _INDEFINITE or "mass" in noun.tags else "receiver"
    return described(rng, noun, role, owners_for(who), negated=negated)


def _generic(noun: Noun) -> NounPhrase:
    """A noun in general, such as cheese or cats: without an article in English, with the definite one in French."""
    phrase = build(noun, "the", "mass" not in noun.tags)
    article = phrase.en.pop(0)
    for word in phrase.fr:
        if article in word.sure:
            word.sure, word.possible = [], [phrase.en[-1]]
    return phrase


def person(rng: Random, who: NounPhrase, noun: Noun | None = None) -> NounPhrase:
    """Another person, as the subject would speak of them."""
    if rng.random() < 0.12:
        other = name(rng)
        return person(rng, who, noun) if other.noun == who.noun else other
    noun = noun or rng.choice([each for each in nouns(frozenset({"person"})) if each != who.noun])
    return described(rng, noun, "receiver", owners_for(who), adjective=0.25)


def _add_receiver(rng: Random, done: Action, who: NounPhrase) -> None:
    """Add a receiver, as in "gives the book to Paul" or "gives him the book" / "lui donne le livre"."""
    if rng.random() < 0.35:
        choices = ["him", "her", "them"] + (["me", "us"] if who.person not in (FIRST, FIRST_PLURAL) else [])
        done.clitic = object_pronoun(rng.choice(choices), direct=False)
    elif rng.random() < 0.8:
        done.rest += preposition("to", person(rng, who))


def _where(rng: Random, frame: Frame, who: NounPhrase, tense: str) -> Phrase:
    """The place, the company or the manner that a verb without an object needs or may have."""
    verb = frame.verb
    if verb == "live":
        noun = rng.choice(nouns(frozenset({"town", "house", "hotel"})))
        return preposition("in", noun_phrase(rng, noun, determiner=rng.choice(["a", "this", "the"]), plural=False))
    if verb == "stop" and frame.human:
        return place(rng, rng.choice(["near", "in front of"]))
    if verb == "work" and rng.random() < 0.4:
        return place(rng, "at", "workplace")
    manners = [
        (english, french)
        for english, (french, verbs) in _MANNERS.items()
        if verb in verbs and (english != "well" or tense in ("present", "future"))
    ]
    if manners and rng.random() < 0.3:
        return words(*rng.choice(manners))
    if verb in ("dance", "sing", "travel", "walk", "laugh") and who.animate and rng.random() < 0.25:
        return preposition("with", person(rng, who))
    often, prepositions = _PLACED.get(verb, (0.0, ("in",)))
    outdoors = prepositions == ("in",) and (verb in ("run", "walk") or not who.animate)
    return place(rng, rng.choice(prepositions), _OUTDOORS if outdoors else "") if rng.random() < often else Phrase()
