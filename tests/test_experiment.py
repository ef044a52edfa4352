"""Settings are refused before any work is done."""

from pathlib import Path

import pytest

from heed.cli.config import compose, plain
from heed.cli.options import CONFIGS
from heed.errors import UserError
from heed.experiment import Settings, check, hyperparameters, train
from heed.settings import parse
from tests.support.small_run import settings

FAULTS = [
    "batches.sentences=null",
    "batches.tokens=9",
    "trainer.max_steps=null",
    "teacher_forcing.steps=0",
    "schedule.warmup_steps=-2",
    "schedule.final=2",
    "subwords.vocab_size=2",
    "subwords.joint=true subwords.src_normalization=nfc",
    "subwords.byte_fallback=true",
    "subword_sampling=0.2",
    "subwords.user_defined_symbols=[a]",
    "attention=dot ~model.attention.att_dim model.hid_dim=24",
    "model.emb_dim=24",
    "device=cuda:99",
    "metric=blue",
    "optim.lr=-0.1",
    "ema=0.9 average_last=3",
    "init_from=nowhere",
]


@pytest.mark.parametrize("overrides", FAULTS)
def test_a_wrong_setting_is_reported_before_any_text_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: str
) -> None:
    """Catches an error that is reported only after reading text and training vocabularies, and a run folder."""

    def read(*_: object) -> None:
        raise AssertionError("the text was read")

    monkeypatch.setattr("heed.experiment.read_splits", read)
    with pytest.raises(UserError) as refusal:
        train(settings(tmp_path, *overrides.split()))
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_all_recipes_pass(tmp_path: Path) -> None:
    """Catches a check that refuses a recipe of heed."""
    for file in sorted((CONFIGS / "experiment").glob("*.yaml")):
        check(parse(Settings, plain(compose("train", [f"experiment={file.stem}", f"runs={tmp_path}"]))))


def test_the_table_of_runs_fits_a_screen(tmp_path: Path) -> None:
    """Catches columns for settings that are off, and a setting that is missing although it is on."""
    names = {*hyperparameters(settings(tmp_path))}
    more = {*hyperparameters(settings(tmp_path, "r_drop=5.0", "model.layer_norm=true", "init_from=m"))}

    assert len(names) <= 30
    assert {"corpus.name", "model.hid_dim", "model.attention.score", "optim.lr", "seed", "batches.sentences"} <= names
    assert more - names == {"r_drop", "model.layer_norm", "init_from"}
