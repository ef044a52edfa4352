"""heed-train as a whole: run folders, seeds, finished runs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from heed.cli.train import next_commands, train_and_print
from heed.data.reverse import reverse
from heed.experiment import Run, train
from heed.metrics.bleu import bleu
from heed.translator import load
from tests.support.small_run import events, last_checkpoint, report, same, settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(settings(tmp_path_factory.mktemp("runs"), "trainer.max_steps=60"))


def test_a_run_leaves_all_that_its_folder_promises(run: Run) -> None:
    """Catches a run folder without a file that the documentation names."""
    for name in (
        "config.yaml",
        "environment.json",
        "report.json",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
        "model/weights.safetensors",
    ):
        assert (run.folder / name).stat().st_size > 0
    assert [scores["step"] for scores in run.report["history"]] == [12, 24, 36, 48, 60]
    assert run.report["best"] in run.report["history"]
    assert run.report["steps"] == 60


def test_the_model_folder_has_the_scores_of_the_best_validation(run: Run) -> None:
    """Catches the last weights instead of the best, dropout that is left on, and scores of other text."""
    translator = load(run.folder / "model", precision="float32")
    valid = reverse(train=400, valid=24, test=16, min_len=2, max_len=4).read("valid")
    best, low = run.report["best"], run.report["precision"] == "bfloat16"
    with torch.autocast("cpu", torch.bfloat16, low):
        found = translator.translate(valid.src, max_len=100)
        forced = translator.force(valid.src, valid.tgt)
    assert bleu(hypotheses=[one.text for one in found], references=valid.tgt) == pytest.approx(best["bleu"], abs=1e-9)
    tokens = sum(len(one.tgt.ids) + 1 for one in forced)
    assert -sum(one.score for one in forced) / tokens == pytest.approx(best["loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_run_to_the_bit(tmp_path: Path) -> None:
    """Catches any use of randomness, order or time that the seed does not decide."""
    runs = [train(settings(tmp_path, f"run={name}")) for name in "ab"]
    first, second = (last_checkpoint(run.folder) for run in runs)
    assert same(first, second)
    assert report(runs[0].folder) == report(runs[1].folder)
    assert events(runs[0].folder) == events(runs[1].folder)


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    """Catches a seed that is ignored, with which the test above would prove nothing."""
    one, other = (
        train(settings(tmp_path, f"run=seed-{seed}", f"seed={seed}", "trainer.max_steps=2")) for seed in (1, 2)
    )
    assert one.report["history"][0]["loss"] != other.report["history"][0]["loss"]


def two_steps(runs: Path, *more: str) -> dict[str, Any]:
    """The weights after two updates of a run whose digits can be in one subword or two."""
    short = ("trainer.max_steps=2", "trainer.validate_steps=2", "corpus.train=64", "corpus.valid=2", "heatmaps=0")
    run = train(settings(runs, *short, "subwords.kind=unigram", *more))
    weights: dict[str, Any] = last_checkpoint(run.folder)["state_dict"]
    return weights


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return two_steps(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize(
    "option",
    [
        "subword_sampling=0.2",
        "batches.sentences=16",
        "optim.lr=0.02",
        "schedule.warmup_steps=3",
        "teacher_forcing.start=0.0",
        "label_smoothing=0.3",
        "guided_attention=1.0",
        "r_drop=5.0",
        "word_dropout=0.3",
        "clip_norm=0.01",
    ],
)
def test_every_option_reaches_the_updates(option: str, plain: dict[str, Any], tmp_path: Path) -> None:
    """Catches an option that is in the config and in the help but never reaches training."""
    changed = two_steps(tmp_path, option)
    assert list(changed) == list(plain)
    assert not same(changed, plain)


def test_a_finished_run_is_left_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches the same command that trains again or rewrites files of the finished run."""
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    again = train_and_print(settings(run.folder.parent, "trainer.max_steps=60"))
    assert (again.folder, again.report, again.was_finished) == (run.folder, run.report, True)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == before
    assert "was already finished" in capsys.readouterr().out


def test_patience_ends_a_run_early(tmp_path: Path) -> None:
    """Catches a patience that counts steps instead of validations, and a monitored score that does not exist."""
    stuck = train(settings(tmp_path, "optim.lr=1e-9", "early_stop.patience=2", "trainer.max_steps=120"))
    assert [scores["step"] for scores in stuck.report["history"]] == [12, 24, 36]
    assert stuck.report["best"]["step"] == 12


def test_the_suggested_next_commands_exist() -> None:
    """Catches `make evaluate` as advice in a folder that has no Makefile."""
    assert next_commands(Path("runs/my run"), tested=False, in_checkout=False) == (
        "heed-evaluate 'model=runs/my run/model' split=valid, heed-translate 'model=runs/my run/model', "
        "tensorboard --samples_per_plugin images=1000 --logdir 'runs/my run'"
    )
    in_checkout = "make evaluate RUN=runs/tiny, make translate RUN=runs/tiny, make board"
    assert next_commands(Path("runs/tiny"), tested=True, in_checkout=True) == in_checkout
