"""Whole runs that must learn: catches errors with which training runs but learns nothing."""

from pathlib import Path

import pytest

from heed.data.reverse import reverse
from heed.experiment import Run, Settings, train
from heed.maps import Map
from heed.translator import load
from tests.support.settings import settings_of


def trained(runs: Path, *overrides: str) -> Run:
    return train(settings_of("train", Settings, f"runs={runs}", *overrides))


@pytest.mark.slow
def test_an_epoch_of_the_embedded_corpus_teaches_translation_and_alignment(tmp_path: Path) -> None:
    """Catches shifted labels, lost gradients, learning from padding, and attention that is off by one word."""
    best = trained(tmp_path, "guided_attention=0.2", "trainer.max_epochs=1").report["best"]
    assert best["bleu"] > 40
    assert best["aer"] < 0.15


@pytest.mark.slow
def test_reversing_digits_teaches_the_anti_diagonal(tmp_path: Path) -> None:
    """Catches reversed, transposed or shifted maps of any method, and a model that translates without attention."""
    sizes = ["corpus.train=4000", "corpus.valid=50", "corpus.test=50", "corpus.max_len=6"]
    run = trained(tmp_path, "experiment=reverse", *sizes, "trainer.max_epochs=6")
    assert run.report["best"]["bleu"] > 90
    translator = load(run.folder / "model")
    test = reverse(train=4000, valid=50, test=50, max_len=6).read("test")
    maps = [pair.map() for pair in translator.force(test.src, test.tgt)]
    on_it = sum(_anti_diagonal(found) for found in maps)
    assert on_it > 0.9 * sum(len(found.tgt) for found in maps)
    for method in ("saliency", "difference", "norm"):
        maps = translator.maps(translator.force(test.src, test.tgt), method)
        assert sum(_anti_diagonal(found) for found in maps) > 0.8 * sum(len(found.tgt) for found in maps)


@pytest.mark.slow
def test_dates_are_learnt_and_digits_attend_to_their_words(tmp_path: Path) -> None:
    """Catches a recipe that does not learn its task, and gold alignments that attention cannot reach."""
    best = trained(tmp_path, "experiment=dates", "heatmaps=0").report["best"]
    assert best["exact"] >= 95
    assert best["aer"] < 0.3


def _anti_diagonal(found: Map) -> int:
    """Links of the map that are on its anti-diagonal."""
    return sum(src + tgt == len(found.src) - 1 for src, tgt in found.links())
