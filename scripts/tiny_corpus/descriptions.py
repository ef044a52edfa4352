"""Patterns of one clause about what somebody or something is, what they feel, or where they are."""

from __future__ import annotations

from random import Random

from .circumstances import place, preposition
from .clauses import Predicate, predicate, question, statement
from .events import OWNERS, subject, weighted
from .lexicon import ADJECTIVES, NOUNS
from .noun_phrases import (
    NounPhrase,
    adjectives_of,
    build,
    choose_number,
    name,
    noun_phrase,
    predicate_adjective,
    pronoun,
)
from .relatives import with_object_relative
from .surface import Phrase, Sentence, en, finish, fr, words
from .usage import adjectives, doing_to, listed, nouns
from .verbs import AVOIR, VERBS

PERSON = frozenset({"person"})
THIRD_PERSONS = ("he", "she", "they")
BE_TENSES = {"present": 6.0, "past": 3, "future": 1}
_PASSING = listed("tired sick happy sad rich famous hot cold empty dirty clean expensive delicious")
_DEGREES = {
    "very": listed("beautiful pretty kind intelligent curious modern interesting famous rich"),
    "too": listed("tired sick sad hot cold heavy expensive dirty long small big old young quiet"),
}


def quality(
    rng: Random, who: NounPhrase, tense: str, negation: str = "", asks: bool = False
) -> tuple[Predicate, Phrase]:
    """The verb be with an adjective, sometimes with very or too; in the future only with one that may pass."""
    passing = [each for each in adjectives_of(who) if each.english in _PASSING]
    tense = tense if passing else "present"
    adjective = rng.choice(passing if tense == "future" else adjectives_of(who))
    if negation == "no longer" and adjective.english not in _PASSING:
        negation = "not"
    verb = predicate(VERBS["be"], tense, who, negation=negation, question=asks)
    return verb, _degree(rng, adjective.english) + predicate_adjective(adjective, who)


def _degree(rng: Random, adjective: str) -> Phrase:
    choices = [words("very", "très")] if adjective in _DEGREES["very"] + _DEGREES["too"] else []
    choices += [words("too", "trop")] if adjective in _DEGREES["too"] else []
    return rng.choice(choices) if choices and rng.random() < 0.35 else Phrase()


def describable(rng: Random) -> NounPhrase:
    """A subject that an adjective can describe; not I or we, whose gender is unknown."""
    if rng.random() < 0.35:
        return subject(rng, PERSON, role="definite", adjective=0, pronouns=THIRD_PERSONS)
    noun = rng.choice([each for each in NOUNS.values() if adjectives(each)])
    return noun_phrase(rng, noun, owners=OWNERS, adjective=0)


def be_negation(rng: Random, how_often: float = 0.25) -> str:
    """Draw "not", sometimes "no longer", or no negation."""
    return rng.choice(["not", "not", "not", "no longer"]) if rng.random() < how_often else ""


def copula(rng: Random) -> Sentence:
    """A quality, as in "The small houses were not very expensive" or "The soup that Anna prepared is delicious"."""
    who = describable(rng)
    if who.noun and who.noun.tags.isdisjoint({"name", "kin", "known"}) and rng.random() < 0.25:
        usable = doing_to(who.noun, "buy", "choose", "find", "read", "prepare", "meet", "write")
        if usable:
            who = with_object_relative(rng, build(who.noun, "the", who.plural), rng.choice(usable))
    return finish(statement(who, *quality(rng, who, weighted(rng, BE_TENSES), be_negation(rng))))


def is_it(rng: Random) -> Sentence:
    """Ask whether the museum is interesting."""
    who = describable(rng)
    verb, said = quality(rng, who, weighted(rng, BE_TENSES), asks=True)
    return finish(question(who, verb, said), "?")


def profession(rng: Random) -> Sentence:
    """A profession: "Paul is a doctor" or "his sister is a good nurse"; il est médecin, but c'est un bon médecin."""
    relative = rng.choice(nouns(frozenset({"kin", "known"})))
    family = build(relative, rng.choice(["my", "his", "her", "our"]))
    who = rng.choice([name(rng), pronoun(rng.choice(["he", "she"])), family])
    roles = nouns(frozenset({"role"}))
    fitting = [each for each in roles if each.feminine == who.feminine]
    if rng.random() < 0.3:
        said = build(NOUNS[rng.choice(["teacher", "doctor"])], "a")
    else:
        said = noun_phrase(rng, rng.choice(fitting), determiner="a", plural=False, adjective=0.6)
    if len(said.en) == 2:
        said.fr = [fr(said.fr[1].form, said.en[1:], said.en[:1])]
    elif who.pronoun:
        who.fr = [fr("ce", who.en)]
    negation = "not" if rng.random() < 0.2 else ""
    tense = rng.choice(["present", "past"])
    return finish(statement(who, predicate(VERBS["be"], tense, who, negation=negation), said))


# preposition, what may be there
_SCENES = (
    ("in", "person animal"),
    ("on", "portable fruit cup bread cheese water milk"),
    ("under", "pet ball bag mouse umbrella"),
    ("behind", "animal vehicle person tree"),
    ("in front of", "person vehicle dog cat tree"),
    ("near", "tree vehicle person restaurant hotel shop"),
)


def there_is(rng: Random) -> Sentence:
    """A scene such as "There are two birds in the tree" or "il n'y a pas de pain sur la table"."""
    where, classes = rng.choice(_SCENES)
    noun = rng.choice([each for each in nouns(frozenset(classes.split())) if not each.tags & {"kin", "known"}])
    mass, negated = "mass" in noun.tags, rng.random() < 0.2
    plural = not mass and rng.random() < 0.55
    several = ["two", "three", "four", "five", "many", "many", "some"]
    determiner = "any" if negated else rng.choice(several) if plural else "some" if mass else "a"
    thing = noun_phrase(rng, noun, determiner=determiner, plural=plural, negated=negated)
    future = where == "in" and not negated
    tense = rng.choice(["present", "present", "past", "future" if future else "present"])
    clause = _there(thing, tense, negated) + place(rng, where)
    return finish(clause + words("tomorrow", "demain") if tense == "future" else clause)


def _there(thing: NounPhrase, tense: str, negated: bool) -> Phrase:
    be = {"present": ("is", "are"), "past": ("was", "were"), "future": ("will be", "will be")}[tense][thing.plural]
    source = en(f"there {be}")
    verb = fr({"present": "a", "past": "avait", "future": "aura"}[tense], source[-1:], source[1:-1])
    il, y = fr("il", possible=source[:1]), fr("y", source[:1])
    if not negated:
        return Phrase(source, [il, y, verb]) + thing
    no = thing.en[0]
    no.form = "no"
    thing.fr[0].sure, thing.fr[0].possible = [], [no]
    return Phrase(source, [il, fr("ne", possible=[no]), y, verb, fr("pas", [no])]) + thing


def located(rng: Random) -> Sentence:
    """A place, as in "The key is on the table", "Where is the key?" or "Is the key on the table?"."""
    where, classes = rng.choice(_SCENES)
    fixed = {"building", "aim", "mass", "furniture", "fixed"}
    movable = [each for each in nouns(frozenset(classes.split())) if each.tags.isdisjoint(fixed)]
    who = noun_phrase(rng, rng.choice(movable), owners=OWNERS)
    tense = rng.choice(["present", "present", "past"])
    kind = weighted(rng, {"stated": 0.7, "where": 0.15, "whether": 0.15})
    if kind == "where":
        verb, asked = predicate(VERBS["be"], tense, who, question=True), en("where")
        return finish(Phrase([*asked, *verb.front], [fr("où", asked), *verb.fr]) + who, "?")
    if kind == "whether":
        return finish(question(who, predicate(VERBS["be"], tense, who, question=True), place(rng, where)), "?")
    verb = predicate(VERBS["be"], tense, who, negation=be_negation(rng, 0.2))
    return finish(statement(who, verb, place(rng, where)))


_HAD = {"hungry": "faim", "thirsty": "soif", "afraid": "peur"}


def feeling(
    rng: Random, who: NounPhrase, kind: str, tense: str, negation: str = "", asks: bool = False
) -> tuple[Predicate, Phrase]:
    """The verb be with hungry, thirsty or afraid (French: avoir faim, soif, peur), or with an adjective that agrees."""
    if kind not in _HAD:
        verb = predicate(VERBS["be"], tense, who, negation=negation, question=asks)
        return verb, predicate_adjective(ADJECTIVES[kind], who)
    verb = predicate(VERBS["be"]._replace(french=AVOIR), tense, who, negation=negation, question=asks)
    said = words(kind, _HAD[kind])
    if kind != "afraid":
        return verb, words("very", "très") + said if rng.random() < 0.25 else said
    feared = rng.choice([each for each in nouns(frozenset({"animal", "teacher", "doctor"})) if each != who.noun])
    determiner = rng.choice(["the", "the", "this"])
    return verb, said + preposition("of", noun_phrase(rng, feared, determiner=determiner, plural=False))


def idiom(rng: Random) -> Sentence:
    """A feeling, as in "The child is hungry" / "l'enfant a faim"."""
    asks = rng.random() < 0.2
    classes = rng.choice([PERSON, frozenset({"pet", "infant"})])
    who = subject(rng, classes, role="definite", pronouns=THIRD_PERSONS if asks else ("I", *THIRD_PERSONS, "we"))
    tense = rng.choice(["present", "present", "past"])
    verb, said = feeling(rng, who, rng.choice(list(_HAD)), tense, "" if asks else be_negation(rng), asks)
    return finish((question if asks else statement)(who, verb, said), "?" if asks else ".")


_COMPARED = listed("person animal clothing vehicle building town furniture instrument text tale portable aim")


def comparison(rng: Random) -> Sentence:
    """A comparison such as "The dog is bigger than the cat" (plus grand que)."""
    adjective = rng.choice([each for each in ADJECTIVES.values() if each.comparative])
    fitting = [each for each in nouns(frozenset({rng.choice(_COMPARED)})) if adjective in adjectives(each)]
    if len(fitting) < 2:
        return comparison(rng)
    first, second = rng.sample(fitting, 2)
    who = noun_phrase(rng, first, owners=OWNERS, adjective=0)
    other = noun_phrase(rng, second, owners=OWNERS, plural=False, adjective=0)
    asks = rng.random() < 0.25
    negation = "not" if not asks and rng.random() < 0.15 else ""
    verb = predicate(VERBS["be"], rng.choice(["present", "present", "past"]), who, question=asks, negation=negation)
    said = predicate_adjective(adjective, who)
    said.en[0].form = adjective.comparative
    said.fr.insert(0, fr("plus", possible=said.en))
    clause = (question if asks else statement)(who, verb, said + words("than", "que") + other)
    return finish(clause, "?" if asks else ".")


_SHOWN = listed("see buy know love find choose visit eat meet play sing tell draw write build lose")


def this_is(rng: Random) -> Sentence:
    """A statement: "This is my brother" / "c'est mon frère" or "these are not our keys" / "ce ne sont pas nos clés"."""
    noun = rng.choice([each for each in nouns(frozenset({"owned"})) if "mass" not in each.tags])
    plural = choose_number(rng, noun)
    thing = noun_phrase(rng, noun, determiner=rng.choice(OWNERS), plural=plural, adjective=0.4)
    usable = doing_to(noun, *_SHOWN) if noun.tags.isdisjoint({"kin", "known"}) else ()
    if usable and rng.random() < 0.35:
        thing = with_object_relative(rng, build(noun, "the", plural), rng.choice(usable))
    source = en("these" if plural else "this")
    who = NounPhrase(source, [fr("ce", source)], person=thing.person)
    negation = "not" if rng.random() < 0.2 else ""
    return finish(statement(who, predicate(VERBS["be"], "present", who, negation=negation), thing))
