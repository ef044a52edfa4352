"""The choice of the best model, and early stopping."""

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer

from heed.cli.train import train_and_print
from heed.errors import UserError
from heed.experiment import train
from heed.metrics import scores
from heed.metrics.scores import Metric, Scored, metric, register
from heed.signals import Interrupted, Terminated
from heed.training.checkpoints import Checkpoints, EarlyStop
from heed.training.module import TranslationModule
from heed.training.reporting import Begin, Reporter, Resumed, StoppedEarly, Update, Validated, Validating
from heed.training.trainer import RunTrainer, build_trainer
from tests.support.small_run import events, report, settings

Scores = dict[str, float]


def scored(bleu: float, chrf: float = 0.0, loss: float = 1.0) -> Scores:
    return {"bleu": float(bleu), "chrf": float(chrf), "loss": float(loss)}


@pytest.fixture
def trainer(tmp_path: Path) -> RunTrainer:
    return build_trainer(tmp_path, [], batches_per_epoch=100, max_steps=100, device="cpu")


def module(now: Scores) -> Any:
    """A stand-in for a model in training, with given scores."""
    task = TranslationModule.__new__(TranslationModule)
    object.__setattr__(task, "scores", now)
    return task


def best_of(name: str, history: Sequence[Scores]) -> int:
    checkpoints = Checkpoints(metric(name))
    checkpoints.history = [{"step": step, **each} for step, each in enumerate(history)]
    return int(checkpoints.best["step"])


def test_ties_go_to_chrf_then_to_the_loss_then_to_the_first() -> None:
    """Catches the first and worst model that is kept as the best if BLEU stays at 0."""
    assert best_of("bleu", [scored(0, 3), scored(0, 9), scored(0, 5)]) == 1
    assert best_of("bleu", [scored(7, 3, 2.0), scored(7, 3, 1.0), scored(7, 3, 1.0)]) == 1
    assert best_of("bleu", [scored(7, 3, 2.0), scored(8, 1, 9.0)]) == 1
    assert best_of("loss", [scored(7, 3, 2.0), scored(8, 9, 2.5)]) == 0


class Noted(Reporter):
    """Records all reported events, in order."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def note(self, *what: Any) -> None:
        self.calls += what or ["close"]

    begin = resumed = validating = validated = stopped_early = close = note  # type: ignore[assignment]

    def update(self, update: Update) -> None:
        self.calls.append(update.step)


def patience(trainer: Trainer, stop: EarlyStop, history: Sequence[Scores]) -> int | None:
    """The number of validations after which training stops, or None."""
    for number, now in enumerate(history, start=1):
        stop.on_validation_end(trainer, module(now))
        if trainer.should_stop:
            return number
    return None


def test_patience_counts_validations_without_better_translations(trainer: RunTrainer) -> None:
    """Catches a run of BLEU 0 that is stopped while chrF rises, and a run that continues because its loss falls."""
    reporter = Noted()
    rising = [scored(0, number) for number in range(8)]
    assert patience(trainer, EarlyStop(metric("bleu"), reporter, patience=2), rising) is None
    assert patience(trainer, EarlyStop(metric("bleu"), reporter, patience=2, min_delta=1.0), rising) is None
    falling_loss = [scored(5, 5, 1 / number) for number in range(1, 9)]
    assert patience(trainer, EarlyStop(metric("loss"), reporter, patience=2), falling_loss) is None
    assert reporter.calls == []
    assert patience(trainer, EarlyStop(metric("bleu"), reporter, patience=2), falling_loss) == 3
    assert reporter.calls == [StoppedEarly(step=0, steps=100, metric="bleu", patience=2)]


def test_patience_waits_for_a_gain_of_more_than_min_delta(trainer: RunTrainer) -> None:
    """Catches min_delta that is added on the wrong side of the comparison, and small gains that never add up."""
    slow = [scored(number * 0.4) for number in range(9)]
    assert patience(trainer, EarlyStop(metric("bleu"), patience=3, min_delta=1.0), slow) is None
    trainer.should_stop = False
    assert patience(trainer, EarlyStop(metric("bleu"), patience=2, min_delta=1.0), slow) == 3


def test_a_run_that_has_stopped_stays_stopped(trainer: RunTrainer) -> None:
    """Catches a run that stopped early, was killed before its report, and trains further when it is resumed."""
    stop = EarlyStop(metric("bleu"), patience=1)
    patience(trainer, stop, [scored(5), scored(4)])
    again = EarlyStop(metric("bleu"), patience=1)
    again.load_state_dict(stop.state_dict())
    trainer.should_stop = False
    again.on_fit_start(trainer, module({}))
    assert trainer.should_stop


def test_an_early_stop_is_announced_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a run that is silently shorter than requested."""
    stuck = ["optim.lr=1e-9", "early_stop.patience=2", "trainer.max_steps=120", "heatmaps=0"]
    run = train_and_print(settings(tmp_path, *stuck))
    assert (run.report["stopped_early"], run.report["patience"], run.report["steps"]) == (True, 2, 36)
    assert "stopped early after step 36 of 120: chrF did not improve in 2 validations" in capsys.readouterr().out
    whole = train(settings(tmp_path, "run=whole", "heatmaps=0"))
    assert whole.report["stopped_early"] is False


def test_the_metric_is_chosen_by_a_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a metric that is printed but not used for the choice."""
    run = train_and_print(settings(tmp_path, "metric=exact", "trainer.max_steps=36", "heatmaps=0"))
    history = run.report["history"]
    assert run.report["metric"] == "exact"
    assert run.report["best"] == max(history, key=lambda one: (one["exact"], one["chrf"], -one["loss"]))
    assert "best model by exact" in capsys.readouterr().out
    with pytest.raises(UserError, match="metric=blue: expected auto or one of bleu, "):
        train(settings(tmp_path, "run=wrong", "metric=blue"))


def first_signs(*, hypotheses: Sequence[str], references: Sequence[str], tgt_lang: str) -> Scored:
    """Share of sentences that begin with the same character as their reference."""
    return Scored(sum(a[:1] == b[:1] for a, b in zip(hypotheses, references, strict=True)) / len(references), "mine")


def test_a_metric_from_outside_reaches_all_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a registered metric that is missing in the report, the curves or the table."""
    monkeypatch.setattr(scores, "_metrics", dict(scores._metrics))
    register(Metric("first", "first sign", ".3f", higher_is_better=True, validated=True, compute=first_signs))
    run = train_and_print(settings(tmp_path, "metric=first", "heatmaps=0"))
    values = [one["first"] for one in run.report["history"]]
    assert report(run.folder)["best"]["first"] == max(values)
    assert [value for _, value in events(run.folder)["valid/first"]] == pytest.approx(values)
    assert "final/first" in events(run.folder)
    out = capsys.readouterr().out
    table = out[out.index("    step  epoch") :].splitlines()
    end = table[0].index("first sign") + len("first sign")
    assert [line[:end].split()[-1] for line in table[1:3]] == [f"{value:.3f}" for value in values]
    assert f"first sign {max(values):.3f}" in out[out.index("\nbest ") :]


def kinds(calls: Sequence[Any]) -> list[Any]:
    return [type(call) if not isinstance(call, int | str) else call for call in calls]


def test_a_reporter_gets_all_events_in_order(tmp_path: Path) -> None:
    """Catches events lost, doubled or out of order."""
    noted = Noted()
    train(settings(tmp_path, "trainer.max_steps=4", "trainer.validate_steps=2", "heatmaps=0"), reporter=noted)
    validation = [Validating, Validated]
    assert kinds(noted.calls) == [Begin, 1, 2, *validation, 3, 4, *validation, "close"]
    assert noted.calls[0] == Begin(0, 4, "chrf", ("bleu", "chrf", "loss", "perplexity", "aer"))
    last = noted.calls[-2]
    assert (last.step, set(last.scores)) == (4, {"loss", "perplexity", "bleu", "chrf", "aer"})
    assert last.epoch == pytest.approx(4 / 13)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)])
def test_a_signal_raises_an_exception_with_the_saved_step(
    number: signal.Signals, kind: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches Lightning's SystemExit in a program that trains, and a finished update that is not saved."""
    noted = Noted()
    monkeypatch.setattr(noted, "update", lambda update: os.kill(os.getpid(), number) if update.step == 3 else None)
    with pytest.raises(kind) as ended:
        train(settings(tmp_path, "heatmaps=0"), reporter=noted)
    assert getattr(ended.value, "step", None) == 3
    assert noted.calls[-1] == "close"
    again = Noted()
    run = train(settings(tmp_path, "heatmaps=0"), reporter=again)
    assert again.calls[0] == Resumed(3)
    assert again.calls[2] == 4
    assert run.report["steps"] == 24


def test_bleu_that_stayed_at_0_is_noticed(trainer: RunTrainer, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a run in which every validation scored 0.00 without a warning."""
    checkpoints = Checkpoints(metric("bleu"))
    for bleu, warned in ((1.0, False), (0.0, True)):
        checkpoints.history = [{"step": 1, **scored(bleu, 9)}]
        with caplog.at_level(logging.WARNING):
            checkpoints.on_train_end(trainer, module({}))
        assert ("BLEU was 0.00 at every validation" in caplog.text) == warned
