"""Runs that end because of an error: nothing saved is lost, and one line gives the reason."""

import multiprocessing
import os
import re
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from heed.errors import UserError
from heed.experiment import train
from heed.training.checkpoints import WholeFiles, is_whole
from heed.training.reporting import Reporter, Validated
from tests.support.permissions import permissions_count
from tests.support.small_run import differences, settings

WITHOUT_PICTURES = ("heatmaps=0", "checkpoint_steps=4")


class Harm:
    """Creates a file if it is loaded with pickle."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs: `straight`, and `stopped`, which ended when the checkpoint of step 16 was to be written."""
    runs = tmp_path_factory.mktemp("runs")
    save = WholeFiles.save_checkpoint

    def save_until(self: WholeFiles, checkpoint: dict[str, Any], path: Path, **rest: object) -> None:
        if checkpoint["global_step"] == 16:
            raise RuntimeError("stopped")
        save(self, checkpoint, path)

    train(settings(runs, "run=straight", *WITHOUT_PICTURES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WholeFiles, "save_checkpoint", save_until)
        with pytest.raises(RuntimeError, match="stopped"):
            train(settings(runs, "run=stopped", *WITHOUT_PICTURES))
    return runs


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy of the stopped run; its last checkpoint is of step 12, its previous one of step 8."""
    return shutil.copytree(stopped / "stopped", tmp_path / "stopped")


def go_on(run: Path) -> None:
    train(settings(run.parent, f"run={run.name}", *WITHOUT_PICTURES))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def alter_a_weight(path: Path) -> None:
    """Change one bit of one weight; torch.load accepts the file silently."""
    weight = torch.load(path, weights_only=True)["state_dict"]["model.decoder.output.weight"].contiguous()
    content = path.read_bytes()
    at = content.index(weight.numpy().tobytes())
    path.write_bytes(content[: at + 3] + bytes([content[at + 3] ^ 1]) + content[at + 4 :])
    assert not torch.equal(torch.load(path, weights_only=True)["state_dict"]["model.decoder.output.weight"], weight)


def make_hostile(path: Path) -> None:
    torch.save({"global_step": Harm(path.with_name("harm"))}, path)


@pytest.mark.parametrize("harm", [truncate, alter_a_weight, make_hostile])
def test_after_a_damaged_last_checkpoint_the_previous_one_is_used(
    harm: Any, run: Path, stopped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches a run that is lost with its last checkpoint, altered weights that are used, and code in a checkpoint."""
    last = run / "checkpoints" / "last.ckpt"
    harm(last)
    damaged = last.read_bytes()
    go_on(run)
    warned = [record.getMessage() for record in caplog.records if record.name == "heed.training.checkpoints"]
    assert warned == [f"{last} cannot be read; renamed to last.damaged, continuing from previous.ckpt"]
    assert last.with_suffix(".damaged").read_bytes() == damaged
    assert differences(run, stopped / "straight") == []
    assert not last.with_name("harm").exists()


def test_without_an_intact_checkpoint_nothing_is_changed(run: Path) -> None:
    """Catches a run that silently begins again and overwrites files that might still be rescued."""
    for name in ("last.ckpt", "previous.ckpt"):
        truncate(run / "checkpoints" / name)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"last\.ckpt and .*previous\.ckpt cannot be read; .*overwrite=true"):
        go_on(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_killed_between_two_renames_continues_from_the_previous_checkpoint(run: Path, stopped: Path) -> None:
    """Catches a run that begins again if last.ckpt is missing."""
    (run / "checkpoints" / "last.ckpt").unlink()
    go_on(run)
    assert differences(run, stopped / "straight") == []


def test_a_full_disk_is_reported_and_checkpoints_are_kept(run: Path, stopped: Path) -> None:
    """Catches an incomplete checkpoint in place of a complete one, and an error that hides that of the system."""
    size = (run / "checkpoints" / "last.ckpt").stat().st_size
    with limited(resource.RLIMIT_FSIZE, size // 2), pytest.raises(UserError, match="File too large; what was saved"):
        go_on(run)
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert kept == ["best.ckpt", "last.ckpt", "previous.ckpt"]
    assert all(is_whole(run / "checkpoints" / name) for name in kept)
    go_on(run)
    assert differences(run, stopped / "straight") == []


@pytest.mark.parametrize("room", [1, 1_000, 200_000, 400_100])
def test_a_disk_that_is_full_at_any_byte_gives_the_error_of_the_system(tmp_path: Path, room: int) -> None:
    """Catches torch's error about `unexpected pos` at the end of a file, which hides that of the system."""
    path = tmp_path / "last.ckpt"
    with limited(resource.RLIMIT_FSIZE, room), pytest.raises(OSError, match="File too large"):
        WholeFiles().save_checkpoint({"weights": torch.zeros(100_000)}, path)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_reported(run: Path) -> None:
    """Catches a traceback from the code that writes a checkpoint."""
    checkpoints = run / "checkpoints"
    checkpoints.chmod(0o555)
    with permissions_count(), pytest.raises(UserError, match="Permission denied; what was saved"):
        go_on(run)
    checkpoints.chmod(0o755)
    assert is_whole(checkpoints / "last.ckpt")


def test_training_stops_before_a_loss_of_nan_is_saved(run: Path) -> None:
    """Catches weights of NaN in the last checkpoint, from which the run cannot be continued."""
    last = run / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    content["state_dict"]["model.decoder.output.weight"].fill_(torch.inf)
    torch.save(content, last)
    before = last.read_bytes()
    with pytest.raises(UserError) as refusal:
        go_on(run)
    said = str(refusal.value)
    assert re.search(r"at step 13: loss nan, gradient norm nan, learning rate 0\.0\d+;", said)
    assert "Try an optim.lr below 0.01, a clip_norm below 1" in said
    assert last.read_bytes() == before


@pytest.mark.parametrize(
    ("budget", "setting"),
    [
        (("batches.sentences=400",), "batches.sentences, now 400"),
        (("batches.sentences=null", "batches.tokens=40000"), "batches.tokens, now 40,000"),
    ],
)
def test_a_batch_too_large_names_the_setting_to_lower(budget: tuple[str, ...], setting: str, tmp_path: Path) -> None:
    """Catches a traceback, and advice about the budget that is not in use.

    It runs in a separate process, because a library may stay unusable after it was refused memory.
    """
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as child,
        pytest.raises(UserError, match=f"lower {setting}"),
    ):
        child.submit(train_in_little_memory, tmp_path, *budget).result()


def train_in_little_memory(runs: Path, *budget: str) -> None:
    """Train with so little memory that the keys of one batch need twice the rest, and all before them almost none."""
    too_large = settings(runs, *budget, "model.attention.att_dim=40000", "corpus.max_len=40")
    status = Path("/proc/self/status").read_text()
    used = int(re.findall(r"VmSize:\s+(\d+) kB", status)[0]) * 1024
    with limited(resource.RLIMIT_AS, used + 600 * 2**20):
        train(too_large)


@contextmanager
def limited(what: int, limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("validation", [1, 2])
def test_a_run_folder_that_is_removed_during_training_is_reported_in_one_line(tmp_path: Path, validation: int) -> None:
    """Catches a traceback from the next write, and a report in a folder that is not a run."""
    seen: list[int] = []

    class Removing(Reporter):
        def validated(self, validated: Validated) -> None:
            seen.append(validated.step)
            if len(seen) == validation:
                (tmp_path / "gone").rename(tmp_path / "elsewhere")  # a thread may be writing into it

    with pytest.raises(UserError, match=r"gone or its environment\.json was removed while a run trained in it"):
        train(settings(tmp_path, "run=gone"), reporter=Removing())
    assert not (tmp_path / "gone/report.json").exists()
