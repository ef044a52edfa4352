"""Sentence patterns: each draws one pair from the grammar."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random

from .clauses import Predicate, predicate, question, statement, taken_up
from .lexicon import ADJECTIVES, FRAMES, NOUNS, Frame, Noun, adjectives, frames, nouns
from .noun_phrases import NounPhrase, adjectives_of, build, name, noun_phrase, predicate_adjective, pronoun, pronoun_for
from .surface import Phrase, Sentence, en, finish, fr, words
from .verb_phrases import (
    ALL_OWNERS,
    INTRANSITIVE,
    Action,
    action,
    choose_adverb,
    choose_negation,
    choose_tense,
    conjugate,
    direct_object,
    owners_for,
    person,
    person_or_thing,
    place,
    preposition,
    subject,
    time,
    to_do,
    weighted,
)
from .verbs import AVOIR, FIRST, FIRST_PLURAL, KNOW_THAT, VERBS, Verb

_PERSON = frozenset({"person"})
_NOBODY_UNKNOWN = ("he", "she")
_BE_TENSES = {"present": 6.0, "past": 3, "future": 1}


def _clause(
    rng: Random, who: NounPhrase, done: Action, tense: str, negation: str = "", adverb: str = ""
) -> Phrase:
    """A statement out of an action."""
    clause = statement(who, conjugate(done, who, tense, negation, adverb), done.rest)
    clause.relations += done.relations
    return clause


def _draw(rng: Random, *verbs: str) -> tuple[NounPhrase, Action, str, str]:
    """A subject, what it does, in what tense and with what negation."""
    frame = rng.choice(frames(*verbs) if verbs else FRAMES)
    who = _described(rng, subject(rng, frame.subjects))
    tense = choose_tense(rng, VERBS[frame.verb], who)
    negation = choose_negation(rng, tense)
    return who, action(rng, frame, who, tense, negation), tense, negation


def _described(rng: Random, who: NounPhrase) -> NounPhrase:
    """Sometimes add a relative clause to a subject that is a plain noun."""
    if not who.noun or who.pronoun or "name" in who.noun.tags or rng.random() > 0.1:
        return who
    return _with_subject_relative(rng, who)


def _with_subject_relative(rng: Random, head: NounPhrase) -> NounPhrase:
    """The man who is sleeping: l'homme qui dort."""
    usable = [frame for frame in FRAMES if head.noun in nouns(frame.subjects)]
    frame = rng.choice(usable)
    tense = choose_tense(rng, VERBS[frame.verb], head)
    negation = choose_negation(rng, tense, 0.15)
    done = action(rng, frame, head, tense, negation)
    link = en("who" if head.animate else "that")
    verb = conjugate(done, head, tense, negation)
    return _extend(head, Phrase(link, [fr("qui", link)]) + Phrase(verb.en, verb.fr, done.relations) + done.rest)


def _with_object_relative(rng: Random, head: NounPhrase, verb: Verb, frame_subjects: frozenset[str]) -> NounPhrase:
    """The apple that Paul ate: la pomme que Paul a mangée; the participle agrees with what comes before it."""
    while True:
        who = subject(rng, frame_subjects)
        if who.noun is None or who.noun != head.noun:
            break
    tense = choose_tense(rng, verb, who)
    made = predicate(verb, tense, who, agreement=(head.feminine, head.plural))
    link = en("that")
    clause = Phrase(link, [fr("que", link)]) + statement(who, made)
    clause.relations += [("verb-object", verb.lemma, head.noun.singular if head.noun else "")]
    if who.noun:
        clause.relations.append(("subject-verb", who.noun.singular, verb.lemma))
    return _extend(head, clause)


def _extend(head: NounPhrase, more: Phrase) -> NounPhrase:
    whole = head + more
    return NounPhrase(whole.en, whole.fr, whole.relations, head.person, head.feminine, head.noun, head.pronoun)


def _timed(rng: Random, clause: Phrase, tense: str, how_often: float = 0.35) -> Phrase:
    """Add when it happens, at the end or, with a comma, in front."""
    when = time(rng, tense) if rng.random() < how_often else None
    if not when:
        return clause
    if rng.random() < 0.3:
        when.en[-1].form += ","
        when.fr[-1].form += ","
        return when + _lower(clause)
    return clause + when


def _lower(clause: Phrase) -> Phrase:
    return clause


def plain(rng: Random) -> Sentence:
    """The neighbour has already sold the old car."""
    who, done, tense, negation = _draw(rng)
    adverb = "" if negation else choose_adverb(rng, tense)
    clause = _clause(rng, who, done, tense, negation, adverb)
    free = not adverb and negation in ("", "not") and not _has_place(done)
    return finish(_timed(rng, clause, tense) if free else clause)


def _has_place(done: Action) -> bool:
    return len(done.rest.en) > 5


def object_relative(rng: Random) -> Sentence:
    """Sophie is looking for the key that her brother lost."""
    frame, made, shared = rng.choice(_RELATIVES)
    outer, inner = frame.verb, made.verb
    who = subject(rng, frame.subjects)
    noun = rng.choice([each for each in shared if each != who.noun])
    head = noun_phrase(rng, noun, determiner=rng.choice(["the", "the", "the", "a"]), plural="mass" not in noun.tags and rng.random() < 0.3, adjective=0.3) if "mass" not in noun.tags else build(noun, "the")
    if head.plural and head.en[0].form == "a":
        head = build(noun, "the", True)
    tense = choose_tense(rng, VERBS[outer], who)
    head = _with_object_relative(rng, head, VERBS[inner], made.subjects)
    done = Action(VERBS[outer], rest=Phrase(head.en, head.fr, head.relations))
    done.relations.append(("verb-object", outer, noun.singular))
    if who.noun:
        done.relations.append(("subject-verb", who.noun.singular, outer))
    return finish(_clause(rng, who, done, tense))


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
    "listen_to": "write know",
    "speak_to": "know meet invite",
    "answer": "know meet",
    "open": "send find buy choose",
    "sing": "love",
}


def _relatives() -> list[tuple[Frame, Frame, list[Noun]]]:
    """Two frames that may share an object, with the nouns for it."""
    found = []
    for outer, inners in _RELATED.items():
        for frame, made in product(frames(outer), frames(*inners.split())):
            shared = [each for each in nouns(frame.objects) if each in nouns(made.objects) and "kin" not in each.tags]
            if len(shared) > 1:
                found.append((frame, made, shared))
    return found


_RELATIVES = _relatives()


def modal(rng: Random) -> Sentence:
    """The girl wants to buy a red dress; she cannot find it."""
    lemma, link, tenses = rng.choice(_MODALS)
    frame = rng.choice([each for each in FRAMES if each.verb not in ("like", "hate", "love", "know", "have", "need", "fall", "fall_asleep", "want")])
    who = subject(rng, frame.subjects & frozenset({"person", "role", "adult", "pet", "flying", "child"}) or _PERSON)
    tense = rng.choice(tenses)
    if who.person in (FIRST, FIRST_PLURAL) and tense == "past" and lemma in ("try_to",):
        tense = "present"
    negation = choose_negation(rng, tense, 0.3) if lemma in ("want", "can", "like") else ("not" if lemma == "must" and rng.random() < 0.2 else "")
    if lemma == "can" and negation == "no longer":
        negation = "not"
    done = action(rng, frame, who, "infinitive", negation if lemma != "like" else "")
    verb = predicate(VERBS[lemma]._replace(particle=""), tense, who, negation=negation)
    clause = statement(who, verb, to_do(done, who, link))
    clause.relations += done.relations
    return finish(clause)


_MODALS = [
    ("want", "", ("present", "present", "past")),
    ("want", "", ("present", "present", "past")),
    ("can", "bare", ("present", "present", "past")),
    ("must", "bare", ("present",)),
    ("like", "", ("present",)),
    ("begin_to", "à", ("present", "past")),
    ("try_to", "de", ("present", "past")),
]


def _quality(rng: Random, who: NounPhrase, tense: str, negation: str, asks: bool = False) -> tuple[Predicate, Phrase]:
    """be + adjective, sometimes very or too."""
    adjective = rng.choice(adjectives_of(who))
    verb = predicate(VERBS["be"], tense, who, negation=negation, question=asks)
    said = predicate_adjective(adjective, who)
    degree = rng.choice([words("very", "très"), words("too", "trop")]) if rng.random() < 0.3 and adjective.english not in _ABSOLUTE else Phrase()
    return verb, degree + said


_ABSOLUTE = ("French", "English", "Italian", "delicious", "empty", "brown", "grey", "black", "white", "red", "green", "blue", "yellow")


def _describable(rng: Random, pronouns: tuple[str, ...] = ("he", "she", "they")) -> NounPhrase:
    if rng.random() < 0.4:
        return subject(rng, _PERSON, pronouns=pronouns)
    noun = rng.choice([each for each in NOUNS.values() if adjectives(each)])
    return noun_phrase(rng, noun, subject=True, owners=ALL_OWNERS, adjective=0, determiner="the" if "mass" in noun.tags else None)


def copula(rng: Random) -> Sentence:
    """The small houses were not very expensive."""
    who = _describable(rng)
    if who.en[0].form in ("a", "some", "many"):
        who = build(who.noun, "the", who.plural) if who.noun else who
    if who.noun and "name" not in who.noun.tags and rng.random() < 0.2:
        found = [each for each in FRAMES if each.verb in ("buy", "choose", "find", "love", "read", "prepare", "meet") and who.noun in nouns(each.objects)]
        if found and "kin" not in who.noun.tags:
            who = _with_object_relative(rng, build(who.noun, "the", who.plural), VERBS[found[0].verb], _PERSON)
    tense = weighted(rng, _BE_TENSES)
    negation = choose_negation(rng, tense, 0.25)
    negation = "not" if negation == "never" else negation
    verb, said = _quality(rng, who, tense, negation)
    return finish(statement(who, verb, said))


def profession(rng: Random) -> Sentence:
    """Paul is a doctor, his sister is a good teacher: médecin alone, but un bon professeur."""
    who = rng.choice([name(rng), pronoun(rng.choice(["he", "she"])), noun_phrase(rng, rng.choice(nouns(frozenset({"kin", "known"}))), plural=False, adjective=0, determiner=rng.choice(["my", "his", "her", "our"]))])
    female = who.feminine
    noun = rng.choice([each for each in nouns(frozenset({"role"})) if each.feminine == female or each.singular in ("teacher", "doctor", "writer")])
    said = noun_phrase(rng, noun, determiner="a", plural=False, adjective=0.6)
    if len(said.en) == 2:
        said.fr = [fr(said.fr[1].form, said.en[1:], said.en[:1])]
    tense = rng.choice(["present", "present", "past"])
    negation = "not" if rng.random() < 0.2 else ""
    return finish(statement(who, predicate(VERBS["be"], tense, who, negation=negation), said))


def there_is(rng: Random) -> Sentence:
    """There are two birds in the tree."""
    where, what = rng.choice(_SCENES)
    noun = rng.choice(nouns(frozenset(what.split())))
    negated = rng.random() < 0.2
    plural = "mass" not in noun.tags and rng.random() < 0.55
    determiner = "no" if negated else rng.choice(["two", "three", "four", "five", "many", "many", "some"]) if plural else "some" if "mass" in noun.tags else "a"
    tense = rng.choice(["present", "present", "past", "future"])
    return finish(_there(rng, noun, determiner, plural, tense, negated) + place(rng, where))


_SCENES = [
    ("in", "person animal"),
    ("on", "portable fruit cup bread cheese water milk"),
    ("under", "pet ball bag mouse box umbrella"),
    ("behind", "animal vehicle person tree"),
    ("in front of", "person vehicle dog cat tree flower"),
    ("near", "tree vehicle person restaurant hotel shop beach"),
]


def _there(rng: Random, noun, determiner: str, plural: bool, tense: str, negated: bool) -> Phrase:
    forms = {"present": ("are" if plural else "is", "a"), "past": ("were" if plural else "was", "avait"), "future": ("will be", "aura")}
    english, french = forms[tense]
    source = en(f"there {english}")
    verb = fr(french, source[-1:], source[1:-1])
    target = [fr("il", possible=source[:1]), fr("y", source[:1]), verb]
    if not negated:
        thing = noun_phrase(rng, noun, determiner=determiner, plural=plural, adjective=0.35)
        return Phrase(source, target) + thing
    thing = noun_phrase(rng, noun, determiner="any" if plural or "mass" in noun.tags else "any", plural=plural, negated=True, adjective=0.35)
    no = thing.en[0]
    no.form = "no"
    thing.fr[0].sure, thing.fr[0].possible = [], [no]
    target = [target[0], fr("ne", possible=[no]), *target[1:], fr("pas", [no])]
    return Phrase(source, target) + thing


def located(rng: Random) -> Sentence:
    """The key is on the table; the question asks where."""
    where, what = rng.choice(_SCENES)
    noun = rng.choice([each for each in nouns(frozenset(what.split())) if not each.tags & {"building", "aim", "mass"} and each.singular not in ("shop", "tree", "table")])
    who = noun_phrase(rng, noun, determiner=rng.choice(["the", "the", "the", rng.choice(ALL_OWNERS), "this"]), plural=None, adjective=0.3)
    if who.plural and who.en[0].form == "this":
        who = build(noun, "these", True)
    tense = weighted(rng, _BE_TENSES)
    kind = rng.random()
    if kind < 0.15:
        source = predicate(VERBS["be"], tense if tense != "future" else "past", who, question=True)
        asked = en("where")
        verb = Phrase([*asked, *source.front], [fr("où", asked), *source.fr])
        return finish(verb + who, "?")
    asks = kind < 0.3
    verb2 = predicate(VERBS["be"], tense, who, negation="" if asks else choose_negation(rng, tense, 0.2).replace("never", "not"), question=asks)
    return finish((question if asks else statement)(who, verb2, place(rng, where)), "?" if asks else ".")


def idiom(rng: Random) -> Sentence:
    """The child is hungry: avoir faim, soif, peur."""
    who = subject(rng, rng.choice([_PERSON, frozenset({"pet"})]))
    tense = weighted(rng, _BE_TENSES)
    asks = rng.random() < 0.2
    negation = "" if asks else choose_negation(rng, tense, 0.25)
    kind = rng.choice(["hungry", "thirsty", "afraid"])
    verb, said = _feeling(rng, who, kind, tense, negation, asks)
    return finish((question if asks else statement)(who, verb, said), "?" if asks else ".")


def _feeling(rng: Random, who: NounPhrase, kind: str, tense: str, negation: str = "", asks: bool = False) -> tuple[Predicate, Phrase]:
    be = VERBS["be"]._replace(french=AVOIR)
    verb = predicate(be, tense, who, negation=negation, question=asks)
    french = {"hungry": "faim", "thirsty": "soif", "afraid": "peur"}[kind]
    said = words(kind, french)
    if kind == "afraid":
        feared = rng.choice([each for each in nouns(frozenset({"animal", "teacher", "doctor", "king"})) if each != who.noun])
        said += preposition("of", noun_phrase(rng, feared, determiner=None if False else rng.choice(["the", "the", "this", "my"]), plural=False, adjective=0.4))
    elif rng.random() < 0.25:
        said = words("very", "très") + said
    return verb, said


def need(rng: Random) -> Sentence:
    """She needs a new umbrella: elle a besoin d'un nouveau parapluie."""
    frame = frames("need")[0]
    who = subject(rng, _PERSON)
    noun = rng.choice(nouns(frame.objects))
    tense = rng.choice(["present", "present", "past", "future"])
    negation = choose_negation(rng, tense, 0.2)
    verb = predicate(VERBS["need"], tense, who, negation=negation)
    core = next(word for word in verb.en if word.form in ("need", "needs", "needed"))
    if "mass" in noun.tags:
        thing: NounPhrase = noun_phrase(rng, noun, determiner="", negated=True, adjective=0.3)
        thing.fr[0].sure, thing.fr[0].possible = [], [core]
        joined = thing.fr
    else:
        thing = noun_phrase(rng, noun, determiner=rng.choice(["a", "a", "the", "this", *owners_for(who)[:1]]), plural=False, adjective=0.4)
        joined = [fr("de", possible=[core]), *thing.fr]
    for word in verb.fr:
        if core in word.sure:
            word.sure, word.possible = [], [*word.possible, core]
    after = fr("besoin", [core])
    clause = who + Phrase(verb.en, verb.fr) + Phrase(thing.en, [after, *joined], thing.relations)
    clause.relations.append(("verb-object", "need", noun.singular))
    return finish(clause)


def yes_no(rng: Random) -> Sentence:
    """Has the queen already read this letter?"""
    while True:
        who, done, tense, _ = _draw(rng)
        if who.pronoun != "I" or done.verb.lemma not in ("be",):
            break
    adverb = choose_adverb(rng, tense)
    if len(done.rest.en) < 4 and not adverb and rng.random() < 0.2:
        done.rest += time(rng, tense) or Phrase()
    clause = question(who, conjugate(done, who, tense, adverb=adverb, asks=True), done.rest)
    clause.relations += done.relations
    return finish(clause, "?")


def is_it(rng: Random) -> Sentence:
    """Is the museum interesting?"""
    who = _describable(rng)
    tense = weighted(rng, _BE_TENSES)
    verb, said = _quality(rng, who, tense, "", asks=True)
    return finish(question(who, verb, said), "?")


def where_why_when(rng: Random) -> Sentence:
    """Where does Thomas work?"""
    word = rng.choice(["where", "why", "when"])
    if word == "where":
        verbs = ("work", "sleep", "swim", "dance", "play", "live", "buy", "find", "lose", "go", "hide", "meet")
        who, done, tense, _ = _draw(rng, *verbs)
        if done.verb.lemma in ("work", "sleep", "swim", "dance", "live", "go"):
            done.rest = Phrase()
    elif word == "when":
        who, done, tense, _ = _draw(rng, "come", "leave", "arrive", "come_back", "visit", "buy", "sell", "wake_up", "get_up", "build", "repair", "meet")
        tense = "future" if tense in ("progressive", "perfect", "past progressive") else tense
    else:
        who, done, tense, _ = _draw(rng)
    clause = question(who, conjugate(done, who, tense, asks=True), done.rest, word)
    clause.relations += done.relations
    return finish(clause, "?")


def who_does(rng: Random) -> Sentence:
    """Who has found my umbrella?"""
    asked = en("who")
    who = NounPhrase(asked, [fr("qui", asked)])
    frame = rng.choice([each for each in FRAMES if "person" in each.subjects])
    tense = choose_tense(rng, VERBS[frame.verb], who)
    negation = choose_negation(rng, tense, 0.12)
    done = action(rng, frame, who, tense, negation)
    if done.object and done.object.noun and done.object.en[0].form in ("our", "my") and frame.verb == "love":
        tense = "present"
    return finish(_clause(rng, who, done, tense, negation), "?")


def what(rng: Random) -> Sentence:
    """What is the boy eating?; whom: Who does she love?"""
    people = rng.random() < 0.3
    verbs = ("love", "help", "invite", "meet", "wait_for", "look_for", "follow", "see", "watch", "know") if people else ("eat", "drink", "buy", "sell", "read", "write", "find", "lose", "choose", "hide", "prepare", "watch", "carry", "wear", "draw", "take", "forget", "build", "open", "repair")
    frame = rng.choice([each for each in frames(*verbs) if not people or "person" in each.subjects])
    who = subject(rng, frame.subjects)
    tense = choose_tense(rng, VERBS[frame.verb], who)
    verb = predicate(VERBS[frame.verb], tense, who, question=True)
    clause = question(who, verb, time(rng, tense) if rng.random() < 0.15 and tense != "progressive" else None, "who" if people else "what")
    if who.noun:
        clause.relations.append(("subject-verb", who.noun.singular, frame.verb))
    return finish(clause, "?")


def how_many(rng: Random) -> Sentence:
    """How many pears did she buy? The participle agrees: Combien de poires est-ce qu'elle a achetées ?"""
    verbs = ("buy", "sell", "read", "write", "see", "find", "lose", "choose", "draw", "have", "visit", "repair", "invite")
    frame = rng.choice([each for each in frames("eat", *verbs) if "person" in each.subjects or each.verb == "sell"])
    countable = [each for each in nouns(frame.objects) if not each.tags & {"mass", "unique"}]
    who, noun = subject(rng, frame.subjects), rng.choice(countable)
    tense = choose_tense(rng, VERBS[frame.verb], who)
    things = noun_phrase(rng, noun, determiner="many", plural=True, adjective=0.2)
    verb = predicate(VERBS[frame.verb], tense, who, question=True, agreement=(noun.feminine, True))
    how = en("how")
    things.fr[0].form = "combien"
    things.fr[0].possible = how
    opening = Phrase(how) + things
    opening.relations.append(("verb-object", frame.verb, noun.singular))
    if who.noun:
        opening.relations.append(("subject-verb", who.noun.singular, frame.verb))
    return finish(opening + question(who, verb), "?")


def _two(rng: Random, verbs: tuple[str, ...], tense: str = "") -> tuple[NounPhrase, Action, str]:
    frame = rng.choice(frames(*verbs))
    while True:
        who = subject(rng, frame.subjects)
        chosen = tense or choose_tense(rng, VERBS[frame.verb], who)
        refused = who.person in (FIRST, FIRST_PLURAL) and chosen in ("past", "perfect") and VERBS[frame.verb].auxiliary == "être"
        if not refused and not (chosen == "past progressive" and who.person == FIRST_PLURAL):
            break
    return who, action(rng, frame, who, chosen), chosen


def contrast(rng: Random) -> Sentence:
    """The boys are singing but their sister is not dancing."""
    who, done, tense = _two(rng, INTRANSITIVE)
    other, also, _ = _two(rng, INTRANSITIVE, tense if tense in ("present", "past", "future") else "")
    while other.noun == who.noun and other.pronoun == who.pronoun:
        other, also, _ = _two(rng, INTRANSITIVE, tense if tense in ("present", "past", "future") else "")
    second = tense if tense in ("present", "past", "future") else choose_tense(rng, also.verb, other)
    link = rng.choice([words("but", "mais"), words("and", "et")])
    negation = "not" if link.en[0].form == "but" and rng.random() < 0.6 else ""
    if link.en[0].form == "but":
        link_comma = False
    return finish(_clause(rng, who, done, tense) + link + _clause(rng, other, also, second, negation))


_PAIRS = {
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


def take_up(rng: Random) -> Sentence:
    """Anna takes the apple and eats it: Anna prend la pomme et la mange."""
    while True:
        first = rng.choice(list(_PAIRS))
        second = rng.choice(_PAIRS[first].split())
        frame = rng.choice(frames(first))
        second_frame = rng.choice(frames(second))
        shared = [each for each in nouns(frame.objects) if each in nouns(second_frame.objects)]
        if shared and "person" in frame.subjects and second_frame.subjects & {"person", "adult", "role"}:
            break
    who = subject(rng, _PERSON)
    noun = rng.choice([each for each in shared if each != who.noun] or shared)
    tense = rng.choice(["present", "past", "past", "future"])
    if tense != "future" and {first, second} & {"read"}:
        tense = "present" if who.person not in (FIRST, FIRST_PLURAL) and not who.plural else "future"
    thing = noun_phrase(rng, noun, owners=owners_for(who), adjective=0.3, determiner="the" if noun.tags & {"mass"} else None, plural=None)
    verb, again = VERBS[first], VERBS[second]
    reference = taken_up(thing)
    if "to" in again.flags:
        reference.direct = False
        reference.french[0].form = "leur" if thing.plural else "lui"
    start = statement(who, predicate(verb, tense, who), thing)
    if tense == "future":
        later = predicate(again, tense, who, clitic=reference)
    else:
        later = predicate(again, tense, who, clitic=reference)
    later_phrase = Phrase(later.en, later.fr)
    rest = preposition("to", person(rng, who)) if second in ("give", "show", "lend", "bring", "send") else Phrase()
    if second in ("give", "show", "lend", "bring", "send") and thing.animate:
        rest = Phrase()
    clause = start + words("and", "et") + _repeat_subject(who, later_phrase) + rest
    clause.relations += [("verb-object", first, noun.singular)]
    if who.noun:
        clause.relations += [("subject-verb", who.noun.singular, first)]
    return finish(clause)


def _repeat_subject(who: NounPhrase, later: Phrase) -> Phrase:
    """French repeats je and nous less than English drops them; both stay away here, as after any subject."""
    return later


_CAUSES = {
    "tired": "sleep rest stop leave fall_asleep",
    "sick": "sleep rest cry leave",
    "happy": "sing dance laugh smile_at",
    "sad": "cry leave",
    "hungry": "eat cry prepare",
    "thirsty": "drink cry",
    "afraid": "run shout cry leave",
}


def because(rng: Random) -> Sentence:
    """The baby is crying because he is hungry: it takes up a phrase, so they may be elles."""
    cause = rng.choice(list(_CAUSES))
    frame = rng.choice([each for each in frames(*_CAUSES[cause].split()) if "person" in each.subjects or each.verb in ("sleep", "cry")])
    feeling = cause in ("hungry", "thirsty", "afraid")
    who = subject(rng, frame.subjects, pronouns=("I", "he", "she", "we", "they") if feeling else ("he", "she", "they"))
    if who.noun and who.noun.tags & {"infant"} and cause in ("sad",):
        cause = "tired"
    tense = rng.choice(["present", "progressive", "past"])
    verb = VERBS[frame.verb]
    if (tense == "progressive" and verb.flags & {"point", "state"}) or (who.person in (FIRST, FIRST_PLURAL) and tense == "past" and verb.auxiliary == "être"):
        tense = "present"
    done = action(rng, frame, who, tense)
    again = pronoun_for(who)
    state, said = _state(rng, again, cause, "past" if tense == "past" else "present")
    link = words("because", "parce que", "0-0 0?1")
    reason = statement(again, state, said)
    reason.relations = []
    return finish(_clause(rng, who, done, tense) + link + reason)


def _state(rng: Random, who: NounPhrase, kind: str, tense: str, negation: str = "") -> tuple[Predicate, Phrase]:
    if kind in ("hungry", "thirsty", "afraid"):
        return _feeling(rng, who, kind, tense, negation)
    return predicate(VERBS["be"], tense, who, negation=negation), predicate_adjective(ADJECTIVES[kind], who)


_FUTURES = ("sleep", "rest", "eat", "drink", "sing", "dance", "leave", "stay", "go", "come_back", "buy", "help", "invite", "visit", "cry", "wash", "read", "swim", "work")
_CONDITIONS = ("come", "leave", "arrive", "sing", "lose", "find", "come_back", "work", "forget", "answer", "help", "buy", "stay")


def if_then(rng: Random) -> Sentence:
    """If he comes, she will leave: si, and s' before il."""
    negation = "not" if rng.random() < 0.3 else ""
    if rng.random() < 0.35:
        who = subject(rng, _PERSON, pronouns=("he", "she", "they"))
        kind = rng.choice(list(_CAUSES))
        state, said = _state(rng, who, kind, "present", negation)
        condition = statement(who, state, said)
    else:
        frame = rng.choice([each for each in frames(*_CONDITIONS) if "person" in each.subjects])
        who = subject(rng, frame.subjects)
        condition = _clause(rng, who, action(rng, frame, who, "present", negation), "present", negation)
    condition.en[-1].form += ","
    condition.fr[-1].form += ","
    return finish(words("if", "si") + condition + _then(rng, who, "future"))


def _then(rng: Random, who: NounPhrase, tense: str) -> Phrase:
    frame = rng.choice([each for each in frames(*_FUTURES) if "person" in each.subjects])
    other = pronoun_for(who) if rng.random() < 0.6 else subject(rng, frame.subjects, pronouns=("I", "we"))
    if other.noun == who.noun and not other.pronoun and other.en[0].form not in ("he", "she", "they", "it"):
        other = pronoun_for(who)
    negation = "not" if rng.random() < 0.15 else ""
    done = action(rng, frame, other, tense, negation)
    if other.en[0].form in ("he", "she", "they"):
        done.relations = []
    return _clause(rng, other, done, tense, negation)


def when(rng: Random) -> Sentence:
    """When Luc arrived, Sophie was sleeping; when they are tired, they rest."""
    if rng.random() < 0.5:
        who = subject(rng, _PERSON, pronouns=("he", "she", "they"))
        kind = rng.choice(["tired", "happy", "sad", "hungry", "thirsty"])
        state, said = _state(rng, who, kind, "present")
        first = statement(who, state, said)
        again = pronoun_for(who)
        frame = rng.choice([each for each in frames(*[v for v in _CAUSES[kind].split() if v not in ("stop", "fall_asleep")]) if "person" in each.subjects])
        done = action(rng, frame, again, "present")
        done.relations = []
        second = _clause(rng, again, done, "present")
    else:
        who, done, _ = _two(rng, ("arrive", "come_back", "leave", "wake_up", "open", "see", "find", "shout"), "past")
        first = _clause(rng, who, done, "past")
        other, also, _ = _two(rng, ("sleep", "work", "sing", "dance", "laugh", "cry", "eat", "read", "write", "play", "watch", "prepare", "wash", "wait_for"), "past progressive")
        while other.noun == who.noun:
            other, also, _ = _two(rng, ("sleep", "work", "sing", "dance", "laugh", "cry", "rest"), "past progressive")
        second = _clause(rng, other, also, "past progressive")
    first.en[-1].form += ","
    first.fr[-1].form += ","
    return finish(words("when", "quand") + first + second)


def that_clause(rng: Random) -> Sentence:
    """She knows that the shop is closed: elle sait que; he hopes that Anna will come."""
    lemma = rng.choice(["think", "say", "know", "hope"])
    speaker = subject(rng, _PERSON)
    verb = KNOW_THAT if lemma == "know" else VERBS[lemma]
    negation = "not" if lemma in ("know", "say") and rng.random() < 0.2 else ""
    link = en("that")
    start = statement(speaker, predicate(verb, "present", speaker, negation=negation)) + Phrase(link, [fr("que", link)])
    if speaker.noun:
        start.relations.append(("subject-verb", speaker.noun.singular, lemma))
    if lemma != "hope" and rng.random() < 0.4:
        who = _describable(rng)
        made, said = _quality(rng, who, "present", choose_negation(rng, "present", 0.15).replace("never", "not"))
        return finish(start + statement(who, made, said))
    frame = rng.choice([each for each in FRAMES if each.verb not in ("like", "hate")])
    who = subject(rng, frame.subjects)
    tense = "future" if lemma == "hope" else choose_tense(rng, VERBS[frame.verb], who)
    done = action(rng, frame, who, tense)
    return finish(start + _clause(rng, who, done, tense))


def comparison(rng: Random) -> Sentence:
    """The dog is bigger than the cat: plus grand que."""
    adjective = rng.choice([each for each in ADJECTIVES.values() if each.comparative])
    kind = rng.choice(["person", "animal", "clothing", "vehicle", "building", "town", "fruit", "furniture", "instrument", "text", "tale", "box", "bag"])
    fitting = [each for each in nouns(frozenset({kind})) if adjective in adjectives(each)]
    if len(fitting) < 2:
        return comparison(rng)
    first, second = rng.sample(fitting, 2)
    determiners = ["the", "the", "this", "my", "our", "his", "her"]
    who = noun_phrase(rng, first, determiner=rng.choice(determiners), plural=False, adjective=0)
    other = noun_phrase(rng, second, determiner=rng.choice(determiners), plural=False, adjective=0)
    if not first.tags & {"unique", "kin"} and rng.random() < 0.3:
        who = build(first, rng.choice(["the", "these", "my"]), True)
    asks = rng.random() < 0.25
    tense = rng.choice(["present", "present", "past"])
    verb = predicate(VERBS["be"], tense, who, question=asks, negation="not" if not asks and rng.random() < 0.15 else "")
    said = predicate_adjective(adjective, who)
    said.en[0].form = adjective.comparative
    said.fr.insert(0, fr("plus", possible=said.en))
    clause = (question if asks else statement)(who, verb, said + words("than", "que") + other)
    return finish(clause, "?" if asks else ".")


def part_of(rng: Random) -> Sentence:
    """The door of the hotel is green; he closes the windows of the kitchen."""
    part, wholes = rng.choice(_PARTS)
    whole = noun_phrase(rng, rng.choice(nouns(frozenset(wholes.split()))), determiner=rng.choice(["the", "the", "this", "our"]), plural=False, adjective=0.2)
    noun = NOUNS[part]
    head = _extend(noun_phrase(rng, noun, determiner="the", plural=None, adjective=0.2), preposition("of", whole))
    if rng.random() < 0.5:
        tense = weighted(rng, _BE_TENSES)
        verb, said = _quality(rng, head, tense, choose_negation(rng, tense, 0.2).replace("never", "not"))
        return finish(statement(head, verb, said))
    usable = [frame for frame in FRAMES if noun in nouns(frame.objects) and frame.subjects & {"person"} and frame.verb not in ("like", "hate", "have", "need", "break", "carry", "choose", "buy", "sell", "hide")]
    if not usable:
        return part_of(rng)
    frame = rng.choice(usable)
    who = subject(rng, _PERSON)
    tense = choose_tense(rng, VERBS[frame.verb], who)
    done = Action(VERBS[frame.verb], rest=Phrase(head.en, head.fr, head.relations))
    done.relations = [("verb-object", frame.verb, part)]
    if who.noun:
        done.relations.append(("subject-verb", who.noun.singular, frame.verb))
    return finish(_clause(rng, who, done, tense, "not" if rng.random() < 0.2 else ""))


_PARTS = [
    ("door", "house church school shop kitchen hotel museum car"),
    ("window", "house church school shop kitchen hotel car"),
    ("garden", "hotel school museum queen farmer"),
    ("street", "village city"),
    ("teacher", "village school"),
    ("doctor", "village hospital"),
    ("baker", "village"),
    ("church", "village city"),
    ("mother", "boy girl student actress nurse"),
    ("father", "boy girl student baker farmer"),
    ("friend", "teacher writer doctor painter hero"),
    ("key", "house car school hotel"),
]

PATTERNS: dict[Callable[[Random], Sentence], float] = {
    plain: 30,
    object_relative: 5,
    modal: 8,
    copula: 8,
    profession: 1.5,
    there_is: 3,
    located: 3,
    idiom: 2.5,
    need: 2,
    yes_no: 6,
    is_it: 2,
    where_why_when: 4,
    who_does: 2.5,
    what: 2,
    how_many: 2,
    contrast: 3,
    take_up: 4,
    because: 3.5,
    if_then: 3,
    when: 3,
    that_clause: 4,
    comparison: 3,
    part_of: 3,
}


def sentence(rng: Random) -> Sentence:
    """One pair from a pattern drawn by its weight."""
    return weighted(rng, PATTERNS)(rng)
