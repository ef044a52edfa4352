"""Words, the links between them, and the French spelling rules that fuse them: elision and contraction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

_ELIDING = {form: form[:-1] + "'" for form in ("je", "me", "se", "le", "la", "ne", "de", "que", "ce")}
_ASPIRATED = {"hibou", "hiboux", "héros"}
_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


@dataclass(eq=False)
class English:
    """One English word; links refer to this object, not to its form."""

    form: str


@dataclass(eq=False)
class French:
    """One French word and the English words it translates, surely or possibly; `article` may contract with de and à."""

    form: str
    sure: list[English] = field(default_factory=list)
    possible: list[English] = field(default_factory=list)
    article: bool = False


Relation = tuple[str, str, str]  # kind, first lemma, second lemma


@dataclass
class Phrase:
    """English words and their French translation, with the combinations of words in them."""

    en: list[English] = field(default_factory=list)
    fr: list[French] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    def __add__(self, other: Phrase) -> Phrase:
        """One phrase after the other, in both languages."""
        return Phrase(self.en + other.en, self.fr + other.fr, self.relations + other.relations)


class Sentence(NamedTuple):
    """A finished pair: text, Pharaoh links, the combinations it was built from."""

    english: str
    french: str
    alignment: str
    relations: frozenset[Relation]


def en(text: str) -> list[English]:
    """English words, one object each."""
    return [English(form) for form in text.split()]


def fr(form: str, sure: Iterable[English] = (), possible: Iterable[English] = (), article: bool = False) -> French:
    """One French word with its links."""
    return French(form, list(sure), list(possible), article)


def words(english: str, french: str, links: str = "") -> Phrase:
    """A fixed phrase; `links` are in Pharaoh notation, by default sure and word for word."""
    source, target = en(english), [fr(form) for form in french.split()]
    for link in (links or " ".join(f"{i}-{i}" for i in range(len(source)))).split():
        sure = "-" in link
        i, j = map(int, link.split("-" if sure else "?"))
        (target[j].sure if sure else target[j].possible).append(source[i])
    return Phrase(source, target)


def starts_with_vowel(form: str) -> bool:
    """Whether the word before this one elides; h counts as a vowel unless it is aspirated (le hibou)."""
    first = form[0].lower()
    return first in "aeiouéèêâîôœ" or form == "y" or (first == "h" and form.lower().rstrip(",") not in _ASPIRATED)


def _fuse(first: French, second: French, form: str) -> French:
    """Join two words: the second's sure links stay, and the first's become possible if the second has any."""
    sure = second.sure or first.sure
    possible = first.possible + second.possible + (first.sure if second.sure else [])
    return French(form, sure, possible)


def _contract(first: French, second: French) -> French:
    """Join de and le to du: the preposition's sure links stay; if there are any, the article's become possible."""
    sure = first.sure or second.sure
    possible = first.possible + second.possible + (second.sure if first.sure else [])
    return French(_CONTRACTED[first.form, second.form], sure, possible)


def _elided(first: str, second: str) -> str | None:
    if first == "si" and second in ("il", "ils"):
        return "s'"
    return _ELIDING.get(first) if starts_with_vowel(second) else None


def spell(french: list[French]) -> list[French]:
    """Apply elision and contraction from the last word backwards: le + homme decides whether de + le contracts."""
    spelt: list[French] = []
    for word in reversed(french):
        following = spelt[0] if spelt else None
        elided = _elided(word.form, following.form) if following else None
        if following and elided:
            spelt[0] = _fuse(word, following, elided + following.form)
        elif following and following.article and (word.form, following.form) in _CONTRACTED:
            spelt[0] = _contract(word, following)
        else:
            spelt.insert(0, word)
    return spelt


def _articles(english: list[English]) -> None:
    for word, following in pairwise(english):
        if word.form == "a" and following.form[0].lower() in "aeiou":
            word.form = "an"


def finish(phrase: Phrase, mark: str = ".") -> Sentence:
    """Set capital, punctuation and links; the French question mark is a word, linked to the last English word."""
    french = spell(phrase.fr)
    _articles(phrase.en)
    phrase.en[-1].form += mark
    if mark == "?":
        french.append(fr("?", [phrase.en[-1]]))
    else:
        french[-1].form += mark
    phrase.en[0].form = phrase.en[0].form[0].upper() + phrase.en[0].form[1:]
    french[0].form = french[0].form[0].upper() + french[0].form[1:]
    return Sentence(
        " ".join(word.form for word in phrase.en),
        " ".join(word.form for word in french),
        _pharaoh(phrase.en, french),
        frozenset(phrase.relations),
    )


def _pharaoh(english: list[English], french: list[French]) -> str:
    index = {id(word): i for i, word in enumerate(english)}
    links: dict[tuple[int, int], str] = {}
    for j, word in enumerate(french):
        for source in word.possible:
            links[index[id(source)], j] = "?"
        for source in word.sure:
            links[index[id(source)], j] = "-"
    return " ".join(f"{i}{link}{j}" for (i, j), link in sorted(links.items()))
