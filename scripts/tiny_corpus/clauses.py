"""Clauses: the verb with its tense, negation, adverb and pronouns, in each language's own order."""

from __future__ import annotations

from dataclasses import dataclass, field

from .noun_phrases import NounPhrase
from .surface import English, French, Phrase, en, fr
from .verbs import ALLER, AVOIR, ETRE, THIRD, Verb, agree

_BE = {"present": ("am", "is", "are", "are"), "past": ("was", "was", "were", "were")}
_REFLEXIVE = ("me", "se", "nous", "se")
# English pronoun: direct object, indirect object
_CLITICS = {
    "me": ("me", "me"),
    "us": ("nous", "nous"),
    "him": ("le", "lui"),
    "her": ("la", "lui"),
    "them": ("les", "leur"),
}
_NEGATIONS = {"not": "pas", "never": "jamais", "no longer": "plus"}
ADVERBS = {"often": "souvent", "always": "toujours", "already": "déjà"}


@dataclass
class Clitic:
    """A pronoun that English puts after the verb and French before it."""

    english: list[English]
    french: list[French]
    feminine: bool = False
    plural: bool = False
    direct: bool = True


@dataclass
class Predicate:
    """A conjugated verb: `front` is the English auxiliary of a question, `en` and `fr` the rest."""

    front: list[English] = field(default_factory=list)
    en: list[English] = field(default_factory=list)
    fr: list[French] = field(default_factory=list)


def object_pronoun(english: str, direct: bool) -> Clitic:
    """him: le, or lui as an indirect object; participles agree with a direct one."""
    source = en(english)
    form = _CLITICS[english][0 if direct else 1]
    return Clitic(source, [fr(form, source)], english == "her", english in ("them", "us"), direct)


def taken_up(antecedent: NounPhrase) -> Clitic:
    """it, him, her or them for a phrase that came before: its gender decides between le and la."""
    person = "her" if antecedent.feminine else "him"
    english = "them" if antecedent.plural else person if antecedent.animate else "it"
    source = en(english)
    form = "les" if antecedent.plural else "la" if antecedent.feminine else "le"
    return Clitic(source, [fr(form, source)], antecedent.feminine, antecedent.plural)


def _auxiliaries(verb: Verb, tense: str, person: int, support: bool) -> tuple[list[str], str]:
    """The English auxiliaries and the form of the verb itself."""
    if verb.lemma in ("can", "must"):
        return [verb.present(person) if tense == "present" else verb.past], ""
    if verb.lemma == "be" and tense in ("present", "past"):
        return [_BE[tense][person]], ""
    chains = {
        "progressive": ([_BE["present"][person]], verb.gerund),
        "past progressive": ([_BE["past"][person]], verb.gerund),
        "perfect": (["has" if person == THIRD else "have"], verb.participle),
        "future": (["will"], verb.base),
        "near": ([_BE["present"][person], "going", "to"], verb.base),
    }
    if tense in chains:
        return chains[tense]
    if support:
        return ["did" if tense == "past" else "does" if person == THIRD else "do"], verb.base
    return [], verb.past if tense == "past" else verb.present(person)


def _negate(
    finite: list[French], clitics: list[French], negation: list[English], adverb: list[English]
) -> list[French]:
    """Put ne and pas, jamais or plus around the conjugated verb and its pronouns; an adverb stands where pas would."""
    after = [fr(ADVERBS[word.form], [word]) for word in adverb]
    if not negation:
        return [*clitics, *finite, *after]
    text = " ".join(word.form for word in negation)
    second = fr(_NEGATIONS[text], negation[-1:], negation[:-1])
    return [fr("ne", possible=negation[:1]), *clitics, *finite, second, *after]


def predicate(
    verb: Verb,
    tense: str,
    subject: NounPhrase,
    *,
    negation: str = "",
    adverb: str = "",
    question: bool = False,
    clitic: Clitic | None = None,
    agreement: tuple[bool, bool] | None = None,
) -> Predicate:
    """Conjugate a verb in both languages.

    `agreement` is the gender and number of a direct object before the verb, as in "la pomme que Paul a mangée".
    """
    auxiliaries, form = _auxiliaries(verb, tense, subject.person, negation == "not" or question)
    aux, main, particle = en(" ".join(auxiliaries)), en(form), en(verb.particle)
    negative, qualifier = en(negation), en(adverb)
    core = main or aux[:1]
    helpers = aux if main else []
    if clitic and clitic.direct and (clitic.feminine or clitic.plural):
        agreement = (clitic.feminine, clitic.plural)
    indirect = "to" in verb.flags and not clitic
    finite, rest = _french_verb(verb, tense, subject, core, helpers, particle, agreement, indirect)
    if "besoin" in verb.flags:
        finite[0].sure, finite[0].possible = [], core + helpers

    pronouns = [fr(_REFLEXIVE[subject.person], possible=core)] if verb.reflexive else []
    pronouns += clitic.french if clitic else []
    before_infinitive = pronouns if tense == "near" else []
    french = _negate(finite, [] if before_infinitive else pronouns, negative, qualifier) + before_infinitive + rest
    french += _preposition(verb, core, particle, indirect)
    if [word.form for word in aux[:1] + negative] == ["can", "not"] and not question:
        aux[0].form = "cannot"
        _merge(french, negative[0], aux[0])
        negative = []
    front = aux[:1] if question else []
    english = [*([] if question else aux[:1]), *negative, *qualifier, *aux[1:], *main, *particle]
    return Predicate(front, english + (clitic.english if clitic else []), french)


def _preposition(verb: Verb, core: list[English], particle: list[English], indirect: bool) -> list[French]:
    """What stands before the object: the à of parler à, the de of jouer de, the besoin de of avoir besoin de."""
    if "besoin" in verb.flags:
        return [fr("besoin", core), fr("de", possible=core)]
    if indirect:
        return [fr("à", particle, [] if particle else core)]
    return [fr("de", possible=core)] if "de" in verb.flags else []


def _merge(french: list[French], gone: English, into: English) -> None:
    """`cannot` is one English word: what was linked to its `not` is linked to it."""
    for word in french:
        word.sure = [into if each is gone else each for each in word.sure]
        word.possible = [into if each is gone else each for each in word.possible]


def _french_verb(
    verb: Verb,
    tense: str,
    subject: NounPhrase,
    core: list[English],
    helpers: list[English],
    particle: list[English],
    agreement: tuple[bool, bool] | None,
    indirect: bool,
) -> tuple[list[French], list[French]]:
    """The conjugated French verb, and the infinitive or participle that follows it."""
    person = subject.person
    particle = [] if indirect else particle
    if tense == "near":
        # is going to eat / va manger
        going = fr(ALLER.present[person], [helpers[1]], [helpers[0]])
        return [going], [fr(verb.french.infinitive, core, helpers[2:] + particle)]
    if tense in ("present", "progressive"):
        return [fr(verb.french.present[person], core, helpers + particle)], []
    if tense == "future":
        return [fr(verb.french.future(person), core, helpers + particle)], []
    if tense == "past progressive" or (tense == "past" and "state" in verb.flags):
        return [fr(verb.french.imperfect(person), core, helpers + particle)], []
    auxiliary = (ETRE if verb.auxiliary == "être" else AVOIR).present[person]
    sure = helpers if tense == "perfect" else []
    possible = [] if sure else helpers or core
    feminine, plural = (subject.feminine, subject.plural) if verb.auxiliary == "être" else agreement or (False, False)
    participle = agree(verb.french.participle, feminine, plural)
    return [fr(auxiliary, sure, possible)], [fr(participle, core, particle)]


def infinitive(verb: Verb, subject: NounPhrase, clitic: Clitic | None = None, link: str = "") -> Phrase:
    """The infinitive after another verb: "to see him" / "le voir"; `link` is the French à or de before it."""
    to = [] if link == "bare" else en("to")
    main, particle = en(verb.base), en(verb.particle)
    french = [fr(link, possible=to)] if link in ("à", "de") else []
    french += [fr(_REFLEXIVE[subject.person], possible=main)] if verb.reflexive else []
    french += clitic.french if clitic else []
    indirect = "to" in verb.flags and not clitic
    possible = ([] if link in ("à", "de") else to) + ([] if indirect else particle)
    french.append(fr(verb.french.infinitive, main, possible))
    french += _preposition(verb, main, particle, indirect)
    return Phrase([*to, *main, *particle, *(clitic.english if clitic else [])], french)


def statement(subject: NounPhrase, verb: Predicate, rest: Phrase | None = None) -> Phrase:
    """Subject, verb and the rest in the same order in both languages."""
    return subject + Phrase(verb.en, verb.fr) + (rest or Phrase())


def question(subject: NounPhrase, verb: Predicate, rest: Phrase | None = None, word: str = "") -> Phrase:
    """A question with est-ce que: the English auxiliary goes before the subject and is possible with "est-ce que"."""
    opening = {
        "": [],
        "where": ["où"],
        "why": ["pourquoi"],
        "when": ["quand"],
        "who": ["qui"],
        "what": [],
    }[word]
    asked = en(word)
    french = [fr(form, asked) for form in opening]
    is_it = fr("qu'est-ce", asked, verb.front) if word == "what" else fr("est-ce", possible=verb.front)
    start = Phrase([*asked, *verb.front], [*french, is_it, fr("que", possible=verb.front)])
    return start + statement(subject, verb, rest)
