import math
from typing import Any

import pytest

from heed.errors import UserError
from heed.metrics.bleu import bleu, chrf, sentence_bleu, translation_scores
from heed.metrics.significance import paired_bootstrap

REFERENCES = ["The black cat sleeps on the chair.", "Do you see the two old houses?", "She does not know it."]
HYPOTHESES = ["The cat sleeps on the chair.", "Do you see two old houses?", "She does not know this."]


def test_a_perfect_translation_scores_best() -> None:
    scores = translation_scores(hypotheses=REFERENCES, references=REFERENCES)
    assert scores.bleu == pytest.approx(100.0)
    assert scores.chrf == pytest.approx(100.0)
    assert scores.ter == 0.0


def test_bleu_by_hand() -> None:
    """Every n-gram of the four words is in the reference of five: only the brevity penalty exp(1 - 5/4) is left."""
    score = bleu(hypotheses=["one two three four"], references=["one two three four five"])
    assert score == pytest.approx(100 * math.exp(1 - 5 / 4))


def test_ter_by_hand() -> None:
    """One missing word of five is one edit: 20 %. Catches a fraction in place of percent."""
    scores = translation_scores(hypotheses=["one two three four"], references=["one two three four five"])
    assert scores.ter == pytest.approx(20.0)


def test_hypotheses_and_references_cannot_be_swapped_unseen() -> None:
    """Catches swapped arguments, with which a short translation has no penalty: positional arguments are refused."""
    short, long = ["one two three four"], ["one two three four five"]
    assert bleu(hypotheses=short, references=long) != pytest.approx(bleu(hypotheses=long, references=short))
    unchecked: Any = bleu
    with pytest.raises(TypeError, match="positional"):
        unchecked(short, long)


def test_validation_and_evaluation_agree() -> None:
    """Catches a best checkpoint chosen by another BLEU than the one that is reported."""
    scores = translation_scores(hypotheses=HYPOTHESES, references=REFERENCES)
    assert 0.0 < scores.bleu < 100.0
    assert scores.bleu == bleu(hypotheses=HYPOTHESES, references=REFERENCES)
    assert scores.chrf == chrf(hypotheses=HYPOTHESES, references=REFERENCES)


def test_case_counts() -> None:
    """Catches scores of lower-cased text, which are higher and cannot be compared with published scores."""
    lowered = [line.lower() for line in REFERENCES]
    assert bleu(hypotheses=lowered, references=REFERENCES) < 90.0


def test_signatures_name_the_settings_of_the_scores() -> None:
    scores = translation_scores(hypotheses=HYPOTHESES, references=REFERENCES)
    assert {"nrefs:1", "case:mixed", "tok:13a", "smooth:exp"} <= set(scores.bleu_signature.split("|"))
    assert "nw:0" in scores.chrf_signature
    assert "tok:tercom" in scores.ter_signature
    assert all("version:" in s for s in (scores.bleu_signature, scores.chrf_signature, scores.ter_signature))


def test_a_perfect_short_sentence_is_perfect() -> None:
    """Catches sentence BLEU that punishes three words for having no four-gram."""
    assert sentence_bleu(hypothesis="He sleeps.", reference="He sleeps.") == pytest.approx(100.0)
    assert sentence_bleu(hypothesis="He eats.", reference="He sleeps.") < 100.0


def test_chinese_is_not_one_word() -> None:
    """Catches the default tokenisation, for which one wrong character makes a whole sentence wrong."""
    hypotheses, references = ["我喜欢黑色的小猫和小狗。"], ["我喜欢黑色的小猫和大狗。"]
    assert bleu(hypotheses=hypotheses, references=references) < 20.0
    scores = translation_scores(hypotheses=hypotheses, references=references, tgt_lang="zh_CN")
    assert scores.bleu > 60.0
    assert "tok:zh" in scores.bleu_signature.split("|")
    assert 0.0 < scores.ter < 20.0


def test_an_empty_hypothesis_is_scored() -> None:
    """An untrained model may produce nothing at all."""
    scores = translation_scores(hypotheses=["", "", ""], references=REFERENCES)
    assert (scores.bleu, scores.chrf, scores.ter) == (0.0, 0.0, 100.0)


def test_unequal_numbers_are_refused_with_both() -> None:
    with pytest.raises(UserError, match="2 hypotheses and 3 references"):
        translation_scores(hypotheses=HYPOTHESES[:2], references=REFERENCES)
    with pytest.raises(UserError, match="no sentences"):
        bleu(hypotheses=[], references=[])


def test_tokenised_text_is_scored_without_advice_on_sacrebleu_s_own_options(caplog: pytest.LogCaptureFixture) -> None:
    """Catches three lines at every validation that name a parameter which heed does not have."""
    lines = ["the black cat sleeps ."] * 200
    assert bleu(hypotheses=lines, references=lines) == pytest.approx(100)
    paired_bootstrap(hypotheses=lines, others=lines, references=lines)
    assert not caplog.records
