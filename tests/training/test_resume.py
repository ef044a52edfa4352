"""A run that was stopped in any way and resumed by the same command equals the uninterrupted run."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from heed.errors import UserError
from heed.experiment import train
from heed.training.checkpoints import WholeFiles
from tests.support.small_run import differences, last_checkpoint, overrides, same, settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `with_moments` for the small run."""
    return with_moments(tmp_path_factory.mktemp("runs"))


def with_moments(runs: Path, *more: str) -> Path:
    """A folder of runs: `straight`, and copies of it as it was on the disk just before each checkpoint was replaced.

    To a killed process the disk is all that counts, and just before is the worst moment: everything since the
    checkpoint is done, drawn and lost.
    """
    save = WholeFiles.save_checkpoint

    def save_after_a_copy(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        shutil.copytree(runs / "straight", runs / f"{path.stem}-{checkpoint['global_step']}")
        save(self, checkpoint, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WholeFiles, "save_checkpoint", save_after_a_copy)
        train(settings(runs, "run=straight", *more))
    return runs


@pytest.mark.parametrize("killed_before", ["last-8", "last-12", "best-12", "last-16", "last-24"])
def test_continued_from_any_checkpoint_ends_in_the_same_bits(moments: Path, killed_before: str) -> None:
    """Catches a batch seen twice or never, a validation skipped or repeated, random state, patience or sums lost."""
    train(settings(moments, f"run={killed_before}"))
    assert differences(moments / killed_before, moments / "straight") == []


@pytest.mark.parametrize(
    ("more", "killed_before"),
    [
        (("r_drop=2.0", "word_dropout=0.2", "ema=0.8"), "last-20"),
        (("average_last=2", "batches.accumulate=3"), "last-24"),
    ],
)
def test_what_regularises_goes_on_too(tmp_path: Path, more: tuple[str, ...], killed_before: str) -> None:
    """Catches an average begun again, updated twice for a step or never, or restored instead of the weights."""
    runs = with_moments(tmp_path, *more, "heatmaps=0")
    train(settings(runs, f"run={killed_before}", *more, "heatmaps=0"))
    assert differences(runs / killed_before, runs / "straight") == []


@pytest.mark.parametrize("budget", [["batches.sentences=32"], ["batches.sentences=null", "batches.tokens=700"]])
def test_continued_in_an_epoch_whose_words_were_segmented_again(tmp_path: Path, budget: list[str]) -> None:
    """Catches draws that depend on how often they were made, and an epoch that goes on with the subwords of another."""
    sampled = ["subwords=bpe", "subwords.vocab_size=40", "subword_sampling=0.3", *budget]
    with_moments(tmp_path, *sampled)
    train(settings(tmp_path, "run=last-20", *sampled))  # in the second epoch, of about 13 batches
    assert differences(tmp_path / "last-20", tmp_path / "straight") == []


def test_curves_survive_an_event_file_that_was_torn(moments: Path) -> None:
    """Catches a reader that stops for good at the half record of a process that was killed while it wrote."""
    folder = shutil.copytree(moments / "last-20", moments / "torn")
    (file,) = (folder / "tensorboard").iterdir()
    os.truncate(file, file.stat().st_size - 7)
    train(settings(moments, "run=torn"))
    assert differences(folder, moments / "straight") == []


@pytest.mark.parametrize("ahead", [3600, 10**9])
def test_a_clock_set_back_hides_no_point(moments: Path, ahead: int) -> None:
    """Catches an event file that TensorBoard reads before those of earlier steps, and takes for a restart."""
    folder = shutil.copytree(moments / "last-20", moments / f"clock-{ahead}")
    (file,) = (folder / "tensorboard").iterdir()
    prefix, seconds, rest = re.fullmatch(r"(\D+)(\d+)(.*)", file.name).groups()  # type: ignore[union-attr]
    file.rename(file.with_name(f"{prefix}{int(seconds) + ahead}{rest}"))
    train(settings(moments, f"run=clock-{ahead}"))
    assert len(list((folder / "tensorboard").iterdir())) == 2
    assert differences(folder, moments / "straight") == []


def test_a_run_of_many_starts_shows_every_point_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches files of several starts in the wrong order, and one that is mistaken for the work of a later start."""
    stops = [8, 12, 20]
    save = WholeFiles.save_checkpoint

    def save_and_stop(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        save(self, checkpoint, path)
        if path.stem == "last" and stops and checkpoint["global_step"] == stops[0]:
            raise RuntimeError("stopped")

    train(settings(tmp_path, "run=straight"))
    monkeypatch.setattr(WholeFiles, "save_checkpoint", save_and_stop)
    while stops:
        with pytest.raises(RuntimeError, match="stopped"):
            train(settings(tmp_path, "run=often"))
        stops.pop(0)
    train(settings(tmp_path, "run=often"))
    assert len(list((tmp_path / "often" / "tensorboard").iterdir())) == 4
    assert differences(tmp_path / "often", tmp_path / "straight") == []


def test_a_checkpoint_of_another_heed_is_refused(moments: Path) -> None:
    """Catches a traceback from the depth of a callback that does not find what it saved."""
    folder = shutil.copytree(moments / "last-20", moments / "other")
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    del content["heed_format"]
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    with pytest.raises(UserError, match=r"written by another version of heed; finish .* start over"):
        train(settings(moments, "run=other"))


def test_a_run_stopped_by_patience_stays_stopped(tmp_path: Path) -> None:
    """Catches Lightning's early stopping, which forgets on resume that it had stopped and trains on."""
    stuck = ["optim.lr=1e-9", "early_stop.patience=1", "trainer.max_steps=120"]
    folder = train(settings(tmp_path, *stuck)).folder
    before = last_checkpoint(folder)
    (folder / "report.json").unlink()  # killed between the last validation and the report
    assert train(settings(tmp_path, *stuck)).report["steps"] == 24
    assert same(last_checkpoint(folder), before)


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches writing in place: the process may die at any byte."""
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": torch.tensor(1)}, path)

    def die_halfway(content: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die_halfway)
    with pytest.raises(KeyboardInterrupt):
        WholeFiles().save_checkpoint({"step": torch.tensor(2)}, path)
    assert torch.load(path, weights_only=True) == {"step": torch.tensor(1)}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_processes_killed_at_random_moments_change_nothing(tmp_path: Path) -> None:
    """Catches whatever only a real SIGKILL shows: buffers not written, files half replaced, locks that stay."""
    more = ["trainer.max_steps=400", "trainer.validate_steps=80", "checkpoint_steps=7"]
    train(settings(tmp_path, "run=straight", *more))
    command = [sys.executable, "-m", "heed.cli.train", *overrides(tmp_path, "run=killed", *more)]
    moment = random.Random(1)
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    for in_a_write in (False, True, False, True):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        wait_for_a_new_checkpoint(process, last)
        if in_a_write:
            stop_in_a_write(process, last)
        else:
            time.sleep(moment.uniform(0, 0.5))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert any(halves(last)) or not in_a_write
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert differences(tmp_path / "killed", tmp_path / "straight") == []
    assert not any(halves(last))


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_deferred_and_the_run_can_go_on(tmp_path: Path, asked: signal.Signals, code: int) -> None:
    """Catches an update lost, a checkpoint before its validation, and an end that looks like success to a script."""
    more = ["trainer.max_steps=400", "trainer.validate_steps=80", "checkpoint_steps=1000"]
    train(settings(tmp_path, "run=straight", *more))
    command = [sys.executable, "-m", "heed.cli.train", *overrides(tmp_path, "run=asked", *more)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.endswith("best\n") for line in process.stdout)
        process.send_signal(asked)
        _, said = process.communicate()
    step = torch.load(tmp_path / "asked" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert process.returncode == code
    assert said.splitlines()[-1] == f"heed-train: stopped after step {step:,}; the same command resumes from there"
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert differences(tmp_path / "asked", tmp_path / "straight") == []


def wait_for_a_new_checkpoint(process: subprocess.Popen[bytes], path: Path) -> None:
    """A kill before would only say again what the last one said."""
    before = path.stat().st_ino if path.exists() else None
    while process.poll() is None and (not path.exists() or path.stat().st_ino == before):
        time.sleep(0.01)


def halves(checkpoint: Path) -> Iterator[Path]:
    """Temporary files of a checkpoint, of a running or a killed writer."""
    return checkpoint.parent.glob(f".{checkpoint.name}.*")


def stop_in_a_write(process: subprocess.Popen[bytes], checkpoint: Path) -> None:
    """A write takes milliseconds: hold the process still as soon as one is seen, and look whether it still goes on."""
    while process.poll() is None:
        if any(halves(checkpoint)):
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if any(halves(checkpoint)):
                return
            process.send_signal(signal.SIGCONT)
