"""Continued training: more epochs of a finished run, or a new run that starts from a model."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heed import bundle
from heed.errors import UserError
from heed.experiment import check, train
from heed.training.checkpoints import WholeFiles
from tests.support.model_folder import write
from tests.support.small_run import differences, events, last_checkpoint, report, same, settings

CONSTANT = ("schedule=constant", "schedule.warmup_steps=10", "heatmaps=0")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 24 steps, with a constant learning rate."""
    return train(settings(tmp_path_factory.mktemp("runs"), "run=short", *CONSTANT)).folder


@pytest.mark.parametrize("killed_at", [None, 32])
def test_a_finished_run_that_is_continued_equals_the_longer_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int | None
) -> None:
    """Catches a run that begins again, repeats a step, or writes the final points of the shorter run a second time."""
    longer = (*CONSTANT, "trainer.max_steps=48")
    assert train(settings(tmp_path, "run=grown", *CONSTANT)).report["steps"] == 24
    if killed_at:
        with monkeypatch.context() as patch:
            patch.setattr(WholeFiles, "save_checkpoint", killed_after(killed_at))
            with pytest.raises(RuntimeError, match="killed"):
                train(settings(tmp_path, "run=grown", *longer))
    train(settings(tmp_path, "run=grown", *longer))
    train(settings(tmp_path, "run=straight", *longer))

    one, other = tmp_path / "grown", tmp_path / "straight"
    assert (report(one), events(one)) == (report(other), events(other))
    assert same(*(learned(folder) for folder in (one, other)))
    assert train(settings(tmp_path, "run=grown", *longer)).was_finished


def learned(folder: Path) -> dict[str, Any]:
    """The last checkpoint, without Lightning's own counters, in which a continued run has two epochs."""
    content = last_checkpoint(folder)
    return {key: value for key, value in content.items() if key not in ("loops", "epoch")}


def killed_after(step: int) -> Callable[..., None]:
    """A `save_checkpoint` that ends a run after it has saved the checkpoint of `step`."""
    save = WholeFiles.save_checkpoint

    def save_and_die(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        save(self, checkpoint, path)
        if checkpoint["global_step"] == step:
            raise RuntimeError("killed")

    return save_and_die


def test_a_cosine_schedule_that_rises_again_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a learning rate that jumps silently, or that stays at 0 for all further steps."""
    train(settings(tmp_path, "run=cosine", "heatmaps=0"))
    before = last_checkpoint(tmp_path / "cosine")["state_dict"]
    with caplog.at_level(logging.INFO):
        train(settings(tmp_path, "run=cosine", "heatmaps=0", "trainer.max_steps=48"))

    assert "was finished after step 24 and continues to step 48" in caplog.text
    assert "the learning rate changes from 0% of optim.lr to 70%" in caplog.text
    assert not same(before, last_checkpoint(tmp_path / "cosine")["state_dict"])


@pytest.mark.parametrize("more", ["trainer.max_steps=12", "seed=2 trainer.max_steps=48", "trainer.validate_steps=6"])
def test_a_finished_run_can_only_be_continued_for_more_steps(finished: Path, more: str) -> None:
    """Catches a report with other settings than the run was trained with, and a finished run that is shortened."""
    before = report(finished)
    with pytest.raises(UserError, match="contains a run with other settings"):
        train(settings(finished.parent, "run=short", *CONSTANT, *more.split()))
    assert report(finished) == before


def test_a_run_that_was_stopped_early_is_refused_with_advice(tmp_path: Path) -> None:
    """Catches a longer run that silently stops at once, because of the patience that ended the shorter one."""
    patient = (*CONSTANT, "optim.lr=0.0", "trainer.validate_steps=4", "early_stop.patience=2")
    assert train(settings(tmp_path, "run=early", *patient)).report["stopped_early"]
    with pytest.raises(
        UserError, match=f"would stop at the same step again; .*init_from={tmp_path}/early/model and another run"
    ):
        train(settings(tmp_path, "run=early", *patient, "trainer.max_steps=48"))


def test_a_model_trained_further_begins_with_its_weights_and_subwords(finished: Path, tmp_path: Path) -> None:
    """Catches weights that are initialised again, and subwords of the new text, whose ids mean other words."""
    model = bundle.load(finished / "model")
    other = ("corpus.train=300", "corpus.max_len=3", "seed=5", f"init_from={finished}/model")
    still = train(settings(tmp_path, "run=still", *CONSTANT, *other, "optim.lr=0.0"))
    tuned = bundle.load(still.folder / "model")

    assert (tuned.src, tuned.tgt) == (model.src, model.tgt)
    assert same(dict(tuned.model.state_dict()), dict(model.model.state_dict()))
    assert tuned.about["init_from"] == f"{finished}/model"

    moved = bundle.load(train(settings(tmp_path, "run=moved", *CONSTANT, *other)).folder / "model")
    assert not same(dict(moved.model.state_dict()), dict(model.model.state_dict()))


def test_a_run_that_began_with_a_model_is_resumed_like_any_other(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a resumed run that starts again with the weights of that model."""
    begun = (*CONSTANT, f"init_from={finished}/model")
    with monkeypatch.context() as patch:
        patch.setattr(WholeFiles, "save_checkpoint", killed_after(16))
        with pytest.raises(RuntimeError, match="killed"):
            train(settings(tmp_path, "run=killed", *begun))
    for name in ("killed", "straight"):
        train(settings(tmp_path, f"run={name}", *begun))
    assert differences(tmp_path / "killed", tmp_path / "straight") == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.hid_dim=24"], r"has another architecture than this run \(hid_dim\); give model\.hid_dim=16$"),
        (
            ["attention=coverage"],
            r"has another architecture than this run \(attention.score.*\); give model.attention.score=additive",
        ),
        (["init_from=nowhere"], "^nowhere is not a model folder"),
    ],
)
def test_a_model_that_this_run_cannot_begin_with_is_refused(finished: Path, overrides: list[str], message: str) -> None:
    """Catches torch's long message about shapes, and an error only after the text was read."""
    with pytest.raises(UserError, match=message) as refusal:
        check(settings(finished.parent, "run=other", f"init_from={finished}/model", *overrides))
    assert "\n" not in str(refusal.value)


def test_a_run_does_not_begin_with_its_own_model(finished: Path) -> None:
    """Catches a model that is moved away with the replaced run before the new run has read it."""
    with pytest.raises(UserError, match="is inside the folder of this run; give another name with run=NAME"):
        check(settings(finished.parent, "run=short", f"init_from={finished}/model", "overwrite=true"))


def test_a_run_can_begin_with_a_model_folder_from_elsewhere(tmp_path: Path) -> None:
    """Catches a run that can only begin with a model of the same subword settings."""
    folder = write(tmp_path / "model")
    sizes = [
        f"model.{key}={value}" for key, value in bundle.read_architecture(folder).to_dict().items() if "_dim" in key
    ]
    run = train(
        settings(tmp_path, *CONSTANT, f"init_from={folder}", *sizes, "model.attention.att_dim=8", "model.tie=none")
    )
    assert bundle.load(run.folder / "model").src == bundle.load(folder).src
