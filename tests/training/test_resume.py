"""A run that was stopped in any way and resumed by the same command equals the uninterrupted run."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from heed.errors import UserError
from heed.experiment import train
from heed.training.checkpoints import WholeFiles
from tests.support import small_run
from tests.support.commands import Started, forked, started
from tests.support.moments import with_moments
from tests.support.small_run import TOGETHER, differences, last_checkpoint, overrides, same, settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `with_moments` for the small run."""
    return with_moments(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("killed_before", ["last-8", "last-12", "best-12", "last-16", "last-24"])
def test_a_run_resumed_from_any_checkpoint_ends_with_the_same_bits(moments: Path, killed_before: str) -> None:
    """Catches a batch or a validation that is skipped or repeated, and lost random state, patience or sums."""
    train(settings(moments, f"run={killed_before}"))
    assert differences(moments / killed_before, moments / "straight") == []


@pytest.mark.parametrize("options", TOGETHER, ids=["guided", "sampled"])
def test_a_run_with_all_options_is_resumed(tmp_path: Path, options: Sequence[str]) -> None:
    """Catches an average that starts again, that is updated twice or never in a step, or that replaces the weights.

    It also catches random numbers, for dropout, words or subwords, that one option takes from another.
    """
    runs = with_moments(tmp_path, *options)
    train(settings(runs, "run=last-20", *options))
    assert differences(runs / "last-20", runs / "straight") == []


@pytest.mark.parametrize("budget", [["batches.sentences=32"], ["batches.sentences=null", "batches.tokens=700"]])
def test_a_run_is_resumed_in_an_epoch_with_new_segmentations(tmp_path: Path, budget: list[str]) -> None:
    """Catches draws that depend on the number of earlier draws, and an epoch resumed with the subwords of another."""
    sampled = ["subwords=bpe", "subwords.vocab_size=40", "subword_sampling=0.3", *budget]
    with_moments(tmp_path, *sampled)
    train(settings(tmp_path, "run=last-20", *sampled))  # in the second epoch, of about 13 batches
    assert differences(tmp_path / "last-20", tmp_path / "straight") == []


def test_a_run_is_resumed_in_an_epoch_of_a_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a sample of a part that is drawn again when a run is resumed."""
    own = "{reader: reverse, train: 300, valid: 24, test: 16, min_len: 2, max_len: 4}"
    more = "{reader: reverse, train: 300, min_len: 2, max_len: 4, seed: 2, weight: 0.4}"
    others = [line for line in small_run.SMALL if not line.startswith("corpus")]
    monkeypatch.setattr(small_run, "SMALL", ["corpus=mix", f"corpus.parts={{own: {own}, more: {more}}}", *others])
    with_moments(tmp_path)
    train(settings(tmp_path, "run=last-20"))  # in the second epoch, of 13 batches
    assert differences(tmp_path / "last-20", tmp_path / "straight") == []


def test_curves_survive_an_event_file_that_was_torn(moments: Path) -> None:
    """Catches an incomplete record of a process that was killed while writing: TensorBoard stops reading there."""
    folder = shutil.copytree(moments / "last-20", moments / "torn")
    (file,) = (folder / "tensorboard").iterdir()
    os.truncate(file, file.stat().st_size - 7)
    train(settings(moments, "run=torn"))
    assert differences(folder, moments / "straight") == []


@pytest.mark.parametrize("ahead", [3600, 10**9])
def test_a_clock_set_back_hides_no_point(moments: Path, ahead: int) -> None:
    """Catches an event file that TensorBoard reads before those of earlier steps, which it takes for a restart."""
    folder = shutil.copytree(moments / "last-20", moments / f"clock-{ahead}")
    (file,) = (folder / "tensorboard").iterdir()
    prefix, seconds, rest = re.fullmatch(r"(\D+)(\d+)(.*)", file.name).groups()  # type: ignore[union-attr]
    file.rename(file.with_name(f"{prefix}{int(seconds) + ahead}{rest}"))
    train(settings(moments, f"run=clock-{ahead}"))
    assert len(list((folder / "tensorboard").iterdir())) == 2
    assert differences(folder, moments / "straight") == []


def test_a_run_of_many_starts_shows_every_point_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches files of several starts in the wrong order, and a file that is taken for that of a later start."""
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
    """Catches a traceback from a callback whose saved state is missing."""
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


def test_a_checkpoint_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a checkpoint that is overwritten in place, although the process may end at any byte."""
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
    """Catches faults that only a real SIGKILL shows: unwritten buffers, incomplete files, and locks that stay."""
    more = ["trainer.max_steps=400", "trainer.validate_steps=80", "checkpoint_steps=7"]
    train(settings(tmp_path, "run=straight", *more))
    command = overrides(tmp_path, "run=killed", *more)
    moment = random.Random(1)
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    for in_a_write in (False, True, False, True):
        process = started(tmp_path, "train", *command)
        wait_for_a_new_checkpoint(process, last)
        if in_a_write:
            stop_in_a_write(process, last)
        else:
            time.sleep(moment.uniform(0, 0.5))
        process.send(signal.SIGKILL)
        assert process.wait().code == -signal.SIGKILL
        assert any(halves(last)) or not in_a_write
    python = [sys.executable, "-m", "heed.cli.train", *command]  # not a fork, in which hashes of strings are the same
    assert subprocess.run(python, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert differences(tmp_path / "killed", tmp_path / "straight") == []
    assert not any(halves(last))


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_deferred_and_the_run_can_be_resumed(tmp_path: Path, asked: signal.Signals, code: int) -> None:
    """Catches a lost update, a checkpoint saved before its validation, and an exit code that means success."""
    more = ["trainer.max_steps=200", "trainer.validate_steps=40", "checkpoint_steps=1000"]
    train(settings(tmp_path, "run=straight", *more))
    command = overrides(tmp_path, "run=asked", *more)
    process = started(tmp_path, "train", *command)
    while process.running() and "best\n" not in process.out.read_text():
        time.sleep(0.01)
    process.send(asked)
    ended = process.wait()
    step = torch.load(tmp_path / "asked" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert ended.code == code
    assert ended.line == f"heed-train: stopped after step {step:,}; the same command resumes from there"
    assert forked(tmp_path, "train", *command).code == 0
    assert differences(tmp_path / "asked", tmp_path / "straight") == []


def wait_for_a_new_checkpoint(process: Started, path: Path) -> None:
    """Wait until the process has written a checkpoint: an earlier kill would repeat the last one."""
    before = path.stat().st_ino if path.exists() else None
    while process.running() and (not path.exists() or path.stat().st_ino == before):
        time.sleep(0.01)


def halves(checkpoint: Path) -> Iterator[Path]:
    """Temporary files of a checkpoint, of a running or a killed writer."""
    return checkpoint.parent.glob(f".{checkpoint.name}.*")


def stop_in_a_write(process: Started, checkpoint: Path) -> None:
    """Stop the process as soon as it writes, and check that the write, which takes milliseconds, has not finished."""
    while process.running():
        if any(halves(checkpoint)):
            process.send(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if any(halves(checkpoint)):
                return
            process.send(signal.SIGCONT)
