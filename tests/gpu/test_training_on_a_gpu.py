"""Training on a GPU gives the numbers of a CPU, the same bits after a resume, and one line for each error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from heed.errors import UserError
from heed.experiment import train
from tests.support.moments import with_moments
from tests.support.small_run import differences, overrides, report, settings

ROOT = Path(__file__).parents[2]

SHORT = ["trainer.max_steps=8", "trainer.validate_steps=4", "heatmaps=1", "corpus.valid=8", "checkpoint_steps=2"]

FIXED = [*SHORT, "model.dropout=0", "teacher_forcing.end=1.0", "precision=float32", "matmul_precision=highest"]
"""Without random draws and rounding that differ on a GPU."""


@pytest.mark.parametrize(
    "more",
    [
        ["r_drop=1.0", "ema=0.8", "batches.accumulate=3"],
        ["average_last=2", "model.query=current", "model.layer_norm=true"],
        ["attention=multi_head", "guided_attention=1.0"],
    ],
    ids=str,
)
def test_a_run_learns_what_it_learns_on_a_cpu(
    more: list[str], device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches state of callbacks, averages, validations or checkpoints that is not on the model's device."""
    found = report(train(settings(tmp_path, f"device={device.type}", "run=there", *FIXED, *more)).folder)
    monkeypatch.undo()
    expected = report(train(settings(tmp_path, "run=here", *FIXED, *more)).folder)
    for one, other in zip(found["history"], expected["history"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


def test_a_resumed_run_ends_in_the_same_bits(device: torch.device, tmp_path: Path) -> None:
    """Catches random draws and sums on the GPU that a checkpoint does not restore, with bfloat16 and dropout."""
    more = [f"device={device.type}", *SHORT, "precision=bfloat16", "ema=0.8"]
    runs = with_moments(tmp_path, *more)
    train(settings(runs, "run=last-6", *more))
    assert differences(runs / "last-6", runs / "straight") == []


@pytest.mark.gpu
def test_one_process_of_torchrun(given_device: torch.device, tmp_path: Path) -> None:
    """Catches messages between processes on a device that their backend does not support."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    given = overrides(tmp_path, *FIXED, f"device={given_device.type}", "distributed=true", "run=together")
    done = subprocess.run(
        [*torchrun, "-m", "heed.cli.train", *given], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    alone = train(settings(tmp_path, *FIXED, f"device={given_device.type}", "run=alone"))
    for one, other in zip(report(tmp_path / "together")["history"], alone.report["history"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


@pytest.mark.gpu
def test_a_batch_too_large_for_memory_is_reported_in_one_line(
    given_device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches torch's long message about its allocator."""
    if given_device.type == "cuda":
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**21) / total)
        assert free > 2**30
    else:
        monkeypatch.setattr("heed.training.module.TranslationModule.training_step", _no_memory)
    wide = [f"model.{name}=512" for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim")]
    try:
        with pytest.raises(UserError, match=r"^a batch does not fit into memory; lower batches"):
            train(settings(tmp_path, *FIXED, f"device={given_device.type}", *wide))
    finally:
        if given_device.type == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()


def _no_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


PRODUCT_FIRST = """
import sys, torch, pathlib
from heed.experiment import train
from tests.support.small_run import settings
torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda")
train(settings(pathlib.Path(sys.argv[1]), "device=cuda", "trainer.max_steps=1", "heatmaps=0"))
"""


@pytest.mark.gpu
def test_a_process_that_has_multiplied_before_says_what_to_set(given_device: torch.device, tmp_path: Path) -> None:
    """Catches torch's long error: the setting of cuBLAS is read only once, at a process's first product."""
    if given_device.type != "cuda":
        pytest.skip("cuBLAS needs a GPU")
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT_FIRST, str(tmp_path)],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError: this process has already used cuBLAS on the GPU" in done.stderr, done.stderr[-3000:]
