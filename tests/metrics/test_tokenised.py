import math

import pytest

from heed.errors import UserError
from heed.metrics.bleu import bleu
from heed.metrics.tokenised import moses, tokenised_bleu


@pytest.mark.parametrize(
    ("code", "line", "expected"),
    [
        # all quotation marks become one sign; commas and full stops are split off, but not within a number
        ("de", "Er sagte: „Nein“, ca. 3.000 Leute.", "er sagte : &quot; nein &quot; , ca. 3.000 leute ."),
        # the apostrophe stays with the elided article before it in French, and goes to the word after it in English
        ("fr", "L’homme n'est pas là !", "l&apos; homme n&apos; est pas là !"),
        ("en", "The dog’s ball isn't here…", "the dog &apos;s ball isn &apos;t here ..."),
        # lowercased first, as the published files are: so the full stop before the second sentence is not split off
        ("fr", "Un jeune bébé dort. Il rêve.", "un jeune bébé dort. il rêve ."),
        ("de", "", ""),
    ],
)
def test_text_is_split_into_words_as_by_moses(code: str, line: str, expected: str) -> None:
    """By hand from the rules of Moses's scripts. Catches rules of another language, or steps in another order."""
    assert moses([line], code) == [expected]


def test_bleu_by_hand() -> None:
    """Tokenised and lowercased, the first pair is equal; in the second pair one word is missing."""
    found = tokenised_bleu(
        hypotheses=["Ein HUND läuft schnell."], references=["ein Hund läuft schnell ."], tgt_lang="de"
    )
    assert found.bleu_tokenised == pytest.approx(100)
    short = tokenised_bleu(hypotheses=["One two three four ."], references=["one two three four five ."], tgt_lang="en")
    # 5 of 5, 3 of 4, 2 of 3 and 1 of 2 n-grams of each order
    assert short.bleu_tokenised == pytest.approx(100 * math.exp(1 - 6 / 5) * (3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


def test_case_and_quotation_marks_count_only_in_plain_bleu() -> None:
    """Catches one of the two scores printed under the name of the other."""
    hypotheses, references = ["der Hund sagt “ja” zu ihm"], ["Der Hund sagt „ja“ zu ihm"]
    assert tokenised_bleu(hypotheses=hypotheses, references=references, tgt_lang="de").bleu_tokenised == pytest.approx(
        100
    )
    assert bleu(hypotheses=hypotheses, references=references, tgt_lang="de") < 60


def test_the_signature_names_language_and_settings() -> None:
    """Catches a score that cannot be reproduced, or that looks like BLEU of plain text."""
    made = tokenised_bleu(hypotheses=["a"], references=["a"], tgt_lang="pt_BR").bleu_tokenised_signature
    assert {"case:lc", "tok:none", "smooth:exp"} <= set(made.partition(", ")[0].split("|"))
    assert "sacremoses 0." in made
    assert made.endswith("for pt")


@pytest.mark.parametrize("tgt_lang", ["digits", "zh", "ja", "yue", "tr", ""])
def test_a_language_without_rules_is_left_out_and_reported(tgt_lang: str) -> None:
    """Catches the rules of English applied to any language, and unspaced sentences as one word each."""
    found = tokenised_bleu(hypotheses=["1 2"], references=["1 2"], tgt_lang=tgt_lang)
    assert found.bleu_tokenised is None
    assert found.bleu_tokenised_signature.startswith("left out: sacremoses 0.")
    assert (tgt_lang or "(not given)") in found.bleu_tokenised_signature


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="1 hypotheses and 2 references"):
        tokenised_bleu(hypotheses=["a"], references=["a", "b"], tgt_lang="en")
