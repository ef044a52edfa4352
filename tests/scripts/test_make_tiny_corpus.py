"""The embedded corpus: the committed files are those that the script writes, and its README is correct."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from heed.metrics.alignment import read_pharaoh
from scripts.make_tiny_corpus import differences
from scripts.tiny_corpus.circumstances import preposition
from scripts.tiny_corpus.clauses import object_pronoun, predicate, question, statement
from scripts.tiny_corpus.lexicon import ADJECTIVES, NOUNS
from scripts.tiny_corpus.noun_phrases import build, predicate_adjective, pronoun
from scripts.tiny_corpus.surface import Phrase, finish, spell
from scripts.tiny_corpus.verbs import VERBS

ROOT = Path(__file__).parents[2]
TINY = ROOT / "data" / "tiny"
SPLITS = {"train": 10_000, "valid": 500, "test": 1_000}


def lines(name: str) -> list[str]:
    return (TINY / name).read_text(encoding="utf-8").splitlines()


def everything(ending: str) -> list[str]:
    return [line for split in SPLITS for line in lines(f"{split}.{ending}")]


def english_words(text: str) -> set[str]:
    """Lower-case words without punctuation, except the question mark, which counts as a word."""
    return set(re.findall(r"[^\s.,?]+|\?", text.lower()))


def french_words(text: str) -> set[str]:
    return set(re.findall(r"[^\s.,'?]+'?|\?", text.lower()))


def test_the_script_writes_the_committed_files() -> None:
    """Catches a grammar changed without its corpus, and a corpus that depends on how Python hashes strings."""
    command = [sys.executable, str(ROOT / "scripts" / "make_tiny_corpus.py"), "--check"]
    run = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "12345"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_changed_and_a_missing_file_are_named(tmp_path: Path) -> None:
    """Catches a check that cannot fail."""
    expected = {name: (TINY / name).read_bytes() for name in ("train.en", "valid.fr", "test.align")}
    for name in ("train.en", "valid.fr"):
        shutil.copy(TINY / name, tmp_path / name)
    (tmp_path / "valid.fr").write_bytes(expected["valid.fr"].replace(b"chat", b"chien", 1))
    found = differences(tmp_path, expected)
    assert [line.removeprefix(f"{tmp_path}/").split(":")[0] for line in found] == ["valid.fr", "test.align"]


def test_every_split_has_its_size_and_parallel_files() -> None:
    """Catches a missing line, which would shift every pair after it."""
    for split, size in SPLITS.items():
        assert [len(lines(f"{split}.{ending}")) for ending in ("en", "fr", "align")] == [size] * 3
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 3_000_000


@pytest.mark.parametrize("ending", ["en", "fr"])
def test_no_sentence_occurs_twice(ending: str) -> None:
    """Catches a test sentence that is also in train, and a sentence that is counted twice."""
    sentences = everything(ending)
    assert len(set(sentences)) == len(sentences) == sum(SPLITS.values())


def test_every_test_sentence_has_a_combination_that_train_and_valid_lack() -> None:
    """Catches a test split that only repeats combinations from train."""
    rows = [line.split("\t") for line in lines("held_out.tsv")]
    combinations = [(set(first.split()), set(second.split())) for _, first, second in rows]

    def has_combination(sentence: str) -> bool:
        words = english_words(sentence)
        return any(first & words and second & words for first, second in combinations)

    assert all(has_combination(sentence) for sentence in lines("test.en"))
    assert not any(has_combination(sentence) for split in ("train", "valid") for sentence in lines(f"{split}.en"))
    assert {kind for kind, _, _ in rows} == {"adjective-noun", "verb-object", "subject-verb", "structure"}


@pytest.mark.parametrize(("ending", "words"), [("en", english_words), ("fr", french_words)])
def test_train_has_seen_every_word_form_of_valid_and_test_five_times(ending: str, words) -> None:  # type: ignore[no-untyped-def]
    """Catches splits that test unknown words instead of new combinations of known ones."""
    seen = Counter(word for sentence in lines(f"train.{ending}") for word in words(sentence))
    rare = {word for split in ("valid", "test") for line in lines(f"{split}.{ending}") for word in words(line)}
    assert {word: seen[word] for word in rare if seen[word] < 5} == {}


def test_sentences_have_three_to_twenty_words_a_capital_and_a_mark() -> None:
    """Catches fragments, very long sentences, and a missing capital or full stop."""
    for ending in ("en", "fr"):
        for sentence in everything(ending):
            assert 3 <= len(sentence.split()) <= 20, sentence
            assert sentence[0].isupper(), sentence
            assert sentence[-1] in ".?", sentence
            assert sentence == " ".join(sentence.split()), sentence


def test_links_join_words_that_exist_and_leave_none_alone() -> None:
    """Catches a link past a sentence's end, a word without links, and two sure sources of one word (see the README)."""
    for english, french, line in zip(everything("en"), everything("fr"), everything("align"), strict=True):
        gold = read_pharaoh(line)
        assert {i for i, _ in gold.possible} == set(range(len(english.split()))), (english, line)
        assert {j for _, j in gold.possible} == set(range(len(french.split()))), (french, line)
        assert max(Counter(j for _, j in gold.sure).values()) == 1, (french, line)


def test_a_french_question_mark_is_a_word_linked_to_the_english_one() -> None:
    """Catches a question mark that is joined to a French word, or that has no link."""
    for english, french, line in zip(everything("en"), everything("fr"), everything("align"), strict=True):
        source, target = english.split(), french.split()
        assert (source[-1][-1] == "?") == (target[-1] == "?")
        assert not any(word.endswith("?") for word in target[:-1])
        if target[-1] == "?":
            assert (len(source) - 1, len(target) - 1) in read_pharaoh(line).sure


# Rules of French, checked in the files without the grammar.
VOWEL = re.compile(r"[aeiouéèêâîôœ]|h(?!ibou|éros)|y\b", re.IGNORECASE)
# A pronoun before an infinitive does not contract: "elle commence à les lire".
UNCONTRACTED = re.compile(r"\b(de|à) les? (?!\w+(er|ir|re)\b)", re.IGNORECASE)
FEMININE = "maison voiture femme fille sœur mère tante reine lettre robe chaise table fleur tasse vache souris"
MASCULINE = "livre jardin garçon frère père boulanger chien chat cheval manteau chapeau vélo bateau cadeau musée"
BEFORE_FEMININE, BEFORE_MASCULINE = "le un ce cet mon son du au", "la une cette ma sa"


def test_words_before_a_vowel_are_elided() -> None:
    """Catches faults such as "le homme", "je ai", "ne a", "que il", "de eau", "se est", and "l'hibou"."""
    for sentence in everything("fr"):
        words = re.sub(r"[.,]", "", sentence).split()
        for first, second in pairwise(words):
            if first.lower() in ("le", "la", "je", "me", "se", "ne", "de", "que", "ce", "ma", "sa"):
                assert not VOWEL.match(second), sentence
        for rest in re.findall(r"(?<!aujourd)(?:\b[ldnjmsc]|qu)'(\S+)", sentence, re.IGNORECASE):
            assert VOWEL.match(rest), sentence


def test_prepositions_and_articles_are_contracted() -> None:
    """Catches faults such as "de le jardin", "à les enfants"."""
    assert [sentence for sentence in everything("fr") if UNCONTRACTED.search(sentence)] == []


def test_adjectives_before_a_vowel_take_their_own_form() -> None:
    """Catches faults such as "un beau oiseau", "un vieil chat"."""
    for sentence in everything("fr"):
        for first, second in pairwise(sentence.split()):
            if first in ("beau", "nouveau", "ce"):
                assert not VOWEL.match(second), sentence
            if first in ("bel", "nouvel", "vieil", "cet"):
                assert VOWEL.match(second), sentence


@pytest.mark.parametrize(("nouns", "wrong"), [(FEMININE, BEFORE_FEMININE), (MASCULINE, BEFORE_MASCULINE)])
def test_determiners_agree(nouns: str, wrong: str) -> None:
    """Catches faults such as "le maison", "cette livre"."""
    fault = re.compile(rf"\b({wrong.replace(' ', '|')}) ({nouns.replace(' ', '|')})\b", re.IGNORECASE)
    assert [sentence for sentence in everything("fr") if fault.search(sentence)] == []


WITH_ETRE = "allé|venu|parti|arrivé|resté|tombé|sorti|revenu|levé|endormi|réveillé|reposé|arrêté|habillé"
WENT = r"(?:pas |jamais |déjà )?(?:" + WITH_ETRE + ")"
THINGS = "voitures|robes|pommes|lettres|clés|fleurs|villes|horloges|photos|chaises|lampes|fermes|vaches|chemises|tables"
# the text before the ending of the participle, the right ending, wrong endings
AGREEMENTS = [
    (r"\bil (?:ne |n')?(?:s')?est " + WENT, r"\b", r"e|s"),
    (r"\belle (?:ne |n')?(?:s')?est " + WENT, r"e\b", r"\b|s|es"),
    (r"\bils (?:ne )?(?:se )?sont " + WENT, r"s\b", r"\b|e|es"),
    (r"\b(?:femmes|filles|actrices|reines|sœurs|tantes) (?:ne )?(?:se )?sont " + WENT, r"es\b", r"\b|e\b|s"),
    (r"\bla \w+(?: \w+)? qu(?:e |')(?:\w+ ){1,2}(?:a|ont|ai|avons) \w+(?:é|u|ri|rt)", r"e\b", r"\b|s|es"),
    (r"\bles (?:livres|gâteaux|vélos) qu(?:e |')(?:\w+ ){1,2}(?:a|ont|ai|avons) \w+(?:é|u)", r"s\b", r"\b|e|es"),
    (r"\bles (?:lettres|robes|clés|fleurs) qu(?:e |')(?:\w+ ){1,2}(?:a|ont|ai|avons) \w+(?:é|u)", r"es\b", r"\b|e\b|s"),
    (
        r"\bCombien de (?:\w+ )?(?:" + THINGS + r")(?: \w+)? est-ce qu(?:e |')(?:\w+ ){1,3}?(?:a|ont) \w+(?:é|u)",
        r"es\b",
        r"\b|e\b|s",
    ),
]


@pytest.mark.parametrize(("before", "right", "wrong"), AGREEMENTS)
def test_participles_agree(before: str, right: str, wrong: str) -> None:
    """Catches faults such as "elle est allé", "elles sont partis", "la clé que Paul a perdu"."""
    french = everything("fr")
    assert sum(re.search(before + right, sentence) is not None for sentence in french) >= 5
    assert [sentence for sentence in french if re.search(f"{before}(?:{wrong}) ?[.?]", sentence)] == []


def test_negation_has_both_its_words() -> None:
    """Catches "ne" without "pas", "jamais" or "plus", and the reverse."""
    for sentence in everything("fr"):
        opened = len(re.findall(r"\b(?:ne |n')", sentence, re.IGNORECASE))
        closed = len(re.findall(r"\b(?:pas|jamais)\b|\bplus\b(?! \w+ que\b)", sentence))
        assert opened == closed, sentence


# The grammar itself, in critical cases.
PHRASES = [
    ("bird", "the", False, "beautiful", "le bel oiseau"),
    ("bird", "", True, "small", "de petits oiseaux"),
    ("car", "", True, "red", "des voitures rouges"),
    ("horse", "two", True, "white", "deux chevaux blancs"),
    ("school", "my", False, "", "mon école"),
    ("school", "my", False, "new", "ma nouvelle école"),
    ("tree", "this", False, "", "cet arbre"),
    ("tree", "this", False, "big", "ce grand arbre"),
    ("tree", "this", False, "old", "ce vieil arbre"),
    ("owl", "the", False, "", "le hibou"),
    ("owl", "these", True, "grey", "ces hiboux gris"),
    ("water", "some", False, "cold", "de l'eau froide"),
    ("bread", "", False, "fresh", "du pain frais"),
    ("carrot", "the", False, "fresh", "la carotte fraîche"),
    ("woman", "many", True, "", "beaucoup de femmes"),
    ("child", "many", True, "curious", "beaucoup d'enfants curieux"),
    ("house", "these two", True, "old", "ces deux vieilles maisons"),
]


@pytest.mark.parametrize(("noun", "determiner", "plural", "adjective", "french"), PHRASES)
def test_noun_phrases(noun: str, determiner: str, plural: bool, adjective: str, french: str) -> None:
    """Catches an adjective on the wrong side, and a wrong agreement, article or possessive."""
    phrase = build(NOUNS[noun], determiner, plural, [ADJECTIVES[adjective]] if adjective else [])
    assert " ".join(word.form for word in spell(phrase.fr)) == french


@pytest.mark.parametrize(
    ("english", "noun", "plural", "french"),
    [
        ("of", "garden", False, "du jardin"),
        ("of", "man", False, "de l'homme"),
        ("of", "owl", False, "du hibou"),
        ("from", "street", True, "des rues"),
        ("to", "market", False, "au marché"),
        ("to", "child", True, "aux enfants"),
        ("at", "hospital", False, "à l'hôpital"),
        ("near", "station", False, "près de la gare"),
        ("near", "park", False, "près du parc"),
    ],
)
def test_prepositions_contract_with_the_article(english: str, noun: str, plural: bool, french: str) -> None:
    """Catches a missing contraction, and a contraction although the article is elided."""
    phrase = preposition(english, build(NOUNS[noun], "the", plural))
    assert " ".join(word.form for word in spell(phrase.fr)) == french


def test_an_object_is_partitive_unless_it_is_negated() -> None:
    """Catches a negation that keeps its article: "elle ne boit pas de l'eau"."""
    said = [build(NOUNS["water"], "", negated=negated) for negated in (False, True)]
    assert [" ".join(word.form for word in spell(phrase.fr)) for phrase in said] == ["de l'eau", "d'eau"]


CLAUSES = [
    ("he", "see", "present", "not", "", "He does not see.", "Il ne voit pas.", "0-0 1?2 2?1 2-3 3-2"),
    ("she", "eat", "past", "", "", "She ate.", "Elle a mangé.", "0-0 1?1 1-2"),
    ("she", "eat", "perfect", "", "", "She has eaten.", "Elle a mangé.", "0-0 1-1 2-2"),
    ("I", "eat", "past", "", "", "I ate.", "J'ai mangé.", "0-0 1?0 1-1"),
    ("she", "leave", "past", "", "", "She left.", "Elle est partie.", "0-0 1?1 1-2"),
    (
        "they",
        "rest",
        "past",
        "never",
        "",
        "They never rested.",
        "Ils ne se sont jamais reposés.",
        "0-0 1?1 1-4 2?2 2?3 2-5",
    ),
    ("he", "eat", "future", "", "", "He will eat.", "Il mangera.", "0-0 1?1 2-1"),
    ("she", "see", "past", "not", "her", "She did not see her.", "Elle ne l'a pas vue.", "0-0 1?2 2?1 2-3 3-4 4-2"),
    ("he", "see", "near", "", "them", "He is going to see them.", "Il va les voir.", "0-0 1?1 2-1 3?3 4-3 5-2"),
    ("I", "answer", "present", "", "him", "I answer him.", "Je lui réponds.", "0-0 1-2 2-1"),
    ("she", "wake_up", "past", "", "", "She woke up.", "Elle s'est réveillée.", "0-0 1?1 1-2 2?2"),
    ("he", "love", "past", "", "", "He loved.", "Il aimait.", "0-0 1-1"),
]


@pytest.mark.parametrize(("who", "verb", "tense", "negation", "object_", "english", "french", "links"), CLAUSES)
def test_clauses(
    who: str, verb: str, tense: str, negation: str, object_: str, english: str, french: str, links: str
) -> None:
    """Catches a misplaced pronoun or negation, a wrong auxiliary or agreement, and links against the README's rules."""
    clitic = object_pronoun(object_, direct="to" not in VERBS[verb].flags) if object_ else None
    subject = pronoun(who)
    made = finish(statement(subject, predicate(VERBS[verb], tense, subject, negation=negation, clitic=clitic)))
    assert (made.english, made.french, made.alignment) == (english, french, links)


def test_adjective_and_noun_cross_and_an_elided_article_is_possible() -> None:
    """Catches missing crossed links of noun and adjective, and a sure link of "The" to the elided article."""
    man, car = build(NOUNS["man"], "the"), build(NOUNS["car"], "a", chosen=[ADJECTIVES["red"]])
    made = finish(statement(man, predicate(VERBS["buy"], "past", man), car))
    assert (made.english, made.french) == ("The man bought a red car.", "L'homme a acheté une voiture rouge.")
    assert made.alignment == "0?0 1-0 2?1 2-2 3-3 4-5 5-4"


def test_a_question_links_its_auxiliary_as_possible() -> None:
    """Catches "est-ce que" without a link, or with a sure link."""
    cat = build(NOUNS["cat"], "the")
    verb = predicate(VERBS["be"], "present", cat, question=True)
    made = finish(question(cat, verb, Phrase() + predicate_adjective(ADJECTIVES["black"], cat)), "?")
    assert (made.english, made.french) == ("Is the cat black?", "Est-ce que le chat est noir ?")
    assert made.alignment == "0?0 0?1 0-4 1-2 2-3 3-5 3-6"
