"""Clauses: the verb with its tense, negation, adverb and pronouns, in each language's own order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

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
_ASKED = {"where": "où", "why": "pourquoi", "when": "quand", "who": "qui"}
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
    """An object pronoun, such as him: le, or lui as an indirect object. Participles agree with a direct object."""
    source = en(english)
    form = _CLITICS[english][0 if direct else 1]
    return Clitic(source, [fr(form, source)], english == "her", english in ("them", "us"), direct)


def taken_up(antecedent: NounPhrase) -> Clitic:
    """The pronoun it, him, her or them for a phrase that came before, whose gender decides between le and la."""
    person = "her" if antecedent.feminine else "him"
    english = "them" if antecedent.plural else person if antecedent.animate else "it"
    source = en(english)
    form = "les" if antecedent.plural else "la" if antecedent.feminine else "le"
    return Clitic(source, [fr(form, source)], antecedent.feminine, antecedent.plural)


class _Chain(NamedTuple):
    """The English verb group without negation: auxiliaries, the verb itself, its particle."""

    auxiliaries: list[English]
    main: list[English]
    particle: list[English]

    @property
    def core(self) -> list[English]:
        """The words that carry the meaning: the verb, or be, can and must if they stand alone."""
        return self.main or self.auxiliaries[:1]

    @property
    def helpers(self) -> list[English]:
        """The auxiliaries, if there is another verb."""
        return self.auxiliaries if self.main else []


def _chain(verb: Verb, tense: str, person: int, support: bool) -> _Chain:
    """The English verb group; `support` asks for do if there is no other auxiliary."""
    auxiliaries, form = _auxiliaries(verb, tense, person)
    if support and not auxiliaries:
        auxiliaries, form = "did" if tense == "past" else "does" if person == THIRD else "do", verb.base
    return _Chain(en(auxiliaries), en(form), en(verb.particle))


def _auxiliaries(verb: Verb, tense: str, person: int) -> tuple[str, str]:
    """The English auxiliaries and the form of the verb itself."""
    if verb.lemma in ("can", "must"):
        return verb.present(person) if tense == "present" else verb.past, ""
    if verb.lemma == "be" and tense in ("present", "past"):
        return _BE[tense][person], ""
    return {
        "present": ("", verb.present(person)),
        "past": ("", verb.past),
        "progressive": (_BE["present"][person], verb.gerund),
        "past progressive": (_BE["past"][person], verb.gerund),
        "perfect": ("has" if person == THIRD else "have", verb.participle),
        "future": ("will", verb.base),
        "near": (f"{_BE['present'][person]} going to", verb.base),
    }[tense]


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
    chain = _chain(verb, tense, subject.person, negation == "not" or question)
    negative, qualifier = en(negation), en(adverb)
    if clitic and clitic.direct and (clitic.feminine or clitic.plural):
        agreement = (clitic.feminine, clitic.plural)
    indirect = "to" in verb.flags and not clitic
    finite, rest = _french_verb(verb, tense, subject, chain, agreement, indirect)
    pronouns = [fr(_REFLEXIVE[subject.person], possible=chain.core)] if verb.reflexive else []
    pronouns += clitic.french if clitic else []
    if tense == "near":
        rest, pronouns = pronouns + rest, []
    french = _negate(finite, pronouns, negative, qualifier) + rest
    french += _preposition(verb, chain.core, chain.particle, indirect)
    english = [*chain.auxiliaries[:1], *negative, *qualifier, *chain.auxiliaries[1:], *chain.main, *chain.particle]
    english += clitic.english if clitic else []
    return Predicate(english[:1], english[1:], french) if question else _cannot(Predicate([], english, french))


def _preposition(verb: Verb, core: list[English], particle: list[English], indirect: bool) -> list[French]:
    """The words before the object: the à of parler à, the de of jouer de, the besoin de of avoir besoin de."""
    if "besoin" in verb.flags:
        return [fr("besoin", core), fr("de", possible=core)]
    if indirect:
        return [fr("à", particle, [] if particle else core)]
    return [fr("de", possible=core)] if "de" in verb.flags else []


def _cannot(made: Predicate) -> Predicate:
    """Join can and not to `cannot`, one English word, which gets the links of both."""
    if [word.form for word in made.en[:2]] != ["can", "not"]:
        return made
    can, gone = made.en[0], made.en.pop(1)
    can.form = "cannot"
    for word in made.fr:
        word.sure = [can if each is gone else each for each in word.sure]
        word.possible = [can if each is gone else each for each in word.possible]
    return made


def _french_verb(
    verb: Verb, tense: str, subject: NounPhrase, chain: _Chain, agreement: tuple[bool, bool] | None, indirect: bool
) -> tuple[list[French], list[French]]:
    """The conjugated French verb, and the infinitive or participle that follows it."""
    person, core, helpers = subject.person, chain.core, chain.helpers
    particle = [] if indirect else chain.particle
    if tense == "near":
        # is going to eat / va manger
        going = fr(ALLER.present[person], [helpers[1]], [helpers[0]])
        return [going], [fr(verb.french.infinitive, core, helpers[2:] + particle)]
    form = _simple_form(verb, tense, person)
    if form and "besoin" in verb.flags:
        return [fr(form, possible=core + helpers)], []
    if form:
        return [fr(form, core, helpers + particle)], []
    auxiliary = (ETRE if verb.auxiliary == "être" else AVOIR).present[person]
    sure = helpers if tense == "perfect" else []
    possible = [] if sure else helpers or core
    feminine, plural = (subject.feminine, subject.plural) if verb.auxiliary == "être" else agreement or (False, False)
    participle = agree(verb.french.participle, feminine, plural)
    return [fr(auxiliary, sure, possible)], [fr(participle, core, particle)]


def _simple_form(verb: Verb, tense: str, person: int) -> str:
    """The French verb if it is one word; empty for the passé composé."""
    if tense in ("present", "progressive"):
        return verb.french.present[person]
    if tense == "future":
        return verb.french.future(person)
    imperfect = tense == "past progressive" or (tense == "past" and "state" in verb.flags)
    return verb.french.imperfect(person) if imperfect else ""


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
    """A question: the English auxiliary goes before the subject and is a possible link of "est-ce que"."""
    asked = en(word)
    french = [fr(_ASKED[word], asked)] if word in _ASKED else []
    is_it = fr("qu'est-ce", asked, verb.front) if word == "what" else fr("est-ce", possible=verb.front)
    start = Phrase([*asked, *verb.front], [*french, is_it, fr("que", possible=verb.front)])
    return start + statement(subject, verb, rest)
