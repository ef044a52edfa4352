"""The printed report of an evaluation."""

from typing import Any

from heed.metrics.attention import Health
from heed.runs.report import over_runs, table, table_over_runs

HEALTH = Health(0.2, 0.1, 0.1, 0.9, 0.5, 0.9, 6, 6)._asdict()
COMPARED = {"score": 9.0, "other": 8.0, "difference": 1.0, "low": 0.5, "high": 1.5, "p_value": 0.5, "signature": "s"}


def report(**more: Any) -> dict[str, Any]:
    """Scores of six sentences."""
    shares = {"reference": HEALTH, "hypothesis": HEALTH}
    return {
        "corpus": "x",
        "split": "test",
        "sentences": 6,
        "search": "greedy",
        "bleu": 9.0,
        "sentences_per_second": 1.0,
        "attention": shares,
        "versus": None,
        **more,
    }


def test_too_few_sentences_are_reported_beside_the_comparison() -> None:
    """Catches p-values of only six sentences without a warning, in the table of one run and of several."""
    versus = {"folder": "other", "search": None, "bleu": {**COMPARED, "note": "6 sentences are too few"}}
    assert "p = 0.500; 6 sentences are too few\n" in table(report(versus=versus))
    assert "p = 0.500\n" in table(report(versus={**versus, "bleu": COMPARED}))
    both = over_runs([1, 2], [report(versus=versus)] * 2)
    assert table_over_runs(both).count("6 sentences are too few") == 2


def test_notes_follow_the_scores() -> None:
    """Catches notes that are only in the file, and a note that is printed for every seed."""
    assert table(report(notes=["look here"])).endswith("\n\nlook here")
    assert table_over_runs(over_runs([1, 2], [report(notes=["look here"])] * 2)).count("look here") == 1
