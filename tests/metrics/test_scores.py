"""The registry of metrics, and the metric that chooses the best model."""

import logging
from collections.abc import Sequence
from itertools import pairwise

import pytest

from heed.errors import UserError
from heed.metrics import scores
from heed.metrics.bleu import bleu, chrf, translation_scores
from heed.metrics.scores import Metric, choose, metric, rank, register, shown_scores, text_scores

REFERENCES = ["The black cat sleeps on the chair.", "Do you see the two old houses?", "She does not know it."]
HYPOTHESES = ["The cat sleeps on the chair.", "Do you see the two old houses? ", "She does not know this."]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that forgets what a test registers."""
    monkeypatch.setattr(scores, "_metrics", dict(scores._metrics))


def test_values_equal_those_of_the_separate_functions() -> None:
    """Catches a registered metric that differs from the function whose definition is tested."""
    found = text_scores(hypotheses=HYPOTHESES, references=REFERENCES, tgt_lang="en")
    direct = translation_scores(hypotheses=HYPOTHESES, references=REFERENCES, tgt_lang="en")
    assert {name: found[name].value for name in ("bleu", "chrf", "ter")} == {
        "bleu": direct.bleu, "chrf": direct.chrf, "ter": direct.ter,
    }  # fmt: skip
    assert found["bleu"].signature == direct.bleu_signature
    assert found["exact"].value == pytest.approx(100 / 3)
    assert found["bleu"].value == bleu(hypotheses=HYPOTHESES, references=REFERENCES)
    assert found["chrf"].value == chrf(hypotheses=HYPOTHESES, references=REFERENCES)


def test_what_cannot_be_computed_has_no_value_and_a_reason() -> None:
    """Catches a number for an unknown language."""
    found = text_scores(hypotheses=HYPOTHESES, references=REFERENCES, tgt_lang="tlh", names=["bleu_tokenised"])
    assert found["bleu_tokenised"].value is None
    assert "no rules" in found["bleu_tokenised"].signature


def test_tables_show_every_metric_of_an_evaluation() -> None:
    """Catches a metric that is missing in the tables, and a changed order of rows."""
    assert list(shown_scores()) == ["bleu", "bleu_tokenised", "chrf", "ter", "exact", "per", "wer", "perplexity", "aer"]
    assert shown_scores()["aer"] == ("AER", ".3f")


def test_a_metric_from_outside_is_used_everywhere(registry: None) -> None:
    """Catches an extension that is known in one place and not in another, and a name taken twice."""

    def shortness(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str) -> scores.Scored:
        return scores.Scored(float(sum(map(len, hypotheses))), "characters")

    mine = Metric("shortness", "short", ".0f", higher_is_better=False, validated=True, compute=shortness)
    register(mine)
    assert metric("shortness") == mine
    assert list(shown_scores())[7:] == ["shortness", "perplexity", "aer"]
    assert text_scores(hypotheses=["ab"], references=["abc"])["shortness"] == (2.0, "characters")
    assert choose("shortness", REFERENCES) == mine
    register(mine)
    with pytest.raises(ValueError, match="shortness is already registered"):
        register(Metric("shortness", "other", ".2f", higher_is_better=True))


def test_pronunciations_are_scored_as_such_and_nothing_else_is() -> None:
    """Catches error rates of phonemes in every report, and metric=per that fails only at the first validation."""
    spoken = text_scores(hypotheses=["K AE T"], references=["K AE T S"], tgt_lang="phonemes")
    assert (spoken["per"].value, spoken["wer"].value, spoken["exact"].value) == (25.0, 100.0, 0.0)
    assert not {"per", "wer"} & text_scores(hypotheses=["chat"], references=["chats"], tgt_lang="fr").keys()
    assert choose("per", ["K AE T"], "phonemes").order(3.0) < choose("per", ["K AE T"], "phonemes").order(2.0)
    with pytest.raises(
        UserError, match=r"^metric=per scores phonemes, and the target language is fr; .*tgt_lang=phonemes$"
    ):
        choose("per", ["chat"], "fr")


def test_an_unknown_metric_is_refused_with_a_list_of_known_ones() -> None:
    with pytest.raises(UserError, match="metric=blue: expected auto or one of bleu, "):
        choose("blue", REFERENCES)


def test_auto_is_bleu_if_sentences_have_four_words() -> None:
    """Catches BLEU chosen if it cannot be above 0: one-word targets, and text without spaces in an unnamed language."""
    chinese = ["我喜欢红色的房子。", "他不喜欢小狗，也不喜欢小猫。"]
    assert choose("auto", REFERENCES).name == "bleu"
    assert choose("auto", ["haus", "katze", "hund"]).name == "chrf"
    assert choose("auto", chinese, "zho_Hans").name == "bleu"
    assert choose("auto", chinese, "").name == "chrf"


def test_a_meaningless_bleu_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """Catches a run in which every validation scores 0.00 without an explanation."""
    with caplog.at_level(logging.WARNING):
        assert choose("bleu", REFERENCES).name == "bleu"
        assert not caplog.records
        assert choose("bleu", ["haus", "katze"]).name == "bleu"
    assert "metric=chrf" in caplog.text


def test_better_scores_rank_higher_and_ties_go_to_chrf_and_loss() -> None:
    """Catches the first of equal models kept if BLEU is always 0, and a metric compared in the wrong direction."""
    rising = [
        {"bleu": 0.0, "chrf": 5.0, "loss": 3.0, "ter": 90.0},
        {"bleu": 0.0, "chrf": 5.0, "loss": 2.9, "ter": 80.0},
        {"bleu": 0.0, "chrf": 7.0, "loss": 3.1, "ter": 70.0},
        {"bleu": 0.1, "chrf": 1.0, "loss": 9.0, "ter": 60.0},
    ]
    for worse, better in pairwise(rising):
        for name in ("bleu", "ter"):
            assert rank(metric(name), worse) < rank(metric(name), better)
    assert rank(metric("loss"), rising[0]) < rank(metric("loss"), rising[1])
