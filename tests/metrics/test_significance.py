import os

import pytest

from heed.errors import UserError
from heed.metrics.bleu import bleu, chrf
from heed.metrics.significance import paired_bootstrap

REFERENCES = [
    f"the {colour} {animal} sleeps on the old chair"
    for colour in "red blue".split()
    for animal in "cat dog owl".split()
] * 5
WORSE = [line.replace("sleeps", "eats") if number % 2 else line for number, line in enumerate(REFERENCES)]
AS_GOOD = [line.replace("sleeps", "eats") if number % 2 == 0 else line for number, line in enumerate(REFERENCES)]


def test_scores_are_those_that_are_reported() -> None:
    """Catches exchanged systems, and BLEU with other settings."""
    found = paired_bootstrap(hypotheses=REFERENCES, others=WORSE, references=REFERENCES)
    assert found["bleu"].score == pytest.approx(100)
    assert found["bleu"].other == pytest.approx(bleu(hypotheses=WORSE, references=REFERENCES))
    assert found["chrf"].other == pytest.approx(chrf(hypotheses=WORSE, references=REFERENCES))
    assert found["bleu"].difference == found["bleu"].score - found["bleu"].other


def test_what_is_better_on_half_of_the_sentences_is_better() -> None:
    """Catches a difference whose sign, or whose bounds, belong to the other system."""
    for one, other, sign in ((REFERENCES, WORSE, 1), (WORSE, REFERENCES, -1)):
        for found in paired_bootstrap(hypotheses=one, others=other, references=REFERENCES).values():
            assert found.low <= found.difference <= found.high
            assert sign * found.low > 0
            assert sign * found.high > 0
            assert found.p_value < 0.05


def test_a_system_with_as_many_errors_is_not_better() -> None:
    """Catches a difference reported as significant between systems with equally many errors."""
    found = paired_bootstrap(hypotheses=AS_GOOD, others=WORSE, references=REFERENCES)["bleu"]
    assert found.low < 0 < found.high
    assert found.p_value > 0.05


def test_a_system_is_no_better_than_itself() -> None:
    """Catches p = 0.001 for two copies of one file, which is what sacreBLEU reports."""
    found = paired_bootstrap(hypotheses=WORSE, others=WORSE, references=REFERENCES)["chrf"]
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_seed_is_fixed_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches p-values that cannot be reproduced."""
    monkeypatch.setitem(os.environ, "SACREBLEU_SEED", "none")
    first, second = (paired_bootstrap(hypotheses=WORSE, others=AS_GOOD, references=REFERENCES) for _ in range(2))
    assert first == second
    assert {"seed:12345", "bs:1000"} <= set(first["chrf"].signature.split("|"))


def test_other_sentences_are_refused() -> None:
    with pytest.raises(UserError, match="29 hypotheses and 30 references"):
        paired_bootstrap(hypotheses=WORSE, others=WORSE[1:], references=REFERENCES)


@pytest.mark.parametrize("sentences", [1, 6, 29])
def test_few_sentences_decide_nothing_and_this_is_reported(sentences: int) -> None:
    """Catches p = 0.001 from a single sentence: every resample is that sentence again."""
    few = REFERENCES[:sentences]
    for found in paired_bootstrap(hypotheses=few, others=[""] * sentences, references=few).values():
        assert found.p_value >= min(1, 2 ** (1 - sentences))
        assert found.note.startswith(f"{sentences} sentence")
    enough = paired_bootstrap(hypotheses=REFERENCES, others=WORSE, references=REFERENCES)
    assert enough["bleu"].note == ""
