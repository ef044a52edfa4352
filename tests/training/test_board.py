"""Event files, read back by TensorBoard's own reader."""

import io
import math
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from heed.experiment import Run, train
from tests.support.small_run import events, settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(settings(tmp_path_factory.mktemp("runs"), "schedule=inverse_sqrt", "trainer.max_steps=36"))


def test_every_curve_has_its_points(run: Run) -> None:
    """Catches a curve that is missing, or whose x-axis is not the number of updates."""
    found = events(run.folder)
    names = ["loss", "perplexity", "learning_rate", "teacher_forcing", "gradient_norm"]
    for name in names:
        assert [step for step, _ in found[f"train/{name}"]] == [5, 10, 15, 20, 25, 30, 35]
    assert found["train/tokens_per_second"] == found["train/hours"] == [5, 10, 15, 20, 25, 30, 35]
    for name in ("loss", "perplexity", "bleu", "chrf", "aer", "preserved_any", "preserved_every"):
        assert [step for step, _ in found[f"valid/{name}"]] == [12, 24, 36]
    for name in ("entropy", "normalised_entropy", "eos_share", "coverage", "monotonicity", "sharpness"):
        assert [step for step, _ in found[f"attention_health/{name}"]] == [12, 24, 36]


def test_curves_show_what_happened(run: Run) -> None:
    """Catches values of the next step, of one batch instead of the mean of five, and perplexity of a smoothed loss."""
    found = events(run.folder)
    rates = dict(found["train/learning_rate"])
    assert rates[5] == pytest.approx(0.01 * 5 / 10)  # the fifth of ten warm-up steps
    assert rates[20] == pytest.approx(0.01 * math.sqrt(10 / 20))
    assert dict(found["train/teacher_forcing"])[15] == pytest.approx(1 - 0.5 * 14 / 30)
    for step, perplexity in found["train/perplexity"]:
        assert math.log(perplexity) != pytest.approx(dict(found["train/loss"])[step], rel=1e-4)
    for scores in run.report["history"]:
        for name in ("loss", "bleu", "chrf", "aer"):
            assert dict(found[f"valid/{name}"])[scores["step"]] == pytest.approx(scores[name], abs=1e-4)
    for (_, some), (_, every) in zip(found["valid/preserved_any"], found["valid/preserved_every"], strict=True):
        assert 0 <= every <= some <= 1
    assert found["valid/preserved_any"][0] != found["valid/preserved_any"][-1]


def test_terms_that_are_added_to_the_loss_have_their_own_curves(tmp_path: Path) -> None:
    """Catches a train loss that cannot be compared with that of another run, and a curve of a term that is off."""
    one_step = ["trainer.max_steps=1", "curve_steps=1", "heatmaps=0", "model.dropout=0.5"]

    def found(name: str, *more: str) -> list[float]:
        curves = events(train(settings(tmp_path, f"run={name}", *one_step, *more)).folder)
        return [curves[tag][0][1] for tag in ("train/loss", "train/guided_loss", "train/r_drop") if tag in curves]

    (loss,) = found("plain")
    whole, half = found("guided", "guided_attention=1"), found("half", "guided_attention=0.5")
    assert whole == [loss, pytest.approx(2 * half[1])]
    assert half[1] > 0
    assert found("r_drop", "r_drop=5")[0] == pytest.approx(loss, rel=0.05)


def test_gradient_norms_are_those_before_clipping(tmp_path: Path) -> None:
    """Catches a curve that always shows the clip value."""
    clipped = train(settings(tmp_path, "clip_norm=0.001", "trainer.max_steps=5"))
    ((_, norm),) = events(clipped.folder)["train/gradient_norm"]
    assert norm > 0.01


def test_attention_maps_and_texts_of_the_fixed_sentences_at_every_validation(run: Run) -> None:
    """Catches maps of other sentences each time, a missing map, and texts that Markdown has changed."""
    found = events(run.folder)
    sources = set()
    for number in (1, 2):
        texts = found[f"sentence/{number}/text_summary"]
        assert [step for step, _ in texts] == [12, 24, 36]
        lines = [line.split() for line in texts[-1][1].splitlines()]
        assert [line[0] for line in lines] == ["source", "reference", "hypothesis"]
        assert lines[0][1:] == lines[1][:0:-1]  # the reference is the source reversed
        sources.add(texts[-1][1].splitlines()[0])
        step, encoded = found[f"attention/{number}/reference"][-1]
        assert step == 36
        assert min(Image.open(io.BytesIO(encoded)).size) > 50
        assert [step for step, _ in found[f"attention/{number}/hypothesis"]][-1] == 36
    assert len(sources) == 2


@pytest.mark.slow
def test_attention_that_has_not_formed_gives_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a warning at every validation, a warning too early to judge, and a missing warning."""
    stuck = ["optim.lr=1e-9", "early_stop=null", "trainer.max_steps=240", "trainer.validate_steps=80"]
    run = train(settings(tmp_path, *stuck))
    ((step, text),) = events(run.folder)["attention_health/warning/text_summary"]
    assert step == 240
    assert "attention has not formed" in text
    assert [record.getMessage() for record in caplog.records if record.name == "heed.training.board"] == [text]


@pytest.mark.slow
def test_a_run_that_stops_early_has_the_warning_at_its_end(tmp_path: Path) -> None:
    """Catches a missing warning in a run that ends before the step at which attention is judged."""
    stuck = ["optim.lr=1e-9", "early_stop.patience=1", "trainer.max_steps=2000", "trainer.validate_steps=100"]
    run = train(settings(tmp_path, *stuck))
    assert run.report["steps"] == 200
    ((step, _),) = events(run.folder)["final/attention_health/warning/text_summary"]
    assert step == 200


def test_a_few_updates_are_too_few_to_judge(run: Run) -> None:
    """Catches a warning after a very short run, which teaches people to ignore it."""
    assert "attention_health/warning/text_summary" not in events(run.folder)


def test_settings_are_shown_with_the_scores_of_the_best_model(run: Run) -> None:
    """Catches a table of hyperparameters without metrics, or with those of the last validation instead of the best."""
    reader = EventAccumulator(str(run.folder / "tensorboard"))
    reader.Reload()
    content = reader.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"optim.lr" in content
    assert b"schedule.warmup_steps" in content
    assert reader.Scalars("final/bleu")[0].value == pytest.approx(run.report["best"]["bleu"], abs=1e-4)


def test_a_run_killed_between_its_end_and_its_report_ends_once(tmp_path: Path) -> None:
    """Catches final scores and settings that are written twice, which TensorBoard shows as two sessions or a curve."""
    run = train(settings(tmp_path, "trainer.max_steps=12"))
    before = events(run.folder)
    (run.folder / "report.json").unlink()
    again = train(settings(tmp_path, "trainer.max_steps=12"))
    assert events(again.folder) == before
    assert len(before["final/bleu"]) == 1
    loader = [RawEventFileLoader(str(path)) for path in (run.folder / "tensorboard").iterdir()]
    tags = [value.tag for one in loader for raw in one.Load() for value in Event.FromString(raw).summary.value]
    assert tags.count("_hparams_/session_start_info") == 1
