"""Patterns of one clause that state something."""

from __future__ import annotations

from random import Random

from .circumstances import comma, place, preposition, time
from .clauses import Predicate, predicate, question, statement
from .events import (
    OWNERS,
    Action,
    Event,
    action,
    choose_adverb,
    choose_tense,
    event,
    subject,
    weighted,
)
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
from .relatives import extend, with_object_relative, with_subject_relative
from .surface import Phrase, Sentence, en, finish, fr, words
from .usage import adjectives, doing_to, frames, human_frames, nouns
from .verbs import AVOIR, VERBS

PERSON = frozenset({"person"})
THIRD_PERSONS = ("he", "she", "they")
BE_TENSES = {"present": 6.0, "past": 3, "future": 1}
_PASSING = (
    "tired",
    "sick",
    "happy",
    "sad",
    "rich",
    "famous",
    "hot",
    "cold",
    "empty",
    "dirty",
    "clean",
    "expensive",
    "delicious",
)
_VERY = (
    "small",
    "big",
    "old",
    "young",
    "beautiful",
    "pretty",
    "long",
    "kind",
    "intelligent",
    "curious",
    "modern",
    "interesting",
    "famous",
)
_TOO = (
    "tired",
    "sick",
    "sad",
    "hot",
    "cold",
    "heavy",
    "expensive",
    "dirty",
    "long",
    "small",
    "big",
    "old",
    "young",
    "quiet",
)


def plain(rng: Random) -> Sentence:
    """The neighbour has already sold the old car."""
    told = event(rng, rng.choice(frames()))
    if _plain_noun(told.who) and rng.random() < 0.12:
        told.who = with_subject_relative(rng, told.who)
    told.adverb = "" if told.negation else choose_adverb(rng, told.action.verb, told.tense)
    return finish(_timed(rng, told))


def _plain_noun(who: NounPhrase) -> bool:
    return len(who.en) == 2 and who.en[0].form == "the"


def _timed(rng: Random, told: Event) -> Phrase:
    """Say when it happens, at the end or, with a comma, in front."""
    clause, verb = told.statement(), told.action.verb
    negated = told.negation and not (told.negation == "not" and told.tense in ("past", "progressive"))
    free = not (negated or told.adverb or told.action.placed or "state" in verb.flags)
    when = time(rng, told.tense, verb) if free and rng.random() < 0.45 else None
    if not when:
        return clause
    return comma(when) + clause if rng.random() < 0.3 else clause + when


_MODALS: list[tuple[str, str, tuple[str, ...]]] = [
    ("want", "", ("present", "present", "past")),
    ("want", "", ("present", "present", "past")),
    ("can", "bare", ("present", "present", "past")),
    ("can", "bare", ("present", "present", "past")),
    ("must", "bare", ("present",)),
    ("like", "", ("present",)),
    ("begin_to", "à", ("present", "past")),
    ("try_to", "de", ("present", "past")),
]
_NEVER_AFTER_MODALS = (
    "like",
    "hate",
    "love",
    "know",
    "have",
    "need",
    "fall",
    "fall_asleep",
    "wake_up",
    "stop",
    "lose",
    "forget",
)


def modal(rng: Random) -> Sentence:
    """The girl cannot open the door; he tries to sell them."""
    lemma, link, tenses = rng.choice(_MODALS)
    activity = lemma in ("like", "begin_to", "try_to")
    usable = [
        each
        for each in human_frames()
        if each.verb not in _NEVER_AFTER_MODALS
        and not (activity and VERBS[each.verb].flags & {"point", "etre", "state"})
    ]
    frame = rng.choice(usable)
    who, tense = subject(rng, frame.subjects), rng.choice(tenses)
    negation = "not" if lemma in ("want", "can", "like", "must") and rng.random() < 0.25 else ""
    if negation and lemma in ("want", "can") and rng.random() < 0.15:
        negation = "never" if tense == "past" else "no longer" if lemma == "want" else negation
    done = action(rng, frame, who, "infinitive", negation if lemma != "like" else "")
    verb = predicate(VERBS[lemma]._replace(particle=""), tense, who, negation=negation)
    return finish(statement(who, verb, done.infinitive(who, link)))


def quality(
    rng: Random, who: NounPhrase, tense: str, negation: str = "", asks: bool = False
) -> tuple[Predicate, Phrase]:
    """Be + adjective, sometimes very or too."""
    allowed = [each for each in adjectives_of(who) if tense != "future" or each.english in _PASSING]
    tense = tense if allowed else "present"
    adjective = rng.choice(allowed or adjectives_of(who))
    verb = predicate(VERBS["be"], tense, who, negation=negation, question=asks)
    degrees = [words("very", "très")] if adjective.english in _VERY + _TOO else []
    degrees += [words("too", "trop")] if adjective.english in _TOO else []
    degree = rng.choice(degrees) if degrees and rng.random() < 0.35 else Phrase()
    return verb, degree + predicate_adjective(adjective, who)


def describable(rng: Random, role: str = "definite") -> NounPhrase:
    """Something that an adjective can be said of; no pronoun of the first person, whose gender is unknown."""
    if rng.random() < 0.35:
        return subject(rng, PERSON, role=role, adjective=0, pronouns=THIRD_PERSONS)
    noun = rng.choice([each for each in NOUNS.values() if adjectives(each)])
    return noun_phrase(rng, noun, role, owners=OWNERS, adjective=0)


def be_negation(rng: Random, how_often: float = 0.25) -> str:
    """not, or sometimes no longer."""
    return rng.choice(["not", "not", "not", "no longer"]) if rng.random() < how_often else ""


def copula(rng: Random) -> Sentence:
    """The small houses were not very expensive; the soup that Anna prepared is delicious."""
    who = describable(rng)
    if who.noun and "name" not in who.noun.tags and rng.random() < 0.2:
        usable = doing_to(who.noun, "buy", "choose", "find", "read", "prepare", "meet", "write")
        if usable and not who.noun.tags & {"kin", "known"}:
            who = with_object_relative(rng, build(who.noun, "the", who.plural), rng.choice(usable))
    return finish(statement(who, *quality(rng, who, weighted(rng, BE_TENSES), be_negation(rng))))


def profession(rng: Random) -> Sentence:
    """Paul is a doctor, his sister is a good nurse: médecin alone, but une bonne infirmière."""
    relative = rng.choice(nouns(frozenset({"kin", "known"})))
    who = rng.choice(
        [name(rng), pronoun(rng.choice(["he", "she"])), build(relative, rng.choice(["my", "his", "her", "our"]))]
    )
    fitting = [
        each
        for each in nouns(frozenset({"role"}))
        if each.feminine == who.feminine or (each.singular in ("teacher", "doctor", "writer") and who.feminine)
    ]
    noun = rng.choice(fitting)
    said = noun_phrase(rng, noun, determiner="a", plural=False, adjective=0.6 if noun.feminine == who.feminine else 0)
    if len(said.en) == 2:
        said.fr = [fr(said.fr[1].form, said.en[1:], said.en[:1])]
    negation = "not" if rng.random() < 0.2 else ""
    return finish(statement(who, predicate(VERBS["be"], rng.choice(["present", "past"]), who, negation=negation), said))


# preposition, what may be there
_SCENES = [
    ("in", "person animal"),
    ("on", "portable fruit cup bread cheese water milk"),
    ("under", "pet ball bag mouse umbrella"),
    ("behind", "animal vehicle person tree"),
    ("in front of", "person vehicle dog cat tree"),
    ("near", "tree vehicle person restaurant hotel shop"),
]


def there_is(rng: Random) -> Sentence:
    """There are two birds in the tree; il n'y a pas de pain sur la table."""
    where, classes = rng.choice(_SCENES)
    noun = rng.choice([each for each in nouns(frozenset(classes.split())) if not each.tags & {"kin", "known"}])
    mass, negated = "mass" in noun.tags, rng.random() < 0.2
    plural = not mass and rng.random() < 0.55
    several = ["two", "three", "four", "five", "many", "many", "some"]
    determiner = "any" if negated else rng.choice(several) if plural else "some" if mass else "a"
    thing = noun_phrase(rng, noun, determiner=determiner, plural=plural, negated=negated)
    tense = rng.choice(["present", "present", "past", "future" if where == "in" and not negated else "present"])
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
    """The key is on the table; or, asked: Where is the key? Is the key on the table?"""
    where, classes = rng.choice(_SCENES)
    fixed = {"building", "aim", "mass", "furniture"}
    noun = rng.choice(
        [
            each
            for each in nouns(frozenset(classes.split()))
            if not each.tags & fixed and each.singular not in ("shop", "tree")
        ]
    )
    who = noun_phrase(rng, noun, owners=OWNERS)
    tense = rng.choice(["present", "present", "past"])
    kind = weighted(rng, {"stated": 0.7, "where": 0.15, "asked": 0.15})
    if kind == "where":
        verb, asked = predicate(VERBS["be"], tense, who, question=True), en("where")
        return finish(Phrase([*asked, *verb.front], [fr("où", asked), *verb.fr]) + who, "?")
    if kind == "asked":
        return finish(question(who, predicate(VERBS["be"], tense, who, question=True), place(rng, where)), "?")
    verb = predicate(VERBS["be"], tense, who, negation=be_negation(rng, 0.2))
    return finish(statement(who, verb, place(rng, where)))


def feeling(
    rng: Random, who: NounPhrase, kind: str, tense: str, negation: str = "", asks: bool = False
) -> tuple[Predicate, Phrase]:
    """Be + hungry, thirsty or afraid: avoir faim, soif, peur; else an adjective that agrees."""
    if kind not in _NOUNS_OF_FEELING:
        return predicate(VERBS["be"], tense, who, negation=negation, question=asks), predicate_adjective(
            ADJECTIVES[kind], who
        )
    verb = predicate(VERBS["be"]._replace(french=AVOIR), tense, who, negation=negation, question=asks)
    said = words(kind, _NOUNS_OF_FEELING[kind])
    if kind == "afraid":
        feared = rng.choice([each for each in nouns(frozenset({"animal", "teacher", "doctor"})) if each != who.noun])
        return verb, said + preposition(
            "of", noun_phrase(rng, feared, determiner=rng.choice(["the", "the", "this"]), plural=False)
        )
    return verb, words("very", "très") + said if rng.random() < 0.25 else said


_NOUNS_OF_FEELING = {"hungry": "faim", "thirsty": "soif", "afraid": "peur"}


def idiom(rng: Random) -> Sentence:
    """The child is hungry: l'enfant a faim."""
    asks = rng.random() < 0.2
    classes = rng.choice([PERSON, frozenset({"pet", "infant"})])
    who = subject(rng, classes, role="definite", pronouns=THIRD_PERSONS if asks else ("I", *THIRD_PERSONS, "we"))
    negation = "" if asks else be_negation(rng)
    verb, said = feeling(
        rng, who, rng.choice(list(_NOUNS_OF_FEELING)), rng.choice(["present", "present", "past"]), negation, asks
    )
    return finish((question if asks else statement)(who, verb, said), "?" if asks else ".")


_COMPARED = (
    "person",
    "animal",
    "clothing",
    "vehicle",
    "building",
    "town",
    "furniture",
    "instrument",
    "text",
    "tale",
    "portable",
    "aim",
)


def comparison(rng: Random) -> Sentence:
    """The dog is bigger than the cat: plus grand que."""
    adjective = rng.choice([each for each in ADJECTIVES.values() if each.comparative])
    kind = rng.choice(_COMPARED)
    fitting = [each for each in nouns(frozenset({kind})) if adjective in adjectives(each)]
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


_SHOWN = tuple(
    [
        "see",
        "buy",
        "know",
        "love",
        "find",
        "choose",
        "visit",
        "eat",
        "meet",
        "play",
        "sing",
        "tell",
        "draw",
        "write",
        "build",
        "lose",
    ]
)


def this_is(rng: Random) -> Sentence:
    """This is my brother: c'est mon frère; these are not our keys: ce ne sont pas nos clés."""
    noun = rng.choice([each for each in nouns(frozenset({"owned"})) if "mass" not in each.tags])
    plural = choose_number(rng, noun)
    thing = noun_phrase(rng, noun, determiner=rng.choice(OWNERS), plural=plural, adjective=0.4)
    usable = () if noun.tags & {"kin", "known"} else doing_to(noun, *_SHOWN)
    if usable and rng.random() < 0.3:
        thing = with_object_relative(rng, build(noun, "the", plural), rng.choice(usable))
    negation = "not" if rng.random() < 0.2 else ""
    source = en("these" if plural else "this")
    who = NounPhrase(source, [fr("ce", source)], person=thing.person)
    return finish(statement(who, predicate(VERBS["be"], "present", who, negation=negation), thing))


_PARTS = [
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
]
_TO_PARTS = (
    "open",
    "close",
    "wash",
    "paint",
    "repair",
    "see",
    "know",
    "visit",
    "meet",
    "help",
    "find",
    "lose",
    "look_for",
    "invite",
    "speak_to",
    "answer",
    "listen_to",
    "wait_for",
)


def part_of(rng: Random) -> Sentence:
    """The door of the hotel is green; he closes the windows of the kitchen."""
    part, wholes = rng.choice(_PARTS)
    noun, whole = NOUNS[part], rng.choice(nouns(frozenset(wholes.split())))
    determiners = ["the", "the", "this", *(["our"] if "owned" in whole.tags else [])]
    owner = noun_phrase(rng, whole, determiner=rng.choice(determiners), plural=False, adjective=0.2)
    head = extend(build(noun, "the", choose_number(rng, noun)), preposition("of", owner))
    usable = doing_to(noun, *_TO_PARTS)
    if not usable or rng.random() < 0.5:
        return finish(statement(head, *quality(rng, head, weighted(rng, BE_TENSES), be_negation(rng))))
    frame = rng.choice(usable)
    who = subject(rng, frame.subjects)
    if who.noun in (noun, whole):
        return part_of(rng)
    done = Action(VERBS[frame.verb], rest=Phrase(head.en, head.fr, head.relations))
    done.relations = [("verb-object", frame.verb, part)] + (
        [("subject-verb", who.noun.singular, frame.verb)] if who.noun else []
    )
    return finish(Event(who, done, choose_tense(rng, done.verb, who), "not" if rng.random() < 0.2 else "").statement())


def the_house_where(rng: Random) -> Sentence:
    """This is the house where Paul lives: la maison où Paul habite."""
    verb = rng.choice(["live", "work", "sleep", "dance", "sing", "play", "eat"])
    classes = {
        "live": "house village city farm hotel",
        "work": "workplace shop",
        "sleep": "hotel house",
        "eat": "restaurant kitchen garden",
    }
    noun = rng.choice(nouns(frozenset(classes.get(verb, "garden park house church street").split())))
    who = subject(rng, PERSON, pronouns=("he", "she", "they", "we"), adjective=0)
    tense = choose_tense(rng, VERBS[verb], who)
    link, source = en("where"), en("this")
    here = NounPhrase(source, [fr("ce", source)])
    made = statement(who, predicate(VERBS[verb]._replace(flags=VERBS[verb].flags - {"de"}), tense, who))
    if who.noun:
        made.relations.append(("subject-verb", who.noun.singular, verb))
    head = noun_phrase(rng, noun, determiner="the", plural=False, adjective=0.2)
    return finish(
        statement(here, predicate(VERBS["be"], "present", here), head + Phrase(link, [fr("où", link)]) + made)
    )
