"""Noun phrases: determiners, adjectives on either side of the noun, possessors and pronouns."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .lexicon import ADJECTIVES, NAMES, STACKING, Adjective, Noun
from .surface import English, French, Phrase, en, fr, starts_with_vowel
from .usage import adjectives
from .verbs import FIRST, FIRST_PLURAL, THIRD, THIRD_PLURAL

NUMERALS = {"two": "deux", "three": "trois", "four": "quatre", "five": "cinq", "six": "six", "ten": "dix"}
# English possessive: masculine, feminine, plural
_POSSESSIVES = {
    "my": ("mon", "ma", "mes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "their": ("leur", "leur", "leurs"),
}


@dataclass
class NounPhrase(Phrase):
    """A phrase with what agreement and later pronouns depend on: its person, gender, noun and pronoun."""

    person: int = THIRD
    feminine: bool = False
    noun: Noun | None = None
    pronoun: str = ""

    @property
    def plural(self) -> bool:
        """Whether verbs and adjectives take the plural."""
        return self.person in (FIRST_PLURAL, THIRD_PLURAL)

    @property
    def named(self) -> Noun:
        """The noun; ValueError for a pronoun, which has none."""
        if self.noun is None:
            raise ValueError(f"{self.pronoun!r} has no noun: build the phrase from one")
        return self.noun

    @property
    def animate(self) -> bool:
        """Whether English calls it he or she rather than it; only people, including babies."""
        return self.noun is not None and not self.noun.tags.isdisjoint({"person", "infant"})

    @property
    def possessive(self) -> str:
        """The English possessive that refers to this phrase; empty if none is natural."""
        if self.pronoun:
            return {"I": "my", "he": "his", "she": "her", "we": "our", "they": "their"}[self.pronoun]
        if not self.animate:
            return ""
        return "their" if self.plural else "her" if self.feminine else "his"


def pronoun(english: str) -> NounPhrase:
    """A subject pronoun; `they` is masculine unless a phrase before it says otherwise (see `pronoun_for`)."""
    french, person = {
        "I": ("je", FIRST),
        "he": ("il", THIRD),
        "she": ("elle", THIRD),
        "we": ("nous", FIRST_PLURAL),
        "they": ("ils", THIRD_PLURAL),
    }[english]
    source = en(english)
    return NounPhrase(source, [fr(french, source)], person=person, feminine=english == "she", pronoun=english)


def pronoun_for(antecedent: NounPhrase) -> NounPhrase:
    """The subject pronoun that refers to a phrase, whose gender and number are known, so `they` may be elles."""
    if antecedent.pronoun:
        return pronoun(antecedent.pronoun)
    gender = "she" if antecedent.feminine else "he"
    english = "they" if antecedent.plural else gender if antecedent.animate else "it"
    french = ("elle" if antecedent.feminine else "il") + ("s" if antecedent.plural else "")
    source = en(english)
    person, feminine = antecedent.person, antecedent.feminine
    return NounPhrase(source, [fr(french, source)], person=person, feminine=feminine, noun=antecedent.noun)


def name(rng: Random) -> NounPhrase:
    """A name, the same in both languages."""
    noun = NAMES[rng.choice(list(NAMES))]
    source = en(noun.singular)
    return NounPhrase(source, [fr(noun.french, source)], feminine=noun.feminine, noun=noun)


def two_names(rng: Random) -> NounPhrase:
    """Two names, such as "Paul and Marie"; masculine if one of them is."""
    first, second = (NAMES[each] for each in rng.sample(list(NAMES), 2))
    source = en(f"{first.singular} and {second.singular}")
    forms = (first.french, "et", second.french)
    target = [fr(form, [word]) for form, word in zip(forms, source, strict=True)]
    feminine = first.feminine and second.feminine
    return NounPhrase(source, target, person=THIRD_PLURAL, feminine=feminine, noun=first)


def adjective_form(adjective: Adjective, feminine: bool, plural: bool, before_vowel: bool = False) -> str:
    """The French form of an adjective, such as beau, bel, belle, beaux or belles."""
    if feminine:
        return adjective.feminine + ("s" if plural else "")
    if not plural:
        return adjective.vowel if before_vowel else adjective.masculine
    form = adjective.masculine
    return form if form.endswith(("s", "x")) else form + ("x" if form.endswith("eau") else "s")


_SELDOM = ("tired", "sick", "happy", "sad", "kind")  # drawn less often, because they fit every person


def _choose_adjectives(rng: Random, noun: Noun, often: float) -> list[Adjective]:
    """One adjective, or one before the noun and a colour or nation after it: "the small black cat"."""
    family = noun.tags & {"kin", "known"}
    rare = rng.random() < 0.6
    allowed = [
        each for each in adjectives(noun) if not (family and not each.before) and not (rare and each.english in _SELDOM)
    ]
    if not allowed or rng.random() > often:
        return []
    first = rng.choice(allowed)
    stacked = [each for each in allowed if each.english in STACKING]
    return [first, rng.choice(stacked)] if first.before and stacked and rng.random() < 0.35 else [first]


def choose_number(rng: Random, noun: Noun) -> bool:
    """Whether to use the plural."""
    return not noun.tags & {"mass", "unique"} and rng.random() < (0.15 if noun.tags & {"building", "inside"} else 0.3)


_DETERMINERS: dict[tuple[str, bool], dict[str, float]] = {
    ("subject", False): {"the": 8, "a": 1, "this": 2},
    ("subject", True): {"the": 6, "these": 2, "NUMBER": 2, "the NUMBER": 1, "these NUMBER": 1, "many": 1},
    ("object", False): {"the": 7, "a": 6, "this": 2},
    ("object", True): {"the": 5, "": 4, "some": 2, "these": 2, "NUMBER": 2, "the NUMBER": 1, "many": 1.5},
    ("definite", False): {"the": 8, "this": 2},
    ("definite", True): {"the": 6, "these": 2, "the NUMBER": 1},
    ("receiver", False): {"the": 8, "a": 2, "this": 1},
    ("receiver", True): {"the": 6, "these": 1, "NUMBER": 1},
}


def choose_determiner(rng: Random, noun: Noun, plural: bool, role: str, owners: tuple[str, ...]) -> str:
    """A determiner for the role; `owners` are the possessives that make sense, used if the noun can be owned."""
    if "mass" in noun.tags:
        return rng.choice(["the", "the", "the", "", "", "", "some", "some"]) if role == "object" else "the"
    if noun.tags & {"kin", "known"} and owners:
        return rng.choice(owners)
    choices = dict(_DETERMINERS[role, plural])
    if owners and "owned" in noun.tags:
        choices["OWNER"] = 4
        choices["OWNER FEW"] = 0.7 if plural else 0
    pattern = rng.choices(list(choices), list(choices.values()))[0]
    numbers = list(NUMERALS)[:4] if "person" in noun.tags else list(NUMERALS)
    chosen = {"NUMBER": numbers, "FEW": ["two", "three", "four"], "OWNER": list(owners)}
    return " ".join(rng.choice(chosen[part]) if part in chosen else part for part in pattern.split())


def _determiner(text: str, noun: Noun, plural: bool, following: str, preposed: bool, negated: bool) -> Phrase:
    """The determiner alone; words that only French has (des, du, de) get no link here but one to the noun."""
    if text == "bare":
        return Phrase()
    source = en(text)
    if text in ("", "a", "some", "any", "many"):
        return Phrase(source, _indefinite(text, source, noun, plural, preposed, negated))
    first, number = source[:1], [fr(NUMERALS[word.form], [word]) for word in source if word.form in NUMERALS]
    kind = source[0].form
    vowel = starts_with_vowel(following)
    masculine = vowel or not noun.feminine
    if kind in _POSSESSIVES:
        form = _POSSESSIVES[kind][2 if plural else 0 if masculine else 1]
    elif kind in ("this", "these"):
        form = "ces" if plural else "cette" if noun.feminine else "cet" if vowel else "ce"
    elif kind in NUMERALS:
        return Phrase(source, number)
    else:
        return Phrase(source, [fr(_article(noun, plural), first, article=True), *number])
    return Phrase(source, [fr(form, first), *number])


def _article(noun: Noun, plural: bool) -> str:
    return "les" if plural else "la" if noun.feminine else "le"


def _indefinite(
    text: str, source: list[English], noun: Noun, plural: bool, preposed: bool, negated: bool
) -> list[French]:
    """French un, des, du or beaucoup de; only de after a negation, and de instead of des before an adjective."""
    if text == "many":
        return [fr("beaucoup", source), fr("de", possible=source)]
    if negated:
        return [fr("de", source)]
    if text == "a":
        return [fr("une" if noun.feminine else "un", source)]
    if plural:
        return [fr("de" if preposed else "des", source)]
    return [fr("de", source), fr(_article(noun, plural), possible=source, article=True)]


def _claim(target: list[French], by: English) -> None:
    for word in target:
        if not word.sure and not word.possible:
            word.possible.append(by)


def noun_phrase(
    rng: Random,
    noun: Noun,
    role: str = "definite",
    *,
    negated: bool = False,
    owners: tuple[str, ...] = (),
    determiner: str | None = None,
    plural: bool | None = None,
    adjective: float = 0.35,
    possessor: NounPhrase | None = None,
) -> NounPhrase:
    """Build a phrase around a noun.

    `role` decides which determiners are natural: subject, object, receiver or definite. `negated` is for a direct
    object: "a" and the bare plural become "de". A `possessor` gives "the neighbour's dog": "le chien du voisin".
    """
    plural = choose_number(rng, noun) if plural is None else plural
    if determiner is None:
        determiner = choose_determiner(rng, noun, plural, role, owners)
    if negated and determiner in ("many", "some"):
        determiner = "any"
    return build(noun, determiner, plural, _choose_adjectives(rng, noun, adjective), negated, possessor)


def build(
    noun: Noun,
    determiner: str,
    plural: bool = False,
    chosen: list[Adjective] | None = None,
    negated: bool = False,
    possessor: NounPhrase | None = None,
) -> NounPhrase:
    """Build a phrase from choices that are already made; see `noun_phrase`."""
    chosen = chosen or []
    form = noun.french_plural if plural else noun.french
    before = [each for each in chosen if each.before]
    source = en(" ".join(each.english for each in chosen))
    head = English(noun.plural if plural else noun.singular)
    forms = [adjective_form(each, noun.feminine, plural, starts_with_vowel(form)) for each in chosen]
    qualities = [fr(each, [word]) for each, word in zip(forms, source, strict=True)]
    preposed, postposed = qualities[: len(before)], qualities[len(before) :]
    if possessor:
        front = Phrase(possessor.en, [fr(_article(noun, plural), article=True)])
        possessor.en[-1].form += "'s"
    else:
        front = _determiner(determiner, noun, plural, (forms[0] if before else form), bool(before), negated)
    _claim(front.fr, head)
    target = [*front.fr, *preposed, fr(form, [head]), *postposed]
    if possessor:
        target += [fr("de", possible=possessor.en[-1:]), *possessor.fr]
    return NounPhrase(
        [*front.en, *source, head],
        target,
        [("adjective-noun", each.english, noun.singular) for each in chosen]
        + (possessor.relations if possessor else []),
        person=THIRD_PLURAL if plural else THIRD,
        feminine=noun.feminine,
        noun=noun,
    )


def predicate_adjective(adjective: Adjective, subject: NounPhrase) -> Phrase:
    """An adjective said of a subject: it agrees, and counts as a combination with the subject's noun."""
    source = en(adjective.english)
    relations = [("adjective-noun", adjective.english, subject.noun.singular)] if subject.noun else []
    return Phrase(source, [fr(adjective_form(adjective, subject.feminine, subject.plural), source)], relations)


def adjectives_of(subject: NounPhrase) -> list[Adjective]:
    """The adjectives that may describe a subject: those of its noun, or those of any person for a pronoun or a name."""
    if subject.noun and "name" not in subject.noun.tags:
        refused = ("new", "good") if subject.animate else ("new",)
        return [each for each in adjectives(subject.noun) if each.english not in refused]
    return [ADJECTIVES[each] for each in ("tired", "sick", "happy", "sad", "kind", "rich", "famous", "intelligent")]
