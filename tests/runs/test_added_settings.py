"""A run that was started with an older version, which had fewer settings."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from heed.errors import UserError
from heed.experiment import Settings
from heed.runs.run_folder import begin, differences, finish, locked, state
from tests.support.settings import settings_of

BEFORE = """
corpus: {reader: tiny, name: tiny, src_lang: en, tgt_lang: fr, train: train, valid: valid, test: test}
subwords: {kind: unigram, vocab_size: 1000, joint: false, byte_fallback: false, character_coverage: 1.0}
model:
  attention: {score: additive, att_dim: 256}
  emb_dim: 128
  enc_dim: 256
  hid_dim: 256
  readout_dim: 128
  attended_dim: 128
  enc_layers: 1
  dec_layers: 1
  bidirectional: true
  dropout: 0.1
  readout_dropout: null
  enc_dropout: 0.0
  state_dropout: 0.0
  variational: false
  layer_norm: false
  tie: decoder
optim: {name: adam, lr: 0.002, betas: [0.9, 0.98], eps: 1.0e-09, fused: true}
schedule: {name: cosine, warmup_steps: 200, steps: null, final: 0.0}
teacher_forcing: {name: constant, ratio: 1.0}
run: tiny
runs: runs
overwrite: false
seed: 1
progress_bar: true
heatmaps: 4
device: cpu
distributed: false
precision: auto
matmul_precision: high
trainer: {max_epochs: 10, max_steps: null, validate_epochs: 1, validate_steps: null}
checkpoint_steps: 500
curve_steps: 50
metric: auto
early_stop: {patience: 5, min_delta: 0.0}
profile: null
batches: {sentences: 32, tokens: null}
cleaning: {max_len: 100, max_ratio: 3.0, max_characters: 1000}
subword_sampling: null
label_smoothing: 0.05
guided_attention: 0.0
r_drop: 0.0
word_dropout: 0.0
ema: null
average_last: null
clip_norm: 1.0
"""
"""The config.yaml of `heed-train` in the first version, before any setting was added."""

AS_BEFORE = ("model.query=previous", "subwords.tgt_normalization=nmt_nfkc")
"""The overrides that today give the defaults of that version."""

REPORT = {"best": {}, "steps": 1, "history": [], "tokens_per_second": 1.0}


def today(*overrides: str) -> dict[str, Any]:
    return asdict(settings_of("train", Settings, *overrides))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An unfinished run of that version."""
    folder = tmp_path / "tiny"
    with locked(folder), begin(folder, yaml.safe_load(BEFORE), {}):
        return folder


def test_a_setting_that_was_added_later_is_not_a_difference(folder: Path) -> None:
    """Catches a setting that was added without a value in `ADDED`, so that no older run could continue."""
    assert state(folder, today(*AS_BEFORE)) == "unfinished"
    assert state(folder, today(*AS_BEFORE, "run=other", "progress_bar=false")) == "unfinished"


def test_a_default_that_has_changed_is_a_difference(folder: Path) -> None:
    """Catches a run that continues with another model or text, because its config lacks the added settings."""
    with pytest.raises(UserError) as refused:
        state(folder, today())
    changes = 'subwords.tgt_normalization "nmt_nfkc" -> "identity", model.query "previous" -> "current"'
    assert f"({changes})" in str(refused.value)


@pytest.mark.parametrize("setting", ["model.attend_end=false", "batches.accumulate=2", "init_from=a/model"])
def test_a_setting_that_was_added_later_is_a_difference_if_it_is_used(folder: Path, setting: str) -> None:
    """Catches a missing setting that is taken to equal any given value."""
    with pytest.raises(UserError, match=f"{setting.partition('=')[0]} .* -> .*; give another name"):
        state(folder, today(*AS_BEFORE, setting))


def test_a_finished_run_of_an_older_version_can_be_continued(folder: Path) -> None:
    """Catches a longer training that is refused for a setting that the run lacks."""
    finish(folder, REPORT)
    assert state(folder, today(*AS_BEFORE)) == "finished"
    assert state(folder, today(*AS_BEFORE, "trainer.max_epochs=11")) == "longer"


OTHER_CORPORA: dict[str, dict[str, Any]] = {
    "multi30k": {"reader": "multi30k", "name": "multi30k-en-de", "pair": "en-de", "root": None, "url": None},
    "files": dict(
        reader="files", name="own", src_lang="en", tgt_lang="fr", train="a/train", valid="a/valid", test="a/t"
    ),
}
"""The corpus of config.yaml in that version, for other readers."""


@pytest.mark.parametrize("corpus", OTHER_CORPORA)
def test_a_setting_that_was_added_to_another_reader_is_not_a_difference(tmp_path: Path, corpus: str) -> None:
    """Catches an unfinished training on Multi30k that is refused because its config has no `test` setting."""
    folder, settings = tmp_path / "tiny", OTHER_CORPORA[corpus]
    with locked(folder), begin(folder, yaml.safe_load(BEFORE) | {"corpus": settings}, {}):
        pass
    given = [f"corpus.{key}={value}" for key, value in settings.items() if key != "reader" and value]
    assert state(folder, today(f"corpus={corpus}", *given, *AS_BEFORE)) == "unfinished"


def test_runs_of_the_older_version_and_of_today_are_compared_in_both_directions() -> None:
    """Catches a mean over seeds that is refused because one run was started with an older version."""
    before, now = yaml.safe_load(BEFORE), today(*AS_BEFORE)
    assert differences(before, now) == differences(now, before) == []
    assert differences(now | {"init_from": "a/model"}, before) == ['init_from "a/model" -> null']
